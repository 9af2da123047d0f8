"""Which events what change brings about, and what they say (HubSpot reference, sections 10.1 and 12)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.hubspot.events import BY_AN_APP, Association, Kind, parse
from connectors.sandbox.credentials import HUBSPOT_TOKEN
from connectors.sandbox.hubspot.account import APP_ID, OWNERS, PORTAL_ID

Change = Callable[[Any], str]


def test_a_write_by_the_api_names_the_app_as_its_source(account: Any) -> None:
    account.declare("contact.propertyChange:city")
    id_ = account.contact(email="ada@acme.test")
    account.call("PATCH", f"/crm/v3/objects/contacts/{id_}", {"properties": {"city": "Ulm", "zip": "1"}})
    (event,) = account.settled()
    assert (event.account, event.object, event.record_id) == (str(PORTAL_ID), "contacts", id_)
    assert (event.kind, dict(event.changes)) == (Kind.CHANGED, {"city": "Ulm"})
    assert (event.source, event.source_id, event.app_id) == (BY_AN_APP, APP_ID, APP_ID)
    assert event.made_by(APP_ID)
    assert not event.made_by("999")
    assert abs(event.occurred_at - datetime.now(UTC)) < timedelta(seconds=30)


def test_a_change_by_hand_names_the_person_and_an_import_itself(account: Any) -> None:
    account.declare("contact.creation", "contact.propertyChange:city")
    account.control("load", object="contacts", rows=[{"email": "eva@acme.test", "city": "Bonn"}])
    account.settled()
    account.control("people", action="edit", email="eva@acme.test", properties={"city": "Ulm"})
    made, *changes = sorted(account.settled(2), key=lambda event: event.occurred_at)
    by_hand = changes[-1]
    assert {made.source, changes[0].source} == {"IMPORT"}
    assert (by_hand.source, by_hand.source_id) == ("CRM_UI", f"userId:{OWNERS[1].user_id}")
    assert not by_hand.made_by(APP_ID)


def test_what_hubspot_computes_is_told_as_computed(account: Any) -> None:
    account.declare("contact.propertyChange:hs_email_domain")
    account.contact(email="ada@acme.test")
    (event,) = account.settled()
    assert (event.source, dict(event.changes)) == ("CALCULATED", {"hs_email_domain": "acme.test"})


def test_whether_the_values_of_a_new_record_are_changes_is_a_switch(account: Any) -> None:
    account.control("limits", webhook_values_of_new=False)
    account.declare("contact.creation", "contact.propertyChange:city")
    account.contact(email="ada@acme.test", city="Ulm")
    assert [event.kind for event in account.settled()] == [Kind.CREATED]


def archive(account: Any) -> str:
    id_ = account.contact(email="ada@acme.test")
    account.call("DELETE", f"/crm/v3/objects/contacts/{id_}")
    return str(id_)


def archive_many(account: Any) -> str:
    id_ = account.contact(email="ada@acme.test")
    account.call("POST", "/crm/v3/objects/contacts/batch/archive", {"inputs": [{"id": id_}]})
    return str(id_)


def come_back(account: Any) -> str:
    id_ = archive(account)
    account.control("people", action="restore", id=id_)
    return id_


@pytest.mark.parametrize(
    ("type_", "kind", "change"),
    [
        ("contact.deletion", Kind.ARCHIVED, archive),
        ("contact.deletion", Kind.ARCHIVED, archive_many),
        ("contact.restore", Kind.RESTORED, come_back),
        ("object.deletion", Kind.ARCHIVED, archive),
        ("object.restore", Kind.RESTORED, come_back),
    ],
)
def test_archiving_and_restoring_are_told(account: Any, type_: str, kind: Kind, change: Change) -> None:
    account.declare(type_)
    id_ = change(account)
    (event,) = account.settled()
    assert (event.kind, event.object, event.record_id, event.word) == (kind, "contacts", id_, type_)


def test_a_generic_change_carries_the_type_of_the_object(account: Any) -> None:
    account.declare("object.propertyChange:city")
    account.contact(email="ada@acme.test", city="Ulm")
    (event,) = account.settled()
    assert (event.object, event.word) == ("contacts", "object.propertyChange")


def test_a_privacy_deletion_is_two_events_and_their_order_is_left_to_chance(account: Any) -> None:
    account.declare("contact.privacyDeletion", "contact.deletion")
    first, requests = set(), set()
    for n in range(12):
        before = len(account.receiver.got)
        id_ = account.contact(email=f"ada{n}@acme.test")
        account.call("POST", "/crm/v3/objects/contacts/gdpr-delete", {"objectId": id_})
        account.settled(before + 1)
        told = [event for request in account.receiver.got[before:] for event in parse(request.body)]
        assert {event.kind for event in told} == {Kind.ERASED, Kind.ARCHIVED}
        assert {event.record_id for event in told} == {id_}
        first.add(told[0].kind)
        requests.add(len(account.receiver.got) - before)
    assert first == {Kind.ERASED, Kind.ARCHIVED}
    assert requests == {1, 2}, "together or apart"


@pytest.mark.parametrize("keeps", [False, True])
def test_a_merge_names_the_new_record_and_those_it_ended(account: Any, keeps: bool) -> None:
    account.control("limits", merge_keeps_primary_id=keeps)
    account.declare("contact.merge")
    one, two = account.contact(email="a@acme.test"), account.contact(email="b@acme.test", city="Ulm")
    body = {"primaryObjectId": one, "objectIdToMerge": two}
    merged = account.call("POST", "/crm/v3/objects/contacts/merge", body)
    (event,) = account.settled()
    assert (event.kind, event.record_id) == (Kind.MERGED, merged["id"])
    assert set(event.gone_ids) == {one, two} - {merged["id"]}


def test_an_association_is_told_from_both_sides_and_a_primary_one_twice(account: Any) -> None:
    account.declare("contact.associationChange", "company.associationChange")
    contact = account.contact(email="ada@acme.test")
    company = str(account.call("POST", "/crm/v3/objects/companies", {"properties": {"name": "Acme"}})["id"])
    path = f"/crm/v4/objects/contact/{contact}/associations/company/{company}"
    account.call("PUT", path, [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 1}])
    told = account.settled()
    assert sorted((event.object, event.association.primary) for event in told if event.association) == [
        ("companies", False),
        ("companies", True),
        ("contacts", False),
        ("contacts", True),
    ]
    account.receiver.got.clear()
    account.call("DELETE", path)
    gone = [event for event in account.settled() if event.object == "contacts"]
    assert Association("companies", company, "CONTACT_TO_COMPANY", removed=True, primary=True) in [
        event.association for event in gone
    ]


def test_writing_the_same_association_again_tells_nothing(account: Any) -> None:
    contact = account.contact(email="ada@acme.test")
    company = str(account.call("POST", "/crm/v3/objects/companies", {"properties": {"name": "Acme"}})["id"])
    path = f"/crm/v4/objects/contact/{contact}/associations/company/{company}"
    types = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 1}]
    account.call("PUT", path, types)
    account.declare("contact.associationChange", "contact.creation")
    account.call("PUT", path, types)
    account.contact(firstname="Eva")
    assert [event.kind for event in account.settled()] == [Kind.CREATED]


def test_a_batch_that_fails_tells_nothing(account: Any) -> None:
    account.declare("contact.creation")
    rows = [{"properties": {"email": "a@acme.test"}}, {"properties": {"email": "no address"}}]
    answer = account.http.post(
        f"{account.url}/crm/v3/objects/contacts/batch/create",
        json={"inputs": rows},
        headers={"Authorization": f"Bearer {HUBSPOT_TOKEN}"},
        timeout=60,
    )
    assert answer.status_code == 400
    id_ = account.contact(email="b@acme.test")
    assert [event.record_id for event in account.settled()] == [id_]


def test_a_write_that_changes_nothing_tells_nothing(account: Any) -> None:
    id_ = account.contact(email="ada@acme.test", city="Ulm")
    account.declare("contact.propertyChange:city", "contact.propertyChange:zip")
    account.call("PATCH", f"/crm/v3/objects/contacts/{id_}", {"properties": {"city": "Ulm", "zip": "1"}})
    (event,) = account.settled()
    assert list(event.changes) == ["zip"]


def test_a_sensitive_value_is_not_told(account: Any) -> None:
    account.call(
        "POST",
        "/crm/v3/properties/contacts",
        {
            "name": "iban",
            "label": "IBAN",
            "type": "string",
            "fieldType": "text",
            "groupName": "contactinformation",
            "dataSensitivity": "sensitive",
        },
    )
    account.declare("contact.propertyChange:iban", "object.propertyChange:iban")
    account.contact(email="ada@acme.test", iban="DE00planted")
    told = account.settled()
    assert [dict(event.changes) for event in told] == [{"iban": None}, {"iban": None}]
    assert b"planted" not in account.receiver.got[0].body
