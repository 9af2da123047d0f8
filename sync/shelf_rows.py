"""Rows of a run on disk, without what is in them twice.

What a CRM says of a field is mostly what its typed column says. Such a column is left out, and the few cells that say
something else are kept apart, each with its place: a quarter of what would be written and read again.

The rows lie in pieces of so many, each read on its own. A slice of leads is a stretch of rows, and the next slice
begins where it ends: the piece that both have rows of stays at hand, so that none is read twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from itertools import groupby
from pathlib import Path
from typing import IO

import polars as pl
from polars import CompatLevel

from sync.shelf_filled import Filled, with_blanks

#: Rows of a piece, where they are no larger than rows usually are. Of a million leads a slice has about so many in each
#: run: what a piece has beyond them is read again for the next slice, or is kept at hand for it. To write and read once
#: costs the same in pieces of eight thousand.
ROWS_OF_A_PIECE = 1_000
#: Rows of a frame that are looked at for its size.
_LOOKED_AT = 1_000
#: A piece of large rows has fewer of them: each slice of leads reads a piece of every run at the same time.
BYTES_OF_A_PIECE = 1_000_000

_PLACE = pl.UInt32()
#: Cells that say something else: the row, the column by its number among those left out, and the text.
_APART = {"at": _PLACE, "column": pl.UInt16(), "text": pl.String()}
#: Types whose text can be told from the value alone. An amount may have been sent with or without its cents.
_TOLD = (pl.String, pl.Int64, pl.Boolean)
#: A column is left out where no more than one row in so many says something else.
_ONE_IN = 5


@dataclass(frozen=True, slots=True)
class Part:
    """Some rows without the columns left out, and the cells kept apart (``_APART``, ``at`` counted from the first)."""

    rows: pl.DataFrame
    apart: pl.DataFrame

    @property
    def height(self) -> int:
        return self.rows.height

    def slice(self, start: int, length: int) -> Part:
        at = self.apart["at"]
        first = int(at.search_sorted(start, side="left"))
        last = int(at.search_sorted(start + length, side="left"))
        cells = self.apart.slice(first, last - first)
        return Part(self.rows.slice(start, length), _moved(cells, -start))


@dataclass(slots=True)
class Narrow:
    """Rows on disk of which some columns were left out.

    ``columns``: all of them, in order, with their types; neither left out nor there are those in which nobody has
    anything. ``twins``: those left out, and the column that says the same. ``ends``: where
    in the file each piece ends, and its cells apart. ``step``: rows of a piece.
    """

    path: Path
    height: int
    step: int
    columns: Mapping[str, pl.DataType]
    twins: Mapping[str, str]
    ends: Sequence[tuple[int, int]]
    nothing: Part  #: no rows of it
    _at_hand: tuple[int, Part] | None = field(default=None, repr=False)

    def part(self, start: int, length: int) -> Part:
        """So many rows, as they lie there (``restored``)."""
        if not length:
            return self.nothing
        end, found = start + length, list[Part]()
        with self.path.open("rb") as file:
            for number in range(start // self.step, -(-end // self.step)):
                first = number * self.step
                piece = self._piece(file, number)
                low, high = max(start - first, 0), min(end - first, piece.height)
                found.append(piece if high - low == piece.height else piece.slice(low, high - low))
                self._at_hand = (number, piece) if high < piece.height else None
        return _joined(found)

    @property
    def at_hand(self) -> int:
        """Bytes on disk of the piece that is kept for the stretch that begins where the last one ended."""
        if self._at_hand is None:
            return 0
        number = self._at_hand[0]
        return self.ends[number][1] - (self.ends[number - 1][1] if number else 0)

    def let_go(self) -> None:
        """Keep no piece at hand."""
        self._at_hand = None

    def pieces(self, columns: Sequence[str] | None = None) -> Iterator[pl.DataFrame]:
        """Every row as it was, piece by piece; ``columns``: only these, as far as there are any."""
        for start in range(0, self.height, self.step):
            part = self.part(start, min(self.step, self.height - start))
            yield restored(self, part, columns)

    def _piece(self, file: IO[bytes], number: int) -> Part:
        if self._at_hand is not None and self._at_hand[0] == number:
            return self._at_hand[1]
        start = self.ends[number - 1][1] if number else 0
        middle, end = self.ends[number]
        file.seek(start)
        rows = pl.read_ipc_stream(BytesIO(file.read(middle - start)))
        apart = pl.read_ipc_stream(BytesIO(file.read(end - middle))) if end > middle else None
        return Part(rows, pl.DataFrame(schema=_APART) if apart is None else apart)


def restored(narrow: Narrow, part: Part, columns: Sequence[str] | None = None) -> pl.DataFrame:
    """Rows of ``narrow`` as they were; ``columns``: only these, as far as there are any."""
    wanted = narrow.columns if columns is None else [name for name in columns if name in narrow.columns]
    numbers = {name: number for number, name in enumerate(narrow.twins)}
    cells = {int(key[0]): some for key, some in part.apart.partition_by("column", as_dict=True).items()}
    found = {column.name: column for column in part.rows.get_columns()}
    for name in wanted:
        if name in numbers:
            said = found[narrow.twins[name]].cast(pl.String).alias(name)
            mine = cells.get(numbers[name])
            found[name] = said if mine is None else said.clone().scatter(mine["at"], mine["text"])
    return with_blanks(found, {name: narrow.columns[name] for name in wanted}, part.height)


def together(parts: Sequence[tuple[Narrow, Part]]) -> list[pl.DataFrame]:
    """The rows of several runs as they were, in order: one frame for runs that lack the same columns."""
    found = []
    for _, alike in groupby(parts, key=lambda one: _layout(one[0])):
        some = list(alike)
        found.append(restored(some[0][0], _joined([part for _, part in some])))
    return found


def _layout(narrow: Narrow) -> tuple[object, ...]:
    """What runs have to have alike, for their rows to be one frame."""
    return list(narrow.columns.items()), list(narrow.twins.items()), narrow.nothing.rows.columns


def _joined(parts: Sequence[Part]) -> Part:
    if len(parts) == 1:
        return parts[0]
    starts, before = [], 0
    for part in parts:
        starts.append(before)
        before += part.height
    cells = [_moved(part.apart, start) for part, start in zip(parts, starts, strict=True)]
    return Part(pl.concat([part.rows for part in parts], rechunk=True), pl.concat(cells, rechunk=True))


def _moved(cells: pl.DataFrame, by: int) -> pl.DataFrame:
    if cells.is_empty() or not by:
        return cells
    return cells.with_columns((cells["at"].cast(pl.Int64) + by).cast(_PLACE))


def narrowed(
    records: Filled,
    places: pl.Series,
    twins: Mapping[str, str],
    file: IO[bytes],
    path: Path,
    step: int | None = None,
) -> Narrow:
    """The rows of ``records`` in the order of ``places``, written. ``twins``: what may be left out, and what says it.

    ``step``: rows of a piece; None for as many as its size allows.
    """
    whole = records.rows
    step = step or _rows_of_a_piece(whole)
    unlike = _unlike(whole, twins)
    left_out = {name: twins[name] for name in unlike}
    then = pl.zeros(whole.height, dtype=_PLACE, eager=True)
    then = then.scatter(places, pl.int_range(whole.height, dtype=_PLACE, eager=True))
    cells = [
        pl.DataFrame({"at": then.gather(rows), "text": whole[name].gather(rows)}).select(
            "at", pl.lit(number, dtype=_APART["column"]).alias("column"), "text"
        )
        for number, (name, rows) in enumerate(unlike.items())
    ]
    apart = pl.concat([pl.DataFrame(schema=_APART), *cells]).sort("at")
    # Ordered whole: column by column, what is looked up here and there fits into the processor's cache.
    rows, ends = whole.drop(left_out)[places], []
    for start in range(0, whole.height, step):
        _write(rows.slice(start, step), file)
        middle = file.tell()
        first = int(apart["at"].search_sorted(start, side="left"))
        last = int(apart["at"].search_sorted(start + step, side="left"))
        if last > first:
            _write(_moved(apart.slice(first, last - first), -start), file)
        ends.append((middle, file.tell()))
    nothing = Part(rows.clear(), apart.clear())
    return Narrow(path, whole.height, step, records.columns, left_out, ends, nothing)


def _rows_of_a_piece(whole: pl.DataFrame) -> int:
    return min(ROWS_OF_A_PIECE, max(BYTES_OF_A_PIECE * whole.height // max(size_of(whole), 1), 1))


def size_of(frame: pl.DataFrame) -> int:
    """About how many bytes the frame takes. Every text has to be looked at for that; of many rows, few are."""
    if frame.height <= _LOOKED_AT:
        return int(frame.estimated_size())
    # By chance, and not every so many: what is large may come as regularly.
    return int(frame.sample(_LOOKED_AT, seed=frame.height).estimated_size()) * frame.height // _LOOKED_AT


def _write(frame: pl.DataFrame, file: IO[bytes]) -> None:
    # Texts one after the other, and not as views: smaller, and read back in two thirds of the time.
    frame.write_ipc_stream(file, compat_level=CompatLevel.oldest())


def _unlike(whole: pl.DataFrame, twins: Mapping[str, str]) -> dict[str, pl.Series]:
    """The columns that can be left out, and where each says something else than its twin."""
    found = {}
    for name, twin in twins.items():
        if name not in whole.columns or twin not in whole.columns or not isinstance(whole[twin].dtype, _TOLD):
            continue
        rows = whole[name].ne_missing(whole[twin].cast(pl.String)).arg_true()
        if len(rows) * _ONE_IN <= whole.height:
            found[name] = rows
    return found
