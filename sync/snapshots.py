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
        self._decoder = msgspec.json.Decoder(self._row)
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
        """One row a text (a null text: all null), columns ``prefix + name``, typed by the schema."""
        nothing, decode = self._row(), self._decoder.decode
        rows = [nothing if text is None else decode(text) for text in texts]
        return pl.DataFrame(
            [
                pl.Series(prefix + name, [getattr(row, f"f{index}") for row in rows], dtype=dtype)
                for index, (name, dtype) in enumerate(self.schema.items())
            ]
        )
