"""Updates under the condition that nobody changed the record since it was read (Salesforce reference, section 2)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from connectors.crm import CHANGED_MEANWHILE, MODIFIED_AT, RECORD_ID, Write
from connectors.errors import NeedsPerson
from connectors.salesforce.crm import SalesforceCrm
from connectors.salesforce.guarded import ROWS_AT_MOST, http_date

LATER = timedelta(hours=1)
MANY = ROWS_AT_MOST + 2


def made(org: Any, crm: SalesforceCrm, count: int) -> dict[str, datetime]:
    """New leads in Ulm, by id, with the stamps that a reading shows; the clock stands an hour behind that."""
    org.load([{"LastName": f"L{n}", "Company": "ACME", "City": "Ulm"} for n in range(count)])
    frame, _ = org.changed(crm, None)
    org.control("clock", advance_seconds=LATER.total_seconds())
    org.forget_requests()
    return dict(frame.select(RECORD_ID, MODIFIED_AT).iter_rows())


def to_bonn(stamps: dict[str, datetime]) -> list[Write]:
    return [Write(lead, lead, {"City": "Bonn"}, unless_changed_since=at) for lead, at in stamps.items()]


def updates(org: Any) -> list[str]:
    return [call["path"].split("/", 4)[4] for call in org.requests() if call["method"] == "PATCH"]


@pytest.mark.parametrize("count", [1, ROWS_AT_MOST, MANY])
def test_a_record_that_somebody_changed_meanwhile_keeps_their_value(
    org: Any, crm: SalesforceCrm, count: int
) -> None:
    stamps = made(org, crm, count)
    moved = next(iter(stamps))
    org.act("edit", id=moved, fields={"City": "Kiel"})
    results = crm.write("Lead", to_bonn(stamps))
    told = {one.trace: (one.outcome, one.code) for one in results}
    assert told.pop(moved) == ("refused", CHANGED_MEANWHILE)
    assert set(told.values()) <= {("written", "")}
    assert org.cities().pop(moved) == ("Kiel", False)
    assert {city for lead, (city, _) in org.cities().items() if lead != moved} <= {"Bonn"}


def test_few_are_rows_under_salesforces_own_condition_and_many_one_call(org: Any, crm: SalesforceCrm) -> None:
    few = made(org, crm, 2)
    assert [one.stored for one in crm.write("Lead", to_bonn(few))] == [{"City": "Bonn"}] * 2
    assert sorted(updates(org)) == sorted(f"sobjects/Lead/{lead}" for lead in few)
    many = made(org, crm, MANY)
    assert {one.outcome for one in crm.write("Lead", to_bonn(many))} == {"written"}
    assert updates(org) == ["composite/sobjects"]


def test_a_change_within_the_second_of_the_reading_passes_and_one_behind_it_does_not(
    org: Any, crm: SalesforceCrm
) -> None:
    ((lead, at),) = made(org, crm, 1).items()
    early = Write("a", lead, {"City": "Bonn"}, unless_changed_since=at - timedelta(seconds=1))
    exact = Write("b", lead, {"City": "Bonn"}, unless_changed_since=at)
    assert [one.outcome for one in crm.write("Lead", [early])] == ["refused"]
    assert [one.outcome for one in crm.write("Lead", [exact])] == ["written"]


def test_what_has_no_condition_goes_along_in_one_call(org: Any, crm: SalesforceCrm) -> None:
    stamps = made(org, crm, 3)
    first, *others = stamps
    plain = [Write(lead, lead, {"City": "Bonn"}) for lead in others]
    results = crm.write("Lead", [*to_bonn({first: stamps[first]}), *plain])
    assert [one.outcome for one in results] == ["written"] * 3
    assert sorted(updates(org)) == ["composite/sobjects", f"sobjects/Lead/{first}"]


def test_assignment_rules_do_not_run_for_a_row_either(org: Any, crm: SalesforceCrm) -> None:
    ((lead, at),) = made(org, crm, 1).items()
    owner = org.leads()[lead]["OwnerId"]
    org.control("limits", assignment_rule=True)
    crm.write("Lead", to_bonn({lead: at}))
    assert org.leads()[lead]["OwnerId"] == owner


def test_a_row_whose_connection_broke_is_unknown_and_not_taken_for_somebody_elses_change(
    org: Any, crm: SalesforceCrm
) -> None:
    stamps = made(org, crm, 1)
    org.control("faults", match={"method": "PATCH", "path": "sobjects/Lead/"}, drop="after", times=1)
    (result,) = crm.write("Lead", to_bonn(stamps))
    assert result.outcome == "unknown"
    assert {city for city, _ in org.cities().values()} == {"Bonn"}


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "FIELD_CUSTOM_VALIDATION_EXCEPTION"),
        (400, "UNABLE_TO_LOCK_ROW"),
        (400, "INVALID_FIELD"),
        (404, "ENTITY_IS_DELETED"),
    ],
)
def test_what_is_wrong_with_one_row_stops_no_other(
    org: Any, crm: SalesforceCrm, status: int, code: str
) -> None:
    stamps = made(org, crm, 2)
    bad, good = stamps
    match = {"method": "PATCH", "path": f"sobjects/Lead/{bad}"}
    body = f'[{{"errorCode":"{code}","message":"no"}}]'
    org.control("faults", match=match, status=status, body=body, times=-1)
    told = {one.trace: (one.outcome, one.code) for one in crm.write("Lead", to_bonn(stamps))}
    assert told == {bad: ("refused", code), good: ("written", "")}


def test_a_day_that_is_used_up_raises_where_nothing_was_written(org: Any, crm: SalesforceCrm) -> None:
    stamps = made(org, crm, 2)
    org.control("limits", daily=0)
    with pytest.raises(NeedsPerson):
        crm.write("Lead", to_bonn(stamps))


def test_a_record_that_is_gone_is_refused_by_its_write(org: Any, crm: SalesforceCrm) -> None:
    stamps = made(org, crm, MANY)
    gone = next(iter(stamps))
    org.act("delete", id=gone)
    told = {one.trace: (one.outcome, one.code) for one in crm.write("Lead", to_bonn(stamps))}
    assert told.pop(gone) == ("refused", "ENTITY_IS_DELETED")
    assert set(told.values()) == {("written", "")}


def test_a_condition_is_a_date_as_http_writes_it() -> None:
    moment = datetime.fromisoformat("2026-11-22T13:00:30.400+01:00")
    assert http_date(moment) == "Sun, 22 Nov 2026 12:00:30 GMT"


@pytest.mark.parametrize("count", [1, MANY])
def test_a_rule_of_the_organisation_is_told_in_its_own_words_without_the_value(
    org: Any, crm: SalesforceCrm, count: int
) -> None:
    stamps = made(org, crm, count)
    rule = {"object": "Lead", "when": {"City": "Bonn"}, "message": "Bonn is closed, ask Mrs Sommer first"}
    org.control("limits", validation_rules=[rule])

    results = crm.write("Lead", to_bonn(stamps))

    assert {one.outcome for one in results} == {"refused"}
    assert {one.code for one in results} == {"FIELD_CUSTOM_VALIDATION_EXCEPTION"}
    assert {one.message for one in results} == {"… is closed, ask Mrs Sommer first"}
