"""Records of the pretend Salesforce through its REST API: what is written, what is refused, and how it says so."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.sandbox.salesforce import seed
from connectors.sandbox.salesforce.moments import http_date

TOO_LONG = f"City: data value too large: {'x' * 41} (max length=40)"
START = datetime(2026, 11, 18, 10, 30, 40, 987654, tzinfo=UTC)
ADA = {"LastName": "Lovelace", "Company": "Engines", "Email": "ada@engines.example"}


def test_a_created_record_reads_back_with_its_defaults_and_stamps(api: Any) -> None:
    record = api.get(api.create({**ADA, "FirstName": " Ada ", "AnnualRevenue": 5}))
    assert (record["FirstName"], record["Name"], record["AnnualRevenue"]) == ("Ada", "Ada Lovelace", 5.0)
    assert (record["Status"], record["OwnerId"]) == ("Open - Not Contacted", seed.INTEGRATION_USER)
    assert record["CreatedDate"] == record["SystemModstamp"] == "2026-11-18T10:30:40.000+0000"
    assert record["attributes"]["url"] == f"/services/data/v66.0/sobjects/Lead/{record['Id']}"
    assert record["IsConverted"] is False


def test_a_created_answer_says_where_the_record_is(api: Any) -> None:
    answer = api.call("POST", "sobjects/Lead", ADA)
    body = json.loads(answer.body)
    assert body == {"id": body["id"], "success": True, "errors": []}
    assert answer.headers["Location"] == f"/services/data/v66.0/sobjects/Lead/{body['id']}"


def test_an_update_touches_only_what_it_names_and_null_clears(api: Any) -> None:
    record_id = api.create({**ADA, "Phone": "1", "Title": "CTO"})
    api.clock.moment += timedelta(seconds=5)
    answer = api.call("PATCH", f"sobjects/Lead/{record_id[:15]}", {"Phone": None})
    record = api.get(record_id)
    assert (answer.status, answer.body, answer.content_type) == (204, b"", None)
    assert (record["Phone"], record["Title"]) == (None, "CTO")
    assert record["CreatedDate"] == "2026-11-18T10:30:40.000+0000"
    assert record["LastModifiedDate"] == record["SystemModstamp"] == "2026-11-18T10:30:45.000+0000"


def test_a_post_may_be_a_patch_in_disguise(api: Any) -> None:
    record_id = api.create(ADA)
    assert api.call("POST", f"sobjects/Lead/{record_id}?_HttpMethod=PATCH", {"City": "Paris"}).status == 204
    assert api.get(record_id)["City"] == "Paris"


def test_an_address_is_put_together_from_its_parts(api: Any) -> None:
    record = api.get(api.create({**ADA, "City": "Paris", "PostalCode": "75001"}))
    assert record["Address"]["city"] == "Paris"
    assert set(record["Address"]) == {
        *("city", "country", "geocodeAccuracy", "latitude", "longitude", "postalCode", "state", "street")
    }
    assert api.get(api.create(ADA))["Address"] is None


@pytest.mark.parametrize(
    ("values", "code", "message", "fields"),
    [
        ({}, "REQUIRED_FIELD_MISSING", "Required fields are missing: [LastName, Company]", ["LastName", "Company"]),
        ({"LastName": "A", "Company": ""}, "REQUIRED_FIELD_MISSING", None, ["Company"]),
        ({**ADA, "City": "x" * 41}, "STRING_TOO_LONG", TOO_LONG, ["City"]),
        ({**ADA, "Email": "ada@"}, "INVALID_EMAIL_ADDRESS", "Email: invalid email address: ada@", ["Email"]),
        ({**ADA, "Email": "a b@c.de"}, "INVALID_EMAIL_ADDRESS", "Email: invalid email address: a b@c.de", ["Email"]),
        (
            {**ADA, "CleanStatus": "Shiny"},
            "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
            "Clean Status: bad value for restricted picklist field: Shiny",
            ["CleanStatus"],
        ),
        ({**ADA, "Foo__c": 1}, "INVALID_FIELD", "No such column 'Foo__c' on sobject of type Lead", []),
        ({**ADA, "Id": "00QgK0000000001UAA"}, "INVALID_FIELD", "cannot specify Id in an insert call", ["Id"]),
        ({**ADA, "OwnerId": "nobody"}, "MALFORMED_ID", "Owner ID: id value of incorrect type: nobody", ["OwnerId"]),
        (
            {**ADA, "OwnerId": seed.ORG_ID},
            "MALFORMED_ID",
            f"Owner ID: id value of incorrect type: {seed.ORG_ID}",
            ["OwnerId"],
        ),
        ({**ADA, "OwnerId": "005gK0000000zzzAAA"}, "MALFORMED_ID", None, ["OwnerId"]),
        ({**ADA, "OwnerId": "005gK0000000zzz"}, "INVALID_CROSS_REFERENCE_KEY", None, ["OwnerId"]),
        ({**ADA, "NumberOfEmployees": 10**9}, "NUMBER_OUTSIDE_VALID_RANGE", None, ["NumberOfEmployees"]),
        ({**ADA, "HasOptedOutOfEmail": None}, "INVALID_TYPE_ON_FIELD_IN_RECORD", None, ["HasOptedOutOfEmail"]),
    ],
)  # fmt: skip
def test_a_record_that_breaks_a_rule_is_refused_by_field(
    api: Any, values: dict[str, Any], code: str, message: str | None, fields: list[str]
) -> None:
    answer = api.call("POST", "sobjects/Lead", values)
    error = json.loads(answer.body)[0]
    assert (answer.status, error["errorCode"], error["fields"]) == (400, code, fields)
    assert message is None or error["message"] == message


@pytest.mark.parametrize(
    "name", ["IsConverted", "ConvertedDate", "CreatedDate", "Name", "Address", "MasterRecordId"]
)
def test_a_field_that_cannot_be_written_is_named(api: Any, name: str) -> None:
    answer = api.call("PATCH", f"sobjects/Lead/{api.create(ADA)}", {name: None, "City": "Paris"})
    error = json.loads(answer.body)[0]
    assert (answer.status, error["errorCode"], error["fields"]) == (
        400,
        "INVALID_FIELD_FOR_INSERT_UPDATE",
        [name],
    )
    assert error["message"].startswith(
        f"Unable to create/update fields: {name}. Please check the security settings"
    )


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{nonsense", 400, "JSON_PARSER_ERROR"),
        (b"[]", 400, "JSON_PARSER_ERROR"),
        ({**ADA, "NumberOfEmployees": "many"}, 400, "JSON_PARSER_ERROR"),
        ({**ADA, "HasOptedOutOfEmail": "perhaps"}, 400, "JSON_PARSER_ERROR"),
        ({**ADA, "EmailBouncedDate": "yesterday"}, 400, "INVALID_FIELD_FOR_INSERT_UPDATE"),
        ({**ADA, "City": True}, 400, "JSON_PARSER_ERROR"),
    ],
)
def test_text_that_cannot_be_parsed_refuses_the_request(api: Any, body: Any, status: int, code: str) -> None:
    answer = api.call("POST", "sobjects/Lead", body)
    assert (answer.status, json.loads(answer.body)[0]["errorCode"]) == (status, code)


def test_a_body_that_is_not_json_is_an_unsupported_media_type(api: Any) -> None:
    assert api.call("POST", "sobjects/Lead", ADA, content_type="text/csv").status == 415


def test_an_inactive_user_cannot_become_an_owner(api: Any) -> None:
    former = api.query("SELECT Id FROM User WHERE IsActive = false")[0]["Id"]
    error = api.json("POST", "sobjects/Lead", {**ADA, "OwnerId": former})[0]
    assert error["errorCode"] == "INACTIVE_OWNER_OR_USER"


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "sobjects/Lead/nonsense", 400, "MALFORMED_ID"),
        ("GET", "sobjects/Lead/003gK0000000001", 400, "MALFORMED_ID"),
        ("GET", "sobjects/Lead/00QgK0000000zzz", 404, "NOT_FOUND"),
        ("PATCH", "sobjects/Lead/00QgK0000000zzz", 404, "NOT_FOUND"),
        ("DELETE", "sobjects/Lead/00QgK0000000zzz", 404, "NOT_FOUND"),
        ("GET", "sobjects/Foo", 404, "NOT_FOUND"),
        ("GET", "nowhere", 404, "NOT_FOUND"),
        ("GET", "/services/data/v99.0/limits", 404, "NOT_FOUND"),
        ("GET", "/services/data/v25.0/limits", 410, "UNSUPPORTED_API_VERSION"),
        ("PUT", "sobjects/Lead", 405, "METHOD_NOT_ALLOWED"),
        ("GET", "sobjects/Lead/00QgK0000000001?fields=Foo", 404, "NOT_FOUND"),
    ],
)
def test_a_wrong_address_is_refused(api: Any, method: str, path: str, status: int, code: str) -> None:
    answer = api.call(method, path, {} if method == "PATCH" else None)
    assert (answer.status, json.loads(answer.body)[0]["errorCode"]) == (status, code)


def test_a_deleted_record_is_in_the_bin_and_answers_so(api: Any) -> None:
    record_id = api.create(ADA)
    assert api.call("DELETE", f"sobjects/Lead/{record_id}").status == 204
    for method in ("GET", "PATCH", "DELETE"):
        answer = api.call(method, f"sobjects/Lead/{record_id}", {} if method == "PATCH" else None)
        assert (answer.status, json.loads(answer.body)[0]["errorCode"]) == (404, "ENTITY_IS_DELETED")
    assert api.query("SELECT Id FROM Lead") == []
    assert api.query("SELECT Id, IsDeleted FROM Lead", "queryAll")[0]["IsDeleted"] is True


def test_a_record_that_moved_on_is_not_overwritten(api: Any) -> None:
    record_id = api.create(ADA)
    api.clock.moment += timedelta(seconds=10)
    before = http_date(START - timedelta(seconds=1))
    refused = api.call("PATCH", f"sobjects/Lead/{record_id}", {"City": "A"}, if_unmodified_since=before)
    allowed = api.call(
        "PATCH", f"sobjects/Lead/{record_id}", {"City": "B"}, if_unmodified_since=http_date(START)
    )
    assert (refused.status, refused.body, allowed.status) == (412, b"", 204)
    assert api.get(record_id)["City"] == "B"


def test_a_record_that_did_not_change_is_not_sent_again(api: Any) -> None:
    record_id = api.create(ADA)
    assert api.call("GET", f"sobjects/Lead/{record_id}", if_modified_since=http_date(START)).status == 304


# Collections


def typed(**values: Any) -> dict[str, Any]:
    return {"attributes": {"type": values.pop("type", "Lead")}, **values}


def test_a_collection_answers_for_every_record_in_its_order(api: Any) -> None:
    records = [
        typed(**ADA),
        typed(LastName="B"),
        typed(type="Account", Name="Engines"),
        typed(type="Foo", Name="x"),
    ]
    answer = api.call("POST", "composite/sobjects", {"allOrNone": False, "records": records})
    first, second, third, fourth = json.loads(answer.body)
    assert answer.status == 200
    assert (first["success"], third["success"], third["id"][:3]) == (True, True, "001")
    assert second == {
        "success": False,
        "errors": [
            {
                "statusCode": "REQUIRED_FIELD_MISSING",
                "message": "Required fields are missing: [Company]",
                "fields": ["Company"],
            }
        ],
    }
    assert fourth["errors"][0]["statusCode"] == "INVALID_TYPE"
    assert len(api.query("SELECT Id FROM Lead")) == 1


def test_all_or_none_undoes_the_innocent(api: Any) -> None:
    records = [typed(**ADA), typed(LastName="B")]
    results = api.json("POST", "composite/sobjects", {"allOrNone": True, "records": records})
    codes = [each["errors"][0]["statusCode"] for each in results]
    assert codes == ["ALL_OR_NONE_OPERATION_ROLLED_BACK", "REQUIRED_FIELD_MISSING"]
    assert api.query("SELECT Id FROM Lead") == []


def test_a_collection_updates_reads_and_deletes(api: Any) -> None:
    ids = [api.create({**ADA, "LastName": f"L{n}"}) for n in range(3)]
    gone = "00QgK0000000zzz"
    wanted = [typed(id=each[:15], City="Paris") for each in (*ids, gone)]
    results = api.json("PATCH", "composite/sobjects", {"records": wanted})
    assert [each.get("id") for each in results] == [*ids, None]
    assert results[3]["errors"][0]["statusCode"] == "INVALID_CROSS_REFERENCE_KEY"
    read = api.json(
        "POST", "composite/sobjects/Lead", {"ids": [ids[2], gone, ids[0]], "fields": ["City", "Id"]}
    )
    assert [each and (each["Id"], each["City"]) for each in read] == [
        (ids[2], "Paris"),
        None,
        (ids[0], "Paris"),
    ]
    results = api.json("DELETE", f"composite/sobjects?ids={ids[0]},{ids[0]}&allOrNone=false")
    assert [each["success"] for each in results] == [True, False]
    assert results[1]["errors"][0] == {
        "statusCode": "ENTITY_IS_DELETED",
        "message": "entity is deleted",
        "fields": [],
    }


@pytest.mark.parametrize(
    ("records", "code"),
    [
        ([typed(**ADA)] * 201, "EXCEEDED_ID_LIMIT"),
        ([typed(**ADA), typed(type="Account", Name="x")] * 6, "INVALID_OPERATION"),
    ],
)
def test_a_collection_that_is_too_big_is_refused_whole(api: Any, records: list[Any], code: str) -> None:
    answer = api.call("POST", "composite/sobjects", {"records": records})
    assert (answer.status, json.loads(answer.body)[0]["errorCode"]) == (400, code)
    assert api.query("SELECT Id FROM Lead") == []


ODD: list[Any] = [
    None,
    [],
    {},
    {"records": 1},
    {"records": [1]},
    {"records": [{}]},
    {"records": [{"attributes": 3}]},
]
ODD += [{"records": [{"attributes": {"type": 4}}]}, {"compositeRequest": [{}]}, {"ids": "x", "fields": 3}]
ODD += [{"compositeRequest": [{"url": 3, "method": None}]}, {"ids": [1, None], "fields": ["Id"]}]
ODD += [{"LastName": {"a": 1}}, {"LastName": [1], "Company": 3}, {"LastName": 1.5, "Company": True}]


@pytest.mark.parametrize("path", ["", "/sobjects", "/sobjects/Lead", "/sobjects/Lead/Id"])
@pytest.mark.parametrize("body", ODD)
def test_a_body_of_any_shape_gets_an_answer(api: Any, path: str, body: Any) -> None:
    for method, where in (
        ("POST", f"composite{path}"),
        ("PATCH", f"composite{path}"),
        ("POST", "sobjects/Lead"),
    ):
        assert api.call(method, where, body).status in (200, 400, 405)
    assert api.query("SELECT Id FROM Lead") == []


# Composite


def test_a_composite_call_uses_what_it_created(api: Any) -> None:
    base = "/services/data/v66.0"
    asked = [
        {
            "method": "POST",
            "url": f"{base}/sobjects/Account",
            "referenceId": "acc",
            "body": {"Name": "Engines"},
        },
        {
            "method": "POST",
            "url": f"{base}/sobjects/Contact",
            "referenceId": "person",
            "body": {"LastName": "Ada", "AccountId": "@{acc.id}"},
        },
        {"method": "GET", "url": f"{base}/query/?q=select+count()+from+XYZZY", "referenceId": "bad"},
        {"method": "GET", "url": f"{base}/sobjects/Foo", "referenceId": "none"},
    ]
    answer = api.call("POST", "composite", {"compositeRequest": asked})
    results = json.loads(answer.body)["compositeResponse"]
    assert answer.status == 200
    assert [each["httpStatusCode"] for each in results] == [201, 201, 400, 404]
    assert results[0]["httpHeaders"]["Location"].endswith(results[0]["body"]["id"])
    assert api.query("SELECT Account.Name FROM Contact")[0]["Account"]["Name"] == "Engines"


def test_a_failed_composite_call_halts_its_siblings(api: Any) -> None:
    url = "/services/data/v66.0/sobjects/Lead"
    asked = [
        {"method": "POST", "url": url, "referenceId": "a", "body": ADA},
        {"method": "POST", "url": url, "referenceId": "b", "body": {}},
    ]
    results = api.json("POST", "composite", {"allOrNone": True, "compositeRequest": asked})[
        "compositeResponse"
    ]
    assert [each["body"][0]["errorCode"] for each in results] == [
        "PROCESSING_HALTED",
        "REQUIRED_FIELD_MISSING",
    ]
    assert api.query("SELECT Id FROM Lead") == []


@pytest.mark.parametrize(("url", "count"), [("sobjects/Lead", 26), ("query?q=SELECT+Id+FROM+Lead", 6)])
def test_a_composite_call_that_is_too_big_is_refused(api: Any, url: str, count: int) -> None:
    asked = [
        {"method": "GET", "url": f"/services/data/v66.0/{url}", "referenceId": f"r{n}"} for n in range(count)
    ]
    assert api.call("POST", "composite", {"compositeRequest": asked}).status == 400
