"""The schema: brought up once, by whoever comes first, and never by guess; and the server that comes with us."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import psycopg
import pytest

from sync.errors import DatabaseAway
from sync.store.embedded import EmbeddedServer
from sync.store.migrate import Migration, known_migrations, migrate
from sync.store.store import Store

ROOT = Path(__file__).resolve().parents[2]

OPENER = """
import sys
from sync.store.store import Store
sys.stdin.readline()
print(len(Store(sys.argv[1]).migrated), flush=True)
"""
USER = """
import sys, pathlib
from sync.store.embedded import EmbeddedServer
server = EmbeddedServer(pathlib.Path(sys.argv[1]))
print(server.url, flush=True)
sys.stdin.readline()
server.close()
"""


@contextmanager
def _process(script: str, argument: str) -> Iterator[subprocess.Popen[str]]:
    started = subprocess.Popen(
        [sys.executable, "-c", script, argument],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    try:
        yield started
    finally:
        started.communicate()


@pytest.fixture
def connection(database: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database, autocommit=True) as opened:
        yield opened


def _tables(connection: psycopg.Connection) -> set[str]:
    rows = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
    return {row[0] for row in rows}


def test_a_new_database_is_brought_up_and_then_left_alone(connection: psycopg.Connection) -> None:
    assert migrate(connection) == known_migrations()
    assert {"lead", "link", "base", "journal", "claim", "verdict"} <= _tables(connection)
    assert migrate(connection) == []


def test_two_processes_that_start_at_once_migrate_once(database: str) -> None:
    with _process(OPENER, database) as one, _process(OPENER, database) as other:
        said = []
        for process in (one, other):
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        for process in (one, other):
            assert process.stdout is not None
            said.append(int(process.stdout.readline()))
    assert sorted(said) == [0, len(known_migrations())]


def test_a_newer_database_is_refused_and_left_as_it_is(database: str, connection: psycopg.Connection) -> None:
    newer = [*known_migrations(), Migration(999, "from_tomorrow", "CREATE TABLE tomorrow (a int)")]
    migrate(connection, newer)
    with pytest.raises(DatabaseAway) as refused:
        Store(database)
    assert "newer than this program" in str(refused.value)
    assert "999" in str(refused.value)
    assert "version" in refused.value.fix
    assert refused.value.exit_code == 4


def test_a_migration_that_was_changed_after_it_was_applied_is_refused(connection: psycopg.Connection) -> None:
    migrate(connection)
    first, *rest = known_migrations()
    with pytest.raises(DatabaseAway, match="another form"):
        migrate(connection, [replace(first, sql=first.sql + "-- other"), *rest])


def test_a_migration_that_fails_leaves_nothing_behind(connection: psycopg.Connection) -> None:
    broken = [*known_migrations(), Migration(999, "broken", "CREATE TABLE half (a int); SELECT 1/0")]
    with pytest.raises(psycopg.errors.DivisionByZero):
        migrate(connection, broken)
    assert _tables(connection) == set()


@dataclass
class _OldServer:
    """A connection to a server that says it is PostgreSQL 14."""

    server_version: int = 140_011

    @property
    def info(self) -> _OldServer:
        return self


def test_a_server_older_than_15_is_refused_before_anything_is_asked_of_it() -> None:
    with pytest.raises(DatabaseAway, match="PostgreSQL 14 is too old") as refused:
        migrate(cast(Any, _OldServer()))
    assert "embedded" in refused.value.fix


class TestEmbedded:
    """The server that comes with us: shared while somebody uses it, stopped by the last to leave."""

    @pytest.fixture
    def folder(self) -> Iterator[Path]:
        # Not below pytest's own folder: for root the server runs as another user, who has to get through to it,
        # and every pytest that starts closes its folder to others again.
        with tempfile.TemporaryDirectory(prefix="leadpact-state-") as parent:
            yield Path(parent) / "state" / "postgresql"

    def _joined(self, process: subprocess.Popen[str]) -> str:
        assert process.stdout is not None
        return process.stdout.readline().strip()

    def _answers(self, url: str) -> bool:
        try:
            psycopg.connect(url).close()
        except psycopg.OperationalError:
            return False
        return True

    def test_its_folder_is_closed_to_other_users(self, folder: Path) -> None:
        server = EmbeddedServer(folder)
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        server.close()

    def test_the_last_to_leave_stops_it(self, folder: Path) -> None:
        with _process(USER, str(folder)) as one:
            url = self._joined(one)
            here = EmbeddedServer(folder)
            assert here.url == url
        assert self._answers(url)
        here.close()
        assert not self._answers(url)

    def test_two_handles_in_one_process_are_two_users(self, folder: Path) -> None:
        one, other = EmbeddedServer(folder), EmbeddedServer(folder)
        one.close()
        one.close()
        assert self._answers(other.url)
        other.close()
        assert not self._answers(other.url)

    def test_it_outlives_a_killed_user_and_still_stops(self, folder: Path) -> None:
        here = EmbeddedServer(folder)
        with _process(USER, str(folder)) as killed:
            assert self._joined(killed) == here.url
            os.kill(killed.pid, signal.SIGKILL)
            killed.wait()
        assert self._answers(here.url)
        here.close()
        until = time.monotonic() + 60
        while self._answers(here.url) and time.monotonic() < until:
            time.sleep(0.05)
        assert not self._answers(here.url)

    def test_who_left_and_comes_back_is_a_user_again(self, folder: Path) -> None:
        with _process(USER, str(folder)) as other:
            self._joined(other)
            EmbeddedServer(folder).close()
            again = EmbeddedServer(folder)
        assert self._answers(again.url)
        again.close()

    def test_data_of_another_postgresql_is_refused_with_a_fix(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        (folder / "PG_VERSION").write_text("13\n")
        with pytest.raises(DatabaseAway, match="another PostgreSQL") as refused:
            EmbeddedServer(folder)
        assert "db backup" in refused.value.fix
