"""What nobody tried, nobody knows: how far sales ever worked leads below the line, and whom to try at random."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from mapping.lead import Stage
from mapping.qualification.backtest_rates import Rate, rate_of

#: Below the line leads are worked less often than above it; from this part on the recall says little.
TOO_SELDOM = 0.5
_BELOW = (Stage.LEAD.value, Stage.NURTURE.value)
_WAYS = ("may_email", "may_call", "may_post")
_SIZE = 2**32
_WEEK = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Below:
    """Whom chance handed over below the line. ``rate``: of those whom somebody worked and whose horizon is over."""

    drawn: int
    open: int
    unworked: int
    rate: Rate

    def as_json(self) -> dict[str, Any]:
        """``drawn`` is ``open``, ``unworked`` and ``leads`` together."""
        counted = {"drawn": self.drawn, "open": self.open, "unworked": self.unworked}
        return counted | asdict(self.rate)


def below_the_line(judged: pl.DataFrame) -> Below:
    """What share of the leads below the line reaches the outcome when sales get them, by those that chance chose.

    Every lead that could be drawn had the same chance, so that they stand for all of them, but in weeks that were full
    (``full_weeks``). ``judged``: cases.
    """
    drawn = judged.filter(pl.col("explored").fill_null(value=False))
    worked = drawn["worked"].fill_null(value=True)
    unworked, decided = drawn.filter(~worked), drawn.filter(worked & drawn["outcome"].is_not_null())
    still_open = drawn.height - unworked.height - decided.height
    rate = rate_of(int(decided["outcome"].sum()), decided.height)
    return Below(drawn.height, still_open, unworked.height, rate)


def full_weeks(drawn: Sequence[datetime], a_week: int) -> int:
    """How many stretches of seven days, none of them twice, saw ``a_week`` draws or more."""
    times, weeks, first = sorted(drawn), 0, 0
    while first + a_week <= len(times):
        end = times[first] + _WEEK
        if times[first + a_week - 1] < end:
            weeks += 1
            while first < len(times) and times[first] < end:
                first += 1
        else:
            first += 1
    return weeks


def about_full_weeks(drawn: Sequence[datetime], a_week: int) -> list[str]:
    """A note where the week's number cut the draw short: who was left over then was not chosen by chance alone."""
    weeks = full_weeks(drawn, a_week)
    if not weeks:
        return []
    return [
        f"in {weeks} {'week' if weeks == 1 else 'weeks'} as many leads were drawn to explore as"
        f" handover.explore_per_week allows ({a_week}): the share that was drawn is the most that it can have been"
        " then, and leads that a sync read because they changed went before the others"
    ]


def worked_on_each_side(judged: pl.DataFrame) -> tuple[Rate, Rate]:
    """(above, below): of the leads on each side of the MQL line, those that sales worked; explorations aside."""
    judged = judged.filter(~pl.col("explored").fill_null(value=False))
    above = judged["stage"] == Stage.MQL.value
    worked = judged["worked"].fill_null(value=True)
    ours, theirs = worked.filter(above), worked.filter(~above)
    return rate_of(int(ours.sum()), len(ours)), rate_of(int(theirs.sum()), len(theirs))


def about_exploring(judged: pl.DataFrame) -> list[str]:
    """A warning where leads below the line were hardly ever worked: the recall is then about the few that were."""
    above, below = worked_on_each_side(judged)
    if not above.rate or below.rate is None or below.rate >= TOO_SELDOM * above.rate:
        return []
    return [
        f"of the leads below the MQL line {below.rate * 100:.0f} % were worked, of those above it"
        f" {above.rate * 100:.0f} %: the recall, and the rates of the lower deciles, are about those few, whom sales"
        " chose; handover.explore_share hands some over at random"
    ]


def to_explore(judged: pl.DataFrame, share: float) -> list[str]:
    """The ids of leads to hand over although they are below the line: this share of them, the same every time.

    Of those that nobody worked and that can be reached. Chosen by their ids alone, so that what becomes of them
    tells the truth about everybody below the line. Raises ``ValueError`` for a share outside 0 to 1.
    """
    if not 0.0 <= share <= 1.0:
        raise ValueError("the share has to be from 0 to 1")
    reachable = pl.any_horizontal(pl.col(name).fill_null(value=False) for name in _WAYS)
    unworked = ~pl.col("worked").fill_null(value=True) & ~pl.col("explored").fill_null(value=False)
    unworked = unworked & pl.col("stage").is_in(list(_BELOW)) & reachable
    return [lead for lead in judged.filter(unworked)["lead_id"] if _place(lead) < share * _SIZE]


def _place(lead_id: str) -> int:
    """Where an id stands, evenly from 0 to 2**32."""
    return int.from_bytes(hashlib.sha256(lead_id.encode()).digest()[:4], "big")
