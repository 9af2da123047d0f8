"""Answers of a pretend CRM, kept and given again: so that readers are measured, and not the CRM that they read.

    python -m bench.replay http://127.0.0.1:8123

Prints its address. What was asked before is answered from memory, the same bytes; anything else is asked of the CRM.
Of use only while nothing changes there, and nothing is written through it.
"""

from __future__ import annotations

import asyncio
import sys

from aiohttp import ClientSession, ClientTimeout, web

#: What decides an answer, beside method, address and body.
_TELLING = ("Accept-Encoding", "Authorization", "Sforce-Query-Options")
#: What an answer is without; the rest belongs to one exchange.
_KEPT = ("Content-Type", "Content-Encoding", "Sforce-Locator")
_SECONDS = 300

Kept = tuple[int, dict[str, str], bytes]


async def serve(crm: str) -> None:
    """Serve on a free port of loopback until the process ends."""
    known: dict[tuple[object, ...], Kept] = {}
    async with ClientSession(auto_decompress=False, timeout=ClientTimeout(total=_SECONDS)) as session:

        async def handle(request: web.BaseRequest) -> web.StreamResponse:
            body = await request.read()
            telling = {name: request.headers[name] for name in _TELLING if name in request.headers}
            key = (request.method, request.raw_path, body, *telling.items())
            if key not in known:
                known[key] = await _ask(session, crm, request, body)
            status, headers, kept = known[key]
            return web.Response(status=status, headers=headers, body=kept)

        runner = web.ServerRunner(web.Server(handle, access_log=None, auto_decompress=False))
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        print(f"http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
        await asyncio.Event().wait()


async def _ask(session: ClientSession, crm: str, request: web.BaseRequest, body: bytes) -> Kept:
    dropped = ("host", "content-length", "transfer-encoding", "connection")
    headers = {name: text for name, text in request.headers.items() if name.lower() not in dropped}
    async with session.request(request.method, crm + request.raw_path, data=body, headers=headers) as answer:
        told = {name: answer.headers[name] for name in _KEPT if name in answer.headers}
        return answer.status, told, await answer.read()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1]))
