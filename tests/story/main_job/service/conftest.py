"""Workers as processes of their own, for stories about what runs by itself."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests

from connectors.hubspot.signature import signature_v3
from tests.story.forking import Forked, ForkServer

#: Where HubSpot believes that its pushes go, and what it signs them with.
PUBLIC, SECRET = "https://leads.sommer.example", "the-secret-of-the-app"
#: Seconds a story waits for anything before it fails.
PATIENCE = 120.0
#: A story makes its own time: nothing comes by itself unless it says so.
QUIET: Mapping[str, str] = {
    **{
        f"LEADPACT_SCHEDULE__{name}": "off"
        for name in ("INCREMENTAL", "AGREE", "RESCORE", "DRIFT", "RETENTION", "ALERTS", "SCHEMAS", "MAIL")
    },
    "LEADPACT_WORKER__HEARTBEAT_SECONDS": "0.3",
    "LEADPACT_WORKER__STALLED_AFTER_SECONDS": "2",
}


@dataclass
class Process:
    """A running ``leadpact`` process. ``log``: the file of what it says."""

    process: subprocess.Popen[bytes] | Forked
    log: Path

    def said(self) -> str:
        return self.log.read_text("utf-8", errors="replace")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(60)

    def stop(self) -> int:
        """SIGTERM, and its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)


@dataclass
class Crew:
    """The processes of one house, and its jobs.

    ``forks`` starts them without the seconds that their imports take; without it they start as a user starts them.
    """

    house: Any
    forks: ForkServer | None = None
    environ: dict[str, str] = field(default_factory=dict)
    running: list[Process] = field(default_factory=list)
    line: psycopg.Connection[Any] | None = None  #: to the house's database, once it was asked

    def start(self, *arguments: str, waits_for: str = "working on the jobs", **environ: str) -> Process:
        """``leadpact ARGUMENTS``; comes back when it says that it works."""
        self.launch(*arguments, **environ)
        self.wait(lambda: waits_for in self.running[-1].said(), f"{arguments} to start")
        return self.running[-1]

    def launch(self, *arguments: str, **environ: str) -> None:
        """The same without waiting."""
        path = self.house.folder / f"process-{len(self.running)}.log"
        argv = ["-m", "sync", "--verbose", "--config", str(self.house.config), *arguments]
        ours = {**self.house.environ, **QUIET, **self.environ, **environ}
        if self.forks is not None:
            self.running.append(Process(self.forks.start(argv, ours, path, path), path))
            return
        foreign = {name: value for name, value in os.environ.items() if not name.startswith("LEADPACT_")}
        with path.open("wb") as log:
            process = subprocess.Popen([sys.executable, *argv], env=foreign | ours, stdout=log, stderr=log)
        self.running.append(Process(process, path))

    def wait(self, met: Callable[[], bool], what: str) -> float:
        """Wait until it is so; how many seconds that took."""
        began = time.monotonic()
        while not met():
            if time.monotonic() - began > PATIENCE:
                said = "\n".join(f"{one.log.name}: {one.said()[-3000:]}" for one in self.running)
                pytest.fail(f"waited in vain for {what}\n{said}")
            time.sleep(0.05)
        return time.monotonic() - began

    def jobs(self) -> list[dict[str, Any]]:
        """What ``leadpact jobs --json`` says."""
        told = self.house.command("--json", "jobs")
        assert told.code == 0, told.err
        return list(told.document["jobs"])

    def ask(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        if self.line is None or self.line.closed:
            # Kept open: a story that waits asks twenty times a second, and a new connection costs a new process.
            self.line = psycopg.connect(self.house.database, autocommit=True)
        found = self.line.execute(statement.encode(), parameters)
        return found.fetchall() if found.description else []

    def end(self) -> None:
        """Whoever still works is killed."""
        for one in self.running:
            if one.process.poll() is None:
                one.kill()
        if self.line is not None:
            self.line.close()

    def queued(self, *states: str) -> list[tuple[Any, ...]]:
        """(id, arguments) of the jobs in these states of the engine."""
        wanted = "SELECT id, args FROM procrastinate_jobs WHERE status::text = ANY(%s) ORDER BY id"
        return self.ask(wanted, list(states))

    def enqueue(self, *jobs: Any) -> None:
        with self.house.app() as app:
            app.work()
            for job in jobs:
                app.store.jobs.enqueue(job)

    def runs(self, command: str) -> list[tuple[Any, ...]]:
        """(state, started, ended) of the runs of a command."""
        return self.ask(
            "SELECT state, started_at, ended_at FROM run WHERE command = %s ORDER BY run_id", command
        )


@pytest.fixture
def crew_of() -> Iterator[Callable[..., Crew]]:
    """Makes the crew of a house: ``crew_of(house, forks)``; whoever still works at the end is killed."""
    crews: list[Crew] = []

    def make(house: Any, forks: ForkServer | None = None) -> Crew:
        crews.append(Crew(house, forks))
        return crews[-1]

    yield make
    for crew in crews:
        crew.end()


@pytest.fixture
def crew(furnished: Any, crew_of: Callable[..., Crew], forks: ForkServer) -> Crew:
    """Nobody works yet, and both CRMs are in agreement with what we remember."""
    furnished.sync()
    return crew_of(furnished, forks)


@pytest.fixture
def taking_pushes(crew: Crew) -> Crew:
    """A crew whose ``serve`` takes signed pushes, at a port of its own choice."""
    crew.environ |= {
        "LEADPACT_WEB__PORT": "0",
        "LEADPACT_WEB__PUBLIC_URL": PUBLIC,
        "LEADPACT_HUBSPOT__CLIENT_SECRET": SECRET,
    }
    return crew


def _pushed(house: Any, address: str, contact: str) -> requests.Response:
    with house.app() as app:
        portal = int(app.accounts()["hubspot"])
    moment = int(house.serving.clock.now().timestamp() * 1000)
    event = {
        "subscriptionType": "contact.propertyChange",
        "portalId": portal,
        "objectId": int(contact),
        "occurredAt": moment,
        "propertyName": "jobtitle",
        "propertyValue": "not believed",
        "eventId": 1,
        "subscriptionId": 2,
        "attemptNumber": 0,
    }
    body = json.dumps([event]).encode()
    headers = {
        "Content-Type": "application/json",
        "X-HubSpot-Signature-v3": signature_v3(
            SECRET, "POST", f"{PUBLIC}/webhooks/hubspot", body, str(moment)
        ),
        "X-HubSpot-Request-Timestamp": str(moment),
    }
    return requests.post(f"{address}/webhooks/hubspot", data=body, headers=headers, timeout=60)


@pytest.fixture
def push() -> Callable[[Any, str, str], requests.Response]:
    """``push(house, address, contact)``: a push as HubSpot signs it (HubSpot reference, section 10.3); its answer."""
    return _pushed
