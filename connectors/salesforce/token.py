"""Access tokens, one at a time for all threads, whichever grant buys them (``grants``).

A token carries no end (Salesforce reference, section 1): a busy one lives for days, any may die at any
moment. So nothing is scheduled here; whoever sees a token refused asks for another.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import orjson
import requests

from connectors.address import check_address
from connectors.errors import ConnectorError, NeedsPerson, RecordRefused, RetryLater
from connectors.salesforce.codes import Kind, Meaning
from connectors.salesforce.errors import CAUGHT, CRM, asked_for, oauth_error, translate
from connectors.salesforce.grants import Grant
from connectors.salesforce.ids import eighteen, looks_like_id

PATH = "/services/oauth2/token"

#: Errors whose name alone does not say what is wrong; each grant knows its usual cause.
OF_THE_GRANT = frozenset({"invalid_grant", "unsupported_grant_type", "unauthorized_client"})

_MY_DOMAIN = "use the My Domain address as salesforce.login_url"

#: ``error_description``, in lower case, where it is worth more than ``error`` (Salesforce reference, section 1).
BY_DESCRIPTION: Mapping[str, Meaning] = {
    # 3,600 logins of one user in 60 minutes; each minute frees some.
    "login rate exceeded": Meaning(Kind.RETRY, "too many logins in an hour", wait_seconds=120.0),
    "request not supported on this domain": Meaning(
        Kind.PERSON, "this address does not log apps in", _MY_DOMAIN
    ),
    "expired access/refresh token": Meaning(Kind.PERSON, "the refresh token was revoked or has expired"),
    "user hasn't approved this consumer": Meaning(
        Kind.PERSON,
        "the user may not use the app",
        "pre-authorise the user of salesforce.username for the app, by a profile or a permission set",
    ),
    # Since September 2025 an app that nobody installed is closed to most users.
    "app must be installed into org": Meaning(
        Kind.PERSON,
        "the app is not installed in the organisation",
        "let an administrator install the app, or use an external client app of your own",
    ),
    "audience is invalid": Meaning(Kind.PERSON, "the assertion is meant for somebody else", _MY_DOMAIN),
    "expired authorization code": Meaning(
        Kind.PERSON, "the assertion's time was not accepted", "set the clock of this machine right"
    ),
    "invalid assertion": Meaning(
        Kind.PERSON,
        "the assertion is not signed by the app's key",
        "use the key of the certificate that the app holds as salesforce.key_file",
    ),
}
#: Error names that only these grants meet.
BY_NAME: Mapping[str, Meaning] = {
    "app_not_found": Meaning(Kind.PERSON, "the app is not known at this address", _MY_DOMAIN),
}


@dataclass(frozen=True, slots=True)
class Token:
    """What the token endpoint gave. Ids have 18 characters; ``instance_url`` is ``https://HOST``."""

    access_token: str = field(repr=False)
    instance_url: str
    organisation_id: str
    user_id: str


class Tokens:
    """Fetches tokens from ``login_url`` (the My Domain) by a grant, and keeps the current one."""

    def __init__(self, session: requests.Session, login_url: str, grant: Grant) -> None:
        self._session = session
        self._url = check_address(login_url) + PATH
        self._grant = grant
        self._lock = threading.Lock()
        self._current: Token | None = None

    def current(self) -> Token:
        """The token in use; the first call fetches it.

        Raises NeedsPerson where the app or its secret is refused, RetryLater where the endpoint is busy.
        """
        with self._lock:
            if self._current is None:
                self._current = self._fetch()
            return self._current

    def after(self, refused: Token) -> Token:
        """A token other than ``refused``. Of many threads that saw it refused, one fetches the next."""
        with self._lock:
            if self._current is None or self._current.access_token == refused.access_token:
                self._current = self._fetch()
            return self._current

    def _fetch(self) -> Token:
        try:
            status, body, asked = self._post()
            if status != 200:
                raise asked_for(asked, _refusal(status, body, self._grant))
            token = _read(body)
            self._grant.heard(body)
            return token
        except RetryLater as error:
            # The call that wanted the token was not made: whatever it is, it may be repeated.
            error.sent = False
            raise

    def _post(self) -> tuple[int, Any, str | None]:
        """Status, decoded body, and the Retry-After of the endpoint's answer."""
        failure: ConnectorError
        form, credentials = self._grant.request()
        try:
            answer = self._session.post(self._url, data=form, auth=credentials)
            return answer.status_code, _decoded(answer.content), answer.headers.get("Retry-After")
        except CAUGHT as error:
            failure = translate(error)
        raise failure


def _refusal(status: int, body: Any, grant: Grant) -> ConnectorError:
    """What the endpoint said no with: by its description where that has fixed words, else by its error name."""
    error = oauth_error(status, body)
    given = body if isinstance(body, dict) else {}
    name, description = (str(given.get(key, "")) for key in ("error", "error_description"))
    meaning = BY_DESCRIPTION.get(description.strip().lower()) or BY_NAME.get(name)
    if meaning is None:
        if isinstance(error, NeedsPerson) and error.code in OF_THE_GRANT:
            error.fix = grant.fix
        if isinstance(error, RecordRefused):
            # Whatever a status means for a record (412: changed meanwhile), nothing is one here.
            return NeedsPerson(f"salesforce: no token ({status})", crm=CRM, code=error.code, fix=grant.fix)
        return error
    text = f"salesforce: no token: {meaning.says} ({status} {error.code or name})"
    if meaning.kind is Kind.RETRY:
        return RetryLater(text, crm=CRM, code=error.code, wait_seconds=meaning.wait_seconds)
    return NeedsPerson(text, crm=CRM, code=error.code, fix=meaning.fix or grant.fix)


def _decoded(content: bytes) -> Any:
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        return None


def _read(body: Any) -> Token:
    """The parts of the answer that are needed (Salesforce reference, section 1)."""
    keys = ("access_token", "instance_url", "id")
    if not isinstance(body, dict) or not all(isinstance(body.get(key), str) for key in keys):
        raise RetryLater("salesforce: the token endpoint's answer could not be read", crm=CRM)
    # https://login.salesforce.com/id/<organisation>/<user>
    tail = urlsplit(body["id"]).path.rstrip("/").rsplit("/", 2)[-2:]
    if len(tail) != 2 or not all(looks_like_id(part) for part in tail):
        raise RetryLater("salesforce: the token names no organisation and user", crm=CRM)
    if not urlsplit(body["instance_url"]).hostname:
        raise NeedsPerson(
            "salesforce: the token names no instance",
            crm=CRM,
            fix="use the My Domain address as salesforce.login_url",
        )
    return Token(body["access_token"], body["instance_url"], eighteen(tail[0]), eighteen(tail[1]))
