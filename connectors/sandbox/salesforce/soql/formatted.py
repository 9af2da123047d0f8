"""``FORMAT(field)``: a value as a person reads it; the sandbox's users have the locale en_US and live in UTC."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

from connectors.sandbox.salesforce.moments import moment_of
from connectors.sandbox.salesforce.schema import NUMBERS, Field


def formatter(field: Field) -> Callable[[Any], Any]:
    """A function from what is kept to what a person reads; None stays None."""
    work = _number if field.type in NUMBERS else {"date": _date, "datetime": _datetime}.get(field.type)
    if work is None:
        return lambda value: value
    return lambda value: None if value is None else work(field, value)


def _number(field: Field, value: Any) -> str:
    text = f"{value:,.{field.scale}f}"
    return f"${text}" if field.type == "currency" else f"{text}%" if field.type == "percent" else text


def _date(_field: Field, value: Any) -> str:
    day = date.fromisoformat(value)
    return f"{day.month}/{day.day}/{day.year}"


def _datetime(_field: Field, value: Any) -> str:
    moment = moment_of(value)
    return f"{_date(_field, value[:10])}, {moment.hour % 12 or 12}:{moment:%M %p}"
