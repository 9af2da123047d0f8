"""HubSpot's new client (hubspot-sdk) on lists, exports, leads and activities: it speaks the version 2026-03."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import hubspot_sdk
import pytest
from hubspot_sdk import HubSpot


@pytest.fixture
def client(account: Any) -> Iterator[HubSpot]:
    with HubSpot(access_token=account.token, base_url=account.url, max_retries=0) as made:
        yield made


def test_a_list_is_made_filled_and_read(account: Any, client: HubSpot) -> None:
    ada, bob = account.contacts("ada", "bob")
    created: Any = client.crm.lists.create(name="Pilot", object_type_id="0-1", processing_type="MANUAL")
    # The alpha client leaves a list as it came.
    made = created.list["listId"]
    changed = client.crm.lists.add_memberships(made, body=[ada, bob, "4242"])
    assert (changed.records_ids_added, changed.record_ids_missing) == ([ada, bob], ["4242"])
    client.crm.lists.remove_memberships(made, body=[bob])
    page = client.crm.lists.list_memberships(made, limit=10)
    assert [one.record_id for one in page.results] == [ada]
    found = client.crm.lists.get_record_memberships(ada, object_type_id="0-1")
    assert [one.list_id for one in found.results] == [made]
    shown: Any = client.crm.lists.get(made)
    assert shown.list["size"] == 1
    client.crm.lists.delete(made)
    with pytest.raises(hubspot_sdk.NotFoundError):
        client.crm.lists.get(made)


def test_leads_and_calls_are_objects_like_all_others(account: Any, client: HubSpot) -> None:
    [ada] = account.contacts("ada")
    lead = account.connect().leads.create(ada, "Ada, webshop", {})
    call = account.activity("calls", "2026-11-03T10:00:00Z", ada, hs_call_direction="INBOUND")
    [found] = client.crm.objects.leads.list(properties=["hs_lead_name", "hs_pipeline_stage"])
    assert (found.id, found.properties["hs_pipeline_stage"]) == (lead, "new-stage-id")
    [touched] = client.crm.objects.calls.list(properties=["hs_timestamp", "hs_call_direction"])
    assert (touched.id, touched.properties["hs_call_direction"]) == (call, "INBOUND")


def test_an_export_is_followed_to_its_end(account: Any, client: HubSpot) -> None:
    account.contacts("ada")
    started = client.post(
        "/crm/exports/2026-03/export/async",
        cast_to=object,
        body={
            "exportType": "VIEW",
            "format": "CSV",
            "objectType": "CONTACT",
            "objectProperties": ["email"],
            "exportInternalValuesOptions": ["NAMES"],
        },
    )
    assert isinstance(started, dict)
    state = client.crm.exports.get_status(int(started["id"]))
    assert (state.status, bool(state.result)) == ("COMPLETE", True)
