"""HubSpot's new Python client (hubspot-sdk, alpha) on the pretend HubSpot: it speaks the dated versions of the API."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import hubspot_sdk
import pytest
from hubspot_sdk import HubSpot
from hubspot_sdk.types.crm import SimplePublicObjectIDParam

from connectors.sandbox.remote import control
from connectors.sandbox.serving import Serving, sandbox

PEOPLE = 230


@pytest.fixture(scope="module")
def serving() -> Iterator[Serving]:
    with sandbox() as running:
        yield running


@pytest.fixture
def client(serving: Serving) -> Iterator[HubSpot]:
    control(serving.hubspot_url, "reset", {})
    with HubSpot(
        access_token=serving.ready["hubspot_token"], base_url=serving.hubspot_url, max_retries=0
    ) as made:
        yield made


@pytest.fixture
def ids(serving: Serving, client: HubSpot) -> list[str]:
    """People in the account, the oldest first."""
    rows = [
        {"email": f"p{n:03}@sdk.example", "lastname": f"Q{n}", "city": "Essen" if n % 2 else "Kiel"}
        for n in range(PEOPLE)
    ]
    loaded: list[str] = control(serving.hubspot_url, "load", {"object": "contacts", "rows": rows})["ids"]
    return loaded


def called(serving: Serving, client: HubSpot) -> set[str]:
    """The families of paths that were called."""
    log: Any = client.get("/_sandbox/requests", cast_to=object)
    return {"/".join(call["path"].split("?")[0].split("/")[1:4]) for call in log["requests"]}


def test_the_pages_of_the_list_are_walked_by_the_client_itself(
    serving: Serving, client: HubSpot, ids: list[str]
) -> None:
    found = list(client.crm.objects.contacts.list(limit=100, properties=["email", "city", "fax"]))
    assert [one.id for one in found] == ids
    assert {one.properties["city"] for one in found} == {"Essen", "Kiel"}
    assert {one.properties["fax"] for one in found} == {None}
    assert found[0].created_at.utcoffset() is not None
    assert "crm/objects/2026-03" in called(serving, client)


def test_a_record_is_read_by_a_property_of_its_own_with_history(client: HubSpot, ids: list[str]) -> None:
    client.crm.objects.contacts.update(ids[0], properties={"city": "Bonn"})
    found = client.crm.objects.contacts.get(
        "p000@sdk.example", id_property="email", properties=["city"], properties_with_history=["city"]
    )
    assert (found.id, found.properties["city"], found.archived) == (ids[0], "Bonn", False)
    assert found.properties_with_history is not None
    assert [each.value for each in found.properties_with_history["city"]] == ["Bonn", "Kiel"]


def test_a_search_is_filtered_sorted_and_paged(client: HubSpot, ids: list[str]) -> None:
    seen: list[str] = []
    after = "0"
    while after:
        page = client.crm.objects.contacts.search(
            after=after,
            filter_groups=[{"filters": [{"property_name": "city", "operator": "EQ", "value": "Essen"}]}],
            limit=50,
            properties=["email"],
            sorts=["-email"],
        )
        assert page.total == PEOPLE // 2
        seen += [str(one.properties["email"]) for one in page.results]
        after = page.paging.next.after if page.paging and page.paging.next else ""
    assert seen == sorted(set(seen), reverse=True)
    assert len(seen) == PEOPLE // 2


def test_batches_are_created_read_updated_and_archived(client: HubSpot, ids: list[str]) -> None:
    batch = client.crm.objects.contacts.batch
    made = batch.create(
        inputs=[
            {"properties": {"email": f"{name}@sdk.example"}, "associations": []} for name in ("ada", "bo")
        ]
    )
    assert {one.properties["email"] for one in made.results} == {"ada@sdk.example", "bo@sdk.example"}
    changed = batch.update(inputs=[{"id": one.id, "properties": {"city": "Ulm"}} for one in made.results])
    assert (changed.status, len(changed.results)) == ("COMPLETE", 2)
    named = [SimplePublicObjectIDParam(id=one.id) for one in made.results]
    read = batch.get(
        inputs=[*named, {"id": ids[0]}, {"id": "999"}], properties=["city"], properties_with_history=[]
    )
    assert sorted(str(one.properties["city"]) for one in read.results) == ["Kiel", "Ulm", "Ulm"]
    batch.delete(inputs=named)
    with pytest.raises(hubspot_sdk.NotFoundError):
        client.crm.objects.contacts.get(made.results[0].id)


def test_refusals_are_the_clients_own_errors(serving: Serving, client: HubSpot, ids: list[str]) -> None:
    contacts = client.crm.objects.contacts
    with pytest.raises(hubspot_sdk.ConflictError) as twice:
        contacts.create(properties={"email": "p000@sdk.example"}, associations=[])
    assert ids[0] in twice.value.message
    with pytest.raises(hubspot_sdk.BadRequestError):
        contacts.create(properties={"nowhere": "x"}, associations=[])
    with pytest.raises(hubspot_sdk.PermissionDeniedError):
        client.crm.objects.deals.list()
    control(serving.hubspot_url, "limits", {"ten_secondly": 0})
    with pytest.raises(hubspot_sdk.RateLimitError):
        contacts.list()
    stranger = HubSpot(access_token="pat-eu1-wrong", base_url=serving.hubspot_url, max_retries=0)
    with stranger, pytest.raises(hubspot_sdk.AuthenticationError):
        stranger.crm.objects.contacts.list()


def test_properties_owners_and_pipelines_are_understood(client: HubSpot) -> None:
    names = {one.name for one in client.crm.properties.list("contacts").results}
    assert {"email", "lifecyclestage"} <= names
    stage = client.crm.properties.get("lifecyclestage", object_type="contacts")
    assert "marketingqualifiedlead" in {option.value for option in stage.options or []}
    assert len(list(client.crm.owners.list())) == 4
    (pipeline,) = client.crm.pipelines.list("contacts").results
    assert [one.id for one in pipeline.stages] == [option.value for option in stage.options or []]
