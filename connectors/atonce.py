"""Several calls at the same time: begun in their order, and none begun any more once one has failed.

One after the other, what a CRM answers within 200 to 400 ms takes a second for every three calls, however many of
them its budget allows.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextvars import ContextVar, copy_context

Act = Callable[[], None]

#: Set where whoever waits for what this thread is a part of was interrupted.
_interrupts: ContextVar[tuple[threading.Event, ...]] = ContextVar("leadpact_interrupts", default=())


def stop_if_interrupted() -> None:
    """Raises KeyboardInterrupt where the main thread, which waits for this one, was interrupted.

    An interrupt reaches the main thread alone. What waits long in another one has to ask.
    """
    if any(one.is_set() for one in _interrupts.get()):
        raise KeyboardInterrupt


def at_once(acts: Sequence[Act], threads: int) -> None:
    """Do each of ``acts`` once, at most ``threads`` at the same time, each in the caller's context (``contextvars``).

    Where one fails, those under way end, the others are left undone, and then its exception is raised; of several
    that of the first in order. One act, or one thread: all of it happens in the caller's own thread. After an
    interrupt none is begun, in those under way neither.
    """
    if threads < 2 or len(acts) < 2:
        for act in acts:
            stop_if_interrupted()
            act()
        return
    over, interrupted = threading.Event(), threading.Event()

    def begun(act: Act) -> None:
        if over.is_set():
            return
        _interrupts.set((*_interrupts.get(), interrupted))
        try:
            stop_if_interrupted()
            act()
        except BaseException:
            over.set()
            raise

    with ThreadPoolExecutor(min(threads, len(acts)), thread_name_prefix="at-once") as pool:
        try:
            ended = [pool.submit(copy_context().run, begun, act) for act in acts]
            wait(ended)
        except BaseException:
            over.set()
            interrupted.set()
            raise
    for one in ended:
        one.result()
