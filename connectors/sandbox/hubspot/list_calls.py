"""The lists API: lists themselves, and who is on them (HubSpot reference, section 6.6).

How HubSpot evaluates the filters of a dynamic list is not modelled: who is on one is set by a person's control.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from connectors.sandbox.hubspot import lists
from connectors.sandbox.hubspot.call import Call, answer
from connectors.sandbox.hubspot.errors import bad_request, unreadable
from connectors.sandbox.hubspot.kinds import kind_named
from connectors.sandbox.hubspot.lists import PROCESSING, Segment
from connectors.sandbox.hubspot.moments import wire
from connectors.sandbox.hubspot.portal import Portal
from connectors.sandbox.side import Answer

MOST_MEMBERS, MOST_FOUND = 250, 500
MOST_COPIED = 100_000


def create(portal: Portal, call: Call) -> Answer:
    """``POST /lists/``."""
    body = call.json()
    name, processing = body.get("name"), body.get("processingType")
    if not isinstance(name, str) or not name.strip():
        raise unreadable("name must be a text")
    if processing not in PROCESSING:
        raise bad_request(f"processingType is one of {', '.join(PROCESSING)}")
    kind = kind_named(str(body.get("objectTypeId")))
    branch = body.get("filterBranch")
    if processing == "DYNAMIC" and not isinstance(branch, dict):
        raise bad_request("A DYNAMIC list needs a filterBranch")
    _refuse_taken(portal, kind.key, name)
    made = lists.make(portal, kind, name, processing, branch)
    return answer(200, {"list": made.body(0, with_filters=True)})


def _refuse_taken(portal: Portal, kind: str, name: str) -> None:
    if any(one.name == name and one.kind.key == kind for one in lists.segments(portal)):
        raise bad_request(f"List name '{name}' is already in use")


def fetch_many(portal: Portal, call: Call) -> Answer:
    """``GET /lists/?listIds=``: those that are there."""
    wanted = set(call.names("listIds"))
    found = [one for one in lists.segments(portal) if str(one.id) in wanted]
    return answer(200, {"lists": [_body(portal, call, one) for one in found]})


def fetch(portal: Portal, call: Call) -> Answer:
    """``GET /lists/{id}``."""
    return answer(200, {"list": _body(portal, call, lists.segment(portal, call.parts[0]))})


def fetch_named(portal: Portal, call: Call) -> Answer:
    """``GET /lists/object-type-id/{type}/name/{name}``."""
    kind, name = kind_named(call.parts[0]), call.parts[1]
    named = (one for one in lists.segments(portal) if one.name == name and one.kind is kind)
    found = next(named, None) or lists.segment(portal, name)
    return answer(200, {"list": _body(portal, call, found)})


def _body(portal: Portal, call: Call, found: Segment) -> dict[str, Any]:
    return found.body(lists.size(portal, found), call.flag("includeFilters"))


def search(portal: Portal, call: Call) -> Answer:
    """``POST /lists/search``: by part of the name, ids and processing types; ``offset`` is the next place."""
    body = call.json()
    count, offset = body.get("count", 20), body.get("offset", 0)
    if type(count) is not int or not 1 <= count <= MOST_FOUND or type(offset) is not int or offset < 0:
        raise bad_request(f"count is from 1 to {MOST_FOUND}, offset from 0")
    query, ids = str(body.get("query") or "").lower(), body.get("listIds") or []
    types = body.get("processingTypes") or list(PROCESSING)
    found = [
        one
        for one in lists.segments(portal)
        if query in one.name.lower() and one.processing in types and (not ids or str(one.id) in ids)
    ]
    page = found[offset : offset + count]
    shown = [
        {**one.body(), "additionalProperties": {"hs_list_size": str(lists.size(portal, one))}} for one in page
    ]
    ends = offset + len(page)
    return answer(200, {"lists": shown, "total": len(found), "offset": ends, "hasMore": ends < len(found)})


def rename(portal: Portal, call: Call) -> Answer:
    """``PUT /lists/{id}/update-list-name?listName=``."""
    found, name = lists.segment(portal, call.parts[0]), call.ask.first("listName") or ""
    if not name.strip():
        raise bad_request("listName must be a text")
    if name != found.name:
        _refuse_taken(portal, found.kind.key, name)
    portal.database.execute(
        "UPDATE list SET name = ?, changed = ? WHERE id = ?", (name, portal.now(), found.id)
    )
    return answer(200, {"updatedList": _body(portal, call, lists.segment(portal, call.parts[0]))})


def remove(portal: Portal, call: Call) -> Answer:
    """``DELETE /lists/{id}``: it can be restored."""
    found = lists.segment(portal, call.parts[0])
    portal.database.execute("UPDATE list SET gone = ? WHERE id = ?", (portal.now(), found.id))
    return answer(204)


def restore(portal: Portal, call: Call) -> Answer:
    """``PUT /lists/{id}/restore``."""
    found = lists.segment(portal, call.parts[0], deleted=True)
    portal.database.execute("UPDATE list SET gone = NULL WHERE id = ?", (found.id,))
    return answer(204)


def members(portal: Portal, call: Call) -> Answer:
    """``GET /lists/{id}/memberships``: by record id; ``after`` is a cursor."""
    found = lists.segment(portal, call.parts[0])
    limit = call.number("limit", 100, 1, MOST_MEMBERS)
    after = call.ask.first("after") or "0"
    if not after.isdecimal() or len(after) > 18:
        raise bad_request(f"after must be a cursor of this list, got {after}")
    rows = portal.database.execute(
        "SELECT m.record, m.latest FROM member m JOIN record r ON r.id = m.record AND r.archived IS NULL"
        " WHERE m.list = ? AND m.record >= ? ORDER BY m.record LIMIT ?",
        (found.id, int(after), limit + 1),
    ).fetchall()
    results = [{"recordId": str(id_), "membershipTimestamp": wire(at)} for id_, at in rows[:limit]]
    body: dict[str, Any] = {"results": results, "total": lists.size(portal, found)}
    if len(rows) > limit:
        body["paging"] = {"next": {"after": str(rows[limit][0])}}
    return answer(200, body)


def members_by_time(portal: Portal, call: Call) -> Answer:
    """``GET /lists/{id}/memberships/join-order``: who came first, first; ``after`` is a place."""
    found = lists.segment(portal, call.parts[0])
    limit, start = call.number("limit", 100, 1, MOST_MEMBERS), call.number("after", 0, 0, 10**9)
    rows = portal.database.execute(
        "SELECT m.record, m.latest FROM member m JOIN record r ON r.id = m.record AND r.archived IS NULL"
        " WHERE m.list = ? ORDER BY m.latest, m.record LIMIT ? OFFSET ?",
        (found.id, limit + 1, start),
    ).fetchall()
    results = [{"recordId": str(id_), "membershipTimestamp": wire(at)} for id_, at in rows[:limit]]
    body: dict[str, Any] = {"results": results, "total": lists.size(portal, found)}
    if len(rows) > limit:
        body["paging"] = {"next": {"after": str(start + limit)}}
    return answer(200, body)


def update_filters(portal: Portal, call: Call) -> Answer:
    """``PUT /lists/{id}/update-list-filters``: only dynamic lists have filters."""
    found, branch = lists.segment(portal, call.parts[0]), call.json().get("filterBranch")
    if found.takes_members or not isinstance(branch, dict):
        raise bad_request("Only a DYNAMIC list takes a filterBranch")
    portal.database.execute(
        "UPDATE list SET branch = ?, changed = ? WHERE id = ?",
        (orjson.dumps(branch).decode(), portal.now(), found.id),
    )
    changed = lists.segment(portal, call.parts[0])
    return answer(200, {"updatedList": changed.body(lists.size(portal, changed), with_filters=True)})


def memberships_of(portal: Portal, call: Call) -> Answer:
    """``GET /lists/records/{type}/{id}/memberships``: the lists that a record is on."""
    kind_named(call.parts[0])
    given = int(call.parts[1]) if call.parts[1].isdecimal() and len(call.parts[1]) < 19 else 0
    rows = portal.database.execute(
        "SELECT m.list, m.first, m.latest FROM member m JOIN list l ON l.id = m.list AND l.gone IS NULL"
        " WHERE m.record = ? ORDER BY m.list",
        (given,),
    )
    results = [
        {
            "listId": str(id_),
            "listVersion": 1,
            "firstAddedTimestamp": wire(first),
            "lastAddedTimestamp": wire(latest),
        }
        for id_, first, latest in rows
    ]
    return answer(200, {"results": results, "total": len(results)})


def add(portal: Portal, call: Call) -> Answer:
    """``PUT …/memberships/add``: a bare list of ids."""
    return _changed(portal, call, _ids(call.json_list()), [])


def take_off(portal: Portal, call: Call) -> Answer:
    """``PUT …/memberships/remove``: a bare list of ids."""
    return _changed(portal, call, [], _ids(call.json_list()))


def add_and_take_off(portal: Portal, call: Call) -> Answer:
    """``PUT …/memberships/add-and-remove``."""
    body = call.json()
    return _changed(portal, call, _ids(body.get("recordIdsToAdd")), _ids(body.get("recordIdsToRemove")))


def add_from(portal: Portal, call: Call) -> Answer:
    """``PUT …/memberships/add-from/{sourceId}``: everybody on another list, below 100,000."""
    found, source = _writable(portal, call), lists.segment(portal, call.parts[1])
    if lists.size(portal, source) >= MOST_COPIED:
        raise bad_request(f"Only lists with fewer than {MOST_COPIED} members can be copied")
    rows = portal.database.execute("SELECT record FROM member WHERE list = ?", (source.id,)).fetchall()
    lists.enrol(portal, found, [str(id_) for (id_,) in rows])
    return answer(204)


def take_all_off(portal: Portal, call: Call) -> Answer:
    """``DELETE …/memberships``."""
    portal.database.execute("DELETE FROM member WHERE list = ?", (_writable(portal, call).id,))
    return answer(204)


def _changed(portal: Portal, call: Call, joining: list[str], leaving: list[str]) -> Answer:
    found = _writable(portal, call)
    added, unknown = lists.enrol(portal, found, joining)
    removed, missing = lists.strike(portal, found, leaving)
    body = {
        "recordsIdsAdded": added,
        "recordIdsRemoved": removed,
        "recordIdsMissing": list(dict.fromkeys([*unknown, *missing])),
    }
    return answer(200, body)


def _writable(portal: Portal, call: Call) -> Segment:
    """Only MANUAL and SNAPSHOT lists accept membership writes."""
    found = lists.segment(portal, call.parts[0])
    if not found.takes_members:
        raise bad_request("Memberships of a list with processing type DYNAMIC cannot be changed")
    return found


def _ids(given: Any) -> list[str]:
    if not isinstance(given, list) or not all(isinstance(one, str | int) for one in given):
        raise unreadable("a list of record ids was expected")
    return [str(one) for one in given]


Handler = Callable[[Portal, Call], Answer]
#: (method, pattern, handler, whether it writes)
CALLS: tuple[tuple[str, str, Handler, bool], ...] = (
    ("POST", "", create, True),
    ("GET", "", fetch_many, False),
    ("POST", "search", search, False),
    ("GET", "{}", fetch, False),
    ("DELETE", "{}", remove, True),
    ("PUT", "{}/restore", restore, True),
    ("PUT", "{}/update-list-name", rename, True),
    ("GET", "object-type-id/{}/name/{}", fetch_named, False),
    ("GET", "records/{}/{}/memberships", memberships_of, False),
    ("PUT", "{}/update-list-filters", update_filters, True),
    ("GET", "{}/memberships", members, False),
    ("GET", "{}/memberships/join-order", members_by_time, False),
    ("DELETE", "{}/memberships", take_all_off, True),
    ("PUT", "{}/memberships/add", add, True),
    ("PUT", "{}/memberships/remove", take_off, True),
    ("PUT", "{}/memberships/add-and-remove", add_and_take_off, True),
    ("PUT", "{}/memberships/add-from/{}", add_from, True),
)
