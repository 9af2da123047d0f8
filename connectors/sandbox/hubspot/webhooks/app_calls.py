"""The app's own settings and subscriptions, over its API and by declaration (HubSpot reference, section 10.2).

Project apps declare both in a file; the control ``people`` with the action ``declare_webhooks`` stands for
that file. Targets are on this machine only: a pretend CRM calls nobody else.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from connectors.sandbox.hubspot.account import APP_ID
from connectors.sandbox.hubspot.call import Call, answer
from connectors.sandbox.hubspot.errors import Refused, bad_request, no_resource, unreadable
from connectors.sandbox.hubspot.kinds import find_kind
from connectors.sandbox.hubspot.moments import wire
from connectors.sandbox.hubspot.portal import Portal
from connectors.sandbox.hubspot.webhooks.bodies import EVENT_TYPES, NEVER_TOLD, Subscription
from connectors.sandbox.hubspot.webhooks.store import Settings, wire_of
from connectors.sandbox.side import Answer, ControlRefused

MOST_SUBSCRIPTIONS = 1_000
USUAL_AT_ONCE = 10
LEAST_AT_ONCE = 6


def show_settings(portal: Portal, call: Call) -> Answer:
    """``GET /settings``."""
    _own_app(call)
    found = portal.events.settings()
    if found is None:
        raise no_resource()
    return answer(200, _settings_body(found))


def change_settings(portal: Portal, call: Call) -> Answer:
    """``PUT /settings``."""
    _own_app(call)
    body = call.json()
    throttling = body.get("throttling") or {}
    if not isinstance(throttling, dict):
        raise unreadable("throttling must be an object")
    most = throttling.get("maxConcurrentRequests", USUAL_AT_ONCE)
    return answer(200, _settings_body(_configure(portal, body.get("targetUrl"), most)))


def delete_settings(portal: Portal, call: Call) -> Answer:
    """``DELETE /settings``: nothing is sent any more."""
    _own_app(call)
    portal.events.unconfigure()
    return answer(204)


def list_subscriptions(portal: Portal, call: Call) -> Answer:
    """``GET /subscriptions``."""
    _own_app(call)
    return answer(200, {"results": [_body(one) for one in portal.events.subscriptions()]})


def create_subscription(portal: Portal, call: Call) -> Answer:
    """``POST /subscriptions``: paused unless ``active`` says otherwise."""
    _own_app(call)
    return answer(201, _body(_subscribe(portal, call.json(), active=False)))


def show_subscription(portal: Portal, call: Call) -> Answer:
    """``GET /subscriptions/{id}``."""
    return answer(200, _body(_named(portal, call)))


def change_subscription(portal: Portal, call: Call) -> Answer:
    """``PATCH /subscriptions/{id}``: pause it or let it go on."""
    return answer(200, _body(_switch(portal, _named(portal, call).id, call.json())))


def delete_subscription(portal: Portal, call: Call) -> Answer:
    """``DELETE /subscriptions/{id}``."""
    portal.events.unsubscribe(_named(portal, call).id)
    return answer(204)


def change_many(portal: Portal, call: Call) -> Answer:
    """``POST /subscriptions/batch/update``."""
    _own_app(call)
    started = wire(portal.now())
    rows = call.json().get("inputs")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise unreadable("inputs must be a list of objects")
    results = [_body(_switch(portal, row.get("id"), row)) for row in rows]
    times = {"startedAt": started, "completedAt": wire(portal.now())}
    return answer(200, {"status": "COMPLETE", "results": results, **times})


CALLS: tuple[tuple[str, str, Callable[[Portal, Call], Answer]], ...] = (
    ("GET", "{}/settings", show_settings),
    ("PUT", "{}/settings", change_settings),
    ("DELETE", "{}/settings", delete_settings),
    ("GET", "{}/subscriptions", list_subscriptions),
    ("POST", "{}/subscriptions", create_subscription),
    ("POST", "{}/subscriptions/batch/update", change_many),
    ("GET", "{}/subscriptions/{}", show_subscription),
    ("PATCH", "{}/subscriptions/{}", change_subscription),
    ("DELETE", "{}/subscriptions/{}", delete_subscription),
)


def declare(portal: Portal, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Set target and subscriptions at once, all active, in place of those there are.

    ``{"action": "declare_webhooks", "target_url", "most_at_once"?, "events": [{"eventType", "propertyName"?,
    "objectTypeId"?}]}``. Raises ControlRefused.
    """
    unknown = sorted(set(wanted) - {"action", "target_url", "most_at_once", "events"})
    if unknown:
        raise ControlRefused(
            f"declare_webhooks knows target_url, most_at_once and events, not {', '.join(unknown)}"
        )
    rows = wanted.get("events")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ControlRefused("events is a list of objects")
    try:
        _configure(portal, wanted.get("target_url"), wanted.get("most_at_once", USUAL_AT_ONCE))
        portal.events.unsubscribe_all()
        made = [_subscribe(portal, row, active=True) for row in rows]
    except Refused as refused:
        raise ControlRefused(refused.message) from refused
    return {"subscriptions": [_body(one) for one in made]}


