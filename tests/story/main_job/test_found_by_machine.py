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
