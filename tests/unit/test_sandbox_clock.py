"""The clock of the pretend CRMs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.sandbox.clock import SandboxClock, real_time

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class RealTime:
    """Real time that goes on by what a test says."""

    def __init__(self) -> None:
        self.at = NOON

    def __call__(self) -> datetime:
        return self.at


@pytest.fixture
def real() -> RealTime:
    return RealTime()


def test_a_clock_that_nobody_touched_tells_real_time_in_utc() -> None:
    told = SandboxClock(None).now()
    assert told.tzinfo is UTC
    assert abs(told - real_time()) < timedelta(seconds=1)


@pytest.mark.parametrize(
    ("steps", "hours_from_noon"),
    [
        # Real time goes on by one hour after the steps.
        ([], 1),
        ([lambda clock: clock.set(NOON - timedelta(hours=5))], -5),
        ([lambda clock: clock.advance(7200)], 3),
        ([lambda clock: clock.advance(7200), lambda clock: clock.advance(-10_800)], 0),
        ([lambda clock: clock.set(NOON), lambda clock: clock.advance(7200)], 2),
        # Setting forgets an earlier shift, running forgets both.
        ([lambda clock: clock.advance(7200), lambda clock: clock.set(NOON)], 0),
        ([lambda clock: clock.advance(7200), lambda clock: clock.run()], 1),
        ([lambda clock: clock.set(NOON), lambda clock: clock.run()], 1),
        ([lambda clock: clock.set(NOON), lambda clock: clock.run(), lambda clock: clock.advance(3600)], 2),
    ],
)
@pytest.mark.parametrize("restarted", [False, True])
def test_the_clock_does_as_it_is_told_also_after_a_restart(
    tmp_path: Path,
    real: RealTime,
    steps: list[Callable[[SandboxClock], None]],
    hours_from_noon: int,
    restarted: bool,
) -> None:
    clock = SandboxClock(tmp_path / "clock.json", real)
    for step in steps:
        step(clock)
    if restarted:
        clock = SandboxClock(tmp_path / "clock.json", real)
    real.at += timedelta(hours=1)
    assert clock.now() == NOON + timedelta(hours=hours_from_noon)


def test_a_time_in_another_zone_is_kept_as_utc(real: RealTime) -> None:
    clock = SandboxClock(None, real)
    clock.set(datetime(2026, 3, 1, 12, tzinfo=timezone(timedelta(hours=2))))
    assert clock.now().isoformat() == "2026-03-01T10:00:00+00:00"


def test_a_time_without_a_zone_is_refused_and_changes_nothing(real: RealTime) -> None:
    clock = SandboxClock(None, real)
    with pytest.raises(ValueError, match="zone"):
        clock.set(NOON.replace(tzinfo=None))
    assert (clock.now(), clock.frozen) == (NOON, False)


@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("seconds", [1e300, 1e12, -1e12])
def test_a_step_out_of_the_calendar_is_refused_and_changes_nothing(
    real: RealTime, seconds: float, frozen: bool
) -> None:
    clock = SandboxClock(None, real)
    if frozen:
        clock.set(NOON)
    with pytest.raises(ValueError, match="cannot be moved that far"):
        clock.advance(seconds)
    assert clock.now() == NOON


@given(
    moment=st.datetimes(timezones=st.just(UTC)),
    micros=st.lists(st.integers(-(10**12), 10**12), max_size=4),
)
def test_a_frozen_clock_is_remembered_to_the_microsecond(
    tmp_path_factory: pytest.TempPathFactory, moment: datetime, micros: list[int]
) -> None:
    path = tmp_path_factory.getbasetemp() / "kept-clock.json"
    clock = SandboxClock(path)
    clock.set(moment)
    for step in micros:
        try:
            clock.advance(step / 1_000_000)
        except ValueError:
            assert clock.now().year in (1, 9999)
    assert SandboxClock(path).now() == clock.now()
