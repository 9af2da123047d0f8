"""The folder of one run's spilled records: private, locked while the run lives, swept when it died.

A living run holds a lock on its folder, which a kill releases: process ids come again, in containers at once.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from pathlib import Path
from typing import BinaryIO


class RunFolder:
    """A folder of its own under ``parent``, made when it is first needed and locked as long as it is used."""

    def __init__(self, parent: Path) -> None:
        self._parent = parent
        self._path: Path | None = None
        self._lock: int | None = None
        sweep(parent)

    def made(self) -> Path:
        """The folder, made and locked."""
        while self._path is None:
            self._parent.mkdir(parents=True, exist_ok=True)
            made = Path(tempfile.mkdtemp(prefix="run-", dir=self._parent))
            lock = _locked(made)
            if lock is not None and made.is_dir():
                self._path, self._lock = made, lock
            elif lock is not None:
                os.close(lock)
        return self._path

    def new_file(self, name: str) -> tuple[Path, BinaryIO]:
        """A new file in it, open to be written, that only its owner may read. Raises OSError where there is one."""
        path = self.made() / name
        return path, os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")

    def remove(self) -> None:
        """Remove it with everything in it."""
        if self._path is not None:
            shutil.rmtree(self._path, ignore_errors=True)
        if self._lock is not None:
            os.close(self._lock)
        self._path = self._lock = None


def sweep(folder: Path) -> None:
    """Remove what runs that no longer live left behind: it is personal data."""
    for left in folder.glob("run-*"):
        lock = _locked(left)
        if lock is not None:
            shutil.rmtree(left, ignore_errors=True)
            os.close(lock)


def _locked(folder: Path) -> int | None:
    """The lock on a folder; None where a living shelf holds it, or the folder is gone."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:  # gone, or another user's
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor
