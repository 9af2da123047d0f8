"""Whether the world moved between the two parts of a backtest: the rate of all leads, and of each band."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mapping.qualification.backtest_rates import Rate, unlikely_alike

#: What the rate of all leads is called beside those of the bands.
ALL_LEADS = "all leads"
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
        what = self.what if self.what == ALL_LEADS else f"band {self.what}"
        return (
            f"drift: of {what} {_said(self.before)} reached the outcome before,"
            f" and {_said(self.after)} in the tested part"
        )

    def as_json(self) -> dict[str, Any]:
        return {
            "what": self.what,
            **_as_json("before", self.before),
            **_as_json("after", self.after),
            "chance": self.chance,
        }


def _said(rate: Rate) -> str:
    return f"{(rate.rate or 0) * 100:.1f} % ({rate.low * 100:.1f} to {rate.high * 100:.1f})"


def _as_json(when: str, rate: Rate) -> dict[str, Any]:
    return {when: rate.rate, f"{when}_low": rate.low, f"{when}_high": rate.high, f"{when}_leads": rate.leads}


def drift_between(
    before: Sequence[tuple[str, Rate]],
    after: Sequence[tuple[str, Rate]],
    false_alarms: float = FALSE_ALARMS,
) -> list[Drift]:
    """The named rates that differ more than chance explains, allowing for how many are compared.

    ``false_alarms``: how often at most anything is found where nothing moved.
    """
    compared = [
        Drift(name, first, second, unlikely_alike(first, second))
        for (name, first), (_, second) in zip(before, after, strict=True)
    ]
    limit = false_alarms / max(1, len(compared))
    return [one for one in compared if one.chance < limit]
