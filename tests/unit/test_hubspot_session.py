"""The session under both vendor clients: where it goes, what it counts, and what its failures mean."""

from __future__ import annotations

import gzip
import inspect
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests
import requests.exceptions
import urllib3.connection
import urllib3.connectionpool
import urllib3.exceptions

from connectors.address import PlainAddress, check_address
from connectors.errors import ConnectorError, NeedsPerson, OurBug, RetryLater
from connectors.session import BY_CLASS, open_session, transport_error


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    connections = 0
    accepted: str | None = None

    def setup(self) -> None:
        type(self).connections += 1
        super().setup()

    def do_GET(self) -> None:
        type(self).accepted = self.headers.get("Accept-Encoding")
        body = gzip.compress(f"{self.path} {self.headers.get('Cookie')}".encode())
        self.send_response(302 if self.path == "/away" else 200)
        if self.path == "/away":
            self.send_header("Location", "http://192.0.2.7/secret")
        self.send_header("Set-Cookie", "tracked=yes")
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body) + (9 if self.path == "/cut" else 0)))
        self.end_headers()
        self.wfile.write(body)
        if self.path == "/cut":
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        """A test's output is not the place for it."""


@pytest.fixture
def port() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


def test_https_to_any_host_takes_the_detour_to_this_machine(port: int) -> None:
    with open_session(loopback=f"127.0.0.1:{port}") as session:
        answer = session.get("https://acme.my.salesforce.com/services/data?q=1")
    assert answer.text == "/services/data?q=1 None"


def test_an_exchange_reads_an_answer_whole_and_unzipped(port: int) -> None:
    with open_session() as session:
        status, headers, body = session.exchange("GET", f"http://127.0.0.1:{port}/a%20b?c=d", {})
    assert (status, headers["content-encoding"], body) == (200, "gzip", b"/a%20b?c=d None")


@pytest.mark.parametrize(
    ("address", "loopback"), [("http://127.0.0.1:{port}", None), ("https://crm.example", True)]
)
def test_what_stays_on_this_machine_is_not_packed(port: int, address: str, loopback: bool | None) -> None:
    with open_session(loopback=f"127.0.0.1:{port}" if loopback else None) as session:
        session.exchange("GET", f"{address.format(port=port)}/", {"Accept-Encoding": "gzip"})
    assert _Handler.accepted == "identity"


def test_exchanges_share_one_connection(port: int) -> None:
    before = _Handler.connections
    with open_session() as session:
        for _ in range(5):
            session.exchange("GET", f"http://127.0.0.1:{port}/", {})
    assert _Handler.connections - before == 1


def test_every_request_is_counted_and_the_newest_date_kept(port: int) -> None:
    heard: list[int] = []
    with open_session(on_response=lambda response: heard.append(response.status_code)) as session:
        assert session.crm_time is None
        session.get(f"http://127.0.0.1:{port}/")
        session.exchange("GET", f"http://127.0.0.1:{port}/", {})
        assert session.calls == 2
        assert heard == [200, 200]
        assert session.crm_time is not None
        assert abs((datetime.now(UTC) - session.crm_time).total_seconds()) < 60


def test_no_cookie_is_ever_sent_back(port: int) -> None:
    with open_session() as session:
        session.get(f"http://127.0.0.1:{port}/")
        assert session.get(f"http://127.0.0.1:{port}/").text == "/ None"


def test_credentials_do_not_follow_a_redirect_to_a_plain_address(port: int) -> None:
    with open_session() as session, pytest.raises(PlainAddress):
        session.get(f"http://127.0.0.1:{port}/away", headers={"Authorization": "Bearer secret"})


def test_an_answer_that_is_cut_off_may_have_been_carried_out(port: int) -> None:
    with open_session() as session, pytest.raises(urllib3.exceptions.HTTPError) as raised:
        session.exchange("GET", f"http://127.0.0.1:{port}/cut", {})
    error = transport_error(raised.value, "hubspot")
    assert isinstance(error, RetryLater)
    assert error.sent


