"""What a run would change, as data: one row a record and field, with before, after and why. Pure.

``leadpact plan`` prints it, ``leadpact apply`` carries it out, tests compare it. ``why`` is for people;
nothing branches on it. ``kind`` is for the program.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

import polars as pl

from mapping.consent import says_withdrawn
from mapping.fieldmap import FieldMap
from mapping.lead import Stage
from mapping.own import CROSS, CROSS_ID, HANDOVER_FIELDS, OWN_FIELDS
from mapping.qualification.stages import standing
from mapping.qualification.truths import differ, every, known, looked_up
from sync.consent import goes_to_both, why_withdrawn, withdrawn
from sync.merge import (
    HUBSPOT,
    MERGED,
    TO_HUBSPOT,
    TO_SALESFORCE,
    WINNER,
    MergeRule,
    Winner,
    won_by,
)
from sync.plan_parts import SIDES, STAGE, Part, Told, part, parts_of, together
from sync.shown import verdict_differs
from sync.unread import PLACE, Unread

__all__ = [
    "CHANGES",
    "NAMES",
    "RESTORE",
    "SIDES",
    "STAGE",
    "Wanted",
    "Writable",
    "plan",
]

CHANGES: Mapping[str, pl.DataType] = {
    name: pl.String()
    for name in (
        *("lead_id", "crm", "object", "record_id", "field", "crm_field"),
        *("before", "after", "why", "lane", "kind"),
    )
}
NAMES: Mapping[str, str] = {"hubspot": "HubSpot", "salesforce": "Salesforce"}
#: The kind of a change that takes back what a dead run wrote: it brings nothing into agreement.
RESTORE = "restore"


@dataclass(frozen=True, slots=True)
class Writable:
    """What may be written where.

    ``objects``: CRM to object. ``updatable``/``creatable``: CRM to the names of fields its live schema lets
    us write. ``stage_field``: HubSpot's lifecycle stage, ``stage_words``: our stages in its words,
    ``stage_order``: its stages in forward order. ``required``: CRM field to the text that a new record gets
    where the CRM demands a value and nothing is known. ``needs``: CRM and field to the field of the same record
    without which it takes no value.
    """

    objects: Mapping[str, str]
    updatable: Mapping[str, frozenset[str]]
    creatable: Mapping[str, frozenset[str]]
    stage_field: str = "lifecyclestage"
    stage_words: Mapping[str, str] | None = None
    stage_order: Sequence[str] = ()
    required: Mapping[str, str] | None = None
    needs: Mapping[tuple[str, str], str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Wanted:
    """How far a plan goes: ``mode`` own_fields or full, and the policy's score step."""

    mode: str
    score_step: int


def plan(
    leads: pl.DataFrame,
    raw: Mapping[str, pl.DataFrame],
    field_map: FieldMap,
    rules: Sequence[MergeRule],
    writable: Writable,
    wanted: Wanted,
    unread: Unread | None = None,
) -> pl.DataFrame:
    """The changes (``CHANGES``) that make both CRMs show the merged values and the verdict.

    ``leads``: merged and judged, one row a lead, with the verdict's columns, ``reasons``,
    ``stage_why_text``, ``hubspot_stage_word`` (as HubSpot shows it) and the Booleans
    ``in_scope``, ``create_hubspot``, ``create_salesforce``. ``raw``: CRM to the records in its own words
    (``_id`` and text columns), for what stood before.
    ``kind``: set, create, stage_back (HubSpot ignores a backward move unless the field is cleared first)
    or cross_id (its value is the id of a record that this very plan creates). ``restore`` comes from ``halfdone``.
    """
    consent, full = [rule for rule in rules if rule.opt_out], wanted.mode == "full"
    judged = _Judged(leads, frozenset(leads.columns), unread or Unread(leads), field_map, writable)
    parts: list[Part] = []
    due = _due(judged, wanted)
    decided = _decided(leads, rules) if full else {}
    for crm, side in SIDES.items():
        there = known(leads[side + "_id"])
        existing = there & _reached(judged, crm)
        if full:
            # A withdrawal holds in both CRMs whatever the scope says.
            parts += _merged_changes(judged, there & ~existing, crm, consent, decided)
            parts += _merged_changes(judged, existing, crm, rules, decided)
            parts += _stage_changes(judged, existing, crm)
        if due is not None:
            parts += _own_changes(judged, existing & due, crm)
        parts += _cross_id_changes(judged, existing, crm, wanted)
    for crm in SIDES if full else ():
        wanted_here = _reached(judged, crm) & leads[f"create_{crm}"]
        parts += _creates(judged, wanted_here, crm, rules)
    parts = [one_part for one_part in parts if len(one_part.at)]
    if not parts:
        return pl.DataFrame(schema=dict(CHANGES))
    withdrawals = frozenset(rule.field for rule in consent)
    columns = together(parts, leads, raw, writable.objects, withdrawals)
    return pl.DataFrame([columns[name].alias(name) for name in CHANGES])


