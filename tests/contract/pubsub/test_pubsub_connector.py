"""What the connector hears of a pretend organisation through the Pub/Sub API."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from connectors.errors import NeedsPerson, RetryLater
from connectors.salesforce.crm import SalesforceCrm
from connectors.salesforce.pubsub.changes import Kind
from connectors.salesforce.pubsub.errors import ReplayGone
from connectors.salesforce.pubsub.listening import EVERY_OBJECT, Batch, PubSub, Start, topic_of
from connectors.salesforce.pubsub.wire import Wire
from connectors.session import open_session

LEADS = topic_of("Lead")
OURS = {"Sforce-Call-Options": "client=leadpact"}


def test_a_lead_is_made_changed_deleted_and_brought_back(org: Any) -> None:
    lead = org.created()
    org.person("edit", id=lead, fields={"LastName": "Lovelace", "City": None, "HasOptedOutOfEmail": True})
    org.person("delete", id=lead)
    org.person("undelete", id=lead)
    heard = org.heard(LEADS)
    assert [(each.kind, each.record_ids) for each in heard] == [
        (Kind.CREATED, (lead,)),
        (Kind.UPDATED, (lead,)),
        (Kind.DELETED, (lead,)),
        (Kind.UNDELETED, (lead,)),
    ]
    assert set(heard[1].fields or ()) == {"LastName", "City", "HasOptedOutOfEmail", "LastModifiedDate"}
    assert heard[1].nulled == ("City",)
    assert str(heard[0].committed_at) == "2026-11-22 12:00:30+00:00"


def test_our_own_writes_are_told_from_other_peoples(org: Any) -> None:
    ours = org.call("POST", "sobjects/Lead", {"LastName": "A", "Company": "B"}, **OURS)["id"]
    theirs = org.call("POST", "sobjects/Lead", {"LastName": "C", "Company": "D"})["id"]
    person = org.created()
    assert [(each.record_ids[0], each.is_ours) for each in org.heard(LEADS)] == [
        (ours, True),
        (theirs, False),
        (person, False),
    ]


def test_a_conversion_by_soap_is_told_under_the_name_its_caller_gave(org: Any) -> None:
    lead = org.created()
    envelope = f"""<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"
      xmlns="urn:partner.soap.sforce.com"><soapenv:Header>
      <SessionHeader><sessionId>{org.tokens.current().access_token}</sessionId></SessionHeader>
      <CallOptions><client>leadpact</client></CallOptions></soapenv:Header><soapenv:Body>
      <convertLead><leadConverts><convertedStatus>Closed - Converted</convertedStatus>
      <leadId>{lead}</leadId></leadConverts></convertLead></soapenv:Body></soapenv:Envelope>"""
    headers = {"Content-Type": "text/xml; charset=UTF-8", "SOAPAction": '""'}
    answer = requests.post(
        f"{org.url}/services/Soap/u/66.0", data=envelope.encode(), headers=headers, timeout=60
    )
    assert answer.status_code == 200, answer.text
    assert [(each.object, each.is_ours) for each in org.heard()[1:]] == [
        ("Account", True),
        ("Contact", True),
        ("Opportunity", True),
        ("Lead", True),
    ]


def test_a_conversion_comes_as_one_transaction_in_its_order(org: Any) -> None:
    lead = org.created()
    made = org.person("convert", id=lead)
    heard = org.heard()[1:]
    assert [(each.object, each.kind, each.record_ids[0], each.sequence) for each in heard] == [
        ("Account", Kind.CREATED, made["account_id"], 1),
        ("Contact", Kind.CREATED, made["contact_id"], 2),
        ("Opportunity", Kind.CREATED, made["opportunity_id"], 3),
        ("Lead", Kind.UPDATED, lead, 4),
    ]
    assert len({each.transaction for each in heard}) == 1
    assert "ConvertedContactId" in (heard[3].fields or ())


def test_a_merge_deletes_one_and_changes_the_other(org: Any) -> None:
    winner, loser = org.created(Title=None), org.created(Title="Countess")
    org.person("merge", id=winner, other=loser)
    heard = org.heard(LEADS)[2:]
    assert {(each.kind, each.record_ids[0]) for each in heard} == {
        (Kind.DELETED, loser),
        (Kind.UPDATED, winner),
    }
    assert len({each.transaction for each in heard}) == 1


def test_the_same_change_of_many_records_is_one_event_with_all_their_ids(org: Any) -> None:
    leads = [org.created(LastName=f"L{n}") for n in range(3)]
    place = last_place(org)
    records = [{"attributes": {"type": "Lead"}, "id": each, "Rating": "Hot"} for each in leads]
    org.call("PATCH", "composite/sobjects", {"records": records}, **OURS)
    (change,) = org.heard(LEADS, place)
    assert (change.kind, change.record_ids) == (Kind.UPDATED, tuple(leads))
    org.control("limits", cdc_merge=False)
    assert [each.record_ids for each in org.heard(LEADS, place)] == [(each,) for each in leads]


def test_what_was_refused_or_rolled_back_makes_no_event(org: Any) -> None:
    kept = org.created()
    place = last_place(org)
    good = {"attributes": {"type": "Lead"}, "id": kept, "Rating": "Hot"}
    bad = {"attributes": {"type": "Lead"}, "id": kept, "Email": "no address"}
    answers = org.call("PATCH", "composite/sobjects", {"allOrNone": True, "records": [good, bad]})
    assert not any(each["success"] for each in answers)
    assert org.heard(LEADS, place) == []


def test_several_writes_of_a_record_in_one_transaction_are_one_change(org: Any) -> None:
    lead = org.created()
    place = last_place(org)
    part = {"method": "PATCH", "url": f"/services/data/v66.0/sobjects/Lead/{lead}"}
    graph = {
        "graphId": "g",
        "compositeRequest": [
            {**part, "referenceId": "a", "body": {"Title": "Countess"}},
            {**part, "referenceId": "b", "body": {"Rating": "Hot"}},
        ],
    }
    org.call("POST", "composite/graph", {"graphs": [graph]})
    (change,) = org.heard(LEADS, place)
    assert {"Title", "Rating"} <= set(change.fields or ())


def test_gaps_and_overflows_ask_for_another_look(org: Any) -> None:
    org.control("limits", cdc_gaps=1)
    lead = org.created()
    org.control("limits", cdc_overflow_rows=1)
    org.call(
        "POST",
        "composite/sobjects",
        {
            "records": [
                {"attributes": {"type": "Lead"}, "LastName": f"L{n}", "Company": "C"} for n in range(4)
            ]
        },
    )
    gap, told, overflow = org.heard()
    assert (gap.kind, gap.record_ids, gap.fields) == (Kind.GAP, (lead,), None)
    assert told.kind is Kind.CREATED
    assert (overflow.kind, overflow.object, overflow.record_ids) == (Kind.LOST, "Lead", ())
    assert [each.needs_reading for each in (gap, told, overflow)] == [True, False, True]


def test_only_the_fields_that_we_may_see_are_named(org: Any) -> None:
    lead = org.created()
    place = last_place(org)
    org.control("limits", hidden_fields={"Lead": ["Rating"]})
    org.person("edit", id=lead, fields={"Rating": "Hot", "Title": "Countess"})
    (change,) = org.heard(LEADS, place)
    assert set(change.fields or ()) == {"Title", "LastModifiedDate"}


def test_a_topic_carries_only_its_object_and_a_channel_its_own(org: Any) -> None:
    org.control("limits", cdc_channels={"Sales__chn": ["Contact", "Opportunity"]})
    org.person("convert", id=org.created())
    objects = {topic: {each.object for each in org.heard(topic)} for topic in (LEADS, "/data/Sales__chn")}
    assert objects == {LEADS: {"Lead"}, "/data/Sales__chn": {"Contact", "Opportunity"}}


def test_an_object_that_is_not_selected_is_not_told(org: Any) -> None:
    org.control("limits", cdc_objects=["Contact"])
    org.created()
    assert org.heard() == []
    with pytest.raises(NeedsPerson, match="no such topic") as caught:
        org.pubsub.topic(LEADS)
    assert "Change Data Capture" in caught.value.fix


def test_an_object_is_told_of_once_our_own_deployment_has_selected_it(org: Any) -> None:
    org.control("limits", cdc_objects=[])
    crm = SalesforceCrm(
        session=open_session(loopback=urlsplit(org.url).netloc),
        login_url="https://leadpact-sandbox.my.salesforce.com",
        client_id="leadpact-sandbox",
        client_secret="salesforce-sandbox-secret",
    )
    with pytest.raises(NeedsPerson):
        org.heard(LEADS)
    assert crm.watch(["Lead"]) == ["Lead"]
    lead = org.created()
    assert [change.record_ids for change in org.heard(LEADS)] == [(lead,)]
    crm.close()


def test_listening_goes_on_exactly_after_the_place_that_was_kept(org: Any) -> None:
    leads = [org.created(LastName=f"L{n}") for n in range(7)]
    places: dict[str, str | None] = {}
    with org.pubsub.listen(LEADS, most_pending=1, idle_seconds=0.4) as batches:
        for batch in batches:
            (change,) = batch.changes
            places[change.record_ids[0]] = batch.place
    assert list(places) == leads
    for number, lead in enumerate(leads):
        assert [each.record_ids[0] for each in org.heard(LEADS, places[lead])] == leads[number + 1 :]


def test_no_more_than_was_asked_for_is_on_its_way(org: Any) -> None:
    for number in range(9):
        org.created(LastName=f"L{number}")
    with org.pubsub.listen(LEADS, most_pending=4, idle_seconds=0.4) as batches:
        assert [len(each.changes) for each in batches] == [4, 4, 1]


def test_a_change_is_heard_while_somebody_listens(org: Any) -> None:
    org.created()
    heard: list[Batch] = []
    with org.pubsub.listen(LEADS, start=Start.LATEST) as batches:
        listener = threading.Thread(target=lambda: heard.append(next(batches)))
        listener.start()
        time.sleep(0.5)
        lead = org.created(LastName="Somerville")
        listener.join(60)
    assert [each.record_ids for each in heard[0].changes] == [(lead,)]


def test_a_quiet_stream_says_that_it_lives_and_where_it_stands(org: Any) -> None:
    org.control("limits", pubsub_keepalive_ms=50)
    with org.pubsub.listen(LEADS) as batches:
        quiet = next(batches)
    assert quiet.changes == ()
    lead = org.created()
    assert [each.record_ids for each in org.heard(LEADS, quiet.place)] == [(lead,)]


def test_after_72_hours_events_are_gone_and_their_places_too(org: Any) -> None:
    org.created()
    old = last_place(org)
    org.control("clock", advance_seconds=timedelta(hours=71).total_seconds())
    org.control("people", action="revoke_tokens")
    new = org.created()
    assert [each.record_ids for each in org.heard(LEADS, old)] == [(new,)]
    assert len(org.heard(LEADS)) == 2
    org.control("clock", advance_seconds=timedelta(hours=2).total_seconds())
    org.control("people", action="revoke_tokens")
    with pytest.raises(ReplayGone):
        org.heard(LEADS, old)
    assert [each.record_ids for each in org.heard(LEADS)] == [(new,)]


@pytest.mark.parametrize("place", ["00", "0000000000000000", "ffffffffffffffff", "00" * 10])
def test_a_place_that_nobody_gave_is_refused(org: Any, place: str) -> None:
    org.created()
    with pytest.raises(ReplayGone) as caught:
        org.heard(LEADS, place)
    assert caught.value.code.endswith("replayid.corrupted")
    assert caught.value.correlation


def test_a_session_that_dies_in_between_is_opened_anew_without_a_change_lost(org: Any) -> None:
    first = org.created()
    with org.pubsub.listen(LEADS) as batches:
        assert next(batches).changes[0].record_ids == (first,)
        org.control("people", action="revoke_tokens")
        second = org.created()
        assert next(batches).changes[0].record_ids == (second,)
    assert org.slept == []


def test_a_service_that_is_down_for_a_while_is_asked_again(org: Any) -> None:
    org.control("limits", pubsub_down=True)
    with pytest.raises(RetryLater):
        org.pubsub.topic(LEADS)
    assert len(org.slept) == 5
    with org.pubsub.listen(LEADS, idle_seconds=0.4) as batches:
        with pytest.raises(RetryLater):
            next(batches)
        org.control("limits", pubsub_down=False)
        lead = org.created()
        assert next(batches).changes[0].record_ids == (lead,)


def test_a_used_up_allocation_is_left_for_later(org: Any) -> None:
    org.control("limits", daily_delivered_events=0)
    org.created()
    with pytest.raises(RetryLater) as caught:
        org.heard(LEADS)
    assert caught.value.code.endswith("subscription.limit.exceeded")
    assert (caught.value.wait_seconds or 0) > 600
    assert org.slept == []


def test_a_write_that_is_committed_late_is_heard_late_under_its_own_transaction(org: Any) -> None:
    org.control("limits", late_commit_ms=5_000)
    lead = org.call("POST", "sobjects/Lead", {"LastName": "A", "Company": "B"}, **OURS)["id"]
    assert org.heard(LEADS) == []
    org.control("clock", advance_seconds=6)
    org.control("limits", late_commit_ms=0)
    later = org.created()
    heard = org.heard(LEADS)
    assert [(each.record_ids[0], each.is_ours) for each in heard] == [(lead, True), (later, False)]
    assert heard[0].transaction != heard[1].transaction


def test_an_authority_that_did_not_sign_is_not_trusted(org: Any) -> None:
    wire = Wire(org.serving.pubsub)
    stranger = PubSub(wire, org.tokens, retry=org.pubsub._retry)
    with pytest.raises(NeedsPerson, match="not trusted"):
        stranger.topic(LEADS)
    wire.close()


def test_nobody_there_is_a_matter_of_waiting(org: Any) -> None:
    wire = Wire("127.0.0.1:9", str(org.serving.ca_file))
    with pytest.raises(RetryLater, match="cannot be reached"):
        PubSub(wire, org.tokens, retry=org.pubsub._retry).topic(LEADS)
    wire.close()


def test_a_topic_says_which_schema_its_events_have(org: Any) -> None:
    one, every = org.pubsub.topic(LEADS), org.pubsub.topic(EVERY_OBJECT)
    assert one.may_subscribe
    assert every.may_subscribe
    schema = org.pubsub.schema(one.schema_id)
    assert schema is not None
    assert (schema.object, every.schema_id) == ("Lead", "")
    assert org.pubsub.schema("nobody's") is None


def last_place(org: Any) -> str | None:
    """The place after everything that has happened."""
    place = None
    with org.pubsub.listen(idle_seconds=0.4) as batches:
        for batch in batches:
            place = batch.place
    return place
