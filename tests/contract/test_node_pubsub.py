"""Somebody else's Pub/Sub client on the pretend Salesforce: what it makes of the events."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from connectors.sandbox.salesforce import seed
from connectors.sandbox.serving import Serving, sandbox


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with sandbox(tmp_path_factory.mktemp("sandbox")) as running:
        yield running


@pytest.fixture(scope="module")
def session(node: Callable[..., Any], serving: Serving) -> Any:
    """One run of all jobs, in the order in which they stand in the script."""
    return node("pubsub.mjs", serving.ready)


@pytest.fixture
def job(session: Any) -> Callable[[str], Any]:
    def result(name: str) -> Any:
        assert "failed" not in session[name], session[name]["failed"]
        return session[name]["result"]

    return result


def test_the_life_of_a_lead_is_told_in_order(job: Any) -> None:
    told = job("life")["told"]
    assert [(each["object"], each["type"]) for each in told] == [
        ("Lead", "CREATE"),
        ("Lead", "UPDATE"),
        ("Account", "CREATE"),
        ("Contact", "CREATE"),
        ("Opportunity", "CREATE"),
        ("Lead", "UPDATE"),
    ]


def test_who_made_a_change_is_told_with_it(job: Any) -> None:
    made, edited = job("life")["told"][:2]
    assert made["origin"] == "com/salesforce/api/rest/66.0;client=pubsub-node"
    assert made["user"] == seed.INTEGRATION_USER
    assert edited["origin"].startswith("com/salesforce/api/soap/")
    assert edited["user"] == seed.FIRST_SELLER


def test_a_conversion_is_one_transaction_of_four_events(job: Any) -> None:
    told = job("life")["told"][2:]
    assert [each["sequence"] for each in told] == [1, 2, 3, 4]
    assert len({each["transaction"] for each in told}) == 1
    # The six fields of a conversion (Salesforce reference, section 6).
    assert {
        *("Status", "IsConverted", "ConvertedDate"),
        *("ConvertedAccountId", "ConvertedContactId", "ConvertedOpportunityId"),
    } <= set(told[3]["changed"])


def test_the_client_reads_the_bitmaps_as_they_were_meant(job: Any) -> None:
    edited = job("life")["told"][1]
    assert set(edited["changed"]) == {
        *("Name.LastName", "Address.City", "Title", "NumberOfEmployees"),
        *("LastModifiedDate", "LastModifiedById"),
    }
    assert edited["nulled"] == ["NumberOfEmployees", "Address.City"]
    assert edited["values"]["Title"] == "Countess"


def test_events_asked_for_one_by_one_come_one_by_one(job: Any) -> None:
    assert job("one") == ["CREATE", "UPDATE", "UPDATE"]


def test_a_replay_id_leads_to_the_event_after_it(job: Any) -> None:
    assert job("replay") == [True] * 4


def test_a_deletion_arrives_while_somebody_listens(job: Any) -> None:
    assert job("live") == {"type": "DELETE", "same": True, "values": {}}


def test_a_replay_id_that_is_not_kept_is_refused_by_salesforces_own_code(job: Any) -> None:
    told = job("expired")
    assert (told["code"], told["error"]) == (
        3,
        "sfdc.platform.eventbus.grpc.subscription.fetch.replayid.corrupted",
    )


def test_a_dead_token_opens_nothing(job: Any) -> None:
    assert job("stranger")["code"] == 16
