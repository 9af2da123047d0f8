"""Every call to Salesforce goes through here: token, headers, decoding, translation, patience.

simple-salesforce is used in direct mode only, so that it never logs in by itself: its own refresh drops
request headers and can recurse without end (Salesforce reference, section 9).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import IO, Any, TypeVar

import orjson
import requests
from simple_salesforce.api import Salesforce

from connectors.errors import ConnectorError, RetryLater
from connectors.quota import Quota
from connectors.retry import Retry
from connectors.salesforce.errors import CAUGHT, CRM, SessionExpired, Unreadable, asked_for, translate
from connectors.salesforce.token import Token, Tokens
from connectors.session import CrmSession

#: Salesforce gives it back as the origin of each change (Salesforce reference, section 0).
CLIENT = "leadpact"

#: A write must not run the organisation's assignment rules: they would take a record from its owner.
WRITING: Mapping[str, str] = {"Sforce-Auto-Assign": "FALSE"}

#: The day's budget by its name in the header Sforce-Limit-Info (Salesforce reference, section 2).
DAY = "api-usage"

#: Bytes of a download that are in memory at a time.
PIECE_BYTES = 1 << 16

T = TypeVar("T")


Decode = Callable[[bytes], Any]


def decoded(body: bytes) -> Any:
    """A JSON object or array. Raises Unreadable or orjson.JSONDecodeError for any other body."""
    value = orjson.loads(body)
    if not isinstance(value, dict | list):
        raise Unreadable
    return value


class _Client(Salesforce):
    """The vendor's client for one call, with its decoding hook answered by ``decode``."""

    def __init__(self, token: Token, version: str, session: requests.Session, decode: Decode) -> None:
        super().__init__(
            session_id=token.access_token,
            instance_url=token.instance_url,
            version=version,
            session=session,
            object_pairs_hook=dict,
        )
        self._decode = decode
        self.asked: str | None = (
            None  #: ``Retry-After`` of the newest answer: the vendor's exceptions drop the headers
        )
        # Indented answers are a quarter larger, and nobody reads them.
        self.headers.pop("X-PrettyPrint", None)
        self.headers["Sforce-Call-Options"] = f"client={CLIENT}"

    def hear(self, answer: requests.Response, **_: Any) -> None:
        """A hook of requests, for every answer."""
        self.asked = answer.headers.get("Retry-After")

    def _call_salesforce(
        self, method: str, url: str, name: str = "", retries: int = 0, max_retries: int = 3, **wanted: Any
    ) -> requests.Response:
        hooks = {"response": self.hear}
        return super()._call_salesforce(method, url, name, retries, max_retries, hooks=hooks, **wanted)

    def parse_result_to_json(self, result: requests.Response) -> Any:
        return self._decode(result.content)

    def streamed(self, path: str, into: IO[bytes]) -> Mapping[str, str]:
        """GET ``path`` as CSV into a file, which is emptied first; the answer's headers."""
        url = f"{self.base_url}{path}"
        answer = self._call_salesforce("GET", url, name=path, stream=True, headers={"Accept": "text/csv"})
        into.seek(0)
        into.truncate()
        with answer:
            for piece in answer.iter_content(PIECE_BYTES):
                into.write(piece)
        headers: Mapping[str, str] = answer.headers
        return headers


