"""Lead values as canonical JSON text and back: bases, stored leads and the inputs of verdicts.

One object a row, keys in the schema's order, nulls left out, decimals as text, times in UTC: the same
values always give the same text, so that texts can be compared instead of values.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import polars as pl

#: What JSON cannot hold in a text as it is.
_ESCAPED = r"[\"\\\x00-\x1f]"


class Snapshots:
    """Writes and reads the snapshots of one schema. Keys that the schema does not know are passed over."""

    def __init__(self, schema: Mapping[str, pl.DataType]) -> None:
        self.schema = dict(schema)

    def encode(self, frame: pl.DataFrame, prefix: str = "") -> pl.Series:
        """One text a row, of the columns ``prefix + name``; a column that is not there counts as null."""
        columns = {name: frame[prefix + name] for name in self.schema if prefix + name in frame.columns}
        known = {
            name: one.cast(self.schema[name]) for name, one in columns.items() if one.null_count() < len(one)
        }
        if not known:
            return pl.Series("snapshot", ["{}"], dtype=pl.String).new_from_index(0, frame.height)
        known = {name: _escaped(one) if one.dtype == pl.String else one for name, one in known.items()}
        there = pl.DataFrame([one.alias(name) for name, one in known.items()])
        members = pl.concat_str([_member(name, self.schema[name]) for name in known], ignore_nulls=True)
        text = pl.concat_str(pl.lit("{"), members.str.strip_prefix(","), pl.lit("}"))
        return there.select(text.alias("snapshot"))["snapshot"]

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
        return pl.DataFrame(
            [_typed(read[name], dtype).alias(prefix + name) for name, dtype in self.schema.items()]
        )


def _escaped(texts: pl.Series) -> pl.Series:
    """The texts as JSON spells them, without their quotes. Few hold a sign that has to be escaped."""
    if not texts.str.join().str.contains(_ESCAPED)[0]:
        return texts
    rows = texts.str.contains(_ESCAPED).fill_null(value=False).arg_true()
    spelled = [msgspec.json.encode(text).decode()[1:-1] for text in texts.gather(rows)]
    return texts.clone().scatter(rows, pl.Series(spelled, dtype=pl.String))


def _member(name: str, dtype: pl.DataType) -> pl.Expr:
    """``,"name":value``; null for a blank."""
    value, key = pl.col(name), f",{msgspec.json.encode(name).decode()}:"
    match dtype:
        case pl.Int64():
            return pl.concat_str(pl.lit(key), value.cast(pl.String))
        case pl.Boolean():
            return pl.when(value).then(pl.lit(f"{key}true")).when(~value).then(pl.lit(f"{key}false"))
        case pl.Date():
            spelled = value.dt.to_string("%Y-%m-%d")
        case pl.Datetime():
            whole, exact = (value.dt.to_string(f"%Y-%m-%dT%H:%M:%S{part}Z") for part in ("", "%.6f"))
            spelled = pl.when(value.dt.microsecond() == 0).then(whole).otherwise(exact)
        case _:
            spelled = value.cast(pl.String)
    return pl.concat_str(pl.lit(f'{key}"'), spelled, pl.lit('"'))


def _as_read(dtype: pl.DataType) -> pl.DataType:
    """What a value is in JSON; the rest is text there."""
    return dtype if isinstance(dtype, pl.Int64 | pl.Boolean) else pl.String()


def _typed(column: pl.Series, dtype: pl.DataType) -> pl.Series:
    match dtype:
        case pl.Datetime():
            return _moments(column)
        case pl.Date():
            return column.str.to_date("%Y-%m-%d")
        case _:
            return column.cast(dtype)


def _moments(texts: pl.Series) -> pl.Series:
    """Times in UTC. Those on the full second, and most are, are read three times as fast apart."""
    found = texts.str.to_datetime("%Y-%m-%dT%H:%M:%SZ", time_unit="us", time_zone="UTC", strict=False)
    if found.null_count() == texts.null_count():
        return found
    rows = (found.is_null() & texts.is_not_null()).arg_true()
    exact = texts.gather(rows).str.to_datetime("%Y-%m-%dT%H:%M:%S%.fZ", time_unit="us", time_zone="UTC")
    return found.scatter(rows, exact)
