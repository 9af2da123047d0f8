"""Slabs of both CRMs are read at the same time, a slab ahead of whoever takes them, and by nobody afterwards."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextvars import ContextVar

import polars as pl
import pytest

from connectors.atonce import attentive, stop_if_interrupted
from connectors.crm import Slab
from sync.ahead import side_by_side


class Refused(Exception):
    """What reading fails with."""


def _slab(crm: str, number: int) -> Slab:
    return Slab(crm, "people", pl.DataFrame({"_id": [f"{crm}{number}"]}))


def _slabs(crm: str, numbers: int, before: Callable[[int], object] = lambda _: None) -> Iterator[Slab]:
    for number in range(numbers):
        before(number)
        yield _slab(crm, number)


def _none_left() -> bool:
    return not any(one.name.startswith("leadpact-read-") for one in threading.enumerate())


def test_they_come_in_turn_as_long_as_there_are_any() -> None:
    with side_by_side(
        {"one": _slabs("one", 4), "other": _slabs("other", 2), "nothing": _slabs("x", 0)}
    ) as found:
        taken = [(crm, slab.frame["_id"].item()) for crm, slab in found]
    assert taken == [
        *(("one", "one0"), ("other", "other0"), ("one", "one1"), ("other", "other1")),
        *(("one", "one2"), ("one", "one3")),
    ]
    assert _none_left()


def test_both_are_read_while_neither_is_taken() -> None:
    # Each waits for the other to be under way: one after the other, this would never end.
    met = threading.Barrier(2, timeout=60)
    first = {crm: _slabs(crm, 1, lambda _: met.wait()) for crm in ("one", "other")}
    with side_by_side(first) as found:
        assert len(list(found)) == 2


def test_the_next_is_in_the_making_while_one_waits_and_no_more_are() -> None:
    begun: list[int] = []
    second, many = threading.Event(), threading.Event()

    def noted(number: int) -> None:
        begun.append(number)
        (second if number < 2 else many).set()

    with side_by_side({"one": _slabs("one", 9, noted)}) as found:
        assert second.wait(60)
        # The first waits to be taken, the second to take its place.
        assert not many.wait(0.3)
        assert next(found)[1].frame["_id"].item() == "one0"
        assert many.wait(60)
    assert begun == [0, 1, 2]


def test_what_reading_raises_is_raised_after_the_slabs_before_it() -> None:
    def fails(number: int) -> None:
        if number == 2:
            raise Refused

    taken: list[str] = []
    with pytest.raises(Refused), side_by_side({"one": _slabs("one", 3, fails)}) as found:
        taken.extend(slab.frame["_id"].item() for _, slab in found)
    assert taken == ["one0", "one1"]


def test_a_slab_in_the_making_stops_where_it_asks_once_nobody_wants_it() -> None:
    under_way, left = threading.Event(), []

    def waits(_: int) -> None:
        under_way.set()
        try:
            while True:
                stop_if_interrupted()
                threading.Event().wait(0.01)
        except KeyboardInterrupt:
            left.append("left")
            raise

    def fails(_: int) -> None:
        assert under_way.wait(60)
        raise Refused

    with (
        pytest.raises(Refused),
        side_by_side({"one": _slabs("one", 1, fails), "other": _slabs("x", 1, waits)}) as found,
    ):
        list(found)
    assert left == ["left"]
    assert _none_left()


def test_a_wait_for_a_crm_is_left_once_nobody_wants_what_it_waits_for() -> None:
    slept = threading.Event()
    began: list[float] = []

    def sleeps(seconds: float) -> None:
        began.append(seconds)
        slept.set()
        threading.Event().wait(0.01)

    def fails(_: int) -> None:
        assert slept.wait(60)
        raise Refused

    with (
        pytest.raises(Refused),
        side_by_side(
            {"one": _slabs("one", 1, fails), "other": _slabs("x", 1, lambda _: attentive(sleeps)(3_600.0))}
        ) as found,
    ):
        list(found)
    assert sum(began) < 3_600
    assert _none_left()


def test_a_reading_is_let_go_in_its_thread() -> None:
    ended: list[str] = []

    def endless() -> Iterator[Slab]:
        try:
            yield from _slabs("one", 1_000_000)
        finally:
            ended.append(threading.current_thread().name)

    with side_by_side({"one": endless()}) as found:
        next(found)
    assert ended == ["leadpact-read-one"]


def test_what_the_caller_is_about_holds_while_it_is_read() -> None:
    about: ContextVar[str] = ContextVar("about", default="nothing")
    token, seen = about.set("run 7"), []
    try:
        with side_by_side({"one": _slabs("one", 1, lambda _: seen.append(about.get()))}) as found:
            list(found)
    finally:
        about.reset(token)
    assert seen == ["run 7"]
