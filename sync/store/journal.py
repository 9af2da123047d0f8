"""What was about to be written and what became of it; conflicts, what is held, what was refused."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import polars as pl
import psycopg

from sync.store.frames import copy_in
from sync.store.tables import Tables
from sync.store.writes import as_ends, as_writes


def _texts(names: str) -> dict[str, pl.DataType]:
    return {name: pl.String() for name in names.split()}


INTENTS: Mapping[str, pl.DataType] = _texts(
    "lead_id crm object record_id field crm_field before after why lane kind"
)
RESULTS: Mapping[str, pl.DataType] = _texts("lead_id crm object record_id field after kind state stored")
CONFLICTS: Mapping[str, pl.DataType] = {
    **_texts("lead_id field rule winner hubspot_value salesforce_value"),
    "hubspot_at": pl.Datetime("us", "UTC"),
    "salesforce_at": pl.Datetime("us", "UTC"),
}
HELD: Mapping[str, pl.DataType] = _texts("held_key kind lead_id crm object record_id field details")
WRITTEN: Mapping[str, pl.DataType] = _texts(
    "lead_id crm object record_id field crm_field before after kind stored"
)
UNDONE: Mapping[str, pl.DataType] = _texts("lead_id crm field value")
REFUSED: Mapping[str, pl.DataType] = _texts("lead_id crm object record_id code message fields")


class Journal(Tables):
    """The journal, conflict, held and refused tables of one connection."""

    def _run(self, statement: str, tables: Mapping[str, pl.DataFrame], **wanted: Any) -> psycopg.Cursor:
        for table, frame in tables.items():
            self._lay(table, frame)
        return self._do(statement, **wanted)

    def _count_new(self, statement: str, table: str, frame: pl.DataFrame, run: int, now: datetime) -> int:
        """How many of the rows were not there before."""
        if frame.is_empty():
            return 0
        return sum(row[0] for row in self._run(statement, {table: frame}, run=run, now=now).fetchall())

    def intend(self, intents: pl.DataFrame, run: int, now: datetime) -> None:
        """Store ``INTENTS`` before the CRM is called, one row a record. Inside a transaction: they are one part."""
        if not intents.is_empty():
            ((part,),) = self._rows("begin_part", run=run)
            rows = as_writes(intents).with_columns(
                connection_id=pl.lit(self._id, pl.Int64),
                run_id=pl.lit(run, pl.Int64),
                part_id=pl.lit(part, pl.Int64),
                noted_at=pl.lit(now),
            )
            copy_in(self._connection, "journal", rows)

    def settle(self, results: pl.DataFrame, run: int, now: datetime) -> None:
        """``RESULTS``: what became of this run's intents, all fields of each. Inside the remembering transaction."""
        if not results.is_empty():
            said = (
                results
                if "stored" in results.columns
                else results.with_columns(stored=pl.lit(None, pl.String()))
            )
            self._run("settle_writes", {"results": as_ends(said.select(*RESULTS))}, run=run, now=now)

    def abandon(self, lead_ids: pl.Series, run: int, now: datetime) -> None:
        """Close the open intents that dead runs left on these leads. Inside the remembering transaction."""
        if not lead_ids.is_empty() and self._is_so("others_left_open", run=run):
            self._do("by_index_alone")
            self._run("abandon_intents", {"asked": lead_ids.unique().to_frame("lead_id")}, run=run, now=now)
            self._do("strike_left_open", run=run, now=now)

    def open_intents(self, schema: Mapping[str, pl.DataType]) -> pl.DataFrame:
        """What runs that ended set out to write and never remembered, the newest first.

        ``schema``: the columns lead_id, crm, record_id, field, crm_field, before, after, in this order.
        """
        # Intents are few and the journal is long, whatever the statistics of a busy minute say of their share.
        return self._read_set("by_index_alone", "open_intents", schema)

    def remember_conflicts(self, conflicts: pl.DataFrame, run: int, now: datetime) -> None:
        """``CONFLICTS`` that this run decided or left for a person."""
        if not conflicts.is_empty():
            self._run("remember_conflicts", {"new_conflicts": conflicts.select(*CONFLICTS)}, run=run, now=now)

    def hold(self, held: pl.DataFrame, looked_at: pl.DataFrame, run: int, now: datetime) -> int:
        """``HELD`` rows, and the records looked at (crm, record_id): what is no longer held there is settled.

        Returns how many are newly held.
        """
        self._run(
            "settle_held",
            {"new_held": held.select(*HELD), "looked_at": looked_at.select("crm", "record_id")},
            now=now,
        )
        return self._count_new("hold", "new_held", held.select(*HELD), run, now)

    def refuse(self, refused: pl.DataFrame, run: int, now: datetime) -> int:
        """``REFUSED``: what a CRM rejected, one row a lead and CRM. Returns how many are new."""
        return self._count_new("refuse", "new_refused", refused.select(*REFUSED), run, now)

    def strike_refused(self, passed: pl.DataFrame) -> None:
        """(lead_id, crm) that went through: they are no longer refused."""
        if not passed.is_empty() and self._is_so("some_refused"):
            self._run("strike_refused", {"passed": passed.select("lead_id", "crm").unique()})

    def changes_of_lead(self, lead_id: str, limit: int) -> list[dict[str, Any]]:
        """What was written about a lead, newest first."""
        return self._named("changes_of_lead", lead=lead_id, limit=limit)

    def changes_of_run(self, run: int) -> list[dict[str, Any]]:
        """Everything a run set out to write, in order."""
        return self._named("changes_of_run", run=run)

    def written_by(self, run: int) -> pl.DataFrame:
        """What a run wrote, as ``WRITTEN``; rows whose answer was lost are among them."""
        return self._read("written_by_run", WRITTEN, run=run)

    def remember_undone(self, undone: pl.DataFrame, of_run: int, run: int, now: datetime) -> None:
        """``UNDONE``: values that are not to be written there again, until it would be another."""
        if not undone.is_empty():
            self._run(
                "remember_undone", {"new_undone": undone.select(*UNDONE)}, undone=of_run, run=run, now=now
            )

    def strike_undone(self, written: pl.DataFrame) -> None:
        """(lead_id, crm, field) where something else stands since."""
        if not written.is_empty() and self.some_undone():
            self._run("strike_undone", {"written": written.select("lead_id", "crm", "field").unique()})

    def undone(self, lead_ids: pl.Series) -> pl.DataFrame:
        """What was taken back of these leads, as ``UNDONE``."""
        if not self.some_undone():
            return pl.DataFrame(schema=dict(UNDONE))
        return self._asked("undone_of_leads", lead_ids.alias("lead_id").to_frame(), UNDONE)

    def some_undone(self) -> bool:
        """Whether anything was ever taken back: mostly not, and then no run asks further."""
        return self._is_so("some_undone")

    def undone_leads(self) -> pl.Series:
        """Every lead of which something was taken back."""
        return self._read("undone_leads", {"lead_id": pl.String()})["lead_id"]

    def conflicts_of_lead(self, lead_id: str, limit: int) -> list[dict[str, Any]]:
        """Who won where both sides had changed a field, newest first."""
        return self._named("conflicts_of_lead", lead=lead_id, limit=limit)

    def open_held(self) -> list[dict[str, Any]]:
        """What waits for a person, oldest first."""
        return self._named("open_held")

    def refused(self) -> list[dict[str, Any]]:
        """What the CRMs rejected and has not passed since, oldest first."""
        return self._named("refused_leads")
