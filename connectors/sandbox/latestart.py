"""A loopback port whose server is started by its first caller.

gRPC takes a good part of a second to load, and most who start the pretend CRMs never call Pub/Sub. So the
port is open from the beginning, and what comes in is passed, byte by byte, to a server that is started when
there is something to pass.
"""

from __future__ import annotations

import asyncio
import errno
import logging
from collections.abc import Callable

from connectors.sandbox.folder import LOOPBACK
from connectors.sandbox.server import PortInUse
from connectors.sandbox.side import Backend

PIECE = 1 << 16

log = logging.getLogger("leadpact.sandbox")


class LateStart:
    """One port in front of a server that is made by ``make`` when the first caller comes."""

    def __init__(self, name: str, make: Callable[[], Backend]) -> None:
        self._name = name
        self._make = make
        self._listener: asyncio.Server | None = None
        self._backend: asyncio.Task[tuple[Backend, int]] | None = None
        self._callers: set[asyncio.Task[None]] = set()

    async def start(self, port: int) -> int:
        """Listen on a port of 127.0.0.1 (0: any free one) and return it. Raises PortInUse."""
        try:
            self._listener = await asyncio.start_server(self._greet, LOOPBACK, port)
        except (OSError, OverflowError) as error:
            taken = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
            reason = "is in use" if taken else "cannot be opened"
            raise PortInUse(f"port {port} for the {self._name} sandbox {reason}") from error
        return int(self._listener.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Stop listening, hang up on everybody, and stop the server if there is one."""
        if self._listener is None:
            return
        self._listener.close()
        for caller in self._callers:
            caller.cancel()
        await asyncio.gather(*self._callers, return_exceptions=True)
        await self._listener.wait_closed()
        self._listener = None
        if self._backend is None:
            return
        (started,) = await asyncio.gather(self._backend, return_exceptions=True)
        self._backend = None
        if not isinstance(started, BaseException):
            await asyncio.to_thread(started[0].stop)

    async def _greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # callbacks of a stream server run in a task of their own
        self._callers.add(task)
        try:
            await self._pass_on(reader, writer)
            writer.close()
            await writer.wait_closed()
        except asyncio.CancelledError:
            # The server stops: the caller is hung up on below, which is all that is left to do.
            return
        except Exception as error:  # noqa: BLE001 - one caller's trouble is not the next one's
            log.warning("%s sandbox: a caller was lost (%s)", self._name, type(error).__name__)
        finally:
            self._callers.discard(task)
            writer.transport.abort()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._backend is None or _failed(self._backend):
            self._backend = asyncio.create_task(asyncio.to_thread(self._started))
        _, port = await asyncio.shield(self._backend)
        inner, outer = await asyncio.open_connection(LOOPBACK, port)
        ways = [asyncio.create_task(_copy(reader, outer)), asyncio.create_task(_copy(inner, writer))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            outer.transport.abort()

    def _started(self) -> tuple[Backend, int]:
        backend = self._make()
        return backend, backend.start()


def _failed(task: asyncio.Task[tuple[Backend, int]]) -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy until one end hangs up; what was read before that is still written."""
    while piece := await reader.read(PIECE):
        writer.write(piece)
        await writer.drain()
