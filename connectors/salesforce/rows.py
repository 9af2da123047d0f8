"""Pages of records to slabs: bodies in, columns of text out.

A page is decoded into slots made for the fields that were asked for, and cut into columns; nothing is done
per value that can be done per column.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import GenericAlias
from typing import Any

import msgspec
import polars as pl
from msgspec.structs import astuple

from connectors.crm import Slab
from connectors.errors import NeedsPerson
from connectors.salesforce.errors import CRM
from connectors.salesforce.ids import eighteen
from connectors.salesforce.schema import Described
from connectors.salesforce.values import spelling, text_column
from connectors.slabs import NOT_THERE, Rows, block, cut, missing_from, name_absent

ID = "Id"
MODIFIED = "SystemModstamp"
CREATED = "CreatedDate"
DELETED = "IsDeleted"


@dataclass(frozen=True, slots=True)
class Column:
    """One field of a page: its name in the query and in the slab, and Salesforce's own type for it.

    A name with a point, ``Owner.Name``, is read from the record it leads to.
    """

    name: str
    sf_type: str

    @property
    def path(self) -> tuple[str, ...]:
        return tuple(self.name.split("."))


@dataclass(frozen=True, slots=True)
class Shape:
    """What is read of one object: the columns a caller asked for and can have, and the system's own."""

    object_name: str
    columns: tuple[Column, ...]
    system: tuple[str, ...]

    @property
    def names(self) -> list[str]:
        """The names to select, each once, the system's first."""
        return list(dict.fromkeys((*self.system, *(column.name for column in self.columns))))

    @property
    def crosses(self) -> bool:
        """Whether a column is read from another record; only a query can do that."""
        return any(len(column.path) > 1 for column in self.columns)


def shape(described: Described, fields: Sequence[str], of: Callable[[str], Described]) -> Shape:
    """What can be read of ``fields``: those that describe shows; the others get no column.

    ``of`` describes another object; it is asked where a field leads to one.
    """
    wanted: list[Column] = []
    for name in dict.fromkeys(fields):
        relation, point, rest = name.partition(".")
        if not point:
            sf_type = described.types.get(name)
        else:
            sf_type = _type_beyond(described.relations.get(relation, ()), rest, of)
        if sf_type is not None:
            wanted.append(Column(name, sf_type))
    system = tuple(name for name in (ID, MODIFIED, CREATED, DELETED) if described.has(name))
    return Shape(described.schema.object, tuple(wanted), system)


def _type_beyond(targets: Sequence[str], name: str, of: Callable[[str], Described]) -> str | None:
    """The type of a field of a related record, where every object it may be has that field, visible to us.

    An owner can be a user or a queue; the query must hold for both.
    """
    try:
        kinds = [of(target).types.get(name) for target in targets]
    except NeedsPerson:
        # We may not see one of these objects at all.
        return None
    return kinds[0] if kinds and None not in kinds else None


class Page(msgspec.Struct, gc=False):
    """One page of a query. ``next_url`` names the next one where it is not the last, ``total`` counts all records."""

    records: list[Any]
    done: bool
    next_url: str | None = msgspec.field(default=None, name="nextRecordsUrl")
    total: int = msgspec.field(default=0, name="totalSize")


class Layout:
    """Decodes bodies that hold records of one shape.

    A decoded record has the attributes ``id``, ``modified``, ``created``, ``deleted`` and one for each name
    at the top level; a name that did not come holds NOT_THERE.
    """

    def __init__(self, wanted: Shape) -> None:
        self.wanted = wanted
        system = {"id": ID, "modified": MODIFIED, "created": CREATED, "deleted": DELETED}
        first = dict.fromkeys(column.path[0] for column in wanted.columns)
        own = [name for name in first if name not in system.values()]
        names = {**system, **{f"field_{place}": name for place, name in enumerate(own)}}
        self._attributes = {name: attribute for attribute, name in names.items()}
        # Without an id a record is none; the system's other names are not there for every object.
        slots: list[Any] = [("id", str)]
        slots += [
            (attribute, Any, _default(attribute, first, names)) for attribute in names if attribute != "id"
        ]
        self._slots = [name for name, *_ in slots]
        self._told = {
            column.name: (self._slots.index(self._attributes[column.name]), spelling(column.sf_type))
            for column in wanted.columns
            if len(column.path) == 1
        }
        record: Any = msgspec.defstruct("Record", slots, rename=names, gc=False)
        records: Any = GenericAlias(list, record)
        page: Any = msgspec.defstruct("RecordPage", [("records", records)], bases=(Page,), gc=False)
        self._page: msgspec.json.Decoder[Page] = msgspec.json.Decoder(page)
        maybe: Any = GenericAlias(list, record | None)
        self._some: msgspec.json.Decoder[list[Any]] = msgspec.json.Decoder(maybe)

    def page(self, body: bytes) -> Page:
        """A page of a query. Raises msgspec.DecodeError where the body is none."""
        return self._page.decode(body)

    def some(self, body: bytes) -> list[Any]:
        """The records of a collections read, None where there is none. Raises msgspec.DecodeError."""
        return self._some.decode(body)

    def held(self, record: Any, names: Iterable[str]) -> dict[str, str | None]:
        """Those of ``names`` that a decoded record came with, as text: for single values, which need no columns."""
        values = astuple(record)
        found: dict[str, str | None] = {}
        for name in names:
            place, spell = self._told.get(name, _NOWHERE)
            value = values[place] if place >= 0 else NOT_THERE
            if value != NOT_THERE:
                found[name] = value if spell is None else spell(value)
        return found

    def rows(self, records: Sequence[Any]) -> pl.DataFrame:
        """Decoded records in columns of text (``connectors.slabs.block``)."""
        # All values of a record at once: asked for one by one, they take longer than the record took to decode.
        values = list(zip(*map(astuple, records), strict=True)) if records else [()] * len(self._slots)
        came = dict(zip(self._slots, values, strict=True))
        ids = came["id"]
        system = Rows(
            ids if set(map(len, ids)) <= {18} else [eighteen(one) for one in ids],
            _stamps(came["modified"]),
            _stamps(came["created"]),
            [deleted is True for deleted in came["deleted"]],
            {},
        )
        return block(system).hstack([self._texts(column, came) for column in self.wanted.columns])

    def _texts(self, column: Column, came: Mapping[str, Sequence[Any]]) -> pl.Series:
        first, *rest = column.path
        values = came[self._attributes[first]]
        for step in rest:
            # An empty relationship comes as null, and so does everything behind it.
            values = [value.get(step) if isinstance(value, dict) else value for value in values]
        return text_column(column.sf_type, values).alias(column.name)


#: The place of a name that was not asked for, or that is another record's.
_NOWHERE: tuple[int, Callable[[Any], str | None] | None] = (-1, None)


def _default(attribute: str, wanted: Mapping[str, Any], names: Mapping[str, str]) -> str | None:
    """What stands for a name that did not come: for the system's own names it matters only if asked for."""
    return NOT_THERE if names[attribute] in wanted else None


def slabs(wanted: Shape, pages: Iterable[pl.DataFrame]) -> Iterator[Slab]:
    """Pages as slabs, with what records came without named in ``_absent``."""
    for slab in cut(CRM, wanted.object_name, pages):
        yield replace(slab, frame=name_absent(slab.frame, missing_from(slab.frame)))


def _stamps(values: Sequence[str | None]) -> Sequence[str | None]:
    return [None if value == NOT_THERE else value for value in values] if NOT_THERE in values else values
