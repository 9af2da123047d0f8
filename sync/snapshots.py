"""Lead values as canonical JSON text and back: bases, stored leads and the inputs of verdicts.

One object a row, keys in the schema's order, nulls left out, decimals as text, times in UTC: the same
values always give the same text, so that texts can be compared instead of values.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import msgspec
import polars as pl

_PYTHON: Mapping[type[pl.DataType], Any] = {
    pl.String: str,
    pl.Int64: int,
    pl.Boolean: bool,
    pl.Decimal: Decimal,
    pl.Date: date,
    pl.Datetime: datetime,
}


class Snapshots:
    """Writes and reads the snapshots of one schema. Keys that the schema does not know are passed over."""

    def __init__(self, schema: Mapping[str, pl.DataType]) -> None:
        self.schema = dict(schema)
        self._row: Any = msgspec.defstruct(
            "Snapshot",
            [
                (f"f{index}", _PYTHON[type(dtype)] | None, msgspec.field(default=None, name=name))
                for index, (name, dtype) in enumerate(self.schema.items())
            ],
            omit_defaults=True,
        )
        self._encoder = msgspec.json.Encoder()

    def encode(self, frame: pl.DataFrame, prefix: str = "") -> pl.Series:
        """One text a row, of the columns ``prefix + name``; a column that is not there counts as null."""
        nothing = [None] * frame.height
        columns = [
            frame[prefix + name].to_list() if prefix + name in frame.columns else nothing
            for name in self.schema
        ]
        encode, row = self._encoder.encode, self._row
        texts = [encode(row(*values)).decode() for values in zip(*columns, strict=True)]
        return pl.Series("snapshot", texts or ["{}"] * frame.height, dtype=pl.String)

    def decode(self, texts: pl.Series, prefix: str = "") -> pl.DataFrame:
        """One row a text (a null text: all null), columns ``prefix + name``, typed by the schema.

        Canonical texts hold no raw line break, so together they are lines of JSON, which Polars reads without
        making one Python object a value. Raises ``polars.exceptions.ComputeError`` for what is no JSON object.
        """
        if texts.is_empty():
            return pl.DataFrame(schema={prefix + name: dtype for name, dtype in self.schema.items()})
        if texts.null_count() == len(texts):
            nothing = [pl.lit(None, dtype=dtype).alias(prefix + name) for name, dtype in self.schema.items()]
            return texts.alias("").to_frame().with_columns(nothing).drop("")
        lines = b"\n".join(texts.fill_null("{}").cast(pl.Binary).to_list())
        read = pl.read_ndjson(lines, schema={name: _as_read(dtype) for name, dtype in self.schema.items()})
        if read.height != len(texts):
            raise pl.exceptions.ComputeError("a snapshot is not one JSON object")
        return read.select(_typed(name, dtype).alias(prefix + name) for name, dtype in self.schema.items())


def _as_read(dtype: pl.DataType) -> pl.DataType:
    """What a value is in JSON; the rest is text there."""
    return dtype if isinstance(dtype, pl.Int64 | pl.Boolean) else pl.String()


def _typed(name: str, dtype: pl.DataType) -> pl.Expr:
    match dtype:
        case pl.Datetime():
            return pl.col(name).str.to_datetime("%Y-%m-%dT%H:%M:%S%.fZ", time_unit="us", time_zone="UTC")
        case pl.Date():
            return pl.col(name).str.to_date("%Y-%m-%d")
        case pl.Decimal():
            return pl.col(name).cast(dtype)
        case _:
            return pl.col(name)
