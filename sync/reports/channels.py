"""Which channel brought each lead, how many come from nowhere known, and where the CRMs name different ones. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from mapping.qualification.questions import Questions
from sync.reports.declared import Channel
from sync.reports.funnel import Rate
from sync.reports.journeys import STEPS

#: What keeps a lead from having a channel: the rules' fields are blank, or none of the rules fits.
BLANK, UNFIT = "blank", "unfit"
#: One row a lead: the channel of the first rule that is true; else why there is none.
ASSIGNED: Mapping[str, pl.DataType] = {"channel": pl.String(), "channel_missing": pl.String()}


def assign(leads: pl.DataFrame, channels: Sequence[Channel]) -> pl.DataFrame:
    """``ASSIGNED`` for each row of ``leads``, which has ``lead_id`` and the columns that the conditions name."""
    channel = pl.lit(None, dtype=pl.String)
    if not channels:
        return leads.select(channel.alias("channel"), pl.lit(BLANK).alias("channel_missing"))
    columns = {name: leads[name] for name in leads.columns}
    answers = Questions([one.when for one in channels]).answers(columns)
    frame = pl.DataFrame([answer.alias(f"a{place}") for place, answer in enumerate(answers)])
    names = frame.columns
    for place, one in reversed(list(enumerate(channels))):
        channel = pl.when(f"a{place}").then(pl.lit(one.name)).otherwise(channel)
    # A rule that could not be answered might have fitted: nobody knows.
    unknown = pl.any_horizontal(pl.col(name).is_null() for name in names)
    missing = pl.when(unknown).then(pl.lit(BLANK)).otherwise(pl.lit(UNFIT))
    return frame.select(channel.alias("channel")).with_columns(
        frame.select(pl.when(channel.is_null()).then(missing).alias("channel_missing"))
    )


@dataclass(frozen=True, slots=True)
class Disagreement:
    """So many leads come by one channel as HubSpot tells it, and by another as Salesforce does."""

    hubspot: str
    salesforce: str
    leads: int


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the leads of a period come from.

    ``by_channel``: channel to its share of all leads. ``blank`` and ``unfit``: those without one. ``compared``:
    leads of which both CRMs name a channel; ``disagreements``: those where they name different ones.
    """

    by_channel: Mapping[str, Rate]
    blank: Rate
    unfit: Rate
    compared: int
    disagreements: tuple[Disagreement, ...]

    @property
    def disagreeing(self) -> Rate:
        return Rate(sum(one.leads for one in self.disagreements), self.compared)


def sources(leads: pl.DataFrame, channels: Sequence[Channel]) -> Sources:
    """``leads``: journeys of a period with ``channel_missing``, ``hubspot_channel`` and ``salesforce_channel``."""
    mine = leads.filter(pl.col("reached") >= STEPS["lead"])
    counted = dict(mine.drop_nulls("channel").group_by("channel").len().iter_rows())
    missing = dict(mine.filter(pl.col("channel").is_null()).group_by("channel_missing").len().iter_rows())
    both = mine.drop_nulls(["hubspot_channel", "salesforce_channel"])
    unlike = (
        both.filter(pl.col("hubspot_channel") != pl.col("salesforce_channel"))
        .group_by("hubspot_channel", "salesforce_channel")
        .len()
        .sort(["len", "hubspot_channel", "salesforce_channel"], descending=[True, False, False])
    )
    return Sources(
        {one.name: Rate(counted.get(one.name, 0), mine.height) for one in channels},
        Rate(missing.get(BLANK, 0), mine.height),
        Rate(missing.get(UNFIT, 0), mine.height),
        both.height,
        tuple(Disagreement(*row) for row in unlike.iter_rows()),
    )
