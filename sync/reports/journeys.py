"""From the history of verdicts to one row a lead: when interest began, what was reached, and when. Pure.

Two honest gaps are kept visible. A lead that stood in a stage when it was first seen has reached it, but nobody
knows when: such a time is null. And a stage that was skipped took no time: it is reached, and its time is null.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import polars as pl

from mapping.lead import STAGE_RANK, Stage

MOMENT = pl.Datetime("us", "UTC")
#: The verdicts of every lead in the order of time, at least each one that differs from the one before it.
HISTORY: Mapping[str, pl.DataType] = {
    "lead_id": pl.String(),
    "decided_at": MOMENT,
    "stage": pl.String(),
    "score": pl.Int64(),
    "temperature": pl.String(),
    "nurture_track": pl.String(),
    "cycle": pl.Int64(),
}
#: What is known of each lead besides: ``highest_stage`` as remembered, ``channel`` None where no rule fits,
#: ``interested`` whether the policy sees interest expressed, ``interest_at`` the earliest form or import that is
#: known, ``volume`` the order volume in the policy's currency.
FACTS: Mapping[str, pl.DataType] = {
    "lead_id": pl.String(),
    "highest_stage": pl.String(),
    "channel": pl.String(),
    "campaign": pl.String(),
    "owner": pl.String(),
    "interested": pl.Boolean(),
    "interest_at": MOMENT,
    "volume": pl.Decimal(18, 2),
}
#: The steps of the funnel, each with the rank that reaches it.
STEPS: Mapping[str, int] = {
    stage.value: STAGE_RANK[stage]
    for stage in (Stage.LEAD, Stage.MQL, Stage.SQL, Stage.OPPORTUNITY, Stage.CUSTOMER)
}
#: Being rejected is no step forward: whoever was rejected as a researched contact never became a lead. Whoever had
#: expressed interest was one, and is counted: a funnel without those who were rejected would flatter.
RANKS: Mapping[str, int | None] = {
    stage.value: None if stage is Stage.DISQUALIFIED else rank for stage, rank in STAGE_RANK.items()
}
#: One row a lead. ``reached``: the highest rank ever. ``first_interest`` null for whoever never was a lead;
#: ``interest_known`` false where it is only the time when the lead was first seen. ``entered.STEP``: when the lead
#: was seen to enter this step, null where it was not. ``since.STEP``: when it had got at least there, or before.
JOURNEYS: Mapping[str, pl.DataType] = {
    **FACTS,
    "reached": pl.Int32(),
    "first_seen": MOMENT,
    "first_interest": MOMENT,
    "interest_known": pl.Boolean(),
    "cohort": pl.Date(),
    **{f"entered.{step}": MOMENT for step in STEPS},
    **{f"since.{step}": MOMENT for step in STEPS},
}


@dataclass(frozen=True, slots=True)
class Period:
    """From ``start`` on and before ``end``, both aware; its days are those of ``zone``."""

    start: datetime
    end: datetime
    zone: ZoneInfo

    def __contains__(self, moment: datetime) -> bool:
        return self.start <= moment < self.end


def journeys(history: pl.DataFrame, facts: pl.DataFrame, zone: ZoneInfo) -> pl.DataFrame:
    """``HISTORY`` and ``FACTS`` in, ``JOURNEYS`` out, one row for each row of ``facts``."""
    ranked = history.select("lead_id", "decided_at", _rank("stage").alias("rank")).sort(
        "lead_id", "decided_at", maintain_order=True
    )
    first = ranked.group_by("lead_id").agg(
        pl.col("decided_at").first().alias("first_seen"),
        pl.col("rank").first().fill_null(-1).alias("first_rank"),
        pl.col("rank").max().alias("best"),
    )
    rows = facts.join(first, on="lead_id", how="left", maintain_order="left")
    for step, rank in STEPS.items():
        rows = rows.join(_entries(ranked, step, rank), on="lead_id", how="left", maintain_order="left")
    # Without contact data, interest alone makes a visitor, and no lead.
    was_lead = pl.col("interested").fill_null(value=False) & (pl.col("highest_stage") != Stage.VISITOR.value)
    by_interest = pl.when(was_lead).then(pl.lit(STEPS["lead"]))
    rows = rows.with_columns(
        reached=pl.max_horizontal("best", _rank("highest_stage"), by_interest).fill_null(0).cast(pl.Int32)
    )
    for step, rank in STEPS.items():
        # Seen to enter: it stood lower before, and stopped at this step instead of passing it.
        seen = (pl.col("first_rank") < rank) & (pl.col(f"rank.{step}") == rank)
        rows = rows.with_columns(pl.when(seen).then(f"since.{step}").alias(f"entered.{step}"))
    return _with_interest(rows, zone).select(pl.col(name).cast(dtype) for name, dtype in JOURNEYS.items())


def _rank(column: str) -> pl.Expr:
    return pl.col(column).replace_strict(RANKS, default=None, return_dtype=pl.Int32)


def _entries(ranked: pl.DataFrame, step: str, rank: int) -> pl.DataFrame:
    """When each lead was first seen at this rank or above, and at which one."""
    return (
        ranked.filter(pl.col("rank") >= rank)
        .group_by("lead_id")
        .agg(
            pl.col("decided_at").first().alias(f"since.{step}"), pl.col("rank").first().alias(f"rank.{step}")
        )
    )


def _with_interest(rows: pl.DataFrame, zone: ZoneInfo) -> pl.DataFrame:
    is_lead = pl.col("reached") >= STEPS["lead"]
    told = pl.min_horizontal("interest_at", "entered.lead")
    first = pl.when(is_lead).then(pl.coalesce(pl.min_horizontal(told, "since.lead"), "first_seen"))
    return rows.with_columns(first_interest=first, interest_known=is_lead & told.is_not_null()).with_columns(
        cohort=pl.col("first_interest").dt.convert_time_zone(zone.key).dt.truncate("1mo").dt.date()
    )


def within(rows: pl.DataFrame, period: Period) -> pl.DataFrame:
    """The journeys of leads whose interest began in a period."""
    moment = pl.col("first_interest")
    return rows.filter((moment >= period.start) & (moment < period.end))
