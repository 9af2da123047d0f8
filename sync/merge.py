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
from functools import cache, lru_cache
from typing import Literal

import polars as pl

#: Column prefixes of the frame that is merged: one row a lead.
#: ``h.``/``s.`` what HubSpot and Salesforce show now, ``bh.``/``bs.`` their bases, ``m.`` the merged
#: value, ``w.`` who won (``Winner``). Beside them ``h._id``, ``s._id`` (null: no record there),
#: ``h._unread``, ``s._unread`` (lists of fields that were not returned or could not be read), and ``p.`` what
#: is stored for the lead, where it is known.
HUBSPOT, SALESFORCE = "h.", "s."
KEPT = "p."
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
    """Add ``m.<field>`` and ``w.<field>`` for every rule. Columns of the schema above, one row a lead.

    Where a lead's second record is met for the first time, the base of its first one is taken away: nothing was
    agreed between the two, so neither value may pass for the newer one.
    """
    frame = _first_meetings(frame, rules)
    in_hubspot, in_salesforce = (_ever_unread(frame, side) for side in (HUBSPOT, SALESFORCE))
    columns = set(frame.columns)
    kept = {rule.field: KEPT + rule.field in columns for rule in rules}
    decided = frame.with_columns(
        _winner(rule, rule.field in in_hubspot, rule.field in in_salesforce, kept[rule.field])
        for rule in rules
    )
    return decided.with_columns(value for rule in rules for value in _values(rule, kept[rule.field]))


def _first_meetings(frame: pl.DataFrame, rules: Sequence[MergeRule]) -> pl.DataFrame:
    # A withdrawal keeps its base: seen anywhere, at any time, it stands.
    names = [
        name
        for rule in rules
        if not rule.opt_out
        for name in (rule.field, rule.travels_with)
        if name is not None
    ]
    if not names:
        return frame
    based = {
        side: pl.any_horizontal(pl.col(BASE[side] + name).is_not_null() for name in names)
        for side in (HUBSPOT, SALESFORCE)
    }
    both_here = pl.col(HUBSPOT + "_id").is_not_null() & pl.col(SALESFORCE + "_id").is_not_null()
    met = frame.select(met=both_here & (based[HUBSPOT] != based[SALESFORCE]))["met"]
    if not met.any():
        return frame
    bases = [prefix + name for prefix in BASE.values() for name in names]
    return frame.with_columns(pl.when(~met).then(pl.col(name)).alias(name) for name in bases)


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
        mark = _codes()[Winner.UNSAYABLE]
        marks.append(pl.when(to_hubspot | to_salesforce).then(mark).otherwise(winner).alias(WINNER + field))
    return merged.with_columns(marks)


def conflicts(merged: pl.DataFrame, rules: Sequence[MergeRule]) -> pl.DataFrame:
    """Where both sides had changed a field differently: who won by which rule, and both values as text.

    Columns: ``lead_id, field, rule, winner, hubspot_value, salesforce_value, hubspot_at, salesforce_at``.
    A withdrawal that nobody shows any more is among them, for a person: its rule is ``withdrawn``.
    """
    found = []
    for rule in rules:
        if rule.direction != "both" and (not rule.opt_out or rule.direction == "read_only"):
            continue
        contested = merged[WINNER + rule.field].is_in([int(code) for code in CONFLICTS])
        if contested.any():
            found.append(_conflicts_of(rule, merged, contested))
    return pl.concat(found) if found else pl.DataFrame(schema=dict(CONFLICT_SCHEMA))


def _conflicts_of(rule: MergeRule, merged: pl.DataFrame, contested: pl.Series) -> pl.DataFrame:
    sides = [side + name for side in (HUBSPOT, SALESFORCE) for name in (rule.field, "_modified_at")]
    rows = merged.select("lead_id", WINNER + rule.field, *sides).filter(contested)
    return rows.select(
        "lead_id",
        field=pl.lit(rule.field),
        rule=pl.lit("withdrawn" if rule.opt_out else rule.if_both_changed),
        winner=pl.col(WINNER + rule.field).replace_strict(
            _WINNER_WORDS, default="nobody", return_dtype=pl.String
        ),
        hubspot_value=pl.col(HUBSPOT + rule.field).cast(pl.String),
        salesforce_value=pl.col(SALESFORCE + rule.field).cast(pl.String),
        hubspot_at=pl.col(HUBSPOT + "_modified_at"),
        salesforce_at=pl.col(SALESFORCE + "_modified_at"),
    )


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


@cache
def _codes() -> Mapping[Winner, pl.Expr]:
    """Each winner as a literal, made once: a typed literal costs more to make than to compare with."""
    return {winner: pl.lit(int(winner), dtype=pl.UInt8) for winner in Winner}


def _ever_unread(frame: pl.DataFrame, side: str) -> set[str]:
    """The few fields that some record came without: only these need to look into the lists."""
    lists = frame[side + "_unread"].drop_nulls()
    return set(lists.explode().unique().drop_nulls().to_list()) if len(lists) else set()


