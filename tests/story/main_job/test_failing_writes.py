"""One write in twenty fails, at random: every lead is explained at once, and one more sync closes what can be closed.

Sixty leads as it comes; LEADPACT_TEST_FAILING_LEADS=10000 is the size that is promised. It prints its seed, and
LEADPACT_TEST_FAILING_SEED=N throws the dice of an earlier run.
"""

from __future__ import annotations

import os
import random
from typing import Any

import pytest
import requests

LEADS = int(os.environ.get("LEADPACT_TEST_FAILING_LEADS", "60"))
SEED_VARIABLE = "LEADPACT_TEST_FAILING_SEED"
#: One in twenty.
SHARE = 0.05
#: Small slices at small sizes, so that there are enough calls for one in twenty to fail.
SLICE = "12" if LEADS < 1_000 else "500"
UPDATES = {"path": r"^/crm/v3/objects/contacts/batch/update$", "method": "POST"}


@pytest.fixture(scope="module")
def seed() -> str:
    """New dice in every session, unless some are named."""
    return os.environ.get(SEED_VARIABLE) or str(random.SystemRandom().randrange(10**6))


def _linked(house: Any) -> list[str]:
    """``LEADS`` people in both CRMs who agree, each then edited on both sides; their addresses."""
    rows = [
        {"firstname": "Anna", "lastname": f"Sommer {number}", "email": f"p{number}@shop{number}.example"}
        for number in range(LEADS)
    ]
    contacts = house.load("hubspot", *({**row, "company": "Sommer Versand GmbH"} for row in rows))
    leads = house.load(
        "salesforce",
        *(
            {
                "FirstName": row["firstname"],
                "LastName": row["lastname"],
                "Email": row["email"],
                "Company": "Sommer Versand GmbH",
            }
            for row in rows
        ),
    )
    house.environ["LEADPACT_SYNC__SLICE_LEADS"] = SLICE
    house.sync()
    house.later(3_600)
    for contact, lead in zip(contacts, leads, strict=True):
        house.edit("hubspot", contact, jobtitle="Head of Marketing")
        house.edit("salesforce", lead, Phone="+49 221 1234567")
    house.later(3_600)
    return [row["email"] for row in rows]


def _break(house: Any, dice: random.Random, emails: list[str]) -> tuple[set[str], str]:
    """Rows that a rule of Salesforce's admin refuses, one of them for good, and calls that HubSpot does not answer."""
    *for_now, never = dice.sample(emails, max(2, round(LEADS * SHARE)))
    refused = {"object": "Lead", "when": {"Email": never}, "message": "The region is missing."}
    rules = [
        {"object": "Lead", "when": {"Email": email}, "message": "The owner is missing."} for email in for_now
    ]
    house.control("salesforce", "limits", {"validation_rules": [*rules, refused]})
    calls = LEADS // int(SLICE)
    for place in dice.sample(range(calls), max(1, round(calls * SHARE))):
        # More often than a call is repeated, so that it fails in the end.
        house.control("hubspot", "faults", {"match": UPDATES, "status": 500, "times": 8, "skip": place})
    return set(for_now), never


def _agreement(house: Any) -> dict[str, Any]:
    told = house.command("--json", "agree")
    assert told.code in (0, 1), told.err
    return dict(told.document)


def test_with_one_write_in_twenty_failing_nothing_is_unexplained_and_a_second_sync_makes_good(
    furnished: Any, seed: str
) -> None:
    print(f"again with {SEED_VARIABLE}={seed}")  # noqa: T201 - shown where it fails
    house, dice = furnished, random.Random(seed)
    emails = _linked(house)
    for_now, never = _break(house, dice, emails)

    first = house.sync()
    after = _agreement(house)

    assert after["linked"] == LEADS
    assert after["unexplained"] == 0
    assert first.numbers.refused >= len(for_now) + 1
    assert after["agreed"] <= LEADS - len(for_now) - 1

    stays = {"object": "Lead", "when": {"Email": never}, "message": "The region is missing."}
    house.control("salesforce", "limits", {"validation_rules": [stays]})
    for fault in house.look("hubspot", "faults")["faults"]:
        assert fault["fired"] > 0
    assert requests.delete(f"{house.url('hubspot')}/_sandbox/faults", timeout=60).status_code == 200
    house.later(86_400)
    second = house.sync()
    end = _agreement(house)

    assert second.numbers.refused == 1
    assert (end["linked"], end["agreed"], end["unexplained"]) == (LEADS, LEADS - 1, 0)
    assert end["explained"] == {"refused": 1}
    assert "The region is missing." in house.command("refused").out
