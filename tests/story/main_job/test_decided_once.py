"""What was decided for the guards is what is written, as long as nothing but this run has moved meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

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
