"""Both pretend CRMs at once: in a thread for tests and the demo, or as a process that waits for a signal.

Everything a side does happens on the one thread that runs the event loop; sides are built, called and
closed there.
"""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TextIO

import orjson

from connectors.sandbox.certificates import ca_file, server_context
from connectors.sandbox.clock import SandboxClock
from connectors.sandbox.credentials import (
    HUBSPOT_CLIENT_SECRET,
    HUBSPOT_TOKEN,
    SALESFORCE_CLIENT_ID,
    SALESFORCE_CLIENT_SECRET,
    SALESFORCE_DOMAIN,
)
from connectors.sandbox.folder import Ports, ports_before_a_kill, prepare, say_gone, say_ready, serving_alone
from connectors.sandbox.latestart import LateStart
from connectors.sandbox.requestlog import RequestLog
from connectors.sandbox.server import PortInUse, SideServer
from connectors.sandbox.side import Side

#: How many more containers there have to be before Python looks for those that only refer to each other.
OBJECTS_BETWEEN_LOOKS = 100_000

#: Builds the two sides of a folder; called on the thread that will call them.
BuildSides = Callable[[Path, SandboxClock, int | None], Sequence[Side]]


def build_sides(folder: Path, clock: SandboxClock, seed: int | None = None) -> list[Side]:
    """The shipped HubSpot and Salesforce sides, with their state in a folder.

    A seed is for a folder without state; what a folder already holds is never overwritten by one.
    """
    # Here and not above: whoever brings sides of their own needs neither.
    from connectors.sandbox.hubspot.side import HubSpotSide
    from connectors.sandbox.salesforce.side import SalesforceSide

    new = not any((folder / f"{name}.sqlite").exists() for name in ("hubspot", "salesforce"))
    sides: list[Side] = [HubSpotSide(folder, clock), SalesforceSide(folder, clock)]
    if new and seed is not None:
        for side in sides:
            side.reset(seed)
    return sides


@dataclass(frozen=True, slots=True)
class Running:
    """Both sides, being served."""

    clock: SandboxClock
    ports: Ports
    folder: Path

    @property
    def hubspot_url(self) -> str:
        """Where HubSpot's API is, without a slash at the end."""
        return self.ports.hubspot_url

    @property
    def salesforce_url(self) -> str:
        """Where Salesforce's API is, without a slash at the end."""
        return self.ports.salesforce_url

    @property
    def pubsub(self) -> str | None:
        """``HOST:PORT`` of Salesforce's Pub/Sub API, or None where the sides have none."""
        return self.ports.pubsub_address

    @property
    def ca_file(self) -> Path:
        """What signs the certificates of this folder's servers (PEM); made when it is first asked for."""
        return ca_file(self.folder)


@asynccontextmanager
async def served_sides(
    folder: Path | None,
    ports: Ports,
    sides: BuildSides = build_sides,
    seed: int | None = None,
    wait_seconds: float = 1.0,
) -> AsyncIterator[Running]:
    """Serve both sides while the context lasts; ``folder`` None is a temporary one, removed at the end.

    A port of 0 is any free one. ``wait_seconds`` is how long to wait for another server of the folder to
    go. Raises PortInUse and FolderInUse.
    """
    async with AsyncExitStack() as stack:
        if folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="leadpact-sandbox-")))
        folder = prepare(folder)
        stack.enter_context(serving_alone(folder, wait_seconds))
        clock = SandboxClock(folder / "clock.json")
        tls = server_context(folder) if ports.tls else None
        before, bound = ports_before_a_kill(folder), dict[str, int]()
        for side in sides(folder, clock, seed):
            stack.callback(side.close)
            requests = RequestLog(folder / f"requests-{side.name}.sqlite")
            stack.callback(requests.close)
            server = SideServer(side, clock, requests, tls)
            bound[side.name] = await _start(server, getattr(ports, side.name), getattr(before, side.name))
            stack.push_async_callback(server.stop)
            open_pubsub = getattr(side, "open_pubsub", None)
            if open_pubsub is not None:
                late = LateStart("Pub/Sub", partial(open_pubsub, folder))
                bound["pubsub"] = await _start(late, ports.pubsub, before.pubsub)
                stack.push_async_callback(late.stop)
        running = Running(clock, Ports(**bound, tls=ports.tls), folder)
        say_ready(folder, running.ports)
        stack.callback(say_gone, folder)
        yield running


async def _start(server: SideServer | LateStart, wanted: int, before: int) -> int:
    """Open the port asked for, or where any will do the one used before, if it is still free."""
    if wanted or not before:
        return await server.start(wanted)
    try:
        return await server.start(before)
    except PortInUse:
        return await server.start(0)


def ready_line(running: Running) -> dict[str, Any]:
    """What ``sandbox serve`` prints when it is ready; ``pubsub`` and ``ca_file`` are null where they are not."""
    has_tls = running.pubsub is not None or running.ports.tls
    return {
        "hubspot": running.hubspot_url,
        "salesforce": running.salesforce_url,
        "pubsub": running.pubsub,
        "hubspot_token": HUBSPOT_TOKEN,
        "hubspot_client_secret": HUBSPOT_CLIENT_SECRET,
        "salesforce_client_id": SALESFORCE_CLIENT_ID,
        "salesforce_client_secret": SALESFORCE_CLIENT_SECRET,
        "salesforce_domain": SALESFORCE_DOMAIN,
        "ca_file": str(running.ca_file) if has_tls else None,
    }


