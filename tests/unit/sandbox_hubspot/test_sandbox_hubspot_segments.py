"""Lists, exports, leads, activities and forms of the HubSpot side: what is accepted, and what is refused how."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.sandbox.hubspot.side import HubSpotSide
from connectors.sandbox.side import Ask, ControlRefused

Call = Callable[..., tuple[int, Any]]
LISTS, EXPORT = "/crm/v3/lists/", "/crm/v3/exports/export/async"
PILOT = {"name": "Pilot", "objectTypeId": "0-1", "processingType": "MANUAL"}
WANTED = {
    "exportType": "VIEW",
    "format": "CSV",
    "exportName": "all",
    "objectType": "CONTACT",
    "objectProperties": ["email", "lifecyclestage"],
    "exportInternalValuesOptions": ["NAMES", "VALUES"],
}


@pytest.fixture
def pilot(call: Call) -> str:
    """The id of an empty list that is kept by hand."""
    return str(call("POST", LISTS, PILOT)[1]["list"]["listId"])


@pytest.mark.parametrize(
    "body",
    [
        {**PILOT, "name": " "},
        {**PILOT, "name": 5},
        {**PILOT, "processingType": "AUTOMATIC"},
        {**PILOT, "objectTypeId": "0-999"},
        {**PILOT, "processingType": "DYNAMIC"},
        {},
        [],
    ],
)
def test_a_list_that_makes_no_sense_is_not_made(call: Call, body: Any) -> None:
    assert call("POST", LISTS, body)[0] == 400
    assert call("POST", "/crm/v3/lists/search", {})[1]["total"] == 0


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/crm/v3/lists/99", None, 404),
        ("GET", "/crm/v3/lists/abc", None, 404),
        ("GET", "/crm/v3/lists/object-type-id/0-1/name/Nobody", None, 404),
        ("PUT", "/crm/v3/lists/99/memberships/add", ["1"], 404),
        ("PUT", "/crm/v3/lists/{pilot}/memberships/add", {"ids": ["1"]}, 400),
        ("PUT", "/crm/v3/lists/{pilot}/memberships/add", [None], 400),
        ("PUT", "/crm/v3/lists/{pilot}/memberships/add-and-remove", {"recordIdsToAdd": "1"}, 400),
        ("PUT", "/crm/v3/lists/{pilot}/restore", None, 404),
        ("PUT", "/crm/v3/lists/{pilot}/update-list-name", None, 400),
        ("POST", "/crm/v3/lists/search", {"count": 0}, 400),
        ("POST", "/crm/v3/lists/search", {"count": 501}, 400),
        ("POST", "/crm/v3/lists/search", {"offset": -1}, 400),
        ("PATCH", "/crm/v3/lists/{pilot}", {}, 405),
        ("GET", "/crm/v3/exports/export/async/tasks/99/status", None, 404),
        ("GET", "/export-files/unknown", None, 403),
        ("GET", "/marketing/v3/forms/unknown", None, 404),
    ],
)
def test_calls_about_nothing_are_refused(
    call: Call, pilot: str, method: str, path: str, body: Any, status: int
) -> None:
    assert call(method, path.replace("{pilot}", pilot), body)[0] == status


@pytest.mark.parametrize("query", [{"limit": "251"}, {"limit": "0"}, {"after": "abc"}])
def test_a_page_of_members_has_its_bounds(call: Call, pilot: str, query: dict[str, str]) -> None:
    assert call("GET", f"/crm/v3/lists/{pilot}/memberships", None, **query)[0] == 400


def test_a_list_is_renamed_deleted_and_restored(call: Call, pilot: str) -> None:
    path = f"/crm/v3/lists/{pilot}"
    call("POST", LISTS, {**PILOT, "name": "Other"})
    assert call("PUT", f"{path}/update-list-name", None, listName="Other")[0] == 400
    renamed = call("PUT", f"{path}/update-list-name", None, listName="Pilot 2")[1]["updatedList"]
    assert renamed["name"] == "Pilot 2"
    assert call("DELETE", path)[0] == 204
    assert call("GET", path)[0] == 404
    assert call("PUT", f"{path}/restore")[0] == 204
    assert call("GET", path)[1]["list"]["name"] == "Pilot 2"


def test_ids_are_taken_as_numbers_too_and_merged_ones_followed(call: Call, pilot: str, ada: str) -> None:
    bob = call("POST", "/crm/v3/objects/contacts", {"properties": {"email": "bob@acme.test"}})[1]["id"]
    body = {"primaryObjectId": ada, "objectIdToMerge": bob}
    merged = call("POST", "/crm/v3/objects/contacts/merge", body)[1]["id"]
    added = call("PUT", f"/crm/v3/lists/{pilot}/memberships/add", [int(ada), "x"])[1]
    assert added == {"recordsIdsAdded": [ada], "recordIdsRemoved": [], "recordIdsMissing": ["x"]}
    rows = call("GET", f"/crm/v3/lists/{pilot}/memberships")[1]["results"]
    assert [row["recordId"] for row in rows] == [merged]
    path = f"/crm/v3/lists/records/0-1/{merged}/memberships"
    assert [row["listId"] for row in call("GET", path)[1]["results"]] == [pilot]


def test_a_person_enrols_a_record_of_the_lists_own_object(side: HubSpotSide, call: Call, pilot: str) -> None:
    company = call("POST", "/crm/v3/objects/companies", {"properties": {"name": "Acme"}})[1]["id"]
    with pytest.raises(ControlRefused, match="contacts"):
        side.people({"action": "enrol", "object": "companies", "id": company, "list": pilot})
    with pytest.raises(ControlRefused):
        side.people({"action": "enrol", "id": "171600000001", "list": "99"})


@pytest.mark.parametrize(
    "wrong",
    [
        {"format": "XLSX"},
        {"objectType": "BUTTERFLY"},
        {"objectProperties": []},
        {"objectProperties": "email"},
        {"exportType": "ALL"},
        {"exportType": "LIST", "listId": "99"},
        {"publicCrmSearchRequest": {"filters": [{"propertyName": "email", "operator": "HAS_PROPERTY"}]}},
        {"publicCrmSearchRequest": {"filters": [{"property": "no_such", "operator": "HAS_PROPERTY"}]}},
        {"publicCrmSearchRequest": {"filters": "all"}},
    ],
)
def test_an_export_that_makes_no_sense_is_not_started(call: Call, wrong: dict[str, Any]) -> None:
    assert call("POST", EXPORT, {**WANTED, **wrong})[0] in {400, 404}


def rows_of(side: HubSpotSide, call: Call, **more: Any) -> list[list[str]]:
    task = call("POST", EXPORT, {**WANTED, **more})[1]["id"]
    address = call("GET", f"{EXPORT}/tasks/{task}/status")[1]["result"]
    answer = side.answer(Ask("GET", address[address.index("/export-files") :], (), {}, b""))
    return list(csv.reader(io.StringIO(answer.body.decode())))


def test_an_export_shows_labels_unless_internal_names_and_values_are_asked_for(
    side: HubSpotSide, call: Call, ada: str
) -> None:
    assert rows_of(side, call) == [
        ["Record ID", "email", "lifecyclestage"],
        [ada, "ada@acme.test", "lead"],
    ]
    shown = rows_of(side, call, exportInternalValuesOptions=[])
    assert shown == [["Record ID", "Email", "Lifecycle Stage"], [ada, "ada@acme.test", "Lead"]]


def test_an_export_holds_what_was_there_when_it_was_asked_for(
    side: HubSpotSide, call: Call, ada: str
) -> None:
    task = call("POST", EXPORT, WANTED)[1]["id"]
    call("DELETE", f"/crm/v3/objects/contacts/{ada}")
    address = call("GET", f"{EXPORT}/tasks/{task}/status")[1]["result"]
    answer = side.answer(Ask("GET", address[address.index("/export-files") :], (), {}, b""))
    assert ada in answer.body.decode()
    assert len(rows_of(side, call)) == 1


@pytest.mark.parametrize("object_name", ["calls", "emails", "meetings", "notes", "tasks"])
def test_an_activity_needs_its_time_and_hangs_on_a_contact(call: Call, ada: str, object_name: str) -> None:
    path = f"/crm/v3/objects/{object_name}"
    assert call("POST", path, {"properties": {}})[0] == 400
    made = call("POST", path, {"properties": {"hs_timestamp": "2026-03-01T07:00:00Z"}})[1]
    assert made["properties"]["hs_lastmodifieddate"] == made["updatedAt"]
    assert made["properties"]["hs_createdate"] == made["createdAt"]
    linked = f"/crm/v4/objects/{object_name}/{made['id']}/associations/default/contacts/{ada}"
    assert call("PUT", linked)[0] == 200
    body = {"inputs": [{"id": ada}]}
    found = call("POST", f"/crm/v4/associations/contacts/{object_name}/batch/read", body)[1]
    assert [to["toObjectId"] for row in found["results"] for to in row["to"]] == [int(made["id"])]


def test_an_activity_is_associated_as_it_is_made(call: Call, ada: str) -> None:
    types = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 194}]
    body = {
        "properties": {"hs_timestamp": "1772348400000", "hs_call_direction": "INBOUND"},
        "associations": [{"to": {"id": ada}, "types": types}],
    }
    made = call("POST", "/crm/v3/objects/calls", body)[1]
    assert made["properties"]["hs_timestamp"] == "2026-03-01T07:00:00Z"
    rows = call("GET", f"/crm/v4/objects/contacts/{ada}/associations/calls")[1]["results"]
    assert [(r["toObjectId"], r["associationTypes"][0]["typeId"]) for r in rows] == [(int(made["id"]), 193)]
    wrong = {**body, "associations": [{"to": {"id": ada}, "types": [{"associationTypeId": 578}]}]}
    assert call("POST", "/crm/v3/objects/calls", wrong)[0] == 400


def test_another_contact_becomes_the_primary_one_of_a_lead_and_the_last_one_takes_it_along(
    call: Call, ada: str
) -> None:
    bob = call("POST", "/crm/v3/objects/contacts", {"properties": {"email": "bob@acme.test"}})[1]["id"]
    primary = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 578}]
    body = {"properties": {"hs_lead_name": "Ada"}, "associations": [{"to": {"id": ada}, "types": primary}]}
    lead = call("POST", "/crm/v3/objects/leads", body)[1]["id"]
    assert call("PUT", f"/crm/v4/objects/leads/{lead}/associations/contacts/{bob}", primary)[0] == 201

    def types() -> dict[str, list[int]]:
        rows = call("GET", f"/crm/v4/objects/leads/{lead}/associations/contacts")[1]["results"]
        return {str(r["toObjectId"]): [t["typeId"] for t in r["associationTypes"]] for r in rows}

    assert types() == {ada: [608], bob: [578, 608]}
    call("DELETE", f"/crm/v4/objects/leads/{lead}/associations/contacts/{ada}")
    assert call("GET", f"/crm/v3/objects/leads/{lead}")[0] == 200
    call("DELETE", f"/crm/v4/objects/leads/{lead}/associations/contacts/{bob}")
    assert call("GET", f"/crm/v3/objects/leads/{lead}")[0] == 404


@pytest.mark.parametrize(
    "path", ["/crm/v3/objects/leads", "/crm/v3/properties/leads", "/crm/v3/pipelines/0-136"]
)
@pytest.mark.parametrize("status", [403, 400, 404])
def test_an_edition_without_leads_knows_nothing_of_them(
    side: HubSpotSide, call: Call, path: str, status: int
) -> None:
    assert call("GET", path)[0] == 200
    side.limits({"objects_off": ["leads"], "objects_off_status": str(status)})
    assert call("GET", path)[0] == status
    assert call("GET", "/crm/v3/objects/contacts")[0] == 200


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.sampled_from(["add", "remove", "delete", "restore"]), st.integers(0, 3)), max_size=12
    )
)
def test_a_list_holds_exactly_who_was_put_on_it_and_is_still_there(
    side: HubSpotSide, steps: list[tuple[str, int]]
) -> None:
    side.reset()
    ids = side.load("contacts", [{"email": f"p{n}@acme.test"} for n in range(4)])

    def call(method: str, path: str, body: Any = None) -> Any:
        headers = {"authorization": "Bearer pat-eu1-leadpact-sandbox"}
        sent = b"" if body is None else orjson.dumps(body)
        answer = side.answer(Ask(method, path, (), headers, sent))
        return orjson.loads(answer.body) if answer.body else None

    pilot = call("POST", LISTS, PILOT)["list"]["listId"]
    on_it, there = set[str](), set(ids)
    for step, number in steps:
        one = ids[number]
        if step == "add":
            added = call("PUT", f"/crm/v3/lists/{pilot}/memberships/add", [one])
            assert added["recordsIdsAdded"] == ([one] if one in there - on_it else [])
            assert added["recordIdsMissing"] == ([] if one in there else [one])
            on_it |= {one} & there
        elif step == "remove":
            removed = call("PUT", f"/crm/v3/lists/{pilot}/memberships/remove", [one])
            assert removed["recordIdsRemoved"] == ([one] if one in there & on_it else [])
            on_it -= {one} & there
        elif step == "delete" and one in there:
            side.people({"action": "delete", "id": one})
            there.discard(one)
        elif step == "restore" and one not in there:
            side.people({"action": "restore", "id": one})
            there.add(one)
    rows = call("GET", f"/crm/v3/lists/{pilot}/memberships")["results"]
    assert {row["recordId"] for row in rows} == on_it & there
