"""Search on the HubSpot side of the sandbox."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.sandbox.hubspot.side import HubSpotSide
from connectors.sandbox.side import Ask

SEARCH = "/crm/v3/objects/contacts/search"
START = datetime(2026, 3, 1, 8, tzinfo=UTC)
Call = Callable[..., tuple[int, Any]]


@pytest.fixture
def side(side: HubSpotSide) -> HubSpotSide:
    """The account, for tests that search more often than it would let them."""
    side.limits({"secondly_search": None, "ten_secondly": None})
    return side


PEOPLE: list[dict[str, Any]] = [
    {"email": "ada@acme.test", "firstname": "Ada", "numberofemployees": 5, "lifecyclestage": "lead"},
    {"email": "bo@acme.test", "firstname": "bo", "numberofemployees": 40, "hs_lead_status": "NEW"},
    {"email": "cy@beta.test", "firstname": "Cy", "numberofemployees": 400, "closedate": "2026-01-05"},
    {"lastname": "Nobody", "phone": "+49 30 1234567", "company": "Müller & Söhne GmbH"},
]


@pytest.fixture
def people(side: HubSpotSide) -> list[str]:
    rows = [{**row, "_created": START + timedelta(days=n)} for n, row in enumerate(PEOPLE)]
    return side.load("contacts", rows)


def where(name: str, operator: str, *value: Any, **more: Any) -> dict[str, Any]:
    item = {"propertyName": name, "operator": operator, **({"value": value[0]} if value else {}), **more}
    return {"filterGroups": [{"filters": [item]}]}


def hits(call: Call, people: list[str], body: dict[str, Any]) -> list[int]:
    status, found = call("POST", SEARCH, body)
    assert status == 200, found
    assert found["total"] == len(found["results"])
    return sorted(people.index(row["id"]) for row in found["results"])


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        # Text is compared without case
        (where("firstname", "EQ", "ADA"), [0]),
        (where("firstname", "EQ", "Bo"), [1]),
        (where("email", "EQ", "ADA@acme.test"), [0]),
        (where("email", "NEQ", "ADA@acme.test"), [1, 2]),
        # … but the values of a text list must be lower case
        (where("firstname", "IN", values=["ada", "bo"]), [0, 1]),
        (where("firstname", "IN", values=["Ada", "bo"]), [1]),
        (where("email", "IN", values=["ada@acme.test", "BO@acme.test"]), [0]),
        (where("firstname", "NOT_IN", values=["ada"]), [1, 2]),
        # Picklists are compared with case
        (where("lifecyclestage", "EQ", "lead"), [0]),
        (where("lifecyclestage", "EQ", "Lead"), []),
        (where("hs_lead_status", "IN", values=["NEW"]), [1]),
        (where("hs_lead_status", "IN", values=["new"]), []),
        # Numbers are numbers, not texts
        (where("numberofemployees", "GT", "40"), [2]),
        (where("numberofemployees", "GTE", 40), [1, 2]),
        (where("numberofemployees", "LT", "400"), [0, 1]),
        (where("numberofemployees", "LTE", "4.5e2"), [0, 1, 2]),
        (where("numberofemployees", "BETWEEN", "5", highValue="40"), [0, 1]),
        # Times by epoch milliseconds or ISO text, with an offset
        (where("createdate", "GTE", "2026-03-03T09:00:00+01:00"), [2, 3]),
        (where("createdate", "LT", str(int((START + timedelta(days=1)).timestamp() * 1000))), [0]),
        (where("closedate", "BETWEEN", "2026-01-05", highValue="2026-01-06"), [2]),
        (where("closedate", "LT", "2026-01-05T00:00:00.001Z"), [2]),
        # Words
        (where("email", "CONTAINS_TOKEN", "*@acme.test"), [0, 1]),
        (where("email", "CONTAINS_TOKEN", "acme"), [0, 1]),
        (where("email", "CONTAINS_TOKEN", "acm"), []),
        (where("email", "NOT_CONTAINS_TOKEN", "acme"), [2]),
        (where("company", "CONTAINS_TOKEN", "SÖHNE müller"), [3]),
        (where("email", "HAS_PROPERTY"), [0, 1, 2]),
        (where("email", "NOT_HAS_PROPERTY"), [3]),
        # A counter that never moved is 0, not empty
        (where("num_conversion_events", "EQ", "0"), [0, 1, 2, 3]),
        ({"filterGroups": []}, [0, 1, 2, 3]),
        ({"filterGroups": [{"filters": []}]}, [0, 1, 2, 3]),
        # Free text: all words, anywhere in the searched properties; phones without country code
        ({"query": "ADA"}, [0]),
        ({"query": "ada acme"}, [0]),
        ({"query": "301234567"}, [3]),
        ({"query": "söhne"}, [3]),
        ({"query": "lead"}, []),
    ],
)
def test_a_search_finds(call: Call, people: list[str], body: Any, expected: Any) -> None:
    assert hits(call, people, body) == expected


def test_filters_of_a_group_must_all_hold_and_one_group_is_enough(call: Call, people: list[str]) -> None:
    acme = where("email", "CONTAINS_TOKEN", "acme")["filterGroups"][0]["filters"]
    small = where("numberofemployees", "LT", "10")["filterGroups"][0]["filters"]
    both = {"filterGroups": [{"filters": [*acme, *small]}]}
    either = {"filterGroups": [{"filters": acme}, {"filters": small}]}
    assert hits(call, people, both) == [0]
    assert hits(call, people, either) == [0, 1]


def filters(count: int) -> dict[str, Any]:
    return {"filters": [{"propertyName": "email", "operator": "HAS_PROPERTY"}] * count}


@pytest.mark.parametrize(
    "body",
    [
        {"filterGroups": [filters(7)]},
        {"filterGroups": [filters(1)] * 6},
        {"filterGroups": [filters(6), filters(6), filters(6), filters(1)]},
        {"limit": 201},
        {"limit": 0},
        {"after": "10000"},
        {"after": "soon"},
        {"sorts": [{"propertyName": "email"}, {"propertyName": "createdate"}]},
        {"sorts": [{"propertyName": "nope"}]},
        {"sorts": [{"propertyName": "email", "direction": "up"}]},
        where("nope", "EQ", "x"),
        where("email", "LIKE", "x"),
        where("email", "EQ"),
        where("email", "IN"),
        where("createdate", "GT", "yesterday"),
        where("numberofemployees", "GT", "many"),
        {"query": "x" * 3000},
    ],
)
def test_a_search_that_breaks_a_rule_is_refused(call: Call, body: Any) -> None:
    status, answer = call("POST", SEARCH, body)
    assert (status, answer["category"]) == (400, "VALIDATION_ERROR")


def test_18_filters_in_5_groups_are_allowed(call: Call) -> None:
    body = {"filterGroups": [filters(6), filters(6), filters(4), filters(1), filters(1)]}
    assert call("POST", SEARCH, body)[0] == 200


def test_the_body_is_measured_in_characters_not_bytes(side: HubSpotSide, call: Call) -> None:
    frame = len(orjson.dumps({"query": ""}))
    headers = {"authorization": "Bearer pat-eu1-leadpact-sandbox"}
    for extra, status in ((0, 200), (1, 400)):
        sent = orjson.dumps({"query": "ü" * (3000 - frame + extra)})
        assert side.answer(Ask("POST", SEARCH, (), headers, sent)).status == status


def test_pages_are_counted_by_offset_and_the_last_has_no_paging(side: HubSpotSide, call: Call) -> None:
    side.load("contacts", [{"lastname": f"N{n}"} for n in range(25)])
    seen, after = [], None
    while after != "end":
        body = {"limit": 10, **({"after": after} if after else {})}
        _, page = call("POST", SEARCH, body)
        assert page["total"] == 25
        seen += [row["id"] for row in page["results"]]
        after = page.get("paging", {"next": {"after": "end"}})["next"]["after"]
        assert after in ("10", "20", "end")
    assert len(set(seen)) == 25


def test_nothing_beyond_the_ten_thousandth_row_is_ever_shown(side: HubSpotSide, call: Call) -> None:
    side.load("contacts", ({"lastname": "N"} for _ in range(10_001)))
    _, page = call("POST", SEARCH, {"limit": 200, "after": 9_900})
    assert (page["total"], len(page["results"])) == (10_001, 100)
    assert page["paging"]["next"]["after"] == "10000"
    assert call("POST", SEARCH, {"limit": 200, "after": "10000"})[0] == 400


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ([], [0, 1, 2, 3]),
        ([{"propertyName": "createdate", "direction": "DESCENDING"}], [3, 2, 1, 0]),
        ([{"propertyName": "numberofemployees", "direction": "DESCENDING"}], [2, 1, 0, 3]),
        ([{"propertyName": "hs_object_id", "direction": "ASCENDING"}], [0, 1, 2, 3]),
        (["hs_object_id"], [0, 1, 2, 3]),
        (["-hs_object_id"], [3, 2, 1, 0]),
    ],
)
def test_results_are_sorted(call: Call, people: list[str], sort: Any, expected: Any) -> None:
    _, found = call("POST", SEARCH, {"sorts": sort})
    assert [people.index(row["id"]) for row in found["results"]] == expected


def test_without_a_sort_the_oldest_come_first_whatever_their_id(side: HubSpotSide, call: Call) -> None:
    days = [3, 1, 2]
    ids = side.load("contacts", [{"lastname": "N", "_created": START + timedelta(days=d)} for d in days])
    _, found = call("POST", SEARCH, {})
    assert [row["id"] for row in found["results"]] == [ids[1], ids[2], ids[0]]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(0, 3), max_size=60), st.integers(1, 7))
def test_walking_by_id_within_a_window_ends_and_misses_nobody(
    side: HubSpotSide, call: Call, stamps: Any, page: Any
) -> None:
    side.reset()
    side.limits({"secondly_search": None})
    ids = side.load("contacts", [{"lastname": "N", "_modified": START + timedelta(days=d)} for d in stamps])
    seen: list[str] = []
    while True:
        last = seen[-1] if seen else "0"
        window = [
            {"propertyName": "lastmodifieddate", "operator": "GTE", "value": START.isoformat()},
            {"propertyName": "lastmodifieddate", "operator": "LTE", "value": str(2**41)},
            {"propertyName": "hs_object_id", "operator": "GT", "value": last},
        ]
        sorts = [{"propertyName": "hs_object_id", "direction": "ASCENDING"}]
        body = {"filterGroups": [{"filters": window}], "sorts": sorts, "limit": page}
        rows = call("POST", SEARCH, body)[1]["results"]
        if not rows:
            break
        seen += [row["id"] for row in rows]
    assert seen == ids


def test_archived_contacts_are_never_found(side: HubSpotSide, call: Call, people: list[str]) -> None:
    call("DELETE", f"/crm/v3/objects/contacts/{people[0]}")
    assert hits(call, people, {}) == [1, 2, 3]


def test_requested_properties_are_answered_and_unknown_ones_left_out(call: Call, people: list[str]) -> None:
    body = {**where("firstname", "EQ", "ada"), "properties": ["email", "city", "no_such"]}
    _, found = call("POST", SEARCH, body)
    assert set(found["results"][0]["properties"]) == {
        "email",
        "city",
        "createdate",
        "hs_object_id",
        "lastmodifieddate",
    }


def test_during_index_lag_search_shows_the_record_as_it_was(
    side: HubSpotSide, call: Call, clock: Any, people: list[str]
) -> None:
    side.limits({"search_lag_ms": 5000})
    call("PATCH", f"/crm/v3/objects/contacts/{people[0]}", {"properties": {"firstname": "Eva"}})
    clock.advance(seconds=4)
    assert hits(call, people, where("firstname", "EQ", "eva")) == []
    assert hits(call, people, where("firstname", "EQ", "ada")) == [0]
    _, direct = call("GET", f"/crm/v3/objects/contacts/{people[0]}")
    assert direct["properties"]["firstname"] == "Eva"
    clock.advance(seconds=1)
    assert hits(call, people, where("firstname", "EQ", "eva")) == [0]


def test_each_write_reaches_the_index_in_its_own_time(
    side: HubSpotSide, call: Call, clock: Any, people: list[str]
) -> None:
    side.limits({"search_lag_ms": 5000})
    for name in ("Eva", "Ida"):
        call("PATCH", f"/crm/v3/objects/contacts/{people[0]}", {"properties": {"firstname": name}})
        clock.advance(seconds=3)
    assert hits(call, people, where("firstname", "EQ", "eva")) == [0]
    clock.advance(seconds=3)
    assert hits(call, people, where("firstname", "EQ", "ida")) == [0]


def test_during_index_lag_a_new_contact_is_missing_and_an_archived_one_still_there(
    side: HubSpotSide, call: Call, clock: Any, people: list[str]
) -> None:
    side.limits({"search_lag_ms": 5000})
    call("POST", "/crm/v3/objects/contacts", {"properties": {"email": "new@acme.test"}})
    call("DELETE", f"/crm/v3/objects/contacts/{people[0]}")
    assert hits(call, people, {}) == [0, 1, 2, 3]
    clock.advance(seconds=5)
    _, found = call("POST", SEARCH, {})
    assert people[0] not in [row["id"] for row in found["results"]]
    assert found["total"] == 4


def test_a_late_commit_has_an_early_stamp(
    side: HubSpotSide, call: Call, clock: Any, people: list[str]
) -> None:
    side.limits({"late_commit_ms": 2000})
    call("PATCH", f"/crm/v3/objects/contacts/{people[0]}", {"properties": {"firstname": "Eva"}})
    written = clock.at
    clock.advance(seconds=1)
    assert hits(call, people, where("firstname", "EQ", "eva")) == []
    _, listed = call("GET", "/crm/v3/objects/contacts", limit="1")
    assert listed["results"][0]["properties"]["firstname"] == "Ada"
    clock.advance(seconds=1)
    window = where("lastmodifieddate", "EQ", written.isoformat())
    assert hits(call, people, window) == [0]


def test_companies_are_windowed_by_their_own_stamp(side: HubSpotSide, call: Call) -> None:
    side.load("companies", [{"name": "Acme", "_modified": START}])
    body = where("hs_lastmodifieddate", "GTE", START.isoformat())
    assert call("POST", "/crm/v3/objects/companies/search", body)[1]["total"] == 1
    assert call("POST", "/crm/v3/objects/companies/search", where("lastmodifieddate", "GT", "0"))[0] == 400


def test_contacts_are_found_by_their_company(call: Call, people: list[str]) -> None:
    company = call("POST", "/crm/v3/objects/companies", {"properties": {"name": "Acme"}})[1]["id"]
    to = {
        "to": {"id": company},
        "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 279}],
    }
    body = {"properties": {"lastname": "Linked"}, "associations": [to]}
    made = call("POST", "/crm/v3/objects/contacts", body)[1]["id"]
    everyone = [*people, made]
    assert hits(call, everyone, where("associations.company", "EQ", company)) == [4]
    assert hits(call, everyone, where("associations.companies", "IN", values=[company, "1"])) == [4]
    assert hits(call, everyone, where("associations.company", "NOT_HAS_PROPERTY")) == [0, 1, 2, 3]
    assert call("POST", SEARCH, where("associations.butterfly", "EQ", "1"))[0] == 400
