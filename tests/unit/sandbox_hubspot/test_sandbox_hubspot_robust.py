"""Whatever is sent, the HubSpot side answers as an API does: with a status and JSON, never with an exception."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.sandbox.hubspot.moments import kept, read_kept, read_moment
from connectors.sandbox.hubspot.router import ROUTES, Route
from connectors.sandbox.hubspot.side import HubSpotSide
from connectors.sandbox.hubspot.values import without_calling_code
from connectors.sandbox.side import Ask

TOKEN = {"authorization": "Bearer pat-eu1-leadpact-sandbox"}
NAMES = [
    "inputs", "id", "idProperty", "properties", "propertiesWithHistory", "objectWriteTraceId", "name", "label",
    "type", "fieldType", "groupName", "options", "value", "values", "highValue", "filterGroups", "filters",
    "propertyName", "operator", "sorts", "direction", "query", "limit", "after", "email", "lifecyclestage",
    "hasUniqueValue", "primaryObjectId", "objectIdToMerge", "objectId", "firstname", "archived", "associations",
    "to", "from", "types", "associationTypeId", "subscriptionId", "emailAddress", "statusState", "channel",
    "subscriberIdString", "legalBasis",
    "processingType", "objectTypeId", "filterBranch", "listIds", "processingTypes", "count", "offset", "listId",
    "recordIdsToAdd", "recordIdsToRemove", "exportType", "format", "exportName", "objectType", "objectProperties",
    "exportInternalValuesOptions", "publicCrmSearchRequest", "property", "hs_lead_name", "hs_timestamp",
]  # fmt: skip
WORDS = [
    "email", "hs_object_id", "firstname", "lastmodifieddate", "lifecyclestage", "lead", "EQ", "IN", "BETWEEN",
    "CONTAINS_TOKEN", "HAS_PROPERTY", "ASCENDING", "171600000001", "1", "-1", "9" * 30, "9" * 5000, "1e999999",
    "nan", "2026-13-45", "0001-01-01T00:00:00+23:59", "-99999999999999", "a@b.test", "", " ", "\x00", "é" * 40,
    "SUBSCRIBED", "UNSUBSCRIBED", "EMAIL", "146200001",
    "MANUAL", "DYNAMIC", "VIEW", "LIST", "CSV", "NAMES", "VALUES", "0-1", "leads", "calls",
    "enumeration", "checkbox", "contactinformation", "companies", "a;b", ";", "%", "'", '"',
]  # fmt: skip
SCALARS = (
    st.sampled_from(WORDS) | st.text(max_size=8) | st.integers() | st.floats() | st.booleans() | st.none()
)
BODIES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=5),
    max_leaves=25,
)


@pytest.fixture
def side(side: HubSpotSide) -> HubSpotSide:
    """The account, with one contact and no limit on calls."""
    side.limits({"ten_secondly": None, "secondly_search": None, "daily": None, "search_lag_ms": 1})
    side.load("contacts", [{"email": "a@b.test", "firstname": "Ada"}])
    pilot = {"name": "Pilot", "objectTypeId": "0-1", "processingType": "MANUAL"}
    made = side.answer(Ask("POST", "/crm/v3/lists/", (), TOKEN, orjson.dumps(pilot)))
    assert made.status == 200
    return side


UNDATED = {
    "linked": "/crm/v4/objects",
    "associations": "/crm/v4/associations",
    "account-info": "/account-info/v3",
    "oauth-v1": "/oauth/v1",
    "oauth": "/oauth/v3",
    "consent-v3": "/communication-preferences/v3",
    "consent": "/communication-preferences/v4",
    "forms": "",
    "export-files": "/export-files",
}
DATED = {
    "linked": "/crm/objects/{}",
    "account-info": "/account-info/{}",
    "oauth": "/oauth/{}",
    "consent": "/communication-preferences/{}",
}


def prefix_of(family: str, version: str) -> str:
    if version == "undated" or family in ("oauth-v1", "consent-v3", "forms", "export-files"):
        return UNDATED.get(family, f"/crm/v3/{family}")
    return DATED.get(family, f"/crm/{family}/{{}}").format(version)


def as_json(body: object) -> bytes:
    try:
        return orjson.dumps(body)
    except (TypeError, orjson.JSONEncodeError):
        return b"{"


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(ROUTES),
    st.sampled_from(["undated", "2026-03", "2026-09"]),
    st.lists(
        st.sampled_from(["contacts", "companies", "leads", "notes", "0-1", "x", *WORDS]),
        min_size=4,
        max_size=4,
    ),
    st.lists(
        st.tuples(
            st.sampled_from(
                ["limit", "after", "properties", "archived", "idProperty", "email", "associations", "channel"]
            ),
            st.sampled_from(WORDS),
        ),
        max_size=3,
    ),
    st.dictionaries(st.sampled_from(NAMES), BODIES, max_size=5) | BODIES,
)
def test_no_request_makes_it_fall_over(
    side: HubSpotSide,
    route: Route,
    version: str,
    pieces: list[str],
    query: list[tuple[str, str]],
    body: object,
) -> None:
    # The second place is the other object where associations are read, and a record everywhere else.
    places = iter(["contacts", *pieces[1:], "companies"])
    rest = "/".join(next(places) if piece == "{}" else piece for piece in route.pattern.split("/"))
    path = f"{prefix_of(route.family, version)}/{rest}"
    answer = side.answer(Ask(route.method, path, tuple(query), TOKEN, as_json(body)))
    assert 200 <= answer.status < 500
    assert answer.status == 204 or isinstance(orjson.loads(answer.body), dict)
    assert (answer.status == 204) == (answer.body == b"") == (answer.content_type is None)


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=30) | st.sampled_from(WORDS) | st.datetimes().map(lambda moment: moment.isoformat()))
def test_a_moment_is_read_or_not_but_never_raises(text: str) -> None:
    ms = read_moment(text)
    assert ms is None or read_kept(kept(ms)) == ms


@given(st.integers(0, 253_402_300_799_999), st.integers(0, 253_402_300_799_999))
def test_kept_texts_sort_as_time_does(first: int, second: int) -> None:
    assert (kept(first) < kept(second)) == (first < second)


@pytest.mark.parametrize(
    ("phone", "digits"),
    [
        ("+5583999999999", "83999999999"),
        ("+49 30 1234567", "301234567"),
        ("+1 (415) 555-0100", "4155550100"),
        ("+43 1 234", "1234"),
        ("+353 1 234", "1234"),
        ("+7 495 123", "495123"),
        ("030 1234567", "0301234567"),
        ("none", ""),
        ("+", ""),
    ],
)
def test_a_searchable_phone_has_no_country_code(phone: str, digits: str) -> None:
    assert without_calling_code(phone) == digits
