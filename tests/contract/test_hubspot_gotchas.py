"""The 28 traps of the HubSpot reference, section 12: each is a behaviour of the sandbox and of the connector.

Most have their tests where the behaviour is tested anyway. They are named here, and a test sees to it that
they exist; what is missing elsewhere is below.

== ==================================== ======================================================================
 1 search ends at 10,000; equal stamps  test_nothing_beyond_the_ten_thousandth_row_is_ever_shown
                                        test_walking_by_id_within_a_window_ends_and_misses_nobody
                                        test_more_records_than_a_search_can_page_through_share_one_time
 2 search lags                          test_during_index_lag_a_new_contact_is_missing_and_an_archived_one_still_there
                                        test_an_upsert_makes_no_twin_while_the_search_does_not_show_the_record_yet
 3 batches are all or nothing           test_without_trace_ids_one_bad_property_fails_the_whole_batch
                                        test_with_trace_ids_the_good_rows_are_written_and_the_bad_ones_named
                                        test_bad_rows_are_refused_and_the_others_written
 4 order and case of results            test_a_batch_answers_every_row_but_not_in_the_order_sent
                                        test_shuffled_results_with_lower_case_addresses_find_their_writes
 5 an id twice in a batch               test_an_id_that_comes_twice_fails_the_whole_update
                                        test_changes_of_one_record_are_made_in_their_order
 6 idProperty that is not unique        test_an_upsert_by_a_property_that_is_not_unique_is_refused
                                        test_a_property_that_is_not_unique_is_never_upserted_by
 7 a merge gives a new id               test_a_merge_makes_a_new_record_that_both_old_ids_lead_to
                                        test_a_merged_id_works_in_a_single_patch_but_not_in_a_batch
                                        test_an_old_id_of_a_merged_record_is_refused
 8 a backward stage is ignored          test_a_backward_stage_write_is_ignored
                                        test_a_backward_stage_is_ignored_and_shown_so
 9 association 1 and 279; PUT replaces  test_putting_a_label_makes_the_plain_type_too_and_replaces_what_was_there
                                        test_each_contact_has_its_primary_or_its_only_company
10 archived: unseen and not stamped     test_archived_contacts_are_never_found
                                        test_an_archived_contact_is_out_of_sight_but_not_stamped
                                        test_archived_records_come_with_their_time_and_only_since_then
                                        test_an_archived_record_is_told_though_no_reading_of_changes_shows_it
11 null or absent                       test_empty_properties_can_be_absent_instead
                                        test_a_blank_is_a_blank_under_both_habits
12 urllib3 2.6.0                        test_the_urllib3_that_broke_the_vendors_client_cannot_be_installed
13 hidden retries of the client         test_a_busy_answer_is_waited_for_by_us_and_never_inside_the_client
14 echoes of our own writes             test_our_own_write_comes_back_stamped_and_signed_with_our_app
                                        test_a_second_sync_right_after_writes_nothing_in_both_crms
15 eventId is not unique                test_duplicates_are_found_by_what_they_say_not_by_their_event_id
                                        test_events_that_share_an_event_id_are_kept_apart
16 secondary addresses are unique too   test_a_secondary_email_is_as_unique_as_the_first
                                        test_an_address_that_is_somebodys_second_one_is_refused_alone
17 values of choices, not labels        test_a_choice_is_written_by_its_value_in_its_own_case
18 dates at midnight UTC                test_a_date_is_kept_as_a_day_and_must_be_midnight_utc
                                        test_a_date_is_written_as_a_day
19 read-only properties                 test_without_trace_ids_a_property_that_is_read_only_fails_the_whole_batch
                                        test_what_hubspot_computes_or_locks_cannot_be_written
20 rules of an admin in 2026-09         test_rules_of_an_admin_hold_back_writes_of_2026_09_alone
                                        test_a_broken_rule_refuses_one_record_and_writes_the_others
                                        test_the_rules_of_an_account_can_be_read
21 numbers as ids, here and there       test_ids_in_bodies_of_associations_are_numbers
                                        test_ids_are_numbers_in_webhooks_and_texts_with_us
22 lastmodifieddate and its other name  test_companies_have_their_own_stamp_and_defaults
                                        test_companies_have_a_time_stamp_of_another_name
23 3,000 characters of a search         test_the_body_is_measured_in_characters_not_bytes
                                        test_no_search_is_longer_than_hubspot_takes
24 no rate headers on a search          test_search_has_a_window_of_its_own_and_no_headers
                                        test_searches_have_a_limit_of_their_own
25 thousands with one time stamp        test_an_import_stamps_all_its_rows_at_once_and_none_is_missed
26 a privacy deletion is two events     test_a_privacy_deletion_is_two_events_and_their_order_is_left_to_chance
27 owner ids and user ids               test_an_owner_is_assigned_by_id_and_a_user_id_is_refused
                                        test_owners_come_with_those_who_left
28 addresses of exports run out         test_an_address_that_ran_out_is_asked_for_again_and_is_never_told
== ==================================== ======================================================================
"""