def _known(rule: MergeRule, side: str) -> pl.Expr:
    """Whether this side showed the field."""
    return ~pl.col(side + "_unread").list.contains(rule.field).fill_null(value=False)


@lru_cache(maxsize=4096)
def _winner(rule: MergeRule, unread_in_hubspot: bool, unread_in_salesforce: bool, kept: bool) -> pl.Expr:
    """``w.<field>``. Made once for a rule: with many slices, making it costs more than carrying it out.

    ``unread_…``: some lead's record there came without the field. ``kept``: ``p.<field>`` is known.
    """
    unread = {HUBSPOT: unread_in_hubspot, SALESFORCE: unread_in_salesforce}
    known = [_known(rule, side) for side, ever in unread.items() if ever]
    return _who_won(rule, known, kept).cast(pl.UInt8).alias(WINNER + rule.field)


def _who_won(rule: MergeRule, known: Sequence[pl.Expr], kept: bool) -> pl.Expr:
    nobody = _codes()[Winner.NOBODY]
    if rule.direction == "read_only":
        return nobody
    both_here = pl.col(HUBSPOT + "_id").is_not_null() & pl.col(SALESFORCE + "_id").is_not_null()
    if rule.opt_out:
        decided, asked = _opt_out_winner(rule, both_here, kept), pl.lit(value=True)
    else:
        decided, asked = pl.when(both_here).then(_plain_winner(rule)).otherwise(nobody), both_here
    if not known:
        return decided
    return pl.when(asked & ~pl.all_horizontal(known)).then(_codes()[Winner.UNREAD]).otherwise(decided)


def _plain_winner(rule: MergeRule) -> pl.Expr:
    h, s = pl.col(HUBSPOT + rule.field), pl.col(SALESFORCE + rule.field)
    h_changed, s_changed = _changed(rule, HUBSPOT), _changed(rule, SALESFORCE)
    alike = ~_differ(rule)
    code = _codes()
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


def _opt_out_winner(rule: MergeRule, both_here: pl.Expr, kept: bool) -> pl.Expr:
    """A withdrawal seen anywhere, now or before, stands; only a true travels, never a false."""
    h, s = pl.col(HUBSPOT + rule.field), pl.col(SALESFORCE + rule.field)
    h_true, s_true = h.fill_null(value=False), s.fill_null(value=False)
    code = _codes()
    return (
        pl.when(h_true & s_true)
        .then(code[Winner.BOTH])
        .when(both_here & h_true)
        .then(code[Winner.HUBSPOT])
        .when(both_here & s_true)
        .then(code[Winner.SALESFORCE])
        .when(_withdrawn(rule, kept) & ~h_true & ~s_true)
        .then(code[Winner.HELD])
        .otherwise(code[Winner.NOBODY])
    )


def _withdrawn(rule: MergeRule, kept: bool) -> pl.Expr:
    prefixes = (HUBSPOT, SALESFORCE, *BASE.values(), *([KEPT] if kept else []))
    return pl.any_horizontal(pl.col(prefix + rule.field).fill_null(value=False) for prefix in prefixes)


@lru_cache(maxsize=4096)
def _values(rule: MergeRule, kept: bool) -> Sequence[pl.Expr]:
    """``m.<field>`` (and its currency): the value that stands. Made once for a rule, like ``_winner``."""
    if rule.opt_out:
        shown = _first_with(rule.field, rule.field, HUBSPOT, SALESFORCE)
        withdrawn = pl.when(_withdrawn(rule, kept)).then(pl.lit(value=True))
        return [withdrawn.otherwise(shown).alias(MERGED + rule.field)]
    names = [rule.field, *([rule.travels_with] if rule.travels_with else [])]
    if rule.direction == "read_only":
        return [_first_with(rule.field, name, HUBSPOT, SALESFORCE).alias(MERGED + name) for name in names]
    winner = pl.col(WINNER + rule.field)
    salesforce = winner.is_in([int(code) for code in TO_HUBSPOT])
    hubspot = winner.is_in([int(code) for code in (*TO_SALESFORCE, Winner.BOTH)])
    stood = [*BASE.values(), *([KEPT] if kept else [])]
    return [
        pl.when(salesforce)
        .then(pl.col(SALESFORCE + name))
        .when(hubspot)
        .then(pl.col(HUBSPOT + name))
        .when(winner == int(Winner.HELD))
        .then(_first_with(rule.field, name, *stood))
        .otherwise(_first_with(rule.field, name, HUBSPOT, SALESFORCE))
        .alias(MERGED + name)
        for name in names
    ]


def _first_with(field: str, name: str, *prefixes: str) -> pl.Expr:
    """``name`` where ``field`` is first known: an amount never gets another one's currency."""
    if name == field:
        return pl.coalesce(prefix + field for prefix in prefixes)
    found: pl.Expr = pl.lit(None, dtype=pl.String)
    for prefix in reversed(prefixes):
        found = pl.when(pl.col(prefix + field).is_not_null()).then(pl.col(prefix + name)).otherwise(found)
    return found
