"""Slabs of both CRMs, read at the same time: each CRM's by a thread of its own, ahead of whoever takes them.

While the records of one are worked on, the other is not waited for, and neither is the next answer of the same one.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, nullcontext
from contextvars import copy_context

from connectors.atonce import heed, wait_for, wait_out
from connectors.crm import Slab


@contextmanager
def side_by_side(readings: Mapping[str, Iterator[Slab]]) -> Iterator[Iterator[tuple[str, Slab]]]:
    """The slabs of each CRM with its name, in turn as long as there are any: what is read tells the order.

    Of each CRM one slab waits and another is in the making. What reading raises is raised when its turn comes.
    Nothing is read any more when the block ends, however it ends; a slab in the making stops where it asks
    (``connectors.atonce.stop_if_interrupted``).
    """
    over = threading.Event()
    with ExitStack() as opened:
        yield _in_turn(
            {crm: opened.enter_context(_reader(crm, slabs, over)) for crm, slabs in readings.items()}
        )


def _in_turn(readers: Mapping[str, _Reader]) -> Iterator[tuple[str, Slab]]:
    left = dict(readers)
    while left:
        for crm, reader in list(left.items()):
            slab = reader.take()
            if slab is None:
                del left[crm]
            else:
                yield crm, slab
                del slab  # before the next one is waited for


@contextmanager
def _reader(crm: str, slabs: Iterator[Slab], over: threading.Event) -> Iterator[_Reader]:
    reader = _Reader(crm, slabs, over)
    try:
        reader.thread.start()
        yield reader
    finally:
        reader.stop()


class _Reader:
    """Reads one CRM's slabs. ``over``: set where nobody wants any more of them."""

    def __init__(self, crm: str, slabs: Iterator[Slab], over: threading.Event) -> None:
        self._slabs, self._over = slabs, over
        self._slab: Slab | None = None
        self._failed: BaseException | None = None
        #: One waits to be taken, or there is no more; the next one may take its place; the thread has ended.
        self._ready, self._room, self._ended = threading.Event(), threading.Event(), threading.Event()
        self._room.set()
        # In the same context, so that its calls keep their lane and its lines in the log carry the run.
        work = copy_context().run
        self.thread = threading.Thread(target=work, args=(self._work,), name=f"leadpact-read-{crm}")

    def take(self) -> Slab | None:
        """The next slab, None where there is no more. Raises what reading it raised."""
        wait_for(self._ready)
        slab, self._slab = self._slab, None
        if slab is None:
            if self._failed is not None:
                raise self._failed
            return None
        self._ready.clear()
        self._room.set()
        return slab

    def stop(self) -> None:
        """Read no more, and wait until nothing is under way."""
        self._over.set()
        self._room.set()
        if self.thread.ident is not None:
            wait_out(self._ended, (self.thread,))

    def _work(self) -> None:
        heed(self._over)
        try:
            # Closed here, and not wherever the last one lets go of it: that may wait for calls under way.
            with closing(self._slabs) if isinstance(self._slabs, Generator) else nullcontext():
                self._read()
        except BaseException as error:  # noqa: BLE001 - whoever takes raises it
            self._failed = error
        wait_for(self._room)
        self._ready.set()
        self._ended.set()

    def _read(self) -> None:
        for slab in self._slabs:
            wait_for(self._room)
            if self._over.is_set():
                return
            self._room.clear()
            self._slab = slab
            self._ready.set()
            del slab  # whoever takes it is the only one who holds it
