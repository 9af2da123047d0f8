"""Statements that a thread of their own runs while the frames of the next ones are put together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, ParamSpec

_Asked = ParamSpec("_Asked")


class Behind:
    """Takes calls of the store and makes them one after the other, in the order in which they come."""

    def __init__(self, thread: ThreadPoolExecutor | None) -> None:
        self._thread = thread
        self._calls: list[Future[Any]] = []

    def __call__(self, act: Callable[_Asked, object], *args: _Asked.args, **more: _Asked.kwargs) -> None:
        """Have this done: at once without a thread, and otherwise after all that came before."""
        if self._thread is None:
            act(*args, **more)
        else:
            self._calls.append(self._thread.submit(act, *args, **more))

    def wait(self) -> None:
        """Wait for all of them. Raises what the first that failed raised."""
        for call in self._calls:
            call.result()


@contextmanager
def behind(*, at_once: bool) -> Iterator[Behind]:
    """What is handed over inside is done when the block ends. ``at_once``: without a thread.

    Inside, nobody else may use the connection. Where the block or a call fails, calls that were not begun are left out;
    so it belongs in a transaction.
    """
    if at_once:
        yield Behind(None)
        return
    thread = ThreadPoolExecutor(1, thread_name_prefix="leadpact-memory")
    try:
        calls = Behind(thread)
        yield calls
        calls.wait()
    finally:
        thread.shutdown(cancel_futures=True)
