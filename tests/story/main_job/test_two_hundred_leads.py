"""Two hundred leads: a plan that says what it will do, carried out but for what moved; and a cap that stops it all."""

from __future__ import annotations

import json
from typing import Any

import pytest

CREATED, UPDATED, ALIKE, MOVED = 12, 61, 127, 3


def _person(number: int) -> dict[str, str]:
    return {"firstname": "Anna", "lastname": f"Sommer{number}", "company": f"Shop {number}"}


def _linked(house: Any, **more: str) -> list[tuple[str, str]]:
    """Everybody but those to be created, in both CRMs; the ids of contact and lead. ``more``: in HubSpot."""
    people = [(f"p{number}@shop{number}.example", _person(number)) for number in range(UPDATED + ALIKE)]
    contacts = house.load("hubspot", *({"email": email, **person, **more} for email, person in people))
    leads = house.load(
        "salesforce",
        *(
            {
                "Email": email,
                "FirstName": person["firstname"],
                "LastName": person["lastname"],
                "Company": person["company"],
            }
            for email, person in people
        ),
    )
    return list(zip(contacts, leads, strict=True))


@pytest.fixture
def planned(furnished: Any) -> tuple[Any, list[tuple[str, str]]]:
    """200 leads of whom 127 agree in every field that is synced; all of them were touched since."""
    house = furnished
    path = house.folder / "leadpact.toml"
    text = path.read_text(encoding="utf-8")
    start = text.index("create_in_salesforce")
    wanted = "create_in_salesforce = \"email ILIKE 'new%'\""
    path.write_text(text[:start] + wanted + text[text.index("\n", start) :], encoding="utf-8")
    return house, _begun(house)


def _begun(house: Any) -> list[tuple[str, str]]:
    pairs = _linked(house)
    for _ in range(2):  # the second reads our own writes of the first
        house.sync()
        house.later(3_600)
    for number, (contact, _) in enumerate(pairs):
        house.edit("hubspot", contact, **({"city": "Bonn"} if number < UPDATED else {"fax": "1"}))
    new = (
        {"email": f"new{number}@neu{number}.example", **_person(1000 + number)} for number in range(CREATED)
    )
    house.load("hubspot", *new)
    house.later(3_600)
    return pairs


def _by_lead(changes: list[dict[str, Any]]) -> dict[str, set[str]]:
    """Lead to the kinds of its changes in Salesforce."""
    found: dict[str, set[str]] = {}
    for change in changes:
        found.setdefault(change["lead"], set()).add("create" if change["record"] is None else "update")
    return found


def test_a_plan_is_carried_out_but_for_the_three_that_moved_and_the_next_plan_holds_those_alone(
    planned: tuple[Any, list[tuple[str, str]]],
) -> None:
    house, pairs = planned
    file = house.folder / "plan.json"
    first = house.command("--json", "plan", "--out", str(file)).document
    by_lead = _by_lead([one for one in first["changes"] if one["crm"] == "salesforce"])
    created = {lead for lead, kinds in by_lead.items() if "create" in kinds}
    assert (len(created), len(by_lead) - len(created)) == (CREATED, UPDATED)
    assert {one["lead"] for one in first["changes"]} == set(by_lead)
    assert first["records_read"] == CREATED + UPDATED + ALIKE
    of_contact = {row["record_id"]: row["lead_id"] for row in _saved(file)}

    for _, lead in pairs[:MOVED]:
        house.edit("salesforce", lead, City="Köln")
    house.later(600)
    applied = house.command("--json", "apply", str(file), "--changes")

    written = {one["lead"] for one in applied.document["changes"]}
    moved = {of_contact[lead] for _, lead in pairs[:MOVED]}
    assert applied.code == 3
    assert written == set(by_lead) - moved
    assert len(written) == CREATED + UPDATED - MOVED
    cities = [row["City"] for row in house.records("salesforce").values()]
    assert (cities.count("Bonn"), cities.count("Köln")) == (UPDATED - MOVED, MOVED)
    assert len(cities) == CREATED + UPDATED + ALIKE
    assert {one["lead"] for one in applied.document["moved"]} == moved

    second = house.command("--json", "plan").document
    assert {one["lead"] for one in second["changes"]} == moved


def _saved(file: Any) -> list[dict[str, Any]]:
    return list(json.loads(file.read_text(encoding="utf-8"))["changes"])


def test_more_stage_moves_than_the_cap_write_nothing_at_all(furnished: Any) -> None:
    house = furnished
    _linked(house, num_conversion_events="1")
    house.rewrite("leadpact.toml", "max_stage_moves = 500", "max_stage_moves = 50")
    mark = house.mark()
    told = house.command("sync", "--approve")
    assert told.code == 3
    assert "max_stage_moves" in told.out + told.err
    assert house.wrote_nothing(mark)
