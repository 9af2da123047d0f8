"""Fit, engagement, coverage, grade and temperature: every rule's points as a whole-number column.

Unknown is not no: a rule that cannot be judged gives no points, and is marked in its own column. Because it
might have counted, a score is also kept as a range, from the worst to the best that the unknown rules allow;
``stages`` moves a lead only where the whole range agrees.

Columns are named by the rule's place in ``policy.rules``: ``_p3`` points, ``_u3`` could not be judged, and for
a rule that ages ``_a3``, the age in days that it was judged at. A cap takes points off again in a column of its
own, so that points and caps together always sum to the score, in whatever order the rules stand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from math import floor

import polars as pl

from mapping.qualification.columns import AGE_SUFFIX, day_number
from mapping.qualification.declared import RETURNED_DAYS, Band, Grid, Group, Policy, Rule
from mapping.qualification.truths import choose, every, fails, holds, looked_up, one, unknown

#: What the last verdict said, beside a lead's own columns; all null for a lead that never had one.
PREVIOUS_SCHEMA: dict[str, pl.DataType] = {
    "prev_stage": pl.String(),
    "prev_highest_stage": pl.String(),
    "prev_cycle": pl.Int32(),
    "prev_temperature": pl.String(),
    "prev_score": pl.Int32(),
    "prev_stage_why": pl.String(),
    "prev_temperature_since": pl.Date(),
    "prev_returned_on": pl.Date(),
    "prev_spent_rejection": pl.String(),
}
_GROUPS: tuple[Group, Group] = ("fit", "engagement")
_POINTS, _WHOLE = pl.Int16(), pl.Int32()
#: For how many days a lead has had its temperature: beside the lead's own columns, as ``RETURNED_DAYS`` is.
STAYED_DAYS = "_stayed_days"
_GRADES = pl.Series([*(f"{letter}{number}" for letter in "ABC" for number in "123"), None], dtype=pl.String)
_NO_POINTS, _NOTHING = pl.Series([0], dtype=_POINTS), pl.Series([0], dtype=_WHOLE)


@dataclass(frozen=True, slots=True)
class Judged:
    """One rule's answers, a row a lead.

    ``points``: Int16. ``unknown``: where it could not be judged. ``age``: for a rule that ages, whole days
    (Int32, null: no date).
    """

    points: pl.Series
    unknown: pl.Series
    age: pl.Series | None = None


@dataclass(frozen=True, slots=True)
class Slack:
    """How far the rules that could not be judged might raise (``up``) or lower (``down``) the points, Int32."""

    up: pl.Series
    down: pl.Series


@dataclass(frozen=True, slots=True)
class Scored:
    """The score of each lead and what the stages need beside it, a row a lead.

    ``rules``, ``caps``, ``gates``, ``interest``, ``never``, ``evidence``: the answers, in the policy's order;
    ``caps`` the points that each takes off (Int32, 0 or less); ``reentry`` None where the policy has no such
    condition. ``fit``, ``engagement``, ``score``, ``coverage``: Int32. ``rank``: the band's place from the
    coldest, as scored (Int32); ``worst`` and ``best``: what it might be, were everything known. ``asks``: where
    more data is wanted first; None where the policy never asks. ``grade``: null without a grid.
    """

    rules: Sequence[Judged]
    caps: Sequence[pl.Series]
    gates: Sequence[pl.Series]
    interest: pl.Series
    never: pl.Series
    evidence: Sequence[pl.Series]
    reentry: pl.Series | None
    fit: pl.Series
    engagement: pl.Series
    score: pl.Series
    coverage: pl.Series
    temperature: pl.Series
    grade: pl.Series
    rank: pl.Series
    worst: pl.Series
    best: pl.Series
    asks: pl.Series | None


def prepare(leads: pl.DataFrame, policy: Policy, now: datetime) -> dict[str, pl.Series]:
    """The columns that are looked at, by name, with ages in whole days, and money in the policy's currency.

    ``leads`` has ``lead_id``, the lead fields that the policy names (``policy.needed()``), and the columns of
    ``PREVIOUS_SCHEMA`` (a missing one counts as null). ``now`` needs a time zone. Raises ``ValueError`` for a
    lead column that is missing: leaving it out would make a blank of what was never read.
    """
    if now.utcoffset() is None:
        raise ValueError("now needs a time zone")
    there, needed = set(leads.columns), policy.needed() | {"lead_id"}
    if missing := sorted(needed - there):
        raise ValueError(f"the frame of leads lacks {', '.join(missing)}")
    columns = {name: leads[name] for name in needed}
    derived = pl.DataFrame([*columns.values()]).select(policy.derived(leads, now))
    for name, dtype in PREVIOUS_SCHEMA.items():
        columns[name] = leads[name] if name in there else every(None, dtype, leads.height)
    columns[RETURNED_DAYS] = days_since(columns["prev_returned_on"], now).alias(RETURNED_DAYS)
    columns[STAYED_DAYS] = days_since(columns["prev_temperature_since"], now)
    return {**columns, **{column.name: column for column in derived.get_columns()}}


def days_since(days: pl.Series, now: datetime) -> pl.Series:
    """Whole days from a calendar day to that of ``now`` in UTC (Int32, null: no day)."""
    if days.null_count() == len(days):
        return every(None, _WHOLE, len(days))
    return every(day_number(now), _WHOLE, len(days)) - days.cast(_WHOLE)


def score(leads: Mapping[str, pl.Series], policy: Policy) -> Scored:
    """Points, unknown marks, fit, engagement, coverage and temperature of leads that ``prepare`` made ready.

    ``score`` is ``fit + engagement``, the plain sum of the points. ``coverage`` is the share of rules that
    could be judged, in whole per cent rounded down, each rule weighted by its points without their sign.
    """
    answers, ruled, gated = policy.asked.answers(leads), len(policy.rules), len(policy.gates)
    rules = [_judged(rule, met, leads) for rule, met in zip(policy.rules, answers[:ruled], strict=True)]
    gates, (interest, never, *more) = answers[ruled : ruled + gated], answers[ruled + gated :]
    height, shown = len(leads["lead_id"]), len(policy.evidence)
    halves, caps = totals(policy, [one.points for one in rules], height)
    fit_slack, slack, unjudged = _slacks(policy, rules, halves, height)
    total = halves["fit"] + halves["engagement"]
    rank, worst, best = _ranks(policy, total, slack, halves["fit"], fit_slack, leads)
    coverage = looked_up(_shares(_weight(policy)), unjudged.cast(pl.UInt32))
    asks = None
    if policy.ask_below:
        # Where everything that is not known could not change the band, there is nothing to ask for.
        asks = (coverage < one(policy.ask_below, _WHOLE)) & (worst != best)
    return Scored(
        rules=rules,
        caps=caps,
        gates=gates,
        interest=interest,
        never=never,
        evidence=more[:shown],
        reentry=more[shown] if len(more) > shown else None,
        fit=halves["fit"],
        engagement=halves["engagement"],
        score=total,
        coverage=coverage,
        temperature=_named(policy, rank, asks),
        grade=_grade(policy.grid, halves, asks),
        rank=rank,
        worst=worst,
        best=best,
        asks=asks,
    )


def _named(policy: Policy, rank: pl.Series, asks: pl.Series | None) -> pl.Series:
    place = rank if asks is None else choose(asks, one(len(policy.bands), _WHOLE), rank)
    return looked_up(pl.Series("temperature", policy.temperatures), place.cast(pl.UInt32))


def _grade(grid: Grid | None, halves: Mapping[Group, pl.Series], asks: pl.Series | None) -> pl.Series:
    """A1 to C3: the letter for fit, the number for engagement; null without a grid, or while data is asked for."""
    if grid is None:
        return every(None, pl.String(), len(halves["fit"]))
    lines = {"fit": grid.fit, "engagement": grid.engagement}
    place = every(0, _WHOLE, len(halves["fit"]))
    for group in _GROUPS:
        high, low = (one(line, _WHOLE) for line in lines[group])
        below = (halves[group] < high).cast(_WHOLE) + (halves[group] < low).cast(_WHOLE)
        place = place * 3 + below
    if asks is not None:
        place = choose(asks, one(9, _WHOLE), place)
    return looked_up(_GRADES, place.cast(pl.UInt32))


def _judged(rule: Rule, met: pl.Series, leads: Mapping[str, pl.Series]) -> Judged:
    points = one(rule.points, _POINTS)
    if rule.half_life_days is None or rule.since is None:
        return Judged(choose(met, points, _NO_POINTS), unknown(met))
    left = decayed_points(rule.points, rule.half_life_days)
    days = leads[f"{rule.since}{AGE_SUFFIX}"]
    age = choose(days < _NOTHING, _NOTHING, days)
    last = one(len(left) - 1, _WHOLE)
    faded = looked_up(left, choose(age >= last, last, age).cast(pl.UInt32))
    counts = met & holds(age >= _NOTHING)
    return Judged(choose(counts, faded, _NO_POINTS), ~(fails(met) | holds(counts)), age)


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


def _weight(policy: Policy) -> int:
    return sum(abs(rule.points) for rule in policy.rules)


@lru_cache(maxsize=64)
def _shares(weight: int) -> pl.Series:
    """The coverage in whole per cent by the weight that could not be judged, from 0 up."""
    shares = [(weight - unjudged) * 100 // weight for unjudged in range(weight + 1)] if weight else [100]
    return pl.Series(shares, dtype=pl.Int32)


def _sum(policy: Policy, parts: Sequence[pl.Series], height: int) -> pl.Series:
    # The narrowest number that every sum fits into: half the width is half the time.
    width = pl.Int16() if _weight(policy) < 2**15 else pl.Int32()
    total = every(0, width, height)
    for part in parts:
        total = total + (part if part.dtype == width else part.cast(width))
    return total.cast(pl.Int32)


def totals(
    policy: Policy, points: Sequence[pl.Series], height: int
) -> tuple[dict[Group, pl.Series], list[pl.Series]]:
    """The sum of each group (Int32) within the policy's caps, and what every cap takes off (0 or less)."""
    sums = {
        group: _sum(
            policy, [p for rule, p in zip(policy.rules, points, strict=True) if rule.group == group], height
        )
        for group in _GROUPS
    }
    taken = []
    for cap in policy.caps:
        inside = (
            sums[cap.group] if cap.whole else _sum(policy, [points[place] for place in cap.places], height)
        )
        over = inside - one(cap.most, _WHOLE)
        off = choose(over > _NOTHING, _NOTHING - over, _NOTHING)
        sums[cap.group] = sums[cap.group] + off
        taken.append(off)
    return sums, taken


