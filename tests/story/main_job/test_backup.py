"""The whole memory in one file, and back: nothing is lost, and nobody who was forgotten returns with it."""

from __future__ import annotations

import json
import stat
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from sync.store.archive import NOT_SAVED, made_by
from sync.store.archive_file import Contents, new_file
from sync.store.migrate import known_migrations

EMAIL = "anna@sommer-versand.de"


@pytest.fixture
def saved(furnished: Any, begin: Callable[..., Any]) -> tuple[Any, Path]:
    """Anna and Ben in both CRMs, synced and backed up."""
    begin(_saved)
    return furnished, furnished.folder / "memory.zip"


def _saved(house: Any) -> None:
    house.couple(EMAIL)
    house.couple("ben@winter.example", {"firstname": "Ben", "lastname": "Winter", "company": "Winter AG"})
    house.sync()
    told = house.command("--json", "db", "backup", str(house.folder / "memory.zip"))
    assert told.code == 0, told.err


def _rows(house: Any, *leave_out: str) -> dict[str, list[str]]:
    with psycopg.connect(house.database) as connection:
        names = set(made_by(known_migrations(), "TABLE")) - NOT_SAVED - {"audit", "connection", *leave_out}
        return {
            name: sorted(row[0] for row in connection.execute(f"SELECT t::text FROM {name} AS t".encode()))
            for name in sorted(names)
        }


def _changed(path: Path, change: Callable[[str, bytes], bytes]) -> Path:
    """A copy of a backup with every member changed."""
    other = path.with_name("changed.zip")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(other, "w") as new:
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))
    return other


def test_every_table_that_the_migrations_make_is_known_to_a_backup(furnished: Any) -> None:
    with psycopg.connect(furnished.database) as connection:
        rows = connection.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
        ).fetchall()
    made = (*made_by(known_migrations(), "TABLE"), *made_by(known_migrations(), "VIEW"))
    assert {row[0] for row in rows} == {*made, "schema_migration"}


def test_a_restored_memory_is_the_memory_that_was_saved(saved: tuple[Any, Path]) -> None:
    house, path = saved
    before = _rows(house)
    house.couple("cleo@herbst.example", {"firstname": "Cleo", "lastname": "Herbst", "company": "Herbst KG"})
    house.sync()
    assert _rows(house) != before

    told = house.command("--json", "db", "restore", str(path), "--yes")

    assert told.code == 0, told.err
    assert _rows(house) == before
    assert told.document["erased_again"] == 0


def test_the_first_sync_after_a_restore_waits_for_approval_and_then_finds_both_crms_in_step(
    saved: tuple[Any, Path],
) -> None:
    house, path = saved
    contact, lead = house.couple(
        "cleo@herbst.example", {"firstname": "Cleo", "lastname": "Herbst", "company": "Herbst KG"}
    )
    house.sync()
    assert house.command("db", "restore", str(path), "--yes").code == 0
    house.later(3600)
    house.edit("hubspot", contact, jobtitle="Head of Sales")

    stopped = house.command("sync")
    assert stopped.code == 3
    assert "needs your approval" in stopped.err

    house.sync()
    assert house.record("salesforce", lead)["Title"] == "Head of Sales"
    agreed = house.command("--json", "agree")
    assert (agreed.code, agreed.document["unexplained"]) == (0, 0)


def test_a_run_number_is_never_given_twice_across_a_restore(saved: tuple[Any, Path]) -> None:
    house, path = saved
    newest = house.sync().run
    assert house.command("db", "restore", str(path), "--yes").code == 0
    assert house.sync().run > newest


def test_whoever_was_forgotten_after_the_backup_does_not_return_with_it(saved: tuple[Any, Path]) -> None:
    house, path = saved
    anna = next(number for number, row in house.records("hubspot").items() if row["email"] == EMAIL)
    assert house.command("forget", EMAIL, "--yes").code == 0

    told = house.command("--json", "db", "restore", str(path), "--yes")

    assert (told.code, told.document["erased_again"]) == (0, 1)
    text = json.dumps(_rows(house), ensure_ascii=False)
    assert EMAIL not in text
    assert "ben@winter.example" in text
    house.edit("hubspot", anna, city="Köln")
    house.sync()
    assert EMAIL not in json.dumps(_rows(house), ensure_ascii=False)


def test_whoever_was_forgotten_before_the_backup_stays_barred_in_a_new_database(
    furnished: Any, saved: tuple[Any, Path]
) -> None:
    house, _ = saved
    assert house.command("forget", EMAIL, "--yes").code == 0
    path = house.folder / "later.zip"
    assert house.command("db", "backup", str(path)).code == 0
    _empty(house)

    told = house.command("db", "restore", str(path), "--yes")

    assert told.code == 0
    assert "knew of nobody who was forgotten" in told.out
    house.sync()
    assert EMAIL not in json.dumps(_rows(house), ensure_ascii=False)


