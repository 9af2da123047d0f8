"""How sure a number is: intervals for rates and counts that hold for small numbers, and quantiles. Pure.

Every interval covers 95 % and is two-sided.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

Z = 1.959963984540054  # the 97.5 % point of the normal distribution
_TAIL = 0.025


def wilson(successes: int, of: int) -> tuple[float, float]:
    """Wilson's score interval of a rate, each end between 0 and 1; all of it where nothing was observed.

    Raises ValueError where ``successes`` lies outside 0 to ``of``.
    """
    if not 0 <= successes <= of:
        raise ValueError(f"{successes} of {of} is no rate")
    if of == 0:
        return 0.0, 1.0
    rate, square = successes / of, Z * Z
    middle = (rate + square / (2 * of)) / (1 + square / of)
    half = Z / (1 + square / of) * math.sqrt(rate * (1 - rate) / of + square / (4 * of * of))
    # At the ends the formula gives exactly 0 and 1; rounding must not say otherwise.
    low = 0.0 if successes == 0 else max(0.0, middle - half)
    high = 1.0 if successes == of else min(1.0, middle + half)
    return low, high


def poisson(count: int) -> tuple[float, float]:
    """The exact (Garwood) interval of an expected number, of which ``count`` was observed.

    Raises ValueError for a negative count.
    """
    if count < 0:
        raise ValueError(f"{count} cannot be a count")
    # At least so many with probability 2.5 %, and at most so many with 2.5 %: below and above that it is implausible.
    low = 0.0 if count == 0 else _root(lambda mean: 1 - at_most(count - 1, mean) - _TAIL, 0.0, float(count))
    high = _root(
        lambda mean: _TAIL - at_most(count, mean), float(count), count + 10 * math.sqrt(count + 4) + 10
    )
    return low, high


def at_most(count: int, mean: float) -> float:
    """The probability of at most ``count`` events where ``mean`` are expected."""
    if mean <= 0:
        return 1.0
    # From the largest term downwards, in logarithms: the first terms vanish where the mean is large.
    top = count * math.log(mean) - mean - math.lgamma(count + 1)
    total, ratio = 0.0, 1.0
    for number in range(count, -1, -1):
        total += ratio
        ratio *= number / mean
        if ratio < total * 1e-17:
            break
    return min(1.0, math.exp(top + math.log(total)))


def _root(of: Callable[[float], float], low: float, high: float) -> float:
    for _ in range(200):
        middle = (low + high) / 2
        if of(middle) < 0:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def quantile(values: Sequence[float], share: float) -> float | None:
    """The value below which this share of the values lies, between two neighbours in proportion; None without any."""
    if not values:
        return None
    ordered = sorted(values)
    place = (len(ordered) - 1) * share
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)
