"""What a run asks the database costs as many look-ups as it names, whatever statistics the tables have.

A first sync fills tables within minutes. What the server knows of them then is how they were at some moment in between,
or nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import polars as pl
import psycopg
import pytest

from sync.halfdone import OPEN_INTENTS
from sync.store.handovers import Handovers
from sync.store.journal import HELD, Journal
from sync.store.laid import FEW
from sync.store.runs import Numbers, Runs
from sync.store.statements import load_statements

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
WRITES = 4_000
_MADE = (
    "INSERT INTO connection (hubspot_account, salesforce_account, first_seen) VALUES ('101', '00D1', now())",
    "INSERT INTO run (connection_id, command, started_at, ended_at, state) VALUES (1, 'sync', now(), now(), 'done')",
    "INSERT INTO run (connection_id, command, started_at) VALUES (1, 'sync', now())",
)
_WRITTEN = (
    "WITH part AS (INSERT INTO journal_part (connection_id, run_id) VALUES (1, %(run)s) RETURNING part_id)"
    " INSERT INTO journal (connection_id, run_id, part_id, lead_id, crm, object, record_id, noted_at, fields,"
    " crm_fields, before, after, why, lane, kind)"
    " SELECT 1, %(run)s, part_id, 'L' || md5(i::text), 'hubspot', 'contacts', i, now(), '{a,b}',"
    " '{a,b}', '{x}', '{x,y}', '{w}', '{live}', '{set}' FROM part, generate_series(1, %(many)s) AS i"
)
_DONE = b"UPDATE journal_part SET done_at = now()"


@pytest.fixture
def connection(migrated_database: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(migrated_database, autocommit=True, options="-c timezone=UTC") as opened:
        for statement in _MADE:
            opened.execute(statement.encode())
        yield opened


def _rows_read(connection: psycopg.Connection, table: str, act: Callable[[], object]) -> int:
    """The rows of a table that the session looks at meanwhile, by reading it whole or by an index."""
    count = (
        "SELECT coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) FROM pg_stat_xact_user_tables"
        " WHERE relname = %s"
    )
    with connection.transaction():
        before = connection.execute(count.encode(), [table]).fetchone() or (0,)
        act()
        after = connection.execute(count.encode(), [table]).fetchone() or (0,)
    return int(after[0]) - int(before[0])


def _open(connection: psycopg.Connection, run: int, many: int) -> None:
    connection.execute(_WRITTEN.encode(), {"run": run, "many": many})


def _as_written(connection: psycopg.Connection) -> None:
    _open(connection, 2, WRITES)
    connection.execute(_DONE)


def _analyzed_while_open(connection: psycopg.Connection) -> None:
    _open(connection, 2, WRITES)
    connection.execute("ANALYZE journal, journal_part, run")
    connection.execute(_DONE)


def _analyzed_early(connection: psycopg.Connection) -> None:
    _open(connection, 2, 5)
    connection.execute("ANALYZE journal, journal_part, run")
    connection.execute(_DONE)
    _as_written(connection)


@pytest.mark.parametrize("fill", [_as_written, _analyzed_while_open, _analyzed_early])
def test_open_intents_are_found_without_reading_what_was_written(
    connection: psycopg.Connection, fill: Callable[[psycopg.Connection], None]
) -> None:
    fill(connection)
    _open(connection, 1, 3)
    journal = Journal(connection, load_statements(), 1)
    found: list[pl.DataFrame] = []
    read = _rows_read(connection, "journal", lambda: found.append(journal.open_intents(OPEN_INTENTS)))
    assert found[0].select("lead_id").n_unique() == 3
    assert read < 100


def test_the_open_writes_of_the_run_that_asks_are_not_looked_at(connection: psycopg.Connection) -> None:
    journal, runs = (
        Journal(connection, load_statements(), 1),
        Runs(connection, load_statements(), 1, approved_at=None),
    )
    runs.end(1, "done", Numbers(), NOW)
    _open(connection, 2, WRITES)
    found: list[pl.DataFrame] = []
    read = _rows_read(connection, "journal", lambda: found.append(journal.open_intents(OPEN_INTENTS)))
    assert found[0].is_empty()
    assert read == 0
    leads = pl.Series("lead_id", [row[0] for row in connection.execute(b"SELECT lead_id FROM journal")])
    assert _rows_read(connection, "journal", lambda: journal.abandon(leads, 2, NOW)) == 0


def test_what_a_run_left_open_is_found_until_it_is_given_up(connection: psycopg.Connection) -> None:
    journal, runs = (
        Journal(connection, load_statements(), 1),
        Runs(connection, load_statements(), 1, approved_at=None),
    )
    _open(connection, 1, 3)
    leads = pl.Series("lead_id", [row[0] for row in connection.execute(b"SELECT lead_id FROM journal")])
    runs.end(1, "failed", Numbers(), NOW)
    for left in (3, 2, 0):
        assert journal.open_intents(OPEN_INTENTS)["lead_id"].n_unique() == left
        with connection.transaction():
            journal.abandon(leads.head(1) if left == 3 else leads, 2, NOW)
    assert connection.execute(b"SELECT run_id FROM journal_part WHERE done_at IS NULL").fetchall() == []


def test_what_is_asked_of_many_leads_reads_a_small_table_once_a_row_at_most(
    connection: psycopg.Connection,
) -> None:
    connection.execute(
        b"INSERT INTO handover (connection_id, lead_id, cycle, state, mql_at, run_id, reassigned)"
        b" SELECT 1, 'L' || i, 1, 'open', now(), 1, 0"
        b" FROM generate_series(1, 60) AS i"
    )
    connection.execute(b"ANALYZE handover")
    handovers = Handovers(connection, load_statements(), 1)
    leads = pl.Series("lead_id", [f"L{number}" for number in range(FEW * 3)])
    found: list[pl.DataFrame] = []
    read = _rows_read(connection, "handover", lambda: found.append(handovers.newest(leads)))
    assert found[0].height == 60
    assert read <= leads.len()


def test_what_is_held_already_is_not_written_again(connection: psycopg.Connection) -> None:
    waiting = pl.DataFrame(
        [
            {"held_key": f"ambiguous:hubspot:{number}", "kind": "ambiguous", "crm": "hubspot"}
            for number in "12"
        ]
    ).with_columns(object=pl.lit("contacts"), record_id="held_key", field=pl.lit(""), details=pl.lit("{}"))
    held = waiting.with_columns(lead_id=pl.lit(None, pl.String)).select(*HELD)
    told = held.with_columns(details=pl.Series(["{}", '{"why": "another"}']))
    journal, rows = Journal(connection, load_statements(), 1), []
    for frame in (held, held, told):
        with connection.transaction():
            journal.hold(frame, frame.select("crm", "record_id"), 1, NOW)
        found = connection.execute(
            b"SELECT xmin::text, xmax::text, details FROM held ORDER BY held_key"
        ).fetchall()
        rows.append(found)
    assert rows[1] == rows[0]
    assert rows[2][0] == rows[0][0]
    assert [details for *_, details in rows[2]] == ["{}", '{"why": "another"}']


@pytest.mark.parametrize("analyzed", [False, True])
def test_a_run_that_begins_looks_at_no_run_that_ended(
    connection: psycopg.Connection, *, analyzed: bool
) -> None:
    connection.execute(
        b"INSERT INTO run (connection_id, command, started_at, ended_at, state)"
        b" SELECT 1, 'sync', now(), now(), 'done' FROM generate_series(1, 4000)"
    )
    if analyzed:
        connection.execute(b"ANALYZE run")
    runs = Runs(connection, load_statements(), 1, approved_at=None)
    assert _rows_read(connection, "run", lambda: runs.start("sync", NOW, "p1")) < 100
