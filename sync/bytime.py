"""The rule ``newest``: of two changes of one field the later one stands, by the field's own time in each CRM. Pure.

A record's time says nothing about one of its fields. Where a CRM does not tell when the field got the value that it
has, or both changed within a second (Salesforce keeps whole ones), the field is held for a person.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import polars as pl

from mapping.qualification.truths import choose, holds
from sync.threeway import Leads, Settled, code
from sync.winners import HUBSPOT, SALESFORCE, MergeRule, Winner

#: Column prefixes of when a field was last changed, by the CRM's own history; only for fields whose rule asks for it.
CHANGED_AT: Mapping[str, str] = {HUBSPOT: "ha.", SALESFORCE: "sa."}
#: Salesforce's history keeps whole seconds (Salesforce reference, section 6).
CLOSE = timedelta(seconds=1)
NEWEST = "newest"


def later_wins(rule: MergeRule, leads: Leads, settled: Settled) -> Settled:
    """What both sides changed, settled by time where both times are known and apart; all else as it was settled."""
    names = {side: prefix + rule.field for side, prefix in CHANGED_AT.items()}
    if rule.if_both_changed != NEWEST or not leads.names.issuperset(names.values()):
        return settled
    held = settled.winner == code(Winner.HELD)
    if not held.any():
        return settled
    h_at, s_at = (leads.frame[names[side]] for side in (HUBSPOT, SALESFORCE))
    h_later, s_later = held & holds(h_at >= s_at + CLOSE), held & holds(s_at > h_at)
    winner = choose(h_later, code(Winner.HUBSPOT_BY_RULE), settled.winner)
    winner = choose(s_later, code(Winner.SALESFORCE_BY_RULE), winner)
    values = {
        name: choose(
            s_later,
            leads.frame[SALESFORCE + name],
            choose(h_later, leads.frame[HUBSPOT + name], value),
        )
        for name, value in settled.values.items()
    }
    return Settled(winner, values)


def latest_change(parts: Sequence[tuple[pl.Series, pl.Series]]) -> pl.Series:
    """When something was changed last whose parts change each by itself, as an amount and its currency do.

    ``parts``: of each the time of its last change (null: not known) and whether it has changed since both CRMs agreed.
    Null where a part that has changed has no time.
    """
    at = pl.select(pl.max_horizontal(*(time for time, _ in parts))).to_series()
    for time, changed in parts:
        at = at.set(changed & time.is_null(), None)
    return at


def why_held(hubspot_at: datetime | None, salesforce_at: datetime | None) -> str:
    """Why times did not settle a field that both CRMs changed; for people."""
    if hubspot_at is None and salesforce_at is None:
        return (
            "neither CRM tells when the field got its present value; in Salesforce an admin turns on its field"
            " history"
        )
    if hubspot_at is None:
        return "HubSpot does not tell when the field got its present value"
    if salesforce_at is None:
        return "Salesforce does not tell when the field got its present value: an admin turns on its field history"
    return "both were changed within a second"
