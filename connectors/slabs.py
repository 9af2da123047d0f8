"""Slabs: columns of text, filled page by page and cut into frames of a bounded size.

A connector hands over one list per column and page; nothing is done per record. A value that a record came
without is marked with ``NOT_THERE``, so that it stays different from a blank until somebody who has seen
enough records decides what it means.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from connectors.crm import ABSENT, ARCHIVED, CREATED_AT, MODIFIED_AT, RECORD_ID, SLAB_SCHEMA, Slab
from connectors.errors import OurBug

#: Stands in a column where the record came without the field. No CRM stores a NUL in a text.
NOT_THERE = "\x00not there"

#: Records in a slab at most.
SLAB_ROWS = 10_000


#: Times of records: all ISO 8601 texts with a zone, or all aware datetimes; None where there is none.
Moments = Sequence[str | None] | Sequence[datetime | None]


@dataclass(frozen=True, slots=True)
class Rows:
    """Some records in columns, all of the same length.

    ``modified`` and ``created`` are ISO 8601 texts with a zone (fast) or aware datetimes; ``columns`` has one list of text per field,
    with None for a blank and ``NOT_THERE`` for a field that did not come.
    """

    ids: Sequence[str]
    modified: Moments
    created: Moments
    archived: Sequence[bool]
    columns: Mapping[str, Sequence[str | None]]


def slab_frame(rows: Rows) -> pl.DataFrame:
    """The frame of a slab from columns; ``_absent`` is null everywhere and ``NOT_THERE`` is still in it."""
    fixed = [
        pl.Series(RECORD_ID, rows.ids, dtype=pl.String),
        times(MODIFIED_AT, rows.modified),
        times(CREATED_AT, rows.created),
        pl.Series(ARCHIVED, rows.archived, dtype=pl.Boolean),
        pl.Series(ABSENT, [None], dtype=pl.List(pl.String)).new_from_index(0, len(rows.ids)),
    ]
    return pl.DataFrame(fixed + [pl.Series(n, v, dtype=pl.String) for n, v in rows.columns.items()])


def times(name: str, moments: Moments) -> pl.Series:
    """A column of UTC times. Raises OurBug for a text in another spelling than ISO 8601 with a zone.

    Texts are parsed by the column, thirty times as fast as Polars takes in datetime objects.
    """
    utc = pl.Datetime("us", "UTC")
    if isinstance(next((m for m in moments if m is not None), None), datetime):
        return pl.Series(name, moments, dtype=utc)
    texts = pl.Series(name, moments, dtype=pl.String)
    usual = texts.str.to_datetime("%Y-%m-%dT%H:%M:%S%.fZ", time_zone="UTC", time_unit="us", strict=False)
    if usual.null_count() == texts.null_count():
        return usual
    zoned = texts.str.replace("Z$", "+00:00").str.to_datetime(
        "%Y-%m-%dT%H:%M:%S%.f%z", time_unit="us", strict=False
    )
    if zoned.null_count() != texts.null_count():
        raise OurBug("A CRM's time stamps are not ISO 8601 with a zone", code="TIME_STAMP")
    return zoned.dt.convert_time_zone("UTC").cast(utc)


def field_names(frame: pl.DataFrame) -> list[str]:
    """The columns of a slab's frame that are fields of the CRM."""
    return [name for name in frame.columns if name not in SLAB_SCHEMA]


def missing_from(frame: pl.DataFrame) -> list[str]:
    """The fields that at least one record came without."""
    fields = field_names(frame)
    if not fields or not len(frame):
        return []
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


def cut(crm: str, object_name: str, pages: Iterable[Rows], slab_rows: int = SLAB_ROWS) -> Iterator[Slab]:
    """Slabs of at most ``slab_rows`` records from pages of any size; no slab is empty.

    Every page has the same columns. A slab's frame may still hold ``NOT_THERE``.
    """
    held: list[Rows] = []
    count = 0
    for page in pages:
        start = 0
        while len(page.ids) - start >= slab_rows - count:
            end = start + slab_rows - count
            held.append(_part(page, start, end))
            yield Slab(crm, object_name, slab_frame(_joined(held)))
            held, count, start = [], 0, end
        if start < len(page.ids):
            held.append(_part(page, start, len(page.ids)))
            count += len(page.ids) - start
    if held:
        yield Slab(crm, object_name, slab_frame(_joined(held)))


def _part(rows: Rows, start: int, end: int) -> Rows:
    if start == 0 and end == len(rows.ids):
        return rows
    return Rows(
        rows.ids[start:end],
        rows.modified[start:end],
        rows.created[start:end],
        rows.archived[start:end],
        {name: values[start:end] for name, values in rows.columns.items()},
    )


def _joined(pages: Sequence[Rows]) -> Rows:
    if len(pages) == 1:
        return pages[0]
    return Rows(
        [v for p in pages for v in p.ids],
        _one(p.modified for p in pages),
        _one(p.created for p in pages),
        [v for p in pages for v in p.archived],
        {name: [v for p in pages for v in p.columns[name]] for name in pages[0].columns},
    )


def _one(parts: Iterable[Moments]) -> Moments:
    joined: list[Any] = [moment for part in parts for moment in part]
    return joined
