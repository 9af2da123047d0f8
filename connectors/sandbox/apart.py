"""A process for each pretend CRM, so that two that are written to at once have two cores.

The first process has the folder: it serves one side, tells where all of them are, and ends them. Each further side is
served by a fork of it, made before there is any thread or event loop. What they have in common:

=================  ==================================================================================
the clock          memory that all see, so that a move is seen by all at once; its file has a lock
the folder's lock  open in all of them: the folder is free when the last has gone
the addresses      told by each fork to the first process, which writes them down once all are there
certificates       made once a folder, behind a lock file
the server's log   appended to by all
=================  ==================================================================================

Records, kept states, limits, faults, latency and the log of requests are one side's own, as is ``reset``. The end of
one is the end of all: in order where it ended in order, and as by a kill where it was killed.
"""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import os
import sys
import threading
import traceback
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import TextIO

import orjson

from connectors.sandbox.folder import Ports, Process, say_gone, say_ready
from connectors.sandbox.serving import (
    WAIT_SECONDS,
    BuildSides,
    Running,
    Taken,
    build_hubspot,
    build_salesforce,
    opened,
    ready_line,
    taken,
    until_signalled,
)

#: The shipped sides, by the process that serves them.
APART: Mapping[str, BuildSides] = {"hubspot": build_hubspot, "salesforce": build_salesforce}
#: Any free ones.
ANY_PORTS = Ports(0, 0)
#: How many more containers there have to be before Python looks for those that only refer to each other.
OBJECTS_BETWEEN_LOOKS = 100_000

#: What the first process does while all are served; returns when the event is set, and may set it.
Meanwhile = Callable[[Running, asyncio.Event], Awaitable[None]]


class SideLost(Exception):
    """The process of one side ended by itself, and all others were ended; the text names the side."""


def serve_apart(
    folder: Path | None,
    ports: Ports,
    apart: Mapping[str, BuildSides],
    meanwhile: Meanwhile,
    seed: int | None = None,
    wait_seconds: float = WAIT_SECONDS,
) -> None:
    """Serve the sides, each entry of ``apart`` in a process of its own, until ``meanwhile`` returns.

    To be called on the main thread of a process without others; SIGINT, SIGTERM and the end of any of the processes
    set the event that ``meanwhile`` is given. Raises PortInUse, FolderInUse, SideLost, and what building or closing a
    side raised.
    """
    look_for_cycles_rarely()
    with taken(folder, ports, seed, wait_seconds) as place, ExitStack() as stack:
        (_, build), *rest = apart.items()
        others = [stack.enter_context(_forked(place, name, other)) for name, other in rest]
        asyncio.run(_serve_first(place, build, others, meanwhile))


def serve(
    folder: Path | None = None,
    ports: Ports = ANY_PORTS,
    apart: Mapping[str, BuildSides] = APART,
    seed: int | None = None,
    out: TextIO | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM; prints the ready line, one JSON object, on ``out`` (stdout).

    To be called, and raises, as ``serve_apart``.
    """

    async def wait(running: Running, done: asyncio.Event) -> None:
        stream = out or sys.stdout
        stream.write(orjson.dumps(ready_line(running)).decode() + "\n")
        stream.flush()
        await done.wait()

    serve_apart(folder, ports, apart, wait, seed)


def look_for_cycles_rarely() -> None:
    """For a process that does nothing but serve: a page of records is many objects, and they go with its answer.

    Python would look through them, and through every module, each time 700 more are there than have gone.
    """
    gc.freeze()
    gc.set_threshold(OBJECTS_BETWEEN_LOOKS, 20, 20)


@dataclass(frozen=True, slots=True)
class _Other:
    """The fork that serves one side, as the first process sees it."""

    name: str
    process: ForkProcess
    told: Connection
    here: Process

    def ports(self) -> dict[str, int]:
        """The ports of its side, once they are open. Raises what opening them raised, and SideLost."""
        said = self._said()
        if isinstance(said, Exception):
            raise said
        return said

    def end(self) -> None:
        """Tell it to end. By a word and not by a signal, which it may have been sent with us and be about."""
        # Without anybody left to tell, it has ended already.
        with suppress(BrokenPipeError):
            self.told.send(None)

    def look(self) -> None:
        """Raise what it ended with, where it has ended and not in order."""
        if self.process.exitcode in (None, 0):
            return
        said = self._said()
        raise said if isinstance(said, Exception) else SideLost(self._lost())

    def _said(self) -> dict[str, int] | Exception:
        try:
            said: dict[str, int] | Exception = self.told.recv()
        except (EOFError, ConnectionResetError):
            return SideLost(self._lost())
        return said

    def _lost(self) -> str:
        return f"the process of the pretend {self.name} ended by itself, and so all of them have"


@contextmanager
def _forked(place: Taken, name: str, build: BuildSides) -> Iterator[_Other]:
    """One side, served by another process; what it could not close in order is raised at the end."""
    told, telling = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(
        target=_be_another, args=(place, build, telling), name=f"sandbox-{name}"
    )
    process.start()
    assert process.pid is not None  # it was started
    telling.close()
    other = _Other(name, process, told, Process.of(process.pid))
    try:
        yield other
    finally:
        other.end()
        process.join()
    other.look()


async def _serve_first(place: Taken, build: BuildSides, others: list[_Other], meanwhile: Meanwhile) -> None:
    done, loop = until_signalled(), asyncio.get_running_loop()

    def ended(process: ForkProcess) -> None:
        loop.remove_reader(process.sentinel)
        process.join()
        done.set()

    async with opened(place, build) as bound:
        for other in others:
            bound |= other.ports()
            loop.add_reader(other.process.sentinel, ended, other.process)
        ports = Ports(**bound, tls=place.wanted.tls)
        say_ready(place.folder, ports, [other.here for other in others])
        await meanwhile(Running(place.clock, ports, place.folder), done)
        for other in others:
            # Before the addresses are taken back: after a loss, as after a kill, the next server takes the same ports.
            other.look()
            # Told here already, so that all of them close at the same time.
            other.end()
        say_gone(place.folder)


def _be_another(place: Taken, build: BuildSides, telling: Connection) -> None:
    """What a fork does: serve its side until it is told to end."""
    threading.Thread(target=_end_with_the_first, name="end-with-the-first", daemon=True).start()

    async def run() -> None:
        done, loop = until_signalled(), asyncio.get_running_loop()

        def told() -> None:
            loop.remove_reader(telling.fileno())
            telling.recv()
            done.set()

        loop.add_reader(telling.fileno(), told)
        async with opened(place, build) as bound:
            telling.send(bound)
            await done.wait()

    try:
        asyncio.run(run())
    except Exception as error:  # noqa: BLE001 - the first process raises it
        # Where it was does not travel with an error, so it is told in words.
        error.add_note("".join(traceback.format_tb(error.__traceback__)))
        telling.send(error)
        sys.exit(1)


def _end_with_the_first() -> None:
    """Wait for the first process; when it has gone without a word, go as it went.

    A thread and not the event loop, which would end what it is about first: whoever kills a server kills all of it.
    """
    first = multiprocessing.parent_process()
    assert first is not None  # a fork has one
    first.join()
    os._exit(1)