from __future__ import annotations

import json
import re
import time
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

import hubspot.crm.contacts as contacts
import pytest
import requests
from hubspot import HubSpot

from connectors.crm import FieldSpec, Write
from connectors.errors import NeedsPerson
from connectors.hubspot.api import Api, Version
from connectors.hubspot.crm import HubSpotCrm
from connectors.hubspot.events import Event, Kind, parse
from connectors.hubspot.rules import Rule, read_rules
from connectors.quota import MemoryLedger, Quota, Rate
from connectors.retry import Retry
from connectors.sandbox.credentials import HUBSPOT_TOKEN
from connectors.sandbox.hubspot.account import APP_ID, OWNERS
from connectors.sandbox.hubspot.rules import CODE
from connectors.sandbox.serving import sandbox
from connectors.session import open_session

ROOT = Path(__file__).resolve().parents[2]
KEY = "leadpact_key"
CONTACTS = "/crm/v3/objects/contacts"
#: No waiting for windows, which have tests of their own.
WIDE = {"calls": Rate(10_000, 10.0), "search": Rate(10_000, 1.0)}


class Account:
    """A new account with our unique property, its controls, and connectors to it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.slept: list[float] = []
        self.http = requests.Session()
        self.http.trust_env = False
        self.control("reset", seed=1)
        self.control("clock", run=True)
        self.control("limits", ten_secondly=None, secondly_search=None)
        self.crm = self.connect()
        self.crm.add_fields("contacts", [FieldSpec(KEY, "Lead key", "text", unique=True)])

    def quota(self) -> Quota:
        ledger = MemoryLedger(time.monotonic)
        return Quota("hubspot", WIDE, ledger=ledger, clock=lambda: datetime.now(UTC), sleep=self.sleep)

    def connect(self, version: Version = "v3") -> HubSpotCrm:
        retry = Retry(sleep=self.sleep)
        return HubSpotCrm(HUBSPOT_TOKEN, self.url, open_session(), self.quota(), retry=retry, version=version)

    def api(self) -> Api:
        return Api(HUBSPOT_TOKEN, self.url, open_session(), self.quota(), Retry(sleep=self.sleep))

    def sleep(self, seconds: float) -> None:
        """Real, because windows are counted in real time; cut short, because faults are not."""
        self.slept.append(seconds)
        time.sleep(min(seconds, 1.2))

    def control(self, name: str, **wanted: Any) -> Any:
        answer = self.http.post(f"{self.url}/_sandbox/{name}", json=wanted, timeout=60)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {HUBSPOT_TOKEN}"}
        answer = self.http.request(method, f"{self.url}{path}", json=body, headers=headers, timeout=60)
        return answer.status_code, answer.json() if answer.content else None

    def made(self, **properties: str) -> str:
        status, body = self.call("POST", CONTACTS, {"properties": properties})
        assert status == 201, body
        return str(body["id"])

    def requests(self, path: str) -> int:
        found = self.http.get(f"{self.url}/_sandbox/requests", timeout=60).json()["requests"]
        return sum(call["path"].split("?")[0] == path for call in found)

    def all_contacts(self) -> int:
        return sum(len(slab.frame) for slab in self.crm.changes("contacts", [], None).slabs)

    def told(self) -> list[Event]:
        """What the webhooks said: nobody listens, so it is read where the sandbox keeps what it sent."""
        end = time.monotonic() + 60
        while True:
            told = self.http.get(f"{self.url}/_sandbox/state?object=webhooks", timeout=60).json()
            if told["records"] and not told["flying"]:
                sent = [json.dumps(record["events"]) for record in told["records"]]
                return [event for body in sent for event in parse(body.encode())]
            assert time.monotonic() < end, told
            time.sleep(0.01)

    def declare(self, *events: dict[str, str]) -> None:
        target = "http://127.0.0.1:9/webhooks"
        self.control("people", action="declare_webhooks", target_url=target, events=list(events))


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with sandbox() as served:
        yield served.hubspot_url


@pytest.fixture
def account(url: str) -> Iterator[Account]:
    found = Account(url)
    yield found
    found.crm.close()
    found.http.close()


def test_every_test_named_above_is_there_and_every_trap_has_one() -> None:
    named = re.findall(r"\btest_\w+", __doc__ or "")
    numbers = [int(found) for found in re.findall(r"^ ?(\d+) ", __doc__ or "", re.MULTILINE)]
    there = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text("utf-8"), re.MULTILINE)
    }
    assert numbers == list(range(1, 29))
    assert set(named) <= there


def test_an_upsert_makes_no_twin_while_the_search_does_not_show_the_record_yet(account: Account) -> None:
    account.control("limits", search_lag_ms=3_600_000)
    write = Write("t", None, {"email": "ada@acme.test"}, key=(KEY, "K1"))
    (first,) = account.crm.write("contacts", [write])
    searched = {"filterGroups": [{"filters": [{"propertyName": KEY, "operator": "EQ", "value": "K1"}]}]}
    assert account.call("POST", f"{CONTACTS}/search", searched)[1]["total"] == 0
    (again,) = account.crm.write("contacts", [write])
    assert (first.created, again.created, again.record_id) == (True, False, first.record_id)
    assert account.all_contacts() == 1


def test_a_property_that_is_not_unique_is_never_upserted_by(account: Account) -> None:
    before = account.requests(f"{CONTACTS}/batch/upsert")
    account.crm.write("contacts", [Write("t", None, {"firstname": "Ada"}, key=("city", "Ulm"))])
    assert account.requests(f"{CONTACTS}/batch/upsert") == before


def test_putting_a_label_makes_the_plain_type_too_and_replaces_what_was_there(account: Account) -> None:
    contact = account.made(email="ada@acme.test")
    ids = []
    for name in ("Acme", "Bolt"):
        _, body = account.call("POST", "/crm/v3/objects/companies", {"properties": {"name": name}})
        ids.append(str(body["id"]))
    path = f"/crm/v4/objects/contact/{contact}/associations/company"
    for id_ in ids:
        primary = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 1}]
        assert account.call("PUT", f"{path}/{id_}", primary)[0] in (200, 201)
    found = {
        row["toObjectId"]: {type_["typeId"] for type_ in row["associationTypes"]}
        for row in account.call("GET", path)[1]["results"]
    }
    assert found == {int(ids[0]): {279}, int(ids[1]): {1, 279}}
    plain = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 279}]
    account.call("PUT", f"{path}/{ids[1]}", plain)
    rows = account.call("GET", path)[1]["results"]
    assert [{t["typeId"] for t in row["associationTypes"]} for row in rows] == [{279}, {279}]
    companies = account.crm.companies_of([contact])
    assert companies.is_empty(), "of two companies without a primary one neither is chosen"


def test_an_archived_record_is_told_though_no_reading_of_changes_shows_it(account: Account) -> None:
    id_ = account.made(email="ada@acme.test")
    cursor = account.crm.changes("contacts", ["email"], None).cursor
    account.declare({"eventType": "contact.deletion"})
    account.call("DELETE", f"{CONTACTS}/{id_}")
    reading = account.crm.changes("contacts", ["email"], cursor)
    assert [slab.frame["_id"].to_list() for slab in reading.slabs if len(slab.frame)] == []
    (event,) = account.told()
    assert (event.kind, event.record_id) == (Kind.ARCHIVED, id_)


def test_the_urllib3_that_broke_the_vendors_client_cannot_be_installed() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    (pin,) = [need for need in project["project"]["dependencies"] if need.startswith("urllib3")]
    assert pin == "urllib3>=2.6.1,<3"
    assert installed("urllib3") != "2.6.0"


def test_a_busy_answer_is_waited_for_by_us_and_never_inside_the_client(account: Account) -> None:
    window = {"X-HubSpot-RateLimit-Interval-Milliseconds": "1000"}
    busy = {"times": 1, "status": 429, "headers": {"Retry-After": "1", **window}}
    path = f"{CONTACTS}/1"
    # What the client does by itself: it sleeps as long as it is told and asks again, and nobody learns of it.
    account.control("faults", match={"path": path}, **busy)
    client = HubSpot(access_token=HUBSPOT_TOKEN, host=account.url).crm.contacts.basic_api
    before = account.requests(path)
    with pytest.raises(contacts.exceptions.ApiException) as missing:
        client.get_by_id("1")
    assert (missing.value.status, account.requests(path) - before) == (404, 2)
    # Under our session the same method meets the refusal, and our own policy decides.
    pipelines = "/crm/v3/pipelines/contacts"
    account.control("faults", match={"path": pipelines}, **busy)
    before = account.requests(pipelines)
    assert account.crm.pipelines("contacts")
    assert account.requests(pipelines) - before == 2
    assert account.slept, "the wait is ours, and whoever hands in the sleep sees it"


def test_our_own_write_comes_back_stamped_and_signed_with_our_app(account: Account) -> None:
    id_ = account.made(email="ada@acme.test")
    _, before = account.call("GET", f"{CONTACTS}/{id_}")
    account.declare({"eventType": "contact.propertyChange", "propertyName": "city"})
    time.sleep(0.002)
    account.crm.write("contacts", [Write("t", id_, {"city": "Ulm"})])
    _, after = account.call("GET", f"{CONTACTS}/{id_}")
    assert after["updatedAt"] > before["updatedAt"]
    (event,) = account.told()
    assert event.made_by(APP_ID)
    assert not event.made_by("19083002"), "another integration's write is no echo of ours"


def test_an_address_that_is_somebodys_second_one_is_refused_alone(account: Account) -> None:
    one, two = account.made(email="a@acme.test"), account.made(email="b@acme.test")
    account.call("POST", f"{CONTACTS}/merge", {"primaryObjectId": one, "objectIdToMerge": two})
    status, body = account.call("POST", CONTACTS, {"properties": {"email": "b@acme.test"}})
    assert (status, body["category"]) == (409, "CONFLICT")
    writes = [
        Write("t1", None, {"email": "b@acme.test"}, key=(KEY, "K1")),
        Write("t2", None, {"email": "c@acme.test"}, key=(KEY, "K2")),
    ]
    refused, written = account.crm.write("contacts", writes)
    assert (refused.outcome, refused.code, written.outcome) == ("refused", "CONFLICT", "written")


@pytest.mark.parametrize(
    ("value", "taken"),
    [("customer", True), ("Customer", False), ("CUSTOMER", False), ("Marketing Qualified Lead", False)],
)
def test_a_choice_is_written_by_its_value_in_its_own_case(account: Account, value: str, taken: bool) -> None:
    status, body = account.call(
        "POST", CONTACTS, {"properties": {"email": "a@acme.test", "lifecyclestage": value}}
    )
    assert (status == 201) is taken, body
    write = Write("t", None, {"email": "b@acme.test", "lifecyclestage": value}, key=(KEY, "K1"))
    (written,) = account.crm.write("contacts", [write])
    assert (written.outcome, written.code) == (("written", "") if taken else ("refused", "INVALID_OPTION"))
    account.made(email="c@acme.test", lifecyclestage="customer")
    wanted = [{"propertyName": "lifecyclestage", "operator": "EQ", "value": value}]
    found = account.call("POST", f"{CONTACTS}/search", {"filterGroups": [{"filters": wanted}]})[1]
    assert bool(found["total"]) is taken


def test_a_date_is_written_as_a_day(account: Account) -> None:
    account.crm.add_fields("contacts", [FieldSpec("leadpact_day", "Day", "date")])
    write = Write("t", None, {"email": "a@acme.test", "leadpact_day": "2026-03-01"}, key=(KEY, "K1"))
    (written,) = account.crm.write("contacts", [write])
    assert written.outcome == "written", written
    _, body = account.call("GET", f"{CONTACTS}/{written.record_id}?properties=leadpact_day")
    assert body["properties"]["leadpact_day"] == "2026-03-01"
    noon = int(datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp() * 1000)
    status, refused = account.call(
        "PATCH", f"{CONTACTS}/{written.record_id}", {"properties": {"leadpact_day": str(noon)}}
    )
    assert (status, refused["errors"][0]["code"]) == (400, "INVALID_DATE")


def test_without_trace_ids_a_property_that_is_read_only_fails_the_whole_batch(account: Account) -> None:
    ids = [account.made(email=f"{name}@acme.test") for name in "ab"]
    inputs = [
        {"id": ids[0], "properties": {"city": "Ulm"}},
        {"id": ids[1], "properties": {"num_conversion_events": "3"}},
    ]
    status, body = account.call("POST", f"{CONTACTS}/batch/update", {"inputs": inputs})
    assert (status, body["errors"][0]["code"]) == (400, "READ_ONLY_VALUE")
    _, first = account.call("GET", f"{CONTACTS}/{ids[0]}?properties=city")
    assert first["properties"]["city"] is None
    schema = account.crm.describe("contacts")
    assert not schema.fields["num_conversion_events"].updatable


def short_cities(account: Account) -> None:
    path = "/crm/property-validations/2026-09/0-1/city/rule-type/MAX_LENGTH"
    assert account.call("PUT", path, {"ruleArguments": ["5"]})[0] == 204


@pytest.mark.parametrize(
    ("root", "status"),
    [("/crm/v3/objects", 201), ("/crm/objects/2026-03", 201), ("/crm/objects/2026-09", 400)],
)
def test_rules_of_an_admin_hold_back_writes_of_2026_09_alone(
    account: Account, root: str, status: int
) -> None:
    short_cities(account)
    body = {"properties": {"email": "ada@acme.test", "city": "Friedrichshafen"}}
    got, answer = account.call("POST", f"{root}/contacts", body)
    assert got == status
    if status == 400:
        assert (answer["category"], answer["errors"][0]["code"]) == ("VALIDATION_ERROR", CODE)
        assert account.all_contacts() == 0


def test_people_are_not_held_to_the_rules_of_the_api(account: Account) -> None:
    short_cities(account)
    made = account.control(
        "people", action="create", properties={"firstname": "Ada", "city": "Friedrichshafen"}
    )
    assert made["properties"]["city"] == "Friedrichshafen"


def test_a_broken_rule_refuses_one_record_and_writes_the_others(account: Account) -> None:
    short_cities(account)
    cities = ("Ulm", "Friedrichshafen", "Bonn")
    writes = [
        Write(f"t{n}", None, {"email": f"p{n}@acme.test", "city": city}, key=(KEY, f"K{n}"))
        for n, city in enumerate(cities)
    ]
    crm = account.connect("2026-09")
    results = crm.write("contacts", writes)
    crm.close()
    assert [(w.outcome, w.code) for w in results] == [("written", ""), ("refused", CODE), ("written", "")]
    assert "Friedrichshafen" not in results[1].message


def test_the_rules_of_an_account_can_be_read(account: Account) -> None:
    assert read_rules(account.api(), "0-1") == []
    short_cities(account)
    account.call(
        "PUT", "/crm/v3/property-validations/contacts/zip/rule-type/REGEX", {"ruleArguments": ["[0-9]+"]}
    )
    wanted = [Rule("city", "MAX_LENGTH", ("5",)), Rule("zip", "REGEX", ("[0-9]+",))]
    for version in ("v3", "2026-03", "2026-09"):
        assert read_rules(account.api(), "0-1", version) == wanted
    account.call("PUT", "/crm/v3/property-validations/contacts/zip/rule-type/REGEX", {"ruleArguments": []})
    assert read_rules(account.api(), "0-1") == wanted[:1]
    account.control("limits", scopes=["crm.objects.contacts.read"])
    assert read_rules(account.api(), "0-1") is None
    account.control("limits", token="revoked")
    with pytest.raises(NeedsPerson):
        read_rules(account.api(), "0-1")


def test_ids_are_numbers_in_webhooks_and_texts_with_us(account: Account) -> None:
    account.declare({"eventType": "contact.creation"})
    id_ = account.made(email="ada@acme.test")
    (event,) = account.told()
    sent = account.http.get(f"{account.url}/_sandbox/state?object=webhooks", timeout=60).json()["records"]
    assert sent[0]["events"][0]["objectId"] == int(id_)
    assert (event.record_id, event.records) == (id_, (("contacts", id_),))


def test_an_import_stamps_all_its_rows_at_once_and_none_is_missed(account: Account) -> None:
    at = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    cursor = {"since": (datetime.now(UTC) - timedelta(hours=2)).isoformat()}
    rows = [{"email": f"p{n}@acme.test", "_created": at, "_modified": at} for n in range(1_500)]
    ids = account.control("load", object="contacts", rows=rows)["ids"]
    reading = account.crm.changes("contacts", ["email"], cursor)
    found = [id_ for slab in reading.slabs for id_ in slab.frame["_id"].to_list()]
    assert sorted(found) == sorted(ids)


def test_an_owner_is_assigned_by_id_and_a_user_id_is_refused(account: Account) -> None:
    owner = OWNERS[1]
    writes = [
        Write(f"t{n}", None, {"email": f"p{n}@acme.test", "hubspot_owner_id": str(given)}, key=(KEY, f"K{n}"))
        for n, given in enumerate((owner.id, owner.user_id))
    ]
    assert [w.outcome for w in account.crm.write("contacts", writes)] == ["written", "refused"]
    archived = account.call("GET", "/crm/v3/owners/?archived=true")[1]["results"]
    assert [(one["userId"], one["userIdIncludingInactive"]) for one in archived] == [
        (None, OWNERS[-1].user_id)
    ]
    known = {o.id: o.archived for o in account.crm.owners()}
    assert known[str(OWNERS[-1].id)] is True
    assert str(owner.user_id) not in known
