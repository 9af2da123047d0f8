"""Serving the application: a port, and patience within limits with whoever connects to it.

aiohttp waits for ever for a head that never ends, so connections that are not being answered are looked at and closed
here. Its own log is left unread: it repeats what strangers send.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from aiohttp import web

from sync.web.belongings import Limits

#: The connections whose request is being answered.
BUSY: web.AppKey[set[Any]] = web.AppKey("busy", set)
#: Bytes of a line, and lines, of a head.
LINE_BYTES = 8_190
MOST_LINES = 100
#: What is still read of a body that was refused, in seconds.
LINGER_SECONDS = 1.0


@web.middleware
async def note_busy(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Keep a connection from being taken for an idle one while its request is answered."""
    busy, connection = request.app[BUSY], request.protocol
    busy.add(connection)
    try:
        return await handler(request)
    finally:
        busy.discard(connection)


class Listening:
    """A port, and the application that answers there for now. ``port`` is the one it got."""

    def __init__(self) -> None:
        self.port = 0
        self._runner: web.AppRunner | None = None
        self._watch: asyncio.Task[None] | None = None
        self._server: asyncio.Server | None = None

    async def open(self, host: str, port: int, *, share_port: bool) -> None:
        """Take connections; each goes to the application of that moment. Raises OSError for a taken port."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            self._protocol, host, port, backlog=128, reuse_port=share_port or None
        )
        self.port = int(self._server.sockets[0].getsockname()[1])

    async def turn_to(self, app: web.Application, limits: Limits) -> None:
        """From now on ``app`` answers; the one before it answers what it has begun, and is closed."""
        runner = _runner(app, limits)
        await runner.setup()
        before, watch = self._runner, self._watch
        self._runner, self._watch = runner, asyncio.create_task(_close_idle(runner, app[BUSY], limits))
        await _ended(before, watch)

    async def close(self) -> None:
        """Take no more requests, answer those that are there, close the application."""
        if self._server is not None:
            self._server.close()
        await _ended(self._runner, self._watch)

    def _protocol(self) -> asyncio.BaseProtocol:
        if self._runner is None or self._runner.server is None:
            raise ConnectionAbortedError("nothing answers here")
        return self._runner.server()


async def _ended(runner: web.AppRunner | None, watch: asyncio.Task[None] | None) -> None:
    if watch is not None:
        watch.cancel()
        with suppress(asyncio.CancelledError):
            await watch
    if runner is not None:
        await runner.cleanup()


async def listen(
    app: web.Application, host: str, port: int, limits: Limits, *, share_port: bool = False
) -> Listening:
    """Serve until it is closed. Port 0: any free one. Raises OSError where the port cannot be had.

    ``share_port``: several processes may listen on it, and the system spreads connections over them.
    """
    listening = Listening()
    await listening.turn_to(app, limits)
    try:
        await listening.open(host, port, share_port=share_port)
    except OSError:
        await listening.close()
        raise
    return listening


def _runner(app: web.Application, limits: Limits) -> web.AppRunner:
    quiet = logging.Logger("aiohttp, unread", level=logging.CRITICAL + 1)
    return web.AppRunner(
        app,
        access_log=None,
        logger=quiet,
        handle_signals=False,
        auto_decompress=False,  # signatures are those of the bytes that were sent
        keepalive_timeout=limits.head_seconds,
        lingering_time=LINGER_SECONDS,
        max_line_size=LINE_BYTES,
        max_field_size=LINE_BYTES,
        max_headers=MOST_LINES,
    )


async def _close_idle(runner: web.AppRunner, busy: set[Any], limits: Limits) -> None:
    """Close connections on which nothing whole comes, and the oldest idle ones where there are too many."""
    loop = asyncio.get_running_loop()
    since: dict[Any, float] = {}
    while True:
        await asyncio.sleep(limits.head_seconds / 4)
        now = loop.time()
        open_now = list(runner.server.connections) if runner.server is not None else []
        since = {one: since.get(one, now) for one in open_now if one not in busy}
        oldest = sorted(since, key=lambda one: since[one])
        too_many = max(len(open_now) - limits.most_connections, 0)
        for place, one in enumerate(oldest):
            if place < too_many or now - since[one] >= limits.head_seconds:
                one.force_close()
