"""Several calls at the same time: each once, none begun after a failure, in the caller's context."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from functools import partial

import pytest

from connectors.atonce import at_once, attentive, stop_if_interrupted

TOGETHER = 4


def test_as_many_as_asked_for_are_under_way_at_the_same_time() -> None:
    # Each waits for the others: one after the other, the first would never end.
    met = threading.Barrier(TOGETHER, timeout=20)

    def meets() -> None:
        met.wait()

    at_once([meets] * TOGETHER * 2, TOGETHER)


@pytest.mark.parametrize("threads", [1, 2, TOGETHER])
def test_each_is_done_once(threads: int) -> None:
    done: list[int] = []
    at_once([partial(done.append, n) for n in range(50)], threads)
    assert sorted(done) == list(range(50))


def test_one_thread_does_them_in_their_order_and_where_the_caller_is() -> None:
    done: list[tuple[int, int]] = []
    at_once([partial(lambda n: done.append((n, threading.get_ident())), n) for n in range(3)], 1)
    assert done == [(n, threading.get_ident()) for n in range(3)]


def test_after_a_failure_those_under_way_end_and_no_other_begins() -> None:
    failed, done = threading.Event(), []

    def fails() -> None:
        failed.set()
        raise ValueError("the first")

    def is_under_way() -> None:
        assert failed.wait(20)
        done.append("under way")

    def never() -> None:
        done.append("begun afterwards")

    acts: list[Callable[[], None]] = [is_under_way, fails, *[never] * 10_000]
    with pytest.raises(ValueError, match="the first"):
        at_once(acts, 2)
    assert done[0] == "under way"
    # The other thread may take up a few while the failure is on its way up.
    assert len(done) < 5_000


def test_of_several_failures_that_of_the_first_in_order_is_raised() -> None:
    met = threading.Barrier(2, timeout=20)

    def fails(text: str) -> None:
        met.wait()
        raise ValueError(text)

    with pytest.raises(ValueError, match="the first"):
        at_once([partial(fails, "the first"), partial(fails, "the second")], 2)


def test_what_ends_a_run_goes_on_up_too() -> None:
    def ends() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        at_once([ends, ends], 2)


def test_what_the_caller_is_about_holds_in_each() -> None:
    about: ContextVar[str] = ContextVar("about", default="nothing")
    token, seen = about.set("run 7"), []
    try:
        at_once([lambda: seen.append(about.get())] * 3, 2)
    finally:
        about.reset(token)
    assert seen == ["run 7"] * 3


@pytest.fixture
def interruptible() -> Iterator[None]:
    """An interrupt is a KeyboardInterrupt here, also where a worker of the tests ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_lets_nothing_more_begin_in_what_is_under_way_either() -> None:
    begun: list[int] = []

    def interrupts(number: int) -> None:
        begun.append(number)
        if number == 0:
            os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.001)

    def further_down() -> None:
        at_once([partial(interrupts, number) for number in range(20_000)], 2)

    with pytest.raises(KeyboardInterrupt):
        at_once([further_down, lambda: None], 2)
    assert len(begun) < 15_000


@pytest.mark.usefixtures("interruptible")
def test_what_waits_long_is_told_of_an_interrupt() -> None:
    told = threading.Event()

    def waits_for_a_job() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        try:
            while True:
                stop_if_interrupted()
                time.sleep(0.001)
        except KeyboardInterrupt:
            told.set()
            raise

    with pytest.raises(KeyboardInterrupt):
        at_once([waits_for_a_job, lambda: None], 2)
    assert told.wait(20)
    stop_if_interrupted()  # What comes afterwards has nothing to do with it.


@pytest.mark.usefixtures("interruptible")
def test_a_second_interrupt_does_not_let_go_of_what_is_under_way() -> None:
    ended: list[int] = []
    both, second = threading.Barrier(2, timeout=20), threading.Event()

    def writes(number: int) -> None:
        both.wait()
        if number == 0:
            for _ in range(2):
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(0.05)
            second.set()
        assert second.wait(20)
        time.sleep(0.2)
        ended.append(number)

    with pytest.raises(KeyboardInterrupt):
        at_once([partial(writes, 0), partial(writes, 1)], 2)
    assert sorted(ended) == [0, 1]


@pytest.mark.usefixtures("interruptible")
def test_a_pause_in_what_is_under_way_ends_at_an_interrupt() -> None:
    slept: list[float] = []

    def naps(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.01)

    with pytest.raises(KeyboardInterrupt):
        at_once([partial(attentive(naps), 600.0), lambda: None], 2)
    assert len(slept) < 2_000


def test_a_pause_lasts_as_long_as_it_was_asked_for_in_one_piece_or_in_many() -> None:
    slept: list[float] = []
    at_once([partial(attentive(slept.append), 1.5), lambda: None], 2)
    assert sum(slept) == pytest.approx(1.5)
    slept.clear()
    attentive(slept.append)(1.5)
    assert slept == [1.5]