def _slacks(
    policy: Policy, rules: Sequence[Judged], halves: Mapping[Group, pl.Series], height: int
) -> tuple[Slack, Slack, pl.Series]:
    """How far fit, and the whole score, might move; and the weight of the rules that could not be judged."""
    fit, both = _slack(policy, rules, height, "fit"), _slack(policy, rules, height, *_GROUPS)
    unjudged = both.up - both.down
    if not policy.caps:
        return fit, both, unjudged
    best, worst = (totals(policy, _supposed(policy, rules, sign), height)[0] for sign in (1, -1))
    total = halves["fit"] + halves["engagement"]
    capped = Slack(best["fit"] - halves["fit"], worst["fit"] - halves["fit"])
    every_one = Slack(best["fit"] + best["engagement"] - total, worst["fit"] + worst["engagement"] - total)
    return capped, every_one, unjudged


def _supposed(policy: Policy, rules: Sequence[Judged], sign: int) -> list[pl.Series]:
    """The points of each rule, were all rules of this sign met that could not be judged."""
    return [
        choose(judged.unknown, one(rule.points, _POINTS), judged.points)
        if rule.points * sign > 0 and judged.unknown.any()
        else judged.points
        for rule, judged in zip(policy.rules, rules, strict=True)
    ]


def _slack(policy: Policy, rules: Sequence[Judged], height: int, *groups: Group) -> Slack:
    up: list[pl.Series] = []
    down: list[pl.Series] = []
    for rule, judged in zip(policy.rules, rules, strict=True):
        if rule.group in groups and judged.unknown.any():
            points = one(rule.points, _POINTS)
            (up if rule.points > 0 else down).append(choose(judged.unknown, points, _NO_POINTS))
    return Slack(_sum(policy, up, height), _sum(policy, down, height))


