"""The vendor's client on our own requests session.

``hubspot-api-client`` keeps its paths, parameters and generated methods; below them, in place of its pool,
our session sends. So no hidden retries, a timeout on every call, raw bytes as answers, one pool for every
api object (HubSpot reference, section 2.1), and a budget and a retry policy around each call.
"""

from __future__ import annotations

import logging
import re
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, TypeVar
from urllib.parse import urlencode

import orjson
import requests
import urllib3.exceptions
from hubspot import HubSpot
from requests.structures import CaseInsensitiveDict

from connectors.address import check_address
from connectors.errors import ConnectorError, RetryLater
from connectors.hubspot.choices import Version
from connectors.hubspot.errors import UNAUTHORIZED, NotAllowed, Refusal, translate, translate_exception
from connectors.hubspot.neverback import refuse_to_subscribe
from connectors.hubspot.token import FixedToken, TokenSource
from connectors.quota import DAY_NOTE_LASTS, Quota, Rate, read_limits
from connectors.retry import Retry
from connectors.session import CrmSession

T = TypeVar("T")

#: What holds until HubSpot's headers say otherwise: the smallest plan, and the search limit that no header
#: ever tells (HubSpot reference, section 9.1).
RATES: Mapping[str, Rate] = {
    "calls": Rate(100, 10.0),
    "search": Rate(5, 1.0),
    "associations": Rate(100, 10.0),
}

#: What a call counts against, where that is more than its own window (HubSpot reference, section 6.2).
#: Exports have a budget that no header tells (section 4.5).
ALSO_IN: Mapping[str, tuple[str, ...]] = {"associations": ("calls",), "exports": ("calls",)}


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer with a 2xx status. ``data`` is the body as it came, unzipped."""

    status: int
    data: bytes
    headers: Mapping[str, str]


class Rest:
    """Stands in for the ``RESTClientObject`` of a generated package; the methods are those it calls.

    Raises the four kinds of ``connectors.errors`` instead of the package's exceptions.
    """

    def __init__(
        self,
        session: CrmSession,
        version: Version,
        headers: Mapping[str, str],
        tokens: TokenSource,
        now: Callable[[], datetime],
    ) -> None:
        self._session = session
        self._tokens = tokens
        self._version = version
        self._headers = dict(headers)
        self._now = now

    def GET(self, url: str, **kwargs: Any) -> Reply:
        return self.request("GET", url, **kwargs)

    def POST(self, url: str, **kwargs: Any) -> Reply:
        return self.request("POST", url, **kwargs)

    def PATCH(self, url: str, **kwargs: Any) -> Reply:
        return self.request("PATCH", url, **kwargs)

    def PUT(self, url: str, **kwargs: Any) -> Reply:
        return self.request("PUT", url, **kwargs)

    def DELETE(self, url: str, **kwargs: Any) -> Reply:
        return self.request("DELETE", url, **kwargs)

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None = None,
        query_params: Sequence[tuple[str, Any]] | None = None,
        body: Any = None,
        **_: Any,
    ) -> Reply:
        """Send one request. ``body`` is JSON as bytes, or a value to be made JSON."""
        if query_params:
            url += "?" + urlencode(query_params)
        data = body if body is None or isinstance(body, bytes) else orjson.dumps(body)
        refuse_to_subscribe(url, data)
        address, sent = dated(url, self._version), {**(headers or {}), **self._headers}
        token = self._tokens.current()
        status, heard, content = self._exchange(method, address, sent, data, token)
        if status == 401 and (other := self._tokens.after(token)) is not None:
            status, heard, content = self._exchange(method, address, sent, data, other)
        if not 200 <= status < 300:
            raise translate(status, heard, content, self._now())
        return Reply(status, content, heard)

    def _exchange(
        self, method: str, url: str, headers: Mapping[str, str], data: bytes | None, token: str
    ) -> tuple[int, Mapping[str, str], bytes]:
        sent = {**headers, "Authorization": f"Bearer {token}"}
        try:
            return self._session.exchange(method, url, sent, data)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise translate_exception(error, self._now()) from None


#: An answer may tell of a window that ended so many seconds before we hear of it: answers take their time.
TOLD_LATE = 5.0

#: No window is longer; what is older is forgotten, also where no answer ever tells of a window.
LONGEST_WINDOW = timedelta(seconds=120)


class OwnCalls:
    """The moments of our own calls, so that they are not taken for somebody else's.

    HubSpot's count of a window is as old as the answer that carries it. Where many calls are under way, it
    still holds calls that have left our window; believing it would count them twice, for another ten seconds.
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._made: deque[datetime] = deque()
        self._lock = threading.Lock()

    def add(self) -> None:
        """One call is about to be made."""
        now = self._now()
        with self._lock:
            while self._made and self._made[0] < now - LONGEST_WINDOW:
                self._made.popleft()
            self._made.append(now)

    def without(self, headers: Mapping[str, str]) -> Mapping[str, str]:
        """The headers of an answer; a count that our own calls explain is taken out of them."""
        heard = read_limits(headers)
        if heard.rate is None or heard.used is None:
            return headers
        since = self._now() - timedelta(seconds=heard.rate.seconds + TOLD_LATE)
        with self._lock:
            while self._made and self._made[0] < since:
                self._made.popleft()
            explained = heard.used <= len(self._made)
        if not explained:
            return headers
        return CaseInsensitiveDict({**headers, REMAINING: str(heard.rate.calls)})


