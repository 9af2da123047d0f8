"""The fields of the pretend org beside the documented ones: types, sizes, and who may do what with them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from connectors.sandbox.salesforce.schema import Field, standard_schema

OBJECTS = (
    "Lead", "Contact", "Account", "Opportunity", "OpportunityContactRole", "OpportunityStage", "Campaign",
    "CampaignMember", "CampaignMemberStatus", "User", "Group", "LeadStatus", "LeadHistory", "Task",
    "AssignmentRule", "Individual",
)  # fmt: skip
FLAGS = {
    "Create": lambda field: field.create,
    "Update": lambda field: field.update,
    "Nillable": lambda field: field.nillable,
    "Filter": lambda field: field.filter,
    "Sort": lambda field: field.sort,
    "Group": lambda field: field.group,
    "Defaulted on create": lambda field: field.defaulted,
    "Restricted picklist": lambda field: field.restricted,
}
#: Where the pretend org is another org than the one that is documented, with the reason.
OTHERWISE = {
    # Creating them needs "Marketing User", which the reference's user lacks and ours has (section 6).
    **{("Campaign", "*", flag): "marketing user" for flag in ("Create", "Update", "Defaulted on create")},
    **{("CampaignMemberStatus", "*", flag): "marketing user" for flag in ("Create", "Update")},
    # An org without person accounts demands a company (section 6).
    ("Lead", "Company", "Nillable"): "no person accounts",
    # Writing them needs the permission to set audit fields.
    **{
        ("Lead", f"Converted{name}", "Create"): "audit fields"
        for name in ("AccountId", "ContactId", "OpportunityId")
    },
    ("Lead", "ConvertedDate", "Create"): "audit fields",
    # A recorded describe of a live org says so.
    **{("*", "IsDeleted", flag): "recorded" for flag in ("Sort", "Group")},
    **{("Lead", "HasOptedOutOfEmail", flag): "recorded" for flag in ("Sort", "Group")},
}


def is_otherwise(name: str, field: str, flag: str) -> bool:
    return any(key in OTHERWISE for key in ((name, field, flag), (name, "*", flag), ("*", field, flag)))


@pytest.fixture(scope="module")
def documented(shared_reference: Path) -> dict[str, dict[str, Any]]:
    whole = json.loads((shared_reference / "salesforce-fields.v67.json").read_text("utf-8"))
    objects: dict[str, dict[str, Any]] = whole["objects"]
    return objects


def differences(name: str, field: Field, facts: dict[str, Any]) -> list[str]:
    found = [
        key
        for key in ("type", "length", "precision", "scale", "digits")
        if facts.get(key, 0) not in (0, None)
    ]
    wrong = [
        f"{key} {getattr(field, key)}, not {facts[key]}" for key in found if getattr(field, key) != facts[key]
    ]
    if facts.get("properties"):
        wrong += [
            f"{flag} {is_so(field)}"
            for flag, is_so in FLAGS.items()
            if is_so(field) != (flag in facts["properties"]) and not is_otherwise(name, field.name, flag)
        ]
    if facts.get("referenceTo") and set(field.refers_to) != set(facts["referenceTo"]):
        wrong.append(f"refers to {field.refers_to}")
    return wrong


@pytest.mark.parametrize("name", OBJECTS)
def test_the_fields_are_the_documented_ones(documented: dict[str, dict[str, Any]], name: str) -> None:
    fields = standard_schema().objects[name].fields
    wrong = {
        each: differences(name, fields[each], facts)
        for each, facts in documented[name].items()
        if each in fields
    }
    assert {each: what for each, what in wrong.items() if what} == {}


def test_every_object_that_the_reference_names_is_there(documented: dict[str, dict[str, Any]]) -> None:
    assert set(documented) <= set(standard_schema().objects)


def test_individuals_are_there_where_data_protection_is_on(api: Any) -> None:
    lead = {"LastName": "Ada", "Company": "Engines"}
    assert "IndividualId" not in api.described()
    assert api.call("GET", "sobjects/Individual/describe").status == 404
    before = api.create(lead)
    api.side.limits({"data_privacy": True})
    wish = api.create({"LastName": "Ada", "HasOptedOutProcessing": True, "ShouldForget": True}, "Individual")
    after = api.create({**lead, "IndividualId": wish})
    found = api.query("SELECT Id, Individual.Name, Individual.ShouldForget FROM Lead ORDER BY Id")
    assert [each["Id"] for each in found] == [before, after]
    assert found[0]["Individual"] is None
    assert (found[1]["Individual"]["Name"], found[1]["Individual"]["ShouldForget"]) == ("Ada", True)


def test_a_new_campaign_counts_nothing_and_is_planned(api: Any) -> None:
    campaign = api.get(api.create({"Name": "Fair"}, "Campaign"), "Campaign")
    assert (campaign["NumberOfLeads"], campaign["AmountWonOpportunities"], campaign["Status"]) == (
        0,
        0.0,
        "Planned",
    )
    fields = {each["name"]: each for each in api.json("GET", "sobjects/Campaign/describe")["fields"]}
    assert (fields["NumberOfLeads"]["defaultValue"], fields["NumberOfLeads"]["nillable"]) == (None, False)


def test_an_activity_belongs_to_the_account_of_what_it_is_about(api: Any) -> None:
    account = api.create({"Name": "Engines"}, "Account")
    contact = api.create({"LastName": "Ada", "AccountId": account}, "Contact")
    lead = api.create({"LastName": "Bob", "Company": "Pure"})
    found = [
        api.get(api.create(values, "Task"), "Task")["AccountId"]
        for values in ({"WhoId": contact}, {"WhatId": account}, {"WhoId": lead}, {})
    ]
    assert found == [account, account, None, None]
