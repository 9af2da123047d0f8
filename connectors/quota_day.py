"""What is left of a CRM's day for a backfill, once everybody else has had what they will use.

The CRM says how many calls it counts, everybody's together. What a backfill made is known, so the rest is what all
others use: people's integrations, and our own live lanes. It is kept by the hour, and how far it will go is told
from the past days: on a day that ends at midnight by what came after this hour then, on one that rolls by how
high it stood. The middle one of them counts, with its spread: one odd day does not stop a backfill for a week. Where
the same day a week ago was higher, or this day is ahead of them all, that counts: a busy Monday comes every week.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from math import sqrt
from statistics import median, pstdev

from connectors.errors import RetryLater

A_DAY = timedelta(hours=24)
AN_HOUR = timedelta(hours=1)
#: Past days that are looked at; a week holds every kind of day.
PAST_DAYS = 7
#: Hours are kept for so long.
HOURS_LAST = (PAST_DAYS + 1) * A_DAY
#: Heard hours of the last day below which nobody knows how others use theirs.
ENOUGH_HOURS = 20
#: What a single earlier day may differ from this one; of several the spread is known.
OF_ONE_DAY = 0.1

#: A part of our part of the day, and calls, that a backfill may make whatever others are expected to use, as long as
#: more than the reserve is there: where others once used a whole day, the jobs of the night would wait for a week.
AT_LEAST, AT_LEAST_CALLS = 0.05, 50

#: No day is quite like another: so much more than was seen of the others, as a part of it, is expected of them.
NEVER_ALIKE = 0.02

Resets = Callable[[datetime], datetime]


@dataclass(frozen=True, slots=True)
class Hour:
    """One hour of a CRM's calls; ``start`` is aware UTC, whole.

    ``ours``: all that we made in it; ``backfill``: those of backfills. ``besides``: the calls of its day that were no
    backfill's, as the CRM counted when it was last heard in this hour, and ``highest`` the most of them that were
    heard in it; None where nothing was heard.
    """

    start: datetime
    ours: int = 0
    backfill: int = 0
    besides: int | None = None
    highest: int | None = None


@dataclass(frozen=True, slots=True)
class Others:
    """The calls of a day that are no backfill's: as last heard, and the most that is expected of them.

    ``sure``: a whole day of them is known.
    """

    now: int
    expected: int
    sure: bool


@dataclass(frozen=True, slots=True)
class Room:
    """What a backfill may still call.

    ``now``: calls that are left to it; ``a_day``: what all its calls of one day may come to; ``others``: what it leaves
    to everybody else. ``spent``: its calls by the hour, oldest first. ``resets``: when its day ends, None for a day
    that rolls, in which each call comes free 24 hours later (Salesforce reference, section 7).
    """

    now: int
    a_day: int
    others: Others
    spent: tuple[tuple[datetime, int], ...] = ()
    resets: datetime | None = None

    def comes_free(self, calls: int, at: datetime) -> datetime:
        """When so many calls may be left, asked at a time (aware): when the day ends, or as earlier calls roll off.

        The calls of an hour roll off one after the other, as if they had been made evenly.
        """
        if self.resets is not None:
            return self.resets
        left = float(self.now)
        for start, count in self.spent:
            in_use = count * part_of_day(start, at - A_DAY)
            if in_use and left + in_use >= calls:
                return start + A_DAY + AN_HOUR * (1 - (left + in_use - calls) / count)
            left += in_use
        return whole_hour(at) + AN_HOUR


def no_room(crm: str, room: Room, calls: int, at: datetime) -> RetryLater:
    """The error of a backfill for which so many calls are not left at a time (aware); it says when they may be."""
    text = (
        f"The calls of the day that others leave to the backfill lane are used up: {crm} has counted"
        f" {room.others.now} of all others, and {room.others.expected} are expected"
    )
    return RetryLater(text, crm=crm, code="DAILY", not_before=room.comes_free(calls, at))


def whole_hour(moment: datetime) -> datetime:
    """The start of the hour of a moment (aware), in UTC."""
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def day_began(moment: datetime, resets: Resets | None) -> datetime:
    """When the day of a moment began: 24 hours ago, or at the last reset."""
    if resets is None:
        return moment - A_DAY
    # A day may have 25 hours; from there forward, the last midnight that has passed.
    start = resets(moment - A_DAY - AN_HOUR)
    while (later := resets(start)) <= moment:
        start = later
    return start


def least_a_day(ours: int, kept: int, hours: Sequence[Hour], *, chosen: bool) -> int:
    """The calls of a day that are a backfill's whatever others are expected to use; nothing of the reserve ``kept``.

    None where somebody has ``chosen`` the reserve, unless others have once used all of our part of a day (``hours``):
    then no reserve would be left of what is expected, and the expectation is of no use.
    """
    if chosen and all((one.highest or 0) < ours for one in hours):
        return 0
    return min(max(round(ours * AT_LEAST), AT_LEAST_CALLS), max(ours - kept, 0))


def part_of_day(start: datetime, began: datetime) -> float:
    """What part of the hour that begins at ``start`` (aware) belongs to the day that began at ``began``, 0 to 1."""
    return min(max((start + AN_HOUR - began) / AN_HOUR, 0.0), 1.0)


def in_day(counts: Iterable[tuple[datetime, int]], began: datetime) -> float:
    """The calls of a day, told by the hour; of an hour that it began in, as if they had been made evenly."""
    return sum(count * part_of_day(start, began) for start, count in counts)


def besides_backfills(
    used: int, backfills: Sequence[tuple[datetime, int]], began: datetime
) -> tuple[int, int]:
    """The calls of the day that were no backfill's, and the fewest that they can have been.

    ``used``: everybody's. ``backfills``: calls by the hour; when within it they were made is not known, and calls of
    ours that are taken for those of others would count as theirs for a day.
    """
    wholly = sum(count for start, count in backfills if part_of_day(start, began))
    return max(used - round(in_day(backfills, began)), 0), max(used - wholly, 0)


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
    more = _highest(heard, now) if resets is None else besides + _rest(heard, besides, now, began, resets)
    expected = max(besides, more)
    return Others(besides, round(expected * (1 + NEVER_ALIKE)) if sure else expected, sure)


def _highest(heard: Sequence[Hour], now: datetime) -> int:
    """How high a rolling day's calls will stand: as in the last day, in the days before, or in the 24 hours that
    began a week ago.
    """
    peaks: dict[int, int] = {}
    for days in range(PAST_DAYS):
        until = now - days * A_DAY
        of_day = [one.highest or 0 for one in heard if until - A_DAY < one.start <= until]
        if of_day:
            peaks[days] = max(of_day)
    known = list(peaks.values())
    return max(known[0], peaks.get(PAST_DAYS - 1, 0), round(_middle(known))) if known else 0


def _middle(counts: Sequence[int]) -> float:
    """The middle one of some counts and how far the middle one of the others is from it."""
    middle = median(counts)
    return middle + median(abs(count - middle) for count in counts)


@dataclass(frozen=True, slots=True)
class _Past:
    """A past day of the others: their calls by this time of it, this hour's included, and those that came after."""

    by_now: int
    rest: int


