"""The parts of a query, as values. Every part that can be wrong knows where it stands in the text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal as OneOf

AGGREGATES = frozenset({"COUNT", "COUNT_DISTINCT", "MIN", "MAX", "SUM", "AVG"})


@dataclass(frozen=True, slots=True)
class Place:
    """Row and column in the query text, counted from 1."""

    row: int
    column: int


@dataclass(frozen=True, slots=True)
class Path:
    """A field, with the relationships that lead to it: ``Owner.Name`` is ("Owner", "Name")."""

    parts: tuple[str, ...]
    places: tuple[Place, ...]

    def __str__(self) -> str:
        return ".".join(self.parts)


@dataclass(frozen=True, slots=True)
class Call:
    """A function of a field, or of a function of one; ``COUNT()`` has none. ``more``: its other arguments."""

    name: str
    of: Path | Call | None
    place: Place
    more: tuple[Path | Call | str, ...] = ()

    def __str__(self) -> str:
        return f"{self.name}({', '.join(str(each) for each in ((self.of or ''), *self.more))})"


Expression = Path | Call
LiteralKind = OneOf["string", "number", "datetime", "date", "boolean", "null", "relative", "currency"]


@dataclass(frozen=True, slots=True)
class Literal:
    """A value in a condition. Text is kept as written, because LIKE reads its escapes differently."""

    kind: LiteralKind
    text: str
    place: Place


@dataclass(frozen=True, slots=True)
class Compare:
    """``expression operator value``; the operator is upper case."""

    left: Expression
    operator: str
    right: Literal


@dataclass(frozen=True, slots=True)
class Among:
    """``expression IN (…)`` and its relatives."""

    left: Expression
    operator: str
    right: tuple[Literal, ...]


@dataclass(frozen=True, slots=True)
class Joined:
    """``expression IN (SELECT …)``: a semi-join, or with NOT IN an anti-join."""

    left: Expression
    operator: str
    right: Query


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite of a condition."""

    of: Condition


@dataclass(frozen=True, slots=True)
class All:
    """Conditions joined by AND."""

    of: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Any:
    """Conditions joined by OR."""

    of: tuple[Condition, ...]


Condition = Compare | Among | Joined | Not | All | Any


@dataclass(frozen=True, slots=True)
class Branch:
    """``WHEN object THEN fields`` of a TYPEOF."""

    name: str
    place: Place
    fields: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class TypeOf:
    """``TYPEOF Owner WHEN User THEN … ELSE … END``: other fields for each object that a parent may be."""

    of: Path
    branches: tuple[Branch, ...]
    otherwise: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class SelectItem:
    """One entry of the SELECT list; an alias is allowed for functions and grouped fields.

    A query in the place of a field asks for the children of each record.
    """

    expression: Expression | TypeOf | Query
    alias: str | None


@dataclass(frozen=True, slots=True)
class OrderItem:
    """One entry of ORDER BY."""

    expression: Expression
    descending: bool
    nulls_first: bool


@dataclass(frozen=True, slots=True)
class Query:
    """A whole query."""

    items: tuple[SelectItem, ...]
    source: str
    source_place: Place
    alias: str | None = None
    scope: str | None = None
    where: Condition | None = None
    group: tuple[Expression, ...] = ()
    having: Condition | None = None
    order: tuple[OrderItem, ...] = ()
    limit: int | None = None
    offset: int = 0
    all_rows: bool = False
