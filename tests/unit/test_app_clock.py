"""The pretend CRMs' time as we ask for it: always fresh for one thread, hardly ever asked for by many."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from connectors.atonce import MANY, at_once
from connectors.session import open_session
from sync.app_clock import CLOCK_HOLDS, HOLDS_FOR_MANY, HOLDS_WHILE_ASKED, sandbox_clock

MORNING = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


class _Sandbox(ThreadingHTTPServer):
    """Tells the time, and can be made to take its time over it."""

    now = MORNING
    asked = 0

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers, self.hears = threading.Event(), threading.Event()
        self.answers.set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: _Sandbox

    def do_GET(self) -> None:
        self.server.asked += 1
        self.server.hears.set()
        self.server.answers.wait()
        body = f'{{"now": "{self.server.now.isoformat()}"}}'.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """A test's output is not the place for it."""


@pytest.fixture
def sandbox() -> Iterator[_Sandbox]:
    server = _Sandbox()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_moved_clock_is_seen_at_once_and_a_second_later_by_many_threads(sandbox: _Sandbox) -> None:
    passed, seen = [0.0], []
    with open_session() as session:
        clock = sandbox_clock(sandbox.url, lambda: MORNING, session, lambda: passed[0])
        assert clock() == MORNING
        sandbox.now, passed[0] = NOON, CLOCK_HOLDS
        at_once([lambda: seen.append(clock())] * MANY, MANY)
        assert seen == [MORNING] * MANY
        assert clock() == NOON
        passed[0] += HOLDS_FOR_MANY
        sandbox.now = MORNING
        at_once([lambda: seen.append(clock())] * MANY, MANY)
        assert (clock(), sandbox.asked) == (MORNING, 3)


def _seen_beside_who_asks(
    sandbox: _Sandbox, seconds: float, beside: Callable[[Callable[[], None]], None]
) -> list[datetime]:
    """What many threads saw so many seconds after a question, in order: one asks, and ``beside`` comes meanwhile."""
    passed, seen = [0.0], list[datetime]()
    with open_session() as session:
        clock = sandbox_clock(sandbox.url, lambda: MORNING, session, lambda: passed[0])
        clock()
        sandbox.answers.clear()
        sandbox.hears.clear()
        sandbox.now, passed[0] = NOON, seconds

        def looks() -> None:
            seen.append(clock())

        def comes() -> None:
            sandbox.hears.wait()
            beside(looks)

        at_once([looks, comes, *[lambda: None] * (MANY - 2)], MANY)
    return seen


def test_threads_that_make_calls_go_on_while_one_of_them_asks_the_time(sandbox: _Sandbox) -> None:
    def goes_on(looks: Callable[[], None]) -> None:
        looks()
        sandbox.answers.set()

    assert _seen_beside_who_asks(sandbox, HOLDS_FOR_MANY, goes_on) == [MORNING, NOON]


def test_a_time_that_was_told_long_ago_is_told_nobody_while_one_of_many_threads_asks(
    sandbox: _Sandbox,
) -> None:
    def waits(looks: Callable[[], None]) -> None:
        threading.Timer(0.05, sandbox.answers.set).start()
        looks()

    assert _seen_beside_who_asks(sandbox, HOLDS_WHILE_ASKED, waits) == [NOON, NOON]
