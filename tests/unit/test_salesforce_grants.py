"""What each way of logging in sends, and what it makes of a refusal."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

import jwt
import pytest
import responses
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import ConnectorError, NeedsPerson, OurBug, RetryLater
from connectors.salesforce.grants import ClientCredentials, Grant, JwtBearer, RefreshToken
from connectors.salesforce.token import BY_DESCRIPTION, Tokens
from connectors.session import open_session

LOGIN = "https://acme.my.salesforce.com"
TOKEN_URL = f"{LOGIN}/services/oauth2/token"
NOON = datetime(2026, 11, 22, 12, 0, 30, tzinfo=UTC)
KINDS = (RetryLater, NeedsPerson, OurBug)
GRANTED = {
    "access_token": "00Dxx!planted",
    "instance_url": "https://acme--eu.my.salesforce.com",
    "id": "https://login.salesforce.com/id/00D5500000Ab1cD/0055500000Ab1cD",
    "token_type": "Bearer",
}


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65_537, 2_048)


def pem(key: Any) -> str:
    private: bytes = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private.decode()


@pytest.fixture
def wire() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock(assert_all_requests_are_fired=True) as mock:
        yield mock


def forms(wire: responses.RequestsMock) -> list[dict[str, str]]:
    """The forms that were sent, each value once."""
    bodies = [str(call.request.body) for call in wire.calls]
    return [{name: value for name, (value,) in parse_qs(body).items()} for body in bodies]


def test_an_assertion_is_for_the_my_domain_and_three_minutes(
    wire: responses.RequestsMock, key: rsa.RSAPrivateKey
) -> None:
    wire.post(TOKEN_URL, json=GRANTED)
    grant = JwtBearer("app", "user@acme.example", pem(key), f"{LOGIN}/", lambda: NOON)
    Tokens(open_session(), LOGIN, grant).current()
    (form,) = forms(wire)
    assert set(form) == {"grant_type", "assertion"}
    assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
    claims = jwt.decode(
        form["assertion"],
        key.public_key(),
        algorithms=["RS256"],
        options={"verify_exp": False, "verify_aud": False},
    )
    assert claims == {
        "iss": "app",
        "sub": "user@acme.example",
        "aud": LOGIN,
        "exp": int(NOON.timestamp()) + 180,
    }
    assert "Authorization" not in wire.calls[0].request.headers


def test_each_login_signs_anew(wire: responses.RequestsMock, key: rsa.RSAPrivateKey) -> None:
    wire.post(TOKEN_URL, json=GRANTED)
    moments = [NOON, NOON.replace(hour=14)]
    grant = JwtBearer("app", "user@acme.example", pem(key), LOGIN, lambda: moments.pop(0))
    tokens = Tokens(open_session(), LOGIN, grant)
    tokens.after(tokens.current())
    first, second = forms(wire)
    assert first["assertion"] != second["assertion"]


def test_a_key_of_another_kind_needs_a_person() -> None:
    grant = JwtBearer("app", "user", pem(ec.generate_private_key(ec.SECP256R1())), LOGIN, lambda: NOON)
    with pytest.raises(NeedsPerson, match="cannot sign") as refused:
        Tokens(open_session(), LOGIN, grant).current()
    assert refused.value.__context__ is None


@pytest.mark.parametrize(("secret", "sent"), [("s3cret", {"client_secret": "s3cret"}), ("", {})])
def test_a_refresh_token_travels_in_the_body_with_the_app(
    wire: responses.RequestsMock, secret: str, sent: dict[str, str]
) -> None:
    wire.post(TOKEN_URL, json=GRANTED)
    Tokens(open_session(), LOGIN, RefreshToken("app", secret, "first")).current()
    assert forms(wire) == [
        {"grant_type": "refresh_token", "client_id": "app", "refresh_token": "first", **sent}
    ]
    assert wire.calls[0].request.url == TOKEN_URL


def test_a_rotated_refresh_token_takes_the_place_of_the_old_one(wire: responses.RequestsMock) -> None:
    wire.post(TOKEN_URL, json={**GRANTED, "refresh_token": "second"})
    wire.post(TOKEN_URL, json=GRANTED)
    wire.post(TOKEN_URL, json=GRANTED)
    tokens = Tokens(open_session(), LOGIN, RefreshToken("app", "s", "first"))
    tokens.after(tokens.after(tokens.current()))
    assert [each["refresh_token"] for each in forms(wire)] == ["first", "second", "second"]


GRANTS: dict[str, Grant] = {
    "client credentials": ClientCredentials("app", "planted-secret"),
    "refresh token": RefreshToken("app", "planted-secret", "planted-token"),
}


@pytest.mark.parametrize("name", GRANTS)
@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        # 3,600 logins an hour: nothing a person has to do, and nothing that seconds help.
        (400, {"error": "invalid_grant", "error_description": "login rate exceeded"}, RetryLater),
        (400, {"error": "rate_limit_exceeded"}, RetryLater),
        (
            400,
            {"error": "app_not_found", "error_description": "External client app is not installed"},
            NeedsPerson,
        ),
        (
            400,
            {"error": "unsupported_grant_type", "error_description": "grant type not supported"},
            NeedsPerson,
        ),
        (400, {"error": "inactive_user", "error_description": "user is inactive"}, NeedsPerson),
        (400, {"error": "invalid_grant", "error_description": "planted-secret is unheard of"}, NeedsPerson),
        (400, {"error": 5, "error_description": ["planted-secret"]}, OurBug),
        (503, "planted-secret", RetryLater),
    ],
)
def test_a_refusal_has_a_kind_and_repeats_no_secret(
    wire: responses.RequestsMock, name: str, status: int, body: Any, kind: type[ConnectorError]
) -> None:
    wire.post(TOKEN_URL, json=body, status=status)
    with pytest.raises(kind) as refused:
        Tokens(open_session(), LOGIN, GRANTS[name]).current()
    assert "planted" not in str(refused.value)
    assert refused.value.__context__ is None
    if isinstance(refused.value, NeedsPerson):
        assert refused.value.fix
    if isinstance(refused.value, RetryLater):
        assert refused.value.sent is False


@pytest.mark.parametrize("description", BY_DESCRIPTION)
def test_every_known_description_says_what_to_do(wire: responses.RequestsMock, description: str) -> None:
    wire.post(
        TOKEN_URL,
        json={"error": "invalid_grant", "error_description": description.capitalize()},
        status=400,
    )
    with pytest.raises((NeedsPerson, RetryLater)) as refused:
        Tokens(open_session(), LOGIN, GRANTS["refresh token"]).current()
    assert getattr(refused.value, "fix", "") or getattr(refused.value, "wait_seconds", None)


@given(st.text(max_size=60), st.text(max_size=60), st.integers(400, 599))
def test_any_refusal_is_one_of_the_kinds(error: str, description: str, status: int) -> None:
    with responses.RequestsMock() as wire:
        wire.post(TOKEN_URL, json={"error": error, "error_description": description}, status=status)
        with pytest.raises(KINDS):
            Tokens(open_session(), LOGIN, GRANTS["client credentials"]).current()
