"""``POST /webhooks/hubspot``: verified, parsed, kept, answered; worked on elsewhere (HubSpot reference, section 10)."""

from __future__ import annotations

from collections import Counter

from aiohttp import web

from connectors.hubspot.events import Event, Malformed, parse
from connectors.hubspot.signature import Doubt, NotFromHubSpot, Received, Verifier
from sync.inbox import concerns_us, hints_of
from sync.web.belongings import WebBelongings
from sync.web.doors import Handler, Refused, body_of, door, keep

#: How a doubt is counted.
OUTCOMES = {
    Doubt.UNSIGNED: "unsigned",
    Doubt.OLD_VERSION: "old signature",
    Doubt.NO_TIME: "no time",
    Doubt.TOO_OLD: "too old",
    Doubt.FROM_THE_FUTURE: "from the future",
    Doubt.WRONG: "wrong signature",
}


def hubspot_door(belongings: WebBelongings, verifier: Verifier) -> Handler:
    """The endpoint. 200 stored, 400, 401, 408, 413, 503."""

    async def take(request: web.Request) -> web.StreamResponse:
        body = await body_of(request, belongings)
        # As it came: nothing of the address decoded, nothing sorted.
        received = Received(request.method, request.raw_path, request.headers, body)
        try:
            verifier.verify(received, belongings.clock())
            events = parse(body)
        except NotFromHubSpot as doubted:
            refused = Refused(401, OUTCOMES[doubted.doubt], str(doubted))
        except Malformed as malformed:
            refused = Refused(400, "malformed", str(malformed))
        else:
            ours = [event for event in events if event.account == belongings.accounts["hubspot"]]
            if events and not ours:
                refused = Refused(401, "other account", "these events are of another account")
            else:
                await keep(hints_of(ours, belongings.wanted), belongings)
                _count(belongings, events)
                return web.Response(status=200)
        raise refused

    return door("hubspot", belongings, take)


def _count(belongings: WebBelongings, events: tuple[Event, ...]) -> None:
    counted = Counter((event.kind.value, _outcome(event, belongings)) for event in events)
    for (kind, outcome), count in counted.items():
        belongings.metrics.events.labels("hubspot", kind, outcome).inc(count)


def _outcome(event: Event, belongings: WebBelongings) -> str:
    if event.account != belongings.accounts["hubspot"]:
        return "other account"
    return "stored" if concerns_us(event, belongings.wanted) else "not synced"
