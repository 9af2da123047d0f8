"""Both CRMs tell of what people do there, twice, late and out of order; at the end they agree."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import psycopg
import pytest
import requests

from connectors.sandbox.credentials import HUBSPOT_CLIENT_SECRET
from sync.app import App
from sync.inbox import drain
from sync.run import Asked, perform
from sync.store.inbox import Hints
from sync.store.intake import NotStored
from sync.web.belongings import WayIn
from sync.web.endpoints import HUBSPOT, SALESFORCE, web_app
from sync.web.joined import Joined, web_belongings
from sync.web.listening import Listening, listen
from sync.work import Work

PATH = "planted-path-of-the-story"


class Stumbling:
    """A way into the inbox that fails for the first requests, as while a database starts."""

    def __init__(self, way_in: WayIn) -> None:
        self._way_in = way_in
        self.fails = 0

    def start(self) -> None:
        self._way_in.start()

    def close(self) -> None:
        self._way_in.close()

    def put(self, hints: Hints, now: datetime) -> Future[None]:
        if self.fails:
            self.fails -= 1
            raise NotStored("the database is away")
        return self._way_in.put(hints, now)


@dataclass
class Service:
    """The endpoints on a port, and the app behind them. ``jobs``: what was enqueued."""

    url: str
    app: App
    work: Work
    way: Stumbling
    jobs: list[tuple[str, bool]]

    def ask(self, path: str) -> requests.Response:
        return requests.get(self.url + path, timeout=60)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def _serving(house: Any) -> Iterator[Service]:
    url = f"http://127.0.0.1:{_free_port()}"
    environ = {
        "LEADPACT_WEB__PUBLIC_URL": url,
        "LEADPACT_WEB__SECRET_PATH": PATH,
        "LEADPACT_HUBSPOT__CLIENT_SECRET": HUBSPOT_CLIENT_SECRET,
    }
    jobs: list[tuple[str, bool]] = []

    def enqueue(connection: psycopg.Connection, crm: str, urgent: bool) -> None:
        jobs.append((crm, urgent))

    with house.app(environ) as app, house.app(environ) as own:
        joined = web_belongings(app.settings, house.database, own.work(), enqueue=enqueue)
        way = Stumbling(joined.web.way_in)
        joined = replace(joined, web=replace(joined.web, way_in=way))
        with _listening(joined, int(url.rpartition(":")[2])):
            yield Service(url, app, app.work(), way, jobs)


@contextmanager
def _listening(joined: Joined, port: int) -> Iterator[None]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def begin() -> Listening:
        return await listen(web_app(joined.web), "127.0.0.1", port, joined.web.limits)

    listening = asyncio.run_coroutine_threadsafe(begin(), loop).result(60)
    try:
        yield
    finally:
        asyncio.run_coroutine_threadsafe(listening.close(), loop).result(60)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
        joined.close()


def _until(holds: Callable[[], bool], what: Callable[[], Any]) -> None:
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end, what()
        time.sleep(0.02)


def _told(house: Any) -> Any:
    return house.look("hubspot", "state", object="webhooks", limit="1000")


def _notes(house: Any) -> list[dict[str, Any]]:
    return list(house.look("salesforce", "state", outbound="1")["notifications"])


def _all_told(house: Any) -> None:
    """Nothing is on its way any more; what was refused is sent again as time passes."""

    def nothing_left() -> bool:
        told = _told(house)
        waiting = [one for one in _notes(house) if one["state"] == "waiting"]
        if told["waiting"] or waiting:
            house.later(120)
        return not (told["waiting"] or told["flying"] or waiting)

    _until(nothing_left, lambda: (_told(house), _notes(house)))


def _listen_to(house: Any, service: Service) -> None:
    """Both CRMs are told where to tell, and to tell badly."""
    house.control("hubspot", "limits", {"webhook_duplicates": 3, "webhook_order": "shuffled"})
    kinds = ["contact.creation", "contact.deletion", "contact.privacyDeletion", "contact.merge"]
    changes = ["jobtitle", "city", "hs_email_optout"]
    events = [{"eventType": kind} for kind in kinds] + [
        {"eventType": "contact.propertyChange", "propertyName": name} for name in changes
    ]
    wanted = {"action": "declare_webhooks", "events": events, "target_url": service.url + HUBSPOT}
    house.control("hubspot", "people", wanted)
    message = {
        **{
            "action": "outbound_message",
            "object": "Lead",
            "fields": ["Email", "Title"],
            "on": "created_or_edited",
        },
        **{"url": f"{service.url}{SALESFORCE}/{PATH}", "duplicates": 1, "reorder": True},
        "from_integration_user": False,
    }
    house.control("salesforce", "people", message)


def test_pushes_in_any_state_end_in_both_crms_agreeing(
    furnished: Any, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("sync", "connectors"):
        caplog.set_level(logging.DEBUG, name)
    house = furnished
    pairs = [
        house.couple(f"p{number}@shop{number}.example", {"firstname": "Anna", "lastname": f"Sommer{number}"})
        for number in range(8)
    ]
    house.sync()
    house.later(3600)
    with _serving(house) as service:
        _listen_to(house, service)
        service.way.fails = 3
        for number, (contact, lead) in enumerate(pairs[:4]):
            house.edit("hubspot", contact, jobtitle=f"Draft {number}")
            house.edit("hubspot", contact, jobtitle=f"Head {number}")
            house.edit("salesforce", lead, City=f"City {number}")
        house.unsubscribe("hubspot", pairs[4][0])
        house.control("hubspot", "people", {"action": "gdpr_delete", "object": "contacts", "id": pairs[5][0]})
        house.edit("salesforce", pairs[6][1], Title="Buyer")
        _all_told(house)
        assert service.way.fails == 0
        assert {crm for crm, _ in service.jobs} == {"hubspot", "salesforce"}
        assert ("hubspot", True) in service.jobs, "somebody wants to hear no more"

        metrics = service.ask("/metrics").text
        assert 'leadpact_webhook_requests_total{crm="hubspot",outcome="stored"}' in metrics
        assert 'outcome="not stored"' in metrics
        assert "leadpact_inbox_records{" in metrics
        assert service.ask("/readyz").status_code == 200
        waiting = {one["crm"]: one["records"] for one in service.ask("/api/status").json()["inbox"]}
        assert waiting == {"hubspot": 6, "salesforce": 5}

        drained = drain(service.work)
        assert (drained.taken, drained.done, drained.forgotten) == (11, 11, 1)
        (newest, *_) = service.ask("/api/runs").json()["runs"]
        assert (newest["command"], newest["state"]) == ("webhook", "done")

        for number, (contact, lead) in enumerate(pairs[:4]):
            assert house.record("salesforce", lead)["Title"] == f"Head {number}"
            assert house.record("hubspot", contact)["city"] == f"City {number}"
        assert house.record("hubspot", pairs[6][0])["jobtitle"] == "Buyer"
        assert house.record("salesforce", pairs[4][1])["HasOptedOutOfEmail"] is True
        assert not service.work.store.persons.mentions(["p5@shop5.example"])

        # What we wrote ourselves comes back as news, and there it ends.
        house.later(60)
        _all_told(house)
        mark = house.mark()
        while drain(service.work).taken:
            house.later(5)
        perform(service.work, Asked("sync"))
        assert house.wrote_nothing(mark)
    told = house.command("--json", "agree")
    assert (told.code, told.document["unexplained"]) == (0, 0)
    assert "sync.web.doors" in caplog.text
    for planted in (PATH, HUBSPOT_CLIENT_SECRET, "shop1.example", pairs[0][0]):
        assert planted not in "\n".join(one for one in caplog.text.splitlines() if " sync." in one)
