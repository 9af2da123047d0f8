"""Events are hints: whoever reads again what they name ends with what HubSpot holds, however they came.

A busy day of people and programs; its webhooks come twice, in disorder and through an outage, its journal is
read with stops in between. Both readers must end with the full state (HubSpot reference, sections 10.2, 10.4).
"""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from typing import Any

import pytest
import requests

from connectors.hubspot.api import Api
from connectors.hubspot.crm import HubSpotCrm
from connectors.hubspot.events import Event, parse, unseen
from connectors.hubspot.journal import Journal, JournalCursor
from connectors.hubspot.signature import Received, Verifier
from connectors.hubspot.subscriptions import JOURNAL_SCOPES, JournalSubscriptions
from connectors.hubspot.token import AppTokens
from connectors.quota import MemoryLedger, Quota, Rate
from connectors.retry import Retry
from connectors.sandbox.credentials import HUBSPOT_CLIENT_SECRET, HUBSPOT_TOKEN
from connectors.sandbox.hubspot.account import PORTAL_ID
from connectors.sandbox.hubspot.oauth import CLIENT_ID
from connectors.sandbox.serving import sandbox
from connectors.session import open_session

START = datetime(2026, 11, 20, 8, tzinfo=UTC)
FIELDS = ("email", "firstname", "city", "lifecyclestage")
WIDE = {"calls": Rate(10_000, 10.0), "search": Rate(10_000, 1.0)}
TYPES = ("creation", "deletion", "privacyDeletion", "merge", "restore")


