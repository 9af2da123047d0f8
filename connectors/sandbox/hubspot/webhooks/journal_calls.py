"""The Webhooks Journal over its API: pages by offset, files, subscriptions, snapshots (reference, section 10.4).

What the reference leaves open (an offset that is gone, how many pages at a time, how long an address is good)
is decided here, and said in the docstring of each.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Sequence
from typing import Any

from connectors.sandbox.credentials import HUBSPOT_CLIENT_SECRET
from connectors.sandbox.hubspot import records
from connectors.sandbox.hubspot.account import PORTAL_ID
from connectors.sandbox.hubspot.call import Call, answer
from connectors.sandbox.hubspot.errors import Refused, bad_request, no_resource, unreadable
from connectors.sandbox.hubspot.kinds import find_kind
from connectors.sandbox.hubspot.moments import kept, wire
from connectors.sandbox.hubspot.portal import Portal
from connectors.sandbox.hubspot.rendering import shown
from connectors.sandbox.hubspot.webhooks.bodies import Body, JournalSubscription
from connectors.sandbox.hubspot.webhooks.journal_store import LostOffset, Page
from connectors.sandbox.side import Answer

#: Pages of one batch, and milliseconds that the address of a file is good for: both are ours.
MOST_PAGES = 100
ADDRESS_GOOD_MS = 600_000
FILES = "/webhooks-journal-files/"

ACTIONS = frozenset(
    {
        "CREATE",
        "UPDATE",
        "DELETE",
        "MERGE",
        "RESTORE",
        "ASSOCIATION_ADDED",
        "ASSOCIATION_REMOVED",
        "SNAPSHOT",
        "APP_INSTALL",
        "APP_UNINSTALL",
        "ADDED_TO_LIST",
        "REMOVED_FROM_LIST",
        "GDPR_DELETE",
    }
)
#: What each type of subscription has to name (the specification marks all of it required).
_REQUIRED = {
    "OBJECT": ("objectTypeId", "portalId", "actions", "properties", "objectIds"),
    "ASSOCIATION": ("objectTypeId", "portalId", "actions", "associatedObjectTypeIds", "objectIds"),
    "GDPR_PRIVACY_DELETION": ("objectTypeId", "portalId", "actions"),
    "LIST_MEMBERSHIP": ("portalId", "actions", "listIds", "objectIds"),
    "APP_LIFECYCLE_EVENT": ("eventTypeId", "properties"),
}


def earliest(portal: Portal, call: Call) -> Answer:
    """``GET /earliest``: 204 where the journal holds nothing."""
    return _one(portal, call, _pages(portal, call, None, 1))


def latest(portal: Portal, call: Call) -> Answer:
    """``GET /latest``."""
    found = portal.events.journal.latest(portal.now(), 1) if _is_ours(call) else []
    return _one(portal, call, found)


def following(portal: Portal, call: Call) -> Answer:
    """``GET /offset/{offset}/next``: 204 at the end."""
    return _one(portal, call, _pages(portal, call, call.parts[0], 1))


def batch_earliest(portal: Portal, call: Call) -> Answer:
    """``GET /batch/earliest/{count}``."""
    return _many(portal, call, _pages(portal, call, None, _count(call.parts[0])))


def batch_latest(portal: Portal, call: Call) -> Answer:
    """``GET /batch/latest/{count}``."""
    count = _count(call.parts[0])
    return _many(portal, call, portal.events.journal.latest(portal.now(), count) if _is_ours(call) else [])


def batch_following(portal: Portal, call: Call) -> Answer:
    """``GET /batch/{offset}/next/{count}``."""
    return _many(portal, call, _pages(portal, call, call.parts[0], _count(call.parts[1])))


def batch_read(portal: Portal, call: Call) -> Answer:
    """``POST /batch/read``: the pages of these offsets, with addresses that are good again."""
    wanted = call.json().get("inputs")
    if not isinstance(wanted, list) or not all(isinstance(one, str) for one in wanted):
        raise unreadable("inputs must be a list of offsets")
    named = [portal.events.journal.named(offset, portal.now()) for offset in wanted]
    return _many(portal, call, [page for page in named if page is not None and _is_ours(call)])


def status(portal: Portal, call: Call) -> Answer:
    """``GET /status/{id}``: of a snapshot. The sandbox takes them at once."""
    at = portal.events.journal.snapshot(call.parts[0])
    if at is None:
        raise no_resource()
    body = {"id": call.parts[0], "status": "COMPLETED", "initiatedAt": at, "completedAt": at}
    return answer(200, body)


def download(portal: Portal, call: Call) -> Answer:
    """A file, for whoever has its address: with a token beside it, it is refused, as file stores do."""
    offset = call.parts[0].removesuffix(".json")
    if "authorization" in call.ask.headers:
        raise Refused(400, "Only one way to show who asks is allowed")
    expires = call.ask.first("Expires") or ""
    given = call.ask.first("Signature") or ""
    if not hmac.compare_digest(given.encode(), _signature(offset, expires).encode()):
        raise Refused(403, "The address is wrong")
    if int(expires) <= portal.now():
        raise Refused(403, "The address has expired")
    page = portal.events.journal.named(offset, portal.now())
    if page is None:
        raise no_resource()
    return Answer(200, page.body, content_type="application/json")


def list_subscriptions(portal: Portal, _call: Call) -> Answer:
    """``GET /subscriptions``."""
    return answer(200, {"results": [one.wire() for one in portal.events.journal.subscriptions()]})


def create_subscription(portal: Portal, call: Call) -> Answer:
    """``POST /subscriptions``. Lists and the app's life are taken, but nothing here ever happens to them."""
    made = portal.events.journal.subscribe(_wanted(call.json(), portal.now()))
    portal.events.journal_changed()
    return answer(201, made.wire())


