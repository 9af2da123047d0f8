"""A server of two tiny CRMs that keep notes in SQLite, each in a process of its own; run as a script, it is started.

``FOLDER … --ready-fd N`` is started as ``connectors.sandbox.detached`` is, ``serve FOLDER`` in the foreground;
``broken FOLDER …`` has a Salesforce that cannot be built. A call of ``/sleep/SECONDS`` takes so long.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import orjson

from connectors.sandbox.apart import serve
from connectors.sandbox.clock import SandboxClock
from connectors.sandbox.detached import main
from connectors.sandbox.folder import Process, read_json, started_at
from connectors.sandbox.serving import BuildSides
from connectors.sandbox.side import Answer, Ask

COMMAND = (sys.executable, "-P", __file__)
#: What the Salesforce that cannot be built says.
BROKEN = "the file is not one of ours"
ROOT = str(Path(__file__).resolve().parents[2])


class Notes:
    """A CRM that keeps each POSTed body in SQLite and gives all of them to a GET."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self._folder = name, folder
        self._file = sqlite3.connect(folder / f"{name}.sqlite", isolation_level=None)
        self._file.execute("PRAGMA journal_mode = WAL")
        self._file.execute("PRAGMA synchronous = NORMAL")
        self._file.execute("CREATE TABLE IF NOT EXISTS note (body TEXT)")

    def answer(self, ask: Ask) -> Answer:
        if ask.path.startswith("/sleep/"):
            (self._folder / f"{self.name}-sleeps").touch()
            time.sleep(float(ask.path.removeprefix("/sleep/")))
        if ask.method == "POST":
            self._file.execute("INSERT INTO note VALUES (?)", (ask.body.decode(),))
        told = {
            "pid": os.getpid(),
            "session": os.getsid(0),
            "notes": [row[0] for row in self._file.execute("SELECT body FROM note")],
            "secrets": [name for name in os.environ if name.startswith("LEADPACT_")],
            "colour": os.environ.get("COLOUR"),
        }
        return Answer(200, orjson.dumps(told))

    def reset(self, seed: int | None = None) -> None:
        self._file.execute("DELETE FROM note")

    def limits(self, wanted: Mapping[str, Any]) -> Mapping[str, Any]:
        return wanted

    def people(self, wanted: Mapping[str, Any]) -> Mapping[str, Any]:
        return wanted

    def state(self, wanted: Mapping[str, str]) -> Mapping[str, Any]:
        return wanted

    def load(self, object_name: str, rows: Iterable[Mapping[str, Any]]) -> list[str]:
        return [object_name for _ in rows]

    def close(self) -> None:
        self._file.close()


def notes(folder: Path, clock: SandboxClock, seed: int | None) -> list[Notes]:
    return [Notes("hubspot", folder), Notes("salesforce", folder)]


def one(name: str) -> BuildSides:
    return lambda folder, clock, seed: [Notes(name, folder)]


def broken_salesforce(folder: Path, clock: SandboxClock, seed: int | None) -> list[Notes]:
    raise RuntimeError(BROKEN)


APART = {name: one(name) for name in ("hubspot", "salesforce")}


def until(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not what():
        assert time.monotonic() < deadline, "it did not happen within a minute"
        time.sleep(0.02)


def gone(pid: int) -> bool:
    return started_at(pid) is None


def end_server(folder: Path) -> None:
    """End the server of a folder, if it still runs."""
    left = read_json(folder / "serving.json")
    if left is not None and Process(left["pid"], left["started"]).alive:
        os.kill(left["pid"], signal.SIGTERM)
        until(lambda: gone(left["pid"]))


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(Path(sys.argv[2]), apart=APART)
    elif sys.argv[1] == "broken":
        sys.exit(main(sys.argv[2:], apart={**APART, "salesforce": broken_salesforce}, sweep_seconds=0.1))
    else:
        sys.exit(main(sys.argv[1:], apart=APART, sweep_seconds=0.1))
