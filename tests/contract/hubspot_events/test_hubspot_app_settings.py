"""The app's settings and subscriptions, by both of HubSpot's own clients (HubSpot reference, section 10.2)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import hubspot.webhooks
import jsonschema
import pytest
from hubspot import HubSpot
from hubspot_sdk import HubSpot as NewHubSpot

from connectors.sandbox.credentials import HUBSPOT_TOKEN
from connectors.sandbox.hubspot.account import APP_ID
from connectors.sandbox.hubspot.webhooks.admission import DEVELOPER_KEY


def test_the_vendors_client_configures_the_app(account: Any) -> None:
    client = HubSpot(api_key=DEVELOPER_KEY, host=account.url, retry=False).webhooks
    settings, subscriptions = client.settings_api, client.subscriptions_api
    app = int(APP_ID)
    wanted = hubspot.webhooks.SettingsChangeRequest(
        target_url=account.receiver.url + account.target,
        throttling=hubspot.webhooks.ThrottlingSettings(max_concurrent_requests=10),
    )
    assert settings.configure(app, wanted).target_url == account.receiver.url + account.target
    assert settings.get_all(app).throttling.max_concurrent_requests == 10
    new = hubspot.webhooks.SubscriptionCreateRequest(
        event_type="contact.propertyChange", property_name="city"
    )
    made = subscriptions.create(app, new)
    assert not made.active, "a new subscription starts paused"
    account.contact(email="a@acme.test", city="Ulm")
    patch = hubspot.webhooks.SubscriptionPatchRequest(active=True)
    assert subscriptions.update(int(made.id), app, patch).active
    assert [one.id for one in subscriptions.get_all(app).results] == [made.id]
    id_ = account.contact(email="b@acme.test", city="Bonn")
    assert [event.record_id for event in account.settled()] == [id_]
    row = hubspot.webhooks.SubscriptionBatchUpdateRequest(id=int(made.id), active=False)
    batch = hubspot.webhooks.BatchInputSubscriptionBatchUpdateRequest(inputs=[row])
    assert [one.active for one in subscriptions.update_batch(app, batch).results] == [False]
    subscriptions.archive(int(made.id), app)
    assert subscriptions.get_all(app).results == []
    settings.clear(app)
    with pytest.raises(hubspot.webhooks.ApiException) as refused:
        settings.get_all(app)
    assert refused.value.status == 404


def test_the_newer_client_of_hubspot_configures_the_app_at_the_dated_addresses(account: Any) -> None:
    with NewHubSpot(base_url=account.url, developer_api_key=DEVELOPER_KEY, max_retries=0) as client:
        app = int(APP_ID)
        client.webhooks.update_settings(
            app,
            target_url=account.receiver.url + account.target,
            throttling={"max_concurrent_requests": 10},
        )
        made = client.webhooks.create_event_subscription(app, active=True, event_type="contact.creation")
        assert (made.active, made.event_type) == (True, "contact.creation")
        id_ = account.contact(firstname="Ada")
        assert [event.record_id for event in account.settled()] == [id_]


@pytest.mark.parametrize("root", ["/webhooks/v3", "/webhooks/2026-03", "/app-webhooks/2026-09"])
def test_the_settings_stand_at_three_addresses_and_want_the_developer_key(account: Any, root: str) -> None:
    account.declare("contact.creation")
    address = f"{account.url}{root}/{APP_ID}/settings"
    assert account.http.get(address, params={"hapikey": DEVELOPER_KEY}, timeout=60).status_code == 200
    with_token = {"Authorization": f"Bearer {HUBSPOT_TOKEN}"}
    assert account.http.get(address, headers=with_token, timeout=60).status_code == 401
    elsewhere = f"{account.url}{root}/1/settings"
    assert account.http.get(elsewhere, params={"hapikey": DEVELOPER_KEY}, timeout=60).status_code == 404


@pytest.mark.parametrize(
    "wanted",
    [
        {"eventType": "contact.propertyChange"},
        {"eventType": "contact.propertyChange", "propertyName": "hs_lastmodifieddate"},
        {"eventType": "contact.propertyChange", "propertyName": "num_unique_conversion_events"},
        {"eventType": "object.creation"},
        {"eventType": "product.associationChange"},
        {"eventType": "contact.everything"},
        {"eventType": 5},
        {"eventType": "contact.creation", "active": "yes"},
    ],
)
def test_what_cannot_be_subscribed_to_is_refused(account: Any, wanted: dict[str, Any]) -> None:
    address = f"{account.url}/webhooks/v3/{APP_ID}/subscriptions"
    answer = account.http.post(address, params={"hapikey": DEVELOPER_KEY}, json=wanted, timeout=60)
    assert (answer.status_code, answer.json()["category"]) == (400, "VALIDATION_ERROR")


def test_an_app_has_a_thousand_subscriptions_at_most(account: Any) -> None:
    account.declare(*["contact.creation"] * 1_000)
    address = f"{account.url}/webhooks/v3/{APP_ID}/subscriptions"
    wanted = {"eventType": "contact.creation"}
    answer = account.http.post(address, params={"hapikey": DEVELOPER_KEY}, json=wanted, timeout=60)
    assert answer.status_code == 400
    assert answer.json()["message"].startswith("Couldn't create another subscription")


@pytest.mark.parametrize(
    "target",
    [
        "https://sync.leadpact.example/hook",
        "http://10.0.0.1/hook",
        "http://127.0.0.1.example.com/",
        "ftp://127.0.0.1/",
        "http://user@127.0.0.1/",
        "http://127.0.0.1:99999/",
        "//127.0.0.1/",
        "",
        None,
    ],
)
def test_the_sandbox_calls_nobody_beyond_this_machine(account: Any, target: str | None) -> None:
    wanted: dict[str, Any] = {"action": "declare_webhooks", "target_url": target, "events": []}
    answer = account.http.post(f"{account.url}/_sandbox/people", json=wanted, timeout=60)
    assert answer.status_code == 400


@pytest.mark.parametrize("most", [5, 0, "10", True])
def test_the_app_must_take_more_than_five_requests_at_a_time(account: Any, most: Any) -> None:
    wanted: dict[str, Any] = {"action": "declare_webhooks", "target_url": account.receiver.url, "events": []}
    answer = account.http.post(
        f"{account.url}/_sandbox/people", json={**wanted, "most_at_once": most}, timeout=60
    )
    assert answer.status_code == 400


@pytest.mark.shared
def test_every_answer_is_what_the_vendors_own_models_say(account: Any, shared_reference: Path) -> None:
    schemas = json.loads((shared_reference / "hubspot-sdk-schemas.json").read_text())["hubspot.webhooks"]

    def judged(method: str, path: str, name: str, body: Any = None) -> Any:
        address = f"{account.url}/webhooks/v3/{APP_ID}/{path}"
        key = {"hapikey": DEVELOPER_KEY}
        answer = account.http.request(method, address, params=key, json=body, timeout=60)
        assert answer.status_code in (200, 201), answer.text
        closed = {**schemas["$defs"][name], "additionalProperties": False}
        jsonschema.Draft202012Validator({**schemas, **closed}).validate(answer.json())
        return answer.json()

    settings = {"targetUrl": account.receiver.url, "throttling": {"maxConcurrentRequests": 10}}
    judged("PUT", "settings", "SettingsResponse", settings)
    judged("GET", "settings", "SettingsResponse")
    for wanted in (
        {"eventType": "contact.creation", "active": True},
        {"eventType": "contact.propertyChange", "propertyName": "city"},
        {"eventType": "object.propertyChange", "propertyName": "city", "objectTypeId": "0-1"},
    ):
        made = judged("POST", "subscriptions", "SubscriptionResponse", wanted)
        judged("GET", f"subscriptions/{made['id']}", "SubscriptionResponse")
        judged("PATCH", f"subscriptions/{made['id']}", "SubscriptionResponse", {"active": False})
    judged("GET", "subscriptions", "SubscriptionListResponse")
    inputs = {"inputs": [{"id": int(made["id"]), "active": True}]}
    judged("POST", "subscriptions/batch/update", "BatchResponseSubscriptionResponse", inputs)


def test_new_settings_may_take_a_while_to_hold(account: Any) -> None:
    account.control("clock", now="2026-11-22T08:00:00Z")
    account.control("limits", webhook_settings_ms=300_000)
    account.declare("contact.creation", target_url="http://127.0.0.1:9/old")
    account.contact(firstname="Ada")
    account.arrived(1)
    account.declare("contact.creation")
    account.control("clock", advance_seconds=120)
    account.arrived(2)
    assert account.receiver.got == [], "what was set two minutes ago does not hold yet"
    account.control("clock", advance_seconds=3_600)
    assert [event.attempt for event in account.settled()] == [2]
