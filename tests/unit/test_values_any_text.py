"""No text makes a cleaner fail, and a long column reads as a short one does."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mapping.lead import FieldType
from mapping.values import Cleaned, Reading, ValueMap, clean
from mapping.values.cells import STILL_FEW

WORDS = ValueMap("words", {"a": {"hubspot": ["A", "1"]}, "b": {"hubspot": ["b;c"]}})
MANY = STILL_FEW + 1
HOW = Reading(crm="hubspot", values=None, default_region="DE")
SAVOURY = st.text(alphabet="0123456789.,-+/:@ €TZabcMio()'\u0660\u0661\u00a0\u0301ßüÄ", max_size=20)
TEXTS = st.lists(st.none() | SAVOURY | st.text(max_size=25), min_size=1, max_size=8)


def read(kind: FieldType, column: pl.Series, decimal_comma: bool | None) -> Cleaned:
    values = WORDS if kind is FieldType.CHOICE else None
    return clean(kind, column, Reading("hubspot", values, None, "DE", decimal_comma))


@pytest.mark.parametrize("kind", list(FieldType))
@settings(max_examples=30, deadline=None)
@given(texts=TEXTS, decimal_comma=st.sampled_from([None, True, False]))
def test_any_text_is_a_value_a_blank_or_a_problem(
    kind: FieldType, texts: list[str | None], decimal_comma: bool | None
) -> None:
    few = read(kind, pl.Series(texts, dtype=pl.String()), decimal_comma)
    many = read(kind, pl.Series(texts * MANY, dtype=pl.String()), decimal_comma)
    assert few.values.to_list() * MANY == many.values.to_list()
    assert few.unreadable.to_list() * MANY == many.unreadable.to_list()
    for text, value, unreadable in zip(texts, few.values, few.unreadable, strict=True):
        assert not (unreadable and value is not None)
        if text is None:
            assert value is None
            assert not unreadable
        elif value is None and any(letter.isalnum() for letter in text):
            assert unreadable


@pytest.mark.parametrize(
    "kind", [FieldType.TEXT, FieldType.EMAIL, FieldType.PHONE, FieldType.COUNTRY, FieldType.URL]
)
@settings(max_examples=30, deadline=None)
@given(texts=TEXTS)
def test_what_was_cleaned_is_clean(kind: FieldType, texts: list[str | None]) -> None:
    once = read(kind, pl.Series(texts, dtype=pl.String()), None).values
    again = read(kind, once, None)
    assert again.values.to_list() == once.to_list()
    assert not again.unreadable.any()


#: Numbers with a country's code, which no plan need know: those lose zeros when they are read.
NUMBERS = st.builds(
    "{}{}{}".format,
    st.sampled_from(["+", "00", "+49 (0)"]),
    *[st.from_regex(r"0{0,3}[1-9]\d{0,6}", fullmatch=True)] * 2,
)
WEB = st.lists(
    st.sampled_from(
        [
            "http://",
            "HTTPS://",
            "www.",
            "www.",
            "x.de",
            "Müller.de",
            "/",
            "//",
            ":443",
            ":8080",
            "?q=1",
            "#x",
            "A b",
            "%20",
        ]
    ),
    min_size=1,
    max_size=6,
).map("".join)


@settings(max_examples=300, deadline=None)
@given(number=NUMBERS, address=WEB)
@example(number="+49(0)0002126", address="www.www.mueller.de")
@example(number="+43 0093310840", address="//www.www.www.x.de/")
@example(number="+375808813239241", address="https://www.de")
def test_a_number_or_address_that_is_written_reads_as_itself(number: str, address: str) -> None:
    for kind, text in ((FieldType.PHONE, number), (FieldType.URL, address)):
        (once,) = read(kind, pl.Series([text]), None).values
        (again,) = read(kind, pl.Series([once], dtype=pl.String()), None).values
        assert again == once
