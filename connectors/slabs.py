"""Slabs: columns of text, filled page by page and cut into frames of a bounded size.

A connector hands over one list per column and page; nothing is done per record. A value that a record came
without is marked with ``NOT_THERE``, so that it stays different from a blank until somebody who has seen
enough records decides what it means.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain, groupby
from typing import Any

import polars as pl

from connectors.atonce import stop_if_interrupted
from connectors.crm import ABSENT, ARCHIVED, CREATED_AT, MODIFIED_AT, RECORD_ID, SLAB_SCHEMA, Slab
from connectors.errors import OurBug

_UTC = pl.Datetime("us", "UTC")

#: Stands in a column where the record came without the field. No CRM stores a NUL in a text.
NOT_THERE = "\x00not there"

#: Records in a slab at most.
SLAB_ROWS = 40_000


#: Times of records: all ISO 8601 texts with a zone, or all aware datetimes; None where there is none.
Moments = Sequence[str | None] | Sequence[datetime | None]


class ByRecord(Mapping[str, Sequence[str | None]]):
    """Columns as decoders give them: ``names``, and ``values`` in that order, record after record in one list.

    They become columns when somebody asks, or all at once for a slab (``cut``): column by column and page by page,
    putting them together takes as long as decoding them.
    """

    def __init__(self, names: Sequence[str], values: Sequence[str | None]) -> None:
        self.names = names
        self.values_by_record = values

    def __getitem__(self, name: str) -> list[str | None]:
        try:
            place = self.names.index(name)
        except ValueError:
            raise KeyError(name) from None
        return list(self.values_by_record[place :: len(self.names)])

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)


@dataclass(frozen=True, slots=True)
class Rows:
    """Some records in columns, all of the same length.

    ``modified`` and ``created`` are ISO 8601 texts with a zone (fast) or aware datetimes. ``columns`` has
    one list of text per field, with None for a blank and ``NOT_THERE`` for a field that did not come.
    """

    ids: Sequence[str]
    modified: Moments
    created: Moments
    archived: Sequence[bool]
    columns: Mapping[str, Sequence[str | None]]


def slab_frame(rows: Rows) -> pl.DataFrame:
    """The frame of a slab from columns; ``_absent`` is null everywhere and ``NOT_THERE`` is still in it."""
    return _finished(block(rows))


def block(rows: Rows) -> pl.DataFrame:
    """Some records as columns, before they are a slab: ids, times (as they came), whether they are archived, fields."""
    texts = [pl.Series(name, values, dtype=pl.String) for name, values in rows.columns.items()]
    return pl.DataFrame([*_fixed(rows), *texts])


def _fixed(rows: Rows) -> list[pl.Series]:
    return [
        pl.Series(RECORD_ID, rows.ids, dtype=pl.String),
        pl.Series(MODIFIED_AT, rows.modified, dtype=_kind_of(rows.modified)),
        pl.Series(CREATED_AT, rows.created, dtype=_kind_of(rows.created)),
        pl.Series(ARCHIVED, rows.archived, dtype=pl.Boolean),
    ]


def _kind_of(moments: Moments) -> pl.DataType:
    first = next((moment for moment in moments if moment is not None), None)
    return pl.Null() if first is None else _UTC if isinstance(first, datetime) else pl.String()


def _finished(some: pl.DataFrame) -> pl.DataFrame:
    """Blocks as a slab's frame. What costs the same for many rows as for few is done here, once a slab."""
    fixed = [
        some[RECORD_ID],
        times(MODIFIED_AT, some[MODIFIED_AT]),
        times(CREATED_AT, some[CREATED_AT]),
        some[ARCHIVED],
        pl.Series(ABSENT, [None], dtype=pl.List(pl.String)).new_from_index(0, some.height),
    ]
    return pl.DataFrame(fixed + some.get_columns()[4:])


#: Values of so few records are looked at one by one.
_FEW = 64
#: The spelling of HubSpot (HubSpot reference, section 4.2) and of Salesforce (Salesforce reference, section 2).
#: Three digits, said like this, are what Polars reads four times as fast as any number of them.
_USUAL = ("%Y-%m-%dT%H:%M:%S.%3fZ", "%Y-%m-%dT%H:%M:%S.%3f+0000", "%Y-%m-%dT%H:%M:%S%.fZ")


