"""The port every connector has: describe, changes, fetch, write (and add_fields for setup).

Values travel in the CRM's own words: records are columns of text under the CRM's own field
names. Nothing here knows what a lead is. Two CRMs implement ``Crm``: ``connectors.hubspot.crm``
and ``connectors.salesforce.crm``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

import msgspec
import polars as pl

from connectors.quota import Lane
from connectors.quota_day import Room

RECORD_ID = "_id"
MODIFIED_AT = "_modified_at"
CREATED_AT = "_created_at"
ARCHIVED = "_archived"
ABSENT = "_absent"

#: Columns every slab has, before one text column for each field that the CRM let us read.
#: ``_id``: the record id (Salesforce: always 18 characters). ``_modified_at``/``_created_at``: the CRM's
#: clock. ``_archived``: deleted there. ``_absent``: the names of fields that this one record came without
#: although they were asked for; null where nothing is missing.
SLAB_SCHEMA: Mapping[str, pl.DataType] = {
    RECORD_ID: pl.String(),
    MODIFIED_AT: pl.Datetime("us", "UTC"),
    CREATED_AT: pl.Datetime("us", "UTC"),
    ARCHIVED: pl.Boolean(),
    ABSENT: pl.List(pl.String()),
}

#: The past of fields, one row for each value that one had. ``at``: when it was set. ``value``: spelled as in a slab,
#: null for a blank. ``source`` and ``source_id``: what set it, in the CRM's own words; ``user`` the id of the user,
#: where it was one. The rows of one field of one record are newest first.
HISTORY_SCHEMA: Mapping[str, pl.DataType] = {
    RECORD_ID: pl.String(),
    "property": pl.String(),
    "at": pl.Datetime("us", "UTC"),
    "value": pl.String(),
    "source": pl.String(),
    "source_id": pl.String(),
    "user": pl.String(),
}

#: A place in a CRM's change log, as JSON values. Opaque outside the connector that made it.
Cursor = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Slab:
    """Some records of one object, one row a record, never more than ``slab_rows`` of them.

    ``frame`` has the columns of ``SLAB_SCHEMA`` and one ``String`` column per field returned: null is
    a blank that was returned. A field that was asked for and has no column was not returned for any
    record (unknown, or no right to read it): that is not a blank, and must never be read as one.
    Booleans are ``"true"``/``"false"``, numbers plain decimals, dates and times ISO 8601 in UTC.
    """

    crm: str
    object: str
    frame: pl.DataFrame


@dataclass(frozen=True, slots=True)
class Reading:
    """Slabs to come, and the cursor to keep once every one of them has been remembered.

    The cursor is fixed before the first record is read, so what changes meanwhile is read next time.
    """

    slabs: Iterator[Slab]
    cursor: Cursor


@dataclass(frozen=True, slots=True)
class FieldInfo:
    """One field as the CRM describes it now."""

    name: str
    label: str
    type: str  #: text, number, boolean, date, datetime, choice, choices, reference, other
    length: int | None = None  #: in characters, where the CRM has a limit
    required: bool = False
    readable: bool = True
    creatable: bool = True
    updatable: bool = True
    calculated: bool = False
    unique: bool = False  #: the CRM refuses a second record with the same value
    options: tuple[tuple[str, str], ...] = ()  #: (value, label) in the CRM's order
    restricted: bool = False  #: the CRM refuses values that are not among the options
    needs: str | None = None  #: the field of the same record without which it takes no value

    def refuses(self, value: str) -> bool:
        """Whether a write of this value is refused because it is none of the options."""
        return self.restricted and bool(self.options) and value not in dict(self.options)


@dataclass(frozen=True, slots=True)
class RecordType:
    """A kind of records of one object, as Salesforce has them; the one that every organisation has is left out."""

    id: str  #: 18 characters
    name: str
    usable: bool  #: this user may give it to a record
    default: bool = False  #: a record that names none gets it


@dataclass(frozen=True, slots=True)
class ObjectSchema:
    """The fields of one object that this account lets us see, and the order of its lifecycle stages."""

    crm: str
    object: str
    fields: Mapping[str, FieldInfo]
    stages: tuple[str, ...] = ()  #: HubSpot: lifecycle stages in the pipeline's order; Salesforce: Status
    record_types: tuple[RecordType, ...] = ()  #: those that are active; HubSpot has none


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """A field to create, in words both connectors translate."""

    name: str
    label: str
    type: Literal["text", "long_text", "number", "boolean", "date", "datetime", "choice"]
    description: str = ""
    length: int = 255  #: characters, for text
    decimals: int = 0  #: digits after the point, for number
    unique: bool = False  #: an external id: the CRM refuses a second record with the same value
    options: tuple[tuple[str, str], ...] = ()  #: (value, label), for choice
    relabel: bool = (
        False  #: options that are there get the labels of ``options``, too; else they keep what people chose
    )
    restricted: bool = True  #: for choice: the CRM is to refuse other values; HubSpot always does


#: The code of a write that was refused because its record was no longer as it had been read.
CHANGED_MEANWHILE = "CHANGED_MEANWHILE"


# A slice is some ten thousands of writes and as many results. The collector of cycles need not look at them again and
# again, for they hold texts and nothing that leads back to them.


class Write(msgspec.Struct, frozen=True, gc=False):
    """One record to write.

    ``record_id`` names the record to update. Without it the record is created, or updated where one
    already has ``key`` = (unique field, value): an upsert, safe to repeat. ``values`` holds only what is
    to change, as text under the CRM's field names; None clears. ``trace`` is unique within a call and
    comes back in the result.

    ``unless_changed_since`` (aware; with a ``record_id``): the record's time of change as it was read. Where it
    has moved on, the write is refused with CHANGED_MEANWHILE. HubSpot has no such condition, and writes.
    """

    trace: str
    record_id: str | None
    values: Mapping[str, str | None]
    key: tuple[str, str] | None = None
    unless_changed_since: datetime | None = None

    def __repr__(self) -> str:
        return f"Write({self.trace!r}, record_id={self.record_id!r}, fields={sorted(self.values)})"


class Written(msgspec.Struct, frozen=True, gc=False):
    """What became of one write. Exactly one comes back for each, matched by ``trace``.

    ``outcome``: "written" (``record_id`` is set; ``stored`` holds what the CRM says it holds now in the fields
    that were sent, where it said so), "refused" (``code`` and ``message`` are the CRM's own; other records are
    unaffected) or "unknown" (the connection broke after the request was sent; only an upsert or an update may be
    repeated).
    ``created`` is True where the CRM said that the record is new.
    """

    trace: str
    outcome: Literal["written", "refused", "unknown"]
    record_id: str | None = None
    created: bool = False
    stored: Mapping[str, str | None] = {}
    code: str = ""
    message: str = ""
    fields: tuple[str, ...] = ()  #: the fields the CRM complained about

    def __repr__(self) -> str:
        return f"Written({self.trace!r}, {self.outcome}, record_id={self.record_id!r}, code={self.code!r})"


@dataclass(frozen=True, slots=True)
class LastChange:
    """Who last changed a field of a record, and when, as far as the CRM tells.

    ``by`` is for people: a user's name or address, or what set the value where it was no user. Where a CRM
    knows only who last changed the record, that is what stands here.
    """

    record_id: str
    field: str
    at: datetime | None
    by: str

    def __repr__(self) -> str:
        return f"LastChange({self.record_id!r}, {self.field!r}, {self.at})"


@dataclass(frozen=True, slots=True)
class Account:
    """Whose CRM this is. ``account_id``: HubSpot portal id or 18-character Salesforce organisation id."""

    crm: str
    account_id: str
    name: str = ""
    currency: str = ""  #: ISO 4217, of amounts that carry no currency of their own
    time_zone: str = ""


@dataclass(frozen=True, slots=True)
class Window:
    """When records were created: at ``start`` or later and before ``end``, by the CRM's clock.

    Both aware, in whole seconds; None: open. A record's time of creation never moves, so windows that share no
    moment share no record.
    """

    start: datetime | None = None
    end: datetime | None = None


@dataclass(frozen=True, slots=True)
class Expected:
    """What reading a window would come to. ``calls``: HTTP requests, those for its records alone."""

    records: int
    calls: int


#: Called with the name of a point just passed; tests stop a process there. Does nothing in production.
AtPoint = Callable[[str], None]


def no_stop(point: str) -> None:
    """The ``AtPoint`` of production."""


class Crm(Protocol):
    """One CRM account. Every method raises only the four kinds of ``connectors.errors``.

    ``calls`` counts the HTTP requests sent so far.
    """

    name: str

    @property
    def calls(self) -> int: ...

    def in_lane(self, lane: Lane) -> AbstractContextManager[None]:
        """What is called inside is counted in this lane of the call budget (``connectors.quota``)."""
        ...

    def room(self) -> Room | None:
        """What a backfill may still call of the day (``connectors.quota_day``); None where nobody knows."""
        ...

    def account(self) -> Account:
        """Which account the credentials open. One call; kept."""
        ...

    def now(self) -> datetime:
        """The CRM's clock, from the Date header of its latest answer (a call is made if there is none)."""
        ...

    def describe(self, object_name: str) -> ObjectSchema:
        """The live schema of an object. Kept for the connector's lifetime; ``add_fields`` renews it."""
        ...

    def changes(self, object_name: str, fields: Sequence[str], since: Cursor | None) -> Reading:
        """Every record that may have changed since ``since``; every record at all when it is None.

        Reads again what overlaps (equal timestamps, late commits, index lag): a record can come more than
        once in a reading's lifetime of runs, and none is missed.
        """
        ...

    def created(self, object_name: str, fields: Sequence[str], window: Window) -> Iterator[Slab]:
        """Every record that was created within a window and is not deleted, whenever it was changed."""
        ...

    def expected(self, object_name: str, fields: Sequence[str], window: Window) -> Expected:
        """How many records ``created`` would give, and what they would cost. One call."""
        ...

    def fetch(self, object_name: str, fields: Sequence[str], ids: Sequence[str]) -> Iterator[Slab]:
        """The named records as they are now. Ids that lead nowhere are absent from the slabs."""
        ...

    def find(
        self, object_name: str, fields: Sequence[str], where: str, values: Sequence[str]
    ) -> Iterator[Slab]:
        """The records whose field ``where`` equals one of ``values`` (text, compared as the CRM does)."""
        ...

    def write(self, object_name: str, writes: Sequence[Write]) -> list[Written]:
        """Write records in full batches; one result per write, in the order of ``writes``."""
        ...

    def archive(self, object_name: str, ids: Sequence[str]) -> list[Written]:
        """Take records away so that a person can bring them back; one result an id, which is its ``trace``.

        A record that is gone already counts as written.
        """
        ...

    def last_changes(self, object_name: str, fields: Sequence[str], ids: Sequence[str]) -> list[LastChange]:
        """Who changed these fields last; at most one row a record and field, none for records that are gone."""
        ...

    def add_fields(self, object_name: str, specs: Sequence[FieldSpec]) -> list[str]:
        """Create the fields that are missing, readable and writable for us; returns the names created.

        A choice that is there gets the options it lacks, and new labels where its spec says ``relabel``
        (``connectors.options``); it loses none. Idempotent. Raises NeedsPerson where the account does not allow it.
        """
        ...

    def close(self) -> None: ...
