"""How often within a week: counted from single events."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as some

from connectors.hubspot.signals import COUNTERS, EVENT_SCHEMA
from mapping.lead import LEAD_FIELDS
from mapping.qualification.frequency import WEEKLY, in_week

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
Event = tuple[float, int, bool]  #: day, how many, whether the history begins with it


def counted(*events: Event, kind: str = "visit") -> int | None:
    rows = [("1", kind, NOON + timedelta(days=day), count, first) for day, count, first in events]
    found = in_week(pl.DataFrame(rows, schema=dict(EVENT_SCHEMA), orient="row"))
    return dict(found.filter(pl.col("event") == kind).select("_id", "count").iter_rows()).get("1")


@pytest.mark.parametrize(
    ("events", "in_the_week"),
    [
        ((), None),
        (((0, 1, True),), 1),
        (((0, 1, True), (2, 1, False), (4, 1, False)), 3),
        # The week is that of the latest visit, and a visit exactly seven days before is not in it.
        (((0, 1, True), (2, 1, False), (40, 1, False)), 1),
        (((0, 1, True), (7, 1, False)), 1),
        (((0.01, 1, True), (7, 1, False)), 2),
        # One rise of the counter by three is three visits; but what came in one piece with an import is one.
        (((1, 3, False),), 3),
        (((1, 40, True),), 1),
        (((1, 40, True), (2, 2, False)), 3),
    ],
)
def test_events_of_the_week_up_to_the_latest_one_are_counted(
    events: tuple[Event, ...], in_the_week: int | None
) -> None:
    assert counted(*events) == in_the_week


EVENTS = some.lists(some.tuples(some.floats(0, 60), some.integers(1, 4), some.just(value=False)), min_size=1)


@given(EVENTS)
def test_a_week_never_holds_more_than_there_was_and_one_more_event_now_never_hides_the_last(
    events: list[Event],
) -> None:
    week = counted(*events)
    assert week is not None
    assert max(events)[1] <= week <= sum(count for _, count, _ in events)
    assert counted(*events, (max(events)[0], 1, False)) == week + 1


def test_every_weekly_field_is_fed_by_a_counter_that_hubspot_has() -> None:
    assert {one.event for one in WEEKLY.values()} <= COUNTERS.keys()
    assert set(WEEKLY) | {one.counter for one in WEEKLY.values()} <= LEAD_FIELDS.keys()
