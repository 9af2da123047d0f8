"""The folder of a demo, which the next demo there replaces."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.sandbox.serving import sandbox
from sync.demo import MARK, DemoAsked, run_demo
from sync.errors import WrongUse
from sync.screen import Screen
from tests.unit.notes_server import notes

ASKED = DemoAsked(leads=1, seed=1, effect=1.0, keep_running=False)


def test_a_folder_that_no_demo_made_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("kept")

    with pytest.raises(WrongUse, match="no demo made it"):
        run_demo(Screen(as_json=True), ASKED, tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_an_earlier_demo_whose_crms_are_in_use_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / MARK).touch()
    with sandbox(tmp_path / "sandbox", sides=notes):
        files = sorted(tmp_path.rglob("*"))

        with pytest.raises(WrongUse, match="are in use") as told:
            run_demo(Screen(as_json=True), ASKED, tmp_path, leaves_within=0.1)

        assert "--dir" in str(told.value.fix)
        assert sorted(tmp_path.rglob("*")) == files
