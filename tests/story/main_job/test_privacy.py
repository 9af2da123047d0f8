"""One person's data is shown whole, and erased whole: no table, plan or file knows them afterwards."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.story.searched import tables_with

EMAIL = "anna.müller@sommer-versand.de"


@pytest.fixture
def known(furnished: Any, begin: Callable[..., Any]) -> tuple[Any, str, str]:
    """A house, Anna's contact and her lead; a saved plan holds a change of hers and one of Ben's."""
    house = furnished
    anna, lead = begin(_known)
    # Where a plan lies is remembered, so that it is cleaned: each house has its own.
    assert house.command("plan", "--out", str(house.folder / "plan.json")).code == 0
    return house, anna, lead


def _known(house: Any) -> tuple[str, str]:
    """Anna and Ben in both CRMs, synced, and something typed about each."""
    anna, lead = house.couple(EMAIL, {"phone": "+49 221 4710815", "lastname": "Müller"})
    ben, _ = house.couple(
        "ben@winter.example", {"firstname": "Ben", "lastname": "Winter", "company": "Winter AG"}
    )
    house.sync()
    house.later(3600)
    house.edit("hubspot", anna, jobtitle="Head of Marketing")
    house.edit("hubspot", ben, jobtitle="Head of Sales")
    return anna, lead


def test_an_export_holds_everything_about_the_person_and_nothing_about_others(known: Any) -> None:
    house, anna, lead = known
    told = house.command("--json", "export", EMAIL)
    assert told.code == 0, told.err
    document = told.document
    assert document["records"] == [f"hubspot:{anna}", f"salesforce:{lead}"]
    assert {"lead", "link", "base", "verdict", "journal"} <= set(document["kept"])
    assert document["kept"]["lead"][0]["lead_values"]["email"] == EMAIL
    changes = document["kept"]["journal"]
    assert {(one["crm"], one["state"]) for one in changes} == {
        ("hubspot", "written"),
        ("salesforce", "written"),
    }
    assert all(isinstance(one["after"], str | None) for one in changes)
    assert "winter" not in told.out.lower()
    readable = house.command("export", EMAIL)
    assert readable.code == 0
    assert EMAIL in readable.out


def test_after_forgetting_no_table_knows_the_person_and_nobody_else_is_missing(known: Any) -> None:
    house, anna, lead = known
    assert tables_with(house.database, EMAIL, anna, lead)
    ours = house.explain(EMAIL)["lead"]

    told = house.command("--json", "forget", EMAIL, "--yes")

    assert told.code == 0, told.out + told.err
    certificate = told.document
    assert certificate["left"] == {}
    assert certificate["erased"]["lead"] == 1
    assert certificate["barred"] == 3
    assert EMAIL not in told.out
    assert tables_with(house.database, EMAIL, "4710815", anna, lead, ours) == set()
    assert house.explain("ben@winter.example")["email"] == "ben@winter.example"
    assert house.command("explain", EMAIL).code == 2
    files = [path for path in Path(house.folder / "data").rglob("*") if path.is_file()]
    assert not [path for path in files if EMAIL.encode() in path.read_bytes()]


def test_a_forgotten_person_is_not_taken_in_again_even_with_another_address(known: Any) -> None:
    house, anna, lead = known
    house.command("forget", EMAIL, "--yes")
    house.later(3600)
    house.edit("hubspot", anna, city="Köln")
    house.edit("salesforce", lead, Email="other@sommer-versand.de")
    mark = house.mark()

    house.sync()

    written = json.dumps(house.writes(mark), ensure_ascii=False)
    assert anna not in written
    assert lead not in written
    assert tables_with(house.database, EMAIL, "other@sommer-versand.de", anna, lead) == set()
    assert house.record("salesforce", lead)["City"] is None


def test_a_saved_plan_is_cleaned_and_can_still_be_applied(known: Any) -> None:
    house, anna, _ = known
    path = house.folder / "plan.json"
    assert EMAIL in path.read_text("utf-8") or anna in path.read_text("utf-8")
    told = house.command("--json", "forget", EMAIL, "--yes")
    assert told.document["plans"] == [str(path.resolve())]
    assert EMAIL not in path.read_text("utf-8")
    assert anna not in path.read_text("utf-8")
    assert house.command("--json", "apply", str(path)).document["written"] >= 1


def test_a_file_that_is_no_plan_any_more_is_named(known: Any) -> None:
    house, _, _ = known
    path = house.folder / "plan.json"
    path.write_text("torn", encoding="utf-8")
    told = house.command("forget", EMAIL, "--yes")
    assert told.code == 1
    assert "delete the file" in told.out


def test_an_address_that_nobody_has_is_barred_all_the_same(furnished: Any) -> None:
    house = furnished
    house.sync()
    told = house.command("--json", "forget", "new@person.example", "--yes")
    assert (told.code, told.document["leads"], told.document["barred"]) == (0, [], 1)
    house.couple("New@Person.example ")
    house.sync()
    assert tables_with(house.database, "new@person.example") == set()


@pytest.mark.parametrize("key", ["Lnobody", "hubspot:1"])
def test_a_key_that_names_nobody_is_refused(known: Any, key: str) -> None:
    house, _, _ = known
    for command in (("export", key), ("forget", key, "--yes")):
        told = house.command(*command)
        assert told.code == 2
        assert "no lead is known" in told.err
        assert "@" not in told.err.partition("fix:")[0]
