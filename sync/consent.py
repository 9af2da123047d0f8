"""Withdrawals and standings when both CRMs are merged: seen anywhere, at any time, a withdrawal stands. Pure.

A channel has a flag, a standing (``mapping.consent``) or both, and a withdrawal said in one of them holds for the
other. Of two standings the one that forbids more counts, with its proof. Nothing but a withdrawal is ever written.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from mapping.consent import CONFIRMED, PENDING, STANDING_FIELDS, WITHDRAWN, proof_fields, sibling
from mapping.qualification.truths import choose, every, holds, known, one
from sync.threeway import Leads, Settled, code
from sync.winners import BASE, HUBSPOT, KEPT, MERGED, SALESFORCE, SIDES, MergeRule, Winner


def withdrawn(values: pl.Series) -> pl.Series:
    """Where a column says so: a flag that is true, or a standing that is withdrawn. Never unknown."""
    return holds(values if values.dtype == pl.Boolean else values == WITHDRAWN)


def withdrawal(rule: MergeRule, leads: Leads) -> Settled:
    """One field of withdrawals, merged; only a withdrawal travels, and what is held was taken back in both CRMs."""
    h, s = leads.frame[HUBSPOT + rule.field], leads.frame[SALESFORCE + rule.field]
    h_says, s_says, beside = withdrawn(h), withdrawn(s), _said_beside(rule, leads, SIDES)
    stands = h_says | s_says | beside
    for prefix in (*BASE.values(), *([KEPT] if leads.kept(rule) else [])):
        stands = stands | withdrawn(leads.frame[prefix + rule.field])
    stands = stands | _said_beside(rule, leads, (*BASE.values(), KEPT))
    word: bool | str = True if h.dtype == pl.Boolean else WITHDRAWN
    shown = choose(known(h), h, s) if h.dtype == pl.Boolean else _stricter(h, s)
    values = {rule.field: choose(stands, one(word, h.dtype), shown)}
    if rule.direction == "read_only":
        return Settled(leads.nobody, values)
    winner = choose(stands & ~h_says & ~s_says, code(Winner.HELD), leads.nobody)
    # The channel's other field says it: so will both records of this one.
    winner = choose(beside, code(Winner.BOTH), winner)
    winner = choose(leads.both_here & s_says, code(Winner.SALESFORCE), winner)
    winner = choose(leads.both_here & h_says, code(Winner.HUBSPOT), winner)
    winner = choose(h_says & s_says, code(Winner.BOTH), winner)
    unread = leads.unread(rule)
    return Settled(winner if unread is None else choose(unread, code(Winner.UNREAD), winner), values)


def _said_beside(rule: MergeRule, leads: Leads, prefixes: Sequence[str]) -> pl.Series:
    """Where the channel's other field says that it was withdrawn, in any of these columns."""
    found, other = every(False, pl.Boolean(), leads.frame.height), sibling(rule.field)
    for prefix in prefixes:
        if other is not None and prefix + other in leads.names:
            found = found | withdrawn(leads.frame[prefix + other])
    return found


def _stricter(h: pl.Series, s: pl.Series) -> pl.Series:
    """Of two standings the one that forbids more; where one CRM says nothing, the other one's."""
    confirmed = choose(known(h), h, s)
    return choose(holds(h == PENDING) | holds(s == PENDING), one(PENDING, h.dtype), confirmed)


def with_proofs(merged: pl.DataFrame, rules: Sequence[MergeRule]) -> pl.DataFrame:
    """The proof of each standing from the record that says it; none where no record says it.

    A confirmation that does not say when and in which words it was given proves nothing: it counts as unknown.
    """
    fields = [rule.field for rule in rules if rule.field in STANDING_FIELDS]
    for field in fields:
        merged = _proven(merged, field)
    return merged


def _proven(merged: pl.DataFrame, field: str) -> pl.DataFrame:
    stands, every_proof = pl.col(MERGED + field), proof_fields(STANDING_FIELDS[field])
    names = [name for name in every_proof if MERGED + name in merged.columns]
    at, _, wording = every_proof
    mapped = at in names and wording in names
    proves = {
        side: (pl.col(side + field) == stands).fill_null(value=False)
        & (known_all(side, (at, wording)) if mapped else pl.lit(value=False))
        for side in SIDES
    }
    says = {side: (pl.col(side + field) == stands).fill_null(value=False) for side in SIDES}
    # One record's whole proof, never the time of one beside the words of the other.
    chosen = [(proves[side], side) for side in SIDES] + [(says[side], side) for side in SIDES]
    proof = [
        pl.coalesce(
            pl.when(
                ~pl.any_horizontal([pl.lit(value=False), *(where for where, _ in chosen[:place])]) & here
            ).then(pl.col(side + name))
            for place, (here, side) in enumerate(chosen)
        ).alias(MERGED + name)
        for name in names
    ]
    unproven = (stands == CONFIRMED).fill_null(value=False) & ~pl.any_horizontal(list(proves.values()))
    standing = pl.when(unproven).then(None).otherwise(stands).alias(MERGED + field)
    return merged.with_columns(*proof, standing)


def known_all(side: str, names: Sequence[str]) -> pl.Expr:
    """Where one record shows all of these."""
    return pl.all_horizontal(pl.col(side + name).is_not_null() for name in names)
