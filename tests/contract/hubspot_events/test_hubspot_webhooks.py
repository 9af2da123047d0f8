"""Webhooks from the pretend HubSpot to a real HTTP receiver: signing and delivery (HubSpot reference, section 10).

Two judges: our verifier and parser, and HubSpot's own signature helper.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hubspot.utils.signature import Signature

from connectors.hubspot.events import parse, unseen
from connectors.hubspot.signature import Doubt, NotFromHubSpot, Received, Verifier
from connectors.sandbox.credentials import HUBSPOT_CLIENT_SECRET
from connectors.sandbox.serving import sandbox


def test_a_change_arrives_signed_and_both_judges_believe_it(account: Any) -> None:
    account.declare("contact.creation")
    account.contact(firstname="Zoë")
    account.settled()
    (request,) = account.receiver.got
    now = datetime.now(UTC)
    assert Verifier(HUBSPOT_CLIENT_SECRET, account.receiver.url).verify(request, now) == "v3"
    # The official helper undoes no escapes, so it is given the address as it is signed.
    undone = account.receiver.url + account.target.replace("%3A", ":")
    assert Signature.is_valid(
        signature=request.headers["X-HubSpot-Signature-v3"],
        client_secret=HUBSPOT_CLIENT_SECRET,
        request_body=request.body.decode(),
        http_uri=undone,
        signature_version="v3",
        timestamp=request.headers["X-HubSpot-Request-Timestamp"],
    )
    other = Verifier("another secret", account.receiver.url)
    with pytest.raises(NotFromHubSpot) as raised:
        other.verify(request, now)
    assert raised.value.doubt is Doubt.WRONG


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_the_old_signatures_beside_it_are_right_too(account: Any, version: Any) -> None:
    account.control("limits", webhook_old_signature=version)
    account.declare("contact.creation")
    account.contact(firstname="Zoë")
    account.settled()
    (request,) = account.receiver.got
    assert request.headers["X-HubSpot-Signature-Version"] == version
    kept = {k: v for k, v in request.headers.items() if not k.lower().endswith(("-v3", "timestamp"))}
    old = Received(request.method, request.target, kept, request.body)
    verifier = Verifier(HUBSPOT_CLIENT_SECRET, account.receiver.url, old_versions=True)
    assert verifier.verify(old, datetime.now(UTC)) == version
    assert Signature.is_valid(
        signature=request.headers["X-HubSpot-Signature"],
        client_secret=HUBSPOT_CLIENT_SECRET,
        request_body=request.body.decode(),
        http_uri=account.receiver.url + account.target,
        signature_version=version,
    )


def test_a_request_that_is_sent_again_later_is_too_old(account: Any) -> None:
    account.declare("contact.creation")
    account.contact(firstname="Ada")
    account.settled()
    verifier = Verifier(HUBSPOT_CLIENT_SECRET, account.receiver.url)
    with pytest.raises(NotFromHubSpot) as raised:
        verifier.verify(account.receiver.got[0], datetime.now(UTC) + timedelta(minutes=6))
    assert raised.value.doubt is Doubt.TOO_OLD


def test_many_changes_come_in_requests_of_a_hundred(account: Any) -> None:
    account.declare("contact.creation")
    rows = [{"email": f"p{n}@acme.test"} for n in range(250)]
    ids = account.control("load", object="contacts", rows=rows)["ids"]
    told = account.settled(3)
    sizes = [len(parse(request.body)) for request in account.receiver.got]
    assert max(sizes) == 100
    assert sum(sizes) == 250
    assert {event.record_id for event in told} == set(ids)
    assert [event.record_id for event in told] != ids, "no order is promised, and none is kept"


def test_in_order_and_one_by_one_is_a_switch(account: Any) -> None:
    account.control("limits", webhook_order="occurred")
    account.declare("contact.creation")
    rows = [{"email": f"p{n}@acme.test"} for n in range(60)]
    ids = account.control("load", object="contacts", rows=rows)["ids"]
    assert [event.record_id for event in account.settled()] == ids


def test_duplicates_are_found_by_what_they_say_not_by_their_event_id(account: Any) -> None:
    account.control("limits", webhook_duplicates=2)
    account.declare("contact.propertyChange:city", "contact.propertyChange:zip")
    for n in range(5):
        account.contact(email=f"p{n}@acme.test", city="Ulm", zip="89073")
    told = account.settled()
    assert len(told) == 20 - 5
    assert len(unseen(told)) == 10
    assert len({event.event_id for event in told}) == 5, "both properties of one write share an id"


def test_a_delay_holds_events_back_by_the_sandbox_clock(account: Any) -> None:
    account.control("clock", now="2026-11-22T08:00:00Z")
    account.control("limits", webhook_delay_ms=60_000)
    account.declare("contact.creation")
    account.contact(firstname="Ada")
    time.sleep(0.2)
    assert (account.told()["waiting"], account.receiver.got) == (1, [])
    account.control("clock", advance_seconds=61)
    (event,) = account.settled()
    assert event.occurred_at == datetime(2026, 11, 22, 8, tzinfo=UTC)


def test_what_is_refused_is_sent_again_ten_times_within_a_day_and_then_lost(account: Any) -> None:
    account.control("clock", now="2026-11-22T08:00:00Z")
    account.receiver.statuses = [500, 404, 429, 503, *[500] * 20]
    account.declare("contact.creation")
    account.contact(firstname="Ada")
    account.arrived(1)
    for _ in range(24 * 60):
        if account.told()["lost"]:
            break
        account.control("clock", advance_seconds=60 * 5)
        if account.told()["waiting"]:
            time.sleep(0.06)
    told = account.told()
    assert (told["lost"], told["waiting"], len(told["records"])) == (1, 0, 11)
    assert [event.attempt for event in account.events()] == list(range(11))
    sent = [record["at"] for record in told["records"]]
    assert sent[-1] - sent[0] < 24 * 3_600_000
    assert [record["status"] for record in told["records"]][:4] == [500, 404, 429, 503]


def test_an_event_taken_at_the_second_attempt_is_not_sent_a_third_time(account: Any) -> None:
    account.control("clock", now="2026-11-22T08:00:00Z")
    account.receiver.statuses = [500]
    account.declare("contact.creation")
    account.contact(firstname="Ada")
    account.arrived(1)
    account.control("clock", advance_seconds=120)
    account.arrived(2)
    account.control("clock", advance_seconds=86_400)
    assert [event.attempt for event in account.settled(2)] == [0, 1]
    assert len(unseen(account.events())) == 1


def test_an_answer_that_takes_too_long_counts_as_none(account: Any) -> None:
    account.control("clock", now="2026-11-22T08:00:00Z")
    account.control("limits", webhook_timeout_ms=100)
    account.receiver.takes_seconds = 0.6
    account.declare("contact.creation")
    account.contact(firstname="Ada")
    account.arrived(1)
    assert account.told()["records"][0]["status"] is None
    account.receiver.takes_seconds = 0.0
    account.control("clock", advance_seconds=120)
    assert len(unseen(account.settled(2))) == 1


def test_nobody_listening_is_as_good_as_a_refusal(account: Any) -> None:
    account.control("clock", now="2026-11-22T08:00:00Z")
    account.declare("contact.creation", target_url="http://127.0.0.1:9/webhooks")
    account.contact(firstname="Ada")
    account.arrived(1)
    assert account.told()["records"][0]["status"] is None
    account.declare("contact.creation")
    account.control("clock", advance_seconds=120)
    assert [event.attempt for event in account.settled()] == [1]


def test_no_more_requests_are_under_way_than_the_app_allows(account: Any) -> None:
    # Long enough that six are under way at once on a busy machine too.
    account.receiver.takes_seconds = 0.6
    account.declare("contact.creation", most_at_once=6)
    rows = [{"email": f"p{n}@acme.test"} for n in range(1_500)]
    account.control("load", object="contacts", rows=rows)
    told = account.settled(15)
    assert len(told) == 1_500
    assert account.receiver.most_inside <= 6
    assert account.told()["mostAtOnce"] == 6


def test_events_that_wait_survive_a_restart(tmp_path: Path, account_at: Callable[[str], Any]) -> None:
    with sandbox(tmp_path) as served:
        account = account_at(served.hubspot_url)
        account.control("limits", webhook_delay_ms=3_600_000)
        account.declare("contact.creation")
        id_ = account.contact(firstname="Ada")
        account.http.close()
    with sandbox(tmp_path) as served:
        account = account_at(served.hubspot_url)
        account.control("clock", advance_seconds=3_700)
        assert [event.record_id for event in account.settled()] == [id_]
        account.http.close()


def test_a_reset_forgets_who_wanted_to_be_told(account: Any) -> None:
    account.declare("contact.creation")
    account.control("reset")
    account.contact(firstname="Ada")
    told = account.told()
    assert (told["waiting"], told["flying"], told["records"], told["subscriptions"]) == (0, 0, [], [])
