"""What both webhook endpoints have in common: bodies within limits, hints kept, refusals answered and counted."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Awaitable, Callable

from aiohttp import web

from sync.errors import Stopped
from sync.logs import about
from sync.store.inbox import Hints
from sync.store.intake import NotStored
from sync.web.belongings import WebBelongings

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_log = logging.getLogger(__name__)


class Refused(Exception):
    """A request that is not taken. ``outcome`` is counted; the words are answered, and quote nothing of it."""

    def __init__(self, status: int, outcome: str, words: str) -> None:
        super().__init__(words)
        self.status = status
        self.outcome = outcome


def door(crm: str, belongings: WebBelongings, take: Handler) -> Handler:
    """``take`` as an endpoint: its refusals answered, everything counted, and one log line a request."""
    metrics = belongings.metrics

    async def handled(request: web.Request, number: str) -> web.StreamResponse:
        began = time.perf_counter()
        try:
            response = await take(request)
            outcome = "stored"
        except Refused as refused:
            response, outcome = _refusal(refused, belongings), refused.outcome
        except Stopped as stopped:
            away = Refused(503, "not stored", "the event cannot be taken now; send it again later")
            response, outcome = _refusal(away, belongings), away.outcome
            _log.warning("request %s: %s", number, type(stopped).__name__, extra={"crm": crm})
        metrics.requests.labels(crm, outcome).inc()
        metrics.seconds.labels(crm).observe(time.perf_counter() - began)
        _log.info("request %s: %s, %s", number, response.status, outcome, extra={"crm": crm})
        return response

    return numbered(handled)


def numbered(take: Callable[[web.Request, str], Awaitable[web.StreamResponse]]) -> Handler:
    """``take`` with a number of its own for every request, which stands in its answer and in every log line."""

    async def answered(request: web.Request) -> web.StreamResponse:
        number = secrets.token_hex(6)
        # The jobs and runs that answer it bear the same id.
        with about(correlation=number):
            response = await take(request, number)
        response.headers["X-Request-Id"] = number
        return response

    return answered


async def body_of(request: web.Request, belongings: WebBelongings) -> bytes:
    """The whole body as it was sent. Raises Refused."""
    limits = belongings.limits
    if (request.content_length or 0) > limits.body_bytes:
        raise Refused(413, "too large", "the body is too large")
    try:
        async with asyncio.timeout(limits.body_seconds):
            return await request.read()
    except web.HTTPRequestEntityTooLarge:
        refused = Refused(413, "too large", "the body is too large")
    except TimeoutError:
        refused = Refused(408, "too slow", "the body did not arrive in time")
    except (web.RequestPayloadError, ConnectionError):
        refused = Refused(400, "malformed", "the body is not whole")
    raise refused


async def keep(hints: Hints, belongings: WebBelongings) -> None:
    """Return once the hints are durable. Raises Refused (503) where they cannot be kept now."""
    if not hints:
        return
    try:
        stored = belongings.way_in.put(hints, belongings.clock())
        async with asyncio.timeout(belongings.limits.store_seconds):
            await asyncio.wrap_future(stored)
    except (NotStored, TimeoutError):
        refused = Refused(503, "not stored", "the event cannot be stored now; send it again later")
    else:
        return
    raise refused


def _refusal(refused: Refused, belongings: WebBelongings) -> web.Response:
    response = web.Response(status=refused.status, text=f"{refused}\n")
    if refused.status == 503:
        response.headers["Retry-After"] = str(belongings.limits.come_again_seconds)
    if refused.status in (408, 413):
        # What is still on its way is not worth waiting for.
        response.force_close()
    return response
