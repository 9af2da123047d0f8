"""Batches: what one bad row does to the others, and in which order answers come.

HubSpot reference, sections 4.3 and 5.2.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from connectors.sandbox.hubspot import records, rendering
from connectors.sandbox.hubspot.call import Call, Version, answer, properties_given, text_list
from connectors.sandbox.hubspot.errors import (
    Refused,
    bad_request,
    batch_not_found,
    duplicate_ids,
    exists_somewhere,
    not_unique,
    unreadable,
)
from connectors.sandbox.hubspot.kinds import CONTACTS, Kind
from connectors.sandbox.hubspot.links import link, wanted_links
from connectors.sandbox.hubspot.moments import wire
from connectors.sandbox.hubspot.portal import Portal
from connectors.sandbox.hubspot.records import Record
from connectors.sandbox.hubspot.removal import archive
from connectors.sandbox.hubspot.single import identified, in_reach, key_value
from connectors.sandbox.hubspot.writing import Unsaved, create, update
from connectors.sandbox.side import Answer

MOST = 100
Row = dict[str, Any]


def inputs_of(call: Call, most: int = MOST) -> tuple[Row, list[Row]]:
    """The body and its inputs. Raises Refused beyond ``most``."""
    body = call.json()
    rows = body.get("inputs")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise unreadable("inputs must be a list of objects")
    if len(rows) > most:
        raise bad_request(f"The maximum number of inputs supported in a batch request is {most}")
    return body, rows


def ids_of(rows: Sequence[Row]) -> list[str]:
    """The ``id`` of every input. Raises Refused."""
    if not all(isinstance(row.get("id"), str) for row in rows):
        raise unreadable("every input needs an id, a text")
    return [row["id"] for row in rows]


def traced(rows: Sequence[Row]) -> bool:
    """Whether every input has a trace id of its own: only then can rows fail one by one."""
    traces = [row.get("objectWriteTraceId") for row in rows]
    return bool(traces) and all(isinstance(t, str) for t in traces) and len(set(traces)) == len(traces)


class Outcome:
    """The answer of a batch as it grows."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal
        self._started = wire(portal.now())
        self.results: list[Row] = []
        self.errors: list[Row] = []

    def run(self, rows: Sequence[Row], one: Callable[[Row], Row], tolerant: bool) -> None:
        """Do every row; a refused one is an error of its own, or ends the whole batch."""
        for row in rows:
            try:
                self.results.append(one(row))
            except Refused as refused:
                if not tolerant:
                    raise
                self.errors.append(refused.row(row.get("objectWriteTraceId")))

    def answer(self, call: Call, status: int) -> Answer:
        """The whole answer; results in no order that a caller may rely on."""
        if self._portal.switches.batch_order == "shuffled":
            self._portal.dice.shuffle(self.results)
        body: Row = {
            "status": "COMPLETE",
            "results": self.results,
            "startedAt": self._started,
            "completedAt": wire(self._portal.now()),
        }
        if self.errors:
            body |= {"numErrors": len(self.errors), "errors": self.errors}
        return answer(call.partial_status if self.errors else status, body)


def read(portal: Portal, call: Call) -> Answer:
    """``batch/read``: up to 100 ids, or values of one unique property."""
    kind, archived = call.kind, call.flag("archived")
    body, rows = inputs_of(call)
    name = body.get("idProperty")
    names, with_history = text_list(body, "properties"), text_list(body, "propertiesWithHistory")
    outcome, missing = Outcome(portal), []
    if name not in (None, "", "hs_object_id"):
        key_value(portal, kind, str(name), "")
    reading = rendering.Reading(portal, kind, names, with_history)
    ids = list(dict.fromkeys(ids_of(rows)))
    known = {} if name else _by_own_id(portal, kind, ids)
    for given in ids:
        record = known.get(given) or identified(portal, kind, name, given)
        was_merged = record is not None and not name and str(record.id) != given
        hidden = was_merged and not portal.switches.merged_in_batch_read
        if record is None or hidden or not in_reach(portal, record, archived):
            missing.append(given)
        else:
            outcome.results.append(reading.body(record))
    if missing:
        outcome.errors.append(batch_not_found(kind.singular, missing).row(None))
    return outcome.answer(call, 200)


def create_many(portal: Portal, call: Call) -> Answer:
    """``batch/create``."""
    _, rows = inputs_of(call)
    tolerant, made = traced(rows), set[int]()

    def one(row: Row) -> Row:
        try:
            wanted = wanted_links(portal, call.kind, row)
            record = create(portal, call.kind, properties_given(row, call.version))
        except Refused as refused:
            # Without trace ids nothing is written, so the id of a row of this batch would name nobody.
            known = {int(id_) for id_ in refused.row_context.get("existingId", [])}
            if known & made and not tolerant:
                raise exists_somewhere(call.kind.singular) from refused
            raise
        made.add(record.id)
        link(portal, record, wanted)
        return rendering.created_body(portal, record)

    outcome = Outcome(portal)
    outcome.run(rows, one, tolerant)
    return outcome.answer(call, 201)


