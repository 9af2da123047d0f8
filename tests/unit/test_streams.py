"""Streams: one process at a time has each, and one that breaks off goes on."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import cast

from sync.app import App
from sync.jobs_streams import Stream, Streams

PATIENCE = 60.0


@dataclass
class Locks:
    """The database's locks, as two processes see them."""

    held: dict[str, object] = field(default_factory=dict)


@dataclass
class Jobs:
    locks: Locks

    def be_the_one(self, name: str) -> bool:
        return self.locks.held.setdefault(name, self) is self


@dataclass
class Opened:
    """What a stream needs of an app. Closing it lets go of its locks, as the end of a session does."""

    jobs: Jobs
    known: bool = True

    @property
    def store(self) -> Opened:
        return self

    def recalled(self) -> object | None:
        return self if self.known else None

    def close(self) -> None:
        for name in [name for name, who in self.jobs.locks.held.items() if who is self.jobs]:
            del self.jobs.locks.held[name]


def _process(locks: Locks, stream: Stream, *, known: bool = True) -> Streams:
    def opens() -> App:
        return cast(App, Opened(Jobs(locks), known))

    return Streams([stream], opens, tries_every=0.01, again=(0.01, 0.05))


def test_a_stream_that_breaks_off_begins_again() -> None:
    begun, enough = [], threading.Event()

    def run(_: App, stop: threading.Event) -> None:
        begun.append(1)
        if len(begun) < 3:
            raise ConnectionError
        enough.set()
        stop.wait()

    process = _process(Locks(), Stream("journal", run))
    process.start()
    assert enough.wait(PATIENCE)
    assert process.end(PATIENCE)
    assert len(begun) == 3


def test_one_process_at_a_time_runs_a_stream_and_another_one_goes_on() -> None:
    locks, running = Locks(), []
    changed = threading.Semaphore(0)

    def run(app: App, stop: threading.Event) -> None:
        running.append(app)
        changed.release()
        stop.wait()
        running.remove(app)

    processes = [_process(locks, Stream("journal", run)) for _ in range(2)]
    for process in processes:
        process.start()
    assert changed.acquire(timeout=PATIENCE)
    assert not changed.acquire(timeout=0.1), "both run it"
    # The lock of a session that is cut off is let go of.
    locks.held.clear()
    assert changed.acquire(timeout=PATIENCE)
    for process in processes:
        assert process.end(PATIENCE)
    assert not running


def test_a_stream_waits_for_accounts_that_are_not_known_yet() -> None:
    ran: list[App] = []
    process = _process(Locks(), Stream("journal", lambda app, _: ran.append(app)), known=False)
    process.start()
    assert process.end(PATIENCE)
    assert not ran