def show_subscription(portal: Portal, call: Call) -> Answer:
    """``GET /subscriptions/{id}``."""
    found = [one for one in portal.events.journal.subscriptions() if str(one.id) == call.parts[0]]
    if not found:
        raise no_resource()
    return answer(200, found[0].wire())


def delete_subscription(portal: Portal, call: Call) -> Answer:
    """``DELETE /subscriptions/{id}``."""
    given = call.parts[0]
    if not given.isdecimal() or len(given) > 18 or not portal.events.journal.unsubscribe(int(given)):
        raise no_resource()
    portal.events.journal_changed()
    return answer(204)


def delete_for_portal(portal: Portal, call: Call) -> Answer:
    """``DELETE /subscriptions/portals/{portalId}``."""
    if call.parts[0] == str(PORTAL_ID):
        portal.events.journal.unsubscribe(None)
        portal.events.journal_changed()
    return answer(204)


def snapshot(portal: Portal, call: Call) -> Answer:
    """``POST /snapshots/crm``: the present values of records, as events of the journal."""
    rows = call.json().get("snapshotRequests")
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise unreadable("snapshotRequests must be a list of objects")
    taken, responses = [], []
    for row in rows:
        event = _snapshot(portal, row)
        told = {name: row[name] for name in ("portalId", "objectId", "objectTypeId")}
        id_ = portal.fresh_id()
        portal.events.journal.note_snapshot(id_, portal.now())
        responses.append({**told, "snapshotStatusId": id_})
        taken += event
    portal.events.journal.publish(taken, portal.now(), portal.fresh_id())
    return answer(200, {"snapshotResponses": responses})


Handler = Callable[[Portal, Call], Answer]
#: (family, method, pattern, handler, scope)
CALLS: tuple[tuple[str, str, str, Handler, str], ...] = (
    ("journal", "GET", "earliest", earliest, "read"),
    ("journal", "GET", "latest", latest, "read"),
    ("journal", "GET", "offset/{}/next", following, "read"),
    ("journal", "GET", "batch/earliest/{}", batch_earliest, "read"),
    ("journal", "GET", "batch/latest/{}", batch_latest, "read"),
    ("journal", "GET", "batch/{}/next/{}", batch_following, "read"),
    ("journal", "POST", "batch/read", batch_read, "read"),
    ("journal", "GET", "status/{}", status, "snapshots.read"),
    ("journal-subscriptions", "GET", "", list_subscriptions, "subscriptions.read"),
    ("journal-subscriptions", "POST", "", create_subscription, "subscriptions.write"),
    ("journal-subscriptions", "DELETE", "portals/{}", delete_for_portal, "subscriptions.write"),
    ("journal-subscriptions", "GET", "{}", show_subscription, "subscriptions.read"),
    ("journal-subscriptions", "DELETE", "{}", delete_subscription, "subscriptions.write"),
    ("journal-snapshots", "POST", "crm", snapshot, "snapshots.write"),
)
_PATH = re.compile(r"/webhooks-journal/(journal|journal-local|subscriptions|snapshots)/2026-03(?:/(.*))?")
_FAMILIES = {
    "journal": "journal",
    "journal-local": "journal",
    "subscriptions": "journal-subscriptions",
    "snapshots": "journal-snapshots",
}


