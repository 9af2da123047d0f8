"""How likely two records are one person: ranks of suggestions, and the words beside them."""

from __future__ import annotations

from collections.abc import Mapping

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


def _levels(one: Mapping[str, str | None], other: Mapping[str, str | None]) -> pl.DataFrame:
    schema = {name: pl.String() for name in (*ANNA, "mobile_phone", "website", "city")}
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


@pytest.mark.parametrize(
    ("one", "other", "says"),
    [
        ({"city": "Köln"}, {"city": "KÖLN"}, "the same city"),
        ({"city": "Bradford"}, {"city": "Brddfora"}, "nearly the same city"),
        ({"city": "Bonn"}, {"city": "Köln"}, "different cities"),
        ({"last_name": "Florence"}, {"last_name": "Forcnee"}, "different names"),
        (
            {"last_name": "Jackson"},
            {"last_name": "Jakcsno"},
            "a word of the name in common but for two letters",
        ),
        ({"last_name": "Lee"}, {"last_name": "Ley"}, "different names"),
    ],
)
def test_slips_of_the_keyboard_are_told_from_other_words(
    one: dict[str, str | None], other: dict[str, str | None], says: str
) -> None:
    agree, differ = reasons(_levels(one, other).row(0, named=True))
    assert [*agree, *differ] == [says]


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
