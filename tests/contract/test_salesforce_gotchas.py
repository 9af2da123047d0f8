"""The 21 gotchas of the Salesforce reference, section 12: what goes wrong for a naive client, and not for ours.

One test a gotcha, numbered as there. Each shows the trap on the wire of the pretend Salesforce where there is
one to show, and what the connector makes of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import polars as pl
import pytest
import requests

import connectors.salesforce.crm as vendor_side
from connectors.crm import MODIFIED_AT, RECORD_ID, FieldSpec, Slab, Write
from connectors.errors import NeedsPerson
from connectors.salesforce.crm import SalesforceCrm
from connectors.sandbox.salesforce import seed
from connectors.sandbox.serving import Serving, sandbox
from connectors.session import open_session

NOON = datetime(2026, 11, 22, 12, 0, 30, tzinfo=UTC)
DATA = "/services/data/v66.0/"
KEY = FieldSpec("Leadpact_Id__c", "Leadpact id", "text", length=32, unique=True)
MY_DOMAIN = "https://leadpact-sandbox.my.salesforce.com"


class Org:
    """One pretend organisation, and two ways into it: our connector, and somebody's bare HTTP."""

    def __init__(self, serving: Serving) -> None:
        self.url = serving.salesforce_url
        self.http = requests.Session()
        self.http.trust_env = False
        self.control("reset")
        self.control("clock", now=NOON.isoformat())
        form = {"grant_type": "client_credentials", "client_id": "leadpact-sandbox"}
        answer = self.http.post(
            f"{self.url}/services/oauth2/token",
            data={**form, "client_secret": "salesforce-sandbox-secret"},
            timeout=60,
        )
        self.http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def control(self, name: str, **wanted: Any) -> Any:
        answer = self.http.post(f"{self.url}/_sandbox/{name}", json=wanted, timeout=60)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def person(self, action: str, **wanted: Any) -> Any:
        return self.control("people", action=action, **wanted)

    def at(self, moment: datetime) -> None:
        self.control("clock", now=moment.isoformat())

    def leads(self, *rows: dict[str, Any]) -> list[str]:
        filled = [{"LastName": f"L{n}", "Company": "ACME", **row} for n, row in enumerate(rows)]
        ids: list[str] = self.control("load", object="Lead", rows=filled)["ids"]
        return ids

    def bare(self, method: str, path: str, body: Any = None, **headers: str) -> requests.Response:
        whole = path if path.startswith("/") else DATA + path
        return self.http.request(method, self.url + whole, json=body, headers=headers, timeout=60)

    def lead(self, record_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.bare("GET", f"sobjects/Lead/{record_id}").json()
        return found

    def sent(self) -> list[dict[str, Any]]:
        logged: list[dict[str, Any]] = self.http.get(f"{self.url}/_sandbox/requests", timeout=60).json()[
            "requests"
        ]
        return logged

    def connect(self, **more: Any) -> SalesforceCrm:
        known = {
            "login_url": MY_DOMAIN,
            "client_id": "leadpact-sandbox",
            "client_secret": "salesforce-sandbox-secret",
        }
        session = open_session(loopback=urlsplit(self.url).netloc)
        return SalesforceCrm(**{"session": session, "sleep": lambda _: None, **known, **more})


@pytest.fixture(scope="module")
def serving() -> Iterator[Serving]:
    with sandbox() as running:
        yield running


@pytest.fixture
def org(serving: Serving) -> Org:
    fresh = Org(serving)
    requests.delete(f"{fresh.url}/_sandbox/faults", timeout=60)
    requests.delete(f"{fresh.url}/_sandbox/requests", timeout=60)
    return fresh


@pytest.fixture
def crm(org: Org) -> Iterator[SalesforceCrm]:
    connector = org.connect()
    yield connector
    connector.close()


def joined(slabs: Iterator[Slab]) -> pl.DataFrame:
    frames = [slab.frame for slab in slabs]
    return pl.concat(frames) if frames else pl.DataFrame(schema={RECORD_ID: pl.String()})


def outcomes(crm: SalesforceCrm, writes: Sequence[Write]) -> list[tuple[str, str]]:
    return [(each.outcome, each.code) for each in crm.write("Lead", writes)]


def test_01_an_update_does_not_take_a_lead_from_its_owner(org: Org, crm: SalesforceCrm) -> None:
    org.control("limits", assignment_rule=True)
    naive, ours = org.leads({"OwnerId": seed.FIRST_SELLER}, {"OwnerId": seed.FIRST_SELLER})
    org.bare("PATCH", f"sobjects/Lead/{naive}", {"City": "Bonn"})
    assert outcomes(crm, [Write("a", ours, {"City": "Bonn"})]) == [("written", "")]
    assert (org.lead(naive)["OwnerId"], org.lead(ours)["OwnerId"]) == (seed.QUEUE, seed.FIRST_SELLER)


def test_02_a_converted_lead_is_told_apart_and_leads_to_its_contact(org: Org, crm: SalesforceCrm) -> None:
    (lead,) = org.leads({})
    contact = org.person("convert", id=lead)["contact_id"]
    assert outcomes(crm, [Write("a", lead, {"City": "Bonn"})]) == [
        ("refused", "CANNOT_UPDATE_CONVERTED_LEAD")
    ]
    found = joined(crm.fetch("Lead", ["IsConverted", "ConvertedContactId"], [lead]))
    assert found.select("IsConverted", "ConvertedContactId").rows() == [("true", contact)]


def test_03_a_row_that_appears_behind_the_watermark_is_not_missed(org: Org, crm: SalesforceCrm) -> None:
    org.leads({})
    org.control("limits", late_commit_ms=600_000)
    late = org.bare("POST", "sobjects/Lead", {"LastName": "Late", "Company": "ACME"}).json()["id"]
    org.control("limits", late_commit_ms=0)
    org.at(NOON + timedelta(minutes=5))
    newer = org.bare("POST", "sobjects/Lead", {"LastName": "Newer", "Company": "ACME"}).json()["id"]
    first = crm.changes("Lead", ["LastName"], None)
    seen = joined(first.slabs)
    assert newer in seen[RECORD_ID]
    assert late not in seen[RECORD_ID]
    org.at(NOON + timedelta(minutes=11))
    again = joined(crm.changes("Lead", ["LastName"], first.cursor).slabs)
    assert late in again[RECORD_ID]
    assert again.filter(pl.col(RECORD_ID) == late)[MODIFIED_AT][0] < seen[MODIFIED_AT].max()


def test_04_nothing_is_upserted_by_an_address(org: Org, crm: SalesforceCrm) -> None:
    org.leads({"Email": "a@b.example"}, {"Email": "a@b.example"}, {"Email": "a@b.inc"})
    # One lead has this address, and the path reads its end as a file's.
    assert org.bare("PATCH", "sobjects/Lead/Email/a@b.inc", {"City": "Bonn"}).status_code == 404
    requests.delete(f"{org.url}/_sandbox/requests", timeout=60)
    crm.add_fields("Lead", [KEY])
    keyed = Write("a", None, {"LastName": "L", "Company": "ACME", "Email": "a@b.inc"}, (KEY.name, "a@b.inc"))
    assert outcomes(crm, [keyed, keyed]) == [("written", ""), ("written", "")]
    paths = [each["path"] for each in org.sent() if each["method"] == "PATCH"]
    assert not [path for path in paths if "@" in path or "%40" in path or "/Email" in path]


def test_04_several_matches_are_listed_and_not_guessed_between(org: Org, crm: SalesforceCrm) -> None:
    # A field that is no unique one cannot be the key of an upsert of ours: refused before anything is sent.
    ids = org.leads({"Email": "a@b.example"}, {"Email": "a@b.example"})
    answer = org.bare("PATCH", "sobjects/Lead/Email/a@b.example/", {"City": "Bonn"})
    assert answer.status_code in (300, 404)
    write = Write("a", None, {"LastName": "L", "Company": "ACME"}, ("Email", "a@b.example"))
    assert crm.write("Lead", [write])[0].outcome == "refused"
    assert [org.lead(each)["City"] for each in ids] == [None, None]


def test_05_two_workers_with_one_key_make_one_record(org: Org, crm: SalesforceCrm) -> None:
    crm.add_fields("Lead", [KEY])
    crms = [org.connect() for _ in range(4)]

    def upsert(worker: int) -> list[tuple[str, str]]:
        values = {"LastName": f"W{worker}", "Company": "ACME"}
        return outcomes(crms[worker], [Write(str(n), None, values, (KEY.name, f"k{n}")) for n in range(5)])

    with ThreadPoolExecutor(4) as pool:
        results = [each for some in pool.map(upsert, range(4)) for each in some]
    assert set(results) == {("written", "")}
    assert joined(crm.changes("Lead", [KEY.name], None).slabs).height == 5
    for each in crms:
        each.close()


def test_06_a_duplicate_rule_stops_one_record_and_not_the_others(org: Org, crm: SalesforceCrm) -> None:
    org.leads({"Email": "a@b.example"})
    org.control("limits", duplicate_rule="block")
    twin = {"LastName": "T", "Company": "C", "Email": "a@b.example"}
    writes = [Write("a", None, twin), Write("b", None, {**twin, "Email": "b@b.example"})]
    assert outcomes(crm, writes) == [("refused", "DUPLICATES_DETECTED"), ("written", "")]


def test_07_a_value_that_exists_but_not_for_the_record_type_is_refused(org: Org, crm: SalesforceCrm) -> None:
    partner = {"name": "Partner", "default": True, "values": {"Rating": ["Hot"]}}
    org.control("limits", record_types={"Lead": [partner]})
    assert ("Cold", "Cold") in crm.describe("Lead").fields["Rating"].options
    values = {"LastName": "L", "Company": "ACME"}
    writes = [Write("a", None, {**values, "Rating": "Cold"}), Write("b", None, {**values, "Rating": "Hot"})]
    code = "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"
    assert outcomes(crm, writes) == [("refused", code), ("written", "")]


def test_08_a_locked_row_is_tried_again(org: Org, crm: SalesforceCrm) -> None:
    (lead,) = org.leads({})
    org.control("limits", row_locks=2)
    assert (
        org.bare("PATCH", f"sobjects/Lead/{lead}", {"City": "x"}).json()[0]["errorCode"]
        == "UNABLE_TO_LOCK_ROW"
    )
    assert outcomes(crm, [Write("a", lead, {"City": "Bonn"})]) == [("written", "")]


@pytest.mark.parametrize("bulk_above", [None, 0])
def test_09_clearing_clears_on_both_ways(org: Org, bulk_above: int | None) -> None:
    crm = org.connect(bulk_above_writes=bulk_above)
    first, second = org.leads({"City": "Bonn", "Title": "CTO"}, {"City": "Bonn", "Title": "CTO"})
    assert (
        outcomes(crm, [Write(each, each, {"City": None}) for each in (first, second)])
        == [("written", "")] * 2
    )
    assert [(org.lead(each)["City"], org.lead(each)["Title"]) for each in (first, second)] == [
        (None, "CTO")
    ] * 2
    crm.close()


def test_10_a_job_that_is_complete_may_have_done_nothing(org: Org) -> None:
    crm = org.connect(bulk_above_writes=0)
    ids = org.leads(*({} for _ in range(5)))
    writes = [Write(f"w{n}", each, {"Email": f"not-an-address-{n}"}) for n, each in enumerate(ids)]
    results = crm.write("Lead", writes)
    assert [(each.trace, each.outcome, each.code) for each in results] == [
        (f"w{n}", "refused", "INVALID_EMAIL_ADDRESS") for n in range(5)
    ]
    crm.close()


def test_10_the_last_locator_is_the_text_null(org: Org) -> None:
    org.leads(*({} for _ in range(25)))
    org.control("limits", bulk_page_rows=10)
    crm = org.connect(bulk_from_rows=0)
    assert joined(crm.changes("Lead", ["LastName"], None).slabs)[RECORD_ID].n_unique() == 25
    crm.close()


def test_11_a_bulk_result_is_read_in_the_version_of_its_job(org: Org) -> None:
    org.leads({})
    job = org.bare("POST", "jobs/query", {"operation": "query", "query": "SELECT Id FROM Lead"}).json()["id"]
    for _ in range(5):
        org.bare("GET", f"jobs/query/{job}")
    assert org.bare("GET", f"/services/data/v65.0/jobs/query/{job}/results").status_code == 409
    assert org.bare("GET", f"jobs/query/{job}/results").status_code == 200
    crm = org.connect(bulk_from_rows=0, api_version="65.0")
    assert joined(crm.changes("Lead", ["LastName"], None).slabs).height == 1
    crm.close()


def test_12_a_composite_call_succeeds_when_all_of_it_failed(org: Org, crm: SalesforceCrm) -> None:
    records = [{"attributes": {"type": "Lead"}, "LastName": "x", "Company": "y"}]
    parts = [
        {
            "method": "POST",
            "url": DATA + "composite/sobjects",
            "referenceId": "a",
            "body": {"records": records},
        },
        {"method": "POST", "url": DATA + "sobjects/Lead", "referenceId": "b", "body": {}},
    ]
    answer = org.bare("POST", "composite", {"allOrNone": True, "compositeRequest": parts})
    collection, row = answer.json()["compositeResponse"]
    assert (answer.status_code, row["httpStatusCode"]) == (200, 400)
    assert collection["body"][0]["success"] is True
    assert joined(crm.changes("Lead", ["LastName"], None).slabs).height == 0
    # Ours never nests collections, and believes each record's own result.
    assert outcomes(crm, [Write("a", None, {"LastName": "x"})]) == [("refused", "REQUIRED_FIELD_MISSING")]


def test_13_client_credentials_need_my_domain_and_a_person_is_told(org: Org) -> None:
    session = open_session(loopback=urlsplit(org.url).netloc)
    session.headers["Host"] = "login.salesforce.com"  # the way around loses the name of the host
    crm = org.connect(session=session, login_url="https://login.salesforce.com")
    with pytest.raises(NeedsPerson) as told:
        crm.account()
    assert told.value.fix
    crm.close()


def test_14_a_field_that_may_not_be_seen_is_never_named(org: Org) -> None:
    org.leads({"Rating": "Hot"})
    org.control("limits", hidden_fields={"Lead": ["Rating"]})
    answer = org.bare("GET", "query?q=SELECT+Rating+FROM+Lead")
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, "INVALID_FIELD")
    crm = org.connect()
    assert "Rating" not in crm.describe("Lead").fields
    frame = joined(crm.changes("Lead", ["LastName", "Rating"], None).slabs)
    assert "Rating" not in frame.columns
    crm.close()


