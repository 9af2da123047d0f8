"""Property definitions on the HubSpot side of the sandbox."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from connectors.sandbox.hubspot.side import HubSpotSide

PROPERTIES = "/crm/v3/properties/contacts"
Call = Callable[..., tuple[int, Any]]


def wanted(name: str = "lead_score", **more: Any) -> dict[str, Any]:
    body = {"name": name, "label": "Lead score", "type": "number", "fieldType": "number"}
    return {**body, "groupName": "contactinformation", **more}


def test_a_new_property_is_answered_whole_and_can_be_used_at_once(call: Call) -> None:
    status, body = call("POST", PROPERTIES, wanted(description="Our own", hidden=True))
    assert status == 201
    assert body["modificationMetadata"] == {
        "archivable": True,
        "readOnlyDefinition": False,
        "readOnlyValue": False,
    }
    assert (body["description"], body["hidden"], body["calculated"], body["archived"]) == (
        "Our own",
        True,
        False,
        False,
    )
    assert "hubspotDefined" not in body
    assert call("GET", f"{PROPERTIES}/lead_score") == (200, body)
    made = {"properties": {"lastname": "X", "lead_score": 12}}
    assert call("POST", "/crm/v3/objects/contacts", made)[1]["properties"]["lead_score"] == "12"


def test_a_name_that_is_taken_conflicts(call: Call) -> None:
    call("POST", PROPERTIES, wanted())
    status, body = call("POST", PROPERTIES, wanted())
    assert (status, body["message"]) == (409, "A property named 'lead_score' already exists.")


@pytest.mark.parametrize(
    "body",
    [
        *({k: v for k, v in wanted().items() if k != missing} for missing in wanted()),
        wanted("Lead-Score"),
        wanted("1st"),
        wanted(type="money"),
        wanted(fieldType="select"),
        wanted(groupName="nowhere"),
        wanted(type="enumeration", fieldType="select", options=[{"label": "A"}]),
        wanted(type="enumeration", fieldType="select", options=[{"label": "A", "value": "a"}] * 2),
    ],
)
def test_a_definition_that_cannot_be_is_refused(call: Call, body: Any) -> None:
    status, answer = call("POST", PROPERTIES, body)
    assert (status, answer["category"]) == (400, "VALIDATION_ERROR")


def test_at_most_ten_properties_of_an_object_are_unique(call: Call) -> None:
    for n in range(10):
        assert call("POST", PROPERTIES, wanted(f"key_{n}", hasUniqueValue=True))[0] == 201
    assert call("POST", PROPERTIES, wanted("key_10", hasUniqueValue=True))[0] == 400
    assert call("POST", PROPERTIES, wanted("key_10"))[0] == 201


def test_unique_contact_properties_can_be_switched_off(side: HubSpotSide, call: Call) -> None:
    side.limits({"unique_contacts": False})
    assert call("POST", PROPERTIES, wanted(hasUniqueValue=True))[0] == 400
    assert (
        call(
            "POST",
            "/crm/v3/properties/companies",
            wanted(groupName="companyinformation", hasUniqueValue=True),
        )[0]
        == 201
    )


def test_uniqueness_is_decided_at_creation_only(call: Call) -> None:
    call("POST", PROPERTIES, wanted())
    assert call("PATCH", f"{PROPERTIES}/lead_score", {"hasUniqueValue": True})[0] == 400
    status, body = call("PATCH", f"{PROPERTIES}/lead_score", {"label": "Score"})
    assert (status, body["label"], body["hasUniqueValue"]) == (200, "Score", False)


def test_a_batch_of_properties_is_made_whole_or_not_at_all(call: Call) -> None:
    rows = {"inputs": [wanted("a_first"), wanted("a_second", groupName="nowhere")]}
    assert call("POST", f"{PROPERTIES}/batch/create", rows)[0] == 400
    assert call("GET", f"{PROPERTIES}/a_first")[0] == 404
    made = {"properties": {"lastname": "X", "a_first": "1"}}
    assert call("POST", "/crm/v3/objects/contacts", made)[0] == 400
    rows["inputs"][1]["groupName"] = "contactinformation"
    status, body = call("POST", f"{PROPERTIES}/batch/create", rows)
    assert (status, [row["name"] for row in body["results"]]) == (201, ["a_first", "a_second"])


def test_a_batch_read_tells_which_properties_are_missing(call: Call) -> None:
    body = {"archived": False, "inputs": [{"name": "email"}, {"name": "nope"}]}
    status, answer = call("POST", f"{PROPERTIES}/batch/read", body)
    assert (status, [row["name"] for row in answer["results"]], answer["numErrors"]) == (207, ["email"], 1)
    assert answer["errors"][0]["category"] == "OBJECT_NOT_FOUND"


def test_groups_are_made_and_listed(call: Call) -> None:
    body = {"name": "leadpact", "label": "Leadpact", "displayOrder": -1}
    assert call("POST", f"{PROPERTIES}/groups", body) == (201, {**body, "archived": False})
    assert call("POST", f"{PROPERTIES}/groups", body)[0] == 409
    names = [group["name"] for group in call("GET", f"{PROPERTIES}/groups")[1]["results"]]
    assert {"contactinformation", "leadpact"} <= set(names)
    assert call("POST", PROPERTIES, wanted(groupName="leadpact"))[0] == 201
    assert call("GET", f"{PROPERTIES}/groups/leadpact")[1]["label"] == "Leadpact"


def test_an_archived_property_is_listed_apart_and_no_longer_taken(call: Call) -> None:
    call("POST", PROPERTIES, wanted())
    assert call("DELETE", f"{PROPERTIES}/lead_score") == (204, None)
    assert call("GET", f"{PROPERTIES}/lead_score")[0] == 404
    _, gone = call("GET", PROPERTIES, archived="true")
    assert [row["name"] for row in gone["results"]] == ["lead_score"]
    made = {"properties": {"lastname": "X", "lead_score": 12}}
    assert call("POST", "/crm/v3/objects/contacts", made)[1]["errors"][0]["code"] == "PROPERTY_DOESNT_EXIST"


def test_what_hubspot_defines_cannot_be_archived_or_renamed(call: Call) -> None:
    assert call("DELETE", f"{PROPERTIES}/email")[0] == 400
    assert call("PATCH", f"{PROPERTIES}/email", {"label": "Mail"})[0] == 400


def test_an_option_added_to_lifecycle_stages_counts_in_its_place(call: Call) -> None:
    _, body = call("GET", f"{PROPERTIES}/lifecyclestage")
    options = body["options"]
    options.insert(2, {"label": "Trial", "value": "58213001"})
    assert call("PATCH", f"{PROPERTIES}/lifecyclestage", {"options": options})[0] == 200
    _, pipelines = call("GET", "/crm/v3/pipelines/contacts")
    stages = [stage["id"] for stage in pipelines["results"][0]["stages"]]
    assert stages[1:4] == ["lead", "58213001", "marketingqualifiedlead"]
    made = {"properties": {"lastname": "X", "lifecyclestage": "58213001"}}
    _, contact = call("POST", "/crm/v3/objects/contacts", made)
    path = f"/crm/v3/objects/contacts/{contact['id']}"
    for stage, kept in (("lead", "58213001"), ("marketingqualifiedlead", "marketingqualifiedlead")):
        assert (
            call("PATCH", path, {"properties": {"lifecyclestage": stage}})[1]["properties"]["lifecyclestage"]
            == kept
        )


@pytest.mark.parametrize(
    ("name", "type_", "read_only"),
    [
        ("email", "string", False),
        ("phone", "string", False),
        ("annualrevenue", "string", False),
        ("lifecyclestage", "enumeration", False),
        ("hs_lead_status", "enumeration", False),
        ("hubspot_owner_id", "enumeration", False),
        ("hs_additional_emails", "enumeration", False),
        ("hubspotscore", "number", True),
        ("hs_email_optout", "bool", True),
        ("hs_email_quarantined", "bool", True),
        ("hs_legal_basis", "enumeration", True),
        ("num_conversion_events", "number", True),
        ("recent_conversion_date", "datetime", True),
        ("hs_analytics_num_visits", "number", True),
        ("hs_analytics_source", "enumeration", True),
        ("hs_email_last_click_date", "datetime", True),
        ("hs_social_linkedin_clicks", "number", True),
        ("notes_last_contacted", "datetime", True),
        ("hs_lifecyclestage_customer_date", "datetime", True),
        ("hs_v2_date_exited_lead", "datetime", True),
        ("createdate", "datetime", True),
        ("lastmodifieddate", "datetime", True),
    ],
)
def test_the_account_has_the_standard_properties(call: Call, name: str, type_: str, read_only: bool) -> None:
    status, body = call("GET", f"{PROPERTIES}/{name}")
    assert (status, body["type"], body["modificationMetadata"]["readOnlyValue"]) == (200, type_, read_only)
    assert body["hubspotDefined"] is True


@pytest.mark.parametrize("kind", ["contacts", "companies"])
def test_names_are_unique_and_groups_and_options_are_sound(call: Call, kind: str) -> None:
    _, body = call("GET", f"/crm/v3/properties/{kind}")
    rows = body["results"]
    groups = {group["name"] for group in call("GET", f"/crm/v3/properties/{kind}/groups")[1]["results"]}
    assert len({row["name"] for row in rows}) == len(rows)
    assert {row["groupName"] for row in rows} <= groups
    for row in rows:
        values = [option["value"] for option in row["options"]]
        assert len(set(values)) == len(values)


def test_a_value_that_was_taken_is_refused_once_its_option_is_gone(call: Call) -> None:
    options = [{"label": word, "value": word} for word in ("red", "blue")]
    call("POST", PROPERTIES, wanted(type="enumeration", fieldType="select", options=options))
    name = wanted()["name"]
    body = {"properties": {"lastname": "Who", name: "blue"}}
    assert [call("POST", "/crm/v3/objects/contacts", body)[0] for _ in range(2)] == [201, 201]
    assert call("PATCH", f"{PROPERTIES}/{name}", {"options": options[:1]})[0] == 200
    assert call("POST", "/crm/v3/objects/contacts", body)[0] == 400


@pytest.mark.parametrize(("typed", "status"), [("NaN", 201), ("Infinity", 201), ("2", 400), ("3", 201)])
def test_what_is_no_number_is_not_held_against_a_rule_of_numbers(call: Call, typed: str, status: int) -> None:
    rule = "/crm/property-validations/2026-09/contacts/city/rule-type/MIN_NUMBER"
    assert call("PUT", rule, {"ruleArguments": ["3"]})[0] < 300
    made, _ = call("POST", "/crm/objects/2026-09/contacts", {"properties": {"lastname": "x", "city": typed}})
    assert made == status
