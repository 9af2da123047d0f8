"""Associations v4: read, made and taken away, one by one and in batches (HubSpot reference, section 6.2).

Object ids are numbers in these bodies and texts everywhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from connectors.sandbox.hubspot import records
from connectors.sandbox.hubspot.batch import Outcome, Row, inputs_of
from connectors.sandbox.hubspot.call import Call, answer
from connectors.sandbox.hubspot.errors import Refused, bad_request, not_found, unreadable
from connectors.sandbox.hubspot.kinds import LEADS, Kind, kind_named
from connectors.sandbox.hubspot.links import (
    LABELS,
    PLAIN,
    TYPES,
    link,
    plain_type,
    relink,
    unlink,
    without_primary,
)
from connectors.sandbox.hubspot.portal import Portal
from connectors.sandbox.hubspot.records import Record
from connectors.sandbox.hubspot.removal import archive
from connectors.sandbox.side import Answer

PAGE = 500
MOST_READ, MOST_MADE, MOST_ARCHIVED = 1_000, 2_000, 100


def list_linked(portal: Portal, call: Call) -> Answer:
    """``GET /objects/{type}/{id}/associations/{to}``: by id, 500 a page; ``after`` is the next id."""
    kind, to = call.kind, kind_named(call.parts[2])
    record = _live(portal, kind, call.parts[1])
    limit = call.number("limit", PAGE, 1, PAGE)
    found, following = _to(portal, record, to, call.ask.first("after"), limit)
    body: Row = {"results": found}
    if following:
        body["paging"] = {"next": {"after": following}}
    return answer(200, body)


def put_default(portal: Portal, call: Call) -> Answer:
    """``PUT …/associations/default/{to}/{toId}``: the unlabelled type, no body."""
    kind, to = call.kind, kind_named(call.parts[2])
    ends = {"from": {"id": call.parts[1]}, "to": {"id": call.parts[3]}}
    outcome = Outcome(portal)
    outcome.results += _defaulted(portal, kind, to, ends)
    return outcome.answer(call, 200)


def put_labelled(portal: Portal, call: Call) -> Answer:
    """``PUT …/associations/{to}/{toId}``: the types in the body replace those there were."""
    kind, to = call.kind, kind_named(call.parts[2])
    record, other = _live(portal, kind, call.parts[1]), _live(portal, to, call.parts[3])
    relink(portal, record, other, _types(kind, to, call.json_list()))
    _drop_orphans(portal, record, other)
    return answer(201, _pair(portal, record, other))


def delete_linked(portal: Portal, call: Call) -> Answer:
    """``DELETE …/associations/{to}/{toId}``: whatever there is between the two; 204 in every case."""
    kind, to = call.kind, kind_named(call.parts[2])
    record, other = _live(portal, kind, call.parts[1]), _live(portal, to, call.parts[3])
    unlink(portal, record, other)
    _drop_orphans(portal, record, other)
    return answer(204)


def _drop_orphans(portal: Portal, *ends: Record) -> None:
    """A lead that has lost its last primary association is deleted (HubSpot reference, section 6.5)."""
    for end in ends:
        if end.kind is LEADS and without_primary(portal, end):
            archive(portal, end)


def labels(_portal: Portal, call: Call) -> Answer:
    """``GET /associations/{from}/{to}/labels``: the types there are from one object to the other."""
    rows = [_spec(number) for number in _known(call.kind, kind_named(call.parts[1]))]
    return answer(200, {"results": rows})


def read_many(portal: Portal, call: Call) -> Answer:
    """``batch/read``: up to 1,000 records; one without associations is an error of the answer, not of the call."""
    kind, to = call.kind, kind_named(call.parts[1])
    _, rows = inputs_of(call, MOST_READ)
    outcome = Outcome(portal)
    for row in rows:
        given = _id(row)
        record = _find(portal, kind, given)
        after = str(row["after"]) if row.get("after") else None
        found, following = _to(portal, record, to, after, PAGE) if record else ([], None)
        if not found:
            outcome.errors.append(_none_found(kind, to, given))
            continue
        result: Row = {"from": {"id": given}, "to": found}
        if following:
            result["paging"] = {"next": {"after": following}}
        outcome.results.append(result)
    return outcome.answer(call, 200)


def create_many(portal: Portal, call: Call) -> Answer:
    """``batch/create``: up to 2,000 pairs with the types each is to have."""
    kind, to = call.kind, kind_named(call.parts[1])

    def one(row: Row) -> Iterable[Row]:
        record, other = _ends(portal, kind, to, row)
        relink(portal, record, other, _types(kind, to, row.get("types")))
        _drop_orphans(portal, record, other)
        yield _pair(portal, record, other)

    return _each(portal, call, MOST_MADE, one, 201)


def default_many(portal: Portal, call: Call) -> Answer:
    """``batch/associate/default``: up to 2,000 pairs, unlabelled."""
    kind, to = call.kind, kind_named(call.parts[1])
    return _each(portal, call, MOST_MADE, lambda row: _defaulted(portal, kind, to, row), 200)


def archive_many(portal: Portal, call: Call) -> Answer:
    """``batch/archive``: up to 100 records, each with those it is to be parted from."""
    kind, to = call.kind, kind_named(call.parts[1])
    _, rows = inputs_of(call, MOST_ARCHIVED)
    for row in rows:
        others = row.get("to")
        if not isinstance(others, list):
            raise unreadable("every input needs to, a list")
        for other in others:
            ends = _ends(portal, kind, to, {"from": row.get("from"), "to": other})
            unlink(portal, *ends)
            _drop_orphans(portal, *ends)
    return answer(204)


def archive_labels(portal: Portal, call: Call) -> Answer:
    """``batch/labels/archive``: only these types; without the unlabelled one nothing is left."""
    kind, to = call.kind, kind_named(call.parts[1])
    _, rows = inputs_of(call, MOST_ARCHIVED)
    for row in rows:
        record, other = _ends(portal, kind, to, row)
        numbers = _types(kind, to, row.get("types"))
        unlink(portal, record, other, None if plain_type(numbers[0]) in numbers else numbers)
        _drop_orphans(portal, record, other)
    return answer(204)


def _each(portal: Portal, call: Call, most: int, one: Callable[[Row], Iterable[Row]], status: int) -> Answer:
    _, rows = inputs_of(call, most)
    outcome = Outcome(portal)
    for row in rows:
        try:
            outcome.results += one(row)
        except Refused as refused:
            if refused.status != 404:
                raise
            outcome.errors.append(refused.row(None))
    return outcome.answer(call, status)


def _defaulted(portal: Portal, kind: Kind, to: Kind, row: Row) -> list[Row]:
    record, other = _ends(portal, kind, to, row)
    number = PLAIN[kind.key, to.key]
    link(portal, record, [(other, number)])
    ways = ((record, other, number), (other, record, TYPES[kind.key, to.key][number]))
    return [
        {
            "from": {"id": str(start.id)},
            "to": {"id": str(end.id)},
            "associationSpec": {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": type_},
        }
        for start, end, type_ in ways
    ]


def _to(
    portal: Portal, record: Record, to: Kind, after: str | None, limit: int
) -> tuple[list[Row], str | None]:
    if after is not None and (not after.isdecimal() or len(after) > 18):
        raise bad_request(f"after must be a cursor of this list, got {after}")
    rows = portal.database.execute(
        "SELECT l.to_id, json_group_array(l.type) FROM link l"
        " JOIN record r ON r.id = l.to_id AND r.archived IS NULL"
        " WHERE l.from_id = ? AND l.to_kind = ? AND l.to_id >= ? GROUP BY l.to_id ORDER BY l.to_id LIMIT ?",
        (record.id, to.key, int(after or 0), limit + 1),
    ).fetchall()
    found = [
        {
            "toObjectId": id_,
            "associationTypes": [_spec(int(t)) for t in sorted(map(int, types[1:-1].split(",")))],
        }
        for id_, types in rows[:limit]
    ]
    return found, str(rows[limit][0]) if len(rows) > limit else None


def _spec(number: int) -> Row:
    return {"category": "HUBSPOT_DEFINED", "typeId": number, "label": LABELS.get(number)}


def _pair(portal: Portal, record: Record, other: Record) -> Row:
    rows = portal.database.execute(
        "SELECT type FROM link WHERE from_id = ? AND to_id = ? ORDER BY type", (record.id, other.id)
    )
    return {
        "fromObjectTypeId": record.kind.key,
        "fromObjectId": record.id,
        "toObjectTypeId": other.kind.key,
        "toObjectId": other.id,
        "labels": [LABELS[number] for (number,) in rows if number in LABELS],
    }


def _known(kind: Kind, to: Kind) -> dict[int, int]:
    found = TYPES.get((kind.key, to.key))
    if found is None:
        raise bad_request(f"{kind.plural} cannot be associated with {to.plural}")
    return found


def _types(kind: Kind, to: Kind, given: Any) -> list[int]:
    known = _known(kind, to)
    if not isinstance(given, list) or not given:
        raise unreadable("a list of association types was expected")
    numbers = [item.get("associationTypeId") if isinstance(item, dict) else None for item in given]
    wrong = [n for n in numbers if type(n) is not int or n not in known]
    if wrong:
        raise bad_request(f"Association type {wrong[0]} does not lead from {kind.plural} to {to.plural}")
    return [int(str(n)) for n in numbers]


def _ends(portal: Portal, kind: Kind, to: Kind, row: Row) -> tuple[Record, Record]:
    _known(kind, to)
    start, end = row.get("from"), row.get("to")
    if not isinstance(start, dict) or not isinstance(end, dict):
        raise unreadable("every input needs from and to")
    return _live(portal, kind, _id(start)), _live(portal, to, _id(end))


def _id(row: Row) -> str:
    given = row.get("id")
    if not isinstance(given, str | int):
        raise unreadable("every input needs an id")
    return str(given)


def _find(portal: Portal, kind: Kind, given: str) -> Record | None:
    if not given.isdecimal() or len(given) > 18:
        return None
    record = records.find(portal.database, kind, records.follow(portal.database, int(given)))
    return record if record is not None and record.archived is None else None


def _live(portal: Portal, kind: Kind, given: str) -> Record:
    record = _find(portal, kind, given)
    if record is None:
        raise not_found(given)
    return record


def _none_found(kind: Kind, to: Kind, given: str) -> Row:
    """The recorded element for a record that has nothing of the other type: normal, not a failure."""
    start, end = kind.singular.lower(), to.singular.lower()
    return {
        "status": "error",
        "category": "OBJECT_NOT_FOUND",
        "subCategory": "crm.associations.NO_ASSOCIATIONS_FOUND",
        "message": f"No {end} is associated with {start} {given}.",
        "context": {"fromObjectId": [given], "fromObjectType": [start], "toObjectType": [end]},
    }
