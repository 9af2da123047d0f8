"""Three ways to log in, against a pretend organisation that checks signatures, times and approvals."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jwt
import pytest
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from simple_salesforce.api import Salesforce
from simple_salesforce.exceptions import SalesforceAuthenticationFailed

from connectors.errors import NeedsPerson, RetryLater
from connectors.salesforce.crm import SalesforceCrm
from connectors.salesforce.grants import ClientCredentials, Grant, JwtBearer, RefreshToken
from connectors.session import open_session

NOON = datetime(2026, 11, 22, 12, 0, 30, tzinfo=UTC)
MY_DOMAIN = "https://leadpact-sandbox.my.salesforce.com"
APP, SECRET = "leadpact-sandbox", "salesforce-sandbox-secret"
USER = "integration@leadpact-sandbox.example"
JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


@pytest.fixture
def key(org: Any) -> str:
    """The private key of the app's certificate, as PEM."""
    made = requests.post(
        f"{org.url}/_sandbox/people", json={"action": "app", "make_key": True}, timeout=60
    ).json()
    return Path(made["key_file"]).read_text("ascii")


@pytest.fixture(scope="module")
def other_key() -> str:
    """The private key of nobody's certificate."""
    return (
        rsa.generate_private_key(65_537, 2_048)
        .private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        .decode()
    )


@pytest.fixture
def opened(org: Any) -> Iterator[Callable[[Grant], SalesforceCrm]]:
    """Opens connectors by a grant, and closes them."""
    made: list[SalesforceCrm] = []

    def opener(grant: Grant) -> SalesforceCrm:
        made.append(org.connect(grant=grant))
        return made[-1]

    yield opener
    for each in made:
        each.close()


def app(org: Any, **wanted: Any) -> None:
    answer = requests.post(f"{org.url}/_sandbox/people", json={"action": "app", **wanted}, timeout=60)
    assert answer.status_code == 200, answer.text


def approved(org: Any) -> str:
    answer = requests.post(f"{org.url}/_sandbox/people", json={"action": "approve"}, timeout=60)
    return str(answer.json()["refresh_token"])


def by_jwt(key: str, **more: Any) -> JwtBearer:
    claims = {"client_id": APP, "username": USER, "audience": MY_DOMAIN, "clock": lambda: NOON, **more}
    return JwtBearer(private_key=key, **claims)


def token_calls(org: Any) -> list[tuple[str, int]]:
    return [(each["path"], each["status"]) for each in org.requests() if "oauth2/token" in each["path"]]


def test_an_assertion_signed_with_the_apps_key_opens_a_session(
    org: Any, key: str, opened: Callable[[Grant], SalesforceCrm]
) -> None:
    crm = opened(by_jwt(key))
    assert crm.account().account_id.startswith("00D")
    assert len(token_calls(org)) == 1


def test_neither_key_nor_secret_nor_token_shows_itself(key: str) -> None:
    shown = repr([by_jwt(key), ClientCredentials(APP, SECRET), RefreshToken(APP, SECRET, "planted-token")])
    assert "PRIVATE" not in shown
    assert SECRET not in shown
    assert "planted" not in shown


@pytest.mark.parametrize(
    ("changed", "fix"),
    [
        ({"client_id": "another-app"}, "consumer key"),
        ({"username": "sana.okafor@leadpact-sandbox.example"}, "pre-authorise"),
        ({"username": "nobody@x.example"}, "pre-authorise"),
        ({"audience": "https://other.my.salesforce.com"}, "My Domain"),
        # This machine's clock is wrong, in either direction.
        ({"clock": lambda: NOON - timedelta(minutes=4)}, "clock"),
        ({"clock": lambda: NOON + timedelta(minutes=4)}, "clock"),
    ],
)
def test_an_assertion_that_is_refused_says_what_a_person_can_do(
    key: str, opened: Callable[[Grant], SalesforceCrm], changed: dict[str, Any], fix: str
) -> None:
    with pytest.raises(NeedsPerson) as refused:
        opened(by_jwt(key, **changed)).account()
    assert fix in refused.value.fix


def test_a_key_of_another_certificate_is_refused(
    key: str, other_key: str, opened: Callable[[Grant], SalesforceCrm]
) -> None:
    with pytest.raises(NeedsPerson, match="not signed by the app's key") as refused:
        opened(by_jwt(other_key)).account()
    assert "key_file" in refused.value.fix


