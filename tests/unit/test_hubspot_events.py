"""Webhook bodies as typed events (HubSpot reference, sections 10.1 and 10.2)."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.hubspot.events import MOST_EVENTS, Association, Event, Kind, Malformed, parse, unseen

AT = 1_767_225_600_123
WHEN = datetime(2026, 1, 1, 0, 0, 0, 123_000, tzinfo=UTC)


def wire(type_: str | None = "contact.propertyChange", **more: Any) -> dict[str, Any]:
    event: dict[str, Any] = {
        "eventId": 3816,
        "subscriptionId": 25,
        "portalId": 62515,
        "appId": 54321,
        "occurredAt": AT,
        "attemptNumber": 0,
        "objectId": 1246965,
    }
    if type_ is not None:
        event["subscriptionType"] = type_
    event |= more
    return {name: value for name, value in event.items() if value is not None}


def read(*events: dict[str, Any]) -> tuple[Event, ...]:
    return parse(json.dumps(events).encode())


def one(type_: str | None = "contact.propertyChange", **more: Any) -> Event:
    (event,) = read(wire(type_, **more))
    return event


def test_a_property_change_tells_property_value_source_and_time() -> None:
    event = one(
        propertyName="lifecyclestage",
        propertyValue="subscriber",
        changeSource="CRM_UI",
        sourceId="userId:123",
        attemptNumber=3,
    )
    assert (event.account, event.object, event.record_id) == ("62515", "contacts", "1246965")
    assert (event.kind, event.occurred_at) == (Kind.CHANGED, WHEN)
    assert event.changes == {"lifecyclestage": "subscriber"}
    assert (event.source, event.source_id, event.attempt) == ("CRM_UI", "userId:123", 3)
    assert (event.event_id, event.subscription_id, event.app_id) == ("3816", "25", "54321")


@pytest.mark.parametrize(
    ("type_", "object_", "kind"),
    [
        ("contact.creation", "contacts", Kind.CREATED),
        ("contact.deletion", "contacts", Kind.ARCHIVED),
        ("contact.privacyDeletion", "contacts", Kind.ERASED),
        ("contact.restore", "contacts", Kind.RESTORED),
        ("company.creation", "companies", Kind.CREATED),
        ("deal.deletion", "deals", Kind.ARCHIVED),
        ("ticket.restore", "tickets", Kind.RESTORED),
        ("product.creation", "products", Kind.CREATED),
        ("line_item.deletion", "line_items", Kind.ARCHIVED),
        ("conversation.creation", "conversations", Kind.CREATED),
        ("conversation.newMessage", "conversations", Kind.OTHER),
        ("conversation.privacyDeletion", "conversations", Kind.ERASED),
        ("contact.somethingNew", "contacts", Kind.OTHER),
        ("form.submission", "form", Kind.OTHER),
        ("gibberish", "gibberish", Kind.OTHER),
    ],
)
def test_every_type_has_an_object_and_a_kind_and_unknown_ones_are_read_again(
    type_: str, object_: str, kind: Kind
) -> None:
    event = one(type_)
    assert (event.object, event.kind, event.word) == (object_, kind, type_)
    assert event.records == ((object_, "1246965"),)


@pytest.mark.parametrize(
    ("type_id", "object_"),
    [("0-1", "contacts"), ("0-2", "companies"), ("0-136", "leads"), ("2-345", "2-345")],
)
def test_generic_events_are_named_by_their_type_id(type_id: str, object_: str) -> None:
    event = one("object.propertyChange", objectTypeId=type_id, propertyName="city", propertyValue="Berlin")
    assert (event.object, event.kind, event.changes) == (object_, Kind.CHANGED, {"city": "Berlin"})


def test_the_field_tables_name_of_the_type_is_understood_too() -> None:
    assert one(None, eventType="contact.creation").kind is Kind.CREATED


@pytest.mark.parametrize(
    ("more", "lives", "gone"),
    [
        # A merge that makes a new record ends both
        ({"primaryObjectId": 1, "mergedObjectIds": [2], "newObjectId": 3, "objectId": 3}, "3", ("1", "2")),
        # One that keeps the winner's id ends the other
        ({"primaryObjectId": 1, "mergedObjectIds": [2], "newObjectId": 1}, "1", ("2",)),
        ({"primaryObjectId": 1, "mergedObjectIds": [2, 2, 4]}, "1", ("2", "4")),
        ({"mergedObjectIds": [2]}, "1246965", ("2",)),
    ],
)
def test_a_merge_names_the_record_that_lives_and_those_that_ended(
    more: dict[str, Any], lives: str, gone: tuple[str, ...]
) -> None:
    event = one("contact.merge", numberOfPropertiesMoved=4, **more)
    assert (event.kind, event.record_id, event.gone_ids) == (Kind.MERGED, lives, gone)
    assert event.records == (("contacts", lives), *(("contacts", id_) for id_ in gone))


def test_an_association_is_a_reason_to_read_both_ends() -> None:
    event = one(
        "contact.associationChange",
        objectId=None,
        associationType="CONTACT_TO_COMPANY",
        fromObjectId=7,
        toObjectId=8,
        associationRemoved=True,
        isPrimaryAssociation=True,
    )
    assert event.association == Association(
        "companies", "8", "CONTACT_TO_COMPANY", removed=True, primary=True
    )
    assert event.records == (("contacts", "7"), ("companies", "8"))


@pytest.mark.parametrize(
    ("more", "value"),
    [
        ({"propertyValue": "REDACTED"}, None),
        ({"propertyValue": "12", "isSensitive": True}, None),
        ({"propertyValue": ""}, ""),
        ({}, ""),
    ],
)
def test_a_hidden_value_stays_different_from_an_emptied_one(more: dict[str, Any], value: str | None) -> None:
    assert one(propertyName="iban", **more).changes == {"iban": value}


def test_two_deliveries_of_one_event_are_one_though_attempt_and_event_id_differ() -> None:
    change = {"propertyName": "city", "propertyValue": "Ulm"}
    first, again = read(wire(**change), wire(**change, attemptNumber=2, eventId=9))
    assert unseen([first, again]) == (first,)


@pytest.mark.parametrize(
    "other",
    [
        {"propertyValue": "Bonn"},
        {"propertyName": "zip"},
        {"objectId": 2},
        {"occurredAt": AT + 1},
        {"subscriptionId": 26},
        {"portalId": 1},
        {"subscriptionType": "contact.creation"},
    ],
)
def test_events_that_share_an_event_id_are_kept_apart(other: dict[str, Any]) -> None:
    change = {"propertyName": "city", "propertyValue": "Ulm"}
    assert len(unseen(read(wire(**change), {**wire(**change), **other}))) == 2


@pytest.mark.parametrize(
    ("source", "source_id", "ours"),
    [
        ("INTEGRATION", "54321", True),
        ("INTEGRATION", "999", False),
        ("CRM_UI", "54321", False),
        ("", "", False),
    ],
)
def test_only_a_change_by_this_app_is_its_own(source: str, source_id: str, ours: bool) -> None:
    assert one(changeSource=source, sourceId=source_id).made_by("54321") is ours


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"{}",
        b'{"results":[]}',
        b"[1]",
        b"[[]]",
        b"[null]",
        b"[",
        b"\xff\xfe",
        b'["\xff"]',
        b"[" * 100_000,
        b'[{"x":' + b"[" * 100_000,
    ],
)
def test_a_body_that_is_no_array_of_events_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        parse(body)


@pytest.mark.parametrize(
    "wrong",
    [
        {"portalId": None},
        {"occurredAt": None},
        {"occurredAt": "2026-01-01"},
        {"occurredAt": -1},
        {"occurredAt": 10**15},
        {"objectId": "1246965"},
        {"objectId": -1},
        {"objectId": 2**63},
        {"objectId": True},
        {"objectId": 1.5},
        {"objectId": None},
        {"propertyValue": 5},
        {"subscriptionType": None},
        {"subscriptionType": ""},
        {"mergedObjectIds": "1;2"},
    ],
)
def test_an_event_that_cannot_be_read_makes_the_body_malformed(wrong: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        read(wire("contact.creation"), {k: v for k, v in (wire() | wrong).items() if v is not None})


def test_an_unknown_event_without_a_record_is_kept_as_a_hint() -> None:
    event = one("event.completed", objectId=None)
    assert (event.record_id, event.records) == (None, ())


def test_no_value_of_a_malformed_body_is_told() -> None:
    with pytest.raises(Malformed) as raised:
        read(wire(propertyName="email", propertyValue="ada@acme.test"), wire(objectId="planted@acme.test"))
    assert "acme" not in str(raised.value)
    assert "acme" not in repr(one(propertyName="email", propertyValue="ada@acme.test"))


def test_more_events_than_documented_are_taken_up_to_a_bound() -> None:
    assert len(read(*[wire(objectId=n) for n in range(101)])) == 101
    with pytest.raises(Malformed):
        read(*[wire()] * (MOST_EVENTS + 1))


def test_an_empty_array_is_no_event() -> None:
    assert parse(b" [] ") == ()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
mangled = st.dictionaries(
    st.sampled_from([*wire(), "mergedObjectIds", "toObjectId"]), json_values, max_size=4
)


@given(st.binary(max_size=200))
def test_any_bytes_are_events_or_malformed(body: bytes) -> None:
    with suppress(Malformed):
        assert isinstance(parse(body), tuple)


@given(st.lists(st.one_of(json_values, mangled.map(lambda change: {**wire(), **change})), max_size=3))
def test_any_json_is_events_or_malformed(content: Any) -> None:
    with suppress(Malformed):
        for event in parse(json.dumps(content).encode()):
            assert event.occurred_at.utcoffset() is not None
            assert hash(event.key)