def _empty(house: Any) -> None:
    with psycopg.connect(house.database, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")


def test_lists_of_forgotten_people_that_grew_apart_are_never_thrown_away(saved: tuple[Any, Path]) -> None:
    house, _ = saved
    assert house.command("forget", EMAIL, "--yes").code == 0
    path = house.folder / "later.zip"
    assert house.command("db", "backup", str(path)).code == 0
    _empty(house)
    house.sync()
    assert house.command("forget", "ben@winter.example", "--yes").code == 0
    before = _rows(house)

    told = house.command("db", "restore", str(path), "--yes")

    assert told.code == 2
    assert "apart from it" in told.err
    assert _rows(house) == before


def test_plans_saved_since_the_backup_are_still_found_when_somebody_is_forgotten(
    saved: tuple[Any, Path],
) -> None:
    house, path = saved
    house.later(3600)
    for number in house.records("hubspot"):
        house.edit("hubspot", number, jobtitle="Head of Marketing")
    plan = house.folder / "plan.json"
    assert house.command("plan", "--out", str(plan)).code == 0
    assert house.command("db", "restore", str(path), "--yes").code == 0

    told = house.command("--json", "forget", EMAIL, "--yes")

    assert told.document["plans"] == [str(plan.resolve())]


def test_a_backup_of_an_older_leadpact_is_brought_up_to_this_one(furnished: Any) -> None:
    house, path = furnished, furnished.folder / "older.zip"
    past = {step.number: step.checksum for step in known_migrations()[:3]}
    accounts = ["connection_id", "hubspot_account", "salesforce_account", "first_seen"]
    done = ["run_id", "connection_id", "command", "started_at"]
    with new_file(path) as file:
        file.add("connection", accounts, [b"7\t4711\t00D000000000001AAA\t2026-01-02 03:04:05+00\n"])
        file.add("run", done, [b"3\t7\tsync\t2026-01-02 03:04:05+00\n"])
        file.finish(
            Contents(datetime(2026, 1, 3, tzinfo=UTC), "0.0.1", past, file.tables, {"run_run_id_seq": 3})
        )

    told = house.command("--json", "db", "restore", str(path), "--yes")

    assert told.code == 0, told.err
    assert told.document["migrated"] == [step.name for step in known_migrations()[3:]]
    with house.app() as app:
        [run] = app.memory().store.runs.newest(5)
        assert (run.run, run.command) == (3, "sync")
        assert app.store.accounts()[0][:3] == (7, "4711", "00D000000000001AAA")


def _newer_format(name: str, data: bytes) -> bytes:
    return data.replace(b'"format": 1', b'"format": 2') if name == "manifest.json" else data


def _unknown_migration(name: str, data: bytes) -> bytes:
    return (
        data.replace(b'"migrations": {', b'"migrations": {"9999": "0",') if name == "manifest.json" else data
    )


def _other_value(name: str, data: bytes) -> bytes:
    return data.replace(b"anna@", b"anne@") if name == "tables/lead.copy" else data


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_newer_format, "has format 2"),
        (_unknown_migration, "migration 9999"),
        (_other_value, "the table lead is not as it was written"),
        (lambda name, data: b"" if name == "manifest.json" else data, "missing or damaged"),
    ],
    ids=["newer format", "newer schema", "changed value", "no manifest"],
)
def test_a_file_that_cannot_be_trusted_changes_nothing(
    saved: tuple[Any, Path], change: Callable[[str, bytes], bytes], said: str
) -> None:
    house, path = saved
    before = _rows(house)
    told = house.command("db", "restore", str(_changed(path, change)), "--yes")
    assert told.code == 2
    assert said in told.err
    assert "Nothing was changed" in told.err or "has format" in told.err
    assert _rows(house) == before


def test_what_is_no_zip_is_refused_and_a_file_is_never_overwritten(saved: tuple[Any, Path]) -> None:
    house, path = saved
    assert house.command("db", "backup", str(path)).code == 2
    torn = house.folder / "torn.zip"
    torn.write_bytes(path.read_bytes()[:-200])
    assert house.command("db", "restore", str(torn), "--yes").code == 2
    assert house.command("db", "backup", str(house.folder / "nowhere" / "x.zip")).code == 2


def test_only_its_owner_can_read_a_backup(saved: tuple[Any, Path]) -> None:
    _, path = saved
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_nothing_is_restored_while_a_run_is_under_way(saved: tuple[Any, Path]) -> None:
    house, path = saved
    with house.app() as app:
        work = app.memory()
        work.store.runs.start("sync", app.clock(), None)
        told = house.command("db", "restore", str(path), "--yes")
    assert told.code == 2
    assert "a run is under way" in told.err


def test_who_did_what_is_kept_and_survives_a_restore(saved: tuple[Any, Path]) -> None:
    house, path = saved
    assert house.command("export", EMAIL, environ={"LOGNAME": "dana"}).code == 0
    house.later(60)
    assert house.command("forget", EMAIL, "--yes", environ={"LOGNAME": "dana"}).code == 0
    house.later(60)
    assert house.command("db", "restore", str(path), "--yes", environ={"LOGNAME": "erik"}).code == 0
    with house.app() as app:
        deeds = app.memory().store.audit.newest(10)
    told = [(deed.who, deed.what) for deed in deeds]
    assert ("erik", "restored") in told
    assert EMAIL not in str(deeds)
