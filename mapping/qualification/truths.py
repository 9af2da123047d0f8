"""Whole columns, one step at a time: answers that may be unknown, choices between two columns, tables.

A slice has some thousand leads: to prepare a query for one more column takes longer than to work it out, so the
verdict is reckoned in steps of a few microseconds each. Every column has one row a lead, or one row for all.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import polars as pl

#: From so many texts on, to prepare a query takes less than to read them.
_MANY = 4096
_TRUE, _FALSE = pl.Series([True]), pl.Series([False])


@lru_cache(maxsize=4096)
def one(value: bool | int | str | None, dtype: pl.DataType) -> pl.Series:
    """A value for all leads at once; never to be changed."""
    return pl.Series([value], dtype=dtype)


def every(value: bool | int | str | None, dtype: pl.DataType, height: int) -> pl.Series:
    """The same value for each of so many leads."""
    return one(value, dtype).new_from_index(0, height)


def no_rows(schema: Mapping[str, pl.DataType]) -> pl.DataFrame:
    """A frame of these columns without rows. To make one takes longer than most of what is asked of a handful of
    leads, and a run needs dozens of the same."""
    return _no_rows(tuple(schema.items())).clone()


@lru_cache(maxsize=256)
def _no_rows(columns: tuple[tuple[str, pl.DataType], ...]) -> pl.DataFrame:
    return pl.DataFrame(schema=dict(columns))


def choose(where: pl.Series, then: pl.Series, otherwise: pl.Series) -> pl.Series:
    """``then`` where the answer is true, ``otherwise`` where it is false or unknown."""
    return then.zip_with(where, otherwise)


def holds(answer: pl.Series) -> pl.Series:
    """Where an answer is true: never unknown itself."""
    return _TRUE.zip_with(answer, _FALSE) if answer.null_count() else answer


def fails(answer: pl.Series) -> pl.Series:
    """Where an answer is false: never unknown itself."""
    return holds(~answer)


def unknown(answer: pl.Series) -> pl.Series:
    """Where an answer is neither."""
    if not answer.null_count():
        return _FALSE.new_from_index(0, len(answer))
    return ~holds(answer | ~answer)


def known(values: pl.Series) -> pl.Series:
    """Where there is a value."""
    nulls = values.null_count()
    if not nulls or nulls == len(values):
        return every(not nulls, pl.Boolean(), len(values))
    # Comparing a column with itself takes less than asking Polars, but of many texts, which it would read.
    return values.is_not_null() if _are_many_texts(values) else holds(values == values)


def _are_many_texts(values: pl.Series) -> bool:
    return len(values) > _MANY and values.dtype == pl.String


def differ(one_side: pl.Series, other: pl.Series) -> pl.Series:
    """Where two columns differ. A blank is like a blank, and unlike every value."""
    if not one_side.null_count() and not other.null_count():
        return one_side != other
    for blank, values in ((one_side, other), (other, one_side)):
        if blank.null_count() == len(blank) == len(values):
            return known(values)
    if _are_many_texts(one_side) and other.dtype == pl.String:
        return one_side.ne_missing(other)
    return holds(one_side != other) | (known(one_side) ^ known(other))


def looked_up(table: pl.Series, at: pl.Series) -> pl.Series:
    """The table's value at each place (counted from 0, unsigned or not negative); null for a null place."""
    found: pl.Series = table[at]
    return found
