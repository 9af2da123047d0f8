"""A plan in a file: private, whole, and refused when it is not what was saved."""

from __future__ import annotations

import json
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from sync.errors import WrongUse
from sync.fingerprint import fingerprint
from sync.plan import CHANGES
from sync.saved import load_plan, save_plan
from sync.tally import Outcome

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


def _changes() -> pl.DataFrame:
    row: dict[str, str | None] = {name: f"Zoë's {name}" for name in CHANGES}
    return pl.DataFrame([row, {**row, "lead_id": "L2", "before": None, "after": ""}], schema=dict(CHANGES))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "plan.json"


def _save(path: Path, changes: pl.DataFrame) -> None:
    outcome = Outcome(
        7,
        "plan",
        fingerprint=fingerprint(changes),
        changes=changes,
        cursors={"hubspot": {"at": "2026"}},
        at=NOW,
        touched={"hubspot": ["1"]},
    )
    save_plan(path, outcome, {"hubspot": "101"}, "p1", whole=True)


def test_a_plan_comes_back_as_it_was_saved(path: Path) -> None:
    _save(path, _changes())
    loaded = load_plan(path)
    assert_frame_equal(loaded.changes, _changes())
    assert (loaded.accounts, loaded.at, loaded.policy) == ({"hubspot": "101"}, NOW, "p1")
    assert (loaded.names, loaded.cursors) == ({"hubspot": ["1"]}, {"hubspot": {"at": "2026"}})
    assert loaded.whole


def test_a_plan_without_changes_is_a_plan(path: Path) -> None:
    _save(path, _changes().clear())
    assert load_plan(path).changes.is_empty()


def test_only_its_owner_can_read_it(path: Path) -> None:
    _save(path, _changes())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_that_others_could_read_is_closed_to_them(path: Path) -> None:
    path.write_text("old")
    path.chmod(0o644)
    _save(path, _changes())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("field", ["after", "before", "record_id", "crm", "field", "lead_id"])
def test_a_plan_edited_by_hand_is_refused(path: Path, field: str) -> None:
    _save(path, _changes())
    document = json.loads(path.read_text())
    document["changes"][0][field] = "something else"
    path.write_text(json.dumps(document))
    with pytest.raises(WrongUse, match="edited by hand") as refused:
        load_plan(path)
    assert "Zoë" not in str(refused.value)


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"leadpact_plan": 99}', '{"leadpact_plan": 1}', "not json", "\udcff"]
)
def test_another_file_is_no_plan(path: Path, content: str) -> None:
    path.write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(WrongUse, match="not a saved plan"):
        load_plan(path)


@pytest.mark.parametrize("act", [load_plan, lambda path: _save(path, _changes())], ids=["load", "save"])
def test_a_path_that_cannot_be_used_is_told(tmp_path: Path, act: Any) -> None:
    with pytest.raises(WrongUse, match="the plan cannot be"):
        act(tmp_path / "missing" / "plan.json")
