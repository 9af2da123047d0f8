"""Public holidays and time zones: what the pure working-hours clock is told about a place.

The ``holidays`` library lives here alone. It is loaded when a holiday is first asked for: most commands ask for none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from mapping.qualification.workclock import Spans, WorkClock


@dataclass(frozen=True, slots=True)
class Days:
    """Some days: ``dated`` of one year, ``yearly`` (month, day) of every year."""

    dated: frozenset[date] = frozenset()
    yearly: frozenset[tuple[int, int]] = frozenset()

    def __contains__(self, day: date) -> bool:
        return day in self.dated or (day.month, day.day) in self.yearly


def region_is_known(region: str) -> bool:
    """Whether there are holidays for a country (``DE``) or a part of it (``DE-BY``)."""
    import holidays

    country, _, part = region.partition("-")
    parts = holidays.list_supported_countries(include_aliases=True).get(country)
    return parts is not None and (not part or part in parts)


def zone_is_known(name: str) -> bool:
    """Whether a time zone of this name is known."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


@lru_cache(maxsize=1024)
def public_holidays(region: str, year: int) -> frozenset[date]:
    """The public holidays of a region in one year. Raises ValueError for a region that nobody knows."""
    if not region_is_known(region):
        raise ValueError(f"no holidays are known for the region {region}")
    import holidays

    country, _, part = region.partition("-")
    return frozenset(holidays.country_holidays(country, subdiv=part or None, years=year))


def clock_of(
    hours: Mapping[int, Spans],
    time_zone: str,
    region: str | None,
    closed: Days,
    special: Mapping[date | tuple[int, int], Spans],
) -> WorkClock:
    """The clock of a place.

    ``region`` None: no public holidays. ``special``: a day, or (month, day) of every year, to its own hours; they
    hold on a holiday too, and a day of ``closed`` is closed whatever they say.
    """

    def hours_of(day: date) -> Spans | None:
        if day in closed:
            return ()
        return special.get(day, special.get((day.month, day.day)))

    return WorkClock(hours, ZoneInfo(time_zone), _holidays_of(region), hours_of)


def _holidays_of(region: str | None) -> Callable[[int], frozenset[date]]:
    if region is None:
        return lambda _year: frozenset()
    return lambda year: public_holidays(region, year)
