"""The three-way merge: per lead and field, which value stands, and why. Pure.

Both sides are compared with what they held when they last agreed (their base), after normalisation:
nobody changed, keep; one changed, it wins whatever its age; both changed alike, they agree; both changed
differently, the field's rule decides and the loser stays in the history.
A field that a CRM did not return, or that could not be read, is left alone on both sides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

import polars as pl

#: Column prefixes of the frame that is merged: one row a lead.
#: ``h.``/``s.`` what HubSpot and Salesforce show now, ``bh.``/``bs.`` their bases, ``m.`` the merged
#: value, ``w.`` who won (``Winner``). Beside them ``h._id``, ``s._id`` (null: no record there),
#: ``h._unread``, ``s._unread`` (lists of fields that were not returned or could not be read).
HUBSPOT, SALESFORCE = "h.", "s."
BASE = {HUBSPOT: "bh.", SALESFORCE: "bs."}
MERGED, WINNER = "m.", "w."


class Winner(IntEnum):
    """Who decided a field's value."""

    NOBODY = 0  #: nobody changed it
    BOTH = 1  #: both changed it, alike
    HUBSPOT = 2  #: only HubSpot changed it, or only HubSpot has it
    SALESFORCE = 3
    HELD = 4  #: both changed it differently, and the rule asks a person
    UNREAD = 5  #: one side did not show it: left alone
    HUBSPOT_BY_RULE = 6  #: both changed it differently, and the rule says HubSpot
    SALESFORCE_BY_RULE = 7
    UNSAYABLE = 8  #: the other CRM has no word for the value: left as it is, for a person to settle


#: Winners whose value goes to the other CRM.
TO_SALESFORCE = (Winner.HUBSPOT, Winner.HUBSPOT_BY_RULE)
TO_HUBSPOT = (Winner.SALESFORCE, Winner.SALESFORCE_BY_RULE)
CONFLICTS = (Winner.HELD, Winner.HUBSPOT_BY_RULE, Winner.SALESFORCE_BY_RULE)


@dataclass(frozen=True, slots=True)
class MergeRule:
    """How one lead field is merged.

    ``money`` fields bring their currency along: ``travels_with`` names it, and the pair is compared as one.
    """

    field: str
    direction: Literal["both", "to_hubspot", "to_salesforce", "read_only"] = "both"
    if_both_changed: Literal["salesforce", "hubspot", "newest", "hold"] = "hold"
    if_emptied: Literal["ignore", "clear"] = "ignore"
    opt_out: bool = False
    travels_with: str | None = None


def merge(frame: pl.DataFrame, rules: Sequence[MergeRule]) -> pl.DataFrame:
    """Add ``m.<field>`` and ``w.<field>`` for every rule. Columns of the schema above, one row a lead."""
    unread = {side: _ever_unread(frame, side) for side in (HUBSPOT, SALESFORCE)}
    winners = [_winner(rule, unread).cast(pl.UInt8).alias(WINNER + rule.field) for rule in rules]
    decided = frame.with_columns(winners)
    return decided.with_columns(value for rule in rules for value in _values(rule))


def without_words(merged: pl.DataFrame, unsayable: Mapping[str, tuple[pl.Expr, pl.Expr]]) -> pl.DataFrame:
    """Mark winners whose value cannot be said in the CRM that it would go to.

    ``unsayable``: field to what HubSpot and what Salesforce cannot say, as expressions on ``m.`` columns. To
    write nothing there would clear the field, so such a field is left alone on both sides.
    """
    marks = []
    for field, (hubspot, salesforce) in unsayable.items():
        winner = pl.col(WINNER + field)
        to_hubspot = winner.is_in([int(code) for code in TO_HUBSPOT]) & hubspot
        to_salesforce = winner.is_in([int(code) for code in TO_SALESFORCE]) & salesforce
        mark = pl.lit(int(Winner.UNSAYABLE), dtype=pl.UInt8)
        marks.append(pl.when(to_hubspot | to_salesforce).then(mark).otherwise(winner).alias(WINNER + field))
    return merged.with_columns(marks)


