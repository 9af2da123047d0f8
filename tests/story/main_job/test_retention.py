"""History is kept as long as its stage allows, and what a lead is now stays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

EMAIL = "anna@sommer-versand.de"


@pytest.fixture
def aged(furnished: Any, begin: Callable[..., Any]) -> Any:
    """Anna, synced a year ago and changed today; the history of leads is kept for half a year."""
    begin(_aged)
    return furnished


def _aged(house: Any) -> None:
    contact, _ = house.couple(EMAIL)
    house.sync()
    house.later(365 * 86_400)
    house.edit("hubspot", contact, jobtitle="Head of Marketing")
    house.sync()


def _keep(house: Any, **days: int) -> None:
    lines = "".join(f"{stage} = {number}\n" for stage, number in days.items())
    path = house.folder / "leadpact.toml"
    path.write_text(f"{path.read_text('utf-8')}\n[privacy.keep_days]\n{lines}", encoding="utf-8")


def _stage(house: Any) -> str:
    return str(house.explain(EMAIL)["stage"])


def _count(house: Any, table: str) -> int:
    with psycopg.connect(house.database) as connection:
        row = connection.execute(f"SELECT count(*) FROM {table}".encode()).fetchone()
    return int(row[0]) if row else 0


def test_what_is_older_than_its_stage_allows_goes_and_the_verdict_in_force_stays(aged: Any) -> None:
    _keep(aged, **{_stage(aged): 180})
    before = {name: _count(aged, name) for name in ("journal", "verdict", "lead", "link", "base")}

    counted = aged.command("--json", "db", "retain", "--dry-run").document["deleted"]
    assert {name: _count(aged, name) for name in before} == before

    told = aged.command("--json", "db", "retain")

    assert (told.code, told.document["deleted"]) == (0, counted)
    assert 0 < counted["journal"] < before["journal"]
    assert counted["verdict"] == before["verdict"] - 1
    assert {name: _count(aged, name) for name in ("lead", "link", "base")} == {
        name: before[name] for name in ("lead", "link", "base")
    }
    assert aged.explain(EMAIL)["email"] == EMAIL
    assert aged.sync().numbers.written == 0


def test_a_stage_that_is_not_named_keeps_everything(aged: Any) -> None:
    other = "customer" if _stage(aged) != "customer" else "lead"
    _keep(aged, **{other: 1})
    assert set(aged.command("--json", "db", "retain").document["deleted"].values()) == {0}


def test_without_a_period_nothing_is_deleted_and_a_wrong_stage_is_named(aged: Any) -> None:
    assert aged.command("db", "retain").code == 2
    _keep(aged, leed=10)
    told = aged.command("db", "retain")
    assert told.code == 2
    assert "keep_days" in told.err


def test_who_deleted_history_and_how_much_is_kept(aged: Any) -> None:
    _keep(aged, **{_stage(aged): 180})
    assert aged.command("db", "retain").code == 0
    with aged.app() as app:
        newest = app.memory().store.audit.newest(1)[0]
    assert newest.what == "retained"
    assert "journal: " in newest.details
