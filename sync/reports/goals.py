"""Goals against what came of them: counted, forecast while the period runs, frozen when it has ended. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

import polars as pl

from mapping.lead import STAGE_RANK, Stage
from sync.reports.costs import TOO_FEW
from sync.reports.declared import Goal
from sync.reports.funnel import Rate
from sync.reports.intervals import poisson
from sync.reports.journeys import Period


@dataclass(frozen=True, slots=True)
class Counted:
    """A goal's numbers: ``counted`` leads in the period, of which ``reached`` got where the rate asks."""

    counted: int
    reached: int

    @property
    def rate(self) -> Rate:
        return Rate(self.reached, self.counted)


@dataclass(frozen=True, slots=True)
class Frozen:
    """The numbers of a closed period as they were first told, and of which goal: ``digest`` names what was counted."""

    digest: str
    numbers: Counted
    frozen_at: datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """How a goal stands. ``now``: counted today; ``frozen``: as first told after its end.

    ``forecast``: how many will be counted at the end, with the ends of its 95 % interval; None where the period has
    ended or not begun. ``sure`` says whether there are enough for it to mean something.
    """

    goal: Goal
    state: Literal["to come", "running", "closed"]
    now: Counted
    frozen: Frozen | None = None
    forecast: tuple[float, float, float] | None = None
    sure: bool = False

    @property
    def told(self) -> Counted:
        """The numbers that count: those of the closed period, else today's."""
        return self.frozen.numbers if self.frozen else self.now

    @property
    def corrected(self) -> tuple[int, int]:
        """What has changed since the period was closed: (counted, reached)."""
        if self.frozen is None:
            return 0, 0
        before = self.frozen.numbers
        return self.now.counted - before.counted, self.now.reached - before.reached


def period_of(goal: Goal, zone: ZoneInfo) -> Period:
    """A goal's days as moments."""
    return period_between(goal.first, goal.last, zone)


def period_between(first: date, last: date, zone: ZoneInfo) -> Period:
    """The days from ``first`` to ``last``, both included, as moments of a time zone."""
    start, end = (
        datetime.combine(day, time(), zone).astimezone(UTC) for day in (first, last + timedelta(days=1))
    )
    return Period(start, end, zone)


def count(goal: Goal, rows: pl.DataFrame, zone: ZoneInfo) -> Counted:
    """Count a goal. ``rows``: ``JOURNEYS`` with ``goal.KEY`` (whether ``of`` is true) and the date it is counted by."""
    period = period_of(goal, zone)
    moment = pl.col(goal.counted_by)
    if rows.schema[goal.counted_by] == pl.Date():
        inside = (moment >= goal.first) & (moment <= goal.last)
    else:
        inside = (moment >= period.start) & (moment < period.end)
    mine = rows.filter(inside & pl.col(f"goal.{goal.key}") & _got_to(goal.stage))
    return Counted(mine.height, mine.filter(_got_to(goal.then)).height)


def _got_to(stage: str) -> pl.Expr:
    return pl.col("reached") >= STAGE_RANK[Stage(stage)]


def stand(goal: Goal, now: Counted, frozen: Frozen | None, moment: datetime, zone: ZoneInfo) -> Standing:
    """How a goal stands at a moment. A frozen period of another goal under the same name is passed over."""
    period = period_of(goal, zone)
    if moment >= period.end:
        return Standing(goal, "closed", now, frozen if frozen and frozen.digest == goal.digest else None)
    if moment < period.start:
        return Standing(goal, "to come", now)
    return Standing(
        goal, "running", now, forecast=_forecast(now.counted, period, moment), sure=now.counted >= TOO_FEW
    )


def _forecast(counted: int, period: Period, moment: datetime) -> tuple[float, float, float] | None:
    """What the pace so far comes to: what is there, and the rest of the time at the pace and its interval."""
    gone, left = moment - period.start, period.end - moment
    if gone <= timedelta(0):
        return None
    share = left / gone
    low, high = poisson(counted)
    return counted + counted * share, counted + low * share, counted + high * share
