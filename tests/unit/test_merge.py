"""Whose value stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Literal

import polars as pl
import pytest

from sync.merge import MergeRule, Winner, conflicts, merge, without_words

NOBODY, BOTH, HS, SF = Winner.NOBODY, Winner.BOTH, Winner.HUBSPOT, Winner.SALESFORCE
HELD, UNREAD = Winner.HELD, Winner.UNREAD
HS_RULE, SF_RULE = Winner.HUBSPOT_BY_RULE, Winner.SALESFORCE_BY_RULE
TYPES: Mapping[type, pl.DataType] = {
    str: pl.String(),
    bool: pl.Boolean(),
    int: pl.Int64(),
    Decimal: pl.Decimal(18, 2),
}
Emptied = Literal["ignore", "clear"]
Both = Literal["salesforce", "hubspot", "newest", "hold"]


def _lead(fields: Mapping[str, Sequence[Any]], **meta: Any) -> pl.DataFrame:
    """One lead; ``fields``: name to what HubSpot's base, Salesforce's base, HubSpot and Salesforce hold."""
    columns: dict[str, pl.Series] = {}
    for name, values in fields.items():
        dtype = next((TYPES[type(value)] for value in values if value is not None), pl.String())
        for prefix, value in zip(("bh.", "bs.", "h.", "s."), values, strict=True):
            columns[prefix + name] = pl.Series([value], dtype=dtype)
    frame = pl.DataFrame(columns)
    known = {"h_id": "101", "s_id": "00Q1", "h_unread": None, "s_unread": None} | meta
    return frame.with_columns(
        pl.lit("L1").alias("lead_id"),
        pl.lit(known["h_id"], dtype=pl.String).alias("h._id"),
        pl.lit(known["s_id"], dtype=pl.String).alias("s._id"),
        pl.Series("h._unread", [known["h_unread"]], dtype=pl.List(pl.String)),
        pl.Series("s._unread", [known["s_unread"]], dtype=pl.List(pl.String)),
        pl.lit(datetime(2026, 3, 1, tzinfo=UTC)).alias("h._modified_at"),
        pl.lit(datetime(2026, 3, 2, tzinfo=UTC)).alias("s._modified_at"),
    )


def _outcome(frame: pl.DataFrame, rule: MergeRule) -> tuple[Winner, Any]:
    merged = merge(frame, [rule])
    return Winner(merged["w." + rule.field][0]), merged["m." + rule.field][0]


def _both_bases(base: Any, hubspot: Any, salesforce: Any) -> dict[str, Sequence[Any]]:
    return {"title": (base, base, hubspot, salesforce)}


@pytest.mark.parametrize(
    ("base", "hubspot", "salesforce", "if_both_changed", "if_emptied", "winner", "value"),
    [
        # Nobody changed it
        ("Ada", "Ada", "Ada", "newest", "ignore", NOBODY, "Ada"),
        (None, None, None, "hubspot", "clear", NOBODY, None),
        # One side changed it: it wins
        ("Ada", "Eva", "Ada", "hold", "ignore", HS, "Eva"),
        ("Ada", "Ada", "Eva", "hold", "ignore", SF, "Eva"),
        ("Ada", "Eva", "Ada", "salesforce", "clear", HS, "Eva"),
        ("Ada", "Ada", "Eva", "hubspot", "clear", SF, "Eva"),
        (None, "Eva", None, "salesforce", "ignore", HS, "Eva"),
        (None, None, "Eva", "hubspot", "clear", SF, "Eva"),
        # Both changed it alike
        ("Ada", "Eva", "Eva", "hold", "ignore", BOTH, "Eva"),
        (None, "Eva", "Eva", "hold", "clear", BOTH, "Eva"),
        # Both changed it differently: the field's rule
        ("Ada", "Eva", "Ida", "hubspot", "ignore", HS_RULE, "Eva"),
        ("Ada", "Eva", "Ida", "salesforce", "ignore", SF_RULE, "Ida"),
        ("Ada", "Eva", "Ida", "hold", "ignore", HELD, "Ada"),
        # Without the times of single fields "newest" cannot be known, and is never guessed
        ("Ada", "Eva", "Ida", "newest", "ignore", HELD, "Ada"),
        # A blank erases only where the field says so; elsewhere the other side fills it again
        ("Ada", None, "Ada", "hold", "ignore", SF, "Ada"),
        ("Ada", "Ada", None, "hold", "ignore", HS, "Ada"),
        ("Ada", None, "Ada", "hold", "clear", HS, None),
        ("Ada", "Ada", None, "hold", "clear", SF, None),
        ("Ada", None, None, "hold", "clear", BOTH, None),
        ("Ada", None, None, "hold", "ignore", NOBODY, None),
        # One was emptied while the other was changed
        ("Ada", None, "Eva", "hubspot", "ignore", SF, "Eva"),
        ("Ada", "Eva", None, "salesforce", "ignore", HS, "Eva"),
        ("Ada", None, "Eva", "hubspot", "clear", HS_RULE, None),
        ("Ada", None, "Eva", "salesforce", "clear", SF_RULE, "Eva"),
        ("Ada", None, "Eva", "hold", "clear", HELD, "Ada"),
        # 0 and False are values, not blanks
        (5, 0, 5, "hold", "ignore", HS, 0),
        (5, 5, 0, "hold", "clear", SF, 0),
        (None, 0, None, "hold", "ignore", HS, 0),
        (True, False, True, "hold", "ignore", HS, False),
        (None, None, False, "hold", "ignore", SF, False),
        # First meeting, nothing was ever agreed
        (None, "Eva", "Ida", "hubspot", "ignore", HS_RULE, "Eva"),
        (None, "Eva", "Ida", "salesforce", "ignore", SF_RULE, "Ida"),
        (None, "Eva", "Ida", "hold", "ignore", HELD, None),
    ],
)  # fmt: skip
def test_the_right_side_wins(
    base: Any,
    hubspot: Any,
    salesforce: Any,
    if_both_changed: Both,
    if_emptied: Emptied,
    winner: Winner,
    value: Any,
) -> None:
    rule = MergeRule("title", if_both_changed=if_both_changed, if_emptied=if_emptied)
    assert _outcome(_lead(_both_bases(base, hubspot, salesforce)), rule) == (winner, value)


@pytest.mark.parametrize("if_both_changed", ["hubspot", "salesforce", "hold", "newest"])
@pytest.mark.parametrize(("older", "newer"), [("h", "s"), ("s", "h")])
def test_the_only_change_wins_whatever_its_age(if_both_changed: Both, older: str, newer: str) -> None:
    frame = _lead(_both_bases("Ada", "Eva", "Ada")).with_columns(
        pl.lit(datetime(2020, 1, 1, tzinfo=UTC)).alias(f"{older}._modified_at"),
        pl.lit(datetime(2026, 1, 1, tzinfo=UTC)).alias(f"{newer}._modified_at"),
    )
    assert _outcome(frame, MergeRule("title", if_both_changed=if_both_changed)) == (HS, "Eva")


@pytest.mark.parametrize(
    ("bases", "hubspot", "salesforce", "if_both_changed", "winner", "value"),
    [
        # Only one of them was ever agreed with itself: its value is no older than the newcomer's
        (("Ada", None), "Ada", "Eva", "hubspot", HS_RULE, "Ada"),
        (("Ada", None), "Ada", "Eva", "salesforce", SF_RULE, "Eva"),
        ((None, "Ada"), "Eva", "Ada", "hold", HELD, None),
        (("Ada", None), "Ada", "Ada", "hold", BOTH, "Ada"),
        # The newcomer's blank is filled, it erases nothing
        (("Ada", None), "Ada", None, "hold", HS, "Ada"),
        ((None, "Ada"), None, "Ada", "hold", SF, "Ada"),
    ],
)
@pytest.mark.parametrize("if_emptied", ["ignore", "clear"])
def test_a_record_met_for_the_first_time_neither_overrules_nor_is_overruled(
    bases: tuple[Any, Any],
    hubspot: Any,
    salesforce: Any,
    if_both_changed: Both,
    winner: Winner,
    value: Any,
    if_emptied: Emptied,
) -> None:
    rule = MergeRule("title", if_both_changed=if_both_changed, if_emptied=if_emptied)
    assert _outcome(_lead({"title": (*bases, hubspot, salesforce)}), rule) == (winner, value)


def test_a_held_field_of_a_new_pair_keeps_what_the_lead_had() -> None:
    frame = _lead({"title": ("Ada", None, "Ada", "Eva")}).with_columns(pl.lit("Ada").alias("p.title"))
    assert _outcome(frame, MergeRule("title", if_both_changed="hold")) == (HELD, "Ada")


@pytest.mark.parametrize("side", ["h_unread", "s_unread"])
@pytest.mark.parametrize("if_emptied", ["ignore", "clear"])
@pytest.mark.parametrize(
    ("base", "shown"), [("Ada", "Ada"), ("Ada", "Eva"), (None, "Eva"), ("Ada", None), (None, None)]
)
def test_a_field_that_did_not_come_is_left_alone_on_both_sides(
    side: str, if_emptied: Emptied, base: Any, shown: Any
) -> None:
    values = (None, shown) if side == "h_unread" else (shown, None)
    frame = _lead({"title": (base, base, *values)}, **{side: ["phone", "title"]})
    winner, value = _outcome(frame, MergeRule("title", if_both_changed="hubspot", if_emptied=if_emptied))
    assert (winner, value) == (UNREAD, shown)


def test_an_unread_field_does_not_stop_the_one_beside_it() -> None:
    frame = _lead(
        {"title": ("Ada", "Ada", None, "Ada"), "phone": ("+491", "+491", "+492", "+491")}, h_unread=["title"]
    )
    merged = merge(frame, [MergeRule("title", if_emptied="clear"), MergeRule("phone")])
    assert merged.select("w.title", "w.phone").row(0) == (UNREAD, HS)
    assert merged.select("m.title", "m.phone").row(0) == ("Ada", "+492")


def test_a_field_unread_for_one_lead_is_merged_for_the_others() -> None:
    leads = [
        _lead(_both_bases("Ada", None, "Ada"), h_unread=["title"]),
        _lead(_both_bases("Ada", "Eva", "Ada")),
        _lead(_both_bases("Ada", "Eva", "Ada"), h_unread=["phone"]),
    ]
    merged = merge(pl.concat(leads), [MergeRule("title")])
    assert merged["w.title"].to_list() == [UNREAD, HS, HS]


@pytest.mark.parametrize(
    ("direction", "base", "hubspot", "salesforce", "if_emptied", "winner", "value"),
    [
        ("to_salesforce", "Ada", "Eva", "Ada", "ignore", HS, "Eva"),
        ("to_salesforce", "Ada", "Ada", "Eva", "ignore", HS, "Ada"),
        ("to_salesforce", "Ada", None, "Ada", "ignore", NOBODY, "Ada"),
        ("to_salesforce", "Ada", None, "Ada", "clear", HS, None),
        ("to_salesforce", None, None, "Ada", "clear", NOBODY, "Ada"),
        ("to_hubspot", "Ada", "Ada", "Eva", "ignore", SF, "Eva"),
        ("to_hubspot", "Ada", "Eva", "Ada", "ignore", SF, "Ada"),
        ("to_hubspot", "Ada", "Ada", None, "ignore", NOBODY, "Ada"),
        ("to_hubspot", "Ada", "Ada", None, "clear", SF, None),
        ("read_only", "Ada", "Eva", "Ada", "clear", NOBODY, "Eva"),
        ("read_only", "Ada", None, "Ida", "clear", NOBODY, "Ida"),
    ],
)
def test_a_direction_is_a_one_way_street(
    direction: Any,
    base: Any,
    hubspot: Any,
    salesforce: Any,
    if_emptied: Emptied,
    winner: Winner,
    value: Any,
) -> None:
    rule = MergeRule("title", direction=direction, if_emptied=if_emptied)
    assert _outcome(_lead(_both_bases(base, hubspot, salesforce)), rule) == (winner, value)


MONEY = MergeRule("revenue", if_both_changed="hold", travels_with="revenue_currency")


def _money(
    base: tuple[Any, Any], hubspot: tuple[Any, Any], salesforce: tuple[Any, Any], **meta: Any
) -> pl.DataFrame:
    def amount(pair: tuple[Any, Any]) -> Decimal | None:
        return None if pair[0] is None else Decimal(pair[0])

    amounts = [amount(pair) for pair in (base, base, hubspot, salesforce)]
    codes = [pair[1] for pair in (base, base, hubspot, salesforce)]
    frame = _lead({"revenue": amounts, "revenue_currency": codes}, **meta)
    return frame.with_columns(
        pl.col(prefix + "revenue").cast(pl.Decimal(18, 2)) for prefix in ("h.", "s.", "bh.", "bs.")
    )


@pytest.mark.parametrize(
    ("base", "hubspot", "salesforce", "winner", "value"),
    [
        (("100", "EUR"), ("100", "USD"), ("100", "EUR"), HS, ("100.00", "USD")),
        (("100", "EUR"), ("100", "EUR"), ("100", "CHF"), SF, ("100.00", "CHF")),
        (("100", "EUR"), ("100", "USD"), ("100", "USD"), BOTH, ("100.00", "USD")),
        (("100", "EUR"), ("100", "USD"), ("120", "EUR"), HELD, ("100.00", "EUR")),
        (("100", "EUR"), ("0", "EUR"), ("100", "EUR"), HS, ("0.00", "EUR")),
        ((None, None), (None, "EUR"), ("70", "USD"), SF, ("70.00", "USD")),
        ((None, None), (None, "EUR"), (None, "USD"), NOBODY, (None, None)),
    ],
)
def test_an_amount_and_its_currency_are_one_value(
    base: tuple[Any, Any],
    hubspot: tuple[Any, Any],
    salesforce: tuple[Any, Any],
    winner: Winner,
    value: tuple[Any, Any],
) -> None:
    merged = merge(_money(base, hubspot, salesforce), [MONEY])
    amount, code = merged.select("m.revenue", "m.revenue_currency").row(0)
    assert Winner(merged["w.revenue"][0]) == winner
    assert (None if amount is None else str(amount), code) == value


def test_an_unread_amount_does_not_lend_its_currency_to_another() -> None:
    frame = _money((None, None), (None, "EUR"), ("70", "USD"), h_unread=["revenue"])
    merged = merge(frame, [MONEY])
    assert merged.select("m.revenue", "m.revenue_currency").row(0) == (Decimal("70.00"), "USD")


@pytest.mark.parametrize(
    ("bases", "hubspot", "salesforce", "winner", "value"),
    [
        # A withdrawal anywhere goes everywhere
        ((None, None), True, None, HS, True),
        ((None, None), None, True, SF, True),
        ((False, False), True, False, HS, True),
        ((False, False), False, True, SF, True),
        ((False, False), True, True, BOTH, True),
        # It is never undone by one side taking it back
        ((True, True), False, True, SF, True),
        ((True, True), True, False, HS, True),
        ((True, True), None, True, SF, True),
        # Taken back on both sides it still stands, and a person has to look
        ((True, True), False, False, HELD, True),
        ((True, True), None, None, HELD, True),
        ((True, None), False, None, HELD, True),
        # Nothing is inferred: a false does not travel, unknown stays unknown
        ((None, None), None, None, NOBODY, None),
        ((None, None), False, None, NOBODY, False),
        ((None, None), None, False, NOBODY, False),
        ((False, False), False, False, NOBODY, False),
    ],
)
@pytest.mark.parametrize("if_both_changed", ["hubspot", "salesforce", "hold"])
def test_a_withdrawal_seen_anywhere_stands(
    bases: tuple[Any, Any],
    hubspot: Any,
    salesforce: Any,
    winner: Winner,
    value: Any,
    if_both_changed: Both,
) -> None:
    rule = MergeRule("no_mail", if_both_changed=if_both_changed, if_emptied="clear", opt_out=True)
    frame = _lead({"no_mail": (*bases, hubspot, salesforce)}).with_columns(
        pl.col(prefix + "no_mail").cast(pl.Boolean) for prefix in ("h.", "s.", "bh.", "bs.")
    )
    assert _outcome(frame, rule) == (winner, value)


@pytest.mark.parametrize("missing", ["h_id", "s_id"])
def test_a_withdrawal_of_a_lead_with_one_record_is_not_undone_either(missing: str) -> None:
    here = (None, True, None, False) if missing == "h_id" else (True, None, False, None)
    frame = _lead({"no_mail": here}, **{missing: None})
    assert _outcome(frame, MergeRule("no_mail", opt_out=True)) == (HELD, True)


def test_a_withdrawal_outlives_the_record_that_brought_it() -> None:
    frame = _lead({"no_mail": (None, False, None, False)}, h_id=None).with_columns(
        pl.lit(value=True).alias("p.no_mail")
    )
    assert _outcome(frame, MergeRule("no_mail", opt_out=True)) == (HELD, True)


def test_an_unread_withdrawal_is_left_alone_and_still_counts() -> None:
    frame = _lead({"no_mail": (True, True, None, True)}, h_unread=["no_mail"])
    assert _outcome(frame, MergeRule("no_mail", opt_out=True)) == (UNREAD, True)


def test_a_withdrawal_that_both_took_back_is_shown_to_a_person() -> None:
    rule = MergeRule("no_mail", opt_out=True)
    found = conflicts(merge(_lead({"no_mail": (True, True, False, False)}), [rule]), [rule])
    assert found.select("field", "rule", "winner").rows() == [("no_mail", "withdrawn", "nobody")]


@pytest.mark.parametrize("missing", ["h_id", "s_id"])
def test_a_lead_with_one_record_keeps_its_values(missing: str) -> None:
    shown = (None, "Eva") if missing == "h_id" else ("Eva", None)
    frame = _lead({"title": ("Ada", "Ada", *shown)}, **{missing: None})
    assert _outcome(frame, MergeRule("title", if_emptied="clear")) == (NOBODY, "Eva")


class TestUnsayable:
    """A value that the other CRM has no word for is left as it is, for a person."""

    @pytest.mark.parametrize(
        ("bases", "hubspot", "salesforce", "winner"),
        [
            ("Retail", "Space", "Retail", Winner.UNSAYABLE),  # Salesforce cannot say Space
            ("Retail", "Retail", "Mining", Winner.UNSAYABLE),  # HubSpot cannot say Mining
            ("Retail", "Media", "Retail", HS),
            ("Retail", "Mining", "Retail", HS),  # only HubSpot cannot, and nothing goes there
            ("Retail", "Retail", "Space", SF),
            ("Retail", "Space", "Space", BOTH),
        ],
    )
    def test_only_where_it_would_have_to_be_said(
        self, bases: str, hubspot: str, salesforce: str, winner: Winner
    ) -> None:
        merged = merge(_lead({"industry": (bases, bases, hubspot, salesforce)}), [MergeRule("industry")])
        cannot = (pl.col("m.industry") == "Mining", pl.col("m.industry") == "Space")
        marked = without_words(merged, {"industry": cannot})
        assert Winner(marked["w.industry"][0]) == winner

    @pytest.mark.parametrize(
        ("hubspot", "salesforce", "unsayable_in", "winner"),
        [
            # Said in the channel's other field, it goes to both, and one of them has no word for it
            ("confirmed", "confirmed", "hubspot", Winner.UNSAYABLE),
            ("confirmed", "confirmed", "salesforce", Winner.UNSAYABLE),
            ("confirmed", "withdrawn", "hubspot", Winner.UNSAYABLE),
            # nothing has to be said there any more
            ("withdrawn", "confirmed", "hubspot", HS),
            ("withdrawn", "withdrawn", "hubspot", BOTH),
            ("confirmed", "confirmed", "nowhere", BOTH),
        ],
    )
    def test_a_withdrawal_of_the_channels_other_field_too(
        self, hubspot: str, salesforce: str, unsayable_in: str, winner: Winner
    ) -> None:
        frame = _lead({"email_consent": ("confirmed", "confirmed", hubspot, salesforce)})
        flags = {prefix + "email_opt_out": prefix == "s." for prefix in ("h.", "s.", "bh.", "bs.")}
        frame = frame.with_columns(pl.lit(value).alias(name) for name, value in flags.items())
        rules = [MergeRule(name, opt_out=True) for name in ("email_opt_out", "email_consent")]
        withdrawn = pl.col("m.email_consent") == "withdrawn"
        cannot = {
            crm: withdrawn if crm == unsayable_in else pl.lit(value=False)
            for crm in ("hubspot", "salesforce")
        }
        unsayable = {"email_consent": (cannot["hubspot"], cannot["salesforce"])}
        marked = without_words(merge(frame, rules), unsayable, [rule.field for rule in rules])
        assert Winner(marked["w.email_consent"][0]) == winner


class TestConflicts:
    """What both sides changed differently is told, with both values."""

    @pytest.mark.parametrize(
        ("rule", "winner"), [("hubspot", "hubspot"), ("salesforce", "salesforce"), ("hold", "nobody")]
    )
    def test_winner_rule_and_both_values_are_named(self, rule: Both, winner: str) -> None:
        rules = [MergeRule("title", if_both_changed=rule)]
        found = conflicts(merge(_lead(_both_bases("Ada", "Eva", "Ida")), rules), rules)
        assert found.drop("hubspot_at", "salesforce_at").rows() == [
            ("L1", "title", rule, winner, "Eva", "Ida")
        ]
        assert found["hubspot_at"][0] < found["salesforce_at"][0]

    def test_one_change_is_no_conflict(self) -> None:
        rules = [MergeRule("title", if_both_changed="hubspot")]
        assert conflicts(merge(_lead(_both_bases("Ada", "Eva", "Ada")), rules), rules).is_empty()

    def test_without_fields_there_is_none(self) -> None:
        assert conflicts(_lead(_both_bases("Ada", "Eva", "Ida")), []).is_empty()
