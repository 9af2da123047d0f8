"""Workers as real processes: they share the queue, take over from the dead, park what cannot be done, and stop."""

from __future__ import annotations

from typing import Any

from sync.jobs import look_at


def test_a_record_that_a_job_names_is_read_again_and_written(crew: Any) -> None:
    house = crew.house
    contact, lead = house.couple("anna@sommer.example")
    house.later(60)
    crew.enqueue(*look_at("hubspot", [contact]))
    worker = crew.start("worker")
    crew.wait(lambda: not crew.queued("todo", "doing"), "the job to end")
    assert house.record("hubspot", contact)["leadpact_salesforce_id"] == lead
    assert worker.stop() == 0
    assert "stopped" in worker.said()
