"""Two runs never work the same lead at once, and a dead one keeps nobody waiting."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from sync.store.store import Store

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
ROOT = Path(__file__).resolve().parents[2]
Open = Callable[..., Store]

HOLDER = """
import datetime, sys
import polars as pl
from sync.store.store import Store
now = datetime.datetime(2026, 11, 22, 9, 0, tzinfo=datetime.timezone.utc)
store = Store(sys.argv[1])
store.use("101", "00D1", now)
run = store.runs.start("sync", now, None)
store.runs.claim(pl.Series("lead_id", ["L1", "L2"]), run, now, 900)
print(run, flush=True)
sys.stdin.read()
"""


def _ids(*lead_ids: str) -> pl.Series:
    return pl.Series("lead_id", lead_ids, dtype=pl.String)


def _run(store: Store) -> int:
    return store.runs.start("sync", NOW, None)


@pytest.fixture
def holder(store: Store, migrated_database: str) -> Iterator[subprocess.Popen[bytes]]:
    """Another process in the middle of a run that has claimed L1 and L2."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, migrated_database],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
    )
    assert process.stdout is not None
    assert process.stdout.readline().strip().isdigit()
    yield process
    if process.poll() is None:
        process.kill()
    process.communicate()


def test_a_lead_is_worked_by_one_run_at_a_time(store: Store, another: Open) -> None:
    other = another()
    first, second = _run(store), _run(other)
    assert store.runs.claim(_ids("L1", "L2"), first, NOW, 60)[1] == {"L1", "L2"}
    assert other.runs.claim(_ids("L2", "L3"), second, NOW, 60)[1] == {"L3"}
    assert set(store.runs.claimed(_ids("L1", "L3", "L4"))) == {"L1", "L3"}


def test_a_released_lead_is_free(store: Store, another: Open) -> None:
    other = another()
    first, second = _run(store), _run(other)
    fence, _ = store.runs.claim(_ids("L1"), first, NOW, 60)
    store.runs.release(first, fence)
    assert other.runs.claim(_ids("L1"), second, NOW, 60)[1] == {"L1"}


def test_a_claim_of_another_pair_of_accounts_is_none_of_ours(store: Store, another: Open) -> None:
    other = another(portal="102")
    store.runs.claim(_ids("L1"), _run(store), NOW, 60)
    assert other.runs.claim(_ids("L1"), _run(other), NOW, 60)[1] == {"L1"}


def test_an_expired_claim_is_taken_over_and_its_first_owner_is_fenced_out(
    store: Store, another: Open
) -> None:
    other = another()
    first, second = _run(store), _run(other)
    slow, _ = store.runs.claim(_ids("L1", "L2"), first, NOW, 60)
    fast, got = other.runs.claim(_ids("L1"), second, NOW + timedelta(seconds=61), 60)
    assert got == {"L1"}
    assert fast > slow
    with store.transaction():
        assert store.runs.fenced_out(_ids("L1", "L2"), slow) == {"L1"}
    with other.transaction():
        assert other.runs.fenced_out(_ids("L1"), fast) == set()


def test_who_is_fenced_out_cannot_release_the_new_owners_claim(store: Store, another: Open) -> None:
    other = another()
    first, second = _run(store), _run(other)
    slow, _ = store.runs.claim(_ids("L1"), first, NOW, 60)
    fast, _ = other.runs.claim(_ids("L1"), second, NOW + timedelta(seconds=61), 60)
    store.runs.release(first, slow)
    with other.transaction():
        assert other.runs.fenced_out(_ids("L1"), fast) == set()


def test_the_claims_of_a_living_process_stand(store: Store, holder: subprocess.Popen[bytes]) -> None:
    assert store.runs.claim(_ids("L1", "L3"), _run(store), NOW, 60)[1] == {"L3"}
    assert [row.state for row in store.runs.newest(9)] == ["running", "running"]


def test_the_claims_of_a_killed_process_are_free_at_once(
    store: Store, holder: subprocess.Popen[bytes]
) -> None:
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    _wait_until_gone(store)
    assert store.runs.claim(_ids("L1", "L3"), _run(store), NOW, 60)[1] == {"L1", "L3"}
    assert [(row.state, row.note) for row in store.runs.newest(9)][1] == ("failed", "the process died")


def _wait_until_gone(store: Store) -> None:
    """The server notices a broken connection a moment after the kill."""
    held = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2"
    for _ in range(200):
        if store._connection.execute(held.encode()).fetchone() == (0,):
            return
        store._connection.execute("SELECT pg_sleep(0.02)")
    pytest.fail("the killed process is still connected")


def test_a_claim_held_while_remembering_cannot_be_taken_over(store: Store, another: Open) -> None:
    other = another()
    first, second = _run(store), _run(other)
    fence, _ = store.runs.claim(_ids("L1"), first, NOW, 60)
    with store.transaction():
        assert store.runs.fenced_out(_ids("L1"), fence) == set()
        other._connection.execute("SET lock_timeout = '200ms'")
        with pytest.raises(Exception, match="lock timeout"):
            other.runs.claim(_ids("L1"), second, NOW + timedelta(seconds=61), 60)
