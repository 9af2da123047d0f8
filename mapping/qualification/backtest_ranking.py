"""How well a score puts those who bought before those who did not: ROC AUC, PR AUC, deciles.

Equal scores are equal: the areas count ties as half, and the edge of a decile cuts through a tie evenly, by the
leads' places and never by their outcomes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import exp, log, sqrt
from typing import Any

import polars as pl

from mapping.qualification.backtest_rates import Lift, Rate, Z, lift_of, rate_of

#: Spreads places evenly over 2**32: the golden ratio, as an odd whole number.
_SPREAD, _WRAP = 2654435769, 2**32


@dataclass(frozen=True, slots=True)
class Area:
    """An area under a curve, 0 to 1, with its 95 % interval; all None where one side is empty."""

    area: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Decile:
    """A tenth of the leads, 1 the highest scores: how many reached it, and how many times as often as all."""

    decile: int
    rate: Rate
    lift: Lift

    def as_json(self) -> dict[str, Any]:
        """``low`` and ``high`` belong to the rate, ``lift_low`` and ``lift_high`` to the lift."""
        rate, lift = self.rate, self.lift
        return {
            "decile": self.decile,
            "leads": rate.leads,
            "outcomes": rate.outcomes,
            "rate": rate.rate,
            "low": rate.low,
            "high": rate.high,
            "lift": lift.lift,
            "lift_low": lift.low,
            "lift_high": lift.high,
        }


def scattered(height: int) -> pl.Series:
    """A number from 0 to 2**32 for each place, evenly spread and the same every time (UInt64)."""
    places = pl.int_range(height, dtype=pl.UInt64, eager=True)
    return ((places + 1) * _SPREAD) % _WRAP


@dataclass(frozen=True, slots=True)
class Levels:
    """The scores that leads have, highest first: how many ``leads`` have each, and how many of them ``reached`` it."""

    score: pl.Series
    leads: pl.Series
    reached: pl.Series

    @property
    def sums(self) -> tuple[int, int]:
        """(leads, reached) over all levels."""
        return int(self.leads.sum()), int(self.reached.sum())


def levels(score: pl.Series, outcome: pl.Series) -> Levels:
    """Count once what areas and deciles need. ``outcome``: Boolean without nulls, in the order of ``score``."""
    counted = (
        pl.DataFrame([score.alias("score"), outcome.alias("outcome")])
        .group_by("score")
        .agg(pl.len().cast(pl.Int64).alias("leads"), pl.col("outcome").sum().cast(pl.Int64).alias("reached"))
        .sort("score", descending=True)
    )
    return Levels(*counted.get_columns())


def deciles(score: pl.Series, outcome: pl.Series, found: Levels | None = None) -> list[Decile]:
    """The leads in ten equal parts by falling score; fewer parts for fewer than ten leads.

    ``outcome``: Boolean without nulls, in the order of ``score``. ``found``: the levels of both, where they are
    known already.
    """
    height = len(score)
    counted = found or levels(score, outcome)
    parts = min(10, height)
    edges = [part * height // parts for part in range(parts + 1)] if parts else [0]
    until = [_reached_until(edge, score, outcome, counted) for edge in edges]
    total = counted.sums[1]
    tenths = []
    for number, ((start, end), (before, after)) in enumerate(
        zip(pairwise(edges), pairwise(until), strict=True), 1
    ):
        leads, reached = end - start, after - before
        tenths.append(Decile(number, rate_of(reached, leads), lift_of(reached, leads, total, height)))
    return tenths


def _reached_until(edge: int, score: pl.Series, outcome: pl.Series, counted: Levels) -> int:
    """How many of the first ``edge`` leads reached it; a tie that the edge cuts through is ordered evenly."""
    level = int((counted.leads.cum_sum() <= edge).sum())
    above = int(counted.leads.head(level).sum())
    reached = int(counted.reached.head(level).sum())
    if above == edge:
        return reached
    tied = score == counted.score[level]
    order = scattered(len(score)).filter(tied).arg_sort().head(edge - above)
    return reached + int(outcome.filter(tied).gather(order).sum())


@dataclass(frozen=True, slots=True)
class Placements:
    """For each lead that reached it, the share of the others that its score beats, and the other way round."""

    area: float
    reached: pl.Series
    others: pl.Series


def placements(score: pl.Series, outcome: pl.Series) -> Placements | None:
    """None where nobody or everybody reached it."""
    reached = int(outcome.sum())
    others = len(outcome) - reached
    if not reached or not others:
        return None
    whole = score.rank("average")
    ours, theirs = score.filter(outcome).rank("average"), score.filter(~outcome).rank("average")
    beaten = (whole.filter(outcome) - ours) / others
    beaten_by = 1.0 - (whole.filter(~outcome) - theirs) / reached
    return Placements(float(beaten.mean()), beaten, beaten_by)  # type: ignore[arg-type]


def roc_auc(found: Levels) -> Area:
    """The chance that somebody who reached it scores higher than somebody who did not; DeLong's interval."""
    leads, reached = found.sums
    others = leads - reached
    if not reached or not others:
        return Area(None, None, None)
    theirs = found.leads - found.reached
    beaten = (others - theirs.cum_sum() + theirs / 2) / others  # by somebody who reached it, at each level
    beaten_by = (found.reached.cum_sum() - found.reached / 2) / reached  # somebody who did not
    area = float((beaten * found.reached).sum()) / reached
    spread = _spread_of(beaten, found.reached, reached) + _spread_of(beaten_by, theirs, others)
    if spread <= 0.0 or not 0.0 < area < 1.0:
        # All told apart: as sure as a share counted on the smaller side.
        few = min(reached, others)
        rate = rate_of(round(area * few), few)
        return Area(area, min(area, rate.low), max(area, rate.high))
    reach = Z * sqrt(spread) / (area * (1 - area))
    middle = log(area / (1 - area))
    return Area(area, _logistic(middle - reach), _logistic(middle + reach))


def _spread_of(values: pl.Series, counts: pl.Series, total: int) -> float:
    """The variance of the mean of values that stand so many times each; 0 for a single value."""
    if total < 2:
        return 0.0
    middle = float((values * counts).sum()) / total
    return float((((values - middle) ** 2) * counts).sum()) / (total - 1) / total


def _logistic(odds: float) -> float:
    return 1 / (1 + exp(-odds)) if odds > 0 else exp(odds) / (1 + exp(odds))


def _spread(values: pl.Series) -> float:
    """The variance of the mean; 0 for a single value."""
    variance = values.var() if len(values) > 1 else 0.0
    return float(variance or 0.0) / len(values)  # type: ignore[arg-type]


def auc_difference(first: pl.Series, second: pl.Series, outcome: pl.Series) -> Area:
    """How much more the second score's ROC AUC is than the first's on the same leads, with its interval."""
    one, other = placements(first, outcome), placements(second, outcome)
    if one is None or other is None:
        return Area(None, None, None)
    gap = other.area - one.area
    reach = Z * sqrt(_spread(other.reached - one.reached) + _spread(other.others - one.others))
    return Area(gap, gap - reach, gap + reach)


def pr_auc(found: Levels) -> float | None:
    """Average precision, with leads of one score taken together; None where nobody reached it."""
    total = found.sums[1]
    if not total:
        return None
    precision = found.reached.cum_sum() / found.leads.cum_sum()
    return float((precision * found.reached).sum()) / total


def area_as_json(name: str, area: Area) -> Mapping[str, float | None]:
    return {name: area.area, f"{name}_low": area.low, f"{name}_high": area.high}
