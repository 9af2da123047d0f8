"""One requests session for each CRM, under the vendor's own client.

It adds what the vendor clients leave out: a pool, timeouts on every request, TLS by default and
nothing from the environment. It counts what was sent and keeps the CRM's clock. A plain ``http``
address is accepted on the loopback interface only: that is where the sandbox listens.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.cookiejar import DefaultCookiePolicy
from typing import Any, Literal
from urllib.parse import urlsplit, urlunsplit

import requests
import requests.exceptions as wire
import urllib3.exceptions as pool
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict

from connectors.address import PlainAddress, check_address, is_loopback
from connectors.errors import ConnectorError, NeedsPerson, OurBug, RetryLater

#: Seconds to open a connection, and seconds without a byte of the answer.
CONNECT_SECONDS = 5.0
READ_SECONDS = 60.0

#: What hears of each answer; it may read status and headers, and must not read the body.
OnResponse = Callable[[requests.Response], None]


class CrmSession(requests.Session):
    """A requests session that counts and keeps the CRM's clock. Made by ``open_session``.

    ``calls``: requests sent, redirects included. ``crm_time``: the newest answer's Date header as an aware
    UTC datetime (whole seconds), None before the first answer.
    """

    def __init__(self, on_response: OnResponse | None = None) -> None:
        super().__init__()
        self.calls = 0
        self.crm_time: datetime | None = None
        self.on_response = on_response
        self._lock = threading.Lock()

    def exchange(
        self, method: str, url: str, headers: Mapping[str, str], data: bytes | None = None
    ) -> tuple[int, Mapping[str, str], bytes]:
        """One request, its answer read whole: status, headers (any case), body unzipped. Follows no redirect.

        Shorter than ``request``: no merging of settings, no cookies, no hooks, and the body in one piece,
        which together cost more than decoding a page. ``url`` is encoded already. Raises what requests and
        urllib3 raise; see ``transport_error``.
        """
        prepared = requests.PreparedRequest()
        prepared.method, prepared.url, prepared.body = method, url, data
        prepared.headers = CaseInsensitiveDict(headers)
        if data is not None:
            prepared.headers["Content-Length"] = str(len(data))
        response = self.get_adapter(url).send(
            prepared, stream=True, verify=self.verify if self.verify is not None else True
        )
        with response:
            return response.status_code, response.headers, response.raw.read(decode_content=True)

    def count(self) -> None:
        """One more request is about to be sent."""
        with self._lock:
            self.calls += 1

    def hear(self, response: requests.Response) -> None:
        """Keep what every answer says: the CRM's time; and pass it on to ``on_response``."""
        stamp = _date(response.headers.get("Date"))
        if stamp is not None:
            self.crm_time = stamp
        if self.on_response is not None:
            self.on_response(response)


class _Adapter(HTTPAdapter):
    """Timeouts even where the vendor passes None, and an optional detour to this machine, where nothing is packed."""

    def __init__(self, session: CrmSession, target: str | None, timeout: tuple[float, float]) -> None:
        self._session = session
        self._target = target
        self._timeout = timeout
        super().__init__(pool_connections=4, pool_maxsize=16, max_retries=0)

    def send(  # type: ignore[override]
        self, request: requests.PreparedRequest, timeout: Any = None, **kwargs: Any
    ) -> requests.Response:
        if self._target is not None:
            parts = urlsplit(request.url or "")
            request = request.copy()
            request.url = urlunsplit(("http", self._target, parts.path, parts.query, ""))
        elif not (request.url or "").startswith("https://"):
            check_address(request.url or "")
        if not (request.url or "").startswith("https://"):
            # On this machine an answer is there sooner than it is packed and unpacked.
            request.headers["Accept-Encoding"] = "identity"
        if timeout is None:
            timeout = self._timeout
        self._session.count()
        response = super().send(request, timeout=timeout, **kwargs)
        self._session.hear(response)
        return response


def open_session(
    *,
    ca_file: str | None = None,
    loopback: str | None = None,
    on_response: OnResponse | None = None,
    connect_seconds: float = CONNECT_SECONDS,
    read_seconds: float = READ_SECONDS,
) -> CrmSession:
    """A session for one CRM. Nothing is sent yet.

    ``ca_file`` (PEM) signs the CRM's certificate instead of the usual authorities. ``loopback``
    (``127.0.0.1:PORT``) receives every ``https://any-host/…`` as plain http, for vendor clients that
    hard-code https (Salesforce reference, section 9). ``connect_seconds`` opens a connection, ``read_seconds`` is how
    long an answer may be silent. Proxies, ``.netrc`` and certificate variables of the
    environment are not read, and cookies are not kept.
    Raises PlainAddress when ``loopback`` leads to another machine.
    """
    if loopback is not None and not is_loopback(urlsplit(f"//{loopback}").hostname):
        raise PlainAddress(f"{loopback} is not on this machine; the detour over http is for the sandbox")
    session = CrmSession(on_response)
    session.trust_env = False
    session.verify = ca_file if ca_file is not None else True
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    timeout = (connect_seconds, read_seconds)
    session.mount("https://", _Adapter(session, loopback, timeout))
    session.mount("http://", _Adapter(session, None, timeout))
    return session


