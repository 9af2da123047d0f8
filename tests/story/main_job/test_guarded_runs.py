"""What stops a run before its first write, and what the three modes write."""

from __future__ import annotations

from typing import Any

import pytest

HOT = {
    "industry": "RETAIL",
    "annualrevenue": "40000000",
    "jobtitle": "Head of Marketing",
    "country": "Germany",
    "num_conversion_events": "3",
    "recent_conversion_date": "2026-11-19T10:00:00Z",
    "hs_analytics_num_visits": "7",
    "hs_analytics_last_visit_timestamp": "2026-11-19T08:00:00Z",
}


@pytest.fixture
def people(furnished: Any) -> tuple[Any, str, str]:
    """One person in both CRMs with different titles, and a hot one whom only HubSpot knows."""
    contact, lead = furnished.couple(
        "anna@sommer.de", hubspot={"jobtitle": "Einkauf", "city": "Köln"}, salesforce={"Title": "Vertrieb"}
    )
    furnished.load(
        "hubspot", {"email": "hot@shop.de", "firstname": "Ole", "lastname": "Hot", "company": "S", **HOT}
    )
    return furnished, contact, lead


def test_the_first_writing_run_needs_approval(people: Any) -> None:
    house, contact, _lead = people
    mark = house.mark()

    told = house.command("--json", "sync")

    assert told.code == 3
    assert "approv" in told.err
    assert told.out == ""
    assert house.wrote_nothing(mark)
    assert house.record("hubspot", contact)["jobtitle"] == "Einkauf"


def test_an_approved_first_run_approves_the_later_ones(people: Any) -> None:
    house, contact, lead = people
    assert house.command("--json", "sync", "--approve").code == 0
    house.later(3_600)
    house.edit("hubspot", contact, city="Bonn")

    assert house.command("--json", "sync").code == 0
    assert house.record("salesforce", lead)["City"] == "Bonn"


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("MAX_CREATES", "0"),
        ("MAX_STAGE_MOVES", "0"),
        ("MAX_UPDATES", "1"),
        ("MAX_SHARE_OF_LEADS", "0.4"),
    ],
)
def test_a_cap_stops_the_run_before_its_first_write(people: Any, setting: str, value: str) -> None:
    house, contact, _lead = people
    mark = house.mark()

    told = house.command("sync", "--approve", environ={f"LEADPACT_GUARDS__{setting}": value})

    assert told.code == 3
    assert f"guards.{setting.lower()}" in told.err
    assert house.wrote_nothing(mark), house.writes(mark)
    assert house.record("hubspot", contact)["jobtitle"] == "Einkauf"


def test_a_run_that_a_cap_stopped_has_approved_nothing(people: Any) -> None:
    house, _contact, _lead = people
    house.command("sync", "--approve", environ={"LEADPACT_GUARDS__MAX_CREATES": "0"})

    assert house.command("sync").code == 3


def test_a_stopped_run_is_listed_with_what_stopped_it(people: Any) -> None:
    house, _contact, _lead = people
    house.command("--json", "sync")

    (run,) = house.command("--json", "runs").document["runs"]

    assert (run["command"], run["state"], run["written"]) == ("sync", "stopped", 0)


def test_observe_reads_decides_reports_and_writes_nothing(people: Any) -> None:
    house, _contact, _lead = people
    mark = house.mark()

    told = house.command("--json", "sync", environ={"LEADPACT_SYNC__MODE": "observe"})

    assert told.code == 0
    assert told.document["records_read"] == 3
    assert house.wrote_nothing(mark)
    assert house.explain("anna@sommer.de")["stage"] is not None


def test_own_fields_writes_nothing_but_leadpacts_own_fields(people: Any) -> None:
    house, contact, lead = people
    before = {crm: house.records(crm) for crm in ("hubspot", "salesforce")}

    house.command("sync", "--approve", environ={"LEADPACT_SYNC__MODE": "own_fields"})

    ours = (
        "leadpact_",
        "Leadpact_",
        "lastmodifieddate",
        "hs_lastmodifieddate",
        "LastModified",
        "SystemModstamp",
    )
    for crm, records in before.items():
        now = house.records(crm)
        assert set(now) == set(records), "nobody is created"
        for number, values in records.items():
            moved = {name for name in now[number] if now[number][name] != values.get(name)}
            assert {name for name in moved if not name.startswith(ours)} == set()
    assert house.record("hubspot", contact)["leadpact_stage"]
    assert house.record("salesforce", lead)["Leadpact_Stage__c"]


@pytest.mark.parametrize("mode", ["observe", "own_fields"])
def test_switching_to_full_later_still_finds_every_difference(people: Any, mode: str) -> None:
    house, contact, lead = people
    early = {"LEADPACT_SYNC__MODE": mode}
    house.command("sync", "--approve", environ=early)
    house.later(3_600)
    house.command("sync", "--approve", environ=early)
    house.later(3_600)

    house.command("sync", "--approve")

    assert house.record("hubspot", contact)["jobtitle"] == "Vertrieb"
    assert house.record("salesforce", lead)["City"] == "Köln"
    assert len(house.records("salesforce")) == 2, "the hot lead gets its Salesforce record"
    mark = house.mark()
    house.command("sync")
    assert house.wrote_nothing(mark)
