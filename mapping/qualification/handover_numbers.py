"""How handovers went, in numbers: met and breached, working time to the first touch, answers, suspicions.

Every rate names what it is a share of. What is not decided yet is in no rate.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from mapping.qualification.handover import EXPLORATION, WITH_SALES
from mapping.qualification.handover_flags import Suspicions, flags
from mapping.qualification.workclock import Clocks


@dataclass(frozen=True, slots=True)
class Rate:
    """``count`` of ``of``; ``of_what`` says of what."""

    count: int
    of: int
    of_what: str

    @property
    def share(self) -> float | None:
        """0 to 1; None where there is nothing to be a share of."""
        return self.count / self.of if self.of else None

    def as_json(self) -> dict[str, Any]:
        return {"count": self.count, "of": self.of, "of_what": self.of_what, "share": self.share}


def with_times(rows: pl.DataFrame, clocks: Clocks, now: datetime) -> pl.DataFrame:
    """Rows of the ledger with their times, in the owner's working time and seconds (Int64): ``work_seconds``, handover
    to first touch (null: no touch), and ``promised_seconds``, handover to the promised time. ``in_time``: true for
    touched by the promised time; false for not; null: still to come, or taken back before it was due.
    """
    seconds = [
        clocks.of(owner).worked_between(handed, touch) if handed is not None and touch is not None else None
        for owner, handed, touch in rows.select("owner", "handed_over_at", "first_touch_at").iter_rows()
    ]
    promised = [
        clocks.of(owner).worked_between(handed, due) if handed is not None and due is not None else None
        for owner, handed, due in rows.select("owner", "handed_over_at", "due_at").iter_rows()
    ]
    end = pl.coalesce("closed_at", pl.lit(now).cast(pl.Datetime("us", "UTC")))
    missed = pl.col("first_touch_at").is_null() & (pl.max_horizontal("due_at", end) > pl.col("due_at"))
    return rows.with_columns(
        pl.Series("work_seconds", seconds, dtype=pl.Int64),
        pl.Series("promised_seconds", promised, dtype=pl.Int64),
        in_time=pl.when(pl.col("first_touch_at").is_not_null())
        .then(pl.col("first_touch_at") <= pl.col("due_at"))
        .when(missed)
        .then(pl.lit(value=False)),
    )


def timing(rows: pl.DataFrame, clocks: Clocks, suspicions: Suspicions, now: datetime) -> dict[str, Any]:
    """The numbers of some rows of the ledger (``handover.LEDGER``); lengths are seconds of working time.

    Explorations are in none of them but ``explored``: they say nothing about how well the policy hands over.
    """
    chance = pl.col("handed_by").eq_missing(pl.lit(EXPLORATION))
    explored, rows = rows.filter(chance), rows.filter(~chance)
    handed = with_times(rows.filter(pl.col("handed_over_at").is_not_null()), clocks, now)
    decided = handed["in_time"].drop_nulls()
    all_of = handed.height
    worked = sorted(handed["work_seconds"].drop_nulls())
    reasons = handed.filter(pl.col("state") == "rejected").group_by("reason").len()
    by_flag = flags(handed, suspicions).group_by("flag").agg(pl.struct("lead_id", "cycle").n_unique())
    flagged = {str(flag): int(count) for flag, count in by_flag.iter_rows()}

    def of_all(count: int) -> dict[str, Any]:
        return Rate(count, all_of, "handed over").as_json()

    def in_state(state: str) -> dict[str, Any]:
        return of_all(int((handed["state"] == state).sum()))

    def promised(kept: bool) -> dict[str, Any]:
        return Rate(
            int((decided == kept).sum()), len(decided), "touched, or past the promised time"
        ).as_json()

    return {
        "qualified": rows.height - all_of,
        "handed_over": all_of,
        "met": promised(True),
        "breached": promised(False),
        "not_decided": all_of - len(decided),
        "touched": len(worked),
        "median_work_seconds": _median(worked),
        "p90_work_seconds": _nearest_rank(worked, 0.9),
        "waiting": of_all(int(handed["state"].is_in(WITH_SALES).sum())),
        **{state: in_state(state) for state in ("accepted", "rejected", "recycled", "withdrawn")},
        "reassigned": of_all(int((handed["reassigned"] > 0).sum())),
        "rejected_by_reason": [
            {"reason": reason, **Rate(count, int(reasons["len"].sum()), "rejected").as_json()}
            for reason, count in reasons.sort("len", "reason", descending=[True, False]).iter_rows()
        ],
        "explored": _explored(explored),
        "too_early": of_all(flagged.get("too_early", 0)),
        "too_late": of_all(flagged.get("too_late", 0)),
    }


def _explored(rows: pl.DataFrame) -> dict[str, Any]:
    """What became of the explorations so far."""
    handed = rows.filter(pl.col("handed_over_at").is_not_null())

    def of_drawn(count: int) -> dict[str, Any]:
        return Rate(count, handed.height, "handed over to explore").as_json()

    return {
        "drawn": rows.height,
        "handed_over": handed.height,
        "touched": of_drawn(int(handed["first_touch_at"].is_not_null().sum())),
        **{state: of_drawn(int((handed["state"] == state).sum())) for state in ("accepted", "rejected")},
    }


def _median(ordered: Sequence[int]) -> float | None:
    if not ordered:
        return None
    middle = len(ordered) // 2
    return float(ordered[middle]) if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def _nearest_rank(ordered: Sequence[int], share: float) -> int | None:
    """The smallest value that at least this share of them does not pass."""
    return ordered[math.ceil(share * len(ordered)) - 1] if ordered else None