def times(name: str, moments: Moments | pl.Series) -> pl.Series:
    """A column of UTC times. Raises OurBug for a text in another spelling than ISO 8601 with a zone.

    Texts are parsed by the column, thirty times as fast as Polars takes in datetime objects.
    """
    given = moments if isinstance(moments, pl.Series) else pl.Series(name, moments, dtype=_kind_of(moments))
    if given.dtype != pl.String:
        return given.cast(_UTC).alias(name)
    texts = given.alias(name)
    first = texts.drop_nulls().head(1)
    for spelling in _USUAL:
        if _read(first, spelling).null_count():
            continue
        usual = _read(texts, spelling)
        if usual.null_count() == texts.null_count():
            return usual
    zoned = texts.str.replace("Z$", "+00:00").str.to_datetime(
        "%Y-%m-%dT%H:%M:%S%.f%z", time_unit="us", strict=False
    )
    if zoned.null_count() != texts.null_count():
        raise OurBug("A CRM's time stamps are not ISO 8601 with a zone", code="TIME_STAMP")
    return zoned.dt.convert_time_zone("UTC").cast(_UTC)


def _read(texts: pl.Series, spelling: str) -> pl.Series:
    return texts.str.to_datetime(spelling, time_zone="UTC", time_unit="us", strict=False)


def field_names(frame: pl.DataFrame) -> list[str]:
    """The columns of a slab's frame that are fields of the CRM."""
    return [name for name in frame.columns if name not in SLAB_SCHEMA]


def missing_from(frame: pl.DataFrame) -> list[str]:
    """The fields that at least one record came without."""
    fields = field_names(frame)
    if not fields or not len(frame):
        return []
    if len(frame) <= _FEW:
        return [name for name in fields if NOT_THERE in frame[name].to_list()]
    seen = frame.select((pl.col(fields) == NOT_THERE).any())
    return [name for name in fields if seen[name][0]]


def name_absent(frame: pl.DataFrame, missing: Sequence[str]) -> pl.DataFrame:
    """Take ``NOT_THERE`` in the columns ``missing`` for "not returned": null, and named in ``_absent``."""
    if not missing:
        return frame
    names = [pl.when(pl.col(f) == NOT_THERE).then(pl.lit(f)) for f in missing]
    absent = pl.concat_list(names).list.drop_nulls()
    return frame.with_columns(pl.when(absent.list.len() > 0).then(absent).alias(ABSENT)).pipe(blank, missing)


def blank(frame: pl.DataFrame, missing: Sequence[str]) -> pl.DataFrame:
    """Take ``NOT_THERE`` in the columns ``missing`` for a blank that was returned."""
    return frame.with_columns(
        pl.when(pl.col(f) != NOT_THERE).then(pl.col(f)).otherwise(None).alias(f) for f in missing
    )


def sharing_blanks(frame: pl.DataFrame) -> pl.DataFrame:
    """The same frame; its fields that are blank everywhere share their memory. Of all that are asked for, many are."""
    blanks = [name for name in field_names(frame) if frame[name].null_count() == frame.height]
    if len(blanks) < 2:
        return frame
    nothing = pl.Series([None], dtype=pl.String).new_from_index(0, frame.height)
    return frame.with_columns(nothing.alias(name) for name in blanks)


def cut(
    crm: str, object_name: str, pages: Iterable[Rows | pl.DataFrame], slab_rows: int = SLAB_ROWS
) -> Iterator[Slab]:
    """Slabs of at most ``slab_rows`` records from pages of any size, as ``Rows`` or ``block``; no slab is empty.

    Every page has the same columns. A slab's frame may still hold ``NOT_THERE``.
    """
    growing = _Growing(slab_rows)
    for page in pages:
        stop_if_interrupted()
        start, height = 0, page.height if isinstance(page, pl.DataFrame) else len(page.ids)
        while start < height:
            end = min(start + growing.room, height)
            growing.add(page[start:end] if isinstance(page, pl.DataFrame) else _part(page, start, end))
            start = end
            if not growing.room:
                yield Slab(crm, object_name, growing.take())
    if growing.rows:
        yield Slab(crm, object_name, growing.take())


#: Records whose ids and times become columns together: making a column costs more than filling it.
BLOCK_ROWS = 1_000