def test_15_whose_organisation_it_is_comes_from_the_token(crm: SalesforceCrm) -> None:
    assert crm.account().account_id == seed.ORG_ID
    assert len(seed.ORG_ID) == 18


def test_16_both_lengths_of_an_id_are_one_key(org: Org, crm: SalesforceCrm) -> None:
    (lead,) = org.leads({})
    found = joined(crm.fetch("Lead", ["LastName"], [lead[:15], lead]))
    assert found[RECORD_ID].to_list() == [lead]
    (written,) = crm.write("Lead", [Write("a", lead[:15], {"City": "Bonn"})])
    assert written.record_id == lead


def test_17_what_was_deleted_for_good_is_found_by_comparing_only(org: Org, crm: SalesforceCrm) -> None:
    binned, purged, kept = org.leads({}, {}, {})
    for each in (binned, purged):
        org.person("delete", object="Lead", id=each)
    org.person("empty_bin", object="Lead", id=purged)
    assert crm.removed("Lead", NOON - timedelta(days=1)).frame[RECORD_ID].to_list() == [binned]
    assert joined(crm.changes("Lead", ["LastName"], None).slabs)[RECORD_ID].to_list() == [kept]
    assert crm.removed("Lead", NOON - timedelta(days=16)).complete is False


def test_18_every_call_says_that_it_is_ours(org: Org, crm: SalesforceCrm) -> None:
    (lead,) = org.leads({})
    crm.write("Lead", [Write("a", lead, {"City": "Bonn"})])
    calls = [each for each in org.sent() if each["path"].startswith("/services/data/")]
    assert {each["client"] for each in calls} == {"client=leadpact"}
    assert org.lead(lead)["LastModifiedById"] == seed.INTEGRATION_USER


