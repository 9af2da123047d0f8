"""Date literals: names of spans of days, such as THIS_MONTH or LAST_N_DAYS:7.

Days, weeks and quarters are those of the running user; the sandbox's users live in UTC with the en_US locale,
so weeks begin on Sunday, and fiscal years are calendar years (Salesforce reference, section 3).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

Span = tuple[date, date]  #: first day, and the first day after
Unit = Callable[[date, int], date]  #: the start of the unit that holds a day, moved by whole units


def _day(today: date, by: int) -> date:
    return today + timedelta(days=by)


def _week(today: date, by: int) -> date:
    sunday = today - timedelta(days=(today.weekday() + 1) % 7)
    return sunday + timedelta(weeks=by)


def _month(today: date, by: int) -> date:
    months = today.year * 12 + today.month - 1 + by
    return date(months // 12, months % 12 + 1, 1)


def _quarter(today: date, by: int) -> date:
    return _month(date(today.year, (today.month - 1) // 3 * 3 + 1, 1), 3 * by)


def _year(today: date, by: int) -> date:
    return date(today.year + by, 1, 1)


UNITS: dict[str, Unit] = {
    "WEEK": _week,
    "MONTH": _month,
    "QUARTER": _quarter,
    "YEAR": _year,
    "FISCAL_QUARTER": _quarter,
    "FISCAL_YEAR": _year,
}
SINGLE_DAYS = {"YESTERDAY": -1, "TODAY": 0, "TOMORROW": 1}
SHIFTS = {"LAST": -1, "THIS": 0, "NEXT": 1}


def is_relative(text: str) -> bool:
    """Whether a word is a date literal, with its number where one belongs."""
    return _spans(text) is not None


def span(text: str, today: date) -> Span:
    """The days that a date literal names. Raises ValueError when the calendar ends before they do."""
    found = _spans(text)
    if found is None:
        raise ValueError(f"not a date literal: {text}")
    try:
        return found(today)
    except OverflowError:
        raise ValueError(f"beyond the calendar: {text}") from None


def _spans(text: str) -> Callable[[date], Span] | None:
    name, colon, digits = text.upper().partition(":")
    return _counted(name, int(digits)) if colon else _fixed(name)


def _fixed(name: str) -> Callable[[date], Span] | None:
    if name in SINGLE_DAYS:
        by = SINGLE_DAYS[name]
        return lambda today: (_day(today, by), _day(today, by + 1))
    if name == "LAST_90_DAYS":
        return lambda today: (_day(today, -90), _day(today, 1))
    if name == "NEXT_90_DAYS":
        return lambda today: (_day(today, 1), _day(today, 91))
    which, _, rest = name.partition("_")
    if which in SHIFTS and rest in UNITS:
        start, by = UNITS[rest], SHIFTS[which]
        return lambda today: (start(today, by), start(today, by + 1))
    return None


def _counted(name: str, n: int) -> Callable[[date], Span] | None:
    if name == "LAST_N_DAYS":  # the only "last" span that reaches into the current unit
        return lambda today: (_day(today, -n), _day(today, 1))
    if name == "NEXT_N_DAYS":
        return lambda today: (_day(today, 1), _day(today, n + 1))
    if name == "N_DAYS_AGO":
        return lambda today: (_day(today, -n), _day(today, 1 - n))
    for unit, start in UNITS.items():
        if name in (f"LAST_N_{unit}S", f"NEXT_N_{unit}S", f"N_{unit}S_AGO"):
            return _units(start, name, n)
    return None


def _units(start: Unit, name: str, n: int) -> Callable[[date], Span]:
    first, after = {"LAST": (-n, 0), "NEXT": (1, n + 1), "N": (-n, 1 - n)}[name.partition("_")[0]]
    return lambda today: (start(today, first), start(today, after))
