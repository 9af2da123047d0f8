"""Jobs on real servers: they fold, wait for their senders, come back from the dead, and forget who is forgotten."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import procrastinate
import psycopg
import pytest
from procrastinate.jobs import Job, Status

from sync.jobs import drain_inbox, look_at, scheduled
from sync.jobs_worker import Manager
from sync.store.jobs import TASK, Failure, NewJob
from sync.store.store import Store

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


@pytest.fixture
def queue(another: Callable[..., Store], migrated_database: str) -> Store:
    """A store whose queue is empty."""
    store = another()
    _ask(migrated_database, "TRUNCATE procrastinate_jobs, procrastinate_workers CASCADE")
    return store


def _ask(url: str, statement: str, *parameters: object) -> list[tuple[object, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        found = connection.execute(statement.encode(), parameters)
        return found.fetchall() if found.description else []


def _fetch(url: str, *lanes: str) -> object:
    """What the engine's worker gets; its number is that of the newest worker."""
    worker = _ask(url, "INSERT INTO procrastinate_workers DEFAULT VALUES RETURNING id")[0][0]
    queues = [f"{lane}:1" for lane in lanes]
    return _ask(url, "SELECT id FROM procrastinate_fetch_job_v2(%s::varchar[], %s)", queues, worker)[0][0]


def test_a_waiting_job_stands_for_every_one_of_its_fold(queue: Store) -> None:
    jobs = queue.jobs
    assert jobs.enqueue(drain_inbox("hubspot"))
    assert not jobs.enqueue(drain_inbox("hubspot"))
    assert jobs.enqueue(drain_inbox("salesforce"))
    with queue.transaction():
        assert not jobs.enqueue(drain_inbox("hubspot"))
        assert queue.accounts(), "the caller's transaction goes on"
    assert [(one.lane, one.what, one.state) for one in jobs.listed()] == [("live", "drain", "queued")] * 2


