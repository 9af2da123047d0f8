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
from functools import cache
from typing import Literal

import polars as pl

from mapping.qualification.truths import choose, differ, every, holds, known, looked_up, one
from sync.unread import places_unread

#: Column prefixes of the frame that is merged: one row a lead.
#: ``h.``/``s.`` what HubSpot and Salesforce show now, ``bh.``/``bs.`` their bases, ``m.`` the merged
#: value, ``w.`` who won (``Winner``). Beside them ``h._id``, ``s._id`` (null: no record there),
#: ``h._unread``, ``s._unread`` (lists of fields that were not returned or could not be read), and ``p.`` what
#: is stored for the lead, where it is known.
HUBSPOT, SALESFORCE = "h.", "s."
KEPT = "p."
SIDES = (HUBSPOT, SALESFORCE)
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


_CODE = pl.UInt8()
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

    @property
    def contested(self) -> bool:
        """Both CRMs may have a say in it, and neither by being withdrawn there."""
        return self.direction != "read_only" and not self.opt_out

    @property
    def names(self) -> tuple[str, ...]:
        """The columns that are merged as one."""
        return (self.field, self.travels_with) if self.travels_with else (self.field,)


def merge(frame: pl.DataFrame, rules: Sequence[MergeRule]) -> pl.DataFrame:
    """Add ``m.<field>`` and ``w.<field>`` for every rule. Columns of the schema above, one row a lead.

    Where a lead's second record is met for the first time, the base of its first one is taken away: nothing was
    agreed between the two, so neither value may pass for the newer one.
    """
    frame = _first_meetings(frame, rules)
    leads = _Leads(frame)
    unlike = frame.select(_unlike(tuple(rule for rule in rules if rule.contested)))
    settled = []
    for rule in rules:
        if rule.direction == "read_only" and not rule.opt_out:
            settled.append(_shown(rule, leads))
        elif rule.opt_out:
            settled.append(_withdrawal(rule, leads))
        else:
            settled.append(_three_way(rule, leads, unlike[rule.field]))
    winners = [done.winner.alias(WINNER + rule.field) for rule, done in zip(rules, settled, strict=True)]
    values = [value.alias(MERGED + name) for done in settled for name, value in done.values.items()]
    return frame.hstack([*winners, *values])


def _first_meetings(frame: pl.DataFrame, rules: Sequence[MergeRule]) -> pl.DataFrame:
    # A withdrawal keeps its base: seen anywhere, at any time, it stands.
    names = tuple(name for rule in rules if not rule.opt_out for name in rule.names)
    blanks = {side: [frame[BASE[side] + name].null_count() for name in names] for side in SIDES}
    every_one = all(0 in counts for counts in blanks.values())
    no_one = all(count == frame.height for counts in blanks.values() for count in counts)
    if every_one or no_one:  # has a base: in both CRMs alike
        return frame
    met = frame.select(_met(names))["met"]
    if not met.any():
        return frame
    bases = [prefix + name for prefix in BASE.values() for name in names]
    return frame.with_columns(pl.when(~met).then(pl.col(name)).alias(name) for name in bases)


@cache
def _met(names: tuple[str, ...]) -> pl.Expr:
    """Both records are here, and one of them alone has a base."""
    based = {
        side: pl.any_horizontal(pl.col(BASE[side] + name).is_not_null() for name in names) for side in SIDES
    }
    both_here = pl.col(HUBSPOT + "_id").is_not_null() & pl.col(SALESFORCE + "_id").is_not_null()
    return (both_here & (based[HUBSPOT] != based[SALESFORCE])).alias("met")


def without_words(merged: pl.DataFrame, unsayable: Mapping[str, tuple[pl.Expr, pl.Expr]]) -> pl.DataFrame:
    """Mark winners whose value cannot be said in the CRM that it would go to.

    ``unsayable``: field to what HubSpot and what Salesforce cannot say, as expressions on ``m.`` columns. To
    write nothing there would clear the field, so such a field is left alone on both sides.
    """
    marks = []
    for field, (hubspot, salesforce) in unsayable.items():
        winner = merged[WINNER + field]
        to_hubspot, to_salesforce = won_by(winner, *TO_HUBSPOT), won_by(winner, *TO_SALESFORCE)
        if to_hubspot.any() or to_salesforce.any():
            cannot = merged.select(hubspot.alias("hubspot"), salesforce.alias("salesforce"))
            stuck = (to_hubspot & cannot["hubspot"]) | (to_salesforce & cannot["salesforce"])
            marks.append(choose(stuck, _code(Winner.UNSAYABLE), winner).alias(WINNER + field))
    return merged.with_columns(marks) if marks else merged


