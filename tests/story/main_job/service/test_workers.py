"""Workers as real processes: they share the queue, take over from the dead, park what cannot be done, and stop."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

from sync.jobs import look_at
from sync.store.jobs import NewJob


def test_a_worker_does_its_jobs_parks_what_cannot_be_done_and_stops_when_told(crew: Any) -> None:
    house = crew.house
    contact, lead = house.couple("anna@sommer.example")
    house.later(60)
    # The first one will always fail: no such CRM. The one behind it in its lane does not wait for that.
    crew.enqueue(NewJob("look_at", "live", {"crm": "pipedrive", "records": ["1"]}, "poison"))
    crew.enqueue(*look_at("hubspot", [contact]))
    worker = crew.start("worker", LEADPACT_WORKER__MAX_ATTEMPTS="1")
    crew.wait(lambda: not crew.queued("todo", "doing"), "the jobs to end")

    assert house.record("hubspot", contact)["leadpact_salesforce_id"] == lead
    (parked,) = crew.jobs()
    assert (parked["state"], parked["kind"], parked["what"]) == ("parked", "WrongJob", "look_at")
    assert parked["place"].startswith("sync.jobs_kinds:")
    shown = house.command("jobs")
    assert "WrongJob at sync.jobs_kinds" in shown.out

    number = str(parked["job"])
    assert house.command("jobs", "retry", number).code == 0
    crew.wait(lambda: bool(crew.queued("failed")), "the job to be parked again")
    assert house.command("jobs", "drop", number).code == 0
    assert house.command("jobs", "drop", number).code == 2
    assert not crew.jobs()
    assert worker.stop() == 0
    assert "stopped" in worker.said()
    assert not crew.ask("SELECT id FROM procrastinate_workers")


def test_the_job_of_a_killed_worker_is_taken_over_within_ten_seconds(crew: Any) -> None:
    house = crew.house
    contact, lead = house.couple("anna@sommer.example")
    house.later(60)
    usual = {"LEADPACT_WORKER__HEARTBEAT_SECONDS": "1", "LEADPACT_WORKER__STALLED_AFTER_SECONDS": "5"}
    first = crew.start("worker", **usual)
    house.control("hubspot", "latency", {"ms": 1500})
    crew.enqueue(*look_at("hubspot", [contact]))
    crew.wait(lambda: bool(crew.queued("doing")), "the job to begin")
    crew.start("worker", **usual)
    assert crew.queued("doing"), "the job has ended before its worker was killed"

    first.kill()
    house.control("hubspot", "latency", {"ms": 0})
    taken = "SELECT count(*) FROM procrastinate_events WHERE type = 'started'"
    seconds = crew.wait(
        lambda: crew.ask(taken)[0][0] == 2 or not crew.queued("doing"), "somebody to take over"
    )
    assert seconds < 10
    crew.wait(lambda: not crew.queued("todo", "doing"), "the job to end")
    assert house.record("hubspot", contact)["leadpact_salesforce_id"] == lead
    assert [run[0] for run in crew.runs("sync")][-2:] == ["failed", "done"]
    assert not crew.jobs()


def test_a_schedule_comes_once_whatever_the_number_of_workers_and_what_was_missed_comes_once(
    crew: Any,
) -> None:
    house = crew.house
    before = len(crew.runs("sync"))
    crew.environ["LEADPACT_SCHEDULE__INCREMENTAL"] = "*/5 * * * *"
    workers = [crew.start("worker") for _ in range(3)]
    seen = "SELECT count(*) FROM schedule WHERE name = 'incremental'"
    crew.wait(lambda: crew.ask(seen)[0][0] == 1, "the schedule to be seen")
    assert len(crew.runs("sync")) == before, "a schedule begins with its next time"

    house.later(2 * 3600)  # 24 times were missed
    crew.wait(lambda: len(crew.runs("sync")) > before, "the run to begin")
    crew.wait(lambda: not crew.queued("todo", "doing"), "the run to end")
    house.later(301)
    crew.wait(lambda: len(crew.runs("sync")) > before + 1, "the next run to begin")
    crew.wait(lambda: not crew.queued("todo", "doing"), "the run to end")
    assert [run[0] for run in crew.runs("sync")][before:] == ["done", "done"]
    for worker in workers:
        assert worker.stop() == 0


def test_a_worker_waits_for_a_database_that_went_away_and_nothing_is_lost(
    furnished: Any, crew_of: Any
) -> None:
    house = furnished
    house.environ["LEADPACT_DATABASE__URL"] = "embedded"
    house.sync()
    crew = crew_of(house)
    contact, lead = house.couple("anna@sommer.example")
    house.later(60)
    worker = crew.start("worker")
    house.control("hubspot", "latency", {"ms": 1000})
    with house.app() as app:
        app.work()
        for job in look_at("hubspot", [contact]):
            app.store.jobs.enqueue(job)
        crew.wait(lambda: any(one.state == "running" for one in app.store.jobs.listed()), "the job to begin")

    postmaster = Path(house.settings().database.dir) / "postgresql" / "postmaster.pid"
    os.kill(int(postmaster.read_text().split()[0]), signal.SIGKILL)
    crew.wait(lambda: "waiting: the database" in worker.said(), "the worker to say so")
    house.control("hubspot", "latency", {"ms": 0})
    crew.wait(lambda: "it is back" in worker.said(), "the worker to come back")
    crew.wait(
        lambda: house.record("hubspot", contact).get("leadpact_salesforce_id") == lead, "the job to be done"
    )
    assert worker.process.poll() is None
    assert worker.stop() == 0
