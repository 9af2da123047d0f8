"""What was decided for the guards is what is written, as long as nothing but this run has moved meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sync.resolve import take
from sync.run import Asked, perform

SLICES = {"LEADPACT_SYNC__SLICE_LEADS": "1", "LEADPACT_GUARDS__CANARY": "0"}
TITLES = {"hubspot": "jobtitle", "salesforce": "Title"}
ROUTE = """
[[handover.routes]]
name = "Germany"
countries = "DE"
to = ["sana.okafor@leadpact-sandbox.example"]

[locale]"""
COLLEAGUES = """
[[policy.engagement]]
name = "The company looks around"
when = "company_visits >= 4"
points = 5
"""


class Broken(Exception):
    """What a test breaks a run off with."""


def _couples(house: Any) -> list[tuple[str, str]]:
    return [house.couple(f"p{number}@shop{number}.example", {"city": "Bonn"}) for number in range(3)]


@pytest.fixture
def three(furnished: Any, begin: Callable[..., Any]) -> tuple[Any, list[tuple[str, str]]]:
    """A house, and three people of whom nothing was synced yet."""
    return furnished, begin(_couples)


def _left_before_each(house: Any, **more: str) -> list[int]:
    """How many decisions are still kept on disk as each slice is about to be written."""
    left: list[int] = []

    def look(point: str) -> None:
        if point == "before intents":
            left.append(len(_spilled(house, "*.decided")))

    with house.app({**SLICES, **more}, at_point=look) as app:
        perform(app.work(), Asked("sync", approve=True))
    assert _spilled(house, "") == []
    return left


def _spilled(house: Any, name: str) -> list[Path]:
    with house.app() as app:
        return sorted(app.work().spill_folder.glob(f"run-*/{name}".rstrip("/")))


def test_each_slice_is_decided_once_and_nothing_of_it_stays_on_disk(three: Any) -> None:
    house, couples = three

    assert _left_before_each(house) == [2, 1, 0]

    for contact, lead in couples:
        assert house.record("hubspot", contact)["leadpact_salesforce_id"] == lead
    house.later(60)
    mark = house.mark()
    assert house.sync().numbers.written == 0
    assert house.wrote_nothing(mark)


def test_the_canary_and_the_others_of_its_slice_are_decided_together(three: Any) -> None:
    house, _ = three
    cut = {"LEADPACT_SYNC__SLICE_LEADS": "2", "LEADPACT_GUARDS__CANARY": "1"}
    # The canary, the other lead of the first slice, and the second slice.
    assert _left_before_each(house, **cut) == [2, 1, 0]


def _routes(house: Any) -> None:
    house.rewrite("leadpact.toml", "\n[locale]", ROUTE)


def _looks_at_colleagues(house: Any) -> None:
    policy = house.folder / "policy.toml"
    policy.write_text(policy.read_text(encoding="utf-8") + COLLEAGUES, encoding="utf-8")


@pytest.mark.parametrize("config", [_routes, _looks_at_colleagues])
def test_leads_that_look_at_each_other_are_decided_as_they_are_written(
    three: Any, config: Callable[[Any], None]
) -> None:
    house, _ = three
    config(house)
    assert _left_before_each(house) == [0, 0, 0]


def test_a_slice_is_decided_anew_once_another_run_has_lived(three: Any) -> None:
    house, couples = three
    house.sync()
    house.later(60)
    for contact, _ in couples:
        house.edit("hubspot", contact, jobtitle="Leiterin")
    house.later(60)
    written: list[str] = []

    def meanwhile(point: str) -> None:
        if point == "before intents" and not written:
            written.append(point)
            # Everybody but whoever is being written gets another title from somebody else.
            for contact, _ in couples:
                house.edit("hubspot", contact, jobtitle="Inhaberin")
            house.later(60)
            house.run("webhook", names={"hubspot": [contact for contact, _ in couples]}, approve=True)

    with house.app(SLICES, at_point=meanwhile) as app:
        perform(app.work(), Asked("sync", approve=True))
    house.later(60)
    house.sync()

    shown = [
        tuple(
            house.record(crm, record)[name] for (crm, name), record in zip(TITLES.items(), ids, strict=True)
        )
        for ids in couples
    ]
    assert shown == [("Inhaberin", "Inhaberin")] * 3


def test_a_field_that_goes_while_a_run_writes_costs_one_slice(three: Any) -> None:
    house, couples = three
    house.sync()
    house.later(3600)
    for contact, _ in couples:
        house.edit("hubspot", contact, jobtitle="Leiterin", city="Kiel")
    house.later(60)
    gone: list[str] = []

    def goes(point: str) -> None:
        if point == "before intents" and not gone:
            gone.append(point)
            house.control("salesforce", "limits", {"hidden_fields": {"Lead": ["Title"]}})

    with house.app(SLICES, at_point=goes) as app:
        done = perform(app.work(), Asked("sync", approve=True))

    assert done.numbers.refused == 1
    assert sorted(house.record("salesforce", lead)["City"] for _, lead in couples) == ["Bonn", "Kiel", "Kiel"]


def test_what_a_person_settles_while_the_first_sync_writes_is_carried_out(furnished: Any) -> None:
    house = furnished
    fields = house.folder / "fields.toml"
    before, city, after = fields.read_text(encoding="utf-8").partition("[fields.city]")
    held = after.replace('if_both_changed = "salesforce"', 'if_both_changed = "hold"', 1)
    fields.write_text(before + city + held, encoding="utf-8")
    for number in range(3):
        house.couple(f"p{number}@shop{number}.example", {}, {"city": "Bonn"}, {"City": "Köln"})
    with house.app({"LEADPACT_SYNC__MODE": "observe"}) as app:
        perform(app.work(), Asked("sync"))
    house.later(60)
    settled: list[Any] = []
    # This one was opened before anybody let the connection write: it leaves what it settles to the next sync.
    with house.app() as console:
        work = console.work()
        last = max(work.store.journal.open_held(), key=lambda row: row["lead_id"])

        def meanwhile(point: str) -> None:
            if point == "before intents" and not settled:
                settled.append(take(work, last, "hubspot", "me"))

        with house.app(SLICES, at_point=meanwhile) as app:
            perform(app.work(), Asked("sync", approve=True))
    house.later(60)
    house.sync()

    assert [one.outcome for one in settled] == [None]
    with house.app() as app:
        left = {row["lead_id"] for row in app.work().store.journal.open_held()}
    assert last["lead_id"] not in left
    assert len(left) == 2
    assert sorted(row["City"] for row in house.records("salesforce").values()) == ["Bonn", "Köln", "Köln"]


def test_a_run_that_breaks_off_leaves_no_decision_on_disk(three: Any) -> None:
    house, _ = three
    seen: list[int] = []

    def breaks(point: str) -> None:
        if point == "before intents":
            seen.append(len(_spilled(house, "*.decided")))
            raise Broken

    with house.app(SLICES, at_point=breaks) as app, pytest.raises(Broken):
        perform(app.work(), Asked("sync", approve=True))

    assert seen == [2]
    assert _spilled(house, "") == []
