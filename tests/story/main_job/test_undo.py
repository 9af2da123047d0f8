"""What a run wrote can be taken back, except where people have gone on working."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest


@pytest.fixture
def people(furnished: Any, begin: Callable[..., Any]) -> tuple[Any, list[tuple[str, str]]]:
    """Twelve linked people on whom both CRMs agree."""
    return furnished, begin(_agreed)


def _agreed(house: Any) -> list[tuple[str, str]]:
    pairs = [
        house.couple(
            f"person{number}@shop{number}.example",
            {"firstname": "Anna", "lastname": f"Sommer{number}", "company": f"Shop {number}"},
        )
        for number in range(12)
    ]
    house.sync()
    house.later(3600)
    return pairs


def _titles(house: Any, pairs: list[tuple[str, str]]) -> list[str | None]:
    return [house.record("salesforce", lead)["Title"] for _, lead in pairs]


def _changed_run(house: Any, pairs: list[tuple[str, str]]) -> int:
    """Marketing gives everybody a title in HubSpot; the run that carries it to Salesforce."""
    for number, (contact, _) in enumerate(pairs):
        house.edit("hubspot", contact, jobtitle=f"Head {number}")
    run = house.sync().run
    assert _titles(house, pairs) == [f"Head {number}" for number in range(12)]
    house.later(3600)
    return int(run)


def test_an_undo_restores_everything_but_what_people_have_changed_since(people: Any) -> None:
    house, pairs = people
    run = _changed_run(house, pairs)
    house.edit("salesforce", pairs[3][1], Title="Owner")

    told = house.command("--json", "undo", str(run))

    assert told.code == 1
    assert told.document["restored"] == 11
    (left,) = told.document["left"]
    assert (left["crm"], left["record"], left["field"]) == ("salesforce", pairs[3][1], "job_title")
    assert left["changed_at"].startswith("2026-11-20")
    assert left["changed_by"]
    assert _titles(house, pairs) == [None] * 3 + ["Owner"] + [None] * 8


def test_what_was_taken_back_does_not_come_again_until_it_would_be_something_else(people: Any) -> None:
    house, pairs = people
    run = _changed_run(house, pairs)
    assert house.command("--json", "undo", str(run)).code == 0
    house.later(3600)
    mark = house.mark()
    house.sync()
    house.later(3600)
    house.sync()
    assert house.wrote_nothing(mark)
    assert house.record("hubspot", pairs[0][0])["jobtitle"] == "Head 0"
    assert house.command("--json", "agree").document["unexplained"] == 0

    house.edit("hubspot", pairs[0][0], jobtitle="Managing Director")
    house.sync()
    assert _titles(house, pairs) == ["Managing Director"] + [None] * 11
    house.later(3600)
    house.edit("hubspot", pairs[0][0], jobtitle="Head 0")
    house.sync()
    assert _titles(house, pairs)[0] == "Head 0"


def test_an_undo_can_be_undone(people: Any) -> None:
    house, pairs = people
    run = _changed_run(house, pairs)
    undone = house.command("--json", "undo", str(run)).document["run"]
    again = house.command("--json", "undo", str(undone))
    assert again.document["restored"] == 12
    assert again.document["left"] == []
    assert _titles(house, pairs) == [f"Head {number}" for number in range(12)]
    house.later(3600)
    mark = house.mark()
    house.sync()
    assert house.wrote_nothing(mark)


def test_a_record_that_the_run_created_is_archived_and_not_made_anew(furnished: Any) -> None:
    house = furnished
    (contact,) = house.load(
        "hubspot",
        {
            "email": "zoe@heiss.example",
            "firstname": "Zoe",
            "lastname": "Heiss",
            "company": "Heiss AG",
            "jobtitle": "Head of Marketing",
        },
    )
    house.rewrite("leadpact.toml", "stage IN ('mql', 'sql')", "email IS NOT NULL")
    run = house.sync().run
    (lead,) = house.records("salesforce")
    house.later(3600)

    told = house.command("--json", "undo", str(run))

    assert told.code == 0, told.out + told.err
    assert house.records("salesforce")[lead]["IsDeleted"] is True
    house.later(3600)
    mark = house.mark()
    house.sync()
    assert not house.writes(mark)["salesforce"]
    assert not house.record("hubspot", contact).get("leadpact_salesforce_id")


def test_a_created_record_that_somebody_works_on_is_kept(furnished: Any) -> None:
    house = furnished
    person = {"email": "zoe@heiss.example", "firstname": "Zoe", "lastname": "Heiss", "company": "Heiss AG"}
    (contact,) = house.load("hubspot", person)
    house.rewrite("leadpact.toml", "stage IN ('mql', 'sql')", "email IS NOT NULL")
    run = house.sync().run
    (lead,) = house.records("salesforce")
    house.later(3600)
    house.edit("salesforce", lead, Company="Heiss Holding AG")

    told = house.command("--json", "undo", str(run))

    assert told.code == 1
    assert {left["record"] for left in told.document["left"] if left["crm"] == "salesforce"} == {lead}
    assert house.record("hubspot", contact)["leadpact_salesforce_id"] == lead
    assert house.records("salesforce")[lead]["IsDeleted"] is False


def test_a_stage_that_was_moved_forward_goes_back(furnished: Any) -> None:
    house = furnished
    contact, _ = house.couple(
        "mia@heiss.example",
        {"jobtitle": "Head of Marketing", "annualrevenue": "50000000", "country": "Germany"},
        hubspot={"industry": "E-Commerce", "lifecyclestage": "lead"},
    )
    run = house.sync().run
    before = house.record("hubspot", contact)["lifecyclestage"]
    house.later(3600)
    told = house.command("--json", "undo", str(run))
    assert told.code == 0, told.out + told.err
    after = house.record("hubspot", contact)["lifecyclestage"]
    assert (before, after) in {("lead", "lead"), ("marketingqualifiedlead", "lead")}


@pytest.mark.parametrize(("run", "says"), [("999", "wrote nothing"), ("0", "not in the range")])
def test_a_run_that_wrote_nothing_cannot_be_undone(people: Any, run: str, says: str) -> None:
    house, _ = people
    told = house.command("undo", run)
    assert told.code == 2
    assert says in told.err


def test_of_a_thousand_changes_those_that_ten_people_worked_on_are_left_and_named(furnished: Any) -> None:
    house = furnished
    people = [
        {
            "email": f"p{number}@shop.example",
            "firstname": "Anna",
            "lastname": f"Sommer{number}",
            "company": "Shop",
        }
        for number in range(1000)
    ]
    house.load("hubspot", *({**person, "jobtitle": "Head of Marketing"} for person in people))
    leads = house.load(
        "salesforce",
        *(
            {
                "Email": person["email"],
                "FirstName": "Anna",
                "LastName": person["lastname"],
                "Company": "Shop",
            }
            for person in people
        ),
    )
    house.rewrite("leadpact.toml", "max_stage_moves = 500", "max_stage_moves = 5000")
    run = house.sync().run
    titles = [row["Title"] for row in house.records("salesforce").values()]
    assert titles == ["Head of Marketing"] * 1000
    house.later(3600)
    for lead in leads[:10]:
        house.edit("salesforce", lead, Title="Owner")

    told = house.command("--json", "undo", str(run))

    named = [left for left in told.document["left"] if left["field"] == "job_title"]
    assert {left["record"] for left in named} == set(leads[:10])
    assert all(left["changed_by"] for left in named)
    assert {left["changed_at"] for left in named} == {house.serving.clock.now().isoformat()}
    assert told.document["left"] == named
    titles = [row["Title"] for row in house.records("salesforce").values()]
    assert (titles.count("Owner"), titles.count(None)) == (10, 990)
    assert "are not undone" in house.command("undo", str(told.document["run"])).out
    titles = [row["Title"] for row in house.records("salesforce").values()]
    assert (titles.count("Owner"), titles.count("Head of Marketing")) == (10, 990)


def test_what_a_crm_rounded_counts_as_written_and_a_withdrawal_is_not_taken_back(furnished: Any) -> None:
    house = furnished
    contact, lead = house.couple("anna@sommer.example", {"annualrevenue": "1000000"})
    house.sync()
    house.later(3600)
    house.edit("hubspot", contact, annualrevenue="1234567.89")
    house.unsubscribe("hubspot", contact)
    house.later(60)
    run = house.sync().run
    assert house.record("salesforce", lead)["AnnualRevenue"] == 1234568
    house.later(3600)

    told = house.command("--json", "undo", str(run))

    (left,) = told.document["left"]
    assert (left["field"], left["why"]) == ("email_opt_out", "nobody is put back on a list by an undo")
    assert house.record("salesforce", lead)["AnnualRevenue"] == 1000000
    assert house.record("salesforce", lead)["HasOptedOutOfEmail"] is True
