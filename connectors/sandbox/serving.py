"""The pretend CRMs behind their ports, and both of them served from one thread, for tests.

Everything a side does happens on the one thread that runs the event loop; sides are built, called and
closed there. ``apart.py`` serves each from a process of its own.
"""

from __future__ import annotations

import asyncio
import signal
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

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

#: How long to wait for another server of the folder to go, unless a caller says otherwise.
WAIT_SECONDS = 1.0

#: Builds sides of a folder; called on the thread that will call them. A seed is for a folder without state.
BuildSides = Callable[[Path, SandboxClock, int | None], Sequence[Side]]


def build_hubspot(folder: Path, clock: SandboxClock, seed: int | None = None) -> list[Side]:
    """The shipped HubSpot side, with its state in a folder."""
    # Here and not above: whoever brings sides of their own, or serves the other one, does not need it.
    from connectors.sandbox.hubspot.side import HubSpotSide

    return [_seeded(HubSpotSide(folder, clock), seed)]


def build_salesforce(folder: Path, clock: SandboxClock, seed: int | None = None) -> list[Side]:
    """The shipped Salesforce side, with its state in a folder."""
    from connectors.sandbox.salesforce.side import SalesforceSide

    return [_seeded(SalesforceSide(folder, clock), seed)]


def build_sides(folder: Path, clock: SandboxClock, seed: int | None = None) -> list[Side]:
    """Both shipped sides, with their state in a folder."""
    return [*build_hubspot(folder, clock, seed), *build_salesforce(folder, clock, seed)]


def _seeded(side: Side, seed: int | None) -> Side:
    if seed is not None:
        side.reset(seed)
    return side


@dataclass(frozen=True, slots=True)
class Taken:
    """A folder that is ours to serve, and what everyone who serves a side of it has in common.

    ``before`` are the ports of a server that could not say goodbye; ``seed`` is None where there is state already.
    """

    folder: Path
    clock: SandboxClock
    wanted: Ports
    before: Ports
    seed: int | None


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


@contextmanager
def taken(folder: Path | None, ports: Ports, seed: int | None, wait_seconds: float) -> Iterator[Taken]:
    """Have a folder to serve, alone; None is a temporary one, removed at the end.

    A port of 0 is any free one. ``wait_seconds`` is how long to wait for another server of the folder to
    go. What the folder already holds is never overwritten by a seed. Raises FolderInUse.
    """
    with ExitStack() as stack:
        if folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="leadpact-sandbox-")))
        folder = prepare(folder)
        stack.enter_context(serving_alone(folder, wait_seconds))
        new = not any((folder / f"{name}.sqlite").exists() for name in ("hubspot", "salesforce"))
        clock, before = SandboxClock(folder / "clock.json"), ports_before_a_kill(folder)
        yield Taken(folder, clock, ports, before, seed if new else None)


@asynccontextmanager
async def opened(place: Taken, sides: BuildSides) -> AsyncIterator[dict[str, int]]:
    """Serve some sides of a folder while the context lasts; their ports by name. Raises PortInUse."""
    async with AsyncExitStack() as stack:
        folder, ports, before = place.folder, place.wanted, place.before
        tls = server_context(folder) if ports.tls else None
        bound = dict[str, int]()
        for side in sides(folder, place.clock, place.seed):
            stack.callback(side.close)
            requests = RequestLog(folder / f"requests-{side.name}.sqlite")
            stack.callback(requests.close)
            server = SideServer(side, place.clock, requests, tls)
            bound[side.name] = await _start(server, getattr(ports, side.name), getattr(before, side.name))
            stack.push_async_callback(server.stop)
            open_pubsub = getattr(side, "open_pubsub", None)
            if open_pubsub is not None:
                late = LateStart("Pub/Sub", partial(open_pubsub, folder))
                bound["pubsub"] = await _start(late, ports.pubsub, before.pubsub)
                stack.push_async_callback(late.stop)
        yield bound


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
        folder, ports, sides, seed = self._wanted
        try:
            with taken(folder, ports, seed, WAIT_SECONDS) as place:
                asyncio.run(self._serve(place, sides))
        except BaseException as failure:  # noqa: BLE001 - handed to the thread that waits in start or stop
            self._failure = failure
        finally:
            self._settled.set()

    async def _serve(self, place: Taken, sides: BuildSides) -> None:
        self._loop, self._done = asyncio.get_running_loop(), asyncio.Event()
        async with opened(place, sides) as bound:
            self._running = Running(place.clock, Ports(**bound, tls=place.wanted.tls), place.folder)
            say_ready(place.folder, self._running.ports)
            self._settled.set()
            await self._done.wait()
            say_gone(place.folder)


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


def until_signalled() -> asyncio.Event:
    """An event that SIGINT or SIGTERM sets; to be called on the main thread's event loop."""
    done = asyncio.Event()
    loop = asyncio.get_running_loop()
    for wanted in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(wanted, done.set)
    return done
