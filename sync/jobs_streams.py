"""What runs for as long as there is a worker, and in one process at a time: the logs that are pulled from a CRM.

A stream is told to stop, and else never ends by itself. Which process has it is settled by a lock in the database: when
that process dies, another one has it within seconds, and goes on where the stream's own stored place is.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from sync.app import App

#: Seconds between two tries to become the one that runs a stream.
TRIES_EVERY = 2.0
#: Seconds after an error, the first time; then twice as long, up to the second number.
AGAIN = (1.0, 300.0)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Stream:
    """``run`` reads until the event is set; what it has read is stored before it goes on, so it can end anywhere."""

    name: str
    run: Callable[[App, threading.Event], None]


@dataclass(slots=True)
class Streams:
    """The streams of one process, each in a thread and with an app of its own."""

    streams: Sequence[Stream]
    opens: Callable[[], App]
    tries_every: float = TRIES_EVERY
    again: tuple[float, float] = AGAIN
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        for stream in self.streams:
            thread = threading.Thread(target=self._kept_up, args=(stream,), daemon=True, name=stream.name)
            self._threads.append(thread)
            thread.start()

    def end(self, seconds: float) -> bool:
        """Let all of them stop, and wait so long for each; False where one still runs."""
        self._stop.set()
        for thread in self._threads:
            thread.join(seconds)
        return not any(thread.is_alive() for thread in self._threads)

    def _kept_up(self, stream: Stream) -> None:
        rest = self.again[0]
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                self._run(stream)
            except Exception as error:  # noqa: BLE001 - whatever it is, the log goes on
                _log.warning("the stream %s broke off and begins again", stream.name, exc_info=error)
                if time.monotonic() - began > self.again[1]:
                    rest = self.again[0]  # it ran well for long: streams end now and then
                self._stop.wait(rest)
                rest = min(rest * 2, self.again[1])
            else:
                rest = self.again[0]
                self._stop.wait(self.tries_every)

    def _run(self, stream: Stream) -> None:
        """Run it once nobody else does, or end because of ``stop``.

        The lock goes with the app's connection, and with it everything that the stream could still store.
        """
        app = self.opens()
        try:
            while app.recalled() is None or not app.store.jobs.be_the_one(stream.name):
                if self._stop.wait(self.tries_every):
                    return
            _log.info("the stream %s is ours", stream.name)
            stream.run(app, self._stop)
        finally:
            app.close()
