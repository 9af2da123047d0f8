"""Rows of a run on disk, without what is in them twice.

What a CRM says of a field is mostly what its typed column says. Such a column is left out, and the few cells that say
something else are kept apart, each with its place: a quarter of what would be written and read again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

_PLACE = pl.UInt32()
#: Cells that say something else: the row, the column by its number among those left out, and the text.
_APART = {"at": _PLACE, "column": pl.UInt16(), "text": pl.String()}
#: Types whose text can be told from the value alone. An amount may have been sent with or without its cents.
_TOLD = (pl.String, pl.Int64, pl.Boolean)
#: A column is left out where no more than one row in so many says something else.
_ONE_IN = 5


@dataclass(frozen=True, slots=True)
class Narrow:
    """Rows of which some columns were left out.

    ``twins``: those, and the column that says the same. ``at``: the places of the cells kept apart, in order.
    """

    rows: Path
    columns: tuple[str, ...]
    twins: Mapping[str, str]
    at: pl.Series
    apart: Path | None

    def read(self, start: int, length: int, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """So many rows as they were; ``columns``: only these, as far as there are any."""
        wanted = [name for name in columns if name in self.columns] if columns is not None else self.columns
        held = list(dict.fromkeys(self.twins.get(name, name) for name in wanted))
        rows = pl.scan_ipc(self.rows).slice(start, length).select(held).collect()
        if not any(name in self.twins for name in wanted):
            return rows
        apart = self._apart(start, length)
        return pl.DataFrame([self._restored(rows, name, apart, start) for name in wanted])

    def _apart(self, start: int, length: int) -> pl.DataFrame:
        first = int(self.at.search_sorted(start, side="left"))
        last = int(self.at.search_sorted(start + length, side="left"))
        if self.apart is None or first == last:
            return pl.DataFrame(schema=_APART)
        return pl.scan_ipc(self.apart).slice(first, last - first).collect()

    def _restored(self, rows: pl.DataFrame, name: str, apart: pl.DataFrame, start: int) -> pl.Series:
        if name not in self.twins:
            return rows[name]
        said = rows[self.twins[name]].cast(pl.String).alias(name)
        mine = apart.filter(pl.col("column") == list(self.twins).index(name))
        return said if mine.is_empty() else said.clone().scatter(mine["at"] - start, mine["text"])


def narrowed(
    whole: pl.DataFrame,
    places: pl.Series,
    twins: Mapping[str, str],
    write: Callable[[pl.DataFrame], Path],
) -> Narrow:
    """The rows of ``whole`` in the order of ``places``, written. ``twins``: what may be left out, and what says it."""
    unlike = _unlike(whole, twins)
    left_out = {name: twins[name] for name in unlike}
    then = pl.zeros(whole.height, dtype=_PLACE, eager=True)
    then = then.scatter(places, pl.int_range(whole.height, dtype=_PLACE, eager=True))
    parts = [
        pl.DataFrame({"at": then.gather(rows), "text": whole[name].gather(rows)}).select(
            "at", pl.lit(number, dtype=_APART["column"]).alias("column"), "text"
        )
        for number, (name, rows) in enumerate(unlike.items())
    ]
    apart = pl.concat([pl.DataFrame(schema=_APART), *parts]).sort("at")
    rows = write(whole.drop(left_out)[places])
    return Narrow(rows, tuple(whole.columns), left_out, apart["at"], write(apart) if apart.height else None)


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
