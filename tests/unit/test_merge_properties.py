"""What holds of every merge: it settles, it is fair to both sides, and it invents nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.merge import MergeRule, Winner, merge

NOBODY, HS, SF = Winner.NOBODY, Winner.HUBSPOT, Winner.SALESFORCE
HELD, UNREAD = Winner.HELD, Winner.UNREAD
HS_RULE, SF_RULE = Winner.HUBSPOT_BY_RULE, Winner.SALESFORCE_BY_RULE

_value = st.sampled_from([None, "Ada", "Eva", "Ida"])
_rule = st.builds(
    MergeRule,
    field=st.just("title"),
    direction=st.sampled_from(["both", "both", "to_hubspot", "to_salesforce", "read_only"]),
    if_both_changed=st.sampled_from(["hubspot", "salesforce", "hold"]),
    if_emptied=st.sampled_from(["ignore", "clear"]),
)
_case = st.tuples(_value, _value, _value, st.sampled_from([None, "h_unread", "s_unread"]))


def _frames(cases: list[tuple[Any, Any, Any, str | None]]) -> pl.DataFrame:
    def unread(side: str) -> pl.Series:
        return pl.Series([["title"] if case[3] == side else None for case in cases], dtype=pl.List(pl.String))

    held = {"bh.title": 0, "bs.title": 0, "h.title": 1, "s.title": 2}
    return pl.DataFrame(
        {name: pl.Series([case[place] for case in cases], dtype=pl.String) for name, place in held.items()}
        | {"h._unread": unread("h_unread"), "s._unread": unread("s_unread")}
    ).with_columns(pl.lit("L1").alias("lead_id"), pl.lit("101").alias("h._id"), pl.lit("00Q1").alias("s._id"))


def _applied(merged: pl.DataFrame) -> pl.DataFrame:
    """What both CRMs hold after the winners were written, and the bases that are remembered then."""
    winner = pl.col("w.title")
    to_s = winner.is_in([HS, HS_RULE])
    to_h = winner.is_in([SF, SF_RULE])
    written = merged.with_columns(
        pl.when(to_h).then("m.title").otherwise("h.title").alias("h.title"),
        pl.when(to_s).then("m.title").otherwise("s.title").alias("s.title"),
    )
    kept = winner.is_in([HELD, UNREAD])
    remembered = [
        pl.when(kept).then(base + "title").otherwise(side + "title").alias(base + "title")
        for side, base in (("h.", "bh."), ("s.", "bs."))
    ]
    return written.with_columns(remembered).drop("w.title", "m.title")


@settings(max_examples=80, deadline=None)
@given(st.lists(_case, min_size=1, max_size=12), _rule)
def test_merging_what_was_written_changes_nothing_more(
    cases: list[tuple[Any, Any, Any, str | None]], rule: MergeRule
) -> None:
    first = merge(_frames(cases), [rule])
    again = merge(_applied(first), [rule])
    moved = again.filter(pl.col("w.title").is_in([HS, HS_RULE, SF, SF_RULE]))
    assert moved.is_empty()
    assert again["m.title"].to_list() == first["m.title"].to_list()


_MIRRORED = {HS: SF, SF: HS, HS_RULE: SF_RULE, SF_RULE: HS_RULE}
_SWAPPED: Mapping[str, Any] = {
    "to_hubspot": "to_salesforce",
    "to_salesforce": "to_hubspot",
    "hubspot": "salesforce",
    "salesforce": "hubspot",
}


@settings(max_examples=80, deadline=None)
@given(st.lists(_case, min_size=1, max_size=12), _rule)
def test_swapping_the_crms_mirrors_the_outcome(
    cases: list[tuple[Any, Any, Any, str | None]], rule: MergeRule
) -> None:
    other_side = {"h_unread": "s_unread", "s_unread": "h_unread", None: None}
    mirrored = [(base, s, h, other_side[side]) for base, h, s, side in cases]
    mirror_rule = replace(
        rule,
        direction=_SWAPPED.get(rule.direction, rule.direction),
        if_both_changed=_SWAPPED.get(rule.if_both_changed, rule.if_both_changed),
    )
    one, other = merge(_frames(cases), [rule]), merge(_frames(mirrored), [mirror_rule])
    winners = [Winner(code) for code in one["w.title"]]
    assert [_MIRRORED.get(winner, winner) for winner in winners] == [
        Winner(code) for code in other["w.title"]
    ]
    decided = [n for n, winner in enumerate(winners) if winner not in (NOBODY, UNREAD)]
    assert one["m.title"].gather(decided).to_list() == other["m.title"].gather(decided).to_list()


@settings(max_examples=80, deadline=None)
@given(st.lists(_case, min_size=1, max_size=12), _rule)
def test_no_value_is_invented(cases: list[tuple[Any, Any, Any, str | None]], rule: MergeRule) -> None:
    merged = merge(_frames(cases), [rule])
    for (base, h, s, _), value in zip(cases, merged["m.title"], strict=True):
        assert value in (None, base, h, s)
        if h is not None and s is not None and value is None:
            assert base is None  # only a held field without a base is nobody's


_truth = st.sampled_from([None, True, False])


@settings(max_examples=60, deadline=None)
@given(_truth, _truth, _truth, _truth)
def test_no_history_ends_a_withdrawal(before_h: Any, before_s: Any, h: Any, s: Any) -> None:
    frame = pl.DataFrame(
        {
            name: pl.Series([value], dtype=pl.Boolean)
            for name, value in zip(
                ("bh.no_mail", "bs.no_mail", "h.no_mail", "s.no_mail"),
                (before_h, before_s, h, s),
                strict=True,
            )
        }
    ).with_columns(
        pl.lit("101").alias("h._id"),
        pl.lit("00Q1").alias("s._id"),
        pl.lit(None, dtype=pl.List(pl.String)).alias("h._unread"),
        pl.lit(None, dtype=pl.List(pl.String)).alias("s._unread"),
    )
    value = merge(frame, [MergeRule("no_mail", opt_out=True)])["m.no_mail"][0]
    assert (value is True) == (True in (before_h, before_s, h, s))
