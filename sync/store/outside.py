"""Leads that the scope left out, so that they are read once they are let in; and the scope the cursors know."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import polars as pl
import psycopg

from sync.store.frames import as_temporary, read_frame

_IDS: Mapping[str, pl.DataType] = {"lead_id": pl.String()}


class Outside:
    """The outside and scope_in_force tables of one connection."""

    def __init__(
        self, connection: psycopg.Connection, statements: Mapping[str, str], connection_id: int
    ) -> None:
        self._connection = connection
        self._statements = statements
        self._id = connection_id

    def ids(self) -> pl.Series:
        """Every lead that was left out when it was last decided."""
        wanted = {"connection": self._id}
        return read_frame(self._connection, self._statements["outside_leads"], _IDS, wanted)["lead_id"]

    def note(self, left_out: pl.Series, let_in: pl.Series, run: int, now: datetime) -> None:
        """Remember who was left out, and strike who was let in."""
        frames = {"left_out": ("note_outside", left_out), "let_in": ("strike_outside", let_in)}
        with self._connection.transaction():
            for table, (statement, ids) in frames.items():
                if not ids.is_empty():
                    as_temporary(self._connection, table, ids.unique().to_frame("lead_id"))
                    wanted = {"connection": self._id, "run": run, "now": now}
                    self._connection.execute(self._statements[statement].encode(), wanted)

    def scope_in_force(self) -> str | None:
        """The digest of the scope that stood when the cursors last moved; None before they did."""
        wanted = {"connection": self._id}
        row = self._connection.execute(self._statements["scope_in_force"].encode(), wanted).fetchone()
        return None if row is None else str(row[0])

    def keep_scope(self, digest: str, now: datetime) -> None:
        """The cursors moved under this scope. In the transaction that moves them."""
        wanted = {"connection": self._id, "digest": digest, "now": now}
        self._connection.execute(self._statements["keep_scope"].encode(), wanted)