class Inbox:
    """Our webhook endpoint: verifies, parses, keeps. ``broken`` stands for an outage of ours."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.broken = False
        self.now = START
        inbox = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = inbox.take(Received("POST", self.path, dict(self.headers), body))
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._verifier = Verifier(HUBSPOT_CLIENT_SECRET, self.url)

    def take(self, request: Received) -> int:
        if self.broken:
            return 503
        self._verifier.verify(request, self.now)
        self.events += parse(request.body)
        return 200

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class Day:
    """The account, and people and programs at work in it."""

    def __init__(self, url: str, inbox: Inbox, seed: int) -> None:
        self.url, self.inbox = url, inbox
        self.dice = random.Random(seed)
        self.http = requests.Session()
        self.http.trust_env = False
        self.live: list[str] = []
        self.archived: list[str] = []
        self.made = 0
        self.control("reset", seed=seed)
        self.control("clock", now=START.isoformat())
        self.control("limits", ten_secondly=None, secondly_search=None)

    def control(self, name: str, **wanted: Any) -> Any:
        answer = self.http.post(f"{self.url}/_sandbox/{name}", json=wanted, timeout=60)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def call(self, method: str, path: str, body: Any = None) -> Any:
        headers = {"Authorization": f"Bearer {HUBSPOT_TOKEN}"}
        address = f"{self.url}/crm/v3/objects/contacts{path}"
        answer = self.http.request(method, address, json=body, headers=headers, timeout=60)
        assert answer.status_code < 400, answer.text
        return answer.json() if answer.content else None

    def pass_time(self, seconds: float) -> None:
        self.inbox.now += timedelta(seconds=seconds)
        self.control("clock", advance_seconds=seconds)

    def work(self, steps: int) -> None:
        for _ in range(steps):
            acts = [self.create, self.edit, self.edit, self.edit_by_hand, self.load]
            acts += [self.archive, self.merge, self.erase] if len(self.live) > 4 else []
            acts += [self.restore] if self.archived else []
            self.dice.choice(acts)()
            self.pass_time(self.dice.randrange(1, 60))

    def some(self) -> str:
        return self.dice.choice(self.live)

    def values(self) -> dict[str, str]:
        return {
            "city": self.dice.choice(["Ulm", "Bonn", "Köln", ""]),
            "firstname": f"N{self.dice.randrange(99)}",
        }

    def address(self) -> str:
        self.made += 1
        return f"p{self.made}@acme.test"

    def create(self) -> None:
        self.live.append(
            self.call("POST", "", {"properties": {"email": self.address(), **self.values()}})["id"]
        )

    def load(self) -> None:
        rows = [{"email": self.address(), **self.values()} for _ in range(3)]
        self.live += self.control("load", object="contacts", rows=rows)["ids"]

    def edit(self) -> None:
        if self.live:
            self.call("PATCH", f"/{self.some()}", {"properties": self.values()})

    def edit_by_hand(self) -> None:
        if self.live:
            self.control("people", action="edit", id=self.some(), properties=self.values())

    def archive(self) -> None:
        id_ = self.some()
        self.call("DELETE", f"/{id_}")
        self.live.remove(id_)
        self.archived.append(id_)

    def restore(self) -> None:
        id_ = self.archived.pop()
        self.control("people", action="restore", id=id_)
        self.live.append(id_)

    def merge(self) -> None:
        one, two = self.dice.sample(self.live, 2)
        merged = self.call("POST", "/merge", {"primaryObjectId": one, "objectIdToMerge": two})
        self.live = [id_ for id_ in self.live if id_ not in (one, two)] + [merged["id"]]

    def erase(self) -> None:
        id_ = self.some()
        self.call("POST", "/gdpr-delete", {"objectId": id_})
        self.live.remove(id_)

    def held(self) -> dict[str, tuple[str | None, ...]]:
        """What HubSpot holds, by its own state: live records and the values of ``FIELDS``."""
        found = self.http.get(f"{self.url}/_sandbox/state?object=contacts&limit=10000", timeout=60).json()
        return {
            record["id"]: tuple(record["properties"].get(name) for name in FIELDS)
            for record in found["records"]
            if not record["archived"]
        }

    def delivered(self) -> None:
        """Wait until no event is due; a retry that is due later is brought nearer by the clock."""
        end = time.monotonic() + 60
        while True:
            told = self.http.get(f"{self.url}/_sandbox/state?object=webhooks", timeout=60).json()
            if not told["waiting"] and not told["flying"]:
                assert not told["lost"]
                return
            assert time.monotonic() < end, told
            if not told["flying"]:
                self.pass_time(300)
            time.sleep(0.03)

    def quota(self) -> Quota:
        ledger = MemoryLedger(time.monotonic)
        return Quota("hubspot", WIDE, ledger=ledger, clock=lambda: self.inbox.now, sleep=time.sleep)

    def read_again(self, events: list[Event]) -> dict[str, tuple[str | None, ...]]:
        """The present values of every record that the events name; those that are gone are absent."""
        named = dict.fromkeys(id_ for event in unseen(events) for _, id_ in event.records)
        crm = HubSpotCrm(HUBSPOT_TOKEN, self.url, open_session(), self.quota(), retry=Retry(sleep=time.sleep))
        frames = [slab.frame for slab in crm.fetch("contacts", FIELDS, list(named))]
        crm.close()
        return {
            row["_id"]: tuple(row[name] for name in FIELDS) for frame in frames for row in frame.to_dicts()
        }

    def app(self) -> Api:
        tokens = AppTokens(
            open_session(),
            self.url,
            CLIENT_ID,
            HUBSPOT_CLIENT_SECRET,
            JOURNAL_SCOPES,
            clock=lambda: self.inbox.now,
        )
        return Api(tokens, self.url, open_session(), self.quota(), Retry(sleep=time.sleep))


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with sandbox() as served:
        yield served.hubspot_url


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    found = Inbox()
    yield found
    found.close()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_webhooks_in_disorder_twice_and_through_an_outage_lead_to_the_full_state(
    url: str, inbox: Inbox, seed: int
) -> None:
    day = Day(url, inbox, seed)
    day.control("limits", webhook_duplicates=3)
    events = [{"eventType": f"contact.{type_}"} for type_ in TYPES]
    events += [{"eventType": "contact.propertyChange", "propertyName": name} for name in FIELDS]
    day.control("people", action="declare_webhooks", target_url=f"{inbox.url}/hook", events=events)
    day.work(40)
    inbox.broken = True
    day.work(30)
    day.pass_time(3_600)
    inbox.broken = False
    day.work(30)
    day.delivered()
    assert len(inbox.events) > len(unseen(inbox.events))
    assert max(event.attempt for event in inbox.events) > 0
    assert day.read_again(inbox.events) == day.held()
    assert set(day.held()) == set(day.live)
    day.http.close()


@pytest.mark.parametrize("seed", [4, 5])
def test_a_journal_read_with_stops_leads_to_the_full_state(url: str, inbox: Inbox, seed: int) -> None:
    day = Day(url, inbox, seed)
    JournalSubscriptions(day.app()).ensure(str(PORTAL_ID), "0-1", FIELDS)
    kept: dict[str, str] | None = None
    events: list[Event] = []
    for _ in range(5):
        day.work(20)
        journal = Journal(day.app(), open_session(), Retry(sleep=time.sleep), at_once=4)
        cursor = None if kept is None else JournalCursor.of_json(kept)
        # A reader that is stopped after some pages; what it had not kept yet is read once more.
        for page in islice(journal.read(cursor), 1 + day.dice.randrange(30)):
            assert page.gap is None
            events += page.events
            if day.dice.random() < 0.8:
                kept = json.loads(json.dumps(page.cursor.as_json()))
        day.pass_time(6 * 3_600)
    journal = Journal(day.app(), open_session(), Retry(sleep=time.sleep))
    events += [event for page in journal.read(JournalCursor.of_json(kept or {})) for event in page.events]
    assert day.read_again(events) == day.held()
    told = sorted(unseen(events), key=lambda event: event.occurred_at)
    assert len({event.record_id for event in told}) >= len(day.live)
    day.http.close()
