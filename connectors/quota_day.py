"""What is left of a CRM's day for a backfill, once everybody else has had what they will use.

The CRM says how many calls it counts, everybody's together. What a backfill made is known, so the rest is what all
others use: people's integrations, and our own live lanes. What they will use is told in ``connectors.quota_others``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import median

from connectors.errors import RetryLater

A_DAY = timedelta(hours=24)
AN_HOUR = timedelta(hours=1)
#: Past days that are looked at; a week holds every kind of day.
PAST_DAYS = 7
#: Hours are kept for so long.
HOURS_LAST = (PAST_DAYS + 1) * A_DAY
#: A part of our part of the day, and calls, that a backfill may make whatever others are expected to use, as long as
#: more than the reserve is there: where others once used a whole day, the jobs of the night would wait for a week.
AT_LEAST, AT_LEAST_CALLS = 0.05, 50

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

    ``sure``: a whole day of them is known. ``coming``: the same of each of the days that follow.
    """

    now: int
    expected: int
    sure: bool
    coming: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Room:
    """What a backfill may still call.

    ``now``: calls that are left to it, and to what it brings with it; ``a_day``: what all of these may come to in one
    day; ``others``: what it leaves to everybody else. ``spent``: its calls by the hour, oldest first. ``resets``: when
    its day ends, None for a day that rolls, in which each call comes free 24 hours later (Salesforce reference, section
    7). ``coming``: ``a_day`` of each of the days that follow, the last of them of all after it; as this one where it is
    empty. ``drawn``: the calls that come of each that a backfill makes, itself included (``connectors.quota_echoes``).
    """

    now: int
    a_day: int
    others: Others
    spent: tuple[tuple[datetime, int], ...] = ()
    resets: datetime | None = None
    coming: tuple[int, ...] = ()
    drawn: float = 1.0

    def comes_free(self, calls: int, at: datetime) -> datetime:
        """When so many calls may be left, asked at a time (aware): when the day ends, or as earlier calls roll off.

        The calls of an hour roll off one after the other, as if they had been made evenly.
        """
        if self.resets is not None:
            return self.resets
        # Where others leave less than was called already, what comes free first is theirs.
        left = min(float(self.now), self.a_day - in_day(self.spent, at - A_DAY))
        for start, count in self.spent:
            in_use = count * part_of_day(start, at - A_DAY)
            if in_use and left + in_use >= calls:
                return start + A_DAY + AN_HOUR * (1 - (left + in_use - calls) / count)
            left += in_use
        return whole_hour(at) + AN_HOUR


def no_room(crm: str, room: Room, calls: int, at: datetime) -> RetryLater:
    """The error of a backfill for which so many calls are not left at a time (aware); it says when they may be.

    Where it is sure that no day leaves it any, it says no time: then it is a matter for a person.
    """
    text = (
        f"The calls of the day that others leave to the backfill lane are used up: {crm} has counted"
        f" {room.others.now} of all others, and {room.others.expected} are expected"
    )
    if room.others.sure and not room.a_day and not any(room.coming):
        text += "; no day to come leaves it any: make daily_reserve smaller, or have more calls"
        return RetryLater(text, crm=crm, code="DAILY")
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


def room_of(
    ours: int,
    used: int,
    kept: int,
    others: Others,
    hours: Sequence[Hour],
    now: datetime,
    resets: Resets | None,
    *,
    chosen: bool,
) -> Room:
    """The room of a backfill in a day of which ``ours`` calls are ours to use, ``used`` of them by everybody.

    ``kept``: calls that no backfill touches, which somebody has ``chosen`` or not. ``hours``: oldest first.
    """
    least = least_a_day(ours, kept, hours, chosen=chosen)
    a_day, *coming = (max(ours - kept - count, least) for count in (others.expected, *others.coming))
    spent = tuple((one.start, one.backfill) for one in hours if one.backfill)
    left = int(min(a_day - in_day(spent, day_began(now, resets)), ours - kept - used))
    return Room(
        max(left, 0), a_day, others, spent, None if resets is None else resets(now), coming=tuple(coming)
    )


def least_a_day(ours: int, kept: int, hours: Sequence[Hour], *, chosen: bool) -> int:
    """The calls of a day that are a backfill's whatever others are expected to use; nothing of the reserve ``kept``.

    None where somebody has ``chosen`` the reserve, unless others have once used all of our part of a day (``hours``):
    then no reserve would be left of what is expected, and the expectation is of no use.
    """
    if chosen and all((one.highest or 0) < ours for one in hours):
        return 0
    return min(max(round(ours * AT_LEAST), AT_LEAST_CALLS), max(ours - kept, 0))


def middle(counts: Sequence[int]) -> float:
    """The middle one of some counts and how far the middle one of the others is from it."""
    found = median(counts)
    return found + median(abs(count - found) for count in counts)


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
