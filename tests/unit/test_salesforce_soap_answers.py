"""Whatever comes back from a SOAP call, each lead has a result or the call one of the four kinds of error."""

from __future__ import annotations

import orjson
import pytest
import responses
from hypothesis import example, given
from hypothesis import strategies as st
from lxml import etree

from connectors.errors import ConnectorError, NeedsPerson, OurBug, RecordRefused, RetryLater
from connectors.retry import Retry
from connectors.salesforce.calls import Calls
from connectors.salesforce.convert import Conversion, convert_leads
from connectors.salesforce.grants import ClientCredentials
from connectors.salesforce.soap import leaf
from connectors.salesforce.token import Tokens
from connectors.session import open_session

LOGIN = "https://acme.my.salesforce.com"
SOAP_URL = f"{LOGIN}/services/Soap/u/66.0"
QUERY_URL = f"{LOGIN}/services/data/v66.0/query/"
SESSION = "00Dxx!planted-session"
LEAD = "00QgK0000000001UAA"
WANTED = Conversion(LEAD, "Closed - Converted")
KINDS = (RetryLater, RecordRefused, NeedsPerson, OurBug)


def token() -> dict[str, str]:
    return {
        "access_token": SESSION,
        "instance_url": LOGIN,
        "id": "https://login.salesforce.com/id/00D5500000Ab1cD/0055500000Ab1cD",
    }


def envelope(inside: str) -> bytes:
    return (
        '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:sf="urn:fault.partner.soap.sforce.com" '
        f'xmlns="urn:partner.soap.sforce.com"><e:Body>{inside}</e:Body></e:Envelope>'
    ).encode()


def fault(code: str, message: str = "planted-value") -> bytes:
    detail = (
        f"<sf:exceptionCode>{code}</sf:exceptionCode><sf:exceptionMessage>{message}</sf:exceptionMessage>"
    )
    return envelope(
        f"<e:Fault><faultcode>sf:{code}</faultcode><detail><sf:ApiFault>{detail}</sf:ApiFault></detail></e:Fault>"
    )


def result(inside: str) -> bytes:
    return envelope(f"<convertLeadResponse><result>{inside}</result></convertLeadResponse>")


def outcome(status: int, body: bytes) -> ConnectorError | None:
    """What becomes of one lead where every SOAP call is answered alike, and the lead itself is unconverted."""
    with responses.RequestsMock(assert_all_requests_are_fired=False) as wire:
        wire.post(f"{LOGIN}/services/oauth2/token", json=token())
        wire.post(SOAP_URL, body=body, status=status)
        records = {"records": [{"Id": LEAD, "IsConverted": False}], "totalSize": 1, "done": True}
        wire.get(QUERY_URL, body=orjson.dumps(records))
        tokens = Tokens(open_session(), LOGIN, ClientCredentials("app", "secret"))
        calls = Calls(open_session(), tokens, retry=Retry(sleep=lambda seconds: None))
        try:
            (found,) = convert_leads(calls, [WANTED])
        except ConnectorError as error:
            return error
        assert found.lead_id == LEAD
        return found.failure


@pytest.mark.parametrize(
    ("status", "body", "kind", "code"),
    [
        (500, fault("INVALID_SESSION_ID"), NeedsPerson, "INVALID_SESSION_ID"),
        (500, fault("REQUEST_LIMIT_EXCEEDED"), NeedsPerson, "REQUEST_LIMIT_EXCEEDED"),
        (500, fault("UNSUPPORTED_API_VERSION"), NeedsPerson, "UNSUPPORTED_API_VERSION"),
        (500, fault("SERVER_UNAVAILABLE"), RetryLater, "SERVER_UNAVAILABLE"),
        (500, fault("UNKNOWN_EXCEPTION"), RetryLater, "UNKNOWN_EXCEPTION"),
        (500, fault("EXCEEDED_ID_LIMIT"), OurBug, "EXCEEDED_ID_LIMIT"),
        (500, fault("A_CODE_FROM_TOMORROW"), OurBug, "A_CODE_FROM_TOMORROW"),
        (500, envelope("<e:Fault><faultcode>soapenv:Client</faultcode></e:Fault>"), OurBug, "400"),
        (500, b"<html>planted-value</html>", RetryLater, "500"),
        (502, b"", RetryLater, "502"),
        (401, b"<html>planted-value</html>", NeedsPerson, "401"),
        (404, b"", OurBug, "404"),
        (200, b"", RetryLater, ""),
        (200, envelope(""), RetryLater, ""),
        (200, envelope("<convertLeadResponse/>"), RetryLater, ""),
        (200, envelope("<mergeResponse><result/></mergeResponse>"), RetryLater, ""),
        (200, result("<success>false</success>"), RecordRefused, "400"),
        (
            200,
            result("<errors><statusCode>A_CODE_FROM_TOMORROW</statusCode></errors><success>false</success>"),
            RecordRefused,
            "A_CODE_FROM_TOMORROW",
        ),
        (
            200,
            result("<errors><statusCode>FIELD_CUSTOM_VALIDATION_EXCEPTION</statusCode></errors>"),
            RecordRefused,
            "FIELD_CUSTOM_VALIDATION_EXCEPTION",
        ),
        (
            200,
            result("<errors><statusCode>UNABLE_TO_LOCK_ROW</statusCode></errors><success>false</success>"),
            RetryLater,
            "UNABLE_TO_LOCK_ROW",
        ),
    ],
)
def test_each_answer_has_its_kind_and_is_never_quoted(
    status: int, body: bytes, kind: type[ConnectorError], code: str
) -> None:
    error = outcome(status, body)
    assert isinstance(error, kind)
    assert error.code == code
    assert "planted" not in f"{error} {error!r}"


@given(
    st.integers(100, 599).filter(lambda status: not 300 <= status < 400 and status >= 200),
    st.binary(max_size=80),
)
@example(500, b"<?xml version='1.0' encoding='klingon'?><x/>")
@example(200, b"<!DOCTYPE x [<!ENTITY a 'b'>]><x>&a;</x>")
def test_any_answer_is_one_of_the_four_kinds(status: int, body: bytes) -> None:
    assert isinstance(outcome(status, body), KINDS)


@given(st.text(max_size=60))
@example("\x00\x0b\ud800]]>&<'\"\r\n\t")
def test_any_text_can_stand_in_a_request(value: str) -> None:
    read = etree.fromstring(leaf("x", value)).text or ""
    # What XML cannot hold is gone, and every end of a line is read as one.
    held = "".join(each for each in value if each in "\t\n\r" or (each >= " " and each not in "\ufffe\uffff"))
    held = "".join(each for each in held if not "\ud800" <= each <= "\udfff")
    assert read == held.replace("\r\n", "\n").replace("\r", "\n")
