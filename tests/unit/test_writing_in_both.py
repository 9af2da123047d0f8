"""Both CRMs are written to side by side, step by step; what became of it does not depend on who was quicker."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from typing import Any, cast

import polars as pl
import pytest

from connectors.crm import Write, Written
from connectors.errors import RetryLater
from sync.plan import CHANGES
from sync.work import Work
from sync.write import carry_out

OBJECTS = {"hubspot": "contacts", "salesforce": "Lead"}
Answer = Callable[[str, Write], Written]


@dataclass
class Account:
    """A CRM that answers by a rule; ``meets`` is waited at in every write."""

    name: str
    answer: Answer
    said: list[str]
    meets: threading.Barrier | None = None

    def in_lane(self, _: str) -> Any:
        return nullcontext()

    def write(self, _: str, writes: Sequence[Write]) -> list[Written]:
        if self.meets is not None:
            self.meets.wait()
        self.said.append(f"{self.name} {' '.join(one.trace for one in writes)}")
        return [self.answer(self.name, one) for one in writes]


class NothingOpen:
    """The journal of a memory in which no run left anything half done."""

    def open_intents(self, columns: Mapping[str, pl.DataType]) -> pl.DataFrame:
        return pl.DataFrame(schema=dict(columns))


@dataclass
class Memory:
    """What a run remembers, as far as writing asks for it."""

    journal: NothingOpen = field(default_factory=NothingOpen)


@dataclass
class Scene:
    """What ``carry_out`` is handed, as far as it asks for it."""

    crms: Mapping[str, Account]
    store: Memory = field(default_factory=Memory)
    objects: Mapping[str, str] = field(default_factory=lambda: OBJECTS)
    points: list[str] = field(default_factory=list)

    def at_point(self, point: str) -> None:
        self.points.append(point)


def scene(answer: Answer, *, together: bool = False) -> Scene:
    said: list[str] = []
    meets = threading.Barrier(2, timeout=20) if together else None
    return Scene({crm: Account(crm, answer, said, meets) for crm in OBJECTS})


def change(crm: str, lead: str, kind: str = "set", lane: str = "live") -> dict[str, str | None]:
    record = None if kind == "create" else f"{crm} {lead}"
    known = {"lead_id": lead, "crm": crm, "object": OBJECTS[crm], "record_id": record, "field": "city"}
    return {**known, "crm_field": "City", "after": "Bonn", "why": "", "lane": lane, "kind": kind}


def carried_out(made: Scene, *changes: Mapping[str, str | None]) -> Any:
    return carry_out(cast(Work, made), pl.DataFrame(list(changes), schema=dict(CHANGES)))


def written(crm: str, one: Write) -> Written:
    return Written(one.trace, "written", one.record_id or f"{crm} new {one.trace}", stored=one.values)


def refused(_: str, one: Write) -> Written:
    return Written(one.trace, "refused", one.record_id, code="NO")


@pytest.mark.parametrize(("kind", "lane"), [("create", "live"), ("set", "consent"), ("set", "live")])
def test_both_crms_are_written_to_at_the_same_time(kind: str, lane: str) -> None:
    # Each write waits for the other CRM's.
    made = scene(written, together=True)
    results = carried_out(made, change("hubspot", "a", kind, lane), change("salesforce", "b", kind, lane))
    assert results.changes.select("crm", "lead_id", "state").rows() == [
        ("hubspot", "a", "written"),
        ("salesforce", "b", "written"),
    ]


def test_refusals_stand_in_the_order_of_the_crms_whichever_answered_first() -> None:
    salesforce_answered = threading.Event()

    def answer(crm: str, one: Write) -> Written:
        if crm == "salesforce":
            salesforce_answered.set()
        assert salesforce_answered.wait(20)
        return refused(crm, one)

    results = carried_out(scene(answer), change("salesforce", "b"), change("hubspot", "a"))
    assert list(results.refusals) == [("a", "hubspot"), ("b", "salesforce")]


def test_a_step_is_over_in_both_before_the_next_one_begins() -> None:
    made = scene(written)
    lanes = [("set", "live"), ("set", "handover"), ("create", "live"), ("set", "consent")]
    carried_out(
        made,
        *(change(crm, f"{lane} {kind}", kind, lane) for crm in OBJECTS for kind, lane in lanes),
    )
    steps = ["withdrawal", "create", "handover", "update"]
    assert [point.split()[-1] for point in made.points if point.startswith("after")] == [
        step for step in steps for _ in OBJECTS
    ]


def test_where_one_crm_fails_the_other_ends_a_step_it_has_begun_and_no_other_is_taken() -> None:
    both, hubspot_failed = threading.Barrier(2, timeout=20), threading.Event()

    def answer(crm: str, one: Write) -> Written:
        both.wait()
        if crm == "hubspot":
            hubspot_failed.set()
            raise RetryLater("busy", crm=crm)
        assert hubspot_failed.wait(20)
        return written(crm, one)

    made = scene(answer)
    with pytest.raises(RetryLater, match="busy"):
        carried_out(
            made,
            change("hubspot", "a", "create"),
            change("salesforce", "b", "create"),
            change("salesforce", "c"),
        )
    assert sorted(made.crms["hubspot"].said) == ["hubspot a", "salesforce b"]
    assert "after salesforce create" in made.points
    assert not any("update" in point for point in made.points)


def test_salesforce_is_written_to_while_hubspots_stages_are_cleared() -> None:
    salesforce_answered = threading.Event()

    def answer(crm: str, one: Write) -> Written:
        if crm == "salesforce":
            salesforce_answered.set()
        assert salesforce_answered.wait(20)
        return written(crm, one)

    made = scene(answer)
    back = {**change("hubspot", "a", "stage_back"), "field": "stage", "crm_field": "lifecyclestage"}
    results = carried_out(made, back, change("salesforce", "b"))
    assert results.changes["state"].to_list() == ["written", "written"]
    assert [point for point in made.points if "hubspot" in point] == [
        "before hubspot stage clear",
        "after hubspot stage clear",
        "before hubspot update",
        "after hubspot update",
    ]


def test_where_a_stage_cannot_be_cleared_salesforce_ends_its_step_and_hubspot_takes_none() -> None:
    salesforce_answered = threading.Event()

    def answer(crm: str, one: Write) -> Written:
        if crm == "salesforce":
            salesforce_answered.set()
            return written(crm, one)
        assert salesforce_answered.wait(20)
        raise RetryLater("busy", crm=crm)

    made = scene(answer)
    back = {**change("hubspot", "a", "stage_back"), "field": "stage", "crm_field": "lifecyclestage"}
    with pytest.raises(RetryLater, match="busy"):
        carried_out(made, back, change("salesforce", "b"))
    assert [point for point in made.points if "hubspot" in point] == ["before hubspot stage clear"]
    assert "after salesforce update" in made.points


def test_what_waits_for_a_record_that_is_refused_is_refused_with_it_and_the_rest_is_written() -> None:
    def answer(crm: str, one: Write) -> Written:
        return refused(crm, one) if crm == "hubspot" else written(crm, one)

    made = scene(answer)
    waits = {**change("salesforce", "a", "cross_id"), "field": "cross", "crm_field": "Cross", "after": None}
    results = carried_out(made, waits, change("salesforce", "a"), change("hubspot", "a", "create"))
    assert results.changes.select("crm", "kind", "state").rows() == [
        ("hubspot", "create", "refused"),
        ("salesforce", "set", "written"),
        ("salesforce", "cross_id", "refused"),
    ]


def test_what_the_crms_said_is_put_into_columns_once_also_for_a_part_of_the_results() -> None:
    results = carried_out(scene(written), change("hubspot", "a"), change("hubspot", "b"))
    told = results.told("hubspot")
    assert told.rows(named=True) == [
        {"_id": "hubspot a", "City": "Bonn"},
        {"_id": "hubspot b", "City": "Bonn"},
    ]
    assert replace(results, changes=results.changes.clear()).told("hubspot") is told


def test_records_of_which_a_crm_says_nothing_are_told_without_a_column() -> None:
    def silent(_: str, one: Write) -> Written:
        return Written(one.trace, "written", one.record_id)

    results = carried_out(scene(silent), change("hubspot", "a"), change("hubspot", "b"))
    assert results.told("hubspot").rows(named=True) == [{"_id": "hubspot a"}, {"_id": "hubspot b"}]
    assert results.changes.select("state", "stored").rows() == [("written", None)] * 2