def test_a_port_where_nobody_listens_has_carried_nothing_out() -> None:
    with open_session() as session, pytest.raises(requests.ConnectionError) as raised:
        session.get("http://127.0.0.1:9/?email=ada@acme.test")
    error = transport_error(raised.value, "hubspot")
    assert isinstance(error, RetryLater)
    assert not error.sent
    assert "ada" not in str(error)


@pytest.mark.parametrize(
    "url",
    [
        "http://api.hubapi.com",
        "http://127.0.0.1.evil.test",
        "http://192.168.0.1",
        "ftp://127.0.0.1",
        "api.hubapi.com",
        "https://user:secret@api.hubapi.com",
        "",
    ],
)
def test_an_address_that_is_not_safe_is_refused(url: str) -> None:
    with pytest.raises(PlainAddress) as raised:
        check_address(url)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://api.hubapi.com/", "https://api.hubapi.com"),
        ("http://127.0.0.1:8123", "http://127.0.0.1:8123"),
        ("http://localhost:8123", "http://localhost:8123"),
        ("http://[::1]:8123", "http://[::1]:8123"),
    ],
)
def test_https_and_this_machine_are_accepted(url: str, kept: str) -> None:
    assert check_address(url) == kept


@pytest.mark.parametrize("target", ["192.0.2.7:80", "example.test:80"])
def test_the_detour_leads_to_this_machine_only(target: str) -> None:
    with pytest.raises(PlainAddress):
        open_session(loopback=target)


def test_nothing_is_taken_from_the_environment() -> None:
    session = open_session()
    assert session.trust_env is False
    assert session.verify is True
    assert open_session(ca_file="/etc/ca.pem").verify == "/etc/ca.pem"


@pytest.mark.parametrize("module", [requests.exceptions, urllib3.exceptions])
def test_every_exception_of_the_http_libraries_is_translated(module: object) -> None:
    found = {
        c
        for c in vars(module).values()
        if inspect.isclass(c)
        and issubclass(c, Exception)
        and not issubclass(c, Warning)
        and c.__module__ == module.__name__  # type: ignore[attr-defined]
    }
    assert found - set(BY_CLASS) == set()


POOL = urllib3.connectionpool.HTTPConnectionPool("h")
CONNECTION = urllib3.connection.HTTPConnection("h")


@pytest.mark.parametrize(
    ("error", "kind", "sent"),
    [
        (requests.ConnectTimeout(), RetryLater, False),
        (requests.ReadTimeout(), RetryLater, True),
        (
            requests.ConnectionError(urllib3.exceptions.ProtocolError("x", ConnectionResetError())),
            RetryLater,
            True,
        ),
        (
            requests.ConnectionError(
                urllib3.exceptions.MaxRetryError(
                    POOL, "/?email=ada", urllib3.exceptions.NewConnectionError(CONNECTION, "refused")
                )
            ),
            RetryLater,
            False,
        ),
        (requests.exceptions.SSLError(urllib3.exceptions.SSLError(ssl.SSLEOFError())), RetryLater, True),
        (
            requests.exceptions.SSLError(
                urllib3.exceptions.MaxRetryError(
                    POOL, "/", urllib3.exceptions.SSLError(ssl.SSLCertVerificationError())
                )
            ),
            NeedsPerson,
            False,
        ),
        (requests.exceptions.ProxyError(), NeedsPerson, False),
        (requests.exceptions.InvalidURL(), OurBug, False),
        (PlainAddress("x"), NeedsPerson, False),
        (ConnectionResetError(), RetryLater, True),
        (ConnectionRefusedError(), RetryLater, False),
        (KeyError("x"), OurBug, False),
    ],
)
def test_a_failure_says_what_to_do_next(error: Exception, kind: type[ConnectorError], sent: bool) -> None:
    translated = transport_error(error, "hubspot")
    assert type(translated) is kind
    assert getattr(translated, "sent", False) is sent
    assert "ada" not in str(translated)
