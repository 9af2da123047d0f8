"""Clean a column: e-mail, phone, country, money, dates, choices. One function for every field type."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import polars as pl

from mapping.lead import FieldType
from mapping.values.amounts import clean_integer, clean_money, clean_number
from mapping.values.cells import Cleaned, Problem
from mapping.values.countries import clean_country
from mapping.values.phones import clean_phone
from mapping.values.text import clean_text
from mapping.values.times import clean_date, clean_datetime
from mapping.values.web import clean_email, clean_url
from mapping.values.words import ValueMap, clean_boolean, clean_choice, clean_mapped_text

__all__ = ["Cleaned", "Problem", "Reading", "ValueMap", "clean", "clean_money"]


@dataclass(frozen=True, slots=True)
class Reading:
    """How the texts of one column are to be read.

    ``crm`` and ``values`` choose the words of a choice; ``regions`` (alpha-2) and ``default_region`` say where
    a telephone number without a country stands; ``decimal_comma`` is explained in ``mapping.values.amounts``;
    ``day_first`` gives the order of dates with slashes; ``lines`` keeps the line breaks of a text.
    """

    crm: str = ""
    values: ValueMap | None = None
    regions: pl.Series | None = None
    default_region: str | None = None
    decimal_comma: bool | None = None
    day_first: bool | None = None
    lines: bool = False


def _text(column: pl.Series, how: Reading) -> Cleaned:
    if how.values is not None:
        return clean_mapped_text(column, how.values, how.crm)
    return clean_text(column, lines=how.lines)


def _phone(column: pl.Series, how: Reading) -> Cleaned:
    return clean_phone(column, regions=how.regions, default_region=how.default_region)


_CLEANERS: Mapping[FieldType, Callable[[pl.Series, Reading], Cleaned]] = {
    FieldType.TEXT: _text,
    FieldType.EMAIL: lambda column, _: clean_email(column),
    FieldType.PHONE: _phone,
    FieldType.COUNTRY: lambda column, _: clean_country(column),
    FieldType.CHOICE: lambda column, how: clean_choice(column, how.values or ValueMap("none"), how.crm),
    FieldType.URL: lambda column, _: clean_url(column),
    FieldType.MONEY: lambda column, how: clean_money(column, decimal_comma=how.decimal_comma)[0],
    FieldType.INTEGER: lambda column, how: clean_integer(column, decimal_comma=how.decimal_comma),
    FieldType.NUMBER: lambda column, how: clean_number(column, decimal_comma=how.decimal_comma),
    FieldType.BOOLEAN: lambda column, how: clean_boolean(column, how.values, how.crm),
    FieldType.DATE: lambda column, how: clean_date(column, day_first=how.day_first),
    FieldType.DATETIME: lambda column, how: clean_datetime(column, day_first=how.day_first),
}


def clean(kind: FieldType, column: pl.Series, how: Reading) -> Cleaned:
    """Read a String column as ``kind``. Never raises for a value; the result has the column's length.

    A null and a text of white space are blanks: null, without a problem. A text that cannot be read is null
    with a problem. (The currency of money comes from ``clean_money``.)
    """
    return _CLEANERS[kind](column, how)
