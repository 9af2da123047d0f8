"""A slice is remembered while the next one is decided and written.

The memory of a slice is a matter of the database, its writing one of the CRMs: done in turn, each waits for the
other. What a stop leaves is what it always leaves, intents without an end: of two slices at most instead of one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial

from connectors.atonce import wait_for
from sync.kept import each_by_itself
from sync.store.behind import Behind, behind
from sync.work import Work


@dataclass(frozen=True, slots=True)
class Meanwhile:
    """Remembers slices one after the other, each while the run goes on with the next."""

    _work: Work
    _behind: Behind

    def __call__(self, remembered: Callable[[Work], None]) -> None:
        """Have a slice remembered once the one before is. Raises what that one's failed with.

        ``remembered`` is handed a ``Work`` whose store nobody else uses meanwhile.
        """
        # One at a time: what waits here holds all frames of its slice, beside those of the one under way.
        self._behind.drain()
        begun = threading.Event()
        self._behind(partial(_begin, begun, remembered, self._work))
        # What was not begun is left out where the run fails; but this slice stands in both CRMs already.
        wait_for(begun)

    def before_deciding(self) -> None:
        """Wait where a decision looks at what other leads came to."""
        if not each_by_itself(self._work):
            self._behind.drain()

    def before_writing(self) -> None:
        """Raises what the slice before failed with, if it is known by now: then no more is written."""
        self._behind.check()

    def all_remembered(self) -> None:
        """Wait for what is under way. Raises what it failed with."""
        self._behind.drain()


def _begin(begun: threading.Event, remembered: Callable[[Work], None], work: Work) -> None:
    begun.set()
    remembered(work)


@contextmanager
def meanwhile(work: Work, slices: int) -> Iterator[Meanwhile]:
    """What is handed over inside is remembered when the block ends. One slice needs no second connection.

    Where the block fails, the slice that is being remembered is remembered to its end, and the failure is raised.
    """
    if slices < 2:
        with behind(at_once=True) as calls:
            yield Meanwhile(work, calls)
        return
    with work.store.alongside() as store, behind(at_once=False) as calls:
        yield Meanwhile(replace(work, store=store), calls)