def _past_days(heard: Sequence[Hour], into: timedelta, began: datetime, resets: Resets) -> dict[int, _Past]:
    """The past days that something is known of, by how many days ago they were; ``into``: how far this one is."""
    found, end = {}, began
    for days in range(1, PAST_DAYS + 1):
        start = day_began(end - AN_HOUR, resets)
        of_day = [one for one in heard if start <= one.start < end]
        if of_day:
            ended = [one.besides or 0 for one in of_day if one.start + AN_HOUR <= start + into]
            begun = [one.highest or 0 for one in of_day if one.start <= start + into]
            rest = max(one.highest or 0 for one in of_day) - (ended[-1] if ended else 0)
            found[days] = _Past(max(begun, default=0), max(rest, 0))
        end = start
    return found


def _rest(heard: Sequence[Hour], besides: int, now: datetime, began: datetime, resets: Resets) -> int:
    """What others will still use until the reset: what came after this time of past days, and what this day is ahead
    of them at its own pace; without past days, all at this day's pace.
    """
    into, left = now - began, (resets(now) - now) / AN_HOUR
    past = _past_days(heard, into, began, resets)
    if past:
        rests = [one.rest for one in past.values()]
        a_week_ago = past.get(PAST_DAYS, _Past(0, 0))
        usual = _middle(rests) + (0 if len(rests) > 1 else OF_ONE_DAY * rests[0])
        by_now = max(_middle([one.by_now for one in past.values()]), a_week_ago.by_now)
        ahead = max(besides - by_now, 0) / (into / AN_HOUR) * left if into >= AN_HOUR else 0
        return round(max(usual, a_week_ago.rest) + ahead)
    of_today = [one for one in heard if one.start >= began]
    if len(of_today) < 3 or into < AN_HOUR:
        return 0
    steps = [max((b.besides or 0) - (a.besides or 0), 0) for a, b in pairwise(of_today)]
    return round(besides / (into / AN_HOUR) * left + pstdev(steps) * sqrt(left))
