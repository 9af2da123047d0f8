"""The three ways to buy an access token: what each sends to the token endpoint (Salesforce reference, section 1).

``token.Tokens`` does the asking, keeps the token and shares it; a grant only says who we are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

import jwt
from requests.auth import AuthBase, HTTPBasicAuth

from connectors.errors import NeedsPerson

CRM = "salesforce"
JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
#: How long an assertion may be used. Sources name three and five minutes as the most; three is safe.
ASSERTION_LIFE = timedelta(minutes=3)


class Grant(Protocol):
    """One way to log in. Its ``repr`` shows no secret."""

    @property
    def fix(self) -> str:
        """What a person can do where Salesforce refuses this way of logging in without saying why."""
        ...

    def request(self) -> tuple[Mapping[str, str], AuthBase | None]:
        """The form of one token request, and what goes into its Authorization header. Raises NeedsPerson."""
        ...

    def heard(self, answer: Mapping[str, Any]) -> None:
        """Take from a granted answer what the next request needs."""
        ...


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    """An external client app's own key and secret; it runs as the integration user named on the app.

    Needs the My Domain address: the common login hosts refuse it.
    """

    client_id: str
    client_secret: str = field(repr=False)
    fix: str = (
        "use the My Domain address as salesforce.login_url, enable the client credentials flow of the external "
        "client app and name its run-as user"
    )

    def request(self) -> tuple[Mapping[str, str], AuthBase | None]:
        """Key and secret travel in the Basic header only."""
        credentials = HTTPBasicAuth(self.client_id.encode(), self.client_secret.encode())
        return {"grant_type": "client_credentials"}, credentials

    def heard(self, _answer: Mapping[str, Any]) -> None:
        """Nothing in the answer is needed again."""


@dataclass(frozen=True, slots=True)
class JwtBearer:
    """A statement signed with the private key whose certificate the app holds; no secret travels.

    ``private_key`` is an RSA key as PEM text without a passphrase. ``audience`` is the My Domain address:
    external client apps take no other. ``clock`` gives aware UTC: an assertion is good for three minutes.
    """

    client_id: str
    username: str = field(repr=False)
    private_key: str = field(repr=False)
    audience: str
    clock: Callable[[], datetime] = field(repr=False)
    fix: str = (
        "let the app accept JWT bearer assertions, pre-authorise the user of salesforce.username for it, and "
        "use the key of the certificate that the app holds"
    )

    def request(self) -> tuple[Mapping[str, str], AuthBase | None]:
        """A fresh assertion each time. Raises NeedsPerson for a key that cannot sign."""
        claims = {
            "iss": self.client_id,
            "sub": self.username,
            "aud": self.audience.rstrip("/"),
            "exp": int((self.clock() + ASSERTION_LIFE).timestamp()),
        }
        signed = _signed(claims, self.private_key)
        if signed is None:
            # Outside the except block: what the library raised may quote the key.
            raise NeedsPerson(
                "salesforce: the private key cannot sign",
                crm=CRM,
                fix="put an RSA key as PEM without a passphrase into salesforce.key_file",
            )
        return {"grant_type": JWT_GRANT, "assertion": signed}, None

    def heard(self, _answer: Mapping[str, Any]) -> None:
        """Nothing in the answer is needed again: there is no refresh token in this flow."""


class RefreshToken:
    """What a person's approval in the browser left behind; good until somebody revokes it.

    An app without a secret is named by its key alone. Where the app rotates refresh tokens, each answer
    brings the next one, which is used from then on by this object; it is not written anywhere.
    """

    fix = "approve the app again, and set LEADPACT_SALESFORCE__REFRESH_TOKEN anew"

    def __init__(self, client_id: str, client_secret: str, refresh_token: str) -> None:
        self._app = {"client_id": client_id, **({"client_secret": client_secret} if client_secret else {})}
        self._refresh_token = refresh_token

    def __repr__(self) -> str:
        return f"RefreshToken({self._app['client_id']!r})"

    def request(self) -> tuple[Mapping[str, str], AuthBase | None]:
        """Everything travels in the body."""
        return {"grant_type": "refresh_token", "refresh_token": self._refresh_token, **self._app}, None

    def heard(self, answer: Mapping[str, Any]) -> None:
        """Keep the next refresh token, where one came."""
        given = answer.get("refresh_token")
        if isinstance(given, str) and given:
            self._refresh_token = given


def _signed(claims: dict[str, Any], key: str) -> str | None:
    try:
        return jwt.encode(claims, key, algorithm="RS256")
    except (jwt.PyJWTError, ValueError, TypeError):
        return None
