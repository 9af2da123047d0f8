"""Full readings of the sandbox's lists, several ranges at a time, over real HTTP."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import polars as pl
import pytest
import requests

from connectors.crm import RECORD_ID, Slab
from connectors.hubspot.api import RATES, OwnCalls
from connectors.hubspot.crm import HubSpotCrm
from connectors.quota import MemoryLedger, Quota
from connectors.retry import Retry
from connectors.sandbox.serving import Serving, sandbox
from connectors.session import open_session


class Account:
    def __init__(self, served: Serving) -> None:
        self.url, self.token = served.hubspot_url, str(served.ready["hubspot_token"])
        self.statuses: list[int] = []
        self.http = requests.Session()
        self.http.trust_env = False

    def control(self, name: str, **wanted: object) -> None:
        answer = self.http.post(f"{self.url}/_sandbox/{name}", json=wanted, timeout=60)
        assert answer.status_code == 200, answer.text

    def load(self, count: int) -> None:
        rows = [{"email": f"p{n}@acme.test", "lastname": "Lovelace"} for n in range(count)]
        self.control("load", object="contacts", rows=rows)

    def connect(self, threads: int) -> HubSpotCrm:
        ledger = MemoryLedger(time.monotonic)
        quota = Quota("hubspot", RATES, ledger=ledger, clock=lambda: datetime.now(UTC), sleep=time.sleep)
        session = open_session(on_response=lambda answer: self.statuses.append(answer.status_code))
        return HubSpotCrm(
            self.token, self.url, session, quota, retry=Retry(sleep=time.sleep), list_threads=threads
        )


@pytest.fixture
def account() -> Iterator[Account]:
    with sandbox() as served:
        found = Account(served)
        yield found
        found.http.close()


def read(slabs: Iterator[Slab]) -> pl.DataFrame:
    return pl.concat([slab.frame for slab in slabs])


@pytest.mark.parametrize("scopes", [None, ["crm.objects.contacts.read", "crm.schemas.contacts.read"]])
def test_every_contact_comes_once_and_no_page_is_asked_for_twice(account: Account, scopes: object) -> None:
    account.load(6_300)
    account.control("limits", scopes=scopes)
    account.control("latency", ms=20)
    crm = account.connect(8)
    frame = read(crm.changes("contacts", ["email", "lastname"], None).slabs)
    assert frame[RECORD_ID].n_unique() == frame["email"].n_unique() == len(frame) == 6_300
    assert frame["lastname"].unique().to_list() == ["Lovelace"]
    asked = account.http.get(f"{account.url}/_sandbox/requests", timeout=60).json()["requests"]
    gets = [call["path"].split("?")[0] for call in asked if call["method"] == "GET"]
    lists = [path for path in gets if path.endswith("/objects/contacts")]
    # One of them told the clock.
    assert len(lists) == 63 + 1
    assert set(account.statuses) == {200}
    crm.close()


def test_a_list_in_no_order_is_read_whole_all_the_same(account: Account) -> None:
    account.load(1_700)
    account.control("limits", list_order="shuffled")
    crm = account.connect(8)
    frame = read(crm.changes("contacts", ["email"], None).slabs)
    assert frame[RECORD_ID].n_unique() == len(frame) == 1_700
    crm.close()


def test_contacts_made_meanwhile_are_neither_missed_nor_doubled(account: Account) -> None:
    account.load(4_000)
    crm = account.connect(6)
    reading = crm.changes("contacts", ["email"], None)
    first = next(reading.slabs)
    account.control("people", action="create", properties={"email": "late@acme.test"})
    frame = pl.concat([first.frame, *(slab.frame for slab in reading.slabs)])
    assert frame[RECORD_ID].n_unique() == len(frame)
    assert {f"p{n}@acme.test" for n in range(4_000)} <= set(frame["email"])
    later = read(crm.changes("contacts", ["email"], reading.cursor).slabs)
    assert "late@acme.test" in later["email"].to_list()
    crm.close()


@pytest.mark.parametrize(("own", "told", "kept"), [(50, 60, "50"), (5, 60, "50"), (70, 60, "110")])
def test_only_the_calls_of_others_count_beside_our_own(own: int, told: int, kept: str) -> None:
    calls = OwnCalls(lambda: datetime(2026, 11, 22, tzinfo=UTC))
    for _ in range(own):
        calls.add()
    headers = {
        "x-hubspot-ratelimit-max": "110",
        "X-HubSpot-RateLimit-Max": "110",
        "X-HubSpot-RateLimit-Interval-Milliseconds": "10000",
        "X-HubSpot-RateLimit-Remaining": str(110 - told),
    }
    assert calls.without(headers)["X-HubSpot-RateLimit-Remaining"] == kept