def test_an_app_that_nobody_installed_is_refused(org: Any, opened: Callable[[Grant], SalesforceCrm]) -> None:
    app(org, installed=False)
    with pytest.raises(NeedsPerson, match="not installed") as refused:
        opened(ClientCredentials(APP, SECRET)).account()
    assert "install the app" in refused.value.fix


def test_a_user_who_is_not_pre_authorised_is_refused(
    org: Any, key: str, opened: Callable[[Grant], SalesforceCrm]
) -> None:
    app(org, preauthorised=False)
    with pytest.raises(NeedsPerson, match="the user may not use the app"):
        opened(by_jwt(key)).account()


@pytest.mark.parametrize(
    "text", ["", "no key", "-----BEGIN PRIVATE KEY-----\nplanted\n-----END PRIVATE KEY-----"]
)
def test_a_file_that_is_no_key_needs_a_person_and_is_not_quoted(
    text: str, opened: Callable[[Grant], SalesforceCrm]
) -> None:
    with pytest.raises(NeedsPerson, match="cannot sign") as refused:
        opened(by_jwt(text)).account()
    assert refused.value.__context__ is None
    assert "planted" not in str(refused.value)


def test_a_refresh_token_opens_sessions_until_it_is_revoked(
    org: Any, opened: Callable[[Grant], SalesforceCrm]
) -> None:
    given = approved(org)
    crm = opened(RefreshToken(APP, SECRET, given))
    assert crm.account().account_id.startswith("00D")
    assert requests.post(f"{org.url}/services/oauth2/revoke", data={"token": given}, timeout=60).ok
    with pytest.raises(NeedsPerson, match="revoked") as refused:
        list(crm.fetch("Lead", ["LastName"], ["00QgK0000000001"]))
    assert "REFRESH_TOKEN" in refused.value.fix


@pytest.mark.parametrize(
    ("grant", "fix"),
    [
        (RefreshToken(APP, SECRET, "never-given"), "REFRESH_TOKEN"),
        (ClientCredentials(APP, "wrong"), "CLIENT_SECRET"),
        (ClientCredentials("another-app", SECRET), "consumer key"),
    ],
)
def test_wrong_credentials_need_a_person(
    opened: Callable[[Grant], SalesforceCrm], grant: Grant, fix: str
) -> None:
    with pytest.raises(NeedsPerson) as refused:
        opened(grant).account()
    assert fix in refused.value.fix


def test_too_many_logins_in_an_hour_are_for_later(
    org: Any, key: str, opened: Callable[[Grant], SalesforceCrm]
) -> None:
    app(org, logins_per_hour=1)
    opened(by_jwt(key)).account()
    with pytest.raises(RetryLater, match="too many logins"):
        opened(ClientCredentials(APP, SECRET)).account()
    org.control("clock", now=(NOON + timedelta(minutes=61)).isoformat())
    assert opened(ClientCredentials(APP, SECRET)).account().account_id


GRANTS: Mapping[str, Callable[[Any, str], Grant]] = {
    "client credentials": lambda org, key: ClientCredentials(APP, SECRET),
    "jwt": lambda org, key: by_jwt(key),
    "refresh token": lambda org, key: RefreshToken(APP, SECRET, approved(org)),
}


