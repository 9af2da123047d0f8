"""A plan is made, looked at, and carried out as it was seen, or not at all."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

COUNT = 8


@pytest.fixture
def planned(furnished: Any, begin: Callable[..., Any]) -> tuple[Any, Path, list[tuple[str, str]]]:
    """Eight people whose titles differ, and the saved plan that brings them into agreement."""
    return furnished, furnished.folder / "plan.json", begin(_planned)


def _planned(house: Any) -> list[tuple[str, str]]:
    people = [
        house.couple(
            f"person{number}@shop.de",
            {"lastname": f"Nummer{number}"},
            hubspot={"jobtitle": "Einkauf", "country": "Germany"},
            salesforce={"Title": "Head of Marketing", "City": "Köln"},
        )
        for number in range(COUNT)
    ]
    assert house.command("--json", "plan", "--out", str(house.folder / "plan.json")).code == 0
    return people


def _leads(house: Any, people: list[tuple[str, str]]) -> list[str]:
    """The lead ids of these people, as the plan names them."""
    document = json.loads((house.folder / "plan.json").read_text(encoding="utf-8"))
    wanted = {contact for contact, _ in people}
    return sorted({row["lead_id"] for row in document["changes"] if row["record_id"] in wanted})


def test_making_a_plan_writes_nothing_in_both_crms(planned: Any) -> None:
    house, file, people = planned
    mark = house.mark()

    told = house.command("--json", "plan")

    assert told.document["written"] == COUNT * 2
    assert house.wrote_nothing(mark)
    assert house.record("hubspot", people[0][0])["jobtitle"] == "Einkauf"
    assert file.stat().st_mode & 0o077 == 0, "a plan holds personal data"


def test_the_same_state_gives_the_same_plan(planned: Any) -> None:
    house, file, _people = planned
    fingerprint = json.loads(file.read_text(encoding="utf-8"))["fingerprint"]

    assert house.command("--json", "plan").document["fingerprint"] == fingerprint


def test_an_untouched_plan_is_carried_out_whole_and_approves_later_syncs(planned: Any) -> None:
    house, file, people = planned

    told = house.command("--json", "apply", str(file))

    assert told.code == 0
    assert told.document["written"] == COUNT * 2
    assert {house.record("hubspot", contact)["jobtitle"] for contact, _ in people} == {"Head of Marketing"}
    assert {house.record("salesforce", lead)["Country"] for _, lead in people} == {"Germany"}
    mark = house.mark()
    assert house.command("--json", "sync").code == 0
    assert house.wrote_nothing(mark)


def test_leads_that_moved_since_the_plan_are_refused_and_named_and_the_rest_is_written(planned: Any) -> None:
    house, file, people = planned
    moved = _leads(house, people[:3])
    house.later(600)
    _move_three(house, people)

    told = house.command("apply", str(file))

    assert told.code == 3
    named = {word for line in told.out.splitlines() for word in line.replace(",", " ").split()}
    assert set(moved) <= named
    assert not set(_leads(house, people[3:])) & named
    assert [house.record("hubspot", contact)["jobtitle"] for contact, _ in people[3:]] == (
        ["Head of Marketing"] * (COUNT - 3)
    )
    assert house.record("hubspot", people[0][0])["jobtitle"] == "Leitung Einkauf"
    assert house.record("hubspot", people[1][0])["jobtitle"] == "Einkauf"
    assert not house.record("hubspot", people[1][0]).get("leadpact_stage")


def _move_three(house: Any, people: list[tuple[str, str]]) -> None:
    house.edit("hubspot", people[0][0], jobtitle="Leitung Einkauf")
    house.edit("salesforce", people[1][1], Title="CMO")
    house.edit("hubspot", people[2][0], city="Bonn")


def test_a_second_plan_holds_only_the_leads_that_moved_and_brings_them_into_agreement(planned: Any) -> None:
    house, file, people = planned
    moved = _leads(house, people[:3])
    house.later(600)
    _move_three(house, people)
    first = house.command("--json", "apply", str(file))
    assert (first.code, first.document["refused"]) == (3, 6)

    second = house.command("--json", "plan", "--out", str(file))

    assert sorted({change["lead"] for change in second.document["changes"]}) == moved
    assert house.command("--json", "apply", str(file)).code == 0
    titles = [house.record("hubspot", contact)["jobtitle"] for contact, _ in people[:3]]
    assert titles == ["Head of Marketing", "CMO", "Head of Marketing"]
    for contact, lead in people:
        contact_now, lead_now = house.record("hubspot", contact), house.record("salesforce", lead)
        assert contact_now["jobtitle"] == lead_now["Title"]
        assert contact_now["city"] == lead_now["City"]
    agreed = house.command("--json", "agree").document
    assert (agreed["linked"], agreed["agreed"], agreed["unexplained"]) == (COUNT, COUNT, 0)


def test_a_person_who_changes_what_is_not_synced_moves_no_lead(planned: Any) -> None:
    house, file, people = planned
    house.later(600)
    house.edit("salesforce", people[0][1], Fax="+49 221 99")

    assert house.command("--json", "apply", str(file)).code == 0


def test_a_plan_edited_by_hand_is_refused_before_anything_is_written(planned: Any) -> None:
    house, file, _people = planned
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace('"after": "Head of Marketing"', '"after": "Chef"', 1), encoding="utf-8")
    mark = house.mark()

    told = house.command("apply", str(file))

    assert told.code == 2
    assert "edited by hand" in told.err
    assert house.wrote_nothing(mark)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"leadpact_plan": 1}', "not json", '{"leadpact_plan": 99}']
)
def test_what_is_no_plan_is_refused(house: Any, text: str) -> None:
    file = house.folder / "plan.json"
    file.write_text(text, encoding="utf-8")

    told = house.command("apply", str(file))

    assert told.code == 2
    assert "not a saved plan" in told.err
    assert "Traceback" not in told.err


def test_a_plan_for_other_accounts_is_refused(planned: Any) -> None:
    house, file, _people = planned
    document = json.loads(file.read_text(encoding="utf-8"))
    document["accounts"]["hubspot"] = "999"
    file.write_text(json.dumps(document), encoding="utf-8")
    mark = house.mark()

    told = house.command("apply", str(file))

    assert told.code == 3
    assert "other accounts" in told.err
    assert house.wrote_nothing(mark)


def test_a_plan_under_another_policy_is_refused(planned: Any) -> None:
    house, file, _people = planned
    house.rewrite("policy.toml", "points = 25", "points = 24")
    mark = house.mark()

    told = house.command("apply", str(file))

    assert told.code == 3
    assert "policy" in told.err
    assert house.wrote_nothing(mark)


def test_a_plan_that_was_carried_out_cannot_be_carried_out_again(planned: Any) -> None:
    house, file, _people = planned
    assert house.command("--json", "apply", str(file)).code == 0
    mark = house.mark()

    told = house.command("--json", "apply", str(file))

    assert told.code == 3
    assert house.wrote_nothing(mark)


def test_a_plan_of_one_lead_leaves_the_others_for_the_next_sync(planned: Any) -> None:
    house, file, people = planned
    assert house.command("plan", "--lead", f"hubspot:{people[0][0]}", "--out", str(file)).code == 0

    assert house.command("--json", "apply", str(file)).code == 0

    assert house.record("hubspot", people[0][0])["jobtitle"] == "Head of Marketing"
    assert house.record("hubspot", people[1][0])["jobtitle"] == "Einkauf"
    house.command("--json", "sync")
    assert {house.record("hubspot", contact)["jobtitle"] for contact, _ in people} == {"Head of Marketing"}


def test_a_person_known_to_both_is_not_created_again_by_a_plan_for_one_of_them(furnished: Any) -> None:
    house = furnished
    house.rewrite("leadpact.toml", 'create_in_hubspot = "false"', 'create_in_hubspot = "true"')
    house.rewrite("leadpact.toml", 'create_in_salesforce = "stage', 'create_in_salesforce = "true OR stage')
    contact, lead = house.couple("anna@sommer.de")
    file = house.folder / "plan.json"

    planned = house.command("--json", "plan", "--lead", f"salesforce:{lead}", "--out", str(file))
    house.command("--json", "apply", str(file))

    assert {change["record"] for change in planned.document["changes"]} == {contact, lead}
    assert (len(house.records("hubspot")), len(house.records("salesforce"))) == (1, 1)


def test_a_planned_record_that_was_deleted_meanwhile_is_refused_and_named(planned: Any) -> None:
    house, file, people = planned
    (gone,) = _leads(house, people[:1])
    for crm, record in zip(("hubspot", "salesforce"), people[0], strict=True):
        kind = {"hubspot": "contacts", "salesforce": "Lead"}[crm]
        house.control(crm, "people", {"action": "delete", "object": kind, "id": record})

    told = house.command("apply", str(file))

    assert told.code == 3
    assert gone in told.out
    assert house.record("hubspot", people[1][0])["jobtitle"] == "Head of Marketing"


def test_a_change_to_somebody_the_plan_does_not_touch_is_left_to_the_next_sync(furnished: Any) -> None:
    house = furnished
    contact, lead = house.couple("anna@sommer.de")
    house.sync()
    house.couple("new@shop.de", hubspot={"jobtitle": "Einkauf"})
    file = house.folder / "plan.json"
    house.command("--json", "plan", "--out", str(file))
    house.later(600)
    house.edit("hubspot", contact, jobtitle="CMO")

    told = house.command("--json", "apply", str(file))

    assert (told.code, told.document["refused"]) == (0, 0)
    assert house.record("salesforce", lead).get("Title") is None
    house.sync()
    assert house.record("salesforce", lead)["Title"] == "CMO"


def test_people_who_need_no_change_are_linked_by_the_plan_too(furnished: Any) -> None:
    house = furnished
    house.rewrite("leadpact.toml", 'create_in_salesforce = "stage', 'create_in_salesforce = "true OR stage')
    contact, _lead = house.couple("paul@paris.fr", {"country": "France"})
    house.couple("anna@sommer.de")
    file = house.folder / "plan.json"
    house.command("--json", "plan", "--out", str(file))
    house.command("--json", "apply", str(file))
    house.later(86_400)
    house.edit("hubspot", contact, country="Germany")

    house.sync()

    assert len(house.records("salesforce")) == 2, "Paul came into scope and has a Salesforce lead already"
