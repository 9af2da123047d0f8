"""How long answers took: buckets, quantiles, and which writes are answers at all."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.freshness import HAPPENED, bucket_of, quantile, seconds_of, told, took
from sync.write import ENDED

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
MOMENT = pl.Datetime("us", "UTC")


def _ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


@given(st.floats(0.001, 30 * 86_400))
def test_a_bucket_tells_its_time_to_within_a_tenth(seconds: float) -> None:
    assert seconds_of(bucket_of(seconds)) == pytest.approx(seconds, rel=0.1)


@given(st.lists(st.floats(0.01, 86_400), min_size=1, max_size=50), st.sampled_from([0.5, 0.95]))
def test_a_quantile_lies_where_the_sorted_times_have_it(times: list[float], share: float) -> None:
    buckets: dict[int, int] = {}
    for one in times:
        buckets[bucket_of(one)] = buckets.get(bucket_of(one), 0) + 1
    exact = next(one for n, one in enumerate(sorted(times), 1) if n >= share * len(times))
    assert quantile(buckets, share) == pytest.approx(exact, rel=0.1)


@pytest.mark.parametrize("seconds", [0.0, -5.0, 0.0005])
def test_a_clock_that_is_ahead_counts_as_no_time_at_all(seconds: float) -> None:
    assert bucket_of(seconds) == 0


def test_nothing_counted_takes_no_time_and_lanes_are_told_by_urgency() -> None:
    assert quantile({}, 0.95) == 0.0
    lanes = told({"live": {40: 3}, "consent": {20: 1}, "backfill": {60: 2}})
    assert [(one.lane, one.leads) for one in lanes] == [("consent", 1), ("live", 3), ("backfill", 2)]


@pytest.mark.parametrize(
    ("hubspot", "salesforce", "pushed", "state", "expected"),
    [
        # Changed in HubSpot, written to Salesforce: as long ago as the change
        (_ago(4), _ago(900), None, "written", 4),
        # A push knows of an older change that nobody has answered
        (_ago(4), _ago(900), _ago(9), "written", 9),
        # The record counts where a push came late
        (_ago(4), _ago(900), _ago(2), "written", 4),
        # Created in Salesforce: there was nothing before
        (_ago(4), None, None, "written", 4),
        # Seen by an earlier run: a new policy sent it out, and nobody waited for that
        (_ago(700), _ago(900), None, "written", None),
        # Unless a push has just told of it
        (_ago(700), _ago(900), _ago(3), "written", 700),
        # Salesforce was changed last, so what is written there answers no change in HubSpot
        (_ago(40), _ago(4), None, "written", None),
        # What was refused is no answer
        (_ago(4), _ago(900), None, "refused", None),
    ],
)
def test_only_a_written_answer_to_an_unseen_change_counts(
    hubspot: datetime | None, salesforce: datetime | None, pushed: datetime | None, state: str, expected: Any
) -> None:
    leads = pl.DataFrame(
        {
            "lead_id": ["L1"],
            **{"h._id": ["1"], "h._modified_at": [hubspot]},
            **{"s._id": ["00Q1"], "s._modified_at": [salesforce]},
        },
        schema_overrides={"h._modified_at": MOMENT, "s._modified_at": MOMENT},
    )
    rows = [("live", "city"), ("consent", "may_email")]
    written = pl.DataFrame(
        [
            {"lead_id": "L1", "crm": "salesforce", "lane": lane, "field": name, "state": state}
            for lane, name in rows
        ],
        schema=dict(ENDED),
    )
    happened = None
    if pushed is not None:
        happened = pl.DataFrame([("hubspot", "1", pushed)], schema=dict(HAPPENED), orient="row")
    counts = took(leads, written, happened, {"hubspot": _ago(600), "salesforce": _ago(600)}, NOW)
    assert counts == ({} if expected is None else {("consent", "salesforce", bucket_of(expected)): 1})