@pytest.mark.parametrize("name", GRANTS)
def test_when_the_session_dies_in_mid_job_many_threads_share_one_new_login(
    org: Any, key: str, opened: Callable[[Grant], SalesforceCrm], name: str
) -> None:
    crm = opened(GRANTS[name](org, key))
    lead = org.load([{"LastName": "Nguyen", "Company": "Nordlicht"}])[0]
    crm.describe("Lead")
    org.act("revoke_tokens")
    org.forget_requests()
    start, seen = threading.Barrier(6), []

    def read() -> None:
        start.wait()
        seen.extend(org.joined(crm.fetch("Lead", ["LastName"], [lead]))["LastName"].to_list())

    threads = [threading.Thread(target=read) for _ in range(6)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert seen == ["Nguyen"] * 6
    assert token_calls(org) == [("/services/oauth2/token", 200)]
    assert all(each["client"] == "client=leadpact" for each in org.requests() if "/data/" in each["path"])


def claims(**changed: Any) -> dict[str, Any]:
    exp = int((NOON + timedelta(minutes=3)).timestamp())
    wanted = {"iss": APP, "sub": USER, "aud": "https://login.salesforce.com", "exp": exp, **changed}
    return {name: value for name, value in wanted.items() if value is not None}


def asked(org: Any, assertion: str) -> tuple[int, dict[str, Any]]:
    form = {"grant_type": JWT_GRANT, "assertion": assertion}
    answer = requests.post(f"{org.url}/services/oauth2/token", data=form, timeout=60)
    return answer.status_code, answer.json()


def test_the_answer_to_an_assertion_has_the_documented_keys(org: Any, key: str) -> None:
    status, body = asked(org, jwt.encode(claims(), key, "RS256"))
    assert (status, set(body)) == (200, {"access_token", "scope", "instance_url", "id", "token_type"})


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({}, None),
        ({"aud": "https://test.salesforce.com/"}, None),
        ({"exp": str(int((NOON + timedelta(minutes=3)).timestamp()))}, None),
        ({"sub": USER.upper()}, None),
        ({"aud": "https://example.com"}, "audience is invalid"),
        ({"aud": None}, "audience is invalid"),
        ({"exp": None}, "expired authorization code"),
        ({"exp": int(NOON.timestamp())}, "expired authorization code"),
        ({"exp": int(NOON.timestamp()) * 1000}, "expired authorization code"),
        ({"iss": "x"}, "client identifier invalid"),
        ({"sub": None}, "user hasn't approved this consumer"),
    ],
)
def test_the_pretend_organisation_checks_every_claim(
    org: Any, key: str, changed: dict[str, Any], error: str | None
) -> None:
    status, body = asked(org, jwt.encode(claims(**changed), key, "RS256"))
    assert (status, body.get("error_description")) == (400 if error else 200, error)


def test_only_the_certificates_key_and_rs256_count(org: Any, key: str, other_key: str) -> None:
    unsigned = jwt.encode(claims(), None, "none")
    symmetric = jwt.encode(claims(), "salesforce-sandbox-secret-of-32-bytes-length", "HS256")
    for assertion in (jwt.encode(claims(), other_key, "RS256"), unsigned, symmetric, "x.y.z", ""):
        assert asked(org, assertion) == (
            400,
            {"error": "invalid_grant", "error_description": "invalid assertion"},
        )


def test_an_app_without_a_certificate_takes_no_assertion(org: Any, other_key: str) -> None:
    assert asked(org, jwt.encode(claims(), other_key, "RS256"))[1]["error"] == "invalid_grant"


def test_the_vendors_client_logs_in_by_jwt_unchanged(org: Any, key: str) -> None:
    # It takes the machine's time for the assertion, so the organisation has to have it too.
    org.control("clock", run=True)
    with open_session(loopback=urlsplit(org.url).netloc) as session:
        client = Salesforce(username=USER, consumer_key=APP, privatekey=key, domain="login", session=session)
        assert client.query("SELECT Id FROM Organization")["totalSize"] == 1


def test_the_vendors_client_logs_in_by_soap_unchanged(org: Any) -> None:
    with open_session(loopback=urlsplit(org.url).netloc) as session:
        known = {"username": USER, "domain": "leadpact-sandbox.my", "session": session, "version": "64.0"}
        for more in ({"security_token": "leadpactSandboxToken"}, {"organizationId": "00DgK0000000001"}):
            client = Salesforce(password="leadpact-sandbox-password", **known, **more)
            assert client.query("SELECT Id FROM Organization")["totalSize"] == 1
        with pytest.raises(SalesforceAuthenticationFailed, match="INVALID_LOGIN"):
            Salesforce(password="wrong", security_token="", **known)


def test_the_common_hosts_take_jwt_and_refuse_client_credentials(org: Any, key: str) -> None:
    host = {"Host": "login.salesforce.com"}
    url = f"{org.url}/services/oauth2/token"
    form = {"grant_type": "client_credentials", "client_id": APP, "client_secret": SECRET}
    refused = requests.post(url, data=form, headers=host, timeout=60)
    assert refused.json()["error_description"] == "request not supported on this domain"
    form = {"grant_type": JWT_GRANT, "assertion": jwt.encode(claims(), key, "RS256")}
    assert requests.post(url, data=form, headers=host, timeout=60).status_code == 200


def test_an_inactive_user_opens_no_session(org: Any) -> None:
    org.act("edit", object="User", id="005gK0000000001", fields={"IsActive": False})
    form = {"grant_type": "client_credentials", "client_id": APP, "client_secret": SECRET}
    answer = requests.post(f"{org.url}/services/oauth2/token", data=form, timeout=60)
    assert answer.json()["error"] == "inactive_user"