@dataclass(frozen=True, slots=True)
class _Judged:
    """The leads of a plan, and what every part of it asks about them. ``names``: their columns."""

    leads: pl.DataFrame
    names: frozenset[str]
    unread: Unread
    field_map: FieldMap
    writable: Writable

    def places(self, where: pl.Series) -> pl.Series:
        """The places of these leads."""
        return pl.int_range(self.leads.height, dtype=PLACE, eager=True).filter(where)


def _reached(judged: _Judged, crm: str) -> pl.Series:
    """Who is in scope, and may be written to in this CRM."""
    side, in_scope = f"to_{crm}", judged.leads["in_scope"]
    return in_scope & judged.leads[side] if side in judged.names else in_scope


#: By field, the places of the leads of which somebody decided it, and who did (``Winner``).
_Decisions = Mapping[str, tuple[pl.Series, pl.Series]]


def _decided(leads: pl.DataFrame, rules: Sequence[MergeRule]) -> _Decisions:
    places, found = pl.int_range(leads.height, dtype=PLACE, eager=True), {}
    for rule in rules:
        winner = leads[WINNER + rule.field]
        if winner.max():
            at = places.filter(winner != int(Winner.NOBODY))
            found[rule.field] = at, winner[at]
    return found


def _merged_changes(
    judged: _Judged, existing: pl.Series, crm: str, rules: Sequence[MergeRule], decided: _Decisions
) -> list[Part]:
    """Fields that the other side changed, or that are empty here."""
    writable, object_name = judged.writable, judged.writable.objects[crm]
    targets = dict(judged.field_map.writable(crm, object_name)) if existing.any() else {}
    told, opt_outs = {}, {rule.field for rule in rules if rule.opt_out}
    for rule in rules:
        crm_field = targets.get(rule.field)
        if crm_field is None or crm_field not in writable.updatable[crm] or rule.field not in decided:
            continue
        at = _moved(judged, existing, crm, rule, targets, decided)
        if len(at):
            after = judged.field_map.to_crm(crm, object_name, rule.field, column=MERGED + rule.field)
            told[rule.field] = Told(crm_field, at, after, _why_merged(rule, crm, judged.field_map))
    parts = parts_of(judged.leads, crm, told)
    # To say a withdrawal without a word for it would clear what the record says of consent.
    return [made.without_blanks() if made.field in opt_outs else made for made in parts]


def _moved(
    judged: _Judged,
    existing: pl.Series,
    crm: str,
    rule: MergeRule,
    targets: Mapping[str, str],
    decided: _Decisions,
) -> pl.Series:
    """The places of the leads whose record takes over this field."""
    (at, winner), here = decided[rule.field], SIDES[crm]
    moved = won_by(winner, *(TO_HUBSPOT if crm == "hubspot" else TO_SALESFORCE))
    if rule.opt_out:
        moved |= goes_to_both(winner) & ~withdrawn(judged.leads[here + rule.field][at])
        moved &= _takes(judged, here, crm, targets[rule.field], targets)[at]
    return at.filter(moved & existing[at])


