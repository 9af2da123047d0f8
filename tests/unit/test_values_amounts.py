"""Numbers and money as an API sends them and as people type them."""

from __future__ import annotations

from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mapping.lead import FieldType
from mapping.values import Problem, Reading, clean
from mapping.values.amounts import clean_money
from mapping.values.cells import STILL_FEW

P = Problem
MANY = STILL_FEW + 1


def read_money(text: str, decimal_comma: bool | None = None) -> tuple[object, str | None]:
    """The amount (or its Problem) and the currency the text names; short and long columns must agree."""
    few, code = clean_money(pl.Series([text]), decimal_comma=decimal_comma)
    many, codes = clean_money(pl.Series([text] * MANY), decimal_comma=decimal_comma)
    assert many.values.to_list() == few.values.to_list() * MANY
    assert codes.to_list() == code.to_list() * MANY
    problem = None if few.problems is None else few.problems[0]
    assert problem == (None if many.problems is None else many.problems[MANY - 1])
    return (few.values[0] if problem is None else Problem(problem)), code[0]


@pytest.mark.parametrize(
    ("text", "value", "currency"),
    [
        ("25000000", "25000000.00", None),
        ("25000000.0", "25000000.00", None),
        ("1.234", "1.23", None),  # a plain decimal from an API
        ("0.005", "0.00", None),
        ("0.015", "0.02", None),
        ("-1234.5", "-1234.50", None),
        ("2.5E7", "25000000.00", None),
        ("25.000.000", "25000000.00", None),
        ("25,000,000.50", "25000000.50", None),
        ("25.000.000,50", "25000000.50", None),
        ("25 000 000", "25000000.00", None),
        ("25\u202f000\u202f000,5", "25000000.50", None),
        ("1'000'000.00 CHF", "1000000.00", "CHF"),
        ("1’000’000 Fr.", "1000000.00", "CHF"),
        ("€ 1.000", "1000.00", "EUR"),
        ("1.000,- €", "1000.00", "EUR"),
        ("USD 1,000", "1000.00", "USD"),
        ("1,234", "1234.00", None),
        ("1,5", "1.50", None),
        ("25 Mio", "25000000.00", None),
        ("2,5 Mio. €", "2500000.00", "EUR"),
        ("25M€", "25000000.00", "EUR"),
        ("1.2 bn USD", "1200000000.00", "USD"),
        ("T€ 250", "250000.00", "EUR"),
        ("250 Tsd. Euro", "250000.00", "EUR"),
        ("− 5,50 €", "-5.50", "EUR"),
        ("٢٥", "25.00", None),
    ],
)
def test_an_amount_is_read_exactly(text: str, value: str, currency: str | None) -> None:
    assert read_money(text) == (Decimal(value), currency)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("n/a", P.NOT_AN_AMOUNT),
        ("10-50 Mio", P.NOT_AN_AMOUNT),
        ("> 25 Mio", P.NOT_AN_AMOUNT),
        ("ca. 5 Mio", P.NOT_AN_AMOUNT),
        ("1.2.3", P.NOT_AN_AMOUNT),
        ("1.000.00", P.NOT_AN_AMOUNT),
        ("12 EUR USD", P.NOT_AN_AMOUNT),
        ("EUR", P.NOT_AN_AMOUNT),
        ("NaN", P.NOT_AN_AMOUNT),
        ("Infinity", P.NOT_AN_AMOUNT),
        ("1.234 Mio", P.AMBIGUOUS_NUMBER),
        ("99999999999999999", P.TOO_LARGE),
        ("9999999999999999.999", P.TOO_LARGE),
        ("1e999", P.TOO_LARGE),
    ],
)
def test_what_is_no_amount_is_a_problem_and_not_a_blank(text: str, problem: Problem) -> None:
    assert read_money(text) == (problem, None)


@pytest.mark.parametrize(
    ("text", "decimal_comma", "value"),
    [
        ("1.234", None, "1.23"),
        ("1.234", True, "1234.00"),
        ("1.234", False, "1.23"),
        ("1,234", True, "1.23"),
        ("1,234", False, "1234.00"),
        ("1234.5", True, "1234.50"),
        ("25000000.0", True, "25000000.00"),
        ("0.500", True, "0.50"),
        ("25.000", True, "25000.00"),
        ("1.234 Mio", True, "1234000000.00"),
        ("1,234 Mio", True, "1234000.00"),
        ("1.234 Mio", False, "1234000.00"),
    ],
)
def test_decimal_comma_settles_one_separator_before_three_digits(
    text: str, decimal_comma: bool | None, value: str
) -> None:
    assert read_money(text, decimal_comma)[0] == Decimal(value)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (FieldType.INTEGER, "12", 12),
        (FieldType.INTEGER, "12.0", 12),
        (FieldType.INTEGER, "-3", -3),
        (FieldType.INTEGER, "007", 7),
        (FieldType.INTEGER, "1,200", 1200),
        (FieldType.INTEGER, "1'200", 1200),
        (FieldType.INTEGER, "1.2E3", 1200),
        (FieldType.INTEGER, " ", None),
        (FieldType.INTEGER, "12.5", P.NOT_WHOLE),
        (FieldType.INTEGER, "11-50", P.NOT_A_NUMBER),
        (FieldType.INTEGER, "200 Mitarbeiter", P.NOT_A_NUMBER),
        (FieldType.INTEGER, "9223372036854775808", P.TOO_LARGE),
        (FieldType.INTEGER, "9223372036854775807", 9223372036854775807),
        (FieldType.INTEGER, "1e400", P.TOO_LARGE),
        (FieldType.NUMBER, "0.1", Decimal("0.1000")),
        (FieldType.NUMBER, "12.34565", Decimal("12.3456")),
        (FieldType.NUMBER, "1,5", Decimal("1.5000")),
        (FieldType.NUMBER, "1e-3", Decimal("0.0010")),
        (FieldType.NUMBER, "1,234", P.AMBIGUOUS_NUMBER),
        (FieldType.NUMBER, "100000000000000", P.TOO_LARGE),
        (FieldType.NUMBER, "abc", P.NOT_A_NUMBER),
    ],
)
@pytest.mark.parametrize("height", [1, 50])
def test_numbers_are_read_or_named_as_problems(
    kind: FieldType, text: str, value: object, height: int
) -> None:
    cleaned = clean(kind, pl.Series([text] * height), Reading())
    problem = None if cleaned.problems is None else cleaned.problems[height - 1]
    assert (cleaned.values[height - 1] if problem is None else Problem(problem)) == value


@given(st.decimals(min_value=-(10**15), max_value=10**15, places=2, allow_nan=False))
def test_german_and_english_spellings_mean_the_same_amount(amount: Decimal) -> None:
    english = f"{amount:,.2f}"
    german = english.translate(str.maketrans(",.", ".,"))
    assert read_money(english, False)[0] == amount
    assert read_money(german, True)[0] == amount
    assert read_money(f"{amount:f}")[0] == amount