def _configure(portal: Portal, target: Any, most: Any) -> Settings:
    if not isinstance(target, str) or not _on_this_machine(target):
        raise bad_request("targetUrl must be an address on this machine: the sandbox calls nobody else")
    if type(most) is not int or most < LEAST_AT_ONCE:
        raise bad_request("maxConcurrentRequests must be greater than 5")
    return portal.events.configure(target, most, portal.now())


def _on_this_machine(url: str) -> bool:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        known = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
    plain = parts.username is None and not parts.fragment and port != 0
    # What cannot stand in a request line as it is would have to be escaped, and then signed otherwise.
    return parts.scheme in ("http", "https") and known and plain and url.isascii() and " " not in url


def _subscribe(portal: Portal, wanted: dict[str, Any], *, active: bool) -> Subscription:
    event_type, name = wanted.get("eventType"), wanted.get("propertyName")
    if event_type not in EVENT_TYPES:
        raise bad_request(f"eventType is not one that can be subscribed to: {event_type}")
    prefix, _, action = str(event_type).partition(".")
    object_type = wanted.get("objectTypeId")
    if prefix == "object" and (not isinstance(object_type, str) or not object_type):
        raise bad_request("An event of any object needs an objectTypeId")
    if action == "propertyChange" and (not isinstance(name, str) or not name):
        raise bad_request("A propertyChange subscription needs a propertyName")
    if action == "propertyChange" and name in NEVER_TOLD:
        raise bad_request(f"Changes of {name} cannot be subscribed to")
    if len(portal.events.subscriptions()) >= MOST_SUBSCRIPTIONS:
        raise bad_request("Couldn't create another subscription: an app has 1000 at most")
    kind = find_kind(str(object_type)) if prefix == "object" else None
    started = wanted.get("active", active)
    if not isinstance(started, bool):
        raise unreadable("active must be true or false")
    return portal.events.subscribe(
        str(event_type),
        str(name) if action == "propertyChange" else "",
        kind.key if kind is not None else str(object_type or ""),
        started,
        portal.now(),
    )


def _switch(portal: Portal, id_: Any, wanted: dict[str, Any]) -> Subscription:
    active = wanted.get("active")
    if not isinstance(active, bool) or type(id_) is not int:
        raise unreadable("a subscription is switched by its id, a number, and active, true or false")
    found = portal.events.switch(id_, active, portal.now())
    if found is None:
        raise no_resource()
    return found


def _named(portal: Portal, call: Call) -> Subscription:
    _own_app(call)
    found = next((one for one in portal.events.subscriptions() if str(one.id) == call.parts[1]), None)
    if found is None:
        raise no_resource()
    return found


def _own_app(call: Call) -> None:
    if call.parts[0] != APP_ID:
        raise no_resource()


def _settings_body(found: Settings) -> dict[str, Any]:
    return {
        "targetUrl": found.target_url,
        "throttling": {"maxConcurrentRequests": found.most_at_once},
        "createdAt": wire(found.created),
        "updatedAt": wire(found.updated),
    }


def _body(one: Subscription) -> dict[str, Any]:
    return {**wire_of(one), "createdAt": wire(one.created), "updatedAt": wire(one.updated)}
