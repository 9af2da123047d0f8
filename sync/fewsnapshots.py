"""The snapshots of a few rows, value by value: for a handful of leads, asking sixty columns costs more than the values.

What is written is byte for byte what ``sync.snapshots`` writes column by column.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import msgspec
import polars as pl

from mapping.qualification.truths import every

#: Up to so many rows are spelled and read value by value.
FEW = 50


def _moment(value: datetime) -> str:
    exact = "microseconds" if value.microsecond else "seconds"
    return f'"{value.replace(tzinfo=None).isoformat(timespec=exact)}Z"'


def _amount(text: str) -> Decimal:
    value = Decimal(text)
    if not value.is_finite():
        raise ValueError(text)
    return value


#: How a value is spelled, and read again: by the class of its type.
_SPELLED: Mapping[type[pl.DataType], Callable[[Any], str]] = {
    pl.String: lambda value: msgspec.json.encode(value).decode(),
    pl.Int64: str,
    pl.Boolean: lambda value: "true" if value else "false",
    pl.Decimal: lambda value: f'"{value:f}"',
    pl.Date: lambda value: f'"{value.isoformat()}"',
    pl.Datetime: _moment,
}
_READ: Mapping[type[pl.DataType], Callable[[str], Any]] = {
    pl.Decimal: _amount,
    pl.Date: date.fromisoformat,
    pl.Datetime: datetime.fromisoformat,
}
_KINDS: Mapping[type[pl.DataType], type] = {pl.Int64: int, pl.Boolean: bool}


def can_spell(schema: Mapping[str, pl.DataType], rows: int) -> bool:
    """Whether so many rows of these types are better spelled here."""
    return rows <= FEW and all(type(dtype) in _SPELLED for dtype in schema.values())


def spelled(columns: Mapping[str, pl.Series]) -> list[str] | None:
    """A text a row of columns whose types are the schema's, in its order; nulls are left out.

    None where a date is beyond Python's calendar.
    """
    try:
        named = [
            (msgspec.json.encode(name).decode() + ":", _SPELLED[type(column.dtype)], column.to_list())
            for name, column in columns.items()
        ]
    except (ValueError, OverflowError):
        return None
    height = len(named[0][2])
    return [
        "{"
        + ",".join(key + spell(values[row]) for key, spell, values in named if values[row] is not None)
        + "}"
        for row in range(height)
    ]


def read(texts: Sequence[str | None], schema: Mapping[str, pl.DataType], prefix: str) -> pl.DataFrame | None:
    """One row a text, typed by the schema; None where a text or a value is not what the schema says it is."""
    try:
        rows = [{} if text is None else msgspec.json.decode(text, type=dict[str, Any]) for text in texts]
        return pl.DataFrame([_column(rows, name, dtype, prefix) for name, dtype in schema.items()])
    except (msgspec.DecodeError, ValueError, ArithmeticError, TypeError):
        return None


def _column(rows: Sequence[Mapping[str, Any]], name: str, dtype: pl.DataType, prefix: str) -> pl.Series:
    values = [row.get(name) for row in rows]
    if not any(value is not None for value in values):
        # Of all the fields of a lead, few are filled in.
        return every(None, dtype, len(values)).alias(prefix + name)
    if any(value is not None and type(value) is not _KINDS.get(type(dtype), str) for value in values):
        raise TypeError(name)
    reads = _READ.get(type(dtype))
    if reads is not None:
        spell, texts = _SPELLED[type(dtype)], values
        values = [None if text is None else reads(text) for text in texts]
        # Python reads more spellings than are written here; those are left to who reads many rows.
        if any(
            value is not None and spell(value) != f'"{text}"'
            for value, text in zip(values, texts, strict=True)
        ):
            raise ValueError(name)
    return pl.Series(prefix + name, values, dtype=dtype)
