"""Withdrawals and standings when both CRMs are merged: seen anywhere, at any time, a withdrawal stands. Pure.

A channel has a flag, a standing (``mapping.consent``) or both, and a withdrawal said in one of them holds for the
other. Of two standings the one that forbids more counts, with its proof. Nothing but a withdrawal is ever written.
A field that did not come is no blank: what was last known of it still counts, and proves as much as it did then.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import polars as pl

from mapping.consent import CONFIRMED, PENDING, STANDING_FIELDS, WITHDRAWN, proof_fields, sibling
from mapping.qualification.truths import choose, every, holds, known, one
from sync.threeway import Leads, Settled, code
from sync.unread import Unread
from sync.winners import BASE, HUBSPOT, KEPT, MERGED, SALESFORCE, SIDES, MergeRule, Winner, won_by


def withdrawn(values: pl.Series) -> pl.Series:
    """Where a column says so: a flag that is true, or a standing that is withdrawn. Never unknown."""
    return holds(values if values.dtype == pl.Boolean else values == WITHDRAWN)


def goes_to_both(winner: pl.Series) -> pl.Series:
    """Where a withdrawal is due in whichever record does not say it yet, as far as that CRM has a word for it."""
    return won_by(winner, Winner.BOTH, Winner.UNSAYABLE)


def why_withdrawn(there: pl.Expr, other: str) -> pl.Expr:
    """Why a withdrawal is written. ``there``: whether this very field says it in the other CRM, called ``other``."""
    return (
        pl.when(there)
        .then(pl.lit(f"a withdrawal in {other} holds in both CRMs"))
        .otherwise(pl.lit("a withdrawal in the channel's other field holds here too"))
    )


def withdrawal(rule: MergeRule, leads: Leads) -> Settled:
    """One field of withdrawals, merged; only a withdrawal travels, and what is held was taken back in both CRMs."""
    h, s = leads.frame[HUBSPOT + rule.field], leads.frame[SALESFORCE + rule.field]
    h_says, s_says, beside = (
        withdrawn(h),
        withdrawn(s),
        _said_beside(rule.field, leads.frame, SIDES, leads.names),
    )
    stands = said_anywhere(rule.field, leads.frame, (*SIDES, *BASE.values(), KEPT), leads.names)
    unread = leads.unread(rule)
    shown = choose(known(h), h, s) if h.dtype == pl.Boolean else stricter([h, s])
    if unread is not None and h.dtype != pl.Boolean:
        shown = choose(unread, _last_known(rule, leads, shown), shown)
    word: bool | str = True if h.dtype == pl.Boolean else WITHDRAWN
    values = {rule.field: choose(stands, one(word, h.dtype), shown)}
    if rule.direction == "read_only":
        return Settled(leads.nobody, values)
    winner = choose(stands & ~h_says & ~s_says, code(Winner.HELD), leads.nobody)
    # The channel's other field says it: so will both records of this one.
    winner = choose(beside, code(Winner.BOTH), winner)
    winner = choose(leads.both_here & s_says, code(Winner.SALESFORCE), winner)
    winner = choose(leads.both_here & h_says, code(Winner.HUBSPOT), winner)
    winner = choose(h_says & s_says, code(Winner.BOTH), winner)
    return Settled(winner if unread is None else choose(unread, code(Winner.UNREAD), winner), values)


def said_anywhere(
    field: str, frame: pl.DataFrame, prefixes: Sequence[str], names: Collection[str]
) -> pl.Series:
    """Where any of these columns of a field, or of the channel's other field, says that it was withdrawn.

    ``names``: the frame's columns; of a wide frame they take longer to list than to look into.
    """
    found = _said_beside(field, frame, prefixes, names)
    for prefix in prefixes:
        if prefix + field in names:
            found = found | withdrawn(frame[prefix + field])
    return found


def _said_beside(
    field: str, frame: pl.DataFrame, prefixes: Sequence[str], names: Collection[str]
) -> pl.Series:
    """Where the channel's other field says that it was withdrawn, in any of these columns."""
    found, other = every(False, pl.Boolean(), frame.height), sibling(field)
    for prefix in prefixes:
        if other is not None and prefix + other in names:
            found = found | withdrawn(frame[prefix + other])
    return found


