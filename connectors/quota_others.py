"""What all others use of a CRM's day: people's integrations and our own live lanes, everything but backfills.

What others used is kept by the hour, and how far it will go is told from the past days: on a day that ends at midnight
by what came after this hour then, on one that rolls by how high it stood. The middle one of them counts, with its
spread: one odd day does not stop a backfill for a week. Where the same day a week ago was higher, or this day is ahead
of them all, that counts: a busy Monday comes every week. The days that follow are told in the same way, so that the
end of a backfill can be.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from math import sqrt
from statistics import pstdev

from connectors.quota_day import (
    A_DAY,
    AN_HOUR,
    PAST_DAYS,
    Hour,
    Others,
    Resets,
    besides_backfills,
    day_began,
    middle,
    whole_hour,
)

#: Heard hours of the last day below which nobody knows how others use theirs.
ENOUGH_HOURS = 20
#: What a single earlier day may differ from this one; of several the spread is known.
OF_ONE_DAY = 0.1
#: No day is quite like another: so much more than was seen of the others, as a part of it, is expected of them.
NEVER_ALIKE = 0.02


def foreseen(hours: Sequence[Hour], used: int, now: datetime, resets: Resets | None) -> Others:
    """What everybody but backfills will have used of the day: until its end, or, where it rolls, at its highest.

    ``hours``: oldest first. ``used``: everybody's calls, as the CRM last counted them.
    """
    began = day_began(now, resets)
    besides, _ = besides_backfills(
        used, [(one.start, one.backfill) for one in hours if one.start <= now], began
    )
    heard = [one for one in hours if one.besides is not None and one.start <= now]
    sure = sum(one.start > now - A_DAY for one in heard) >= ENOUGH_HOURS
    if resets is None:
        peaks = _peaks(heard, now)
        highest = _highest(peaks)
        expected, coming = max(besides, highest), _coming(peaks, highest)
    else:
        past = _past_days(heard, now, began, resets)
        expected = besides + _rest(heard, past, besides, now, began, resets)
        coming = _coming({0: expected, **{days: one.whole for days, one in past.items()}}, expected)
    of_each = [round(one * (1 + NEVER_ALIKE)) if sure else one for one in (expected, *coming)]
    return Others(besides, of_each[0], sure, tuple(of_each[1:]))


def _coming(days: dict[int, int], otherwise: int) -> tuple[int, ...]:
    """What each day of the next week may come to; ``days``: what the last ones did, by how many days ago, 0: today.

    As the middle one of them, and at least as the same day of this week; ``otherwise`` where nothing is known.
    """
    usual = round(middle(list(days.values()))) if days else otherwise
    return tuple(max(usual, days.get(PAST_DAYS - ahead, 0)) for ahead in range(1, PAST_DAYS + 1))


def _peaks(heard: Sequence[Hour], now: datetime) -> dict[int, int]:
    """How high a rolling day's calls stood in each of the last 24 hours, by how many days ago these ended."""
    peaks: dict[int, int] = {}
    for days in range(PAST_DAYS):
        until = now - days * A_DAY
        of_day = [one.highest or 0 for one in heard if until - A_DAY < one.start <= until]
        if of_day:
            peaks[days] = max(of_day)
    return peaks


def _highest(peaks: dict[int, int]) -> int:
    """How high a rolling day's calls will stand: as in the last day, in the days before, or in the 24 hours that
    began a week ago.
    """
    known = list(peaks.values())
    return max(known[0], peaks.get(PAST_DAYS - 1, 0), round(middle(known))) if known else 0


@dataclass(frozen=True, slots=True)
class _Past:
    """A past day of the others: their calls by this time of it, this hour's included, those of this hour, and all.

    ``at_most``: what they can have called by this time, where nobody listened in this hour: as many as were heard of
    next. ``since``: those from when this day was last heard of, before this hour, until this time.
    """

    by_now: int
    at_most: int
    this_hour: int
    since: int
    whole: int

    def still(self, besides: int, since: int) -> int:
        """The calls to come, where so many were made, and so many of ``since``.

        What is made of this hour's does not come again, nor what may have been made before anybody listened again.
        """
        rest = max(self.whole - min(max(besides, self.by_now), self.at_most), 0)
        return min(max(self.since - since, 0), self.this_hour) + rest


def _past_days(heard: Sequence[Hour], now: datetime, began: datetime, resets: Resets) -> dict[int, _Past]:
    """The past days of which it is known what came after this time, by how many days ago they were."""
    into, until = now - began, _heard_until(heard, now, began)[0] - began
    found, end = {}, began
    for days in range(1, PAST_DAYS + 1):
        start = day_began(end - AN_HOUR, resets)
        of_day = [one for one in heard if start <= one.start < end]
        # From this hour on: a day of which nothing was heard any more says nothing of what came.
        later = [one.highest or 0 for one in of_day if one.start > start + into - AN_HOUR]
        if later:
            by_now = max((one.highest or 0 for one in of_day if one.start <= start + into), default=0)
            found[days] = _Past(
                by_now,
                max(by_now, later[0]),
                by_now - _level(of_day, start + into),
                by_now - _level(of_day, start + until),
                max(one.highest or 0 for one in of_day),
            )
        end = start
    return found


def _level(hours: Sequence[Hour], moment: datetime) -> int:
    """What was last heard in the hours that had ended by a moment."""
    return next((one.besides or 0 for one in reversed(hours) if one.start + AN_HOUR <= moment), 0)


def _heard_until(heard: Sequence[Hour], now: datetime, began: datetime) -> tuple[datetime, int]:
    """The end of the last hour of this day that has ended and was heard of, and what had been called by then."""
    ended = [one for one in heard if began <= one.start and one.start + AN_HOUR <= whole_hour(now)]
    return (ended[-1].start + AN_HOUR, ended[-1].besides or 0) if ended else (began, 0)


def _rest(
    heard: Sequence[Hour],
    past: dict[int, _Past],
    besides: int,
    now: datetime,
    began: datetime,
    resets: Resets,
) -> int:
    """What others will still use until the reset: what came after this time of past days, and what this day is ahead
    of them at its own pace; without past days, all at this day's pace.
    """
    into, left = now - began, (resets(now) - now) / AN_HOUR
    if past:
        since = besides - _heard_until(heard, now, began)[1]
        rests = [one.still(besides, since) for one in past.values()]
        a_week_ago = past.get(PAST_DAYS, _Past(0, 0, 0, 0, 0))
        usual = middle(rests) + (0 if len(rests) > 1 else OF_ONE_DAY * rests[0])
        by_now = max(middle([one.at_most for one in past.values()]), a_week_ago.at_most)
        ahead = max(besides - by_now, 0) / (into / AN_HOUR) * left if into >= AN_HOUR else 0
        return round(max(usual, a_week_ago.still(besides, since)) + ahead)
    of_today = [one for one in heard if one.start >= began]
    if len(of_today) < 3 or into < AN_HOUR:
        return 0
    steps = [max((b.besides or 0) - (a.besides or 0), 0) for a, b in pairwise(of_today)]
    return round(besides / (into / AN_HOUR) * left + pstdev(steps) * sqrt(left))
