"""What supervisors, Prometheus and operators ask: /healthz, /readyz, /metrics, the JSON API. All of it only tells."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import math
from collections.abc import Callable, Mapping
from typing import Any

import orjson
from aiohttp import web

from sync.errors import Stopped
from sync.web.belongings import WebBelongings
from sync.web.doors import Handler
from sync.web.salesforce import same

#: What a proxy adds; a request with one of them comes from elsewhere, whatever the connection says.
FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP", "Via")
#: How long an answer of /readyz is good for.
KNOWN_SECONDS = 0.5
_LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")

_log = logging.getLogger(__name__)


async def healthz(request: web.Request) -> web.Response:  # noqa: ARG001 - asks nobody
    """200 while the process lives and answers."""
    return _json(200, {"alive": True})


def readyz(belongings: WebBelongings) -> Handler:
    """200 where the database is there, right and keeps up; else 503 with the reasons."""

    lock, asked_at, problems = asyncio.Lock(), -math.inf, list[str]()

    async def ask(request: web.Request) -> web.Response:  # noqa: ARG001
        nonlocal asked_at, problems
        loop = asyncio.get_running_loop()
        async with lock:
            # However many ask, the database is asked once.
            if loop.time() - asked_at >= KNOWN_SECONDS:
                problems = await asyncio.to_thread(belongings.unready)
                asked_at = loop.time()
        answer = _json(503 if problems else 200, {"ready": not problems, "problems": problems})
        if problems:
            answer.headers["Retry-After"] = str(belongings.limits.come_again_seconds)
        return answer

    return ask


def metrics(belongings: WebBelongings) -> Handler:
    """Prometheus's text format."""

    async def ask(request: web.Request) -> web.Response:
        refusal = _not_for_everybody(request, belongings, elsewhere=True)
        if refusal is not None:
            return refusal
        text = await asyncio.to_thread(belongings.metrics.read)
        return web.Response(body=text, headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})

    return ask


def api(belongings: WebBelongings, tell: Callable[[], Any]) -> Handler:
    """One answer of the JSON API. 503 where the database is away."""

    async def ask(request: web.Request) -> web.Response:
        refusal = _not_for_everybody(request, belongings)
        if refusal is not None:
            return refusal
        try:
            return _json(200, await asyncio.to_thread(tell))
        except Exception as problem:  # noqa: BLE001 - whatever it is, a question changes nothing and may come again
            _log.warning("the API could not answer: %s", type(problem).__name__)
            # Our own words name no address and nobody; those of others might.
            words = str(problem) if isinstance(problem, Stopped) else "the memory could not be asked"
            answer = _json(503, {"problem": words})
            answer.headers["Retry-After"] = str(belongings.limits.come_again_seconds)
            return answer

    return ask


def _not_for_everybody(
    request: web.Request, belongings: WebBelongings, *, elsewhere: bool = False
) -> web.Response | None:
    """A refusal for whoever may not ask; None for whoever may.

    With a token: whoever has it. Without: this machine alone, and not through a proxy, whose own address every
    stranger behind it would have. A name that only points to this machine is a page of somebody else's in a browser
    here. ``elsewhere``: other machines too, for Prometheus, as long as no proxy stands between.
    """
    token = belongings.api_token
    if token is not None and same(request.headers.get("Authorization", ""), f"Bearer {token}"):
        return None
    if not any(name in request.headers for name in FORWARDED):
        if elsewhere:
            return None
        if token is None and _is_local(request):
            return None
    answer = _json(401 if token is not None else 403, {"problem": "this is not for you"})
    if token is not None:
        answer.headers["WWW-Authenticate"] = "Bearer"
    return answer


def _is_local(request: web.Request) -> bool:
    try:
        local = ipaddress.ip_address(request.remote or "").is_loopback
    except ValueError:
        return False
    name, _, port = request.host.rpartition(":")
    named = (name if port.isdigit() else request.host).strip("[]")
    return local and named in _LOCAL_NAMES


def _json(status: int, document: Mapping[str, Any] | list[Any]) -> web.Response:
    return web.Response(
        status=status,
        body=orjson.dumps(document, default=str, option=orjson.OPT_NON_STR_KEYS),
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )
