"""Every job that a schedule brings, done once by a hand, on one house."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sync.app import build
from sync.jobs import SCHEDULED, scheduled
from sync.jobs_hands import Hands, Task, Unfinished


def _done(house: Any, *tasks: Task) -> list[str]:
    """What each said; one that ended badly, what follows."""
    hands = Hands(lambda at_point: build(house.settings(), at_point=at_point), most_failures=2)
    hands.start(1)

    async def each() -> list[str]:
        said = []
        for task in tasks:
            try:
                said.append((await hands.do(task)).words)
            except Unfinished as unfinished:
                said.append(unfinished.verdict.then)
        return said

    try:
        return asyncio.run(each())
    finally:
        assert hands.end(30)


@pytest.fixture
def agreed(furnished: Any) -> Any:
    """A house in which two people are in both CRMs, and both show the same."""
    for name in ("anna", "berta"):
        furnished.couple(f"{name}@sommer.example")
    furnished.sync()
    return furnished


def test_every_schedule_brings_a_job_that_says_what_came_of_it_and_a_wrong_token_parks_one(
    agreed: Any,
) -> None:
    said = dict(
        zip(
            SCHEDULED,
            _done(agreed, *(Task(0, lane, None, 0, {"what": name}) for name, lane in SCHEDULED.items())),
            strict=True,
        )
    )
    assert said["agree"] == "2 of 2 linked leads agree, 0 unexplained"
    assert said["incremental"].startswith("run ")
    assert said["rescore"].startswith("run ")
    assert said["drift"] == "nothing drifted"
    assert said["retention"] == "no deletion period is set"
    (page,) = (agreed.folder / "data" / "reports").glob("*.html")
    assert said["report"] == f"the report is {page}"
    assert "sommer.example" not in page.read_text("utf-8")
    assert page.stat().st_mode & 0o77 == 0

    number = _queued(agreed)
    agreed.control("hubspot", "faults", {"status": 401, "times": 50})
    assert _done(agreed, Task(number, "live", None, 0, {"what": "agree"})) == ["park"]
    with agreed.app() as app:
        assert app.recalled() is not None
        (row,) = app.store.jobs.listed()
    assert (row.kind, row.failures, row.state) == ("NotAllowed", 1, "queued")
    assert row.fix
    assert row.place.startswith("connectors.")


def _queued(house: Any) -> int:
    """The number of a job in the queue."""
    with house.app() as app:
        app.work()
        app.store.jobs.enqueue(scheduled("agree"))
        return int(app.store.jobs.listed()[0].id)
