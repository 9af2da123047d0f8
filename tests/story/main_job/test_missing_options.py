"""A field of an older version lacks a choice: setup says which, adds it in both CRMs, and then finds all there."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sync.setup import needed_fields

FIELDS = {"hubspot": "leadpact_temperature", "salesforce": "Leadpact_Temperature__c"}


def test_setup_adds_the_options_that_a_choice_of_ours_lacks_in_both_crms(house: Any) -> None:
    with house.app() as app:
        work = app.work()
        for one in needed_fields(work):
            if one.spec.name in FIELDS.values():
                older = tuple(option for option in one.spec.options if option[0] != "unknown")
                work.crms[one.crm].add_fields(one.object, [replace(one.spec, options=older)])

    shown = house.command("--json", "setup").document["options"]
    assert {(one["crm"], one["field"], one["option"]) for one in shown} == {
        (crm, name, "unknown") for crm, name in FIELDS.items()
    }
    errors = [one["problem"] for one in house.command("--json", "check").document["problems"]]
    assert sum("lacks the option unknown" in problem for problem in errors) == 2
    done = house.command("setup", "--apply")
    assert done.code == 0
    assert "2 options added." in done.out

    again = house.command("setup", "--apply")
    assert again.out.strip() == "Everything was there already."
    assert house.command("--json", "setup").document["options"] == []
    contact, lead = house.couple("anna@sommer-versand.de")
    house.edit("hubspot", contact, leadpact_temperature="unknown")
    house.edit("salesforce", lead, Leadpact_Temperature__c="unknown")
