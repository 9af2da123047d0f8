"""The file of a new account, and one of another version."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from connectors.sandbox.clock import SandboxClock
from connectors.sandbox.newfile import lay_down, start_again
from connectors.sandbox.salesforce.org import Org


def with_one_row(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("CREATE TABLE note (text TEXT)")
        database.execute("INSERT INTO note VALUES ('new')")


def notes(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as database:
        return [text for (text,) in database.execute("SELECT text FROM note")]


def told(org: Org) -> dict[str, list[tuple[object, ...]]]:
    tables = [name for (name,) in org.store.db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    return {name: org.store.db.execute(f'SELECT * FROM "{name}"').fetchall() for name in sorted(tables)}


def clock() -> SandboxClock:
    standing = SandboxClock(None)
    standing.set(datetime(2026, 11, 20, 9, tzinfo=UTC))
    return standing


def test_a_file_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "somewhere" / "account.sqlite"
    lay_down(path, with_one_row)
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("UPDATE note SET text = 'mine'")

    lay_down(path, with_one_row)

    assert notes(path) == ["mine"]


def test_what_is_left_of_a_removed_file_does_not_come_back_in_the_next(tmp_path: Path) -> None:
    path = tmp_path / "account.sqlite"
    lay_down(path, with_one_row)
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("UPDATE note SET text = 'mine'")
        left = path.with_name("account.sqlite-wal").read_bytes()
    path.unlink()
    path.with_name("account.sqlite-wal").write_bytes(left)

    lay_down(path, with_one_row)

    assert notes(path) == ["new"]


def test_an_open_file_that_starts_again_holds_what_a_new_one_holds(tmp_path: Path) -> None:
    path = tmp_path / "account.sqlite"
    lay_down(path, with_one_row)
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("CREATE TABLE more (text TEXT)")
        database.execute("DELETE FROM note")

        start_again(database, with_one_row)

        assert database.execute("SELECT name FROM sqlite_master").fetchall() == [("note",)]
    assert notes(path) == ["new"]


def test_a_reset_org_holds_what_a_new_one_holds(tmp_path: Path) -> None:
    new, used = Org(tmp_path / "new", clock()), Org(tmp_path / "used", clock())
    used.store.db.execute("DELETE FROM User")
    used.store.db.execute("CREATE TABLE Shelf (Id TEXT)")

    used.reset()

    assert told(used) == told(new)
    new.store.close()
    used.store.close()


def test_a_file_of_another_version_gets_the_columns_and_indexes_that_it_lacks(tmp_path: Path) -> None:
    first = Org(tmp_path, clock())
    whole = first.store.db.execute("SELECT name FROM pragma_table_info('Lead')").fetchall()
    for statement in (
        "DROP INDEX Lead_Email",
        "ALTER TABLE Lead DROP COLUMN Email",
        "PRAGMA user_version = 1",
    ):
        first.store.db.execute(statement)
    first.store.close()

    again = Org(tmp_path, clock())

    found = again.store.db.execute("SELECT name FROM pragma_table_info('Lead')").fetchall()
    assert set(found) == set(whole)
    assert again.store.db.execute("SELECT 1 FROM sqlite_master WHERE name = 'Lead_Email'").fetchone()
    again.store.close()
