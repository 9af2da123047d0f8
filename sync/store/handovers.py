"""The handover ledger in the database: one row a cycle of a lead, and what happened to it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import polars as pl

from mapping.qualification.handover import LEDGER, Advanced
from mapping.qualification.handover_events import EVENTS
from mapping.qualification.truths import no_rows
from sync.store.tables import Tables

#: Open handovers that are looked at again in one run because their time is up.
AT_ONCE = 10_000
_STRETCHES: Mapping[str, pl.DataType] = {
    "lead_id": pl.String(),
    "_hot_since": pl.Datetime("us", "UTC"),
    "_mql_since": pl.Datetime("us", "UTC"),
}


class Handovers(Tables):
    """The ledger of one connection."""

    def newest(self, lead_ids: pl.Series) -> pl.DataFrame:
        """The newest row (``LEDGER``) of each of these leads that has one."""
        if not self._is_so("any_handover"):
            return no_rows(LEDGER)
        return self._asked("newest_handovers", lead_ids.alias("lead_id").to_frame(), LEDGER)

    def between(self, since: datetime | None, until: datetime | None) -> pl.DataFrame:
        """The rows (``LEDGER``) handed over in a time, or ripe for it then; None: without that limit."""
        return self._read("handovers_between", LEDGER, since=since, until=until)

    def of_lead(self, lead_id: str) -> list[dict[str, Any]]:
        """Every cycle of a lead, the newest first."""
        return self._named("handovers_of_lead", lead=lead_id)

    def events_of_lead(self, lead_id: str) -> list[dict[str, Any]]:
        """What happened to a lead's handovers, in the order in which it was noted."""
        return self._named("handover_events_of_lead", lead=lead_id)

    def names(self, lead_ids: pl.Series) -> dict[str, str]:
        """Lead id to e-mail address, for people who may see it; leads without one are left out."""
        schema = {"lead_id": pl.String(), "email": pl.String()}
        found = self._asked("names_of_leads", lead_ids.alias("lead_id").to_frame(), schema)
        return dict(found.drop_nulls().iter_rows())

    def explored_since(self, since: datetime) -> list[str]:
        """The leads that were drawn to be handed over after a time."""
        return [row[0] for row in self._do("handovers_explored", since=since).fetchall()]

    def run_out(self, now: datetime) -> pl.Series:
        """The leads whose time is up by ``now``, the oldest first; at most ``AT_ONCE``."""
        rows = self._do("handovers_run_out", now=now, limit=AT_ONCE).fetchall()
        return pl.Series("lead_id", [row[0] for row in rows], dtype=pl.String)

    def to_escalate(self, now: datetime) -> list[dict[str, Any]]:
        """Untouched handovers whose owner is to be told that the time is running out, and who was not told yet."""
        return self._named("handovers_to_escalate", now=now)

    def escalated(self, lead_id: str, cycle: int, told: str, run: int | None, now: datetime) -> bool:
        """Somebody is told; ``told``: who, for the ledger's events. False where another process was quicker."""
        first = self._do("mark_escalated", lead=lead_id, cycle=cycle, now=now).rowcount > 0
        if first:
            self.note(lead_id, cycle, "escalated", "clock", told, run, now)
        return first

    def note(
        self, lead_id: str, cycle: int, what: str, who: str, why: str, run: int | None, now: datetime
    ) -> None:
        """Add an event that the ledger itself does not know of, such as a task or a notification."""
        self._do(
            "add_handover_event", lead=lead_id, cycle=cycle, what=what, who=who, why=why, run=run, now=now
        )

    def remember(self, advanced: Advanced, hot: str, run: int, now: datetime) -> None:
        """Keep rows and events. ``hot``: the name of the warmest band, to tell since when a new row's lead has been.

        To be called where the verdicts of the same run are there already.
        """
        if not advanced.rows.is_empty():
            rows = self._with_stretches(advanced.rows, hot)
            self._lay("new_handovers", rows.select(*LEDGER))
            self._do("remember_handovers", run=run)
        if not advanced.events.is_empty():
            self._lay("new_handover_events", advanced.events.select(*EVENTS))
            self._do("remember_handover_events", run=run, now=now)

    def _with_stretches(self, rows: pl.DataFrame, hot: str) -> pl.DataFrame:
        """Rows that do not know it yet learn since when their lead has been hot, and an MQL."""
        new = rows.filter(pl.col("hot_since").is_null() & pl.col("closed_at").is_null())
        if new.is_empty():
            return rows
        found = self._asked("stretches", new.select("lead_id"), _STRETCHES, hot=hot)
        since = pl.col("hot_since").is_null() & pl.col("closed_at").is_null()
        return (
            rows.join(found, on="lead_id", how="left", maintain_order="left")
            .with_columns(
                pl.when(since).then("_hot_since").otherwise("hot_since").alias("hot_since"),
                pl.when(since)
                .then(pl.min_horizontal("_mql_since", "mql_at").dt.truncate("1s"))
                .otherwise("mql_at")
                .alias("mql_at"),
            )
            .drop("_hot_since", "_mql_since")
        )
