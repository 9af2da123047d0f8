"""The Webhooks Journal, read from the pretend HubSpot (HubSpot reference, section 10.4).

HubSpot's own newer client is the second judge of the addresses and answers.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from hubspot_sdk import HubSpot as NewHubSpot

from connectors.errors import NeedsPerson, OurBug, RetryLater
from connectors.hubspot.api import RATES, Api
from connectors.hubspot.events import Association, Event, Kind
from connectors.hubspot.journal import MARGIN, RETENTION, Gap, Journal, JournalCursor, Page
from connectors.hubspot.subscriptions import JOURNAL_SCOPES, JournalSubscriptions
from connectors.hubspot.token import AppTokens
from connectors.quota import MemoryLedger, Quota
from connectors.retry import Retry
from connectors.sandbox.credentials import HUBSPOT_CLIENT_SECRET, HUBSPOT_TOKEN
from connectors.sandbox.hubspot.account import PORTAL_ID
from connectors.sandbox.hubspot.oauth import CLIENT_ID
from connectors.sandbox.serving import sandbox
from connectors.session import open_session

START = datetime(2026, 11, 22, 8, tzinfo=UTC)
PORTAL = str(PORTAL_ID)
FILES = "/webhooks-journal-files/"


class Account:
    """The pretend account, our clock beside its clock, and the connector's objects on it."""

    def __init__(self, url: str) -> None:
        self.url, self.now = url, START
        self.http = requests.Session()
        self.http.trust_env = False
        self.slept: list[float] = []

    def control(self, name: str, **wanted: Any) -> Any:
        answer = self.http.post(f"{self.url}/_sandbox/{name}", json=wanted, timeout=60)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def pass_time(self, **step: float) -> None:
        self.now += timedelta(**step)
        self.control("clock", advance_seconds=timedelta(**step).total_seconds())

    def call(self, method: str, path: str, body: Any = None) -> Any:
        headers = {"Authorization": f"Bearer {HUBSPOT_TOKEN}"}
        answer = self.http.request(method, f"{self.url}{path}", json=body, headers=headers, timeout=60)
        assert answer.status_code < 400, answer.text
        return answer.json() if answer.content else None

    def contact(self, **properties: str) -> str:
        return str(self.call("POST", "/crm/v3/objects/contacts", {"properties": properties})["id"])

    def tokens(self, *scopes: str) -> AppTokens:
        wanted = scopes or JOURNAL_SCOPES
        session = open_session()
        return AppTokens(session, self.url, CLIENT_ID, HUBSPOT_CLIENT_SECRET, wanted, clock=lambda: self.now)

    def api(self, *scopes: str) -> Api:
        ledger = MemoryLedger(time.monotonic)
        quota = Quota("journal", RATES, ledger=ledger, clock=lambda: self.now, sleep=self.slept.append)
        retry = Retry(sleep=self.slept.append, tries=3)
        return Api(self.tokens(*scopes), self.url, open_session(), quota, retry)

    def journal(self, account: str = "", **more: Any) -> Journal:
        return Journal(
            self.api(), open_session(), Retry(sleep=self.slept.append, tries=3), account=account, **more
        )

    @property
    def wants(self) -> JournalSubscriptions:
        return JournalSubscriptions(self.api())

    def read(self, cursor: JournalCursor | None = None, **more: Any) -> tuple[list[Event], JournalCursor]:
        pages = list(self.journal(**more).read(cursor))
        return events_of(pages), pages[-1].cursor

    def calls(self) -> list[dict[str, Any]]:
        found = self.http.get(f"{self.url}/_sandbox/requests", timeout=60).json()["requests"]
        return [dict(call) for call in found]


def events_of(pages: list[Page]) -> list[Event]:
    return [event for page in pages for event in page.events]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with sandbox() as served:
        yield served.hubspot_url


@pytest.fixture
def account(url: str) -> Iterator[Account]:
    found = Account(url)
    found.control("reset", seed=1)
    found.control("clock", now=START.isoformat())
    found.http.delete(f"{url}/_sandbox/requests", timeout=60)
    yield found
    found.http.close()


