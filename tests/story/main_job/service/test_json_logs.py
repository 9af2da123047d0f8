"""``leadpact --json serve`` as a real process: every line is an object, and a push is found on the line of its run."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import requests

from connectors.hubspot.signature import signature_v3

PUBLIC = "https://leads.sommer.example"
SECRET = "the-secret-of-the-app"


@pytest.fixture
def spoken(crew: Any) -> tuple[Any, Any]:
    """The crew, and what its ``serve --json`` says."""
    crew.environ |= {
        "LEADPACT_WEB__PORT": "0",
        "LEADPACT_WEB__PUBLIC_URL": PUBLIC,
        "LEADPACT_HUBSPOT__CLIENT_SECRET": SECRET,
    }
    serve = crew.start("--json", "serve", waits_for="listening at")
    crew.wait(lambda: "working on" in serve.said(), "its worker to begin")
    return crew, serve.said


def _push(house: Any, address: str, contact: str) -> requests.Response:
    with house.app() as app:
        portal = int(app.accounts()["hubspot"])
    moment = int(house.serving.clock.now().timestamp() * 1000)
    event = {
        "subscriptionType": "contact.propertyChange",
        "portalId": portal,
        "objectId": int(contact),
        "occurredAt": moment,
        "propertyName": "jobtitle",
        "propertyValue": "not believed",
        "eventId": 1,
        "subscriptionId": 2,
        "attemptNumber": 0,
    }
    body = json.dumps([event]).encode()
    signature = signature_v3(SECRET, "POST", f"{PUBLIC}/webhooks/hubspot", body, str(moment))
    headers = {"X-HubSpot-Signature-v3": signature, "X-HubSpot-Request-Timestamp": str(moment)}
    return requests.post(f"{address}/webhooks/hubspot", data=body, headers=headers, timeout=60)


def test_every_line_of_a_service_is_an_object_and_a_push_is_found_on_the_line_of_its_run(spoken: Any) -> None:
    crew, said = spoken
    found = re.search(r"listening at (http://[^\s\"]+)", said())
    assert found
    contact, _ = crew.house.couple("anna@sommer.example")
    crew.house.later(60)
    answer = _push(crew.house, found[1], contact)
    assert answer.status_code < 300, answer.text
    crew.wait(lambda: "job drain: " in said(), "the push to be worked on")

    lines = [json.loads(line) for line in said().splitlines()]
    (ended,) = [line for line in lines if line["message"].startswith("job drain: ")]
    assert ended["correlation"] == answer.headers["X-Request-Id"]
    assert ended["job"] > 0
    assert (ended["run"],) in crew.ask("SELECT run_id FROM run WHERE command = 'webhook'")
    assert ended["logger"] == "sync.service", "a line that is there without --verbose"
    assert "anna@" not in said()
