"""The connector's Pub/Sub client and a pretend organisation, over gRPC and TLS."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from connectors.retry import Retry
from connectors.salesforce.grants import ClientCredentials
from connectors.salesforce.pubsub.changes import Change
from connectors.salesforce.pubsub.listening import EVERY_OBJECT, PubSub
from connectors.salesforce.pubsub.wire import Wire
from connectors.salesforce.token import Tokens
from connectors.sandbox.serving import Serving, sandbox
from connectors.session import open_session

NOON = datetime(2026, 11, 22, 12, 0, 30, tzinfo=UTC)
LEAD = {"FirstName": "Ada", "LastName": "Byron", "Company": "Engines", "City": "London"}


class Org:
    """One pretend organisation: people and programs who change it, and a connector that hears of it."""

    def __init__(self, serving: Serving) -> None:
        self.url = serving.salesforce_url
        self.serving = serving
        session = open_session(loopback=urlsplit(self.url).netloc)
        login = "https://leadpact-sandbox.my.salesforce.com"
        grant = ClientCredentials("leadpact-sandbox", "salesforce-sandbox-secret")
        self.tokens = Tokens(session, login, grant)
        self.slept: list[float] = []
        self.wires: list[Wire] = []
        self.pubsub = self.connect()

    def connect(self) -> PubSub:
        assert self.serving.pubsub is not None
        self.wires.append(Wire(self.serving.pubsub, str(self.serving.ca_file)))
        return PubSub(self.wires[-1], self.tokens, retry=Retry(sleep=self.slept.append))

    def control(self, name: str, **wanted: Any) -> Any:
        answer = requests.post(f"{self.url}/_sandbox/{name}", json=wanted, timeout=60)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def person(self, action: str, object_name: str = "Lead", **more: Any) -> Any:
        return self.control("people", action=action, object=object_name, **more)

    def created(self, **fields: Any) -> str:
        return str(self.person("create", fields={**LEAD, **fields})["id"])

    def call(self, method: str, path: str, body: Any, **headers: str) -> Any:
        """A call of the REST API under the current token."""
        bearer = {"Authorization": f"Bearer {self.tokens.current().access_token}"}
        answer = requests.request(
            method,
            f"{self.url}/services/data/v66.0/{path}",
            json=body,
            headers={**bearer, **headers},
            timeout=60,
        )
        assert answer.status_code < 300, answer.text
        return answer.json() if answer.content else None

    def heard(self, topic: str = EVERY_OBJECT, place: str | None = None) -> list[Change]:
        """Every change from a place on, or of the last 72 hours."""
        # A busy machine needs most of it to open the stream: what is not heard by then would be taken for nothing.
        with self.pubsub.listen(topic, place, idle_seconds=1.2) as batches:
            return [change for batch in batches for change in batch.changes]

    def close(self) -> None:
        for wire in self.wires:
            wire.close()


@pytest.fixture(scope="module")
def serving() -> Iterator[Serving]:
    with sandbox() as running:
        yield running


@pytest.fixture
def org(serving: Serving) -> Iterator[Org]:
    """A new organisation at 2026-11-22 12:00:30 UTC that nobody has changed yet."""
    requests.post(f"{serving.salesforce_url}/_sandbox/reset", json={}, timeout=60)
    requests.post(f"{serving.salesforce_url}/_sandbox/clock", json={"now": NOON.isoformat()}, timeout=60)
    fresh = Org(serving)
    yield fresh
    fresh.close()