class _Growing:
    """One slab in the making."""

    def __init__(self, slab_rows: int) -> None:
        self._slab_rows = slab_rows
        self._blocks: list[_Block] = []
        self._held: list[Rows] = []
        # Of what is held: taken over while they are in the processor's cache.
        self._texts: list[pl.Series] = []
        self._names: tuple[str, ...] = ()
        self._held_rows = 0
        self.rows = 0

    @property
    def room(self) -> int:
        return self._slab_rows - self.rows

    def add(self, part: Rows | pl.DataFrame) -> None:
        if isinstance(part, pl.DataFrame):
            self._flush()
            self._blocks.append(_Block(part))
            self.rows += part.height
            return
        columns = part.columns
        names = tuple(columns.names) if isinstance(columns, ByRecord) else ()
        if self._held and names != self._names:
            self._flush()
        self._names = names
        if names and isinstance(columns, ByRecord):
            self._texts.append(pl.Series(columns.values_by_record, dtype=pl.String))
            part = replace(part, columns={})
        self._held.append(part)
        self._held_rows += len(part.ids)
        self.rows += len(part.ids)
        if self._held_rows >= BLOCK_ROWS:
            self._flush()

    def take(self) -> pl.DataFrame:
        """The frame; the next slab starts empty."""
        self._flush()
        whole = [_whole(list(alike)) for _, alike in groupby(self._blocks, key=lambda one: one.names)]
        self._blocks, self.rows = [], 0
        return _finished(_stacked(whole))

    def _flush(self) -> None:
        if self._held:
            self._blocks.append(_Block(block(_joined(self._held)), self._names, self._texts))
            self._held, self._held_rows, self._texts = [], 0, []


@dataclass(frozen=True, slots=True)
class _Block:
    """Some records of a slab in the making. ``texts``: what is not in ``frame`` yet, record after record, ``names``."""

    frame: pl.DataFrame
    names: tuple[str, ...] = ()
    texts: Sequence[pl.Series] = ()


def _whole(blocks: Sequence[_Block]) -> pl.DataFrame:
    """Blocks of the same kind as one frame."""
    frame, names = _stacked([one.frame for one in blocks]), blocks[0].names
    found = [texts for one in blocks for texts in one.texts]
    if not found:
        return frame
    # Cut into columns once a slab: in a block, that takes as long as filling it.
    texts = pl.concat(found, rechunk=True)
    if frame.height <= _FEW:
        said, width = texts.to_list(), len(names)
        return frame.hstack(
            [pl.Series(name, said[place::width], dtype=pl.String) for place, name in enumerate(names)]
        )
    return frame.hstack(
        [texts.gather_every(len(names), place).alias(name) for place, name in enumerate(names)]
    )


def _stacked(frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    # A block in which no record has a time knows nothing of the type of times.
    return frames[0] if len(frames) == 1 else pl.concat(frames, how="vertical_relaxed", rechunk=True)


def _part(rows: Rows, start: int, end: int) -> Rows:
    if start == 0 and end == len(rows.ids):
        return rows
    return Rows(
        rows.ids[start:end],
        rows.modified[start:end],
        rows.created[start:end],
        rows.archived[start:end],
        _some(rows.columns, start, end),
    )


def _some(
    columns: Mapping[str, Sequence[str | None]], start: int, end: int
) -> Mapping[str, Sequence[str | None]]:
    if isinstance(columns, ByRecord):
        width = len(columns.names)
        return ByRecord(columns.names, columns.values_by_record[start * width : end * width])
    return {name: values[start:end] for name, values in columns.items()}


def _joined(pages: Sequence[Rows]) -> Rows:
    if len(pages) == 1:
        return pages[0]
    return Rows(
        _one(p.ids for p in pages),
        _one(p.modified for p in pages),
        _one(p.created for p in pages),
        _one(p.archived for p in pages),
        _columns([p.columns for p in pages]),
    )


def _columns(
    parts: Sequence[Mapping[str, Sequence[str | None]]],
) -> Mapping[str, Sequence[str | None]]:
    return {name: _one(part[name] for part in parts) for name in parts[0]}


def _one(parts: Iterable[Sequence[Any]]) -> list[Any]:
    return list(chain.from_iterable(parts))
