"""The HubSpot side of the sandbox as a client with a token calls it, in a new account, at a time the test sets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from connectors.sandbox.hubspot.side import HubSpotSide
from connectors.sandbox.side import Ask

TOKEN = {"authorization": "Bearer pat-eu1-leadpact-sandbox"}


class Clock:
    """A clock that only a test moves, and beside it the seconds that call limits are counted in."""

    def __init__(self) -> None:
        self.at = datetime(2026, 3, 1, 8, tzinfo=UTC)
        self.elapsed = 0.0

    def now(self) -> datetime:
        return self.at

    def advance(self, **step: float) -> None:
        self.at += timedelta(**step)


@pytest.fixture
def clock() -> Clock:
    """The account's clock: 2026-03-01 08:00 UTC until a test moves it."""
    return Clock()


@pytest.fixture
def side(tmp_path: Path, clock: Clock) -> Iterator[HubSpotSide]:
    """A new account."""
    side = HubSpotSide(tmp_path, clock, lambda: clock.elapsed)
    yield side
    side.close()


@pytest.fixture
def call(side: HubSpotSide) -> Callable[..., tuple[int, Any]]:
    """``call(method, path, body=None, **query)`` gives the status and the decoded body, None where it is empty."""

    def ask(method: str, path: str, body: Any = None, **query: str) -> tuple[int, Any]:
        sent = b"" if body is None else orjson.dumps(body)
        answer = side.answer(Ask(method, path, tuple(query.items()), TOKEN, sent))
        return answer.status, orjson.loads(answer.body) if answer.body else None

    return ask


@pytest.fixture
def ada(call: Callable[..., tuple[int, Any]]) -> str:
    """The id of a contact a program has made."""
    body = {"properties": {"email": "ADA@Acme.test", "firstname": "Ada"}}
    record: dict[str, Any] = call("POST", "/crm/v3/objects/contacts", body)[1]
    return str(record["id"])
