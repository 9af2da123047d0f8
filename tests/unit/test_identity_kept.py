"""Keys of a few texts are kept, and are what they are among many."""

from __future__ import annotations

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from mapping.identity import pairing_keys

NAMES = st.one_of(
    st.none(),
    st.sampled_from(["Dr. Anna Müller", "n/a", "GmbH", "Sommer & Söhne AG", "", " ", "李 小龙"]),
    st.text(),
)


@settings(max_examples=40)
@given(st.lists(st.tuples(NAMES, NAMES, NAMES), min_size=1, max_size=8))
def test_the_keys_of_a_few_leads_are_those_they_have_among_many(people: list[tuple[str | None, ...]]) -> None:
    columns = ("first_name", "last_name", "company")
    few = pl.DataFrame(people, schema=dict.fromkeys(columns, pl.String()), orient="row")
    crowd = pl.DataFrame({name: [f"{name} {number}" for number in range(70)] for name in columns})
    alone = pairing_keys(few)
    assert pairing_keys(few).equals(alone)
    assert pairing_keys(pl.concat([few, crowd])).head(few.height).equals(alone)
