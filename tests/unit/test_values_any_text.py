"""No text makes a cleaner fail, and a long column reads as a short one does."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mapping.lead import FieldType
from mapping.values import Cleaned, Reading, ValueMap, clean

WORDS = ValueMap("words", {"a": {"hubspot": ["A", "1"]}, "b": {"hubspot": ["b;c"]}})
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
    many = read(kind, pl.Series(texts * 40, dtype=pl.String()), decimal_comma)
    assert few.values.to_list() * 40 == many.values.to_list()
    assert few.unreadable.to_list() * 40 == many.unreadable.to_list()
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
