"""What the state machine has found (``machine/test_machine.py``), told again by name so that it stays found."""

from __future__ import annotations

from typing import Any

ZOE = {"Email": "zoe@heiss.example", "FirstName": "Zoë", "LastName": "Heiß", "Company": "Heiß & Söhne AG"}


def test_a_new_contact_is_not_refused_because_nobody_has_withdrawn(furnished: Any) -> None:
    house = furnished
    house.rewrite("leadpact.toml", 'create_in_hubspot = "false"', 'create_in_hubspot = "has_contact_data"')
    (lead,) = house.load("salesforce", ZOE)

    done = house.sync()

    assert done.numbers.refused == 0
    (contact,) = house.records("hubspot")
    assert house.record("salesforce", lead)["Leadpact_HubSpot_Id__c"] == contact


def test_a_converted_lead_is_no_reason_to_write_hubspot_again_and_again(furnished: Any) -> None:
    """Salesforce takes no verdict there any more, and that is known from the first time that it is met."""
    house = furnished
    house.rewrite("leadpact.toml", 'create_in_hubspot = "false"', 'create_in_hubspot = "has_contact_data"')
    (lead,) = house.load("salesforce", ZOE)
    house.control("salesforce", "people", {"action": "convert", "object": "Lead", "id": lead})
    done = house.sync()
    assert done.numbers.refused == 0
    assert len(house.records("hubspot")) == 1

    house.later(3600)
    mark = house.mark()
    house.sync()

    assert house.wrote_nothing(mark)
    assert house.command("--json", "agree").document["unexplained"] == 0


def test_a_lead_that_was_converted_before_the_first_sync_is_explained(furnished: Any) -> None:
    house = furnished
    _, lead = house.couple("zoe@heiss.example", {"firstname": "Zoë", "lastname": "Heiß"})
    house.control("salesforce", "people", {"action": "convert", "object": "Lead", "id": lead})
    house.sync()

    found = house.command("--json", "agree").document

    assert (found["unexplained"], found["explained"]) == (0, {"converted": 1})
