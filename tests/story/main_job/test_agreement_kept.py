"""Agreement as a proof: raw numbers first, the oldest case of each explanation, a history, and both sides as CSV."""

from __future__ import annotations

import csv
import stat
from collections.abc import Callable
from typing import Any

import pytest


@pytest.fixture
def people(furnished: Any, begin: Callable[..., Any]) -> tuple[Any, list[tuple[str, str]]]:
    """Four linked people on whom both CRMs agree."""
    return furnished, begin(_people)


def _people(house: Any) -> list[tuple[str, str]]:
    pairs = [house.couple(f"p{n}@shop{n}.example", {"lastname": f"Sommer{n}"}) for n in range(4)]
    house.sync()
    house.later(3600)
    return pairs


def test_raw_agreement_comes_before_every_explanation_and_each_names_its_oldest_case(people: Any) -> None:
    house, pairs = people
    score = house.record("hubspot", pairs[0][0])["leadpact_score"]
    for number, (contact, _) in enumerate(pairs[:2]):
        house.later(3600)
        house.edit("hubspot", contact, leadpact_score=str(int(score) + 40 + number))

    told = house.command("agree")

    lines = told.out.splitlines()
    assert lines[0].startswith("2 of 4 linked leads show the same in both CRMs")
    assert lines[1].startswith("2 of 4 linked leads agree")
    lead = house.explain(f"hubspot:{pairs[0][0]}")["lead"]
    assert f"the oldest is {lead}, since 2026-11-20T11:00:00+00:00" in lines[2]
    document = house.command("--json", "agree").document
    assert document["explained"] == {"changed_since": 2}
    assert document["same"] == document["agreed"] == 2
    assert document["oldest"]["changed_since"]["lead"] == lead


def test_the_numbers_of_every_comparison_are_kept_newest_first(people: Any) -> None:
    house, pairs = people
    house.command("agree")
    house.later(3600)
    house.edit("hubspot", pairs[0][0], leadpact_score="99")
    house.command("agree")
    mark = house.mark()

    rows = house.command("--json", "agree", "--history").document["history"]

    assert [(row["linked"], row["agreed"], row["explained"]) for row in rows] == [
        (4, 3, {"changed_since": 1}),
        (4, 4, {}),
    ]
    assert rows[0]["at"] > rows[1]["at"]
    assert house.mark() == mark
    assert "75.0%" in house.command("agree", "--history").out


def test_both_crms_own_values_stand_side_by_side_in_a_file_of_its_owners(people: Any) -> None:
    house, pairs = people
    house.edit("hubspot", pairs[1][0], jobtitle="Head of Sales")
    path = house.folder / "both.csv"
    path.touch(mode=0o644)

    told = house.command("--json", "agree", "--csv", str(path))

    assert told.code == 0
    with path.open(encoding="utf-8", newline="") as file:
        rows = {row["record (hubspot)"]: row for row in csv.DictReader(file)}
    assert rows.keys() == {contact for contact, _ in pairs}
    changed = rows[pairs[1][0]]
    assert (changed["job_title (hubspot)"], changed["job_title (salesforce)"]) == ("Head of Sales", "")
    assert changed["record (salesforce)"] == pairs[1][1]
    assert changed["email (hubspot)"] == changed["email (salesforce)"] == "p1@shop1.example"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_csv_that_cannot_be_written_is_wrong_use(people: Any) -> None:
    house, _ = people
    assert house.command("agree", "--csv", str(house.folder / "nowhere" / "both.csv")).code == 2
