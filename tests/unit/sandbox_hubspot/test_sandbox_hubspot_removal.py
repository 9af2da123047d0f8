"""Archived, merged, erased and associated records on the HubSpot side of the sandbox."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from connectors.sandbox.hubspot.side import HubSpotSide

CONTACTS = "/crm/v3/objects/contacts"
Call = Callable[..., tuple[int, Any]]


def test_an_archived_contact_is_out_of_sight_but_not_stamped(call: Call, clock: Any, ada: str) -> None:
    clock.advance(hours=1)
    assert call("DELETE", f"{CONTACTS}/{ada}") == (204, None)
    assert call("DELETE", f"{CONTACTS}/{ada}") == (204, None)
    assert call("GET", f"{CONTACTS}/{ada}")[0] == 404
    assert call("PATCH", f"{CONTACTS}/{ada}", {"properties": {"firstname": "Eva"}})[0] == 404
    assert call("GET", CONTACTS)[1]["results"] == []
    _, body = call("GET", f"{CONTACTS}/{ada}", archived="true")
    assert body["archived"] is True
    assert (body["updatedAt"], body["archivedAt"]) == ("2026-03-01T08:00:00Z", "2026-03-01T09:00:00Z")
    assert [row["id"] for row in call("GET", CONTACTS, archived="true")[1]["results"]] == [ada]


def test_an_archived_contact_is_gone_after_90_days(call: Call, clock: Any, ada: str) -> None:
    call("DELETE", f"{CONTACTS}/{ada}")
    clock.advance(days=91)
    assert call("GET", CONTACTS, archived="true")[1]["results"] == []


def test_the_email_of_an_archived_contact_is_free_again(call: Call, ada: str) -> None:
    call("DELETE", f"{CONTACTS}/{ada}")
    assert call("POST", CONTACTS, {"properties": {"email": "ada@acme.test"}})[0] == 201


def merged(call: Call, ada: str) -> tuple[str, dict[str, Any]]:
    wanted = {"email": "bo@acme.test", "firstname": "Bo", "city": "Bonn"}
    other = call("POST", CONTACTS, {"properties": wanted})[1]["id"]
    status, body = call("POST", f"{CONTACTS}/merge", {"primaryObjectId": ada, "objectIdToMerge": other})
    assert status == 200
    return other, body


def test_a_merge_makes_a_new_record_that_both_old_ids_lead_to(call: Call, ada: str) -> None:
    other, body = merged(call, ada)
    assert body["id"] not in (ada, other)
    for id_ in (ada, other, body["id"]):
        found = call(
            "GET", f"{CONTACTS}/{id_}", properties="firstname,city,hs_additional_emails,hs_merged_object_ids"
        )
        assert found[1]["id"] == body["id"]
    values = found[1]["properties"]
    assert (values["firstname"], values["city"]) == ("Ada", "Bonn")
    assert values["hs_additional_emails"] == "bo@acme.test"
    assert values["hs_merged_object_ids"] == f"{ada};{other}"
    assert call("POST", CONTACTS, {"properties": {"email": "bo@acme.test"}})[0] == 409
    assert [row["id"] for row in call("GET", CONTACTS)[1]["results"]] == [body["id"]]


def test_a_merged_id_works_in_a_single_patch_but_not_in_a_batch(call: Call, ada: str) -> None:
    other, body = merged(call, ada)
    assert call("PATCH", f"{CONTACTS}/{other}", {"properties": {"city": "Köln"}})[1]["id"] == body["id"]
    inputs = {"inputs": [{"id": other, "properties": {"city": "Ulm"}}]}
    status, answer = call("POST", f"{CONTACTS}/batch/update", inputs)
    assert (status, answer["errors"][0]["category"]) == (207, "OBJECT_NOT_FOUND")


def test_deleting_a_merged_id_leaves_the_record_it_became(call: Call, ada: str) -> None:
    other, body = merged(call, ada)
    assert call("DELETE", f"{CONTACTS}/{other}")[0] == 204
    assert call("POST", f"{CONTACTS}/batch/archive", {"inputs": [{"id": ada}]})[0] == 204
    assert call("GET", f"{CONTACTS}/{body['id']}")[0] == 200


def test_the_beta_keeps_the_winners_id(side: HubSpotSide, call: Call, ada: str) -> None:
    side.limits({"merge_keeps_primary_id": True})
    other, body = merged(call, ada)
    assert body["id"] == ada
    assert call("GET", f"{CONTACTS}/{other}")[1]["id"] == ada


def test_chained_merges_lead_to_the_last_record(call: Call, ada: str) -> None:
    _, first = merged(call, ada)
    third = call("POST", CONTACTS, {"properties": {"email": "cy@acme.test"}})[1]["id"]
    _, last = call("POST", f"{CONTACTS}/merge", {"primaryObjectId": third, "objectIdToMerge": first["id"]})
    for id_ in (ada, first["id"], third):
        assert call("GET", f"{CONTACTS}/{id_}")[1]["id"] == last["id"]
    assert last["properties"]["hs_all_contact_vids"].split(";")[0] == last["id"]


def test_the_251st_identity_is_refused(side: HubSpotSide, call: Call, ada: str) -> None:
    values = {"lastname": "Many", "hs_merged_object_ids": ";".join(map(str, range(1, 250)))}
    (many,) = side.load("contacts", [values])
    status, body = call("POST", f"{CONTACTS}/merge", {"primaryObjectId": ada, "objectIdToMerge": many})
    assert (status, body["message"]) == (414, "Cannot have more than 250 identities on a profile")


def test_an_erased_contact_is_gone_for_good_and_its_address_blocked(call: Call, ada: str) -> None:
    body = {"objectId": "ada@acme.test", "idProperty": "email"}
    assert call("POST", f"{CONTACTS}/gdpr-delete", body) == (204, None)
    assert call("GET", f"{CONTACTS}/{ada}")[0] == 404
    assert call("GET", f"{CONTACTS}/{ada}", archived="true")[0] == 404
    assert call("POST", CONTACTS, {"properties": {"email": "ADA@acme.test"}})[0] == 400


def test_an_association_is_made_with_a_contact_and_seen_from_both_sides(call: Call) -> None:
    company = call("POST", "/crm/v3/objects/companies", {"properties": {"name": "Acme"}})[1]["id"]
    to = {
        "to": {"id": company},
        "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 1}],
    }
    _, body = call("POST", CONTACTS, {"properties": {"lastname": "X"}, "associations": [to]})
    _, found = call("GET", f"{CONTACTS}/{body['id']}", associations="companies")
    assert found["associations"] == {
        "companies": {"results": [{"id": company, "type": "contact_to_company"}]}
    }
    _, page = call("GET", "/crm/v3/objects/companies", associations="contacts")
    (row,) = page["results"]
    assert row["associations"]["contacts"]["results"] == [{"id": body["id"], "type": "company_to_contact"}]
    assert "associations" not in call("GET", f"{CONTACTS}/{body['id']}")[1]
    _, merged_into = merged(call, body["id"])
    _, found = call("GET", f"{CONTACTS}/{merged_into['id']}", associations="companies")
    assert found["associations"]["companies"]["results"][0]["id"] == company
    call("DELETE", f"/crm/v3/objects/companies/{company}")
    assert "associations" not in call("GET", f"{CONTACTS}/{merged_into['id']}", associations="companies")[1]


@pytest.mark.parametrize(
    "associations",
    [
        "none",
        [{}],
        [{"to": {"id": "77"}, "types": [{"associationTypeId": 279}]}],
        [{"to": {"id": "77"}, "types": [{"associationTypeId": 2}]}],
        [{"to": {"id": "77"}, "types": []}],
    ],
)
def test_an_association_that_cannot_be_is_refused_with_the_whole_record(
    call: Call, associations: Any
) -> None:
    body = {"properties": {"lastname": "X"}, "associations": associations}
    assert call("POST", CONTACTS, body)[0] == 400
    assert call("GET", CONTACTS)[1]["results"] == []
