"""Writes that were noted together end together and are not written again; what ended otherwise says so itself."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import psycopg
import pytest

from sync.halfdone import OPEN_INTENTS
from sync.store.archive_file import Contents, new_file
from sync.store.journal import INTENTS, RESULTS
from sync.store.migrate import known_migrations, migrate
from sync.store.runs import Numbers
from sync.store.store import Store

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
LATER = NOW + timedelta(minutes=5)


def _change(lead: str, **more: Any) -> dict[str, Any]:
    return {
        **{"lead_id": lead, "crm": "hubspot", "object": "contacts", "record_id": lead[1:], "field": "city"},
        **{"crm_field": "hs_city", "before": "Bonn", "after": "Köln", "why": "Salesforce changed it"},
        **{"lane": "live", "kind": "set", "state": "written", "stored": None, **more},
    }


def _intended(store: Store, *rows: dict[str, Any]) -> int:
    run = store.runs.start("sync", NOW, "p1")
    _noted(store, run, *rows)
    return run


def _noted(store: Store, run: int, *rows: dict[str, Any]) -> None:
    with store.transaction():
        store.journal.intend(pl.DataFrame(rows).select(*INTENTS), run, NOW)


def _settled(store: Store, run: int, *rows: dict[str, Any]) -> None:
    with store.transaction():
        store.journal.settle(
            pl.DataFrame(rows, schema_overrides={"stored": pl.String}).select(*RESULTS), run, LATER
        )


def _told(store: Store, run: int) -> dict[str, tuple[Any, ...]]:
    return {row["lead_id"]: (row["record_id"], row["state"]) for row in store.journal.changes_of_run(run)}


def _places(looking: psycopg.Connection) -> dict[str, str]:
    """Lead to where its write is stored: a row that is written anew stands elsewhere."""
    return {row[0]: row[1] for row in looking.execute(b"SELECT lead_id, ctid::text FROM journal")}


@pytest.fixture
def looking(migrated_database: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(migrated_database, autocommit=True, options="-c timezone=UTC") as opened:
        yield opened


def test_a_write_that_ended_as_it_was_noted_is_not_stored_a_second_time(
    store: Store, looking: psycopg.Connection
) -> None:
    usual, refused = _change("L1"), _change("L2", state="refused")
    run = _intended(store, usual, refused)
    stood = _places(looking)
    _settled(store, run, usual, refused)
    stands = _places(looking)
    assert [lead for lead in stood if stood[lead] == stands[lead]] == ["L1"]
    assert _told(store, run) == {"L1": ("1", "written"), "L2": ("2", "refused")}
    (told,) = store.journal.changes_of_lead("L1", 9)
    assert (told["noted_at"], told["done_at"]) == (NOW, LATER)


def test_what_is_not_told_of_stays_open_and_the_others_have_ended(store: Store) -> None:
    first, second = _change("L1"), _change("L2")
    run = _intended(store, first, second)
    _settled(store, run, first)
    assert _told(store, run) == {"L1": ("1", "written"), "L2": ("2", "intent")}
    _settled(store, run, second)
    assert _told(store, run) == {"L1": ("1", "written"), "L2": ("2", "written")}


def test_a_write_that_never_began_stays_open(store: Store) -> None:
    first, second = _change("L1"), _change("L2")
    run = _intended(store, first, second)
    _settled(store, run, first, {**second, "state": "intent"})
    store.runs.end(run, "failed", Numbers(), LATER)
    assert store.journal.open_intents(OPEN_INTENTS)["lead_id"].to_list() == ["L2"]
    assert store.standing.backlog().intents == 1


def test_two_parts_of_a_run_end_each_for_itself(store: Store) -> None:
    first, second = _change("L1"), _change("L2")
    run = _intended(store, first)
    _noted(store, run, second)
    _settled(store, run, second)
    assert _told(store, run) == {"L1": ("1", "intent"), "L2": ("2", "written")}


def test_what_another_run_gave_up_stays_unknown_when_the_rest_of_its_part_ends(store: Store) -> None:
    first, second = _change("L1"), _change("L2")
    run = _intended(store, first, second)
    other = store.runs.start("sync", NOW, "p1")
    with store.transaction():
        store.journal.abandon(pl.Series("lead_id", ["L1"]), other, NOW)
    assert _told(store, run) == {"L1": ("1", "unknown"), "L2": ("2", "intent")}
    _settled(store, run, first, second)
    assert _told(store, run) == {"L1": ("1", "unknown"), "L2": ("2", "written")}


def test_the_parts_of_the_dead_are_done_when_nothing_of_them_is_open(
    store: Store, looking: psycopg.Connection
) -> None:
    run = _intended(store, _change("L1"), _change("L2"))
    store.runs.end(run, "failed", Numbers(), NOW)
    other = store.runs.start("sync", NOW, "p1")
    for lead, left in (("L1", 1), ("L2", 0)):
        with store.transaction():
            store.journal.abandon(pl.Series("lead_id", [lead]), other, LATER)
        open_parts = looking.execute(b"SELECT FROM journal_part WHERE done_at IS NULL").fetchall()
        assert (len(open_parts), store.journal.open_intents(OPEN_INTENTS).height) == (left, left)
    assert {state for _, state in _told(store, run).values()} == {"unknown"}


_PACKED = """
INSERT INTO journal (connection_id, run_id, lead_id, crm, object, record_id, state, noted_at, done_at, ends,
                     fields, crm_fields, before, after, why, lane, kind)
