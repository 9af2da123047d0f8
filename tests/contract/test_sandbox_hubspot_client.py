"""HubSpot's own Python client on the sandbox, over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hubspot.crm.contacts as contacts
import hubspot.crm.properties as properties
import pytest
from hubspot import HubSpot

from connectors.sandbox.clock import SandboxClock
from connectors.sandbox.hubspot.side import HubSpotSide
from connectors.sandbox.serving import Serving, sandbox


class Elsewhere(HubSpotSide):
    """Stands where the server wants a second CRM; nobody calls it here."""

    name = "salesforce"


def sides(folder: Path, clock: SandboxClock, _seed: int | None) -> list[HubSpotSide]:
    (folder / "elsewhere").mkdir()
    return [HubSpotSide(folder, clock), Elsewhere(folder / "elsewhere", clock)]


@pytest.fixture
def serving() -> Iterator[Serving]:
    with sandbox(sides=sides) as serving:
        yield serving


@pytest.fixture
def client(serving: Serving) -> HubSpot:
    return HubSpot(access_token="pat-eu1-leadpact-sandbox", host=serving.hubspot_url, retry=False)


def people(*names: str, traced: bool = False) -> Any:
    rows = [
        contacts.SimplePublicObjectBatchInputForCreate(
            properties={"email": f"{name}@acme.test"},
            associations=[],
            object_write_trace_id=f"t{n}" if traced else None,
        )
        for n, name in enumerate(names)
    ]
    return contacts.BatchInputSimplePublicObjectBatchInputForCreate(inputs=rows)


def test_a_contact_is_made_read_changed_and_archived(client):
    api = client.crm.contacts.basic_api
    wanted = contacts.SimplePublicObjectInputForCreate(properties={"email": "ADA@acme.test"}, associations=[])
    made = api.create(wanted)
    assert made.properties["email"] == "ada@acme.test"
    change = contacts.SimplePublicObjectInput(properties={"firstname": "Ada"})
    assert api.update(made.id, change).properties["firstname"] == "Ada"
    found = api.get_by_id("ada@acme.test", id_property="email", properties=["firstname", "city"])
    assert (found.id, found.properties["firstname"], found.properties["city"]) == (made.id, "Ada", None)
    assert found.created_at.utcoffset().total_seconds() == 0
    api.archive(made.id)
    with pytest.raises(contacts.ApiException) as gone:
        api.get_by_id(made.id)
    assert gone.value.status == 404
    assert api.get_by_id(made.id, archived=True).archived is True


def test_a_partly_failed_batch_is_told_without_an_exception(client):
    api = client.crm.contacts.batch_api
    (ada,) = api.create(people("ada")).results
    answer = api.create(people("bo", "ada", traced=True))
    assert isinstance(answer, contacts.BatchResponseSimplePublicObjectWithErrors)
    assert [row.properties["email"] for row in answer.results] == ["bo@acme.test"]
    (error,) = answer.errors
    assert (answer.num_errors, error.category) == (1, "CONFLICT")
    assert error.context == {"objectWriteTraceId": ["t1"], "existingId": [ada.id]}


def test_a_failed_batch_raises_and_keeps_its_body(client):
    api = client.crm.contacts.batch_api
    api.create(people("ada"))
    with pytest.raises(contacts.ApiException) as refused:
        api.create(people("bo", "ada"))
    assert refused.value.status == 409
    assert "Contact already exists" in refused.value.body
    assert refused.value.headers["x-hubspot-correlation-id"]


def test_a_batch_is_read_updated_upserted_and_archived(client):
    group = properties.PropertyGroupCreate(name="leadpact", label="Leadpact")
    client.crm.properties.groups_api.create("contacts", group)
    key = properties.PropertyCreate(
        name="sf_lead_id",
        label="Lead",
        type="string",
        field_type="text",
        group_name="leadpact",
        has_unique_value=True,
    )
    assert client.crm.properties.core_api.create("contacts", key).has_unique_value is True
    api = client.crm.contacts.batch_api
    row = contacts.SimplePublicObjectBatchInputUpsert
    rows = [row(id=i, id_property="sf_lead_id", properties={"lastname": i}) for i in ("Q1", "Q2")]
    made = api.upsert(contacts.BatchInputSimplePublicObjectBatchInputUpsert(inputs=rows))
    assert all(record.new for record in made.results)
    ids = [record.id for record in made.results]
    changes = [contacts.SimplePublicObjectBatchInput(id=i, properties={"city": "Bonn"}) for i in ids]
    api.update(contacts.BatchInputSimplePublicObjectBatchInput(inputs=changes))
    wanted = contacts.BatchReadInputSimplePublicObjectId(
        id_property="sf_lead_id",
        properties=["city"],
        properties_with_history=["lastname"],
        inputs=[contacts.SimplePublicObjectId(id=i) for i in ("Q1", "Q2", "Q3")],
    )
    read = api.read(wanted)
    assert {record.properties["city"] for record in read.results} == {"Bonn"}
    assert read.errors[0].context == {"ids": ["Q3"]}
    past = {record.properties_with_history["lastname"][0].value for record in read.results}
    assert past == {"Q1", "Q2"}
    api.archive(
        contacts.BatchInputSimplePublicObjectId(inputs=[contacts.SimplePublicObjectId(id=i) for i in ids])
    )
    assert client.crm.contacts.basic_api.get_page().results == []


def test_search_pages_run_to_the_end(client):
    client.crm.contacts.batch_api.create(people(*(f"n{n}" for n in range(7))))
    seen: list[str] = []
    after = "0"
    while after:
        request = contacts.PublicObjectSearchRequest(
            filter_groups=[
                {"filters": [{"propertyName": "email", "operator": "CONTAINS_TOKEN", "value": "*@acme.test"}]}
            ],
            sorts=[{"propertyName": "hs_object_id", "direction": "ASCENDING"}],
            properties=["email"],
            limit=3,
            after=after,
        )
        page = client.crm.contacts.search_api.do_search(request)
        assert page.total == 7
        seen += [record.properties["email"] for record in page.results]
        after = page.paging.next.after if page.paging else ""
    assert sorted(seen) == [f"n{n}@acme.test" for n in range(7)]


def test_every_page_of_the_list_is_walked_by_the_clients_own_loop(client):
    for start in (0, 100):
        client.crm.contacts.batch_api.create(people(*(f"n{n}" for n in range(start, start + 100))))
    assert len({record.id for record in client.crm.contacts.get_all()}) == 200


def test_two_contacts_are_merged_and_one_is_erased(client):
    first, second = client.crm.contacts.batch_api.create(people("ada", "bo")).results
    request = contacts.PublicMergeInput(primary_object_id=first.id, object_id_to_merge=second.id)
    merged = client.crm.contacts.basic_api.merge(request)
    assert client.crm.contacts.basic_api.get_by_id(second.id).id == merged.id
    erasure = contacts.PublicGdprDeleteInput(object_id="bo@acme.test", id_property="email")
    client.crm.contacts.basic_api.purge(erasure)
    with pytest.raises(contacts.ApiException):
        client.crm.contacts.basic_api.get_by_id(merged.id)


def test_the_same_records_are_there_as_generic_objects(client):
    (ada,) = client.crm.contacts.batch_api.create(people("ada")).results
    assert client.crm.objects.basic_api.get_by_id("contacts", ada.id).id == ada.id
    assert client.crm.companies.basic_api.get_page().results == []


def test_definitions_owners_and_pipelines_are_understood(client):
    found = client.crm.properties.core_api.get_all("contacts").results
    assert {"email", "lifecyclestage", "hs_lead_status"} <= {row.name for row in found}
    stage = client.crm.properties.core_api.get_by_name("contacts", "lifecyclestage")
    pipeline = client.crm.pipelines.pipelines_api.get_all("contacts").results[0]
    assert [option.value for option in stage.options] == [s.id for s in pipeline.stages]
    assert len(client.crm.owners.get_all()) == 4
    assert client.crm.owners.owners_api.get_page(archived=True).results[0].user_id is None


def test_a_wrong_token_is_an_unauthorized_exception(serving):
    stranger = HubSpot(access_token="pat-eu1-wrong", host=serving.hubspot_url, retry=False)
    with pytest.raises(contacts.exceptions.UnauthorizedException):
        stranger.crm.contacts.basic_api.get_page()


def test_a_sixth_search_in_a_second_is_refused_without_rate_headers(client):
    api = client.crm.contacts.search_api
    request = contacts.PublicObjectSearchRequest(
        filter_groups=[], sorts=[], properties=[], limit=1, after="0"
    )

    def many() -> None:
        for _ in range(50):
            api.do_search(request)

    with pytest.raises(contacts.ApiException) as refused:
        many()
    assert refused.value.status == 429
    assert "You have reached your secondly limit." in refused.value.body
    assert not [name for name in refused.value.headers if name.lower().startswith("x-hubspot-ratelimit")]
