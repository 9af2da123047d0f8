"""Whoever connects and sends too slowly, too much or nonsense is let go in time, and the others don't notice."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from sync.web.belongings import Limits

LIMITS = Limits(body_seconds=0.4, head_seconds=0.4, most_connections=20)


def _talk(port: int, *parts: bytes, pause: float = 0.0, patience: float = 60.0) -> tuple[bytes, float]:
    """Send parts with pauses between them; what came back until the other side closed, and when it did."""
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), timeout=patience) as connection:
        try:
            for part in parts:
                connection.sendall(part)
                time.sleep(pause)
            got = b""
            while more := connection.recv(65_536):
                got += more
        except (ConnectionResetError, BrokenPipeError):
            got = b""
    return got, time.monotonic() - began


@pytest.mark.parametrize(
    ("parts", "pause", "expected"),
    [
        # A head that never ends, in drops
        ([b"POST /webhooks/hubspot HTTP/1.1\r\n", *[b"X-A: 1\r\n"] * 30], 0.1, b""),
        # Nothing at all
        ([], 0.0, b""),
        # A body that never ends
        (
            [b"POST /webhooks/hubspot HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n", b"["],
            0.0,
            b"HTTP/1.1 408",
        ),
        (
            [
                b"POST /webhooks/hubspot HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
                b"5\r\n[    \r\n",
            ],
            0.0,
            b"HTTP/1.1 408",
        ),
        # A second request on the same connection that never comes whole
        ([b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /healthz HT"], 0.05, b"HTTP/1.1 200"),
        # Announced too large: not a byte of it is waited for
        (
            [b"POST /webhooks/hubspot HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n"],
            0.0,
            b"HTTP/1.1 413",
        ),
        # A line, and lines, without end
        ([b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n\r\n"], 0.0, b"HTTP/1.0 400"),
        ([b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 2_000 + b"\r\n"], 0.0, b"HTTP/1.0 400"),
        # No HTTP
        ([b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"], 0.0, b"HTTP/1.0 400"),
        ([b"POST /webhooks/hubspot HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n"], 0.0, b"HTTP/1.0 400"),
    ],
)
def test_nobody_keeps_a_connection_by_being_slow_or_rude(
    served_with: Callable[..., Any], parts: list[bytes], pause: float, expected: bytes
) -> None:
    with served_with(limits=LIMITS) as served:
        got, seconds = _talk(served.port, *parts, pause=pause)
        assert got[: len(expected)] == expected
        assert seconds < 30
        assert served.way.kept == []


def test_many_idle_connections_do_not_keep_the_others_out(served_with: Callable[..., Any], made: Any) -> None:
    with served_with(limits=LIMITS) as served:
        idle = [socket.create_connection(("127.0.0.1", served.port)) for _ in range(60)]
        assert served.hubspot(orjson.dumps([made.event()])).status == 200
        end = time.monotonic() + 60
        for one in idle:
            one.settimeout(max(end - time.monotonic(), 0.1))
            assert one.recv(1) == b""
            one.close()
