"""What is remembered of many leads is written by a thread of its own, in the order in which it was handed over."""

from __future__ import annotations

import gc
import os
import signal
import threading
import time
import weakref
from contextlib import suppress

import pytest

from sync.store.behind import behind


class Refused(Exception):
    """What a call of a test fails with."""


@pytest.mark.parametrize("at_once", [True, False])
def test_what_is_handed_over_is_done_in_order_when_the_block_ends(at_once: bool) -> None:
    done: list[int] = []
    with behind(at_once=at_once) as later:
        for number in range(100):
            later(done.append, number)
    assert done == list(range(100))


def test_the_next_is_put_together_while_the_one_before_is_written() -> None:
    put_together = threading.Event()
    with behind(at_once=False) as later:
        # Waits for what stands below it: without a thread of its own this would never end.
        later(put_together.wait, 60)
        put_together.set()


@pytest.mark.parametrize("at_once", [True, False])
def test_a_call_that_fails_is_told_before_anything_is_remembered(at_once: bool) -> None:
    def fails() -> None:
        raise Refused

    with pytest.raises(Refused), behind(at_once=at_once) as later:
        later(fails)


def test_nothing_is_under_way_any_more_when_the_block_fails() -> None:
    done: list[int] = []
    begun = threading.Event()

    def writes() -> None:
        begun.set()
        done.extend(range(100_000))

    def fails() -> None:
        with behind(at_once=False) as later:
            later(writes)
            begun.wait(60)
            raise Refused

    with pytest.raises(Refused):
        fails()
    assert len(done) == 100_000


def test_a_second_interrupt_does_not_give_the_connection_back_while_it_is_written_to() -> None:
    done: list[int] = []

    def writes() -> None:
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.05)
        time.sleep(0.2)
        done.append(1)

    def write_behind() -> None:
        with behind(at_once=False) as later:
            later(writes)
            later(done.append, 2)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            write_behind()
    finally:
        signal.signal(signal.SIGINT, before)
    assert done[:1] == [1]


def test_who_drains_waits_for_what_came_before_and_may_hand_over_more() -> None:
    done: list[int] = []
    with behind(at_once=False) as later:
        for number in range(3):
            later(done.append, number)
            later.drain()
            assert done == list(range(number + 1))


def test_who_drains_is_told_what_failed_and_nothing_after_it_is_done() -> None:
    done: list[int] = []

    def fails() -> None:
        raise Refused

    def drains() -> None:
        with behind(at_once=False) as later:
            later(fails)
            later(done.append, 1)
            with suppress(Refused):
                later.drain()
            later.check()

    with pytest.raises(Refused):
        drains()
    assert done == []


def test_what_a_call_was_handed_is_let_go_once_it_is_made() -> None:
    class Frames:
        """Large, in life."""

    frames = Frames()
    held = weakref.ref(frames)
    with behind(at_once=False) as later:
        later(id, frames)
        del frames
        later.drain()
        gc.collect()
        assert held() is None
