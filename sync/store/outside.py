"""Leads that the scope left out, so that they are read once they are let in; and the scope the cursors know."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import polars as pl

from sync.store.tables import Tables

_IDS: Mapping[str, pl.DataType] = {"lead_id": pl.String()}


class Outside(Tables):
    """The outside and scope_in_force tables of one connection."""

    def ids(self) -> pl.Series:
        """Every lead that was left out when it was last decided."""
        return self._read("outside_leads", _IDS)["lead_id"]

    def any(self) -> bool:
        """Whether anybody was left out."""
        return self._is_so("some_outside")

    def among(self, lead_ids: pl.Series) -> pl.Series:
        """Those of these leads that were left out."""
        asked = lead_ids.alias("lead_id").to_frame()
        return self._asked("outside_among", asked, _IDS)["lead_id"]

    def note(self, left_out: pl.Series, let_in: pl.Series, run: int, now: datetime) -> None:
        """Remember who was left out, and strike who was let in."""
        frames = {"left_out": ("note_outside", left_out), "let_in": ("strike_outside", let_in)}
        with self._connection.transaction():
            for table, (statement, ids) in frames.items():
                if not ids.is_empty():
                    self._lay(table, ids.unique().to_frame("lead_id"))
                    self._do(statement, run=run, now=now)

    def scope_in_force(self) -> str | None:
        """The digest of the scope that stood when the cursors last moved; None before they did."""
        row = self._do("scope_in_force").fetchone()
        return None if row is None else str(row[0])

    def keep_scope(self, digest: str, now: datetime) -> None:
        """The cursors moved under this scope. In the transaction that moves them."""
        self._do("keep_scope", digest=digest, now=now)
