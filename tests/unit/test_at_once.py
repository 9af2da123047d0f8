"""Several calls at the same time: each once, none begun after a failure, in the caller's context."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import ContextVar
from functools import partial

import pytest

from connectors.atonce import at_once

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
