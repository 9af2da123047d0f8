"""The fields in which both CRMs may have a say: what each changed since they last agreed, and what stands. Pure.

Fields of one kind are decided together, as one long column of those leads of each field where anything differs:
what a decision costs by itself is then paid once a kind, and the leads on which both sides agree cost nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import polars as pl

from mapping.qualification.truths import choose, differ, every, known, one
from sync.unread import Unread
from sync.winners import (
    BASE,
    CODE,
    HUBSPOT,
    KEPT,
    SALESFORCE,
    SIDES,
    TO_HUBSPOT,
    TO_SALESFORCE,
    MergeRule,
    Winner,
    won_by,
)

_PLACE = pl.UInt32()


@dataclass(frozen=True, slots=True)
class Settled:
    """One field, merged: who won, and the values that stand by name."""

    winner: pl.Series
    values: Mapping[str, pl.Series]


class Leads:
    """The leads to be merged, and what every field asks about them."""

    def __init__(self, frame: pl.DataFrame, unread: Unread) -> None:
        self.frame = frame
        self.names = frozenset(frame.columns)
        self.places = pl.int_range(frame.height, dtype=_PLACE, eager=True)
        self.both_here = known(frame[HUBSPOT + "_id"]) & known(frame[SALESFORCE + "_id"])
        self.nobody = every(int(Winner.NOBODY), CODE, frame.height)
        self._unread = unread.places(*SIDES)

    def unread_places(self, rule: MergeRule) -> list[pl.Series]:
        """The places where one of a lead's records came without the field; nothing for nowhere."""
        rows = self._unread.get(rule.field)
        return [] if rows is None else [rows.cast(_PLACE)]

    def unread(self, rule: MergeRule) -> pl.Series | None:
        """Where one of a lead's records came without the field; None for nowhere."""
        rows = self._unread.get(rule.field)
        if rows is None:
            return None
        return every(False, pl.Boolean(), self.frame.height).clone().scatter(rows, True)

    def kept(self, rule: MergeRule) -> bool:
        """Whether it is known what is stored for the leads."""
        return KEPT + rule.field in self.names

    def first_known(self, field: str) -> pl.Series:
        """HubSpot's value, or else Salesforce's."""
        h, s = self.frame[HUBSPOT + field], self.frame[SALESFORCE + field]
        if not h.null_count() or s.null_count() == len(s):
            return h
        if h.null_count() == len(h):
            return s
        blank = self.places.filter(h.is_null())
        return h.clone().scatter(blank, s[blank])


def code(winner: Winner) -> pl.Series:
    """A winner for all leads at once."""
    return one(int(winner), CODE)


def three_way(rules: Sequence[MergeRule], leads: Leads) -> dict[str, Settled]:
    """By field. Where nothing differs, HubSpot's value is as good as the other."""
    unlike = _places_unlike(tuple(rules), leads)
    kinds: dict[object, list[MergeRule]] = {}
    settled: dict[str, Settled] = {}
    for rule in rules:
        values = {name: leads.frame[HUBSPOT + name] for name in rule.names}
        if rule.travels_with:
            values[rule.travels_with] = _only_with(values[rule.field], values[rule.travels_with])
        settled[rule.field] = Settled(leads.nobody, values)
        if not unlike[rule.field].is_empty():
            kinds.setdefault(_kind(rule, leads), []).append(rule)
    for together in kinds.values():
        settled |= _decided(together, leads, [unlike[rule.field] for rule in together], settled)
    return settled


def _kind(rule: MergeRule, leads: Leads) -> object:
    """What fields have in common that are decided together: the rule, and the types of all they compare."""
    columns = [prefix + name for prefix in _prefixes(rule, leads) for name in rule.names]
    # Of a frame this wide, the schema takes longer to make than everything that is asked of it.
    types = tuple(leads.frame[column].dtype for column in columns)
    return rule.direction, rule.if_both_changed, rule.if_emptied, types


def _prefixes(rule: MergeRule, leads: Leads) -> tuple[str, ...]:
    return (*SIDES, *BASE.values(), *([KEPT] if leads.kept(rule) else []))


