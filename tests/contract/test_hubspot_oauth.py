"""OAuth against the sandbox: the vendor's own client, every version of the token call, and our renewal."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import hubspot.oauth
import pytest
import requests
from hubspot import HubSpot

from connectors.errors import NeedsPerson, RetryLater
from connectors.hubspot.api import RATES
from connectors.hubspot.choices import OAuthVersion
from connectors.hubspot.crm import HubSpotCrm
from connectors.hubspot.token import OAuthTokens, TokenSource
from connectors.quota import MemoryLedger, Quota
from connectors.retry import Retry
from connectors.sandbox.credentials import HUBSPOT_CLIENT_SECRET
from connectors.sandbox.hubspot.oauth import CLIENT_ID, CODE, REDIRECT, REFRESH_TOKEN
from connectors.sandbox.serving import sandbox
from connectors.session import open_session

START = datetime(2026, 11, 22, 8, tzinfo=UTC)
APP = {"client_id": CLIENT_ID, "client_secret": HUBSPOT_CLIENT_SECRET}
VERSIONS: tuple[OAuthVersion, ...] = ("v1", "v3", "2026-03", "2026-09")


class Account:
    def __init__(self, url: str) -> None:
        self.url, self.now = url, START
        self.http = requests.Session()
        self.http.trust_env = False
        self.slept: list[float] = []
        self.statuses: list[int] = []

    def control(self, name: str, **wanted: Any) -> None:
        answer = self.http.post(f"{self.url}/_sandbox/{name}", json=wanted, timeout=60)
        assert answer.status_code == 200, answer.text

    def pass_time(self, ours: float, theirs: float | None = None) -> None:
        self.now += timedelta(seconds=ours)
        self.control("clock", advance_seconds=ours if theirs is None else theirs)

    def form(self, path: str, **form: str) -> requests.Response:
        return self.http.post(f"{self.url}/oauth/{path}", data={**APP, **form}, timeout=60)

    def calls_to(self, end: str) -> int:
        log = self.http.get(f"{self.url}/_sandbox/requests", timeout=60).json()["requests"]
        return sum(call["path"].split("?")[0].endswith(end) for call in log)

    def connect(
        self,
        refresh: str = REFRESH_TOKEN,
        version: OAuthVersion = "2026-09",
        tokens: TokenSource | None = None,
    ) -> HubSpotCrm:
        session = open_session(on_response=lambda answer: self.statuses.append(answer.status_code))
        tokens = tokens or OAuthTokens(
            session,
            self.url,
            CLIENT_ID,
            HUBSPOT_CLIENT_SECRET,
            refresh,
            clock=lambda: self.now,
            version=version,
        )
        ledger = MemoryLedger(time.monotonic)
        quota = Quota("hubspot", RATES, ledger=ledger, clock=lambda: self.now, sleep=self.slept.append)
        return HubSpotCrm(tokens, self.url, session, quota, retry=Retry(sleep=self.slept.append))


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with sandbox() as served:
        yield served.hubspot_url


@pytest.fixture
def account(url: str) -> Iterator[Account]:
    found = Account(url)
    found.control("reset")
    found.control("clock", now="2026-11-22T08:00:00Z")
    found.http.delete(f"{url}/_sandbox/requests", timeout=60)
    yield found
    found.http.close()


def test_the_vendors_client_gets_reads_and_deletes_its_tokens(account: Account) -> None:
    oauth = HubSpot(host=account.url, retry=False).oauth
    first = oauth.tokens_api.create(grant_type="authorization_code", code=CODE, redirect_uri=REDIRECT, **APP)
    again = oauth.tokens_api.create(grant_type="refresh_token", refresh_token=first.refresh_token, **APP)
    assert (again.expires_in, again.token_type) == (1_800, "bearer")
    assert again.access_token != first.access_token
    about = oauth.access_tokens_api.get(again.access_token)
    assert about.expires_in == 1_800
    assert "crm.objects.contacts.read" in about.scopes
    assert oauth.refresh_tokens_api.get(first.refresh_token).client_id == CLIENT_ID
    client = HubSpot(access_token=again.access_token, host=account.url, retry=False)
    assert client.crm.contacts.basic_api.get_page().results == []
    oauth.refresh_tokens_api.archive(first.refresh_token)
    with pytest.raises(hubspot.oauth.ApiException) as refused:
        oauth.tokens_api.create(grant_type="refresh_token", refresh_token=first.refresh_token, **APP)
    assert refused.value.status == 400


@pytest.mark.parametrize("version", ["v3", "2026-03", "2026-09"])
def test_a_token_is_looked_into_and_revoked(account: Account, version: str) -> None:
    granted = account.form(f"{version}/token", grant_type="refresh_token", refresh_token=REFRESH_TOKEN).json()
    assert {"hub_id", "scopes", "user_id", "token_use"} <= set(granted)
    about = account.form(f"{version}/token/introspect", token=granted["access_token"]).json()
    assert (about["active"], about["token_use"], about["expires_in"]) == (True, "access_token", 1_800)
    assert account.form(f"{version}/token/introspect", token=REFRESH_TOKEN).json()["active"]
    assert account.form(f"{version}/token/revoke", token=REFRESH_TOKEN).status_code == 200
    for token in (REFRESH_TOKEN, granted["access_token"], "never given"):
        assert account.form(f"{version}/token/introspect", token=token).json() == {"active": False}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("wrong", "code", "error"),
    [
        ({"refresh_token": "stolen"}, "BAD_REFRESH_TOKEN", "invalid_grant"),
        ({"client_id": "somebody"}, "BAD_CLIENT_ID", "invalid_client"),
        ({"client_secret": "guessed"}, "BAD_CLIENT_SECRET", "invalid_client"),
        ({"grant_type": "password"}, "BAD_GRANT_TYPE", "unsupported_grant_type"),
    ],
)
def test_a_refused_token_call_says_why(
    account: Account, version: str, wrong: dict[str, str], code: str, error: str
) -> None:
    form = {"grant_type": "refresh_token", "refresh_token": REFRESH_TOKEN, **wrong}
    answer = account.form(f"{version}/token", **form)
    assert (answer.status_code, answer.json()["status"], answer.json()["error"]) == (400, code, error)


@pytest.mark.parametrize("version", ["v3", "2026-03", "2026-09"])
def test_newer_versions_do_not_take_secrets_from_the_address(account: Account, version: str) -> None:
    form = {**APP, "grant_type": "refresh_token", "refresh_token": REFRESH_TOKEN}
    answer = account.http.post(f"{account.url}/oauth/{version}/token", params=form, timeout=60)
    assert answer.json()["status"] == "BAD_CLIENT_ID"


def test_an_account_that_was_started_again_gives_tokens_it_never_gave(tmp_path: Path) -> None:
    given = []
    for _ in range(3):
        with sandbox(tmp_path / "crms") as served:
            account = Account(served.hubspot_url)
            answer = account.form("v3/token", grant_type="refresh_token", refresh_token=REFRESH_TOKEN)
            account.http.close()
        assert answer.status_code == 200, answer.text
        given.append(answer.json()["access_token"])
    assert len(set(given)) == 3


@pytest.mark.parametrize("version", VERSIONS)
def test_the_connector_renews_its_token_by_time_and_meets_no_refusal(
    account: Account, version: OAuthVersion
) -> None:
    crm = account.connect(version=version)
    for _ in range(3):
        list(crm.fetch("contacts", [], ["1"]))
        account.pass_time(1_750)
    assert account.calls_to("/token") == 3
    assert 401 not in account.statuses


def test_a_token_past_its_time_is_replaced_once_for_everybody(account: Account) -> None:
    tokens = OAuthTokens(
        open_session(),
        account.url,
        CLIENT_ID,
        HUBSPOT_CLIENT_SECRET,
        REFRESH_TOKEN,
        clock=lambda: account.now,
    )
    old = tokens.current()
    assert tokens.after(old) is None
    account.pass_time(1_801)
    new = tokens.after(old)
    assert new not in (None, old)
    assert tokens.after(old) == tokens.current() == new
    assert account.calls_to("/token") == 2


class Spare:
    """A source whose first token is worth nothing any more."""

    def __init__(self, *tokens: str) -> None:
        self.tokens = list(tokens)

    def current(self) -> str:
        return self.tokens[0]

    def after(self, refused: str, /) -> str | None:
        return self.tokens.pop(1) if len(self.tokens) > 1 else None


def test_a_call_refused_with_an_old_token_is_made_once_more(account: Account) -> None:
    live = account.form("v3/token", grant_type="refresh_token", refresh_token=REFRESH_TOKEN).json()
    crm = account.connect(tokens=Spare("dead", live["access_token"]))
    crm.describe("companies")
    assert account.statuses == [401, 200]
    with pytest.raises(NeedsPerson):
        account.connect(tokens=Spare("dead", "also dead", live["access_token"])).describe("companies")
    assert account.statuses == [401, 200, 401, 401]


def test_a_refusal_before_the_tokens_time_is_not_answered_with_another_token(account: Account) -> None:
    crm = account.connect()
    crm.account()
    account.pass_time(0, 3_600)
    with pytest.raises(NeedsPerson, match="access token"):
        crm.describe("contacts")
    assert account.calls_to("/token") == 1


def test_threads_that_start_together_share_one_token_call(account: Account) -> None:
    crm = account.connect()
    gate = threading.Barrier(6)

    def read(_: int) -> int:
        gate.wait()
        return len(list(crm.changes("contacts", [], None).slabs))

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(read, range(6)))
    assert account.calls_to("/token") == 1


def test_a_refresh_token_that_was_revoked_needs_a_person_and_is_never_told(account: Account) -> None:
    crm = account.connect(refresh="eu1-planted-secret")
    with pytest.raises(NeedsPerson) as raised:
        crm.account()
    assert raised.value.code == "BAD_REFRESH_TOKEN"
    told = f"{raised.value} {raised.value.fix} {raised.value!r} {crm!r}"
    assert "planted" not in told
    assert HUBSPOT_CLIENT_SECRET not in told


def test_a_busy_token_endpoint_is_asked_again(account: Account) -> None:
    fault = {"match": {"path": "/oauth/2026-09/token"}, "times": 2, "status": 503}
    account.control("faults", **fault)
    assert account.connect().account().currency == "EUR"
    assert len(account.slept) == 2


def test_an_oauth_app_has_a_window_of_its_own_and_no_day(account: Account) -> None:
    account.control("limits", oauth_ten_secondly=3)
    granted = account.form("2026-09/token", grant_type="refresh_token", refresh_token=REFRESH_TOKEN).json()
    headers = {"Authorization": f"Bearer {granted['access_token']}"}
    answers = [
        account.http.get(f"{account.url}/crm/v3/objects/contacts", headers=headers, timeout=60)
        for _ in range(4)
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert answers[0].headers["X-HubSpot-RateLimit-Max"] == "3"
    assert "X-HubSpot-RateLimit-Daily" not in answers[0].headers


def test_a_token_endpoint_that_is_not_there_is_tried_later() -> None:
    tokens = OAuthTokens(open_session(), "http://127.0.0.1:9", "a", "b", "c", clock=lambda: START)
    with pytest.raises(RetryLater) as raised:
        tokens.current()
    assert not raised.value.sent
