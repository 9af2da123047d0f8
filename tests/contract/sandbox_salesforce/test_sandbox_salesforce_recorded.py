"""The pretend Salesforce's answers held against recorded answers of real ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.shared
ADA = {"LastName": "Lovelace", "Company": "Engines", "Email": "ada@engines.example"}
PERSON = {"attributes": {"type": "Contact"}}


@pytest.fixture(scope="module")
def recorded(shared_data: Path) -> Any:
    def read(name: str) -> Any:
        kept = json.loads((shared_data / "crm_fixtures" / "salesforce" / f"{name}.json").read_text("utf-8"))
        return kept["response"] if "response" in kept else kept["interactions"]

    return read


def shape(value: Any) -> Any:
    """The keys and kinds of a JSON value, without its contents."""
    if isinstance(value, dict):
        return {key: shape(each) for key, each in value.items()}
    if isinstance(value, list):
        return [shape(each) for each in value]
    return type(value).__name__


def same(answer: Any, kept: Any) -> bool:
    return (answer.status, json.loads(answer.body)) == (kept["status"], kept["body"])


def test_a_lead_that_is_not_there(api: Any, recorded: Any) -> None:
    assert same(api.call("GET", "sobjects/Lead/00Q4S000002sSahUAE"), recorded("lead_get_404"))


def test_a_lead_that_is_already_deleted(api: Any, recorded: Any) -> None:
    record_id = api.create(ADA)
    api.call("DELETE", f"sobjects/Lead/{record_id}")
    assert same(api.call("DELETE", f"sobjects/Lead/{record_id}"), recorded("delete_entity_is_deleted_404"))


def test_an_expired_session(api: Any, recorded: Any) -> None:
    api.side.people({"action": "revoke_tokens"})
    assert same(api.call("GET", "limits"), recorded("expired_session_401"))


def test_a_dead_refresh_token(api: Any, recorded: Any) -> None:
    answer = api.token_call({"grant_type": "refresh_token", "refresh_token": "dead"})
    assert same(answer, recorded("oauth_refresh_400"))


def test_an_all_or_none_create(api: Any, recorded: Any) -> None:
    records = [PERSON, {**PERSON, "LastName": "B"}]
    results = api.json("POST", "composite/sobjects", {"allOrNone": True, "records": records})
    assert results == recorded("collections_create_all_or_none")["body"]


def test_an_update_with_an_unknown_field(api: Any, recorded: Any) -> None:
    ids = [api.create({"LastName": "A"}, "Contact") for _ in range(2)]
    records = [
        {**PERSON, "id": ids[0], "LastName": "B"},
        {**PERSON, "id": ids[1], "unknownField_LastName": "B"},
    ]
    answer = api.call("PATCH", "composite/sobjects", {"allOrNone": True, "records": records})
    assert same(answer, recorded("collections_update_invalid_field"))


def test_an_update_of_a_converted_lead(api: Any, recorded: Any) -> None:
    record_id = api.create(ADA)
    api.side.people({"action": "convert", "id": record_id})
    records = [{"attributes": {"type": "Lead"}, "id": record_id, **ADA}]
    answer = api.call("PATCH", "composite/sobjects", {"allOrNone": False, "records": records})
    assert same(answer, recorded("update_converted_lead"))


def test_a_field_that_cannot_be_written(api: Any, recorded: Any) -> None:
    account = api.create({"Name": "Engines"}, "Account")
    answer = api.call("PATCH", f"sobjects/Account/{account}", {"MasterRecordId": account})
    assert same(answer, recorded("upsert_readonly_field_400"))


@pytest.mark.parametrize("name", ["composite_mixed_ok_error", "composite_subrequest_404"])
def test_a_composite_call_with_a_failed_part(api: Any, recorded: Any, shared_data: Path, name: str) -> None:
    path = shared_data / "crm_fixtures" / "salesforce" / f"{name}.json"
    asked = json.loads(path.read_text("utf-8").replace("vxx.0", "v66.0"))["request"]["body"]
    answer = api.json("POST", "composite", asked)
    kept = recorded(name)["body"]
    for part in (*answer["compositeResponse"], *kept["compositeResponse"]):
        if "totalSize" in part["body"]:
            part["body"]["totalSize"] = "a number"
    assert answer == kept


def test_a_duplicate(api: Any, recorded: Any) -> None:
    first = api.create({"LastName": "A", "Email": "a@b.cd"}, "Contact")
    api.side.limits({"duplicate_rule": "alert"})
    answer = api.call("POST", "sobjects/Contact", {"LastName": "B", "Email": "a@b.cd"})
    kept = recorded("duplicates_detected_400")
    body = json.loads(answer.body)
    assert (answer.status, shape(body)) == (kept["status"], shape(kept["body"]))
    assert body[0]["duplicateResult"]["matchResults"][0]["matchRecords"][0]["record"]["Id"] == first


def test_an_upsert_that_matches_several(keyed: Any, recorded: Any) -> None:
    for _ in range(2):
        keyed.create({**ADA, "Loose__c": "x"})
    answer = keyed.call("PATCH", "sobjects/Lead/Loose__c/x", {})
    kept = recorded("upsert_multiple_300")
    assert (answer.status, shape(json.loads(answer.body))) == (kept["status"], shape(kept["body"]))


def test_a_whole_session_of_another_client_has_the_same_shapes(api: Any, recorded: Any) -> None:
    """The writes of a recorded session up to its conversion, with the ids that this org gives in their place."""
    given: dict[str, str] = {}
    for exchange in recorded("lead_sync_session"):
        asked, kept = exchange["request"], exchange["response"]
        if kept["body"] and "CANNOT_UPDATE_CONVERTED_LEAD" in json.dumps(kept["body"]):
            break
        text = json.dumps({"url": asked["url"], "body": asked["body"]})
        for theirs, ours in given.items():
            text = text.replace(theirs, ours)
        if asked["method"] == "GET":
            continue
        sent = json.loads(text)
        answer = api.call(asked["method"], sent["url"], sent["body"])
        body = json.loads(answer.body)
        assert (answer.status, shape(body)) == (kept["status"], shape(kept["body"]))
        for one, other in zip(_each(kept["body"]), _each(body), strict=True):
            given[one["id"]] = other["id"]
    assert len(given) >= 4


def _each(body: Any) -> list[Any]:
    return body if isinstance(body, list) else [body]


def test_describe_tells_of_every_field_what_a_real_org_tells(api: Any, recorded: Any) -> None:
    kept = recorded("lead_describe")["body"]
    body = api.json("GET", "sobjects/Lead/describe")
    assert set(body) >= set(kept) - {"layoutable"}
    ours = {each["name"]: each for each in body["fields"]}
    real = {each["name"]: each for each in kept["fields"]}
    assert set(real) - set(ours) == {
        "DandbCompanyId",
        "IndividualId",
    }  # features that this org has not switched on
    different = {
        f"{name}.{key}": (one[key], ours[name].get(key, "missing"))
        for name, one in real.items()
        for key in one
        if name in ours and ours[name].get(key, "missing") != one[key]
    }
    assert different == {}
