"""The pretend CRMs' own time: real, shifted or frozen, and remembered across restarts.

Both sides share one clock. A test that needs "three days later" moves it; nothing sleeps.
"""

from __future__ import annotations

import mmap
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson

from connectors.sandbox.folder import locked

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def real_time() -> datetime:
    """The machine's time, aware, in UTC."""
    return datetime.now(UTC)


class SandboxClock:
    """A clock that can be frozen, moved, and set running again.

    ``path`` is the small file that keeps its state; ``None`` keeps it in memory only. ``real`` is
    where real time comes from. Safe to use from several threads, and from the forks of the process that
    made it: all of them have the same clock.
    """

    def __init__(self, path: Path | None, real: Callable[[], datetime] = real_time) -> None:
        self._path = path
        self._real = real
        self._lock = threading.Lock()
        # Memory that forks have in common. All is said in one number of eight bytes, which is stored at once, so that
        # nobody ever reads half a move: microseconds since 1970 where it is frozen, or those that it is ahead, twice,
        # and one more where it is frozen.
        self._shared = memoryview(mmap.mmap(-1, 8)).cast("q")
        if path is not None and path.exists():
            kept = orjson.loads(path.read_bytes())
            frozen = kept["frozen_at"]
            if frozen is None:
                self._shared[0] = 2 * kept["offset_us"]
            else:
                self._shared[0] = _frozen(datetime.fromisoformat(frozen))
        self._read = self._reading(self._shared[0])

    def now(self) -> datetime:
        """The sandbox's time, aware, in UTC."""
        frozen_at, offset = self._state()
        return self._real() + offset if frozen_at is None else frozen_at

    @property
    def frozen(self) -> bool:
        """Whether time stands still."""
        return self._state()[0] is not None

    def set(self, moment: datetime) -> None:
        """Freeze the clock at a moment. Raises ValueError for a time without a zone."""
        if moment.utcoffset() is None:
            raise ValueError("the sandbox clock needs a time with a zone")
        with self._alone():
            self._move(_frozen(moment.astimezone(UTC)))

    def advance(self, seconds: float) -> None:
        """Move the clock by some seconds (negative: back). A frozen one stays frozen, a running one runs on.

        Raises ValueError where the result is no date of the calendar; the clock then stays as it was.
        """
        with self._alone():
            frozen_at, offset = self._state()
            try:
                step = timedelta(seconds=seconds)
                if frozen_at is not None:
                    moved = _frozen(frozen_at + step)
                else:
                    # Tried before it is kept, so that a step too far leaves the clock usable.
                    self._real() + offset + step
                    moved = 2 * ((offset + step) // _MICROSECOND)
            except OverflowError as error:
                raise ValueError("the sandbox clock cannot be moved that far") from error
            self._move(moved)

    def run(self) -> None:
        """Go back to real time."""
        with self._alone():
            self._move(0)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Move it while nobody else does, in this process or another."""
        with self._lock:
            if self._path is None:
                yield
            else:
                with locked(self._path.with_suffix(".lock")):
                    yield

    def _state(self) -> tuple[datetime | None, timedelta]:
        """Where it is frozen (None: it runs), and how far ahead of real time it runs."""
        said, frozen_at, offset = self._read
        told = self._shared[0]
        if told != said:
            self._read = _, frozen_at, offset = self._reading(told)
        return frozen_at, offset

    @staticmethod
    def _reading(told: int) -> tuple[int, datetime | None, timedelta]:
        value = timedelta(microseconds=told >> 1)
        return (told, _EPOCH + value, timedelta()) if told & 1 else (told, None, value)

    def _move(self, told: int) -> None:
        # Kept before it is told: what the other process did by it would lie in the future after a kill in between.
        self._keep(told)
        self._shared[0] = told

    def _keep(self, told: int) -> None:
        if self._path is None:
            return
        _, frozen_at, offset = self._reading(told)
        state = {
            "frozen_at": None if frozen_at is None else frozen_at.isoformat(),
            "offset_us": offset // _MICROSECOND,
        }
        # Replaced in one step: a kill between the two lines leaves the old time, not half a file.
        draft = self._path.with_name(self._path.name + ".new")
        draft.write_bytes(orjson.dumps(state))
        os.replace(draft, self._path)


def _frozen(moment: datetime) -> int:
    return 2 * ((moment - _EPOCH) // _MICROSECOND) + 1
