"""Where read records wait until every record of a lead is there: in memory, or on disk when there are many.

Files are Arrow IPC in a folder of this run, readable by its owner only, gone when the run ends; what a killed
run left is swept by the next one. A living run holds a lock on its folder, which a kill releases: process ids
come again, in containers at once.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import polars as pl

#: Records that are kept in memory before the rest goes to disk.
ROWS_IN_MEMORY = 100_000
#: Records that are sorted into slices together: a file of a few rows costs as much as one of some thousands,
#: and without a pause to gather them there would be one for every slab and slice.
ROWS_BEING_SORTED = 200_000


class Shelf:
    """Frames of records by CRM, put in as they are read and taken out lead by lead."""

    def __init__(self, folder: Path, rows_in_memory: int = ROWS_IN_MEMORY) -> None:
        self._parent = folder
        self._folder: Path | None = None  # made when the first frame goes to disk
        self._lock: int | None = None
        self._limit = rows_in_memory
        self._held: dict[str, list[pl.DataFrame | Path]] = defaultdict(list)
        self._rows = 0
        self._files = 0
        sweep(folder)

    def put(self, crm: str, frame: pl.DataFrame) -> None:
        """Add records of one CRM (column ``_id`` and whatever belongs to them)."""
        if frame.is_empty():
            return
        self._rows += frame.height
        kept: pl.DataFrame | Path = frame if self._rows <= self._limit else self._to_disk(frame)
        self._held[crm].append(kept)

    def frames(self, crm: str) -> Iterator[pl.DataFrame]:
        """The frames of one CRM as they were put in."""
        for kept in self._held[crm]:
            yield kept if isinstance(kept, pl.DataFrame) else pl.read_ipc(kept)

    def sliced(self, places: Mapping[str, pl.DataFrame], slices: int) -> list[Shelf]:
        """Sort the records into slices. ``places``: CRM to a frame of ``_id, lead_id, slice``.

        Each slice is a shelf of its own whose records carry their ``lead_id``. This shelf is empty afterwards.
        """
        parts = [self._part(number) for number in range(slices)]
        spills, waiting = self._rows > self._limit, 0
        for crm in list(self._held):
            ordered = places[crm].sort("_id")
            for frame in self.frames(crm):
                placed = _placed(frame, ordered)
                for number, rows in _by_slice(placed, slices):
                    parts[number]._held[crm].append(rows)
                waiting += placed.height
                if spills and waiting > ROWS_BEING_SORTED:
                    waiting = _spill(parts)
            self._held[crm].clear()
        if spills:
            _spill(parts)
        return parts

    def _part(self, number: int) -> Shelf:
        part = Shelf.__new__(Shelf)
        part._parent = self._made() if self._rows > self._limit else self._parent
        part._folder = part._parent / f"slice-{number}" if self._rows > self._limit else None
        part._lock = None
        part._limit = self._limit if self._rows <= self._limit else 0
        part._held = defaultdict(list)
        part._rows = 0
        part._files = 0
        return part

    def take(self, crm: str) -> pl.DataFrame | None:
        """Every record of one CRM in one frame; None where there are none. The newest reading wins."""
        frames = list(self.frames(crm))
        if not frames:
            return None
        return pl.concat(frames, how="diagonal").unique("_id", keep="last", maintain_order=True)

    def _to_disk(self, frame: pl.DataFrame) -> Path:
        folder = self._made()
        folder.mkdir(mode=0o700, exist_ok=True)
        path = folder / f"{self._files}.arrow"
        self._files += 1
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            frame.write_ipc(file)
        return path

    def _made(self) -> Path:
        """The folder of this shelf, made and locked."""
        while self._folder is None:
            self._parent.mkdir(parents=True, exist_ok=True)
            made = Path(tempfile.mkdtemp(prefix="run-", dir=self._parent))
            lock = _locked(made)
            if lock is not None and made.is_dir():
                self._folder, self._lock = made, lock
            elif lock is not None:
                os.close(lock)
        return self._folder

    def clear(self) -> None:
        """Forget everything and remove the files."""
        self._held.clear()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
        if self._lock is not None:
            os.close(self._lock)
        self._folder = self._lock = None


def _placed(frame: pl.DataFrame, places: pl.DataFrame) -> pl.DataFrame:
    """The records that have a place, with ``lead_id`` and ``slice``. ``places`` is sorted by ``_id``.

    Looked up, not joined: a join would go through every place there is for every frame.
    """
    if places.is_empty():
        return frame.clear().with_columns(
            lead_id=pl.lit(None, dtype=pl.String), slice=pl.lit(0, dtype=pl.Int64)
        )
    at = places["_id"].search_sorted(frame["_id"]).clip(0, places.height - 1)
    found = places[at]
    placed = frame.hstack(found.select("lead_id", "slice"))
    known = found["_id"] == frame["_id"]
    return placed if known.all() else placed.filter(known)


def _by_slice(placed: pl.DataFrame, slices: int) -> Iterator[tuple[int, pl.DataFrame]]:
    if slices == 1:
        yield 0, placed.drop("slice")
        return
    for (number,), rows in placed.partition_by("slice", as_dict=True, include_key=False).items():
        yield int(number), rows


def _spill(parts: Iterable[Shelf]) -> int:
    """Write what the slices still hold in memory, one file a slice and CRM. Returns what is left: nothing."""
    for part in parts:
        for crm, held in part._held.items():
            rows = [one for one in held if isinstance(one, pl.DataFrame)]
            if rows:
                files = [one for one in held if isinstance(one, Path)]
                part._held[crm] = [*files, part._to_disk(pl.concat(rows, how="diagonal"))]
    return 0


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
