"""Short cuts for usual names give what the long way gives: every word folded, in order."""

from __future__ import annotations

import re
import unicodedata

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mapping.identity import keys

_SPELLED = str.maketrans(
    {
        "ä": "ae",
        "ö": "oe",
        "ü": "ue",
        "ß": "ss",
        "å": "aa",
        "ø": "oe",
        "æ": "ae",
        "œ": "oe",
        "ł": "l",
        "ı": "i",
        "đ": "d",
    }
)
_LETTERS = st.text("abzäöüßåøéñçłıđœ\u0301\u0308\u030aÅΑбК", min_size=2, max_size=6)


def _long_way(name: str) -> str:
    folded = unicodedata.normalize("NFC", name.lower()).translate(_SPELLED)
    plain = re.sub("[\u0300-\u036f]", "", unicodedata.normalize("NFKD", folded))
    return " ".join(sorted(plain.split()))


@given(names=st.lists(st.lists(_LETTERS, min_size=1, max_size=4), min_size=1, max_size=6))
def test_words_are_folded_and_sorted_however_many_there_are(names: list[list[str]]) -> None:
    # "zz": no title and no placeholder, so that only folding and order are looked at.
    last = [" ".join(f"zz{word}" for word in words) for words in names]
    made = keys(pl.DataFrame({"last_name": last}))["_name_key"].to_list()
    assert made == [_long_way(name) for name in last]


@pytest.mark.parametrize(
    ("first", "last", "key"),
    [
        ("Anna", "Müller", "anna mueller"),
        ("Zoë", "Abel", "abel zoe"),
        ("Dr. Jürgen Karl", "von Böhm", "boehm juergen karl von"),
        ("Madonna", None, "madonna"),
        (None, None, None),
        ("unbekannt", "n/a", None),
        ("A\u030asa", "Øst", "aasa oest"),
        ("\u212bsa", "Öz", "aasa oez"),
    ],
)
def test_a_name_key_in_a_long_column_is_that_of_a_single_record(
    first: str | None, last: str | None, key: str | None
) -> None:
    names = {"first_name": [first] * 40, "last_name": [last] * 40}
    rows = pl.DataFrame(names, schema=dict.fromkeys(names, pl.String))
    assert set(keys(rows)["_name_key"]) == {key}
    assert keys(rows.head(1))["_name_key"].to_list() == [key]
