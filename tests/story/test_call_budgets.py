"""One call budget for all processes: nobody's window is ever overfull, and what one hears all know."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier

import psycopg
import pytest

from connectors.atonce import at_once
from connectors.errors import RetryLater
from connectors.quota import WINDOW_SHARE, Day, MemoryLedger, Quota, Rate
from connectors.quota_day import Hour
from sync.errors import DatabaseAway
from sync.store.calls import LOT_LASTS, CallLedger, CallLedgers

ROOT = Path(__file__).resolve().parents[2]
NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
RATE = Rate(20, 1.0)

CALLER = """
import sys, time
from datetime import UTC, datetime
from connectors.quota import Quota, Rate
from sync.store.calls import CallLedgers
url, app, number = sys.argv[1:]
ledgers = CallLedgers(url, time.monotonic)
quota = Quota("hubspot", {"calls": Rate(20, 1.0)}, ledger=ledgers.of(app),
              clock=lambda: datetime.now(UTC), sleep=time.sleep)
sys.stdin.readline()
for _ in range(int(number)):
    quota.before()
    print(time.time(), flush=True)
ledgers.close()
"""


@pytest.fixture
def ledgers(migrated_database: str) -> Iterator[CallLedgers]:
    opened = CallLedgers(migrated_database, time.monotonic)
    yield opened
    opened.close()


@pytest.fixture
def others(migrated_database: str) -> Iterator[CallLedgers]:
    """What another process would have."""
    opened = CallLedgers(migrated_database, time.monotonic)
    yield opened
    opened.close()


@pytest.fixture
def app(request: pytest.FixtureRequest) -> str:
    """An app that no other test calls with."""
    return str(request.node.name)


def _quota(ledger: CallLedger, at: datetime = NOW, share: float = 1.0) -> Quota:
    return Quota("hubspot", {"calls": RATE}, ledger=ledger, clock=lambda: at, sleep=time.sleep, share=share)


def test_three_processes_that_call_as_fast_as_they_can_share_one_window(
    migrated_database: str, app: str
) -> None:
    each, callers = 25, []
    for _ in range(3):
        command = [sys.executable, "-c", CALLER, migrated_database, app, str(each)]
        callers.append(
            subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        )
    for caller in callers:
        assert caller.stdin is not None
        caller.stdin.write("go\n")
        caller.stdin.flush()
    lines = [line for caller in callers for line in caller.communicate(timeout=60)[0].split()]
    assert [caller.returncode for caller in callers] == [0, 0, 0]
    assert len(lines) == 3 * each
    with psycopg.connect(migrated_database) as connection:
        kept = connection.execute(
            "SELECT cardinality(calls_at) FROM call_window WHERE budget = %s", (f"{app}:hubspot:calls",)
        ).fetchone()
    allowed = int(RATE.calls * WINDOW_SHARE)
    assert kept is not None
    assert 0 < kept[0] <= allowed
    # Each line was printed a little after its call was granted: a lag may bring two windows together, not three.
    moments = sorted(map(float, lines))
    assert moments[-1] - moments[0] > (3 * each / allowed - 1.5) * RATE.seconds


def test_a_full_window_makes_everybody_wait_until_its_oldest_call_is_over(
    ledgers: CallLedgers, others: CallLedgers, app: str
) -> None:
    ours, theirs = ledgers.of(app), others.of(app)
    rate = Rate(3, 30.0)
    assert [ours.grant("calls", rate), theirs.grant("calls", rate), ours.grant("calls", rate)] == [0, 0, 0]
    assert 25 < theirs.grant("calls", rate) <= 30
    assert others.of(f"{app} elsewhere").grant("calls", rate) == 0


def _counted_in(database: str, budget: str) -> int:
    with psycopg.connect(database) as connection:
        row = connection.execute(
            "SELECT cardinality(calls_at) FROM call_window WHERE budget = %s", (budget,)
        ).fetchone()
    assert row is not None
    return int(row[0])


def test_far_from_the_limit_calls_are_counted_ahead_and_near_it_one_by_one(
    migrated_database: str, app: str
) -> None:
    passed, rate = [0.0], Rate(200, 300.0)
    with closing(CallLedgers(migrated_database, lambda: passed[0])) as ours:
        ledger = ours.of(app)
        counted = []
        for _ in range(6):
            assert ledger.grant("calls", rate) == 0
            counted.append(_counted_in(migrated_database, f"{app}:calls"))
        assert counted == [1, 4, 4, 4, 7, 7]
        # What was counted and not called in time is lost, and a hold takes it away, too.
        passed[0] += LOT_LASTS
        assert ledger.grant("calls", rate) == 0
        assert _counted_in(migrated_database, f"{app}:calls") == 10
        ledger.hold("calls", 40.0)
        assert ledger.grant("calls", rate) > 35
        ledger.used("search", rate, 195)
        assert [ledger.grant("search", rate) for _ in range(5)] == [0] * 5
        assert ledger.grant("search", rate) > 0
    assert _counted_in(migrated_database, f"{app}:search") == 200


def test_threads_share_what_is_counted_ahead(migrated_database: str, app: str) -> None:
    threads, rate = 8, Rate(200, 300.0)
    waits: list[float] = []
    with closing(CallLedgers(migrated_database, lambda: 0.0)) as ours:
        ledger, begin = ours.of(app), Barrier(threads)
        ledger.grant("calls", rate)

        def calls() -> None:
            begin.wait()
            waits.append(ledger.grant("calls", rate))

        at_once([calls] * threads, threads)
        # Eight and one were made; the last lot held three.
        assert _counted_in(migrated_database, f"{app}:calls") <= 9 + 3
    assert waits == [0.0] * threads


def test_a_ledger_that_is_closed_grants_nothing_that_it_has_in_hand(migrated_database: str, app: str) -> None:
    rate = Rate(200, 300.0)
    with closing(CallLedgers(migrated_database, lambda: 0.0)) as ours:
        ledger = ours.of(app)
        assert [ledger.grant("calls", rate) for _ in range(2)] == [0, 0]
    with pytest.raises(DatabaseAway):
        ledger.grant("calls", rate)


def test_calls_counted_ahead_in_one_lane_are_not_those_of_another(ledgers: CallLedgers, app: str) -> None:
    ledger, live, backfill = ledgers.of(app), Rate(200, 300.0), Rate(3, 300.0)
    assert [ledger.grant("calls", live) for _ in range(2)] == [0, 0]
    assert ledger.grant("calls", backfill) > 0


def test_calls_of_other_integrations_fill_the_window_too(ledgers: CallLedgers, app: str) -> None:
    ledger = ledgers.of(app)
    rate = Rate(10, 30.0)
    assert ledger.grant("calls", rate) == 0
    ledger.used("calls", rate, 9)
    assert ledger.grant("calls", rate) == 0
    assert ledger.grant("calls", rate) > 20
    ledger.used("calls", rate, 5)
    assert ledger.grant("calls", rate) > 20


def test_a_refusal_that_one_process_met_holds_all_of_them(
    ledgers: CallLedgers, others: CallLedgers, app: str
) -> None:
    ledgers.of(app).hold("search", 40.0)
    assert 35 < others.of(app).grant("search", Rate(5, 1.0)) <= 40
    assert others.of(app).grant("calls", RATE) == 0


def test_a_day_that_one_process_saw_used_up_stops_the_others(
    ledgers: CallLedgers, others: CallLedgers, app: str
) -> None:
    said = {"X-HubSpot-RateLimit-Daily": "1000", "X-HubSpot-RateLimit-Daily-Remaining": "150"}
    _quota(ledgers.of(app), share=0.8).learn(said)
    other = _quota(others.of(app), share=0.8)
    other.day_ends_in("Europe/Berlin")
    with pytest.raises(RetryLater) as caught:
        other.before()
    assert caught.value.not_before == datetime(2026, 11, 22, 23, 0, tzinfo=UTC)
    tomorrow = _quota(others.of(app), NOW + timedelta(hours=14, minutes=1), share=0.8)
    tomorrow.day_ends_in("Europe/Berlin")
    tomorrow.before()


def test_what_was_heard_earlier_never_replaces_what_was_heard_later(
    ledgers: CallLedgers, others: CallLedgers, app: str
) -> None:
    ledgers.of(app).note_day("daily", Day(500, 1000, NOW))
    others.of(app).note_day("daily", Day(900, 1000, NOW - timedelta(seconds=5)))
    assert ledgers.of(app).days(NOW) == {"daily": Day(500, 1000, NOW)}
    others.of(app).note_day("daily", Day(100, 1000, NOW + timedelta(seconds=5)))
    assert ledgers.of(app).days(NOW)["daily"].used == 100


def test_what_is_known_of_a_day_is_read_again_once_either_clock_has_moved_on(
    others: CallLedgers, migrated_database: str, app: str
) -> None:
    """A pretend CRM's clock, and ours, may be set ahead by hours within a second."""
    passed, later, others_app = [0.0], NOW + timedelta(seconds=1), others.of(app)
    with closing(CallLedgers(migrated_database, lambda: passed[0])) as ours:
        ledger = ours.of(app)
        assert (ledger.days(NOW), ledger.hours("hubspot", NOW)) == ({}, [])
        others_app.note_day("daily", Day(500, 1000, NOW))
        others_app.note_use("hubspot", 500, NOW, NOW - timedelta(hours=24))
        assert (ledger.days(NOW), ledger.hours("hubspot", NOW)) == ({}, [])
        assert ledger.days(later)["daily"].used == 500
        assert [one.besides for one in ledger.hours("hubspot", later)] == [500]
        others_app.note_day("daily", Day(501, 1000, later))
        passed[0] += 1
        assert ledger.days(later)["daily"].used == 501


