"""Databases of one server: made for a test, or one for many tests that is emptied and compared with a new one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import psycopg

from sync.store.store import Store

_NUMBERS = count(1)
#: Everything that a database is but for its rows: columns, indexes, constraints, functions, triggers, kinds, owners,
#: rights, settings, the migrations it has seen, and what it does for other databases.
SHAPE = """
SELECT md5(string_agg(line, chr(10) ORDER BY line)) FROM (
  SELECT concat_ws(' ', c.relkind, c.relname, c.relacl, c.reloptions, a.attnum, a.attname, a.attnotnull,
                   format_type(a.atttypid, a.atttypmod), pg_get_expr(d.adbin, d.adrelid)) AS line
    FROM pg_class c LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
   WHERE c.relnamespace = 'public'::regnamespace
  UNION ALL SELECT pg_get_indexdef(indexrelid) FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
             WHERE c.relnamespace = 'public'::regnamespace
  UNION ALL SELECT concat_ws(' ', conrelid::regclass, conname, pg_get_constraintdef(oid)) FROM pg_constraint
             WHERE connamespace = 'public'::regnamespace
  UNION ALL SELECT concat_ws(' ', proname, prosrc, proacl) FROM pg_proc WHERE pronamespace = 'public'::regnamespace
  UNION ALL SELECT concat_ws(' ', tgrelid::regclass, tgname, tgenabled) FROM pg_trigger WHERE NOT tgisinternal
  UNION ALL SELECT concat_ws(' ', enumtypid::regtype, enumlabel, enumsortorder) FROM pg_enum
  UNION ALL SELECT concat_ws(' ', nspname, nspowner, CASE nspname WHEN 'public' THEN obj_description(oid) END)
              FROM pg_namespace WHERE nspname !~ '^pg_(temp|toast_temp)_'
  UNION ALL SELECT extname FROM pg_extension
  UNION ALL SELECT concat_ws(' ', setconfig) FROM pg_db_role_setting
  UNION ALL SELECT slot_name::text FROM pg_replication_slots
  UNION ALL SELECT schema_migration::text FROM schema_migration
) AS everything
"""
#: What is the same as long as nothing that SHAPE reads was changed, in a tenth of its time: a row that comes or is
#: changed brings its transaction's number along, which is larger than any before, and one that goes is not counted.
TOUCHED = " UNION ALL ".join(
    [
        f"SELECT concat_ws(' ', '{table}', count(*), sum(xmin::text::bigint)) FROM {table}"
        for table in (
            *("pg_class", "pg_attribute", "pg_attrdef", "pg_index", "pg_constraint", "pg_proc", "pg_trigger"),
            *("pg_type", "pg_enum", "pg_description", "pg_extension", "pg_db_role_setting"),
            "schema_migration",
        )
    ]
    + [
        # Not those that the server makes for temporary tables, and keeps.
        "SELECT concat_ws(' ', count(*), sum(xmin::text::bigint)) FROM pg_namespace"
        " WHERE nspname !~ '^pg_(temp|toast_temp)_'",
        "SELECT string_agg(slot_name::text, ' ') FROM pg_replication_slots",
    ]
)
#: The number of the next transaction on the server that writes anything.
NEXT_WRITE = "SELECT pg_snapshot_xmax(pg_current_snapshot())"
ROWS = (
    "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    " AND relname <> 'schema_migration'"
)
OTHERS_END = (
    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


#: Each table with its rows, and each sequence that has begun with its last number.
Rows = tuple[dict[str, bytes], dict[str, int]]


class Reused:
    """One migrated database of a server for many tests. One that a test has left in another shape is given up."""

    def __init__(self, server_url: str, name: str) -> None:
        self._server, self._name, self._numbers = server_url, name, count(1)
        self._url = self._shape = ""
        self._touched: list[Any] = []
        self._next_write: Any = None

    def empty(self) -> str:
        """The address of a migrated database without rows. Ends every connection to it."""
        if self._url:
            with psycopg.connect(self._url, autocommit=True) as connection:
                connection.execute(OTHERS_END)
                if connection.execute(NEXT_WRITE).fetchone() == self._next_write:
                    return self._url  # nobody has written since it was found as new
                if connection.execute("SELECT to_regclass('schema_migration')").fetchone() != (None,):
                    forget_rows(connection)
                    if self._is_as_new(connection):
                        self._next_write = connection.execute(NEXT_WRITE).fetchone()
                        return self._url
        return self._new()

    def _is_as_new(self, connection: psycopg.Connection[Any]) -> bool:
        touched = connection.execute(TOUCHED.encode()).fetchall()
        if touched != self._touched:
            if connection.execute(SHAPE.encode()).fetchone() != (self._shape,):
                return False
            self._touched = touched
        return True

    def _new(self) -> str:
        name = f"{self._name}_{os.getpid()}_{next(self._numbers)}"
        with psycopg.connect(self._server, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE template0".encode())
        self._url = self._server.replace("/postgres?", f"/{name}?", 1)
        Store(self._url).close()
        with psycopg.connect(self._url, autocommit=True) as connection:
            (self._shape,) = connection.execute(SHAPE.encode()).fetchone() or ("",)
            self._touched = connection.execute(TOUCHED.encode()).fetchall()
            self._next_write = connection.execute(NEXT_WRITE).fetchone()
        return self._url

    def rows(self) -> Rows:
        """Every row, and how far its sequences are."""
        with psycopg.connect(self._url) as connection:
            tables = {}
            for name in _tables_with_rows(connection):
                with connection.cursor().copy(f'COPY "{name}" TO STDOUT'.encode()) as copied:
                    tables[name] = b"".join(map(bytes, copied))
            begun = "SELECT sequencename, last_value FROM pg_sequences WHERE last_value IS NOT NULL"
            return tables, dict(connection.execute(begun.encode()).fetchall())

    def put_back(self, rows: Rows) -> None:
        """Into the empty database what it held at another time."""
        tables, sequences = rows
        with psycopg.connect(self._url) as connection:
            connection.execute("SET LOCAL session_replication_role = replica")
            for name, lines in tables.items():
                with connection.cursor().copy(f'COPY "{name}" FROM STDIN'.encode()) as copied:
                    copied.write(lines)
            for name, last in sequences.items():
                connection.execute("SELECT setval(%s, %s)", (name, last))


def forget_rows(connection: psycopg.Connection[Any]) -> None:
    """Empty every table, row by row: most have none, and to truncate them all makes hundreds of files anew."""
    with connection.transaction():
        # As a replica does: keys between tables, and what a row's end sets off, are not asked for.
        connection.execute("SET LOCAL session_replication_role = replica")
        for name in _tables_with_rows(connection):
            connection.execute(f'DELETE FROM "{name}"'.encode())
        connection.execute(
            "SELECT setval(format('%I.%I', schemaname, sequencename), start_value, false) FROM pg_sequences"
            " WHERE last_value IS NOT NULL"
        )


def _tables_with_rows(connection: psycopg.Connection[Any]) -> list[str]:
    names = [name for (name,) in connection.execute(ROWS)]
    looks = (f"SELECT '{name}' WHERE EXISTS (SELECT FROM \"{name}\")" for name in names)
    return [name for (name,) in connection.execute(" UNION ALL ".join(looks).encode())]


@contextmanager
def made(server_url: str, template: str) -> Iterator[str]:
    name = f"test_{os.getpid()}_{next(_NUMBERS)}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}".encode())
    yield server_url.replace("/postgres?", f"/{name}?")
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