def conflicts(merged: pl.DataFrame, rules: Sequence[MergeRule]) -> pl.DataFrame:
    """Where both sides had changed a field differently: who won by which rule, and both values as text.

    Columns: ``lead_id, field, rule, winner, hubspot_value, salesforce_value, hubspot_at, salesforce_at``.
    """
    found = [
        merged.filter(pl.col(WINNER + rule.field).is_in([int(code) for code in CONFLICTS])).select(
            "lead_id",
            field=pl.lit(rule.field),
            rule=pl.lit(rule.if_both_changed),
            winner=pl.col(WINNER + rule.field).replace_strict(
                _WINNER_WORDS, default="nobody", return_dtype=pl.String
            ),
            hubspot_value=pl.col(HUBSPOT + rule.field).cast(pl.String),
            salesforce_value=pl.col(SALESFORCE + rule.field).cast(pl.String),
            hubspot_at=pl.col(HUBSPOT + "_modified_at"),
            salesforce_at=pl.col(SALESFORCE + "_modified_at"),
        )
        for rule in rules
        if rule.direction == "both" and not rule.opt_out
    ]
    return pl.concat(found) if found else pl.DataFrame(schema=dict(CONFLICT_SCHEMA))


#: The columns of ``conflicts``.
CONFLICT_SCHEMA: Mapping[str, pl.DataType] = {
    **{
        name: pl.String()
        for name in ("lead_id", "field", "rule", "winner", "hubspot_value", "salesforce_value")
    },
    "hubspot_at": pl.Datetime("us", "UTC"),
    "salesforce_at": pl.Datetime("us", "UTC"),
}
_WINNER_WORDS: Mapping[int, str] = {
    int(Winner.HELD): "nobody",
    int(Winner.HUBSPOT_BY_RULE): "hubspot",
    int(Winner.SALESFORCE_BY_RULE): "salesforce",
}


def _ever_unread(frame: pl.DataFrame, side: str) -> set[str]:
    """The few fields that some record came without: only these need to look into the lists."""
    lists = frame[side + "_unread"].drop_nulls()
    return set(lists.explode().unique().drop_nulls().to_list()) if len(lists) else set()


def _known(rule: MergeRule, side: str, unread: Mapping[str, set[str]]) -> pl.Expr | None:
    """Whether this side showed the field; None: always."""
    if rule.field not in unread[side]:
        return None
    return ~pl.col(side + "_unread").list.contains(rule.field).fill_null(value=False)


def _winner(rule: MergeRule, unread: Mapping[str, set[str]]) -> pl.Expr:
    nobody = pl.lit(int(Winner.NOBODY), dtype=pl.UInt8)
    if rule.direction == "read_only":
        return nobody
    decided = _opt_out_winner(rule) if rule.opt_out else _plain_winner(rule)
    both_here = pl.col(HUBSPOT + "_id").is_not_null() & pl.col(SALESFORCE + "_id").is_not_null()
    known = [part for side in (HUBSPOT, SALESFORCE) if (part := _known(rule, side, unread)) is not None]
    decided = pl.when(both_here).then(decided).otherwise(nobody)
    if not known:
        return decided
    return (
        pl.when(both_here & ~pl.all_horizontal(known))
        .then(pl.lit(int(Winner.UNREAD), dtype=pl.UInt8))
        .otherwise(decided)
    )


def _plain_winner(rule: MergeRule) -> pl.Expr:
    h, s = pl.col(HUBSPOT + rule.field), pl.col(SALESFORCE + rule.field)
    h_changed, s_changed = _changed(rule, HUBSPOT), _changed(rule, SALESFORCE)
    alike = ~_differ(rule)
    code = {winner: pl.lit(int(winner), dtype=pl.UInt8) for winner in Winner}
    if rule.direction == "to_salesforce":
        return (
            pl.when(_has_or_cleared(rule, HUBSPOT) & ~alike)
            .then(code[Winner.HUBSPOT])
            .otherwise(code[Winner.NOBODY])
        )
    if rule.direction == "to_hubspot":
        return (
            pl.when(_has_or_cleared(rule, SALESFORCE) & ~alike)
            .then(code[Winner.SALESFORCE])
            .otherwise(code[Winner.NOBODY])
        )
    by_rule = {"hubspot": Winner.HUBSPOT_BY_RULE, "salesforce": Winner.SALESFORCE_BY_RULE}.get(
        rule.if_both_changed, Winner.HELD
    )
    decided = (
        pl.when(h_changed & s_changed)
        .then(pl.when(alike).then(code[Winner.BOTH]).otherwise(code[by_rule]))
        .when(h_changed)
        .then(pl.when(alike).then(code[Winner.NOBODY]).otherwise(code[Winner.HUBSPOT]))
        .when(s_changed)
        .then(pl.when(alike).then(code[Winner.NOBODY]).otherwise(code[Winner.SALESFORCE]))
    )
    if rule.if_emptied == "ignore":
        # A blank never erases: where one side was emptied, the other side's value fills it again.
        decided = (
            decided.when(h.is_null() & s.is_not_null())
            .then(code[Winner.SALESFORCE])
            .when(s.is_null() & h.is_not_null())
            .then(code[Winner.HUBSPOT])
        )
    return decided.otherwise(code[Winner.NOBODY])


