"""Lead values as canonical JSON text and back: bases, stored leads and the inputs of verdicts.

One object a row, keys in the schema's order, nulls left out, decimals as text, times in UTC: the same
values always give the same text, so that texts can be compared instead of values.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

import msgspec
import polars as pl

from sync.fewsnapshots import can_spell, read, spelled
from sync.inorder import blanks

#: What JSON cannot hold in a text as it is.
_ESCAPED = r"[\"\\\x00-\x1f]"
#: Times as text, on the full second and with what is beyond it.
_WHOLE, _EXACT = "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S%.6fZ"


class Snapshots:
    """Writes and reads the snapshots of one schema. Keys that the schema does not know are passed over."""

    def __init__(self, schema: Mapping[str, pl.DataType]) -> None:
        self.schema = dict(schema)
        # Polars promises the same numbers for the same values within one of its versions: under another one, or
        # with other columns, no number is what it was.
        named = f"{pl.__version__} {self.schema}".encode()
        self._seed = int.from_bytes(hashlib.sha256(named).digest()[:8])

    def marks(self, frame: pl.DataFrame, texts: pl.Series, prefix: str = "") -> pl.Series:
        """A number (Int64) a row for its values and its text together, to be stored beside the text.

        A text that was changed since no longer has the number that is stored beside it, whoever changed it.
        """
        there = frozenset(frame.columns)
        missing = blanks(
            {name: dtype for name, dtype in self.schema.items() if prefix + name not in there}, frame.height
        )
        values = pl.DataFrame(
            [
                _as(frame[prefix + name], dtype).alias(name) if prefix + name in there else missing[name]
                for name, dtype in self.schema.items()
            ]
        )
        both = values.hash_rows(self._seed) ^ texts.hash(self._seed)
        return both.reinterpret(signed=True).alias("record_mark")

    def apart(self, stored: pl.DataFrame, now: pl.DataFrame, beside: str) -> pl.Series:
        """False where a row of ``stored`` is known to hold what ``now`` holds in the columns ``beside + name``.

        Its ``record_mark`` (null: none) says so.
        """
        return self.marks(now, stored["record_values"], beside).ne_missing(stored["record_mark"])

    def decode_beside(
        self, stored: pl.DataFrame, now: pl.DataFrame, apart: pl.Series, *, prefix: str, beside: str
    ) -> pl.DataFrame:
        """``decode`` of ``record_values``. Where a row is not ``apart`` from what ``now`` holds in the columns
        ``beside + name``, those values are taken over, which costs a tenth of reading a text.
        """
        texts = stored["record_values"]
        if 2 * int(apart.sum()) > len(texts) or can_spell(self.schema, len(texts)):
            return self.decode(texts, prefix)
        rows = apart.arg_true()
        same = pl.DataFrame([now[beside + name].alias(prefix + name) for name in self.schema])
        if rows.is_empty():
            return same
        others = self.decode(texts.gather(rows), prefix)
        return pl.DataFrame([one.clone().scatter(rows, others[one.name]) for one in same.get_columns()])

    def encode(self, frame: pl.DataFrame, prefix: str = "") -> pl.Series:
        """One text a row, of the columns ``prefix + name``; a column that is not there counts as null."""
        known = self._known(frame, prefix)
        if known and can_spell(self.schema, frame.height):
            few = spelled(known)
            if few is not None:
                return pl.Series("snapshot", few, dtype=pl.String)
        return _whole(_members(known), frame.height)

    def encode_both(self, frame: pl.DataFrame, others: pl.DataFrame) -> tuple[pl.Series, pl.Series]:
        """``encode`` of a frame, and of the same frame with the columns of ``others`` in the place of its own.

        What both hold alike is spelled once.
        """
        if can_spell(self.schema, frame.height):
            return self.encode(frame), self.encode(frame.with_columns(others.get_columns()))
        ours, theirs = _members(self._known(frame)), _members(self._known(others))
        both = {**{name: one for name, one in ours.items() if name not in others.columns}, **theirs}
        in_order = {name: both[name] for name in self.schema if name in both}
        return _whole(ours, frame.height), _whole(in_order, frame.height)

    def _known(self, frame: pl.DataFrame, prefix: str = "") -> dict[str, pl.Series]:
        """The columns of the schema that say something, in its order."""
        there = frozenset(frame.columns)
        columns = {name: frame[prefix + name] for name in self.schema if prefix + name in there}
        return {
            name: _as(one, self.schema[name]) for name, one in columns.items() if one.null_count() < len(one)
        }

    def decode(self, texts: pl.Series, prefix: str = "") -> pl.DataFrame:
        """One row a text (a null text: all null), columns ``prefix + name``, typed by the schema.

        Canonical texts hold no raw line break, so together they are lines of JSON, which Polars reads without
        making one Python object a value. Raises ``polars.exceptions.ComputeError`` for what is no JSON object.
        """
        if texts.null_count() == len(texts):
            return blanks({prefix + name: dtype for name, dtype in self.schema.items()}, len(texts))
        if can_spell(self.schema, len(texts)):
            few = read(texts.to_list(), self.schema, prefix)
            if few is not None:
                return few
        lines = b"\n".join(texts.fill_null("{}").cast(pl.Binary).to_list())
        return self.decode_lines(lines, len(texts), prefix)

    def decode_lines(self, lines: bytes, height: int, prefix: str = "") -> pl.DataFrame:
        """``decode`` of ``height`` texts that stand in a line each."""
        if not height:
            return pl.DataFrame(schema={prefix + name: dtype for name, dtype in self.schema.items()})
        read = pl.read_ndjson(lines, schema={name: _as_read(dtype) for name, dtype in self.schema.items()})
        if read.height != height:
            raise pl.exceptions.ComputeError("a snapshot is not one JSON object")
        return pl.DataFrame(
            [_typed(read[name], dtype).alias(prefix + name) for name, dtype in self.schema.items()]
        )


def _as(values: pl.Series, dtype: pl.DataType) -> pl.Series:
    """The values in a type; to cast what has it already costs more than the look."""
    return values if values.dtype == dtype else values.cast(dtype)


def _to_escape(columns: Iterable[pl.Series]) -> frozenset[str]:
    """The names of the columns in which any text has to be escaped; all of them are asked at once."""
    texts = pl.DataFrame([column for column in columns if column.dtype == pl.String])
    if texts.is_empty():
        return frozenset()
    found = texts.select(pl.all().str.join().str.contains(_ESCAPED)).row(0)
    return frozenset(name for name, holds in zip(texts.columns, found, strict=True) if holds)


def _escaped(texts: pl.Series) -> pl.Series:
    """The texts as JSON spells them, without their quotes."""
    rows = texts.str.contains(_ESCAPED).fill_null(value=False).arg_true()
    spelled = [msgspec.json.encode(text).decode()[1:-1] for text in texts.gather(rows)]
    return texts.clone().scatter(rows, pl.Series(spelled, dtype=pl.String))


def _said(values: pl.Series, *, escape: bool) -> tuple[pl.Series, str]:
    """The values as text, and what stands on both sides of it. ``escape``: some texts cannot stand as they are."""
    match values.dtype:
        case pl.Int64() | pl.Boolean():
            return values.cast(pl.String), ""
        case pl.String():
            return (_escaped(values) if escape else values), '"'
        case pl.Date():
            return values.dt.to_string("%Y-%m-%d"), '"'
        case pl.Datetime():
            return _instants(values), '"'
        case _:
            return values.cast(pl.String), '"'


def _instants(values: pl.Series) -> pl.Series:
    """Times in UTC, with a fraction only where there is one; most columns have none."""
    whole = values.dt.to_string(_WHOLE)
    rows = (values.to_physical() % 1_000_000 != 0).fill_null(value=False).arg_true()
    return whole if rows.is_empty() else whole.scatter(rows, values.gather(rows).dt.to_string(_EXACT))


def _members(known: Mapping[str, pl.Series]) -> dict[str, pl.Series]:
    """``,"name":value`` of each column; null for a blank."""
    texts, asked = [], []
    to_escape = _to_escape(values.alias(name) for name, values in known.items())
    for name, values in known.items():
        text, quote = _said(values, escape=name in to_escape)
        texts.append(text.alias(name))
        key = "," + msgspec.json.encode(name).decode() + ":" + quote
        asked.append(
            pl.concat_str(pl.lit(key), pl.col(name), *([pl.lit(quote)] if quote else [])).alias(name)
        )
    return pl.DataFrame(texts).select(asked).to_dict() if texts else {}


def _whole(members: Mapping[str, pl.Series], height: int) -> pl.Series:
    """The members as objects, one a row. Each brings a comma along, and the first one's is left out."""
    if not members:
        return pl.Series("snapshot", ["{}"], dtype=pl.String).new_from_index(0, height)
    joined = pl.concat_str(*members, ignore_nulls=True).str.slice(1)
    whole = pl.concat_str(pl.lit("{"), joined, pl.lit("}")).alias("snapshot")
    return pl.DataFrame(list(members.values())).select(whole)["snapshot"]


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
