"""When fields had which values, from the organisation's field history: a time for each field.

It is evidence where an admin turned it on, never something to rely on: at most 20 fields an object, nothing
from before it was turned on, whole seconds, 24 months through the API (Salesforce reference, section 6).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import polars as pl

from connectors.crm import HISTORY_SCHEMA, RECORD_ID
from connectors.errors import NeedsPerson
from connectors.salesforce.calls import Calls
from connectors.salesforce.ids import eighteen, looks_like_id
from connectors.salesforce.listing import Listing, Row, is_hidden
from connectors.salesforce.schema import Described, Schemas
from connectors.salesforce.values import moment_text, texts
from connectors.slabs import times

#: What a row's ``source`` says: CHANGED where Salesforce wrote down that the field changed but not to what (then
#: ``value`` says nothing), else RECORDED. ``source_id`` is the id of the history's own record.
RECORDED = "recorded"
CHANGED = "changed"

#: The history of an object, and the field of it that names the record.
TABLES: Mapping[str, tuple[str, str]] = {
    "Lead": ("LeadHistory", "LeadId"),
    "Contact": ("ContactHistory", "ContactId"),
    "Account": ("AccountHistory", "AccountId"),
    "Opportunity": ("OpportunityFieldHistory", "OpportunityId"),
}

#: Texts longer than this leave only the fact that they changed.
LONGEST = 255

#: A conversion is a row of its own, without values.
CONVERTED = "leadConverted"


class _Change(Row):
    CreatedDate: str
    Field: str = ""
    OldValue: Any = None
    NewValue: Any = None
    CreatedById: str | None = None
    LeadId: str | None = None
    ContactId: str | None = None
    AccountId: str | None = None
    OpportunityId: str | None = None


def history_of(
    calls: Calls, schemas: Schemas, object_name: str, fields: Sequence[str], ids: Sequence[str] | None = None
) -> Iterator[pl.DataFrame]:
    """The past of the named records, or of every one (``ids`` None): frames of ``HISTORY_SCHEMA``.

    Nothing where the organisation keeps no history of the object, or shows it to us. Fields that the object
    does not have, and those that are not tracked, have no rows. Raises NeedsPerson where the object itself is
    not visible.
    """
    table, parent = TABLES.get(object_name, ("", ""))
    names = _names(schemas.of(object_name), fields)
    if not table or not names:
        return
    try:
        listing = Listing(calls, schemas, table, _Change, ("Field", "NewValue", parent))
    except NeedsPerson as error:
        if is_hidden(error):
            return
        raise
    described = schemas.of(object_name)
    pages = listing.every() if ids is None else listing.of(parent, ids)
    for page in pages:
        frame = _frame(page, parent, names, described)
        if len(frame):
            yield frame


def _names(described: Described, fields: Sequence[str]) -> dict[str, str]:
    """The history's word for each field that is asked for: a lookup is told without its ``Id``."""
    known = [name for name in dict.fromkeys(fields) if described.has(name)]
    words = {name: name for name in known}
    words.update({name.removesuffix("Id"): name for name in known if described.types[name] == "reference"})
    if "IsConverted" in known:
        words[CONVERTED] = "IsConverted"
    return words


def _frame(
    page: Sequence[_Change], parent: str, names: Mapping[str, str], described: Described
) -> pl.DataFrame:
    # Newest first; a second holds several changes, and ids count up.
    newest = sorted(page, key=lambda change: (change.CreatedDate, change.Id), reverse=True)
    wanted = [change for change in newest if _counts(change, names, described)]
    fields = [names[change.Field] for change in wanted]
    return pl.DataFrame(
        {
            RECORD_ID: [eighteen(getattr(change, parent) or "") for change in wanted],
            "property": fields,
            "at": times("at", [moment_text(change.CreatedDate) for change in wanted]),
            "value": [
                _text(change, described.types[name]) for change, name in zip(wanted, fields, strict=True)
            ],
            "source": [_source(change, described, names[change.Field]) for change in wanted],
            "source_id": [change.Id for change in wanted],
            "user": [change.CreatedById for change in wanted],
        },
        schema=dict(HISTORY_SCHEMA),
    )


def _counts(change: _Change, names: Mapping[str, str], described: Described) -> bool:
    """Whether a row is about a wanted field; a lookup has two rows, and the one with the ids is told."""
    if change.Field not in names:
        return False
    if described.types[names[change.Field]] != "reference":
        return True
    values = [value for value in (change.OldValue, change.NewValue) if value is not None]
    return bool(values) and all(isinstance(value, str) and _is_id(value) for value in values)


def _is_id(text: str) -> bool:
    """Whether a text is an id; a name of 15 letters is not one, because its suffix would not fit."""
    return len(text) == 18 and looks_like_id(text) and eighteen(text[:15]) == text


def _text(change: _Change, sf_type: str) -> str | None:
    if change.Field == CONVERTED:
        return "true"
    value = change.NewValue
    if sf_type == "datetime" and isinstance(value, str):
        return moment_text(value)
    return None if value is None else str(texts(sf_type, [value])[0])


def _source(change: _Change, described: Described, name: str) -> str:
    length = described.schema.fields[name].length or 0
    untold = change.OldValue is None and change.NewValue is None and length > LONGEST
    return CHANGED if untold else RECORDED
