"""A HubSpot account that allows no unique properties on contacts is set up and synced like any other."""

from __future__ import annotations

from typing import Any


def test_leads_are_created_once_where_hubspot_keeps_no_key_unique(house: Any) -> None:
    house.control("hubspot", "limits", {"unique_contacts": False})
    told = house.command("setup", "--apply")
    assert told.code == 0, told.err
    house.rewrite("leadpact.toml", 'create_in_hubspot = "false"', 'create_in_hubspot = "true"')
    for name in ("anna", "bert"):
        house.load(
            "salesforce",
            {"Email": f"{name}@sommer-versand.test", "LastName": name, "Company": "Sommer", "Country": "DE"},
        )
    first = house.sync()
    assert (first.numbers.refused, first.numbers.held) == (0, 0)
    made = house.records("hubspot")
    assert sorted(record["email"] for record in made.values()) == [
        "anna@sommer-versand.test",
        "bert@sommer-versand.test",
    ]
    assert all(record["leadpact_salesforce_id"] for record in made.values())
    mark = house.mark()
    second = house.sync()
    assert second.numbers.written == 0
    assert house.wrote_nothing(mark)
