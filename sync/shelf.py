"""Where read records wait until every record of a lead is there: in memory, or on disk when there are many.

A record whose lead is known goes where its lead will be worked on. Records that nobody knows yet wait apart until
they are paired. What does not fit into memory is sorted by lead and written as a run of rows, once; a slice of
leads is then a short stretch of each run, so that what a slice costs does not depend on how many records there are.

Files are Arrow IPC in a folder of this run, readable by its owner only, gone when the run ends; what a killed
run left is swept by the next one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, groupby
from pathlib import Path
from typing import BinaryIO

import polars as pl
from polars import CompatLevel

from sync.shelf_filled import Away, Filled, filled, joined
from sync.shelf_folder import RunFolder, sweep
from sync.shelf_rows import Narrow, Part, narrowed, size_of, together

__all__ = ["Shelf", "ShelfSlice", "sweep"]

#: Bytes of records that are kept in memory before they go to disk. The longer the runs are, the fewer places a slice
#: is read from; and a run is held three times while it is sorted. A record has from 400 bytes to 4,000, blanks aside.
BYTES_IN_MEMORY = 40_000_000

LEAD_ORDER = pl.UInt128()
#: Bytes in memory, by why they are there.
_NOTHING_HELD = {"unsorted": 0, "waiting": 0, "late": 0}


def lead_order(lead_ids: pl.Series) -> pl.Series:
    """Numbers in the order of lead ids: sixteen bytes each, where a text costs twice that and ten times to sort.

    Lead ids are ASCII and no longer than sixteen characters (``slices.lead_name``).
    """
    padded = lead_ids.str.pad_end(16, "\0").cast(pl.Binary)
    return padded.bin.reinterpret(dtype=LEAD_ORDER, endianness="big")


@dataclass(frozen=True, slots=True)
class _Heap:
    """Rows in memory as they came, and the places in them in the order of their leads.

    To order all of them at once would hold them twice, in memory that nothing was in before.
    """

    whole: Filled
    places: pl.Series

    def slice(self, start: int, length: int) -> pl.DataFrame:
        """So many rows in the order of their leads."""
        places = self.places.slice(start, length)
        return Filled(self.whole.rows[places], self.whole.columns).whole()


@dataclass(frozen=True, slots=True)
class _Run:
    """Rows in the order of their leads; ``order`` has a number for each."""

    order: pl.Series
    rows: _Heap | Narrow

    def within(self, low: int, high: int | None) -> tuple[int, int]:
        """Where the rows of leads from ``low`` on and before ``high`` (None: to the end) begin, and their number."""
        start = int(self.order.search_sorted(low, side="left"))
        end = len(self.order) if high is None else int(self.order.search_sorted(high, side="left"))
        return start, end - start

    def pieces(self, columns: Sequence[str] | None = None) -> Iterator[pl.DataFrame]:
        """Every row; ``columns``: only these, as far as there are any."""
        if isinstance(self.rows, Narrow):
            yield from self.rows.pieces(columns)
        else:
            yield self.rows.whole.whole(columns)[self.rows.places]


class Shelf:
    """Records by CRM, put in as they are read and taken out lead by lead. Every frame has a column ``_id``.

    ``twins``: by CRM, columns of text that mostly say what another column says, and that one.
    """

    def __init__(
        self,
        folder: Path,
        bytes_in_memory: int = BYTES_IN_MEMORY,
        twins: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        self._folder = RunFolder(folder)
        self._twins = twins or {}
        self._limit = bytes_in_memory
        self._unsorted: dict[str, list[Filled]] = defaultdict(list)
        self._runs: dict[str, list[_Run]] = defaultdict(list)
        self._waiting: dict[str, list[Filled | Away]] = defaultdict(list)
        self._held = dict(_NOTHING_HELD)
        self._order: dict[str, pl.Series] = {}  # of leads by CRM, as long as nothing is put in
        self._files = 0

    def put(self, crm: str, frame: pl.DataFrame) -> None:
        """Add records of one CRM whose ``lead_id`` is known."""
        if not frame.is_empty():
            self._put(crm, filled(frame))

    def _put(self, crm: str, some: Filled) -> None:
        self._order.pop(crm, None)
        self._unsorted[crm].append(some)
        self._held["unsorted"] += size_of(some.rows)
        if self._held["unsorted"] > self._limit:
            self._sort(to_disk=True)

    def wait(self, crm: str, frame: pl.DataFrame) -> None:
        """Add records of one CRM that nobody knows yet."""
        if frame.is_empty():
            return
        self._waiting[crm].append(self.kept("waiting", frame))

    def settle(self, crm: str, leads: pl.DataFrame) -> Iterator[pl.DataFrame]:
        """Put the records of one CRM that wait with their ``leads`` (``_id, lead_id``).

        Those that have none are handed back, as they were put in and frame by frame, and forgotten.
        """
        while self._waiting[crm]:
            some = self._no_longer_waiting(crm)
            # Joined aside: beside all columns, each of them would be copied.
            theirs = some.rows.select("_id").join(leads, on="_id", how="left", maintain_order="left")[
                "lead_id"
            ]
            alone = theirs.is_null()
            if not alone.all():
                self._put(crm, some.having(theirs).chosen(~alone))
            if alone.any():
                yield some.chosen(alone).whole()

    def _no_longer_waiting(self, crm: str) -> Filled:
        held = self._waiting[crm].pop(0)
        some = held.back()
        if isinstance(held, Filled):
            self._held["waiting"] -= size_of(some.rows)
        else:
            held.path.unlink()
        return some

    def order_of_leads(self, crm: str) -> pl.Series:
        """The leads that have a record of this CRM here, as ``lead_order`` numbers them: ascending, each once."""
        if crm not in self._order:
            found = [run.order for run in self._runs[crm]]
            found += [lead_order(some.rows["lead_id"]) for some in self._unsorted[crm]]
            # Sorted first, so that finding each once needs no table of all.
            self._order[crm] = pl.concat([_nothing(), *found]).sort().unique()
        return self._order[crm]

    def frames(self, crm: str, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
        """The records of one CRM with known leads, piece by piece: these columns, those that there are."""
        for run in self._runs[crm]:
            yield from run.pieces(columns)
        for some in self._unsorted[crm]:
            yield some.whole(columns)

    def take(self, crm: str) -> pl.DataFrame | None:
        """Every record of one CRM with a known lead; None where there are none. The newest reading wins."""
        found = [frame for run in self._runs[crm] for frame in run.pieces()]
        return _newest([*found, *(some.whole() for some in self._unsorted[crm])])

    def slices(self, leads_at_once: int) -> list[ShelfSlice]:
        """The records in slices of so many leads, in the order of their ids; at least one slice.

        What is put in afterwards belongs into the slice it is put into.
        """
        crms = [*self._runs, *self._unsorted]
        parts = [self.order_of_leads(crm) for crm in dict.fromkeys(crms)]
        parts = [
            part for place, part in enumerate(parts) if not any(part.equals(one) for one in parts[:place])
        ]
        leads = parts[0] if len(parts) == 1 else pl.concat([_nothing(), *parts]).sort().unique()
        borders = leads.gather_every(leads_at_once).to_list()
        self._order.clear()
        if len(borders) > 1:
            self._sort(to_disk=False)
        else:
            borders = [0]
        return [ShelfSlice(self, low, high) for low, high in zip(borders, [*borders[1:], None], strict=True)]

    def stretch(self, crm: str, low: int, high: int | None) -> pl.DataFrame | None:
        """The rows of leads from ``low`` on and before ``high``, by their numbers, in the order of the leads; unsorted
        ones in any case. None for no frame. The newest reading wins."""
        orders, frames = self._stretches(crm, low, high)
        orders += [lead_order(some.rows["lead_id"]) for some in self._unsorted[crm]]
        frames += [some.whole() for some in self._unsorted[crm]]
        if len(orders) < 2 and not self._unsorted[crm]:
            return _newest(frames)
        return _in_order(
            _newest([pl.concat(frames, how="diagonal").with_columns(pl.concat(orders).alias("_order"))])
        )

    def _stretches(self, crm: str, low: int, high: int | None) -> tuple[list[pl.Series], list[pl.DataFrame]]:
        """The rows of leads from ``low`` on and before ``high`` in each run, and numbers for them in the same order."""
        orders, frames = list[pl.Series](), list[pl.DataFrame]()
        for _, runs in groupby(self._runs[crm], key=lambda run: isinstance(run.rows, Narrow)):
            parts = list[tuple[Narrow, Part]]()
            for run in runs:
                start, length = run.within(low, high)
                orders.append(run.order.slice(start, length))
                if isinstance(run.rows, Narrow):
                    parts.append((run.rows, run.rows.part(start, length)))
                else:
                    frames.append(run.rows.slice(start, length))
            frames += together(parts)
        self._let_go()
        return orders, frames

    def _let_go(self) -> None:
        """Keep no more pieces at hand for the next stretch than may be, however many runs there are."""
        left = self._limit // 2
        for run in chain.from_iterable(self._runs.values()):
            if isinstance(run.rows, Narrow):
                left -= run.rows.at_hand
                if left < 0:
                    run.rows.let_go()

    def kept(self, kind: str, frame: pl.DataFrame) -> Filled | Away:
        """The frame in memory, or its file where as much of this kind is in memory as may be."""
        some = filled(frame)
        size = size_of(some.rows)
        if self._held[kind] + size > self._limit:
            return Away(self._to_disk(some.rows), some.columns)
        self._held[kind] += size
        return some

    def clear(self) -> None:
        """Forget everything and remove the files."""
        for held in (self._unsorted, self._runs, self._waiting, self._order):
            held.clear()
        self._held = dict(_NOTHING_HELD)
        self._folder.remove()

    def _sort(self, *, to_disk: bool) -> None:
        """Make runs of what is not sorted yet."""
        for crm, frames in self._unsorted.items():
            if not frames:
                continue
            whole = joined(frames)
            frames.clear()
            order = lead_order(whole.rows["lead_id"])
            # Stable: of two readings of one record the later one stays behind the earlier one.
            places = order.to_frame().select(pl.arg_sort_by("lead_id", maintain_order=True)).to_series()
            twins = self._twins.get(crm, {})
            rows = self._narrowed(whole, places, twins) if to_disk else _Heap(whole, places)
            self._runs[crm].append(_Run(order[places], rows))
        self._held["unsorted"] = 0

    def _narrowed(self, whole: Filled, places: pl.Series, twins: Mapping[str, str]) -> Narrow:
        path, file = self._new_file()
        with file:
            return narrowed(whole, places, twins, file, path)

    def _to_disk(self, frame: pl.DataFrame) -> Path:
        path, file = self._new_file()
        with file:
            frame.write_ipc(file, compat_level=CompatLevel.oldest())
        return path

    def _new_file(self) -> tuple[Path, BinaryIO]:
        self._files += 1
        return self._folder.new_file(f"{self._files}.arrow")


class ShelfSlice:
    """The records of a stretch of leads, and those that were fetched for them later.

    What was taken out is kept at hand until it is put away. ``low``: where it begins in the order of leads.
    """

    def __init__(self, shelf: Shelf, low: int, high: int | None) -> None:
        self._shelf = shelf
        self.low, self._high = low, high
        self._late: dict[str, list[Filled | Away]] = defaultdict(list)
        self._read: dict[str, pl.DataFrame | None] = {}

    def put(self, crm: str, frame: pl.DataFrame) -> None:
        """Add records of leads of this slice, with their ``lead_id``."""
        if not frame.is_empty():
            self._late[crm].append(self._shelf.kept("late", frame))

    def take(self, crm: str) -> pl.DataFrame | None:
        """Every record of one CRM; None where there are none. The newest reading wins."""
        read = self.read(crm)
        if not self._late[crm]:
            return read
        late = [held.back().whole() for held in self._late[crm]]
        return _newest([*([] if read is None else [read]), *late])

    def read(self, crm: str) -> pl.DataFrame | None:
        """The records of one CRM that were read, without those that were fetched later; None for no frame."""
        if crm not in self._read:
            self._read[crm] = self._shelf.stretch(crm, self.low, self._high)
        return self._read[crm]

    def put_away(self) -> None:
        """Keep nothing at hand that can be read again."""
        self._read.clear()


def _newest(parts: list[pl.DataFrame]) -> pl.DataFrame | None:
    if not parts:
        return None
    whole = pl.concat(parts, how="diagonal", rechunk=True)
    if whole.is_empty() or whole["_id"].n_unique() == whole.height:
        return whole
    return whole.unique("_id", keep="last", maintain_order=True)


def _in_order(rows: pl.DataFrame | None) -> pl.DataFrame | None:
    """Rows with their ``_order`` in that order, stable; without it."""
    return None if rows is None else rows.sort("_order", maintain_order=True).drop("_order")


def _nothing() -> pl.Series:
    return pl.Series([], dtype=LEAD_ORDER)
