"""What a backfill brings with it: what it wrote is told by the change logs, and our live lanes read it again.

Those calls are the backfill's, too. Taken for other people's, they would look like a day that is busier than any before
it, and stop the backfill that they come from.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from connectors.quota_day import A_DAY, AN_HOUR, Hour, Resets, day_began, in_day, middle

#: Calls of a backfill below which it is not told how many come of each.
ENOUGH_CALLS = 50
A_MOMENT = timedelta(seconds=1)


def with_echoes(hours: Sequence[Hour], resets: Resets | None) -> list[Hour]:
    """The hours, oldest first, with what backfills brought with them as calls of theirs.

    That is what our live lanes called more than they usually do, in hours in which a backfill called and in those after
    them. What they usually do is known from the hours without one: from the same ones of other days, where there are.
    """
    echoes = _echoes(hours)
    if not echoes:
        return list(hours)
    counted, days = sorted(echoes.items()), _Days(resets)
    starts = [start for start, _ in counted]
    told = []
    for one in hours:
        began = days.began(one.start + AN_HOUR - A_MOMENT)
        of_day = counted[bisect(starts, began - AN_HOUR) : bisect(starts, one.start)]
        told.append(_told_apart(one, echoes.get(one.start, 0), round(in_day(of_day, began))))
    return told


class _Days:
    """When days began, asked for one moment after the other: each reset is looked for once."""

    def __init__(self, resets: Resets | None) -> None:
        self._resets = resets
        self._began: datetime | None = None
        self._ends: datetime | None = None

    def began(self, moment: datetime) -> datetime:
        """The beginning of the day of a moment (aware)."""
        if self._resets is None:
            return moment - A_DAY
        if self._began is None or self._ends is None or moment >= self._ends:
            self._began, self._ends = day_began(moment, self._resets), self._resets(moment)
        return self._began


def drawn(hours: Sequence[Hour], now: datetime) -> float:
    """How many calls come of each that a backfill makes, itself included, as in the last day; 1 or more.

    Of a few calls nobody can tell.
    """
    lately = [one for one in hours if one.start > now - A_DAY]
    made = sum(one.backfill for one in lately)
    return 1 + sum(_echoes(lately, hours).values()) / made if made >= ENOUGH_CALLS else 1.0


def _echoes(hours: Sequence[Hour], known: Sequence[Hour] | None = None) -> dict[datetime, int]:
    """Hour to the live calls in it that a backfill brought with it; ``known``: the hours that tell what is usual."""
    known = hours if known is None else known
    at_work = {one.start for one in known if one.backfill}
    at_work |= {start + AN_HOUR for start in at_work}
    usual = _usual([one for one in known if one.start not in at_work])
    found = {}
    for one in hours:
        as_ever = usual.get(one.start.hour, usual.get(None))
        if one.start in at_work and as_ever is not None and one.ours - one.backfill > as_ever:
            found[one.start] = round(one.ours - one.backfill - as_ever)
    return found


def _usual(quiet: Sequence[Hour]) -> Mapping[int | None, float]:
    """Live calls of an hour of the day (UTC), and of any under None; nothing where there is no quiet hour."""
    of_hour: dict[int | None, list[int]] = {}
    for one in quiet:
        for hour in (one.start.hour, None):
            of_hour.setdefault(hour, []).append(one.ours)
    return {hour: middle(counts) for hour, counts in of_hour.items()}


def _told_apart(one: Hour, echo: int, of_day: int) -> Hour:
    """The hour with its echo as calls of a backfill; those ``of_day`` so far are not among the calls of others."""
    if one.besides is None:
        return replace(one, backfill=one.backfill + echo)
    return replace(
        one,
        backfill=one.backfill + echo,
        besides=max(one.besides - of_day, 0),
        highest=max((one.highest or 0) - of_day, 0),
    )
