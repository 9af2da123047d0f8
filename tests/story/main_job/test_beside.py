"""Leadpact beside other writers: what it leaves alone, what it says about it, and what a person has to confirm."""

from __future__ import annotations

from typing import Any

import requests

ALONE = {"LEADPACT_SYNC__LIFECYCLE_ALONE": "true"}


def _install_hubspots_own_sync(house: Any) -> None:
    """HubSpot's own Salesforce sync brings its properties with it."""
    field = {
        "name": "salesforcelastsynctime", "label": "Last Salesforce sync", "type": "datetime",
        "fieldType": "date", "groupName": "contactinformation",
    }  # fmt: skip
    answer = requests.post(
        f"{house.url('hubspot')}/crm/v3/properties/contacts",
        json=field,
        headers={"Authorization": f"Bearer {house.serving.ready['hubspot_token']}"},
        timeout=60,
    )
    assert answer.status_code == 201, answer.text


def test_lifecycle_stages_are_not_written_beside_hubspots_own_sync_until_a_person_has_looked(
    furnished: Any,
) -> None:
    house = furnished
    contact, _ = house.couple(
        "anna@sommer-versand.de", {"jobtitle": "Head"}, salesforce={"Status": "Closed - Converted"}
    )
    asked = house.command("--json", "check").document["problems"]
    (checklist,) = [one for one in asked if "lifecycle_alone" in one["fix"]]
    assert (checklist["severity"], "Workflows" in checklist["fix"]) == ("note", True)
    _install_hubspots_own_sync(house)

    told = house.command("sync", "--approve")

    assert "lifecycle stages were not written: HubSpot's own Salesforce sync" in told.out
    before = house.record("hubspot", contact)
    assert before["leadpact_stage"]
    assert "lifecyclestage" not in before
    asked = house.command("--json", "check").document["problems"]
    assert [one["severity"] for one in asked if "lifecycle_alone" in one["fix"]] == ["warning"]
    house.later(3600)
    house.edit("hubspot", contact, city="Bonn")
    house.later(60)
    house.sync(environ=ALONE)
    assert house.record("hubspot", contact)["lifecyclestage"]
    asked = house.command("--json", "check", environ=ALONE).document["problems"]
    assert not [one for one in asked if "lifecycle_alone" in one["fix"]]


def test_a_plan_says_how_many_contacts_it_would_make_and_that_they_are_not_billed_for_marketing(
    furnished: Any,
) -> None:
    house = furnished
    house.rewrite("leadpact.toml", 'create_in_hubspot = "false"', 'create_in_hubspot = "email IS NOT NULL"')
    person = {"Email": "mia@heiss.example", "FirstName": "Mia", "LastName": "Heiss", "Company": "Heiss AG"}
    house.load("salesforce", person)

    assert "1 contacts would be created in HubSpot, as non-marketing contacts" in house.command("plan").out

    house.sync()
    (contact,) = house.records("hubspot").values()
    assert not contact.get("hs_marketable_status")


def test_agree_says_that_the_scope_lets_nothing_be_written_there_and_check_says_the_pilot(
    furnished: Any,
) -> None:
    house = furnished
    house.couple("anna@sommer-versand.de")
    one_way = {"LEADPACT_SCOPE__TO_SALESFORCE": "false"}
    house.sync(environ=one_way)
    house.later(3600)

    told = house.command("--json", "agree", environ=one_way).document

    assert (told["explained"], told["unexplained"]) == ({"one_way": 1}, 0)
    missing = house.command("--json", "check", environ={"LEADPACT_SCOPE__PILOT": "hubspot list 7"})
    (pilot,) = [one for one in missing.document["problems"] if "pilot" in one["problem"]]
    assert (pilot["severity"], "no list 7" in pilot["problem"]) == ("error", True)
    with house.app() as app:
        made = app.crms["hubspot"].lists.create("Pilot")
    there = house.command("--json", "check", environ={"LEADPACT_SCOPE__PILOT": f"hubspot list {made.id}"})
    (pilot,) = [one for one in there.document["problems"] if "pilot" in one["problem"]]
    assert (pilot["severity"], "only the 0 people on HubSpot list" in pilot["problem"]) == ("note", True)
