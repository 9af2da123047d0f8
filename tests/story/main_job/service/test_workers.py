"""Workers as real processes: they share the queue, take over from the dead, park what cannot be done, and stop."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

from sync.jobs import look_at
from sync.jobs_worker import LOOKS
from sync.sections_service import WorkerSettings
from sync.store.jobs import NewJob


def test_a_worker_parks_what_cannot_be_done_puts_consent_first_and_gives_back_what_it_has_not_done(
    crew: Any,
) -> None:
    house = crew.house
    contact, lead = house.couple("anna@sommer.example")
    many = [house.couple(f"many{number}@sommer.example")[0] for number in range(4)]
    urgent, counterpart = house.couple("berta@sommer.example")
    house.later(60)
    # The first one will always fail: no such CRM. The one behind it in its lane does not wait for that.
    crew.enqueue(NewJob("look_at", "live", {"crm": "pipedrive", "records": ["1"]}, "poison"))
    crew.enqueue(*look_at("hubspot", [contact]))
    worker = crew.start("worker", LEADPACT_WORKER__MAX_ATTEMPTS="1", LEADPACT_WORKER__STOP_SECONDS="0.1")
    crew.wait(lambda: not crew.queued("todo", "doing"), "the jobs to end")
    assert house.record("hubspot", contact)["leadpact_salesforce_id"] == lead
    _the_poisoned_one_is_parked_retried_and_dropped(crew)

    house.control("hubspot", "latency", {"ms": 700})
    crew.enqueue(*(job for one in many for job in look_at("hubspot", [one])))
    crew.wait(lambda: bool(crew.queued("doing")), "the slow ones to begin")
    crew.enqueue(*look_at("hubspot", [urgent], "consent"))
    crew.wait(
        lambda: house.record("hubspot", urgent).get("leadpact_salesforce_id") == counterpart,
        "the urgent one to be done",
    )
    assert crew.queued("todo"), "the urgent one came last"
    assert worker.stop() == 0
    assert "stopped" in worker.said()
    assert crew.queued("todo")
    assert not crew.queued("doing", "failed")
    assert not crew.ask("SELECT job_id FROM job_failure"), "to be stopped is no failure"
    assert not crew.ask("SELECT id FROM procrastinate_workers")


def _the_poisoned_one_is_parked_retried_and_dropped(crew: Any) -> None:
    (parked,) = crew.jobs()
    assert (parked["state"], parked["kind"], parked["what"]) == ("parked", "WrongJob", "look_at")
    assert parked["place"].startswith("sync.jobs_kinds:")
    assert "WrongJob at sync.jobs_kinds" in crew.house.command("jobs").out
    number = str(parked["job"])
    assert crew.house.command("jobs", "retry", number).code == 0
    crew.wait(lambda: bool(crew.queued("failed")), "the job to be parked again")
    assert crew.house.command("jobs", "drop", number).code == 0
    assert crew.house.command("jobs", "drop", number).code == 2
    assert not crew.jobs()


def test_three_workers_do_a_schedule_once_and_take_over_from_one_that_is_killed(crew: Any) -> None:
    house = crew.house
    contact, lead = house.couple("anna@sommer.example")
    before = len(crew.runs("sync"))
    crew.environ["LEADPACT_SCHEDULE__INCREMENTAL"] = "*/5 * * * *"
    for _ in range(3):
        # As it comes: this is what "within ten seconds" is said of.
        crew.launch(
            "worker", LEADPACT_WORKER__HEARTBEAT_SECONDS="1", LEADPACT_WORKER__STALLED_AFTER_SECONDS="5"
        )
    crew.wait(lambda: all("working on" in one.said() for one in crew.running), "all three to begin")
    seen = "SELECT count(*) FROM schedule WHERE name = 'incremental'"
    crew.wait(lambda: crew.ask(seen)[0][0] == 1, "the schedule to be seen")
    assert len(crew.runs("sync")) == before, "a schedule begins with its next time"

    house.later(2 * 3600)  # 24 times were missed
    crew.wait(lambda: len(crew.runs("sync")) > before, "the run to begin")
    crew.wait(lambda: not crew.queued("todo", "doing"), "the run to end")
    assert house.record("hubspot", contact)["leadpact_salesforce_id"] == lead

    house.control("hubspot", "latency", {"ms": 30_000})
    house.edit("hubspot", contact, jobtitle="Head of Marketing")
    house.later(301)
    crew.wait(lambda: len(crew.runs("sync")) == before + 2, "the next run to begin")
    [victim] = [one for one in crew.running if one.said().count("job incremental begins") > _begun(crew, one)]
    victim.kill()
    house.control("hubspot", "latency", {"ms": 0})
    taken = "SELECT count(*) FROM procrastinate_events WHERE type = 'started'"
    begun = crew.ask(taken)[0][0]
    crew.wait(lambda: crew.ask(taken)[0][0] > begun, "somebody to take over")
    # How soon that is, is told by the settings, and not by how busy this machine happens to be.
    usual = WorkerSettings()
    assert usual.heartbeat_seconds + usual.stalled_after_seconds + usual.heartbeat_seconds + LOOKS < 10
    crew.wait(lambda: not crew.queued("todo", "doing"), "the run to end")
    assert house.record("salesforce", lead)["Title"] == "Head of Marketing"
    assert [run[0] for run in crew.runs("sync")][before:] == ["done", "failed", "done"]
    assert not crew.jobs()


def _begun(crew: Any, process: Any) -> int:
    """How many runs this worker has brought to an end."""
    return int(process.said().count("INFO sync.service: job incremental: "))


def test_a_worker_whose_database_a_newer_program_has_migrated_leaves_the_jobs_to_it(crew: Any) -> None:
    house = crew.house
    contact, lead = house.couple("anna@sommer.example")
    house.later(60)
    worker = crew.start("worker", LEADPACT_WORKER__STOP_SECONDS="60")
    with house.app() as app:
        app.work()
        crew.ask("INSERT INTO schema_migration (number, name, checksum) VALUES (999, 'from_tomorrow', '')")
        try:
            # After a job that fails the next one is done with everything opened anew.
            app.store.jobs.enqueue(NewJob("of_tomorrow", "live"))
            crew.wait(lambda: "takes no more jobs: the database is newer" in worker.said(), "it to be said")
            begun = worker.said().count(" begins")
            for job in look_at("hubspot", [contact]):
                app.store.jobs.enqueue(job)
            time.sleep(2.0)
            assert worker.said().count(" begins") == begun
            assert not crew.queued("doing")
        finally:
            crew.ask("DELETE FROM schema_migration WHERE number = 999")
    # As when the new one takes over.
    crew.wait(lambda: "it is back" in worker.said(), "somebody to work again")
    crew.wait(
        lambda: house.record("hubspot", contact).get("leadpact_salesforce_id") == lead, "the job to be done"
    )
    _what_was_begun_is_finished_before_it_stops(crew, worker, contact, lead)


def _what_was_begun_is_finished_before_it_stops(crew: Any, worker: Any, contact: str, lead: str) -> None:
    house = crew.house
    house.edit("hubspot", contact, jobtitle="Head of Marketing")
    house.control("hubspot", "latency", {"ms": 500})
    crew.enqueue(*look_at("hubspot", [contact]))
    crew.wait(lambda: bool(crew.queued("doing")), "the job to begin")
    assert worker.stop() == 0
    assert house.record("salesforce", lead)["Title"] == "Head of Marketing"
    assert "look_at" not in {args["what"] for _, args in crew.queued("todo", "doing", "failed")}


def test_a_worker_whose_key_cannot_be_read_ends_and_leaves_the_jobs(crew: Any) -> None:
    contact, _ = crew.house.couple("anna@sommer.example")
    crew.enqueue(*look_at("hubspot", [contact]))
    key = {"LEADPACT_SALESFORCE__AUTH": "jwt", "LEADPACT_SALESFORCE__KEY_FILE": "nowhere.pem"}
    crew.launch("worker", LEADPACT_SALESFORCE__USERNAME="sync@sommer.example", **key)
    assert crew.running[-1].process.wait(120) == 2
    assert "nowhere.pem" in crew.running[-1].said()
    assert crew.queued("todo")
    assert not crew.queued("doing", "failed")


def test_a_worker_waits_for_a_database_that_went_away_and_nothing_is_lost(
    furnished: Any, crew_of: Any, forks: Any
) -> None:
    house = furnished
    house.environ["LEADPACT_DATABASE__URL"] = "embedded"
    house.sync()
    crew = crew_of(house, forks)
    contact, lead = house.couple("anna@sommer.example")
    house.later(60)
    worker = crew.start("worker")
    house.control("hubspot", "latency", {"ms": 10_000})
    with house.app() as app:
        app.work()
        for job in look_at("hubspot", [contact]):
            app.store.jobs.enqueue(job)
        crew.wait(lambda: any(one.state == "running" for one in app.store.jobs.listed()), "the job to begin")

    postmaster = Path(house.settings().database.dir) / "postgresql" / "postmaster.pid"
    os.kill(int(postmaster.read_text().split()[0]), signal.SIGKILL)
    house.control("hubspot", "latency", {"ms": 0})
    crew.wait(lambda: "waiting: the database" in worker.said(), "the worker to say so")
    crew.wait(lambda: "it is back" in worker.said(), "the worker to come back")
    crew.wait(
        lambda: house.record("hubspot", contact).get("leadpact_salesforce_id") == lead, "the job to be done"
    )
    assert worker.process.poll() is None, "it does the next job, too"
    worker.kill()
    with house.app():
        assert postmaster.exists()
    assert not postmaster.exists(), "whoever leaves last stops the database, also that of a dead worker"
