"""The pretend CRMs' own time: real, shifted or frozen, and remembered across restarts.

Both sides share one clock. A test that needs "three days later" moves it; nothing sleeps.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson


def real_time() -> datetime:
    """The machine's time, aware, in UTC."""
    return datetime.now(UTC)


class SandboxClock:
    """A clock that can be frozen, moved, and set running again.

    ``path`` is the small file that keeps its state; ``None`` keeps it in memory only. ``real`` is
    where real time comes from. Safe to use from several threads.
    """

    def __init__(self, path: Path | None, real: Callable[[], datetime] = real_time) -> None:
        self._path = path
        self._real = real
        self._lock = threading.Lock()
        self._frozen_at: datetime | None = None
        self._offset = timedelta()
        if path is not None and path.exists():
            kept = orjson.loads(path.read_bytes())
            frozen = kept["frozen_at"]
            self._frozen_at = None if frozen is None else datetime.fromisoformat(frozen)
            self._offset = timedelta(microseconds=kept["offset_us"])

    def now(self) -> datetime:
        """The sandbox's time, aware, in UTC."""
        with self._lock:
            return self._frozen_at if self._frozen_at is not None else self._real() + self._offset

    @property
    def frozen(self) -> bool:
        """Whether time stands still."""
        return self._frozen_at is not None

    def set(self, moment: datetime) -> None:
        """Freeze the clock at a moment. Raises ValueError for a time without a zone."""
        if moment.utcoffset() is None:
            raise ValueError("the sandbox clock needs a time with a zone")
        with self._lock:
            self._frozen_at = moment.astimezone(UTC)
            self._remember()

    def advance(self, seconds: float) -> None:
        """Move the clock by some seconds (negative: back). A frozen one stays frozen, a running one runs on.

        Raises ValueError where the result is no date of the calendar; the clock then stays as it was.
        """
        with self._lock:
            try:
                step = timedelta(seconds=seconds)
                if self._frozen_at is not None:
                    self._frozen_at += step
                else:
                    # Tried before it is kept, so that a step too far leaves the clock usable.
                    self._real() + self._offset + step
                    self._offset += step
            except OverflowError as error:
                raise ValueError("the sandbox clock cannot be moved that far") from error
            self._remember()

    def run(self) -> None:
        """Go back to real time."""
        with self._lock:
            self._frozen_at, self._offset = None, timedelta()
            self._remember()

    def _remember(self) -> None:
        if self._path is None:
            return
        state = {
            "frozen_at": None if self._frozen_at is None else self._frozen_at.isoformat(),
            "offset_us": self._offset // timedelta(microseconds=1),
        }
        # Replaced in one step: a kill between the two lines leaves the old time, not half a file.
        draft = self._path.with_name(self._path.name + ".new")
        draft.write_bytes(orjson.dumps(state))
        os.replace(draft, self._path)
