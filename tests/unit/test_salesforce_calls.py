"""Tokens, headers and patience: the exact calls on the wire."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import orjson
import pytest
import requests
import responses
from responses import matchers

from connectors.address import PlainAddress
from connectors.crm import Crm
from connectors.errors import ConnectorError, NeedsPerson, RetryLater
from connectors.quota import MemoryLedger, Quota
from connectors.retry import Retry
from connectors.salesforce.calls import Calls
from connectors.salesforce.crm import SalesforceCrm
from connectors.salesforce.errors import LocatorGone
from connectors.salesforce.grants import ClientCredentials
from connectors.salesforce.token import Tokens
from connectors.session import CrmSession, open_session

LOGIN = "https://acme.my.salesforce.com"
TOKEN_URL = f"{LOGIN}/services/oauth2/token"
INSTANCE = "https://acme--eu.my.salesforce.com"
DATA = f"{INSTANCE}/services/data/v66.0/"
SECRET = "planted-client-secret"
ACCESS = "00Dxx!planted-access-token"
ORG, USER = "00D5500000Ab1cD", "0055500000Ab1cD"
EXPIRED = [{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}]


def granted(number: int = 1) -> dict[str, str]:
    return {
        "access_token": f"{ACCESS}-{number}",
        "instance_url": INSTANCE,
        "id": f"https://login.salesforce.com/id/{ORG}/{USER}",
        "token_type": "Bearer",
        "issued_at": "1763796000000",
        "signature": "x",
        "scope": "api",
    }


@pytest.fixture
def wire() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock(assert_all_requests_are_fired=True) as mock:
        yield mock


@pytest.fixture
def session() -> CrmSession:
    return open_session()


@pytest.fixture
def slept() -> list[float]:
    return []


@pytest.fixture
def calls(session: CrmSession, slept: list[float]) -> Calls:
    tokens = Tokens(session, LOGIN, ClientCredentials("client-id", SECRET))
    return Calls(session, tokens, retry=Retry(sleep=slept.append))


def test_the_token_request_is_the_client_credentials_flow(
    wire: responses.RequestsMock, session: CrmSession
) -> None:
    wire.post(TOKEN_URL, json=granted())
    token = Tokens(session, LOGIN + "/", ClientCredentials("client-id", SECRET)).current()
    sent = wire.calls[0].request
    assert sent.body == "grant_type=client_credentials"
    assert sent.headers["Authorization"] == "Basic Y2xpZW50LWlkOnBsYW50ZWQtY2xpZW50LXNlY3JldA=="
    assert token.instance_url == INSTANCE
    # 15 characters in the answer, 18 here.
    assert token.organisation_id == "00D5500000Ab1cDEAR"
    assert token.user_id.startswith(USER)
    assert len(token.user_id) == 18


def test_a_token_never_shows_itself(wire: responses.RequestsMock, session: CrmSession) -> None:
    wire.post(TOKEN_URL, json=granted())
    tokens = Tokens(session, LOGIN, ClientCredentials("client-id", SECRET))
    assert ACCESS not in repr(tokens.current())
    assert SECRET not in repr(tokens)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (
            400,
            b'{"error":"invalid_grant","error_description":"request not supported on this domain"}',
            NeedsPerson,
        ),
        (
            401,
            b'{"error":"invalid_client","error_description":"planted-client-secret is wrong"}',
            NeedsPerson,
        ),
        (503, b"<html>planted-client-secret</html>", RetryLater),
        (200, b"<html>welcome</html>", RetryLater),
        (200, b'{"access_token":"x"}', RetryLater),
        (200, b'{"access_token":"x","instance_url":"https://x","id":"https://x/"}', RetryLater),
        (200, b"[1]", RetryLater),
    ],
)
def test_a_refused_login_is_one_of_the_four_kinds(
    wire: responses.RequestsMock, session: CrmSession, status: int, body: bytes, kind: type[ConnectorError]
) -> None:
    wire.post(TOKEN_URL, body=body, status=status)
    with pytest.raises(kind) as refused:
        Tokens(session, LOGIN, ClientCredentials("client-id", SECRET)).current()
    assert SECRET not in str(refused.value)
    assert refused.value.__context__ is None


def test_credentials_never_travel_over_plain_http(session: CrmSession) -> None:
    with pytest.raises(PlainAddress):
        Tokens(session, "http://acme.my.salesforce.com", ClientCredentials("client-id", SECRET))


def test_every_call_says_who_we_are(wire: responses.RequestsMock, calls: Calls) -> None:
    wire.post(TOKEN_URL, json=granted())
    wire.get(DATA + "limits", json={"DailyApiRequests": {"Max": 1, "Remaining": 1}})
    calls.get("limits")
    headers = wire.calls[1].request.headers
    assert headers["Authorization"] == f"Bearer {ACCESS}-1"
    assert headers["Sforce-Call-Options"] == "client=leadpact"
    assert "X-PrettyPrint" not in headers


def test_a_write_never_runs_assignment_rules(wire: responses.RequestsMock, calls: Calls) -> None:
    wire.post(TOKEN_URL, json=granted())
    wire.patch(DATA + "composite/sobjects", json=[])
    calls.send("PATCH", "composite/sobjects", b"{}", repeatable=True)
    headers = wire.calls[1].request.headers
    assert headers["Sforce-Auto-Assign"] == "FALSE"
    assert headers["Sforce-Call-Options"] == "client=leadpact"
    assert headers["Content-Type"] == "application/json"


def test_a_dead_token_is_replaced_once_and_the_headers_are_kept(
    wire: responses.RequestsMock, calls: Calls
) -> None:
    wire.post(TOKEN_URL, json=granted(1))
    wire.patch(DATA + "composite/sobjects", json=EXPIRED, status=401)
    wire.post(TOKEN_URL, json=granted(2))
    wire.patch(DATA + "composite/sobjects", json=[{"success": True}])
    assert calls.send("PATCH", "composite/sobjects", b"{}", repeatable=True) == [{"success": True}]
    first, second = wire.calls[1].request.headers, wire.calls[3].request.headers
    assert second["Authorization"] == f"Bearer {ACCESS}-2"
    for name in ("Sforce-Call-Options", "Sforce-Auto-Assign", "Content-Type"):
        assert first[name] == second[name]


def test_a_fresh_token_that_is_refused_too_needs_a_person(
    wire: responses.RequestsMock, calls: Calls, session: CrmSession
) -> None:
    wire.post(TOKEN_URL, json=granted(1))
    wire.post(TOKEN_URL, json=granted(2))
    wire.get(DATA + "limits", json=EXPIRED, status=401)
    with pytest.raises(NeedsPerson) as refused:
        calls.get("limits")
    # Two calls and two logins, and no end of them.
    assert session.calls == 4
    assert ACCESS not in str(refused.value)


@pytest.mark.parametrize("body", [b"<html>no</html>", b"{}", b"", b"[]"])
def test_a_401_that_is_no_list_of_errors_gets_one_new_token_too(
    wire: responses.RequestsMock, calls: Calls, session: CrmSession, body: bytes
) -> None:
    wire.post(TOKEN_URL, json=granted(1))
    wire.post(TOKEN_URL, json=granted(2))
    wire.get(DATA + "limits", body=body, status=401)
    with pytest.raises(NeedsPerson):
        calls.get("limits")
    assert session.calls == 4


def test_threads_that_saw_one_token_die_fetch_one_new_token(
    wire: responses.RequestsMock, session: CrmSession
) -> None:
    wire.post(TOKEN_URL, json=granted(1))
    wire.post(TOKEN_URL, json=granted(2))
    tokens = Tokens(session, LOGIN, ClientCredentials("client-id", SECRET))
    dead = tokens.current()
    threads = [threading.Thread(target=tokens.after, args=(dead,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert session.calls == 2
    assert tokens.current().access_token == f"{ACCESS}-2"


def test_a_busy_service_is_asked_again(
    wire: responses.RequestsMock, calls: Calls, slept: list[float]
) -> None:
    wire.post(TOKEN_URL, json=granted())
    wire.get(DATA + "limits", body="<html>busy</html>", status=503)
    wire.get(DATA + "limits", json={"ok": 1})
    assert calls.get("limits") == {"ok": 1}
    assert len(slept) == 1


def test_what_may_have_been_carried_out_is_not_repeated(
    wire: responses.RequestsMock, calls: Calls, slept: list[float]
) -> None:
    wire.post(TOKEN_URL, json=granted())
    wire.post(DATA + "composite/sobjects", body=requests.ReadTimeout(SECRET))
    with pytest.raises(RetryLater) as lost:
        calls.send("POST", "composite/sobjects", b"{}", repeatable=False)
    assert lost.value.sent
    assert slept == []
    assert lost.value.__context__ is None


def test_an_answer_that_is_cut_off_is_asked_for_again(wire: responses.RequestsMock, calls: Calls) -> None:
    wire.post(TOKEN_URL, json=granted())
    wire.get(DATA + "query/", body=b'{"records": [{"Id"')
    wire.get(DATA + "query/", json={"records": [], "done": True})
    assert calls.query("SELECT Id FROM Lead")["records"] == []


def test_a_lost_place_in_a_result_is_told_at_once(
    wire: responses.RequestsMock, calls: Calls, slept: list[float]
) -> None:
    wire.post(TOKEN_URL, json=granted())
    wire.get(DATA + "query/01g-2000", json=[{"errorCode": "INVALID_QUERY_LOCATOR"}], status=400)
    with pytest.raises(LocatorGone):
        calls.more("/services/data/v66.0/query/01g-2000")
    assert slept == []


def test_the_query_is_the_address(wire: responses.RequestsMock, calls: Calls) -> None:
    soql = "SELECT Id FROM Lead WHERE Email = 'ada+1@example.com'"
    wire.post(TOKEN_URL, json=granted())
    wire.get(
        DATA + "query/",
        json={"records": [], "done": True},
        match=[matchers.query_param_matcher({"q": soql})],
    )
    calls.query(soql)
    assert "%2B1" in str(wire.calls[1].request.url)


def budget(slept: Callable[[float], None]) -> Quota:
    now = datetime(2026, 11, 22, 7, 0, tzinfo=UTC)
    return Quota(
        "salesforce", {}, ledger=MemoryLedger(lambda: 0.0), clock=lambda: now, sleep=slept, share=0.5
    )


def test_the_budget_hears_every_answer_and_stops_calls_at_its_share(
    wire: responses.RequestsMock, session: CrmSession, slept: list[float]
) -> None:
    wire.post(TOKEN_URL, json=granted())
    # An error says how much is used, too: simple-salesforce itself would not look.
    wire.get(
        DATA + "sobjects/Nothing/describe",
        json=[{"errorCode": "NOT_FOUND", "message": "x"}],
        status=404,
        headers={"Sforce-Limit-Info": "api-usage=60000/100000"},
    )
    crm = SalesforceCrm(
        session=session,
        login_url=LOGIN,
        client_id="client-id",
        client_secret=SECRET,
        quota=budget(slept.append),
        sleep=slept.append,
    )
    with pytest.raises(NeedsPerson, match="no object Nothing"):
        crm.describe("Nothing")
    with pytest.raises(NeedsPerson, match="60000 of 100000"):
        crm.describe("Nothing")
    assert crm.calls == 2


def test_a_day_that_is_used_up_is_not_tried_out_by_every_caller(
    wire: responses.RequestsMock, session: CrmSession, slept: list[float]
) -> None:
    wire.post(TOKEN_URL, json=granted())
    body = [{"errorCode": "REQUEST_LIMIT_EXCEEDED", "message": "TotalRequests Limit exceeded."}]
    wire.get(DATA + "limits", json=body, status=403)
    tokens = Tokens(session, LOGIN, ClientCredentials("client-id", SECRET))
    calls = Calls(session, tokens, retry=Retry(sleep=slept.append), quota=budget(slept.append))
    for _ in range(2):
        with pytest.raises(NeedsPerson):
            calls.get("limits")
    assert session.calls == 2
    assert slept == []


def test_the_crms_clock_is_the_date_of_its_latest_answer(
    wire: responses.RequestsMock, session: CrmSession
) -> None:
    wire.post(TOKEN_URL, json=granted(), headers={"Date": "Sun, 22 Nov 2026 07:00:05 GMT"})
    crm = SalesforceCrm(session=session, login_url=LOGIN, client_id="client-id", client_secret=SECRET)
    assert crm.calls == 0
    assert crm.now() == datetime(2026, 11, 22, 7, 0, 5, tzinfo=UTC)
    assert crm.calls == 1


def test_a_secret_is_in_no_representation(session: CrmSession) -> None:
    crm = SalesforceCrm(session=session, login_url=LOGIN, client_id="client-id", client_secret=SECRET)
    assert SECRET not in repr(crm)
    assert SECRET.encode() not in orjson.dumps([repr(value) for value in vars(crm).values()])


def test_it_is_the_port_that_every_connector_has(session: CrmSession) -> None:
    # The type checker compares every signature; nothing is sent for it.
    crm: Crm = SalesforceCrm(session=session, login_url=LOGIN, client_id="client-id", client_secret=SECRET)
    assert crm.name == "salesforce"
    assert crm.calls == 0
    crm.close()
