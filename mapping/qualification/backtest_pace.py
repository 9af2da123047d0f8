"""How much work the policy would have sent to sales, and how long leads took after the handover."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl

from mapping.lead import Stage


@dataclass(frozen=True, slots=True)
class Pace:
    """MQLs a week (Monday to Sunday, UTC), from the first to the last week with a lead. None: no times."""

    mqls: int
    weeks: int
    busiest: int | None
    reps: int | None

    @property
    def a_week(self) -> float | None:
        return self.mqls / self.weeks if self.weeks else None

    @property
    def a_rep_and_week(self) -> float | None:
        return None if self.a_week is None or not self.reps else self.a_week / self.reps

    def as_json(self) -> dict[str, Any]:
        return {
            "mqls": self.mqls,
            "weeks": self.weeks,
            "per_week": self.a_week,
            "busiest_week": self.busiest,
            "reps": self.reps,
            "per_rep_and_week": self.a_rep_and_week,
        }


def pace_of(judged: pl.DataFrame, reps: int | None = None) -> Pace:
    """Of every judged case, worked or not: an MQL is work for sales whatever comes of it.

    ``reps``: how many people share it; else as many as the cases name.
    """
    mqls = judged.select("at", "stage").filter(pl.col("stage") == Stage.MQL.value)
    named = judged["rep"].drop_nulls().n_unique() or None
    timed = judged["at"].drop_nulls()
    if timed.is_empty():
        return Pace(mqls.height, 0, None, reps or named)
    weeks = (timed.dt.date().to_physical() + 3) // 7  # 1970-01-01 was a Thursday
    first, last = int(weeks.min()), int(weeks.max())  # type: ignore[arg-type]
    counted = mqls.filter(pl.col("at").is_not_null())["at"].dt.truncate("1w").value_counts()["count"]
    busiest = 0 if counted.is_empty() else int(counted.max())  # type: ignore[arg-type]
    return Pace(mqls.height, last - first + 1, busiest, reps or named)


@dataclass(frozen=True, slots=True)
class Timing:
    """Days from the handover to the outcome, of those that have both. ``never``: reached it without a handover."""

    known: int
    median: float | None
    slowest_tenth: float | None
    never: int

    def as_json(self) -> dict[str, Any]:
        return {
            "known": self.known,
            "median_days": self.median,
            "slowest_tenth_days": self.slowest_tenth,
            "outcomes_without_handover": self.never,
        }


def timing_of(cases: pl.DataFrame) -> Timing:
    """Of the usable cases. Where no handover is known at all, nothing is said about those without one."""
    reached = cases.filter(pl.col("outcome") & pl.col("outcome_at").is_not_null())
    handed = reached.filter(pl.col("handed_at").is_not_null() & (pl.col("handed_at") <= pl.col("outcome_at")))
    if cases["handed_at"].null_count() == cases.height:
        return Timing(0, None, None, 0)
    days = (handed["outcome_at"] - handed["handed_at"]).dt.total_seconds() / 86_400
    if days.is_empty():
        return Timing(0, None, None, reached.height)
    middle, slow = days.median(), days.quantile(0.9, "linear")
    return Timing(handed.height, float(middle), slow, reached.height - handed.height)  # type: ignore[arg-type]
