"""The funnel: how many leads got how far, of how many, and how long it took. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise

import polars as pl

from sync.reports.intervals import quantile, wilson
from sync.reports.journeys import STEPS

_DAY = timedelta(days=1) / timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Rate:
    """So many of so many. ``low`` and ``high`` are the ends of its 95 % interval (Wilson)."""

    numerator: int
    denominator: int

    @property
    def value(self) -> float | None:
        return self.numerator / self.denominator if self.denominator else None

    @property
    def low(self) -> float:
        return wilson(self.numerator, self.denominator)[0]

    @property
    def high(self) -> float:
        return wilson(self.numerator, self.denominator)[1]


@dataclass(frozen=True, slots=True)
class Spread:
    """Times in days: the median, the time within which nine of ten were through, and of how many leads that is.

    ``median`` and ``p90`` are None where nobody was seen to do it.
    """

    median: float | None
    p90: float | None
    leads: int


@dataclass(frozen=True, slots=True)
class Funnel:
    """One group's funnel. ``reached``: step to leads that got at least so far. ``times``: step to the time from the
    step before it, of the leads that were seen to do both; for the first pair from first interest."""

    group: str | None
    reached: Mapping[str, int]
    times: Mapping[str, Spread]

    def of_step_before(self, step: str) -> Rate:
        """Of those who reached the step before, so many reached this one."""
        names = list(STEPS)
        before = names[max(names.index(step) - 1, 0)]
        return Rate(self.reached[step], self.reached[before])

    def of_leads(self, step: str) -> Rate:
        return Rate(self.reached[step], self.reached["lead"])


def funnel(rows: pl.DataFrame, group: str | None = None) -> Funnel:
    """The funnel of these ``JOURNEYS``; whoever never was a lead is not in it."""
    leads = rows.filter(pl.col("reached") >= STEPS["lead"])
    reached = {step: leads.filter(pl.col("reached") >= rank).height for step, rank in STEPS.items()}
    times = {}
    for before, step in _pairs():
        start = (
            pl.when("interest_known").then("first_interest")
            if before == "lead"
            else pl.col(f"entered.{before}")
        )
        taken = leads.select(days=(pl.col(f"entered.{step}") - start).dt.total_microseconds() / _DAY)
        times[step] = spread(taken["days"].drop_nulls().to_list())
    return Funnel(group, reached, times)


def _pairs() -> list[tuple[str, str]]:
    return list(pairwise(STEPS))


def spread(days: Sequence[float]) -> Spread:
    """The spread of some times in days.

    A time below zero is left out: a form that was filled in after the deal says nothing about how long it took.
    """
    counted = [each for each in days if each >= 0]
    return Spread(quantile(counted, 0.5), quantile(counted, 0.9), len(counted))


def funnels(rows: pl.DataFrame, by: str, *, smallest: int = 1) -> tuple[list[Funnel], int]:
    """One funnel for each value of a column, most leads first (cohorts: by time), and how many leads are not shown.

    Groups of fewer than ``smallest`` leads are left out: of so few, a number speaks about one person.
    """
    leads = rows.filter(pl.col("reached") >= STEPS["lead"])
    found, hidden = [], 0
    for (value,), mine in leads.partition_by(by, as_dict=True, maintain_order=True).items():
        if mine.height < smallest:
            hidden += mine.height
        else:
            found.append(funnel(mine, None if value is None else str(value)))
    if by == "cohort":
        found.sort(key=lambda one: one.group or "")
    else:
        found.sort(key=lambda one: (one.group is None, -one.reached["lead"], one.group or ""))
    return found, hidden


@dataclass(frozen=True, slots=True)
class Maturity:
    """How old a lead has to be before its outcome counts: nine of ten customers had bought by ``days``.

    ``days`` is None where there were too few customers (``customers``) to say.
    """

    days: float | None
    customers: int


#: Fewer customers whose time is known say nothing about how long buying takes.
FEWEST_CUSTOMERS = 5


def maturity(rows: pl.DataFrame) -> Maturity:
    """From every customer whose first interest and purchase were both seen."""
    bought = rows.filter("interest_known").select(
        days=(pl.col("entered.customer") - pl.col("first_interest")).dt.total_microseconds() / _DAY
    )
    days = [each for each in bought["days"].drop_nulls().to_list() if each >= 0]
    return Maturity(quantile(days, 0.9) if len(days) >= FEWEST_CUSTOMERS else None, len(days))
