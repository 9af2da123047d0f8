"""A kept state is brought back whatever the pages of its file are like."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from connectors.sandbox.keeping import bring_back


def _made(path: Path, page: int, name: str) -> sqlite3.Connection:
    database = sqlite3.connect(path, isolation_level=None)
    database.execute(f"PRAGMA page_size = {page}")
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("CREATE TABLE person (name TEXT)")
    database.execute("INSERT INTO person VALUES (?)", (name,))
    return database


@pytest.mark.parametrize("page", [4_096, 8_192, 16_384])
def test_a_state_that_another_version_kept_is_brought_back(tmp_path: Path, page: int) -> None:
    _made(tmp_path / "made.sqlite", page, "Änne").close()
    # Kept as a shelf keeps it: a copy by SQLite's backup.
    with (
        closing(sqlite3.connect(tmp_path / "made.sqlite")) as made,
        closing(sqlite3.connect(tmp_path / "kept")) as kept,
    ):
        made.backup(kept)

    with closing(_made(tmp_path / "open.sqlite", 8_192, "Ben")) as database:
        bring_back(tmp_path / "kept", database)
        assert database.execute("SELECT name FROM person").fetchall() == [("Änne",)]
        assert database.execute("PRAGMA page_size").fetchone() == (8_192,)
