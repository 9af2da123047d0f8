"""Bulk results and uploads as text: what a cell means, and where a record ends."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.crm import ABSENT, ARCHIVED, CREATED_AT, MODIFIED_AT, RECORD_ID, Write
from connectors.errors import NeedsPerson, RetryLater
from connectors.salesforce.bulk.extract import as_text, fits, slab_frame
from connectors.salesforce.bulk.jobs import Ended
from connectors.salesforce.bulk.results import blocks, read_frames
from connectors.salesforce.bulk.rows import (
    TOLD,
    Sent,
    columns_of,
    heading,
    in_lock_order,
    lines,
    read_rows,
    refused,
    written,
)
from connectors.salesforce.bulk.rows import fits as can_be_a_row
from connectors.salesforce.outgoing import Outgoing, Route
from connectors.salesforce.rows import Column, Shape
from connectors.salesforce.values import number_text, to_json

CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=12)
HARD = ["plain", 'say "no"', '""', "a,b", "two\nlines", "\r\n", '"\n"', "😀 Zoë", "#N/A", " padded ", "null"]


def page(rows: list[list[str]], names: list[str], header: bool = True) -> io.BytesIO:
    lines = [names, *rows] if header else rows
    text = "".join(",".join('"' + cell.replace('"', '""') + '"' for cell in line) + "\n" for line in lines)
    return io.BytesIO(text.encode())


def read(file: io.BytesIO, names: list[str], block: int = 64) -> list[tuple[str | None, ...]]:
    return [each for frame in read_frames(file, names, block) for each in frame.rows()]


@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize("value", HARD)
def test_a_cell_is_read_as_it_was_written(value: str, header: bool) -> None:
    rows = [[f"00Q{n}", value] for n in range(9)]
    assert read(page(rows, ["Id", "City"], header), ["Id", "City"]) == [tuple(row) for row in rows]


@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=12), st.integers(1, 80))
def test_any_text_survives_any_size_of_block(values: list[tuple[str, str]], block: int) -> None:
    rows = [[f"id {n}", *pair] for n, pair in enumerate(values)]
    wanted = [tuple(cell or None for cell in row) for row in rows]
    assert read(page(rows, ["Id", "A", "B"]), ["Id", "A", "B"], block) == wanted


@given(st.lists(st.tuples(CELLS, CELLS), max_size=12), st.integers(1, 80))
def test_blocks_end_with_a_record_and_lose_nothing(values: list[tuple[str, str]], size: int) -> None:
    file = page([list(pair) for pair in values], ["A", "B"])
    pieces = list(blocks(file, size))
    assert b"".join(pieces) == file.getvalue()
    assert all(piece.endswith(b"\n") and piece.count(b'"') % 2 == 0 for piece in pieces)


def test_an_empty_cell_is_a_blank() -> None:
    assert read(io.BytesIO(b'"Id","A"\n"1",""\n"2",\n'), ["Id", "A"]) == [("1", None), ("2", None)]


def test_columns_are_found_by_their_heading() -> None:
    assert read(page([["1", "b", "a"]], ["Id", "B", "A"]), ["Id", "A", "B"]) == [("1", "a", "b")]


def test_an_unknown_heading_leaves_the_order_of_the_select() -> None:
    assert read(page([["1", "x"]], ["Id", "User Name"]), ["Id", "Owner.Name"]) == [("1", "x")]


@pytest.mark.parametrize("body", [b"", b'"Id","A"\n'])
def test_an_empty_result_has_no_rows_with_or_without_a_heading(body: bytes) -> None:
    assert read(io.BytesIO(body), ["Id", "A"]) == []


@pytest.mark.parametrize("body", [b'"Id"\n"1"\n', b'"Id","A","B"\n', b'"Id","A"\n"1","2","3"\n'])
def test_a_page_of_other_columns_is_not_read_and_not_told(body: bytes) -> None:
    with pytest.raises(RetryLater) as caught:
        read(io.BytesIO(body), ["Id", "A"])
    assert str(caught.value) == "salesforce: a page of a bulk query could not be read"
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    ("sf_type", "cell", "text"),
    [
        ("currency", "25000000.0", "25000000"),
        ("currency", "2.5E7", "25000000"),
        ("double", "1.50", "1.5"),
        ("double", "1.0E-5", "0.00001"),
        ("double", "-0.0", "0"),
        ("int", "100", "100"),
        ("percent", "0.0", "0"),
        ("boolean", "TRUE", "true"),
        ("boolean", "false", "false"),
        ("datetime", "2026-11-22T12:00:00.000Z", "2026-11-22T12:00:00.000Z"),
        ("datetime", "2026-11-22T12:00:00.000+0000", "2026-11-22T12:00:00.000Z"),
        ("date", "2026-11-22", "2026-11-22"),
        ("string", "100.0", "100.0"),
        ("string", "1E5", "1E5"),
        ("string", "#N/A", "#N/A"),
        ("picklist", "TRUE", "TRUE"),
    ],
)
def test_a_cell_becomes_the_text_of_the_port(sf_type: str, cell: str, text: str) -> None:
    assert as_text(pl.Series("x", [cell, None]), sf_type).to_list() == [text, None]


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e17, max_value=1e17))
def test_a_number_reads_as_it_does_in_json(value: float) -> None:
    assert as_text(pl.Series("x", [repr(value)]), "double").to_list() == [number_text(value)]


def test_a_slab_of_cells_has_the_columns_of_the_port() -> None:
    wanted = Shape("Lead", (Column("City", "string"),), ("Id", "SystemModstamp", "CreatedDate", "IsDeleted"))
    cells = pl.DataFrame(
        [
            ["00QgK0000000001", "2026-11-22T12:00:00.000Z", "2026-11-21T12:00:00.000+0000", "true", None],
            ["00QgK0000000002AAA", "2026-11-22T12:00:00.000Z", "2026-11-21T12:00:00.000Z", "false", "Köln"],
        ],
        schema=wanted.names,
        orient="row",
    )
    frame = slab_frame(wanted, cells)
    assert frame.columns == [RECORD_ID, MODIFIED_AT, CREATED_AT, ARCHIVED, ABSENT, "City"]
    assert [len(each) for each in frame[RECORD_ID]] == [18, 18]
    assert frame[MODIFIED_AT][0] == datetime(2026, 11, 22, 12, tzinfo=UTC)
    assert frame[CREATED_AT][1] == datetime(2026, 11, 21, 12, tzinfo=UTC)
    assert frame.select(ARCHIVED, ABSENT, "City").rows() == [(True, None, None), (False, None, "Köln")]


@pytest.mark.parametrize("sf_type", ["address", "location", "base64"])
def test_what_bulk_cannot_select_is_known_beforehand(sf_type: str) -> None:
    assert not fits(Shape("Lead", (Column("Address", sf_type),), ("Id",)))
    assert fits(Shape("Lead", (Column("City", "string"),), ("Id",)))


def outgoing(trace: str, values: dict[str, str | None], kind: str = "string", key: str = "") -> Outgoing:
    body = {name: to_json(kind, value) for name, value in values.items()}
    if key:
        write = Write(trace, None, values, (key, str(values[key])))
        return Outgoing(write, Route("PATCH", f"composite/sobjects/Lead/{key}", key), body)
    return Outgoing(Write(trace, None, values), Route("POST", "composite/sobjects"), body)


@pytest.mark.parametrize(
    ("kind", "value", "cell"),
    [
        ("string", None, '"#N/A"'),
        ("string", "", '"#N/A"'),
        ("boolean", None, '"false"'),
        ("boolean", "TRUE", '"true"'),
        ("currency", "1234567890123456.78", '"1234567890123456.78"'),
        ("int", "7", '"7"'),
        ("datetime", "2026-11-22T13:00:00+01:00", '"2026-11-22T12:00:00.000Z"'),
        ("string", 'say "no",\nplease', '"say ""no"",\nplease"'),
        ("string", " 😀 ", '" 😀 "'),
    ],
)
def test_a_value_becomes_a_cell(kind: str, value: str | None, cell: str) -> None:
    item = outgoing("a", {"X": value}, kind)
    assert lines([item], ["A", "X"]) == [f",{cell}\n".encode()]


def test_a_text_that_means_clear_goes_another_way() -> None:
    assert not can_be_a_row(outgoing("a", {"City": "#N/A"}))
    assert can_be_a_row(outgoing("a", {"City": None}))


def test_columns_are_those_of_all_rows_with_the_key_first() -> None:
    items = [
        outgoing("a", {"K": "1", "City": "x"}, key="K"),
        outgoing("b", {"K": "2", "Area": None}, key="K"),
    ]
    columns = columns_of(items)
    assert columns == ["K", "Area", "City"]
    assert heading(columns) + b"".join(lines(items, columns)) == (
        b'"K","Area","City"\n"1",,"x"\n"2","#N/A",\n'
    )


def test_rows_of_one_parent_stand_together() -> None:
    items = [outgoing(str(n), {"AccountId": f"001{n % 3}", "K": str(n)}, key="K") for n in range(9)]
    assert [item.body["AccountId"] for item in in_lock_order(items)] == sorted(
        f"001{n % 3}" for n in range(9)
    )


def test_results_in_any_order_find_their_writes() -> None:
    items = [outgoing(f"t{n}", {"LastName": f"Nr {n}", "Text": HARD[n % len(HARD)]}) for n in range(30)]
    columns = columns_of(items)
    sent = Sent(items, columns)
    told = [
        {"LastName": f"Nr {n}", "Text": HARD[n % len(HARD)], "sf__Id": str(n)} for n in reversed(range(30))
    ]
    found = [sent.take(each) for each in told]
    assert [item.write.trace if item else "" for item in found] == [f"t{n}" for n in reversed(range(30))]
    assert list(sent.rest()) == []


def test_rows_that_say_the_same_are_each_found_once() -> None:
    items = [outgoing(trace, {"LastName": "Same"}) for trace in "ab"]
    sent = Sent(items, ["LastName"])
    found = [sent.take({"LastName": "Same"}) for _ in range(3)]
    assert [item.write.trace if item else None for item in found] == ["a", "b", None]


def test_an_upsert_is_found_by_its_key_alone() -> None:
    items = [outgoing("a", {"K": "Ada@x", "City": "Köln"}, key="K"), outgoing("b", {"K": "b@x"}, key="K")]
    sent = Sent(items, columns_of(items))
    found = sent.take({"K": "ADA@X", "City": "changed by nobody knows whom"})
    assert found is items[0]
    assert [item.write.trace for item in sent.rest()] == ["b"]


@pytest.mark.parametrize(
    ("error", "code", "message", "fields"),
    [
        (
            "DUPLICATES_DETECTED:Use one of these records?:--",
            "DUPLICATES_DETECTED",
            "Use one of these records?",
            (),
        ),
        (
            "INVALID_FIELD:Failed to deserialize field at col 3. Due to, 'secret' is not a valid value for the type "
            "xsd:date:CloseDate --",
            "INVALID_FIELD",
            "Failed to deserialize field at col 3. Due to, '…' is not a valid value for the type xsd:date",
            ("CloseDate",),
        ),
        (
            "REQUIRED_FIELD_MISSING:missing: [A, B]:A,B --",
            "REQUIRED_FIELD_MISSING",
            "missing: [A, B]",
            ("A", "B"),
        ),
        ("SOMETHING:text: with colons and no end", "SOMETHING", "text: with colons and no end", ()),
        ("no code at all", "", "", ()),
        ("", "", "", ()),
    ],
)
def test_the_text_of_a_failed_row_is_taken_apart(
    error: str, code: str, message: str, fields: tuple[str, ...]
) -> None:
    result = refused(outgoing("a", {"City": "secret"}), {"sf__Error": error})
    assert (result.outcome, result.code, result.message, result.fields) == ("refused", code, message, fields)


def test_a_row_that_was_written_says_its_id_and_whether_it_is_new() -> None:
    item = outgoing("a", {"City": "x"})
    result = written(item, {"sf__Id": "00QgK0000000001", "sf__Created": "TRUE"})
    assert (result.outcome, len(str(result.record_id)), result.created) == ("written", 18, True)


def test_results_keep_lines_inside_of_values() -> None:
    file = io.BytesIO('"sf__Id","sf__Created",Text\n"1","true","two\r\nlines 😀"\n'.encode())
    assert [dict(each) for each in read_rows(file, ("sf__Id", "sf__Created", "Text", "Other"))] == [
        {"sf__Id": "1", "sf__Created": "true", "Text": "two\r\nlines 😀"}
    ]
    assert not file.closed


def test_a_broken_result_is_noticed() -> None:
    with pytest.raises(csv.Error):
        list(read_rows(io.BytesIO(b'"sf__Id"\n"1'), ("sf__Id",)))


def test_a_job_that_failed_for_a_field_needs_a_person() -> None:
    assert isinstance(
        Ended("750x", "Failed", "InvalidBatch : Field name not found : X").failure(), NeedsPerson
    )
    other = Ended("750x", "Failed", "secret text").failure()
    assert isinstance(other, RetryLater)
    assert "secret" not in str(other)


def test_a_job_that_failed_for_the_days_limit_needs_a_person() -> None:
    error = Ended("750x", "Failed", "LIMIT_EXCEEDED : DailyBulkApiBatches Limit exceeded.").failure()
    assert isinstance(error, NeedsPerson)
    assert (error.code, bool(error.fix)) == ("LIMIT_EXCEEDED", True)


@pytest.mark.shared
def test_a_recorded_result_of_failed_rows_is_understood(shared_data: Path) -> None:
    with (shared_data / "crm_fixtures/salesforce/bulk2_failed_results.csv").open("rb") as file:
        (told,) = list(read_rows(file, (*TOLD, "external_id__c", "CloseDate")))
    values: dict[str, str | None] = {"external_id__c": "external-id-3", "CloseDate": told["CloseDate"]}
    result = refused(outgoing("a", values, key="external_id__c"), told)
    assert (result.code, result.fields) == ("INVALID_FIELD", ("CloseDate",))
    assert told["CloseDate"] not in result.message
    columns = ["external_id__c", "CloseDate"]
    found = Sent([outgoing("a", values, key="external_id__c")], columns).take(told)
    assert found is not None
