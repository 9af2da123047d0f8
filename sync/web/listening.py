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
    """An application on a port. ``port`` is the one it got."""

    def __init__(self, runner: web.AppRunner, port: int, watch: asyncio.Task[None]) -> None:
        self.port = port
        self._runner = runner
        self._watch = watch

    async def close(self) -> None:
        """Take no more requests, answer those that are there, close the application."""
        self._watch.cancel()
        with suppress(asyncio.CancelledError):
            await self._watch
        await self._runner.cleanup()


async def listen(
    app: web.Application, host: str, port: int, limits: Limits, *, share_port: bool = False
) -> Listening:
    """Serve until it is closed. Port 0: any free one. Raises OSError where the port cannot be had.

    ``share_port``: several processes may listen on it, and the system spreads connections over them.
    """
    quiet = logging.Logger("aiohttp, unread", level=logging.CRITICAL + 1)
    runner = web.AppRunner(
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
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port, reuse_port=share_port or None).start()
    except OSError:
        await runner.cleanup()
        raise
    watch = asyncio.create_task(_close_idle(runner, app[BUSY], limits))
    return Listening(runner, int(runner.addresses[0][1]), watch)


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
