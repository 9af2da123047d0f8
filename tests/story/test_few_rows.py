"""A few rows that are read value by value are what COPY makes of them, and a setting ends with its statement."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl
import psycopg
import pytest

from sync.store.frames import fetch_at_once, fetch_frame, read_frame

_TYPES: Mapping[str, tuple[pl.DataType, tuple[str, ...]]] = {
    "text": (pl.String(), ("Ünsal", "", " ", "NULL", 'a "quoted" one', "1")),
    "bigint": (pl.Int64(), ("-9223372036854775808", "0", "9223372036854775807")),
    "integer": (pl.Int32(), ("-1", "2147483647")),
    "double precision": (pl.Float64(), ("-0.1", "1e300", "3")),
    "boolean": (pl.Boolean(), ("t", "f")),
    "date": (pl.Date(), ("1969-12-31", "2024-02-29")),
    "timestamptz": (
        pl.Datetime("us", "UTC"),
        ("2026-11-20 09:00:00+01", "1969-12-31 23:59:59.999999+00", "2026-11-20 09:00:00.5+00"),
    ),
}


@pytest.mark.parametrize("name", _TYPES)
@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata"])
def test_a_few_rows_read_by_value_are_what_copy_makes_of_them(
    migrated_database: str, name: str, zone: str
) -> None:
    dtype, texts = _TYPES[name]
    query = f"SELECT word::{name} FROM unnest(%(words)s::text[]) WITH ORDINALITY AS w (word, place) ORDER BY place"
    wanted = {"words": [*texts, None]}
    with psycopg.connect(migrated_database, autocommit=True, options=f"-c timezone={zone}") as connection:
        few = fetch_frame(connection, query, {"word": dtype}, wanted)
        many = read_frame(connection, query, {"word": dtype}, wanted)
    assert few.equals(many, null_equal=True)
    assert few.schema == many.schema == {"word": dtype}


def test_a_setting_holds_for_the_statement_behind_it_and_no_longer(migrated_database: str) -> None:
    schema = {"said": pl.String()}
    asked = "SELECT current_setting('enable_seqscan') AS said WHERE %(yes)s"
    with psycopg.connect(migrated_database, autocommit=True) as connection:
        queries = ["SET LOCAL enable_seqscan = off", asked]
        there = fetch_at_once(connection, queries, schema, {"yes": True})
        after = fetch_frame(connection, asked, schema, {"yes": True})
    assert (there["said"].item(), after["said"].item()) == ("off", "on")
