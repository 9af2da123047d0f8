"""What a listener makes of an Outbound Message, and of everything that only looks like one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from lxml import etree

from connectors.salesforce.outbound import (
    MOST_BYTES,
    Malformed,
    OutboundMessage,
    RefusedMessage,
    TooLarge,
    WrongOrganisation,
    acknowledgement,
    parse_outbound,
)

OURS = "00DgK0000000001UAA"
SESSION = "planted-session-id"
FIELDS = "<sf:Id>00QgK0000000001UAA</sf:Id><sf:Email>mai@nordlicht.example</sf:Email>"


def notification(fields: str = FIELDS, kind: str = "sf:Lead", number: int = 1) -> str:
    return (
        f"<Notification><Id>04lgK000000000{number}</Id>"
        f'<sObject xsi:type="{kind}" xmlns:sf="urn:sobject.enterprise.soap.sforce.com">{fields}</sObject>'
        "</Notification>"
    )


def message(inside: str | None = None, organisation: str = OURS, before: str = "") -> bytes:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>{before}'
        '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body>'
        '<notifications xmlns="http://soap.sforce.com/2005/09/outbound">'
        f"<OrganizationId>{organisation}</OrganizationId><ActionId>04kgK0000000001QAA</ActionId>"
        f"<SessionId>{SESSION}</SessionId><EnterpriseUrl>https://x</EnterpriseUrl>"
        f"{notification() if inside is None else inside}</notifications></soapenv:Body></soapenv:Envelope>"
    ).encode()


def parsed(body: bytes, **more: Any) -> OutboundMessage:
    return parse_outbound(body, organisation_id=OURS, **more)


def test_a_message_names_the_records_to_look_at() -> None:
    found = parsed(message(notification() + notification(kind="ns7:Shop__c", number=2)))
    assert found.organisation_id == OURS
    assert [(each.object, each.record_id) for each in found.notifications] == [
        ("Lead", "00QgK0000000001UAA"),
        ("Shop__c", "00QgK0000000001UAA"),
    ]
    first, second = found.notifications
    assert first.fields == {"Email": "mai@nordlicht.example"}
    assert first.notification_id != second.notification_id
    assert len(first.notification_id) == 18


def test_ids_of_fifteen_characters_mean_the_same_as_those_of_eighteen() -> None:
    long, short = (
        message(),
        message(organisation=OURS[:15]).replace(b"0001UAA<", b"0001<").replace(b"0001QAA<", b"0001<"),
    )
    assert parse_outbound(short, organisation_id=OURS) == parse_outbound(long, organisation_id=OURS[:15])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("<sf:City>K&#246;ln</sf:City>", {"City": "Köln"}),
        ("<sf:City/>", {"City": None}),
        ('<sf:City xsi:nil="true"/>', {"City": None}),
        ("<sf:City>  </sf:City>", {"City": "  "}),
        ("<sf:Score__c>5.0</sf:Score__c>", {"Score__c": "5.0"}),
        # No single value of a field, or not one of the record's.
        ("<sf:Owner><sf:Name>Sana</sf:Name></sf:Owner>", {}),
        ("<City>Berlin</City>", {}),
    ],
)
def test_a_field_is_text_or_empty(field: str, value: dict[str, str | None]) -> None:
    found = parsed(message(notification("<sf:Id>00QgK0000000001UAA</sf:Id>" + field)))
    assert found.notifications[0].fields == value


def test_neither_session_nor_values_are_shown() -> None:
    found = parsed(message())
    assert SESSION not in repr(found)
    assert "mai@nordlicht" not in repr(found)


BOMB = "<!DOCTYPE b [<!ENTITY a 'ha'><!ENTITY b '" + "&a;" * 50 + "'><!ENTITY c '" + "&b;" * 50 + "'>]>"
REFUSED = {
    "nothing": (b"", Malformed),
    "no XML": (b"hello", Malformed),
    "JSON": (b'{"notifications": []}', Malformed),
    "cut off": (message()[:-20], Malformed),
    "two roots": (message() + b"<x/>", Malformed),
    "no envelope": (b"<notifications xmlns='http://soap.sforce.com/2005/09/outbound'/>", Malformed),
    "another operation": (
        b'<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body><x/></e:Body></e:Envelope>',
        Malformed,
    ),
    "no notifications": (message(""), Malformed),
    "too many notifications": (message(notification() * 101), Malformed),
    "no record": (message("<Notification><Id>04lgK0000000001</Id></Notification>"), Malformed),
    "no object": (message(notification(kind="")), Malformed),
    "an object that is no name": (message(notification(kind="sf:Lead; DROP")), Malformed),
    "no record id": (message(notification("<sf:Email>x</sf:Email>")), Malformed),
    "a record id that is none": (message(notification("<sf:Id>../../x</sf:Id>")), Malformed),
    "no organisation": (message(organisation=""), Malformed),
    "another organisation": (message(organisation="00DgK0000000002UAA"), WrongOrganisation),
    "an organisation of other case": (message(organisation=OURS[:15].upper()), WrongOrganisation),
    "an unknown encoding": (message().replace(b"UTF-8", b"klingon"), Malformed),
    "bytes that are no UTF-8": (message().replace(b"mai@", b"\xff\xfe"), Malformed),
    "an entity from a file": (
        message(before='<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>').replace(b"mai@", b"&a;"),
        Malformed,
    ),
    "an entity from elsewhere": (message(before='<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd">'), Malformed),
    "a billion laughs": (message(before=BOMB).replace(b"mai@", b"&c;"), Malformed),
    "too large": (message() + b" " * MOST_BYTES, TooLarge),
    "a very deep tree": (b"<a>" * 100_000, Malformed),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_message_of_ours_is_refused_by_its_kind(name: str) -> None:
    body, kind = REFUSED[name]
    with pytest.raises(kind) as refused:
        parsed(body)
    assert type(refused.value) is kind
    assert refused.value.__context__ is None
    assert not {"passwd", "mai@", SESSION, "klingon"} & set(str(refused.value).split())


@pytest.mark.parametrize(("kind", "status"), [(Malformed, 400), (WrongOrganisation, 401), (TooLarge, 413)])
def test_a_refusal_says_which_status_it_deserves(kind: type[RefusedMessage], status: int) -> None:
    assert kind("x").status == status


def test_the_largest_size_can_be_chosen() -> None:
    assert parsed(message(), most_bytes=len(message()))
    with pytest.raises(TooLarge):
        parsed(message(), most_bytes=len(message()) - 1)


def _taken_or_refused(body: bytes) -> None:
    """Any other exception is a failure by itself."""
    try:
        found = parsed(body).organisation_id
    except RefusedMessage:
        found = OURS
    assert found == OURS


@given(st.binary(max_size=300))
def test_any_bytes_are_taken_or_refused(body: bytes) -> None:
    _taken_or_refused(body)


WHOLE = message(notification() + notification(number=2))


@given(
    st.lists(
        st.tuples(st.integers(0, len(WHOLE)), st.integers(0, 40), st.binary(max_size=12)),
        min_size=1,
        max_size=4,
    )
)
@example([(0, 0, b"\xef\xbb\xbf")])
@example([(36, 0, b"\x00")])
def test_a_message_with_damage_is_taken_or_refused(damage: list[tuple[int, int, bytes]]) -> None:
    body = WHOLE
    for start, gone, put in damage:
        body = body[:start] + put + body[start + gone :]
    _taken_or_refused(body)


@given(
    st.recursive(
        st.text(st.characters(codec="ascii", categories=("L", "N")), max_size=20),
        lambda inner: st.builds(
            lambda name, parts: f"<{name}>{''.join(parts)}</{name}>",
            st.sampled_from(["Notification", "sObject", "Id", "sf:Id", "OrganizationId", "x"]),
            st.lists(inner, max_size=4),
        ),
        max_leaves=12,
    )
)
def test_any_tree_inside_a_message_is_taken_or_refused(inside: str) -> None:
    space = b'<notifications xmlns:sf="urn:sobject.enterprise.soap.sforce.com" '
    _taken_or_refused(message(inside).replace(b"<notifications ", space))


@pytest.mark.parametrize(("taken", "word"), [(True, "true"), (False, "false")])
def test_the_answer_is_the_one_that_salesforce_wants(taken: bool, word: str) -> None:
    ack = etree.fromstring(acknowledgement(taken)).find(".//{http://soap.sforce.com/2005/09/outbound}Ack")
    assert ack is not None
    assert ack.text == word


def _canonical(xml: bytes) -> bytes:
    parser = etree.XMLParser(remove_blank_text=True)
    body = etree.fromstring(xml, parser)[0]
    whole: bytes = etree.tostring(body, method="c14n", exclusive=True)
    return whole


@pytest.mark.shared
def test_the_answer_is_that_of_other_listeners(shared_data: Path, shared_reference: Path) -> None:
    theirs = (shared_data / "crm_fixtures/salesforce_events/outbound_ack.xml").read_bytes()
    told = (shared_reference / "fixtures/outbound_message_ack.xml").read_bytes()
    assert _canonical(acknowledgement()) == _canonical(theirs) == _canonical(told)


@pytest.mark.shared
def test_a_recorded_message_is_understood(shared_data: Path) -> None:
    body = (shared_data / "crm_fixtures/salesforce_events/outbound_message_two_leads.xml").read_bytes()
    found = parse_outbound(body, organisation_id="0123456789ABCDENNN")
    assert [each.object for each in found.notifications] == ["Lead1", "Lead2", "Lead3"]
    assert [each.fields["FirstName"] for each in found.notifications] == ["Henrik", "Benjamin", "Nora"]
    assert found.notifications[0].fields["IsConverted"] == "false"


@pytest.mark.shared
def test_the_message_of_the_reference_is_understood(shared_reference: Path) -> None:
    body = (shared_reference / "fixtures/outbound_message_lead.xml").read_bytes()
    found = parse_outbound(body, organisation_id="00D000000000001EAA")
    assert found.notifications[0].fields == {"Email": "jane@example.com", "Status": "Working - Contacted"}
