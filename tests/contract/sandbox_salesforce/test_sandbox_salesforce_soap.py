"""The SOAP side of the pretend org, envelope by envelope, as clients other than ours would see it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from connectors.sandbox.requestlog import Call, RequestLog
from connectors.sandbox.salesforce import seed
from connectors.sandbox.side import Answer, Ask

PARTNER, ENTERPRISE = "urn:partner.soap.sforce.com", "urn:enterprise.soap.sforce.com"
ENVELOPE = "http://schemas.xmlsoap.org/soap/envelope/"
CONVERTED = "Closed - Converted"
LEAD = {"LastName": "Nguyen", "Company": "Nordlicht GmbH"}
LOGIN = f"<login><username>integration@leadpact-sandbox.example</username><password>{seed.PASSWORD}</password></login>"


def envelope(inside: str, session: str = "", space: str = PARTNER, header: str = "") -> bytes:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><e:Envelope xmlns:e="{ENVELOPE}" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
        f'<e:Header xmlns="{space}"><SessionHeader><sessionId>{session}</sessionId></SessionHeader>{header}</e:Header>'
        f'<e:Body xmlns="{space}">{inside}</e:Body></e:Envelope>'
    ).encode()


def sent(api: Any, body: bytes, path: str = "/services/Soap/u/64.0", **headers: str) -> Answer:
    known = {"soapaction": '""', "content-type": "text/xml", **headers}
    answer: Answer = api.side.answer(Ask("POST", path, (), known, body, path))
    return answer


def called(api: Any, inside: str, letter: str = "u", header: str = "", version: str = "66.0") -> Any:
    """The answer of an operation in a live session, parsed."""
    space = PARTNER if letter == "u" else ENTERPRISE
    path = f"/services/Soap/{letter}/{version}/{seed.ORG_ID}"
    answer = sent(api, envelope(inside, api.token, space, header), path)
    assert answer.content_type == "text/xml; charset=utf-8"
    return etree.fromstring(answer.body)


def texts(found: Any, name: str) -> list[str | None]:
    return [each.text for each in found.iter("{*}" + name)]


def fault(answer: Answer) -> tuple[str | None, str | None]:
    """(faultcode, exceptionCode) of an answer that is a fault."""
    assert answer.status == 500
    found = etree.fromstring(answer.body)
    code = found.find(".//{*}exceptionCode")
    return found.findtext(".//faultcode"), None if code is None else code.text


def asked(lead: str, **more: object) -> str:
    parts = {"leadId": lead, "convertedStatus": CONVERTED, **more}
    return "<leadConverts>" + "".join(f"<{k}>{v}</{k}>" for k, v in parts.items()) + "</leadConverts>"


def test_a_login_opens_a_session_that_every_api_takes(api: Any) -> None:
    found = etree.fromstring(sent(api, envelope(LOGIN)).body)
    (session,), (url,), (user,) = (texts(found, name) for name in ("sessionId", "serverUrl", "userName"))
    assert url == f"{seed.INSTANCE_URL}/services/Soap/u/64.0/{seed.ORG_ID}"
    assert user == "integration@leadpact-sandbox.example"
    api.token = session
    assert api.json("GET", "limits")["DailyApiRequests"]
    assert texts(called(api, "<getUserInfo/>"), "organizationId") == [seed.ORG_ID]
    called(api, "<logout/>")
    assert api.call("GET", "limits").status == 401


@pytest.mark.parametrize(
    ("body", "path", "codes"),
    [
        (LOGIN.replace(seed.PASSWORD, "x"), "u/64.0", ("sf:INVALID_LOGIN", "INVALID_LOGIN")),
        (LOGIN.replace("integration", "nobody"), "u/64.0", ("sf:INVALID_LOGIN", "INVALID_LOGIN")),
        # login() ends with version 64.
        (LOGIN, "u/65.0", ("soapenv:Client", None)),
        (LOGIN, "u/30.0", ("sf:UNSUPPORTED_API_VERSION", "UNSUPPORTED_API_VERSION")),
        (LOGIN, "u/99.0", ("sf:UNSUPPORTED_API_VERSION", "UNSUPPORTED_API_VERSION")),
        ("<getUserInfo/>", "u/66.0", ("sf:INVALID_SESSION_ID", "INVALID_SESSION_ID")),
        ("<describeGlobal/>", "u/66.0", ("soapenv:Client", None)),
        ('<login xmlns="urn:other"/>', "u/64.0", ("soapenv:Client", None)),
        (LOGIN, "c/64.0", ("soapenv:Client", None)),
        ("", "u/64.0", ("soapenv:Client", None)),
        (LOGIN + LOGIN, "u/64.0", ("soapenv:Client", None)),
        ("<login><user>x</user></login>", "u/64.0", ("soapenv:Client", None)),
    ],
)
def test_a_call_that_cannot_be_is_a_fault(
    api: Any, body: str, path: str, codes: tuple[str, str | None]
) -> None:
    assert fault(sent(api, envelope(body), f"/services/Soap/{path}")) == codes


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<x",
        b'<?xml version="1.0" encoding="klingon"?><x/>',
        b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x>&a;</x>',
        b"<!DOCTYPE x [<!ENTITY a 'ha'><!ENTITY b '&a;&a;&a;'>]><x>&b;</x>",
    ],
)
def test_what_is_no_xml_or_more_than_xml_is_a_fault(api: Any, body: bytes) -> None:
    answer = sent(api, body)
    assert fault(answer)[1] == "UNKNOWN_EXCEPTION"
    assert b"root:" not in answer.body


def test_a_call_without_soapaction_is_a_fault(api: Any) -> None:
    path = "/services/Soap/u/64.0"
    answer = api.side.answer(Ask("POST", path, (), {}, envelope(LOGIN), path))
    assert b"SOAPAction HTTP header missing" in answer.body
    assert fault(answer) == ("soapenv:Client", None)


def test_an_org_can_refuse_soap_logins_and_has_a_limit_of_them(api: Any) -> None:
    api.side.people({"action": "app", "logins_per_hour": 2})
    assert sent(api, envelope(LOGIN)).status == 200
    assert fault(sent(api, envelope(LOGIN)))[1] == "LOGIN_RATE_EXCEEDED"
    api.clock.moment += timedelta(minutes=61)
    assert sent(api, envelope(LOGIN)).status == 200
    api.side.people({"action": "app", "soap_login": False})
    assert fault(sent(api, envelope(LOGIN)))[1] == "INVALID_OPERATION"


def test_a_session_that_nobody_used_for_long_is_no_session(api: Any) -> None:
    api.clock.moment += timedelta(hours=3)
    answer = sent(api, envelope("<getUserInfo/>", api.token), "/services/Soap/u/66.0")
    assert fault(answer)[1] == "INVALID_SESSION_ID"


def test_calls_count_in_the_budget_and_say_so(api: Any) -> None:
    api.side.limits({"daily": 2})
    found = called(api, "<getUserInfo/>")
    assert (texts(found, "current"), texts(found, "limit")) == (["1"], ["2"])
    called(api, "<getUserInfo/>")
    answer = sent(api, envelope("<getUserInfo/>", api.token), "/services/Soap/u/66.0")
    assert fault(answer)[1] == "REQUEST_LIMIT_EXCEEDED"


@pytest.mark.parametrize("letter", ["u", "c"])
def test_both_dialects_convert(api: Any, letter: str) -> None:
    lead = api.create(LEAD)
    found = called(api, f"<convertLead>{asked(lead)}</convertLead>", letter)
    assert texts(found, "success") == ["true"]
    assert texts(found, "leadId") == [lead]
    assert api.get(lead)["ConvertedAccountId"] == texts(found, "accountId")[0]


@pytest.mark.shared
def test_the_request_of_the_reference_gets_the_answer_of_the_reference(
    api: Any, shared_reference: Path
) -> None:
    lead = api.create(LEAD)
    body = (shared_reference / "fixtures/convert_lead_request.xml").read_text()
    body = body.replace("{access_token}", api.token).replace("00Q000000000001AAA", lead)
    answer = etree.fromstring(sent(api, body.encode(), "/services/Soap/u/66.0").body)
    theirs = etree.parse(shared_reference / "fixtures/convert_lead_response.xml").getroot()

    def form(found: Any) -> list[tuple[str, bool]]:
        body = found.find("{" + ENVELOPE + "}Body")
        return [(each.tag, each.text is None) for each in body.iter()]

    assert form(answer) == form(theirs)


def test_the_same_lead_twice_in_a_call_is_converted_once(api: Any) -> None:
    lead = api.create(LEAD)
    found = called(api, f"<convertLead>{asked(lead)}{asked(lead)}</convertLead>")
    assert texts(found, "success") == ["true", "false"]
    assert texts(found, "statusCode") == ["CANNOT_UPDATE_CONVERTED_LEAD"]
    assert api.side.state({})["objects"]["Account"] == 1


@pytest.mark.parametrize(
    ("wanted", "codes"),
    [
        ("<leadConverts><leadId>00Q</leadId></leadConverts>", ["INVALID_STATUS"]),
        (asked("00Q"), ["MALFORMED_ID"]),
        (asked("003gK0000000001"), ["MALFORMED_ID"]),
        (asked("00QgK0000099999"), ["INVALID_CROSS_REFERENCE_KEY"]),
        (asked("00QgK0000099999", relatedPersonAccountId="001gK0000000001"), ["INVALID_FIELD"]),
    ],
)
def test_a_lead_that_cannot_be_converted_has_its_error(api: Any, wanted: str, codes: list[str]) -> None:
    found = called(api, f"<convertLead>{wanted}</convertLead>")
    assert texts(found, "statusCode") == codes
    assert texts(found, "success") == ["false"]


@pytest.mark.parametrize(
    ("inside", "code"),
    [
        (f"<convertLead>{asked('00Q') * 101}</convertLead>", "EXCEEDED_ID_LIMIT"),
        (f"<convertLead>{asked('00Q', doNotCreateOpportunity='maybe')}</convertLead>", None),
        (f"<convertLead>{asked('00Q', colour='red')}</convertLead>", None),
        ("<convertLead><leads/></convertLead>", None),
        ("<merge>" + "<request/>" * 201 + "</merge>", "EXCEEDED_ID_LIMIT"),
        ("<merge><request/></merge>", None),
    ],
)
def test_a_call_that_breaks_a_rule_as_a_whole_changes_nothing(
    api: Any, inside: str, code: str | None
) -> None:
    answer = sent(api, envelope(inside, api.token), "/services/Soap/u/66.0")
    assert fault(answer)[1] == code


def test_a_deleted_lead_stops_only_itself(api: Any) -> None:
    good, bad = api.create(LEAD), api.create(LEAD)
    api.side.people({"action": "delete", "object": "Lead", "id": bad})
    found = called(api, f"<convertLead>{asked(bad)}{asked(good)}</convertLead>")
    assert texts(found, "success") == ["false", "true"]
    assert texts(found, "statusCode") == ["ENTITY_IS_DELETED"]


def test_a_required_field_of_the_contact_that_no_lead_fills_stops_every_conversion(api: Any) -> None:
    field = (
        "<fields><fullName>Size__c</fullName><label>Size</label><type>Text</type><length>9</length>"
        "<required>true</required></fields>"
    )
    space = 'xmlns="http://soap.sforce.com/2006/04/metadata"'
    extra = {"objects/Contact.object": f"<CustomObject {space}>{field}</CustomObject>"}
    assert api.deploy(api.package({}, extra=extra))["success"]
    found = called(api, f"<convertLead>{asked(api.create(LEAD))}</convertLead>")
    assert texts(found, "statusCode") == ["REQUIRED_FIELD_MISSING"]
    assert texts(found, "fields") == ["Size__c"]
    # The account that was made before it is gone with the rest.
    assert api.side.state({})["objects"]["Account"] == 0


def test_an_opportunity_that_is_there_is_joined(api: Any) -> None:
    account = api.create({"Name": "Nordlicht"}, "Account")
    deal = {"Name": "Shop", "StageName": "Prospecting", "CloseDate": "2026-12-31"}
    there = api.create({**deal, "AccountId": account}, "Opportunity")
    other = api.create(deal | {"AccountId": api.create({"Name": "Elsewhere"}, "Account")}, "Opportunity")
    lead = api.create({**LEAD, "LeadSource": "Web"})
    refused = called(api, f"<convertLead>{asked(lead, accountId=account, opportunityId=other)}</convertLead>")
    assert texts(refused, "statusCode") == ["FIELD_INTEGRITY_EXCEPTION"]
    found = called(api, f"<convertLead>{asked(lead, accountId=account, opportunityId=there)}</convertLead>")
    assert texts(found, "opportunityId") == [there]
    assert api.get(there, "Opportunity")["LeadSource"] == "Web"


def test_what_belonged_to_the_lead_belongs_to_what_it_became(api: Any) -> None:
    lead = api.create(LEAD)
    call = api.create({"Subject": "Call", "WhoId": lead}, "Task")
    visit = api.create(
        {
            "Subject": "Visit",
            "WhoId": lead,
            "ActivityDateTime": "2026-11-18T12:00:00Z",
            "DurationInMinutes": 30,
        },
        "Event",
    )
    found = called(api, f"<convertLead>{asked(lead)}</convertLead>")
    (contact,), (opportunity,) = texts(found, "contactId"), texts(found, "opportunityId")
    for name, activity in (("Task", call), ("Event", visit)):
        held = api.get(activity, name)
        assert (held["WhoId"], held["WhatId"]) == (contact, opportunity)
    (role,) = api.query(
        f"SELECT ContactId, IsPrimary FROM OpportunityContactRole WHERE OpportunityId = '{opportunity}'"
    )
    assert (role["ContactId"], role["IsPrimary"]) == (contact, True)
    # By the API an opportunity without a name is called like the company.
    assert api.get(opportunity, "Opportunity")["Name"] == LEAD["Company"]


def test_a_duplicate_rule_can_be_overridden_where_it_only_warns(api: Any) -> None:
    api.create({"LastName": "Nguyen", "Email": "mai@x.example"}, "Contact")
    lead = api.create({**LEAD, "Email": "mai@x.example"})
    api.side.limits({"duplicate_rule": "alert"})
    body = f"<convertLead>{asked(lead)}</convertLead>"
    assert texts(called(api, body), "statusCode") == ["DUPLICATES_DETECTED"]
    allow = "<DuplicateRuleHeader><allowSave>true</allowSave></DuplicateRuleHeader>"
    assert texts(called(api, body, header=allow), "success") == ["true"]


def test_both_dialects_merge_and_say_what_moved(api: Any) -> None:
    for letter, space, kind in (
        ("u", "urn:sobject.partner.soap.sforce.com", ""),
        ("c", "urn:sobject.enterprise.soap.sforce.com", ' xsi:type="s:Lead"'),
    ):
        master, loser = api.create({**LEAD, "City": "Bonn"}), api.create({**LEAD, "Title": "CTO"})
        typed = "" if kind else "<s:type>Lead</s:type>"
        nulled = "<s:fieldsToNull>City</s:fieldsToNull>"
        record = f"{typed}{nulled}<s:Id>{master}</s:Id><s:DoNotCall>true</s:DoNotCall>"
        inside = (
            f'<merge xmlns:s="{space}"><request><masterRecord{kind}>{record}</masterRecord>'
            f"<recordToMergeIds>{loser}</recordToMergeIds></request></merge>"
        )
        found = called(api, inside, letter)
        assert (texts(found, "success"), texts(found, "mergedRecordIds")) == (["true"], [loser])
        held = api.get(master)
        assert (held["City"], held["DoNotCall"], held["Title"]) == (None, True, None)
        gone = api.query(
            f"SELECT MasterRecordId FROM Lead WHERE Id = '{loser}' AND IsDeleted = true", "queryAll"
        )
        assert gone[0]["MasterRecordId"] == master


def test_one_merge_that_is_refused_stops_no_other(api: Any) -> None:
    leads = [api.create(LEAD) for _ in range(4)]

    def request(master: str, *losers: str) -> str:
        ended = "".join(f"<recordToMergeIds>{each}</recordToMergeIds>" for each in losers)
        space = 'xmlns:s="urn:sobject.partner.soap.sforce.com"'
        record = f"<s:type>Lead</s:type><s:Id>{master}</s:Id>"
        return f"<request {space}><masterRecord>{record}</masterRecord>{ended}</request>"

    wanted = [request(leads[0], leads[0]), request(leads[0]), request(leads[1], *leads[2:])]
    found = called(api, f"<merge>{''.join(wanted)}</merge>")
    assert texts(found, "success") == ["false", "false", "true"]
    assert texts(found, "mergedRecordIds") == leads[2:]


@pytest.mark.parametrize(
    ("inside", "writes"),
    [("<convertLead/>", True), ("<merge/>", True), ("<getUserInfo/>", False), (LOGIN, False)],
)
def test_only_what_changes_records_counts_as_a_write(api: Any, inside: str, writes: bool) -> None:
    path = "/services/Soap/u/66.0"
    assert api.side.is_write(Ask("POST", path, (), {}, envelope(inside), path)) is writes


def test_the_request_log_keeps_no_session_and_no_password(api: Any) -> None:
    log = RequestLog(None)
    path = "/services/Soap/u/64.0"
    ask = Ask("POST", path, (), {}, envelope(LOGIN, "planted-session"), path)
    log.add(ask, Call(api.clock.moment, 200, None, 0, 0, False))
    kept = log.read(bodies=True)["requests"][0]["body"]
    log.close()
    assert "login" in kept
    assert "planted-session" not in kept
    assert seed.PASSWORD not in kept
