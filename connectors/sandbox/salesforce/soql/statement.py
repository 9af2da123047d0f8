"""A compiled query: the SQL, and where each value of the answer is found in its rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from connectors.sandbox.salesforce.schema import Field

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Output:
    """One value of an answer: its path, its field, and which columns of the row it is read from.

    ``formatted``: the value as a person in the user's locale reads it.
    """

    path: Path
    field: Field
    at: int
    formatted: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """A TYPEOF: the id column of the parent, and what is shown of each object that the parent may be.

    ``otherwise`` is for the objects without a branch.
    """

    name: str
    at: int
    branches: Mapping[str, tuple[Output, ...]]
    otherwise: tuple[Output, ...]


@dataclass(frozen=True, slots=True)
class Child:
    """A query for the children of each record: the relationship's name, and the column that names the parent."""

    name: str
    key: str
    statement: Statement

    def of_parent(self) -> str:
        """The SQL for the children of one parent, whose id is the last bound value."""
        one = self.statement
        where = f"{one.where} AND {self.key} = ?" if one.where else f"WHERE {self.key} = ?"
        return f"SELECT {', '.join(one.columns)} {one.source} {where} {one.tail} {one.paging}"


@dataclass(slots=True)
class Statement:
    """A compiled query. ``kind`` is ``rows``, ``count`` (``SELECT COUNT()``) or ``aggregate``."""

    kind: str
    entity: str
    soql: str
    columns: list[str] = field(default_factory=list)
    outputs: list[Output] = field(default_factory=list)
    parent_ids: dict[Path, tuple[int, str | None]] = field(default_factory=dict)
    choices: list[Choice] = field(default_factory=list)
    children: list[Child] = field(default_factory=list)
    source: str = ""
    where: str = ""
    tail: str = ""
    paging: str = ""
    values: list[Any] = field(default_factory=list)

    def whole(self) -> str:
        """The SQL for all columns of all rows."""
        return f"SELECT {', '.join(self.columns)} {self.source} {self.where} {self.tail} {self.paging}"

    def row_numbers(self) -> str:
        """The SQL for the row numbers alone, in the same order."""
        return f"SELECT t.row {self.source} {self.where} {self.tail} {self.paging}"

    def of_rows(self, numbers: Sequence[int]) -> str:
        """The SQL for all columns of the rows with these numbers, each with its number at the end."""
        marks = ", ".join(str(int(each)) for each in numbers)
        return f"SELECT {', '.join(self.columns)}, t.row {self.source} WHERE t.row IN ({marks})"
