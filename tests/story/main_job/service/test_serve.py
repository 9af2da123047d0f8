"""``leadpact serve`` as a real process: from a signed push to both CRMs, while a backfill goes on."""

from __future__ import annotations

import json
import re
import time
from typing import Any

import pytest
import requests

from connectors.hubspot.signature import signature_v3

PUBLIC = "https://leads.sommer.example"
SECRET = "the-secret-of-the-app"


@pytest.fixture
def served(crew: Any) -> tuple[Any, str]:
    """The crew and the address at which its serve listens."""
    crew.environ |= {
        "LEADPACT_WEB__PORT": "0",
        "LEADPACT_WEB__PUBLIC_URL": PUBLIC,
        "LEADPACT_HUBSPOT__CLIENT_SECRET": SECRET,
    }
    serve = crew.start("serve", waits_for="listening at")
    crew.wait(lambda: "working on" in serve.said(), "its worker to begin")
    found = re.search(r"listening at (http://\S+)", serve.said())
    assert found
    return crew, found[1]


def _push(house: Any, address: str, contact: str) -> int:
    """A signed push about a contact; its status."""
    with house.app() as app:
        portal = int(app.accounts()["hubspot"])
    event = {
        "subscriptionType": "contact.propertyChange",
        "portalId": portal,
        "objectId": int(contact),
        "occurredAt": int(time.time() * 1000),
        "propertyName": "jobtitle",
        "propertyValue": "not believed",
        "eventId": 1,
        "subscriptionId": 2,
        "attemptNumber": 0,
    }
    body = json.dumps([event]).encode()
    stamp = str(int(house.serving.clock.now().timestamp() * 1000))
    signature = signature_v3(SECRET, "POST", f"{PUBLIC}/webhooks/hubspot", body, stamp)
    headers = {
        "Content-Type": "application/json",
        "X-HubSpot-Signature-v3": signature,
        "X-HubSpot-Request-Timestamp": stamp,
    }
    answer = requests.post(f"{address}/webhooks/hubspot", data=body, headers=headers, timeout=60)
    return answer.status_code


def test_a_push_is_answered_and_written_while_a_backfill_goes_on_slice_by_slice(served: Any) -> None:
    crew, address = served
    house = crew.house
    assert requests.get(f"{address}/readyz", timeout=60).status_code == 200
    contact, lead = house.couple("anna@sommer.example")
    house.later(60)

    for crm in ("hubspot", "salesforce"):
        house.control(crm, "latency", {"ms": 100})
    told = house.command("--json", "backfill", "--queue", environ={"LEADPACT_SYNC__SLICE_LEADS": "1"})
    assert told.document["queued"] is True
    assert _push(house, address, contact) in (200, 202, 204)
    crew.wait(
        lambda: house.record("hubspot", contact).get("leadpact_salesforce_id") == lead, "the push to be done"
    )
    crew.wait(lambda: not crew.queued("todo", "doing"), "everything to end")
    assert {run[0] for run in crew.runs("webhook")} == {"done"}
    assert "done" in {row[0] for row in crew.ask("SELECT state FROM backfill")}
    text = requests.get(f"{address}/metrics", timeout=60).text
    assert "leadpact" in text
    assert crew.running[0].stop() == 0
