"""`newest`: the later change of a field stands, by the field's own time in each CRM, and never by the record's."""

from __future__ import annotations

import json
from typing import Any

import pytest


@pytest.fixture
def people(furnished: Any) -> tuple[Any, dict[str, tuple[str, str]]]:
    """Four people on whom both CRMs agree. Salesforce tracks the title and not the city; both go by `newest`."""
    house = furnished
    house.control("salesforce", "limits", {"history": {"Lead": ["Title"]}})
    for field in ("job_title", "city"):
        path = house.folder / "fields.toml"
        head, tail = path.read_text(encoding="utf-8").split(f"[fields.{field}]\n", 1)
        rules = [
            line for line in tail.split("\n[", 1)[0].split("\n") if not line.startswith("if_both_changed")
        ]
        rest = tail.split("\n[", 1)[1]
        rule = "\n".join(['if_both_changed = "newest"', *rules])
        path.write_text(f"{head}[fields.{field}]\n{rule}\n[{rest}", encoding="utf-8")
    couples = {
        name: house.couple(f"{name}@{name}.example", {"lastname": name.title(), "company": f"{name} AG"})
        for name in ("hubspot", "salesforce", "together", "untracked")
    }
    house.sync()
    house.later(3_600)
    return house, couples


def _titles(house: Any, pair: tuple[str, str]) -> tuple[Any, Any]:
    return house.record("hubspot", pair[0])["jobtitle"], house.record("salesforce", pair[1])["Title"]


def test_the_later_change_of_the_field_stands_and_what_has_no_time_is_held_with_why(
    people: tuple[Any, dict[str, tuple[str, str]]],
) -> None:
    house, couples = people
    house.edit("salesforce", couples["hubspot"][1], Title="Einkauf")
    house.edit("hubspot", couples["salesforce"][0], jobtitle="Einkauf")
    house.later(600)
    house.edit("hubspot", couples["hubspot"][0], jobtitle="Vertrieb")
    house.edit("salesforce", couples["salesforce"][1], Title="Vertrieb")
    house.edit("hubspot", couples["together"][0], jobtitle="Einkauf")
    house.edit("salesforce", couples["together"][1], Title="Vertrieb")
    house.edit("hubspot", couples["untracked"][0], city="Bonn")
    house.later(600)
    house.edit("salesforce", couples["untracked"][1], City="Köln")
    # The record that lost its title is the one that was changed last.
    house.edit("salesforce", couples["hubspot"][1], Phone="+49 221 1234567")
    house.edit("hubspot", couples["salesforce"][0], phone="+49 221 7654321")
    house.later(600)

    told = house.command("--json", "sync")

    assert told.document["held"] == 4
    assert _titles(house, couples["hubspot"]) == ("Vertrieb", "Vertrieb")
    assert _titles(house, couples["salesforce"]) == ("Vertrieb", "Vertrieb")
    assert _titles(house, couples["together"]) == ("Einkauf", "Vertrieb")
    waiting = house.command("--json", "held").document["held"]
    held = {one["field"]: json.loads(one["details"])["why"] for one in waiting}
    assert held == {
        "job_title": "both were changed within a second",
        "city": "Salesforce does not tell when the field got its present value: an admin turns on its field history",
    }
    [conflict] = house.explain("hubspot@hubspot.example")["conflicts"]
    assert (conflict["rule"], conflict["winner"]) == ("newest", "hubspot")
    assert conflict["hubspot_at"] > conflict["salesforce_at"]
    house.later(3_600)
    mark = house.mark()
    house.sync()
    assert house.wrote_nothing(mark)


def test_nobodys_history_is_asked_for_without_a_conflict(
    people: tuple[Any, dict[str, tuple[str, str]]],
) -> None:
    house, couples = people
    house.edit("hubspot", couples["hubspot"][0], jobtitle="Vertrieb")
    mark = house.mark()
    house.sync()
    asked = house.look("hubspot", "requests", after=str(mark["hubspot"]), bodies="1")["requests"]
    assert not [call for call in asked if "propertiesWithHistory" in (call["body"] or "")]
    asked = house.look("salesforce", "requests", after=str(mark["salesforce"]))["requests"]
    assert not [call for call in asked if "LeadHistory" in call["path"]]
