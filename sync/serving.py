"""The processes that run by themselves: ``leadpact worker``, and ``leadpact serve``, which also has the endpoints.

Both live until SIGTERM or SIGINT. While the database is away they wait for it and say so; nothing is lost, because
everything that has to last is in it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from sync import telemetry
from sync.app import App, build
from sync.jobs_hands import Hands
from sync.jobs_streams import Streams
from sync.jobs_watch import Watch, crons_of
from sync.jobs_worker import AWAY, Place, Service, quietly
from sync.listeners import streams_of
from sync.settings import Settings

if TYPE_CHECKING:
    from sync.serving_web import Endpoints

Tell = Callable[[str], None]
#: How long a log that is told to stop is waited for; where it was read to is stored, so it may be broken off.
STREAM_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Asked:
    """What a process is to do. ``concurrency``: instead of ``worker.concurrency``."""

    settings: Settings
    tell: Tell = field(repr=False)
    concurrency: int | None = None


def work_on_jobs(asked: Asked) -> None:
    """Run a worker until somebody stops it. Raises WrongConfig for a config that cannot be used."""
    _until_stopped(asked, with_endpoints=False)


def serve(asked: Asked) -> None:
    """Run the endpoints and a worker until somebody stops them. Raises WrongConfig, and WrongUse for a taken port."""
    _until_stopped(asked, with_endpoints=True)


def _until_stopped(asked: Asked, *, with_endpoints: bool) -> None:
    if not asyncio.run(_lives(asked, _worker(asked), with_endpoints=with_endpoints)):
        # A thread still waits in a call that cannot be broken off. Its run has given nothing away that a killed
        # one would not, and its job is taken over.
        asked.tell("a run did not come to its end; its job is taken over by another worker")
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)
    asked.tell("stopped")


async def _lives(asked: Asked, service: Service, *, with_endpoints: bool) -> bool:
    loop, stopped = asyncio.get_running_loop(), asyncio.Event()

    def stop() -> None:
        asked.tell("stopping: what is being worked on is finished, or given back")
        stopped.set()
        service.stop()

    async with AsyncExitStack() as stack:
        await stack.enter_async_context(quietly())
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop)
            stack.callback(loop.remove_signal_handler, number)
        streams = Streams(streams_of(asked.settings), partial(build, asked.settings))
        streams.start()
        stack.callback(streams.end, STREAM_SECONDS)
        if not with_endpoints:
            return await service.run()
        working = asyncio.create_task(service.run())
        try:
            await _endpoints(asked, stopped, working)
        finally:
            service.stop()
            ended = await working
        return ended


async def _endpoints(asked: Asked, stopped: asyncio.Event, working: asyncio.Task[bool]) -> None:
    """Keep the port open until the end, whatever is away. The worker says what is waited for."""
    # Only here: a worker begins without the web server.
    from sync.serving_web import open_port

    endpoints = await open_port(asked.settings)
    try:
        if await _begun(asked, endpoints, stopped, working):
            ends = asyncio.create_task(stopped.wait())
            await asyncio.wait([ends, working], return_when=asyncio.FIRST_COMPLETED)
            ends.cancel()
    finally:
        await endpoints.close()


async def _begun(
    asked: Asked, endpoints: Endpoints, stopped: asyncio.Event, working: asyncio.Task[bool]
) -> bool:
    """Try until the endpoints can answer everything; False where the end comes first."""
    from sync.serving_web import join, waited_for

    address, told = f"http://{asked.settings.web.host}:{endpoints.port}", False
    while not stopped.is_set() and not working.done():
        try:
            joined, memory = await asyncio.to_thread(join, asked.settings)
        except AWAY as error:
            endpoints.waits.words = waited_for(error)
            if not told:
                asked.tell(f"{address} answers 503 until then")
                told = True
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopped.wait(), 1.0)
            continue
        await endpoints.begin(joined, memory)
        asked.tell(f"listening at {address}")
        return True
    return False


def _worker(asked: Asked) -> Service:
    settings = asked.settings
    worker = settings.worker
    if asked.concurrency is not None:
        worker = worker.model_copy(update={"concurrency": asked.concurrency})
    opens = partial(_opened, settings)
    hands = partial(Hands, opens, worker.max_attempts, spans=telemetry.current(), ready=_ready)
    return Service(partial(_place, settings, asked.tell), hands, worker, asked.tell)


def _opened(settings: Settings, at_point: Callable[[str], None]) -> App:
    return build(settings, at_point=at_point)


def _ready(app: App) -> None:
    """What every job asks of both CRMs, once in a while: whose they are, and what may be written there."""
    app.work().writable()


def _place(settings: Settings, tell: Tell) -> Place:
    """Where the jobs of this config are. The CRMs are asked whose they are only where the memory does not know."""
    app = build(settings)
    try:
        # Credentials that cannot be used end the process here, where a person reads why, and not its jobs.
        for crm in app.crms:
            app.crms[crm]
        if app.recalled() is None:
            app.work()
        watch = Watch(
            app, settings.worker, crons_of(settings.schedule), ZoneInfo(settings.schedule.time_zone)
        )
        place = Place(app.database, app.store.jobs.connection_id, watch, app.close)
    except BaseException:
        app.close()
        raise
    tell(f"working on the jobs of connection {place.connection_id}")
    return place
