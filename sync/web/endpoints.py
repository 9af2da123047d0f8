"""The application: every address that ``leadpact serve`` answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from aiohttp import web

from sync.web.belongings import WebBelongings
from sync.web.doors import Handler
from sync.web.hubspot import hubspot_door
from sync.web.listening import BUSY, note_busy
from sync.web.openapi import description
from sync.web.pages import api, healthz, metrics, readyz
from sync.web.salesforce import salesforce_door

HUBSPOT = "/webhooks/hubspot"
SALESFORCE = "/webhooks/salesforce/outbound"


def web_app(belongings: WebBelongings) -> web.Application:
    """The application, to be served by ``sync.web.listening``. It starts the way into the inbox and closes it.

    An endpoint whose secret is not configured is not there at all.
    """
    app = web.Application(client_max_size=belongings.limits.body_bytes, middlewares=[note_busy])
    app[BUSY] = set()
    app.cleanup_ctx.append(_way_in(belongings))
    route = app.router
    if belongings.verifier is not None:
        route.add_post(HUBSPOT, hubspot_door(belongings, belongings.verifier))
    if belongings.secret_path is not None:
        # The rest of the address, slashes and all: every other one is answered alike.
        route.add_post(SALESFORCE + "/{secret_path:.*}", salesforce_door(belongings, belongings.secret_path))
    pages: dict[str, Handler] = {
        "/healthz": healthz,
        "/readyz": readyz(belongings),
        "/metrics": metrics(belongings),
        **{f"/api/{name}": api(belongings, tell) for name, tell in belongings.answers.items()},
    }
    for path, page in pages.items():
        route.add_get(path, page)
    document = description(belongings)

    async def openapi(request: web.Request) -> web.Response:  # noqa: ARG001
        return web.json_response(document)

    route.add_get("/openapi.json", openapi)
    return app


def _way_in(belongings: WebBelongings) -> Callable[[web.Application], AsyncIterator[None]]:
    async def open_and_close(app: web.Application) -> AsyncIterator[None]:  # noqa: ARG001
        belongings.way_in.start()
        yield
        await asyncio.to_thread(belongings.way_in.close)

    return open_and_close