def update_many(portal: Portal, call: Call) -> Answer:
    """``batch/update``: contacts by record id only; an id that was merged away is not found."""
    kind = call.kind
    _, rows = inputs_of(call)
    ids = ids_of(rows)
    _refuse_repeated(ids)
    for row in rows:
        name = row.get("idProperty")
        if name and (kind is CONTACTS or name == "hs_object_id"):
            raise not_unique(kind.key, str(name))
    found = _unarchived(portal, kind, rows)
    tolerant, unsaved = traced(rows), Unsaved()
    outcome = Outcome(portal)
    missing = [row for row in rows if row["id"] not in found]
    if missing and tolerant:
        for row in missing:
            outcome.errors.append(batch_not_found(kind.singular, [row["id"]]).row(row["objectWriteTraceId"]))
    elif missing:
        outcome.errors.append(batch_not_found(kind.singular, [row["id"] for row in missing]).row(None))

    def one(row: Row) -> Row:
        return _updated(portal, found[row["id"]], row, call.version, unsaved)

    present = [row for row in rows if row["id"] in found]
    outcome.run(present, one, tolerant and portal.switches.trace_id_update)
    unsaved.save(portal.database)
    return outcome.answer(call, 200)


def _unarchived(portal: Portal, kind: Kind, rows: Sequence[Row]) -> dict[str, Record]:
    """The records that the rows of an update name, by what the rows call them.

    Rows that name one record share it, so that the later one changes what the earlier one left.
    """
    found: dict[str, Record] = {}
    by_id: dict[int, Record] = {}
    known = _by_own_id(portal, kind, [row["id"] for row in rows if not row.get("idProperty")])
    for row in rows:
        name = row.get("idProperty")
        record = None if name else known.get(row["id"])
        record = record or identified(portal, kind, name, row["id"])
        if record is None or record.archived is not None:
            continue
        if name or str(record.id) == row["id"]:
            found[row["id"]] = by_id.setdefault(record.id, record)
    return found


def _by_own_id(portal: Portal, kind: Kind, ids: Sequence[str]) -> dict[str, Record]:
    """The records that ids name as they stand, read at once; an id that was merged away is not among them."""
    numbers = [int(text) for text in ids if text.isdecimal() and len(text) < 19]
    return {str(id_): record for id_, record in records.find_all(portal.database, kind, numbers).items()}


def _updated(
    portal: Portal, record: Record, row: Row, version: Version, unsaved: Unsaved | None = None
) -> Row:
    given = properties_given(row, version)
    moved = update(portal, record, given, unsaved=unsaved)
    return rendering.updated_body(portal, record, {*given, *moved})


def upsert_many(portal: Portal, call: Call) -> Answer:
    """``batch/upsert``: updates the record that a unique value names, or creates one that has it.

    With ``idProperty`` email one bad row fails the whole batch, trace ids or not
    (HubSpot reference, section 5.2).
    """
    kind = call.kind
    _, rows = inputs_of(call)
    ids = ids_of(rows)
    names = [row.get("idProperty") for row in rows]
    for name in names:
        if name == "hs_object_id":
            raise not_unique(kind.key, "hs_object_id")
    keys = [
        key_value(portal, kind, str(name), given) if name else given
        for name, given in zip(names, ids, strict=True)
    ]
    _refuse_repeated(keys)

    def one(row: Row) -> Row:
        return _upserted(portal, kind, row, call.version)

    outcome = Outcome(portal)
    outcome.run(rows, one, traced(rows) and "email" not in names)
    return outcome.answer(call, 200)


def _upserted(portal: Portal, kind: Kind, row: Row, version: Version) -> Row:
    name = row.get("idProperty")
    record = identified(portal, kind, name, row["id"])
    if record is not None and record.archived is None:
        return {**_updated(portal, record, row, version), "new": False}
    if not name:
        raise batch_not_found(kind.singular, [row["id"]])
    wanted = wanted_links(portal, kind, row)
    record = create(portal, kind, {name: row["id"], **properties_given(row, version)})
    link(portal, record, wanted)
    return {**rendering.created_body(portal, record), "new": True}


def archive_many(portal: Portal, call: Call) -> Answer:
    """``batch/archive``: 204; ids that name nobody are passed over."""
    kind = call.kind
    _, rows = inputs_of(call)
    for given in dict.fromkeys(ids_of(rows)):
        record = identified(portal, kind, None, given)
        if record is not None and record.archived is None and str(record.id) == given:
            archive(portal, record)
    return answer(204)


def _refuse_repeated(ids: Sequence[str]) -> None:
    if len(set(ids)) == len(ids):
        return
    repeated = [id_ for id_ in dict.fromkeys(ids) if ids.count(id_) > 1]
    if repeated:
        raise duplicate_ids(repeated)
