"""Frames in and out of PostgreSQL by COPY, in CSV: nulls and empty strings stay apart."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal

import polars as pl
import psycopg
from psycopg import sql
from psycopg.pq.abc import PGresult

from mapping.qualification.truths import no_rows

#: Rows that are turned into CSV at a time, so that a large frame needs no second copy of itself.
ROWS_AT_A_TIME = 50_000

_SQL_TYPES: Mapping[type[pl.DataType], str] = {
    pl.String: "text",
    pl.Int64: "bigint",
    pl.Float64: "double precision",
    pl.Int32: "integer",
    pl.Int16: "integer",
    pl.Boolean: "boolean",
    pl.Date: "date",
    pl.Datetime: "timestamptz",
}

_EPOCH, _MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)
#: How a word of PostgreSQL's is read, and as what it is kept before it has its type.
_READ: Mapping[type[pl.DataType], tuple[Callable[[bytes], Any], pl.DataType]] = {
    pl.String: (bytes.decode, pl.String()),
    pl.Int64: (int, pl.Int64()),
    pl.Int32: (int, pl.Int64()),
    pl.Int16: (int, pl.Int64()),
    pl.Float64: (float, pl.Float64()),
    pl.Boolean: (lambda word: word == b"t", pl.Boolean()),
    pl.Date: (lambda word: date.fromisoformat(word.decode()).toordinal() - _EPOCH.toordinal(), pl.Int32()),
    pl.Datetime: (
        lambda word: (datetime.fromisoformat(word.decode()) - _EPOCH) // _MICROSECOND,
        pl.Int64(),
    ),
}

#: Stands around texts, read and written: JSON is full of the usual quotes, and each would have to be doubled.
_QUOTE = "\x01"


def copy_in(connection: psycopg.Connection, table: str, frame: pl.DataFrame) -> None:
    """Append a frame to a table; columns are matched by name.

    Zero bytes are left out of texts: a CRM may send them, and PostgreSQL holds none.
    """
    columns = sql.SQL(", ").join(sql.Identifier(name) for name in frame.columns)
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT csv, QUOTE {})").format(
        sql.Identifier(table), columns, sql.Literal(_QUOTE)
    )
    with connection.cursor().copy(statement) as copy:
        for part in frame.iter_slices(ROWS_AT_A_TIME):
            copy.write(_as_csv(part))


def _as_csv(frame: pl.DataFrame) -> bytes:
    # Alone on its line and without quotes, "\\." ends the data before PostgreSQL 18.
    quotes: Literal["necessary", "non_numeric"] = "non_numeric" if frame.width == 1 else "necessary"
    # Bytes and not a text: what is in UTF-8 already would be read and spelled anew, at three times the cost.
    buffer = io.BytesIO()
    frame.write_csv(
        buffer,
        include_header=False,
        quote_char=_QUOTE,
        quote_style=quotes,
        datetime_format="%Y-%m-%dT%H:%M:%S%.6f%z",
    )
    return buffer.getvalue().replace(b"\0", b"")


def as_temporary(
    connection: psycopg.Connection, name: str, frame: pl.DataFrame, *, only_read: bool = False
) -> None:
    """Make a temporary table of a frame, gone at the end of the transaction.

    Until then no table is read whole where an index leads to its rows: of tables that grew a minute ago the planner
    knows nothing, and would read them once for every row of the frame. ``only_read``: the transaction changes nothing,
    so that its end need not wait for the disk.
    """
    columns = sql.SQL(", ").join(
        sql.Identifier(column) + sql.SQL(f" {sql_type(dtype)}") for column, dtype in frame.schema.items()
    )
    made = sql.SQL(
        "SET LOCAL enable_seqscan = off; {}DROP TABLE IF EXISTS {}; CREATE TEMPORARY TABLE {} ({}) ON COMMIT DROP"
    ).format(
        sql.SQL("SET LOCAL synchronous_commit = off; " if only_read else ""),
        sql.Identifier("pg_temp", name),
        sql.Identifier(name),
        columns,
    )
    connection.execute(made, prepare=False)
    copy_in(connection, name, frame)


def sql_type(dtype: pl.DataType) -> str:
    """PostgreSQL's name of a column's type. Raises KeyError for a type that no frame of the store has."""
    return _SQL_TYPES[type(dtype)]


def read_frame(
    connection: psycopg.Connection,
    query: str,
    schema: Mapping[str, pl.DataType],
    parameters: Sequence[Any] | Mapping[str, Any] = (),
) -> pl.DataFrame:
    """The rows of a query as a frame of the given schema, by COPY. Columns are taken in order."""
    statement = sql.SQL("COPY ({}) TO STDOUT (FORMAT csv, QUOTE {})").format(
        sql.SQL(query), sql.Literal(_QUOTE)
    )
    buffer = io.BytesIO()
    with psycopg.ClientCursor(connection).copy(statement, parameters or None) as copy:
        for block in copy:
            buffer.write(block)
    return from_csv(buffer.getvalue(), schema)


def fetch_frame(
    connection: psycopg.Connection,
    query: str,
    schema: Mapping[str, pl.DataType],
    parameters: Mapping[str, Any],
) -> pl.DataFrame:
    """The few rows of a query as a frame of the given schema. Columns are taken in order.

    The parameters travel beside the statement, so that those about people stand in no log of the server's. COPY takes
    none.
    """
    return _frame_of(connection.execute(query.encode(), parameters).pgresult, schema)


def fetch_at_once(
    connection: psycopg.Connection,
    queries: Sequence[str],
    schema: Mapping[str, pl.DataType],
    parameters: Mapping[str, Any],
) -> pl.DataFrame:
    """The few rows of the last of some statements, which go to the server as one message and are one transaction there.

    The parameters stand in the statements: none about people.
    """
    with psycopg.ClientCursor(connection) as cursor:
        cursor.execute("; ".join(queries).encode(), parameters)
        for _ in queries[1:]:
            cursor.nextset()
        return _frame_of(cursor.pgresult, schema)


def _frame_of(found: PGresult | None, schema: Mapping[str, pl.DataType]) -> pl.DataFrame:
    if found is None or not found.ntuples:
        return no_rows(schema)
    rows = range(found.ntuples)
    return pl.DataFrame(
        [
            _read_each(name, dtype, [found.get_value(row, place) for row in rows])
            for place, (name, dtype) in enumerate(schema.items())
        ]
    )


def _read_each(name: str, dtype: pl.DataType, said: Sequence[bytes | None]) -> pl.Series:
    """A column of PostgreSQL's words, value by value: few of them are read before a column is asked."""
    reads, stored = _READ[type(dtype)]
    values = [None if word is None else reads(word) for word in said]
    return pl.Series(name, values, dtype=stored).cast(dtype)


