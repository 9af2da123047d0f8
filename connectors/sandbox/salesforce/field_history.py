"""What Salesforce writes down by itself when a record is saved: field history, and stages of opportunities.

Field history is kept for the fields that the switch ``history`` names, at most 20. A lookup makes two rows, one
with names and one with ids; of a text beyond 255 characters only the fact is kept; nothing is filled in for the
time before (Salesforce reference, section 6).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from connectors.sandbox.salesforce.org import Org
from connectors.sandbox.salesforce.schema import Field, SObject
from connectors.sandbox.salesforce.values import writer

LONGEST = 255
#: The history of an object, and the field of it that names the record.
TABLES = {
    "Lead": ("LeadHistory", "LeadId"),
    "Contact": ("ContactHistory", "ContactId"),
    "Account": ("AccountHistory", "AccountId"),
    "Opportunity": ("OpportunityFieldHistory", "OpportunityId"),
}
DATA_TYPES = {
    "string": "Text",
    "picklist": "DynamicEnum",
    "textarea": "TextArea",
    "boolean": "Boolean",
    "email": "Email",
    "phone": "PhoneNumber",
    "url": "Url",
    "currency": "Currency",
    "double": "Double",
    "int": "Double",
    "percent": "Percent",
    "date": "DateOnly",
    "datetime": "DateTime",
    "multipicklist": "MultiEnum",
}
STAGED = ("StageName", "Amount", "ExpectedRevenue", "CloseDate", "Probability", "ForecastCategory")
Row = Mapping[str, Any]
Entry = tuple[str, str, Any, Any]  #: field, data type, old value, new value


def keep_history(
    org: Org, sobject: SObject, record_id: str, before: Row | None, after: Row, user: str
) -> None:
    """Write down what a save changed; ``before`` is None for a record that is new."""
    stamp = after["LastModifiedDate"]
    if sobject.name in org.switches["history"]:
        table, parent = TABLES[sobject.name]
        for field, kind, old, new in _entries(org, sobject, before, after, user):
            columns = {parent: record_id, "Field": field, "DataType": kind}
            values = {"OldValue": _kept(old), "NewValue": _kept(new)}
            _add(org, table, {**columns, **values, "CreatedById": user, "CreatedDate": stamp})
    if sobject.name == "Opportunity" and any(
        before is None or before.get(name) != after.get(name) for name in STAGED
    ):
        staged = {name: after.get(name) for name in STAGED}
        by = {"CreatedById": user, "CreatedDate": stamp, "SystemModstamp": stamp}
        _add(org, "OpportunityHistory", {"OpportunityId": record_id, **staged, **by})


def _add(org: Org, name: str, columns: Row) -> None:
    history = org.full.objects[name]
    org.write(history, org.store.mint(history.prefix), {"IsDeleted": 0, **columns}, is_new=True)


def _kept(value: Any) -> str | None:
    return None if value is None else orjson.dumps(value).decode()


def _entries(org: Org, sobject: SObject, before: Row | None, after: Row, user: str) -> Iterator[Entry]:
    if before is None:
        yield "created", "Text", None, None
        return
    if after.get("IsConverted") and not before.get("IsConverted"):
        yield "leadConverted", "Text", None, None
    tracked = org.switches["history"][sobject.name]
    from_queue = str(before.get("OwnerId")).startswith(org.full.objects["Group"].prefix)
    if sobject.name == "Lead" and "OwnerId" in tracked and from_queue and after.get("OwnerId") == user:
        yield "ownerAccepted", "Text", None, None
    for name in tracked:
        field = sobject.fields.get(name)
        if field is not None and before.get(name) != after.get(name):
            yield from _changes(org, field, before.get(name), after.get(name))


def _changes(org: Org, field: Field, old: Any, new: Any) -> Iterator[Entry]:
    shown = field.name if field.custom else field.name.removesuffix("Id")
    if field.type == "reference":
        yield shown, "Text", _name_of(org, old), _name_of(org, new)
        yield shown, "EntityId", old, new
    elif field.length > LONGEST:
        yield shown, DATA_TYPES.get(field.type, "Text"), None, None
    else:
        show = writer(field) or (lambda value: value)
        old, new = (None if each is None else show(each) for each in (old, new))
        yield shown, DATA_TYPES.get(field.type, "Text"), old, new


def _name_of(org: Org, record_id: str | None) -> Any:
    sobject = None if record_id is None else org.full.of_id(record_id)
    if sobject is None or record_id is None:
        return None
    row = org.store.row(sobject, record_id)
    return None if row is None else row.get("Name")
