"""The bytes of single calls, and what holds around each of them: budget, retries, secrets."""

from __future__ import annotations

import gzip
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
import responses

from connectors.address import PlainAddress
from connectors.crm import FieldSpec, Write
from connectors.errors import NeedsPerson, OurBug, RetryLater
from connectors.hubspot.api import RATES, Version, dated
from connectors.hubspot.crm import HubSpotCrm
from connectors.quota import MemoryLedger, Quota
from connectors.retry import Retry
from connectors.session import open_session

BASE = "https://api.hubapi.com"
TOKEN = "pat-eu1-planted-secret"
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
DATE = {"Date": "Sun, 22 Nov 2026 12:00:00 GMT"}

PROPERTIES = {
    "results": [
        {"name": "email", "type": "string", "label": "Email", "fieldType": "text"},
        {"name": "firstname", "type": "string", "label": "First name", "fieldType": "text"},
        {
            "name": "leadpact_key",
            "type": "string",
            "label": "Key",
            "fieldType": "text",
            "hasUniqueValue": True,
        },
    ]
}


class Time:
    """Seconds that pass only when somebody sleeps."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return sum(self.slept)

    def utc(self) -> datetime:
        return NOON + timedelta(seconds=self.monotonic())

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


def connector(time: Time | None = None, version: Version = "v3", base: str = BASE) -> HubSpotCrm:
    time = time or Time()
    ledger = MemoryLedger(time.monotonic)
    quota = Quota("hubspot", RATES, ledger=ledger, clock=time.utc, sleep=time.sleep)
    retry = Retry(sleep=time.sleep, jitter=min)
    return HubSpotCrm(TOKEN, base, open_session(), quota, retry=retry, version=version)


@pytest.fixture
def hubspot() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock() as mock:
        yield mock


def schema(mock: responses.RequestsMock, prefix: str = "/crm/v3/properties") -> None:
    mock.get(f"{BASE}{prefix}/contacts", json=PROPERTIES, headers=DATE)
    pipelines = prefix.replace("properties", "pipelines")
    mock.get(f"{BASE}{pipelines}/contacts", json={"results": []}, headers=DATE)


def sent(mock: responses.RequestsMock, number: int = -1) -> Any:
    request = mock.calls[number].request
    return orjson.loads(request.body or b"null")


def test_a_list_asks_with_these_bytes(hubspot: responses.RequestsMock) -> None:
    schema(hubspot)
    hubspot.get(f"{BASE}/crm/v3/objects/contacts", json={"results": []}, headers=DATE)
    hubspot.get(f"{BASE}/crm/v3/objects/contacts", json={"results": []}, headers=DATE)
    reading = connector().changes("contacts", ["email", "firstname", "email", "unknown"], None)
    assert list(reading.slabs) == []
    request = hubspot.calls[-1].request
    assert request.url == (f"{BASE}/crm/v3/objects/contacts?limit=100&properties=email&properties=firstname")
    assert request.headers["Authorization"] == f"Bearer {TOKEN}"
    assert request.headers["Accept-Encoding"] == "gzip"
    assert reading.cursor == {"since": "2026-11-22T12:00:00+00:00"}


def test_a_search_asks_with_these_bytes(hubspot: responses.RequestsMock) -> None:
    schema(hubspot)
    hubspot.get(f"{BASE}/crm/v3/objects/contacts", json={"results": []}, headers=DATE)
    hubspot.post(f"{BASE}/crm/v3/objects/contacts/search", json={"total": 0, "results": []}, headers=DATE)
    list(connector().changes("contacts", ["email"], {"since": "2026-11-22T11:00:00+00:00"}).slabs)
    assert sent(hubspot) == {
        "filterGroups": [
            {
                "filters": [
                    {"propertyName": "lastmodifieddate", "operator": "GTE", "value": "1795344900000"},
                    {"propertyName": "lastmodifieddate", "operator": "LTE", "value": "1795348801000"},
                ]
            }
        ],
        "sorts": [{"propertyName": "hs_object_id", "direction": "ASCENDING"}],
        "properties": ["email"],
        "limit": 200,
    }


def test_a_batch_read_asks_with_these_bytes(hubspot: responses.RequestsMock) -> None:
    schema(hubspot)
    hubspot.post(f"{BASE}/crm/v3/objects/contacts/batch/read", json={"results": []}, headers=DATE)
    list(connector().find("contacts", ["firstname"], "email", ["Ada@Acme.test", "ada@acme.test", ""]))
    assert sent(hubspot) == {
        "properties": ["firstname"],
        "inputs": [{"id": "ada@acme.test"}],
        "idProperty": "email",
    }


def test_a_unique_key_is_asked_for_in_its_own_case(hubspot: responses.RequestsMock) -> None:
    schema(hubspot)
    hubspot.post(f"{BASE}/crm/v3/objects/contacts/batch/read", json={"results": []}, headers=DATE)
    list(connector().find("contacts", [], "leadpact_key", ["00QAb", "00Qab"]))
    assert sent(hubspot)["inputs"] == [{"id": "00QAb"}, {"id": "00Qab"}]


@pytest.mark.parametrize(
    ("write", "endpoint", "expected"),
    [
        (
            Write("t1", "501", {"firstname": "Ada", "email": None}),
            "update",
            {"objectWriteTraceId": "t1", "properties": {"firstname": "Ada", "email": ""}, "id": "501"},
        ),
        (
            Write("t1", None, {"firstname": "Ada"}, key=("leadpact_key", "00Q1")),
            "upsert",
            {
                "objectWriteTraceId": "t1",
                "properties": {"firstname": "Ada", "leadpact_key": "00Q1"},
                "idProperty": "leadpact_key",
                "id": "00Q1",
            },
        ),
        (
            Write("t1", None, {"firstname": "Ada"}),
            "create",
            {"objectWriteTraceId": "t1", "properties": {"firstname": "Ada"}},
        ),
    ],
)
def test_a_write_is_sent_with_these_bytes(
    hubspot: responses.RequestsMock, write: Write, endpoint: str, expected: dict[str, Any]
) -> None:
    schema(hubspot)
    answer = {"results": [{"id": "501", "properties": {"firstname": "Ada", "leadpact_key": "00Q1"}}]}
    hubspot.post(f"{BASE}/crm/v3/objects/contacts/batch/{endpoint}", json=answer, headers=DATE)
    [written] = connector().write("contacts", [write])
    assert sent(hubspot) == {"inputs": [expected]}
    assert (written.outcome, written.record_id) == ("written", "501")


def test_a_property_is_created_with_these_bytes(hubspot: responses.RequestsMock) -> None:
    hubspot.get(f"{BASE}/crm/v3/properties/contacts", json={"results": []})
    hubspot.post(f"{BASE}/crm/v3/properties/contacts/groups", status=409, json={"category": "CONFLICT"})
    hubspot.post(f"{BASE}/crm/v3/properties/contacts", status=201, json={})
    spec = FieldSpec("leadpact_key", "Lead key", "text", description="Leadpact's key", unique=True)
    assert connector().add_fields("contacts", [spec]) == ["leadpact_key"]
    assert sent(hubspot, 1) == {"name": "leadpact", "label": "Leadpact", "displayOrder": -1}
    assert sent(hubspot, 2) == {
        "name": "leadpact_key",
        "label": "Lead key",
        "type": "string",
        "fieldType": "text",
        "groupName": "leadpact",
        "description": "Leadpact's key",
        "hasUniqueValue": True,
        "formField": False,
    }


def test_every_request_has_a_timeout(hubspot: responses.RequestsMock) -> None:
    hubspot.get(f"{BASE}/account-info/v3/details", json={"portalId": 17})
    connector().account()
    assert vars(hubspot.calls[0].request)["req_kwargs"]["timeout"] == (5.0, 60.0)


@pytest.mark.parametrize(
    ("path", "version", "expected"),
    [
        ("/crm/v3/objects/contacts/batch/read", "2026-03", "/crm/objects/2026-03/contacts/batch/read"),
        ("/crm/v3/properties/contacts/groups", "2026-09", "/crm/properties/2026-09/contacts/groups"),
        ("/crm/v3/pipelines/contacts", "2026-03", "/crm/pipelines/2026-03/contacts"),
        ("/crm/v3/objects/contacts?limit=1", "v3", "/crm/v3/objects/contacts?limit=1"),
        ("/account-info/v3/details", "2026-09", "/account-info/v3/details"),
    ],
)
def test_paths_follow_the_family_of_the_version(path: str, version: Version, expected: str) -> None:
    assert dated(BASE + path, version) == BASE + expected


def test_a_connector_speaks_the_version_it_is_told(hubspot: responses.RequestsMock) -> None:
    schema(hubspot, "/crm/properties/2026-03")
    assert "email" in connector(version="2026-03").describe("contacts").fields


def test_a_zipped_answer_is_read(hubspot: responses.RequestsMock) -> None:
    body = gzip.compress(
        orjson.dumps({"portalId": 17, "companyCurrency": "EUR", "timeZone": "Europe/Berlin"})
    )
    hubspot.get(f"{BASE}/account-info/v3/details", body=body, headers={**DATE, "Content-Encoding": "gzip"})
    account = connector().account()
    assert (account.account_id, account.currency, account.time_zone) == ("17", "EUR", "Europe/Berlin")


def test_the_account_is_taken_from_a_contact_where_details_are_refused(
    hubspot: responses.RequestsMock,
) -> None:
    hubspot.get(f"{BASE}/account-info/v3/details", status=403, json={"category": "MISSING_SCOPES"})
    url = "https://app-eu1.hubspot.com/contacts/123456/record/0-1/90210"
    hubspot.get(f"{BASE}/crm/v3/objects/contacts", json={"results": [{"id": "90210", "url": url}]})
    crm = connector()
    assert crm.account().account_id == "123456"
    assert crm.account().account_id == "123456"
    assert crm.calls == 2


def test_an_account_that_nothing_names_needs_a_person(hubspot: responses.RequestsMock) -> None:
    hubspot.get(f"{BASE}/account-info/v3/details", status=404)
    hubspot.get(f"{BASE}/crm/v3/objects/contacts", json={"results": []})
    with pytest.raises(NeedsPerson, match="which account"):
        connector().account()


def test_a_busy_answer_is_asked_again_after_the_wait(hubspot: responses.RequestsMock) -> None:
    time = Time()
    busy = {"policyName": "TEN_SECONDLY_ROLLING"}
    hubspot.get(f"{BASE}/account-info/v3/details", status=429, json=busy)
    hubspot.get(f"{BASE}/account-info/v3/details", json={"portalId": 17})
    assert connector(time).account().account_id == "17"
    assert sum(time.slept) == pytest.approx(10.0)


def test_an_answer_that_is_cut_off_is_asked_for_again(hubspot: responses.RequestsMock) -> None:
    hubspot.get(f"{BASE}/account-info/v3/details", body=b'{"portalId": 1')
    hubspot.get(f"{BASE}/account-info/v3/details", json={"portalId": 17})
    assert connector().account().account_id == "17"


def test_an_answer_of_another_shape_is_our_bug(hubspot: responses.RequestsMock) -> None:
    hubspot.get(f"{BASE}/account-info/v3/details", json={"portalId": "planted-value"})
    with pytest.raises(OurBug) as raised:
        connector().account()
    assert "planted-value" not in str(raised.value)


def test_a_used_up_day_stops_every_call_until_the_accounts_midnight(hubspot: responses.RequestsMock) -> None:
    hubspot.get(f"{BASE}/account-info/v3/details", json={"portalId": 17, "timeZone": "Europe/Berlin"})
    hubspot.get(f"{BASE}/crm/v3/properties/contacts", status=429, json={"policyName": "DAILY"})
    crm = connector()
    crm.account()
    for _ in range(2):
        with pytest.raises(RetryLater) as raised:
            crm.describe("contacts")
        assert raised.value.not_before == datetime(2026, 11, 22, 23, tzinfo=UTC)
    assert crm.calls == 2


def test_searches_have_a_limit_of_their_own(hubspot: responses.RequestsMock) -> None:
    time = Time()
    schema(hubspot)
    hubspot.post(f"{BASE}/crm/v3/objects/contacts/search", json={"total": 0, "results": []}, headers=DATE)
    crm = connector(time)
    for _ in range(5):
        list(crm.find("contacts", [], "firstname", ["ada"]))
    # The sixth search of one second would be refused; four are taken, one is left to others.
    assert sum(time.slept) == pytest.approx(1.0)


def test_the_token_and_the_records_are_in_no_text_and_no_log(
    hubspot: responses.RequestsMock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    schema(hubspot)
    said = {"message": "planted@acme.test is wrong for planted-name", "category": "VALIDATION_ERROR"}
    hubspot.post(f"{BASE}/crm/v3/objects/contacts/batch/upsert", status=400, json=said)
    crm = connector()
    write = Write("t1", None, {"firstname": "planted-name"}, key=("leadpact_key", "planted-key"))
    [refused] = crm.write("contacts", [write])
    hubspot.post(f"{BASE}/crm/v3/objects/contacts/search", status=400, json=said)
    with pytest.raises(OurBug) as raised:
        list(crm.find("contacts", [], "firstname", ["planted-name"]))
    texts = [repr(crm), repr(write), repr(refused), refused.message, str(raised.value), repr(raised.value)]
    texts += [caplog.text, *(str(c.request.url) for c in hubspot.calls)]
    assert refused.outcome == "refused"
    assert not [text for text in texts if "planted" in text]
    assert raised.value.__suppress_context__


def test_the_vendors_client_leaves_the_loggers_alone(hubspot: responses.RequestsMock) -> None:
    schema(hubspot)
    logger = logging.getLogger("urllib3")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        connector().describe("contacts")
        assert logger.level == logging.ERROR
    finally:
        logger.setLevel(before)


def test_a_plain_address_elsewhere_is_refused() -> None:
    with pytest.raises(PlainAddress):
        connector(base="http://api.hubapi.com")
