"""``POST /webhooks/salesforce/outbound/SECRET_PATH``: Outbound Messages (Salesforce reference, section 8).

Nothing in a message is signed. Whoever knows the secret path, shows the client certificate to the proxy where one is
asked for, and names our organisation, may tell us which records to read again, and no more.
"""

from __future__ import annotations

import hmac
from collections import Counter

from aiohttp import web

from connectors.salesforce.outbound import OutboundMessage, RefusedMessage, acknowledgement, parse_outbound
from sync.inbox import hints_of_message
from sync.web.belongings import WebBelongings
from sync.web.doors import Handler, Refused, body_of, door, keep

#: What a proxy says in the certificate header where the client showed one that it trusts.
SUCCESS = "SUCCESS"
#: What a refused message is counted as, by its status.
_OUTCOMES = {400: "malformed", 401: "other account", 413: "too large"}


def salesforce_door(belongings: WebBelongings, secret_path: str) -> Handler:
    """The endpoint. 200 with the acknowledgement once the message is stored; 400, 401, 408, 413, 503."""

    async def take(request: web.Request) -> web.StreamResponse:
        _check_sender(request, belongings, secret_path)
        body = await body_of(request, belongings)
        try:
            message = parse_outbound(
                body,
                organisation_id=belongings.accounts["salesforce"],
                most_bytes=belongings.limits.body_bytes,
            )
        except RefusedMessage as wrong:
            refused = Refused(wrong.status, _OUTCOMES[wrong.status], str(wrong))
        else:
            await keep(hints_of_message(message, belongings.wanted, belongings.clock()), belongings)
            _count(belongings, message)
            return web.Response(body=acknowledgement(), content_type="text/xml", charset="utf-8")
        raise refused

    return door("salesforce", belongings, take)


def _check_sender(request: web.Request, belongings: WebBelongings, secret_path: str) -> None:
    given = request.match_info["secret_path"]
    if not same(given, secret_path):
        raise Refused(401, "wrong path", "the address is not the one that was agreed on")
    name = belongings.certificate_header
    # Several of them: the client has sent one of its own, and the proxy did not take it away.
    if name is not None and request.headers.getall(name, []) != [SUCCESS]:
        raise Refused(401, "no certificate", "no trusted client certificate was shown")


def same(given: str, secret: str) -> bool:
    """Whether two texts are equal, in a time that tells nothing about where they differ."""
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), secret.encode())


def _count(belongings: WebBelongings, message: OutboundMessage) -> None:
    synced = belongings.wanted.objects["salesforce"]
    counted = Counter("stored" if one.object == synced else "not synced" for one in message.notifications)
    for outcome, count in counted.items():
        belongings.metrics.events.labels("salesforce", "message", outcome).inc(count)