def _takes(judged: _Judged, here: str, crm: str, crm_field: str, targets: Mapping[str, str]) -> pl.Series:
    """Whose record can take a value there: one that is not taken without another field waits until that is known."""
    needed = judged.writable.needs.get((crm, crm_field))
    names = [name for name, source in targets.items() if source == needed and here + name in judged.names]
    return known(judged.leads[here + names[0]]) if names else every(True, pl.Boolean(), judged.leads.height)


def _why_merged(rule: MergeRule, crm: str, field_map: FieldMap) -> pl.Expr:
    """Why a field is written."""
    other = "salesforce" if crm == "hubspot" else "hubspot"
    if not rule.opt_out:
        return _why_taken_over(rule, crm, other)
    there = says_withdrawn(field_map.fields[rule.field], SIDES[other] + rule.field)
    return why_withdrawn(there, NAMES[other])


@cache
def _why_taken_over(rule: MergeRule, crm: str, other: str) -> pl.Expr:
    winner = pl.col(WINNER + rule.field)
    by_rule = (winner == int(Winner.HUBSPOT_BY_RULE)) | (winner == int(Winner.SALESFORCE_BY_RULE))
    return (
        pl.when(by_rule)
        .then(pl.lit(f"both changed it; the map says {rule.if_both_changed} keeps it"))
        .when(pl.col(SIDES[crm] + rule.field).is_null())
        .then(pl.lit(f"empty in {NAMES[crm]}, known in {NAMES[other]}"))
        .otherwise(pl.lit(f"{NAMES[other]} changed it"))
    )


def _stage_changes(judged: _Judged, existing: pl.Series, crm: str) -> list[Part]:
    """HubSpot's lifecycle stage follows the verdict; backwards it has to be cleared first."""
    leads, writable = judged.leads, judged.writable
    if crm != "hubspot" or not writable.stage_words or writable.stage_field not in writable.updatable[crm]:
        return []
    said = pl.Series([*(writable.stage_words.get(stage.value) for stage in Stage), None], dtype=pl.String)
    words = looked_up(said, standing(leads["stage"]).codes)
    moved = existing & known(words) & differ(leads["hubspot_stage_word"], words)
    moved = judged.unread.without(moved, HUBSPOT, "hubspot_stage")
    if not moved.any():
        return []
    place = {word: index for index, word in enumerate(writable.stage_order)}
    word = pl.col("stage").replace_strict(dict(writable.stage_words), default=None, return_dtype=pl.String)
    now = pl.col("hubspot_stage_word").replace_strict(place, default=-1, return_dtype=pl.Int64)
    then = word.replace_strict(place, default=len(place), return_dtype=pl.Int64)
    kind = pl.when(now > then).then(pl.lit("stage_back")).otherwise(pl.lit("set"))
    why = pl.col("stage_why_text")
    return [part(leads, judged.places(moved), crm, STAGE, writable.stage_field, word, why, kind)]


def _due(judged: _Judged, wanted: Wanted) -> pl.Series | None:
    """Whose verdict has to be written; None where no CRM lets us, or there is nobody to ask about."""
    updatable = judged.writable.updatable
    ours = [own for own in OWN_FIELDS if own.verdict is not None]
    lets_us = any(own.name_in(crm) in updatable[crm] for crm in SIDES for own in ours)
    if not lets_us or not judged.leads["in_scope"].any():
        return None
    return verdict_differs(judged.leads, wanted.score_step, updatable, judged.unread)


