"""Working time: when something is due that has to be done within so many working hours, and how long it took.

The clock is given everything: the hours of each weekday, the time zone, and a function that names the closed days
of a year. Times are aware and the answers are in UTC; lengths are whole seconds of time that really passes, so a
day on which the clocks change is as much longer or shorter as its hours are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from itertools import pairwise

#: Days without one working second after which nobody will work again.
NEVER_AFTER_DAYS = 1_000
_DAY = timedelta(days=1)


class NoWorkingTime(ValueError):
    """Nobody works within ``NEVER_AFTER_DAYS`` days, so nothing can ever be due."""


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Part of a working day, in minutes since midnight of the local day; ``end`` may be 1440. Raises ValueError."""

    begin: int
    end: int

    def __post_init__(self) -> None:
        if not 0 <= self.begin < self.end <= 1440:
            raise ValueError("a span begins before it ends, between 00:00 and 24:00")


Spans = tuple[Span, ...]


def no_closed_days(_year: int) -> frozenset[date]:
    """No day of the year is closed."""
    return frozenset()


@dataclass(frozen=True)
class WorkClock:
    """The working time of one place.

    ``hours``: weekday (0: Monday) to its spans in order; a weekday that is not named is off. ``closed``: a year to
    its closed days. ``special``: days with hours of their own, which hold whatever the weekday and ``closed`` say.
    Spans of a day must not overlap; raises ValueError.
    """

    hours: Mapping[int, Spans]
    zone: tzinfo
    closed: Callable[[int], frozenset[date]] = no_closed_days
    special: Callable[[date], Spans | None] = field(default=lambda _day: None)

    def __post_init__(self) -> None:
        for spans in self.hours.values():
            if any(first.end > second.begin for first, second in pairwise(spans)):
                raise ValueError("the spans of a day overlap, or are not in order")

    def spans(self, day: date) -> Spans:
        """The working spans of one local day."""
        special = self.special(day)
        if special is not None:
            return special
        return () if day in self.closed(day.year) else self.hours.get(day.weekday(), ())

    def due(self, start: datetime, work_seconds: int) -> datetime:
        """The first moment by which so many working seconds have passed since ``start``.

        With 0 seconds that is ``start`` itself. Raises ValueError for a time without a zone or a negative length,
        and NoWorkingTime.
        """
        if work_seconds < 0:
            raise ValueError("a length of work is not negative")
        start = _in_utc(start)
        if work_seconds == 0:
            return start
        left = timedelta(seconds=work_seconds)
        for begin, end in self._stretches(start):
            if end - begin >= left:
                return begin + left
            left -= end - begin
        raise NoWorkingTime(f"nobody works within {NEVER_AFTER_DAYS} days")

    def worked_between(self, start: datetime, end: datetime) -> int:
        """The working seconds from ``start`` to ``end``, cut to whole ones; 0 where the end comes first.

        Raises ValueError for a time without a zone.
        """
        start, end = _in_utc(start), _in_utc(end)
        found = timedelta()
        for begin, finish in self._stretches(start):
            if begin >= end:
                break
            found += min(finish, end) - begin
        return int(found.total_seconds())

    def _stretches(self, start: datetime) -> Iterator[tuple[datetime, datetime]]:
        """What is worked from ``start`` on, in UTC, in order and without overlap; ends after idle years."""
        # The day before may reach into this one where its last hour is shown twice.
        day, done, idle = start.astimezone(self.zone).date() - _DAY, start, 0
        while idle <= NEVER_AFTER_DAYS:
            idle += 1
            for span in self.spans(day):
                begin = max(self._moment(day, span.begin, last=False), done)
                end = self._moment(day, span.end, last=True)
                if begin < end:
                    done, idle = end, 0
                    yield begin, end
            day += _DAY

    def _moment(self, day: date, minutes: int, *, last: bool) -> datetime:
        """When the local clock shows this; a time shown twice: the first or ``last`` time.

        A time that is skipped when the clocks go forward is the moment at which they do.
        """
        local = datetime.combine(day + _DAY * (minutes // 1440), time(minutes % 1440 // 60, minutes % 60))
        early = local.replace(tzinfo=self.zone, fold=0).astimezone(UTC)
        late = local.replace(tzinfo=self.zone, fold=1).astimezone(UTC)
        if early <= late:
            return late if last else early
        # Skipped: read with the old offset it lies behind the change, with the new one before it.
        return _change(late, early, self.zone)


def _change(before: datetime, after: datetime, zone: tzinfo) -> datetime:
    """The moment between two at which the zone's offset changes, to the second."""
    old = before.astimezone(zone).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = before + timedelta(seconds=int((after - before).total_seconds()) // 2)
        if middle.astimezone(zone).utcoffset() == old:
            before = middle
        else:
            after = middle
    return after


def _in_utc(moment: datetime) -> datetime:
    # Two times of one zone would be compared and subtracted by what the wall clock shows.
    if moment.utcoffset() is None:
        raise ValueError("a time needs its zone")
    return moment.astimezone(UTC)


@dataclass(frozen=True)
class Clocks:
    """The company's clock, and those of owners who work elsewhere or at other hours.

    ``owners`` is keyed by what the ledger calls an owner, in lower case.
    """

    company: WorkClock
    owners: Mapping[str, WorkClock] = field(default_factory=dict)

    def of(self, owner: str | None) -> WorkClock:
        """The clock that counts for an owner; None is nobody in particular."""
        return self.company if owner is None else self.owners.get(owner.lower(), self.company)
