"""One value of one field: from a request to what is kept, and from what is kept to a response.

Text that cannot be a value of the field's type refuses the whole request, because Salesforce fails while it
parses the JSON; a value of the right type that breaks a rule refuses the record.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

import orjson

from connectors.sandbox.salesforce import ids, moments
from connectors.sandbox.salesforce.refusals import Refusal, RowRefused
from connectors.sandbox.salesforce.schema import NUMBERS, Field, SObject

EMAIL = re.compile(r"[^\s@,;:<>()\[\]\\\"]+@(?:[^\s@.,;:<>()\[\]\\\"]+\.)+[^\s@.,;:<>()\[\]\\\"]{2,}")
JAVA_NAMES = {bool: "VALUE_TRUE", int: "VALUE_NUMBER_INT", float: "VALUE_NUMBER_FLOAT", str: "VALUE_STRING"}
Reader = Callable[[Any], Any]


def unreadable(kind: str, value: object) -> Refusal:
    """400 for text of the wrong type (the code of a request that could not be parsed)."""
    if value is False:
        token = "VALUE_FALSE"
    elif isinstance(value, dict | list):
        token = "START_OBJECT" if isinstance(value, dict) else "START_ARRAY"
    else:
        token = JAVA_NAMES.get(type(value), "VALUE_NULL")
    shown = str(value).lower() if isinstance(value, bool) else value
    text = (
        f"Cannot deserialize instance of {kind} from {token} value {shown} "
        "or request may be missing a required field at [line:1, column:1]"
    )
    return Refusal(400, "JSON_PARSER_ERROR", text)


def reader(field: Field) -> Reader:
    """A function from a value in a request to what is kept; None and blank text become None.

    It raises RowRefused for a value that breaks a rule of the field, and Refusal for one of the wrong type.
    """
    kind = field.type
    if kind == "int":
        return _if_whole(field.digits, int, lambda value: _integer(field, value))
    if kind in NUMBERS:
        return _if_whole(field.precision - field.scale, float, lambda value: _number(field, value))
    if kind in ("date", "datetime"):
        return _date if kind == "date" else _datetime
    if kind in ("picklist", "multipicklist") and field.values:
        by_lower = {each.lower(): each for each in field.values}
        return _if_known(frozenset(field.values), lambda value: _picklist(field, by_lower, value))
    if kind in READ_BY_FIELD:
        read = READ_BY_FIELD[kind]
        return lambda value: read(field, value)
    return _if_short(field, lambda value: _text(field, value))


def reader_of(sobject: SObject, field: Field) -> Reader:
    """The ``reader`` of a field of an object, made once for each state of the schema."""
    found = sobject.readers.get(field.name)
    if found is None:
        found = sobject.readers[field.name] = reader(field)
    return found


# Bulk loads read tens of millions of values: what is plainly right takes the short way.


def _if_short(field: Field, read: Reader) -> Reader:
    most = field.length

    def short(value: Any) -> Any:
        if type(value) is str and len(value) <= most and value and value.strip() == value:
            return value
        return read(value)

    return short


def _if_known(known: frozenset[str], read: Reader) -> Reader:
    return lambda value: value if type(value) is str and value in known else read(value)


def _if_whole(digits: int, kind: type[int] | type[float], read: Reader) -> Reader:
    bound = 10**digits

    def short(value: Any) -> Any:
        if type(value) is int and -bound < value < bound:
            return kind(value)
        if type(value) is str and len(value) <= digits and value.isascii() and value.isdigit():
            return kind(value)
        return read(value)

    return short


def _text(field: Field, value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise unreadable("string", value)
    text = value if isinstance(value, str) else str(value)
    if field.type != "textarea":
        text = text.strip()
    if len(text) > field.length > 0:
        raise RowRefused(
            "STRING_TOO_LONG",
            f"{field.label}: data value too large: {text} (max length={field.length})",
            [field.name],
        )
    return text or None


def _email(field: Field, value: Any) -> str | None:
    text = _text(field, value)
    if text is not None and not EMAIL.fullmatch(text):
        raise RowRefused(
            "INVALID_EMAIL_ADDRESS", f"{field.label}: invalid email address: {text}", [field.name]
        )
    return text


def _picklist(field: Field, by_lower: dict[str, str], value: Any) -> str | None:
    text = _text(field, value)
    if text is None:
        return None
    chosen = text.split(";") if field.type == "multipicklist" else [text]
    for one in chosen:
        if field.restricted and one.strip().lower() not in by_lower:
            raise RowRefused(
                "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
                f"{field.label}: bad value for restricted picklist field: {one}",
                [field.name],
            )
    return ";".join(by_lower.get(one.strip().lower(), one.strip()) for one in chosen)


def _boolean(field: Field, value: Any) -> int:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return int(value.lower() == "true")
    if value is None:
        raise RowRefused(
            "INVALID_TYPE_ON_FIELD_IN_RECORD",
            f"{field.label}: value not of required type: null",
            [field.name],
        )
    raise unreadable("boolean", value)


def _decimal(kind: str, value: Any) -> Decimal | None:
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        raise unreadable(kind, value)
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        raise unreadable(kind, value) from None
    if not number.is_finite():
        raise unreadable(kind, value)
    return number


def _out_of_range(field: Field, value: Any) -> RowRefused:
    return RowRefused(
        "NUMBER_OUTSIDE_VALID_RANGE",
        f"{field.label}: value outside of valid range on numeric field: {value}",
        [field.name],
    )


def _integer(field: Field, value: Any) -> int | None:
    number = _decimal("int", value)
    if number is None:
        return None
    if number != number.to_integral_value():
        raise unreadable("int", value)
    if field.digits and abs(number) >= 10**field.digits:
        raise _out_of_range(field, value)
    return int(number)


def _number(field: Field, value: Any) -> float | None:
    number = _decimal("double", value)
    if number is None:
        return None
    if abs(number) >= 10 ** (field.precision - field.scale):
        raise _out_of_range(field, value)
    return float(number.quantize(Decimal(1).scaleb(-field.scale), ROUND_HALF_UP))


def _date(value: Any) -> str | None:
    if value is None or value == "":
        return None
    day = moments.parse_date(value) if isinstance(value, str) else None
    if day is None:
        raise unreadable("date", value)
    return day.isoformat()


def _datetime(value: Any) -> str | None:
    if value is None or value == "":
        return None
    moment = moments.parse_datetime(value) if isinstance(value, str) else None
    if moment is None:
        raise unreadable("datetime", value)
    return moments.kept(moment)


def _reference(field: Field, value: Any) -> str | None:
    if value is None or value == "":
        return None
    whole = ids.to_18(value)
    if whole is None:
        raise RowRefused("MALFORMED_ID", f"{field.label}: id value of incorrect type: {value}", [field.name])
    return whole


def writer(field: Field) -> Callable[[Any], Any] | None:
    """A function from what is kept to what a response shows, or None when they are the same."""
    if field.type == "boolean":
        return bool
    if field.type == "anyType":  # kept as JSON, because each row may have another type
        return lambda value: None if value is None else orjson.loads(value)
    if field.type == "datetime":
        return lambda value: None if value is None else moments.shown(value)
    if field.type in NUMBERS and field.type != "int":
        return lambda value: None if value is None else float(value)
    return None


READ_BY_FIELD: dict[str, Callable[[Field, Any], Any]] = {
    "boolean": _boolean,
    "reference": _reference,
    "id": _reference,
    "email": _email,
}


def address_parts(field: Field) -> dict[str, str]:
    """The column behind each key of an address, as Salesforce names the keys."""
    start = field.name.removesuffix("Address")
    keys = ("City", "Country", "GeocodeAccuracy", "Latitude", "Longitude", "PostalCode", "State", "Street")
    return {key[0].lower() + key[1:]: start + key for key in keys}
