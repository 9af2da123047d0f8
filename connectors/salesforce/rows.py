"""Pages of records to slabs: JSON objects in, columns of text out.

A page is decoded once and cut into columns; nothing is done per value that can be done per column.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from connectors.crm import Slab
from connectors.salesforce.errors import CRM
from connectors.salesforce.ids import eighteen
from connectors.salesforce.schema import Described
from connectors.salesforce.values import texts
from connectors.slabs import NOT_THERE, Rows, cut, missing_from, name_absent

Record = Mapping[str, Any]

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
    """The type of a field of a related record, where every object it may be has that field.

    An owner can be a user or a queue; the query must hold for both.
    """
    kinds = [of(target).types.get(name) for target in targets]
    return kinds[0] if kinds and None not in kinds else None


def rows(wanted: Shape, records: Sequence[Record]) -> Rows:
    """One page in columns of text. What a record lacks of the names of ``wanted`` is NOT_THERE."""
    return Rows(
        [_whole(record[ID]) for record in records],
        [_moment(record.get(MODIFIED)) for record in records],
        [_moment(record.get(CREATED)) for record in records],
        [bool(record.get(DELETED)) for record in records],
        {column.name: _values(column, records) for column in wanted.columns},
    )


def slabs(wanted: Shape, pages: Iterable[Rows]) -> Iterator[Slab]:
    """Pages as slabs, with what records came without named in ``_absent``."""
    for slab in cut(CRM, wanted.object_name, pages):
        yield replace(slab, frame=name_absent(slab.frame, missing_from(slab.frame)))


def _values(column: Column, records: Sequence[Record]) -> Sequence[str | None]:
    """A column's values as text."""
    first, *rest = column.path
    missing: set[int] = set()
    try:
        values = [record[first] for record in records]
    except KeyError:
        values = [record.get(first) for record in records]
        missing = {row for row, record in enumerate(records) if first not in record}
    for step in rest:
        # An empty relationship comes as null, and so does everything behind it.
        values = [value.get(step) if isinstance(value, dict) else None for value in values]
    column_texts = texts(column.sf_type, values)
    if not missing:
        return column_texts
    return [NOT_THERE if row in missing else text for row, text in enumerate(column_texts)]


def _whole(record_id: str) -> str:
    return record_id if len(record_id) == 18 else eighteen(record_id)


def _moment(value: str | None) -> datetime | None:
    """``2013-05-07T22:07:19.000+0000`` as an aware time."""
    return None if value is None else datetime.fromisoformat(value)