def journal_family(path: str) -> tuple[str, str] | None:
    """The family and the rest of a path of the journal; None for any other path."""
    if path.startswith(FILES):
        return "journal-files", path.removeprefix(FILES)
    found = _PATH.fullmatch(path)
    return (_FAMILIES[found[1]], found[2] or "") if found else None


def _pages(portal: Portal, call: Call, after: str | None, count: int) -> Sequence[Page]:
    try:
        return portal.events.journal.pages(portal.now(), after=after, count=count) if _is_ours(call) else ()
    except LostOffset:
        if portal.switches.journal_lost_offset == "earliest":
            return portal.events.journal.pages(portal.now(), after=None, count=count)
        raise Refused(404, "There is no such offset", "OBJECT_NOT_FOUND") from None


def _is_ours(call: Call) -> bool:
    return call.ask.first("installPortalId") in (None, "", str(PORTAL_ID))


def _count(text: str) -> int:
    if not text.isdecimal() or len(text) > 3 or not 1 <= int(text) <= MOST_PAGES:
        raise bad_request(f"count must be a whole number from 1 to {MOST_PAGES}")
    return int(text)


def _one(portal: Portal, call: Call, found: Sequence[Page]) -> Answer:
    return answer(200, _entry(portal, call, found[0])) if found else answer(204)


def _many(portal: Portal, call: Call, found: Sequence[Page]) -> Answer:
    now = wire(portal.now())
    results = [_entry(portal, call, page) for page in found]
    return answer(200, {"status": "COMPLETE", "results": results, "startedAt": now, "completedAt": now})


def _entry(portal: Portal, call: Call, page: Page) -> Body:
    until = portal.now() + ADDRESS_GOOD_MS
    address = f"{call.origin}{FILES}{page.offset}.json?Expires={until}"
    signed = f"{address}&Signature={_signature(page.offset, str(until))}"
    return {"url": signed, "currentOffset": page.offset, "expiresAt": kept(until)}


def _signature(offset: str, expires: str) -> str:
    told = f"{offset}|{expires}".encode()
    return hmac.new(HUBSPOT_CLIENT_SECRET.encode(), told, hashlib.sha256).hexdigest()


def _wanted(body: dict[str, Any], now: int) -> JournalSubscription:
    type_ = body.get("subscriptionType")
    required = _REQUIRED.get(type_) if isinstance(type_, str) else None
    if required is None:
        raise bad_request(f"subscriptionType is one of {', '.join(_REQUIRED)}")
    missing = [name for name in required if name not in body]
    if missing:
        raise bad_request(f"Some required fields were not set: {missing}")
    actions = _list(body, "actions", str)
    unknown = sorted(set(actions) - ACTIONS)
    if unknown:
        raise bad_request(f"There is no action {unknown[0]}")
    portal_id = body.get("portalId")
    if portal_id is not None and type(portal_id) is not int:
        raise unreadable("portalId must be a number")
    object_type = str(body.get("objectTypeId") or "")
    kind = find_kind(object_type)
    return JournalSubscription(
        id=0,
        type=str(type_),
        object_type=kind.key if kind else object_type,
        actions=tuple(actions),
        properties=tuple(_list(body, "properties", str)),
        object_ids=tuple(_list(body, "objectIds", int)),
        other_types=tuple(_list(body, "associatedObjectTypeIds", str)),
        portal=portal_id,
        created=now,
    )


def _list(body: dict[str, Any], name: str, kind: type) -> list[Any]:
    found = body.get(name) or []
    if not isinstance(found, list) or not all(type(item) is kind for item in found):
        raise unreadable(f"{name} must be a list of {'texts' if kind is str else 'numbers'}")
    return found


def _snapshot(portal: Portal, row: dict[str, Any]) -> list[Body]:
    """The event of one record; none where there is no such record."""
    id_, names = row.get("objectId"), row.get("properties")
    kind = find_kind(str(row.get("objectTypeId")))
    if type(id_) is not int or kind is None or row.get("portalId") != PORTAL_ID:
        raise bad_request("A snapshot needs portalId, objectId and objectTypeId of a record of this account")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise unreadable("properties must be a list of texts")
    record = records.find(portal.database, kind, id_) if id_ < 2**63 else None
    if record is None or record.archived is not None:
        return []
    known = portal.definitions.of(kind)
    values = shown(portal, record, (name for name in names if name in known))
    return [
        {
            "type": "OBJECT",
            "portalId": PORTAL_ID,
            "occurredAt": kept(portal.now()),
            "action": "SNAPSHOT",
            "objectTypeId": kind.key,
            "objectId": record.id,
            "propertyChanges": {name: value or "" for name, value in values.items()},
        }
    ]
