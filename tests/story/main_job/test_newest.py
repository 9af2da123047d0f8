"""`newest`: the later change of a field stands, by the field's own time in each CRM, and never by the record's."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest


@pytest.fixture
def people(furnished: Any) -> tuple[Any, dict[str, tuple[str, str]]]:
    """Four people on whom both CRMs agree. Salesforce tracks the title and not the city; both go by `newest`."""
    house = furnished
    house.control("salesforce", "limits", {"history": {"Lead": ["Title"]}})
    _by_time(house, "job_title", "city")
    couples = {
        name: house.couple(f"{name}@{name}.example", {"lastname": name.title(), "company": f"{name} AG"})
        for name in ("hubspot", "salesforce", "together", "untracked")
    }
    house.sync()
    house.later(3_600)
    return house, couples


def _by_time(house: Any, *fields: str, more: str = "") -> None:
    """These fields go by `newest`; ``more`` lines go with the rule of each."""
    path = house.folder / "fields.toml"
    for field in fields:
        head, tail = path.read_text(encoding="utf-8").split(f"[fields.{field}]\n", 1)
        lines, rest = tail.split("\n\n", 1)
        rules = [line for line in lines.split("\n") if not line.startswith("if_both_changed")]
        rule = "\n".join(['if_both_changed = "newest"', *rules, *([more] if more else [])])
        path.write_text(f"{head}[fields.{field}]\n{rule}\n\n{rest}", encoding="utf-8")


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


def test_a_history_that_ended_before_the_last_change_tells_no_time(
    people: tuple[Any, dict[str, tuple[str, str]]],
) -> None:
    house, couples = people
    contact, lead = couples["hubspot"]
    house.edit("salesforce", lead, Title="Einkauf")
    house.sync()
    house.control("salesforce", "limits", {"history": {"Lead": ["Company"]}})
    house.later(3_600)
    house.edit("hubspot", contact, jobtitle="Vertrieb")
    house.later(3_600)
    house.edit("salesforce", lead, Title="Leitung")
    house.later(600)

    told = house.command("--json", "sync")

    assert told.document["held"] == 2
    assert _titles(house, couples["hubspot"]) == ("Vertrieb", "Leitung")
    (one,) = house.command("--json", "held").document["held"]
    assert "its present value" in json.loads(one["details"])["why"]


#: A field of each type: what HubSpot calls it and somebody types there, then the same of Salesforce.
TYPES: Mapping[str, tuple[str, str, str, Any]] = {
    "job_title": ("jobtitle", " Einkauf ", "Title", "Leitung"),
    "phone": ("phone", "0221/7654321", "Phone", "(0221) 555 666 7"),
    "website": ("website", "WWW.a.example/", "Website", "https://b.example"),
    "industry": ("industry", "BANKING", "Industry", "Retail"),
    "annual_revenue": ("annualrevenue", "25.000.000,50", "AnnualRevenue", 12_500_000.25),
    "country": ("country", "Deutschland", "Country", "AT"),
    "has_budget": ("leadpact_has_budget", "true", "Leadpact_Has_Budget__c", "false"),
    "purchase_date": ("leadpact_purchase_date", "2026-12-02", "Leadpact_Purchase_Date__c", "2026-12-05"),
    "order_volume": ("leadpact_order_volume", "200.50", "Leadpact_Order_Volume__c", 400),
    "previous_orders": ("leadpact_previous_orders", "3", "Leadpact_Previous_Orders__c", 4),
}


def test_a_value_of_any_type_is_known_again_in_both_histories(furnished: Any) -> None:
    house = furnished
    _by_time(house, *TYPES)
    house.control("salesforce", "limits", {"history": {"Lead": [name for _, _, name, _ in TYPES.values()]}})
    typed = {
        "hubspot": {name: value for name, value, _, _ in TYPES.values()},
        "salesforce": {name: value for _, _, name, value in TYPES.values()},
    }
    couples = {later: house.couple(f"{later}@{later}.example") for later in typed}
    house.sync()
    for later, (contact, lead) in couples.items():
        ids = {"hubspot": contact, "salesforce": lead}
        earlier = "hubspot" if later == "salesforce" else "salesforce"
        for crm in (earlier, later):
            house.later(600)
            house.edit(crm, ids[crm], **typed[crm])
    house.later(600)

    assert house.command("--json", "sync").document["held"] == 0
    for later in couples:
        conflicts = house.explain(f"{later}@{later}.example")["conflicts"]
        assert {one["field"]: one["winner"] for one in conflicts} == dict.fromkeys(TYPES, later)


@pytest.mark.parametrize("tracked", [True, False], ids=["the currency is tracked", "it is not"])
def test_a_currency_that_changes_alone_is_a_change_of_the_amount(furnished: Any, *, tracked: bool) -> None:
    house = furnished
    # Both show the currency of their amount in a field beside it.
    money = 'currency = { hubspot = "fax", salesforce = "Fax" }'
    _by_time(house, "annual_revenue", more=money)
    fields = ["AnnualRevenue", *(["Fax"] if tracked else [])]
    house.control("salesforce", "limits", {"history": {"Lead": fields}})
    first, second = (
        house.couple(f"{name}@{name}.example", {"annualrevenue": "100"}, {"fax": "EUR"}, {"Fax": "EUR"})
        for name in ("francs", "pounds")
    )
    house.sync()
    house.later(600)
    house.edit("hubspot", first[0], annualrevenue="200")
    house.edit("salesforce", second[1], AnnualRevenue=200)
    house.later(600)
    house.edit("salesforce", first[1], AnnualRevenue=300)
    house.edit("hubspot", second[0], annualrevenue="300")
    house.later(600)
    house.edit("hubspot", first[0], fax="CHF")
    house.edit("salesforce", second[1], Fax="GBP")
    house.later(600)

    assert house.command("--json", "sync").document["written"] == 0

    # The currency changed last, and neither CRM can be told an amount in the other's.
    contact, lead = house.record("hubspot", first[0]), house.record("salesforce", first[1])
    assert (contact["annualrevenue"], contact["fax"]) == ("200", "CHF")
    contact, lead = house.record("hubspot", second[0]), house.record("salesforce", second[1])
    assert (float(lead["AnnualRevenue"]), lead["Fax"]) == (200.0, "GBP")
    kinds = [one["kind"] for one in house.command("--json", "held").document["held"]]
    assert sorted(kinds) == ["unsayable" if tracked else "conflict", "unsayable"]