@pytest.fixture
def told(account: Account) -> Account:
    """An account whose contacts are subscribed to: e-mail address and city."""
    account.wants.ensure(PORTAL, "0-1", ["email", "city"])
    return account


def test_what_happened_comes_in_order_and_only_once(told: Account) -> None:
    id_ = told.contact(email="ada@acme.test", city="Ulm")
    told.pass_time(seconds=1)
    told.call("PATCH", f"/crm/v3/objects/contacts/{id_}", {"properties": {"city": "Bonn", "zip": "1"}})
    told.call("DELETE", f"/crm/v3/objects/contacts/{id_}")
    events, cursor = told.read()
    assert [event.kind for event in events] == [Kind.CREATED, Kind.CHANGED, Kind.ARCHIVED]
    assert {event.records for event in events} == {(("contacts", id_),)}
    assert {event.account for event in events} == {PORTAL}
    assert events[0].changes == {"email": "ada@acme.test", "city": "Ulm"}
    assert events[1].changes == {"city": "Bonn"}
    assert [event.occurred_at for event in events] == [START, *[START + timedelta(seconds=1)] * 2]
    assert told.read(cursor) == ([], cursor)
    told.control("people", action="restore", id=id_)
    assert [event.kind for event in told.read(cursor)[0]] == [Kind.RESTORED]


def test_a_change_of_another_property_is_not_told(told: Account) -> None:
    id_ = told.contact(email="ada@acme.test")
    _, cursor = told.read()
    told.call("PATCH", f"/crm/v3/objects/contacts/{id_}", {"properties": {"zip": "1"}})
    assert told.read(cursor)[0] == []


def test_an_empty_journal_gives_a_cursor_that_finds_what_comes(told: Account) -> None:
    for begun in (told.journal().start(), told.read()[1]):
        assert begun == JournalCursor("", START)
    id_ = told.contact(firstname="Ada")
    assert [event.record_id for event in told.read(begun)[0]] == [id_]


def test_a_reading_can_begin_with_what_happens_from_now_on(told: Account) -> None:
    told.contact(firstname="Ada")
    begun = told.journal().start()
    id_ = told.contact(firstname="Eva")
    assert [event.record_id for event in told.read(begun)[0]] == [id_]


@pytest.mark.parametrize("local", [False, True])
def test_a_large_import_is_read_to_its_end(told: Account, local: bool) -> None:
    rows = [{"email": f"p{n}@acme.test"} for n in range(2_300)]
    ids = told.control("load", object="contacts", rows=rows)["ids"]
    events, cursor = told.read(at_once=2, local=local)
    assert [event.record_id for event in events] == ids
    assert told.read(cursor)[0] == []


def test_a_reading_that_stops_goes_on_behind_its_last_page(told: Account) -> None:
    rows = [{"email": f"p{n}@acme.test"} for n in range(1_200)]
    ids = told.control("load", object="contacts", rows=rows)["ids"]
    first = next(told.journal().read(None))
    events, _ = told.read(JournalCursor.of_json(json.loads(json.dumps(first.cursor.as_json()))))
    assert [event.record_id for event in (*first.events, *events)] == ids


def test_merges_erasures_and_associations_are_told(told: Account) -> None:
    company = str(told.call("POST", "/crm/v3/objects/companies", {"properties": {"name": "Acme"}})["id"])
    wanted = {
        "subscriptionType": "ASSOCIATION",
        "objectTypeId": "0-1",
        "portalId": PORTAL_ID,
        "actions": ["ASSOCIATION_ADDED", "ASSOCIATION_REMOVED"],
        "associatedObjectTypeIds": ["0-2"],
        "objectIds": [],
    }
    headers = {"Authorization": f"Bearer {told.tokens().current()}"}
    address = f"{told.url}/webhooks-journal/subscriptions/2026-03"
    assert told.http.post(address, json=wanted, headers=headers, timeout=60).status_code == 201
    one, two, three = (told.contact(email=f"{name}@acme.test") for name in "abc")
    _, cursor = told.read()
    told.call("PUT", f"/crm/v4/objects/contact/{one}/associations/default/company/{company}")
    merging = {"primaryObjectId": one, "objectIdToMerge": two}
    merged = told.call("POST", "/crm/v3/objects/contacts/merge", merging)["id"]
    told.call("POST", "/crm/v3/objects/contacts/gdpr-delete", {"objectId": three})
    linked, joined, *gone = told.read(cursor)[0]
    assert (linked.kind, linked.record_id) == (Kind.ASSOCIATED, one)
    assert linked.association == Association("companies", company, "CONTACT_TO_COMPANY")
    assert (joined.kind, joined.record_id, set(joined.gone_ids)) == (Kind.MERGED, merged, {one, two})
    assert {event.kind for event in gone} == {Kind.ERASED, Kind.ARCHIVED}
    assert {event.record_id for event in gone} == {three}


