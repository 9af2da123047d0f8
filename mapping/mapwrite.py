"""From the common lead to a CRM's words: column expressions, and where a CRM has no word."""

from __future__ import annotations

import polars as pl

from mapping.lead import FieldType
from mapping.mapread import Source
from mapping.values.countries import country_names

_LIKE_THOUSANDS = r"^(-?[0-9]{1,3}\.[0-9]{3})$"
_NOTHING = pl.lit(None, dtype=pl.String)


def in_crm_words(source: Source, crm: str, column: str) -> pl.Expr:
    """The CRM's text for a typed column: null where the value is null or the CRM has no word for it.

    Booleans are ``true``/``false``, numbers plain decimals without idle zeros, days ``YYYY-MM-DD`` and times
    ISO 8601 in UTC (HubSpot reference, section 6.1; Salesforce reference, section 2).
    """
    value = pl.col(column)
    match source.field.type:
        case FieldType.CHOICE:
            return _by_words(value, source, crm)
        case FieldType.BOOLEAN:
            text = value.cast(pl.String)
            return text if source.values is None else _by_words(text, source, crm)
        case FieldType.MONEY | FieldType.NUMBER:
            plain = value.cast(pl.String).str.strip_chars_end("0").str.strip_chars_end(".")
            # Where a point groups thousands, "1.234" would be read back as 1234; "1.2340" cannot be.
            return plain.str.replace(_LIKE_THOUSANDS, "${1}0") if source.decimal_comma else plain
        case FieldType.INTEGER:
            return value.cast(pl.String)
        case FieldType.DATE:
            return value.dt.strftime("%Y-%m-%d")
        case FieldType.DATETIME:
            return value.dt.strftime("%Y-%m-%dT%H:%M:%SZ")
        case FieldType.COUNTRY:
            names = country_names(source.country_as)
            return _replaced(value, list(names), list(names.values()))
        case FieldType.TEXT if source.values is not None and source.values.said(crm):
            said = source.values.said(crm)
            return value.replace(list(said), list(said.values()))
        case _:
            return value


def has_no_word(source: Source, crm: str, column: str) -> pl.Expr:
    """True where there is a value and ``in_crm_words`` gives nothing."""
    mapped = source.field.type is FieldType.BOOLEAN and source.values is not None
    if mapped or source.field.type in (FieldType.CHOICE, FieldType.COUNTRY):
        return pl.col(column).is_not_null() & in_crm_words(source, crm, column).is_null()
    return pl.lit(False)


def currency_differs(column: str, currency: str, default: str | None) -> pl.Expr:
    """True where an amount is known to be in another currency than ``default``; False without a default."""
    if default is None:
        return pl.lit(False)
    return pl.col(column).is_not_null() & pl.col(currency).ne(default).fill_null(False)


def _by_words(value: pl.Expr, source: Source, crm: str) -> pl.Expr:
    said = source.values.said(crm) if source.values is not None else {}
    return _replaced(value, list(said), list(said.values()))


def _replaced(value: pl.Expr, old: list[str], new: list[str]) -> pl.Expr:
    if not old:
        return pl.when(value.is_null()).then(_NOTHING).otherwise(_NOTHING)
    return value.replace_strict(old, new, default=None, return_dtype=pl.String())
