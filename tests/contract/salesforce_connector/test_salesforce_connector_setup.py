"""Creating custom fields in the pretend Salesforce, and the right to use them."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.crm import FieldSpec, Write
from connectors.errors import NeedsPerson, OurBug
from connectors.salesforce.crm import SalesforceCrm

SPECS = [
    FieldSpec("Leadpact_Id__c", "Leadpact id", "text", "Links both CRMs.", length=32, unique=True),
    FieldSpec("Leadpact_Score__c", "Score", "number"),
    FieldSpec("Leadpact_Share__c", "Share", "number", decimals=2),
    FieldSpec("Leadpact_Reasons__c", "Reasons <why> & when", "long_text"),
    FieldSpec("Leadpact_Handed__c", "Handed over", "datetime"),
    FieldSpec("Leadpact_Born__c", "First seen", "date"),
    FieldSpec("Leadpact_Hot__c", "Hot", "boolean"),
    FieldSpec("Leadpact_Note__c", "Note", "text"),
    FieldSpec(
        "Leadpact_Band__c", "Temperature", "choice", options=(("cold", "Cold"), ("hot", "Hot — Zoë & Co"))
    ),
]
NAMES = [spec.name for spec in SPECS]


def connect(org: Any) -> SalesforceCrm:
    """A connector that logs in at the pretend address itself."""
    connector: SalesforceCrm = org.connect(login_url=org.url)
    return connector


def deployments(org: Any) -> int:
    return sum(1 for one in org.requests() if one["method"] == "POST" and "deployRequest" in one["path"])


def test_missing_fields_are_created_as_asked(org: Any) -> None:
    crm = connect(org)
    assert crm.add_fields("Lead", SPECS) == NAMES
    fields = crm.describe("Lead").fields
    assert [fields[name].type for name in NAMES] == [
        "text",
        "number",
        "number",
        "text",
        "datetime",
        "date",
        "boolean",
        "text",
        "choice",
    ]
    assert (fields["Leadpact_Id__c"].unique, fields["Leadpact_Id__c"].length) == (True, 32)
    assert not fields["Leadpact_Note__c"].unique
    assert fields["Leadpact_Note__c"].length == 255
    assert fields["Leadpact_Reasons__c"].label == "Reasons <why> & when"
    assert [value for value, _label in fields["Leadpact_Band__c"].options] == ["cold", "hot"]
    assert fields["Leadpact_Band__c"].restricted
    assert all(fields[name].creatable and fields[name].updatable for name in NAMES)


def test_what_was_created_can_be_written_and_read(org: Any) -> None:
    crm = connect(org)
    crm.add_fields("Lead", SPECS)
    values = {
        "Leadpact_Score__c": "87",
        "Leadpact_Share__c": "0.25",
        "Leadpact_Reasons__c": "because\nof that",
        "Leadpact_Handed__c": "2026-11-22T07:15:00.000Z",
        "Leadpact_Born__c": "2026-11-22",
        "Leadpact_Hot__c": "true",
        "Leadpact_Band__c": "hot",
    }
    record = {"LastName": "Zoë", "Company": "ACME", **values}
    (written,) = crm.write("Lead", [Write("a", None, record, ("Leadpact_Id__c", "lead-1"))])
    assert written.outcome == "written"
    assert written.stored == record


def test_a_second_time_nothing_is_created(org: Any) -> None:
    connect(org).add_fields("Lead", SPECS)
    assert connect(org).add_fields("Lead", SPECS) == []
    assert deployments(org) == 1


def test_only_what_is_missing_is_created(org: Any) -> None:
    crm = connect(org)
    assert crm.add_fields("Lead", SPECS[:2]) == NAMES[:2]
    assert crm.add_fields("Lead", SPECS) == NAMES[2:]
    # Deploying the permission set again has not taken the first fields away.
    assert set(NAMES) <= set(crm.describe("Lead").fields)


def test_a_second_object_does_not_take_the_first_ones_access(org: Any) -> None:
    crm = connect(org)
    crm.add_fields("Lead", SPECS[:2])
    crm.add_fields("Contact", SPECS[:2])
    fresh = connect(org)
    for name in ("Lead", "Contact"):
        assert set(NAMES[:2]) <= set(fresh.describe(name).fields)


@pytest.mark.parametrize("stopped", [1, 2, 3, 4, 5])
def test_a_setup_that_was_interrupted_is_finished_by_the_next(org: Any, stopped: int) -> None:
    # The call with this number fails for good; before it, everything was carried out.
    match = {"path": "deployRequest|PermissionSet|FieldPermissions"}
    body = '[{"errorCode":"MALFORMED_QUERY","message":"stopped here"}]'
    org.control("faults", match=match, skip=stopped - 1, times=1, status=400, body=body)
    with pytest.raises(OurBug):
        connect(org).add_fields("Lead", SPECS)
    crm = connect(org)
    created = crm.add_fields("Lead", SPECS)
    assert set(NAMES) <= set(crm.describe("Lead").fields)
    # What the interrupted one had deployed already is not counted as created again.
    assert created == (NAMES if stopped < 3 else [])


def test_a_field_of_another_type_is_left_to_a_person(org: Any) -> None:
    crm = connect(org)
    crm.add_fields("Lead", [FieldSpec("Leadpact_Score__c", "Score", "text")])
    with pytest.raises(NeedsPerson, match=r"Lead\.Leadpact_Score__c is a field of type text") as problem:
        crm.add_fields("Lead", SPECS)
    assert problem.value.fix
    assert deployments(org) == 1


def test_a_hidden_field_of_another_type_is_left_to_a_person(org: Any) -> None:
    connect(org).add_fields("Lead", [FieldSpec("Leadpact_Score__c", "Score", "text")])
    org.control("limits", hidden_fields={"Lead": ["Leadpact_Score__c"]})
    with pytest.raises(NeedsPerson, match=r"Lead\.Leadpact_Score__c"):
        connect(org).add_fields("Lead", SPECS)
    org.control("limits", hidden_fields={})
    # Rolled back as a whole.
    assert set(NAMES) & set(connect(org).describe("Lead").fields) == {"Leadpact_Score__c"}


def test_a_field_that_should_be_unique_and_is_not_is_left_to_a_person(org: Any) -> None:
    crm = connect(org)
    crm.add_fields("Lead", [FieldSpec("Leadpact_Id__c", "Leadpact id", "text", length=32)])
    with pytest.raises(NeedsPerson, match=r"Leadpact_Id__c is not unique"):
        crm.add_fields("Lead", SPECS)


@pytest.mark.parametrize("code", ["INSUFFICIENT_ACCESS", "INSUFFICIENT_ACCESS_OR_READONLY", ""])
def test_an_account_that_does_not_allow_it_is_told_what_to_do(org: Any, code: str) -> None:
    body = f'[{{"errorCode":"{code}","message":"no"}}]'
    org.control("faults", match="deployRequest", status=403, body=body, times=-1)
    with pytest.raises(NeedsPerson) as refused:
        connect(org).add_fields("Lead", SPECS)
    assert "administrator" in refused.value.fix
    assert "Customize Application" in refused.value.fix


def test_a_deployment_that_fails_says_which_field_and_why(org: Any) -> None:
    specs = [FieldSpec("Leadpact_Id__c", "Leadpact id", "text", length=300, unique=True)]
    with pytest.raises(NeedsPerson, match=r"Lead\.Leadpact_Id__c"):
        connect(org).add_fields("Lead", specs)


@pytest.mark.parametrize(
    "name", ["Score", "Leadpact Score__c", "1__c", "Double__Score__c", "x" * 41 + "__c", "__c"]
)
def test_a_name_that_no_custom_field_can_have_is_our_bug(org: Any, name: str) -> None:
    with pytest.raises(OurBug):
        connect(org).add_fields("Lead", [FieldSpec(name, "Score", "number")])
    assert deployments(org) == 0
