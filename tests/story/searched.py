"""Our database searched for words, for the tests of who is forgotten."""

from __future__ import annotations

import psycopg


def _rows(database: str) -> dict[str, list[str]]:
    """Every table of the database as text, those of the job engine too. A view only shows what a table holds."""
    with psycopg.connect(database) as connection:
        names = connection.execute(
            "SELECT table_name FROM information_schema.tables"
            " WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"
        ).fetchall()
        return {
            name: [row[0] for row in connection.execute(f"SELECT t::text FROM {name} AS t".encode())]
            for (name,) in names
        }


def tables_with(database: str, *words: str) -> set[str]:
    """The tables that hold one of the words, in whatever case."""
    return {
        name
        for name, rows in _rows(database).items()
        if any(word.lower() in row.lower() for row in rows for word in words)
    }
