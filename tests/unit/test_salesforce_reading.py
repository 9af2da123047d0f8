"""Reading from Salesforce: the exact queries, what a page becomes, and how far a cursor goes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson
import polars as pl
import pytest
import requests
import responses

from connectors.crm import ABSENT, ARCHIVED, CREATED_AT, MODIFIED_AT, RECORD_ID, SLAB_SCHEMA, Cursor, Slab
from connectors.errors import ConnectorError, NeedsPerson, OurBug, RetryLater
from connectors.salesforce.crm import SalesforceCrm
from connectors.salesforce.ids import eighteen
from connectors.salesforce.rows import Layout, shape, slabs
from connectors.salesforce.schema import Described, described_from
from connectors.session import open_session

LOGIN = "https://acme.my.salesforce.com"
DATA = f"{LOGIN}/services/data/v66.0/"
STAMP = "2026-11-22T07:00:00.000+0000"
NOW = "Sun, 22 Nov 2026 07:05:40 GMT"
ONE, TWO = "0015500001QdQWaAAN", "0015500001QdQWbAAN"


def a_field(name: str, kind: str = "string", **more: Any) -> dict[str, Any]:
    return {"name": name, "label": name, "type": kind, "createable": True, "updateable": True, **more}


ACCOUNT: dict[str, Any] = {
    "name": "Account",
    "keyPrefix": "001",
    "fields": [
        a_field("Id", "id", createable=False),
        a_field("SystemModstamp", "datetime"),
        a_field("CreatedDate", "datetime"),
        a_field("IsDeleted", "boolean"),
        a_field("Name", length=255),
        a_field("AnnualRevenue", "currency"),
        a_field("OwnerId", "reference", relationshipName="Owner", referenceTo=["User", "Group"]),
        a_field("ParentId", "reference", relationshipName="Parent", referenceTo=["Account"]),
    ],
}
OTHERS = {
    "Account": described_from(ACCOUNT),
    "User": described_from({"name": "User", "fields": [a_field("Name"), a_field("Email", "email")]}),
    "Group": described_from({"name": "Group", "fields": [a_field("Name")]}),
}


def of(name: str) -> Described:
    return OTHERS[name]


def record(record_id: str, **values: Any) -> dict[str, Any]:
    return {
        "attributes": {"type": "Account", "url": "/x"},
        "Id": record_id,
        "SystemModstamp": STAMP,
        "CreatedDate": STAMP,
        "IsDeleted": False,
        **values,
    }


def frame(fields: list[str], *records: dict[str, Any]) -> pl.DataFrame:
    wanted = shape(of("Account"), fields, of)
    layout = Layout(wanted)
    page = layout.page(orjson.dumps({"totalSize": len(records), "done": True, "records": records}))
    (slab,) = slabs(wanted, [layout.rows(page.records)])
    return slab.frame


def test_a_page_becomes_columns_of_text() -> None:
    slab = frame(
        ["Name", "AnnualRevenue"],
        record(ONE, Name="Zoë", AnnualRevenue=2.5e7),
        record(TWO[:15], Name=None, AnnualRevenue=None),
    )
    assert slab.schema == {**SLAB_SCHEMA, "Name": pl.String(), "AnnualRevenue": pl.String()}
    assert slab[RECORD_ID].to_list() == [ONE, TWO]
    assert (
        slab[MODIFIED_AT].to_list()
        == slab[CREATED_AT].to_list()
        == [datetime(2026, 11, 22, 7, tzinfo=UTC)] * 2
    )
    assert slab[ARCHIVED].to_list() == [False, False]
    assert slab["Name"].to_list() == ["Zoë", None]
    assert slab["AnnualRevenue"].to_list() == ["25000000", None]
    assert slab[ABSENT].to_list() == [None, None]


def test_a_field_that_did_not_come_is_not_a_blank() -> None:
    slab = frame(
        ["Name", "AnnualRevenue", "Owner.Name"],
        record(ONE, Name=None),
        record(TWO, Name="B", AnnualRevenue=1),
    )
    assert slab[ABSENT].to_list() == [["AnnualRevenue", "Owner.Name"], ["Owner.Name"]]
    assert slab["AnnualRevenue"].to_list() == [None, "1"]


def test_fields_that_cannot_be_had_get_no_column() -> None:
    slab = frame(
        ["Name", "Phone", "name", "Owner.Phone", "Nobody.Name", "Owner.", ".", "", "Name"],
        record(ONE, Name="A"),
    )
    assert slab.columns == [*SLAB_SCHEMA, "Name"]


@pytest.mark.parametrize(
    ("owner", "name"),
    [({"attributes": {}, "Name": "Sana"}, "Sana"), (None, None), ({"attributes": {}, "Name": None}, None)],
)
def test_a_related_field_is_read_from_the_record_it_leads_to(owner: Any, name: str | None) -> None:
    slab = frame(["Owner.Name"], record(ONE, Owner=owner))
    assert slab["Owner.Name"].to_list() == [name]
    assert slab[ABSENT].to_list() == [None]


def test_a_field_that_only_some_owners_have_is_not_asked_for() -> None:
    # A queue owns records too, and has no e-mail: the query would fail for all of them.
    assert [column.name for column in shape(of("Account"), ["Owner.Email", "Owner.Name"], of).columns] == [
        "Owner.Name"
    ]


def test_a_field_of_an_object_that_we_may_not_see_is_not_asked_for() -> None:
    def not_users(name: str) -> Described:
        if name == "User":
            raise NeedsPerson("not visible")
        return of(name)

    assert shape(of("Account"), ["Owner.Name", "Name"], not_users).names[-1] == "Name"
    assert not shape(of("Account"), ["Owner.Name"], not_users).columns


def test_the_systems_own_fields_can_be_asked_for_too() -> None:
    slab = frame(["Id", "SystemModstamp", "IsDeleted"], record(ONE))
    assert slab.select("Id", "SystemModstamp", "IsDeleted").rows() == [
        (ONE, "2026-11-22T07:00:00.000Z", "false")
    ]


@pytest.fixture
def wire() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        token = {
            "access_token": "planted",
            "instance_url": LOGIN,
            "id": "https://login.salesforce.com/id/00D5500000Ab1cD/0055500000Ab1cD",
        }
        mock.post(f"{LOGIN}/services/oauth2/token", json=token, headers={"Date": NOW})
        mock.get(DATA + "sobjects/Account/describe", json=ACCOUNT, headers={"Date": NOW})
        yield mock


@pytest.fixture
def crm() -> SalesforceCrm:
    return SalesforceCrm(
        session=open_session(), login_url=LOGIN, client_id="id", client_secret="secret", sleep=lambda _: None
    )


def queries(wire: responses.RequestsMock) -> list[str]:
    sent = [urlsplit(str(call.request.url)) for call in wire.calls]
    return [parse_qs(url.query)["q"][0] for url in sent if "/query" in url.path and url.query]


def covered(wire: responses.RequestsMock, latest: str) -> None:
    wire.get(
        DATA + "sobjects/Account/updated",
        json={"ids": [], "latestDateCovered": latest},
        headers={"Date": NOW},
    )


def page(*records: dict[str, Any], more: str | None = None) -> dict[str, Any]:
    url = {"nextRecordsUrl": f"/services/data/v66.0/query/{more}"} if more else {}
    return {"totalSize": len(records), "done": more is None, "records": list(records), **url}


def read(crm: SalesforceCrm, since: Cursor | None) -> tuple[list[Slab], Cursor]:
    reading = crm.changes("Account", ["Name"], since)
    return list(reading.slabs), reading.cursor


SELECT = "SELECT Id,SystemModstamp,CreatedDate,IsDeleted,Name FROM Account"


def test_a_first_reading_is_everything_by_id(wire: responses.RequestsMock, crm: SalesforceCrm) -> None:
    covered(wire, "2026-11-22T07:05:00.000+0000")
    wire.get(DATA + "query/", json=page(record(ONE, Name="A")))
    read(crm, None)
    assert queries(wire) == [f"{SELECT} ORDER BY Id"]
    updated = next(str(call.request.url) for call in wire.calls if "/updated" in str(call.request.url))
    assert parse_qs(urlsplit(updated).query) == {
        "start": ["2026-11-22T06:55:00Z"],
        "end": ["2026-11-22T07:05:00Z"],
    }


def test_a_later_reading_starts_at_the_cursor_and_has_no_end(
    wire: responses.RequestsMock, crm: SalesforceCrm
) -> None:
    covered(wire, "2026-11-22T07:05:00.000+0000")
    wire.get(DATA + "queryAll/", json=page(record(ONE, Name="A")))
    read(crm, {"since": "2026-11-22T06:00:00Z"})
    assert queries(wire) == [
        f"{SELECT} WHERE SystemModstamp >= 2026-11-22T06:00:00Z ORDER BY SystemModstamp,Id"
    ]


def test_a_lost_place_is_asked_for_by_its_last_record(
    wire: responses.RequestsMock, crm: SalesforceCrm
) -> None:
    covered(wire, "2026-11-22T07:05:00.000+0000")
    wire.get(DATA + "queryAll/", json=page(record(ONE, Name="A"), more="01g-1"))
    wire.get(DATA + "query/01g-1", json=[{"errorCode": "INVALID_QUERY_LOCATOR"}], status=400)
    wire.get(DATA + "queryAll/", json=page(record(TWO, Name="B")))
    got, _ = read(crm, {"since": "2026-11-22T06:00:00Z"})
    assert [slab.frame[RECORD_ID].to_list() for slab in got] == [[ONE, TWO]]
    assert queries(wire)[1] == (
        f"{SELECT} WHERE (SystemModstamp = 2026-11-22T07:00:00Z AND Id > '{ONE}')"
        " OR SystemModstamp > 2026-11-22T07:00:00Z ORDER BY SystemModstamp,Id"
    )


def test_reading_never_goes_on_behind_a_record_that_changed_while_it_was_read(
    wire: responses.RequestsMock, crm: SalesforceCrm
) -> None:
    covered(wire, "2026-11-22T07:05:00.000+0000")
    # TWO stood behind ONE when the query ran, and was changed before its page was sent.
    moved = {**record(TWO, Name="B"), "SystemModstamp": "2026-11-22T07:05:30.000+0000"}
    wire.get(DATA + "queryAll/", json=page(record(ONE, Name="A"), moved, more="01g-2"))
    wire.get(DATA + "query/01g-2", json=[{"errorCode": "INVALID_QUERY_LOCATOR"}], status=400)
    wire.get(DATA + "queryAll/", json=page(moved))
    read(crm, {"since": "2026-11-22T06:00:00Z"})
    assert f"Id > '{ONE}'" in queries(wire)[1]
    assert "SystemModstamp > 2026-11-22T07:00:00Z" in queries(wire)[1]


def test_a_result_that_is_lost_again_and_again_is_left_to_a_later_try(
    wire: responses.RequestsMock, crm: SalesforceCrm
) -> None:
    covered(wire, "2026-11-22T07:05:00.000+0000")
    moved = {**record(TWO, Name="B"), "SystemModstamp": "2026-11-22T07:05:30.000+0000"}
    wire.get(DATA + "queryAll/", json=page(moved, more="01g-1"))
    wire.get(DATA + "query/01g-1", json=[{"errorCode": "INVALID_QUERY_LOCATOR"}], status=400)
    with pytest.raises(RetryLater):
        read(crm, {"since": "2026-11-22T06:00:00Z"})


def test_the_cursor_is_fixed_before_the_first_record_is_read(
    wire: responses.RequestsMock, crm: SalesforceCrm
) -> None:
    covered(wire, "2026-11-22T07:05:00.000+0000")
    reading = crm.changes("Account", ["Name"], None)
    assert reading.cursor == {"since": "2026-11-22T07:05:00Z"}
    assert queries(wire) == []


@pytest.mark.parametrize(
    ("since", "latest", "cursor"),
    [
        # A transaction is open since 7:01: what it stamps can appear behind anything later.
        (None, "2026-11-22T07:01:10.000+0000", "2026-11-22T07:01:10Z"),
        ("2026-11-22T06:00:00Z", "2026-11-22T07:01:10.000+0000", "2026-11-22T07:01:10Z"),
        # Never back ...
        ("2026-11-22T07:03:00Z", "2026-11-22T07:01:10.000+0000", "2026-11-22T07:03:00Z"),
        ("2026-11-22T07:05:30Z", "2026-11-22T07:05:00.000+0000", "2026-11-22T07:05:30Z"),
        # ... and never beyond what was asked about, whatever the answer says.
        (None, "2026-11-23T07:00:00.000+0000", "2026-11-22T07:05:00Z"),
        # No answer that can be read: ten minutes behind Salesforce's clock.
        (None, "soon", "2026-11-22T06:55:40Z"),
        ("2026-11-22T07:03:00Z", "soon", "2026-11-22T07:03:00Z"),
        # Long ago: nothing more is asked of Salesforce than of a minute ago.
        ("2026-01-01T00:00:00Z", "2026-11-22T07:05:00.000+0000", "2026-11-22T07:05:00Z"),
    ],
)
def test_the_cursor_goes_as_far_as_is_covered(
    wire: responses.RequestsMock, crm: SalesforceCrm, since: str | None, latest: str, cursor: str
) -> None:
    covered(wire, latest)
    assert crm.changes("Account", ["Name"], {"since": since} if since else None).cursor == {"since": cursor}


@pytest.mark.parametrize(
    ("status", "code"),
    [(400, "EXCEEDED_ID_LIMIT"), (400, "INVALID_REPLICATION_DATE"), (404, "NOT_FOUND"), (403, ""), (400, "")],
)
def test_where_updates_are_refused_the_cursor_stays_behind(
    wire: responses.RequestsMock, crm: SalesforceCrm, status: int, code: str
) -> None:
    wire.get(
        DATA + "sobjects/Account/updated", json=[{"errorCode": code}], status=status, headers={"Date": NOW}
    )
    assert crm.changes("Account", ["Name"], None).cursor == {"since": "2026-11-22T06:55:40Z"}


def test_a_clock_heard_long_ago_is_asked_again(wire: responses.RequestsMock, crm: SalesforceCrm) -> None:
    crm.describe("Account")
    for minute in ("08:00", "09:30"):
        wire.get(
            DATA + "sobjects/Account/updated",
            json={"ids": [], "latestDateCovered": f"2026-11-22T{minute}:00.000+0000"},
            headers={"Date": "Sun, 22 Nov 2026 09:30:10 GMT"},
        )
    assert crm.changes("Account", ["Name"], None).cursor == {"since": "2026-11-22T09:30:00Z"}


@pytest.mark.parametrize(
    "cursor", [{}, {"since": None}, {"since": 7}, {"since": "x"}, {"since": "2026-11-22T07:00:00"}]
)
def test_a_cursor_of_somebody_else_is_our_bug(
    wire: responses.RequestsMock, crm: SalesforceCrm, cursor: dict[str, Any]
) -> None:
    with pytest.raises(OurBug):
        crm.changes("Account", ["Name"], cursor)


def test_a_field_that_has_gone_is_not_asked_for_the_next_time(
    wire: responses.RequestsMock, crm: SalesforceCrm
) -> None:
    covered(wire, "2026-11-22T07:05:00.000+0000")
    gone = [{"errorCode": "INVALID_FIELD", "message": "No such column 'Name' on entity 'Account'."}]
    wire.get(DATA + "query/", json=gone, status=400)
    with pytest.raises(NeedsPerson, match="Name"):
        read(crm, None)
    now = {**ACCOUNT, "fields": [item for item in ACCOUNT["fields"] if item["name"] != "Name"]}
    wire.replace(responses.GET, DATA + "sobjects/Account/describe", json=now)
    assert "Name" not in crm.describe("Account").fields


@pytest.mark.parametrize(
    "body", [b"[]", b"{}", b'{"records":[{}],"done":true}', b'{"records":[],"done":"no"}', b"<html>"]
)
def test_a_page_that_is_none_is_never_taken_for_an_empty_one(
    wire: responses.RequestsMock, crm: SalesforceCrm, body: bytes
) -> None:
    covered(wire, "2026-11-22T07:05:00.000+0000")
    wire.get(DATA + "query/", body=body)
    with pytest.raises(RetryLater):
        read(crm, None)


@pytest.mark.parametrize(
    ("status", "code"), [(400, "MALFORMED_QUERY"), (403, "INSUFFICIENT_ACCESS"), (503, "")]
)
def test_a_reading_that_breaks_off_is_never_a_short_one(
    wire: responses.RequestsMock, crm: SalesforceCrm, status: int, code: str
) -> None:
    covered(wire, "2026-11-22T07:05:00.000+0000")
    wire.get(DATA + "query/", json=page(record(ONE, Name="A"), more="01g-1"))
    wire.get(DATA + "query/01g-1", json=[{"errorCode": code}], status=status)
    with pytest.raises(ConnectorError):
        read(crm, None)


def test_records_are_fetched_with_a_body(wire: responses.RequestsMock, crm: SalesforceCrm) -> None:
    wire.post(DATA + "composite/sobjects/Account", json=[record(ONE, Name="A"), None])
    (slab,) = crm.fetch("Account", ["Name"], [ONE[:15], TWO, "00Q4S000002sSacUAE"])
    assert slab.frame.select(RECORD_ID, "Name").rows() == [(ONE, "A")]
    sent = wire.calls[-1].request
    assert sent.body == (
        b'{"ids":["0015500001QdQWaAAN","0015500001QdQWbAAN"],'
        b'"fields":["Id","SystemModstamp","CreatedDate","IsDeleted","Name"]}'
    )
    assert "Sforce-Auto-Assign" not in sent.headers


def test_one_id_that_is_refused_does_not_hide_the_others(
    wire: responses.RequestsMock, crm: SalesforceCrm
) -> None:
    def answer(request: requests.PreparedRequest) -> tuple[int, dict[str, str], bytes]:
        ids = orjson.loads(request.body or b"")["ids"]
        if TWO in ids:
            return 400, {}, orjson.dumps([{"errorCode": "MALFORMED_ID", "message": "bad id"}])
        return 200, {}, orjson.dumps([record(one, Name="A") for one in ids])

    wire.add_callback(responses.POST, DATA + "composite/sobjects/Account", callback=answer)
    others = [eighteen(f"001550000{n:06d}") for n in range(9)]
    slabs = crm.fetch("Account", ["Name"], [*others[:4], TWO, *others[4:]])
    assert [record_id for slab in slabs for record_id in slab.frame[RECORD_ID]] == others


def test_no_ids_and_no_values_are_no_calls(wire: responses.RequestsMock, crm: SalesforceCrm) -> None:
    crm.describe("Account")
    before = crm.calls
    assert list(crm.fetch("Account", ["Name"], ["nowhere"])) == []
    assert list(crm.find("Account", ["Name"], "Name", ["", ""])) == []
    assert crm.calls == before


def test_a_value_that_is_searched_for_is_in_no_error(
    wire: responses.RequestsMock, crm: SalesforceCrm
) -> None:
    text = "Name IN ('planted-value') ^ ERROR at Row:1:Column:53 unexpected token"
    wire.get(DATA + "query/", json=[{"errorCode": "MALFORMED_QUERY", "message": text}], status=400)
    with pytest.raises(OurBug) as bug:
        list(crm.find("Account", ["Name"], "Name", ["planted-value"]))
    assert "planted" not in f"{bug.value!r} {bug.value}"
    assert bug.value.__context__ is None


def test_single_values_are_spelled_as_columns_are_and_what_did_not_come_is_not_told() -> None:
    fields = ["Name", "AnnualRevenue", "IsDeleted", "CreatedDate", "OwnerId"]
    layout = Layout(shape(of("Account"), fields, of))
    full = {"Id": ONE, "Name": "A", "AnnualRevenue": 5e6, "IsDeleted": False, "CreatedDate": STAMP}
    body = orjson.dumps([full | {"OwnerId": None}, {"Id": TWO, "Name": None, "AnnualRevenue": 0.25}])
    first, second = layout.some(body)
    assert layout.held(first, [*fields, "ParentId"]) == layout.rows([first]).select(fields).row(0, named=True)
    assert layout.held(second, fields) == {"Name": None, "AnnualRevenue": "0.25"}
    assert layout.held(first, ["Name"]) == {"Name": "A"}
