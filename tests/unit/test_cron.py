"""Schedules: when they were due last, when they are due next, and over changes of the clocks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.cron import WrongCron, parse_cron

BERLIN = ZoneInfo("Europe/Berlin")
SUNDAY = datetime(2026, 11, 22, 13, 37, 30, tzinfo=UTC)  # 14:37:30 in Berlin


def _utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "last", "following"),
    [
        ("* * * * *", "2026-11-22T13:37", "2026-11-22T13:38"),
        ("*/5 * * * *", "2026-11-22T13:35", "2026-11-22T13:40"),
        ("20 * * * *", "2026-11-22T13:20", "2026-11-22T14:20"),
        ("30 1 * * *", "2026-11-22T00:30", "2026-11-23T00:30"),  # by the clocks of Berlin
        ("0 7 * * 1", "2026-11-16T06:00", "2026-11-23T06:00"),
        ("0 7 * * mon", "2026-11-16T06:00", "2026-11-23T06:00"),
        ("0 9 * * 1-5", "2026-11-20T08:00", "2026-11-23T08:00"),
        ("0 0 * * 0", "2026-11-21T23:00", "2026-11-28T23:00"),
        ("0 0 * * 7", "2026-11-21T23:00", "2026-11-28T23:00"),
        ("0 0 1 * *", "2026-10-31T23:00", "2026-11-30T23:00"),
        ("15,45 8-10 * * *", "2026-11-22T09:45", "2026-11-23T07:15"),
        ("0 0-12/6 * * *", "2026-11-22T11:00", "2026-11-22T23:00"),
        ("0 12 29 feb *", "2024-02-29T11:00", "2028-02-29T11:00"),
        # Where both days are given, either is enough
        ("0 12 1 * fri", "2026-11-20T11:00", "2026-11-27T11:00"),
        ("0 12 30 2 fri", "2026-02-27T11:00", "2027-02-05T11:00"),
    ],
)
def test_a_schedule_is_due(text: str, last: str, following: str) -> None:
    cron = parse_cron(text)
    assert cron.last(SUNDAY, BERLIN) == _utc(last)
    assert cron.next(SUNDAY, BERLIN) == _utc(following)


@pytest.mark.parametrize(
    ("text", "after", "expected"),
    [
        # 29 March 2026: 02:00 to 03:00 does not exist; it comes an hour later by the clocks
        ("30 2 * * *", "2026-03-28T12:00", "2026-03-29T01:30"),
        # 25 October 2026: 02:00 to 03:00 comes twice; a nightly run comes once
        ("30 2 * * *", "2026-10-24T12:00", "2026-10-25T00:30"),
        ("30 2 * * *", "2026-10-25T00:30", "2026-10-26T01:30"),
        # and what runs every hour runs in both
        ("30 * * * *", "2026-10-25T00:30", "2026-10-25T01:30"),
        ("*/5 * * * *", "2026-10-25T00:59", "2026-10-25T01:00"),
        ("*/5 * * * *", "2026-03-29T00:59", "2026-03-29T01:00"),
    ],
)
def test_the_clocks_change_and_the_schedule_stays(text: str, after: str, expected: str) -> None:
    assert parse_cron(text).next(_utc(after), BERLIN) == _utc(expected)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "five fields"),
        ("* * * *", "five fields"),
        ("60 * * * *", "the minute must be 0 to 59"),
        ("* 24 * * *", "the hour must be 0 to 23"),
        ("* * 0 * *", "the day must be 1 to 31"),
        ("* * * 13 *", "the month must be 1 to 12"),
        ("* * * * 8", "the weekday must be 0 to 7"),
        ("*/0 * * * *", "the step of the minute"),
        ("*/x * * * *", "the step of the minute"),
        ("10-5 * * * *", "a range of the minute must go upwards"),
        ("* * * * someday", "the weekday must be a number"),
        ("-1 * * * *", "the minute must be a number"),
        ("1,, * * * *", "the minute must be a number"),
        ("0 0 30 2 *", "never due"),
        ("0 0 31 4,6 *", "never due"),
    ],
)
def test_what_is_no_schedule_is_said_without_repeating_it(text: str, words: str) -> None:
    with pytest.raises(WrongCron) as wrong:
        parse_cron(text)
    assert words in str(wrong.value)


@given(
    minute=st.sampled_from(["*", "*/7", "0", "3,50"]),
    hour=st.sampled_from(["*", "0", "2", "1-3", "*/6"]),
    weekday=st.sampled_from(["*", "0", "1-5"]),
    minutes=st.integers(0, 10 * 366 * 1440),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]),
)
def test_nothing_is_due_between_the_last_time_and_the_next(
    minute: str, hour: str, weekday: str, minutes: int, zone: str
) -> None:
    cron, place = parse_cron(f"{minute} {hour} * * {weekday}"), ZoneInfo(zone)
    moment = datetime(2020, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes, seconds=minutes % 60)
    last, following = cron.last(moment, place), cron.next(moment, place)
    assert last <= moment < following
    assert cron.next(last, place) == following
    assert cron.last(following, place) == following
    assert cron.last(following - timedelta(microseconds=1), place) == last