def test_an_absence_longer_than_the_journals_memory_is_a_gap(told: Account) -> None:
    told.contact(email="ada@acme.test")
    _, cursor = told.read()
    told.pass_time(hours=2)
    told.contact(email="missed@acme.test")
    told.pass_time(days=3, hours=1)
    late = told.contact(email="late@acme.test")
    pages = list(told.journal().read(cursor))
    assert pages[0].gap == Gap(START - MARGIN, told.now)
    assert [page.gap for page in pages[1:]] == [None]
    assert [event.record_id for event in events_of(pages)] == [late]
    assert told.read(pages[-1].cursor)[0] == []


@pytest.mark.parametrize(
    ("absence", "lost"),
    [(timedelta(days=2, hours=22, minutes=59), False), (RETENTION - MARGIN, True), (RETENTION, True)],
)
def test_the_journal_is_relied_on_for_three_days_less_an_hour(
    told: Account, absence: timedelta, lost: bool
) -> None:
    told.contact(email="ada@acme.test")
    _, cursor = told.read()
    id_ = told.contact(email="eva@acme.test")
    told.pass_time(seconds=absence.total_seconds())
    first = next(told.journal().read(cursor))
    assert (first.gap is not None) is lost
    assert (id_ in {event.record_id for event in first.events}) or lost


def test_a_gap_is_told_though_nothing_happened_since(told: Account) -> None:
    _, cursor = told.read()
    told.pass_time(days=4)
    pages = list(told.journal().read(cursor))
    assert [(page.events, page.gap) for page in pages] == [((), Gap(START - MARGIN, told.now))]
    assert [page.gap for page in told.journal().read(pages[-1].cursor)] == [None]


@pytest.mark.parametrize("answer", ["refused", "earliest"])
def test_hubspots_answer_to_a_lost_offset_does_not_matter(told: Account, answer: str) -> None:
    told.control("limits", journal_lost_offset=answer)
    told.contact(email="ada@acme.test")
    _, cursor = told.read()
    told.contact(email="missed@acme.test")
    told.pass_time(days=5)
    pages = list(told.journal().read(cursor))
    assert [page.gap for page in pages] == [Gap(START - MARGIN, told.now)]


def test_an_offset_that_nobody_knows_is_a_gap_whatever_our_clock_says(told: Account) -> None:
    told.pass_time(hours=1)
    id_ = told.contact(email="ada@acme.test")
    wrong = JournalCursor("0b34ec9e-e3dc-4cdf-aa7e-a48a1de3e220", START)
    pages = list(told.journal().read(wrong))
    assert pages[0].gap == Gap(START - MARGIN, told.now)
    assert [event.record_id for event in events_of(pages)] == [id_]


def test_a_quiet_week_that_was_watched_is_no_gap(told: Account) -> None:
    told.contact(email="ada@acme.test")
    _, cursor = told.read()
    for _ in range(7):
        told.pass_time(days=1)
        (page,) = told.journal().read(cursor)
        assert page.gap is None
        cursor = page.cursor
    id_ = told.contact(email="eva@acme.test")
    assert [event.record_id for event in told.read(cursor)[0]] == [id_]