def _decided(
    rules: Sequence[MergeRule], leads: Leads, rows: Sequence[pl.Series], before: Mapping[str, Settled]
) -> dict[str, Settled]:
    """Fields of one kind: at ``rows`` they are decided, elsewhere they stay as settled ``before``."""
    rule, prefixes = rules[0], _prefixes(rules[0], leads)
    few = {
        prefix + name: _together(
            leads.frame[prefix + one_rule.names[place]][at] for one_rule, at in zip(rules, rows, strict=True)
        )
        for prefix in prefixes
        for place, name in enumerate(rule.names)
    }
    both_here = _together(leads.both_here[at] for at in rows)
    winner = choose(both_here, _plain_winner(rule, few), code(Winner.NOBODY))
    unread = [leads.unread(one_rule) for one_rule in rules]
    if any(found is not None for found in unread):
        nowhere = every(False, pl.Boolean(), leads.frame.height)
        marks = _together((nowhere if u is None else u)[at] for u, at in zip(unread, rows, strict=True))
        winner = choose(both_here & marks, code(Winner.UNREAD), winner)
    stands = [_standing(rule, name, few, winner, prefixes[2:]) for name in rule.names]
    found, start = {}, 0
    for one_rule, at in zip(rules, rows, strict=True):
        values = {
            name: before[one_rule.field].values[name].clone().scatter(at, stand.slice(start, len(at)))
            for name, stand in zip(one_rule.names, stands, strict=True)
        }
        won = leads.nobody.clone().scatter(at, winner.slice(start, len(at)))
        found[one_rule.field] = Settled(won, values)
        start += len(at)
    return found


def _together(parts: Iterable[pl.Series]) -> pl.Series:
    found = list(parts)
    return found[0] if len(found) == 1 else pl.concat(found, rechunk=True)


def _places_unlike(rules: tuple[MergeRule, ...], leads: Leads) -> dict[str, pl.Series]:
    """By field, the places of the leads that have to be decided; a place may stand there twice.

    Anything differs there: between the CRMs, or between HubSpot and its base (what only Salesforce changed differs
    from HubSpot too), or the field was not shown.
    """
    unlike = leads.frame.select(_unlike(rules))
    found = {
        rule.field: [*leads.unread_places(rule), *_marked(leads.places, unlike[rule.field])] for rule in rules
    }
    nowhere = leads.places.clear()
    return {field: _together(parts) if parts else nowhere for field, parts in found.items()}


def _marked(places: pl.Series, where: pl.Series) -> list[pl.Series]:
    return [places.filter(where)] if where.any() else []


@cache
def _unlike(rules: tuple[MergeRule, ...]) -> Sequence[pl.Expr]:
    """Where anything differs, by field."""
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


def _only_with(amounts: pl.Series, currencies: pl.Series) -> pl.Series:
    """The currencies of amounts that are there."""
    stray = known(currencies) & ~known(amounts)
    return choose(stray, one(None, pl.String()), currencies) if stray.any() else currencies


def _plain_winner(rule: MergeRule, few: Mapping[str, pl.Series]) -> pl.Series:
    alike, nobody = ~_differ(rule, few, HUBSPOT, SALESFORCE), code(Winner.NOBODY)
    if rule.direction != "both":
        side = HUBSPOT if rule.direction == "to_salesforce" else SALESFORCE
        wins = code(Winner.HUBSPOT if side == HUBSPOT else Winner.SALESFORCE)
        return choose(_has_or_cleared(rule, few, side) & ~alike, wins, nobody)
    h, s = known(few[HUBSPOT + rule.field]), known(few[SALESFORCE + rule.field])
    h_changed, s_changed = _changed(rule, few, HUBSPOT), _changed(rule, few, SALESFORCE)
    decided = nobody.new_from_index(0, len(alike))
    if rule.if_emptied == "ignore":
        # A blank never erases: where one side was emptied, the other side's value fills it again.
        decided = choose(h & ~s, code(Winner.HUBSPOT), decided)
        decided = choose(s & ~h, code(Winner.SALESFORCE), decided)
    decided = choose(s_changed, choose(alike, nobody, code(Winner.SALESFORCE)), decided)
    decided = choose(h_changed, choose(alike, nobody, code(Winner.HUBSPOT)), decided)
    by_rule = {"hubspot": Winner.HUBSPOT_BY_RULE, "salesforce": Winner.SALESFORCE_BY_RULE}
    contested = code(by_rule.get(rule.if_both_changed, Winner.HELD))
    return choose(h_changed & s_changed, choose(alike, code(Winner.BOTH), contested), decided)


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
    value = first_with(few, rule.field, name, *SIDES)
    held = winner == code(Winner.HELD)
    if held.any():
        value = choose(held, first_with(few, rule.field, name, *stood), value)
    value = choose(won_by(winner, *TO_SALESFORCE, Winner.BOTH), few[HUBSPOT + name], value)
    return choose(won_by(winner, *TO_HUBSPOT), few[SALESFORCE + name], value)


def first_with(
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
