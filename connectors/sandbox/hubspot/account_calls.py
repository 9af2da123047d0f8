"""Owners, pipelines and what the account says of itself (HubSpot reference, sections 6.3, 6.4 and 9.1)."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any

from connectors.sandbox.hubspot import standard_leads
from connectors.sandbox.hubspot.account import APP_HOST, CURRENCY, OPENED, OWNERS, PORTAL_ID, TIME_ZONE
from connectors.sandbox.hubspot.call import Call, answer
from connectors.sandbox.hubspot.errors import bad_request, no_resource
from connectors.sandbox.hubspot.kinds import LEADS
from connectors.sandbox.hubspot.lifecycle import STAGE, pipelines
from connectors.sandbox.hubspot.moments import to_ms, wire
from connectors.sandbox.hubspot.portal import Portal
from connectors.sandbox.side import Answer

_MADE = wire(OPENED)


def list_owners(_portal: Portal, call: Call) -> Answer:
    """``GET /owners``: by id; ``after`` is a cursor, ``email`` picks one, ``archived`` the former ones."""
    email, archived = call.ask.first("email"), call.flag("archived")
    limit = call.number("limit", 100, 1, 500)
    after = call.ask.first("after") or "0"
    if not after.isdecimal() or len(after) > 18:
        raise bad_request(f"after must be a cursor of this list, got {after}")
    found = [
        owner
        for owner in OWNERS
        if owner.archived is archived
        and owner.id >= int(after)
        and (not email or owner.email == email.lower())
    ]
    body: dict[str, object] = {"results": [owner.wire(_MADE) for owner in found[:limit]]}
    if len(found) > limit:
        body["paging"] = {"next": {"after": str(found[limit].id)}}
    return answer(200, body)


def get_owner(_portal: Portal, call: Call) -> Answer:
    """``GET /owners/{id}``; ``idProperty=userId`` takes the other number."""
    given, archived = call.parts[0], call.flag("archived")
    by_user = call.ask.first("idProperty") == "userId"
    for owner in OWNERS:
        if str(owner.user_id if by_user else owner.id) == given and owner.archived is archived:
            return answer(200, owner.wire(_MADE))
    raise no_resource()


def list_pipelines(portal: Portal, call: Call) -> Answer:
    """``GET /pipelines/{type}``: for contacts and companies the lifecycle pipeline, which holds the
    authoritative order of stages; for leads theirs; for everything else none."""
    return answer(200, {"results": _pipelines(portal, call)})


def get_pipeline(portal: Portal, call: Call) -> Answer:
    """``GET /pipelines/{type}/{id}``."""
    return answer(200, _pipeline(portal, call))


def list_stages(portal: Portal, call: Call) -> Answer:
    """``GET /pipelines/{type}/{id}/stages``."""
    return answer(200, {"results": _pipeline(portal, call)["stages"]})


def _pipelines(portal: Portal, call: Call) -> list[dict[str, Any]]:
    kind = call.kind
    if kind is LEADS:
        return [standard_leads.pipeline(OPENED)]
    return pipelines(kind, _stages(portal, call)) if kind.pipeline else []


def _pipeline(portal: Portal, call: Call) -> dict[str, Any]:
    found = next((p for p in _pipelines(portal, call) if p["id"] == call.parts[1]), None)
    if found is None:
        raise no_resource()
    return found


def _stages(portal: Portal, call: Call) -> tuple[tuple[str, str], ...]:
    body = portal.definitions.body(call.kind, STAGE)
    return tuple((option["value"], option["label"]) for option in (body or {"options": []})["options"])


def details(portal: Portal, _call: Call) -> Answer:
    """``GET /account-info/v3/details``."""
    offset = portal.moment().astimezone(TIME_ZONE).utcoffset() or timedelta(0)
    minutes = int(offset.total_seconds()) // 60
    body = {
        "portalId": PORTAL_ID,
        "accountType": "STANDARD",
        "timeZone": TIME_ZONE.key,
        "companyCurrency": CURRENCY,
        "additionalCurrencies": ["CHF"],
        "utcOffset": f"{'+' if minutes >= 0 else '-'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}",
        "utcOffsetMilliseconds": minutes * 60_000,
        "uiDomain": APP_HOST,
        "dataHostingLocation": "eu1",
    }
    return answer(200, body)


def usage(portal: Portal, _call: Call) -> Answer:
    """``GET /account-info/v3/api-usage/daily/private-apps``: the calls of the account's day, this one included.

    The OAuth app has no daily limit and is not counted here. HubSpot may answer from a cache; we never do.
    """
    now = portal.moment().astimezone(TIME_ZONE)
    midnight = datetime.combine(now.date() + timedelta(days=1), time(), TIME_ZONE)
    row = {
        "name": "private-apps-api-calls-daily",
        "currentUsage": portal.calls_today(),
        "usageLimit": portal.switches.daily,
        "collectedAt": wire(to_ms(now)),
        "resetsAt": wire(to_ms(midnight)),
        "fetchStatus": "SUCCESS",
    }
    return answer(200, {"results": [row] if portal.switches.daily is not None else []})
