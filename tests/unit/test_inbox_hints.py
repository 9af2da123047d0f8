"""What of a push goes into the inbox: which records, and what is said of them."""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import UTC, datetime

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.hubspot.events import parse
from connectors.salesforce.outbound import Notification, OutboundMessage
from sync.inbox import Wanted, concerns_us, hints_of, hints_of_message
from sync.store.inbox import Hint, fold

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
WANTED = Wanted(
    {"hubspot": "contacts", "salesforce": "Lead"},
    {"hubspot": frozenset({"hs_email_optout"}), "salesforce": frozenset({"HasOptedOutOfEmail"})},
)
AT = 1_763_800_000_000


def _body(*events: Mapping[str, object]) -> bytes:
    return orjson.dumps([{"portalId": 7, "occurredAt": AT, **event} for event in events])


@pytest.mark.parametrize(
    ("event", "records", "erased", "urgent"),
    [
        ({"subscriptionType": "contact.creation", "objectId": 1}, ["1"], False, False),
        ({"subscriptionType": "contact.deletion", "objectId": 1}, ["1"], False, False),
        ({"subscriptionType": "contact.privacyDeletion", "objectId": 1}, ["1"], True, False),
        (
            {"subscriptionType": "contact.propertyChange", "objectId": 1, "propertyName": "hs_email_optout"},
            ["1"],
            False,
            True,
        ),
        (
            {
                "subscriptionType": "contact.merge",
                "primaryObjectId": 1,
                "mergedObjectIds": [2],
                "newObjectId": 3,
            },
            ["1", "2", "3"],
            False,
            False,
        ),
        (
            {
                "subscriptionType": "contact.associationChange",
                "fromObjectId": 1,
                "toObjectId": 9,
                "associationType": "CONTACT_TO_COMPANY",
            },
            ["1"],
            False,
            False,
        ),
        # A company is no lead of ours, but the contact at its other end is one.
        (
            {
                "subscriptionType": "company.associationChange",
                "fromObjectId": 9,
                "toObjectId": 1,
                "associationType": "COMPANY_TO_CONTACT",
            },
            ["1"],
            False,
            False,
        ),
        ({"subscriptionType": "company.creation", "objectId": 9}, [], False, False),
        ({"subscriptionType": "object.creation", "objectTypeId": "0-1", "objectId": 1}, ["1"], False, False),
        # What this version has never heard of is a reason to look, too.
        ({"subscriptionType": "contact.somethingNew", "objectId": 1}, ["1"], False, False),
    ],
)
def test_an_event_names_the_records_to_be_read_again(
    event: dict[str, object], records: list[str], erased: bool, urgent: bool
) -> None:
    (told,) = parse(_body(event))
    hints = hints_of([told], WANTED)
    assert concerns_us(told, WANTED) is bool(records)
    assert sorted(record for _, _, record in hints) == records
    assert {(hint.erased, hint.urgent) for hint in hints.values()} == (
        {(erased, urgent)} if records else set()
    )


@given(
    st.lists(st.tuples(st.integers(1, 5), st.integers(0, 10_000), st.booleans()), min_size=1, max_size=30),
    st.randoms(use_true_random=False),
)
def test_order_and_the_cut_into_requests_make_no_difference(
    told: list[tuple[int, int, bool]], chance: random.Random
) -> None:
    events = [
        {
            "subscriptionType": "contact.privacyDeletion" if erased else "contact.creation",
            "objectId": record,
            "occurredAt": AT + after,
        }
        for record, after, erased in told
    ]
    whole = hints_of(parse(_body(*events)), WANTED)
    chance.shuffle(events)
    folded: dict[tuple[str, str, str], Hint] = {}
    for event in events:
        fold(folded, hints_of(parse(_body(event)), WANTED).items())
    assert folded == whole
    assert sum(hint.events for hint in whole.values()) == len(told)


def test_an_outbound_message_names_our_object_alone_and_opted_out_people_first() -> None:
    message = OutboundMessage(
        "00D000000000001AAA",
        "04k000000000001AAA",
        (
            Notification("04l1", "Lead", "00Q1", {"HasOptedOutOfEmail": "true"}),
            Notification("04l2", "Lead", "00Q2", {"HasOptedOutOfEmail": "false"}),
            Notification("04l3", "Contact", "0031", {}),
            Notification("04l4", "Lead", "00Q2", {}),
        ),
    )
    assert hints_of_message(message, WANTED, NOW) == {
        ("salesforce", "Lead", "00Q1"): Hint(NOW, urgent=True),
        ("salesforce", "Lead", "00Q2"): Hint(NOW, events=2),
    }
