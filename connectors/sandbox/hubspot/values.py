"""Property values as they are written: checked by type and brought to the text that is kept.

HubSpot reference, section 6.1.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from connectors.sandbox.hubspot.account import OWNERS
from connectors.sandbox.hubspot.definitions import Properties, Property
from connectors.sandbox.hubspot.errors import Problem
from connectors.sandbox.hubspot.moments import DAY_MS, is_kept, kept, read_moment

LONGEST = 65_536
#: Types of which the same few short words are written again and again, and so many of them are known as they are kept.
_FEW = frozenset({"enumeration", "number", "bool"})
_MOST_TAKEN, _SHORT = 4_096, 100
_EMAIL = re.compile(r"[^@\s,;<>()]+@[^@\s,;<>()]+\.[^@\s,;<>().]{2,}")
_NOT_DIGITS = re.compile(r"\D")


class BadValue(Exception):
    """A value HubSpot would not store: the error code and its text."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


def written(value: Any) -> str:
    """A JSON value as the text HubSpot keeps; numbers and booleans are taken as their text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else str(value)


def check(
    properties: Properties, given: Mapping[str, Any], *, by_person: bool = False
) -> tuple[dict[str, str], list[Problem]]:
    """Values ready to keep (an empty text clears) and what was wrong with the others.

    ``by_person`` lets read-only properties through, for what people did and HubSpot computed.
    """
    good: dict[str, str] = {}
    problems: list[Problem] = []
    as_given, taken = properties.as_given, properties.taken
    for name, value in given.items():
        # Most of what a large batch writes, asked first.
        if type(value) is str:
            if name in as_given and len(value) <= LONGEST and not value.isspace():
                good[name] = value
                continue
            if (known := taken.get((name, value))) is not None:
                good[name] = known
                continue
        found = properties.get(name)
        if found is None:
            problems.append(Problem(name, "PROPERTY_DOESNT_EXIST", f'Property "{name}" does not exist'))
        elif found.read_only and not by_person:
            text = f'"{name}" is a read only property; its value cannot be set.'
            problems.append(Problem(name, "READ_ONLY_VALUE", text))
        else:
            try:
                text = good[name] = normal(found, written(value))
            except BadValue as bad:
                problems.append(Problem(name, bad.code, bad.message))
            else:
                if type(value) is str and _comes_again(found, value) and len(taken) < _MOST_TAKEN:
                    taken[name, value] = text
    return good, problems


def _comes_again(found: Property, value: str) -> bool:
    # A read-only property is not for everybody, so that each write of it is looked at.
    return found.type in _FEW and not found.read_only and len(value) <= _SHORT


def normal(found: Property, text: str) -> str:
    """The text that is kept for ``text``; an empty one stays empty. Raises BadValue."""
    if not text or text.isspace():
        return ""
    if found.name == "email":
        return email(text)
    if found.name == "hs_additional_emails":
        return ";".join(dict.fromkeys(email(part) for part in text.split(";") if part.strip()))
    if found.name == "hubspot_owner_id":
        return owner(text)
    return _BY_TYPE.get(found.type, _text)(found, text)


def email(text: str) -> str:
    """An address in lower case. Raises BadValue."""
    address = text.strip().lower()
    if len(address) > 254 or not _EMAIL.fullmatch(address):
        raise BadValue("INVALID_EMAIL", f"Email address {text} is invalid")
    return address


def owner(text: str) -> str:
    """An owner id; a user id names nobody here (HubSpot reference, section 6.3). Raises BadValue."""
    if all(text.strip() != str(o.id) for o in OWNERS):
        raise BadValue("INVALID_OPTION", f"{text} was not one of the allowed options: owner ids")
    return text.strip()


def _text(_: Property, text: str) -> str:
    if len(text) > LONGEST:
        # The reference gives the length, not the code (HubSpot reference, section 6.1); the code is ours.
        raise BadValue("PROPERTY_VALUE_TOO_LONG", f"The value is longer than {LONGEST} characters")
    return text


def _number(_: Property, text: str) -> str:
    if text.isdecimal() and text.isascii():
        return text
    try:
        finite = Decimal(text.strip()).is_finite() and "_" not in text
    except InvalidOperation:
        finite = False
    if not finite:
        raise BadValue("INVALID_INTEGER", f"{text} was not a valid number.")
    return text.strip()


def _bool(_: Property, text: str) -> str:
    if text.strip().lower() not in ("true", "false"):
        raise BadValue("INVALID_OPTION", f"{text} was not one of the allowed options: [true, false]")
    return text.strip().lower()


def _datetime(_: Property, text: str) -> str:
    if is_kept(text):
        return text
    ms = read_moment(text)
    if ms is None:
        raise BadValue("INVALID_LONG", f"{text} was not a valid long.")
    return kept(ms)


def _date(_: Property, text: str) -> str:
    ms = read_moment(text)
    if ms is None:
        raise BadValue("INVALID_DATE", f"{text} was not a valid date.")
    if ms % DAY_MS:
        raise BadValue("INVALID_DATE", f"{text} is at {kept(ms)[11:23]} UTC, not midnight!")
    return kept(ms)[:10]


def _enumeration(found: Property, text: str) -> str:
    if found.external:
        return text
    parts = text.split(";") if found.many else [text]
    for part in parts:
        # A leading semicolon means "add to what is there" (HubSpot reference, section 6.1).
        if part and part not in found.options:
            allowed = ", ".join(found.options)
            raise BadValue("INVALID_OPTION", f"{part} was not one of the allowed options: [{allowed}]")
    return text


_BY_TYPE: dict[str, Callable[[Property, str], str]] = {
    "number": _number,
    "bool": _bool,
    "datetime": _datetime,
    "date": _date,
    "enumeration": _enumeration,
}


def appended(before: str | None, text: str) -> str:
    """The set a multi-checkbox holds after ``text``; a leading ``;`` adds to ``before``."""
    parts = (before or "").split(";") if text.startswith(";") else []
    return ";".join(dict.fromkeys(part for part in (*parts, *text.split(";")) if part))


def without_calling_code(phone: str) -> str:
    """The digits a phone search looks at: no country code when the number starts with ``+``.

    HubSpot reference, section 4.4.
    """
    digits = _NOT_DIGITS.sub("", phone)
    if not phone.strip().startswith("+") or not digits:
        return digits
    if digits[0] in "17":
        return digits[1:]
    return digits[2:] if digits[:2] in _TWO_DIGIT_CODES else digits[3:]


_TWO_DIGIT_RANGES = ((20, 20), (27, 27), (30, 36), (39, 49), (51, 58), (60, 66), (81, 98))
# Calling codes that start like this have three digits, although they lie in those ranges.
_THREE_DIGIT_STARTS = frozenset({35, 42, 83, 85, 87, 88, 89, 96, 97})
_TWO_DIGIT_CODES = frozenset(
    str(code)
    for first, last in _TWO_DIGIT_RANGES
    for code in range(first, last + 1)
    if code not in _THREE_DIGIT_STARTS
)