class Calls:
    """Calls to one organisation, over one session. Threads may share it.

    ``version`` is the API version, such as "66.0". Every method raises only the four kinds of
    ``connectors.errors``. ``quota`` is the call budget: it may make a call wait, or refuse it.
    """

    def __init__(
        self,
        session: CrmSession,
        tokens: Tokens,
        *,
        retry: Retry,
        version: str = "66.0",
        quota: Quota | None = None,
    ) -> None:
        self._session = session
        self._tokens = tokens
        self._retry = retry
        self._version = version
        self._quota = quota

    @property
    def version(self) -> float:
        """The API version as a number."""
        return float(self._version)

    @property
    def token(self) -> Token:
        """The token in use, with organisation and user."""
        return self.retried(self._tokens.current)

    def retried(self, call: Callable[[], T], *, repeatable: bool = True) -> T:
        """``call`` under the one retry policy (``connectors.retry``)."""
        return self._retry(call, repeatable=repeatable)

    def get(self, path: str, params: Mapping[str, str] | None = None) -> Any:
        """GET ``path`` below ``/services/data/vXX.X/``; the decoded body, None where it is empty."""
        return self.retried(lambda: self.once(lambda sf: sf.restful(path, params=dict(params or {}))))

    def send(
        self,
        method: str,
        path: str,
        body: bytes,
        *,
        repeatable: bool,
        headers: Mapping[str, str] = WRITING,
        decode: Decode = decoded,
    ) -> Any:
        """POST or PATCH a body. ``repeatable``: a second time leaves Salesforce as one time does.

        Raises RetryLater with ``sent`` where the outcome is unknown and the call may not be repeated.
        """
        return self.retried(
            lambda: self.send_once(method, path, body, headers, decode), repeatable=repeatable
        )

    def send_once(
        self,
        method: str,
        path: str,
        body: bytes,
        headers: Mapping[str, str] = WRITING,
        decode: Decode = decoded,
    ) -> Any:
        """As ``send``, but one try: for callers that decide what a second try consists of."""
        return self.once(lambda sf: sf.restful(path, method=method, data=body, headers=dict(headers)), decode)

    def download(self, path: str, into: IO[bytes]) -> Mapping[str, str]:
        """GET a CSV of any size into a file, from its beginning each time it is tried; the answer's headers."""
        return self.retried(lambda: self.once(lambda sf: sf.streamed(path, into)))

    def upload(self, path: str, body: IO[bytes]) -> None:
        """PUT a CSV file, read from its beginning. Raises RetryLater with ``sent`` where the outcome is unknown."""

        def put(sf: _Client) -> None:
            body.seek(0)
            sf.restful(path, method="PUT", data=body, headers={"Content-Type": "text/csv; charset=UTF-8"})

        # Answered with 201 and nothing in it.
        self.retried(lambda: self.once(put, bytes), repeatable=False)

    def query(self, soql: str, *, deleted_too: bool = False, decode: Decode = decoded) -> Any:
        """The first page of a query, as ``decode`` gives it."""
        return self.retried(lambda: self.once(lambda sf: sf.query(soql, include_deleted=deleted_too), decode))

    def more(self, next_records_url: str, decode: Decode = decoded) -> Any:
        """The page that an earlier page's ``nextRecordsUrl`` names.

        Raises LocatorGone where that place is no longer known: it lives for two days (Salesforce
        reference, section 3).
        """
        return self.retried(
            lambda: self.once(lambda sf: sf.query_more(next_records_url, identifier_is_url=True), decode)
        )

    def few(self, soql: str) -> list[dict[str, Any]]:
        """The records of a query whose result fits on one page."""
        return listed(part(self.query(soql), "records", "a query"), "a query")

    def once(self, call: Callable[[_Client], T], decode: Decode = decoded) -> T:
        """One call, with one fresh token where the old one is refused (Salesforce reference, section 0)."""
        token = self._tokens.current()
        try:
            return self._sent(token, call, decode)
        except SessionExpired:
            fresh = self._tokens.after(token)
        return self._sent(fresh, call, decode)

    def _sent(self, token: Token, call: Callable[[_Client], T], decode: Decode) -> T:
        failure: ConnectorError
        if self._quota is not None:
            self._quota.before()
        # The vendor's client freezes address and headers when built: each call has its own.
        client = _Client(token, self._version, self._session, decode)
        try:
            return call(client)
        except CAUGHT as error:
            failure = asked_for(client.asked, translate(error))
        if self._quota is not None and failure.code == "REQUEST_LIMIT_EXCEEDED":
            self._note_refusal(self._quota, failure)
        # Outside the except block: the vendor's exception holds the answer's body and the address.
        raise failure

    def _note_refusal(self, quota: Quota, failure: ConnectorError) -> None:
        """Tell the budget, so that other calls need not be refused to know."""
        if isinstance(failure, RetryLater):
            quota.hold("calls", failure.wait_seconds or 0.0)
        else:
            quota.day_is_over(DAY)


def part(answer: Any, key: str, path: str) -> Any:
    """One part of a decoded answer. Raises RetryLater, ``sent``, where it is not there."""
    if not isinstance(answer, Mapping) or key not in answer:
        raise unreadable(path)
    return answer[key]


def unreadable(path: str) -> RetryLater:
    """The error for an answer that has not the form it should have: what became of the call is unknown."""
    return RetryLater(f"salesforce: the answer of {path} could not be read", crm=CRM, sent=True)


def listed(answer: Any, path: str) -> list[Any]:
    """A decoded answer that has to be a list with something in it. Raises RetryLater, ``sent``, otherwise."""
    if not isinstance(answer, list):
        raise unreadable(path)
    return answer
