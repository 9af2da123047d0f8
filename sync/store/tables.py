"""What every part of the memory stands on: the connection, the named statements, and whose tables they are."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

import polars as pl
import psycopg
from psycopg.pq import TransactionStatus

from mapping.qualification.truths import no_rows
from sync.store.frames import fetch_at_once, fetch_frame, read_frame
from sync.store.laid import FEW, Laid


class Tables:
    """Some tables of one connection (a pair of CRM accounts). Every statement is given ``%(connection)s``."""

    def __init__(
        self, connection: psycopg.Connection, statements: Mapping[str, str], connection_id: int
    ) -> None:
        self._connection = connection
        self._statements = statements
        self._id = connection_id
        self._laid = Laid(connection)

    def _stated(self, statement: str, wanted: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        return self._laid.stated(self._statements[statement], {"connection": self._id, **wanted})

    def _lay(self, name: str, frame: pl.DataFrame, *, only_read: bool = False) -> None:
        """The statements that follow find the rows of a frame under this name, until the end of the transaction."""
        self._laid.lay(name, frame, only_read=only_read)

    def _do(self, statement: str, **wanted: Any) -> psycopg.Cursor:
        """Run a named statement."""
        text, values = self._stated(statement, wanted)
        return self._connection.execute(text.encode(), values)

    def _rows(self, statement: str, **wanted: Any) -> list[tuple[Any, ...]]:
        """The rows of a named statement."""
        return self._do(statement, **wanted).fetchall()

    def _is_so(self, statement: str, **wanted: Any) -> bool:
        """What a named statement answers that asks for yes or no."""
        row = self._do(statement, **wanted).fetchone()
        return bool(row and row[0])

    def _bytes(self, statement: str, **wanted: Any) -> list[tuple[bytes, ...]]:
        """The rows of a named statement that gives bytes alone, as they come."""
        text = self._statements[statement].encode()
        return self._connection.execute(text, {"connection": self._id} | wanted, binary=True).fetchall()

    def _read(self, statement: str, schema: Mapping[str, pl.DataType], **wanted: Any) -> pl.DataFrame:
        """The rows of a named statement as a frame."""
        text, values = self._stated(statement, wanted)
        if len(values) > len(wanted) + 1:
            return fetch_frame(self._connection, text, schema, values)
        return read_frame(self._connection, text, schema, values)

    def _read_set(
        self, setting: str, statement: str, schema: Mapping[str, pl.DataType], **wanted: Any
    ) -> pl.DataFrame:
        """The few rows of a named statement as a frame, under what another one sets for the transaction."""
        queries = [self._statements[setting], self._statements[statement]]
        return fetch_at_once(self._connection, queries, schema, {"connection": self._id, **wanted})

    def _named(self, statement: str, **wanted: Any) -> list[dict[str, Any]]:
        """The rows of a named statement, by column."""
        with psycopg.ClientCursor(self._connection, row_factory=psycopg.rows.dict_row) as cursor:
            cursor.execute(self._statements[statement].encode(), {"connection": self._id} | wanted)
            return cursor.fetchall()

    def _asked(
        self, statement: str, asked: pl.DataFrame, schema: Mapping[str, pl.DataType], **wanted: Any
    ) -> pl.DataFrame:
        """The same for the rows of ``asked``, which the statement finds in a table of that name."""
        if asked.is_empty():
            return no_rows(schema)
        # Few rows go along with the one statement; only a temporary table needs a transaction to live in.
        few = asked.height <= FEW
        each_once = few and len(set(asked.rows())) == asked.height
        # A transaction that others began may have written, and then its end is what has to reach the disk.
        alone = self._connection.info.transaction_status == TransactionStatus.IDLE
        with nullcontext() if few else self._connection.transaction():
            self._lay("asked", asked if each_once else asked.unique(), only_read=alone)
            return self._read(statement, schema, **wanted)
