"""The sandbox's answers beside bodies that were recorded from the live API: the same names and kinds of value."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from connectors.sandbox.hubspot.side import HubSpotSide
from connectors.sandbox.side import Ask

pytestmark = pytest.mark.shared
CONTACTS = "/crm/v3/objects/contacts"
Call = Callable[..., tuple[int, dict[str, str], Any]]


class Clock:
    def now(self) -> datetime:
        return datetime(2026, 3, 1, 8, 0, 0, 123_000, tzinfo=UTC)


@pytest.fixture
def side(tmp_path: Path):
    side = HubSpotSide(tmp_path, Clock())
    yield side
    side.close()


@pytest.fixture
def call(side: HubSpotSide) -> Call:
    def ask(method: str, path: str, body: Any = None) -> tuple[int, dict[str, str], Any]:
        headers = {"authorization": "Bearer pat-eu1-leadpact-sandbox"}
        answer = side.answer(Ask(method, path, (), headers, b"" if body is None else orjson.dumps(body)))
        return answer.status, dict(answer.headers), orjson.loads(answer.body) if answer.body else ""

    return ask


@pytest.fixture
def recorded(shared_data: Path) -> Callable[[str], dict[str, Any]]:
    def read(name: str) -> dict[str, Any]:
        path = shared_data / "crm_fixtures" / "hubspot" / f"{name}.json"
        return orjson.loads(path.read_bytes())["response"]

    return read


def shape(value: Any) -> Any:
    """A body without its values: names, and what kind of value each has. A list has its first item's shape."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return type(value).__name__


def without_properties(body: dict[str, Any]) -> dict[str, Any]:
    rows = [{name: v for name, v in row.items() if name != "properties"} for row in body["results"]]
    return {**body, "results": rows}


def made(call: Call, *emails: str) -> list[str]:
    rows = [{"properties": {"email": email}} for email in emails]
    return [row["id"] for row in call("POST", f"{CONTACTS}/batch/create", {"inputs": rows})[2]["results"]]


def test_a_created_contact(call, recorded):
    then = recorded("batch_create_contact")
    rows = [{"properties": {"email": "grouparoo@demo.com", "firstname": "John"}}]
    status, headers, body = call("POST", "/crm/v3/objects/CONTACT/batch/create", {"inputs": rows})
    assert status == then["status"]
    # Live answers have carried the record's address since this was recorded.
    (row,) = body["results"]
    assert row.pop("url")
    assert shape(without_properties(body)) == shape(without_properties(then["body"]))
    assert set(then["body"]["results"][0]["properties"]) <= set(row["properties"])
    names = {name.lower() for name in headers}
    # The per-second headers are deprecated and not sent any more (section 9.1).
    assert {n for n in then["headers"] if "hubspot" in n and "secondly" not in n} <= names


def test_an_updated_contact(call, recorded):
    then = recorded("batch_update_contacts_207_notfound")
    (id_,) = made(call, "siena@acme.test")
    rows = [
        {"id": id_, "properties": {"firstname": "Siena", "lastname": "Dyer"}},
        {"id": "unknownIdentifier888"},
    ]
    rows[1]["properties"] = {"firstname": "x"}
    status, _, body = call("POST", f"{CONTACTS}/batch/update", {"inputs": rows})
    assert status == then["status"]
    assert shape(without_properties(body)) == shape(without_properties(then["body"]))
    assert set(then["body"]["results"][0]["properties"]) <= set(body["results"][0]["properties"])
    assert body["errors"][0] == then["body"]["errors"][0] | {"context": {"ids": ["unknownIdentifier888"]}}


def test_a_batch_in_which_one_contact_exists(call, recorded):
    then = recorded("batch_create_contacts_207_conflict")
    (id_,) = made(call, "ada@acme.test")
    rows = [
        {"objectWriteTraceId": str(n), "properties": {"email": email}}
        for n, email in enumerate(["ada@acme.test", "siena@acme.test"])
    ]
    status, _, body = call("POST", f"{CONTACTS}/batch/create", {"inputs": rows})
    assert status == then["status"]
    assert shape(without_properties(body)) == shape(without_properties(then["body"]))
    old = then["body"]["errors"][0]
    message = old["message"].replace(old["context"]["existingId"][0], id_)
    assert body["errors"][0]["message"] == message


def test_properties_that_do_not_exist(call, recorded):
    then = recorded("batch_create_contacts_400_properties")
    row = {"properties": {"first000name": "x", "last000name": "y"}}
    status, _, body = call("POST", f"{CONTACTS}/batch/create", {"inputs": [row]})
    assert status == then["status"]
    assert shape(body) == shape(then["body"])
    assert body["errors"] == then["body"]["errors"][:2]
    listed = orjson.loads(body["message"].partition(": ")[2])
    old = orjson.loads(then["body"]["message"].partition(": ")[2])
    # The documented list names the account and the translated text as well.
    extra = ("localizedErrorMessage", "portalId")
    assert [{k: v for k, v in item.items() if k not in extra} for item in listed] == old[:2]


