"""Custom fields of the pretend Salesforce: deploying them, seeing them, and finding records by them."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest

ADA = {"LastName": "Lovelace", "Company": "Engines", "Email": "ada@engines.example"}


def test_a_deployed_field_is_invisible_until_its_permission_set_is_assigned(api: Any) -> None:
    record_id = api.create(ADA)
    result = api.deploy(api.package(api.fields, api.granting(list(api.fields))))
    assert (result["done"], result["success"], result["status"]) == (True, True, "Succeeded")
    assert result["numberComponentsDeployed"] == len(api.fields) + 1
    assert "Key__c" not in api.described()
    assert api.json("GET", f"query?q={quote('SELECT Key__c FROM Lead')}")[0]["errorCode"] == "INVALID_FIELD"
    error = api.json("PATCH", f"sobjects/Lead/{record_id}", {"Key__c": "1"})[0]
    assert error["message"] == "No such column 'Key__c' on sobject of type Lead"
    api.grant()
    fields = api.described()
    assert set(api.fields) <= set(fields)
    key, stage = fields["Key__c"], fields["Stage__c"]
    assert (key["externalId"], key["unique"], key["length"], key["type"], key["custom"]) == (
        True,
        True,
        32,
        "string",
        True,
    )
    assert (stage["restrictedPicklist"], [each["value"] for each in stage["picklistValues"]]) == (
        True,
        ["mql"],
    )
    assert (fields["Score__c"]["precision"], fields["Score__c"]["scale"]) == (5, 2)
    assert (fields["Why__c"]["type"], fields["Why__c"]["filterable"]) == ("textarea", False)


def test_custom_fields_keep_their_values(keyed: Any) -> None:
    values = {"Score__c": 99.555, "Stage__c": "MQL", "Hot__c": True, "At__c": "2026-01-02T03:04:05.678+01:00"}
    values |= {"On__c": "2026-01-02", "Cost__c": "12.50", "Page__c": "https://a.b", "Interests__c": "gin;tea"}
    record_id = keyed.create({**ADA, **values})
    found = keyed.query(f"SELECT FIELDS(CUSTOM) FROM Lead WHERE Id = '{record_id}' LIMIT 1")[0]
    assert (found["Score__c"], found["Stage__c"], found["Hot__c"]) == (99.56, "mql", True)
    assert (found["At__c"], found["On__c"], found["Cost__c"]) == (
        "2026-01-02T02:04:05.000+0000",
        "2026-01-02",
        12.5,
    )
    error = keyed.json("PATCH", f"sobjects/Lead/{record_id}", {"Stage__c": "sql"})[0]
    assert error["errorCode"] == "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"
    error = keyed.json("PATCH", f"sobjects/Lead/{record_id}", {"Score__c": 1000})[0]
    assert error["errorCode"] == "NUMBER_OUTSIDE_VALID_RANGE"


@pytest.mark.parametrize(
    ("condition", "count"),
    [
        ("Interests__c INCLUDES ('tea')", 1),
        ("Interests__c INCLUDES ('tea;gin')", 1),
        ("Interests__c INCLUDES ('tea;ale')", 0),
        ("Interests__c INCLUDES ('ale', 'GIN')", 1),
        ("Interests__c EXCLUDES ('ale')", 1),
        ("Interests__c EXCLUDES ('tea')", 0),
    ],
)
def test_multi_select_values_are_found_one_by_one(keyed: Any, condition: str, count: int) -> None:
    keyed.create({**ADA, "Interests__c": "tea;gin"})
    assert len(keyed.query(f"SELECT Id FROM Lead WHERE {condition}")) == count


def test_an_upsert_by_external_id_creates_once_then_updates(keyed: Any) -> None:
    path = "sobjects/Lead/Key__c/k-1"
    first = keyed.call("PATCH", path, ADA)
    again = keyed.call("PATCH", path, {"City": "Paris"})
    made = json.loads(first.body)
    assert (first.status, made["created"], again.status) == (201, True, 200)
    assert json.loads(again.body) == {"id": made["id"], "success": True, "errors": [], "created": False}
    assert keyed.json("GET", path)["City"] == "Paris"
    assert keyed.call("PATCH", "/services/data/v45.0/" + path, {"City": "Rome"}).status == 204
    assert keyed.call("PATCH", "sobjects/Lead/Key__c/k-2?updateOnly=true", ADA).status == 404
    assert keyed.call("PATCH", "sobjects/Lead/Key__c/ada@engines.inc", ADA).status == 404
    assert keyed.call("PATCH", "sobjects/Lead/City/Paris", ADA).status == 404


def test_an_upsert_that_matches_several_lists_them(keyed: Any) -> None:
    ids = [keyed.create({**ADA, "Loose__c": "x"}) for _ in range(2)]
    answer = keyed.call("PATCH", "sobjects/Lead/Loose__c/x", {"City": "Paris"})
    assert (answer.status, json.loads(answer.body)) == (
        300,
        [f"/services/data/v66.0/sobjects/Lead/{each}" for each in ids],
    )
    records = [{"attributes": {"type": "Lead"}, "Loose__c": "x", "City": "Paris"}]
    result = keyed.json("PATCH", "composite/sobjects/Lead/Loose__c", {"records": records})[0]
    assert result["errors"][0]["statusCode"] == "DUPLICATE_EXTERNAL_ID"


def test_collections_upsert_says_which_were_created(keyed: Any) -> None:
    known = keyed.create({**ADA, "Key__c": "k-1"})
    records = [{"attributes": {"type": "Lead"}, **ADA, "Key__c": key} for key in ("K-1", "k-2", "k-2")]
    results = keyed.json("PATCH", "composite/sobjects/Lead/Key__c", {"allOrNone": False, "records": records})
    assert [each["created"] for each in results] == [False, True, False]
    assert (results[0]["id"], results[1]["id"]) == (known, results[2]["id"])
    by_id = [
        {"attributes": {"type": "Lead"}, "Id": known, "City": "Rome"},
        {"attributes": {"type": "Lead"}, "Id": None, **ADA},
    ]
    results = keyed.json("PATCH", "composite/sobjects/Lead/Id", {"records": by_id})
    assert [each["created"] for each in results] == [False, True]


def test_a_unique_value_belongs_to_one_record(keyed: Any) -> None:
    first = keyed.create({**ADA, "Key__c": "k-1"})
    error = keyed.json("POST", "sobjects/Lead", {**ADA, "Key__c": "K-1"})[0]
    assert error["errorCode"] == "DUPLICATE_VALUE"
    assert error["message"] == f"duplicate value found: Key__c duplicates value on record with id: {first}"
    keyed.call("DELETE", f"sobjects/Lead/{first}")
    keyed.create({**ADA, "Key__c": "k-1"})


def test_a_unique_value_of_an_open_transaction_is_waited_for(keyed: Any) -> None:
    keyed.side.limits({"late_commit_ms": 60_000})
    keyed.create({**ADA, "Key__c": "k-1"})
    answer = keyed.call("PATCH", "sobjects/Lead/Key__c/k-1", ADA)
    assert (answer.status, json.loads(answer.body)[0]["errorCode"]) == (400, "DUPLICATE_VALUE")
    keyed.side.limits({"late_commit_ms": 0})
    assert keyed.call("PATCH", "sobjects/Lead/Key__c/k-1", {"City": "Paris"}).status == 200


def test_a_field_that_may_only_be_read_cannot_be_written(api: Any) -> None:
    api.deploy(api.package({"Key__c": api.fields["Key__c"]}, api.granting(["Key__c"], edit=False)))
    api.grant()
    assert api.described()["Key__c"]["updateable"] is False
    error = api.json("POST", "sobjects/Lead", {**ADA, "Key__c": "1"})[0]
    assert (error["errorCode"], error["fields"]) == ("INVALID_FIELD_FOR_INSERT_UPDATE", ["Key__c"])


@pytest.mark.parametrize(
    ("fields", "permissions", "extra", "said"),
    [
        ({"A__c": "<type>Magic</type>"}, "", {}, "'Magic' is not a valid value for the enum 'FieldType'"),
        ({"Plain": "<type>Url</type>"}, "", {}, "ends with __c"),
        ({"A__c": "<type>Text</type><length>256</length>"}, "", {}, "length must be between 1 and 255"),
        ({"A__c": "<type>Text</type>"}, "", {}, "length"),
        ({"A__c": "<type>Checkbox</type>"}, "", {}, "defaultValue"),
        ({"A__c": "<type>Picklist</type>"}, "", {}, "valueSet"),
        ({"A__c": "<type>Number</type><precision>2</precision><scale>3</scale>"}, "", {}, "scale"),
        ({"A__c": "<type>Url</type><unique>true</unique>"}, "", {}, "unique"),
        ({}, "Nothing__c", {}, "no CustomField named Lead.Nothing__c found"),
        ({}, "", {"classes/A.cls": "class A {}"}, "Unsupported component type: cls"),
        ({}, "", {"objects/Foo.object": "<CustomObject/>"}, "'Foo' cannot be found"),
        ({}, "", {"objects/Lead.object": "<!DOCTYPE x><CustomObject/>"}, "not allowed"),
        ({}, "", {"objects/Lead.object": "<Custom"}, "Error parsing file"),
    ],
)
def test_a_deployment_that_is_wrong_leaves_nothing_behind(
    api: Any, fields: dict[str, str], permissions: str, extra: dict[str, str], said: str
) -> None:
    allowed = api.granting([permissions]) if permissions else ""
    result = api.deploy(api.package({"Good__c": "<type>Url</type>"} | fields, allowed, extra))
    failures = result["details"]["componentFailures"]
    assert (result["success"], result["status"], len(failures)) == (False, "Failed", 1)
    assert said in failures[0]["problem"]
    assert api.deploy(api.package({}, api.granting(["Good__c"])))["success"] is False


def test_what_is_no_zip_is_a_failed_deployment(api: Any) -> None:
    failure = api.deploy(b"no zip")["details"]["componentFailures"][0]
    assert failure["problem"] == "The zip file could not be read"


def test_a_failed_component_takes_the_others_back_or_leaves_them(api: Any) -> None:
    mixed = api.package({"Good__c": api.fields["Key__c"], "Bad__c": "<type>Magic</type>"})
    assert api.deploy(mixed)["status"] == "Failed"
    assert api.deploy(api.package({}, api.granting(["Good__c"])))["success"] is False
    assert api.deploy(mixed, rollbackOnError=False)["status"] == "SucceededPartial"
    assert api.deploy(api.package({}, api.granting(["Good__c"])))["success"] is True


def test_a_check_only_deployment_changes_nothing(api: Any) -> None:
    assert api.deploy(api.package({"Key__c": api.fields["Key__c"]}), checkOnly=True)["success"] is True
    assert api.deploy(api.package({}, api.granting(["Key__c"])))["success"] is False


def test_describe_is_sent_again_only_when_it_changed(api: Any) -> None:
    modified = api.call("GET", "sobjects/Lead/describe").headers["Last-Modified"]
    assert api.call("GET", "sobjects/Lead/describe", if_modified_since=modified).status == 304
    api.clock.moment += timedelta(seconds=1)
    api.side.limits({"hidden_fields": {"Lead": ["Phone"]}})
    answer = api.call("GET", "sobjects/Lead/describe", if_modified_since=modified)
    assert (answer.status, "Phone" in api.described()) == (200, False)
