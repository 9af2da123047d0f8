"""The calls of the app itself (webhooks, journal, rules): whatever is sent, a status and JSON come back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.sandbox.credentials import HUBSPOT_CLIENT_SECRET, HUBSPOT_TOKEN
from connectors.sandbox.hubspot.account import APP_ID, PORTAL_ID
from connectors.sandbox.hubspot.oauth import CLIENT_ID
from connectors.sandbox.hubspot.router import ROUTES, Route
from connectors.sandbox.hubspot.side import HubSpotSide
from connectors.sandbox.hubspot.webhooks.admission import DEVELOPER_KEY
from connectors.sandbox.hubspot.webhooks.bodies import EVENT_TYPES
from connectors.sandbox.hubspot.webhooks.journal_calls import ACTIONS, FILES
from connectors.sandbox.side import Ask, ControlRefused

FAMILIES = {
    "app": "/webhooks/v3",
    "journal": "/webhooks-journal/journal/2026-03",
    "journal-subscriptions": "/webhooks-journal/subscriptions/2026-03",
    "journal-snapshots": "/webhooks-journal/snapshots/2026-03",
    "journal-files": FILES.rstrip("/"),
    "property-validations": "/crm/v3/property-validations",
}
SCOPES = " ".join(
    f"developer.webhooks_journal.{end}"
    for end in ("read", "subscriptions.read", "subscriptions.write", "snapshots.read", "snapshots.write")
)
NAMES = [
    "targetUrl", "throttling", "maxConcurrentRequests", "eventType", "propertyName", "objectTypeId", "active",
    "inputs", "id", "subscriptionType", "portalId", "actions", "properties", "objectIds", "objectId",
    "associatedObjectTypeIds", "listIds", "eventTypeId", "snapshotRequests", "ruleArguments",
]  # fmt: skip
WORDS = [
    "http://127.0.0.1:1/", "https://[::1", "http://x", "contact.creation", "contact.propertyChange", "city", "0-1",
    "OBJECT", "ASSOCIATION", "GDPR_PRIVACY_DELETION", "CREATE", "UPDATE", "(", "[0-9]+", "1e999", "", "\x00", "é",
    "9" * 30, APP_ID, str(PORTAL_ID), "MAX_LENGTH", "REGEX", "contacts", "1", "0", "earliest", "next", "%", "\ud800",
]  # fmt: skip
SCALARS = (
    st.sampled_from(WORDS[:-1]) | st.integers() | st.just(PORTAL_ID) | st.floats() | st.booleans() | st.none()
)
BODIES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=7),
    max_leaves=20,
)
MINE = [route for route in ROUTES if route.family in FAMILIES]


@pytest.fixture
def app(side: HubSpotSide) -> Callable[..., tuple[int, Any]]:
    """``app(method, path, body, query)`` with every credential that any of these calls asks for."""
    side.limits({"ten_secondly": None, "daily": None})
    form = {
        "grant_type": "client_credentials",
        "client_id": CLIENT_ID,
        "client_secret": HUBSPOT_CLIENT_SECRET,
        "scope": SCOPES,
    }
    granted = side.answer(Ask("POST", "/oauth/v3/token", (), {}, urlencode(form).encode()))
    token = orjson.loads(granted.body)["access_token"]

    def ask(
        method: str, path: str, body: bytes = b"", query: dict[str, str] | None = None
    ) -> tuple[int, Any]:
        given = HUBSPOT_TOKEN if path.startswith("/crm/") else token
        headers = {} if path.startswith(FILES) else {"authorization": f"Bearer {given}"}
        pairs = (("hapikey", DEVELOPER_KEY), *(query or {}).items())
        answer = side.answer(Ask(method, path, pairs, headers, body))
        return answer.status, orjson.loads(answer.body) if answer.body else None

    return ask


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=250)
@given(
    st.sampled_from(MINE),
    st.lists(st.sampled_from([*WORDS, APP_ID, "0-1"]), min_size=3, max_size=3),
    st.binary(max_size=40),
    BODIES,
    st.dictionaries(st.sampled_from(["installPortalId", "Expires", "Signature"]), st.sampled_from(WORDS)),
)
def test_no_call_of_the_app_makes_it_fall_over(
    app: Callable[..., tuple[int, Any]],
    route: Route,
    parts: list[str],
    noise: bytes,
    body: Any,
    query: dict[str, str],
) -> None:
    given = iter(parts)
    pieces = [next(given) if piece == "{}" else piece for piece in route.pattern.split("/")]
    path = "/".join([FAMILIES[route.family], *pieces]).rstrip("/")
    try:
        sent = orjson.dumps(body)
    except TypeError:
        sent = noise
    for content in (sent, noise):
        status, answered = app(route.method, path, content, query)
        assert 200 <= status < 500
        assert answered is None or isinstance(answered, dict)


@pytest.mark.parametrize("event_type", sorted(EVENT_TYPES))
def test_every_event_type_of_the_reference_can_be_subscribed_to(
    app: Callable[..., tuple[int, Any]], event_type: str
) -> None:
    body = orjson.dumps({"eventType": event_type, "propertyName": "city", "objectTypeId": "0-1"})
    status, made = app("POST", f"/webhooks/v3/{APP_ID}/subscriptions", body)
    assert (status, made["eventType"], made["active"]) == (201, event_type, False)


def test_there_are_as_many_event_types_as_the_vendors_client_knows() -> None:
    assert len(EVENT_TYPES) == 47


@pytest.mark.parametrize("action", sorted(ACTIONS))
def test_every_action_of_the_journal_can_be_asked_for(
    app: Callable[..., tuple[int, Any]], action: str
) -> None:
    wanted = {
        "subscriptionType": "OBJECT",
        "objectTypeId": "contacts",
        "portalId": PORTAL_ID,
        "actions": [action],
        "properties": [],
        "objectIds": [],
    }
    status, made = app("POST", FAMILIES["journal-subscriptions"], orjson.dumps(wanted))
    assert (status, made["objectTypeId"], made["actions"]) == (201, "0-1", [action])


@pytest.mark.parametrize(
    "missing", ["objectTypeId", "portalId", "actions", "properties", "objectIds", "subscriptionType"]
)
def test_a_subscription_of_the_journal_names_all_that_the_specification_requires(
    app: Callable[..., tuple[int, Any]], missing: str
) -> None:
    wanted: dict[str, Any] = {
        "subscriptionType": "OBJECT",
        "objectTypeId": "0-1",
        "portalId": PORTAL_ID,
        "actions": ["CREATE"],
        "properties": [],
        "objectIds": [],
    }
    del wanted[missing]
    status, body = app("POST", FAMILIES["journal-subscriptions"], orjson.dumps(wanted))
    assert (status, body["category"]) == (400, "VALIDATION_ERROR")


def test_declaring_webhooks_with_a_misspelt_key_is_refused(side: HubSpotSide) -> None:
    with pytest.raises(ControlRefused, match="most_at_once"):
        side.people(
            {"action": "declare_webhooks", "target_url": "http://127.0.0.1:9/", "events": [], "most": 7}
        )
