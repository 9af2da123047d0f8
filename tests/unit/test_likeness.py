"""How likely two records are one person: ranks of suggestions, and the words beside them."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mapping.identity import keys
from mapping.likeness import COMPARED, LEVELS, levels, likeness, reasons

ANNA = {
    "email": "anna@sommer.de",
    "first_name": "Anna",
    "last_name": "Sommer",
    "company": "Sommer GmbH",
    "phone": "+493012345678",
}


def _levels(one: dict[str, str | None], other: dict[str, str | None]) -> pl.DataFrame:
    schema = {name: pl.String() for name in (*ANNA, "mobile_phone", "website")}
    both = keys(pl.DataFrame([one, other], schema=schema)).select(*COMPARED)
    return levels(pl.concat([both[:1], both[1:].rename(lambda name: name + "_s")], how="horizontal"))


def _likeness(one: dict[str, str | None], other: dict[str, str | None]) -> float:
    return float(likeness(_levels(one, other)).item())


@pytest.mark.parametrize(
    ("nearer", "farther"),
    [
        (ANNA, {**ANNA, "phone": "+4940999999"}),
        ({**ANNA, "phone": None}, {**ANNA, "phone": "+4940999999"}),
        ({**ANNA, "email": "ana@sommer.de"}, {**ANNA, "email": "bernd@winter.example"}),
        ({**ANNA, "first_name": "Ana"}, {**ANNA, "first_name": "Bernd", "last_name": "Winter"}),
        ({**ANNA, "first_name": "Hanna-Lena"}, {**ANNA, "first_name": "Bernd", "last_name": "Winter"}),
        ({**ANNA, "company": "Sommer"}, {**ANNA, "company": "Winter AG"}),
    ],
)
def test_the_record_that_agrees_more_comes_first(
    nearer: dict[str, str | None], farther: dict[str, str | None]
) -> None:
    assert _likeness(ANNA, nearer) > _likeness(ANNA, farther)


def test_a_shared_address_says_less_than_a_persons_own() -> None:
    own = _likeness({"email": "anna@sommer.example"}, {"email": "anna@sommer.example"})
    shared = _likeness({"email": "info@sommer.example"}, {"email": "info@sommer.example"})
    assert shared < own


def test_nothing_known_on_a_side_says_nothing() -> None:
    assert _levels(ANNA, {}).row(0) == (None,) * len(LEVELS)


def test_reasons_are_words_for_what_agrees_and_what_differs() -> None:
    agree, differ = reasons(_levels(ANNA, {**ANNA, "company": "Winter AG"}).row(0, named=True))
    assert agree == [
        "the same e-mail address",
        "the same name",
        "the same telephone number",
        "the same company domain",
    ]
    assert differ == ["different companies"]


@pytest.mark.parametrize("name", LEVELS)
def test_the_levels_of_a_comparison_get_less_likely_and_those_that_agree_speak_for_one_person(
    name: str,
) -> None:
    plain = [level for level in LEVELS[name] if "shared" not in level.says]
    ratios = [level.m / level.u for level in plain]
    assert ratios == sorted(ratios, reverse=True)
    assert ratios[-1] < 1 < ratios[0]


_word = st.sampled_from(["anna", "berta", "anan", "a", "sommer", "sommr", "winter"])
_record = st.fixed_dictionaries(
    {
        "email": st.none() | _word.map(lambda word: f"{word}@shop.example"),
        "first_name": st.none() | _word,
        "last_name": st.none() | _word,
        "company": st.none() | _word,
        "phone": st.none() | st.sampled_from(["+4930111111", "+4930222222"]),
    }
)


@given(_record, _record)
def test_likeness_is_a_probability_and_the_same_from_either_side(
    one: dict[str, str | None], other: dict[str, str | None]
) -> None:
    found = _likeness(one, other)
    assert 0 <= found <= 1
    assert found == pytest.approx(_likeness(other, one))
