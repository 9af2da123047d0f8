"""A run that read a lead before another run brought it into agreement does not take what it read for a change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sync.read import Gathered, gather_named
from sync.work import Work

TITLES = {"hubspot": "jobtitle", "salesforce": "Title"}
ADDRESS = "p0@shop0.example"


@pytest.fixture
def pair(furnished: Any, begin: Callable[..., Any]) -> tuple[Any, str, str]:
    """A house, and a person of it on whom both CRMs agree."""
    return furnished, *begin(_pair)


def _pair(house: Any) -> tuple[str, str]:
    contact, lead = house.couple(ADDRESS, {"jobtitle": "Leiterin"})
    house.sync()
    house.later(60)
    return contact, lead


def _reads_before(happens: Callable[[], None], **ids: list[str]) -> Callable[[Work], Gathered]:
    def read(work: Work) -> Gathered:
        gathered = gather_named(work, ids)
        happens()
        return gathered

    return read


def _shown(house: Any, contact: str, lead: str) -> tuple[Any, Any]:
    return house.record("hubspot", contact)["jobtitle"], house.record("salesforce", lead)["Title"]


def _titles_written(house: Any, mark: Any) -> list[str]:
    """The CRMs that were sent a job title since a mark, once for each time."""
    return [
        crm for crm, name in TITLES.items() for call in house.writes(mark)[crm] if name in str(call["body"])
    ]


@pytest.mark.parametrize("read", ["salesforce", "hubspot"])
@pytest.mark.parametrize("slice_leads", ["1", "100"])
def test_what_was_read_before_another_run_is_read_again(
    pair: tuple[Any, str, str], read: str, slice_leads: str
) -> None:
    house, contact, lead = pair
    second = house.couple("p1@shop1.example", {"jobtitle": "Leiterin"})
    house.sync()
    house.later(60)
    mark = house.mark()

    def meanwhile() -> None:
        house.edit("hubspot", contact, jobtitle="Inhaberin")
        house.later(60)
        house.sync()
        assert _shown(house, contact, lead) == ("Inhaberin", "Inhaberin")
        assert _titles_written(house, mark) == ["salesforce"]

    ids = [(contact, lead)[read == "salesforce"], second[read == "salesforce"]]
    done = house.run(
        "webhook",
        {"LEADPACT_SYNC__SLICE_LEADS": slice_leads},
        read=_reads_before(meanwhile, **{read: ids}),
        approve=True,
    )

    assert done.busy == 0
    assert _shown(house, contact, lead) == ("Inhaberin", "Inhaberin")
    assert _titles_written(house, mark) == ["salesforce"]


def test_whoever_was_forgotten_since_they_were_read_is_not_remembered_again(
    pair: tuple[Any, str, str],
) -> None:
    house, contact, _lead = pair
    house.edit("hubspot", contact, jobtitle="Inhaberin")

    def forgotten() -> None:
        assert house.command("forget", ADDRESS, "--yes").code == 0

    done = house.run("webhook", read=_reads_before(forgotten, hubspot=[contact]), approve=True)

    assert done.busy == 1
    assert house.command("explain", ADDRESS).code != 0
    house.later(60)
    house.sync()
    assert house.command("explain", ADDRESS).code != 0


def test_what_is_ambiguous_is_held_also_where_a_lead_beside_it_was_overtaken(
    pair: tuple[Any, str, str],
) -> None:
    house, contact, lead = pair
    twin = {"LastName": "Doppel", "Email": "tim@d.example"}
    twins = house.load("salesforce", {**twin, "Company": "D1"}, {**twin, "Company": "D2"})
    (tim,) = house.load("hubspot", {"email": "tim@d.example", "lastname": "Doppel"})

    def meanwhile() -> None:
        house.edit("hubspot", contact, jobtitle="Inhaberin")
        done = house.run("webhook", names={"hubspot": [contact], "salesforce": []}, approve=True)
        assert done.numbers.written > 0

    ids = {"hubspot": [tim], "salesforce": [lead, *twins]}
    done = house.run("webhook", read=_reads_before(meanwhile, **ids), approve=True)

    assert _shown(house, contact, lead) == ("Inhaberin", "Inhaberin")
    held = {one["record_id"] for one in house.command("--json", "held").document["held"]}
    assert held == {tim, *twins}
    assert done.numbers.held == len(held)