@pytest.mark.parametrize("name", ["batch_update_contacts_400_duplicate_ids"])
def test_an_id_that_comes_twice(call, recorded, name):
    then = recorded(name)
    rows = [{"id": "123456", "properties": {"firstname": "x"}}] * 2
    status, _, body = call("POST", f"{CONTACTS}/batch/update", {"inputs": rows})
    assert status == then["status"]
    assert {**body, "correlationId": ""} == {**then["body"], "correlationId": ""}


def test_a_search_over_several_groups(call, recorded, shared_data):
    path = shared_data / "crm_fixtures" / "hubspot" / "search_by_email_or_group.json"
    exchange = orjson.loads(path.read_bytes())
    made(call, "grouparoo@demo.com")
    for name in ("date_field", "number_field", "text_field"):
        wanted = {"name": name, "label": name, "type": "string", "fieldType": "text"}
        call("POST", "/crm/v3/properties/contacts", {**wanted, "groupName": "contactinformation"})
    status, _, body = call("POST", "/crm/v3/objects/CONTACT/search", exchange["request"]["body"])
    then = exchange["response"]["body"]
    assert status == 200
    (row,) = body["results"]
    assert row.pop("url")
    assert shape(without_properties(body)) == shape(without_properties(then))
    # Properties the account does not have are left out, those without a value are null.
    assert set(row["properties"]) == set(then["results"][0]["properties"])
    assert row["properties"]["date_field"] is None


@pytest.mark.parametrize(("name", "after"), [("search_contacts_page1", "0"), ("search_contacts_page2", "1")])
def test_pages_of_a_search(call, recorded, name, after):
    then = recorded(name)["body"]
    made(call, "one@acme.test", "two@acme.test")
    wanted = list(then["results"][0]["properties"])
    _, _, body = call("POST", f"{CONTACTS}/search", {"properties": wanted, "limit": 1, "after": after})
    assert shape(without_properties(body)) == shape(without_properties(then))
    assert set(body["results"][0]["properties"]) == set(wanted)


def test_a_search_too_many(side, call, recorded):
    then = recorded("search_429_secondly")
    side.limits({"secondly_search": 0})
    status, _, body = call("POST", f"{CONTACTS}/search", {})
    assert (status, body["message"], body["status"]) == (429, then["body"]["message"], then["body"]["status"])


def test_property_definitions(call, recorded):
    then = {row["name"]: row for row in recorded("properties_contacts_sampled")["body"]["results"]}
    _, _, body = call("GET", "/crm/v3/properties/contacts")
    now = {row["name"]: row for row in body["results"]}
    same = set(then) & set(now)
    assert len(same) > 6
    for name in same:
        assert set(then[name]) == set(now[name]), name
        for key in (
            "type",
            "fieldType",
            "groupName",
            "hubspotDefined",
            "calculated",
            "externalOptions",
            "hidden",
        ):
            assert (name, key, now[name][key]) == (name, key, then[name][key])
        assert now[name]["modificationMetadata"] == then[name]["modificationMetadata"]
        if then[name]["options"]:
            assert {o["value"] for o in now[name]["options"]} == {o["value"] for o in then[name]["options"]}


def test_a_definition_of_our_own(call, recorded):
    rows = recorded("properties_contacts_sampled")["body"]["results"]
    then = next(row for row in rows if row["name"] == "hobby__c")
    wanted = {"name": "hobby", "label": "Hobby", "type": "string", "fieldType": "text"}
    _, _, body = call("POST", "/crm/v3/properties/contacts", {**wanted, "groupName": "contactinformation"})
    assert shape(body) == shape(then)


def test_pipelines(call, recorded):
    then = recorded("pipelines_deals")["body"]
    _, _, body = call("GET", "/crm/v3/pipelines/contacts")
    # What is in metadata depends on the object; everything else is the same.
    for pipeline in (*then["results"], *body["results"]):
        for stage in pipeline["stages"]:
            assert stage.pop("metadata")["isClosed"] in ("true", "false")
    assert shape(body) == shape(then)


def test_an_archived_batch(call, recorded):
    then = recorded("batch_archive_204")
    ids = made(call, "ada@acme.test")
    status, _, body = call("POST", "/crm/v3/objects/CONTACT/batch/archive", {"inputs": [{"id": ids[0]}]})
    assert (status, body) == (then["status"], then["body"])


@pytest.mark.parametrize(
    "name", ["v1_contact_create_400_invalid_email", "v1_createorupdate_400_invalid_long"]
)
def test_a_value_that_is_not_valid_has_the_recorded_code_and_text(call, recorded, name):
    (old,) = recorded(name)["body"]["validationResults"]
    value = "an_invalid_email" if old["name"] == "email" else "asd000"
    status, _, body = call("POST", CONTACTS, {"properties": {"lastname": "X", old["name"]: value}})
    (error,) = body["errors"]
    assert (status, error["code"], error["message"]) == (400, old["error"], old["message"])