def test_files_are_fetched_without_any_token(told: Account) -> None:
    told.contact(email="ada@acme.test")
    told.read()
    fetched = [call for call in told.calls() if call["path"].startswith(FILES)]
    assert [call["status"] for call in fetched] == [200]
    entry = told.http.get(
        f"{told.url}/webhooks-journal/journal/2026-03/earliest",
        headers={"Authorization": f"Bearer {told.tokens().current()}"},
        timeout=60,
    ).json()
    with_token = {"Authorization": f"Bearer {HUBSPOT_TOKEN}"}
    assert told.http.get(entry["url"], headers=with_token, timeout=60).status_code == 400
    assert told.http.get(entry["url"], timeout=60).status_code == 200
    assert told.http.get(entry["url"][:-1] + "x", timeout=60).status_code == 403
    told.pass_time(hours=1)
    assert told.http.get(entry["url"], timeout=60).status_code == 403


def test_a_file_whose_address_has_run_out_is_fetched_at_a_new_one(told: Account) -> None:
    id_ = told.contact(email="ada@acme.test")
    told.control("faults", match={"path": FILES}, times=1, status=403)
    assert [event.record_id for event in told.read()[0]] == [id_]
    assert [call["path"] for call in told.calls() if call["path"].endswith("/batch/read")]


@pytest.mark.parametrize("fault", [{"status": 403}, {"status": 503}, {"drop": "before"}, {"truncate": 30}])
def test_a_file_that_cannot_be_fetched_is_tried_later_and_no_page_is_skipped(
    told: Account, fault: dict[str, Any]
) -> None:
    id_ = told.contact(email="ada@acme.test")
    told.control("faults", match={"path": FILES}, times=-1, **fault)
    with pytest.raises(RetryLater) as raised:
        told.read()
    assert "Signature" not in f"{raised.value} {raised.value!r}"
    told.http.delete(f"{told.url}/_sandbox/faults", timeout=60)
    assert [event.record_id for event in told.read()[0]] == [id_]


def test_a_download_that_breaks_is_repeated_at_once(told: Account) -> None:
    id_ = told.contact(email="ada@acme.test")
    told.control("faults", match={"path": FILES}, times=2, status=503)
    assert [event.record_id for event in told.read()[0]] == [id_]
    assert len(told.slept) == 2


def test_a_file_that_is_none_is_a_bug_and_quotes_nothing(told: Account) -> None:
    told.contact(email="ada@acme.test")
    told.control(
        "faults", match={"path": FILES}, times=1, status=200, body={"journalEvents": "ada@acme.test"}
    )
    with pytest.raises(OurBug) as raised:
        told.read()
    assert "acme" not in str(raised.value)


def test_a_token_without_the_right_needs_a_person_who_learns_which(told: Account) -> None:
    api = told.api("developer.webhooks_journal.subscriptions.read")
    with pytest.raises(NeedsPerson) as raised:
        list(Journal(api, open_session(), Retry(sleep=told.slept.append)).read(None))
    assert "developer.webhooks_journal.read" in raised.value.fix


def test_the_journals_token_and_the_accounts_are_two_things(told: Account) -> None:
    for_crm = {"Authorization": f"Bearer {HUBSPOT_TOKEN}"}
    for_app = {"Authorization": f"Bearer {told.tokens().current()}"}
    journal = f"{told.url}/webhooks-journal/journal/2026-03/earliest"
    contacts = f"{told.url}/crm/v3/objects/contacts"
    assert told.http.get(journal, headers=for_crm, timeout=60).status_code == 401
    assert told.http.get(contacts, headers=for_app, timeout=60).status_code == 401
    assert told.http.get(journal, headers=for_app, timeout=60).status_code == 204


def test_the_apps_token_is_renewed_before_it_ends(told: Account) -> None:
    journal = told.journal()
    list(journal.read(None))
    told.pass_time(minutes=29)
    list(journal.read(None))
    calls = told.calls()
    assert 401 not in {call["status"] for call in calls}
    # One for the fixture's subscriptions, two for the reading.
    assert sum(call["path"].endswith("/oauth/2026-03/token") for call in calls) == 3


