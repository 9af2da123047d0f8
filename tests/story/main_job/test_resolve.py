"""A person settles what is held: it is carried out for that lead, kept with their name, and never asked again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

TWINS = {"FirstName": "Anna", "LastName": "Sommer", "Company": "Sommer Versand GmbH"}


def _held(house: Any) -> list[dict[str, Any]]:
    return list(house.command("--json", "held").document["held"])


def _resolve(house: Any, number: int, *how: str) -> Any:
    told = house.command("--json", "resolve", str(number), *how)
    assert told.code == 0, told.out + told.err
    return told.document


@pytest.fixture
def contested(furnished: Any, begin: Callable[..., Any]) -> tuple[Any, str, str]:
    """One person whose city both teams changed, where the map asks a person."""
    return furnished, *begin(_contested)


def _contested(house: Any) -> tuple[str, str]:
    text = (house.folder / "fields.toml").read_text(encoding="utf-8")
    before, _, after = text.partition("[fields.city]")
    (house.folder / "fields.toml").write_text(
        before
        + "[fields.city]"
        + after.replace('if_both_changed = "salesforce"', 'if_both_changed = "hold"', 1),
        encoding="utf-8",
    )
    contact, lead = house.couple("anna@sommer.example", {"city": "Berlin"})
    house.sync()
    house.later(3600)
    house.edit("hubspot", contact, city="Bonn")
    house.edit("salesforce", lead, City="Köln")
    house.later(60)
    house.sync()
    house.later(60)
    return contact, lead


def _cities(house: Any, contact: str, lead: str) -> tuple[str, str]:
    return house.record("hubspot", contact)["city"], house.record("salesforce", lead)["City"]


@pytest.mark.parametrize(("answer", "city"), [("hubspot", "Bonn"), ("salesforce", "Köln"), ("Kiel", "Kiel")])
def test_a_settled_conflict_is_carried_out_at_once_and_not_asked_again(
    contested: tuple[Any, str, str], answer: str, city: str
) -> None:
    house, contact, lead = contested
    (waiting,) = _held(house)
    assert (waiting["kind"], waiting["field"]) == ("conflict", "city")

    document = _resolve(house, waiting["held_id"], "--take", answer)

    assert document["carried_out"] is True
    assert _cities(house, contact, lead) == (city, city)
    assert not _held(house)
    (decision,) = house.explain(f"hubspot:{contact}")["decisions"]
    assert (decision["kind"], decision["field"], decision["answer"]) == ("take", "city", answer)
    assert decision["decided_by"]
    house.later(3600)
    mark = house.mark()
    house.sync()
    assert house.wrote_nothing(mark)
    assert not _held(house)


def test_a_conflict_that_moved_since_it_was_held_is_not_settled(contested: tuple[Any, str, str]) -> None:
    house, contact, lead = contested
    (waiting,) = _held(house)
    house.edit("salesforce", lead, City="Trier")
    told = house.command("resolve", str(waiting["held_id"]), "--take", "hubspot")
    assert told.code == 3
    assert "changed in salesforce" in told.err
    assert _cities(house, contact, lead) == ("Bonn", "Trier")


@pytest.fixture
def ambiguous(furnished: Any, begin: Callable[..., Any]) -> tuple[Any, str, list[str]]:
    """One contact, and two Salesforce leads that could each be hers."""
    return furnished, *begin(_ambiguous)


def _ambiguous(house: Any) -> tuple[str, list[str]]:
    (contact,) = house.load(
        "hubspot",
        {
            "email": "anna@sommer.example",
            "firstname": "Anna",
            "lastname": "Sommer",
            "company": "Sommer Versand GmbH",
            "phone": "+493012345678",
        },
    )
    leads = house.load(
        "salesforce",
        {"Email": "anna@sommer.example", **TWINS, "Company": "Sommer Versandhandel"},
        {"Email": "anna@sommer.example", **TWINS, "Phone": "+49 30 12345678"},
    )
    house.sync()
    house.later(3600)
    return contact, list(leads)


def _of(house: Any, record: str) -> dict[str, Any]:
    return next(row for row in _held(house) if row["record_id"] == record)


def test_suggestions_are_ranked_and_say_what_agrees(ambiguous: tuple[Any, str, list[str]]) -> None:
    house, contact, leads = ambiguous
    told = house.command("--json", "held").document["held"]
    suggestions = next(row for row in told if row["record_id"] == contact)["suggestions"]
    assert [one["record"] for one in suggestions] == [
        f"salesforce:{leads[1]}",
        f"salesforce:{leads[0]}",
    ]
    best, second = suggestions
    assert best["likeness"] > second["likeness"]
    assert {"the same e-mail address", "the same name", "the same telephone number"} <= set(best["agree"])
    assert "different companies" in second["differ"]
    assert "the same telephone number" in house.command("held").out


def test_a_link_by_a_person_makes_one_lead_of_two_records(ambiguous: tuple[Any, str, list[str]]) -> None:
    house, contact, leads = ambiguous
    number = _of(house, contact)["held_id"]

    _resolve(house, number, "--link", f"hubspot:{contact}=salesforce:{leads[1]}")

    told = house.explain(f"hubspot:{contact}")
    assert {one["record"] for one in told["records"]} == {contact, leads[1]}
    assert house.record("salesforce", leads[1])["Leadpact_HubSpot_Id__c"] == contact
    house.later(3600)
    house.sync()
    assert contact not in [row["record_id"] for row in _held(house)]
    assert len(house.records("hubspot")) == 1


def test_records_told_apart_stay_apart(ambiguous: tuple[Any, str, list[str]]) -> None:
    house, contact, leads = ambiguous
    number = _of(house, contact)["held_id"]

    _resolve(house, number, "--separate")

    assert not _held(house)
    known = {house.explain(f"salesforce:{lead}")["lead"] for lead in leads}
    known.add(house.explain(f"hubspot:{contact}")["lead"])
    assert len(known) == 3
    house.later(3600)
    house.sync()
    assert not _held(house)


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ((), "say one thing"),
        (("--take", "hubspot", "--separate"), "say one thing"),
        (("--take", "hubspot"), "not a field"),
        (("--link", "hubspot:1"), "names no two records"),
        (("--link", "hubspot:999=salesforce:00Q000000000999AAA"), "is about"),
    ],
)
def test_wrong_answers_are_refused_with_a_sentence(
    ambiguous: tuple[Any, str, list[str]], how: tuple[str, ...], said: str
) -> None:
    house, contact, _ = ambiguous
    told = house.command("resolve", str(_of(house, contact)["held_id"]), *how)
    assert told.code == 2
    assert said in told.err


def test_a_number_under_which_nothing_waits_is_refused(furnished: Any) -> None:
    furnished.sync()
    told = furnished.command("resolve", "77", "--separate")
    assert told.code == 2
    assert "nothing is held under 77" in told.err


def test_a_field_that_automation_keeps_setting_back_is_held_as_noise(furnished: Any) -> None:
    """A workflow in HubSpot sets the title to one thing, a flow in Salesforce to another: nobody can win."""
    house = furnished
    contact, lead = house.couple("anna@sommer.example", {"jobtitle": "Owner"})
    house.sync()
    for _ in range(5):
        house.later(3600)
        house.edit("hubspot", contact, jobtitle="Inhaberin")
        house.later(60)
        house.sync()
        house.later(3600)
        house.edit("salesforce", lead, Title="Owner")
        house.later(60)
        house.sync()
    (waiting,) = [row for row in _held(house) if row["crm"] == "salesforce"]
    assert (waiting["kind"], waiting["field"]) == ("noisy", "job_title")
    assert "noisy automation" in house.command("held").out
    problems = house.command("--json", "check").document["problems"]
    assert any("noisy automation" in one["problem"] for one in problems)
    house.later(3600)
    mark = house.mark()
    house.edit("hubspot", contact, jobtitle="Inhaberin")
    house.sync()
    assert not house.writes(mark)["salesforce"]
    house.later(8 * 86400)
    house.edit("hubspot", contact, jobtitle="Geschäftsführerin")
    house.sync()
    assert house.record("salesforce", lead)["Title"] == "Geschäftsführerin"
