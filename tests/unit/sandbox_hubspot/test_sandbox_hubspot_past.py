"""The past of a record: every value in its order, whatever was moved together, and older files taken over."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from connectors.sandbox.hubspot import past
from connectors.sandbox.hubspot.account import API, CALCULATED, IMPORT, Source
from connectors.sandbox.hubspot.database import open_database

NAMES, SOURCES = (
    ("city", "lifecyclestage", "zip"),
    (API, CALCULATED, IMPORT, Source("CRM_UI", "userId:7", None, 7)),
)
MOVED = st.tuples(
    st.sampled_from(NAMES), st.integers(0, 4), st.sampled_from(("", "a", "b")), st.sampled_from(SOURCES)
)

OLDER = """
CREATE TABLE history (
  seq INTEGER PRIMARY KEY, record INTEGER NOT NULL, name TEXT NOT NULL, at INTEGER NOT NULL,
  value TEXT NOT NULL, source TEXT NOT NULL, source_id TEXT, label TEXT, user INTEGER);
"""
INTO_OLDER = (
    "INSERT INTO history (record, name, at, value, source, source_id, label, user) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)


def expected(rows: list[past.Moved]) -> dict[str, list[past.Entry]]:
    """The newest first; of one moment the one that was kept last."""
    ranked = sorted(enumerate(rows), key=lambda each: (each[1][1], each[0]), reverse=True)
    return {
        name: found
        for name in NAMES
        if (found := [(at, value, source) for _, (of, at, value, source) in ranked if of == name])
    }


@given(writes=st.lists(st.lists(MOVED, max_size=8), max_size=4))
def test_every_value_comes_back_in_its_order_however_it_was_moved(writes: list[list[past.Moved]]) -> None:
    with sqlite3.connect(":memory:") as database:
        database.execute("CREATE TABLE past (seq INTEGER PRIMARY KEY, record INTEGER, moved TEXT)")
        for rows in writes:
            past.keep(database, 1, rows)
        all_rows = [each for rows in writes for each in rows]
        wanted = expected(all_rows)

        assert past.of_record(database, 1) == wanted


@given(
    writes=st.lists(
        st.tuples(
            st.integers(0, 4),
            st.sampled_from(SOURCES),
            st.dictionaries(st.sampled_from(NAMES), st.sampled_from(("", "a", "b")), min_size=1),
        ),
        max_size=6,
    ),
    loaded=st.lists(MOVED, max_size=4),
)
def test_what_is_told_late_comes_after_what_there_was_and_the_first_value_before_it(
    writes: list[tuple[int, Source, dict[str, str]]], loaded: list[past.Moved]
) -> None:
    rows = list(loaded)
    with sqlite3.connect(":memory:") as database:
        database.execute("CREATE TABLE past (seq INTEGER PRIMARY KEY, record INTEGER, moved TEXT)")
        past.keep(database, 1, loaded)
        for at, source, values in writes:
            begun = dict.fromkeys(values, "begun")
            groups = [past.from_beginning(IMPORT, min(at, 2), begun), past.not_before(source, at, values)]
            past.keep_all(database, [(1, groups)])
            for name, value in values.items():
                earlier = [each[1] for each in rows if each[0] == name]
                if not earlier:
                    rows.append((name, min(at, 2), "begun", IMPORT))
                rows.append((name, max([at, *earlier]), value, source))

        assert past.of_record(database, 1) == expected(rows)


@given(rows=st.lists(st.tuples(st.integers(1, 3), MOVED), max_size=12))
def test_a_row_for_each_value_of_an_older_file_is_taken_over(rows: list[tuple[int, past.Moved]]) -> None:
    with sqlite3.connect(":memory:", isolation_level=None) as database:
        database.execute("CREATE TABLE past (seq INTEGER PRIMARY KEY, record INTEGER, moved TEXT)")
        database.executescript(OLDER)
        for id_, (name, at, value, by) in rows:
            database.execute(INTO_OLDER, (id_, name, at, value, by.type, by.id, by.label, by.user))

        past.take_over(database, at_once=2)
        past.take_over(database)

        for id_ in (1, 2, 3):
            assert past.of_record(database, id_) == expected([moved for of, moved in rows if of == id_])


def test_a_take_over_that_was_broken_off_goes_on_where_it_was() -> None:
    with sqlite3.connect(":memory:", isolation_level=None) as database:
        database.execute("CREATE TABLE past (seq INTEGER PRIMARY KEY, record INTEGER, moved TEXT)")
        database.executescript(OLDER)
        rows = [
            (id_, "city", at, "Ulm", API.type, API.id, API.label, None) for id_ in (1, 2, 3) for at in (1, 2)
        ]
        database.executemany(INTO_OLDER, rows)
        # As if the first part had just been taken over when the process was killed.
        past.keep(database, 1, [("city", 1, "Ulm", API), ("city", 2, "Ulm", API)])
        database.execute("DELETE FROM history WHERE record = 1")

        past.take_over(database, at_once=1)

        for id_ in (1, 2, 3):
            assert past.of_record(database, id_) == {"city": [(2, "Ulm", API), (1, "Ulm", API)]}
        assert database.execute("SELECT 1 FROM sqlite_master WHERE name = 'history'").fetchone() is None


def test_a_file_of_an_older_version_opens_with_its_past(tmp_path: Path) -> None:
    file = tmp_path / "hubspot.sqlite"
    older = sqlite3.connect(file, isolation_level=None)
    older.executescript(OLDER)
    older.execute(INTO_OLDER, (5, "city", 1_000, "Ulm", API.type, API.id, API.label, None))
    older.close()

    database = open_database(file)
    found = past.of_record(database, 5)
    database.close()

    assert found == {"city": [(1_000, "Ulm", API)]}
