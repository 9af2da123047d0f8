"""``leadpact serve`` as a real process: from a signed push to both CRMs, while a backfill goes on."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import requests


@pytest.fixture
def served(taking_pushes: Any) -> tuple[Any, str]:
    """The crew and the address at which its serve listens."""
    crew = taking_pushes
    serve = crew.start("serve", waits_for="listening at")
    crew.wait(lambda: "working on" in serve.said(), "its worker to begin")
    found = re.search(r"listening at (http://\S+)", serve.said())
    assert found
    return crew, found[1]


def test_a_push_is_answered_and_written_while_a_backfill_goes_on_slice_by_slice(
    served: Any, push: Callable[..., Any]
) -> None:
    crew, address = served
    house = crew.house
    assert requests.get(f"{address}/readyz", timeout=60).status_code == 200
    contact, lead = house.couple("anna@sommer.example")
    house.later(60)

    for crm in ("hubspot", "salesforce"):
        house.control(crm, "latency", {"ms": 100})
    told = house.command("--json", "backfill", "--queue", environ={"LEADPACT_SYNC__SLICE_LEADS": "1"})
    assert told.document["queued"] is True
    assert push(house, address, contact).status_code in (200, 202, 204)
    crew.wait(
        lambda: house.record("hubspot", contact).get("leadpact_salesforce_id") == lead, "the push to be done"
    )
    crew.wait(lambda: not crew.queued("todo", "doing"), "everything to end")
    assert {run[0] for run in crew.runs("webhook")} == {"done"}
    assert "done" in {row[0] for row in crew.ask("SELECT state FROM backfill")}
    text = requests.get(f"{address}/metrics", timeout=60).text
    assert "leadpact" in text
    assert crew.running[0].stop() == 0
