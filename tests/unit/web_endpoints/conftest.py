"""The endpoints on a real port, with a way into the inbox that only remembers what it was given."""

from __future__ import annotations

import asyncio
import http.client
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from prometheus_client import CollectorRegistry

from connectors.hubspot.signature import HEADER, TIME_HEADER, Verifier, signature_v3
from sync.inbox import Wanted
from sync.metrics import Metrics
from sync.store.inbox import Hints
from sync.store.intake import NotStored
from sync.web.belongings import Limits, WebBelongings
from sync.web.endpoints import web_app
from sync.web.listening import Listening, listen

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
SECRET, PATH, TOKEN = "planted-client-secret", "planted/secret-path", "planted-api-token"
PUBLIC = "https://leads.example/hooks"
ORGANISATION = "00D000000000001EAA"


class Way:
    """Keeps hints in a list; or is away; or never answers."""

    def __init__(self) -> None:
        self.kept: list[Hints] = []
        self.state = "there"

    def start(self) -> None:
        """It is always there."""

    def close(self) -> None:
        """Nothing to close."""

    def put(self, hints: Hints, now: datetime) -> Future[None]:
        if self.state == "full":
            raise NotStored("too many events wait for the database")
        stored: Future[None] = Future()
        if self.state == "away":
            stored.set_exception(NotStored("the database is away"))
        elif self.state == "there":
            self.kept.append(hints)
            stored.set_result(None)
        return stored

    @property
    def records(self) -> list[str]:
        return sorted(record for hints in self.kept for _, _, record in hints)


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        return orjson.loads(self.body)


@dataclass
class Served:
    """A running application."""

    port: int
    way: Way
    registry: CollectorRegistry
    unready: list[str] = field(default_factory=list)

    def ask(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, dict(headers or {}))
            answer = connection.getresponse()
            return Answer(answer.status, dict(answer.headers), answer.read())
        finally:
            connection.close()

    def hubspot(
        self,
        body: bytes,
        *,
        at: datetime = NOW,
        secret: str = SECRET,
        target: str = "/webhooks/hubspot",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """A request as HubSpot signs it."""
        return self.ask("POST", target, body, {**signed(body, at, secret, target), **(headers or {})})

    def salesforce(self, body: bytes, path: str = PATH, headers: Mapping[str, str] | None = None) -> Answer:
        return self.ask("POST", f"/webhooks/salesforce/outbound/{path}", body, headers)

    def counted(self, crm: str, outcome: str) -> float:
        labels = {"crm": crm, "outcome": outcome}
        return self.registry.get_sample_value("leadpact_webhook_requests_total", labels) or 0.0


def signed(body: bytes, at: datetime, secret: str, target: str) -> dict[str, str]:
    """The headers of a v3 signature."""
    stamp = str(int(at.timestamp() * 1000))
    return {HEADER: signature_v3(secret, "POST", PUBLIC + target, body, stamp), TIME_HEADER: stamp}


def event(record: int = 1, **more: Any) -> dict[str, Any]:
    """One event of our account."""
    return {
        **{"portalId": 7, "occurredAt": 1_763_800_000_000, "subscriptionType": "contact.creation"},
        **{"objectId": record, **more},
    }


def message(organisation: str = ORGANISATION, *records: str, object_name: str = "Lead") -> bytes:
    """An Outbound Message."""
    notes = "".join(
        f"<Notification><Id>04l00000000000{number}AAA</Id>"
        f'<sObject xsi:type="sf:{object_name}" xmlns:sf="urn:sobject.enterprise.soap.sforce.com">'
        f"<sf:Id>{record}</sf:Id></sObject></Notification>"
        for number, record in enumerate(records)
    )
    return (
        '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"'
        ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body>'
        '<notifications xmlns="http://soap.sforce.com/2005/09/outbound">'
        f"<OrganizationId>{organisation}</OrganizationId><ActionId>04k000000000001AAA</ActionId>"
        f"{notes}</notifications></soapenv:Body></soapenv:Envelope>"
    ).encode()


@contextmanager
def serving(**more: Any) -> Iterator[Served]:
    """The application on a free port, in a thread with a loop of its own."""
    way, registry, unready = Way(), CollectorRegistry(), list[str]()
    limits = more.pop("limits", Limits())
    belongings = WebBelongings(
        clock=lambda: NOW,
        accounts={"hubspot": "7", "salesforce": ORGANISATION},
        wanted=Wanted({"hubspot": "contacts", "salesforce": "Lead"}),
        way_in=way,
        metrics=Metrics(registry),
        unready=lambda: unready,
        verifier=Verifier(SECRET, PUBLIC),
        secret_path=PATH,
        answers={"status": lambda: {"mode": "full", "at": NOW}},
        limits=limits,
    )
    belongings = replace(belongings, **more)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def begin() -> Listening:
        return await listen(web_app(belongings), "127.0.0.1", 0, limits)

    listening = asyncio.run_coroutine_threadsafe(begin(), loop).result(60)
    try:
        yield Served(listening.port, way, registry, unready)
    finally:
        asyncio.run_coroutine_threadsafe(listening.close(), loop).result(60)
        asyncio.run_coroutine_threadsafe(_end_the_others(), loop).result(60)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _end_the_others() -> None:
    """As ``asyncio.run`` does before it closes a loop."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


@pytest.fixture(scope="session")
def served_with() -> Callable[..., Any]:
    """Serves the application for a ``with`` statement, with these belongings instead of the usual ones."""
    return serving


@pytest.fixture(scope="module")
def running() -> Iterator[Served]:
    """The usual application, for a whole module."""
    with serving() as served:
        yield served


@pytest.fixture
def served(running: Served) -> Served:
    """The usual application, as new."""
    running.way.kept.clear()
    running.way.state = "there"
    running.unready.clear()
    return running


@pytest.fixture(scope="session")
def made() -> Any:
    """How events, messages and signatures are made: ``event``, ``message``, ``signed``, and what they hold."""

    class Made:
        event = staticmethod(event)
        message = staticmethod(message)
        signed = staticmethod(signed)
        now, secret, path, token, organisation = NOW, SECRET, PATH, TOKEN, ORGANISATION

    return Made
