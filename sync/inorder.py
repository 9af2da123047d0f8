"""Rows put beside leads by a key. Where both stand in one order already, nothing is looked up or copied. Pure.

A slice comes off the shelf in the order of its leads, and the store answers in the order it was asked in; so once
both CRMs have a record of every lead, all that belongs to a slice stands in one order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from mapping.qualification.truths import every, one


def ascending(texts: pl.Series) -> bool:
    """Whether these texts are in order, each once, and none is null."""
    if texts.null_count():
        return False
    return len(texts) < 2 or bool((texts.slice(1) > texts.slice(0, len(texts) - 1)).all())


def in_order(texts: pl.Series) -> pl.Series:
    """The texts in order, each once."""
    return texts if ascending(texts) else texts.unique().sort()


def alike(one: pl.Series, other: pl.Series) -> bool:
    """Whether two columns hold the same texts in the same order, and no null."""
    return len(one) == len(other) and not one.null_count() and one.equals(other)


def chosen(frame: pl.DataFrame, wanted: pl.Series) -> pl.DataFrame:
    """The rows where ``wanted`` is true. All or none of them, and mostly it is so, cost no copy of a wide frame."""
    if not wanted.any():
        return frame.clear()
    return frame if not wanted.null_count() and wanted.all() else frame.filter(wanted)


def together(frame: pl.DataFrame, names: str | Sequence[str]) -> pl.DataFrame:
    """The rows with those that say the same in ``names`` together, as the first of each stand."""
    first = pl.col("_row").first().over(names)
    return frame.with_row_index("_row").sort(first, maintain_order=True).drop("_row")


def true_at(places: pl.Series, height: int) -> pl.Series:
    """True at these places of so many, false at the others."""
    return every(False, pl.Boolean(), height).scatter(places, one(True, pl.Boolean()))


def beside(leads: pl.DataFrame, rows: pl.DataFrame, key: str) -> pl.DataFrame:
    """The rows brought into the order of ``leads`` by ``key``, without it; nulls where there is none.

    No two ``rows`` have the same key. Only the key is joined: what is beside it is looked up by place, once.
    """
    others = rows.select(pl.exclude(key))
    if others.is_empty():
        return blanks(others.schema, leads.height)
    if alike(rows[key], leads[key]):
        return others
    places = rows.select(key).with_row_index("_at")
    at = leads.join(places, on=key, how="left", maintain_order="left")["_at"]
    return others[at]


def with_new(stored: pl.DataFrame, new: pl.DataFrame) -> pl.DataFrame:
    """The links (``crm``, ``record_id`` …) that are stored, and the new ones of records that have none."""
    crms = new["crm"].unique().to_list()
    if stored.height == new.height and all(alike(_records(stored, crm), _records(new, crm)) for crm in crms):
        return stored
    return pl.concat([stored, new]).unique(["crm", "record_id"], keep="first", maintain_order=True)


def _records(links: pl.DataFrame, crm: str) -> pl.Series:
    return links.filter(pl.col("crm") == crm)["record_id"]


def missing_among(links: pl.DataFrame, record_ids: pl.Series) -> pl.DataFrame:
    """The links whose record is not among these."""
    if alike(links["record_id"], record_ids):
        return links.clear()
    return links.filter(~pl.col("record_id").is_in(record_ids.implode()))


def blanks(schema: Mapping[str, pl.DataType], height: int) -> pl.DataFrame:
    """So many rows of nulls. Columns of one type share their memory: there are many, and most stay as they are."""
    of_type = {
        dtype: pl.Series([None], dtype=dtype).new_from_index(0, height) for dtype in set(schema.values())
    }
    return pl.DataFrame([of_type[dtype].alias(name) for name, dtype in schema.items()])


def gathered(frame: pl.DataFrame, places: pl.Series) -> pl.DataFrame:
    """The rows at these places, column by column: a frame would hand its columns to other threads, and of few rows
    that takes longer than the rows do."""
    return pl.DataFrame([column[places] for column in frame.get_columns()])
