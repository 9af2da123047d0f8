"""``serve`` and a worker on one queue pull the logs of both CRMs: one of them at a time, and the other when it dies."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.sandbox.hubspot.oauth import CLIENT_ID


@pytest.fixture
def listeners(crew: Any) -> Any:
    """A crew whose processes pull both logs."""
    ready = crew.house.serving
    # As a user starts them: change events come by a library with threads of its own.
    crew.forks = None
    crew.environ |= {
        "LEADPACT_WEB__PORT": "0",
        "LEADPACT_HUBSPOT__JOURNAL": "true",
        "LEADPACT_HUBSPOT__JOURNAL_SECONDS": "0.2",
        "LEADPACT_HUBSPOT__CLIENT_ID": CLIENT_ID,
        "LEADPACT_HUBSPOT__CLIENT_SECRET": str(ready.ready["hubspot_client_secret"]),
        "LEADPACT_SALESFORCE__PUBSUB": "true",
        "LEADPACT_SALESFORCE__PUBSUB_ENDPOINT": str(ready.pubsub),
        "LEADPACT_SALESFORCE__CA_FILE": str(ready.ca_file),
    }
    return crew


def test_one_process_listens_to_both_logs_and_the_other_one_when_it_is_killed(listeners: Any) -> None:
    crew = listeners
    house = crew.house
    contact, lead = house.couple("anna@sommer.example")
    house.later(60)
    serve = crew.start("serve", waits_for="listening at")
    crew.wait(lambda: serve.said().count("is ours") == 2, "both logs to be listened to")
    worker = crew.start("worker")
    _a_change_reaches_the_other_crm(crew, contact, lead, "Buyer", "Ulm")
    assert worker.said().count("is ours") == 0, "one process at a time has a log"

    serve.kill()
    crew.wait(lambda: worker.said().count("is ours") == 2, "the worker to take both logs over")
    _a_change_reaches_the_other_crm(crew, contact, lead, "Head of E-Commerce", "Bonn")
    assert crew.ask("SELECT count(*) FROM pull_gap")[0][0] == 2, "none but those of the beginning"
    assert not crew.ask("SELECT name FROM pull_log WHERE problem <> ''")
    assert worker.stop() == 0


def _a_change_reaches_the_other_crm(crew: Any, contact: str, lead: str, title: str, city: str) -> None:
    house = crew.house
    house.edit("hubspot", contact, jobtitle=title)
    crew.wait(lambda: house.record("salesforce", lead).get("Title") == title, "the journal to tell")
    house.edit("salesforce", lead, City=city)
    crew.wait(lambda: house.record("hubspot", contact).get("city") == city, "the change events to tell")
