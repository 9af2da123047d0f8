"""A slice is remembered while the next one is decided and written; what fails leaves nothing half remembered."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from sync.halfdone import OPEN_INTENTS
from sync.meanwhile import meanwhile
from sync.run import Asked, perform
from sync.work import Work

SLICES = {"LEADPACT_SYNC__SLICE_LEADS": "1", "LEADPACT_GUARDS__CANARY": "0"}
#: Seconds after which what does not come is taken for never coming.
LONG = 60
ROUTE = """
[[handover.routes]]
name = "Germany"
countries = "DE"
to = ["sana.okafor@leadpact-sandbox.example", "mateo.lindqvist@leadpact-sandbox.example"]

[locale]"""


class Broken(Exception):
    """What a test breaks a run off with."""


class Points:
    """The named points of a run, which come from two threads. ``acts``: what happens at one, by how often it came."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.acts: dict[tuple[str, int], Callable[[], None]] = {}
        self._lock = threading.Lock()

    def __call__(self, point: str) -> None:
        with self._lock:
            self.seen.append(point)
            act = self.acts.get((point, self.seen.count(point)))
        if act is not None:
            act()


def _couples(house: Any) -> list[tuple[str, str]]:
    return [house.couple(f"p{number}@shop{number}.example", {"city": "Bonn"}) for number in range(3)]


@pytest.fixture
def three(furnished: Any, begin: Callable[..., Any]) -> tuple[Any, list[tuple[str, str]]]:
    """A house, and three people of whom nothing was synced yet."""
    return furnished, begin(_couples)


def _sync(house: Any, points: Points) -> Any:
    with house.app(SLICES, at_point=points) as app:
        return perform(app.work(), Asked("sync", approve=True))


def _raises() -> None:
    raise Broken


def _waits(event: threading.Event) -> Callable[[], None]:
    def wait() -> None:
        assert event.wait(LONG), "it never came"

    return wait


def _of_last_run(house: Any) -> tuple[set[str], set[str]]:
    """The leads of which the last run remembers that they were written, and those that it had set out to write."""
    with house.app() as app:
        store = app.work().store
        written = store.journal.written_by(store.runs.latest())
        return set(written["lead_id"]), set(store.journal.open_intents(OPEN_INTENTS)["lead_id"])


def _goes_on(house: Any) -> None:
    """The next sync brings everybody into agreement, and finds that they are."""
    house.later(60)
    house.sync()
    mark = house.mark()
    assert house.sync().numbers.written == 0
    assert house.wrote_nothing(mark)
    assert _of_last_run(house)[1] == set()


def test_the_next_slice_is_on_its_way_while_one_is_remembered(three: Any) -> None:
    house, couples = three
    points, begun = Points(), threading.Event()
    points.acts = {("after journal", 1): _waits(begun), ("after intents", 2): begun.set}

    done = _sync(house, points)

    assert points.seen.index("after link") > points.seen.index("after intents", 1)
    assert (done.numbers.refused, done.numbers.held, done.numbers.written) == (0, 0, 2 * len(couples))
    assert points.seen.count("after link") == len(couples)
    assert points.seen.index("before cursor") > max(
        place for place, point in enumerate(points.seen) if point == "after link"
    )
    _goes_on(house)


def test_what_was_written_before_a_failure_is_remembered(three: Any) -> None:
    house, _ = three
    points, failing = Points(), threading.Event()

    def fails() -> None:
        failing.set()
        raise Broken

    # While the first slice is being remembered, the writing of the second one breaks off.
    points.acts = {("after journal", 1): _waits(failing), ("after intents", 2): fails}
    with pytest.raises(Broken):
        _sync(house, points)

    written, begun = _of_last_run(house)
    assert (len(written), len(begun), written & begun) == (1, 1, set())
    _goes_on(house)


@pytest.mark.parametrize("slices_begun", [1, 2])
def test_a_slice_that_cannot_be_remembered_ends_the_run_before_more_is_written(
    three: Any, slices_begun: int
) -> None:
    house, _ = three
    points, begun = Points(), threading.Event()

    def fails() -> None:
        _waits(begun)()
        raise Broken

    points.acts = {("after link", 1): fails, ("after intents", slices_begun): begun.set}
    with pytest.raises(Broken):
        _sync(house, points)

    written, open_ones = _of_last_run(house)
    assert written == set()
    assert 1 <= len(open_ones) <= 2
    assert points.seen.count("after link") == 1
    _goes_on(house)


def test_whose_turn_it_is_waits_for_what_was_given_away_before(three: Any) -> None:
    house, couples = three
    house.rewrite("leadpact.toml", "\n[locale]", ROUTE)
    points = Points()
    # Were the second slice decided meanwhile, it would have come to its intents by now.
    points.acts = {("after journal", 1): lambda: time.sleep(0.5)}

    _sync(house, points)

    places = [place for place, point in enumerate(points.seen) if point == "after link"]
    assert len(places) == len(couples)
    assert points.seen[: places[0]].count("before intents") == 1
    assert points.seen[: places[1]].count("before intents") == 2


def test_a_slice_that_was_handed_over_is_remembered_whatever_fails_right_after(three: Any) -> None:
    house, _ = three
    remembered: list[int] = []

    def fails_right_after(work: Work, number: int) -> None:
        with meanwhile(work, 2) as later:
            later(lambda _: remembered.append(number))
            raise Broken

    with house.app() as app:
        work = app.work()
        for number in range(20):
            with pytest.raises(Broken):
                fails_right_after(work, number)
    assert remembered == list(range(20))
