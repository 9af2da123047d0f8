"""Drawing one of several values by their shares."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from itertools import accumulate
from typing import Generic, TypeVar

T = TypeVar("T")


class Wheel(Generic[T]):
    """Values with shares. Equal numbers always give equal values.

    Raises ValueError without values or when a share is negative or all are zero.
    """

    __slots__ = ("_sums", "_total", "values")

    def __init__(self, shares: Iterable[tuple[T, float]]) -> None:
        pairs = list(shares)
        if not pairs or min(share for _, share in pairs) < 0 or not sum(share for _, share in pairs):
            raise ValueError("a wheel needs values with shares that are not negative and not all zero")
        self.values: tuple[T, ...] = tuple(value for value, _ in pairs)
        self._sums = list(accumulate(share for _, share in pairs))
        self._total = self._sums[-1]

    def at(self, number: float) -> T:
        """The value at a number from 0 (included) to 1 (excluded)."""
        # The last value also takes what rounding leaves over.
        return self.values[min(bisect_right(self._sums, number * self._total), len(self.values) - 1)]
