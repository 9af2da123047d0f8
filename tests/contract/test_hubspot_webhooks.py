"""Webhooks from the pretend HubSpot to a real HTTP receiver (HubSpot reference, section 10).

Three judges: our verifier and parser, HubSpot's own signature helper, and both of HubSpot's own clients for
the app's settings.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import hubspot.webhooks
import pytest
import requests
from hubspot import HubSpot
from hubspot.utils.signature import Signature
from hubspot_sdk import HubSpot as NewHubSpot

from connectors.hubspot.events import BY_AN_APP, Association, Event, Kind, parse, unseen
from connectors.hubspot.signature import Doubt, NotFromHubSpot, Received, Verifier
from connectors.sandbox.credentials import HUBSPOT_CLIENT_SECRET, HUBSPOT_TOKEN
from connectors.sandbox.hubspot.account import APP_ID, OWNERS, PORTAL_ID
from connectors.sandbox.hubspot.webhooks.admission import DEVELOPER_KEY
from connectors.sandbox.serving import sandbox

TARGET = "/webhooks/hubspot?from=hubspot%3Aeu1&x=%2B"
CONTACT = ("creation", "deletion", "privacyDeletion", "merge", "restore", "associationChange")
Change = Callable[["Account"], Any]


class Receiver:
    """An HTTP server that keeps what it gets. ``statuses`` are answered first, then 200."""

    def __init__(self) -> None:
        self.got: list[Received] = []
        self.statuses: list[int] = []
        self.takes_seconds = 0.0
        self.now_inside = self.most_inside = 0
        self._lock = threading.Lock()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = receiver.take(Received("POST", self.path, dict(self.headers), body))
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def take(self, request: Received) -> int:
        with self._lock:
            self.now_inside += 1
            self.most_inside = max(self.most_inside, self.now_inside)
            status = self.statuses.pop(0) if self.statuses else 200
        time.sleep(self.takes_seconds)
        with self._lock:
            self.now_inside -= 1
            self.got.append(request)
        return status

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class Account:
    """The pretend account, by its API and its controls."""

    def __init__(self, url: str, receiver: Receiver) -> None:
        self.url, self.receiver = url, receiver
        self.http = requests.Session()
        self.http.trust_env = False

    def control(self, name: str, **wanted: Any) -> Any:
        answer = self.http.post(f"{self.url}/_sandbox/{name}", json=wanted, timeout=30)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def told(self) -> dict[str, Any]:
        found = self.http.get(
            f"{self.url}/_sandbox/state", params={"object": "webhooks", "limit": "100000"}, timeout=20
        )
        return dict(found.json())

    def call(self, method: str, path: str, body: Any = None) -> Any:
        headers = {"Authorization": f"Bearer {HUBSPOT_TOKEN}"}
        answer = self.http.request(method, f"{self.url}{path}", json=body, headers=headers, timeout=20)
        assert answer.status_code < 400, answer.text
        return answer.json() if answer.content else None

    def declare(self, *types: str, **more: Any) -> None:
        events = []
        for type_ in types:
            event_type, _, name = type_.partition(":")
            generic = {"objectTypeId": "0-1"} if event_type.startswith("object.") else {}
            events.append({"eventType": event_type, **({"propertyName": name} if name else {}), **generic})
        wanted = {"target_url": self.receiver.url + TARGET, **more}
        self.control("people", action="declare_webhooks", events=events, **wanted)

    def contact(self, **properties: str) -> str:
        made = self.call("POST", "/crm/v3/objects/contacts", {"properties": properties})
        return str(made["id"])

    def settled(self, requests_: int = 1) -> list[Event]:
        """The events of everything received, once nothing is due any more. Fails after ten seconds."""
        end = time.monotonic() + 10
        while True:
            told = self.told()
            if not told["flying"] and not told["waiting"] and len(self.receiver.got) >= requests_:
                return self.events()
            assert time.monotonic() < end, f"{told} after {len(self.receiver.got)} requests"
            time.sleep(0.01)

    def events(self) -> list[Event]:
        return [event for request in list(self.receiver.got) for event in parse(request.body)]

    def arrived(self, count: int) -> None:
        """Wait until so many requests were received and answered."""
        end = time.monotonic() + 10
        while len(self.told()["records"]) < count:
            assert time.monotonic() < end, self.told()
            time.sleep(0.01)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with sandbox() as served:
        yield served.hubspot_url


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()
    yield found
    found.close()


@pytest.fixture
def account(url: str, receiver: Receiver) -> Iterator[Account]:
    found = Account(url, receiver)
    found.control("reset", seed=1)
    found.control("clock", run=True)
    yield found
    found.http.close()


def test_a_change_arrives_signed_and_both_judges_believe_it(account: Account) -> None:
    account.declare("contact.creation")
    account.contact(firstname="Zoë")
    account.settled()
    (request,) = account.receiver.got
    now = datetime.now(UTC)
    assert Verifier(HUBSPOT_CLIENT_SECRET, account.receiver.url).verify(request, now) == "v3"
    # The official helper undoes no escapes, so it is given the address as it is signed.
    undone = account.receiver.url + TARGET.replace("%3A", ":")
    assert Signature.is_valid(
        signature=request.headers["X-HubSpot-Signature-v3"],
        client_secret=HUBSPOT_CLIENT_SECRET,
        request_body=request.body.decode(),
        http_uri=undone,
        signature_version="v3",
        timestamp=request.headers["X-HubSpot-Request-Timestamp"],
    )
    other = Verifier("another secret", account.receiver.url)
    with pytest.raises(NotFromHubSpot) as raised:
        other.verify(request, now)
    assert raised.value.doubt is Doubt.WRONG


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_the_old_signatures_beside_it_are_right_too(account: Account, version: Any) -> None:
    account.control("limits", webhook_old_signature=version)
    account.declare("contact.creation")
    account.contact(firstname="Zoë")
    account.settled()
    (request,) = account.receiver.got
    assert request.headers["X-HubSpot-Signature-Version"] == version
    kept = {k: v for k, v in request.headers.items() if not k.lower().endswith(("-v3", "timestamp"))}
    old = Received(request.method, request.target, kept, request.body)
    verifier = Verifier(HUBSPOT_CLIENT_SECRET, account.receiver.url, old_versions=True)
    assert verifier.verify(old, datetime.now(UTC)) == version
    assert Signature.is_valid(
        signature=request.headers["X-HubSpot-Signature"],
        client_secret=HUBSPOT_CLIENT_SECRET,
        request_body=request.body.decode(),
        http_uri=account.receiver.url + TARGET,
        signature_version=version,
    )


def test_a_request_that_is_sent_again_later_is_too_old(account: Account) -> None:
    account.declare("contact.creation")
    account.contact(firstname="Ada")
    account.settled()
    verifier = Verifier(HUBSPOT_CLIENT_SECRET, account.receiver.url)
    with pytest.raises(NotFromHubSpot) as raised:
        verifier.verify(account.receiver.got[0], datetime.now(UTC) + timedelta(minutes=6))
    assert raised.value.doubt is Doubt.TOO_OLD


def test_a_write_by_the_api_names_the_app_as_its_source(account: Account) -> None:
    account.declare("contact.propertyChange:city")
    id_ = account.contact(email="ada@acme.test")
    account.call("PATCH", f"/crm/v3/objects/contacts/{id_}", {"properties": {"city": "Ulm", "zip": "1"}})
    (event,) = account.settled()
    assert (event.account, event.object, event.record_id) == (str(PORTAL_ID), "contacts", id_)
    assert (event.kind, dict(event.changes)) == (Kind.CHANGED, {"city": "Ulm"})
    assert (event.source, event.source_id, event.app_id) == (BY_AN_APP, APP_ID, APP_ID)
    assert event.made_by(APP_ID)
    assert not event.made_by("999")
    assert abs(event.occurred_at - datetime.now(UTC)) < timedelta(seconds=30)


def test_a_change_by_hand_names_the_person_and_an_import_itself(account: Account) -> None:
    account.declare("contact.creation", "contact.propertyChange:city")
    account.control("load", object="contacts", rows=[{"email": "eva@acme.test", "city": "Bonn"}])
    account.settled()
    account.control("people", action="edit", email="eva@acme.test", properties={"city": "Ulm"})
    made, *changes = sorted(account.settled(2), key=lambda event: event.occurred_at)
    by_hand = changes[-1]
    assert {made.source, changes[0].source} == {"IMPORT"}
    assert (by_hand.source, by_hand.source_id) == ("CRM_UI", f"userId:{OWNERS[1].user_id}")
    assert not by_hand.made_by(APP_ID)


def test_what_hubspot_computes_is_told_as_computed(account: Account) -> None:
    account.declare("contact.propertyChange:hs_email_domain")
    account.contact(email="ada@acme.test")
    (event,) = account.settled()
    assert (event.source, dict(event.changes)) == ("CALCULATED", {"hs_email_domain": "acme.test"})


def test_whether_the_values_of_a_new_record_are_changes_is_a_switch(account: Account) -> None:
    account.control("limits", webhook_values_of_new=False)
    account.declare("contact.creation", "contact.propertyChange:city")
    account.contact(email="ada@acme.test", city="Ulm")
    assert [event.kind for event in account.settled()] == [Kind.CREATED]


def archive(account: Account) -> str:
    id_ = account.contact(email="ada@acme.test")
    account.call("DELETE", f"/crm/v3/objects/contacts/{id_}")
    return id_


def archive_many(account: Account) -> str:
    id_ = account.contact(email="ada@acme.test")
    account.call("POST", "/crm/v3/objects/contacts/batch/archive", {"inputs": [{"id": id_}]})
    return id_


def come_back(account: Account) -> str:
    id_ = archive(account)
    account.control("people", action="restore", id=id_)
    return id_


@pytest.mark.parametrize(
    ("type_", "kind", "change"),
    [
        ("contact.deletion", Kind.ARCHIVED, archive),
        ("contact.deletion", Kind.ARCHIVED, archive_many),
        ("contact.restore", Kind.RESTORED, come_back),
        ("object.deletion", Kind.ARCHIVED, archive),
        ("object.restore", Kind.RESTORED, come_back),
    ],
)
def test_archiving_and_restoring_are_told(account: Account, type_: str, kind: Kind, change: Change) -> None:
    account.declare(type_)
    id_ = change(account)
    (event,) = account.settled()
    assert (event.kind, event.object, event.record_id, event.word) == (kind, "contacts", id_, type_)


def test_a_generic_change_carries_the_type_of_the_object(account: Account) -> None:
    account.declare("object.propertyChange:city")
    account.contact(email="ada@acme.test", city="Ulm")
    (event,) = account.settled()
    assert (event.object, event.word) == ("contacts", "object.propertyChange")


def test_a_privacy_deletion_is_two_events_and_their_order_is_left_to_chance(account: Account) -> None:
    account.declare("contact.privacyDeletion", "contact.deletion")
    first = set()
    for n in range(12):
        before = len(account.receiver.got)
        id_ = account.contact(email=f"ada{n}@acme.test")
        account.call("POST", "/crm/v3/objects/contacts/gdpr-delete", {"objectId": id_})
        account.settled(before + 1)
        told = [event for request in account.receiver.got[before:] for event in parse(request.body)]
        assert {event.kind for event in told} == {Kind.ERASED, Kind.ARCHIVED}
        assert {event.record_id for event in told} == {id_}
        first.add(told[0].kind)
    assert first == {Kind.ERASED, Kind.ARCHIVED}


@pytest.mark.parametrize("keeps", [False, True])
def test_a_merge_names_the_new_record_and_those_it_ended(account: Account, keeps: bool) -> None:
    account.control("limits", merge_keeps_primary_id=keeps)
    account.declare("contact.merge")
    one, two = account.contact(email="a@acme.test"), account.contact(email="b@acme.test", city="Ulm")
    body = {"primaryObjectId": one, "objectIdToMerge": two}
    merged = account.call("POST", "/crm/v3/objects/contacts/merge", body)
    (event,) = account.settled()
    assert (event.kind, event.record_id) == (Kind.MERGED, merged["id"])
    assert set(event.gone_ids) == {one, two} - {merged["id"]}


def test_an_association_is_told_from_both_sides_and_a_primary_one_twice(account: Account) -> None:
    account.declare("contact.associationChange", "company.associationChange")
    contact = account.contact(email="ada@acme.test")
    company = str(account.call("POST", "/crm/v3/objects/companies", {"properties": {"name": "Acme"}})["id"])
    path = f"/crm/v4/objects/contact/{contact}/associations/company/{company}"
    account.call("PUT", path, [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 1}])
    told = account.settled()
    assert sorted((event.object, event.association.primary) for event in told if event.association) == [
        ("companies", False),
        ("companies", True),
        ("contacts", False),
        ("contacts", True),
    ]
    account.receiver.got.clear()
    account.call("DELETE", path)
    gone = [event for event in account.settled() if event.object == "contacts"]
    assert Association("companies", company, "CONTACT_TO_COMPANY", removed=True, primary=True) in [
        event.association for event in gone
    ]


def test_writing_the_same_association_again_tells_nothing(account: Account) -> None:
    contact = account.contact(email="ada@acme.test")
    company = str(account.call("POST", "/crm/v3/objects/companies", {"properties": {"name": "Acme"}})["id"])
    path = f"/crm/v4/objects/contact/{contact}/associations/company/{company}"
    types = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 1}]
    account.call("PUT", path, types)
    account.declare("contact.associationChange", "contact.creation")
    account.call("PUT", path, types)
    account.contact(firstname="Eva")
    assert [event.kind for event in account.settled()] == [Kind.CREATED]


def test_a_batch_that_fails_tells_nothing(account: Account) -> None:
    account.declare("contact.creation")
    rows = [{"properties": {"email": "a@acme.test"}}, {"properties": {"email": "no address"}}]
    answer = account.http.post(
        f"{account.url}/crm/v3/objects/contacts/batch/create",
        json={"inputs": rows},
        headers={"Authorization": f"Bearer {HUBSPOT_TOKEN}"},
        timeout=20,
    )
    assert answer.status_code == 400
    id_ = account.contact(email="b@acme.test")
    assert [event.record_id for event in account.settled()] == [id_]


def test_a_write_that_changes_nothing_tells_nothing(account: Account) -> None:
    id_ = account.contact(email="ada@acme.test", city="Ulm")
    account.declare("contact.propertyChange:city", "contact.propertyChange:zip")
    account.call("PATCH", f"/crm/v3/objects/contacts/{id_}", {"properties": {"city": "Ulm", "zip": "1"}})
    (event,) = account.settled()
    assert list(event.changes) == ["zip"]


def test_many_changes_come_in_requests_of_a_hundred(account: Account) -> None:
    account.declare("contact.creation")
    rows = [{"email": f"p{n}@acme.test"} for n in range(250)]
    ids = account.control("load", object="contacts", rows=rows)["ids"]
    told = account.settled(3)
    assert sorted(len(parse(request.body)) for request in account.receiver.got) == [50, 100, 100]
    assert {event.record_id for event in told} == set(ids)
    assert [event.record_id for event in told] != ids, "no order is promised, and none is kept"


def test_in_order_and_one_by_one_is_a_switch(account: Account) -> None:
    account.control("limits", webhook_order="occurred")
    account.declare("contact.creation")
    rows = [{"email": f"p{n}@acme.test"} for n in range(60)]
    ids = account.control("load", object="contacts", rows=rows)["ids"]
    assert [event.record_id for event in account.settled()] == ids


def test_duplicates_are_found_by_what_they_say_not_by_their_event_id(account: Account) -> None:
    account.control("limits", webhook_duplicates=2)
    account.declare("contact.propertyChange:city", "contact.propertyChange:zip")
    for n in range(5):
        account.contact(email=f"p{n}@acme.test", city="Ulm", zip="89073")
    told = account.settled()
    assert len(told) == 20 - 5
    assert len(unseen(told)) == 10
    assert len({event.event_id for event in told}) == 5, "both properties of one write share an id"


def test_a_delay_holds_events_back_by_the_sandbox_clock(account: Account) -> None:
    account.control("clock", now="2026-11-22T08:00:00Z")
    account.control("limits", webhook_delay_ms=60_000)
    account.declare("contact.creation")
    account.contact(firstname="Ada")
    time.sleep(0.2)
    assert (account.told()["waiting"], account.receiver.got) == (1, [])
    account.control("clock", advance_seconds=61)
    (event,) = account.settled()
    assert event.occurred_at == datetime(2026, 11, 22, 8, tzinfo=UTC)


def test_what_is_refused_is_sent_again_ten_times_within_a_day_and_then_lost(account: Account) -> None:
    account.control("clock", now="2026-11-22T08:00:00Z")
    account.receiver.statuses = [500, 404, 429, 503, *[500] * 20]
    account.declare("contact.creation")
    account.contact(firstname="Ada")
    account.arrived(1)
    attempts = 1
    for _ in range(24 * 60):
        if account.told()["lost"]:
            break
        account.control("clock", advance_seconds=60 * 5)
        if account.told()["waiting"]:
            time.sleep(0.06)
        attempts = len(account.told()["records"])
    told = account.told()
    assert (told["lost"], told["waiting"], attempts) == (1, 0, 11)
    assert [event.attempt for event in account.events()] == list(range(11))
    sent = [record["at"] for record in told["records"]]
    assert sent[-1] - sent[0] < 24 * 3_600_000
    assert [record["status"] for record in told["records"]][:4] == [500, 404, 429, 503]


def test_an_event_taken_at_the_second_attempt_is_not_sent_a_third_time(account: Account) -> None:
    account.control("clock", now="2026-11-22T08:00:00Z")
    account.receiver.statuses = [500]
    account.declare("contact.creation")
    account.contact(firstname="Ada")
    account.arrived(1)
    account.control("clock", advance_seconds=120)
    account.arrived(2)
    account.control("clock", advance_seconds=86_400)
    assert [event.attempt for event in account.settled(2)] == [0, 1]
    assert len(unseen(account.events())) == 1


def test_an_answer_that_takes_too_long_counts_as_none(account: Account) -> None:
    account.control("clock", now="2026-11-22T08:00:00Z")
    account.control("limits", webhook_timeout_ms=100)
    account.receiver.takes_seconds = 0.6
    account.declare("contact.creation")
    account.contact(firstname="Ada")
    account.arrived(1)
    assert account.told()["records"][0]["status"] is None
    account.receiver.takes_seconds = 0.0
    account.control("clock", advance_seconds=120)
    assert len(unseen(account.settled(2))) == 1


def test_nobody_listening_is_as_good_as_a_refusal(account: Account) -> None:
    account.control("clock", now="2026-11-22T08:00:00Z")
    account.declare("contact.creation", target_url="http://127.0.0.1:9/webhooks")
    account.contact(firstname="Ada")
    account.arrived(1)
    assert account.told()["records"][0]["status"] is None
    account.declare("contact.creation")
    account.control("clock", advance_seconds=120)
    assert [event.attempt for event in account.settled()] == [1]


def test_no_more_requests_are_under_way_than_the_app_allows(account: Account) -> None:
    account.receiver.takes_seconds = 0.15
    account.declare("contact.creation", most_at_once=6)
    rows = [{"email": f"p{n}@acme.test"} for n in range(1_500)]
    account.control("load", object="contacts", rows=rows)
    told = account.settled(15)
    assert len(told) == 1_500
    assert account.receiver.most_inside <= 6
    assert account.told()["mostAtOnce"] == 6


def test_a_sensitive_value_is_not_told(account: Account) -> None:
    account.call(
        "POST",
        "/crm/v3/properties/contacts",
        {
            "name": "iban",
            "label": "IBAN",
            "type": "string",
            "fieldType": "text",
            "groupName": "contactinformation",
            "dataSensitivity": "sensitive",
        },
    )
    account.declare("contact.propertyChange:iban", "object.propertyChange:iban")
    account.contact(email="ada@acme.test", iban="DE00planted")
    told = account.settled()
    assert [dict(event.changes) for event in told] == [{"iban": None}, {"iban": None}]
    assert b"planted" not in account.receiver.got[0].body


def test_events_that_wait_survive_a_restart(tmp_path: Path, receiver: Receiver) -> None:
    with sandbox(tmp_path) as served:
        account = Account(served.hubspot_url, receiver)
        account.control("limits", webhook_delay_ms=3_600_000)
        account.declare("contact.creation")
        id_ = account.contact(firstname="Ada")
        account.http.close()
    with sandbox(tmp_path) as served:
        account = Account(served.hubspot_url, receiver)
        account.control("clock", advance_seconds=3_700)
        assert [event.record_id for event in account.settled()] == [id_]
        account.http.close()


def test_a_reset_forgets_who_wanted_to_be_told(account: Account) -> None:
    account.declare("contact.creation")
    account.control("reset")
    account.contact(firstname="Ada")
    told = account.told()
    assert (told["waiting"], told["flying"], told["records"], told["subscriptions"]) == (0, 0, [], [])


def test_the_vendors_client_configures_the_app(account: Account) -> None:
    client = HubSpot(api_key=DEVELOPER_KEY, host=account.url, retry=False).webhooks
    settings, subscriptions = client.settings_api, client.subscriptions_api
    app = int(APP_ID)
    wanted = hubspot.webhooks.SettingsChangeRequest(
        target_url=account.receiver.url + TARGET,
        throttling=hubspot.webhooks.ThrottlingSettings(max_concurrent_requests=10),
    )
    assert settings.configure(app, wanted).target_url == account.receiver.url + TARGET
    assert settings.get_all(app).throttling.max_concurrent_requests == 10
    new = hubspot.webhooks.SubscriptionCreateRequest(
        event_type="contact.propertyChange", property_name="city"
    )
    made = subscriptions.create(app, new)
    assert not made.active, "a new subscription starts paused"
    account.contact(email="a@acme.test", city="Ulm")
    patch = hubspot.webhooks.SubscriptionPatchRequest(active=True)
    assert subscriptions.update(int(made.id), app, patch).active
    assert [one.id for one in subscriptions.get_all(app).results] == [made.id]
    id_ = account.contact(email="b@acme.test", city="Bonn")
    assert [event.record_id for event in account.settled()] == [id_]
    row = hubspot.webhooks.SubscriptionBatchUpdateRequest(id=int(made.id), active=False)
    batch = hubspot.webhooks.BatchInputSubscriptionBatchUpdateRequest(inputs=[row])
    assert [one.active for one in subscriptions.update_batch(app, batch).results] == [False]
    subscriptions.archive(int(made.id), app)
    assert subscriptions.get_all(app).results == []
    settings.clear(app)
    with pytest.raises(hubspot.webhooks.ApiException) as refused:
        settings.get_all(app)
    assert refused.value.status == 404


def test_the_newer_client_of_hubspot_configures_the_app_at_the_dated_addresses(account: Account) -> None:
    with NewHubSpot(base_url=account.url, developer_api_key=DEVELOPER_KEY, max_retries=0) as client:
        app = int(APP_ID)
        client.webhooks.update_settings(
            app,
            target_url=account.receiver.url + TARGET,
            throttling={"max_concurrent_requests": 10},
        )
        made = client.webhooks.create_event_subscription(app, active=True, event_type="contact.creation")
        assert (made.active, made.event_type) == (True, "contact.creation")
        id_ = account.contact(firstname="Ada")
        assert [event.record_id for event in account.settled()] == [id_]


@pytest.mark.parametrize("root", ["/webhooks/v3", "/webhooks/2026-03", "/app-webhooks/2026-09"])
def test_the_settings_stand_at_three_addresses_and_want_the_developer_key(
    account: Account, root: str
) -> None:
    account.declare("contact.creation")
    address = f"{account.url}{root}/{APP_ID}/settings"
    assert account.http.get(address, params={"hapikey": DEVELOPER_KEY}, timeout=20).status_code == 200
    with_token = {"Authorization": f"Bearer {HUBSPOT_TOKEN}"}
    assert account.http.get(address, headers=with_token, timeout=20).status_code == 401
    elsewhere = f"{account.url}{root}/1/settings"
    assert account.http.get(elsewhere, params={"hapikey": DEVELOPER_KEY}, timeout=20).status_code == 404


@pytest.mark.parametrize(
    "wanted",
    [
        {"eventType": "contact.propertyChange"},
        {"eventType": "contact.propertyChange", "propertyName": "hs_lastmodifieddate"},
        {"eventType": "contact.propertyChange", "propertyName": "num_unique_conversion_events"},
        {"eventType": "object.creation"},
        {"eventType": "product.associationChange"},
        {"eventType": "contact.everything"},
        {"eventType": 5},
        {"eventType": "contact.creation", "active": "yes"},
    ],
)
def test_what_cannot_be_subscribed_to_is_refused(account: Account, wanted: dict[str, Any]) -> None:
    address = f"{account.url}/webhooks/v3/{APP_ID}/subscriptions"
    answer = account.http.post(address, params={"hapikey": DEVELOPER_KEY}, json=wanted, timeout=20)
    assert (answer.status_code, answer.json()["category"]) == (400, "VALIDATION_ERROR")


def test_an_app_has_a_thousand_subscriptions_at_most(account: Account) -> None:
    account.declare(*["contact.creation"] * 1_000)
    address = f"{account.url}/webhooks/v3/{APP_ID}/subscriptions"
    wanted = {"eventType": "contact.creation"}
    answer = account.http.post(address, params={"hapikey": DEVELOPER_KEY}, json=wanted, timeout=20)
    assert answer.status_code == 400
    assert answer.json()["message"].startswith("Couldn't create another subscription")


@pytest.mark.parametrize(
    "target",
    [
        "https://sync.leadpact.example/hook",
        "http://10.0.0.1/hook",
        "http://127.0.0.1.example.com/",
        "ftp://127.0.0.1/",
        "http://user@127.0.0.1/",
        "http://127.0.0.1:99999/",
        "//127.0.0.1/",
        "",
        None,
    ],
)
def test_the_sandbox_calls_nobody_beyond_this_machine(account: Account, target: str | None) -> None:
    wanted = {"action": "declare_webhooks", "target_url": target, "events": []}
    answer = account.http.post(f"{account.url}/_sandbox/people", json=wanted, timeout=20)
    assert answer.status_code == 400


@pytest.mark.parametrize("most", [5, 0, "10", True])
def test_the_app_must_take_more_than_five_requests_at_a_time(account: Account, most: Any) -> None:
    wanted = {"action": "declare_webhooks", "target_url": account.receiver.url, "events": []}
    answer = account.http.post(
        f"{account.url}/_sandbox/people", json={**wanted, "most_at_once": most}, timeout=20
    )
    assert answer.status_code == 400
