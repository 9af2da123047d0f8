"""The records of the pretend org in one SQLite file: a table an object, a column a field.

Text compares without regard to case, as SOQL does, and ids with regard to it.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from functools import cache, lru_cache
from pathlib import Path
from typing import Any
from zlib import crc32

from connectors.sandbox.salesforce import ids
from connectors.sandbox.salesforce.schema import NUMBERS, Field, Schema, SObject

#: Each set of columns that a save changes is a statement of its own, and to read one costs more than to carry it out.
STATEMENTS = 2_048

FIXED_TABLES = """
CREATE TABLE IF NOT EXISTS _counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS _setting (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS _custom_field (object TEXT, name TEXT, facts TEXT NOT NULL, PRIMARY KEY (object, name));
CREATE TABLE IF NOT EXISTS _token (token TEXT PRIMARY KEY, used TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS _cursor (locator TEXT PRIMARY KEY, soql TEXT NOT NULL, all_rows INTEGER NOT NULL,
  size INTEGER NOT NULL, total INTEGER NOT NULL, opened TEXT NOT NULL, rows BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS _uncounted (campaign TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS _deploy (id TEXT PRIMARY KEY, result TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS _purged (object TEXT NOT NULL, id TEXT NOT NULL, stamp TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS _late (number INTEGER PRIMARY KEY, object TEXT NOT NULL, id TEXT NOT NULL,
  is_new INTEGER NOT NULL, columns TEXT NOT NULL, stamp TEXT NOT NULL, due REAL NOT NULL);
CREATE TABLE IF NOT EXISTS _job (id TEXT PRIMARY KEY, kind TEXT NOT NULL, state TEXT NOT NULL,
  created TEXT NOT NULL, touched TEXT NOT NULL, facts TEXT NOT NULL, looks INTEGER NOT NULL, error TEXT NOT NULL,
  processed INTEGER NOT NULL, failed INTEGER NOT NULL, first INTEGER NOT NULL, total INTEGER NOT NULL,
  header TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS _job_row (number INTEGER PRIMARY KEY, job TEXT NOT NULL, kind TEXT NOT NULL,
  line TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS _job_row_job ON _job_row (job, kind);
CREATE TABLE IF NOT EXISTS _job_upload (job TEXT PRIMARY KEY, body BLOB NOT NULL);
"""


def quoted(name: str) -> str:
    """A name as an SQL identifier; names come from the schema, never from a request."""
    return '"' + name.replace('"', '""') + '"'


def fold(text: str | int | float | None) -> str | int | float | None:
    """Text in lower case, of any script; what is not text stays as it is."""
    return text.lower() if isinstance(text, str) else text


def column_type(field: Field) -> str:
    """The column of a field: its affinity and how it compares."""
    if field.type in ("boolean", "int"):
        return "INTEGER"
    if field.type in NUMBERS:
        return "REAL"
    if field.type in ("id", "reference", "date", "datetime") or field.case_sensitive:
        return "TEXT"
    return "TEXT COLLATE NOCASE"


@lru_cache(maxsize=STATEMENTS)
def _update(table: str, names: tuple[str, ...], key: str = "Id") -> str:
    return f"UPDATE {quoted(table)} SET {', '.join(f'{quoted(name)} = ?' for name in names)} WHERE {key} = ?"


@lru_cache(maxsize=STATEMENTS)
def _insert(table: str, names: tuple[str, ...]) -> str:
    columns, marks = ", ".join(map(quoted, names)), ", ".join("?" * len(names))
    return f"INSERT INTO {quoted(table)} ({columns}) VALUES ({marks})"


@cache
def layout_of(schema: Schema) -> int:
    """A number for what the tables of a schema have to be: another one where any column or index is another."""
    columns = [
        (sobject.name, sobject.stamp, each.name, column_type(each), has_index(each))
        for sobject in schema.objects.values()
        for each in sobject.fields.values()
        if each.stored
    ]
    return crc32(json.dumps(columns).encode()) >> 1  # SQLite keeps 31 bits and a sign


def has_index(field: Field) -> bool:
    """Whether records are looked for by a field."""
    return field.type == "email" or field.unique or field.external_id or field.child is not None


class Store:
    """The file and everything that is kept in it."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.db = sqlite3.connect(
            path, check_same_thread=False, isolation_level=None, cached_statements=STATEMENTS
        )
        # A killed process loses nothing; only a power cut would, and these records are pretended.
        self.db.execute("PRAGMA synchronous = OFF")
        # Of records as long as these, SQLite's own pages of 4,096 bytes would hold no more than a few.
        self.db.execute("PRAGMA page_size = 8192")
        self.db.execute("PRAGMA journal_mode = WAL")
        # Rows of a job lie all over the file: copied back after 64 MB, a page is copied once for many of them.
        self.db.execute("PRAGMA wal_autocheckpoint = 8000")
        self.db.execute("PRAGMA cache_size = -65536")
        self.db.execute("PRAGMA case_sensitive_like = OFF")
        self._ahead: dict[tuple[str, str], dict[str, Any]] = {}
        self.db.create_function("fold", 1, fold, deterministic=True)
        self.db.executescript(FIXED_TABLES)

    def close(self) -> None:
        """Write everything out and close the file."""
        self.db.close()

    def make_tables(self, schema: Schema) -> None:
        """A table with its indexes for each object that has none; nothing where the file was made for this schema."""
        layout = layout_of(schema)
        (made_for,) = self.db.execute("PRAGMA user_version").fetchone()
        if made_for == layout:
            return
        for sobject in schema.objects.values():
            columns = [
                f"{quoted(each.name)} {column_type(each)}"
                for each in sobject.fields.values()
                if each.stored and each.name != "Id"
            ]
            self.db.execute(
                f"CREATE TABLE IF NOT EXISTS {quoted(sobject.name)} "
                f"(row INTEGER PRIMARY KEY, Id TEXT NOT NULL UNIQUE, {', '.join(columns)})"
            )
            there = self._columns(sobject.name)
            for each in sobject.fields.values():
                if each.stored and each.name.lower() not in there:
                    self.add_column(sobject.name, each)  # a file of an older version may lack it
            self._index(sobject.name, sobject.stamp, f"{sobject.stamp}, Id")
            for each in sobject.fields.values():
                if has_index(each):
                    self._index(sobject.name, each.name, quoted(each.name))
        self.db.execute(f"PRAGMA user_version = {layout}")

    def _index(self, table: str, name: str, columns: str) -> None:
        self.db.execute(
            f"CREATE INDEX IF NOT EXISTS {quoted(f'{table}_{name}')} ON {quoted(table)} ({columns})"
        )

    def add_column(self, table: str, field: Field) -> None:
        """A column for a custom field, with an index when it identifies records."""
        if field.name.lower() not in self._columns(table):
            start = " DEFAULT 0" if field.type == "boolean" else ""
            self.db.execute(
                f"ALTER TABLE {quoted(table)} ADD COLUMN {quoted(field.name)} {column_type(field)}{start}"
            )
        if field.unique or field.external_id:
            self._index(table, field.name, quoted(field.name))

    def _columns(self, table: str) -> set[str]:
        """The names of a table's columns in lower case: to SQLite they are the same in any."""
        return {
            name.lower() for (name,) in self.db.execute("SELECT name FROM pragma_table_info(?)", (table,))
        }

    def next_number(self, name: str, count: int = 1) -> int:
        """The first of ``count`` numbers that nobody else will get."""
        row = self.db.execute(
            "INSERT INTO _counter VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = value + excluded.value "
            "RETURNING value",
            (name, count),
        ).fetchone()
        return int(row[0]) - count + 1

    def mint(self, prefix: str) -> str:
        """A new record id."""
        return ids.mint(prefix, self.next_number(prefix))

    def setting(self, name: str, default: Any = None) -> Any:
        """A value kept under a name, as JSON."""
        row = self.db.execute("SELECT value FROM _setting WHERE name = ?", (name,)).fetchone()
        return default if row is None else json.loads(row[0])

    def keep_setting(self, name: str, value: Any) -> None:
        """Keep a JSON value under a name."""
        self.db.execute("INSERT OR REPLACE INTO _setting VALUES (?, ?)", (name, json.dumps(value)))

    @contextmanager
    def ahead(self, table: str, record_ids: Sequence[str]) -> Iterator[None]:
        """Read so many records at once that are asked for one by one inside; each is handed out once."""
        self._ahead = {(table, row_id): row for row_id, row in self.of_ids(table, record_ids).items()}
        try:
            yield
        finally:
            self._ahead = {}

    def of_ids(
        self, table: str, record_ids: Sequence[str], wanted: AbstractSet[str] | None = None
    ) -> dict[str, dict[str, Any]]:
        """The records that have one of these ids, by it, with their columns in the order of the table.

        ``wanted``: the columns that whoever asks looks at, ``Id`` among them; None: all.
        """
        names = [each[0] for each in self.db.execute(f"SELECT * FROM {quoted(table)} LIMIT 0").description]
        columns = ", ".join(quoted(each) for each in names if wanted is None or each in wanted)
        marks = ", ".join("?" * len(record_ids))
        rows = self.rows(f"SELECT {columns} FROM {quoted(table)} WHERE Id IN ({marks})", record_ids)
        return {row["Id"]: row for row in rows}

    def row(self, sobject: SObject, record_id: str) -> dict[str, Any] | None:
        """One record with all its columns, deleted ones included."""
        known = self._ahead.pop((sobject.name, record_id), None)
        if known is not None:
            return known
        cursor = self.db.execute(f"SELECT * FROM {quoted(sobject.name)} WHERE Id = ?", (record_id,))
        found = cursor.fetchone()
        if found is None:
            return None
        return dict(zip((each[0] for each in cursor.description), found, strict=True))

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[dict[str, Any]]:
        """The rows of a statement as dictionaries."""
        cursor = self.db.execute(sql, values)
        names = [each[0] for each in cursor.description]
        return [dict(zip(names, found, strict=True)) for found in cursor]

    def values(self, table: str, column: str, wanted: Sequence[Any]) -> list[Any]:
        """Those of some values that records have in a column, as the records have them."""
        marks = ", ".join("?" * len(wanted))
        sql = f"SELECT {quoted(column)} FROM {quoted(table)} WHERE {quoted(column)} IN ({marks})"
        return [value for (value,) in self.db.execute(sql, wanted)]

    def insert(self, table: str, columns: Mapping[str, Any]) -> None:
        """Add one record."""
        self.db.execute(_insert(table, tuple(columns)), tuple(columns.values()))

    def update(self, table: str, record_id: str, columns: Mapping[str, Any]) -> None:
        """Change columns of one record."""
        self._ahead.pop((table, record_id), None)
        self.db.execute(_update(table, tuple(columns)), (*columns.values(), record_id))

    def update_many(self, table: str, names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Change the same columns of many records; each row has their values and then the record's row number."""
        self.db.executemany(_update(table, tuple(names), "row"), rows)

    def delete(self, table: str, record_id: str) -> None:
        """Remove one record."""
        self._ahead.pop((table, record_id), None)
        self.db.execute(f"DELETE FROM {quoted(table)} WHERE Id = ?", (record_id,))

    def insert_many(self, table: str, names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Add many records that have the same columns."""
        self.db.executemany(_insert(table, tuple(names)), rows)
