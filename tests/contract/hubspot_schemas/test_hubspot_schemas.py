"""Every body that the connector and the vendor's client exchange with the pretend HubSpot is one of HubSpot's own."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple

import hubspot.crm.associations.v4 as v4
import hubspot.crm.companies as companies
import hubspot.crm.contacts as contacts
import hubspot.crm.lists as lists
import hubspot.crm.properties as properties
import pytest
import requests
from hubspot import HubSpot

from connectors.crm import FieldSpec, Write
from connectors.errors import ConnectorError
from connectors.hubspot.api import Version
from connectors.hubspot.choices import OAuthVersion
from connectors.hubspot.crm import HubSpotCrm
from connectors.hubspot.token import OAuthTokens
from connectors.quota import MemoryLedger, Quota
from connectors.retry import Retry
from connectors.sandbox.credentials import HUBSPOT_CLIENT_SECRET
from connectors.sandbox.hubspot.oauth import CLIENT_ID, CODE, REDIRECT, REFRESH_TOKEN
from connectors.sandbox.serving import Serving
from connectors.session import open_session

pytestmark = pytest.mark.shared

VERSIONS: tuple[Version, ...] = ("v3", "2026-03", "2026-09")
OAUTH: tuple[OAuthVersion, ...] = ("v1", "v3", "2026-03", "2026-09")


class Called(NamedTuple):
    """One call, as the relay keeps it."""

    method: str
    path: str
    asked: Any
    status: int
    answered: Any


START = datetime(2026, 11, 22, 8, tzinfo=UTC)
KEY = "leadpact_salesforce_id"


def control(served: Serving, name: str, /, **wanted: Any) -> Any:
    answer = requests.post(f"{served.hubspot_url}/_sandbox/{name}", json=wanted, timeout=60)
    assert answer.status_code == 200, answer.text
    return answer.json()


def connect(recorder: Any, version: Version, token: Any = "pat-eu1-leadpact-sandbox") -> HubSpotCrm:
    quota = Quota(
        "hubspot", {}, ledger=MemoryLedger(time.monotonic), clock=lambda: datetime.now(UTC), sleep=time.sleep
    )
    retry = Retry(sleep=lambda _: None, tries=2)
    return HubSpotCrm(token, recorder.url, open_session(), quota, retry=retry, version=version)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_connectors_calls_are_hubspots(
    served: Serving, recorder: Any, judges: Any, version: Version
) -> None:
    crm = connect(recorder, version)
    crm.account()
    crm.add_fields(
        "contacts",
        [
            FieldSpec(KEY, "Key", "text", unique=True),
            FieldSpec("leadpact_x", "X", "choice", options=(("a", "A"),)),
        ],
    )
    crm.add_fields("contacts", [FieldSpec("leadpact_x", "X", "choice", options=(("a", "A"), ("b", "B")))])
    made = crm.write(
        "contacts",
        [
            *(Write(f"c{n}", None, {"email": f"p{n}@acme.test", "jobtitle": None}) for n in range(120)),
            Write("bad", None, {"email": "no address"}),
            Write("u1", None, {"email": "ada@acme.test"}, key=(KEY, "00Q1")),
            Write("u2", None, {"email": "p1@acme.test"}, key=(KEY, "00Q2")),
        ],
    )
    ids = [w.record_id for w in made if w.record_id is not None]
    crm.write(
        "contacts", [Write("a", ids[0], {"firstname": "Ada"}), Write("b", "4242", {"firstname": "Eve"})]
    )
    with contextlib.suppress(ConnectorError):
        crm.write("butterflies", [Write("a", "1", {"firstname": "Ada"})])
    cursor = crm.changes("contacts", ["email", "jobtitle", KEY], None)
    assert sum(len(slab.frame) for slab in cursor.slabs) == 121
    list(crm.changes("contacts", ["email"], cursor.cursor).slabs)
    list(crm.fetch("contacts", ["email"], [ids[0], "4242"]))
    list(crm.find("contacts", ["email"], "email", ["ada@acme.test", "nobody@acme.test"]))
    list(crm.find("contacts", ["email"], "firstname", ["Ada"]))
    list(crm.history("contacts", ["email"], ids[:2]))
    list(crm.history("contacts", ["email"]))
    [company] = crm.write("companies", [Write("c", None, {"name": "Acme"})])
    vendor = HubSpot(access_token="pat-eu1-leadpact-sandbox", host=recorder.url, retry=False)
    vendor.crm.associations.v4.basic_api.create_default("contact", ids[0], "company", company.record_id)
    crm.companies_of(ids[:3])
    crm.owners()
    crm.pipelines("contacts")
    pilot = crm.lists.create("Pilot")
    crm.lists.add(pilot.id, [*ids[:3], "4242"])
    crm.lists.remove(pilot.id, ids[:1])
    list(crm.lists.members(pilot.id))
    list(crm.lists.find("Pi"))
    crm.lists.get(pilot.id)
    crm.lists.get("4242")
    crm.lists.of_record("contacts", ids[1])
    for asked in ({}, {"list_id": pilot.id}, {"modified_since": START}):
        export = crm.exports.start("contacts", ["email"], **asked)
        list(crm.exports.slabs(export, "contacts", ["email"], time.sleep))
    crm.leads.create(ids[0], "Ada, webshop", {"hs_lead_label": "WARM"})
    crm.leads.of_contacts(ids[:2])
    crm.leads.pipelines()
    crm.touches(ids[:2])
    control(served, "people", action="merge", id=ids[3], other=ids[4])
    control(served, "people", action="delete", id=ids[5])
    control(served, "people", action="gdpr_delete", id=ids[6])
    crm.removed("contacts", START, ids)
    crm.archive("contacts", [ids[7]])
    crm.availability()
    assert "\n".join(judges.all_faults(recorder.exchanges)) == ""


def drive_records(client: HubSpot) -> None:
    api = client.crm.contacts
    ada = api.basic_api.create(
        contacts.SimplePublicObjectInputForCreate(properties={"email": "ada@acme.test"}, associations=[])
    )
    bob = api.basic_api.create(
        contacts.SimplePublicObjectInputForCreate(properties={"email": "bob@acme.test"}, associations=[])
    )
    eve = api.basic_api.create(
        contacts.SimplePublicObjectInputForCreate(properties={"email": "eve@acme.test"}, associations=[])
    )
    api.basic_api.get_by_id(
        ada.id, properties=["email"], properties_with_history=["email"], associations=["companies"]
    )
    api.basic_api.get_page(limit=1, properties=["email", "phone"])
    api.basic_api.update(ada.id, contacts.SimplePublicObjectInput(properties={"firstname": "Ada"}))
    one = contacts.Filter(property_name="email", operator="IN", values=["ada@acme.test"])
    api.search_api.do_search(
        contacts.PublicObjectSearchRequest(
            filter_groups=[contacts.FilterGroup([one])],
            sorts=[{"propertyName": "createdate", "direction": "DESCENDING"}],
            properties=["email"],
            limit=2,
            after="0",
        )
    )
    read = contacts.BatchReadInputSimplePublicObjectId(
        inputs=[contacts.SimplePublicObjectId(ada.id), contacts.SimplePublicObjectId("4242")],
        properties=["email"],
        properties_with_history=[],
    )
    api.batch_api.read(read)
    row = contacts.SimplePublicObjectBatchInputForCreate
    rows = [
        row(properties={"email": mail}, associations=[], object_write_trace_id=mail)
        for mail in ("x@acme.test", "bob@acme.test")
    ]
    api.batch_api.create(contacts.BatchInputSimplePublicObjectBatchInputForCreate(inputs=rows))
    api.basic_api.merge(contacts.PublicMergeInput(primary_object_id=ada.id, object_id_to_merge=bob.id))
    api.basic_api.archive(eve.id)
    api.batch_api.archive(contacts.BatchInputSimplePublicObjectId([contacts.SimplePublicObjectId("4242")]))
    api.basic_api.purge(contacts.PublicGdprDeleteInput(object_id="x@acme.test", id_property="email"))


def drive_properties(client: HubSpot) -> None:
    api = client.crm.properties
    api.groups_api.create(
        "contacts", properties.PropertyGroupCreate(name="ours", label="Ours", display_order=-1)
    )
    api.groups_api.get_all("contacts")
    api.groups_api.get_by_name("contacts", "ours")
    one = properties.PropertyCreate(
        name="ours_a", label="A", type="string", field_type="text", group_name="ours"
    )
    api.core_api.create("contacts", one)
    two = properties.PropertyCreate(
        name="ours_b", label="B", type="bool", field_type="booleancheckbox", group_name="ours"
    )
    api.batch_api.create("contacts", properties.BatchInputPropertyCreate([two]))
    api.core_api.get_all("contacts")
    api.core_api.get_all("companies")
    api.core_api.get_by_name("contacts", "ours_a")
    api.core_api.update("contacts", "ours_a", properties.PropertyUpdate(label="AA"))
    names = [properties.PropertyName("ours_a"), properties.PropertyName("no_such")]
    api.batch_api.read("contacts", properties.BatchReadInputPropertyName(inputs=names, archived=False))
    api.core_api.archive("contacts", "ours_a")


def drive_associations(client: HubSpot) -> None:
    make = client.crm.contacts.basic_api.create
    ada, bob = (
        make(
            contacts.SimplePublicObjectInputForCreate(
                properties={"email": f"{name}@acme.test"}, associations=[]
            )
        ).id
        for name in ("carl", "dora")
    )
    acme = client.crm.companies.basic_api.create(
        companies.SimplePublicObjectInputForCreate(properties={"name": "Acme"}, associations=[])
    ).id
    basic, batch = client.crm.associations.v4.basic_api, client.crm.associations.v4.batch_api
    spec = v4.AssociationSpec(association_category="HUBSPOT_DEFINED", association_type_id=1)
    basic.create_default("contact", ada, "company", acme)
    basic.create("contact", ada, "company", acme, [spec])
    basic.get_page("contact", ada, "company")
    end = v4.PublicObjectId
    pair = v4.PublicAssociationMultiPost(_from=end(bob), to=end(acme), types=[spec])
    batch.create("contact", "company", v4.BatchInputPublicAssociationMultiPost([pair]))
    default = v4.PublicDefaultAssociationMultiPost(_from=end(bob), to=end(acme))
    batch.create_default("contact", "company", v4.BatchInputPublicDefaultAssociationMultiPost([default]))
    asked = [v4.PublicFetchAssociationsBatchRequest(id=each) for each in (ada, bob, "4242")]
    batch.get_page("contact", "company", v4.BatchInputPublicFetchAssociationsBatchRequest(asked))
    batch.archive_labels("contact", "company", v4.BatchInputPublicAssociationMultiPost([pair]))
    parted = v4.PublicAssociationMultiArchive(_from=end(bob), to=[end(acme)])
    batch.archive("contact", "company", v4.BatchInputPublicAssociationMultiArchive([parted]))
    basic.archive("contact", ada, "company", acme)


def drive_lists(client: HubSpot) -> None:
    api, members = client.crm.lists.lists_api, client.crm.lists.memberships_api
    make = lists.ListCreateRequest
    pilot = api.create(make(name="P", object_type_id="0-1", processing_type="MANUAL")).list.list_id
    other = api.create(make(name="Q", object_type_id="0-1", processing_type="SNAPSHOT")).list.list_id
    page = client.crm.contacts.basic_api.get_page().results
    ids = [one.id for one in page]
    members.add(pilot, ids)
    members.add_all_from_list(other, pilot)
    members.add_and_remove(
        pilot, lists.MembershipChangeRequest(record_ids_to_add=ids[:1], record_ids_to_remove=ids[1:])
    )
    members.get_page(pilot, limit=1)
    members.get_page_ordered_by_added_to_list_date(pilot, limit=1)
    members.get_lists("0-1", ids[0])
    branch = {"filterBranchType": "OR", "filterBranches": [], "filters": [], "filterBranchOperator": "OR"}
    hot = api.create(
        {"name": "H", "objectTypeId": "0-1", "processingType": "DYNAMIC", "filterBranch": branch}
    )
    api.update_list_filters(hot.list.list_id, {"filterBranch": branch})
    members.remove(pilot, ids[:1])
    members.remove_all(other)
    api.get_by_id(pilot)
    api.get_by_name("P", "0-1")
    api.get_all(list_ids=[pilot, other])
    api.do_search(lists.ListSearchRequest(query="", count=1, offset=0))
    api.update_name(pilot, list_name="PP")
    api.remove(pilot)
    api.restore(pilot)


def drive_account(client: HubSpot) -> None:
    client.crm.owners.owners_api.get_page(limit=2)
    client.crm.owners.owners_api.get_page(archived=True)
    client.crm.owners.owners_api.get_by_id(76500001)
    client.crm.pipelines.pipelines_api.get_all("leads")
    client.crm.pipelines.pipelines_api.get_by_id("contacts", "contacts-lifecycle-pipeline")
    client.crm.pipelines.pipeline_stages_api.get_all("contacts", "contacts-lifecycle-pipeline")


@pytest.mark.parametrize("drive", [drive_records, drive_properties, drive_associations, drive_account])
def test_the_vendors_own_calls_are_answered_as_it_understands(
    recorder: Any, judges: Any, drive: Callable[[HubSpot], None]
) -> None:
    drive(HubSpot(access_token="pat-eu1-leadpact-sandbox", host=recorder.url, retry=False))
    assert "\n".join(judges.all_faults(recorder.exchanges)) == ""


def test_the_vendors_own_calls_about_lists_are_answered_as_it_understands(
    served: Serving, recorder: Any, judges: Any
) -> None:
    control(served, "load", object="contacts", rows=[{"email": "ada@acme.test"}, {"email": "bob@acme.test"}])
    drive_lists(HubSpot(access_token="pat-eu1-leadpact-sandbox", host=recorder.url, retry=False))
    assert "\n".join(judges.all_faults(recorder.exchanges)) == ""


@pytest.mark.parametrize("version", OAUTH)
def test_every_version_of_the_token_call_is_hubspots(
    recorder: Any, judges: Any, version: OAuthVersion
) -> None:
    tokens = OAuthTokens(
        open_session(),
        recorder.url,
        CLIENT_ID,
        HUBSPOT_CLIENT_SECRET,
        REFRESH_TOKEN,
        clock=lambda: START,
        version=version,
    )
    tokens.current()
    if version == "v1":
        oauth = HubSpot(host=recorder.url, retry=False).oauth
        app = {"client_id": CLIENT_ID, "client_secret": HUBSPOT_CLIENT_SECRET}
        first = oauth.tokens_api.create(
            grant_type="authorization_code", code=CODE, redirect_uri=REDIRECT, **app
        )
        oauth.access_tokens_api.get(first.access_token)
        oauth.refresh_tokens_api.get(first.refresh_token)
        oauth.refresh_tokens_api.archive(first.refresh_token)
    assert "\n".join(judges.all_faults(recorder.exchanges)) == ""


@pytest.mark.parametrize(
    ("limits", "status"),
    [
        ({"token": "revoked"}, 401),
        ({"token": "expired"}, 401),
        ({"scopes": []}, 403),
        ({"objects_off": ["contacts"], "objects_off_status": "404"}, 404),
        ({"objects_off": ["contacts"], "objects_off_status": "400"}, 400),
        ({"ten_secondly": 0}, 429),
        ({"daily": 0}, 429),
        ({"moving_s": 5}, 477),
    ],
)
def test_refusals_have_the_shape_of_hubspots_errors(
    served: Serving, recorder: Any, judges: Any, limits: dict[str, Any], status: int
) -> None:
    control(served, "limits", **limits)
    client = HubSpot(access_token="pat-eu1-leadpact-sandbox", host=recorder.url, retry=False)
    with pytest.raises(contacts.ApiException) as refused:
        client.crm.contacts.basic_api.get_page()
    assert refused.value.status == status
    assert "\n".join(judges.all_faults(recorder.exchanges)) == ""


def test_refusals_of_bad_bodies_have_that_shape_too(recorder: Any, judges: Any) -> None:
    base, headers = recorder.url, {"Authorization": "Bearer pat-eu1-leadpact-sandbox"}
    bad: tuple[tuple[str, str, Any], ...] = (
        (
            "POST",
            "/crm/v3/objects/contacts",
            {"properties": {"no_such": "1", "email": "x", "hs_object_id": "5"}},
        ),
        ("POST", "/crm/v3/objects/contacts", {"properties": {}}),
        ("POST", "/crm/v3/objects/contacts/search", {"limit": 999}),
        ("POST", "/crm/v3/objects/contacts/batch/update", {"inputs": [{"id": "1", "properties": {}}] * 2}),
        ("GET", "/crm/v3/objects/contacts/abc", None),
        ("GET", "/crm/v3/objects/butterflies", None),
        ("PUT", "/crm/v3/lists/7/memberships/add", ["1"]),
        ("POST", "/crm/v3/exports/export/async", {"format": "XLS"}),
    )
    for method, path, body in bad:
        answer = requests.request(method, base + path, json=body, headers=headers, timeout=60)
        assert answer.status_code >= 400, path
    assert "\n".join(judges.all_faults(recorder.exchanges)) == ""


@pytest.mark.parametrize(
    ("exchange", "told"),
    [
        (
            Called("GET", "/crm/v3/objects/contacts/1", None, 200, {"id": 1, "properties": {}}),
            "not of type",
        ),
        (Called("GET", "/crm/v3/objects/contacts/1", None, 200, {"id": "1"}), "required"),
        (Called("PATCH", "/crm/v3/objects/contacts/1", {"properties": {"a": 5}}, 200, None), "asks"),
        (Called("GET", "/crm/owners/2026-09", None, 200, {"results": [], "surprise": 1}), "surprise"),
        (Called("GET", "/crm/v3/butterflies", None, 200, {}), "no schema"),
        (Called("DELETE", "/crm/v3/objects/contacts/1", None, 204, {}), "none is expected"),
        (Called("GET", "/crm/v3/owners", None, 404, {"message": 5}), "not of type"),
        (
            Called(
                "GET",
                "/crm/v3/lists/1/memberships",
                None,
                200,
                {"results": [{"recordId": "1", "membershipTimestamp": "yesterday"}]},
            ),
            "date-time",
        ),
    ],
)
def test_the_judges_would_see_a_wrong_body(judges: Any, exchange: Called, told: str) -> None:
    assert told in " ".join(judges.faults(exchange))


def test_no_line_of_the_table_is_there_for_nothing(judges: Any) -> None:
    """Runs last: what the tests above have used together."""
    unused = judges.unused()
    if len(unused) > judges.lines // 2:
        pytest.skip("the tests above did not run")
    assert unused == []
