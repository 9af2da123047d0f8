"""The HTTP in front of one pretend CRM: one loopback port, one side, one request at a time.

The side sees whole, unzipped requests and gives whole answers; everything that can happen to them on
the way (latency, faults, compression, a dropped connection) happens here.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import ssl
import traceback
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from email.utils import format_datetime
from urllib.parse import parse_qsl, unquote, urlsplit

import orjson
from aiohttp import web
from multidict import CIMultiDict

from connectors.sandbox.clock import SandboxClock
from connectors.sandbox.controls import PREFIX, Controls
from connectors.sandbox.faults import Conditions, Fault
from connectors.sandbox.folder import LOOPBACK
from connectors.sandbox.requestlog import Call, RequestLog
from connectors.sandbox.side import Answer, Ask, Side

#: The longest body taken, as sent and unzipped. Salesforce's own largest is 150 MB for a bulk upload.
BODY_UP_TO = 160 * 1024 * 1024
# Well above what a side refuses with 414 or 431 itself (16,384 bytes), so that the refusal is the side's.
LINE_UP_TO = 65_536
GZIP_FROM = 1_024
SHUTDOWN_SECONDS = 1.0

log = logging.getLogger("leadpact.sandbox")


class PortInUse(Exception):
    """The port cannot be opened; the text names it."""


class _Unreadable(Exception):
    """The request cannot be read; becomes an answer with this status."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


@dataclass(frozen=True, slots=True)
class _Wire:
    """What goes out: an answer and its body as sent. ``cut_at`` bytes go out before the connection is cut."""

    answer: Answer
    body: bytes
    zipped: bool = False
    cut_at: int | None = None


class SideServer:
    """Serves one side on one loopback port. Start and stop it on the event loop that shall call the side."""

    def __init__(
        self, side: Side, clock: SandboxClock, requests: RequestLog, tls: ssl.SSLContext | None = None
    ) -> None:
        self._side = side
        self._clock = clock
        self._requests = requests
        self._tls = tls
        self._conditions = Conditions()
        self._controls = Controls(side, clock, self._conditions, requests)
        self._runner: web.ServerRunner | None = None

    async def start(self, port: int) -> int:
        """Listen on a port of 127.0.0.1 (0: any free one) and return it. Raises PortInUse.

        By https where the server was made with ``tls``.
        """
        server = web.Server(
            self._handle,
            access_log=None,
            auto_decompress=False,
            max_line_size=LINE_UP_TO,
            max_field_size=LINE_UP_TO,
        )
        runner = web.ServerRunner(server, shutdown_timeout=SHUTDOWN_SECONDS)
        await runner.setup()
        try:
            await web.TCPSite(runner, LOOPBACK, port, ssl_context=self._tls).start()
        except (OSError, OverflowError) as error:
            await runner.cleanup()
            taken = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
            reason = "is in use" if taken else "cannot be opened"
            raise PortInUse(f"port {port} for the {self._side.name} sandbox {reason}") from error
        self._runner = runner
        return int(runner.addresses[0][1])

    async def stop(self) -> None:
        """Stop listening; requests under way get a second to end."""
        if self._runner is None:
            return
        server = self._runner.server
        open_ones = [] if server is None else [each.transport for each in server.connections]
        await self._runner.cleanup()
        self._runner = None
        for transport in open_ones:
            # By TLS a close waits for the other end to say goodbye, and the event loop does not live that long.
            if isinstance(transport, asyncio.Transport):
                transport.abort()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        ask = _head(request)
        sent = bytearray()
        try:
            await _receive(request, sent)
            ask = replace(ask, body=_unzipped(bytes(sent), ask.headers.get("content-encoding", "identity")))
        except _Unreadable as unreadable:
            body = orjson.dumps({"error": str(unreadable)})
            wire: _Wire | None = _Wire(Answer(unreadable.status, body), body)
            mark: str | None = "unreadable"
        except (ConnectionError, web.RequestPayloadError):
            wire, mark = None, "client left"
        else:
            if ask.path.startswith(PREFIX):
                answer, _ = self._guarded(ask, self._controls.answer)
                return await self._send(request, _wire(ask, answer, None))
            wire, mark = await self._outcome(ask, self._conditions.fault_for(ask))
        # Logged before it is sent: whoever has the answer finds the request in the log.
        self._requests.add(ask, self._call(ask, wire, mark, len(sent)))
        # A request that broke off refers to itself and is kept until Python looks for such, but not with what was sent.
        sent.clear()
        return await self._send(request, wire)

    async def _outcome(self, ask: Ask, fault: Fault | None) -> tuple[_Wire | None, str | None]:
        """What goes out (None: the connection is cut instead) and what the log says about a fault."""
        if self._conditions.latency_ms:
            await asyncio.sleep(self._conditions.latency_ms / 1000)
        if fault is None:
            answer, bug = self._guarded(ask, self._side.answer)
            return _wire(ask, answer, None), bug
        if fault.kind in ("status", "html"):
            return _wire(ask, fault.answer(), None), fault.name
        if fault.kind == "drop" and fault.value == "before":
            return None, fault.name
        answer, bug = self._guarded(ask, self._side.answer)
        if fault.kind == "delay":
            # After the side was called: the records are changed although the caller may have given up.
            await asyncio.sleep(int(fault.value) / 1000)
        return (None if fault.kind == "drop" else _wire(ask, answer, fault)), bug or fault.name

    def _guarded(self, ask: Ask, answer: Callable[[Ask], Answer]) -> tuple[Answer, str | None]:
        try:
            return answer(ask), None
        except Exception as bug:  # noqa: BLE001 - one request's bug must not take the server down
            # Neither the message nor the locals: they may hold a person's data.
            frames = "".join(traceback.format_tb(bug.__traceback__))
            name = type(bug).__name__
            log.error("%s sandbox: %s in %s\n%s", self._side.name, name, ask.method, frames)
            body = orjson.dumps({"error": f"bug in the {self._side.name} sandbox: {name}"})
            return Answer(500, body), f"bug {name}"

    def _call(self, ask: Ask, wire: _Wire | None, mark: str | None, bytes_in: int) -> Call:
        sent = 0 if wire is None else len(wire.body) if wire.cut_at is None else wire.cut_at
        status = None if wire is None else wire.answer.status
        return Call(self._clock.now(), status, mark, bytes_in, sent, self._writes(ask))

    def _writes(self, ask: Ask) -> bool:
        if ask.method not in ("POST", "PATCH", "PUT", "DELETE"):
            return False
        is_write = getattr(self._side, "is_write", None)
        return True if is_write is None else bool(is_write(ask))

    async def _send(self, request: web.BaseRequest, wire: _Wire | None) -> web.StreamResponse:
        if wire is None:
            _cut(request)
            return web.Response(status=503)
        headers = CIMultiDict({"Server": "leadpact-sandbox", **wire.answer.headers})
        headers["Date"] = format_datetime(self._clock.now(), usegmt=True)
        if wire.answer.content_type is not None:
            headers["Content-Type"] = wire.answer.content_type
        if wire.zipped:
            headers["Content-Encoding"] = "gzip"
        if wire.cut_at is None:
            return web.Response(status=wire.answer.status, body=wire.body or None, headers=headers)
        return await _send_part(request, wire, headers)


