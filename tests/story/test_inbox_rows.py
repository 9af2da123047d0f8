"""The inbox in a real PostgreSQL: one row a record, taken by one drain, and gone only when it was looked at."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from sync.store.inbox import Hint, Hints, Taken
from sync.store.intake import Intake, NotStored
from sync.store.store import Store
from sync.store.watch import Watch

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
LATER = NOW + timedelta(minutes=5)


@pytest.fixture
def server_url(embedded_url: str) -> str:
    """One server is enough for what is asked here."""
    return embedded_url


def _hints(*records: str, crm: str = "hubspot", **more: Any) -> Hints:
    return {(crm, "contacts", record): replace(Hint(NOW), **more) for record in records}


def _taken(taken: Taken) -> list[str]:
    return sorted(taken.hints["record_id"].to_list())


def test_however_often_a_record_is_told_of_it_has_one_row(store: Store) -> None:
    store.inbox.put(_hints("1", "2"), NOW)
    store.inbox.put(_hints("1", events=3, happened_at=NOW - timedelta(seconds=9)), LATER)
    store.inbox.put(_hints("1", erased=True, happened_at=LATER), LATER)
    (waiting,) = store.inbox.waiting()
    assert (waiting.records, waiting.events, waiting.oldest) == (2, 6, NOW)
    with store.inbox.take(9, LATER) as taken:
        one = taken.hints.sort("record_id").row(0, named=True)
    assert (one["events"], one["erased"], one["happened_at"]) == (5, True, NOW - timedelta(seconds=9))


def test_what_is_told_again_while_it_is_read_stays_and_its_clock_starts_anew(store: Store) -> None:
    store.inbox.put(_hints("1", "2"), NOW)
    with store.inbox.take(9, NOW) as taken:
        store.inbox.put(_hints("1", happened_at=LATER), LATER)
        taken.settle(taken.hints, taken.hints.clear(), LATER, LATER)
    with store.inbox.take(9, LATER) as again:
        assert _taken(again) == ["1"]
        assert again.hints["happened_at"].to_list() == [LATER]


def test_a_row_that_came_anew_under_the_same_name_is_not_taken_for_the_one_that_was_read(
    store: Store,
) -> None:
    store.inbox.put(_hints("1"), NOW)
    with store.inbox.take(9, NOW) as taken:
        read = taken.hints
        taken.settle(read, read.clear(), NOW, NOW)
        store.inbox.put(_hints("1"), LATER)
        taken.settle(read, read.clear(), NOW, NOW)
    assert store.inbox.due(LATER)


def test_two_drains_share_the_rows_and_those_of_a_dead_one_are_anybodys(
    another: Callable[..., Store], store: Store
) -> None:
    other = another()
    store.inbox.put(_hints("1", "2", "3", "4", "5"), NOW)
    with store.inbox.take(3, NOW) as mine:
        with other.inbox.take(9, NOW) as theirs:
            assert (mine.hints.height, theirs.hints.height) == (3, 2)
            assert not other.inbox.due(NOW)
        assert not set(_taken(mine)) & set(_taken(theirs))
        with other.inbox.take(9, NOW) as again:
            assert _taken(again) == _taken(theirs)
        store.close()
        # The server lets go of a lock once it has noticed that its holder is gone.
        found: list[str] = []
        end = time.monotonic() + 60
        while not other.inbox.due(NOW) and time.monotonic() < end:
            time.sleep(0.01)
        while len(found) < 5 and time.monotonic() < end:
            with other.inbox.take(9, NOW) as rest:
                found = _taken(rest)
        assert found == ["1", "2", "3", "4", "5"]


def test_what_a_drain_gave_up_is_due_again(store: Store) -> None:
    store.inbox.put(_hints("1"), NOW)
    with store.inbox.take(9, NOW):
        assert not store.inbox.due(NOW)
    assert store.inbox.due(NOW)


def test_withdrawn_consent_comes_first_then_the_oldest(store: Store) -> None:
    for minutes, record in enumerate(("1", "2", "3")):
        store.inbox.put(_hints(record, urgent=record == "3"), NOW + timedelta(minutes=minutes))
    with store.inbox.take(2, LATER) as taken:
        assert _taken(taken) == ["1", "3"]
    with store.inbox.take(9, LATER, crm="salesforce") as none:
        assert none.hints.is_empty()


def test_what_failed_rests_comes_back_alone_and_once_parked_waits_for_something_new(store: Store) -> None:
    store.inbox.put(_hints("1", "2", "3"), NOW)
    with store.inbox.take(9, NOW) as taken:
        taken.put_off(taken.hints.filter(taken.hints["record_id"] != "3"), LATER)
    with store.inbox.take(9, NOW) as taken:
        assert _taken(taken) == ["3"]
    with store.inbox.take(9, LATER) as taken:
        assert _taken(taken) == ["3"], "what never failed goes first"
        taken.settle(taken.hints, taken.hints.clear(), NOW, NOW)
    with store.inbox.take(9, LATER) as taken:
        assert taken.hints["tries"].to_list() == [1], "one at a time"
        taken.put_off(taken.hints, None)
        parked = _taken(taken)
    with store.inbox.take(9, LATER + timedelta(days=99)) as taken:
        assert _taken(taken) != parked
    assert [(one.records, one.parked) for one in store.inbox.waiting()] == [(1, 1)]
    store.inbox.put(_hints(*parked), LATER)
    with store.inbox.take(9, LATER) as taken:
        assert (_taken(taken), taken.hints["tries"].to_list()) == (parked, [0])


@pytest.fixture
def intake(store: Store, migrated_database: str) -> Iterator[Callable[..., Intake]]:
    """Makes ways into the store's inbox, and closes them at the end."""
    made = []

    def make(enqueue: Any = None, url: str = migrated_database, **more: Any) -> Intake:
        made.append(Intake(url, store.runs.connection_id, enqueue, **more))
        made[-1].start()
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_requests_that_wait_share_a_transaction_and_each_is_told_when_it_is_durable(
    store: Store, intake: Callable[..., Intake]
) -> None:
    door, jobs = threading.Event(), []

    def enqueue(connection: psycopg.Connection, crm: str, urgent: bool) -> None:
        jobs.append((crm, urgent))
        assert door.wait(60)

    way = intake(enqueue)
    first = way.put(_hints("1"), NOW)
    while not jobs:
        assert not first.done(), "nothing is promised before the transaction has ended"
    rest = [way.put(_hints(str(number % 7), urgent=number == 9), NOW) for number in range(50)]
    assert not any(one.done() for one in rest)
    door.set()
    for one in (first, *rest):
        one.result(60)
    assert (way.transactions, jobs) == (2, [("hubspot", False), ("hubspot", True)])
    (waiting,) = store.inbox.waiting()
    assert (waiting.records, waiting.events) == (7, 51)


