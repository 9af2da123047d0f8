"""A pretend HubSpot account that tells of changes, a real HTTP receiver for it, and the journal's readers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import requests

from connectors.hubspot.events import Event, parse
from connectors.hubspot.signature import Received
from connectors.sandbox.credentials import HUBSPOT_TOKEN
from connectors.sandbox.serving import sandbox

TARGET = "/webhooks/hubspot?from=hubspot%3Aeu1&x=%2B"


class Receiver:
    """An HTTP server that keeps what it gets. ``statuses`` are answered first, then 200."""

    def __init__(self) -> None:
        self.got: list[Received] = []
        self.statuses: list[int] = []
        self.takes_seconds = 0.0
        self.now_inside = self.most_inside = 0
        self._lock = threading.Lock()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = receiver.take(Received("POST", self.path, dict(self.headers), body))
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def take(self, request: Received) -> int:
        with self._lock:
            self.now_inside += 1
            self.most_inside = max(self.most_inside, self.now_inside)
            status = self.statuses.pop(0) if self.statuses else 200
        time.sleep(self.takes_seconds)
        with self._lock:
            self.now_inside -= 1
            self.got.append(request)
        return status

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class Account:
    """The pretend account, by its API and its controls."""

    def __init__(self, url: str, receiver: Receiver) -> None:
        self.url, self.receiver, self.target = url, receiver, TARGET
        self.http = requests.Session()
        self.http.trust_env = False

    def control(self, name: str, **wanted: Any) -> Any:
        answer = self.http.post(f"{self.url}/_sandbox/{name}", json=wanted, timeout=60)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def told(self) -> dict[str, Any]:
        found = self.http.get(
            f"{self.url}/_sandbox/state", params={"object": "webhooks", "limit": "100000"}, timeout=60
        )
        return dict(found.json())

    def call(self, method: str, path: str, body: Any = None) -> Any:
        headers = {"Authorization": f"Bearer {HUBSPOT_TOKEN}"}
        answer = self.http.request(method, f"{self.url}{path}", json=body, headers=headers, timeout=60)
        assert answer.status_code < 400, answer.text
        return answer.json() if answer.content else None

    def declare(self, *types: str, **more: Any) -> None:
        events = []
        for type_ in types:
            event_type, _, name = type_.partition(":")
            generic = {"objectTypeId": "0-1"} if event_type.startswith("object.") else {}
            events.append({"eventType": event_type, **({"propertyName": name} if name else {}), **generic})
        wanted = {"target_url": self.receiver.url + self.target, **more}
        self.control("people", action="declare_webhooks", events=events, **wanted)

    def contact(self, **properties: str) -> str:
        made = self.call("POST", "/crm/v3/objects/contacts", {"properties": properties})
        return str(made["id"])

    def settled(self, requests_: int = 1) -> list[Event]:
        """The events of everything received, once nothing is due any more. Fails after a minute."""
        end = time.monotonic() + 60
        while True:
            told = self.told()
            if not told["flying"] and not told["waiting"] and len(self.receiver.got) >= requests_:
                return self.events()
            assert time.monotonic() < end, f"{told} after {len(self.receiver.got)} requests"
            time.sleep(0.01)

    def events(self) -> list[Event]:
        return [event for request in list(self.receiver.got) for event in parse(request.body)]

    def arrived(self, count: int) -> None:
        """Wait until so many requests were received and answered."""
        end = time.monotonic() + 60
        while len(self.told()["records"]) < count:
            assert time.monotonic() < end, self.told()
            time.sleep(0.01)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Where the pretend HubSpot listens."""
    with sandbox() as served:
        yield served.hubspot_url


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver of webhooks."""
    found = Receiver()
    yield found
    found.close()


@pytest.fixture
def account(url: str, receiver: Receiver) -> Iterator[Account]:
    """A new account, at the time that it is."""
    found = Account(url, receiver)
    found.control("reset", seed=1)
    found.control("clock", run=True)
    yield found
    found.http.close()


@pytest.fixture
def account_at(receiver: Receiver) -> Callable[[str], Account]:
    """An account at another address, as it is."""
    return lambda address: Account(address, receiver)
