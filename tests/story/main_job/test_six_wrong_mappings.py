"""Six things that are wrong with a mapping, of which no CRM tells before a write: `check` finds all of them at once."""

from __future__ import annotations

from typing import Any

from connectors.crm import FieldSpec

#: What is wrong, by the words in which it is said: the line that it is about, and what to do.
SIX = {
    # a word that a restricted picklist does not have
    "Salesforce's Industry has no option for 'E-Commerce' spelled 'Webshop'": (
        "[values.industry]",
        "choose one of its",
    ),
    # a text of 80 characters for a field that holds 40
    "Slogan__c holds 40 characters in Salesforce": ('salesforce = "Slogan__c"', "widen Slogan__c"),
    # a formula that is to be written
    "Tier__c is calculated in Salesforce": ('salesforce = "Tier__c"', 'direction = "to_hubspot"'),
    # a field that is read-only for us
    "Rating is read-only in Salesforce": ('salesforce = "Rating"', 'direction = "to_hubspot"'),
    # a name that only the Lead has
    "HubSpot has no field hs_lead_label on contacts": (
        'hubspot = "hs_lead_label"',
        "Otherwise give the integration user access",
    ),
    # a lifecycle stage of one's own, by its label
    "HubSpot has no lifecycle stage 'Demo booked'": ('opportunity = "Demo booked"', "internal name"),
}
WRONG = """
[fields.slogan]
type = "text"
hubspot = "message"
salesforce = "Slogan__c"

[fields.tier]
type = "text"
hubspot = "fax"
salesforce = "Tier__c"

[fields.rating]
type = "text"
hubspot = "twitterhandle"
salesforce = "Rating"

[fields.label_of_lead]
type = "text"
hubspot = "hs_lead_label"
salesforce = "AssistantName__c"

"""


def test_six_wrong_mappings_are_six_errors_with_file_line_and_fix(furnished: Any) -> None:
    house = furnished
    assert house.command("--json", "check").code == 0
    with house.app() as app:
        fields = [FieldSpec(name, name[:-3], "text", length=size) for name, size in _OURS]
        assert len(app.work().crms["salesforce"].add_fields("Lead", fields)) == len(_OURS)
    limits = {
        "restricted_picklists": {"Lead": ["Industry"]},
        "formula_fields": {"Lead": ["Tier__c"]},
        "read_only_fields": {"Lead": ["Rating"]},
    }
    house.control("salesforce", "limits", limits)
    house.rewrite("fields.toml", '"INTERNET"], salesforce = "Retail"', '"INTERNET"], salesforce = "Webshop"')
    house.rewrite("fields.toml", 'salesforce = ["Wholesale"]', 'salesforce = ["Retail"]')
    house.rewrite("fields.toml", 'opportunity = "opportunity"', 'opportunity = "Demo booked"')
    house.rewrite("fields.toml", "[fields.salesforce_stage]", WRONG.lstrip() + "[fields.salesforce_stage]")
    mark = house.mark()

    told = house.command("--json", "check")

    assert told.code == 1
    errors = [one for one in told.document["problems"] if one["severity"] == "error"]
    assert len(errors) == len(SIX), [one["problem"] for one in errors]
    lines = (house.folder / "fields.toml").read_text("utf-8").splitlines()
    for words, (text, fix) in SIX.items():
        (problem,) = [one for one in errors if words in one["problem"]]
        name, _, line = problem["where"].rpartition(":")
        assert name.endswith("fields.toml")
        assert text in lines[int(line) - 1], problem
        assert fix in problem["fix"], problem
    assert house.wrote_nothing(mark)


#: Fields of our own in Salesforce, and their length.
_OURS = (("Slogan__c", 40), ("Tier__c", 80), ("AssistantName__c", 40))


def test_what_only_the_lead_has_is_an_error_where_contacts_are_synced(furnished: Any) -> None:
    told = furnished.command("--json", "check", environ={"LEADPACT_SALESFORCE__OBJECT": "Contact"})
    assert told.code == 1
    lines = (furnished.folder / "fields.toml").read_text("utf-8").splitlines()
    for name in ("Company", "Industry", "Status"):
        words = f"Salesforce has no field {name} on Contact"
        (problem,) = [one for one in told.document["problems"] if words in one["problem"]]
        assert problem["severity"] == "error"
        assert f'salesforce = "{name}"' in lines[int(problem["where"].rpartition(":")[2]) - 1]
        assert problem["fix"]
