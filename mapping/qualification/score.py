"""Fit, engagement, coverage and temperature: every rule's points as a whole-number column.

Unknown is not no: a rule that cannot be judged gives no points, and is marked in its own column. Because it
might have counted, a score is also kept as a range, from the worst to the best that the unknown rules allow;
``stages`` moves a lead only where the whole range agrees.

Columns are named by the rule's place in ``policy.rules``: ``_p3`` points, ``_u3`` could not be judged, and for
a rule that ages ``_a3``, the age in days that it was judged at.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from math import floor

import polars as pl

from mapping.qualification.declared import Band, Group, Policy, Rule

#: What the last verdict said, beside a lead's own columns; all null for a lead that never had one.
PREVIOUS_SCHEMA: dict[str, pl.DataType] = {
    "prev_stage": pl.String(),
    "prev_highest_stage": pl.String(),
    "prev_cycle": pl.Int32(),
    "prev_temperature": pl.String(),
    "prev_score": pl.Int32(),
}


def prepare(leads: pl.DataFrame, policy: Policy, now: datetime) -> pl.LazyFrame:
    """Add what conditions look at: ages in whole days, and money in the policy's currency.

    ``leads`` has ``lead_id``, the lead fields that the policy names (``policy.needed()``), and the columns of
    ``PREVIOUS_SCHEMA`` (a missing one counts as null). ``now`` needs a time zone. Raises ``ValueError`` for a
    lead column that is missing: leaving it out would make a blank of what was never read.
    """
    if now.utcoffset() is None:
        raise ValueError("now needs a time zone")
    missing = sorted((policy.needed() | {"lead_id"}) - set(leads.columns))
    if missing:
        raise ValueError(f"the frame of leads lacks {', '.join(missing)}")
    blank = [
        pl.lit(None, dtype=dtype).alias(name)
        for name, dtype in PREVIOUS_SCHEMA.items()
        if name not in leads.columns
    ]
    return leads.lazy().with_columns(*policy.derived(leads, now), *blank)


def score(prepared: pl.LazyFrame, policy: Policy) -> pl.LazyFrame:
    """Add points, unknown marks, ``fit engagement score coverage temperature`` and the range of the score.

    ``score`` is ``fit + engagement``, the plain sum of the points. ``coverage`` is the share of rules that
    could be judged, in whole per cent rounded down, each rule weighted by its points without their sign.
    """
    rules = list(enumerate(policy.rules))
    answered = prepared.with_columns(rule.when.expression.alias(f"_c{place}") for place, rule in rules)
    judged = answered.with_columns(part for place, rule in rules for part in _judged(place, rule))
    summed = judged.with_columns(
        _total(policy, "fit").alias("fit"),
        _total(policy, "engagement").alias("engagement"),
        *_slack(policy),
    ).with_columns(
        (pl.col("fit") + pl.col("engagement")).alias("score"),
        _coverage(policy).cast(pl.Int32).alias("coverage"),
        _last_band(policy).alias("_prev_rank"),
    )
    ranked = summed.with_columns(*_ranks(policy))
    names = pl.lit(pl.Series([band.name for band in policy.bands]))
    return ranked.with_columns(names.gather(pl.col("_rank")).alias("temperature"))


def _judged(place: int, rule: Rule) -> list[pl.Expr]:
    met = pl.col(f"_c{place}")
    if rule.half_life_days is None or rule.since is None:
        points: pl.Expr = pl.when(met).then(pl.lit(rule.points, dtype=pl.Int16))
        return [points.fill_null(0).alias(f"_p{place}"), met.is_null().alias(f"_u{place}")]
    faded = decayed_points(rule.points, rule.half_life_days)
    age = pl.col(f"{rule.since}_days").clip(0, None)
    points = pl.when(met).then(pl.lit(faded).gather(age.clip(0, len(faded) - 1)))
    unknown = met.is_null() | (met & age.is_null())
    return [points.fill_null(0).alias(f"_p{place}"), unknown.alias(f"_u{place}"), age.alias(f"_a{place}")]


@lru_cache(maxsize=1024)
def decayed_points(points: int, half_life_days: Decimal) -> pl.Series:
    """The points left after 0, 1, 2, … days, up to the first day on which none are left.

    ``points * 0.5 ** (days / half_life_days)``, rounded to whole points, halves away from zero. Worked out in
    decimals per point lost, so that every machine gives the same table.
    """
    size = abs(points)
    left: list[int] = []
    for value in range(size, 0, -1):
        # The last day on which at least value - 0.5 is left. The margin catches ties that ln() misses by a hair.
        halvings = (Decimal(size) / (Decimal(value) - Decimal("0.5"))).ln() / Decimal(2).ln()
        last_day = floor(half_life_days * halvings + Decimal("1e-12"))
        left.extend([value] * (last_day + 1 - len(left)))
    sign = 1 if points > 0 else -1
    return pl.Series([sign * value for value in left] + [0], dtype=pl.Int16)


def _sum(parts: list[pl.Expr], dtype: pl.DataType) -> pl.Expr:
    total: pl.Expr = pl.lit(0, dtype=dtype)
    for part in parts:
        total = total + part
    return total.cast(pl.Int32)


def _width(policy: Policy) -> pl.DataType:
    """The narrowest whole number that every sum of points fits into: half the width is half the time."""
    return pl.Int16() if sum(abs(rule.points) for rule in policy.rules) < 2**15 else pl.Int32()


def _total(policy: Policy, group: Group) -> pl.Expr:
    parts = [pl.col(f"_p{place}") for place, rule in enumerate(policy.rules) if rule.group == group]
    return _sum(parts, _width(policy))


def _slack(policy: Policy) -> list[pl.Expr]:
    """How far the rules that could not be judged might raise or lower fit and engagement."""
    columns: list[pl.Expr] = []
    groups: tuple[Group, ...] = ("fit", "engagement")
    for group in groups:
        for name, sign in (("up", 1), ("down", -1)):
            parts = [
                pl.when(pl.col(f"_u{place}")).then(pl.lit(rule.points, dtype=pl.Int16)).otherwise(0)
                for place, rule in enumerate(policy.rules)
                if rule.group == group and rule.points * sign > 0
            ]
            columns.append(_sum(parts, _width(policy)).alias(f"_{group}_{name}"))
    return columns


def _coverage(policy: Policy) -> pl.Expr:
    weight = sum(abs(rule.points) for rule in policy.rules)
    if not weight:
        return pl.lit(100, dtype=pl.Int32)
    unknown = pl.col("_fit_up") + pl.col("_engagement_up") - pl.col("_fit_down") - pl.col("_engagement_down")
    return (weight - unknown) * 100 // weight


def _ranks(policy: Policy) -> list[pl.Expr]:
    """Which band, counted from the coldest: as scored, at worst and at best.

    The worst is reckoned without the drop tolerance: a temperature that was only shown because something
    is not known must not become the reason for handing the lead over.
    """
    fit, total, last = pl.col("fit"), pl.col("score"), pl.col("_prev_rank")
    down, up = pl.col("_fit_down") + pl.col("_engagement_down"), pl.col("_fit_up") + pl.col("_engagement_up")
    as_scored = _rank(policy, total, fit, last)
    worst = _rank(policy, total + down, fit + pl.col("_fit_down"), pl.lit(0, dtype=pl.Int32))
    best = _rank(policy, total + up, fit + pl.col("_fit_up"), last)
    return [
        as_scored.alias("_rank"),
        pl.when(down == 0).then(as_scored).otherwise(worst).alias("_rank_worst"),
        best.alias("_rank_best"),
    ]


def _rank(policy: Policy, total: pl.Expr, fit: pl.Expr, last: pl.Expr) -> pl.Expr:
    """The highest band reached. A band that the lead already stood in, or one below it, is held until total
    or fit falls more than the drop tolerance under its line: a higher score never gives a lower band, nor
    does a warmer past."""
    rank: pl.Expr = pl.lit(0, dtype=pl.Int8)
    for place, band in enumerate(policy.bands):
        if band.total is not None:
            reached = _reached(policy, place, band, total, fit, last)
            rank = pl.when(reached).then(pl.lit(place, dtype=pl.Int8)).otherwise(rank)
    return rank


def _last_band(policy: Policy) -> pl.Expr:
    """The place of the band the lead stood in; the lowest for none, or for one that the policy lost."""
    names = pl.Enum([band.name for band in policy.bands])
    return pl.col("prev_temperature").cast(names, strict=False).to_physical().fill_null(0).cast(pl.Int32)


def _reached(policy: Policy, place: int, band: Band, total: pl.Expr, fit: pl.Expr, last: pl.Expr) -> pl.Expr:
    grace = pl.when(last >= place).then(pl.lit(policy.drop_tolerance, dtype=pl.Int32)).otherwise(0)
    reached = total + grace >= band.total
    return reached if band.fit_at_least is None else reached & (fit + grace >= band.fit_at_least)
