"""The pretend SOAP API reads any bytes and writes only what others can read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from connectors.sandbox.salesforce.soap.envelope import (
    DIALECTS,
    SoapCall,
    answered,
    dialect_of,
    faulted,
    leaf,
    read,
    text_of,
)
from connectors.sandbox.salesforce.soap.faults import Fault
from connectors.sandbox.side import Ask

PATH = "/services/Soap/u/64.0"
WHOLE = (
    b'<?xml version="1.0" encoding="UTF-8"?><e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/">'
    b'<e:Header xmlns="urn:partner.soap.sforce.com"><SessionHeader><sessionId> s </sessionId></SessionHeader>'
    b'</e:Header><e:Body xmlns="urn:partner.soap.sforce.com"><getUserInfo/></e:Body></e:Envelope>'
)


def asked(body: bytes) -> Ask:
    return Ask("POST", PATH, (), {"soapaction": ""}, body, PATH)


def test_an_envelope_is_taken_apart() -> None:
    call = read(asked(WHOLE))
    assert (call.operation, call.number, call.dialect.word) == ("getUserInfo", 64.0, "partner")
    assert call.header("SessionHeader", "sessionId") == "s"
    assert call.header("SessionHeader", "other") is None
    assert call.header("CallOptions", "client") is None


@pytest.mark.parametrize(
    ("path", "word"),
    [
        ("/services/Soap/u/64.0", "partner"),
        ("/services/Soap/c/64.0/00DgK0000000001", "enterprise"),
        ("/services/Soap/u/64.0/", "partner"),
        ("/services/Soap/m/64.0", None),
        ("/services/Soap/u/v64.0", None),
        ("/services/data/v64.0/query", None),
    ],
)
def test_the_path_says_which_dialect_is_spoken(path: str, word: str | None) -> None:
    found = dialect_of(Ask("POST", path, (), {}, b"", path))
    assert (None if found is None else found.word) == word


def taken_or_refused(body: bytes) -> None:
    """Any other exception is a failure by itself."""
    try:
        found: SoapCall | Fault = read(asked(body))
    except Fault as fault:
        found = fault
        etree.fromstring(faulted(fault, DIALECTS["u"]).body)
    assert isinstance(found, SoapCall | Fault)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_call_or_a_fault(body: bytes) -> None:
    taken_or_refused(body)


@given(
    st.lists(
        st.tuples(st.integers(0, len(WHOLE)), st.integers(0, 30), st.binary(max_size=9)),
        min_size=1,
        max_size=3,
    )
)
def test_an_envelope_with_damage_is_a_call_or_a_fault(damage: list[tuple[int, int, bytes]]) -> None:
    body = WHOLE
    for start, gone, put in damage:
        body = body[:start] + put + body[start + gone :]
    taken_or_refused(body)


@given(st.text(max_size=50))
def test_any_value_can_stand_in_an_answer_and_in_a_fault(value: str) -> None:
    call = read(asked(WHOLE))
    body = etree.fromstring(answered(call, leaf("result", value)).body)
    assert body.find(".//{urn:partner.soap.sforce.com}result") is not None
    told = etree.fromstring(faulted(Fault("CODE", value), call.dialect).body)
    assert told.findtext(".//faultcode") == "sf:CODE"


@pytest.mark.parametrize(
    ("value", "text"), [(None, None), ("", None), (True, "true"), (0, "0"), ("a<b", "a<b")]
)
def test_a_value_reads_back(value: object, text: str | None) -> None:
    written = f'<r xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">{leaf("x", value)}</r>'
    assert text_of(etree.fromstring(written)[0]) == text
