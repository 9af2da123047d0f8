"""sObject Collections: up to 200 records written, or 2,000 read, in one call (Salesforce reference, section 4)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import groupby
from typing import Any

from connectors.sandbox.salesforce import ids
from connectors.sandbox.salesforce.call import Call, answer_json, is_true
from connectors.sandbox.salesforce.edits import Edits
from connectors.sandbox.salesforce.given import Writer
from connectors.sandbox.salesforce.records import id_of
from connectors.sandbox.salesforce.refusals import ROLLED_BACK_TEXT, Refusal, RowRefused
from connectors.sandbox.salesforce.rows import fields_of, key_field
from connectors.sandbox.salesforce.schema import SObject
from connectors.sandbox.salesforce.soql.shape import fields_shaper
from connectors.sandbox.salesforce.store import quoted
from connectors.sandbox.salesforce.uniques import nobodys
from connectors.sandbox.side import Answer

MOST_WRITTEN = 200
MOST_READ = 2_000
MOST_CHUNKS = 10
Item = dict[str, Any]
Step = Callable[[Any], Item]


def write(call: Call) -> Answer:
    """Answer POST (create) and PATCH (update) of ``/composite/sobjects``."""
    body = call.json_object()
    records = _records(body)
    who = call.writer()

    def create(record: Item) -> Item:
        name = call.org.seen.objects[_type(call, record)].name
        return _saved(call.records.create(name, record, who))

    _check_chunks(records)
    all_or_none = body.get("allOrNone") is True
    if call.method == "POST":
        return answer_json(_each(call, records, create, all_or_none))
    return answer_json(_updated(call, records, who, all_or_none))


def _updated(call: Call, records: Sequence[Item], who: Writer, all_or_none: bool) -> list[Item]:
    """Change every record; those of one type are read and written at once."""
    kinds = {_kind(each) for each in records}
    of_all = call.org.seen.find(kinds.pop()) if len(kinds) == 1 else None
    edits = None if of_all is None else _edits(call, of_all, records, who)

    def update(record: Item) -> Item:
        sobject = call.org.seen.objects[_type(call, record)]
        given = next((value for key, value in record.items() if key.lower() == "id"), None)
        if given is None:
            raise RowRefused("MISSING_ARGUMENT", "Id not specified in an update call", ["Id"])
        values = {key: value for key, value in record.items() if key.lower() != "id"}
        record_id = id_of(sobject, given)
        if edits is None:
            call.records.update(sobject.name, record_id, values, who)
        else:
            edits.update(record_id, values)
        return _saved(record_id)

    if edits is None:
        return _each(call, records, update, all_or_none)
    named = {ids.to_18(value) for each in records for key, value in each.items() if key.lower() == "id"}
    return _each(call, records, update, all_or_none, edits.ahead(sorted(filter(None, named))))


def _edits(call: Call, sobject: SObject, records: Sequence[Item], who: Writer) -> Edits:
    """Updates of so many records of one type, with what all of them ask."""
    names = set[str]().union(*records)
    fields = {name: field for name in names if (field := sobject.find(name)) is not None}
    alone: dict[str, list[str]] = {}
    for name, field in fields.items():
        if field.unique:
            given = (each.get(name) for each in records)
            alone.setdefault(field.name, []).extend(str(value) for value in given if value is not None)
    writes = call.records
    writes.free = nobodys(call.org, sobject.name, alone)
    return Edits(writes, sobject, who, {field.name for field in fields.values()})


def upsert(call: Call, name: str, key: str) -> Answer:
    """Answer ``PATCH /composite/sobjects/X/Field``: every record of one type, found by one field."""
    sobject = call.sobject(name)
    field = key_field(sobject, key) if key.lower() != "id" else sobject.fields["Id"]
    body = call.json_object()
    records = _records(body)
    who = call.writer()

    def step(record: Item) -> Item:
        if _type(call, record) != sobject.name:
            raise RowRefused("INVALID_TYPE", f"Record type must be {sobject.name}")
        value = next((each for name, each in record.items() if name.lower() == field.name.lower()), None)
        values = {each: one for each, one in record.items() if each.lower() not in ("id", field.name.lower())}
        if field.name == "Id":
            return _by_id(call, sobject.name, value, values)
        record_id, created = call.records.upsert(sobject.name, field, value, values, who)
        return {**_saved(record_id), "created": created}

    return answer_json(_each(call, records, step, body.get("allOrNone") is True))


def _by_id(call: Call, name: str, value: Any, values: Item) -> Item:
    """An upsert by Id: no Id creates, an Id must be there."""
    if value is None:
        return {**_saved(call.records.create(name, values, call.writer())), "created": True}
    record_id = id_of(call.org.seen.objects[name], value)
    call.records.update(name, record_id, values, call.writer())
    return {**_saved(record_id), "created": False}


def delete(call: Call) -> Answer:
    """Answer ``DELETE /composite/sobjects?ids=a,b``."""
    wanted = [each for each in (call.ask.first("ids") or "").split(",") if each]
    if not wanted:
        raise Refusal(400, "REQUIRED_FIELD_MISSING", "Missing required parameter: ids")
    _check_count(wanted, MOST_WRITTEN)
    who = call.writer()

    def step(given: str) -> Item:
        whole = ids.to_18(given)
        sobject = call.org.seen.of_id(whole) if whole is not None else None
        if whole is None or sobject is None:
            raise RowRefused("MALFORMED_ID", f"malformed id {given}")
        call.records.delete(sobject.name, whole, who)
        return _saved(whole)

    return answer_json(_each(call, wanted, step, is_true(call.ask.first("allOrNone"))))


def read(call: Call, name: str) -> Answer:
    """Answer ``/composite/sobjects/X``: the records in the order of their ids, null for one that is not there."""
    sobject = call.sobject(name)
    if call.method == "POST":
        body = call.json_object()
        wanted, names = body.get("ids"), body.get("fields")
    else:
        wanted = (call.ask.first("ids") or "").split(",")
        names = (call.ask.first("fields") or "").split(",")
    if not isinstance(wanted, list) or not isinstance(names, list) or not wanted or not names:
        raise Refusal(400, "REQUIRED_FIELD_MISSING", "Required fields are missing: [ids, fields]")
    _check_count(wanted, MOST_READ)
    fields = fields_of(sobject, [str(each) for each in names])
    whole = [ids.to_18(each) for each in wanted]
    marks = ", ".join("?" * len(whole))
    live = " AND IsDeleted = 0" if sobject.bin else ""
    columns, shape = fields_shaper(sobject, fields, call.version)
    rows = call.org.store.db.execute(
        f"SELECT {columns} FROM {quoted(sobject.name)} WHERE Id IN ({marks}){live}", whole
    )
    found = {row[0]: shape(row) for row in rows}
    return answer_json([found.get(each or "") for each in whole])


def _records(body: Item) -> list[Item]:
    records = body.get("records")
    if not isinstance(records, list) or not all(isinstance(each, dict) for each in records):
        raise Refusal(400, "JSON_PARSER_ERROR", "records: a list of records is required")
    _check_count(records, MOST_WRITTEN)
    return records


def _check_count(wanted: Sequence[Any], most: int) -> None:
    if len(wanted) > most:
        text = f"record limit reached. cannot submit more than {most} records into this call"
        raise Refusal(400, "EXCEEDED_ID_LIMIT", text)


def _type(call: Call, record: Item) -> str:
    given = record.get("attributes")
    name = given.get("type") if isinstance(given, dict) else None
    sobject = call.org.seen.find(name) if isinstance(name, str) else None
    if sobject is None:
        text = f"sObject type '{name}' is not supported." if name else "type not specified in attributes"
        raise RowRefused("INVALID_TYPE", text)
    return sobject.name


def _kind(record: Item) -> str:
    given = record.get("attributes")
    return str(given.get("type")).lower() if isinstance(given, dict) else ""


def _check_chunks(records: Sequence[Item]) -> None:
    kinds = (_kind(each) for each in records)
    if sum(1 for _ in groupby(kinds)) > MOST_CHUNKS:
        text = (
            f"Cannot have more than {MOST_CHUNKS} chunks in a single operation. "
            "Please rearrange the data to reduce chunking."
        )
        raise Refusal(400, "INVALID_OPERATION", text)


def _saved(record_id: str) -> Item:
    return {"id": record_id, "success": True, "errors": []}


def _failed(refused: RowRefused) -> Item:
    return {"success": False, "errors": [refused.as_save_error()]}


def _each(
    call: Call,
    wanted: Sequence[Any],
    step: Step,
    all_or_none: bool,
    around: AbstractContextManager[None] = nullcontext(),  # noqa: B008 - it does nothing, as often as one likes
) -> list[Item]:
    """The result of every record in input order; with ``all_or_none`` one failure undoes the others."""
    db = call.org.store.db
    db.execute("SAVEPOINT many")
    results = []
    with call.org.changes.together(), around:
        for one in wanted:
            try:
                results.append(step(one))
            except RowRefused as refused:
                results.append(_failed(refused))
    if all_or_none and not all(each["success"] for each in results):
        db.execute("ROLLBACK TO many")
        call.org.undone()
        undone = _failed(RowRefused("ALL_OR_NONE_OPERATION_ROLLED_BACK", ROLLED_BACK_TEXT))
        results = [undone if each["success"] else each for each in results]
    db.execute("RELEASE many")
    return results
