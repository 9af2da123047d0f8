"""A backup of one PostgreSQL is restored on another, whole, by a user that owns nothing but its own tables."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from sync.errors import DatabaseAway
from sync.store.runs import Numbers
from sync.store.store import Store

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)


def _with_a_run(url: str) -> Store:
    store = Store(url, who="dana")
    store.use("4711", "00D000000000001AAA", NOW)
    run = store.runs.start("sync", NOW, None)
    # What COPY's text has to escape: tabs, line breaks, backslashes, and letters beyond ASCII.
    store.runs.end(run, "done", Numbers(), NOW, note="tab\tline\nback\\slash\\N Köln 東京")
    return store


def _database(url: str, name: str) -> str:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name}".encode())
        connection.execute(f"CREATE DATABASE {name}".encode())
    return url.replace("/postgres?", f"/{name}?")


def test_it_goes_from_one_server_to_the_other_and_back(
    embedded_url: str, machine_url: str, tmp_path: Path
) -> None:
    store = _with_a_run(_database(embedded_url, "archive_from"))
    [before] = store.runs.newest(9)
    there, again = tmp_path / "there.zip", tmp_path / "again.zip"
    store.archive.save(there, NOW, "1.0")
    store.close()

    other = Store(_database(machine_url, "archive_to"))
    done = other.archive.restore(there, NOW)
    other.use("4711", "00D000000000001AAA", NOW)
    assert other.runs.newest(9) == [before]
    assert other.audit.newest(9)[0].what == "restored"
    assert not done.knew_erasures
    other.archive.save(again, NOW, "1.0")
    other.close()

    back = Store(_database(embedded_url, "archive_back"))
    back.archive.restore(again, NOW)
    back.use("4711", "00D000000000001AAA", NOW)
    assert back.runs.newest(9) == [before]
    assert back.runs.start("sync", NOW, None) == before.run + 1
    back.close()


def test_what_others_built_on_our_tables_stops_a_restore_and_is_not_lost(
    server_url: str, tmp_path: Path
) -> None:
    url = _database(server_url, "archive_view")
    store = _with_a_run(url)
    path = tmp_path / "memory.zip"
    store.archive.save(path, NOW, "1.0")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE VIEW marketing AS SELECT stage, count(*) FROM lead GROUP BY stage")
    with pytest.raises(DatabaseAway, match="Nothing was changed"):
        store.archive.restore(path, NOW)
    assert len(store.runs.newest(9)) == 1
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT * FROM marketing").fetchall() == []
    store.close()
