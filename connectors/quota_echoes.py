"""What a backfill brings with it: what it wrote is told by the change logs, and our live lanes read it again.

Those calls are the backfill's, too. Taken for other people's, they would look like a day that is busier than any before
it, and stop the backfill that they come from.
"""

from __future__ import annotations

from bisect import bisect, bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import accumulate

from connectors.quota_day import A_DAY, AN_HOUR, Hour, Resets, day_began, middle, part_of_day, whole_hour

#: Calls of a backfill below which it is not told how many come of each.
ENOUGH_CALLS = 50
#: Days on which an hour has to be known without a backfill before it is told what is usual in it.
ENOUGH_DAYS = 3
#: So many calls may come of each that a backfill makes, itself included. What live lanes call beyond that has another
#: reason: a campaign, or a night in which nobody listened.
MOST_DRAWN = 5
A_MOMENT = timedelta(seconds=1)


def told_apart(hours: Sequence[Hour], now: datetime, resets: Resets | None) -> tuple[list[Hour], float]:
    """The hours, oldest first, with what backfills brought with them as calls of theirs; and how many calls come of
    each that a backfill makes, itself included, as in the last day: 1 to ``MOST_DRAWN``.

    What backfills brought with them is what our live lanes called more than they usually do, in hours in which a
    backfill called and in those after them. What they usually do is known from the same hours of days without one;
    where it is not, nothing is theirs. Of a few calls nobody can tell what comes of each.
    """
    usual = _usual(hours)
    return _with_echoes(hours, _echoes(hours, hours, usual), resets), _drawn(hours, now, usual)


def _with_echoes(hours: Sequence[Hour], echoes: Mapping[datetime, int], resets: Resets | None) -> list[Hour]:
    if not echoes:
        return list(hours)
    starts, days = sorted(echoes), _Days(resets)
    up_to = [0, *accumulate(echoes[start] for start in starts)]
    told = []
    for one in hours:
        began = days.began(one.start + AN_HOUR - A_MOMENT)
        first = bisect_left(starts, began)
        of_day = float(up_to[bisect(starts, one.start)] - up_to[first])
        if first:
            of_day += echoes[starts[first - 1]] * part_of_day(starts[first - 1], began)
        echo, drawn_so_far = echoes.get(one.start, 0), round(of_day)
        told.append(_of_hour(one, echo, drawn_so_far) if echo or drawn_so_far else one)
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


def _drawn(hours: Sequence[Hour], now: datetime, usual: Mapping[int, float]) -> float:
    lately = [one for one in hours if one.start > whole_hour(now) - A_DAY]
    made = sum(one.backfill for one in lately)
    if made < ENOUGH_CALLS:
        return 1.0
    return min(1 + sum(_echoes(lately, hours, usual).values()) / made, MOST_DRAWN)


def _echoes(hours: Sequence[Hour], known: Sequence[Hour], usual: Mapping[int, float]) -> dict[datetime, int]:
    """Hour to the live calls in it that the backfills of ``hours`` brought with them.

    ``known``: the hours that tell what of an echo came of an hour before ``hours``. ``usual``: see ``_usual``.
    """
    made, made_ever = ({one.start: one.backfill for one in some if one.backfill} for some in (hours, known))
    found = {}
    for one in hours:
        came_of, of_all = (
            those.get(one.start, 0) + those.get(one.start - AN_HOUR, 0) for those in (made, made_ever)
        )
        as_ever = usual.get(one.start.hour)
        if came_of and as_ever is not None:
            more = min(one.ours - one.backfill - as_ever, (MOST_DRAWN - 1) * of_all)
            if (echo := round(more * came_of / of_all)) > 0:
                found[one.start] = echo
    return found


def _usual(known: Sequence[Hour]) -> Mapping[int, float]:
    """Live calls in an hour of the day (UTC), where enough days are known on which no backfill had to do with them."""
    at_work = {one.start for one in known if one.backfill}
    of_hour: dict[int, list[int]] = {}
    for one in known:
        if one.start not in at_work and one.start - AN_HOUR not in at_work:
            of_hour.setdefault(one.start.hour, []).append(one.ours)
    return {hour: middle(counts) for hour, counts in of_hour.items() if len(counts) >= ENOUGH_DAYS}


def _of_hour(one: Hour, echo: int, of_day: int) -> Hour:
    """The hour with its echo as calls of a backfill; those ``of_day`` so far are not among the calls of others."""
    if one.besides is None:
        return replace(one, backfill=one.backfill + echo)
    return replace(
        one,
        backfill=one.backfill + echo,
        besides=max(one.besides - of_day, 0),
        highest=max((one.highest or 0) - of_day, 0),
    )