REMAINING = "X-HubSpot-RateLimit-Remaining"


#: What of the client's calls has dated addresses too.
DATED = "objects|properties|pipelines|owners|associations|lists|exports"


def dated(url: str, version: Version) -> str:
    """A url of the client's undated family in another one: ``/crm/v3/objects/…`` → ``/crm/objects/DATE/…``.

    HubSpot reference, section 3. Other paths stay as they are.
    """
    if version == "v3":
        return url
    # The dated addresses of owners and lists have no slash at their end, the client's have one.
    url = re.sub(r"/crm/v3/(owners|lists)/(?=[?]|$)", r"/crm/v3/\1", url, count=1)
    return re.sub(rf"/crm/(?:v3|v4)/({DATED})(?=[/?]|$)", rf"/crm/\1/{version}", url, count=1)


class Api:
    """The calls of one HubSpot account, each within the budget and repeated where that is safe.

    ``base_url``: https, or http on the loopback interface. Raises ``session.PlainAddress`` otherwise.
    """

    def __init__(
        self,
        token: str | TokenSource,
        base_url: str,
        session: CrmSession,
        quota: Quota,
        retry: Retry,
        version: Version = "v3",
    ) -> None:
        tokens = FixedToken(token) if isinstance(token, str) else token
        self.base_url = check_address(base_url)
        self.session = session
        self.quota = quota
        self._retry = retry
        self._own = OwnCalls(quota.now)
        self._also_hears = session.on_response
        session.on_response = self._learn
        headers = {"Accept-Encoding": "gzip", "User-Agent": "leadpact"}
        self._rest = Rest(session, version, headers, tokens, quota.now)
        # The client wants a token; the one that is sent is put in by ``Rest``, for every call anew.
        self._client = HubSpot(access_token="-", host=self.base_url, api_factory=self._build)

    def __repr__(self) -> str:
        return f"Api({self.base_url!r})"

    def _build(self, package: Any, name: str, config: Mapping[str, Any]) -> Any:
        """The ``api_factory`` hook: a generated api object whose requests go over our session."""
        urllib3_level = logging.getLogger("urllib3").level
        configuration = package.Configuration(host=config["host"])
        configuration.access_token = config["access_token"]
        # A new Configuration sets the level of this logger, which is not its own (section 2.1).
        logging.getLogger("urllib3").setLevel(urllib3_level)
        client = package.ApiClient(configuration=configuration)
        client.rest_client = self._rest
        return getattr(package, name)(api_client=client)

    @cached_property
    def records(self) -> Any:
        """Single records and lists."""
        return self._client.crm.objects.basic_api

    @cached_property
    def batches(self) -> Any:
        """Batches of records: read, create, update, upsert."""
        return self._client.crm.objects.batch_api

    @cached_property
    def searches(self) -> Any:
        """Searches; call them in the window "search"."""
        return self._client.crm.objects.search_api

    @cached_property
    def properties(self) -> Any:
        """Property definitions."""
        return self._client.crm.properties.core_api

    @cached_property
    def groups(self) -> Any:
        """Groups of properties."""
        return self._client.crm.properties.groups_api

    @cached_property
    def associations(self) -> Any:
        """Batches of associations, v4."""
        return self._client.crm.associations.v4.batch_api

    @cached_property
    def owners(self) -> Any:
        """Owners."""
        return self._client.crm.owners.owners_api

    @cached_property
    def preferences(self) -> Any:
        """Statuses of subscriptions, v3: it cannot bring back anybody (HubSpot reference, section 14)."""
        return self._client.communication_preferences.status_api

    @cached_property
    def pipelines(self) -> Any:
        """Pipelines and their stages."""
        return self._client.crm.pipelines.pipelines_api

    @cached_property
    def lists(self) -> Any:
        """Lists of records."""
        return self._client.crm.lists.lists_api

    @cached_property
    def memberships(self) -> Any:
        """Who is on which list."""
        return self._client.crm.lists.memberships_api

    @cached_property
    def exports(self) -> Any:
        """Exports: started and asked about."""
        return self._client.crm.exports.public_exports_api

    def offered(self, decode: Callable[[Reply], T], send: Callable[..., Reply], *args: Any) -> T | None:
        """As ``call``; None where the account does not have it, or the token may not read it.

        Raises what ``call`` raises for anything else, and for a token that is not accepted at all (401).
        """
        try:
            return self.call(decode, send, *args)
        except Refusal:
            return None
        except NotAllowed as error:
            if error.status == UNAUTHORIZED:
                raise
            return None

    def call(
        self,
        decode: Callable[[Reply], T],
        send: Callable[..., Reply],
        *args: Any,
        window: str = "calls",
        repeatable: bool = True,
        **kwargs: Any,
    ) -> T:
        """What ``decode`` makes of the answer to ``send``: a generated method, or ``get``.

        An answer that cannot be decoded counts as a broken connection, and is asked for again where that
        is safe (``repeatable``). Raises the four kinds only; ``Refusal`` (a RecordRefused) where HubSpot
        refused the request for good.
        """

        def once() -> T:
            windows = (window, *ALSO_IN.get(window, ()))
            for each in windows:
                self.quota.before(each)
            if "calls" in windows:
                self._own.add()
            try:
                return decode(send(*args, _preload_content=False, **kwargs))
            except RetryLater as error:
                raise self._budgeted(error, window) from None
            except ConnectorError:
                raise
            except Exception as error:  # noqa: BLE001 - each generated package raises classes of its own
                raise translate_exception(error, self.quota.now()) from None

        return self._retry(once, repeatable=repeatable)

    def read(self, decode: Callable[[Reply], T], send: Callable[..., Reply], *args: Any, **kwargs: Any) -> T:
        """``call`` for a request that writes nothing: a refusal is a mistake of ours (OurBug)."""
        try:
            return self.call(decode, send, *args, **kwargs)
        except Refusal as refusal:
            raise refusal.as_bug() from None

    def get(self, path: str, **_: Any) -> Reply:
        """A path that the vendor's client does not know. Use it through ``call`` or ``read``."""
        return self._rest.request("GET", self.base_url + path)

    def post(self, path: str, body: bytes, **_: Any) -> Reply:
        """``get`` for a POST of JSON."""
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        return self._rest.request("POST", self.base_url + path, headers=headers, body=body)

    def delete(self, path: str, **_: Any) -> Reply:
        """``get`` for a DELETE."""
        return self._rest.request("DELETE", self.base_url + path)

    def _learn(self, response: requests.Response) -> None:
        self.quota.learn(self._own.without(response.headers))
        if self._also_hears is not None:
            self._also_hears(response)

    def _budgeted(self, error: RetryLater, window: str) -> ConnectorError:
        """A refusal for too many calls concerns everybody who shares the budget.

        Which of its windows is full is not said (HubSpot reference, section 9.1): a call that counts against
        several holds its own one, and the next refusal will tell.
        """
        if error.code == "DAILY":
            if window != "associations":
                return self.quota.day_is_over()
            # They have a day of their own (HubSpot reference, section 6.2), and which one is over is not said: the
            # next ordinary call will tell.
            error.not_before = self.quota.now() + DAY_NOTE_LASTS
        elif window == "exports" and error.code == "429":
            # Thirty a day, one at a time (section 4.5): trying again within seconds does not help.
            error.not_before = self.quota.now() + DAY_NOTE_LASTS
        elif error.code == "SECONDLY":
            self.quota.hold("search", error.wait_seconds or 0.0)
        elif error.code in {"TEN_SECONDLY_ROLLING", "429"}:
            self.quota.hold(window if window in ALSO_IN else "calls", error.wait_seconds or 0.0)
        return error