def _head(request: web.BaseRequest) -> Ask:
    """The request without its body."""
    headers: dict[str, str] = {}
    for name, value in request.headers.items():
        low = name.lower()
        headers[low] = f"{headers[low]}, {value}" if low in headers else value
    raw_path = request.raw_path
    if not raw_path.startswith("/"):
        # A client that takes us for a proxy sends the whole address.
        parts = urlsplit(raw_path)
        raw_path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    path, _, query = raw_path.partition("?")
    pairs = tuple(parse_qsl(query, keep_blank_values=True, errors="replace"))
    return Ask(request.method, unquote(path), pairs, headers, b"", raw_path)


async def _receive(request: web.BaseRequest, sent: bytearray) -> None:
    """Read the body as it was sent. Raises _Unreadable."""
    if request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0
    async for part in request.content.iter_any():
        sent += part
        if len(sent) > BODY_UP_TO:
            raise _Unreadable(413, f"a body of at most {BODY_UP_TO} bytes was expected")


def _unzipped(sent: bytes, encoding: str) -> bytes:
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        return sent
    if encoding in ("gzip", "x-gzip"):
        return _inflate(sent, 16 + zlib.MAX_WBITS)
    if encoding != "deflate":
        raise _Unreadable(415, "Content-Encoding: gzip, deflate or none was expected")
    # "deflate" means zlib, but some clients send it without zlib's two bytes in front.
    wrapped = len(sent) >= 2 and sent[0] & 0x0F == 8 and (sent[0] << 8 | sent[1]) % 31 == 0
    return _inflate(sent, zlib.MAX_WBITS if wrapped else -zlib.MAX_WBITS)


def _inflate(sent: bytes, window: int) -> bytes:
    whole = bytearray()
    while sent:
        inflater = zlib.decompressobj(window)
        try:
            whole += inflater.decompress(sent, BODY_UP_TO + 1 - len(whole))
        except zlib.error as error:
            raise _Unreadable(400, "the body cannot be unzipped") from error
        if len(whole) > BODY_UP_TO:
            raise _Unreadable(413, f"a body of at most {BODY_UP_TO} bytes was expected")
        if not inflater.eof:
            raise _Unreadable(400, "the body ends in the middle of its compression")
        sent = inflater.unused_data
    return bytes(whole)


def _wire(ask: Ask, answer: Answer, fault: Fault | None) -> _Wire | None:
    body, zipped = answer.body, False
    coded = any(name.lower() == "content-encoding" for name in answer.headers)
    if len(body) > GZIP_FROM and not coded and accepts_gzip(ask.headers.get("accept-encoding", "")):
        squeezer = zlib.compressobj(1, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
        body, zipped = squeezer.compress(body) + squeezer.flush(), True
    if fault is None or fault.kind != "truncate":
        return _Wire(answer, body, zipped)
    if not body:
        return None
    return _Wire(answer, body, zipped, min(int(fault.value), len(body) - 1))


def accepts_gzip(header: str) -> bool:
    """Whether an Accept-Encoding header allows gzip; ``q=0`` forbids it, ``*`` allows what is not named."""
    allowed: dict[str, bool] = {}
    for part in header.lower().split(","):
        name, _, rest = part.partition(";")
        quality = rest.strip().removeprefix("q=").strip()
        allowed[name.strip()] = quality not in ("0", "0.0", "0.00", "0.000")
    return allowed.get("gzip", allowed.get("*", False))


async def _send_part(request: web.BaseRequest, wire: _Wire, headers: CIMultiDict[str]) -> web.StreamResponse:
    response = web.StreamResponse(status=wire.answer.status, headers=headers)
    response.content_length = len(wire.body)
    try:
        await response.prepare(request)
        # Headers wait for the first byte of a body, and a cut at 0 never writes one.
        request.writer.send_headers()
        await response.write(wire.body[: wire.cut_at])
    except ConnectionError:
        # The client was quicker to leave.
        return response
    if request.transport is not None:
        # Closed, not aborted: what was written before the cut is to arrive.
        request.transport.close()
    return response


def _cut(request: web.BaseRequest) -> None:
    transport = request.transport
    if isinstance(transport, asyncio.Transport):
        transport.abort()
