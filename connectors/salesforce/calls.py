"""Every call to Salesforce goes through here: token, headers, decoding, translation, patience.

simple-salesforce is used in direct mode only, so that it never logs in by itself: its own refresh drops
request headers and can recurse without end (Salesforce reference, section 9).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import orjson
import requests
from simple_salesforce.api import Salesforce

from connectors.errors import ConnectorError, RetryLater
from connectors.quota import Quota
from connectors.retry import Retry
from connectors.salesforce.errors import CAUGHT, CRM, SessionExpired, Unreadable, translate
from connectors.salesforce.token import Token, Tokens
from connectors.session import CrmSession

#: Salesforce gives it back as the origin of each change (Salesforce reference, section 0).
CLIENT = "leadpact"

#: A write must not run the organisation's assignment rules: they would take a record from its owner.
WRITING: Mapping[str, str] = {"Sforce-Auto-Assign": "FALSE"}

#: The day's budget by its name in the header Sforce-Limit-Info (Salesforce reference, section 2).
DAY = "api-usage"

T = TypeVar("T")


class _Client(Salesforce):
    """The vendor's client with its own decoding hook answered by orjson: numbers and keys as they came."""

    def parse_result_to_json(self, result: requests.Response) -> Any:
        body = orjson.loads(result.content)
        if not isinstance(body, dict | list):
            raise Unreadable
        return body


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
        self._lock = threading.Lock()
        self._client: tuple[Token, _Client] | None = None

    @property
    def token(self) -> Token:
        """The token in use, with organisation and user."""
        return self._tokens.current()

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
    ) -> Any:
        """POST or PATCH a body. ``repeatable``: a second time leaves Salesforce as one time does.

        Raises RetryLater with ``sent`` where the outcome is unknown and the call may not be repeated.
        """
        return self.retried(lambda: self.send_once(method, path, body, headers), repeatable=repeatable)

    def send_once(self, method: str, path: str, body: bytes, headers: Mapping[str, str] = WRITING) -> Any:
        """As ``send``, but one try: for callers that decide what a second try consists of."""
        return self.once(lambda sf: sf.restful(path, method=method, data=body, headers=dict(headers)))

    def query(self, soql: str, *, deleted_too: bool = False) -> dict[str, Any]:
        """The first page of a query: ``records``, ``done``, and ``nextRecordsUrl`` where there is more."""
        page = self.retried(lambda: self.once(lambda sf: sf.query(soql, include_deleted=deleted_too)))
        return _page(page)

    def more(self, next_records_url: str) -> dict[str, Any]:
        """The page that an earlier page's ``nextRecordsUrl`` names.

        Raises LocatorGone where that place is no longer known: it lives for two days (Salesforce
        reference, section 3).
        """
        page = self.retried(
            lambda: self.once(lambda sf: sf.query_more(next_records_url, identifier_is_url=True))
        )
        return _page(page)

    def once(self, call: Callable[[_Client], T]) -> T:
        """One call, with one fresh token where the old one is refused (Salesforce reference, section 0)."""
        token = self._tokens.current()
        try:
            return self._sent(token, call)
        except SessionExpired:
            fresh = self._tokens.after(token)
        return self._sent(fresh, call)

    def _sent(self, token: Token, call: Callable[[_Client], T]) -> T:
        failure: ConnectorError
        if self._quota is not None:
            self._quota.before()
        try:
            return call(self._client_for(token))
        except CAUGHT as error:
            failure = translate(error)
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

    def _client_for(self, token: Token) -> _Client:
        """The vendor's client freezes its address and headers when built: a new token needs a new one."""
        with self._lock:
            if self._client is None or self._client[0] is not token:
                client = _Client(
                    session_id=token.access_token,
                    instance_url=token.instance_url,
                    version=self._version,
                    session=self._session,
                    object_pairs_hook=dict,
                )
                # Indented answers are a quarter larger, and nobody reads them.
                client.headers.pop("X-PrettyPrint", None)
                client.headers["Sforce-Call-Options"] = f"client={CLIENT}"
                self._client = (token, client)
            return self._client[1]


def _page(page: Any) -> dict[str, Any]:
    if not isinstance(page, dict) or not isinstance(page.get("records"), list) or "done" not in page:
        raise RetryLater("salesforce: a page of a query could not be read", crm=CRM)
    return page


def listed(answer: Any, path: str) -> list[Any]:
    """A decoded answer that has to be a list with something in it. Raises RetryLater, ``sent``, where it is not."""
    if not isinstance(answer, list):
        raise RetryLater(f"salesforce: the answer of {path} could not be read", crm=CRM, sent=True)
    return answer
