"""What goes into the database comes out the same, whatever signs it is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial

import polars as pl
import psycopg
import pytest
from polars.testing import assert_frame_equal

from sync.store.frames import as_temporary, fetch_frame, read_frame
from sync.store.laid import FEW, Laid
from tests.story.emptied import made

ThereAndBack = Callable[[pl.DataFrame], pl.DataFrame]

TEXTS = [
    *("plain", None, "", '"', '""', "a,b", "a\nb", "a\r\nb", "\n", "\r", " ", "\t", "\\", "\\N", "NULL"),
    *("\x01", "\x01\x01", "a\x01,b", '"\x01"'),
    *("\\.", "a\n\\.\nb", "\\.\n", "\n\\.", "😀", "e\u0301", "أحمد", "'; DROP TABLE lead; --", "#", "\ufeff"),
]


@pytest.fixture(scope="module")
def passed_through(server_url: str) -> Iterator[str]:
    """One database of each server for all of them: what a test leaves in it ends with its connection."""
    with made(server_url, "template0") as url:
        yield url


@pytest.fixture
def connection(passed_through: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(passed_through, autocommit=True, options="-c timezone=UTC") as opened:
        yield opened


def _copied(connection: psycopg.Connection, frame: pl.DataFrame) -> pl.DataFrame:
    with connection.transaction():
        as_temporary(connection, "passing", frame)
        return read_frame(connection, "SELECT * FROM passing", dict(frame.schema))


def _along(connection: psycopg.Connection, frame: pl.DataFrame) -> pl.DataFrame:
    laid = Laid(connection)
    laid.lay("passing", frame)
    text, values = laid.stated("SELECT * FROM passing", {})
    return fetch_frame(connection, text, dict(frame.schema), values)


@pytest.fixture(params=[_copied, _along], ids=["in a table", "with the statement"])
def there_and_back(request: pytest.FixtureRequest, connection: psycopg.Connection) -> ThereAndBack:
    """Takes a frame into the database and out again."""
    return partial(request.param, connection)


def test_null_empty_quotes_newlines_emoji_and_backslash_dot_stay_apart(
    there_and_back: ThereAndBack,
) -> None:
    frame = pl.DataFrame({"text": TEXTS, "number": range(len(TEXTS)), "again": TEXTS[::-1]})
    assert_frame_equal(there_and_back(frame), frame)


@pytest.mark.parametrize("text", TEXTS)
def test_a_column_alone_keeps_its_text(there_and_back: ThereAndBack, text: str | None) -> None:
    frame = pl.DataFrame({"text": ["before", text, "after"]}, schema={"text": pl.String()})
    assert_frame_equal(there_and_back(frame), frame)


def test_numbers_truths_and_times_keep_their_values_and_their_nulls(there_and_back: ThereAndBack) -> None:
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
    assert_frame_equal(there_and_back(frame), frame)


def test_a_zero_byte_which_no_database_text_can_hold_is_left_out(there_and_back: ThereAndBack) -> None:
    frame = pl.DataFrame({"text": ["a\0b", "c"]})
    assert there_and_back(frame)["text"].to_list() == ["ab", "c"]


def test_a_frame_without_rows_keeps_its_columns(there_and_back: ThereAndBack) -> None:
    frame = pl.DataFrame(schema={"text": pl.String(), "moment": pl.Datetime("us", "UTC")})
    assert_frame_equal(there_and_back(frame), frame)


@pytest.mark.parametrize("rows", [FEW, FEW + 1])
@pytest.mark.parametrize(
    "statement",
    [
        "SELECT count(*), sum(number) FROM passing",
        "-- why\nSELECT count(*), sum(number) FROM passing",
        "-- why\nWITH other AS (SELECT number FROM passing) SELECT count(*), sum(number) FROM other",
        "SELECT count(*), sum(a.number) FROM passing AS a JOIN passing USING (number)",
    ],
)
def test_a_statement_finds_the_rows_that_were_laid_out_few_or_many(
    connection: psycopg.Connection, rows: int, statement: str
) -> None:
    laid = Laid(connection)
    with connection.transaction():
        laid.lay("passing", pl.DataFrame({"number": range(1000)}))
        laid.lay("passing", pl.DataFrame({"number": range(rows)}))
        text, values = laid.stated(statement, {})
        assert connection.execute(text.encode(), values).fetchone() == (rows, sum(range(rows)))


def test_rows_that_go_along_stand_nowhere_in_the_statements_text(connection: psycopg.Connection) -> None:
    laid = Laid(connection)
    laid.lay("passing", pl.DataFrame({"email": ["ada@shop.example"]}))
    text, values = laid.stated("SELECT pg_sleep(0), email, query FROM passing, pg_stat_activity", {})
    shown = connection.execute(text.encode() + b" WHERE pid = pg_backend_pid()", values).fetchone()
    assert shown is not None
    assert shown[1] == "ada@shop.example"
    assert "ada@shop.example" not in shown[2]
