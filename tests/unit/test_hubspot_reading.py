"""From pages to slabs: what is a blank, what did not come, and how values are spelled."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import orjson
import polars as pl
import pytest
import responses
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from connectors.crm import ABSENT, RECORD_ID, SLAB_SCHEMA, FieldInfo
from connectors.errors import OurBug
from connectors.hubspot import pages
from connectors.hubspot.api import RATES, Reply
from connectors.hubspot.crm import HubSpotCrm
from connectors.hubspot.reading import _chunks, since_of
from connectors.hubspot.schema import Property, field_info
from connectors.hubspot.values import milliseconds, plain, plain_text
from connectors.quota import MemoryLedger, Quota
from connectors.retry import Retry
from connectors.session import open_session
from connectors.slabs import NOT_THERE, Rows, block, cut, sharing_blanks, slab_frame, times

BASE = "https://api.hubapi.com"
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
DATE = {"Date": "Sun, 22 Nov 2026 12:00:00 GMT"}
LIST = f"{BASE}/crm/v3/objects/contacts"


def connector(slab_rows: int = 10_000) -> HubSpotCrm:
    seconds: list[float] = []
    ledger = MemoryLedger(lambda: sum(seconds))
    quota = Quota("hubspot", RATES, ledger=ledger, clock=lambda: NOON, sleep=seconds.append)
    session, retry = open_session(), Retry(sleep=seconds.append)
    return HubSpotCrm("token", BASE, session, quota, retry=retry, slab_rows=slab_rows)


def record(number: int, **properties: str | None) -> dict[str, Any]:
    stamp = "2026-02-01T00:00:00.001Z"
    return {
        "id": str(number),
        "properties": properties,
        "createdAt": stamp,
        "updatedAt": stamp,
        "archived": False,
    }


def account(mock: responses.RequestsMock, *names: str) -> None:
    found = [{"name": name, "type": "string", "label": name, "fieldType": "text"} for name in names]
    mock.get(f"{BASE}/crm/v3/properties/contacts", json={"results": found}, headers=DATE)
    mock.get(f"{BASE}/crm/v3/pipelines/contacts", json={"results": []}, headers=DATE)


def batch(mock: responses.RequestsMock, *records: dict[str, Any], **more: Any) -> None:
    status = 207 if more else 200
    mock.post(f"{LIST}/batch/read", json={"results": records, **more}, status=status, headers=DATE)


def fetched(crm: HubSpotCrm, fields: Sequence[str], ids: Sequence[str]) -> pl.DataFrame:
    [slab] = crm.fetch("contacts", fields, ids)
    return slab.frame


@responses.activate(assert_all_requests_are_fired=True)
def test_an_absent_key_beside_an_explicit_null_was_not_returned() -> None:
    account(responses.mock, "email", "phone")
    batch(
        responses.mock, record(1, email="a@b.test"), record(2, email=None, phone="1"), record(3, phone=None)
    )
    frame = fetched(connector(), ["email", "phone"], ["1", "2", "3"])
    assert frame["email"].to_list() == ["a@b.test", None, None]
    assert frame[ABSENT].to_list() == [["phone"], None, ["email"]]
    assert frame.schema == {**SLAB_SCHEMA, "email": pl.String(), "phone": pl.String()}


@responses.activate(assert_all_requests_are_fired=True)
def test_an_absent_key_is_a_blank_where_no_null_is_ever_sent() -> None:
    account(responses.mock, "email", "phone")
    batch(responses.mock, record(1, email="a@b.test"), record(2, phone="1"))
    frame = fetched(connector(), ["email", "phone"], ["1", "2"])
    assert frame["phone"].to_list() == [None, "1"]
    assert frame[ABSENT].to_list() == [None, None]


@responses.activate(assert_all_requests_are_fired=True)
def test_one_explicit_null_is_remembered_for_later_pages_of_one_record() -> None:
    account(responses.mock, "email", "phone")
    batch(responses.mock, record(1, email="a@b.test", phone=None))
    batch(responses.mock, record(2, email="c@d.test"))
    crm = connector()
    fetched(crm, ["email", "phone"], ["1"])
    assert fetched(crm, ["email", "phone"], ["2"])[ABSENT].to_list() == [["phone"]]


@responses.activate(assert_all_requests_are_fired=True)
def test_a_field_that_the_account_does_not_have_gets_no_column() -> None:
    account(responses.mock, "email")
    batch(responses.mock, record(1, email="a@b.test"))
    frame = fetched(connector(), ["email", "no_such_field"], ["1"])
    assert frame.columns == [*SLAB_SCHEMA, "email"]


@responses.activate(assert_all_requests_are_fired=True)
def test_ids_that_lead_nowhere_are_absent() -> None:
    account(responses.mock, "email")
    lost = {"status": "error", "category": "OBJECT_NOT_FOUND", "message": "…", "context": {"ids": ["2"]}}
    batch(responses.mock, record(1, email="a@b.test"), numErrors=1, errors=[lost])
    assert fetched(connector(), ["email"], ["1", "2", "1"])[RECORD_ID].to_list() == ["1"]


@responses.activate(assert_all_requests_are_fired=True)
def test_a_merged_record_is_not_handed_out_under_its_old_id() -> None:
    account(responses.mock, "email")
    batch(responses.mock, record(77, email="a@b.test"))
    assert list(connector().fetch("contacts", ["email"], ["1"])) == []


@responses.activate(assert_all_requests_are_fired=True)
def test_another_reason_for_leaving_records_out_is_not_passed_over() -> None:
    account(responses.mock, "email")
    batch(responses.mock, numErrors=1, errors=[{"status": "error", "category": "RATE_LIMITS"}])
    with pytest.raises(OurBug, match="RATE_LIMITS"):
        list(connector().fetch("contacts", ["email"], ["1"]))


@responses.activate(assert_all_requests_are_fired=True)
def test_a_list_is_read_to_its_end_and_cut_into_slabs() -> None:
    account(responses.mock, "email")
    following = {"next": {"after": "3", "link": "…"}}
    responses.get(LIST, json={"results": []}, headers=DATE)
    responses.get(LIST, json={"results": [record(1), record(2)], "paging": following}, headers=DATE)
    responses.get(LIST, json={"results": [record(3)]}, headers=DATE)
    slabs = list(connector(slab_rows=2).changes("contacts", ["email"], None).slabs)
    assert [slab.frame[RECORD_ID].to_list() for slab in slabs] == [["1", "2"], ["3"]]


@responses.activate(assert_all_requests_are_fired=True)
def test_a_list_that_does_not_move_on_is_a_loud_failure() -> None:
    account(responses.mock, "email")
    page = {"results": [record(1)], "paging": {"next": {"after": "3"}}}
    for _ in range(3):
        responses.get(LIST, json=page, headers=DATE)
    with pytest.raises(OurBug, match="does not move on"):
        list(connector().changes("contacts", ["email"], None).slabs)


SINCE = {"since": "2026-11-22T11:00:00+00:00"}


@pytest.mark.parametrize("ids", [["5", "5"], ["6", "5"], ["x"]])
@responses.activate(assert_all_requests_are_fired=True)
def test_a_search_whose_ids_do_not_rise_is_a_loud_failure(ids: list[str]) -> None:
    account(responses.mock, "email")
    responses.get(LIST, json={"results": []}, headers=DATE)
    found = [{**record(0), "id": i} for i in ids]
    responses.post(f"{LIST}/search", json={"total": 9, "results": found}, headers=DATE)
    with pytest.raises(OurBug):
        list(connector().changes("contacts", ["email"], SINCE).slabs)


@responses.activate(assert_all_requests_are_fired=True)
def test_a_search_goes_on_from_the_last_id_and_never_by_offset() -> None:
    account(responses.mock, "email")
    responses.get(LIST, json={"results": []}, headers=DATE)
    more = {"next": {"after": "200"}}
    page = {"total": 3, "results": [record(9), record(10)], "paging": more}
    responses.post(f"{LIST}/search", json=page, headers=DATE)
    responses.post(f"{LIST}/search", json={"total": 1, "results": [record(11)]}, headers=DATE)
    [slab] = connector().changes("contacts", ["email"], SINCE).slabs
    bodies = [
        orjson.loads(call.request.body or b"") for call in responses.calls if call.request.method == "POST"
    ]
    assert slab.frame[RECORD_ID].to_list() == ["9", "10", "11"]
    assert [body.get("after") for body in bodies] == [None, None]
    [one, two] = (body["filterGroups"][0]["filters"] for body in bodies)
    assert two == [*one, {"propertyName": "hs_object_id", "operator": "GT", "value": "10"}]


@responses.activate(assert_all_requests_are_fired=True)
def test_many_properties_are_read_by_id_because_a_search_is_short() -> None:
    names = [f"a_rather_long_property_name_{n}" for n in range(200)]
    account(responses.mock, *names)
    responses.get(LIST, json={"results": []}, headers=DATE)
    responses.post(f"{LIST}/search", json={"total": 1, "results": [record(9)]}, headers=DATE)
    batch(responses.mock, record(9, **dict.fromkeys(names, "x")))
    [slab] = connector().changes("contacts", names, SINCE).slabs
    search = next(c.request.body or "" for c in responses.calls if str(c.request.url).endswith("/search"))
    assert len(search) <= 3_000
    assert slab.frame[names[-1]].to_list() == ["x"]


@responses.activate(assert_all_requests_are_fired=True)
def test_more_properties_than_an_address_can_carry_are_read_by_id() -> None:
    names = [f"a_rather_long_property_name_{n}" for n in range(600)]
    account(responses.mock, *names)
    responses.get(LIST, json={"results": []}, headers=DATE)
    responses.get(LIST, json={"results": [record(9)]}, headers=DATE)
    batch(responses.mock, record(9, **dict.fromkeys(names, "x")))
    [slab] = connector().changes("contacts", names, None).slabs
    assert slab.frame[names[-1]].to_list() == ["x"]
    assert max(len(str(call.request.url)) for call in responses.calls) < 16_000


@pytest.mark.parametrize("cursor", [{}, {"since": "soon"}, {"since": 5}, {"since": "2026-11-22T11:00:00"}])
def test_a_cursor_of_somebody_else_is_refused(cursor: dict[str, Any]) -> None:
    with pytest.raises(OurBug):
        since_of(cursor)


@given(names=st.lists(st.text("abcdefghij_", min_size=1, max_size=60), max_size=80))
def test_no_search_is_longer_than_hubspot_takes(names: list[str]) -> None:
    filters = [{"propertyName": "lastmodifieddate", "operator": "GTE", "value": "1795344900000"}] * 2
    last = {"propertyName": "hs_object_id", "operator": "GT", "value": "171600000001"}
    if pages.fits_search(filters, names):
        assert len(pages.search_body([*filters, last], names).decode()) <= 3_000


@given(values=st.lists(st.text(min_size=1, max_size=300), max_size=60), room=st.integers(310, 2_500))
def test_values_are_shared_out_over_searches_without_losing_one(values: list[str], room: int) -> None:
    chunks = list(_chunks(values, room))
    assert [v for chunk in chunks for v in chunk] == values
    for chunk in chunks:
        assert len(chunk) == 1 or len(orjson.dumps(chunk)) <= room + 2


@given(sizes=st.lists(st.integers(0, 12), max_size=12), slab_rows=st.integers(1, 10))
def test_no_record_is_lost_and_no_slab_is_too_long(sizes: list[int], slab_rows: int) -> None:
    ids = iter(range(1_000))
    found = []
    for size in sizes:
        some = [str(next(ids)) for _ in range(size)]
        found.append(Rows(some, [None] * size, [None] * size, [False] * size, {"email": some}))
    slabs = list(cut("hubspot", "contacts", found, slab_rows))
    assert [v for s in slabs for v in s.frame["email"]] == [str(n) for n in range(sum(sizes))]
    assert all(0 < len(s.frame) <= slab_rows for s in slabs)
    assert all(s.frame.schema == {**SLAB_SCHEMA, "email": pl.String()} for s in slabs)


@given(sizes=st.lists(st.integers(0, 12), max_size=8), slab_rows=st.integers(1, 10), data=st.data())
def test_pages_may_come_as_lists_and_as_columns(
    sizes: list[int], slab_rows: int, data: st.DataObject
) -> None:
    ids, stamp = iter(range(1_000)), "2026-01-05T09:10:11.120Z"
    found: list[Rows | pl.DataFrame] = []
    for size in sizes:
        some = [str(next(ids)) for _ in range(size)]
        # Times may be missing in all records of a page.
        times_of = [data.draw(st.sampled_from([None, stamp]))] * size
        page = Rows(some, times_of, [None] * size, [False] * size, {"email": some})
        found.append(block(page) if data.draw(st.booleans()) else page)
    slabs = list(cut("hubspot", "contacts", found, slab_rows))
    assert [v for s in slabs for v in s.frame["email"]] == [str(n) for n in range(sum(sizes))]
    assert all(0 < len(s.frame) <= slab_rows for s in slabs)
    assert all(s.frame.schema == {**SLAB_SCHEMA, "email": pl.String()} for s in slabs)


@pytest.mark.parametrize(
    ("kind", "text", "spelled"),
    [
        # Times can be epoch milliseconds in text (HubSpot reference, sections 5.2 and 7)
        ("datetime", "1767225600123", "2026-01-01T00:00:00.123Z"),
        ("datetime", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"),
        ("datetime", "-86400000", "1969-12-31T00:00:00.000Z"),
        ("date", "1767225600000", "2026-01-01"),
        ("date", "2026-01-01", "2026-01-01"),
        ("number", "1.2E7", "12000000"),
        ("number", "5E-7", "0.0000005"),
        ("number", "0", "0"),
        ("number", "-3.50", "-3.50"),
        ("text", "1767225600123", "1767225600123"),
        ("text", "1E5", "1E5"),
        ("text", "", None),
        ("number", "", None),
        ("datetime", "", None),
        ("boolean", "false", "false"),
        ("text", " ", " "),
        ("text", None, None),
    ],
)
def test_values_are_spelled_alike_one_by_one_and_by_column(
    kind: str, text: str | None, spelled: str | None
) -> None:
    assert plain_text(kind, text) == spelled
    frame = pl.DataFrame({"f": [text, "x" if kind == "text" else None]}, schema={"f": pl.String})
    assert plain(frame, {"f": FieldInfo("f", "F", kind)})["f"].to_list()[0] == spelled


@given(st.datetimes(datetime(1971, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_a_filters_milliseconds_are_exact(moment: datetime) -> None:
    assert int(milliseconds(moment)) == int(moment.timestamp()) * 1000 + moment.microsecond // 1000


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-05T09:10:11.120Z",
        "2026-01-05T09:10:11.120+00:00",
        "2026-01-05T11:10:11.120+02:00",
        "2026-01-05T09:10:11.120+0000",
    ],
)
def test_time_stamps_are_read_in_every_spelling_of_iso(text: str) -> None:
    moment = datetime(2026, 1, 5, 9, 10, 11, 120_000, tzinfo=UTC)
    assert times("t", [None, text]).to_list() == [None, moment]
    assert times("t", [None, moment]).to_list() == [None, moment]


def test_a_time_stamp_without_a_meaning_is_our_bug() -> None:
    with pytest.raises(OurBug):
        times("t", ["yesterday"])


def test_a_page_is_decoded_into_columns() -> None:
    reader = pages.Reader(["email", "not-a-python-name"])
    body = orjson.dumps(
        {"results": [record(1, **{"email": None, "not-a-python-name": "x", "more": "y"}), record(2)]}
    )
    rows = reader.rows(reader.page(Reply(200, body, {})).results)
    assert rows.columns == {"email": [None, NOT_THERE], "not-a-python-name": ["x", NOT_THERE]}
    assert slab_frame(rows)[RECORD_ID].to_list() == ["1", "2"]


def test_a_value_that_is_no_text_does_not_stop_the_reading() -> None:
    odd = {**record(1), "properties": {"email": 5, "phone": True, "city": None, "fax": ["x"]}}
    reader = pages.Reader(["email", "phone", "city", "fax", "zip"])
    page = reader.page(Reply(200, orjson.dumps({"results": [odd], "paging": {"next": {"after": "2"}}}), {}))
    values = [column[0] for column in reader.rows(page.results).columns.values()]
    assert values == ["5", "true", None, '["x"]', NOT_THERE]
    assert page.after == "2"


OWNER = Property("hubspot_owner_id", "enumeration", "Owner", "select", externalOptions=True)


@pytest.mark.parametrize(
    ("found", "kind"),
    [
        (Property("a", "string", "A", "text"), "text"),
        (Property("a", "string", "A", "textarea"), "text"),
        (Property("a", "phone_number", "A", "phonenumber"), "text"),
        (Property("a", "number", "A", "number"), "number"),
        (Property("a", "bool", "A", "booleancheckbox"), "boolean"),
        (Property("a", "date", "A", "date"), "date"),
        (Property("a", "datetime", "A", "date"), "datetime"),
        (Property("a", "enumeration", "A", "select"), "choice"),
        (Property("a", "enumeration", "A", "radio"), "choice"),
        (Property("a", "enumeration", "A", "checkbox"), "choices"),
        (OWNER, "reference"),
        (Property("a", "json", "A", "text"), "other"),
        (Property("a", "object_coordinates", "A", "text"), "other"),
        (Property("a"), "other"),
    ],
)
def test_types_are_told_in_the_ports_words(found: Property, kind: str) -> None:
    assert field_info("contacts", found).type == kind


@pytest.mark.parametrize(
    ("definition", "updatable", "calculated"),
    [
        ({"modificationMetadata": {"readOnlyValue": True}}, False, False),
        ({"modificationMetadata": {"readOnlyValue": False}}, True, False),
        ({"calculated": True}, False, True),
        ({"fieldType": "calculation_score"}, False, True),
        ({}, True, False),
    ],
)
def test_what_hubspot_computes_or_locks_cannot_be_written(
    definition: dict[str, Any], updatable: bool, calculated: bool
) -> None:
    found = msgspec.convert({"name": "a", "type": "number", **definition}, Property)
    info = field_info("contacts", found)
    assert (info.updatable, info.creatable, info.calculated) == (updatable, updatable, calculated)


def test_an_email_is_unique_among_contacts_only() -> None:
    found = Property("email", "string")
    assert field_info("contacts", found).unique
    assert not field_info("companies", found).unique


def test_fields_that_nobody_has_are_kept_once_and_say_the_same() -> None:
    columns: dict[str, list[str | None]] = {
        "a": ["x", None],
        "b": [None, None],
        "c": [None, None],
        "d": ["", "y"],
    }
    rows = Rows(["1", "2"], ["2026-01-01T00:00:00.000Z"] * 2, [None, None], [False, False], columns)
    frame = slab_frame(rows)
    shared = sharing_blanks(frame)
    assert_frame_equal(shared, frame)
    text = {name: FieldInfo(name, name, "text") for name in columns}
    assert plain(shared, text).select(list(columns)).rows() == [
        ("x", None, None, None),
        (None, None, None, "y"),
    ]
