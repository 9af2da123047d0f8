"""HubSpot's spelling of values, as the port's: ISO 8601 in UTC, plain decimals, null for a blank.

Most values arrive that way. The exceptions: times can be epoch milliseconds in text (HubSpot reference,
sections 5.2 and 7), a cleared text can be the empty string, and a large number can carry an exponent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson
import polars as pl

from connectors.crm import FieldInfo

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECONDS = r"^-?\d{5,15}$"


def plain(frame: pl.DataFrame, fields: Mapping[str, FieldInfo]) -> pl.DataFrame:
    """The frame of a slab with every column of ``fields`` in the port's spelling; one pass over columns."""
    there = {column.name for column in frame.get_columns() if column.null_count() < frame.height}
    kinds = {name: info.type for name, info in fields.items() if name in there}
    if not kinds:
        return frame
    odd = {"number": "[eE]", "date": _MILLISECONDS, "datetime": _MILLISECONDS}
    looks = [pl.col(n).str.contains(odd[k]).any().alias(n) for n, k in kinds.items() if k in odd]
    found = frame.select(looks).row(0, named=True) if looks else {}
    empty = frame.select((pl.col(list(kinds)) == "").any()).row(0, named=True)
    # A column that is spelled as it should be, as most are, is not copied.
    other = {name: kind for name, kind in kinds.items() if found.get(name) or empty[name]}
    return frame.with_columns(_column(name, kind, bool(found.get(name))) for name, kind in other.items())


def _column(name: str, kind: str, is_odd: bool) -> pl.Expr:
    column = pl.col(name)
    if is_odd and kind == "number":
        return column.map_elements(_without_exponent, return_dtype=pl.String)
    filled = pl.when(column != "").then(column)
    if not is_odd:
        return filled.alias(name)
    time = pl.from_epoch(column.str.to_integer(strict=False), time_unit="ms")
    spelling = "%Y-%m-%d" if kind == "date" else "%Y-%m-%dT%H:%M:%S%.3fZ"
    is_epoch = column.str.contains(_MILLISECONDS)
    return pl.when(is_epoch).then(time.dt.strftime(spelling)).otherwise(filled).alias(name)


def odd_kinds(fields: Mapping[str, FieldInfo]) -> dict[str, str]:
    """The properties whose values may arrive in another spelling than the port's, blanks aside, with their types."""
    return {name: info.type for name, info in fields.items() if info.type in ("number", "date", "datetime")}


def plain_texts(
    names: Iterable[str], values: Mapping[str, str | None], odd: Mapping[str, str]
) -> dict[str, str | None]:
    """Those ``names`` that are among the values of one record, in the port's spelling. ``odd``: see ``odd_kinds``."""
    return {
        name: plain_text(odd[name], values[name]) if name in odd else values[name] or None
        for name in names
        if name in values
    }


def plain_text(kind: str, text: str | None) -> str | None:
    """One value in the port's spelling; ``kind`` is a ``FieldInfo.type``."""
    if text is None or text == "":
        return None
    if kind in {"date", "datetime"} and text.lstrip("-").isdigit() and 5 <= len(text.lstrip("-")) <= 15:
        time = EPOCH + timedelta(milliseconds=int(text))
        return time.date().isoformat() if kind == "date" else iso(time)
    return _without_exponent(text) if kind == "number" else text


def as_text(value: Any) -> str | None:
    """A JSON value as text: HubSpot sends all values as texts or null (HubSpot reference, section 4.2)."""
    return value if value is None or isinstance(value, str) else orjson.dumps(value).decode()


def iso(time: datetime) -> str:
    """An aware time as HubSpot spells it: UTC, milliseconds, Z."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def milliseconds(time: datetime) -> str:
    """An aware time as epoch milliseconds in text, for filters (HubSpot reference, section 4.4)."""
    return str((time - EPOCH) // timedelta(milliseconds=1))


def _without_exponent(text: str) -> str | None:
    if "e" not in text.lower():
        return text or None
    try:
        return format(Decimal(text), "f")
    except InvalidOperation:
        return text