def _date(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        stamp = parsedate_to_datetime(text)
    except ValueError:
        return None
    return stamp.replace(tzinfo=UTC) if stamp.tzinfo is None else stamp.astimezone(UTC)


#: What requests, urllib3 and the socket can raise, by what it means for the request. The class itself is
#: looked up, then what it inherits from.
#: "not sent": no byte of the request has left. "broken": it may have been carried out. "network": the
#: network or the certificates must be put right. "bug": the request made no sense.
BY_CLASS: dict[type[BaseException], Literal["not sent", "broken", "network", "bug"]] = {
    PlainAddress: "network",
    ConnectionRefusedError: "not sent",
    OSError: "broken",
    ssl.SSLError: "broken",
    ssl.SSLCertVerificationError: "network",
    wire.ConnectTimeout: "not sent",
    wire.ConnectionError: "broken",
    wire.ReadTimeout: "broken",
    wire.Timeout: "broken",
    wire.ChunkedEncodingError: "broken",
    wire.ContentDecodingError: "broken",
    wire.RetryError: "broken",
    wire.InvalidJSONError: "broken",
    wire.JSONDecodeError: "broken",
    wire.HTTPError: "broken",
    wire.SSLError: "network",
    wire.ProxyError: "network",
    wire.TooManyRedirects: "network",
    wire.RequestException: "bug",
    wire.URLRequired: "bug",
    wire.MissingSchema: "bug",
    wire.InvalidSchema: "bug",
    wire.InvalidURL: "bug",
    wire.InvalidHeader: "bug",
    wire.InvalidProxyURL: "network",
    wire.StreamConsumedError: "bug",
    wire.UnrewindableBodyError: "bug",
    pool.ConnectTimeoutError: "not sent",
    pool.NewConnectionError: "not sent",
    pool.NameResolutionError: "not sent",
    pool.PoolError: "not sent",
    pool.EmptyPoolError: "not sent",
    pool.FullPoolError: "not sent",
    pool.ClosedPoolError: "not sent",
    pool.ReadTimeoutError: "broken",
    pool.TimeoutError: "broken",
    pool.RequestError: "broken",
    pool.MaxRetryError: "broken",
    pool.ProtocolError: "broken",
    pool.IncompleteRead: "broken",
    pool.InvalidChunkLength: "broken",
    pool.ResponseError: "broken",
    pool.ResponseNotChunked: "broken",
    pool.BodyNotHttplibCompatible: "broken",
    pool.HeaderParsingError: "broken",
    pool.DecodeError: "broken",
    pool.InvalidHeader: "broken",
    pool.SSLError: "network",
    pool.ProxyError: "network",
    pool.ProxySchemeUnknown: "network",
    pool.ProxySchemeUnsupported: "network",
    pool.HostChangedError: "bug",
    pool.HTTPError: "bug",
    pool.TimeoutStateError: "bug",
    pool.LocationValueError: "bug",
    pool.LocationParseError: "bug",
    pool.URLSchemeUnknown: "bug",
    pool.UnrewindableBodyError: "bug",
}


#: Classes whose first argument says more than they do.
WRAPPERS = (wire.ConnectionError, pool.SSLError)


def transport_error(error: BaseException, crm: str) -> ConnectorError:
    """What requests, urllib3 or the socket raised, as one of the four kinds. Total: the rest is OurBug.

    The text names the class only: the originals carry the address, and an address can carry record values
    (a query). So raise the result ``from None``.
    """
    cause = _cause(error)
    kind = type(cause).__name__
    meaning = next((BY_CLASS[c] for c in type(cause).__mro__ if c in BY_CLASS), "bug")
    if meaning == "network":
        return NeedsPerson(
            f"No trusted connection to {crm} ({kind})",
            crm=crm,
            code=kind,
            fix="Check the address, the proxy and the certificates between this machine and the CRM.",
        )
    if meaning == "not sent":
        return RetryLater(f"{crm} cannot be reached ({kind})", crm=crm, code=kind)
    if meaning == "broken":
        return RetryLater(f"The connection to {crm} broke ({kind})", crm=crm, code=kind, sent=True)
    return OurBug(f"A request to {crm} could not be made ({kind})", crm=crm, code=kind)


def _cause(error: BaseException) -> BaseException:
    """What lies under the wrappers: the reason of a MaxRetryError, the first argument of a ConnectionError.

    A ConnectionError that wraps a refused connection was never sent; one that wraps a reset may have been.
    A certificate that is not trusted needs a person; a handshake that broke does not.
    """
    inner = error
    while True:
        reason = getattr(inner, "reason", None)
        if isinstance(reason, BaseException):
            inner = reason
        elif isinstance(inner, WRAPPERS) and inner.args and isinstance(inner.args[0], Exception):
            inner = inner.args[0]
        else:
            return inner