def test_what_is_rolled_back_leaves_no_job(queue: Store) -> None:
    def stopped() -> None:
        with queue.transaction():
            queue.jobs.enqueue(drain_inbox("hubspot"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        stopped()
    assert not queue.jobs.listed()


def test_the_most_urgent_lane_comes_first(queue: Store, migrated_database: str) -> None:
    for lane in ("backfill", "live", "handover", "consent"):
        queue.jobs.enqueue(NewJob("look_at", lane, {"crm": "hubspot", "records": ["1"]}))
    rows = {row.id: row.lane for row in queue.jobs.listed()}
    every = ("consent", "handover", "live", "backfill")
    got = [rows[int(str(_fetch(migrated_database, *every)))] for _ in range(4)]
    assert tuple(got) == every


def test_a_drain_waits_for_a_sender_that_counted_on_it(
    queue: Store, another: Callable[..., Store], migrated_database: str
) -> None:
    drain = another()
    queue.jobs.enqueue(drain_inbox("hubspot"))
    waited = threading.Event()

    def look() -> None:
        drain.jobs.await_senders()
        waited.set()

    thread = threading.Thread(target=look)
    with queue.transaction():
        assert not queue.jobs.enqueue(drain_inbox("hubspot")), "one waits already"
        _fetch(migrated_database, "live")  # and begins before we have committed
        thread.start()
        assert not waited.wait(0.3)
    thread.join(60)
    assert waited.is_set()


def test_the_jobs_of_a_dead_worker_come_back_once(queue: Store, migrated_database: str) -> None:
    jobs = queue.jobs
    for _ in range(2):
        jobs.enqueue(drain_inbox("hubspot"))
        _fetch(migrated_database, "live")
    jobs.enqueue(drain_inbox("salesforce"))
    alive = _fetch(migrated_database, "live")
    assert not jobs.take_over(5.0, 3), "everybody has just given a sign of life"

    old = (
        "UPDATE procrastinate_workers SET last_heartbeat = now() - interval '6 seconds'"
        " WHERE id < (SELECT max(id) FROM procrastinate_workers)"
    )
    _ask(migrated_database, old)
    assert [parked for _, parked in jobs.take_over(5.0, 3)] == [False]
    states = {row.id: (row.state, row.deaths) for row in jobs.listed()}
    assert sorted(states.values()) == [("queued", 1), ("running", 0)]
    assert states[int(str(alive))] == ("running", 0)


def test_a_job_that_kills_its_workers_is_parked(queue: Store, migrated_database: str) -> None:
    jobs = queue.jobs
    jobs.enqueue(drain_inbox("hubspot"))
    for parked in (False, False, True):
        _fetch(migrated_database, "live")
        _ask(migrated_database, "DELETE FROM procrastinate_workers")
        assert [one for _, one in jobs.take_over(5.0, 3)] == [parked]
    (row,) = jobs.listed()
    assert (row.state, row.deaths, row.kind) == ("parked", 3, "WorkerDied")
    assert jobs.enqueue(drain_inbox("hubspot")), "its lane goes on"
    assert not jobs.retry(row.id), "another of its fold waits"
    jobs.drop_others_parked(0, "1:drain:hubspot:live")
    assert [one.state for one in jobs.listed()] == ["queued"]


def test_a_job_lives_through_three_times_as_many_restarts_of_the_server(
    queue: Store, migrated_database: str
) -> None:
    jobs = queue.jobs
    jobs.enqueue(drain_inbox("hubspot"))
    before = "UPDATE procrastinate_events SET at = pg_postmaster_start_time() - interval '1 minute'"
    for parked in (*[False] * 8, True):
        _fetch(migrated_database, "live")
        _ask(migrated_database, "DELETE FROM procrastinate_workers")
        _ask(migrated_database, before)
        assert [one for _, one in jobs.take_over(5.0, 3)] == [parked]
    (row,) = jobs.listed()
    assert (row.state, row.deaths, row.kind) == ("parked", 0, "DatabaseRestarted")


def test_parked_drains_are_forgotten_and_other_parked_jobs_are_not(
    queue: Store, migrated_database: str
) -> None:
    jobs = queue.jobs
    for job in (drain_inbox("hubspot"), drain_inbox("salesforce", at=NOW), *look_at("hubspot", ["1"])):
        jobs.enqueue(job)
    _ask(migrated_database, "UPDATE procrastinate_jobs SET status = 'failed'")
    jobs.enqueue(drain_inbox("hubspot"))
    jobs.drop_idle_drains()
    assert sorted((row.what, row.state) for row in jobs.listed()) == [
        ("drain", "queued"),
        ("look_at", "parked"),
    ]


async def _brought_back(url: str, job: int) -> None:
    """The engine ends two jobs that do not go well: one of a fold that waits again, and one that is not there."""
    connector = procrastinate.PsycopgConnector(conninfo=url, min_size=1, max_size=1)
    engine = Manager(connector)
    await connector.open_async()
    try:
        for number in (job, 4711):
            given = Job(id=number, queue="live:1", lock=None, queueing_lock=None, task_name=TASK)
            await engine.retry_job(given)
            await engine.finish_job(given, Status.SUCCEEDED, delete_job=True)
    finally:
        await connector.close_async()


def test_a_job_that_cannot_come_back_because_another_waits_is_over(
    queue: Store, migrated_database: str
) -> None:
    queue.jobs.enqueue(drain_inbox("hubspot"))
    first = int(str(_fetch(migrated_database, "live")))
    queue.jobs.enqueue(drain_inbox("hubspot"))
    asyncio.run(_brought_back(migrated_database, first))
    (left,) = queue.jobs.listed()
    assert left.id != first


def test_a_parked_job_is_tried_again_with_a_clean_slate(queue: Store, migrated_database: str) -> None:
    jobs = queue.jobs
    jobs.enqueue(drain_inbox("hubspot"))
    number = int(str(_fetch(migrated_database, "live")))
    assert jobs.note_failure(number, Failure("NeedsPerson", "sync.run:1", "no scope", "grant it"))[0] == 1
    assert jobs.note_failure(number, Failure("RetryLater", "sync.run:1", "busy", counts=False))[0] == 1
    _ask(migrated_database, "SELECT procrastinate_finish_job_v1(%s, 'failed', false)", number)
    assert [(one.state, one.failures, one.kind) for one in jobs.listed()] == [("parked", 1, "RetryLater")]
    assert [(one.lane, one.state, one.jobs) for one in jobs.counted()] == [("live", "parked", 1)]
    assert jobs.retry(number)
    assert [(one.state, one.failures) for one in jobs.listed()] == [("queued", 0)]
    assert jobs.drop(number)
    assert not jobs.listed()


def test_jobs_of_another_pair_of_accounts_are_not_ours(queue: Store, another: Callable[..., Store]) -> None:
    other = another(portal="202", organisation="00D2")
    queue.jobs.enqueue(drain_inbox("hubspot"))
    assert other.jobs.enqueue(drain_inbox("hubspot"))
    assert len(queue.jobs.listed()) == len(other.jobs.listed()) == 1
    assert not other.jobs.drop(queue.jobs.listed()[0].id)


def test_a_record_of_somebody_who_is_forgotten_leaves_the_jobs(queue: Store, migrated_database: str) -> None:
    jobs = queue.jobs
    for job in [
        *look_at("hubspot", ["101", "102"]),
        *look_at("hubspot", ["101"]),
        *look_at("salesforce", ["101"]),
    ]:
        jobs.enqueue(job)
    assert jobs.forget_records([("hubspot", "101")]) == 2
    left = _ask(migrated_database, "SELECT args->>'crm', args->'records' FROM procrastinate_jobs ORDER BY id")
    assert left == [("hubspot", ["102"]), ("salesforce", ["101"])]
    assert not _ask(migrated_database, "SELECT 1 FROM procrastinate_jobs WHERE queueing_lock LIKE '%%101%%'")


def test_a_schedule_is_seen_to_by_one_of_many_and_what_was_missed_comes_once(
    queue: Store, another: Callable[..., Store]
) -> None:
    job = scheduled("incremental")
    assert not queue.jobs.due("incremental", NOW, job), "the first one to see it only begins to count"
    later = NOW + timedelta(hours=1)
    assert [one.jobs.due("incremental", later, job) for one in (queue, another(), another())] == [
        True,
        False,
        False,
    ]
    assert len(queue.jobs.listed()) == 1
    assert queue.jobs.seen_schedules() == {"incremental": later}


def test_one_process_at_a_time_does_what_only_one_may_do(queue: Store, another: Callable[..., Store]) -> None:
    other = another()
    assert queue.jobs.be_the_one("journal")
    assert not other.jobs.be_the_one("journal")
    assert other.jobs.be_the_one("pubsub")
    queue.close()
    until = time.monotonic() + 60
    while not other.jobs.be_the_one("journal"):
        assert time.monotonic() < until, "the lock of a session that has ended is still held"
        time.sleep(0.02)
