"""One record at a time: create, read, change, delete, and upsert by an external id."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from connectors.sandbox.salesforce import moments
from connectors.sandbox.salesforce.call import NO_CONTENT, Call, answer_json, is_true
from connectors.sandbox.salesforce.records import gone, id_of
from connectors.sandbox.salesforce.refusals import BareStatus, Refusal, RowRefused, not_found
from connectors.sandbox.salesforce.schema import Field, SObject
from connectors.sandbox.salesforce.soql.shape import address, attributes
from connectors.sandbox.salesforce.values import address_parts, writer
from connectors.sandbox.side import Answer


def create(call: Call, name: str) -> Answer:
    """Answer ``POST /sobjects/X``."""
    sobject = call.sobject(name)
    try:
        record_id = call.records.create(sobject.name, call.json_object(), call.writer())
    except RowRefused as refused:
        raise refused.as_refusal() from None
    location = {"Location": call.url(f"sobjects/{sobject.name}/{record_id}")}
    return answer_json({"id": record_id, "success": True, "errors": []}, 201, location)


def get(call: Call, name: str, record_id: str) -> Answer:
    """Answer ``GET /sobjects/X/id``, with the fields asked for or all that the user may see."""
    sobject = call.sobject(name)
    row = _live(call, sobject, record_id)
    _check_conditions(call, sobject, row)
    names = call.ask.first("fields")
    wanted = fields_of(sobject, names.split(",") if names else None)
    modified = moments.http_date(moments.moment_of(_modified(sobject, row)))
    return answer_json(
        shower(call, sobject, wanted)(row), headers={"Last-Modified": modified, **_etag(sobject, row)}
    )


def update(call: Call, name: str, record_id: str) -> Answer:
    """Answer ``PATCH /sobjects/X/id``: 204, or 412 when the record moved since If-Unmodified-Since."""
    sobject = call.sobject(name)
    row = _live(call, sobject, record_id)
    _check_conditions(call, sobject, row)
    values = call.json_object()
    if any(each.lower() == "id" for each in values):
        raise Refusal(
            400, "INVALID_FIELD", "The Id field should not be specified in the sobject data.", fields=["Id"]
        )
    try:
        call.records.update(sobject.name, row["Id"], values, call.writer())
    except RowRefused as refused:
        raise gone(refused).as_refusal() from None
    return NO_CONTENT


def delete(call: Call, name: str, record_id: str) -> Answer:
    """Answer ``DELETE /sobjects/X/id``."""
    sobject = call.sobject(name)
    try:
        call.records.delete(sobject.name, id_of(sobject, record_id), call.writer())
    except RowRefused as refused:
        raise gone(refused).as_refusal() from None
    return NO_CONTENT


def _live(call: Call, sobject: SObject, record_id: str) -> dict[str, Any]:
    try:
        whole = id_of(sobject, record_id)
    except RowRefused as refused:
        raise refused.as_refusal() from None
    row = call.org.store.row(sobject, whole)
    if row is None:
        raise not_found()
    if row.get("IsDeleted"):
        raise Refusal(
            call.org.switches["deleted_status"], "ENTITY_IS_DELETED", "entity is deleted", fields=[]
        )
    return row


def _modified(sobject: SObject, row: Mapping[str, Any]) -> str:
    """When a row last changed, as it is kept."""
    return str(row.get("LastModifiedDate") or row[sobject.stamp])


def _etag(sobject: SObject, row: Mapping[str, Any]) -> dict[str, str]:
    """The ETag, which only accounts have (Salesforce reference, section 2)."""
    if sobject.name != "Account":
        return {}
    return {"ETag": f'"{row["Id"]}{row["SystemModstamp"]}"'}


def _check_conditions(call: Call, sobject: SObject, row: Mapping[str, Any]) -> None:
    modified = moments.moment_of(_modified(sobject, row))
    unless = moments.parse_http_date(call.header("if-unmodified-since") or "")
    if unless is not None and modified > unless:
        raise BareStatus(412)
    tag, reading = _etag(sobject, row).get("ETag"), call.method in ("GET", "HEAD")
    match, none_match = call.header("if-match"), call.header("if-none-match")
    if tag is not None and match is not None and tag not in _tags(match):
        raise BareStatus(412)
    if tag is not None and none_match is not None and tag in _tags(none_match):
        raise BareStatus(304 if reading else 412)
    since = moments.parse_http_date(call.header("if-modified-since") or "")
    if since is not None and reading and modified <= since:
        raise BareStatus(304)


def _tags(header: str) -> list[str]:
    return [each.strip().removeprefix("W/") for each in header.split(",")]


def fields_of(sobject: SObject, names: Sequence[str] | None) -> list[Field]:
    """The named fields, or every readable one. Raises Refusal (INVALID_FIELD) for an unknown name."""
    if names is None:
        return sobject.readable()
    wanted = []
    for name in names:
        field = sobject.find(name.strip())
        if field is None:
            text = f"No such column '{name.strip()}' on entity '{sobject.name}'."
            raise Refusal(400, "INVALID_FIELD", text)
        wanted.append(field)
    return wanted


def shower(
    call: Call, sobject: SObject, wanted: Sequence[Field]
) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """A function from a row to the record that the API shows, with these fields in their order."""
    names = [field.name for field in wanted]
    writers = [
        (field.name, write) for field in wanted if field.stored and (write := writer(field)) is not None
    ]
    addresses = [(field, tuple(address_parts(field).values())) for field in wanted if not field.stored]

    def show(row: Mapping[str, Any]) -> dict[str, Any]:
        record: dict[str, Any] = {"attributes": attributes(call.version, sobject.name, row["Id"])}
        record.update(zip(names, map(row.get, names), strict=True))
        for name, write in writers:
            record[name] = write(row[name])
        for field, parts in addresses:
            record[field.name] = address(field, [row.get(each) for each in parts])
        return record

    return show


def key_field(sobject: SObject, name: str) -> Field:
    """The field that an upsert goes by. Raises Refusal (404) for one that is no external id."""
    field = sobject.find(name)
    if field is None or not (field.external_id or field.lookup):
        raise not_found(f"Provided external ID field does not exist or is not accessible: {name}")
    return field


def by_key(call: Call, name: str, key: str, value: str) -> Answer:
    """Answer GET, PATCH and DELETE of ``/sobjects/X/Field/value``; 300 lists the matches when there are several."""
    sobject = call.sobject(name)
    field = key_field(sobject, key)
    if "." in value and value.rpartition(".")[2].isalpha():
        raise not_found()  # read as a file extension (Salesforce reference, section 4)
    try:
        found = call.records.matching(sobject.name, field, value)
        if len(found) > 1:
            return answer_json([call.url(f"sobjects/{sobject.name}/{each}") for each in found], 300)
        if call.method == "PATCH":
            return _upsert(call, sobject, field, value, bool(found))
    except RowRefused as refused:
        raise gone(refused).as_refusal() from None
    if not found:
        raise not_found()
    return get(call, name, found[0]) if call.method in ("GET", "HEAD") else delete(call, name, found[0])


def _upsert(call: Call, sobject: SObject, field: Field, value: str, known: bool) -> Answer:
    if not known and is_true(call.ask.first("updateOnly")):
        raise not_found()
    values = call.json_object()
    if any(each.lower() in ("id", field.name.lower()) for each in values):
        text = f"The {field.name} field should not be specified in the sobject data."
        raise Refusal(400, "INVALID_FIELD", text, fields=[field.name])
    record_id, created = call.records.upsert(sobject.name, field, value, values, call.writer())
    if call.number < 46 and not created:
        return NO_CONTENT
    body = {"id": record_id, "success": True, "errors": []}
    if call.number >= 46:
        body["created"] = created
    return answer_json(body, 201 if created else 200)
