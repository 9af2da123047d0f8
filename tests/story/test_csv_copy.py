"""What goes into the database comes out the same, whatever signs it is made of."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import polars as pl
import psycopg
import pytest
from polars.testing import assert_frame_equal

from sync.store.frames import as_temporary, read_frame

TEXTS = [
    *("plain", None, "", '"', '""', "a,b", "a\nb", "a\r\nb", "\n", "\r", " ", "\t", "\\", "\\N", "NULL"),
    *("\\.", "a\n\\.\nb", "\\.\n", "\n\\.", "😀", "e\u0301", "أحمد", "'; DROP TABLE lead; --", "#", "\ufeff"),
]


@pytest.fixture
def connection(database: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database, autocommit=True, options="-c timezone=UTC") as opened:
        yield opened


def _there_and_back(connection: psycopg.Connection, frame: pl.DataFrame) -> pl.DataFrame:
    with connection.transaction():
        as_temporary(connection, "passing", frame)
        return read_frame(connection, "SELECT * FROM passing", dict(frame.schema))


def test_null_empty_quotes_newlines_emoji_and_backslash_dot_stay_apart(
    connection: psycopg.Connection,
) -> None:
    frame = pl.DataFrame({"text": TEXTS, "number": range(len(TEXTS)), "again": TEXTS[::-1]})
    assert_frame_equal(_there_and_back(connection, frame), frame)


@pytest.mark.parametrize("text", TEXTS)
def test_a_column_alone_keeps_its_text(connection: psycopg.Connection, text: str | None) -> None:
    frame = pl.DataFrame({"text": ["before", text, "after"]}, schema={"text": pl.String()})
    assert_frame_equal(_there_and_back(connection, frame), frame)


def test_numbers_truths_and_times_keep_their_values_and_their_nulls(connection: psycopg.Connection) -> None:
    moment = datetime(2026, 11, 22, 9, 0, 0, 123456, tzinfo=UTC)
    frame = pl.DataFrame(
        {
            "number": [0, -1, 2**62, None],
            "small": pl.Series([0, -1, 2**30, None], dtype=pl.Int32),
            "truth": [True, False, None, None],
            "moment": [moment, datetime(1970, 1, 1, tzinfo=UTC), datetime(2024, 2, 29, tzinfo=UTC), None],
        },
        schema_overrides={"moment": pl.Datetime("us", "UTC")},
    )
    assert_frame_equal(_there_and_back(connection, frame), frame)


def test_a_zero_byte_which_no_database_text_can_hold_is_left_out(connection: psycopg.Connection) -> None:
    frame = pl.DataFrame({"text": ["a\0b", "c"]})
    assert _there_and_back(connection, frame)["text"].to_list() == ["ab", "c"]


def test_a_frame_without_rows_keeps_its_columns(connection: psycopg.Connection) -> None:
    frame = pl.DataFrame(schema={"text": pl.String(), "moment": pl.Datetime("us", "UTC")})
    assert_frame_equal(_there_and_back(connection, frame), frame)
