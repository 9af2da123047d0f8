"""What a snapshot keeps comes back as it was, whatever the text, the amount or the time."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mapping.lead import LEAD_FIELDS, columns_of
from sync.snapshots import Snapshots

SCHEMA: dict[str, pl.DataType] = {
    "email": pl.String(),
    "need": pl.String(),
    "annual_revenue": pl.Decimal(18, 2),
    "rate": pl.Decimal(18, 4),
    "employees": pl.Int64(),
    "email_opt_out": pl.Boolean(),
    "purchase_date": pl.Date(),
    "last_form_at": pl.Datetime("us", "UTC"),
}
_TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
_VALUES: dict[str, st.SearchStrategy[Any]] = {
    "email": _TEXTS,
    "need": _TEXTS,
    "annual_revenue": st.decimals(-(10**15), 10**15, places=2),
    "rate": st.decimals(-(10**13), 10**13, places=4),
    "employees": st.integers(-(2**63), 2**63 - 1),
    "email_opt_out": st.booleans(),
    "purchase_date": st.dates(date(1000, 1, 1)),
    "last_form_at": st.datetimes(datetime(1000, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 (zone beside it)
}
_ROWS = st.fixed_dictionaries({name: st.none() | values for name, values in _VALUES.items()})


@given(rows=st.lists(_ROWS, max_size=8))
def test_what_is_encoded_comes_back(rows: list[dict[str, Any]]) -> None:
    frame = pl.DataFrame(rows, schema=SCHEMA)
    snapshots = Snapshots(SCHEMA)
    assert snapshots.decode(snapshots.encode(frame)).equals(frame)


def test_a_missing_text_is_a_row_of_nulls_in_its_place() -> None:
    texts = pl.Series([None, '{"email":"a@b.de"}', None, "{}"], dtype=pl.String)
    assert Snapshots(SCHEMA).decode(texts, "bh.")["bh.email"].to_list() == [None, "a@b.de", None, None]


def test_no_text_gives_no_row_and_every_column() -> None:
    decoded = Snapshots(SCHEMA).decode(pl.Series([], dtype=pl.String), "p.")
    assert dict(decoded.schema) == {f"p.{name}": dtype for name, dtype in SCHEMA.items()}


def test_keys_that_the_schema_does_not_know_are_passed_over() -> None:
    text = json.dumps({"gone": [1, {"a": None}], "employees": 7, "older": "x", "email": "ä\n\u2028b"})
    row = Snapshots(SCHEMA).decode(pl.Series([text])).row(0, named=True)
    assert row["employees"] == 7
    assert row["email"] == "ä\n\u2028b"


def test_amounts_keep_every_digit() -> None:
    texts = pl.Series(['{"annual_revenue":"9999999999999999.99"}'])
    assert Snapshots(SCHEMA).decode(texts)["annual_revenue"].item() == Decimal("9999999999999999.99")


def test_a_leads_own_schema_comes_back_empty_from_an_empty_object() -> None:
    schema = columns_of(LEAD_FIELDS)
    decoded = Snapshots(schema).decode(pl.Series(["{}"] * 3))
    assert decoded.height == 3
    assert all(column.null_count() == 3 for column in decoded)


@pytest.mark.parametrize("broken", ["", '{"email":"a"}\n{"email":"b"}', "no json", "[1]"])
def test_a_text_that_is_no_snapshot_is_not_taken_for_one(broken: str) -> None:
    with pytest.raises(pl.exceptions.PolarsError):
        Snapshots(SCHEMA).decode(pl.Series([broken, "{}"]))
