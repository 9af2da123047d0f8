"""Shares and how sure they are: intervals that stay honest with few leads.

All intervals hold 95 %. A share has Wilson's interval. A lift is a ratio of a part to the whole that holds it,
so the two are not independent: its interval comes from the ratio of the part to the rest (Miettinen and
Nurminen's score interval), which a lift determines and is determined by.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import erfc, sqrt

#: The normal quantile of a two-sided 95 % interval.
Z = 1.959963984540054
_HALVINGS = 80


@dataclass(frozen=True, slots=True)
class Rate:
    """A share from 0 to 1 with its interval. ``rate`` is None where nobody was counted: then it may be anything."""

    leads: int
    outcomes: int
    rate: float | None
    low: float
    high: float


def rate_of(outcomes: int, leads: int) -> Rate:
    """The share with Wilson's interval. Raises ``ValueError`` for more outcomes than leads."""
    if not 0 <= outcomes <= leads:
        raise ValueError("outcomes have to be from 0 to leads")
    if not leads:
        return Rate(0, 0, None, 0.0, 1.0)
    share, weight = outcomes / leads, Z * Z / leads
    middle = share + weight / 2
    reach = Z * sqrt(share * (1 - share) / leads + weight / (4 * leads))
    low = 0.0 if not outcomes else max(0.0, (middle - reach) / (1 + weight))
    high = 1.0 if outcomes == leads else min(1.0, (middle + reach) / (1 + weight))
    return Rate(leads, outcomes, share, low, high)


@dataclass(frozen=True, slots=True)
class Lift:
    """How many times as often as among all leads. All None where there was no outcome at all."""

    lift: float | None
    low: float | None
    high: float | None


def lift_of(outcomes: int, leads: int, all_outcomes: int, all_leads: int) -> Lift:
    """The lift of a part of all leads. Who is in the part must not have been chosen by the outcome.

    Raises ``ValueError`` where the part does not fit into the whole.
    """
    others, their_outcomes = all_leads - leads, all_outcomes - outcomes
    if not (0 <= outcomes <= leads and 0 <= their_outcomes <= others):
        raise ValueError("the part does not fit into the whole")
    if not all_outcomes or not leads:
        return Lift(None, None, None)
    lift = (outcomes / leads) / (all_outcomes / all_leads)
    if not others:
        return Lift(lift, lift, lift)
    most = all_leads / leads  # every outcome in the part

    def fits(tried: float) -> bool:
        return _distance(tried, outcomes, leads, their_outcomes, others) <= Z * Z

    low = 0.0 if not outcomes else _edge(0.0, lift, fits)
    high = most if not their_outcomes else _edge(most, lift, fits)
    return Lift(lift, low, high)


def _edge(outside: float, inside: float, fits: Callable[[float], bool]) -> float:
    """The last lift between a fitting and an unfitting one that fits."""
    far, near = outside, inside
    for _ in range(_HALVINGS):
        middle = (far + near) / 2
        if fits(middle):
            near = middle
        else:
            far = middle
    return near


def _distance(lift: float, outcomes: int, leads: int, their_outcomes: int, others: int) -> float:
    """How far (squared, in standard deviations) what was counted lies from this lift being true."""
    whole = leads + others
    rest = whole - lift * leads
    if lift <= 0.0 or rest <= 0.0:
        return float("inf")
    ratio = lift * others / rest  # of the part to the others
    half = leads * ratio + outcomes + others + their_outcomes * ratio
    root = sqrt(max(0.0, half * half - 4 * whole * ratio * (outcomes + their_outcomes)))
    theirs = (half - root) / (2 * whole * ratio)
    ours = min(1.0, ratio * theirs)
    spread = ours * (1 - ours) / leads + ratio * ratio * theirs * (1 - theirs) / others
    gap = outcomes / leads - ratio * their_outcomes / others
    if spread <= 0.0:
        return 0.0 if abs(gap) < 1e-12 else float("inf")
    return gap * gap / (spread * whole / (whole - 1))


def unlikely_alike(first: Rate, second: Rate) -> float:
    """How likely two shares differ as much or more by chance alone (two-sided, pooled); 1 where one is empty."""
    if not first.leads or not second.leads:
        return 1.0
    whole = first.leads + second.leads
    pooled = (first.outcomes + second.outcomes) / whole
    spread = pooled * (1 - pooled) * (1 / first.leads + 1 / second.leads)
    if spread <= 0.0:
        return 1.0
    gap = abs(first.outcomes / first.leads - second.outcomes / second.leads)
    return erfc(gap / sqrt(2 * spread))
