"""Schedules as cron expressions: when one was due last, and when it is due next. Pure: times are handed in.

Five fields: minute, hour, day of the month, month, day of the week (0 and 7 are Sunday). Each is ``*``, a number,
a range ``1-5``, a step ``*/5`` or ``0-30/10``, or a list of those; months and days of the week also have their
English names of three letters. Where both days are given, either is enough, as cron has always had it.

Over a change of the clocks: a time that does not exist comes as much later as the clocks went forward; one that
comes twice counts once, unless the hour is ``*``, because what runs every hour runs in each.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
#: A 29 February comes at least every eight years.
MOST_DAYS = 8 * 366


class WrongCron(ValueError):
    """The expression cannot be understood, or is never due. Its words hold nothing of it."""


@dataclass(frozen=True, slots=True)
class Cron:
    """A parsed expression."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]  #: 0 is Sunday
    either_day: bool  #: both kinds of days are given, and one of them is enough
    every_hour: bool

    def last(self, now: datetime, zone: tzinfo) -> datetime:
        """The newest moment it was due, ``now`` included. Aware, in UTC. Raises WrongCron where there is none."""
        today = now.astimezone(zone).date() + timedelta(days=1)
        for back in range(MOST_DAYS):
            found = [moment for moment in self._on(today - timedelta(days=back), zone) if moment <= now]
            if found:
                return max(found)
        raise WrongCron("it is never due")

    def next(self, now: datetime, zone: tzinfo) -> datetime:
        """The first moment after ``now`` that it is due. Aware, in UTC. Raises WrongCron where there is none."""
        today = now.astimezone(zone).date() - timedelta(days=1)
        for ahead in range(MOST_DAYS):
            found = [moment for moment in self._on(today + timedelta(days=ahead), zone) if moment > now]
            if found:
                return min(found)
        raise WrongCron("it is never due")

    def between(self, start: datetime, end: datetime, zone: tzinfo) -> list[datetime]:
        """Every moment from ``start`` to ``end`` that it is due, in order. Aware, in UTC."""
        first, last = start.astimezone(zone).date(), end.astimezone(zone).date()
        days = [first + timedelta(days=number) for number in range(-1, (last - first).days + 2)]
        return sorted(moment for day in days for moment in self._on(day, zone) if start <= moment <= end)

    def _on(self, day: date, zone: tzinfo) -> Iterator[datetime]:
        """The moments of one day of the calendar."""
        if not self._falls_on(day):
            return
        for hour in self.hours:
            for minute in self.minutes:
                for fold in (0, 1) if self.every_hour else (0,):
                    yield datetime.combine(day, time(hour, minute, fold=fold), zone).astimezone(UTC)

    def _falls_on(self, day: date) -> bool:
        if day.month not in self.months:
            return False
        of_month, of_week = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return (of_month or of_week) if self.either_day else (of_month and of_week)


def parse_cron(text: str) -> Cron:
    """Raises WrongCron, with words that name the field and never repeat what stands in it."""
    parts = text.lower().split()
    if len(parts) != 5:
        raise WrongCron("it needs five fields: minute, hour, day, month, weekday")
    minute, hour, day, month, weekday = parts
    weekdays = _field(weekday, "the weekday", 0, 7, WEEKDAYS)
    cron = Cron(
        minutes=_field(minute, "the minute", 0, 59),
        hours=_field(hour, "the hour", 0, 23),
        days=_field(day, "the day", 1, 31),
        months=_field(month, "the month", 1, 12, MONTHS),
        weekdays=frozenset(number % 7 for number in weekdays),
        either_day=not day.startswith("*") and not weekday.startswith("*"),
        every_hour=hour == "*",
    )
    longest = max(30 if number in (4, 6, 9, 11) else 29 if number == 2 else 31 for number in cron.months)
    if not cron.either_day and min(cron.days) > longest:
        raise WrongCron("it is never due: the month has no such day")
    return cron


def _field(text: str, what: str, low: int, high: int, names: tuple[str, ...] = ()) -> frozenset[int]:
    found: set[int] = set()
    for part in text.split(","):
        span, slash, step = part.partition("/")
        if slash and not (step.isascii() and step.isdigit() and int(step) > 0):
            raise WrongCron(f"the step of {what} must be a number above 0")
        first, dash, last = span.partition("-")
        if span == "*":
            begin, end = low, high if high != 7 else 6
        else:
            begin = _number(first, what, low, high, names)
            end = _number(last, what, low, high, names) if dash else high if slash else begin
        if end < begin:
            raise WrongCron(f"a range of {what} must go upwards")
        found.update(range(begin, end + 1, int(step) if slash else 1))
    return frozenset(found)


def _number(text: str, what: str, low: int, high: int, names: tuple[str, ...]) -> int:
    if text in names:
        # Months are counted from 1, days of the week from 0.
        return names.index(text) + low
    if not (text.isascii() and text.isdigit()):
        raise WrongCron(f"{what} must be a number, a range, a step or *")
    if not low <= int(text) <= high:
        raise WrongCron(f"{what} must be {low} to {high}")
    return int(text)
