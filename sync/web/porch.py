"""What answers before the database is there: the process lives, and everything else may come again later."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from aiohttp import web

from sync.web.belongings import Limits
from sync.web.doors import numbered
from sync.web.listening import BUSY, note_busy
from sync.web.pages import healthz

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Waits:
    """What is waited for, in words of our own; it is told to whoever asks."""

    words: str = "this process has just begun"


def porch(waits: Waits, limits: Limits) -> web.Application:
    """An application that takes nothing: /healthz is 200, everything else 503 with a Retry-After."""
    app = web.Application(client_max_size=limits.body_bytes, middlewares=[note_busy])
    app[BUSY] = set()
    again = {"Retry-After": str(limits.come_again_seconds), "Cache-Control": "no-store"}

    async def not_ready(request: web.Request) -> web.Response:  # noqa: ARG001 - whatever is asked
        return web.json_response({"ready": False, "problems": [waits.words]}, status=503, headers=again)

    async def not_yet(request: web.Request, number: str) -> web.StreamResponse:  # noqa: ARG001 - whatever is asked
        _log.info("request %s: 503, not begun", number)
        return web.Response(status=503, text="nothing is taken yet; send it again later\n", headers=again)

    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", not_ready)
    app.router.add_route("*", "/{path:.*}", numbered(not_yet))
    return app