def test_the_newest_token_endpoint_does_not_know_the_apps_own_grant(account: Account) -> None:
    tokens = AppTokens(
        open_session(),
        account.url,
        CLIENT_ID,
        HUBSPOT_CLIENT_SECRET,
        JOURNAL_SCOPES,
        clock=lambda: START,
        version="2026-09",
    )
    with pytest.raises(NeedsPerson) as raised:
        tokens.current()
    assert raised.value.code == "BAD_GRANT_TYPE"
    assert HUBSPOT_CLIENT_SECRET not in f"{raised.value!r} {tokens!r}"


def test_subscribing_twice_makes_one_subscription(account: Account) -> None:
    assert len(account.wants.ensure(PORTAL, "0-1", ["email"])) == 2
    assert account.wants.ensure(PORTAL, "0-1", ["email"]) == []
    assert {(s.type, s.object_type, s.account) for s in account.wants.all()} == {
        ("OBJECT", "0-1", PORTAL),
        ("GDPR_PRIVACY_DELETION", "0-1", PORTAL),
    }


def test_a_subscription_that_lacks_a_property_is_replaced_by_one_with_all(account: Account) -> None:
    account.wants.ensure(PORTAL, "0-1", ["email"])
    (made,) = account.wants.ensure(PORTAL, "0-1", ["city"])
    assert made.properties == ("city", "email")
    assert [s.id for s in account.wants.all() if s.type == "OBJECT"] == [made.id]
    assert account.wants.ensure(PORTAL, "0-1", ["email", "city"]) == []


def test_a_refused_subscription_needs_a_person(account: Account) -> None:
    account.control(
        "faults", match={"method": "POST", "path": "/webhooks-journal/subscriptions/"}, status=400
    )
    with pytest.raises(NeedsPerson) as raised:
        account.wants.ensure(PORTAL, "0-1", ["email"])
    assert "project app" in raised.value.fix


def test_a_snapshot_puts_present_values_into_the_journal(told: Account) -> None:
    id_ = told.contact(email="ada@acme.test", city="Ulm")
    _, cursor = told.read()
    (asked,) = told.wants.snapshot(PORTAL, "0-1", [id_], ["email", "city", "zip"])
    assert told.wants.state_of(asked) == "COMPLETED"
    (event,) = told.read(cursor)[0]
    assert (event.kind, event.record_id) == (Kind.SNAPSHOT, id_)
    assert event.changes == {"email": "ada@acme.test", "city": "Ulm", "zip": ""}


def test_only_the_wanted_accounts_events_are_read(told: Account) -> None:
    id_ = told.contact(email="ada@acme.test")
    assert told.read(account="1")[0] == []
    assert [event.record_id for event in told.read(account=PORTAL)[0]] == [id_]


def test_hubspots_newer_client_reads_the_journal(told: Account) -> None:
    id_ = told.contact(email="ada@acme.test")
    token = told.tokens().current()
    with NewHubSpot(base_url=told.url, access_token=token, max_retries=0) as client:
        batch = client.webhooks_journal.journal.batch.get_earliest(10)
        (entry,) = batch.results
        file = requests.get(entry.url, timeout=60).json()
        assert [event["objectId"] for event in file["journalEvents"]] == [int(id_)]
        again = client.webhooks_journal.journal.batch.get_from_offset(10, offset=entry.current_offset)
        assert again.results == []
        assert client.webhooks_journal.journal.get_earliest().status_code == 200
        assert client.webhooks_journal.journal.get_next_from_offset(entry.current_offset).status_code == 204
        made = client.webhooks_journal.subscriptions.list().results
        assert {one.subscription_type for one in made} == {"OBJECT", "GDPR_PRIVACY_DELETION"}
        wanted: Any = {
            "portal_id": PORTAL_ID,
            "object_id": int(id_),
            "object_type_id": "0-1",
            "properties": ["email"],
        }
        (taken,) = client.webhooks_journal.snapshots.create(snapshot_requests=[wanted]).snapshot_responses
        status = client.webhooks_journal.journal.get_status(taken.snapshot_status_id)
        assert status.status == "COMPLETED"
        client.webhooks_journal.subscriptions.delete_for_portal(PORTAL_ID)
        assert client.webhooks_journal.subscriptions.list().results == []
