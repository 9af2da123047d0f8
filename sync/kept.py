"""What was decided for the guards, kept until it is written: a run of many slices decides each of them once.

Files are in a folder of this run, readable by its owner only, gone when the run ends; what a killed run left is swept
by the next one.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import polars as pl

from mapping.qualification.truths import every
from sync.decide import Decided
from sync.fed import asked_of
from sync.plan import Writable
from sync.shelf_folder import RunFolder
from sync.signals import COMPANY_FIELDS
from sync.work import Work


def each_by_itself(work: Work) -> bool:
    """Whether no lead is decided by what other leads of the run come to.

    That would be whose turn it is, how many were drawn, and what is remembered of a company's other people.
    """
    exploring = work.handover is not None and work.handover.exploring.share > 0
    return work.routing is None and not exploring and not asked_of(work, COMPANY_FIELDS)


class Kept:
    """Decisions by the numbers of their slices: in memory where there is one slice, else on disk.

    ``parent``: where the folder is made once there is something to be kept. ``in_memory``: there is one slice at most.
    """

    def __init__(self, parent: Path, slices: int) -> None:
        self._folder = RunFolder(parent)
        self.in_memory = slices < 2
        self._kept: dict[int, Decided | Path] = {}

    def put(self, number: int, decided: Decided) -> None:
        """Keep a decision. Raises OSError where there is no room for it."""
        self._kept[number] = decided if self.in_memory else self._to_disk(number, decided)

    def take(self, number: int, *, again: bool = False) -> Decided | None:
        """A decision; None where it is not kept. ``again``: it will be asked for once more."""
        kept = self._kept.get(number) if again else self._kept.pop(number, None)
        if not isinstance(kept, Path):
            return kept
        decided = _from_disk(kept)
        if not again:
            kept.unlink()
        return decided

    def clear(self) -> None:
        """Forget everything and remove the files."""
        self._kept.clear()
        self._folder.remove()

    def _to_disk(self, number: int, decided: Decided) -> Path:
        path, file = self._folder.new_file(f"{number}.decided")
        with file:
            _Packer(file, protocol=pickle.HIGHEST_PROTOCOL).dump(decided)
        return path


@dataclass(slots=True)
class FirstPass:
    """The first pass over all slices: totals for the guards, and what was decided.

    Nothing of this run is written before. ``writable``: what could be written when it began. ``changed``: the leads of
    the first slice that have changes.
    """

    kept: Kept
    writable: Writable
    totals: dict[str, int]
    changed: pl.Series

    def taken(self, work: Work, run: int, number: int, *, again: bool = False) -> Decided | None:
        """A slice's decision, where it may still be carried out.

        In a long run that is only so if no other run has lived since, and no field has gone or come meanwhile.
        ``again``: it will be taken once more.
        """
        if not self.kept.in_memory and not self._still_holds(work, run):
            return None
        return self.kept.take(number, again=again)

    def _still_holds(self, work: Work, run: int) -> bool:
        return work.store.runs.was_alone(run) and work.writable() == self.writable


def _from_disk(path: Path) -> Decided:
    with path.open("rb") as file:
        decided: Decided = pickle.load(file)
    return decided


class _Packer(pickle.Pickler):
    """Packs frames as Arrow. Of 750 columns of leads most are nothing but nulls, and many say what another one says."""

    def reducer_override(self, packed: object) -> tuple[Callable[..., pl.DataFrame], tuple[Any, ...]] | Any:
        if not isinstance(packed, pl.DataFrame):
            return NotImplemented
        own, told = _own_columns(packed)
        buffer = BytesIO()
        own.write_ipc_stream(buffer, compression="lz4")
        return _unpacked, (buffer.getvalue(), told, packed.height)


#: A column, and the one that it says again; its type where it says nothing.
_Told = tuple[str, str | pl.DataType]


def _own_columns(frame: pl.DataFrame) -> tuple[pl.DataFrame, list[_Told]]:
    """The columns that say something of their own, and for every column of the frame in order where it is found."""
    own: dict[tuple[pl.DataType, int, str], list[pl.Series]] = {}
    told: list[_Told] = []
    for column in frame.get_columns():
        nulls = column.null_count()
        if nulls == frame.height:
            told.append((column.name, column.dtype))
            continue
        alike = own.setdefault((column.dtype, nulls, repr(column.head(4).to_list())), [])
        # 0.0 equals -0.0, and is another text.
        comparable = [] if column.dtype.is_float() else alike
        same = next((one.name for one in comparable if one.equals(column, null_equal=True)), None)
        if same is None:
            alike.append(column)
        told.append((column.name, same or column.name))
    return pl.DataFrame([column for columns in own.values() for column in columns]), told


def _unpacked(packed: bytes, told: Sequence[_Told], height: int) -> pl.DataFrame:
    own = {column.name: column for column in pl.read_ipc_stream(packed).get_columns()}
    return pl.DataFrame(
        own[where].alias(name) if isinstance(where, str) else every(None, where, height).alias(name)
        for name, where in told
    )