def _own_changes(judged: _Judged, due: pl.Series, crm: str) -> list[Part]:
    if not due.any():
        return []
    side, leads = SIDES[crm], judged.leads
    told = {}
    for own in OWN_FIELDS:
        crm_field = own.name_in(crm)
        if own.verdict not in judged.names or crm_field not in judged.writable.updatable[crm]:
            continue
        name = own.lead.name
        moved = judged.unread.without(due & differ(leads[side + name], leads[own.verdict]), side, name)
        if moved.any():
            word = "the handover ledger" if name in HANDOVER_FIELDS else "the policy's verdict"
            why = pl.col("stage_why_text") if own.verdict == "stage" else word
            told[name] = Told(crm_field, judged.places(moved), own.said(), why)
    return parts_of(leads, crm, told)


def _cross_id_changes(judged: _Judged, existing: pl.Series, crm: str, wanted: Wanted) -> list[Part]:
    """Each record carries the id of its counterpart; one that is about to be created has none yet."""
    other, leads, unread = "salesforce" if crm == "hubspot" else "hubspot", judged.leads, judged.unread
    crm_field = CROSS.name_in(crm)
    if crm_field not in judged.writable.updatable[crm]:
        return []
    shown, theirs = leads[SIDES[crm] + CROSS_ID], leads[SIDES[other] + "_id"]
    why = f"the id of its record in {NAMES[other]}"
    moved = unread.without(existing & known(theirs) & differ(shown, theirs), SIDES[crm], CROSS_ID)
    counterpart = pl.col(SIDES[other] + "_id")
    parts = [part(leads, judged.places(moved), crm, CROSS_ID, crm_field, counterpart, why)]
    if wanted.mode == "full":
        to_come = unread.without(existing & leads[f"create_{other}"], SIDES[crm], CROSS_ID)
        nothing_yet = pl.lit(None, dtype=pl.String)
        parts.append(
            part(leads, judged.places(to_come), crm, CROSS_ID, crm_field, nothing_yet, why, "cross_id")
        )
    return parts


def _creates(judged: _Judged, where: pl.Series, crm: str, rules: Sequence[MergeRule]) -> list[Part]:
    """Every value a new record starts with."""
    if not where.any():
        return []
    field_map, writable, at = judged.field_map, judged.writable, judged.places(where)
    object_name, other = writable.objects[crm], "salesforce" if crm == "hubspot" else "hubspot"
    why = f"known in {NAMES[other]} only"
    values: dict[str, tuple[str, pl.Expr]] = {}
    targets = dict(field_map.writable(crm, object_name))
    for rule in rules:
        if rule.field in targets and rule.direction != "read_only":
            said = field_map.to_crm(crm, object_name, rule.field, column=MERGED + rule.field)
            # Only a withdrawal is ever said: that somebody has not withdrawn is no word of theirs.
            known_as = field_map.fields[rule.field]
            word = pl.when(says_withdrawn(known_as, MERGED + rule.field)).then(said) if rule.opt_out else said
            values[rule.field] = (targets[rule.field], word)
    for own in OWN_FIELDS:
        source = own.said() if own.verdict else pl.col(SIDES[other] + "_id")
        if own.verdict is None or own.verdict in judged.names:
            values[own.lead.name] = (own.name_in(crm), source)
    if crm == "hubspot" and writable.stage_words:
        words = pl.col("stage").replace_strict(
            dict(writable.stage_words), default=None, return_dtype=pl.String
        )
        values[STAGE] = (writable.stage_field, words)
    required = (writable.required or {}) if crm == "salesforce" else {}
    mapped = {crm_field for crm_field, _ in values.values()}
    nothing = pl.lit(None, dtype=pl.String)
    values |= {crm_field: (crm_field, nothing) for crm_field in required if crm_field not in mapped}
    told = {}
    for name, (crm_field, after) in values.items():
        if crm_field in writable.creatable[crm]:
            filled = pl.coalesce(after, pl.lit(required[crm_field])) if crm_field in required else after
            told[name] = Told(crm_field, at, filled, why)
    return [made.without_blanks() for made in parts_of(judged.leads, crm, told, "create")]
