"""Cleaning numbers and money: plain decimals as a CRM's API sends them, and what people type.

How a separator is read, with ``decimal_comma``:

- None (the default): the text comes from an API or says by itself what it means. ``1234.5`` and ``1.234`` are
  plain decimals and never ambiguous. ``25.000.000`` and ``25,000,000.50`` can only be read one way. One
  separator before exactly three digits is thousands where decimals make no sense (``€ 1.000``, a number of
  employees ``1,200``), else a problem (``1,234`` as a number, ``1.234 Mio``).
- True: a comma is the decimal sign, a point groups thousands: ``1.234`` is 1234 and ``1,234`` is 1.234.
- False: a point is the decimal sign, a comma groups thousands.

In every setting a separator that cannot group thousands (``1234.5``, ``2,5``) is the decimal sign.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from functools import lru_cache, partial

import polars as pl

from mapping.lead import FieldType, dtype_of
from mapping.values.cells import STILL_FEW, Cleaned, Problem, read_each, read_unsure
from mapping.values.text import fold_text

_CENT = Decimal("0.01")
_TEN_THOUSANDTH = Decimal("0.0001")
_MOST_DIGITS = Decimal(10) ** 16  # Decimal(18, 2) holds 16 digits before the point
_MOST_NUMBER = Decimal(10) ** 14  # Decimal(18, 4) holds 14
_MOST_INTEGER = 2**63

_SURE_MONEY = r"^-?[0-9]{1,15}(?:\.[0-9]{1,2}0*)?$"
_SURE_NUMBER = r"^-?[0-9]{1,13}(?:\.[0-9]{1,4}0*)?$"
_SURE_INTEGER = r"^-?[0-9]{1,18}(?:\.0+)?$"
#: Where a point may group thousands, a lone one before three digits is not sure.
_GROUPED = r"^-?[0-9]{1,3}\.[0-9]{3}$"

_SCIENTIFIC = re.compile(r"^[+-]?\d+(?:\.\d+)?[eE][+-]?\d{1,3}$")
_PLAIN = re.compile(r"^[+-]?(?:\d+\.?\d*|\.\d+)$")
_BODY = re.compile(r"^(?P<sign>[+-]?)(?P<digits>[\d.,' ]*\d)$", re.ASCII)
_TAIL = re.compile(r"[.,][-–—]{1,2}$")

_CODES = (
    "AED ARS AUD BGN BRL CAD CHF CLP CNY COP CZK DKK EGP EUR GBP HKD HRK HUF IDR ILS INR ISK JPY KRW "
    "KWD MAD MXN MYR NOK NZD PEN PHP PLN QAR RON RSD RUB SAR SEK SGD THB TRY TWD UAH USD VND ZAR"
)
_CURRENCIES = frozenset(_CODES.split())
_SIGNS = {
    "€": "EUR",
    "EURO": "EUR",
    "EUROS": "EUR",
    "£": "GBP",
    "$": "USD",
    "US$": "USD",
    "SFR": "CHF",
    "SFR.": "CHF",
    "FR.": "CHF",
    "¥": "JPY",
    "ZŁ": "PLN",
    "KČ": "CZK",
    "₹": "INR",
    "₺": "TRY",
    "₽": "RUB",
    "₩": "KRW",
    "A$": "AUD",
    "C$": "CAD",
    **{code: code for code in _CURRENCIES},
}
_SCALES = {
    **dict.fromkeys(("K", "T", "TSD", "TSD.", "TAUSEND", "THOUSAND", "MILLE"), 10**3),
    **dict.fromkeys(
        ("M", "MM", "MN", "MIO", "MIO.", "MILL.", "MILLION", "MILLIONS", "MILLIONEN", "MILLIONES"), 10**6
    ),
    **dict.fromkeys(("BN", "BN.", "MRD", "MRD.", "MILLIARDE", "MILLIARDEN", "MILLIARD", "MILLIARDS"), 10**9),
}
_WORD = re.compile(r"[^\d\s.,'+-][^\d\s,'+]*")


@dataclass(frozen=True, slots=True)
class _Parts:
    """A typed amount taken apart: what is left of the digits, the scale and the currency, if any."""

    body: str
    scale: int = 1
    currency: str | None = None


def _take_apart(text: str) -> _Parts | None:
    """Digits, scale word and currency of a text; None where it holds a word that is neither."""
    scale, currency = 1, None
    rest = text.replace("−", "-").replace("’", "'").replace("T€", " T €").replace("k€", " k €")
    for found in _WORD.findall(rest):
        word = found.upper()
        if word in _SIGNS and currency is None:
            currency = _SIGNS[word]
        elif word in _SCALES and scale == 1:
            scale = _SCALES[word]
        else:
            split = _split_word(word)
            if split is None or (scale != 1 or currency is not None):
                return None
            scale, currency = split
    body = _WORD.sub(" ", rest)
    return _Parts(_TAIL.sub("", " ".join(body.split())), scale, currency)


def _split_word(word: str) -> tuple[int, str] | None:
    """A scale glued to a currency, as in ``MIO€`` or ``MEUR``."""
    for sign, code in _SIGNS.items():
        if word.endswith(sign) and word[: -len(sign)] in _SCALES:
            return _SCALES[word[: -len(sign)]], code
    return None


def _separated(digits: str, *, comma: bool | None, whole: bool) -> Decimal | Problem:
    """Read digits with separators; ``whole``: three digits after a lone separator cannot be decimals."""
    for gap in ("'", " "):
        if gap in digits:
            if not re.fullmatch(rf"\d{{1,3}}(?:{gap}\d{{3}})+(?:[.,]\d+)?", digits):
                return Problem.NOT_A_NUMBER
            digits = digits.replace(gap, "")
            # A gap already groups the thousands, so whatever sign is left is the decimal sign.
            return Decimal(digits.replace(",", "."))
    points, commas = digits.count("."), digits.count(",")
    if points + commas == 0:
        return Decimal(digits)
    if points and commas:
        decimal = "," if digits.rfind(",") > digits.rfind(".") else "."
        return _grouped(digits, "." if decimal == "," else ",", decimal)
    sign = "." if points else ","
    if points + commas > 1:
        return _grouped(digits, sign, None)
    if not re.fullmatch(r"[1-9]\d{0,2}[.,]\d{3}", digits):
        return Decimal(digits.replace(",", "."))
    if comma is None and not whole:
        return Problem.AMBIGUOUS_NUMBER
    groups = True if comma is None else comma == (sign == ".")
    return _grouped(digits, sign, None) if groups else Decimal(digits.replace(",", "."))


def _grouped(digits: str, group: str, decimal: str | None) -> Decimal | Problem:
    ending = rf"(?:{re.escape(decimal)}\d+)?" if decimal else ""
    if not re.fullmatch(rf"\d{{1,3}}(?:{re.escape(group)}\d{{3}})+{ending}", digits):
        return Problem.NOT_A_NUMBER
    plain = digits.replace(group, "")
    return Decimal(plain.replace(decimal, ".") if decimal else plain)


@lru_cache(maxsize=65_536)
def read_amount(
    text: str, *, decimal_comma: bool | None, whole: bool, words: bool
) -> tuple[Decimal, str | None] | Problem | None:
    """The exact number in a text, and its currency where the text names one.

    ``whole``: a lone separator before three digits groups thousands when ``decimal_comma`` is None.
    ``words``: scales and currencies may stand beside the digits.
    """
    folded = fold_text(text)
    if folded is None:
        return None
    if _SCIENTIFIC.match(folded) or (_PLAIN.match(folded) and not (decimal_comma and _is_grouped(folded))):
        return Decimal(folded), None
    parts = _take_apart(folded) if words else _Parts(folded.replace("−", "-"))
    matched = _BODY.match(parts.body.replace("- ", "-")) if parts else None
    if parts is None or matched is None:
        return Problem.NOT_A_NUMBER
    may_group = whole and parts.scale == 1
    number = _separated(matched["digits"].strip(), comma=decimal_comma, whole=may_group)
    if isinstance(number, Problem):
        return number
    scaled = number * parts.scale
    return (-scaled if matched["sign"] == "-" else scaled), parts.currency


def _is_grouped(text: str) -> bool:
    return re.fullmatch(r"[+-]?[1-9]\d{0,2}\.\d{3}", text) is not None


def _read_money(text: str, *, decimal_comma: bool | None) -> Decimal | Problem | None:
    got = read_amount(text, decimal_comma=decimal_comma, whole=True, words=True)
    if isinstance(got, Problem):
        return Problem.NOT_AN_AMOUNT if got is Problem.NOT_A_NUMBER else got
    return None if got is None else _fit(got[0], _CENT, _MOST_DIGITS)


def _read_currency(text: str, *, decimal_comma: bool | None) -> str | None:
    """The currency that a text names, also where its digits can be read in two ways."""
    got = read_amount(text, decimal_comma=decimal_comma, whole=True, words=True)
    if isinstance(got, Problem):
        got = read_amount(text, decimal_comma=True, whole=True, words=True)
    return got[1] if isinstance(got, tuple) else None


def _read_number(text: str, *, decimal_comma: bool | None) -> Decimal | Problem | None:
    got = read_amount(text, decimal_comma=decimal_comma, whole=False, words=False)
    return _fit(got[0], _TEN_THOUSANDTH, _MOST_NUMBER) if isinstance(got, tuple) else got


def _read_integer(text: str, *, decimal_comma: bool | None) -> int | Problem | None:
    got = read_amount(text, decimal_comma=decimal_comma, whole=True, words=False)
    if not isinstance(got, tuple):
        return got
    if abs(got[0]) >= _MOST_INTEGER:
        return Problem.TOO_LARGE
    return int(got[0]) if got[0] == got[0].to_integral_value() else Problem.NOT_WHOLE


def _fit(number: Decimal, step: Decimal, limit: Decimal) -> Decimal | Problem:
    if abs(number) >= limit:
        return Problem.TOO_LARGE
    rounded = number.quantize(step, rounding=ROUND_HALF_EVEN)
    return Problem.TOO_LARGE if abs(rounded) >= limit else rounded


def clean_money(column: pl.Series, *, decimal_comma: bool | None = None) -> tuple[Cleaned, pl.Series]:
    """Amounts with two places, and the ISO 4217 code that the text itself names (null where it names none).

    More places are rounded half to even. Scales (Mio, Tsd, k, bn) are applied.
    """
    read = partial(_read_money, decimal_comma=decimal_comma)
    # Asked in the same way as for the amount, each text is taken apart once for both.
    read_currency = partial(_read_currency, decimal_comma=decimal_comma)
    if len(column) <= STILL_FEW:
        codes = read_each(column, read_currency, pl.String())
        return read_each(column, read, dtype_of(FieldType.MONEY)), codes.values
    sure = _sure(column, _SURE_MONEY, decimal_comma)
    done = _cast(column, sure, FieldType.MONEY)
    no_code = pl.repeat(None, len(column), dtype=pl.String(), eager=True)
    if sure.all():
        return Cleaned(done), no_code
    cleaned = read_unsure(column, done, ~sure, read)
    return cleaned, read_unsure(column, no_code, ~sure, read_currency).values


def clean_number(column: pl.Series, *, decimal_comma: bool | None = None) -> Cleaned:
    """Numbers with four places, rounded half to even."""
    read = partial(_read_number, decimal_comma=decimal_comma)
    if len(column) <= STILL_FEW:
        return read_each(column, read, dtype_of(FieldType.NUMBER))
    sure = _sure(column, _SURE_NUMBER, decimal_comma)
    done = _cast(column, sure, FieldType.NUMBER)
    return read_unsure(column, done, ~sure, read)


def clean_integer(column: pl.Series, *, decimal_comma: bool | None = None) -> Cleaned:
    """Whole numbers; ``12.0`` is 12, ``12.5`` is a problem."""
    read = partial(_read_integer, decimal_comma=decimal_comma)
    if len(column) <= STILL_FEW:
        return read_each(column, read, pl.Int64())
    sure = _sure(column, _SURE_INTEGER, decimal_comma)
    whole = column.str.replace(r"\.0+$", "") if column.str.contains(".", literal=True).any() else column
    done = whole.zip_with(sure.fill_null(False), pl.Series([None], dtype=pl.String()))
    done = done.cast(pl.Int64(), strict=False)
    return read_unsure(column, done, ~sure, read)


def _sure(column: pl.Series, pattern: str, decimal_comma: bool | None) -> pl.Series:
    sure = column.str.contains(pattern)
    return sure & ~column.str.contains(_GROUPED) if decimal_comma else sure


def _cast(column: pl.Series, sure: pl.Series, kind: FieldType) -> pl.Series:
    known = column.zip_with(sure.fill_null(False), pl.Series([None], dtype=pl.String()))
    return known.cast(dtype_of(kind), strict=False)
