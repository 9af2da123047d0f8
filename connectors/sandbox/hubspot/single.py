"""One record at a time, and the list of all (HubSpot reference, sections 4.2, 4.6 and 5.1)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from connectors.sandbox.hubspot import records, rendering
from connectors.sandbox.hubspot.call import Call, answer, properties_given
from connectors.sandbox.hubspot.errors import bad_request, not_found, not_unique
from connectors.sandbox.hubspot.kinds import Kind
from connectors.sandbox.hubspot.links import link, links_body, wanted_links
from connectors.sandbox.hubspot.moments import DAY_MS
from connectors.sandbox.hubspot.portal import Portal
from connectors.sandbox.hubspot.records import COLUMNS, RESTORABLE_DAYS, Record
from connectors.sandbox.hubspot.removal import archive
from connectors.sandbox.hubspot.visibility import source
from connectors.sandbox.hubspot.writing import create, update
from connectors.sandbox.side import Answer

PAGE, PAGE_WITH_HISTORY = 100, 50


def identified(portal: Portal, kind: Kind, name: str | None, given: str) -> Record | None:
    """The record that an id, or the value of a unique property, names; merged ids are followed.

    Raises Refused (400) when ``name`` does not name one record.
    """
    if name in (None, "", "hs_object_id"):
        found = int(given) if given.isdecimal() and len(given) < 19 else None
    else:
        found = records.holder(portal.database, kind, str(name), key_value(portal, kind, str(name), given))
    return (
        None if found is None else records.find(portal.database, kind, records.follow(portal.database, found))
    )


def key_value(portal: Portal, kind: Kind, name: str, given: str) -> str:
    """The kept text of a value of a unique property. Raises Refused (400) for any other property."""
    found = portal.definitions.of(kind).get(name)
    is_email = name == "email" and found is not None
    if found is None or not (found.unique or is_email):
        raise not_unique(kind.key, name)
    return given.strip().lower() if is_email else given


def in_reach(portal: Portal, record: Record | None, archived: bool) -> bool:
    """Whether a read with that ``archived`` sees the record; archived ones for 90 days."""
    if record is None or (record.archived is not None) is not archived:
        return False
    return record.archived is None or record.archived > portal.now() - RESTORABLE_DAYS * DAY_MS


def _named(portal: Portal, call: Call, archived: bool) -> Record:
    given = call.parts[1]
    record = identified(portal, call.kind, call.ask.first("idProperty"), given)
    if record is None or not in_reach(portal, record, archived):
        raise not_found(given)
    return record


def get_one(portal: Portal, call: Call) -> Answer:
    """``GET /objects/{type}/{id}``."""
    record = _named(portal, call, call.flag("archived"))
    return answer(200, _bodies(portal, call, [records.as_row(record)])[0])


def _bodies(portal: Portal, call: Call, found: Iterable[Sequence[Any]]) -> list[dict[str, object]]:
    """Records, as rows of ``COLUMNS``, as the call wants to see them."""
    names, past = call.names("properties"), call.names("propertiesWithHistory")
    reading = rendering.Reading(portal, call.kind, names, past)
    others = call.names("associations")
    bodies = []
    for row in found:
        body = reading.body_of_row(row)
        linked = links_body(portal, records.of_row(call.kind, row), others) if others else None
        bodies.append(body if linked is None else {**body, "associations": linked})
    return bodies


def create_one(portal: Portal, call: Call) -> Answer:
    """``POST /objects/{type}``."""
    body = call.json()
    wanted = wanted_links(portal, call.kind, body)
    record = create(portal, call.kind, properties_given(body, call.version))
    link(portal, record, wanted)
    return answer(201, rendering.created_body(portal, record))


def update_one(portal: Portal, call: Call) -> Answer:
    """``PATCH /objects/{type}/{id}``; a merged id still works here."""
    record = _named(portal, call, archived=False)
    given = properties_given(call.json(), call.version)
    moved = update(portal, record, given)
    return answer(200, rendering.updated_body(portal, record, {*given, *moved}))


def archive_one(portal: Portal, call: Call) -> Answer:
    """``DELETE /objects/{type}/{id}``: 204 whether or not there was something to archive."""
    given = call.parts[1]
    if not given.isdecimal():
        raise not_found(given)
    record = identified(portal, call.kind, None, given)
    # Reading and changing follow the id of a merged record; nothing says that deleting does
    # (HubSpot reference, section 4.6).
    if record is not None and record.archived is None and str(record.id) == given:
        archive(portal, record)
    return answer(204)


def list_all(portal: Portal, call: Call) -> Answer:
    """``GET /objects/{type}``: by id; ``after`` is the id of the next record."""
    kind, archived = call.kind, call.flag("archived")
    past = call.names("propertiesWithHistory")
    limit = call.number("limit", 10, 1, PAGE_WITH_HISTORY if past else PAGE)
    after = call.ask.first("after") or "0"
    if not after.isdecimal() or len(after) > 18:
        raise bad_request(f"after must be a cursor of this list, got {after}")
    gone = portal.now() - RESTORABLE_DAYS * DAY_MS
    rows = portal.database.execute(
        f"SELECT {COLUMNS} FROM {source(portal, 'list')} AS seen WHERE kind = ? AND id >= ?"
        f" AND {'archived > ' + str(gone) if archived else 'archived IS NULL'} ORDER BY id LIMIT ?",
        (kind.key, int(after), limit + 1),
    ).fetchall()
    page = rows[:limit]
    if portal.switches.list_order == "shuffled":
        portal.dice.shuffle(page)
    body: dict[str, object] = {"results": _bodies(portal, call, page)}
    if len(rows) > limit:
        following = str(rows[limit][0])
        body["paging"] = {"next": {"after": following, "link": _link(call, following)}}
    return answer(200, body)


def _link(call: Call, after: str) -> str:
    kept = [f"{name}={value}" for name, value in call.ask.query if name != "after"]
    return f"{call.origin}{call.ask.path}?{'&'.join([*kept, f'after={after}'])}"
