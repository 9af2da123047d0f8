"""Fields that are merged together: the same outcome as each alone."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from sync.merge import MergeRule, merge, merge_again
from sync.unread import Unread

TYPES: Mapping[str, pl.DataType] = {
    "title": pl.String(),
    "city": pl.String(),
    "street": pl.String(),
    "staff": pl.Int64(),
    "revenue": pl.Decimal(18, 2),
    "revenue_currency": pl.String(),
    "no_mail": pl.Boolean(),
}
VALUES: Mapping[str, list[Any]] = {
    **{name: [None, "Ada", "Eva", "Ida"] for name in ("title", "city", "street")},
    "staff": [None, 0, 5],
    "revenue": [None, Decimal("1.00"), Decimal("2.00")],
    "revenue_currency": [None, "EUR", "USD"],
    "no_mail": [None, True, False],
}
NOW, THEN = ("h.", "s."), {"h.": "bh.", "s.": "bs."}


def _rule(name: str, travels_with: str | None = None) -> st.SearchStrategy[MergeRule]:
    return st.builds(
        MergeRule,
        field=st.just(name),
        direction=st.sampled_from(["both", "both", "both", "to_hubspot", "to_salesforce", "read_only"]),
        if_both_changed=st.sampled_from(["hubspot", "salesforce", "hold"]),
        if_emptied=st.sampled_from(["ignore", "clear"]),
        travels_with=st.just(travels_with),
    )


_rules = st.tuples(
    *(_rule(name) for name in ("title", "city", "street", "staff")),
    _rule("revenue", "revenue_currency"),
    st.just(MergeRule("no_mail", opt_out=True)),
)
_fields = st.fixed_dictionaries({name: st.sampled_from(values) for name, values in VALUES.items()})
_record = st.fixed_dictionaries(
    {
        "then": st.none() | _fields,
        "now": _fields,
        "moved": st.booleans(),
        "unread": st.lists(st.sampled_from(["title", "staff", "revenue", "no_mail"]), max_size=2),
    }
)
_leads = st.lists(
    st.tuples(_record, _record, st.sampled_from(["both", "both", "h.", "s."])), min_size=1, max_size=8
)


def _frame(leads: list[tuple[dict[str, Any], dict[str, Any], str]]) -> pl.DataFrame:
    """Leads of which many records are as their bases say."""
    columns: dict[str, list[Any]] = {}
    for number, (hubspot, salesforce, where) in enumerate(leads):
        for side, record in zip(NOW, (hubspot, salesforce), strict=True):
            there, then = where in ("both", side), record["then"]
            now = record["now"] if record["moved"] or then is None else then
            columns.setdefault(side + "_id", []).append(f"{side}{number}" if there else None)
            columns.setdefault(side + "_unread", []).append(record["unread"] or None if there else None)
            for name in TYPES:
                columns.setdefault(side + name, []).append(now[name] if there else None)
                columns.setdefault(THEN[side] + name, []).append((then or {}).get(name) if there else None)
    typed = {prefix + name: dtype for prefix in (*NOW, *THEN.values()) for name, dtype in TYPES.items()}
    ids = {side + "_id": pl.String() for side in NOW}
    lists = {side + "_unread": pl.List(pl.String()) for side in NOW}
    schema: dict[str, Any] = {**typed, **ids, **lists}
    return pl.DataFrame(columns, schema_overrides=schema)


@settings(max_examples=40)
@given(_leads, _rules)
def test_a_field_ends_beside_others_as_it_would_alone(leads: Any, rules: tuple[MergeRule, ...]) -> None:
    frame = _frame(leads)
    together = merge(frame, rules)
    for rule in rules:
        if rule.opt_out:
            continue
        alone = merge(frame, [rule])
        ours = ["w." + rule.field, *("m." + name for name in rule.names)]
        met = together.select(ours)
        # Whether a lead's records meet for the first time is asked of all fields together.
        assert_frame_equal(met.filter(_known_before(frame)), alone.select(ours).filter(_known_before(frame)))


def _known_before(frame: pl.DataFrame) -> pl.Series:
    """Leads of which both records have a base in every field, or neither in any."""
    each = {
        side: [pl.col(THEN[side] + name).is_not_null() for name in TYPES if name != "no_mail"] for side in NOW
    }
    full = frame.select(pl.all_horizontal(*each["h."], *each["s."]))
    none = frame.select(~pl.any_horizontal(*each["h."], *each["s."]))
    return full.to_series() | none.to_series()


@settings(max_examples=60, deadline=None)
@given(_leads, _rules)
def test_records_that_are_known_to_hold_what_their_bases_do_are_merged_as_if_they_were_compared(
    leads: Any, rules: tuple[MergeRule, ...]
) -> None:
    as_they_were = [
        (hubspot | {"moved": False}, salesforce | {"moved": False}, where)
        for hubspot, salesforce, where in leads
    ]
    frame = _frame([*leads, *as_they_were, *as_they_were])
    known = frame.with_columns(
        pl.any_horizontal(pl.col(side + name).ne_missing(pl.col(THEN[side] + name)) for name in TYPES).alias(
            THEN[side] + "_apart"
        )
        for side in NOW
    )
    compared = merge(frame, rules)
    told = merge(known, rules).select(compared.columns)
    assert_frame_equal(told, compared)


@settings(max_examples=60, deadline=None)
@given(_leads, _rules, st.data())
def test_fields_that_are_merged_again_end_as_if_all_were(
    leads: Any, rules: tuple[MergeRule, ...], data: st.DataObject
) -> None:
    frame = _frame(leads)
    frame = frame.with_columns(
        pl.any_horizontal(pl.col(side + name).ne_missing(pl.col(THEN[side] + name)) for name in TYPES).alias(
            THEN[side] + "_apart"
        )
        for side in NOW
    )
    titles = data.draw(st.lists(st.sampled_from(VALUES["title"]), min_size=len(leads), max_size=len(leads)))
    title = pl.when(pl.col("h._id").is_not_null()).then(pl.Series(titles, dtype=pl.String)).alias("h.title")
    hidden = pl.col("h._unread").fill_null([]).list.set_difference(["title"])
    without = pl.when(title.is_null()).then(hidden.list.concat(pl.lit(["title"]))).otherwise(hidden)
    apart = pl.col("bh._apart") | title.ne_missing(pl.col("h.title"))
    renewed = frame.with_columns(title, without.alias("h._unread"), apart.alias("bh._apart"))
    again = merge_again(merge(frame, rules), renewed, rules, {"title"}, Unread(renewed))
    assert_frame_equal(again, merge(renewed, rules))
