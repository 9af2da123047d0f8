"""check says where handovers may be late before anybody is told: the schedule looks less often than was agreed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from sync.check_escalation import of_escalation
from sync.handover_rules import agreement_of
from sync.sections_handover import HandoverSettings, Weekday
from sync.sections_service import ScheduleSettings

MONDAY = datetime(2026, 11, 23, 7, 0, tzinfo=UTC)
HOURS: dict[Weekday, str] = dict.fromkeys(
    ("monday", "tuesday", "wednesday", "thursday", "friday"), "09:00-18:00"
)


def _said(incremental: str, now: datetime = MONDAY, **handover: Any) -> list[str]:
    agreed = agreement_of(HandoverSettings(time_zone="Europe/Berlin", hours=HOURS, **handover))
    schedule = ScheduleSettings(incremental=incremental)
    return [
        f"{one['where']} {one['severity']}: {one['problem']}"
        for one in of_escalation(agreed, schedule, now, lambda path: f"at {path}")
    ]


@pytest.mark.parametrize(
    ("incremental", "escalate_before", "says"),
    [
        ("*/5 * * * *", "30m", None),
        ("*/30 * * * *", "30m", None),
        ("0 * * * *", "30m", "30 minutes of working time"),
        ("0 * * * *", "1h", None),
        # Nobody works at night: what passes then is no working time.
        ("*/10 9-17 * * 1-5", "30m", None),
        ("*/10 9-12 * * 1-5", "30m", "30 minutes of working time"),
        ("*/10 9-17 * * 2-5", "30m", "30 minutes of working time"),
        ("off", "30m", "no sync is scheduled"),
    ],
)
def test_a_schedule_that_is_rarer_than_what_was_agreed_is_warned_of(
    incremental: str, escalate_before: str, says: str | None
) -> None:
    told = _said(incremental, escalate_before=escalate_before)
    if says is None:
        assert told == []
        return
    (one,) = told
    assert one.startswith("at schedule.incremental warning: ")
    assert says in one


def test_the_hour_of_the_day_does_not_matter() -> None:
    for hour in range(24):
        now = datetime(2026, 11, 26, hour, 17, tzinfo=UTC)
        assert _said("*/5 * * * *", now) == []
        assert len(_said("0 * * * *", now)) == 1


def test_where_nobody_is_to_be_told_nothing_is_said() -> None:
    assert of_escalation(None, ScheduleSettings(incremental="off"), MONDAY, str) == []
