"""How things stand, and what the CRMs refused: by cause, with a fix, and tried again when the cause is gone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

LONG = "R" * 60


@pytest.fixture
def refused(furnished: Any, begin: Callable[..., Any]) -> tuple[Any, list[tuple[str, str]]]:
    """Three people on whom both CRMs agree; Salesforce then refuses the first names of two: they are too long."""
    return furnished, begin(_refused)


def _refused(house: Any) -> list[tuple[str, str]]:
    pairs = [
        house.couple(f"p{number}@shop{number}.example", {"lastname": f"Sommer{number}"})
        for number in range(3)
    ]
    house.sync()
    house.later(3600)
    for contact, _ in pairs[:2]:
        house.edit("hubspot", contact, firstname=LONG)
    house.sync()
    house.later(3 * 3600)
    return pairs


def test_refused_is_grouped_by_cause_with_a_fix_and_its_age(refused: Any) -> None:
    house, _ = refused
    told = house.command("refused")
    assert "2 leads, salesforce STRING_TOO_LONG" in told.out
    assert "for 3 h" in told.out
    assert "fix: shorten the text in HubSpot, or lengthen the field in Salesforce" in told.out
    (cause,) = house.command("--json", "refused").document["causes"]
    assert (cause["code"], cause["leads"], cause["tries"]) == ("STRING_TOO_LONG", 2, 1)


def test_a_class_is_tried_again_alone_when_its_cause_is_gone(refused: Any) -> None:
    house, pairs = refused
    for contact, _ in pairs[:2]:
        house.edit("hubspot", contact, firstname="Rita")
    house.edit("hubspot", pairs[2][0], firstname="Tom")

    told = house.command("--json", "refused", "retry", "--code", "STRING_TOO_LONG")

    assert told.code == 0, told.out + told.err
    assert told.document["records_read"] == 4
    names = [house.record("salesforce", lead)["FirstName"] for _, lead in pairs]
    assert names == ["Rita", "Rita", "Anna"]
    assert house.command("--json", "refused").document["refused"] == []


def test_what_is_refused_again_stays_refused_and_is_tried_by_later_runs(refused: Any) -> None:
    house, pairs = refused
    assert house.command("--json", "refused", "retry").code == 1
    (cause,) = house.command("--json", "refused").document["causes"]
    assert cause["tries"] == 2
    house.edit("hubspot", pairs[0][0], firstname="Rita")
    house.edit("hubspot", pairs[1][0], firstname="Rita")
    house.sync()
    assert house.command("--json", "refused").document["refused"] == []


def test_retrying_a_code_that_nothing_is_refused_with_is_wrong_use(refused: Any) -> None:
    told = refused[0].command("refused", "retry", "--code", "NO_SUCH_CODE")
    assert told.code == 2
    assert "nothing is refused with NO_SUCH_CODE" in told.err


def test_status_says_how_fresh_what_waits_and_how_much_is_used(refused: Any) -> None:
    house, _ = refused
    told = house.command("--json", "status")
    assert told.code == 0, told.out + told.err
    document = told.document
    assert {one["crm"]: bool(one["account"]) for one in document["connections"]} == {
        "hubspot": True,
        "salesforce": True,
    }
    assert {one["crm"]: one["age_seconds"] for one in document["freshness"]} == {
        "hubspot": 3 * 3600.0,
        "salesforce": 3 * 3600.0,
    }
    backlog = document["backlog"]
    assert (backlog["held"], backlog["refused"], backlog["intents"]) == (0, 2, 0)
    assert document["other_policy"] == 0
    assert document["backfills"] == []
    (budget,) = [one for one in document["quota"] if one["crm"] == "salesforce"]
    assert 0 < budget["used"] < budget["limit"]
    assert [run["command"] for run in document["runs"]] == ["sync", "sync"]
    people = house.command("status").out
    assert "2 refused by a CRM, the oldest for 3 h" in people
    assert "read 3 h ago" in people


def test_status_names_a_crm_that_does_not_let_us_in(refused: Any) -> None:
    house, _ = refused
    told = house.command("--json", "status", environ={"LEADPACT_HUBSPOT__ACCESS_TOKEN": "pat-of-nobody"})
    assert told.code == 4
    away = {one["crm"]: one["problem"] for one in told.document["connections"]}
    assert away["hubspot"]
    assert not away["salesforce"]
    assert "pat-of-nobody" not in told.out + told.err


def test_status_says_what_another_policy_judged(refused: Any) -> None:
    house, _ = refused
    house.rewrite("policy.toml", "points = ", "points = 1")
    assert house.command("--json", "status").document["other_policy"] == 3
    house.command("rescore")
    assert house.command("--json", "status").document["other_policy"] == 0