def test_19_a_number_that_salesforce_counts_does_not_move_the_records_stamp(
    org: Org, crm: SalesforceCrm
) -> None:
    (lead,) = org.leads({})
    campaign = org.person("create", object="Campaign", fields={"Name": "Fair"})["id"]
    cursor = crm.changes("Campaign", ["NumberOfLeads"], None).cursor
    org.at(NOON + timedelta(hours=1))
    cursor = crm.changes("Campaign", ["NumberOfLeads"], cursor).cursor
    org.at(NOON + timedelta(hours=2))
    org.person("create", object="CampaignMember", fields={"CampaignId": campaign, "LeadId": lead})
    assert joined(crm.changes("Campaign", ["NumberOfLeads"], cursor).slabs).height == 0
    assert joined(crm.fetch("Campaign", ["NumberOfLeads"], [campaign]))["NumberOfLeads"].to_list() == ["1"]


def test_20_nothing_listens_to_the_legacy_streams(org: Org) -> None:
    assert org.bare("POST", "/cometd/66.0", [{"channel": "/meta/handshake"}]).status_code == 404
    legacy = re.compile(r"/cometd/|PushTopic", re.IGNORECASE)
    sources = Path(vendor_side.__file__).parent.rglob("*.py")
    assert [path.name for path in sources if legacy.search(path.read_text("utf-8"))] == []


def test_21_no_certificate_comes_from_the_environment(org: Org, tmp_path: Path, monkeypatch: Any) -> None:
    bundle = tmp_path / "other.pem"
    bundle.write_text("not a certificate", "utf-8")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    session = open_session(loopback=urlsplit(org.url).netloc)
    settings = session.merge_environment_settings("https://x.my.salesforce.com", {}, None, None, None)
    assert settings["verify"] is not False
    assert settings["verify"] != str(bundle)
    session.close()


def test_no_gotcha_is_without_a_test() -> None:
    numbers = {int(name[5:7]) for name in globals() if re.match(r"test_\d\d_", name)}
    assert numbers == set(range(1, 22))
