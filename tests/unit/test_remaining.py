"""How much is left of backfills and of the inbox, and for how long."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.quota_day import Others, Room
from sync.remaining import Left, ahead, end_of_backfill, left_of_backfill, left_of_inbox
from sync.store.backfills import SliceRow, Worked
from sync.store.inbox import Waiting
from sync.store.runs import Numbers, RunRow

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def _ran(command: str, *, read: int = 0, targets: int = 0, ago: int = 10, state: str = "done") -> RunRow:
    """A run of ten seconds that ended some minutes ago."""
    ended = NOW - timedelta(minutes=ago)
    numbers = Numbers(records_read=read, targets=targets)
    return RunRow(1, command, ended - timedelta(seconds=10), ended, state, numbers, "")


HOUR = timedelta(hours=1)


def _slice(records: int, *, done: bool, crm: str = "hubspot") -> SliceRow:
    return SliceRow(1, crm, None, NOW, records, 1, 1 if done else None, NOW if done else None)


@pytest.mark.parametrize(
    ("runs", "seconds"),
    [
        ([_ran("backfill", read=100)], 6.0),
        ([_ran("backfill", read=100), _ran("backfill", read=300)], 3.0),
        ([_ran("incremental", read=100)], None),
        ([_ran("backfill", read=100, state="stopped")], None),
        ([], None),
    ],
)
def test_a_backfill_that_begins_takes_as_long_as_its_records_at_the_pace_of_earlier_slices(
    runs: list[RunRow], seconds: float | None
) -> None:
    what = ahead([_slice(60, done=False)], {}, runs, {})
    assert left_of_backfill(what, {}, NOW) == Left(60, seconds)


def _worked(records: int, targets: int, each: float) -> Worked:
    return Worked(records, targets, records * each, {"salesforce": records // 2})


@pytest.mark.parametrize(
    ("hubspot", "salesforce", "worked", "fresh", "seconds", "calls"),
    [
        # (done, left) of each CRM. One CRM alone, or a range of it: what is left takes what those before it took,
        # whether counterparts came with them or not
        ((50, 50), (0, 0), {"hubspot": _worked(50, 50, 2.0)}, 50, 100.0, 25.0),
        ((50, 50), (0, 0), {"hubspot": _worked(50, 100, 2.0)}, 50, 100.0, 25.0),
        # Both, and every record has its counterpart: the other CRM's slices cost their reading,
        # of which a call takes four seconds as the others did
        ((50, 50), (0, 100), {"hubspot": _worked(50, 100, 2.0)}, 50, 100.0 + 28.0, 25.0 + 7),
        ((100, 0), (0, 100), {"hubspot": _worked(100, 200, 2.0)}, 0, 28.0, 7.0),
        # Nobody has a counterpart
        ((50, 50), (0, 100), {"hubspot": _worked(50, 50, 2.0)}, 150, 300.0, 75.0),
        # Half of them have one
        ((50, 50), (0, 100), {"hubspot": _worked(50, 75, 2.0)}, 100, 200.0 + 14.0, 50.0 + 3.5),
        # Of both some are finished: each goes on as its own went
        (
            (100, 0),
            (20, 80),
            {"hubspot": _worked(100, 200, 2.0), "salesforce": Worked(20, 0, 1.0, {"salesforce": 2})},
            80,
            4.0,
            8.0,
        ),
    ],
)
def test_what_is_left_of_each_crm_takes_what_its_finished_slices_took(
    hubspot: tuple[int, int],
    salesforce: tuple[int, int],
    worked: dict[str, Worked],
    fresh: int,
    seconds: float,
    calls: float,
) -> None:
    cut = [
        _slice(records, done=done, crm=crm)
        for crm, counts in (("hubspot", hubspot), ("salesforce", salesforce))
        for records, done in zip(counts, (True, False), strict=True)
        if records
    ]
    what = ahead(cut, worked, [], {"salesforce": 7})
    assert (what.records, what.fresh) == (hubspot[1] + salesforce[1], fresh)
    assert what.seconds == pytest.approx(seconds)
    assert what.calls["salesforce"] == pytest.approx(calls)


def test_of_a_range_nobody_knows_which_counterparts_lie_within_it_and_none_is_left_out() -> None:
    cut = [_slice(50, done=True), _slice(50, done=False), _slice(100, done=False, crm="salesforce")]
    worked = {"hubspot": _worked(50, 100, 2.0)}
    assert ahead(cut, worked, [], {"salesforce": 7}).fresh == 50
    of_range = ahead(cut, worked, [], {"salesforce": 7}, whole=False)
    assert (of_range.fresh, of_range.seconds) == (150, 300.0)


def _room(now: int, a_day: int, spent: dict[int, int], resets: datetime | None = None) -> Room:
    """``spent``: calls by how many hours ago."""
    by_hour = tuple((NOW - ago * HOUR, count) for ago, count in sorted(spent.items(), reverse=True))
    return Room(now, a_day, Others(0, 0, sure=True), by_hour, resets)


@pytest.mark.parametrize(
    ("seconds", "calls", "room", "hours"),
    [
        # Enough calls: as long as the work takes
        (7_200.0, 100, _room(100, 100, {}), 2.0),
        (7_200.0, 100, None, 2.0),
        # A day that rolls: half now, and half when what was called two hours ago comes free, from 22 to 23 hours on,
        # looked at every ten minutes
        (7_200.0, 100, _room(50, 100, {2: 50}), 23.167),
        # A day that ends at midnight, in 12 hours: half of the work is left for then
        (7_200.0, 100, _room(50, 200, {2: 150}, NOW + 12 * HOUR), 13.0),
        # Three days of 40 calls each: 40 now, 40 from midnight, 20 on the day after
        (7_200.0, 100, _room(40, 40, {}, NOW + 12 * HOUR), 36.4),
        # What the first hour calls comes free a day later
        (7_200.0, 100, _room(50, 50, {}), 25.167),
        # No work, but calls for which it has to wait
        (0.0, 100, _room(50, 100, {2: 50}), 23.0),
        # Others leave nothing
        (7_200.0, 100, _room(0, 0, {}), None),
        (7_200.0, 100, _room(0, 0, {}, NOW + 12 * HOUR), None),
        # Others leave less than was called already: what comes free first is theirs, half of an hour's calls
        (3_600.0, 10, _room(0, 20, {3: 20, 2: 10}), 22.667),
    ],
)
def test_a_backfill_ends_when_its_work_is_done_and_its_calls_have_come_free(
    seconds: float, calls: float, room: Room | None, hours: float | None
) -> None:
    ends = end_of_backfill(seconds, {"salesforce": calls}, {"salesforce": room}, NOW)
    assert (ends and round((ends - NOW) / HOUR, 3)) == hours


@given(
    seconds=st.floats(0.0, 1e6),
    calls=st.integers(0, 20_000),
    a_day=st.integers(50, 5_000),
    spent=st.dictionaries(st.integers(0, 23), st.integers(0, 300)),
    resets=st.sampled_from([None, NOW + HOUR, NOW + 12 * HOUR]),
)
def test_no_backfill_ends_before_its_work_is_done_or_with_more_calls_than_its_days_hold(
    seconds: float, calls: int, a_day: int, spent: dict[int, int], resets: datetime | None
) -> None:
    left = max(a_day - sum(spent.values()), 0)
    room = _room(left, a_day, spent, resets)
    ends = end_of_backfill(seconds, {"salesforce": calls}, {"salesforce": room}, NOW)
    if ends is None:
        return
    assert (ends - NOW).total_seconds() >= seconds * 0.999 - 1e-6
    days = (ends - NOW) / (24 * HOUR)
    assert calls <= left + a_day * math.ceil(days) + 1


@pytest.mark.parametrize(
    ("waits", "runs", "seconds"),
    [
        (30, [_ran("webhook", targets=20)], 30.0),  # ten leads in ten seconds
        (30, [_ran("webhook", targets=20, ago=61)], None),
        (30, [_ran("incremental", targets=20)], None),
        (30, [_ran("webhook", targets=0)], None),
        (0, [], 0.0),
    ],
)
def test_an_inbox_takes_as_long_as_the_pushes_of_the_last_hour_did_or_nobody_knows(
    waits: int, runs: list[RunRow], seconds: float | None
) -> None:
    waiting = [Waiting("hubspot", waits, waits, NOW if waits else None, 0)]
    assert left_of_inbox(waiting, runs, NOW) == Left(waits, seconds)