def test_the_row_stands_whatever_the_making_of_a_job_says(
    store: Store, intake: Callable[..., Intake]
) -> None:
    def enqueue(connection: psycopg.Connection, crm: str, urgent: bool) -> None:
        connection.execute("INSERT INTO no_such_table VALUES (1)")

    way = intake(enqueue)
    way.put(_hints("1"), NOW).result(60)
    assert (store.inbox.waiting()[0].records, way.not_enqueued, way.transactions) == (1, 1, 1)


def test_a_database_that_was_restarted_is_found_again_and_one_that_is_away_keeps_nobody_waiting(
    store: Store, intake: Callable[..., Intake], migrated_database: str
) -> None:
    way = intake()
    way.put(_hints("1"), NOW).result(60)
    with psycopg.connect(migrated_database, autocommit=True) as person:
        person.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        way.put(_hints("2"), NOW).result(60)
        (stored,) = person.execute("SELECT count(*) FROM inbox").fetchone() or (0,)
    assert stored == 2
    away = intake(url="postgresql://nobody@127.0.0.1:9/nothing")
    with pytest.raises(NotStored):
        away.put(_hints("3"), NOW).result(60)


def test_one_batch_that_cannot_be_stored_does_not_end_the_way_in(
    store: Store, intake: Callable[..., Intake]
) -> None:
    way = intake()
    with pytest.raises(NotStored):
        way.put({("hubspot", "contacts", "\ud800"): Hint(NOW)}, NOW).result(60)
    end = time.monotonic() + 60
    while (stored := way.put(_hints("1"), NOW)).exception(60) is not None:
        assert time.monotonic() < end
    assert stored.done()
    assert store.inbox.waiting()[0].records == 1


def test_more_than_may_wait_is_refused_at_once(intake: Callable[..., Intake]) -> None:
    way = intake(most_waiting=3)
    with pytest.raises(NotStored):
        way.put(_hints("1", "2", "3", "4"), NOW)
    way.put(_hints("1", "2", "3"), NOW).result(60)


def test_the_service_is_ready_while_the_database_is_there_right_and_keeps_up(
    store: Store, migrated_database: str
) -> None:
    watch = Watch(migrated_database, store.runs.connection_id)
    store.inbox.put(_hints("1", "2"), NOW)
    assert watch.unready(2) == []
    assert watch.unready(1) == ["2 records wait in the inbox, and nobody looks at them fast enough"]
    with psycopg.connect(migrated_database, autocommit=True) as person:
        person.execute("INSERT INTO schema_migration (number, name, checksum) VALUES (9999, 'x', 'y')")
        assert watch.unready(2) == ["the database was migrated by another version of Leadpact"]
        person.execute(
            "DELETE FROM schema_migration WHERE number = 9999"
        )  # other tests use this database, too
    watch.close()
    away = Watch("postgresql://nobody@127.0.0.1:9/nothing", 1)
    assert away.unready(2) == ["the database does not answer (OperationalError)"]
