"""Statements, and files, that a thread of their own writes while the frames of the next ones are put together."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from functools import partial
from queue import SimpleQueue
from typing import ParamSpec

from connectors.atonce import wait_for, wait_out

_Asked = ParamSpec("_Asked")


class Behind:
    """Takes calls and makes them one after the other, in the order in which they come."""

    def __init__(self, *, at_once: bool) -> None:
        #: Calls in their order; an event stands for whoever waits for what came before it, None for the end.
        self._calls: SimpleQueue[Callable[[], object] | threading.Event | None] = SimpleQueue()
        self._failed: list[BaseException] = []
        self._given_up = False
        self._ended = threading.Event()
        self._thread = (
            None
            if at_once
            else threading.Thread(target=copy_context().run, args=(self._work,), name="leadpact-memory")
        )

    def __call__(self, act: Callable[_Asked, object], *args: _Asked.args, **more: _Asked.kwargs) -> None:
        """Have this done: at once without a thread, and otherwise after all that came before."""
        if self._thread is None:
            act(*args, **more)
        else:
            self._calls.put(partial(act, *args, **more))

    def begin(self) -> None:
        """Start the thread, if there is to be one."""
        if self._thread is not None:
            self._thread.start()

    def check(self) -> None:
        """Raises what the first call that failed so far raised."""
        for failure in self._failed:
            raise failure

    def drain(self) -> None:
        """Wait for all that were handed over so far; more may come. Raises what the first that failed raised."""
        if self._thread is not None:
            made = threading.Event()
            self._calls.put(made)
            wait_for(made)
        self.check()

    def wait(self) -> None:
        """Wait for all of them. Raises what the first that failed raised."""
        if self._thread is not None:
            self._calls.put(None)
            wait_for(self._ended)
        self.check()

    def give_up(self) -> None:
        """Leave out what was not begun, and wait for what was: afterwards the connection is the caller's again."""
        self._given_up = True
        if self._thread is not None:
            self._calls.put(None)
            wait_out(self._ended, (self._thread,))

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            if isinstance(call, threading.Event):
                call.set()
            elif not self._given_up and not self._failed:
                self._make(call)
            # What a call was handed, such as the frames of a slice, is let go before the next one comes.
            del call
        self._ended.set()

    def _make(self, call: Callable[[], object]) -> None:
        try:
            call()
        except BaseException as error:  # noqa: BLE001 - whoever waits raises it
            self._failed.append(error)


@contextmanager
def behind(*, at_once: bool) -> Iterator[Behind]:
    """What is handed over inside is done when the block ends. ``at_once``: without a thread.

    Where calls use a connection, nobody else may use it inside. Where the block or a call fails, calls that were not
    begun are left out; so what is written to the store belongs in a transaction.
    """
    calls = Behind(at_once=at_once)
    try:
        calls.begin()
        yield calls
        calls.wait()
    finally:
        calls.give_up()
