"""Files of exports, histories of merges and first touches: rules that hold for any text and any order."""

from __future__ import annotations

import csv
import io
import zipfile
from datetime import UTC, datetime, timedelta

import orjson
import polars as pl
import pytest
import responses
from hypothesis import given
from hypothesis import strategies as st

from connectors.crm import CREATED_AT, MODIFIED_AT, RECORD_ID, FieldInfo, ObjectSchema
from connectors.errors import ConnectorError, NeedsPerson, OurBug, RetryLater
from connectors.hubspot.crm import HubSpotCrm
from connectors.hubspot.engagement import TOUCH_SCHEMA, first_and_last
from connectors.hubspot.exports import read_table, slab_of
from connectors.quota import MemoryLedger, Quota
from connectors.retry import Retry
from connectors.session import open_session

BASE = "https://api.hubapi.com"
FILE = "https://files.hubspot.test/export?signature=pl4nted"
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
NAMES = {"email": "text", "score": "number", "at": "datetime", "lastmodifieddate": "datetime"}
SCHEMA = ObjectSchema("hubspot", "contacts", {n: FieldInfo(n, n, kind) for n, kind in NAMES.items()})


def as_file(rows: list[list[str]], head: tuple[str, ...] = ("Record ID", "email")) -> bytes:
    out = io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows([head, *rows])
    return out.getvalue().encode()


# What a text in HubSpot can hold; a carriage return alone is no line break to anybody who writes a CSV file.
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\x00\r"), max_size=12)


@given(st.lists(TEXTS, min_size=1, max_size=6))
def test_any_text_survives_the_file(texts: list[str]) -> None:
    table = read_table(as_file([[str(n), text] for n, text in enumerate(texts, 1)]))
    assert table["Record ID"].to_list() == [str(n) for n in range(1, len(texts) + 1)]
    assert table["email"].to_list() == [text or None for text in texts]


def test_a_byte_order_mark_is_no_part_of_the_first_name() -> None:
    assert read_table(b"\xef\xbb\xbf" + as_file([["1", "a"]])).columns == ["Record ID", "email"]


