"""Batches on the HubSpot side of the sandbox."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from connectors.sandbox.hubspot.side import HubSpotSide

BATCH = "/crm/v3/objects/contacts/batch"
Call = Callable[..., tuple[int, Any]]


@pytest.fixture
def key(call: Call) -> str:
    """A property of our own that names one contact."""
    wanted = {"name": "sf_lead_id", "label": "Lead", "type": "string", "fieldType": "text"}
    body = {**wanted, "groupName": "contactinformation", "hasUniqueValue": True}
    assert call("POST", "/crm/v3/properties/contacts", body)[0] == 201
    return "sf_lead_id"


def emails(*names: str, traced: bool = False) -> dict[str, Any]:
    rows: list[dict[str, Any]] = [{"properties": {"email": f"{name}@x.test"}} for name in names]
    if traced:
        rows = [{**row, "objectWriteTraceId": f"t{n}"} for n, row in enumerate(rows)]
    return {"inputs": rows}


def everyone(call: Call) -> list[str]:
    _, body = call("GET", "/crm/v3/objects/contacts", limit="100", properties="email")
    return [row["properties"]["email"] for row in body["results"]]


def made(call: Call, *names: str) -> dict[str, str]:
    status, body = call("POST", f"{BATCH}/create", emails(*names))
    assert status == 201
    return {row["properties"]["email"].split("@")[0]: row["id"] for row in body["results"]}


def test_a_batch_answers_every_row_but_not_in_the_order_sent(call: Call) -> None:
    names = [f"n{n:02d}" for n in range(40)]
    _, body = call("POST", f"{BATCH}/create", emails(*names))
    got = [row["properties"]["email"].split("@")[0] for row in body["results"]]
    assert got != names
    assert sorted(got) == names
    assert body["status"] == "COMPLETE"
    assert {"startedAt", "completedAt"} <= set(body)
    assert "errors" not in body


def test_the_order_sent_can_be_asked_for(side: HubSpotSide, call: Call) -> None:
    side.limits({"batch_order": "input"})
    names = [f"n{n:02d}" for n in range(40)]
    _, body = call("POST", f"{BATCH}/create", emails(*names))
    assert [row["properties"]["email"].split("@")[0] for row in body["results"]] == names


@pytest.mark.parametrize("action", ["create", "read", "update", "upsert", "archive"])
def test_more_than_100_rows_are_refused(call: Call, action: str) -> None:
    rows = [{"id": str(n), "properties": {"lastname": "x"}} for n in range(101)]
    status, body = call("POST", f"{BATCH}/{action}", {"inputs": rows})
    assert (status, body["category"]) == (400, "VALIDATION_ERROR")


def test_without_trace_ids_one_conflict_fails_the_whole_batch(call: Call) -> None:
    made(call, "ada")
    status, body = call("POST", f"{BATCH}/create", emails("bo", "ada"))
    assert (status, body["category"]) == (409, "CONFLICT")
    assert everyone(call) == ["ada@x.test"]


def test_without_trace_ids_one_bad_property_fails_the_whole_batch(call: Call) -> None:
    rows = emails("bo")["inputs"] + [{"properties": {"first000name": "x"}}]
    status, body = call("POST", f"{BATCH}/create", {"inputs": rows})
    assert (status, body["errors"][0]["code"]) == (400, "PROPERTY_DOESNT_EXIST")
    assert everyone(call) == []


def test_with_trace_ids_the_good_rows_are_written_and_the_bad_ones_named(call: Call) -> None:
    ada = made(call, "ada")["ada"]
    rows = emails("bo", "ada", "cy", traced=True)["inputs"]
    rows.append({"objectWriteTraceId": "t9", "properties": {"nope": "x"}})
    status, body = call("POST", f"{BATCH}/create", {"inputs": rows})
    assert (status, body["numErrors"]) == (207, 2)
    assert everyone(call) == ["ada@x.test", "bo@x.test", "cy@x.test"]
    conflict, invalid = body["errors"]
    assert conflict == {
        "status": "error",
        "category": "CONFLICT",
        "message": f"Contact already exists. Existing ID: {ada}",
        "context": {"objectWriteTraceId": ["t1"], "existingId": [ada]},
    }
    assert invalid["category"] == "VALIDATION_ERROR"
    assert invalid["context"]["objectWriteTraceId"] == ["t9"]


@pytest.mark.parametrize("traces", [["t0", "t0"], ["t0", None]])
def test_trace_ids_help_only_when_every_row_has_its_own(call: Call, traces: Any) -> None:
    made(call, "ada")
    rows = [
        {**row, **({"objectWriteTraceId": trace} if trace else {})}
        for row, trace in zip(emails("ada", "bo")["inputs"], traces, strict=True)
    ]
    assert call("POST", f"{BATCH}/create", {"inputs": rows})[0] == 409
    assert everyone(call) == ["ada@x.test"]


def test_twins_in_one_batch_conflict_without_an_id_that_was_never_kept(call: Call) -> None:
    status, body = call("POST", f"{BATCH}/create", emails("ada", "ada"))
    assert (status, body["message"]) == (409, "Contact already exists")
    assert everyone(call) == []


def test_in_2026_09_a_partial_failure_is_a_200_with_errors(call: Call) -> None:
    made(call, "ada")
    body = emails("ada", "bo", traced=True)
    status, answer = call("POST", "/crm/objects/2026-09/contacts/batch/create", body)
    assert (status, answer["numErrors"], len(answer["results"])) == (200, 1, 1)
    status, _ = call("POST", "/crm/objects/2026-03/contacts/batch/create", emails("ada", "cy", traced=True))
    assert status == 207


def test_a_batch_read_names_the_ids_it_did_not_find(call: Call) -> None:
    ids = made(call, "ada", "bo")
    inputs = [{"id": ids["ada"]}, {"id": "77"}, {"id": "none"}, {"id": ids["bo"]}]
    body = {"properties": ["email", "city"], "inputs": inputs}
    status, answer = call("POST", f"{BATCH}/read", body)
    assert (status, answer["numErrors"]) == (207, 1)
    assert answer["errors"] == [
        {
            "status": "error",
            "category": "OBJECT_NOT_FOUND",
            "message": "Could not get some CONTACT objects, they may be deleted or not exist. "
            "Check that ids are valid.",
            "context": {"ids": ["77", "none"]},
        }
    ]
    assert {row["id"] for row in answer["results"]} == set(ids.values())
    assert all(row["properties"]["city"] is None for row in answer["results"])


def test_a_batch_read_by_email_ignores_case(call: Call) -> None:
    ids = made(call, "ada")
    body = {"idProperty": "email", "properties": ["email"], "inputs": [{"id": "ADA@x.test"}]}
    status, answer = call("POST", f"{BATCH}/read", body)
    assert (status, [row["id"] for row in answer["results"]]) == (200, [ids["ada"]])


def test_a_batch_read_by_a_property_that_names_nobody_is_refused(call: Call) -> None:
    body = {"idProperty": "firstname", "inputs": [{"id": "Ada"}]}
    assert call("POST", f"{BATCH}/read", body)[0] == 400


def test_a_batch_read_of_archived_records_sees_only_those(call: Call) -> None:
    ids = made(call, "ada", "bo")
    assert call("POST", f"{BATCH}/archive", {"inputs": [{"id": ids["ada"]}, {"id": "77"}]}) == (204, None)
    body = {"inputs": [{"id": ids["ada"]}, {"id": ids["bo"]}]}
    _, gone = call("POST", f"{BATCH}/read", body, archived="true")
    _, here = call("POST", f"{BATCH}/read", body)
    assert [row["id"] for row in gone["results"]] == [ids["ada"]]
    assert [row["id"] for row in here["results"]] == [ids["bo"]]


@pytest.mark.parametrize(("follows", "status"), [(True, 200), (False, 207)])
def test_whether_a_batch_read_follows_merged_ids_is_a_switch(
    side: HubSpotSide, call: Call, follows: bool, status: int
) -> None:
    ids = made(call, "ada", "bo")
    side.limits({"merged_in_batch_read": follows})
    wanted = {"primaryObjectId": ids["ada"], "objectIdToMerge": ids["bo"]}
    call("POST", "/crm/v3/objects/contacts/merge", wanted)
    assert call("POST", f"{BATCH}/read", {"inputs": [{"id": ids["bo"]}]})[0] == status


def updates(ids: dict[str, str], **rows: dict[str, str]) -> dict[str, Any]:
    return {"inputs": [{"id": ids.get(name, name), "properties": row} for name, row in rows.items()]}


def test_an_unknown_id_does_not_stop_a_batch_update_even_without_trace_ids(call: Call) -> None:
    ids = made(call, "ada")
    body = updates(ids, ada={"city": "Bonn"}, unknown={"city": "Ulm"})
    status, answer = call("POST", f"{BATCH}/update", body)
    assert (status, answer["numErrors"]) == (207, 1)
    assert answer["errors"][0]["context"] == {"ids": ["unknown"]}
    assert answer["results"][0]["properties"]["city"] == "Bonn"


def test_an_id_that_comes_twice_fails_the_whole_update(call: Call) -> None:
    ids = made(call, "ada")
    rows = updates(ids, ada={"city": "Bonn"})["inputs"] * 2
    status, body = call("POST", f"{BATCH}/update", {"inputs": rows})
    assert status == 400
    assert body["message"] == f"Duplicate IDs found in batch input: [{ids['ada']}]. IDs must be unique"
    assert body["context"] == {"ids": [ids["ada"]]}
    assert body["category"] == "VALIDATION_ERROR"


@pytest.mark.parametrize("name", ["email", "hs_object_id"])
def test_contacts_are_updated_by_record_id_only(call: Call, name: str) -> None:
    rows = [{"idProperty": name, "id": "ada@x.test", "properties": {"city": "Bonn"}}]
    assert call("POST", f"{BATCH}/update", {"inputs": rows})[0] == 400


@pytest.mark.parametrize(("tolerant", "status", "city"), [(True, 207, "Bonn"), (False, 400, None)])
def test_whether_trace_ids_make_an_update_tolerant_is_a_switch(
    side: HubSpotSide, call: Call, tolerant: bool, status: int, city: str | None
) -> None:
    side.limits({"trace_id_update": tolerant})
    ids = made(call, "ada", "bo")
    body = updates(ids, ada={"city": "Bonn"}, bo={"nope": "x"})
    for n, row in enumerate(body["inputs"]):
        row["objectWriteTraceId"] = f"t{n}"
    found, _ = call("POST", f"{BATCH}/update", body)
    _, ada = call("GET", f"/crm/v3/objects/contacts/{ids['ada']}", properties="city")
    assert (found, ada["properties"]["city"]) == (status, city)


def upserts(key: str, traced: bool = False, **rows: dict[str, str]) -> dict[str, Any]:
    inputs = [{"idProperty": key, "id": id_, "properties": row} for id_, row in rows.items()]
    return {
        "inputs": [{**r, "objectWriteTraceId": f"t{n}"} for n, r in enumerate(inputs)] if traced else inputs
    }


def test_an_upsert_creates_or_updates_and_says_which(call: Call, key: str) -> None:
    first = call("POST", f"{BATCH}/upsert", upserts(key, Q1={"email": "ADA@x.test"}))
    assert (first[0], [row["new"] for row in first[1]["results"]]) == (200, [True])
    body = upserts(key, Q1={"city": "Bonn"}, Q2={"email": "bo@x.test"})
    _, answer = call("POST", f"{BATCH}/upsert", body)
    assert {row["new"] for row in answer["results"]} == {True, False}
    _, found = call("GET", "/crm/v3/objects/contacts/Q1", idProperty=key, properties=f"city,{key}")
    assert (found["properties"]["city"], found["properties"][key]) == ("Bonn", "Q1")


def test_an_upsert_with_trace_ids_tolerates_a_bad_row(call: Call, key: str) -> None:
    body = upserts(key, traced=True, Q1={"email": "ada@x.test"}, Q2={"email": "nonsense"})
    status, answer = call("POST", f"{BATCH}/upsert", body)
    assert (status, answer["errors"][0]["context"]["objectWriteTraceId"]) == (207, ["t1"])
    assert everyone(call) == ["ada@x.test"]


def test_an_upsert_by_email_is_never_partial(call: Call) -> None:
    rows = {"ada@x.test": {"city": "Bonn"}, "bo@x.test": {"nope": "x"}}
    status, _ = call("POST", f"{BATCH}/upsert", upserts("email", traced=True, **rows))
    assert (status, everyone(call)) == (400, [])


@pytest.mark.parametrize("name", ["firstname", "hs_object_id", "nope"])
def test_an_upsert_by_a_property_that_is_not_unique_is_refused(call: Call, name: str) -> None:
    status, body = call("POST", f"{BATCH}/upsert", upserts(name, Q1={"city": "Bonn"}))
    assert status == 400
    assert body["message"].startswith("Unable to perform update/upsert by non-unique 0-1 property")


@pytest.mark.parametrize("keys", [("Q1", "Q1"), ("ada@x.test", "ADA@x.test")])
def test_the_same_key_twice_fails_the_whole_upsert(call: Call, key: str, keys: Any) -> None:
    name = "email" if "@" in keys[0] else key
    rows = [{"idProperty": name, "id": k, "properties": {"city": "Bonn"}} for k in keys]
    status, body = call("POST", f"{BATCH}/upsert", {"inputs": rows})
    assert (status, body["message"][:13]) == (400, "Duplicate IDs")


def test_a_unique_value_of_another_contact_is_refused(call: Call, key: str) -> None:
    call("POST", f"{BATCH}/upsert", upserts(key, Q1={"email": "ada@x.test"}))
    body = {"properties": {"email": "bo@x.test", key: "Q1"}}
    status, answer = call("POST", "/crm/v3/objects/contacts", body)
    assert (status, answer["errors"][0]["code"]) == (400, "CONFLICTING_UNIQUE_VALUE")


def test_a_row_refused_for_one_unique_value_does_not_hold_the_other(call: Call, key: str) -> None:
    ids = made(call, "ada", "bo", "cy")
    call("PATCH", f"/crm/v3/objects/contacts/{ids['ada']}", {"properties": {key: "Q1"}})
    body = updates(ids, bo={key: "Q1", "email": "free@x.test"}, cy={"city": "Bonn"})
    rows = [{**row, "objectWriteTraceId": f"t{n}"} for n, row in enumerate(body["inputs"])]
    status, answer = call("POST", f"{BATCH}/update", {"inputs": rows})
    assert (status, len(answer["results"]), answer["numErrors"]) == (207, 1, 1)
    assert sorted(everyone(call)) == ["ada@x.test", "bo@x.test", "cy@x.test"]
    assert made(call, "free")


def test_a_company_that_two_rows_name_keeps_what_both_wrote(call: Call) -> None:
    path = "/crm/v3/objects/companies"
    wanted = {"name": "vat", "label": "VAT", "type": "string", "fieldType": "text", "hasUniqueValue": True}
    call("POST", "/crm/v3/properties/companies", {**wanted, "groupName": "companyinformation"})
    _, company = call("POST", path, {"properties": {"name": "Acme", "vat": "DE1"}})
    rows = [
        {"id": company["id"], "properties": {"name": "Acme 2", "city": "Ulm"}},
        {"id": "DE1", "idProperty": "vat", "properties": {"name": "Acme 3", "vat": "DE2"}},
    ]
    status, answer = call("POST", f"{path}/batch/update", {"inputs": rows})
    assert (status, len(answer["results"])) == (200, 2)
    _, now = call("GET", f"{path}/DE2", idProperty="vat", properties="city", propertiesWithHistory="name")
    assert now["properties"]["city"] == "Ulm"
    assert [row["value"] for row in now["propertiesWithHistory"]["name"]] == ["Acme 3", "Acme 2", "Acme"]


def test_a_unique_value_given_up_can_be_taken_by_another(call: Call, key: str) -> None:
    call("POST", f"{BATCH}/upsert", upserts(key, Q1={"email": "ada@x.test"}))
    call("PATCH", "/crm/v3/objects/contacts/ada@x.test", {"properties": {key: ""}}, idProperty="email")
    _, answer = call("POST", f"{BATCH}/upsert", upserts(key, Q1={"email": "bo@x.test"}))
    assert answer["results"][0]["new"] is True


def test_a_failed_batch_uses_up_nothing(call: Call) -> None:
    made(call, "ada")
    call("POST", f"{BATCH}/create", emails("bo", "ada"))
    ids = made(call, "bo")
    assert int(ids["bo"]) == 171600000002
