"""What HubSpot tells beside records: histories, companies of contacts, owners, pipelines; over real HTTP."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import hubspot.crm.associations.v4 as v4
import hubspot.crm.companies as companies
import polars as pl
import pytest
import requests
from hubspot import HubSpot

from connectors.crm import HISTORY_SCHEMA, RECORD_ID, Write
from connectors.errors import NeedsPerson
from connectors.hubspot.api import Version
from connectors.hubspot.crm import HubSpotCrm
from connectors.hubspot.linked import LINK_SCHEMA
from connectors.quota import MemoryLedger, Quota
from connectors.retry import Retry
from connectors.sandbox.serving import Serving, sandbox
from connectors.session import open_session

VERSIONS: tuple[Version, ...] = ("v3", "2026-03", "2026-09")


class Account:
    def __init__(self, served: Serving) -> None:
        self.url, self.token = served.hubspot_url, str(served.ready["hubspot_token"])
        self.http = requests.Session()
        self.http.trust_env = False
        self.http.headers["Authorization"] = f"Bearer {self.token}"
        self.vendor = HubSpot(access_token=self.token, host=self.url, retry=False)

    def control(self, name: str, **wanted: Any) -> Any:
        answer = self.http.post(f"{self.url}/_sandbox/{name}", json=wanted, timeout=60)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def connect(self, version: Version = "v3") -> HubSpotCrm:
        ledger = MemoryLedger(time.monotonic)
        quota = Quota("hubspot", {}, ledger=ledger, clock=lambda: datetime.now(UTC), sleep=time.sleep)
        retry = Retry(sleep=time.sleep)
        return HubSpotCrm(self.token, self.url, open_session(), quota, retry=retry, version=version)

    def contacts(self, *names: str) -> list[str]:
        writes = [Write(name, None, {"email": f"{name}@acme.test"}) for name in names]
        return [str(w.record_id) for w in self.connect().write("contacts", writes)]

    def companies(self, *names: str) -> list[str]:
        found = self.connect().write("companies", [Write(n, None, {"name": n}) for n in names])
        return [str(w.record_id) for w in found]

    def people(self, action: str, **wanted: Any) -> str:
        return str(self.control("people", action=action, **wanted)["id"])


@pytest.fixture(scope="module")
def served() -> Iterator[Serving]:
    with sandbox() as serving:
        yield serving


@pytest.fixture
def account(served: Serving) -> Iterator[Account]:
    found = Account(served)
    found.control("reset")
    found.control("clock", now="2026-11-22T08:00:00Z")
    found.control("limits", ten_secondly=None)
    yield found
    found.http.close()


def primary() -> v4.AssociationSpec:
    return v4.AssociationSpec(association_category="HUBSPOT_DEFINED", association_type_id=1)


def plain() -> v4.AssociationSpec:
    return v4.AssociationSpec(association_category="HUBSPOT_DEFINED", association_type_id=279)


def labels(account: Account, contact: str) -> dict[str, list[int]]:
    page = account.vendor.crm.associations.v4.basic_api.get_page("contact", contact, "company")
    return {str(r.to_object_id): [t.type_id for t in r.association_types] for r in page.results}


def test_the_vendors_client_makes_labels_reads_and_parts_records(account: Account) -> None:
    [ada] = account.contacts("ada")
    acme, ulm = account.companies("Acme", "Ulm AG")
    api = account.vendor.crm.associations.v4.basic_api
    api.create_default("contact", ada, "company", acme)
    assert labels(account, ada) == {acme: [279]}
    made = api.create("contact", ada, "company", acme, [primary()])
    assert (made.labels, str(made.to_object_id)) == (["Primary"], acme)
    assert labels(account, ada) == {acme: [1, 279]}
    # Another primary company takes the label over.
    api.create("contact", ada, "company", ulm, [primary()])
    assert labels(account, ada) == {acme: [279], ulm: [1, 279]}
    # What is put replaces what there was.
    api.create("contact", ada, "company", ulm, [plain()])
    assert labels(account, ada) == {acme: [279], ulm: [279]}
    api.archive("contact", ada, "company", ulm)
    assert labels(account, ada) == {acme: [279]}


def test_the_vendors_client_works_on_batches_of_associations(account: Account) -> None:
    ada, bo, cy = account.contacts("ada", "bo", "cy")
    [acme] = account.companies("Acme")
    api = account.vendor.crm.associations.v4.batch_api
    ends = {"_from": v4.PublicObjectId(id=ada), "to": v4.PublicObjectId(id=acme)}
    post = v4.PublicAssociationMultiPost(types=[primary()], **ends)
    made = api.create("contact", "company", v4.BatchInputPublicAssociationMultiPost(inputs=[post]))
    assert [row.labels for row in made.results] == [["Primary"]]
    ends = {"_from": v4.PublicObjectId(id=bo), "to": v4.PublicObjectId(id=acme)}
    default = v4.PublicDefaultAssociationMultiPost(**ends)
    body = v4.BatchInputPublicDefaultAssociationMultiPost(inputs=[default])
    assert len(api.create_default("contact", "company", body).results) == 2
    asked = [v4.PublicFetchAssociationsBatchRequest(id=i) for i in (ada, bo, cy)]
    wanted = v4.BatchInputPublicFetchAssociationsBatchRequest(inputs=asked)
    read = api.get_page("contact", "company", wanted)
    assert isinstance(read, v4.BatchResponsePublicAssociationMultiWithLabelWithErrors)
    assert {row._from.id for row in read.results} == {ada, bo}
    [error] = read.errors
    assert error.message == f"No company is associated with contact {cy}."
    assert error.sub_category == "crm.associations.NO_ASSOCIATIONS_FOUND"
    api.archive_labels("contact", "company", v4.BatchInputPublicAssociationMultiPost(inputs=[post]))
    assert labels(account, ada) == {acme: [279]}
    gone = v4.PublicAssociationMultiArchive(_from=v4.PublicObjectId(id=ada), to=[v4.PublicObjectId(id=acme)])
    api.archive("contact", "company", v4.BatchInputPublicAssociationMultiArchive(inputs=[gone]))
    assert labels(account, ada) == {}


def test_the_labels_of_two_objects_are_listed(account: Account) -> None:
    api = account.vendor.crm.associations.v4.schema.definitions_api
    found = {(row.type_id, row.label) for row in api.get_all("contacts", "companies").results}
    assert found == {(1, "Primary"), (279, None)}


def test_ids_in_bodies_of_associations_are_numbers(account: Account) -> None:
    [ada], [acme] = account.contacts("ada"), account.companies("Acme")
    account.vendor.crm.associations.v4.basic_api.create_default("contact", ada, "company", acme)
    address = f"{account.url}/crm/v4/associations/contact/company/batch/read"
    body = account.http.post(address, json={"inputs": [{"id": ada}]}, timeout=60).json()
    [row] = body["results"]
    assert row["from"] == {"id": ada}
    assert row["to"][0]["toObjectId"] == int(acme)


@pytest.mark.parametrize("version", VERSIONS)
def test_each_contact_has_its_primary_or_its_only_company(account: Account, version: Version) -> None:
    ada, bo, cy, dee = account.contacts("ada", "bo", "cy", "dee")
    acme, ulm = account.companies("Acme", "Ulm AG")
    api = account.vendor.crm.associations.v4.basic_api
    for contact, company in ((ada, acme), (ada, ulm), (bo, ulm), (cy, acme), (cy, ulm)):
        api.create_default("contact", contact, "company", company)
    api.create("contact", ada, "company", ulm, [primary()])
    crm = account.connect(version)
    found = crm.companies_of([ada, bo, cy, dee, ada, "999"])
    assert dict(found.iter_rows()) == {ada: ulm, bo: ulm}
    frame = pl.concat(crm.links("contacts", "companies", [ada]))
    assert frame.schema == LINK_SCHEMA
    assert frame.sort("other_id").rows() == [(ada, acme, False, []), (ada, ulm, True, ["Primary"])]


def test_more_companies_than_a_page_holds_are_all_linked(account: Account) -> None:
    [ada] = account.contacts("ada")
    ids = account.companies(*(f"C{n}" for n in range(620)))
    rows = [{"from": {"id": ada}, "to": {"id": i}} for i in ids]
    path = "/crm/v4/associations/contact/company/batch/associate/default"
    account.http.post(account.url + path, json={"inputs": rows}, timeout=60).raise_for_status()
    found = pl.concat(account.connect().links("contacts", "companies", [ada]))
    assert sorted(found["other_id"]) == sorted(ids)
    assert account.connect().companies_of([]).is_empty()


def test_more_contacts_than_a_batch_holds_find_their_company(account: Account) -> None:
    people = [{"email": f"p{n}@acme.test"} for n in range(1_300)]
    account.control("load", object="contacts", rows=people)
    frames = [slab.frame for slab in account.connect().changes("contacts", [], None).slabs]
    ids = pl.concat(frames)[RECORD_ID].to_list()
    [acme] = account.companies("Acme")
    api = account.vendor.crm.associations.v4.basic_api
    for contact in (ids[0], ids[1_299]):
        api.create_default("contact", contact, "company", acme)
    crm = account.connect()
    assert set(crm.companies_of(ids)[RECORD_ID]) == {ids[0], ids[1_299]}
    assert crm.calls == 2


@pytest.mark.parametrize("version", VERSIONS)
def test_every_field_has_its_own_time(account: Account, version: Version) -> None:
    [ada] = account.contacts("ada")
    account.control("clock", advance_seconds=60)
    account.people("edit", id=ada, properties={"phone": "1"})
    account.control("clock", advance_seconds=60)
    account.people(
        "edit", id=ada, properties={"phone": "", "city": "Ulm"}, user="sven.sales@leadpact.example"
    )
    [frame] = account.connect(version).history("contacts", ["phone", "city", "no_such_property"], [ada])
    assert frame.schema == HISTORY_SCHEMA
    past = frame.filter(property="phone").select("at", "value").rows()
    minute = [datetime(2026, 11, 22, 8, n, tzinfo=UTC) for n in (1, 2)]
    assert past[:2] == [(minute[1], None), (minute[0], "1")]
    city = frame.filter(property="city").row(0, named=True)
    assert (city["at"], city["value"], city["source"], city["user"]) == (
        minute[1],
        "Ulm",
        "CRM_UI",
        "48200002",
    )


def test_histories_are_read_fifty_records_at_a_time(account: Account) -> None:
    ids = account.contacts(*(f"p{n}" for n in range(120)))
    crm = account.connect()
    crm.describe("contacts")
    before = crm.calls
    named = pl.concat(crm.history("contacts", ["email"], [*ids, "999"]))
    assert crm.calls - before == 3
    every = pl.concat(crm.history("contacts", ["email"]))
    assert crm.calls - before == 6
    assert set(named[RECORD_ID]) == set(every[RECORD_ID]) == set(ids)
    assert list(crm.history("contacts", ["no_such_property"])) == []


@pytest.mark.parametrize("version", VERSIONS)
def test_owners_come_with_those_who_left(account: Account, version: Version) -> None:
    owners = account.connect(version).owners()
    assert len({owner.id for owner in owners}) == len(owners) == 5
    left = [owner for owner in owners if owner.archived]
    assert [(owner.email, owner.user_id) for owner in left] == [("otto.left@leadpact.example", None)]
    here = next(owner for owner in owners if owner.email == "sven.sales@leadpact.example")
    assert here.teams == ("Sales",)
    assert here.user_id != here.id
    assert "sven" not in repr(here)


def test_the_vendors_client_pages_through_owners(account: Account) -> None:
    api = account.vendor.crm.owners.owners_api
    seen, after = [], None
    while True:
        page = api.get_page(limit=2, after=after)
        seen += [owner.id for owner in page.results]
        if page.paging is None:
            break
        after = page.paging.next.after
    assert len(set(seen)) == len(seen) == 4
    assert api.get_page(archived=True).results[0].user_id is None


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("object_name", ["contacts", "companies"])
def test_pipelines_tell_the_order_of_stages(account: Account, version: Version, object_name: str) -> None:
    [pipeline] = account.connect(version).pipelines(object_name)
    assert [stage.id for stage in pipeline.stages][:2] == ["subscriber", "lead"]
    assert not any(stage.closed for stage in pipeline.stages)
    vendor = account.vendor.crm.pipelines.pipelines_api.get_all(object_name).results
    assert [p.id for p in vendor] == [pipeline.id]


def test_a_token_without_the_right_to_owners_is_named(account: Account) -> None:
    account.control("limits", scopes=["crm.objects.contacts.read"])
    with pytest.raises(NeedsPerson) as raised:
        account.connect().owners()
    assert "crm.objects.owners.read" in raised.value.fix


def test_a_company_is_associated_when_it_is_created(account: Account) -> None:
    [ada] = account.contacts("ada")
    spec = companies.AssociationSpec(association_category="HUBSPOT_DEFINED", association_type_id=2)
    to = companies.PublicAssociationsForObject(to=companies.PublicObjectId(id=ada), types=[spec])
    wanted = companies.SimplePublicObjectInputForCreate(properties={"name": "Acme"}, associations=[to])
    made = account.vendor.crm.companies.basic_api.create(wanted)
    assert dict(account.connect().companies_of([ada]).iter_rows()) == {ada: made.id}