def conflicts(merged: pl.DataFrame, rules: Sequence[MergeRule]) -> pl.DataFrame:
    """Where both sides had changed a field differently: who won by which rule, and both values as text.

    Columns: ``lead_id, field, rule, winner, hubspot_value, salesforce_value, hubspot_at, salesforce_at``.
    A withdrawal that nobody shows any more is among them, for a person: its rule is ``withdrawn``.
    """
    found = []
    for rule in rules:
        if rule.direction != "both" and (not rule.opt_out or rule.direction == "read_only"):
            continue
        winner = merged[WINNER + rule.field]
        if winner.max() and (contested := won_by(winner, *CONFLICTS)).any():
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
def _unlike(rules: tuple[MergeRule, ...]) -> Sequence[pl.Expr]:
    """By field, where anything differs: between the CRMs, or between HubSpot and its base.

    What only Salesforce changed differs from HubSpot too. Elsewhere nothing has to be decided.
    """
    found = []
    for rule in rules:
        compared = [(HUBSPOT, SALESFORCE), *([(HUBSPOT, BASE[HUBSPOT])] if rule.direction == "both" else [])]
        tests = [
            pl.col(one_side + name).ne_missing(pl.col(other + name))
            for one_side, other in compared
            for name in rule.names
        ]
        found.append((tests[0] if len(tests) == 1 else pl.any_horizontal(tests)).alias(rule.field))
    return found


@dataclass(frozen=True, slots=True)
class _Settled:
    """One field, merged: who won, and the values that stand by name."""

    winner: pl.Series
    values: Mapping[str, pl.Series]


class _Leads:
    """The leads to be merged, and what every field asks about them."""

    def __init__(self, frame: pl.DataFrame) -> None:
        self.frame = frame
        self.places = pl.int_range(frame.height, dtype=pl.UInt32, eager=True)
        self.both_here = known(frame[HUBSPOT + "_id"]) & known(frame[SALESFORCE + "_id"])
        self.nobody = every(int(Winner.NOBODY), _CODE, frame.height)
        self._unread = places_unread(frame, *SIDES)

    def unread(self, rule: MergeRule) -> pl.Series | None:
        """Where one of a lead's records came without the field; None for nowhere."""
        rows = self._unread.get(rule.field)
        if rows is None:
            return None
        return every(False, pl.Boolean(), self.frame.height).clone().scatter(rows, True)

    def kept(self, rule: MergeRule) -> bool:
        """Whether it is known what is stored for the leads."""
        return KEPT + rule.field in self.frame.columns


def _code(winner: Winner) -> pl.Series:
    return one(int(winner), _CODE)


def _shown(rule: MergeRule, leads: _Leads) -> _Settled:
    """What is only read: HubSpot's value, or else Salesforce's."""
    h, s = leads.frame[HUBSPOT + rule.field], leads.frame[SALESFORCE + rule.field]
    if rule.travels_with:
        values = {name: _first_with(leads.frame, rule.field, name, *SIDES) for name in rule.names}
    elif not h.null_count() or s.null_count() == len(s):
        values = {rule.field: h}
    elif h.null_count() == len(h):
        values = {rule.field: s}
    else:
        blank = leads.places.filter(~known(h))
        values = {rule.field: h.clone().scatter(blank, s[blank])}
    return _Settled(leads.nobody, values)


def _withdrawal(rule: MergeRule, leads: _Leads) -> _Settled:
    """A withdrawal seen anywhere, now or before, stands; only a true travels, never a false."""
    h, s = leads.frame[HUBSPOT + rule.field], leads.frame[SALESFORCE + rule.field]
    h_true, s_true = holds(h), holds(s)
    withdrawn = h_true | s_true
    for prefix in (*BASE.values(), *([KEPT] if leads.kept(rule) else [])):
        withdrawn = withdrawn | holds(leads.frame[prefix + rule.field])
    values = {rule.field: choose(withdrawn, one(True, pl.Boolean()), choose(known(h), h, s))}
    if rule.direction == "read_only":
        return _Settled(leads.nobody, values)
    winner = choose(withdrawn & ~h_true & ~s_true, _code(Winner.HELD), leads.nobody)
    winner = choose(leads.both_here & s_true, _code(Winner.SALESFORCE), winner)
    winner = choose(leads.both_here & h_true, _code(Winner.HUBSPOT), winner)
    winner = choose(h_true & s_true, _code(Winner.BOTH), winner)
    unread = leads.unread(rule)
    return _Settled(winner if unread is None else choose(unread, _code(Winner.UNREAD), winner), values)


def _three_way(rule: MergeRule, leads: _Leads, unlike: pl.Series) -> _Settled:
    """The rows where something differs are decided; everywhere else HubSpot's value is as good as the other."""
    unread = leads.unread(rule)
    rows = leads.places.filter(unlike if unread is None else unlike | unread)
    values = {name: leads.frame[HUBSPOT + name] for name in rule.names}
    if rule.travels_with:
        values[rule.travels_with] = _only_with(values[rule.field], values[rule.travels_with])
    if rows.is_empty():
        return _Settled(leads.nobody, values)
    prefixes = (*SIDES, *BASE.values(), *([KEPT] if leads.kept(rule) else []))
    few = {prefix + name: leads.frame[prefix + name][rows] for prefix in prefixes for name in rule.names}
    both_here = leads.both_here[rows]
    winner = choose(both_here, _plain_winner(rule, few), _code(Winner.NOBODY))
    if unread is not None:
        winner = choose(both_here & unread[rows], _code(Winner.UNREAD), winner)
    stands = {name: _standing(rule, name, few, winner, prefixes[2:]) for name in rule.names}
    merged = {name: value.clone().scatter(rows, stands[name]) for name, value in values.items()}
    return _Settled(leads.nobody.clone().scatter(rows, winner), merged)


