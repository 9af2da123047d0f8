"""What is told of a backfill under way after each of its parts. Time stands still here: calls tell of the work."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest

from connectors.errors import RetryLater
from sync.backfill import Wanted, carry_on, plan_backfill
from sync.remaining import Ahead, ahead
from sync.store.backfills import SliceRow

PEOPLE, SLICE = 12, 4
ALL_OF_THE_DAY = {"LEADPACT_SYNC__SLICE_LEADS": "1", "LEADPACT_SALESFORCE__DAILY_SHARE": "1.0"}


@pytest.fixture
def people(furnished: Any, begin: Callable[..., Any]) -> Any:
    """Linked people, created an hour apart."""
    begin(_linked)
    return furnished


def _linked(house: Any) -> None:
    for number in range(PEOPLE):
        house.couple(f"person{number}@shop{number}.example", {"lastname": f"Sommer{number}"})
        house.later(3600)
    for _ in range(2):  # the second reads our own writes of the first
        house.sync()
        house.later(3600)


def _told_after_each_part(house: Any, wanted: Wanted) -> list[tuple[str, Ahead]]:
    """The CRM of each part, and what was ahead when it had ended."""
    told: list[tuple[str, Ahead]] = []
    with house.app({"LEADPACT_SYNC__SLICE_LEADS": str(SLICE)}) as app:
        work = app.work()
        store = work.store.backfills

        def tell(part: SliceRow, *_: object) -> None:
            (underway,) = store.underway()
            slices, worked = store.slices(underway.backfill), store.worked(underway.backfill)
            reading = {"hubspot": 0, "salesforce": 0}
            told.append((part.crm, ahead(slices, worked, [], reading, whole=wanted.is_whole)))

        carry_on(work, plan_backfill(work, wanted, work.clock()), tell)
    return told


def test_of_a_backfill_of_linked_leads_the_second_crm_is_told_to_cost_its_reading(people: Any) -> None:
    told = _told_after_each_part(people, Wanted())
    first = [what for crm, what in told if crm == "hubspot"]
    left = [what.records for what in first]
    assert left[-1] == PEOPLE, "Salesforce's records are left"
    assert [what.fresh for what in first] == [records - PEOPLE for records in left]
    assert first[0].calls["salesforce"] > 0 == first[-1].calls["salesforce"]
    # What its finished parts took counts from then on: no record of them was worked on.
    second = [what for crm, what in told if crm == "salesforce"]
    assert [what.fresh for what in second] == [what.records for what in second]
    assert second[-1].records == 0


def test_of_one_crm_alone_the_half_that_is_left_takes_as_much_as_the_other_half(people: Any) -> None:
    told = [what for _, what in _told_after_each_part(people, Wanted(("hubspot",)))]
    assert len(told) >= 3
    for what in told[:-1]:
        assert what.fresh == what.records > 0
        assert min(what.calls.values()) > 0
    assert told[-1].records == 0


def test_of_a_range_both_crms_are_told_by_their_own_pace_from_the_second_part_on(furnished: Any) -> None:
    house = furnished
    # Each of these people has one record from before the range, and one from within it.
    _people_in(house, "salesforce", "first-here")
    _people_in(house, "hubspot", "first-there")
    begins = house.serving.clock.now()
    _people_in(house, "hubspot", "first-here")
    _people_in(house, "salesforce", "first-there")
    house.later(60)
    for _ in range(2):
        house.sync()
        house.later(3600)
    told = _told_after_each_part(house, Wanted(start=begins))
    assert [crm for crm, _ in told] == ["hubspot", "salesforce"] * (len(told) // 2)
    assert len(told) >= 4
    assert all(what.fresh == what.records for _, what in told), "nobody's record came with somebody else's"
    # As much is left for each record as each took, from the first part on.
    each = [what.calls["hubspot"] / what.records for _, what in told[:-1]]
    assert max(each) <= 1.5 * min(each)


def _people_in(house: Any, crm: str, name: str) -> None:
    """Records of people in one CRM, a minute apart."""
    company = "company" if crm == "hubspot" else "Company"
    last, email = ("lastname", "email") if crm == "hubspot" else ("LastName", "Email")
    for number in range(PEOPLE):
        row = {email: f"{name}{number}@shop{number}.example", last: f"Winter{number}"}
        house.load(crm, {**row, company: f"Shop {number}"})
        house.later(60)


def test_a_backfill_that_one_crm_has_no_calls_to_count_does_not_make_the_other_count_each_time(
    people: Any,
) -> None:
    used = people.control("salesforce", "people", {"action": "other_apps", "calls": 0})["used"]
    people.control("salesforce", "limits", {"daily": used + 1_000})
    people.control("salesforce", "people", {"action": "other_apps", "calls": 950})
    people.control("hubspot", "limits", {"daily": 10_000})
    before = people.mark()["hubspot"]
    with people.app(ALL_OF_THE_DAY) as app, ExitStack() as lanes:
        work = app.work()
        for crm in work.crms.values():
            lanes.enter_context(crm.in_lane("backfill"))
        for _ in range(5):
            with pytest.raises(RetryLater) as wait:
                plan_backfill(work, Wanted(), work.clock())
            assert wait.value.crm == "salesforce"
            assert wait.value.not_before is not None
    asked = people.look("hubspot", "requests", after=str(before), limit="1000")["requests"]
    assert len([one for one in asked if one["path"].endswith("/search")]) <= 5, (
        "once a time, not for every window"
    )