def _ranks(
    policy: Policy,
    total: pl.Series,
    slack: Slack,
    fit: pl.Series,
    fit_slack: Slack,
    leads: Mapping[str, pl.Series],
) -> tuple[pl.Series, pl.Series, pl.Series]:
    """Which band, counted from the coldest: as scored, at worst and at best.

    The worst is reckoned without drop tolerance and minimum stay: a temperature that was only shown because
    something is not known must not become the reason for handing the lead over.
    """
    last = _last_band(policy, leads)
    rank = _rank(policy, total, fit, last)
    best = _rank(policy, total + slack.up, fit + fit_slack.up, last)
    worst = _rank(policy, total + slack.down, fit + fit_slack.down, None)
    if policy.stay_days and last is not None:
        stays = holds(leads[STAYED_DAYS] < one(policy.stay_days, _WHOLE))
        rank, best = (choose(stays & (last > reached), last, reached) for reached in (rank, best))
    return rank, choose(slack.down == _NOTHING, rank, worst), best


def _rank(policy: Policy, total: pl.Series, fit: pl.Series, last: pl.Series | None) -> pl.Series:
    """The highest band reached. A band that the lead already stood in (``last``, None: the lowest), or one below
    it, is held until total or fit falls more than the drop tolerance under its line: a higher score never gives
    a lower band, nor does a warmer past."""
    rank = every(0, _WHOLE, len(total))
    for place, band in enumerate(policy.bands):
        if band.total is not None:
            rank = choose(_reached(policy, place, band, total, fit, last), one(place, _WHOLE), rank)
    return rank


def _last_band(policy: Policy, leads: Mapping[str, pl.Series]) -> pl.Series | None:
    """The place of the band the lead stood in; the lowest for none, or for one that the policy lost."""
    before = leads["prev_temperature"]
    if before.null_count() == len(before):
        return None
    place = (
        before.cast(pl.Enum([band.name for band in policy.bands]), strict=False).to_physical().cast(pl.Int32)
    )
    return choose(place >= _NOTHING, place, _NOTHING)


def _reached(
    policy: Policy, place: int, band: Band, total: pl.Series, fit: pl.Series, last: pl.Series | None
) -> pl.Series:
    if last is not None and policy.drop_tolerance:
        grace = choose(last >= one(place, _WHOLE), one(policy.drop_tolerance, _WHOLE), _NOTHING)
        total, fit = total + grace, fit + grace
    reached = total >= one(band.total or 0, _WHOLE)
    return reached if band.fit_at_least is None else reached & (fit >= one(band.fit_at_least, _WHOLE))
