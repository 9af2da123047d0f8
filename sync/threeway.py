"""The fields in which both CRMs may have a say: what each changed since they last agreed, and what stands. Pure.

Fields of one kind are decided together, as one long column of those leads of each field where anything differs:
what a decision costs by itself is then paid once a kind, and the leads on which both sides agree cost nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import polars as pl

from mapping.qualification.truths import choose, every, known, one
from sync.inorder import gathered, true_at
from sync.unread import PLACE, Unread
from sync.winners import (
    APART,
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

#: The columns in which the fields of one kind stand together: their value, and the currency of an amount.
_VALUE, _CURRENCY = "value", "currency"
_COMPARED = (*SIDES, *BASE.values())
#: By whether they are amounts.
_STACKED = {
    False: [prefix + _VALUE for prefix in _COMPARED],
    True: [prefix + called for prefix in _COMPARED for called in (_VALUE, _CURRENCY)],
}
#: Where a value that stands may come from.
_SOURCES = (*_COMPARED, KEPT)
_SOURCE = pl.UInt8()


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
        self.places = pl.int_range(frame.height, dtype=PLACE, eager=True)
        self.both_here = known(frame[HUBSPOT + "_id"]) & known(frame[SALESFORCE + "_id"])
        self.nobody = every(int(Winner.NOBODY), CODE, frame.height)
        self._unread = {field: true_at(rows, frame.height) for field, rows in unread.places(*SIDES).items()}

    def unread(self, rule: MergeRule) -> pl.Series | None:
        """Where one of a lead's records came without the field; None for nowhere."""
        return self._unread.get(rule.field)

    def apart(self) -> pl.Series | None:
        """The places of the leads of which a record may not hold what its base does; None: most, or nobody knows."""
        known_apart = [prefix + APART for prefix in BASE.values()]
        if not self.names.issuperset(known_apart):
            return None
        hubspot, salesforce = (self.frame[name] for name in known_apart)
        where = hubspot | salesforce
        return None if 2 * int(where.sum()) > len(where) else self.places.filter(where)

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
    """What fields have in common that are decided together."""
    return rule.direction, rule.if_both_changed, rule.if_emptied, leads.kept(rule)


def _decided(
    rules: Sequence[MergeRule], leads: Leads, rows: Sequence[pl.Series], before: Mapping[str, Settled]
) -> dict[str, Settled]:
    """Fields of one kind: at ``rows`` they are decided, elsewhere they stay as settled ``before``."""
    rules, rows, said = _said(rules, leads, rows)
    both_here = leads.both_here[_together(rows)]
    winner = choose(both_here, _plain_winner(rules[0], said), code(Winner.NOBODY))
    unread = [leads.unread(rule) for rule in rules]
    if any(where is not None for where in unread):
        marks = [
            every(False, pl.Boolean(), len(at)) if where is None else where[at]
            for where, at in zip(unread, rows, strict=True)
        ]
        winner = choose(both_here & _together(marks), code(Winner.UNREAD), winner)
    source = _source(said, winner, kept=leads.kept(rules[0]))
    # Elsewhere HubSpot's value stands already.
    others = {prefix: source == _from(prefix) for prefix in _SOURCES if prefix != HUBSPOT}
    others = {prefix: where for prefix, where in others.items() if where.any()}
    found, start = {}, 0
    for rule, at in zip(rules, rows, strict=True):
        won = leads.nobody.clone().scatter(at, winner.slice(start, len(at)))
        taken = {prefix: at.filter(where.slice(start, len(at))) for prefix, where in others.items()}
        values = {
            name: _with_others(leads.frame, rule.field, name, value, taken)
            for name, value in before[rule.field].values.items()
        }
        found[rule.field] = Settled(won, values)
        start += len(at)
    return found


def _together(parts: Sequence[pl.Series]) -> pl.Series:
    return parts[0] if len(parts) == 1 else pl.concat(parts, rechunk=True)


def _places_unlike(rules: tuple[MergeRule, ...], leads: Leads) -> dict[str, pl.Series]:
    """By field, the places of the leads that have to be decided.

    Anything differs there: between the CRMs, or between HubSpot and its base (what only Salesforce changed differs
    from HubSpot too), or the field was not shown. Of leads that are as both CRMs last agreed, no value is compared:
    they have to be decided only where one CRM has a value and the other has none.
    """
    both = tuple(rule for rule in rules if rule.direction == "both")
    few = leads.apart()
    whole = rules if few is None else tuple(rule for rule in rules if rule.direction != "both")
    found = dict(zip(_names(whole), _marked(leads, whole, None), strict=True))
    if few is not None:
        found |= dict(zip(_names(both), _marked(leads, both, few), strict=True))
    return found


def _names(rules: Sequence[MergeRule]) -> list[str]:
    return [rule.field for rule in rules]


def _marked(leads: Leads, rules: tuple[MergeRule, ...], few: pl.Series | None) -> Iterable[pl.Series]:
    """The places for each of these rules; ``few``: the only leads whose values are compared, None: all are."""
    if not rules:
        return
    looked_at = leads.frame[_compared(rules)]
    unlike = (looked_at if few is None else gathered(looked_at, few)).select(_unlike(rules))
    alone = None if few is None else looked_at.select(_alone(rules))
    for rule in rules:
        where, unread = unlike[rule.field], leads.unread(rule)
        elsewhere = [] if unread is None else [unread]
        if alone is not None and alone[rule.field].any():
            elsewhere.append(alone[rule.field])
        if few is not None and elsewhere:
            where = true_at(few.filter(where), leads.frame.height)
        for others in elsewhere:
            where = where | others
        yield (leads.places if few is None or elsewhere else few).filter(where)


