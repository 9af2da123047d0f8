"""Several calls at the same time: begun in their order, and none begun any more once one has failed.

One after the other, what a CRM answers within 200 to 400 ms takes a second for every three calls, however many of
them its budget allows.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextvars import Context, ContextVar, copy_context

Act = Callable[[], None]

#: Longer waits of a thread ask in between whether it was interrupted; seconds.
PIECE = 0.2

#: Set where whoever waits for what this thread is a part of was interrupted.
_interrupts: ContextVar[tuple[threading.Event, ...]] = ContextVar("leadpact_interrupts", default=())

#: From so many threads on they are many: two are a step in both CRMs.
MANY = 3

#: Set in a thread that makes calls while many others make theirs.
_many: ContextVar[bool] = ContextVar("leadpact_many", default=False)


def one_of_many() -> bool:
    """Whether many threads make calls side by side with this one, and would all ask the same within moments."""
    return _many.get()


def join_many() -> None:
    """This thread is one of many from now on; where ``at_once`` has ``MANY`` threads, they are so by themselves."""
    _many.set(True)


def heed(interrupted: threading.Event) -> None:
    """Once it is set, what this thread does stops where it asks (``stop_if_interrupted``)."""
    _interrupts.set((*_interrupts.get(), interrupted))


def stop_if_interrupted() -> None:
    """Raises KeyboardInterrupt where the main thread, which waits for this one, was interrupted.

    An interrupt reaches the main thread alone. What waits long in another one has to ask.
    """
    if any(one.is_set() for one in _interrupts.get()):
        raise KeyboardInterrupt


def attentive(sleep: Callable[[float], None]) -> Callable[[float], None]:
    """The same wait (seconds), left by KeyboardInterrupt where a thread of ``at_once`` waits and was interrupted."""

    def waits(seconds: float) -> None:
        stop_if_interrupted()
        while _interrupts.get() and seconds > PIECE:
            sleep(PIECE)
            seconds -= PIECE
            stop_if_interrupted()
        sleep(seconds)
        stop_if_interrupted()

    return waits


def wait_for(ended: threading.Event) -> None:
    """Wait until it is set. In pieces: an interrupt that comes right before a wait is seen at its end."""
    while not ended.is_set():
        ended.wait(PIECE)


def wait_out(ended: threading.Event, threads: Sequence[threading.Thread]) -> None:
    """Wait until none of the threads lives, however often that is interrupted; an interrupt is raised then.

    ``ended``: set by the last of them, so that nobody waits for a whole piece. Whoever went on before what is under
    way has ended would go on while it still writes.
    """
    interrupt: KeyboardInterrupt | None = None
    while any(one.is_alive() for one in threads):
        try:
            ended.wait(PIECE)
        except KeyboardInterrupt as again:
            interrupt = again
    if interrupt is not None:
        raise interrupt


def at_once(acts: Sequence[Act], threads: int) -> None:
    """Do each of ``acts`` once, at most ``threads`` at the same time, each in the caller's context (``contextvars``).

    Where one fails, those under way end, the others are left undone, and then its exception is raised; of several
    that of the first in order. One act, or one thread: all of it happens in the caller's own thread. After an
    interrupt none is begun, those under way stop where they ask (``stop_if_interrupted``), and are waited for.
    """
    if threads < 2 or len(acts) < 2:
        for act in acts:
            stop_if_interrupted()
            act()
        return
    crew = _Crew(acts, min(threads, len(acts)))
    try:
        for thread in crew.threads:
            thread.start()
        wait_for(crew.ended)
    except BaseException:
        crew.interrupt()
        raise
    finally:
        wait_out(crew.ended, crew.threads)
    for place in sorted(crew.failed):
        raise crew.failed[place]


class _Crew:
    """Threads that take one act after the other. ``failed``: what an act raised, by its place; ``ended``: all are done.

    Not futures: an interrupt of the thread that waits for many of them can leave their locks taken.
    """

    def __init__(self, acts: Sequence[Act], threads: int) -> None:
        self._acts = iter([(place, act, copy_context()) for place, act in enumerate(acts)])
        self._lock = threading.Lock()
        self._interrupted = threading.Event()
        self._over = False
        self._working = threads
        self.threads = [threading.Thread(target=self._work, name=f"at-once-{n}") for n in range(threads)]
        self.failed: dict[int, BaseException] = {}
        self.ended = threading.Event()

    def interrupt(self) -> None:
        """Let no further act begin, and those under way know."""
        self._over = True
        self._interrupted.set()

    def _work(self) -> None:
        while (taken := self._next()) is not None:
            place, act, context = taken
            try:
                context.run(self._act, act)
            except BaseException as error:  # noqa: BLE001 - at_once raises it, in the thread that waits
                self.failed[place] = error
                self._over = True
        with self._lock:
            self._working -= 1
            if not self._working:
                self.ended.set()

    def _next(self) -> tuple[int, Act, Context] | None:
        with self._lock:
            return None if self._over else next(self._acts, None)

    def _act(self, act: Act) -> None:
        if len(self.threads) >= MANY:
            join_many()
        heed(self._interrupted)
        stop_if_interrupted()
        act()
