"""Who came in by a file, with what was said about them there; and what an undo has to know of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import polars as pl
import psycopg

from sync.store.frames import as_temporary, read_frame

_NAMES = (
    *("lead_id", "crm", "record_id", "row_key", "file_line", "source", "kind", "referrer"),
    *("consent_wording", "consent_at", "consent_source", "campaign_id", "member_id"),
)
#: One row a person and record. ``row_key`` tells who the row is about; ``file_line`` is FILE:LINE.
IMPORTED: Mapping[str, pl.DataType] = {name: pl.String() for name in _NAMES}
BY_KEY: Mapping[str, pl.DataType] = {name: pl.String() for name in ("row_key", "crm", "record_id")}


class Imports:
    """The imported table of one connection."""

    def __init__(
        self, connection: psycopg.Connection, statements: Mapping[str, str], connection_id: int
    ) -> None:
        self._connection = connection
        self._statements = statements
        self._id = connection_id

    def remember(self, rows: pl.DataFrame, run: int, now: datetime) -> None:
        """``IMPORTED`` rows; the same person, record and source again changes nothing. In a transaction."""
        if rows.is_empty():
            return
        as_temporary(self._connection, "new_imported", rows.select(*IMPORTED))
        wanted = {"connection": self._id, "run": run, "now": now}
        self._connection.execute(self._statements["remember_imported"].encode(), wanted)

    def by_key(self, row_keys: pl.Series) -> pl.DataFrame:
        """The records (``BY_KEY``) that rows with these keys became in earlier imports."""
        if row_keys.is_empty():
            return pl.DataFrame(schema=dict(BY_KEY))
        with self._connection.transaction():
            as_temporary(self._connection, "asked", row_keys.alias("row_key").unique().to_frame())
            wanted = {"connection": self._id}
            return read_frame(self._connection, self._statements["imported_by_key"], BY_KEY, wanted)

    def members_of(self, run: int) -> list[str]:
        """The campaign memberships that an import made."""
        wanted = {"connection": self._id, "run": run}
        rows = self._connection.execute(self._statements["imported_members"].encode(), wanted).fetchall()
        return [row[0] for row in rows]

    def forget(self, run: int) -> None:
        """An import was taken back: what its file said about anybody goes with it."""
        wanted = {"connection": self._id, "run": run}
        self._connection.execute(self._statements["forget_import"].encode(), wanted)
