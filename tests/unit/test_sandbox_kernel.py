"""The server in front of a pretend CRM, over real HTTP, with a tiny CRM that only keeps notes."""

from __future__ import annotations

import gzip
import json
import logging
import socket
import threading
import time
import zlib
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from connectors.sandbox.clock import SandboxClock
from connectors.sandbox.folder import FolderInUse
from connectors.sandbox.server import BODY_UP_TO, PortInUse, accepts_gzip
from connectors.sandbox.serving import Serving, sandbox
from connectors.sandbox.side import Answer, Ask

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Notes:
    """A CRM of notes: POST keeps the body, GET /notes gives all, anything else says what it was asked."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.notes: list[str] = []
        self.threads: set[int] = set()
        self.closed = False

    def answer(self, ask: Ask) -> Answer:
        self.threads.add(threading.get_ident())
        if ask.path == "/bug":
            raise KeyError(ask.body)
        if ask.path == "/nothing":
            return Answer(204, content_type=None)
        if ask.path == "/notes" and ask.method == "GET":
            return Answer(200, json.dumps(self.notes).encode())
        if ask.path == "/notes" and ask.method == "POST":
            self.notes.append(ask.body.decode())
            return Answer(201, json.dumps({"id": len(self.notes)}).encode(), {"X-Notes": "kept"})
        told = {"method": ask.method, "path": ask.path, "query": ask.query, "length": len(ask.body)}
        return Answer(200, json.dumps({**told, "headers": dict(ask.headers)}).encode())

    def is_write(self, ask: Ask) -> bool:
        return ask.path != "/search"

    def reset(self, seed: int | None = None) -> None:
        self.notes.clear()

    def limits(self, wanted: Mapping[str, Any]) -> Mapping[str, Any]:
        return wanted

    def people(self, wanted: Mapping[str, Any]) -> Mapping[str, Any]:
        return wanted

    def state(self, wanted: Mapping[str, str]) -> Mapping[str, Any]:
        return wanted

    def load(self, object_name: str, rows: Iterable[Mapping[str, Any]]) -> list[str]:
        return [object_name for _ in rows]

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def sides() -> list[Notes]:
    return [Notes("hubspot"), Notes("salesforce")]


@pytest.fixture
def serving(sides: list[Notes]) -> Iterator[Serving]:
    with sandbox(sides=lambda folder, clock, seed: sides) as running:
        yield running


@pytest.fixture
def url(serving: Serving) -> str:
    return serving.hubspot_url


def fault(url: str, **wanted: Any) -> None:
    requests.post(f"{url}/_sandbox/faults", json=wanted).raise_for_status()


def logged(url: str, **query: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = requests.get(f"{url}/_sandbox/requests", params=query).json()["requests"]
    return found


# --- what reaches the side ------------------------------------------------------------------------------


def test_a_side_sees_the_decoded_path_and_every_query_value_in_order(url: str) -> None:
    told = requests.get(f"{url}/crm/J%C3%BCrgen?p=a&p=b%20c&empty=&p=d+e").json()
    assert told["path"] == "/crm/Jürgen"
    assert told["query"] == [["p", "a"], ["p", "b c"], ["empty", ""], ["p", "d e"]]


def test_dots_and_double_slashes_in_a_path_are_left_alone(serving: Serving) -> None:
    raw = over_a_socket(serving, b"GET /a/../b//c%2Fd HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert json.loads(raw.partition(b"\r\n\r\n")[2])["path"] == "/a/../b//c/d"


def test_header_names_are_lower_case_and_repeats_are_joined(serving: Serving) -> None:
    raw = over_a_socket(
        serving, b"GET /a HTTP/1.1\r\nHost: x\r\nX-One: 1\r\nx-ONE: 2\r\nConnection: close\r\n\r\n"
    )
    assert json.loads(raw.partition(b"\r\n\r\n")[2])["headers"]["x-one"] == "1, 2"


def test_a_header_that_is_no_text_does_no_harm(serving: Serving) -> None:
    raw = over_a_socket(
        serving, b"GET /a HTTP/1.1\r\nHost: x\r\nUser-Agent: \xfd\r\nConnection: close\r\n\r\n"
    )
    assert raw.startswith(b"HTTP/1.1 200 ")
    assert logged(serving.hubspot_url)[0]["client"] == "?"


def test_a_client_that_takes_us_for_a_proxy_is_understood(serving: Serving) -> None:
    raw = over_a_socket(
        serving, b"GET http://crm.example/a?b=c HTTP/1.1\r\nHost: crm.example\r\nConnection: close\r\n\r\n"
    )
    told = json.loads(raw.partition(b"\r\n\r\n")[2])
    assert (told["path"], told["query"]) == ("/a", [["b", "c"]])


@pytest.mark.parametrize("length", [16_385, 20_000])
def test_a_long_uri_reaches_the_side(url: str, length: int) -> None:
    query = "x" * (length - len("/a?q="))
    assert requests.get(f"{url}/a?q={query}").json()["query"] == [["q", query]]


def test_a_long_header_reaches_the_side(url: str) -> None:
    told = requests.get(f"{url}/a", headers={"X-Long": "y" * 20_000}).json()
    assert len(told["headers"]["x-long"]) == 20_000


def test_a_chunked_body_is_joined(url: str, sides: list[Notes]) -> None:
    requests.post(f"{url}/notes", data=iter([b"one ", b"two ", b"three"])).raise_for_status()
    assert sides[0].notes == ["one two three"]


def test_a_body_of_megabytes_arrives_whole(url: str) -> None:
    assert requests.post(f"{url}/upload", data=b"z" * 20_000_000).json()["length"] == 20_000_000


def raw_deflate(body: bytes) -> bytes:
    squeezer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return squeezer.compress(body) + squeezer.flush()


@pytest.mark.parametrize(
    ("encoding", "squeeze"),
    [
        ("gzip", gzip.compress),
        ("GZIP", gzip.compress),
        ("gzip", lambda body: gzip.compress(body[:3], mtime=0) + gzip.compress(body[3:], mtime=0)),
        ("deflate", zlib.compress),
        ("deflate", raw_deflate),
        ("identity", lambda body: body),
    ],
    ids=["gzip", "upper case", "two members", "zlib", "raw deflate", "identity"],
)
def test_a_zipped_body_reaches_the_side_unzipped(
    url: str, sides: list[Notes], encoding: str, squeeze: Any
) -> None:
    body = squeeze("Grüße aus Köln".encode())
    requests.post(f"{url}/notes", data=body, headers={"Content-Encoding": encoding}).raise_for_status()
    assert sides[0].notes == ["Grüße aus Köln"]


@pytest.mark.parametrize(
    ("encoding", "body", "status"),
    [
        ("gzip", b"not zipped", 400),
        ("gzip", gzip.compress(b"cut short" * 100, mtime=0)[:-12], 400),
        ("br", b"whatever", 415),
    ],
)
def test_a_body_that_cannot_be_unzipped_never_reaches_the_side(
    url: str, sides: list[Notes], encoding: str, body: bytes, status: int
) -> None:
    answer = requests.post(f"{url}/notes", data=body, headers={"Content-Encoding": encoding})
    assert (answer.status_code, sides[0].notes) == (status, [])
    assert [(call["status"], call["fault"]) for call in logged(url)] == [(status, "unreadable")]


def test_a_small_body_that_unzips_beyond_the_limit_is_refused(url: str) -> None:
    squeezer = zlib.compressobj(9)
    part = bytes(1024 * 1024)
    bomb = b"".join(squeezer.compress(part) for _ in range(BODY_UP_TO // len(part) + 1)) + squeezer.flush()
    answer = requests.post(f"{url}/notes", data=bomb, headers={"Content-Encoding": "deflate"})
    assert answer.status_code == 413


@pytest.mark.parametrize(
    "head", ["Content-Length: 100\r\n\r\nhalf", "Transfer-Encoding: chunked\r\n\r\n9\r\nha", "X: chunk"]
)
def test_a_client_that_leaves_in_the_middle_changes_nothing(
    serving: Serving, sides: list[Notes], caplog: pytest.LogCaptureFixture, head: str
) -> None:
    port = int(serving.hubspot_url.rpartition(":")[2])
    with caplog.at_level(logging.WARNING):
        with socket.create_connection(("127.0.0.1", port)) as line:
            line.sendall(b"POST /notes HTTP/1.1\r\nHost: x\r\n" + head.encode())
        deadline = time.monotonic() + 60
        while "\r\n\r\n" in head and not logged(serving.hubspot_url) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert requests.get(f"{serving.hubspot_url}/notes").json() == sides[0].notes == []
    left = [(call["status"], call["fault"], call["bytes_in"]) for call in logged(serving.hubspot_url)[:-1]]
    assert left in ([], [(None, "client left", 4)], [(None, "client left", 2)])
    assert caplog.text == ""


def test_a_client_that_waits_for_100_continue_gets_it(serving: Serving) -> None:
    raw = over_a_socket(
        serving,
        b"POST /notes HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n"
        b"Connection: close\r\n\r\n",
        b"hi",
    )
    assert raw.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 ")


def over_a_socket(serving: Serving, *parts: bytes) -> bytes:
    """Send bytes as they are; a second part only after something came back."""
    port = int(serving.hubspot_url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=60) as line:
        line.sendall(parts[0])
        got = b""
        for part in parts[1:]:
            got += line.recv(65_536)
            line.sendall(part)
        while piece := line.recv(65_536):
            got += piece
    return got


def test_every_call_of_a_side_is_made_on_one_thread(url: str, sides: list[Notes]) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: requests.get(f"{url}/a{n}"), range(24)))
    assert len(sides[0].threads) == 1


# --- what comes back ------------------------------------------------------------------------------------


def test_a_large_answer_is_zipped_only_for_a_client_that_takes_it(url: str, sides: list[Notes]) -> None:
    sides[0].notes = ["word " * 1000]
    zipped = requests.get(f"{url}/notes", headers={"Accept-Encoding": "gzip"})
    plain = requests.get(f"{url}/notes", headers={"Accept-Encoding": "identity"})
    assert zipped.headers["Content-Encoding"] == "gzip"
    assert int(zipped.headers["Content-Length"]) < 200 < int(plain.headers["Content-Length"])
    assert "Content-Encoding" not in plain.headers
    assert zipped.json() == plain.json() == sides[0].notes


def test_a_small_answer_is_never_zipped(url: str) -> None:
    assert "Content-Encoding" not in requests.get(f"{url}/notes").headers


@pytest.mark.parametrize(
    ("header", "allowed"),
    [
        ("gzip", True),
        ("deflate, gzip;q=0.5", True),
        ("GZIP", True),
        ("*", True),
        ("", False),
        ("identity", False),
        ("gzip;q=0", False),
        ("gzip; q=0.0, *", False),
        ("br, *;q=0", False),
        ("xgzip", False),
    ],
)
def test_accept_encoding_is_read_as_the_standard_says(header: str, allowed: bool) -> None:
    assert accepts_gzip(header) is allowed


def test_an_answer_without_content_has_no_content_type(url: str) -> None:
    answer = requests.get(f"{url}/nothing")
    assert (answer.status_code, answer.content, answer.headers.get("Content-Type")) == (204, b"", None)


def test_every_answer_is_dated_by_the_sandbox_clock(serving: Serving, url: str) -> None:
    serving.clock.set(NOON)
    fault(url, match="/faulty", status=500)
    for path in ("/a", "/faulty", "/_sandbox/clock", "/_sandbox/none"):
        assert parsedate_to_datetime(requests.get(url + path).headers["Date"]) == NOON


def test_latencies_of_concurrent_requests_overlap(url: str) -> None:
    requests.post(f"{url}/_sandbox/latency", json={"ms": 300}).raise_for_status()
    started = time.monotonic()
    with ThreadPoolExecutor(40) as pool:
        list(pool.map(lambda n: requests.get(f"{url}/a{n}"), range(40)))
    assert 0.3 <= time.monotonic() - started < 8, "one after the other they take twelve seconds"


def test_the_two_sides_have_latencies_of_their_own(serving: Serving) -> None:
    requests.post(f"{serving.hubspot_url}/_sandbox/latency", json={"ms": 60_000}).raise_for_status()
    assert requests.get(f"{serving.salesforce_url}/a", timeout=30).status_code == 200


def test_a_bug_in_a_side_is_a_500_that_tells_nothing_private(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        answer = requests.post(f"{url}/bug", data="Ada Lovelace")
    assert (answer.status_code, answer.json()) == (500, {"error": "bug in the hubspot sandbox: KeyError"})
    assert "in answer" in caplog.text
    assert "Ada" not in caplog.text + answer.text
    assert logged(url)[0]["fault"] == "bug KeyError"
    assert requests.get(f"{url}/a").status_code == 200


# --- starting and stopping ------------------------------------------------------------------------------


def test_a_port_in_use_is_named(sides: list[Notes]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with (
            pytest.raises(PortInUse, match=f"port {port} for the salesforce sandbox is in use"),
            sandbox(salesforce_port=port, sides=lambda folder, clock, seed: sides),
        ):
            pytest.fail("it started")
    assert all(side.closed for side in sides)


def test_a_port_that_is_no_port_is_refused(sides: list[Notes]) -> None:
    with (
        pytest.raises(PortInUse, match="port 70000 for the hubspot sandbox cannot be opened"),
        sandbox(hubspot_port=70_000, sides=lambda folder, clock, seed: sides),
    ):
        pytest.fail("it started")


def test_only_this_machine_can_reach_a_side(serving: Serving) -> None:
    port = int(serving.hubspot_url.rpartition(":")[2])
    with socket.socket() as elsewhere:
        # Free on every other address of the machine, because the side listens on loopback alone.
        elsewhere.bind(("127.0.0.2", port))


def test_a_folder_is_served_by_one_server_at_a_time(tmp_path: Path) -> None:
    def notes(folder: Path, clock: SandboxClock, seed: int | None) -> list[Notes]:
        return [Notes("hubspot"), Notes("salesforce")]

    with (
        sandbox(tmp_path, sides=notes),
        pytest.raises(FolderInUse, match=tmp_path.name),
        sandbox(tmp_path, sides=notes),
    ):
        pytest.fail("it started")
    with sandbox(tmp_path, sides=notes) as again:
        assert requests.get(f"{again.hubspot_url}/notes").json() == []


def test_the_end_closes_the_sides_and_removes_a_temporary_folder() -> None:
    seen: list[Path] = []
    sides = [Notes("hubspot"), Notes("salesforce")]

    def notes(folder: Path, clock: SandboxClock, seed: int | None) -> list[Notes]:
        seen.append(folder)
        return sides

    with sandbox(sides=notes) as serving:
        url = serving.hubspot_url
        assert seen[0].is_dir()
        assert seen[0].stat().st_mode & 0o777 == 0o700
    assert not seen[0].exists()
    assert all(side.closed for side in sides)
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{url}/notes")


def test_the_request_log_and_a_frozen_clock_survive_a_restart(tmp_path: Path) -> None:
    def notes(folder: Path, clock: SandboxClock, seed: int | None) -> list[Notes]:
        return [Notes("hubspot"), Notes("salesforce")]

    with sandbox(tmp_path, sides=notes) as first:
        first.clock.set(NOON)
        first.clock.advance(90)
        requests.post(f"{first.hubspot_url}/notes", data="kept")
    with sandbox(tmp_path, sides=notes) as second:
        assert second.clock.now() == NOON + timedelta(seconds=90)
        assert [call["path"] for call in logged(second.hubspot_url)] == ["/notes"]
