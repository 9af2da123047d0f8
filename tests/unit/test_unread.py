"""What the CRMs did not return is found for the few leads that it concerns."""

from __future__ import annotations

import polars as pl

from sync.unread import Unread

LISTS = pl.List(pl.String())
LEADS = pl.DataFrame(
    {
        "h._unread": pl.Series([None, ["email"], [], ["email", "phone"]], dtype=LISTS),
        "s._unread": pl.Series([["phone"], None, None, None], dtype=LISTS),
    }
)


def test_each_field_has_the_places_of_the_leads_that_came_without_it() -> None:
    found = Unread(LEADS).places("h.", "s.")
    assert {name: sorted(rows) for name, rows in found.items()} == {"email": [1, 3], "phone": [0, 3]}


def test_nothing_unread_is_no_field_at_all() -> None:
    nothing = LEADS.select(pl.lit(None, dtype=LISTS).alias("h._unread"))
    assert Unread(nothing).places("h.") == {}


def test_what_a_side_did_not_show_is_taken_out_for_that_side_alone() -> None:
    unread = Unread(LEADS)
    everyone = pl.Series([True, True, True, True])
    assert unread.without(everyone, "h.", "email").to_list() == [True, False, True, False]
    assert unread.without(everyone, "s.", "email").to_list() == [True, True, True, True]
    assert unread.without(everyone, "s.", "phone").to_list() == [False, True, True, True]
    assert everyone.all()


def test_the_places_of_both_sides_are_those_of_each_also_where_one_was_looked_at_before() -> None:
    unread = Unread(LEADS)
    assert unread.places("s.").keys() == {"phone"}
    found = unread.places("h.", "s.")
    assert {name: sorted(rows) for name, rows in found.items()} == {"email": [1, 3], "phone": [0, 3]}
