"""How much is left of backfills and of the inbox, and for how long."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sync.remaining import Left, left_of_backfill, left_of_inbox
from sync.store.backfills import Underway
from sync.store.inbox import Waiting
from sync.store.runs import Numbers, RunRow

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def _ran(command: str, *, read: int = 0, targets: int = 0, ago: int = 10, state: str = "done") -> RunRow:
    """A run of ten seconds that ended some minutes ago."""
    ended = NOW - timedelta(minutes=ago)
    numbers = Numbers(records_read=read, targets=targets)
    return RunRow(1, command, ended - timedelta(seconds=10), ended, state, numbers, "")


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
def test_a_backfill_takes_as_long_as_its_records_at_the_pace_of_earlier_slices(
    runs: list[RunRow], seconds: float | None
) -> None:
    underway = Underway(7, {}, NOW, slices=4, slices_done=1, records=80, records_done=20)
    assert left_of_backfill(underway, runs, {}, NOW) == Left(60, seconds)


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
