"""Who came in by a file, with what was said about them there; and what an undo has to know of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import polars as pl

from sync.store.tables import Tables

_NAMES = (
    *("lead_id", "crm", "record_id", "row_key", "file_line", "source", "kind", "referrer"),
    *("consent_wording", "consent_at", "consent_source", "campaign_id", "member_id"),
)
#: One row a person and record. ``row_key`` tells who the row is about; ``file_line`` is FILE:LINE.
IMPORTED: Mapping[str, pl.DataType] = {name: pl.String() for name in _NAMES}
BY_KEY: Mapping[str, pl.DataType] = {name: pl.String() for name in ("row_key", "crm", "record_id")}


class Imports(Tables):
    """The imported table of one connection."""

    def remember(self, rows: pl.DataFrame, run: int, now: datetime) -> None:
        """``IMPORTED`` rows; the same person, record and source again changes nothing. In a transaction."""
        if rows.is_empty():
            return
        self._lay("new_imported", rows.select(*IMPORTED))
        self._do("remember_imported", run=run, now=now)

    def by_key(self, row_keys: pl.Series) -> pl.DataFrame:
        """The records (``BY_KEY``) that rows with these keys became in earlier imports."""
        return self._asked("imported_by_key", row_keys.alias("row_key").to_frame(), BY_KEY)

    def members_of(self, run: int) -> list[str]:
        """The campaign memberships that an import made."""
        return [row[0] for row in self._do("imported_members", run=run).fetchall()]

    def forget(self, run: int) -> None:
        """An import was taken back: what its file said about anybody goes with it."""
        self._do("forget_import", run=run)
