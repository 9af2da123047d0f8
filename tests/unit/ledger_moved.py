"""A lead and its handover ledger, moved on by what happens, for the tests of the ledger."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from mapping.qualification.handover import LEDGER, Terms, advance, beside, left_lying, shown
from mapping.qualification.handover_facts import FACTS
from mapping.qualification.workclock import Clocks, Span, WorkClock

OFFICE = WorkClock({day: (Span(540, 1080),) for day in range(5)}, ZoneInfo("Europe/Berlin"))
YORK = WorkClock({day: (Span(540, 1020),) for day in range(5)}, ZoneInfo("America/New_York"))
CLOCKS = Clocks(OFFICE, {"kate": YORK})
KEEP, REASSIGN, RECYCLE = (Terms(when_overdue=what) for what in ("keep", "reassign", "recycle"))
FRIDAY = datetime(2026, 11, 20, 16, 50, tzinfo=UTC)  # 17:50 in Berlin
DUE = datetime(2026, 11, 23, 9, 50, tzinfo=UTC)  # Monday 10:50 there

SEEN = {
    **FACTS,
    **{name: pl.String() for name in ("stage", "stage_why", "temperature", "owner", "policy_version")},
    **{name: pl.Int32() for name in ("cycle", "score", "fit", "engagement")},
    **{"reached": pl.Boolean(), "explored": pl.Boolean()},
    **{"drawn_share": pl.Float64(), "drawn_seed": pl.Int64()},
}
MQL: dict[str, Any] = {
    **{"stage": "mql", "stage_why": "hot_gates_passed", "cycle": 1, "temperature": "hot", "reached": True},
    **{"score": 80, "fit": 40, "engagement": 40, "policy_version": "p1", "salesforce_stage": "lead"},
    **{"explored": False, "drawn_share": 0.05, "drawn_seed": 7, "loss_words_read": True},
}


class Told:
    """One lead and its ledger, moved on by what happens."""

    def __init__(self, terms: Terms = KEEP) -> None:
        self.terms = terms
        self.rows: dict[int, dict[str, Any]] = {}
        self.events: list[tuple[int, str]] = []
        self.known: dict[str, Any] = {"lead_id": "L1", **MQL}
        self.shown: dict[str, Any] = {}

    def at(self, now: datetime, **known: Any) -> dict[str, Any]:
        """What the newest row is, once these facts are seen at this moment."""
        self.known |= known
        facts = pl.DataFrame([self.known], schema=SEEN)
        newest = [self.rows[max(self.rows)]] if self.rows else []
        leads = beside(facts, pl.DataFrame(newest, schema=dict(LEDGER)))
        lying = left_lying(leads, self.terms, now)
        if lying.item() and self.known["stage"] == "mql":
            # What the ladder does with a lead that sales did not take up.
            self.known |= {"stage": "nurture", "stage_why": "rejected", "cycle": self.known["cycle"] + 1}
            leads = leads.with_columns(
                pl.lit(self.known[name]).alias(name) for name in ("stage", "stage_why")
            )
            leads = leads.with_columns(pl.lit(self.known["cycle"], dtype=pl.Int32()).alias("cycle"))
        found = advance(leads.with_columns(lying), CLOCKS, self.terms, now)
        self.shown = {one.name: one[0] for one in shown(leads, found)}
        for row in found.rows.iter_rows(named=True):
            self.rows[row["cycle"]] = row
        self.events += found.events.select("cycle", "what").rows()
        return self.rows[max(self.rows)] if self.rows else {}


def berlin(text: str) -> datetime:
    """A moment of November 2026 by the clock in Berlin: ``23T10:00``."""
    return datetime.fromisoformat(f"2026-11-{text}").replace(tzinfo=ZoneInfo("Europe/Berlin")).astimezone(UTC)


MONDAY = berlin("23T10:00")
