"""The three-way merge: per lead and field, which value stands, and why. Pure.

Both sides are compared with what they held when they last agreed (their base), after normalisation:
nobody changed, keep; one changed, it wins whatever its age; both changed alike, they agree; both changed
differently, the field's rule decides and the loser stays in the history.
A field that a CRM did not return, or that could not be read, is left alone on both sides.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cache

import polars as pl

from mapping.qualification.truths import choose, every, looked_up
from sync.bytime import later_wins
from sync.consent import with_proofs, withdrawal, withdrawn
from sync.threeway import Leads, Settled, code, first_with, three_way
from sync.unread import Unread
from sync.winners import (
    APART,
    BASE,
    CONFLICTS,
    HUBSPOT,
    MERGED,
    SALESFORCE,
    SIDES,
    TO_HUBSPOT,
    TO_SALESFORCE,
    WINNER,
    MergeRule,
    Winner,
    won_by,
)

__all__ = [
    "BASE",
    "CONFLICT_SCHEMA",
    "HUBSPOT",
    "MERGED",
    "SALESFORCE",
    "TO_HUBSPOT",
    "TO_SALESFORCE",
    "WINNER",
    "MergeRule",
    "Winner",
    "conflicts",
    "merge",
    "merge_again",
    "without_words",
    "won_by",
]


def merge(frame: pl.DataFrame, rules: Sequence[MergeRule], unread: Unread | None = None) -> pl.DataFrame:
    """Add ``m.<field>`` and ``w.<field>`` for every rule. Columns as ``sync.winners`` names them, one row
    a lead. ``unread``: of this frame, where it was looked into before.

    Where a lead's second record is met for the first time, the base of its first one is taken away: nothing was
    agreed between the two, so neither value may pass for the newer one.
    """
    frame, unread = _first_meetings(frame, rules), unread or Unread(frame)
    merged = frame.hstack(_settled(rules, Leads(frame, unread)))
    return with_proofs(merged, [rule.field for rule in rules], unread)


def merge_again(
    merged: pl.DataFrame,
    renewed: pl.DataFrame,
    rules: Sequence[MergeRule],
    fields: Collection[str],
    unread: Unread,
) -> pl.DataFrame:
    """``merge`` of ``renewed``, in which these ``fields`` alone have other values, or other leads came without them.

    ``merged``: what came of the frame as it was. None of the ``fields`` is one of consent.
    """
    frame = _first_meetings(renewed, rules)
    again = _settled([rule for rule in rules if rule.field in fields], Leads(frame, unread))
    return merged.with_columns([*frame.get_columns(), *again])


def _settled(rules: Sequence[MergeRule], leads: Leads) -> list[pl.Series]:
    """``m.<field>`` and ``w.<field>`` for every rule."""
    contested = three_way([rule for rule in rules if rule.contested], leads)
    settled = []
    for rule in rules:
        if rule.direction == "read_only" and not rule.opt_out:
            settled.append(_shown(rule, leads))
        elif rule.opt_out:
            settled.append(withdrawal(rule, leads))
        else:
            settled.append(later_wins(rule, leads, contested[rule.field]))
    winners = [done.winner.alias(WINNER + rule.field) for rule, done in zip(rules, settled, strict=True)]
    values = [value.alias(MERGED + name) for done in settled for name, value in done.values.items()]
    return [*winners, *values]


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
    apart = [prefix + APART for prefix in BASE.values() if prefix + APART in frame.columns]
    return frame.with_columns(
        *(pl.when(~met).then(pl.col(name)).alias(name) for name in bases),
        *(pl.col(name) | met for name in apart),
    )


@cache
def _met(names: tuple[str, ...]) -> pl.Expr:
    """Both records are here, and one of them alone has a base."""
    based = {
        side: pl.any_horizontal(pl.col(BASE[side] + name).is_not_null() for name in names) for side in SIDES
    }
    both_here = pl.col(HUBSPOT + "_id").is_not_null() & pl.col(SALESFORCE + "_id").is_not_null()
    return (both_here & (based[HUBSPOT] != based[SALESFORCE])).alias("met")


def without_words(
    merged: pl.DataFrame,
    unsayable: Mapping[str, tuple[pl.Expr, pl.Expr]],
    opt_outs: Collection[str] = (),
) -> pl.DataFrame:
    """Mark winners whose value cannot be said in the CRM that it would go to.

    ``unsayable``: field to what HubSpot and what Salesforce cannot say, as expressions on ``m.`` columns. To
    write nothing there would clear the field, so such a field is left alone on both sides. Of ``opt_outs``, fields
    of withdrawals, the CRM that has a word is told all the same (``sync.plan``).
    """
    marks = []
    for field, (hubspot, salesforce) in unsayable.items():
        winner = merged[WINNER + field]
        to_hubspot, to_salesforce = won_by(winner, *TO_HUBSPOT), won_by(winner, *TO_SALESFORCE)
        if field in opt_outs:
            # Said in the channel's other field, it goes to both.
            both = won_by(winner, Winner.BOTH)
            to_hubspot |= both & ~withdrawn(merged[HUBSPOT + field])
            to_salesforce |= both & ~withdrawn(merged[SALESFORCE + field])
        if to_hubspot.any() or to_salesforce.any():
            cannot = merged.select(hubspot.alias("hubspot"), salesforce.alias("salesforce"))
            stuck = (to_hubspot & cannot["hubspot"]) | (to_salesforce & cannot["salesforce"])
            marks.append(choose(stuck, code(Winner.UNSAYABLE), winner).alias(WINNER + field))
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
    at = contested.arg_true()
    said = {
        "lead_id": merged["lead_id"][at],
        "field": every(rule.field, pl.String(), len(at)),
        "rule": every("withdrawn" if rule.opt_out else rule.if_both_changed, pl.String(), len(at)),
        "winner": looked_up(_WINNER_WORDS, merged[WINNER + rule.field][at]),
        "hubspot_value": merged[HUBSPOT + rule.field][at].cast(pl.String()),
        "salesforce_value": merged[SALESFORCE + rule.field][at].cast(pl.String()),
        "hubspot_at": merged[HUBSPOT + "_modified_at"][at],
        "salesforce_at": merged[SALESFORCE + "_modified_at"][at],
    }
    return pl.DataFrame([column.alias(name) for name, column in said.items()])


#: The columns of ``conflicts``.
CONFLICT_SCHEMA: Mapping[str, pl.DataType] = {
    **{
        name: pl.String()
        for name in ("lead_id", "field", "rule", "winner", "hubspot_value", "salesforce_value")
    },
    "hubspot_at": pl.Datetime("us", "UTC"),
    "salesforce_at": pl.Datetime("us", "UTC"),
}
_KEEPERS: Mapping[Winner, str] = {
    Winner.HUBSPOT_BY_RULE: "hubspot",
    Winner.SALESFORCE_BY_RULE: "salesforce",
}
#: By the code of who decided: whose value is kept.
_WINNER_WORDS = pl.Series([_KEEPERS.get(winner, "nobody") for winner in Winner], dtype=pl.String)


def _shown(rule: MergeRule, leads: Leads) -> Settled:
    """What is only read: HubSpot's value, or else Salesforce's."""
    if rule.travels_with:
        values = {name: first_with(leads.frame, rule.field, name, *SIDES) for name in rule.names}
    else:
        values = {rule.field: leads.first_known(rule.field)}
    return Settled(leads.nobody, values)