class Serving:
    """Both sides served from a thread of this process. ``start`` and ``stop`` it, or use ``sandbox``."""

    def __init__(
        self, folder: Path | None, ports: Ports, sides: BuildSides = build_sides, seed: int | None = None
    ) -> None:
        self._wanted = (folder, ports, sides, seed)
        self._thread = threading.Thread(target=self._run, name="leadpact-sandbox", daemon=True)
        self._settled = threading.Event()
        self._running: Running | None = None
        self._failure: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._done: asyncio.Event | None = None

    def start(self) -> Running:
        """Serve, and return once requests are answered. Raises PortInUse, FolderInUse or a side's error."""
        self._thread.start()
        self._settled.wait()
        return self._up()

    def stop(self) -> None:
        """Stop serving and close the files. May be called twice. Raises what went wrong in closing."""
        if self._thread.ident is None:
            return
        self._settled.wait()
        if self._thread.is_alive() and self._loop is not None and self._done is not None:
            try:
                self._loop.call_soon_threadsafe(self._done.set)
            except RuntimeError:
                # The loop closed by itself between the question and the call: nothing is left to stop.
                self._done = None
        self._thread.join()
        if self._failure is not None and self._running is not None:
            failure, self._failure = self._failure, None
            raise failure

    @property
    def hubspot_url(self) -> str:
        """Where HubSpot's API is, without a slash at the end."""
        return self._up().hubspot_url

    @property
    def salesforce_url(self) -> str:
        """Where Salesforce's API is, without a slash at the end."""
        return self._up().salesforce_url

    @property
    def pubsub(self) -> str | None:
        """``HOST:PORT`` of Salesforce's Pub/Sub API, or None where the sides have none."""
        return self._up().pubsub

    @property
    def ca_file(self) -> Path:
        """What signs the certificate of Pub/Sub (PEM); made when it is first asked for."""
        return self._up().ca_file

    @property
    def clock(self) -> SandboxClock:
        """The clock of both sides; may be moved from any thread."""
        return self._up().clock

    @property
    def ready(self) -> dict[str, Any]:
        """Addresses and credentials, as ``sandbox serve`` prints them."""
        return ready_line(self._up())

    def _up(self) -> Running:
        if self._running is None:
            raise self._failure or RuntimeError("the sandbox has not been started")
        return self._running

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as failure:  # noqa: BLE001 - handed to the thread that waits in start or stop
            self._failure = failure
        finally:
            self._settled.set()

    async def _serve(self) -> None:
        folder, ports, sides, seed = self._wanted
        self._loop, self._done = asyncio.get_running_loop(), asyncio.Event()
        async with served_sides(folder, ports, sides, seed) as self._running:
            self._settled.set()
            await self._done.wait()


@contextmanager
def sandbox(
    folder: Path | None = None,
    hubspot_port: int = 0,
    salesforce_port: int = 0,
    sides: BuildSides = build_sides,
    seed: int | None = None,
    pubsub_port: int = 0,
    tls: bool = False,
) -> Iterator[Serving]:
    """Both pretend CRMs while the context lasts. Raises PortInUse and FolderInUse.

    ``with sandbox() as serving: requests.get(serving.hubspot_url + "/…")``
    """
    serving = Serving(folder, Ports(hubspot_port, salesforce_port, pubsub_port, tls), sides, seed)
    try:
        serving.start()
        yield serving
    finally:
        serving.stop()


def serve(
    folder: Path | None = None,
    hubspot_port: int = 0,
    salesforce_port: int = 0,
    sides: BuildSides = build_sides,
    seed: int | None = None,
    out: TextIO | None = None,
    pubsub_port: int = 0,
    tls: bool = False,
) -> None:
    """Serve until SIGINT or SIGTERM; prints the ready line, one JSON object, on ``out`` (stdout).

    To be called on the main thread. Raises PortInUse and FolderInUse.
    """

    look_for_cycles_rarely()

    async def run() -> None:
        done = until_signalled()
        ports = Ports(hubspot_port, salesforce_port, pubsub_port, tls)
        async with served_sides(folder, ports, sides, seed) as running:
            stream = out or sys.stdout
            stream.write(orjson.dumps(ready_line(running)).decode() + "\n")
            stream.flush()
            await done.wait()

    asyncio.run(run())


def look_for_cycles_rarely() -> None:
    """For a process that does nothing but serve: a page of records is many objects, and they go with its answer.

    Python would look through them, and through every module, each time 700 more are there than have gone.
    """
    gc.freeze()
    gc.set_threshold(OBJECTS_BETWEEN_LOOKS, 20, 20)


def until_signalled() -> asyncio.Event:
    """An event that SIGINT or SIGTERM sets; to be called on the main thread's event loop."""
    done = asyncio.Event()
    loop = asyncio.get_running_loop()
    for wanted in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(wanted, done.set)
    return done
