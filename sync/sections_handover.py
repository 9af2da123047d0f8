"""The section ``[handover]`` of the config: working hours, what was promised, and what is too early or too late."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, timedelta
from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from mapping.qualification.workclock import Span, Spans
from sync.calendars import Days, region_is_known, zone_is_known
from sync.section import Filled, Section, refuse, words_in

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
WEEKDAYS: tuple[Weekday, ...] = (
    *("monday", "tuesday", "wednesday", "thursday"),
    *("friday", "saturday", "sunday"),
)
_SPAN = re.compile(r"(\d{1,2}):([0-5]\d)\s*-\s*(\d{1,2}):([0-5]\d)")
_LENGTH = re.compile(r"(?:(\d{1,4})h)?\s*(?:(\d{1,4})m)?")
_YEARLY = re.compile(r"(\d{2})-(\d{2})")
#: More closed days in one go are a slip of the keyboard.
_LONGEST = timedelta(days=400)


def spans_of(text: str) -> Spans:
    """``09:00-12:00, 13:00-18:00`` as spans; an empty text is a day off. Raises ValueError."""
    spans = []
    for part in words_in(text):
        found = _SPAN.fullmatch(part)
        if found is None:
            raise ValueError("not a span")
        begin_hour, begin, end_hour, end = (int(number) for number in found.groups())
        spans.append(Span(begin_hour * 60 + begin, end_hour * 60 + end))
    if any(first.end > second.begin for first, second in pairwise(spans)):
        raise ValueError("they overlap")
    return tuple(spans)


def seconds_of(text: str) -> int:
    """``2h``, ``30m``, ``1h 30m`` as seconds. Raises ValueError."""
    found = _LENGTH.fullmatch(text.strip())
    if found is None or not any(found.groups()):
        raise ValueError("not a length of time")
    hours, minutes = (int(number or 0) for number in found.groups())
    return hours * 3600 + minutes * 60


def day_of(text: str) -> date | tuple[int, int]:
    """``2026-12-24`` as a day, ``12-24`` as (month, day) of every year. Raises ValueError."""
    every_year = _YEARLY.fullmatch(text)
    if every_year is None:
        return date.fromisoformat(text)
    # 2024 has a 29 February.
    day = date(2024, int(every_year[1]), int(every_year[2]))
    return day.month, day.day


def days_of(text: str) -> Days:
    """``2026-12-24, 2026-12-28..2026-12-31, 12-31`` as days. Raises ValueError."""
    dated: set[date] = set()
    yearly: set[tuple[int, int]] = set()
    for part in words_in(text):
        first, _, last = part.partition("..")
        begin = day_of(first)
        end = day_of(last) if last else begin
        if isinstance(begin, tuple):
            if last:
                raise ValueError("days of every year are named one by one")
            yearly.add(begin)
        elif isinstance(end, tuple) or not timedelta() <= end - begin <= _LONGEST:
            raise ValueError("not a stretch of days")
        else:
            dated |= {begin + timedelta(days=number) for number in range((end - begin).days + 1)}
    return Days(frozenset(dated), frozenset(yearly))


def _read_by(read: Callable[[str], object], words: str) -> AfterValidator:
    """Refuses, in these words, a text that ``read`` cannot read."""

    def check(text: str) -> str:
        try:
            read(text)
        except ValueError:
            readable = False
        else:
            readable = True
        if not readable:
            raise refuse(words)
        return text

    return AfterValidator(check)


def _true_of(test: Callable[[str], bool], words: str) -> AfterValidator:
    def check(text: str) -> str:
        if not test(text):
            raise refuse(words)
        return text

    return AfterValidator(check)


def _joined(value: Any) -> Any:
    """A list may stand in the file; the environment has one text."""
    if isinstance(value, list) and all(isinstance(one, str | date) for one in value):
        return ", ".join(str(one) for one in value)
    return value


def _nonzero(text: str) -> bool:
    return seconds_of(text) > 0


def _nowhere_or_known(region: str) -> bool:
    return not region or region_is_known(region)


Hours = Annotated[
    str, _read_by(spans_of, 'must be hours such as "09:00-12:00, 13:00-18:00", "" for a day off')
]
Length = Annotated[str, _read_by(seconds_of, 'must be a length of time such as "2h", "30m" or "1h 30m"')]
SomeTime = Annotated[Length, _true_of(_nonzero, "must be longer than nothing")]
SomeDays = Annotated[
    str,
    BeforeValidator(_joined),
    _read_by(
        days_of, 'must be days such as "2026-12-24", "2026-12-28..2026-12-31" or "12-31" for every year'
    ),
]
OneDay = Annotated[str, _read_by(day_of, 'must be a day: "2026-12-24", or "12-24" for every year')]
ZoneName = Annotated[str, _true_of(zone_is_known, "must be a time zone such as Europe/Berlin")]
Region = Annotated[
    str,
    _true_of(_nowhere_or_known, 'must be a country or a part of one, such as DE or DE-BY, or "" for none'),
]
Words = Annotated[str, BeforeValidator(_joined)]
ApiName = Annotated[str, Field(pattern=r"^([A-Za-z][A-Za-z0-9_]{0,79})?$")]
Elsewhere = Literal["time_zone", "region", "hours"]
_OFFICE = "09:00-17:00"
_PLACES: dict[Elsewhere, Callable[[str], bool]] = {
    "time_zone": zone_is_known,
    "region": region_is_known,
    "hours": lambda text: bool(spans_of(text)),
}


def _somebody_works(hours: dict[Weekday, str]) -> dict[Weekday, str]:
    if not any(spans_of(text) for text in hours.values()):
        raise refuse("must name hours for at least one day of the week")
    return hours


def _place(place: dict[Elsewhere, str]) -> dict[Elsewhere, str]:
    for name, text in place.items():
        try:
            good = _PLACES[name](text)
        except ValueError:
            good = False
        if not good:
            raise refuse(f"has a {name} that cannot be understood")
    return place


Place = Annotated[dict[Elsewhere, Filled], AfterValidator(_place)]
Few = Annotated[int, Field(ge=0, le=3650)]


class HandoverSettings(Section):
    """What marketing and sales promise each other. Times are working time unless they say days."""

    hours: Annotated[dict[Weekday, Hours], AfterValidator(_somebody_works)] = Field(
        default={day: _OFFICE for day in WEEKDAYS[:5]}  # noqa: C420 - the keys are words of a closed list
    )
    time_zone: ZoneName = "Europe/Berlin"
    #: Whose public holidays count; empty: nobody's.
    region: Region = "DE"
    closed: SomeDays = ""
    special: dict[OneDay, Hours] = Field(default={})
    respond_within: SomeTime = "2h"
    respond_within_when: dict[Filled, SomeTime] = Field(default={})
    escalate_before: Length = "30m"
    when_overdue: Literal["keep", "reassign", "recycle"] = "keep"
    reassign_at_most: Annotated[int, Field(ge=0, le=20)] = 2
    rest_days: Few = 14
    #: Owner (e-mail address) to what is different there.
    owners: dict[Filled, Place] = Field(default={})
    #: Who gets a lead: tables that ``routing_rules`` checks, since their conditions name fields of the map.
    routes: list[dict[str, Any]] = Field(default=[])
    #: A lead that somebody in sales has already stays with them.
    keep_owner: bool = True
    #: Salesforce owners that count as nobody, besides queues and the integration user.
    nobody: Words = ""
    #: Owner to the days on which they are away.
    absent: dict[Filled, SomeDays] = Field(default={})
    #: HubSpot's address of a person to Salesforce's, where they differ.
    same_owner: dict[Filled, Filled] = Field(default={})
    #: A task in Salesforce for whoever gets a lead.
    tasks: bool = True
    #: Who is told before the time is up; empty: the owner.
    escalate_to: Words = ""
    #: Per cent of the leads below the line that are drawn to be handed over, to learn what they are worth; 0: nobody.
    explore_share: Annotated[float, Field(ge=0, le=50, allow_inf_nan=False)] = 0
    #: What the draw hangs on, beside the lead.
    explore_seed: Annotated[int, Field(ge=0, le=2**31)] = 1
    explore_per_week: Annotated[int, Field(ge=1, le=10_000)] = 20
    too_early_days: Few = 14
    too_early_engagement: Few = 10
    not_ready: Words = "not ready, too early, no need yet, noch nicht, zu früh, kein bedarf"
    too_late_days: Few = 7
    quiet_days: Few = 21
    #: The field of Salesforce's Opportunity that says why one was lost; empty: none is read.
    loss_reason: ApiName = ""
    competitor: Words = "competitor, wettbewerb, mitbewerb, konkurrenz"
