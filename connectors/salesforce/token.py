"""Access tokens by the client credentials flow, one at a time for all threads.

A token carries no end (Salesforce reference, section 1): a busy one lives for days, any may die at any
moment. So nothing is scheduled here; whoever sees a token refused asks for another.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import orjson
import requests
from requests.auth import HTTPBasicAuth

from connectors.errors import ConnectorError, NeedsPerson, RetryLater
from connectors.salesforce.errors import CAUGHT, CRM, oauth_error, translate
from connectors.salesforce.ids import eighteen, looks_like_id
from connectors.session import check_address

PATH = "/services/oauth2/token"


@dataclass(frozen=True, slots=True)
class Token:
    """What the token endpoint gave. Ids have 18 characters; ``instance_url`` is ``https://HOST``."""

    access_token: str = field(repr=False)
    instance_url: str
    organisation_id: str
    user_id: str


class Tokens:
    """Fetches tokens from ``login_url`` (the My Domain) and keeps the current one.

    ``client_id`` and ``client_secret`` are those of the external client app; they travel in the Basic
    header only.
    """

    def __init__(self, session: requests.Session, login_url: str, client_id: str, client_secret: str) -> None:
        self._session = session
        self._url = check_address(login_url) + PATH
        self._credentials = HTTPBasicAuth(client_id.encode(), client_secret.encode())
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
            status, body = self._post()
            if status != 200:
                raise oauth_error(status, body)
            return _read(body)
        except RetryLater as error:
            # The call that wanted the token was not made: whatever it is, it may be repeated.
            error.sent = False
            raise

    def _post(self) -> tuple[int, Any]:
        failure: ConnectorError
        try:
            answer = self._session.post(
                self._url, data={"grant_type": "client_credentials"}, auth=self._credentials
            )
            return answer.status_code, _decoded(answer.content)
        except CAUGHT as error:
            failure = translate(error)
        raise failure


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
