"""Workers as processes of their own, for stories about what runs by itself."""

from __future__ import annotations

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

    process: subprocess.Popen[bytes]
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
    """The processes of one house, and its jobs."""

    house: Any
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
        foreign = {name: value for name, value in os.environ.items() if not name.startswith("LEADPACT_")}
        path = self.house.folder / f"process-{len(self.running)}.log"
        with path.open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "sync", "--verbose", "--config", str(self.house.config), *arguments],
                env={**foreign, **self.house.environ, **QUIET, **self.environ, **environ},
                stdout=log,
                stderr=log,
            )
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
def crew_of() -> Iterator[Callable[[Any], Crew]]:
    """Makes the crew of a house; whoever still works at the end is killed."""
    crews: list[Crew] = []

    def make(house: Any) -> Crew:
        crews.append(Crew(house))
        return crews[-1]

    yield make
    for crew in crews:
        crew.end()


@pytest.fixture
def crew(furnished: Any, crew_of: Callable[[Any], Crew]) -> Crew:
    """Nobody works yet, and both CRMs are in agreement with what we remember."""
    furnished.sync()
    return crew_of(furnished)
