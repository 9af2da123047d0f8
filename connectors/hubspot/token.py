"""Where the access token of a call comes from: the settings, or OAuth (HubSpot reference, section 8).

An OAuth token lives for half an hour and says so. It is renewed by that time, not by refusals: HubSpot
documents that a 401 is no sign that a new token is needed. Only a 401 whose token was past its time by our
clock is answered with a new one, once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol
from urllib.parse import urlencode

import msgspec
import requests
import urllib3.exceptions

from connectors.address import check_address
from connectors.errors import ConnectorError, NeedsPerson, RetryLater
from connectors.hubspot.choices import OAuthVersion
from connectors.hubspot.errors import CRM, translate, translate_exception
from connectors.session import CrmSession

#: A token is renewed this long before its end: longer than one answer may take.
EARLY = timedelta(seconds=90)

#: Seconds that a token lives where the answer does not say (HubSpot reference, section 8).
USUAL_LIFE = 1_800


class TokenSource(Protocol):
    """Access tokens for calls. Safe under threads; raises only the four kinds of ``connectors.errors``."""

    def current(self) -> str:
        """The token for a call that is about to be made."""
        ...

    def after(self, refused: str, /) -> str | None:
        """Another token in place of one that was answered with 401, or None where another would not help."""
        ...


@dataclass(frozen=True, slots=True)
class FixedToken:
    """The token of a private app, a project app of type static, or a service key: good until it is revoked."""

    token: str = field(repr=False)

    def current(self) -> str:
        return self.token

    def after(self, _refused: str, /) -> str | None:
        return None


class _Granted(msgspec.Struct):
    access_token: str
    expires_in: int = USUAL_LIFE
    refresh_token: str | None = None


class _OAuthError(msgspec.Struct):
    status: str | None = None
    error: str | None = None
    category: str | None = None
    correlationId: str | None = None


class OAuthTokens:
    """Access tokens from a refresh token. ``clock`` returns aware UTC; nothing is sent before ``current``.

    The app's secret and the refresh token travel in the body of the token call only. Refresh tokens do not
    expire; should HubSpot hand out another one, it is used from then on by this object.
    Raises ``session.PlainAddress`` for a ``base_url`` that is neither https nor on this machine.
    """

    def __init__(
        self,
        session: CrmSession,
        base_url: str,
        client_id: str,
        client_secret: str,
        refresh_token: str,
        *,
        clock: Callable[[], datetime],
        version: OAuthVersion = "2026-09",
    ) -> None:
        self._app = _App(session, base_url, client_id, client_secret, version, clock)
        self._kept = _Kept(self._grant, clock)
        self._refresh_token = refresh_token

    def __repr__(self) -> str:
        return f"OAuthTokens({self._app.url!r})"

    def current(self) -> str:
        """The token in use, renewed shortly before its end; of many threads one renews it.

        Raises NeedsPerson where HubSpot refuses the app or the refresh token, RetryLater where the endpoint
        is busy or cannot be reached.
        """
        return self._kept.current()

    def after(self, refused: str, /) -> str | None:
        """Another token, where ``refused`` is past its time or another thread has one already."""
        return self._kept.after(refused)

    def _grant(self) -> _Granted:
        granted = self._app.ask({"grant_type": "refresh_token"}, {"refresh_token": self._refresh_token})
        self._refresh_token = granted.refresh_token or self._refresh_token
        return granted


class AppTokens:
    """Access tokens of the app itself, by its id and secret alone: those of the Webhooks Journal.

    Otherwise as ``OAuthTokens``. ``scopes`` are asked for by name (HubSpot reference, section 10.4). The
    specification of 2026-09 does not list this grant, so an older version is asked (section 8).
    """

    def __init__(
        self,
        session: CrmSession,
        base_url: str,
        client_id: str,
        client_secret: str,
        scopes: Sequence[str],
        *,
        clock: Callable[[], datetime],
        version: OAuthVersion = "2026-03",
    ) -> None:
        self._app = _App(session, base_url, client_id, client_secret, version, clock)
        self._kept = _Kept(self._grant, clock)
        self._scopes = " ".join(scopes)

    def __repr__(self) -> str:
        return f"AppTokens({self._app.url!r})"

    def current(self) -> str:
        """The token in use, renewed shortly before its end. Raises as ``OAuthTokens.current``."""
        return self._kept.current()

    def after(self, refused: str, /) -> str | None:
        """Another token, where ``refused`` is past its time or another thread has one already."""
        return self._kept.after(refused)

    def _grant(self) -> _Granted:
        return self._app.ask({"grant_type": "client_credentials"}, {"scope": self._scopes})


class _Kept:
    """A token that is used by many threads until shortly before its end. ``grant`` gets another one."""

    def __init__(self, grant: Callable[[], _Granted], clock: Callable[[], datetime]) -> None:
        self._grant = grant
        self._clock = clock
        self._lock = threading.Lock()
        self._token = ""
        self._ends: datetime | None = None

    def current(self) -> str:
        with self._lock:
            if self._ends is None or self._clock() >= self._ends - EARLY:
                self._renew()
            return self._token

    def after(self, refused: str) -> str | None:
        with self._lock:
            if self._token != refused:
                return self._token
            if self._ends is not None and self._clock() < self._ends:
                return None
            self._renew()
            return self._token

    def _renew(self) -> None:
        asked_at = self._clock()
        granted = self._grant()
        life = timedelta(seconds=granted.expires_in)
        self._token = granted.access_token
        # A token that lives shorter than the margin would be renewed before every call.
        self._ends = asked_at + max(life, EARLY + timedelta(seconds=1))


class _App:
    """One app before the token endpoint."""

    def __init__(
        self,
        session: CrmSession,
        base_url: str,
        client_id: str,
        client_secret: str,
        version: OAuthVersion,
        clock: Callable[[], datetime],
    ) -> None:
        self.url = f"{check_address(base_url)}/oauth/{version}/token"
        self._session = session
        self._names = {"client_id": client_id, "client_secret": client_secret}
        self._clock = clock

    def ask(self, grant: Mapping[str, str], wanted: Mapping[str, str]) -> _Granted:
        """A new token. Raises NeedsPerson or another of the four kinds."""
        form = urlencode({**grant, **self._names, **wanted}).encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        failure: ConnectorError
        try:
            status, heard, body = self._session.exchange("POST", self.url, headers, form)
            if status == 200:
                return msgspec.json.decode(body, type=_Granted)
            failure = _refusal(status, body) or translate(status, heard, body, self._clock())
        except (
            requests.RequestException,
            urllib3.exceptions.HTTPError,
            OSError,
            ValueError,
            msgspec.MsgspecError,
        ) as error:
            failure = translate_exception(error, self._clock())
        if isinstance(failure, RetryLater):
            # The call that wanted the token was not made: whatever it is, it may be repeated.
            failure.sent = False
        raise failure from None


def _refusal(status: int, body: bytes) -> NeedsPerson | None:
    """A refusal of the app or its refresh token: HubSpot's code stands in ``status``, OAuth's in ``error``."""
    if status not in {400, 401, 403}:
        return None
    try:
        said = msgspec.json.decode(body, type=_OAuthError)
    except msgspec.MsgspecError:
        said = _OAuthError()
    coded = said.status if said.status and said.status != "error" else None
    code = coded or said.error or said.category or str(status)
    fix = (
        "Check the client id and secret of the app, and connect it to the HubSpot account once more."
        if code != "BAD_REFRESH_TOKEN"
        else "Connect the app to the HubSpot account once more: its refresh token is wrong or was revoked."
    )
    text = f"HubSpot gives no access token: {code} ({status})"
    return NeedsPerson(text, crm=CRM, code=code, correlation=said.correlationId or "", fix=fix)
