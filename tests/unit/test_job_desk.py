"""An app is opened anew behind a job, so that no job waits for it; and jobs go to whoever worked last."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass, field
from typing import Any

import pytest

from sync.jobs_desk import KEPT_SECONDS, RENEWED_SECONDS, Desk
from sync.jobs_hands import Hands, Task, Unfinished


@dataclass
class Opened:
    """What stands for an app: which one it is, and what was asked of it."""

    number: int
    asked: list[str] = field(default_factory=list)

    def recalled(self) -> None:
        self.asked.append("recalled")

    def close(self) -> None:
        self.asked.append("closed")


@dataclass
class Office:
    """Opens apps, and counts the seconds; ``away``: what keeps it from that."""

    seconds: float = 0.0
    opened: list[Opened] = field(default_factory=list)
    away: Exception | None = None

    def open(self) -> Any:
        if self.away is not None:
            raise self.away
        self.opened.append(Opened(len(self.opened)))
        return self.opened[-1]

    def desk(self) -> Desk:
        def ready(app: Any) -> None:
            app.asked.append("ready")

        return Desk(self.open, ready, lambda: self.seconds)


def test_an_app_is_made_ready_before_the_first_job_and_kept_for_those_that_follow() -> None:
    office = Office()
    desk = office.desk()
    desk.renew()
    assert desk.app() is desk.app()
    (app,) = office.opened
    assert app.asked == ["recalled", "ready"]


@pytest.mark.parametrize(
    ("seconds", "opened"), [(0.0, 1), (RENEWED_SECONDS, 1), (RENEWED_SECONDS + 1, 2), (KEPT_SECONDS + 1, 2)]
)
def test_behind_a_job_it_is_opened_anew_before_it_is_too_old(seconds: float, opened: int) -> None:
    office = Office()
    desk = office.desk()
    desk.renew()
    office.seconds = seconds
    desk.renew_in_time()
    assert len(office.opened) == opened
    assert [app.asked[-1] for app in office.opened] == ["closed"] * (opened - 1) + ["ready"]


def test_one_that_is_too_old_does_no_job() -> None:
    office = Office()
    desk = office.desk()
    first = desk.app()
    office.seconds = KEPT_SECONDS + 1
    assert desk.app() is not first
    assert office.opened[0].asked[-1] == "closed"


def test_what_cannot_be_opened_in_advance_is_left_to_the_job() -> None:
    office = Office(away=OSError("the database is away"))
    desk = office.desk()
    desk.renew()
    assert desk.kept is None
    office.away = None
    assert desk.app() is not None


def test_a_job_goes_to_the_hand_that_worked_last() -> None:
    opened_by: list[int] = []

    def opens(_: Any) -> Any:
        opened_by.append(threading.get_ident())
        raise OSError("there is no database")

    async def one_after_the_other(hands: Hands) -> None:
        for number in range(8):
            # Until the hand is free again: its answer comes a moment before.
            await asyncio.sleep(0.05)
            with pytest.raises(Unfinished):
                await hands.do(Task(number, "live", None, 0, {"what": "drain"}))

    hands = Hands(opens, most_failures=1)
    hands.start(3)
    asyncio.run(one_after_the_other(hands))
    assert hands.end(60.0)
    assert len(opened_by) == 1 + 8, "one was opened in advance, then each job tried"
    assert len(set(opened_by[1:])) == 1


def test_jobs_at_the_same_time_go_to_different_hands() -> None:
    met = threading.Barrier(3, timeout=60.0)

    def opens(_: Any) -> Any:
        met.wait()
        raise OSError("there is no database")

    async def together(hands: Hands) -> list[Any]:
        # The third one opens in advance.
        tasks = [hands.do(Task(number, "live", None, 0, {"what": "drain"})) for number in range(2)]
        return await asyncio.gather(*tasks, return_exceptions=True)

    hands = Hands(opens, most_failures=1)
    hands.start(3)
    ended = asyncio.run(together(hands))
    assert [type(one) for one in ended] == [Unfinished, Unfinished]
    assert hands.end(60.0)