def from_csv(data: bytes, schema: Mapping[str, pl.DataType]) -> pl.DataFrame:
    """Rows in CSV as a frame of the given schema; without any, an empty one. Columns are taken in order."""
    if not data:
        return no_rows(schema)
    as_text = {
        name: (pl.String() if isinstance(dtype, pl.Boolean | pl.Datetime) else dtype)
        for name, dtype in schema.items()
    }
    frame = pl.read_csv(data, has_header=False, schema=as_text, quote_char=_QUOTE)
    return _in_types(frame, schema)


def _in_types(frame: pl.DataFrame, schema: Mapping[str, pl.DataType]) -> pl.DataFrame:
    here = frame.schema
    typed = [_typed(name, dtype) for name, dtype in schema.items() if here[name] != dtype]
    return frame.with_columns(typed) if typed else frame


def _typed(name: str, dtype: pl.DataType) -> pl.Expr:
    if isinstance(dtype, pl.Date):
        return pl.col(name).str.to_date("%Y-%m-%d")
    if not isinstance(dtype, pl.Boolean | pl.Datetime):
        return pl.col(name).cast(dtype)
    if isinstance(dtype, pl.Boolean):
        return pl.col(name) == "t"
    return pl.col(name).str.to_datetime("%Y-%m-%d %H:%M:%S%.f%#z", time_unit="us").dt.convert_time_zone("UTC")
