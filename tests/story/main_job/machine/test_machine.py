"""People work in both CRMs as they like, and Leadpact keeps its promises: found by trying, not by thinking.

Every example is a story of its own, made up by Hypothesis. ``LEADPACT_TEST_MACHINE_EXAMPLES`` asks for more of
them than a quick check has time for. What it finds is told again by name in ``test_found_by_machine.py``.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

EXAMPLES = int(os.environ.get("LEADPACT_TEST_MACHINE_EXAMPLES", "4"))
#: Making a story that went wrong shorter takes minutes: for a person who wants to understand it.
SHRINK = os.environ.get("LEADPACT_TEST_MACHINE_SHRINK") == "1"
STEPS = int(os.environ.get("LEADPACT_TEST_MACHINE_STEPS", "12"))
#: First name, last name, company, address: people whom nobody could take for each other.
PEOPLE = (
    ("Anna", "Müller-Lüdenscheidt", "Käsehaus Öztürk GmbH", "anna.mueller@kaesehaus.example"),
    ("Zoë", "Heiß", "Heiß & Söhne AG", "zoe@heiss.example"),
    ("Łukasz", "Żółć", "Żółw Sp. z o.o.", "lukasz@zolw.example"),
    ("משה", "כהן", "חנות הספרים", "moshe@books.example"),
    ("Ngọc", "Nguyễn", "Phở 24", "ngoc@pho.example"),
    ("Bob", "Smith", "Smith 🚀 Rockets", "bob@rockets.example"),
)
TITLES = ("Head of Marketing", "Geschäftsführerin", "مدير التسويق", "CMO 🚀", "Einkauf", "", "Werkstudentin")
VALUES: dict[str, tuple[str, ...]] = {
    "title": TITLES,
    "city": ("Köln", "Zürich", "İstanbul", "तमिलनाडु", "", "São  Paulo "),
    "phone": ("+49 221 1234567", "0221/7654321", "+43 1 2345678", ""),
    "country": ("Germany", "Austria", ""),
    "revenue": ("40000000", "25000", "0", ""),
    "need": ("Texte für den Shop", "Übersetzungen 🇩🇪", ""),
    "budget": ("true", "false"),
    "purchase": ("2027-01-15", "2026-12-01", ""),
    "unmapped": ("+49 221 99", "+49 30 11", ""),
    "first name": ("Ana", "Annette", ""),
    "company": ("Neue Firma SE", "Müller & Co. KG 🧀"),
}
CRM = st.sampled_from(["hubspot", "salesforce"])
WHERE = st.sampled_from(["both", "hubspot", "salesforce"])
PICK = st.integers(0, 20)
EDIT = st.sampled_from(sorted(VALUES)).flatmap(
    lambda name: st.tuples(st.just(name), st.sampled_from(VALUES[name]))
)


def machine(new_world: Callable[[], Any]) -> type[RuleBasedStateMachine]:
    """The machine over worlds that are made by ``new_world``."""

    class Machine(RuleBasedStateMachine):
        @initialize(
            people=st.lists(
                st.tuples(st.integers(0, len(PEOPLE) - 1), WHERE),
                min_size=2,
                max_size=4,
                unique_by=lambda one: one[0],
            ),
            synced=st.booleans(),
        )
        def begin(self, people: list[tuple[int, str]], synced: bool) -> None:
            self.world = new_world()
            for person, where in people:
                self.somebody_comes(person, where)
            if synced:
                self.sync(0)

        def one(self, crm: str, pick: int) -> str | None:
            there = self.world.living(crm)
            return there[pick % len(there)] if there else None

        @rule(
            person=st.integers(0, len(PEOPLE) - 1), where=st.sampled_from(["both", "hubspot", "salesforce"])
        )
        def somebody_comes(self, person: int, where: str) -> None:
            first, last, company, email = PEOPLE[person]
            for crm in ("hubspot", "salesforce") if where == "both" else (where,):
                values = {"first name": first, "last name": last, "company": company, "email": email}
                made = self.world.types(crm, None, **values)
                if made is not None:
                    self.world.same(email, f"{crm}:{made}")

        @rule(crm=CRM, pick=PICK, edits=st.lists(EDIT, min_size=1, max_size=3))
        def somebody_edits(self, crm: str, pick: int, edits: list[tuple[str, str]]) -> None:
            record = self.one(crm, pick)
            if record is not None:
                self.world.types(crm, record, **dict(edits))

        @rule(pick=PICK, name=st.sampled_from(sorted(VALUES)), here=PICK, there=PICK)
        def both_edit_the_same(self, pick: int, name: str, here: int, there: int) -> None:
            """Marketing and sales know better at the same time, sometimes both the same."""
            contact = self.one("hubspot", pick)
            lead = None if contact is None else self.world.counterpart(contact)
            if contact is not None and lead is not None:
                values = VALUES[name]
                self.world.types("hubspot", contact, **{name: values[here % len(values)]})
                self.world.types("salesforce", lead, **{name: values[there % len(values)]})

        @rule(crm=CRM, pick=PICK, person=st.integers(0, len(PEOPLE) - 1), marriage=st.booleans())
        def somebody_gets_another_address(self, crm: str, pick: int, person: int, marriage: bool) -> None:
            """Their own new one, or one that is somebody else's in the other CRM."""
            record, theirs = self.one(crm, pick), PEOPLE[person][3]
            if record is not None:
                self.world.types(crm, record, email=f"neu.{record}@{crm}.example" if marriage else theirs)

        @rule(crm=CRM, pick=PICK)
        def somebody_unsubscribes(self, crm: str, pick: int) -> None:
            record = self.one(crm, pick)
            if record is not None:
                self.world.does(crm, "unsubscribe", record)

        @rule(pick=PICK, field=st.sampled_from(["HasOptedOutOfEmail", "DoNotCall"]), value=st.booleans())
        def sales_note_a_wish(self, pick: int, field: str, value: bool) -> None:
            record = self.one("salesforce", pick)
            if record is not None:
                self.world.does("salesforce", "edit", record, fields={field: value})

        @rule(
            pick=PICK,
            accepted=st.sampled_from(["true", "false", ""]),
            reason=st.sampled_from(["zu früh", "never again", "Wettbewerb 🤷", ""]),
        )
        def sales_answer(self, pick: int, accepted: str, reason: str) -> None:
            record = self.one("salesforce", pick)
            if record is not None:
                self.world.types("salesforce", record, accepted=accepted, reason=reason)

        @rule(pick=PICK, signal=st.sampled_from(["form", "visit", "mail_click"]), times=st.integers(1, 3))
        def somebody_acts(self, pick: int, signal: str, times: int) -> None:
            record = self.one("hubspot", pick)
            for _ in range(times if record is not None else 0):
                self.world.does("hubspot", "act", record, signal=signal)

        @rule(crm=CRM, winner=PICK, loser=PICK)
        def two_are_merged(self, crm: str, winner: int, loser: int) -> None:
            kept, gone = self.one(crm, winner), self.one(crm, loser)
            if kept is None or kept == gone:
                return
            done = self.world.does(crm, "merge", kept, other=gone)
            for one in (gone, str(done["id"])) if done is not None else ():
                self.world.same(f"{crm}:{kept}", f"{crm}:{one}")

        @rule(crm=CRM, pick=PICK)
        def one_is_deleted(self, crm: str, pick: int) -> None:
            record = self.one(crm, pick)
            if record is not None:
                self.world.does(crm, "delete", record)

        @rule(crm=CRM, pick=PICK)
        def one_comes_back(self, crm: str, pick: int) -> None:
            gone = self.world.deleted(crm)
            if gone:
                action = "restore" if crm == "hubspot" else "undelete"
                self.world.does(crm, action, gone[pick % len(gone)])

        @rule(pick=PICK)
        def one_is_converted(self, pick: int) -> None:
            record = self.one("salesforce", pick)
            if record is not None:
                self.world.does("salesforce", "convert", record)

        @rule(seconds=st.sampled_from([1, 60, 3600, 86_400, 15 * 86_400]))
        def time_passes(self, seconds: int) -> None:
            self.world.house.later(seconds)

        @rule(hours=st.sampled_from([0, 0, 1, 24]))
        def sync(self, hours: int) -> None:
            self.world.house.later(3600 * hours)
            if self.world.sync() is None:
                return
            unexplained, _, samples = self.world.agreement()
            assert not unexplained, samples

        @rule()
        def sync_at_once(self) -> None:
            self.sync(0)

        @rule(change=EDIT, crm=CRM, pick=PICK, meanwhile=st.booleans())
        def a_plan_is_carried_out(
            self, change: tuple[str, str], crm: str, pick: int, meanwhile: bool
        ) -> None:
            """Sometimes a person works on while it is looked at."""
            file = str(self.world.house.folder / "plan.json")
            if self.world.command("plan", "--out", file) is None:
                return
            if meanwhile:
                self.world.house.later(60)
                self.somebody_edits(crm, pick, [change])
            self.world.command("apply", file)

        @rule()
        def what_time_changed_is_written(self) -> None:
            self.world.command("rescore")

        @rule(back=st.integers(1, 3))
        def a_run_is_taken_back(self, back: int) -> None:
            if len(self.world.runs) >= back:
                told = self.world.command("undo", str(self.world.runs[-back]), undoes=True)
                if told is not None:
                    self.world.runs.append(told["run"])

        @rule(points=st.sampled_from([1, 15, 60]))
        def the_policy_changes(self, points: int) -> None:
            self.world.weighs_titles(points)

        @rule()
        def leadpact_starts_anew(self) -> None:
            self.world.open()

        @rule(
            crm=CRM,
            fault=st.sampled_from(
                [
                    {"status": 500},
                    {"status": 503},
                    {"status": 429},
                    {"status": 401},
                    {"drop": "before"},
                    {"drop": "after"},
                ]
            ),
            method=st.sampled_from(["GET", "POST", "POST", "PATCH"]),
            skip=st.integers(0, 3),
            times=st.sampled_from([1, 2, 20]),
        )
        def a_sync_is_disturbed(
            self, crm: str, fault: dict[str, Any], method: str, skip: int, times: int
        ) -> None:
            match = {"method": method}
            self.world.disturbed(crm, {"match": match, "skip": skip, "times": times, **fault})

        def teardown(self) -> None:
            if not hasattr(self, "world"):
                return
            try:
                self.ends_quietly()
            finally:
                self.world.close()

        def ends_quietly(self) -> None:
            world = self.world
            world.house.later(3600)
            world.sync()
            mark = world.house.mark()
            world.sync()
            if not world.refused():
                written = [each["body"] for calls in world.house.writes(mark).values() for each in calls]
                assert not written, f"a second sync wrote: {written}"
            assert not world.disagreements(), "\n".join(world.disagreements())
            unexplained, explained, samples = world.agreement()
            assert not unexplained, samples
            assert not explained.keys() & {"changed_since", "not_written_yet", "in_work"}, samples

    return Machine


def test_whatever_people_do_the_promises_hold(new_world: Callable[[], Any]) -> None:
    run_state_machine_as_test(
        machine(new_world),
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            print_blob=True,
            database=None,
            phases=(Phase.generate, Phase.shrink) if SHRINK else (Phase.generate,),
            suppress_health_check=list(HealthCheck),
        ),
    )
