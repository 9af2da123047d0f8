"""Values between Salesforce's JSON and the port's text, both ways, by the field's type.

Text is what the port carries: booleans "true"/"false", numbers plain decimals, times ISO 8601 in UTC.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import orjson
import polars as pl

from connectors.salesforce.schema import TYPES

_NUMBER = re.compile(r"[+-]?(?:\d{1,40}(?:\.\d{0,40})?|\.\d{1,40})")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


class NotOfType(ValueError):
    """A text that cannot be a value of its field's type. Its text names the type, never the value."""


def number_text(value: float) -> str:
    """A JSON number as a plain decimal: no exponent, no ``.0`` behind a whole number."""
    if isinstance(value, int):
        return str(value)
    text = repr(value)
    if "e" in text:
        text = format(Decimal(text), "f")
    if text.endswith(".0"):
        text = text[:-2]
    return "0" if text == "-0" else text


def moment_text(value: str) -> str:
    """``2013-05-07T22:07:19.000+0000`` as ISO 8601 with ``Z``.

    Salesforce writes the offset without its colon (Salesforce reference, section 2), which ISO 8601's
    readers refuse beside colons in the time.
    """
    return value[:-5] + "Z" if value.endswith("+0000") else value


Spelling = Callable[[Any], str | None]


def _boolean_text(value: Any) -> Any:
    return "true" if value is True else "false" if value is False else value


def _number_text(value: Any) -> Any:
    return number_text(value) if isinstance(value, int | float) else value


def _moment_text(value: Any) -> Any:
    return moment_text(value) if value else value


def _other_text(value: Any) -> Any:
    """A compound value (an address, a place) as its JSON text."""
    return value if value is None or isinstance(value, str) else orjson.dumps(value).decode()


_TO_TEXT: Mapping[str, Spelling] = {
    "boolean": _boolean_text,
    "number": _number_text,
    "datetime": _moment_text,
    "other": _other_text,
}


def spelling(sf_type: str) -> Spelling | None:
    """What makes text of a JSON value of Salesforce's type ``sf_type``; None where it is text already.

    What is no value of the type, None above all, stays as it is.
    """
    return _TO_TEXT.get(TYPES.get(sf_type, "other"))


def texts(sf_type: str, values: Sequence[Any]) -> Sequence[str | None]:
    """A column of JSON values of one field, of Salesforce's type ``sf_type``, as text.

    What is no value of the type, None above all, stays as it is.
    """
    spell = spelling(sf_type)
    return values if spell is None else [spell(value) for value in values]


#: Columns of fewer values are converted value by value: making a column of each costs more.
FEW = 32
#: Below, every whole number is exact in the eight bytes of a JSON number's float.
_EXACT = 2**53


def text_column(sf_type: str, values: Sequence[Any]) -> pl.Series:
    """The same texts as ``texts`` gives, as a String column, converted by the column."""
    kind = TYPES.get(sf_type, "other")
    convert = _BY_COLUMN.get(kind)
    if convert is None or len(values) < FEW:
        return pl.Series(texts(sf_type, values), dtype=pl.String)
    try:
        return convert(values)
    except (TypeError, OverflowError):
        # A value of another type among them, as where a record came without the field.
        return pl.Series(texts(sf_type, values), dtype=pl.String)


def _boolean_column(values: Sequence[Any]) -> pl.Series:
    return pl.Series(values, dtype=pl.Boolean).cast(pl.String)


def _number_column(values: Sequence[Any]) -> pl.Series:
    numbers = pl.Series(values, dtype=pl.Float64)
    whole = numbers.cast(pl.Int64, strict=False)
    found = whole.cast(pl.String)
    # Comparing nulls with care costs more than all the rest, and most columns hold small whole numbers alone.
    if whole.null_count() == numbers.null_count() and (numbers == whole.cast(pl.Float64)).all():
        low, high = whole.min(), whole.max()
        if low is None or (low > -_EXACT and high < _EXACT):  # type: ignore[operator]
            return found
    broken = (numbers.ne_missing(whole) | (numbers.abs() >= _EXACT)).arg_true()
    return found.scatter(broken, [number_text(values[place]) for place in broken.to_list()])


def _moment_column(values: Sequence[Any]) -> pl.Series:
    return pl.Series(values, dtype=pl.String).str.replace(r"\+0000$", "Z")


_BY_COLUMN: Mapping[str, Callable[[Sequence[Any]], pl.Series]] = {
    "boolean": _boolean_column,
    "number": _number_column,
    "datetime": _moment_column,
}


def _digits(text: str) -> str:
    if len(text) <= 15 and text.isascii() and text.isdigit() and (text[0] != "0" or text == "0"):
        return text  # Most numbers are counts, and as they should be.
    plain = text.strip()
    if not _NUMBER.fullmatch(plain):
        raise NotOfType("a number")
    value = Decimal(plain)
    whole = value.to_integral_value()
    # As it stands, digit for digit: through a float an amount of 18 digits would change.
    return format(whole if value == whole else value, "f")


def _whole_digits(text: str) -> str:
    digits = _digits(text)
    if "." in digits:
        raise NotOfType("a whole number")
    return digits


def _boolean(text: str) -> str:
    lowered = text.strip().lower()
    if lowered not in ("true", "false"):
        raise NotOfType("true or false")
    return lowered


def _date(text: str) -> str:
    if not _DATE.fullmatch(text):
        raise NotOfType("a date, YYYY-MM-DD")
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise NotOfType("a date, YYYY-MM-DD") from None


def _moment(text: str) -> str:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise NotOfType("a time, ISO 8601 with its offset") from None
    if moment.tzinfo is None:
        raise NotOfType("a time, ISO 8601 with its offset")
    # One-second precision; what is finer would come back as .000 anyway (section 2).
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


_PLAIN: Mapping[str, Callable[[str], str]] = {
    "number": _digits,
    "boolean": _boolean,
    "date": _date,
    "datetime": _moment,
}


def plain(sf_type: str, text: str) -> str:
    """A text in the form that JSON and SOQL share for a field of Salesforce's type ``sf_type``.

    Raises NotOfType where it cannot be a value of that type.
    """
    if sf_type in ("int", "long"):
        return _whole_digits(text)
    convert = _PLAIN.get(TYPES.get(sf_type, "other"))
    return text if convert is None else convert(text)


def is_plain(sf_type: str) -> bool:
    """Whether every text is a value of Salesforce's type ``sf_type`` as it stands, and nothing but a blank clears."""
    return TYPES.get(sf_type, "other") not in _PLAIN


def to_json(sf_type: str, text: str | None) -> Any:
    """A text as the JSON value to send for a field of Salesforce's type ``sf_type``.

    None and "" clear: Salesforce keeps no empty text. A checkbox has no blank; cleared, it is false.
    A number comes as an ``orjson.Fragment`` of its digits. Raises NotOfType.
    """
    kind = TYPES.get(sf_type, "other")
    if text is None or text == "":
        return False if kind == "boolean" else None
    value = plain(sf_type, text)
    if kind == "number":
        return orjson.Fragment(value)
    return value == "true" if kind == "boolean" else value
