"""The journal keeps a write of a record as one row, and tells of it field by field; rows of before are told alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import polars as pl
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sync.halfdone import OPEN_INTENTS
from sync.store.journal import INTENTS, RESULTS
from sync.store.migrate import known_migrations, migrate
from sync.store.runs import Numbers
from sync.store.store import Store

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
#: What a CRM may hold: what PostgreSQL's arrays, JSON and CSV write otherwise among it.
WORDS = st.none() | st.sampled_from(
    ["", " ", "NULL", "null", '"', "\\", "{}", "a,b", "\\.", "é\n\t", "\x1f", "''"]
)
WORDS |= st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6)
BY_FIELD = "run_id, lead_id, crm, record_id, field, crm_field, before, after, why, lane, kind, state, stored"


def _change(lead: str, field: str, **more: Any) -> dict[str, Any]:
    return {
        **{"lead_id": lead, "crm": "hubspot", "object": "contacts", "record_id": lead[1:], "field": field},
        **{"crm_field": f"hs_{field}", "before": None, "after": "new", "why": "Salesforce changed it"},
        **{"lane": "live", "kind": "set", "stored": None, **more},
    }


def _frame(schema: Mapping[str, pl.DataType], rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame([{name: row.get(name) for name in schema} for row in rows], schema=dict(schema))


def _settled(store: Store, intended: list[dict[str, Any]], ended: list[dict[str, Any]]) -> int:
    run = store.runs.start("sync", NOW, "p1")
    store.journal.intend(_frame(INTENTS, intended), run, NOW)
    with store.transaction():
        store.journal.settle(_frame(RESULTS, ended), run, NOW)
    return run


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(WORDS, WORDS, WORDS, st.sampled_from(["written", "ignored", "refused"])), min_size=1)
)
def test_every_field_is_told_as_it_was_noted_and_as_it_ended(
    store: Store, told: list[tuple[str | None, str | None, str | None, str]]
) -> None:
    noted = [
        _change(f"L{place % 3}", f"f{place}", before=before, after=after, why=f"why {place % 2}")
        for place, (before, after, _, _) in enumerate(told)
    ]
    ended = [
        {**row, "stored": stored, "state": state}
        for row, (*_, stored, state) in zip(noted, told, strict=True)
    ]
    run = _settled(store, noted, ended)
    found = {(row["lead_id"], row["field"]): row for row in store.journal.changes_of_run(run)}
    assert len(found) == len(noted)
    for row in ended:
        one = found[row["lead_id"], row["field"]]
        assert {name: one[name] for name in ("before", "after", "why", "lane", "state")} == {
            name: row[name] for name in ("before", "after", "why", "lane", "state")
        }
    wrote = {(row["lead_id"], row["field"]): row for row in store.journal.written_by(run).to_dicts()}
    assert {key: row["stored"] for key, row in wrote.items()} == {
        (row["lead_id"], row["field"]): row["stored"] for row in ended if row["state"] == "written"
    }


def test_a_write_is_one_row_however_many_fields_it_has(store: Store, migrated_database: str) -> None:
    fields = [_change(lead, f"f{place}") for lead in ("L1", "L2") for place in range(9)]
    _settled(store, fields, [{**row, "state": "written"} for row in fields])
    with psycopg.connect(migrated_database) as connection:
        assert connection.execute("SELECT count(*), sum(cardinality(fields)) FROM journal").fetchone() == (
            2,
            18,
        )


def test_a_field_that_waited_for_the_id_of_a_new_record_is_told_with_it(store: Store) -> None:
    waits = _change("L1", "cross_id", after=None, kind="cross_id")
    other = _change("L1", "city", after=None)
    run = _settled(
        store, [waits, other], [{**waits, "after": "00Q1", "state": "written"}, {**other, "state": "written"}]
    )
    told = {row["field"]: row["after"] for row in store.journal.changes_of_run(run)}
    assert told == {"cross_id": "00Q1", "city": None}


def test_a_zero_byte_that_a_crm_says_it_holds_is_left_out(store: Store) -> None:
    row = _change("L1", "city", before="a\0b")
    run = _settled(store, [row], [{**row, "state": "written", "stored": "c\0d"}])
    assert store.journal.written_by(run).select("before", "stored").rows() == [("ab", "cd")]


def test_records_of_two_leads_that_became_one_each_keep_their_end(store: Store) -> None:
    rows = [_change("L1", "city", record_id=record) for record in ("11", "12")]
    run = _settled(store, rows, [{**rows[0], "state": "written"}, {**rows[1], "state": "refused"}])
    told = {row["record_id"]: row["state"] for row in store.journal.changes_of_run(run)}
    assert told == {"11": "written", "12": "refused"}


def test_what_a_run_set_on_a_record_that_it_created_ends_apart(store: Store) -> None:
    made = _change("L1", "stage", record_id=None, kind="create", after="lead")
    cleared = _change("L1", "stage", record_id="77", after=None)
    run = store.runs.start("import", NOW, "p1")
    for row in (made, cleared):
        store.journal.intend(_frame(INTENTS, [row]), run, NOW)
    ended = [{**made, "record_id": "77", "state": "written"}, {**cleared, "state": "refused"}]
    with store.transaction():
        store.journal.settle(_frame(RESULTS, ended), run, NOW)
    told = [(row["record_id"], row["after"], row["state"]) for row in store.journal.changes_of_run(run)]
    assert told == [("77", "lead", "written"), ("77", None, "refused")]


@pytest.fixture
def before(database: str) -> list[dict[str, Any]]:
    """A database of before with rows field by field; the rows as they were."""
    rows = [
        _change("L1", "stage", state="written", after="mql", before="lead", kind="stage_back", stored="lead"),
        _change("L1", "city", state="written", why="HubSpot has it"),
        _change("L1", "zip", state="refused", before='"{,}\\'),
        _change("L2", "city", state="written", kind="create", record_id="77", stored="Köln"),
        _change("L2", "name", state="written", kind="create", record_id="77"),
        _change("L3", "city", state="intent", record_id=None, kind="create", after=None),
        _change("L3", "opt_out", state="intent", lane="consent"),
    ]
    columns = [name for name in rows[0] if name != "state"] + ["state"]
    with psycopg.connect(database, autocommit=True) as connection:
        migrate(connection, [step for step in known_migrations() if step.number < 38])
        connection.execute(
            "INSERT INTO connection (hubspot_account, salesforce_account, first_seen) VALUES ('101', '00D1', now())"
        )
        connection.execute(
            "INSERT INTO run (connection_id, command, started_at, ended_at) VALUES (1, 'sync', now(), now())"
        )
        for row in rows:
            connection.execute(
                f"INSERT INTO journal (connection_id, run_id, noted_at, {', '.join(columns)})"
                f" VALUES (1, 1, '2026-11-22 09:00Z', {', '.join(f'%({name})s' for name in columns)})",
                row,
            )
    return rows


def test_rows_of_before_are_told_as_they_were(database: str, before: list[dict[str, Any]]) -> None:
    store = Store(database)
    try:
        with psycopg.connect(database) as connection:
            found = connection.execute(f"SELECT {BY_FIELD} FROM journal_field ORDER BY journal_id, place")
            told = {(row[1], row[4]): row for row in found.fetchall()}
            assert connection.execute("SELECT count(*) FROM journal").fetchone() == (5,)
        names = BY_FIELD.split(", ")
        assert told == {
            (row["lead_id"], row["field"]): tuple({**row, "run_id": 1}[name] for name in names)
            for row in before
        }
    finally:
        store.close()


def test_what_a_run_of_before_left_open_is_found_and_closed(
    database: str, before: list[dict[str, Any]]
) -> None:
    store = Store(database)
    try:
        store.use("101", "00D1", NOW)
        left = [row for row in before if row["state"] == "intent"]
        found = store.journal.open_intents(OPEN_INTENTS)
        assert set(found.select("lead_id", "field").rows()) == {
            (row["lead_id"], row["field"]) for row in left
        }
        run = store.runs.start("sync", NOW, "p1")
        with store.transaction():
            store.journal.abandon(pl.Series("lead_id", ["L3"]), run, NOW)
        store.runs.end(run, "done", Numbers(), NOW)
        assert store.journal.open_intents(OPEN_INTENTS).is_empty()
        assert {row["state"] for row in store.journal.changes_of_lead("L3", 9)} == {"unknown"}
    finally:
        store.close()


def test_new_rows_are_numbered_after_those_of_before(database: str, before: list[dict[str, Any]]) -> None:
    store = Store(database)
    try:
        store.use("101", "00D1", NOW)
        run = _settled(store, [_change("L1", "city", after="later")], [])
        assert store.journal.changes_of_lead("L1", 1)[0]["run_id"] == run
    finally:
        store.close()
