"""The database that many stories share: as new for each of them, or given up."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from sync.store.store import Store

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def shared(embedded_url: str, reused: Callable[[str, str], Any]) -> Any:
    return reused(embedded_url, "shared")


@pytest.fixture
def url(shared: Any) -> str:
    return str(shared.empty())


def execute(url: str, statement: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        done = connection.execute(statement.encode())
        return done.fetchall() if done.description else []


def leave_rows(url: str) -> None:
    store = Store(url)
    store.use("101", "00D1", NOW)
    store.close()
    execute(
        url, "INSERT INTO procrastinate_jobs (queue_name, task_name, priority) VALUES ('live', 'look', 0)"
    )


def test_rows_and_numbers_that_a_story_left_are_gone(shared: Any, url: str) -> None:
    leave_rows(url)
    tables, sequences = shared.rows()
    assert {"connection", "procrastinate_jobs"} <= tables.keys()
    assert {"connection_connection_id_seq", "procrastinate_jobs_id_seq"} <= sequences.keys()

    assert shared.empty() == url

    assert shared.rows() == ({}, {})
    leave_rows(url)
    assert execute(url, "SELECT connection_id FROM connection") == [(1,)]


def test_what_was_held_is_put_back_with_its_numbers(shared: Any, url: str) -> None:
    leave_rows(url)
    held = shared.rows()
    assert shared.empty() == url

    shared.put_back(held)

    assert shared.rows() == held
    leave_rows(url)
    assert execute(url, "SELECT id FROM procrastinate_jobs ORDER BY id") == [(1,), (2,)]


def test_whoever_is_still_connected_is_so_no_longer(shared: Any, url: str) -> None:
    with psycopg.connect(url) as left_open:
        left_open.execute("LOCK TABLE connection")
        assert shared.empty() == url
        with pytest.raises(psycopg.OperationalError):
            left_open.execute("SELECT 1")


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE lead ADD COLUMN mood text",
        "ALTER TABLE run ALTER COLUMN command DROP NOT NULL",
        "CREATE TABLE of_a_later_version (id int)",
        "CREATE INDEX by_command ON run (command)",
        "DROP TABLE claim",
        "INSERT INTO schema_migration SELECT 9999, 'later', now()",
        "CREATE SCHEMA elsewhere",
        "DROP SCHEMA public CASCADE; CREATE SCHEMA public",
        "ALTER TABLE run DISABLE TRIGGER ALL; CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET work_mem = 64', current_database()); END $$",
    ],
)
def test_a_database_of_another_shape_is_given_up(shared: Any, url: str, change: str) -> None:
    execute(url, change)
    assert shared.empty() != url
    assert shared.rows() == ({}, {})
