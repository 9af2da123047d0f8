"""Records without the columns in which none of them has anything.

A CRM is asked for every field of the map, and few companies fill in them all: at a first sync nobody has any of ours.
An empty cell takes as much memory as a short text, and is ordered, written and read like one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from sync.inorder import blanks, chosen


@dataclass(frozen=True, slots=True)
class Filled:
    """The columns in which somebody has something. ``columns``: all of them in order, with their types."""

    rows: pl.DataFrame
    columns: Mapping[str, pl.DataType]

    def whole(self, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """All columns; ``columns``: only these, as far as there are any."""
        names = self.columns if columns is None else [name for name in columns if name in self.columns]
        there = {column.name: column for column in self.rows.get_columns()}
        return with_blanks(there, {name: self.columns[name] for name in names}, self.rows.height)

    def chosen(self, wanted: pl.Series) -> Filled:
        """The rows where ``wanted`` is true."""
        return Filled(chosen(self.rows, wanted), self.columns)

    def having(self, column: pl.Series) -> Filled:
        """With one column more, in which everybody has something."""
        return Filled(self.rows.with_columns(column), {**self.columns, column.name: column.dtype})

    def back(self) -> Filled:
        """Itself: it is in memory."""
        return self


@dataclass(frozen=True, slots=True)
class Away:
    """``Filled`` whose rows are in a file."""

    path: Path
    columns: Mapping[str, pl.DataType]

    def back(self) -> Filled:
        """Into memory; the file stays."""
        return Filled(pl.read_ipc(self.path), self.columns)


def filled(frame: pl.DataFrame) -> Filled:
    """The frame without the columns in which nobody has anything."""
    rows = pl.DataFrame([some for some in frame.get_columns() if some.null_count() < frame.height])
    return Filled(rows, frame.schema)


def joined(parts: Sequence[Filled]) -> Filled:
    """All rows in one piece; a column that some parts do not know is blank there."""
    columns: dict[str, pl.DataType] = {}
    for part in parts:
        for name, dtype in part.columns.items():
            columns.setdefault(name, dtype)
    # In one piece: row by row out of many, a sort takes half as long again.
    return Filled(pl.concat([part.rows for part in parts], how="diagonal", rechunk=True), columns)


def with_blanks(
    some: Mapping[str, pl.Series], columns: Mapping[str, pl.DataType], height: int
) -> pl.DataFrame:
    """These columns in this order; those that are not among ``some`` are blank. ``height``: their rows."""
    lacking = {name: dtype for name, dtype in columns.items() if name not in some}
    nothing = {column.name: column for column in blanks(lacking, height).get_columns()}
    return pl.DataFrame([some[name] if name in some else nothing[name] for name in columns])