def stricter(standings: Sequence[pl.Series]) -> pl.Series:
    """Of standings, none of them withdrawn, the one that forbids more; a blank says nothing beside another."""
    found, pending = standings[0], holds(standings[0] == PENDING)
    for other in standings[1:]:
        found, pending = choose(known(found), found, other), pending | holds(other == PENDING)
    return choose(pending, one(PENDING, found.dtype), found)


def _last_known(rule: MergeRule, leads: Leads, shown: pl.Series) -> pl.Series:
    """What a standing is that a record came without: nobody confirmed what was pending where we cannot look."""
    bases = [leads.frame[prefix + rule.field] for prefix in BASE.values()]
    # What was stored had its proof; a base is a record's bare word, and its confirmation is none by itself.
    waiting = [choose(holds(base == PENDING), base, one(None, base.dtype)) for base in bases]
    stored = [leads.frame[KEPT + rule.field]] if leads.kept(rule) else []
    return stricter([shown, *stored, *waiting])


def with_proofs(
    merged: pl.DataFrame, fields: Sequence[str], unread: Unread, sides: Sequence[str] = SIDES
) -> pl.DataFrame:
    """The proof of each standing of ``fields`` from the record that says it; none where no record says it.

    A confirmation that does not say when and in which words it was given proves nothing: it counts as unknown. Where a
    record came without its standing or a part of its proof, what is stored (``p.``) stays, as a whole. ``sides``:
    prefixes of what may say it, the first to be believed first; only the CRMs' can have come without a field.
    """
    for field in fields:
        if field in STANDING_FIELDS:
            merged = _proven(merged, field, not_shown(field, unread, merged.height), sides)
    return merged


def not_shown(field: str, unread: Unread, height: int) -> pl.Series:
    """Where a lead has a record that came without a standing or without any of its proof."""
    shown = every(True, pl.Boolean(), height)
    for side in SIDES:
        for name in (field, *proof_fields(STANDING_FIELDS[field])):
            shown = unread.without(shown, side, name)
    return ~shown


def _proven(merged: pl.DataFrame, field: str, hidden: pl.Series, sides: Sequence[str]) -> pl.DataFrame:
    stands, every_proof = merged[MERGED + field], proof_fields(STANDING_FIELDS[field])
    nowhere = every(False, pl.Boolean(), merged.height)
    names = [name for name in every_proof if MERGED + name in merged.columns]
    at, _, wording = every_proof
    mapped = at in names and wording in names
    says = {side: holds(merged[side + field] == stands) for side in sides}
    proves = {
        side: says[side] & known(merged[side + at]) & known(merged[side + wording]) if mapped else nowhere
        for side in sides
    }
    # One record's whole proof, never the time of one beside the words of the other.
    chosen = [(proves[side], side) for side in sides]
    proven = nowhere
    for where in proves.values():
        proven = proven | where
    if KEPT + field in merged.columns and hidden.any():
        stored = merged[KEPT + field]
        unsure = hidden & ~proven & holds(stands == CONFIRMED)
        stands = choose(unsure, stored, stands)
        chosen.append((hidden & holds(stored == stands), KEPT))
        proven = proven | unsure
    chosen += [(says[side], side) for side in sides]
    proof = [_first_of(merged, name, chosen).alias(MERGED + name) for name in names]
    unproven = holds(stands == CONFIRMED) & ~proven
    standing = choose(unproven, one(None, stands.dtype), stands).alias(MERGED + field)
    return merged.with_columns(*proof, standing)


def _first_of(merged: pl.DataFrame, name: str, chosen: Sequence[tuple[pl.Series, str]]) -> pl.Series:
    """A column of the first of these that is chosen, lead by lead."""
    found = one(None, merged[MERGED + name].dtype)
    for here, side in reversed(chosen):
        if side + name in merged.columns:
            found = choose(here, merged[side + name], found)
    return found
