"""Older recordings of HubSpot: what they say is true of the pretend HubSpot too, and our connector understands both.

Most were made over an API that is gone (``/contacts/v1``). What carries over is compared: which status, which
category, which values HubSpot fills in by itself, and how a burst of searches is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from connectors.errors import ConnectorError, NeedsPerson, RecordRefused, RetryLater
from connectors.hubspot.errors import translate
from connectors.sandbox.hubspot.side import HubSpotSide
from connectors.sandbox.side import Ask

pytestmark = pytest.mark.shared
CONTACTS = "/crm/v3/objects/contacts"
Call = Callable[..., tuple[int, dict[str, str], Any]]


class Clock:
    def __init__(self) -> None:
        self.moment = datetime(2026, 3, 1, 8, 0, 0, 123_000, tzinfo=UTC)

    def now(self) -> datetime:
        return self.moment


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def call(tmp_path: Path, clock: Clock) -> Any:
    side = HubSpotSide(tmp_path, clock, elapsed=lambda: clock.moment.timestamp())

    def ask(method: str, path: str, body: Any = None, **query: str) -> tuple[int, dict[str, str], Any]:
        headers = {"authorization": "Bearer pat-eu1-leadpact-sandbox"}
        sent = b"" if body is None else orjson.dumps(body)
        answer = side.answer(Ask(method, path, tuple(query.items()), headers, sent))
        return answer.status, dict(answer.headers), orjson.loads(answer.body) if answer.body else ""

    yield ask
    side.close()


@pytest.fixture
def recorded(shared_data: Path) -> Callable[[str], dict[str, Any]]:
    def read(name: str) -> dict[str, Any]:
        told: dict[str, Any] = orjson.loads(
            (shared_data / "crm_fixtures/hubspot" / f"{name}.json").read_bytes()
        )
        return told

    return read


def made(call: Call, **properties: str) -> str:
    return str(call("POST", CONTACTS, {"properties": properties})[2]["id"])


def understood(status: int, headers: dict[str, str], body: Any) -> ConnectorError:
    return translate(status, headers, orjson.dumps(body), datetime(2026, 11, 22, tzinfo=UTC))


def test_an_updated_batch(call: Any, recorded: Any) -> None:
    exchange = recorded("batch_update_contact")
    group = {"name": "number_field", "label": "n", "type": "number", "fieldType": "number"}
    call("POST", "/crm/v3/properties/contacts", {**group, "groupName": "contactinformation"})
    id_ = made(call, email="grouparoo@demo.com", firstname="Jane", lastname="Doe", number_field="1")
    (row,) = exchange["request"]["body"]["inputs"]
    status, headers, body = call(
        "POST", "/crm/v3/objects/CONTACT/batch/update", {"inputs": [{**row, "id": id_}]}
    )
    then = exchange["response"]
    assert (status, body["status"], set(then["body"]) - set(body)) == (200, "COMPLETE", set())
    (now,), (old,) = body["results"], then["body"]["results"]
    assert set(old) <= set(now)
    assert set(old["properties"]) <= set(now["properties"])
    given = row["properties"]
    assert {name: now["properties"][name] for name in given} == {
        name: old["properties"][name] for name in given
    }
    names = {name.lower() for name in headers}
    # The per-second headers are deprecated and not sent any more (HubSpot reference, section 9.1).
    assert {n for n in then["headers"] if "hubspot" in n and "secondly" not in n} <= names


def test_a_scope_that_was_not_granted(call: Any, recorded: Any) -> None:
    exchange = recorded("missing_scopes_403")
    status, headers, body = call(exchange["request"]["method"], exchange["request"]["url"])
    then = exchange["response"]
    assert (status, {**body, "correlationId": ""}) == (403, {**then["body"], "correlationId": ""})
    for told in (understood(status, headers, body), understood(403, {}, then["body"])):
        assert isinstance(told, NeedsPerson)
        assert told.code == "MISSING_SCOPES"


@pytest.mark.parametrize(
    ("name", "method", "path", "body", "query"),
    [
        ("v1_contact_find_404", "GET", f"{CONTACTS}/0", None, {}),
        ("v1_contact_profile_404_2022", "GET", f"{CONTACTS}/lucas@x.example", None, {"idProperty": "email"}),
        (
            "v1_company_add_contact_invalid",
            "PUT",
            "/crm/v4/objects/companies/COMPANY/associations/default/contacts/1",
            None,
            {},
        ),
    ],
)
def test_what_is_not_there_is_not_found_then_and_now(
    call: Any, recorded: Any, name: str, method: str, path: str, body: Any, query: dict[str, str]
) -> None:
    company = call("POST", "/crm/v3/objects/companies", {"properties": {"name": "Engines"}})[2]["id"]
    then = recorded(name)["response"]
    status, headers, told = call(method, path.replace("COMPANY", company), body, **query)
    assert (status, told["status"], told.get("category")) == (404, "error", then["body"].get("category"))
    for error in (
        understood(status, headers, told),
        understood(then["status"], then["headers"], then["body"]),
    ):
        assert isinstance(error, RecordRefused)
        assert error.code == then["body"].get("category", "404")


def test_an_address_that_is_taken_names_who_has_it(call: Any, recorded: Any) -> None:
    then = recorded("v1_contact_create_409_exists")["response"]
    address = then["body"]["identityProfile"]["identity"][0]["value"]
    id_ = made(call, email=address)
    status, headers, body = call("POST", CONTACTS, {"properties": {"email": address.upper()}})
    assert status == then["status"]
    assert body["message"] == f"{then['body']['message']}. Existing ID: {id_}"
    for error in (understood(status, headers, body), understood(409, {}, then["body"])):
        assert isinstance(error, RecordRefused)


def test_merging_with_nobody_is_refused_and_changes_nobody(call: Any, recorded: Any) -> None:
    then = recorded("v1_contact_merge_400")["response"]
    id_ = made(call, email="ada@acme.test")
    status, headers, body = call(
        "POST", f"{CONTACTS}/merge", {"primaryObjectId": id_, "objectIdToMerge": "1"}
    )
    # 400 then, 404 in the newer API; to whoever asked, either is a refusal of this one call.
    assert (status, then["status"]) == (404, 400)
    for error in (understood(status, headers, body), understood(400, {}, then["body"])):
        assert isinstance(error, RecordRefused)
    assert call("GET", f"{CONTACTS}/{id_}")[2]["id"] == id_


def test_a_recorded_merge_has_one_contact_left_with_both_addresses(call: Any, recorded: Any) -> None:
    *creates, merge = recorded("v1_contact_merge_ok")["interactions"]
    assert merge["response"]["body"] == "SUCCESS"
    ids = []
    for exchange in creates:
        given = {one["property"]: one["value"] for one in exchange["request"]["body"]["properties"]}
        ids.append(made(call, **given))
    asked = {"primaryObjectId": ids[0], "objectIdToMerge": ids[1]}
    status, _, body = call("POST", f"{CONTACTS}/merge", asked)
    assert status == merge["response"]["status"]
    first, second = (exchange["response"]["body"]["properties"]["email"]["value"] for exchange in creates)
    assert body["properties"]["email"] == first
    assert body["properties"]["hs_additional_emails"] == second
    assert {call("GET", f"{CONTACTS}/{id_}")[2]["id"] for id_ in ids} == {body["id"]}


def test_the_history_of_a_value_tells_what_when_and_by_whom(call: Any, recorded: Any) -> None:
    then = recorded("v1_contact_with_property_history")["response"]["body"]["properties"]
    names = [name for name in ("firstname", "lastname", "email") if name in then]
    id_ = made(call, **{name: then[name]["value"] for name in names})
    history = call("GET", f"{CONTACTS}/{id_}", propertiesWithHistory=",".join(names))[2][
        "propertiesWithHistory"
    ]
    for name in names:
        (now,), (old,) = history[name], then[name]["versions"]
        assert now["value"] == old["value"]
        # The newer API spells the names in one word, and the time as text.
        spelled = {key.title().replace("-", "") for key in old} - {"Selected"}
        assert {key[0].upper() + key[1:] for key in now} >= spelled - {"SourceId", "SourceLabel"}
        assert datetime.fromisoformat(now["timestamp"]).utcoffset() == timedelta(0)


def test_what_hubspot_fills_in_by_itself(call: Any, recorded: Any) -> None:
    then = recorded("v1_contact_profile_200_2022")["response"]["body"]["properties"]
    given = {name: then[name]["value"] for name in ("email", "firstname", "lastname", "mobilephone")}
    id_ = made(call, **given)
    names = [
        "hs_calculated_mobile_number",
        "hs_searchable_calculated_mobile_number",
        "hs_email_domain",
        "hs_is_contact",
        "hs_is_unworked",
        "hs_pipeline",
        "hs_analytics_num_visits",
        "num_conversion_events",
    ]
    now = call("GET", f"{CONTACTS}/{id_}", properties=",".join(names))[2]["properties"]
    assert {name: now[name] for name in names} == {name: then[name]["value"] for name in names}


def test_a_burst_of_searches_is_refused_by_the_second_and_only_searches_are(
    call: Any, recorded: Any, clock: Clock
) -> None:
    """A recorded session of 275 calls, made here at the seconds at which they were made then."""
    session = recorded("search_burst_session")["interactions"]
    start = datetime.strptime(session[0]["date"], "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=UTC)
    begun, refused = clock.moment, {"then": 0, "now": 0}
    for exchange in session:
        then = datetime.strptime(exchange["date"], "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=UTC)
        clock.moment = begun + (then - start)
        searched = exchange["path"].endswith("/search")
        body: dict[str, Any] = {"limit": 1} if searched else {"inputs": []}
        status, headers, told = call(exchange["method"], exchange["path"], body)
        refused["then"] += exchange["status"] == 429
        refused["now"] += status == 429
        if exchange["status"] == 429:
            assert searched
        if status == 429:
            assert searched
            assert told["message"] == "You have reached your secondly limit."
            error = understood(status, headers, told)
            assert isinstance(error, RetryLater)
            assert error.code == "SECONDLY"
    assert refused["then"] == 22
    assert refused["now"] > 0
