"""Who is synced: by a condition, by direction, by a pilot list; and what guards a run beside its caps."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from sync.errors import GuardStopped
from sync.run import Asked, perform


def _list(house: Any, *contacts: str) -> str:
    with house.app() as app:
        lists: Any = app.crms["hubspot"]
        made = lists.lists.create("Pilot")
        lists.lists.add(made.id, list(contacts))
    return str(made.id)


def _add(house: Any, number: str, *contacts: str) -> None:
    with house.app() as app:
        lists: Any = app.crms["hubspot"]
        lists.lists.add(number, list(contacts))


@pytest.fixture
def two(furnished: Any) -> tuple[Any, tuple[str, str], tuple[str, str]]:
    """Two people in both CRMs, whose towns only HubSpot knows."""
    anna = furnished.couple("anna@sommer.de", hubspot={"city": "Köln"})
    ole = furnished.couple(
        "ole@winter.de", {"firstname": "Ole", "lastname": "Winter"}, hubspot={"city": "Bonn"}
    )
    return furnished, anna, ole


def test_a_pilot_bounds_the_first_weeks_and_widening_it_is_a_plan_of_its_own(two: Any) -> None:
    house, anna, ole = two
    number = _list(house, anna[0])
    pilot = {"LEADPACT_SCOPE__PILOT": f"hubspot list {number}"}

    assert house.command("sync", "--approve", environ=pilot).code == 0
    assert house.record("salesforce", anna[1])["City"] == "Köln"
    assert not house.record("salesforce", ole[1]).get("City")
    told = house.command("--json", "explain", "ole@winter.de", environ=pilot).document["scope"]
    assert told["in"] is False
    assert told["because"][-1] == {
        "setting": "scope.pilot",
        "condition": f"hubspot list {number}",
        "answer": "no",
    }

    house.later(3_600)
    assert house.command("--json", "plan", environ=pilot).document["changes"] == []
    _add(house, number, ole[0])
    planned = house.command("--json", "plan", environ=pilot).document["changes"]
    assert {row["record"] for row in planned} == {*ole}
    assert house.command("sync", environ=pilot).code == 0
    assert house.record("salesforce", ole[1])["City"] == "Bonn"


def test_a_pilot_that_is_too_large_writes_nothing(two: Any) -> None:
    house, anna, ole = two
    number = _list(house, anna[0], ole[0])
    mark = house.mark()
    small = {"LEADPACT_SCOPE__PILOT": f"hubspot list {number}", "LEADPACT_GUARDS__PILOT_SIZE": "1"}
    told = house.command("sync", "--approve", environ=small)
    assert told.code == 3
    assert "guards.pilot_size" in told.err
    assert house.wrote_nothing(mark)


def test_a_wider_condition_reaches_those_whom_the_cursors_have_passed(two: Any) -> None:
    house, anna, ole = two
    narrow = {"LEADPACT_SCOPE__LEADS": "last_name = 'Sommer'"}
    assert house.command("sync", "--approve", environ=narrow).code == 0
    assert not house.record("salesforce", ole[1]).get("City")
    house.later(3_600)

    assert house.command("sync", environ={"LEADPACT_SCOPE__LEADS": "true"}).code == 0

    assert house.record("salesforce", ole[1])["City"] == "Bonn"
    assert house.record("salesforce", anna[1])["City"] == "Köln"


def test_a_direction_out_of_scope_is_left_alone_but_for_a_withdrawal(two: Any) -> None:
    house, anna, _ole = two
    house.unsubscribe("hubspot", anna[0])
    one_way = {"LEADPACT_SCOPE__TO_SALESFORCE": "false"}

    assert house.command("sync", "--approve", environ=one_way).code == 0

    lead = house.record("salesforce", anna[1])
    assert not lead.get("City")
    assert not lead.get("Leadpact_Stage__c")
    assert lead["HasOptedOutOfEmail"] is True
    assert house.record("hubspot", anna[0])["leadpact_stage"]


def test_a_config_that_opens_another_account_is_stopped(two: Any) -> None:
    house, _anna, _ole = two
    assert house.command("plan").code == 0
    mark = house.mark()
    with psycopg.connect(house.database, autocommit=True) as memory:
        memory.execute("UPDATE config_account SET hubspot_account = '777'")

    told = house.command("sync", "--approve")

    assert told.code == 3
    assert "has always worked with 777" in told.err
    assert house.wrote_nothing(mark)


def test_the_canary_stops_the_run_when_a_record_does_not_hold_what_was_written(furnished: Any) -> None:
    house = furnished
    leads = [house.couple(f"p{n}@firma{n}.de", hubspot={"city": "Köln"})[1] for n in range(12)]
    meddled: list[str] = []

    def meddle(point: str) -> None:
        """An automation in Salesforce writes another town over what it is given."""
        if point == "after salesforce update" and not meddled:
            for lead in leads:
                if house.record("salesforce", lead).get("City") == "Köln":
                    house.edit("salesforce", lead, City="Bonn")
                    meddled.append(lead)

    canary = {"LEADPACT_GUARDS__CANARY": "5"}
    with (
        house.app(canary, at_point=meddle) as app,
        pytest.raises(GuardStopped, match=r"canary.*City") as stop,
    ):
        perform(app.work(), Asked("sync", approve=True))

    assert len(meddled) == 5
    assert "Köln" not in str(stop.value)
    assert sum(house.record("salesforce", lead).get("City") is None for lead in leads) == 7


def test_a_canary_that_holds_lets_the_rest_through_once(furnished: Any) -> None:
    house = furnished
    leads = [house.couple(f"p{n}@firma{n}.de", hubspot={"city": "Köln"})[1] for n in range(12)]

    told = house.command("--json", "sync", "--approve", environ={"LEADPACT_GUARDS__CANARY": "5"})

    assert (told.code, told.document["written"], told.document["targets"]) == (0, 24, 24)
    assert all(house.record("salesforce", lead)["City"] == "Köln" for lead in leads)


def test_the_canary_does_not_stop_over_somebody_without_an_address_who_wants_no_mail(furnished: Any) -> None:
    house = furnished
    house.rewrite(
        "leadpact.toml", 'create_in_hubspot = "false"', 'create_in_hubspot = "last_name IS NOT NULL"'
    )
    people = [
        {"FirstName": "Anna", "LastName": f"Sommer{n}", "Company": f"Shop {n}", "HasOptedOutOfEmail": True}
        for n in range(3)
    ]
    house.load("salesforce", *people)

    told = house.command("--json", "sync", "--approve", environ={"LEADPACT_GUARDS__CANARY": "1"})

    assert told.code == 0, told.err
    assert len(house.records("hubspot")) == 3