def _only_with(amounts: pl.Series, currencies: pl.Series) -> pl.Series:
    """The currencies of amounts that are there."""
    stray = known(currencies) & ~known(amounts)
    return choose(stray, one(None, pl.String()), currencies) if stray.any() else currencies


def _plain_winner(rule: MergeRule, few: Mapping[str, pl.Series]) -> pl.Series:
    alike, nobody = ~_differ(rule, few, HUBSPOT, SALESFORCE), _code(Winner.NOBODY)
    if rule.direction != "both":
        side = HUBSPOT if rule.direction == "to_salesforce" else SALESFORCE
        wins = _code(Winner.HUBSPOT if side == HUBSPOT else Winner.SALESFORCE)
        return choose(_has_or_cleared(rule, few, side) & ~alike, wins, nobody)
    h, s = known(few[HUBSPOT + rule.field]), known(few[SALESFORCE + rule.field])
    h_changed, s_changed = _changed(rule, few, HUBSPOT), _changed(rule, few, SALESFORCE)
    decided = nobody.new_from_index(0, len(alike))
    if rule.if_emptied == "ignore":
        # A blank never erases: where one side was emptied, the other side's value fills it again.
        decided = choose(h & ~s, _code(Winner.HUBSPOT), decided)
        decided = choose(s & ~h, _code(Winner.SALESFORCE), decided)
    decided = choose(s_changed, choose(alike, nobody, _code(Winner.SALESFORCE)), decided)
    decided = choose(h_changed, choose(alike, nobody, _code(Winner.HUBSPOT)), decided)
    by_rule = {"hubspot": Winner.HUBSPOT_BY_RULE, "salesforce": Winner.SALESFORCE_BY_RULE}
    contested = _code(by_rule.get(rule.if_both_changed, Winner.HELD))
    return choose(h_changed & s_changed, choose(alike, _code(Winner.BOTH), contested), decided)


def _differ(rule: MergeRule, few: Mapping[str, pl.Series], one_side: str, other: str) -> pl.Series:
    """Where two sides show something else; a currency counts where the first shows an amount."""
    unlike = differ(few[one_side + rule.field], few[other + rule.field])
    if rule.travels_with is None:
        return unlike
    currency = differ(few[one_side + rule.travels_with], few[other + rule.travels_with])
    return unlike | (known(few[one_side + rule.field]) & currency)


def _changed(rule: MergeRule, few: Mapping[str, pl.Series], side: str) -> pl.Series:
    changed = _differ(rule, few, side, BASE[side])
    return changed & known(few[side + rule.field]) if rule.if_emptied == "ignore" else changed


def _has_or_cleared(rule: MergeRule, few: Mapping[str, pl.Series], side: str) -> pl.Series:
    has = known(few[side + rule.field])
    return has if rule.if_emptied == "ignore" else has | known(few[BASE[side] + rule.field])


def _standing(
    rule: MergeRule, name: str, few: Mapping[str, pl.Series], winner: pl.Series, stood: Sequence[str]
) -> pl.Series:
    """The value that stands. What is held stays as both agreed on it last, or as it is stored."""
    value = _first_with(few, rule.field, name, *SIDES)
    held = winner == _code(Winner.HELD)
    if held.any():
        value = choose(held, _first_with(few, rule.field, name, *stood), value)
    value = choose(won_by(winner, *TO_SALESFORCE, Winner.BOTH), few[HUBSPOT + name], value)
    return choose(won_by(winner, *TO_HUBSPOT), few[SALESFORCE + name], value)


def won_by(winner: pl.Series, *winners: Winner) -> pl.Series:
    """Where one of these decided, in a column ``w.<field>``."""
    return looked_up(_among(winners), winner)


@cache
def _among(winners: tuple[Winner, ...]) -> pl.Series:
    return pl.Series([winner in winners for winner in Winner])


def _first_with(
    values: Mapping[str, pl.Series] | pl.DataFrame, field: str, name: str, *prefixes: str
) -> pl.Series:
    """``name`` where ``field`` is first known: an amount never gets another one's currency."""
    last = values[prefixes[-1] + name]
    found = (
        last if name == field else choose(known(values[prefixes[-1] + field]), last, one(None, pl.String()))
    )
    for prefix in reversed(prefixes[:-1]):
        found = choose(known(values[prefix + field]), values[prefix + name], found)
    return found
