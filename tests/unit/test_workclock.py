"""The working-hours clock: what people reckon with a calendar in hand is what it says."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mapping.qualification.workclock import Clocks, NoWorkingTime, Span, WorkClock
from sync.calendars import Days, clock_of, public_holidays, region_is_known, zone_is_known

BERLIN, NEW_YORK_ZONE = "Europe/Berlin", "America/New_York"
NO_DAYS = Days()


def _spans(text: str) -> tuple[Span, ...]:
    """``9-12 13-18`` as spans; ``22:30`` is a time."""

    def minutes(word: str) -> int:
        hour, _, minute = word.partition(":")
        return int(hour) * 60 + int(minute or 0)

    return tuple(Span(*map(minutes, part.split("-"))) for part in text.split())


def _week(monday_to_friday: str, saturday: str = "", sunday: str = "") -> dict[int, tuple[Span, ...]]:
    return {**{day: _spans(monday_to_friday) for day in range(5)}, 5: _spans(saturday), 6: _spans(sunday)}


OFFICE = clock_of(_week("9-18"), BERLIN, None, NO_DAYS, {})
LUNCH = clock_of(_week("9-12 13-18"), BERLIN, None, NO_DAYS, {})
SATURDAY = clock_of(_week("9-18", "10-14"), BERLIN, None, NO_DAYS, {})
BAVARIA = clock_of(_week("9-18"), BERLIN, "DE-BY", NO_DAYS, {})
BERLIN_CITY = clock_of(_week("9-18"), BERLIN, "DE-BE", NO_DAYS, {})
NEW_YORK = clock_of(_week("9-17"), NEW_YORK_ZONE, "US-NY", NO_DAYS, {})
ALWAYS = clock_of(_week("0-24", "0-24", "0-24"), BERLIN, None, NO_DAYS, {})
NIGHT = clock_of(_week("0-6 22-24", "0-6 22-24", "0-6 22-24"), BERLIN, None, NO_DAYS, {})
SMALL_HOURS = clock_of(_week("2:30-4", "2:30-4", "2:30-4"), BERLIN, None, NO_DAYS, {})
CHRISTMAS = clock_of(
    _week("9-18"),
    BERLIN,
    "DE",
    Days(frozenset({date(2026, 12, 28), date(2026, 12, 29), date(2026, 12, 30)}), frozenset({(12, 31)})),
    {(12, 24): _spans("9-12"), date(2027, 1, 2): _spans("10-12")},
)

#: clock, begins, working time, due; times are the place's own.
DUE = [
    # The promise of the brief, and what lies around a weekend.
    (OFFICE, "2026-11-20T17:50", "2:00", "2026-11-23T10:50"),  # Friday 10 min, Monday 1 h 50
    (OFFICE, "2026-11-20T16:00", "2:00", "2026-11-20T18:00"),  # to the last minute of Friday
    (OFFICE, "2026-11-20T16:00", "2:01", "2026-11-23T09:01"),
    (OFFICE, "2026-11-20T18:00", "2:00", "2026-11-23T11:00"),
    (OFFICE, "2026-11-21T12:00", "2:00", "2026-11-23T11:00"),  # on a Saturday
    (OFFICE, "2026-11-22T23:59", "0:30", "2026-11-23T09:30"),
    (OFFICE, "2026-11-23T03:00", "0:30", "2026-11-23T09:30"),  # before the day begins
    (OFFICE, "2026-11-23T09:00", "9:00", "2026-11-23T18:00"),
    (OFFICE, "2026-11-23T09:00", "9:01", "2026-11-24T09:01"),
    (OFFICE, "2026-11-23T09:00", "45:00", "2026-11-27T18:00"),  # a whole week
    (OFFICE, "2026-11-23T09:00", "46:00", "2026-11-30T10:00"),
    (OFFICE, "2026-11-26T14:00", "8:00", "2026-11-27T13:00"),
    (OFFICE, "2026-11-23T12:00", "0:00", "2026-11-23T12:00"),
    (OFFICE, "2026-11-21T12:00", "0:00", "2026-11-21T12:00"),  # nothing to do is done at once
    # A lunch break
    (LUNCH, "2026-11-23T11:30", "1:00", "2026-11-23T13:30"),
    (LUNCH, "2026-11-23T12:15", "1:00", "2026-11-23T14:00"),
    (LUNCH, "2026-11-23T11:00", "1:00", "2026-11-23T12:00"),
    (LUNCH, "2026-11-23T17:30", "4:00", "2026-11-24T13:30"),
    (LUNCH, "2026-11-27T17:59", "8:00", "2026-11-30T17:59"),
    # Saturdays
    (SATURDAY, "2026-11-20T17:00", "2:00", "2026-11-21T11:00"),
    (SATURDAY, "2026-11-21T13:30", "2:00", "2026-11-23T10:30"),
    # Easter: Good Friday 3 April, Easter Monday 6 April; the clocks went forward on 29 March
    (BAVARIA, "2026-04-02T17:00", "2:00", "2026-04-07T10:00"),
    (OFFICE, "2026-04-02T17:00", "2:00", "2026-04-03T10:00"),
    (BAVARIA, "2026-04-03T12:00", "0:10", "2026-04-07T09:10"),
    (BAVARIA, "2026-04-05T12:00", "9:00", "2026-04-07T18:00"),
    # 3 October on a Friday, 1 May on a Friday
    (BERLIN_CITY, "2025-10-02T17:30", "1:00", "2025-10-06T09:30"),
    (BAVARIA, "2026-04-30T17:30", "1:00", "2026-05-04T09:30"),
    # Epiphany is one in Bavaria and none in Berlin; women's day is one in Berlin and none in Bavaria
    (BAVARIA, "2026-01-05T17:00", "2:00", "2026-01-07T10:00"),
    (BERLIN_CITY, "2026-01-05T17:00", "2:00", "2026-01-06T10:00"),
    (BERLIN_CITY, "2027-03-05T17:00", "2:00", "2027-03-09T10:00"),
    (BAVARIA, "2027-03-05T17:00", "2:00", "2027-03-08T10:00"),
    (BAVARIA, "2026-06-03T17:00", "2:00", "2026-06-05T10:00"),  # Corpus Christi
    # The year's end: 24 December until noon, closed from 28 to 31, 1 January, and a Saturday of its own
    (CHRISTMAS, "2026-12-23T17:00", "2:00", "2026-12-24T10:00"),
    (CHRISTMAS, "2026-12-24T11:00", "2:00", "2027-01-02T11:00"),
    (CHRISTMAS, "2026-12-24T11:00", "4:00", "2027-01-04T10:00"),
    (CHRISTMAS, "2025-12-30T17:00", "2:00", "2026-01-02T10:00"),  # 31 December is closed every year
    (CHRISTMAS, "2027-12-23T17:00", "5:00", "2027-12-27T10:00"),  # the half day is one every year
    # An owner in New York: the weekend is longer from here, Thanksgiving is Thursday 26 November
    (NEW_YORK, "2026-11-20T16:30", "1:00", "2026-11-23T09:30"),
    (NEW_YORK, "2026-11-25T16:00", "2:00", "2026-11-27T10:00"),
    (NEW_YORK, "2026-07-02T16:00", "2:00", "2026-07-06T10:00"),  # 4 July, a Saturday, is kept on Friday
    (NEW_YORK, "2026-10-30T16:00", "2:00", "2026-11-02T10:00"),  # over the end of summer time there
    (NEW_YORK, "2026-03-06T16:00", "2:00", "2026-03-09T10:00"),  # and its beginning
    # Summer time in offices: nobody works in the night in which the clocks change
    (OFFICE, "2026-03-27T17:00", "2:00", "2026-03-30T10:00"),
    (OFFICE, "2026-10-23T17:00", "2:00", "2026-10-26T10:00"),
    # Where somebody does: 29 March has 23 hours, 25 October 25
    (ALWAYS, "2026-03-29T00:00", "23:00", "2026-03-30T00:00"),
    (ALWAYS, "2026-03-28T22:00", "6:00", "2026-03-29T05:00"),
    (ALWAYS, "2026-10-25T00:00", "25:00", "2026-10-26T00:00"),
    (ALWAYS, "2026-10-24T22:00", "6:00", "2026-10-25T03:00"),
    (NIGHT, "2026-03-28T22:00", "7:00", "2026-03-29T06:00"),  # 2 h and 5 h
    (NIGHT, "2026-10-24T22:00", "9:00", "2026-10-25T06:00"),  # 2 h and 7 h
    (NIGHT, "2026-10-24T22:00", "9:30", "2026-10-25T22:30"),
    (SMALL_HOURS, "2026-03-29T00:00", "1:00", "2026-03-29T04:00"),  # 2:30 is skipped: 3:00 to 4:00 is left
    (SMALL_HOURS, "2026-10-25T00:00", "2:30", "2026-10-25T04:00"),  # from the first 2:30 on
]

#: clock, from, to, working time between them.
WORKED = [
    (OFFICE, "2026-11-20T17:50", "2026-11-23T10:30", "1:40"),  # touched in time
    (OFFICE, "2026-11-20T17:50", "2026-11-23T10:51", "2:01"),  # a minute late
    (OFFICE, "2026-11-23T10:00", "2026-11-23T10:00", "0:00"),
    (OFFICE, "2026-11-23T11:00", "2026-11-23T10:00", "0:00"),  # backwards is nothing
    (OFFICE, "2026-11-20T18:00", "2026-11-23T09:00", "0:00"),
    (OFFICE, "2026-11-01T00:00", "2026-12-01T00:00", "189:00"),  # 21 working days
    (LUNCH, "2026-11-23T08:00", "2026-11-23T20:00", "8:00"),
    (LUNCH, "2026-11-23T11:30", "2026-11-23T13:30", "1:00"),
    (BAVARIA, "2026-04-02T17:00", "2026-04-07T10:00", "2:00"),
    (OFFICE, "2026-04-02T17:00", "2026-04-07T10:00", "20:00"),
    (BAVARIA, "2026-01-05T09:00", "2026-01-07T18:00", "18:00"),
    (BERLIN_CITY, "2026-01-05T09:00", "2026-01-07T18:00", "27:00"),
    (CHRISTMAS, "2026-12-24T00:00", "2027-01-01T00:00", "3:00"),
    (NEW_YORK, "2026-11-23T00:00", "2026-11-28T00:00", "32:00"),
    (ALWAYS, "2026-03-29T00:00", "2026-03-30T00:00", "23:00"),
    (ALWAYS, "2026-10-25T00:00", "2026-10-26T00:00", "25:00"),
    (SMALL_HOURS, "2026-03-29T00:00", "2026-03-29T12:00", "1:00"),
    (SMALL_HOURS, "2026-10-25T00:00", "2026-10-25T12:00", "2:30"),
]


def _at(clock: WorkClock, text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=clock.zone)


def _seconds(text: str) -> int:
    hours, minutes = text.split(":")
    return (int(hours) * 60 + int(minutes)) * 60


def test_there_are_at_least_sixty_cases() -> None:
    assert len(DUE) + len(WORKED) >= 60


@pytest.mark.parametrize(("clock", "start", "work", "due"), DUE, ids=[f"{c[1]}+{c[2]}" for c in DUE])
def test_it_is_due_when_the_calendar_says(clock: WorkClock, start: str, work: str, due: str) -> None:
    assert clock.due(_at(clock, start), _seconds(work)) == _at(clock, due).astimezone(UTC)


@pytest.mark.parametrize(("clock", "start", "end", "work"), WORKED, ids=[f"{c[1]}to{c[2]}" for c in WORKED])
def test_so_much_was_worked_between(clock: WorkClock, start: str, end: str, work: str) -> None:
    assert clock.worked_between(_at(clock, start), _at(clock, end)) == _seconds(work)


def test_the_second_showing_of_an_hour_is_an_hour_later() -> None:
    first = datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo(BERLIN))
    assert ALWAYS.worked_between(first, first.replace(fold=1)) == 3600
    assert ALWAYS.due(first, 3600) == first.replace(fold=1).astimezone(UTC)


def test_an_owner_elsewhere_has_a_clock_of_their_own() -> None:
    clocks = Clocks(OFFICE, {"kate@office.example": NEW_YORK})
    friday = datetime(2026, 11, 20, 16, 50, tzinfo=UTC)  # 17:50 in Berlin, 11:50 in New York
    assert clocks.of("Kate@Office.example").due(friday, 7200) == datetime(2026, 11, 20, 18, 50, tzinfo=UTC)
    assert clocks.of("ole@office.example").due(friday, 7200) == datetime(2026, 11, 23, 9, 50, tzinfo=UTC)
    assert clocks.of(None) is OFFICE


def test_where_nobody_ever_works_nothing_is_due() -> None:
    idle = WorkClock({}, ZoneInfo(BERLIN))
    with pytest.raises(NoWorkingTime):
        idle.due(datetime(2026, 11, 20, tzinfo=UTC), 1)
    assert idle.worked_between(datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)) == 0


@pytest.mark.parametrize("ask", [lambda c, t: c.due(t, 1), lambda c, t: c.worked_between(t, t)])
def test_a_time_without_a_zone_is_refused(ask: object) -> None:
    with pytest.raises(ValueError, match="zone"):
        ask(OFFICE, datetime(2026, 11, 20))  # type: ignore[operator]  # noqa: DTZ001 - the naive time is the case


def test_a_length_of_work_is_not_negative() -> None:
    with pytest.raises(ValueError, match="negative"):
        OFFICE.due(datetime(2026, 11, 20, tzinfo=UTC), -1)


@pytest.mark.parametrize(("begin", "end"), [(600, 600), (700, 600), (-1, 60), (0, 1441)])
def test_a_span_has_a_length_and_lies_in_its_day(begin: int, end: int) -> None:
    with pytest.raises(ValueError, match="span"):
        Span(begin, end)


def test_spans_of_a_day_may_not_overlap() -> None:
    with pytest.raises(ValueError, match="overlap"):
        WorkClock({0: _spans("9-12 11-18")}, ZoneInfo(BERLIN))


@pytest.mark.parametrize(
    ("region", "known"),
    [("DE", True), ("DE-BY", True), ("AT", True), ("US-NY", True), ("DE-XX", False), ("XX", False)],
)
def test_a_region_is_known_or_not(region: str, known: bool) -> None:
    assert region_is_known(region) is known


def test_a_region_that_nobody_knows_has_no_holidays_to_give() -> None:
    with pytest.raises(ValueError, match="DE-XX"):
        public_holidays("DE-XX", 2026)


@pytest.mark.parametrize(("zone", "known"), [(BERLIN, True), ("Europe/Bielefeld", False), ("", False)])
def test_a_time_zone_is_known_or_not(zone: str, known: bool) -> None:
    assert zone_is_known(zone) is known


CLOCKS = st.sampled_from([OFFICE, LUNCH, SATURDAY, BAVARIA, NEW_YORK, ALWAYS, NIGHT, SMALL_HOURS, CHRISTMAS])
MOMENTS = st.integers(0, 2 * 365 * 86_400).map(
    lambda seconds: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
)
LENGTHS = st.integers(0, 200 * 3600)
FEW = settings(max_examples=40, deadline=None)


@FEW
@given(CLOCKS, MOMENTS, LENGTHS)
def test_what_is_due_has_been_worked(clock: WorkClock, start: datetime, work: int) -> None:
    due = clock.due(start, work)
    assert clock.worked_between(start, due) == work
    # It is the first such moment: a second before, a second of work was missing.
    assert work == 0 or clock.worked_between(start, due - timedelta(seconds=1)) == work - 1


@FEW
@given(CLOCKS, MOMENTS, LENGTHS, LENGTHS)
def test_more_work_is_never_due_earlier_and_a_later_start_neither(
    clock: WorkClock, start: datetime, one: int, other: int
) -> None:
    less, more = sorted((one, other))
    assert clock.due(start, less) <= clock.due(start, more)
    assert clock.due(start, less) <= clock.due(start + timedelta(seconds=more), less)


@FEW
@given(CLOCKS, st.lists(MOMENTS, min_size=3, max_size=3))
def test_working_time_adds_up(clock: WorkClock, moments: list[datetime]) -> None:
    first, middle, last = sorted(moments)
    whole = clock.worked_between(first, last)
    assert whole == clock.worked_between(first, middle) + clock.worked_between(middle, last)
    assert 0 <= whole <= (last - first).total_seconds()


@FEW
@given(CLOCKS, MOMENTS, st.integers(1, 20 * 3600), st.integers(1, 20 * 3600))
def test_work_in_two_parts_is_due_when_the_whole_is(
    clock: WorkClock, start: datetime, one: int, other: int
) -> None:
    assert clock.due(clock.due(start, one), other) == clock.due(start, one + other)
