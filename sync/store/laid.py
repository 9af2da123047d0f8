"""Frames that statements find under a name: a few rows go along with the statement, many in a temporary table.

To make a temporary table costs more than a small run has to say: its entries in the catalogue, a COPY, and a new plan
for every statement that names it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import polars as pl
import psycopg

from sync.store.frames import as_temporary, sql_type

#: Up to so many rows go along with the statement.
FEW = 200
_BEGINNING = re.compile(r"\A(?P<comments>(?:\s*--[^\n]*\n)*\s*)(?P<has>WITH\s+(?!RECURSIVE\b))?")


class Laid:
    """The frames that the statements of one connection are given by name."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection
        self._few: dict[str, tuple[re.Pattern[str], str, dict[str, list[Any]]]] = {}

    def lay(self, name: str, frame: pl.DataFrame, *, only_read: bool = False) -> None:
        """The statements that follow find the rows of a frame under this name, until the end of the transaction.

        ``only_read``: the transaction changes nothing.
        """
        if frame.height > FEW:
            self._few.pop(name, None)
            as_temporary(self._connection, name, frame, only_read=only_read)
            return
        columns = {f"{name}_{column}": column for column in frame.columns}
        arrays = ", ".join(f"%({key})s::{sql_type(frame[column].dtype)}[]" for key, column in columns.items())
        clause = f"{name} ({', '.join(columns.values())}) AS (SELECT * FROM unnest({arrays}))"
        values = {key: _plain(frame[column]) for key, column in columns.items()}
        self._few[name] = re.compile(rf"(?:FROM|JOIN|USING|,)\s+{name}\b"), clause, values

    def stated(self, text: str, wanted: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """A statement with the few rows that it names, and the values to run it with."""
        clauses, values = [], dict(wanted)
        for named, clause, rows in self._few.values():
            if named.search(text):
                clauses.append(clause)
                values |= rows
        if not clauses:
            return text, values
        begins = _BEGINNING.match(text)
        comments, has = (begins["comments"], begins["has"]) if begins else ("", None)
        rest = text[len(comments) + len(has or "") :]
        return f"{comments}WITH {', '.join(clauses)}{', ' if has else ' '}{rest}", values


def _plain(values: pl.Series) -> list[Any]:
    """The values for PostgreSQL, which holds no zero bytes."""
    plain = values.to_list()
    if values.dtype == pl.String:
        return [text.replace("\0", "") if text else text for text in plain]
    return plain
