"""The communication preferences API, v3 and v4 with its dated families (HubSpot reference, section 14).

v3 cannot bring back somebody who left; v4 can. Where the reference gives no text, the status and category
follow it and the text is ours.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from connectors.sandbox.hubspot import consent
from connectors.sandbox.hubspot.account import OPENED
from connectors.sandbox.hubspot.batch import MOST
from connectors.sandbox.hubspot.call import Call, answer
from connectors.sandbox.hubspot.errors import bad_request, unreadable
from connectors.sandbox.hubspot.moments import wire
from connectors.sandbox.hubspot.portal import Portal
from connectors.sandbox.side import Answer

Row = dict[str, Any]
CHANNEL = "EMAIL"


def definitions_v3(_portal: Portal, _call: Call) -> Answer:
    """``GET /definitions``."""
    return answer(200, {"subscriptionDefinitions": [_definition(type_) for type_ in consent.TYPES]})


def definitions(portal: Portal, _call: Call) -> Answer:
    """``GET /definitions`` of v4."""
    return _done(portal, [_definition(type_) for type_ in consent.TYPES])


def status_v3(portal: Portal, call: Call) -> Answer:
    """``GET /status/email/{email}``."""
    email = _address(call.parts[0])
    rows = [_row_v3(portal, email, type_) for type_ in consent.TYPES]
    return answer(200, {"recipient": email, "subscriptionStatuses": rows})


def subscribe_v3(portal: Portal, call: Call) -> Answer:
    """``POST /subscribe``: refused for somebody who opted out."""
    email, type_, basis, why = _wanted_v3(call)
    if consent.held(portal, email, type_.id).status == "UNSUBSCRIBED":
        raise bad_request("A contact that opted out cannot be subscribed through this API")
    consent.put(portal, email, type_.id, "SUBSCRIBED", basis, why)
    return answer(200, _row_v3(portal, email, type_))


def unsubscribe_v3(portal: Portal, call: Call) -> Answer:
    """``POST /unsubscribe``: one subscription type, never the whole portal."""
    email, type_, basis, why = _wanted_v3(call)
    before = consent.held(portal, email, type_.id).status
    if before == "UNSUBSCRIBED" and portal.switches.unsubscribe_again == "refused":
        raise bad_request("The contact is already unsubscribed from this subscription")
    consent.put(portal, email, type_.id, "UNSUBSCRIBED", basis, why)
    return answer(200, _row_v3(portal, email, type_))


def statuses(portal: Portal, call: Call) -> Answer:
    """``GET /statuses/{email}?channel=EMAIL``."""
    _channel(call.ask.first("channel"))
    return _done(portal, _rows(portal, _address(call.parts[0])))


def set_status(portal: Portal, call: Call) -> Answer:
    """``POST /statuses/{email}``."""
    return _done(portal, [_set(portal, _address(call.parts[0]), call.json())])


def wide_status(portal: Portal, call: Call) -> Answer:
    """``GET /statuses/{email}/unsubscribe-all``: empty for somebody who has not left everything."""
    _channel(call.ask.first("channel"))
    return _done(portal, _wide(portal, _address(call.parts[0])))


def leave_all(portal: Portal, call: Call) -> Answer:
    """``POST /statuses/{email}/unsubscribe-all``; ``verbose=true`` tells what became of it."""
    _channel(call.ask.first("channel"))
    email = _address(call.parts[0])
    consent.leave_all(portal, email)
    return _done(portal, _rows(portal, email) if call.flag("verbose") else [])


def batch_read(portal: Portal, call: Call) -> Answer:
    """``POST /statuses/batch/read``: a list of addresses."""
    rows = [{"subscriberIdString": one, "statuses": _rows(portal, one)} for one in _addresses(call)]
    return _done(portal, rows)


def batch_write(portal: Portal, call: Call) -> Answer:
    """``POST /statuses/batch/write``."""
    wanted = _inputs(call)
    if not all(isinstance(row, dict) for row in wanted):
        raise unreadable("inputs must be a list of objects")
    return _done(
        portal, [_set(portal, _address(str(row.get("subscriberIdString") or "")), row) for row in wanted]
    )


def batch_leave_all(portal: Portal, call: Call) -> Answer:
    """``POST /statuses/batch/unsubscribe-all``."""
    found = _addresses(call)
    for email in found:
        consent.leave_all(portal, email)
    rows = [{"subscriberIdString": email, "statuses": _rows(portal, email)} for email in found]
    return _done(portal, rows if call.flag("verbose") else [])


def batch_wide_status(portal: Portal, call: Call) -> Answer:
    """``POST /statuses/batch/unsubscribe-all/read``."""
    rows = [{"subscriberIdString": one, "wideStatuses": _wide(portal, one)} for one in _addresses(call)]
    return _done(portal, rows)


def _definition(type_: consent.Type) -> Row:
    return {
        "id": str(type_.id),
        "name": type_.name,
        "description": type_.description,
        "purpose": type_.purpose,
        "communicationMethod": "Email",
        "isActive": True,
        "isDefault": type_ is consent.TYPES[0],
        "isInternal": False,
        "createdAt": wire(OPENED),
        "updatedAt": wire(OPENED),
    }


def _row_v3(portal: Portal, email: str, type_: consent.Type) -> Row:
    held = consent.held(portal, email, type_.id)
    row: Row = {
        "id": str(type_.id),
        "name": type_.name,
        "description": type_.description,
        "status": "SUBSCRIBED" if held.status == "SUBSCRIBED" else "NOT_SUBSCRIBED",
        "sourceOfStatus": "PORTAL_WIDE_STATUS" if held.wide else "SUBSCRIPTION_STATUS",
        "brandId": None,
        "preferenceGroupName": None,
    }
    return row | {"legalBasis": held.basis, "legalBasisExplanation": held.explanation}


def _rows(portal: Portal, email: str) -> list[Row]:
    return [_row(portal, email, type_) for type_ in consent.TYPES]


def _row(portal: Portal, email: str, type_: consent.Type) -> Row:
    held = consent.held(portal, email, type_.id)
    return {
        "channel": CHANNEL,
        "source": "PORTAL_WIDE" if held.wide else "API",
        "status": held.status,
        "subscriberIdString": email,
        "subscriptionId": type_.id,
        "subscriptionName": type_.name,
        "timestamp": wire(held.at),
        "legalBasis": held.basis,
        "legalBasisExplanation": held.explanation,
    }


def _wide(portal: Portal, email: str) -> list[Row]:
    if not consent.left_all(portal, email):
        return []
    row = {"channel": CHANNEL, "status": "UNSUBSCRIBED", "subscriberIdString": email}
    return [{**row, "timestamp": wire(portal.now()), "wideStatusType": "PORTAL_WIDE"}]


def _set(portal: Portal, email: str, body: Row) -> Row:
    _channel(body.get("channel"))
    type_, status = _type(body.get("subscriptionId")), body.get("statusState")
    found = next((known for known in consent.STATUSES if known == status), None)
    if found is None:
        raise bad_request(f"statusState must be one of {', '.join(consent.STATUSES)}")
    before = consent.held(portal, email, type_.id)
    returns = before.status == "UNSUBSCRIBED" and found == "SUBSCRIBED"
    if returns and before.wide:
        consent.come_back(portal, email)
    consent.put(portal, email, type_.id, found, *_basis(body))
    changed = "RESUBSCRIBE_OCCURRED" if returns else "REQUESTED_CHANGE_OCCURRED"
    reason = "NO_STATUS_CHANGE" if before.status == found else changed
    return {**_row(portal, email, type_), "setStatusSuccessReason": reason}


def _wanted_v3(call: Call) -> tuple[str, consent.Type, str | None, str | None]:
    body = call.json()
    email = body.get("emailAddress")
    return (
        _address(email if isinstance(email, str) else ""),
        _type(body.get("subscriptionId")),
        *_basis(body),
    )


def _basis(body: Row) -> tuple[str | None, str | None]:
    basis, why = body.get("legalBasis"), body.get("legalBasisExplanation")
    if basis is not None and basis not in consent.LEGAL_BASES:
        raise bad_request(f"legalBasis must be one of {', '.join(consent.LEGAL_BASES)}")
    return basis, None if why is None else str(why)


def _type(given: Any) -> consent.Type:
    found = next((type_ for type_ in consent.TYPES if str(type_.id) == str(given)), None)
    if found is None:
        raise bad_request(f"There is no subscription {given}")
    return found


def _address(given: str) -> str:
    if "@" not in given:
        raise bad_request("An e-mail address was expected")
    return given.strip().lower()


def _channel(given: Any) -> None:
    if given != CHANNEL:
        raise bad_request("channel must be EMAIL")


def _inputs(call: Call) -> Sequence[Any]:
    rows = call.json().get("inputs")
    if not isinstance(rows, list) or len(rows) > MOST:
        raise unreadable(f"inputs must be a list of at most {MOST}")
    return rows


def _addresses(call: Call) -> list[str]:
    _channel(call.ask.first("channel"))
    return list(dict.fromkeys(_address(str(one)) for one in _inputs(call)))


def _done(portal: Portal, results: Sequence[Row]) -> Answer:
    now = wire(portal.now())
    return answer(200, {"status": "COMPLETE", "results": results, "startedAt": now, "completedAt": now})


#: Method, pattern and handler of v4 and the dated families, and whether the call writes.
CALLS: tuple[tuple[str, str, Callable[[Portal, Call], Answer], bool], ...] = (
    ("GET", "definitions", definitions, False),
    ("POST", "statuses/batch/read", batch_read, False),
    ("POST", "statuses/batch/write", batch_write, True),
    ("POST", "statuses/batch/unsubscribe-all", batch_leave_all, True),
    ("POST", "statuses/batch/unsubscribe-all/read", batch_wide_status, False),
    ("GET", "statuses/{}", statuses, False),
    ("POST", "statuses/{}", set_status, True),
    ("GET", "statuses/{}/unsubscribe-all", wide_status, False),
    ("POST", "statuses/{}/unsubscribe-all", leave_all, True),
)
CALLS_V3: tuple[tuple[str, str, Callable[[Portal, Call], Answer], bool], ...] = (
    ("GET", "definitions", definitions_v3, False),
    ("GET", "status/email/{}", status_v3, False),
    ("POST", "subscribe", subscribe_v3, True),
    ("POST", "unsubscribe", unsubscribe_v3, True),
)
