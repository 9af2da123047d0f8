"""Short cuts for usual names give what the long way gives: every word folded, in order."""

from __future__ import annotations

import re
import unicodedata

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mapping.identity import derive, keys, pairing_keys, same_company, same_name

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
    names = {"first_name": [first] * 100, "last_name": [last] * 100}
    rows = pl.DataFrame(names, schema=dict.fromkeys(names, pl.String))
    assert set(keys(rows)["_name_key"]) == {key}
    assert keys(rows.head(1))["_name_key"].to_list() == [key]


_FEW_RECORDS = st.fixed_dictionaries(
    {
        "email": st.sampled_from(
            [None, "Anna@B.de", "info@b.de", "INFO+x@b.de", "@b.de", "+a@b.de", "ΑΣ@b.gr", "a"]
        ),
        "first_name": st.none() | st.sampled_from(["", "n/a", "Dr. Jürgen"]) | _LETTERS,
        "last_name": st.none() | st.sampled_from(["", " ", "unbekannt"]) | _LETTERS,
        "company": st.none() | st.sampled_from(["", "S.p.A.", "Sommer & Söhne GmbH", "privat"]) | _LETTERS,
    }
)


@given(records=st.lists(_FEW_RECORDS, max_size=5))
def test_a_few_records_have_the_keys_that_they_have_among_many(records: list[dict[str, str | None]]) -> None:
    schema = dict.fromkeys(("email", "first_name", "last_name", "company"), pl.String)
    few = pl.DataFrame(records, schema=schema)
    many = pl.concat([few, pl.DataFrame({"email": [f"p{n}@b.de" for n in range(100)]})], how="diagonal")
    assert pairing_keys(few).equals(pairing_keys(many).head(len(records)))
    assert pairing_keys(few).schema == pairing_keys(many).schema
    narrow = few.select("email")
    assert pairing_keys(narrow)["_name_key"].null_count() == len(records)


_KEYS = st.none() | st.sampled_from(
    [
        "",
        "anna mueller",
        "ana mueller",
        "a mueller",
        "anna",
        "mueller",
        "sommer",
        "sommer soehne",
        "somer soehne",
    ]
)


@given(pairs=st.lists(st.tuples(_KEYS, _KEYS), min_size=1, max_size=8))
def test_a_few_pairs_are_told_apart_as_they_are_among_many(
    pairs: list[tuple[str | None, str | None]],
) -> None:
    few = pl.DataFrame(pairs, schema={"a": pl.String, "b": pl.String}, orient="row")
    many = pl.concat([few] * 100)
    for same in (same_name("a", "b"), same_company("a", "b")):
        alone, among = few.select(same=same)["same"], many.select(same=same)["same"]
        assert alone.to_list() * 100 == among.to_list()


_LABELS = (
    "",
    "a.",
    "co.",
    "www.",
    "b.www.",
    "city.",
    "xn--55qx5d.",
    "公司.",
    "a-b.",
    "-x.",
    "x_y.",
    "shop.mail.",
)
_ENDS = ("de", "uk", "co.uk", "ck", "kawasaki.jp", "cn", "com", "gmx.de", "onet.pl", "test", "3.4", ".de")


def test_the_domains_of_many_leads_are_those_of_a_few() -> None:
    # Few hosts are looked up one by one; of many, what stands behind their first label is.
    hosts = [label + end for label in _LABELS for end in _ENDS]
    few = [_domains(hosts[start : start + 24]) for start in range(0, len(hosts), 24)]
    assert _domains(hosts).rows() == pl.concat(few).rows()


def _domains(hosts: list[str]) -> pl.DataFrame:
    names = ("first_name", "last_name", "company", "website")
    emails = pl.DataFrame({"email": [f"ada@{host}" for host in hosts]})
    people = emails.with_columns(pl.lit(None, dtype=pl.String).alias(name) for name in names)
    made = derive(people, in_hubspot=pl.lit(value=True), in_salesforce=pl.lit(value=True))
    return keys(made).select("email_domain", "is_free_mail", "_domain_key")