SELECT 1, run, lead, 'hubspot', 'contacts', '7', state, '2026-11-22 08:00Z', done_at, ends::jsonb,
       '{a,b}', '{ha,hb}', '{x}', '{x,y}', '{w}', '{live}', '{set}'
  FROM (VALUES (1, 'L1', 'written', '2026-11-22 08:01Z'::timestamptz, '{"b": {"stored": "z"}}'),
               (1, 'L2', 'refused', '2026-11-22 08:01Z', NULL), (1, 'L3', 'intent', NULL, NULL),
               (2, 'L4', 'intent', NULL, NULL)) AS rows(run, lead, state, done_at, ends)
"""
_SHOWN = b"SELECT * FROM journal_field ORDER BY journal_id, place"


def test_a_journal_from_before_there_were_parts_says_the_same(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        migrate(connection, [step for step in known_migrations() if step.number < 45])
        connection.execute(
            "INSERT INTO connection (hubspot_account, salesforce_account, first_seen) VALUES ('101', '00D1', now())"
        )
        connection.execute(
            "INSERT INTO run (connection_id, command, started_at, ended_at) SELECT 1, 'sync', now(), now()"
            " FROM generate_series(1, 2)"
        )
        connection.execute(_PACKED)
        said = connection.execute(_SHOWN).fetchall()
        migrate(connection)
        assert connection.execute(_SHOWN).fetchall() == said
    store = Store(database)
    try:
        store.use("101", "00D1", NOW)
        assert set(store.journal.open_intents(OPEN_INTENTS)["lead_id"]) == {"L3", "L4"}
        run = store.runs.start("sync", NOW, "p1")
        with store.transaction():
            store.journal.abandon(pl.Series("lead_id", ["L1", "L2", "L3"]), run, NOW)
        assert set(store.journal.open_intents(OPEN_INTENTS)["lead_id"]) == {"L4"}
        assert _told(store, 1) == {"L1": ("7", "written"), "L2": ("7", "refused"), "L3": ("7", "unknown")}
    finally:
        store.close()


def test_parts_are_numbered_after_those_that_a_backup_from_before_them_was_given(
    store: Store, tmp_path: Path
) -> None:
    _intended(store, _change("L9"))
    past = {step.number: step.checksum for step in known_migrations() if step.number < 45}
    rest = ["L1", "hubspot", "contacts", "intent", "2026-11-22 08:00+00", *["{x}"] * 7]
    with new_file(tmp_path / "older.zip") as file:
        file.add(
            "connection",
            ["connection_id", "hubspot_account", "salesforce_account", "first_seen"],
            [b"7\t101\t00D1\t2026-01-02 03:04:05+00\n"],
        )
        file.add(
            "journal",
            [
                *("connection_id", "run_id", "lead_id", "crm", "object", "state", "noted_at", "fields"),
                *("crm_fields", "before", "after", "why", "lane", "kind"),
            ],
            ["\t".join(["7", str(run), *rest]).encode() + b"\n" for run in (1, 2, 3)],
        )
        file.finish(Contents(NOW, "0.0.1", past, file.tables, {"run_run_id_seq": 3}))
    store.runs.end(store.runs.latest(), "failed", Numbers(), NOW)
    store.archive.restore(tmp_path / "older.zip", NOW)
    store.use("101", "00D1", NOW)
    run = _intended(store, _change("L2"))
    assert _told(store, run) == {"L2": ("2", "intent")}
