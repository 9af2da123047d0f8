"""Events out of the histories of counters."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.crm import HISTORY_SCHEMA, RECORD_ID, FieldInfo, ObjectSchema
from connectors.hubspot.signals import COUNTERS, EVENT_SCHEMA, counters_in, events_of

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
VISITS = COUNTERS["visit"]
BY_PROPERTY = {name: event for event, name in COUNTERS.items()}


def history(*values: tuple[int, str | None], record: str = "1", name: str = VISITS) -> pl.DataFrame:
    """A history as HubSpot tells it: (hour, value), handed over newest first."""
    rows = [
        (record, name, NOON + timedelta(hours=hour), value, "CALCULATED", None, None)
        for hour, value in reversed(values)
    ]
    return pl.DataFrame(rows, schema=dict(HISTORY_SCHEMA), orient="row")


def counts(*values: tuple[int, str | None]) -> list[tuple[int, int, bool]]:
    found = events_of([history(*values)], BY_PROPERTY)
    assert dict(found.schema) == dict(EVENT_SCHEMA)
    hours = [int((at - NOON) / timedelta(hours=1)) for at in found["at"]]
    return list(zip(hours, found["count"].to_list(), found["first"].to_list(), strict=True))


@pytest.mark.parametrize(
    ("values", "events"),
    [
        ((), []),
        (((0, "1"),), [(0, 1, True)]),
        (((0, "1"), (5, "3")), [(0, 1, True), (5, 2, False)]),
        # Nothing happened, or a counter was set back
        (((0, "0"), (5, "0")), []),
        (((0, "4"), (5, "1"), (6, "2")), [(0, 4, True), (6, 1, False)]),
        # A blank and a word are no numbers, and what follows is compared with the last one that was
        (((0, "2"), (1, None), (2, "many"), (3, "5")), [(0, 2, True), (3, 3, False)]),
        (((0, "nan"), (1, "inf"), (2, "1")), [(2, 1, True)]),
        # Two values at one time keep their order
        (((0, "1"), (0, "2"), (0, "4")), [(0, 1, True), (0, 1, False), (0, 2, False)]),
        (((0, "1.5E1"),), [(0, 15, True)]),
    ],
)
def test_a_rise_is_so_many_events_at_its_time(
    values: tuple[tuple[int, str | None], ...], events: list[tuple[int, int, bool]]
) -> None:
    assert counts(*values) == events


@given(st.lists(st.integers(0, 5), max_size=10), st.lists(st.integers(0, 5), max_size=10))
def test_the_events_of_a_counter_add_up_to_it_whoever_else_is_read(own: list[int], others: list[int]) -> None:
    def rising(steps: list[int]) -> list[tuple[int, str | None]]:
        return [(hour, str(sum(steps[: hour + 1]))) for hour in range(len(steps))]

    frames = [
        history(*rising(own)),
        history(*rising(others), record="2"),
        history(*rising(others), name="other"),
    ]
    found = events_of(frames, BY_PROPERTY)
    assert found.filter(pl.col(RECORD_ID) == "1")["count"].sum() == sum(own)
    assert found.filter(pl.col(RECORD_ID) == "2")["count"].sum() == sum(others)
    assert found["at"].is_sorted()
    assert set(found["event"]) <= {"visit"}


def test_no_history_has_no_events() -> None:
    assert dict(events_of([], BY_PROPERTY).schema) == dict(EVENT_SCHEMA)


def test_counters_that_an_account_lacks_are_named() -> None:
    schema = ObjectSchema("hubspot", "contacts", {VISITS: FieldInfo(VISITS, "Visits", "number")})
    assert counters_in(schema, ["visit", "form"]) == ({VISITS: "visit"}, ("form",))
