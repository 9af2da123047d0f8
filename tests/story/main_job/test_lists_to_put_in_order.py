"""What a sync cannot put in order by itself is listed: opportunities that name nobody, addresses that are no more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

ANNA = {"FirstName": "Anna", "LastName": "Sommer", "Company": "Sommer Versand GmbH"}


def _made(house: Any, **fields: Any) -> str:
    body = {"action": "create", "object": "Opportunity", "fields": fields}
    return str(house.control("salesforce", "people", body)["id"])


def test_an_open_opportunity_that_names_nobody_is_listed_with_the_leads_of_its_account(
    furnished: Any,
) -> None:
    house = furnished
    contact, lead = house.couple("anna@sommer-versand.de")
    house.sync()
    house.later(3600)
    # The conversion's own opportunity has a contact role, and is evidence by itself.
    turned = house.control("salesforce", "people", {"action": "convert", "id": lead})
    deal = {"StageName": "Prospecting", "CloseDate": "2026-12-31"}
    open_one = _made(house, Name="Hall 3", Amount=12000, AccountId=turned["account_id"], **deal)
    other = _made(house, Name="Nobody's", **deal)
    _made(house, Name="Over", AccountId=turned["account_id"], **{**deal, "StageName": "Closed Lost"})
    house.later(60)
    house.sync()
    mark = house.mark()

    told = house.command("--json", "opportunities").document["opportunities"]

    found = {one["opportunity"]: one for one in told}
    assert set(found) == {open_one, other}
    assert (found[open_one]["name"], found[open_one]["stage"]) == ("Hall 3", "Prospecting")
    assert float(found[open_one]["amount"]) == 12000
    assert found[open_one]["leads"] == [house.explain(f"hubspot:{contact}")["lead"]]
    assert found[other]["leads"] == []
    assert "2 open opportunities name nobody" in house.command("opportunities").out
    assert house.wrote_nothing(mark)


def test_a_former_address_gets_no_mail_and_makes_nobody_twice_until_somebody_has_looked(
    furnished: Any, tmp_path: Path
) -> None:
    house = furnished
    house.rewrite("leadpact.toml", 'create_in_hubspot = "', 'create_in_hubspot = "email IS NOT NULL" #')
    contact, lead = house.couple("anna@alt.example")
    gone, there = house.couple("otto@alt.example", {"firstname": "Otto", "lastname": "Lang"})
    house.sync()
    house.later(3600)
    house.unsubscribe("hubspot", gone)
    house.edit("hubspot", contact, email="anna@neu.example")
    house.edit("salesforce", there, Email="otto@neu.example")
    house.later(60)
    house.sync()
    house.later(3600)
    house.sync()

    assert house.record("salesforce", lead)["Email"] == "anna@neu.example"
    assert len(house.records("hubspot")) == len(house.records("salesforce")) == 2
    # Who opted out stays so with the new address too, and who did not is not unsubscribed by a change.
    assert house.record("salesforce", there)["HasOptedOutOfEmail"] is True
    assert house.record("hubspot", gone)["hs_email_optout"] == "true"
    assert house.record("salesforce", lead)["HasOptedOutOfEmail"] is False
    file = tmp_path / "suppression.csv"
    file.touch(mode=0o644)
    told = house.command("--json", "addresses", "--csv", str(file)).document["addresses"]
    assert {one["address"] for one in told} == {"anna@alt.example", "otto@alt.example"}
    assert file.read_text("utf-8").split() == ["email", "anna@alt.example", "otto@alt.example"]
    assert file.stat().st_mode & 0o077 == 0

    (was,) = house.explain(f"salesforce:{lead}")["former_addresses"]
    assert was["address"] == "anna@alt.example"
    card = tmp_path / "fair.csv"
    card.write_text(
        "Vorname;Nachname;Firma;E-Mail-Adresse\nAnna;Sommer;Sommer Versand GmbH;anna@alt.example\n", "utf-8"
    )
    people = house.command("--json", "import", str(card), "--source", "Fair").document["people"]
    assert (people["known"], people["new"], people["held"]) == (1, 0, 0)

    (again,) = house.load("salesforce", {**ANNA, "Email": "anna@alt.example"})
    house.later(60)
    house.sync()
    (waiting,) = house.command("--json", "held").document["held"]
    assert (waiting["kind"], waiting["record_id"]) == ("ambiguous", again)
    assert len(house.records("hubspot")) == 2, "the old address would get mail again"

    assert house.command("addresses", "--reviewed", "Anna@alt.example").code == 0
    assert house.command("addresses", "--reviewed", "anna@alt.example").code == 2
    left = house.command("--json", "addresses").document["addresses"]
    assert [one["address"] for one in left] == ["otto@alt.example"]
    house.edit("salesforce", there, Email="otto@alt.example")
    house.later(60)
    house.sync()
    assert house.command("--json", "addresses").document["addresses"][0]["address"] == "otto@neu.example"

    erased = house.command("--json", "forget", f"hubspot:{gone}", "--yes").document
    assert erased["erased"]["former_address"] == 1
    assert erased["left"] == {}
    assert house.command("--json", "addresses").document["addresses"] == []
