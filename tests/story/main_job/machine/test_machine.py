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

EXAMPLES = int(os.environ.get("LEADPACT_TEST_MACHINE_EXAMPLES", "6"))
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
PICK = st.integers(0, 20)
EDIT = st.sampled_from(sorted(VALUES)).flatmap(
    lambda name: st.tuples(st.just(name), st.sampled_from(VALUES[name]))
)


def machine(new_world: Callable[[], Any]) -> type[RuleBasedStateMachine]:
    """The machine over worlds that are made by ``new_world``."""

    class Machine(RuleBasedStateMachine):
        @initialize()
        def begin(self) -> None:
            self.world = new_world()

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

        @rule(crm=CRM, pick=PICK, edit=EDIT)
        def somebody_edits(self, crm: str, pick: int, edit: tuple[str, str]) -> None:
            record = self.one(crm, pick)
            if record is not None:
                self.world.types(crm, record, **dict([edit]))

        @rule(seconds=st.sampled_from([1, 60, 3600, 86_400, 15 * 86_400]))
        def time_passes(self, seconds: int) -> None:
            self.world.house.later(seconds)

        @rule()
        def sync(self) -> None:
            if self.world.sync() is None:
                return
            unexplained, explained, samples = self.world.agreement()
            assert not unexplained, samples

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
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
        ),
    )
