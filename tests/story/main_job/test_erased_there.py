"""Somebody is erased in one CRM, or asks for it there: Leadpact forgets them by itself, and takes nobody in again."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

EMAIL = "anna@sommer-versand.de"


def _who_knows(house: Any, *words: str) -> set[str]:
    """The tables whose text holds one of the words."""
    with psycopg.connect(house.database) as connection:
        names = connection.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
        ).fetchall()
        return {
            name
            for (name,) in names
            for (text,) in connection.execute(f"SELECT lower(t::text) FROM {name} AS t".encode()).fetchall()
            if any(word.lower() in text for word in words)
        }


def _wish(house: Any, should_forget: bool) -> str:
    fields = {"LastName": "Sommer", "ShouldForget": should_forget}
    wanted = {"action": "create", "object": "Individual", "fields": fields}
    return str(house.control("salesforce", "people", wanted)["id"])


@pytest.fixture
def wishes(furnished: Any) -> Any:
    """A house whose Salesforce keeps what people ask for."""
    furnished.control("salesforce", "limits", {"data_privacy": True})
    return furnished


def test_a_person_who_asks_salesforce_to_be_forgotten_is_forgotten_before_anything_is_read(
    wishes: Any,
) -> None:
    house = wishes
    wish = _wish(house, should_forget=False)
    contact, lead = house.couple(EMAIL, salesforce={"IndividualId": wish})
    house.couple("ben@winter.example", {"firstname": "Ben", "lastname": "Winter", "company": "Winter AG"})
    house.sync()
    house.later(3600)
    body = {"action": "edit", "object": "Individual", "id": wish, "fields": {"ShouldForget": True}}
    house.control("salesforce", "people", body)
    house.edit("hubspot", contact, jobtitle="Head of Marketing")
    house.later(60)

    told = house.command("sync")

    assert "1 persons were forgotten" in told.out
    assert _who_knows(house, EMAIL, lead, contact) == set()
    assert house.record("salesforce", lead)["Title"] is None
    assert house.command("explain", "ben@winter.example").code == 0
    (erased,) = [
        row for row in house.command("--json", "runs").document["runs"] if row["command"] == "forget"
    ]
    assert erased["state"] == "done"


def test_a_person_who_was_never_met_and_asks_to_be_forgotten_is_not_taken_in(wishes: Any) -> None:
    house = wishes
    contact, lead = house.couple(EMAIL, salesforce={"IndividualId": _wish(house, should_forget=True)})
    house.sync()
    house.later(3600)
    house.edit("hubspot", contact, jobtitle="Head of Marketing")
    house.later(60)
    house.sync()
    assert _who_knows(house, EMAIL, lead, contact) == set()


def test_a_contact_that_was_erased_in_hubspot_is_forgotten_and_one_that_was_archived_is_not(
    furnished: Any,
) -> None:
    house = furnished
    contact, lead = house.couple(EMAIL)
    other, kept = house.couple(
        "ben@winter.example", {"firstname": "Ben", "lastname": "Winter", "company": "Winter AG"}
    )
    house.sync()
    house.later(3600)
    house.control("hubspot", "people", {"action": "gdpr_delete", "object": "contacts", "id": contact})
    house.control("hubspot", "people", {"action": "delete", "object": "contacts", "id": other})
    for record in (lead, kept):
        house.edit("salesforce", record, City="Bonn")
    house.later(60)
    house.sync()  # looks for the contacts and does not find them
    house.later(3600)

    outcome = house.sync()

    assert outcome.forgotten == 1
    assert _who_knows(house, EMAIL, lead, contact) == set()
    (state,) = [
        one["state"] for one in house.explain(f"salesforce:{kept}")["records"] if one["record"] == other
    ]
    assert state == "gone"
    mark = house.mark()
    assert house.sync().forgotten == 0
    asked = house.look("hubspot", "requests", after=str(mark["hubspot"]))["requests"]
    assert not [one for one in asked if "archived=true" in str(one)]