def test_a_connection_that_was_cut_is_opened_again(
    ledgers: CallLedgers, app: str, migrated_database: str
) -> None:
    ledger = ledgers.of(app)
    assert ledger.grant("calls", RATE) == 0
    with psycopg.connect(migrated_database, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    assert ledger.grant("calls", RATE) == 0


def test_a_database_that_is_away_is_told_plainly() -> None:
    nobody = CallLedgers("postgresql://leadpact@127.0.0.1:9/none?connect_timeout=2", time.monotonic)
    with pytest.raises(DatabaseAway, match="while calls were being counted"):
        nobody.of("app").grant("calls", RATE)


@pytest.mark.parametrize(
    ("began", "used"),
    [
        (NOW - timedelta(hours=24), 1_000),
        (NOW - timedelta(hours=23, minutes=40), 1_000),  # of its first hour two thirds belong to the day
        (NOW - timedelta(hours=23, minutes=40), 320),  # as many as backfills made in all of these hours
        (NOW - timedelta(hours=9), 1_000),
        (NOW - timedelta(hours=14, minutes=30), 1_000),  # midnight where clocks differ by half an hour
        (NOW - timedelta(hours=9), 0),
    ],
)
def test_the_shared_ledger_knows_others_as_the_one_in_memory_does(
    ledgers: CallLedgers, app: str, began: datetime, used: int
) -> None:
    app = f"{app} {began} {used}"
    shared, alone = ledgers.of(app), MemoryLedger(time.monotonic)
    for ledger in (shared, alone):
        for ago, calls in ((24, 90), (15, 150), (9, 50), (0, 30)):
            for _ in range(calls):
                ledger.count("salesforce", NOW - timedelta(hours=ago), backfill=True)
        ledger.note_use("salesforce", used, NOW, began)
    known = shared.hours("salesforce", NOW)
    assert known == alone.hours("salesforce", NOW)
    (now,) = [one for one in known if one.start == NOW]
    assert now == Hour(NOW, 30, 30, now.besides, now.highest)
    assert now.highest is not None
    assert now.besides is not None
    assert 0 <= now.highest <= now.besides <= used
