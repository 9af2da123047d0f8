"""What people did stands in the memory with their name: shown by `status`, and for one person by `export`."""

from __future__ import annotations

from typing import Any

EMAIL = "anna@sommer-versand.de"
DANA, ERIK = {"LOGNAME": "dana"}, {"LOGNAME": "erik"}


def _deeds(house: Any) -> list[tuple[str, str]]:
    told = house.command("--json", "status")
    assert told.code == 0, told.err
    return [(deed["who"], deed["what"]) for deed in told.document["deeds"]]


def test_status_says_who_approved_exported_undid_and_forgot(furnished: Any) -> None:
    house = furnished
    house.couple(EMAIL)
    run = house.command("--json", "sync", "--approve", environ=DANA).document["run"]
    house.later(60)
    house.command("export", EMAIL, environ=ERIK)
    house.later(60)
    house.command("undo", str(run), environ=DANA)
    house.later(60)
    house.command("forget", EMAIL, "--yes", environ=ERIK)

    # The export named the person, and has gone with them.
    assert _deeds(house) == [("erik", "forget"), ("dana", f"undo {run}"), ("dana", "approved")]
    assert "erik forget" in house.command("status").out


def test_an_export_shows_that_it_was_exported_before(furnished: Any) -> None:
    house = furnished
    house.couple(EMAIL)
    house.sync()
    house.command("export", EMAIL, environ=ERIK)
    again = house.command("--json", "export", EMAIL, environ=DANA).document
    assert [(row["by_whom"], row["what"]) for row in again["kept"]["audit"]] == [("erik", "exported")]
    assert _deeds(house)[:2].count(("dana", "exported")) == 1