@cache
def _compared(rules: tuple[MergeRule, ...]) -> list[str]:
    """The columns that are looked at to see where anything differs."""
    return sorted({name for test in _unlike(rules) for name in test.meta.root_names()})


@cache
def _alone(rules: tuple[MergeRule, ...]) -> Sequence[pl.Expr]:
    """Where one CRM has a value and the other has none, by field."""
    here = {side: [pl.col(side + rule.field).is_null() for rule in rules] for side in SIDES}
    pairs = zip(rules, here[HUBSPOT], here[SALESFORCE], strict=True)
    return [(h != s).alias(rule.field) for rule, h, s in pairs]


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


def _said(
    rules: Sequence[MergeRule], leads: Leads, rows: Sequence[pl.Series]
) -> tuple[list[MergeRule], list[pl.Series], Mapping[str, pl.Series]]:
    """What is asked of fields of one kind (``_asked``), at ``rows``; with it the rules and rows in its order.

    Values of one type are compared as one column.
    """
    alike: dict[object, list[tuple[MergeRule, pl.Series, pl.DataFrame]]] = {}
    for rule, at in zip(rules, rows, strict=True):
        values = leads.frame[[prefix + name for prefix in _COMPARED for name in rule.names]]
        alike.setdefault(tuple(values.dtypes), []).append((rule, at, values))
    answers, ordered = [], [found for together in alike.values() for found in together]
    for together in alike.values():
        paired = together[0][0].travels_with is not None
        columns = zip(*(gathered(values, at).get_columns() for _, at, values in together), strict=True)
        stacked = [
            _together(parts).alias(name) for name, parts in zip(_STACKED[paired], columns, strict=True)
        ]
        answers.append(pl.DataFrame(stacked).select(_asked(paired)))
    said = {name: _together([one_kind[name] for one_kind in answers]) for name in answers[0].columns}
    return [rule for rule, _, _ in ordered], [at for _, at, _ in ordered], said


@cache
def _asked(paired: bool) -> Sequence[pl.Expr]:
    """Where each side and base has a value, by prefix, and where two of them differ, by both prefixes."""
    found = [pl.col(prefix + _VALUE).is_not_null().alias(prefix) for prefix in _COMPARED]
    for one_side, other in ((HUBSPOT, SALESFORCE), *BASE.items()):
        unlike = pl.col(one_side + _VALUE).ne_missing(pl.col(other + _VALUE))
        if paired:  # a currency counts where the first shows an amount
            currency = pl.col(one_side + _CURRENCY).ne_missing(pl.col(other + _CURRENCY))
            unlike = unlike | (pl.col(one_side + _VALUE).is_not_null() & currency)
        found.append(unlike.alias(one_side + other))
    return found


def _plain_winner(rule: MergeRule, said: Mapping[str, pl.Series]) -> pl.Series:
    alike, nobody = ~said[HUBSPOT + SALESFORCE], code(Winner.NOBODY)
    if rule.direction != "both":
        side = HUBSPOT if rule.direction == "to_salesforce" else SALESFORCE
        wins = code(Winner.HUBSPOT if side == HUBSPOT else Winner.SALESFORCE)
        return choose(_has_or_cleared(rule, said, side) & ~alike, wins, nobody)
    h, s = said[HUBSPOT], said[SALESFORCE]
    h_changed, s_changed = _changed(rule, said, HUBSPOT), _changed(rule, said, SALESFORCE)
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


def _changed(rule: MergeRule, said: Mapping[str, pl.Series], side: str) -> pl.Series:
    changed = said[side + BASE[side]]
    return changed & said[side] if rule.if_emptied == "ignore" else changed


def _has_or_cleared(rule: MergeRule, said: Mapping[str, pl.Series], side: str) -> pl.Series:
    return said[side] if rule.if_emptied == "ignore" else said[side] | said[BASE[side]]


def _source(said: Mapping[str, pl.Series], winner: pl.Series, *, kept: bool) -> pl.Series:
    """Where the value that stands comes from. What is held stays as both agreed on it last, or as it is stored."""
    source = _first_known(said, *SIDES)
    held = winner == code(Winner.HELD)
    if held.any():
        source = choose(held, _first_known(said, *BASE.values(), *([KEPT] if kept else [])), source)
    source = choose(won_by(winner, *TO_SALESFORCE, Winner.BOTH), _from(HUBSPOT), source)
    return choose(won_by(winner, *TO_HUBSPOT), _from(SALESFORCE), source)


def _from(prefix: str) -> pl.Series:
    return one(_SOURCES.index(prefix), _SOURCE)


def _first_known(said: Mapping[str, pl.Series], *prefixes: str) -> pl.Series:
    """Whichever has a value first; the last of them where none has."""
    found = _from(prefixes[-1])
    for prefix in reversed(prefixes[:-1]):
        found = choose(said[prefix], _from(prefix), found)
    return found


def _with_others(
    frame: pl.DataFrame, field: str, name: str, before: pl.Series, taken: Mapping[str, pl.Series]
) -> pl.Series:
    """A column as it was ``before`` (HubSpot's), with what is ``taken`` from others: by prefix, at which places."""
    for prefix, rows in taken.items():
        if rows.is_empty():
            continue
        values = frame[prefix + name][rows]
        if name != field:
            values = _only_with(frame[prefix + field][rows], values)
        before = before.clone().scatter(rows, values)
    return before


def _only_with(amounts: pl.Series, currencies: pl.Series) -> pl.Series:
    """The currencies of amounts that are there."""
    if not amounts.null_count():
        return currencies
    without = ~known(amounts)
    some = currencies.filter(without)
    stray = some.null_count() < len(some)
    return choose(without, one(None, pl.String()), currencies) if stray else currencies


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
