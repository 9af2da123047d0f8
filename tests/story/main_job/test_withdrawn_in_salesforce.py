"""Somebody tells sales that they want no more mail: marketing stops too, and nothing brings them back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest


@pytest.fixture
def anna(furnished: Any, begin: Callable[..., Any]) -> tuple[Any, str, str]:
    return furnished, *begin(_anna)


def _anna(house: Any) -> tuple[str, str]:
    contact, lead = house.couple("anna@sommer-versand.de", {"jobtitle": "Head of Marketing"})
    house.sync()
    house.later(3600)
    return contact, lead


def test_a_withdrawal_in_salesforce_reaches_hubspot(anna: Any) -> None:
    house, contact, lead = anna
    house.unsubscribe("salesforce", lead)

    outcome = house.sync()

    assert outcome.numbers.refused == 0
    assert house.record("hubspot", contact)["hs_email_optout"] == "true"
    house.later(3600)
    mark = house.mark()
    house.sync()
    assert house.wrote_nothing(mark)


def test_it_travels_whatever_the_scope_says(anna: Any) -> None:
    house, contact, lead = anna
    house.edit("salesforce", lead, Country="France")
    house.edit("hubspot", contact, country="France")
    house.sync()
    house.later(3600)
    house.unsubscribe("salesforce", lead)
    house.sync()
    assert house.record("hubspot", contact)["hs_email_optout"] == "true"


def test_a_flag_that_somebody_clears_in_salesforce_brings_nobody_back(anna: Any) -> None:
    house, contact, lead = anna
    house.unsubscribe("hubspot", contact)
    house.sync()
    house.later(3600)
    house.edit("salesforce", lead, HasOptedOutOfEmail=False)
    house.sync()
    assert house.record("hubspot", contact)["hs_email_optout"] == "true"
    assert house.record("salesforce", lead)["HasOptedOutOfEmail"] is True


def test_a_token_that_may_not_take_people_off_lists_refuses_that_and_writes_the_rest(anna: Any) -> None:
    house, contact, lead = anna
    fault = {"match": {"path": "/communication-preferences/v4/statuses/batch/unsubscribe-all"}, "times": 1}
    house.control("hubspot", "faults", {**fault, "status": 403})
    house.unsubscribe("salesforce", lead)
    house.edit("salesforce", lead, Title="Managing Director")

    outcome = house.sync()

    assert outcome.numbers.refused == 1
    assert house.record("hubspot", contact)["jobtitle"] == "Managing Director"
    (refused,) = house.command("--json", "refused").document["refused"]
    assert (refused["crm"], refused["fields"]) == ("hubspot", "hs_email_optout")
    house.later(3600)
    house.sync()
    assert house.record("hubspot", contact)["hs_email_optout"] == "true"


def test_a_person_who_is_made_in_hubspot_has_left_there_from_the_start(furnished: Any) -> None:
    house = furnished
    house.rewrite("leadpact.toml", 'create_in_hubspot = "false"', 'create_in_hubspot = "email IS NOT NULL"')
    person = {"Email": "mia@heiss.example", "FirstName": "Mia", "LastName": "Heiss", "Company": "Heiss AG"}
    house.load("salesforce", {**person, "HasOptedOutOfEmail": True})
    house.sync()
    house.later(3600)
    house.sync()
    (contact,) = house.records("hubspot").values()
    assert contact["hs_email_optout"] == "true"