def _changed(rule: MergeRule, side: str) -> pl.Expr:
    now, base = pl.col(side + rule.field), pl.col(BASE[side] + rule.field)
    changed = now.ne_missing(base)
    if rule.travels_with:
        changed = changed | (
            now.is_not_null()
            & pl.col(side + rule.travels_with).ne_missing(pl.col(BASE[side] + rule.travels_with))
        )
    return changed & now.is_not_null() if rule.if_emptied == "ignore" else changed


def _differ(rule: MergeRule) -> pl.Expr:
    differ = pl.col(HUBSPOT + rule.field).ne_missing(pl.col(SALESFORCE + rule.field))
    if rule.travels_with:
        differ = differ | (
            pl.col(HUBSPOT + rule.field).is_not_null()
            & pl.col(HUBSPOT + rule.travels_with).ne_missing(pl.col(SALESFORCE + rule.travels_with))
        )
    return differ


def _has_or_cleared(rule: MergeRule, side: str) -> pl.Expr:
    now = pl.col(side + rule.field)
    if rule.if_emptied == "ignore":
        return now.is_not_null()
    return now.is_not_null() | pl.col(BASE[side] + rule.field).is_not_null()


def _opt_out_winner(rule: MergeRule) -> pl.Expr:
    """A withdrawal seen anywhere, now or before, stands; only a true travels, never a false."""
    h, s = pl.col(HUBSPOT + rule.field), pl.col(SALESFORCE + rule.field)
    h_true, s_true = h.fill_null(value=False), s.fill_null(value=False)
    withdrawn = _withdrawn(rule)
    return (
        pl.when(h_true & s_true)
        .then(pl.lit(int(Winner.BOTH), dtype=pl.UInt8))
        .when(withdrawn & ~s_true & h_true)
        .then(pl.lit(int(Winner.HUBSPOT), dtype=pl.UInt8))
        .when(withdrawn & ~h_true & s_true)
        .then(pl.lit(int(Winner.SALESFORCE), dtype=pl.UInt8))
        .when(withdrawn)
        .then(pl.lit(int(Winner.HELD), dtype=pl.UInt8))
        .otherwise(pl.lit(int(Winner.NOBODY), dtype=pl.UInt8))
    )


def _withdrawn(rule: MergeRule) -> pl.Expr:
    return pl.any_horizontal(
        pl.col(prefix + rule.field).fill_null(value=False) for prefix in (HUBSPOT, SALESFORCE, *BASE.values())
    )


def _values(rule: MergeRule) -> list[pl.Expr]:
    """``m.<field>`` (and its currency): the value that stands."""
    if rule.opt_out:
        known = pl.coalesce(HUBSPOT + rule.field, SALESFORCE + rule.field)
        return [
            pl.when(_withdrawn(rule)).then(pl.lit(value=True)).otherwise(known).alias(MERGED + rule.field)
        ]
    names = [rule.field, *([rule.travels_with] if rule.travels_with else [])]
    winner = pl.col(WINNER + rule.field)
    salesforce = winner.is_in([int(code) for code in TO_HUBSPOT])
    hubspot = winner.is_in([int(code) for code in (*TO_SALESFORCE, Winner.BOTH)])
    held = winner == int(Winner.HELD)
    return [
        pl.when(salesforce)
        .then(pl.col(SALESFORCE + name))
        .when(hubspot)
        .then(pl.col(HUBSPOT + name))
        .when(held)
        .then(pl.coalesce(BASE[HUBSPOT] + name, BASE[SALESFORCE] + name))
        .otherwise(pl.coalesce(HUBSPOT + name, SALESFORCE + name))
        .alias(MERGED + name)
        if rule.direction != "read_only"
        else pl.coalesce(HUBSPOT + name, SALESFORCE + name).alias(MERGED + name)
        for name in names
    ]
