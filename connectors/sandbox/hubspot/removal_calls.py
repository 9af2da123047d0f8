"""The calls that merge two records and that erase one (HubSpot reference, section 4.6)."""

from __future__ import annotations

from typing import Any

from connectors.sandbox.hubspot import rendering
from connectors.sandbox.hubspot.call import Call, answer
from connectors.sandbox.hubspot.errors import bad_request, not_found, unreadable
from connectors.sandbox.hubspot.kinds import Kind
from connectors.sandbox.hubspot.portal import Portal
from connectors.sandbox.hubspot.records import Record
from connectors.sandbox.hubspot.removal import erase, merge
from connectors.sandbox.hubspot.single import identified
from connectors.sandbox.side import Answer


def merge_two(portal: Portal, call: Call) -> Answer:
    """``POST /objects/{type}/merge``: answers the record that both are now."""
    body = call.json()
    primary = _live(portal, call.kind, body, "primaryObjectId")
    other = _live(portal, call.kind, body, "objectIdToMerge")
    if primary.id == other.id:
        raise bad_request("A record cannot be merged with itself", ids=[str(primary.id)])
    merged = merge(portal, primary, other)
    return answer(200, rendering.created_body(portal, merged))


def _live(portal: Portal, kind: Kind, body: dict[str, Any], name: str) -> Record:
    given = body.get(name)
    if not isinstance(given, str):
        raise unreadable(f"{name} must be a text")
    record = identified(portal, kind, None, given)
    if record is None or record.archived is not None:
        raise not_found(given)
    return record


def erase_one(portal: Portal, call: Call) -> Answer:
    """``POST /objects/{type}/gdpr-delete``: 204, also when nobody is known by that value."""
    body = call.json()
    given, name = body.get("objectId"), body.get("idProperty")
    if not isinstance(given, str) or not (name is None or isinstance(name, str)):
        raise unreadable("objectId must be a text")
    record = identified(portal, call.kind, name, given)
    if record is not None:
        erase(portal, record)
    return answer(204)
