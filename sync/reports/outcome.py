"""The score held against what came of it, and what the nurture tracks came to. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from mapping.lead import STAGE_RANK, Stage
from sync.reports.funnel import Rate
from sync.reports.journeys import RANKS

WON = STAGE_RANK[Stage.OPPORTUNITY]
#: From here on people have taken over, so a score given then knows the answer already.
_TAKEN_OVER = STAGE_RANK[Stage.SQL]


@dataclass(frozen=True, slots=True)
class Tenth:
    """A tenth of the leads by score, the best first. ``lowest`` and ``highest`` are its scores.

    ``rate``: so many of its leads became an opportunity or a customer.
    """

    number: int
    lowest: int
    highest: int
    rate: Rate


@dataclass(frozen=True, slots=True)
class Outcome:
    """``tenths`` are empty where there are fewer than ten leads. ``bands``: temperature to rate, as it was then.

    ``too_late``: leads that sales already worked when they were first judged; they are not in the rates.
    """

    tenths: Sequence[Tenth]
    bands: Mapping[str, Rate]
    leads: int
    too_late: int


def outcome(history: pl.DataFrame, journeys: pl.DataFrame) -> Outcome:
    """``HISTORY`` and ``JOURNEYS``: the score each lead was first given, against whether it got to an opportunity.

    The first score is the one that knew least: it cannot have learnt of the outcome.
    """
    first = (
        history.filter(pl.col("score").is_not_null())
        .sort("lead_id", "decided_at", maintain_order=True)
        .group_by("lead_id")
        .first()
    )
    judged = (
        journeys.filter(pl.col("reached") >= STAGE_RANK[Stage.LEAD])
        .select("lead_id", "reached")
        .join(
            first.with_columns(
                then=pl.col("stage").replace_strict(RANKS, default=None, return_dtype=pl.Int32)
            ),
            on="lead_id",
        )
    )
    open_then = judged.filter(pl.col("then").fill_null(-1) < _TAKEN_OVER).with_columns(
        won=pl.col("reached") >= WON
    )
    bands = {
        str(name): Rate(int(mine["won"].sum()), mine.height)
        for (name,), mine in open_then.drop_nulls("temperature")
        .partition_by("temperature", as_dict=True)
        .items()
    }
    return Outcome(_tenths(open_then), bands, open_then.height, judged.height - open_then.height)


def _tenths(rows: pl.DataFrame) -> list[Tenth]:
    """Equal scores stay together: leads that look alike cannot be told apart by chance."""
    if rows.height < 10:
        return []
    place = pl.col("score").rank("average", descending=True)
    placed = rows.with_columns(tenth=((place - 0.5) * 10 / rows.height).floor().cast(pl.Int32) + 1)
    found = placed.group_by("tenth").agg(
        pl.col("score").min().alias("lowest"),
        pl.col("score").max().alias("highest"),
        pl.col("won").sum(),
        pl.len(),
    )
    return [
        Tenth(number, lowest, highest, Rate(won, leads))
        for number, lowest, highest, won, leads in found.sort("tenth").iter_rows()
    ]


@dataclass(frozen=True, slots=True)
class Track:
    """What became of the leads that entered a nurture track.

    ``became_mql`` in the same stay or right after it; ``other``: went to another track; ``rejected``; ``ended``:
    left it otherwise; ``still``: are on it now. Together they are ``entered`` stays; a lead may have several.
    """

    name: str
    entered: int
    became_mql: int
    other: int
    rejected: int
    ended: int
    still: int

    @property
    def rate(self) -> Rate:
        """Of the stays that have ended, so many ended in an MQL or more."""
        return Rate(self.became_mql, self.entered - self.still)


def tracks(history: pl.DataFrame) -> list[Track]:
    """Each nurture track of a ``HISTORY``, most stays first. A stay ends with the first verdict without its track."""
    on_track = history.filter(pl.col("nurture_track").is_not_null())["lead_id"].unique()
    mine = history.filter(pl.col("lead_id").is_in(on_track.implode()))
    another = pl.col("lead_id").ne_missing(pl.col("lead_id").shift()) | pl.col("nurture_track").ne_missing(
        pl.col("nurture_track").shift()
    )
    rows = mine.sort("lead_id", "decided_at", maintain_order=True).with_columns(
        rank=pl.col("stage").replace_strict(RANKS, default=None, return_dtype=pl.Int32),
        step=another.cum_sum(),
    )
    stays = rows.group_by("step", maintain_order=True).agg(
        pl.col("lead_id").first(),
        pl.col("nurture_track").first(),
        pl.col("stage").first(),
        pl.col("rank").first(),
    )
    after = [
        pl.col(name).shift(-1).over("lead_id").alias(f"next_{name}")
        for name in ("nurture_track", "stage", "rank")
    ]
    has_next = pl.col("step").shift(-1).over("lead_id").is_not_null().alias("left")
    ended = stays.with_columns(*after, has_next).drop_nulls("nurture_track")
    mql = pl.col("left") & (pl.col("next_rank") >= STAGE_RANK[Stage.MQL]).fill_null(value=False)
    other = pl.col("left") & ~mql & pl.col("next_nurture_track").is_not_null()
    rejected = pl.col("left") & ~mql & ~other & (pl.col("next_stage") == Stage.DISQUALIFIED.value)
    counted = ended.group_by("nurture_track").agg(
        pl.len(),
        mql.sum().alias("mql"),
        other.sum().alias("other"),
        rejected.sum().alias("rejected"),
        (pl.col("left") & ~mql & ~other & ~rejected).sum().alias("ended"),
        (~pl.col("left")).sum().alias("still"),
    )
    return [
        Track(*row) for row in counted.sort(["len", "nurture_track"], descending=[True, False]).iter_rows()
    ]