def test_times_come_as_iso_or_as_milliseconds_and_numbers_without_an_exponent() -> None:
    head = ("hs_object_id", "score", "at", "lastmodifieddate", "createdate")
    rows = [
        ["1", "1.5E3", "1767225600000", "2026-01-01T00:00:00.5Z", "2025-01-01T00:00:00Z"],
        ["2", "7", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", ""],
    ]
    frame = slab_of(read_table(as_file(rows, head)), SCHEMA, ["score", "at", "email"])
    assert frame[RECORD_ID].to_list() == ["1", "2"]
    assert frame["score"].to_list() == ["1500", "7"]
    assert frame["at"].to_list() == ["2026-01-01T00:00:00.000Z", "2026-01-01T00:00:00Z"]
    assert frame[MODIFIED_AT].to_list()[0] == datetime(2026, 1, 1, 0, 0, 0, 500_000, tzinfo=UTC)
    assert frame[CREATED_AT].to_list() == [datetime(2025, 1, 1, tzinfo=UTC), None]
    assert "email" not in frame.columns


class Answers:
    """An account that answers about one export, and a store that hands out its file."""

    def __init__(self, *files: tuple[int, bytes], state: str = "COMPLETE") -> None:
        self.slept: list[float] = []
        ledger = MemoryLedger(lambda: sum(self.slept))
        quota = Quota("hubspot", {}, ledger=ledger, clock=lambda: NOON, sleep=self.slept.append)
        retry = Retry(sleep=self.slept.append)
        self.crm = HubSpotCrm("token", BASE, open_session(), quota, retry=retry)
        self._files, self._state = files, state
        self.authorised: list[str | None] = []

    def read(self) -> list[pl.DataFrame]:
        with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
            properties = [{"name": n, "type": "string", "fieldType": "text"} for n in ("email",)]
            mock.get(f"{BASE}/crm/v3/properties/contacts", json={"results": properties})
            mock.get(f"{BASE}/crm/v3/pipelines/contacts", status=403)
            said = {"status": self._state, "startedAt": "x", "completedAt": "x"}
            mock.get(f"{BASE}/crm/v3/exports/export/async/tasks/7/status", json={**said, "result": FILE})
            for status, body in self._files:
                mock.get(FILE, status=status, body=body)
            try:
                slabs = self.crm.exports.slabs("7", "contacts", ["email"], self.slept.append)
                return [slab.frame for slab in slabs]
            finally:
                calls = [call.request for call in mock.calls if str(call.request.url).startswith(FILE[:30])]
                self.authorised = [request.headers.get("Authorization") for request in calls]


def packed(*files: tuple[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in files:
            archive.writestr(name, data)
    return out.getvalue()


def test_the_store_of_files_never_sees_the_access_token() -> None:
    account = Answers((200, as_file([["1", "a"]])))
    assert len(account.read()) == 1
    assert account.authorised == [None]


def test_all_files_of_an_archive_are_read_and_nothing_else_in_it() -> None:
    body = packed(
        ("b.csv", as_file([["2", "b"]])), ("a.CSV", as_file([["1", "a"]])), ("readme.txt", b"hello")
    )
    assert [frame[RECORD_ID].to_list() for frame in Answers((200, body)).read()] == [["1"], ["2"]]


def test_an_empty_file_has_no_records() -> None:
    assert Answers((200, as_file([]))).read() == []


@pytest.mark.parametrize(
    ("files", "state", "kind", "code"),
    [
        ([(503, b"busy")], "COMPLETE", RetryLater, "503"),
        ([(403, b"")] * 3, "COMPLETE", RetryLater, "EXPORT_ADDRESS"),
        ([(400, b"no")], "COMPLETE", OurBug, "400"),
        ([(401, b"no")], "COMPLETE", OurBug, "401"),
        ([], "CANCELED", OurBug, "CANCELED"),
        ([], "PROCESSING", RetryLater, "EXPORT_SLOW"),
        ([(200, b'"email"\n"ada@acme.test"\n')], "COMPLETE", OurBug, "EXPORT_FILE"),
        ([(200, b"PK\x03\x04 cut off")], "COMPLETE", RetryLater, "EXPORT_FILE"),
        ([(200, b"")], "COMPLETE", OurBug, "EXPORT_FILE"),
        ([(200, b"<html>login</html>")], "COMPLETE", OurBug, "EXPORT_FILE"),
    ],
)
def test_what_goes_wrong_is_one_of_the_four_kinds_and_tells_no_address(
    files: list[tuple[int, bytes]], state: str, kind: type[ConnectorError], code: str
) -> None:
    with pytest.raises(kind) as raised:
        Answers(*files, state=state).read()
    assert raised.value.code == code
    assert not isinstance(raised.value, NeedsPerson)
    told = f"{raised.value} {raised.value!r}"
    assert "pl4nted" not in told
    assert "ada@" not in told


@given(
    st.lists(
        st.tuples(st.sampled_from("12"), st.sampled_from(["calls", "notes"]), st.none() | st.integers(0, 5)),
        max_size=8,
    ),
    st.randoms(use_true_random=False),
)
def test_first_and_last_touch_do_not_depend_on_the_order(
    rows: list[tuple[str, str, int | None]], dice: object
) -> None:
    touches = [
        (who, kind, str(n), None if day is None else NOON + timedelta(days=day), None, None)
        for n, (who, kind, day) in enumerate(rows)
    ]
    shuffled = list(touches)
    dice.shuffle(shuffled)  # type: ignore[attr-defined]
    edges, again = (
        first_and_last(pl.DataFrame(some, schema=dict(TOUCH_SCHEMA), orient="row"))
        for some in (touches, shuffled)
    )
    assert edges.rows() == again.rows()
    for who, count, first, first_kind, last, _ in edges.rows():
        own = [touch for touch in touches if touch[0] == who]
        times = [touch[3] for touch in own if touch[3] is not None]
        assert count == len(own)
        assert (first, last) == ((min(times), max(times)) if times else (None, None))
        assert first_kind in {touch[1] for touch in own if touch[3] == first} | {None}


def test_the_request_for_an_export_has_the_words_of_exports() -> None:
    account = Answers()
    with responses.RequestsMock() as mock:
        properties = [
            {"name": n, "type": kind, "fieldType": "text"}
            for n, kind in (("email", "string"), ("createdate", "datetime"), ("lastmodifieddate", "datetime"))
        ]
        mock.get(f"{BASE}/crm/v3/properties/contacts", json={"results": properties})
        mock.get(f"{BASE}/crm/v3/pipelines/contacts", status=403)
        mock.post(f"{BASE}/crm/v3/exports/export/async", status=202, json={"id": "7"})
        account.crm.exports.start("contacts", ["email", "no_such"], modified_since=NOON)
        sent = orjson.loads(mock.calls[-1].request.body or b"")
    assert sent["objectProperties"] == ["email", "createdate", "lastmodifieddate"]
    assert sent["exportInternalValuesOptions"] == ["NAMES", "VALUES"]
    [since] = sent["publicCrmSearchRequest"]["filters"]
    assert since == {"property": "lastmodifieddate", "operator": "GTE", "value": "2026-11-22T12:00:00.000Z"}
