"""Whether the world moved between the two parts of a backtest: the rate of all leads, and of each band."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mapping.qualification.backtest_rates import Rate, unlikely_alike

#: All comparisons of one backtest together raise a false alarm this often.
FALSE_ALARMS = 0.01


@dataclass(frozen=True, slots=True)
class Drift:
    """A rate that moved. ``chance``: how likely such a difference is where nothing moved."""

    what: str
    before: Rate
    after: Rate
    chance: float

    def said(self) -> str:
        what = self.what if self.what == "all leads" else f"band {self.what}"
        return (
            f"drift: of {what} {(self.before.rate or 0) * 100:.1f} % reached the outcome before,"
            f" and {(self.after.rate or 0) * 100:.1f} % in the tested part"
        )

    def as_json(self) -> dict[str, Any]:
        return {
            "what": self.what,
            "before": self.before.rate,
            "after": self.after.rate,
            "chance": self.chance,
        }


def drift_between(before: Sequence[tuple[str, Rate]], after: Sequence[tuple[str, Rate]]) -> list[Drift]:
    """The named rates that differ more than chance explains, allowing for how many are compared."""
    compared = [
        Drift(name, first, second, unlikely_alike(first, second))
        for (name, first), (_, second) in zip(before, after, strict=True)
    ]
    limit = FALSE_ALARMS / max(1, len(compared))
    return [one for one in compared if one.chance < limit]
