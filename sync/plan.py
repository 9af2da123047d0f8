"""What a run would change, as data: one row a record and field, with before, after and why. Pure.

``leadpact plan`` prints it, ``leadpact apply`` carries it out, tests compare it. ``why`` is for people;
nothing branches on it. ``kind`` is for the program.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import polars as pl

from mapping.consent import says_withdrawn
from mapping.fieldmap import FieldMap
from mapping.lead import Stage
from mapping.own import CROSS_ID, HANDOVER_FIELDS, OWN_FIELDS
from mapping.qualification.stages import standing
from mapping.qualification.truths import differ, every, known, looked_up
from sync.consent import goes_to_both, why_withdrawn, withdrawn
from sync.inorder import alike
from sync.merge import (
    HUBSPOT,
    MERGED,
    SALESFORCE,
    TO_HUBSPOT,
    TO_SALESFORCE,
    WINNER,
    MergeRule,
    Winner,
    won_by,
)
from sync.shown import verdict_differs
from sync.unread import Unread

CHANGES: Mapping[str, pl.DataType] = {
    name: pl.String()
    for name in (
        *("lead_id", "crm", "object", "record_id", "field", "crm_field"),
        *("before", "after", "why", "lane", "kind"),
    )
}
SIDES: Mapping[str, str] = {"hubspot": HUBSPOT, "salesforce": SALESFORCE}
NAMES: Mapping[str, str] = {"hubspot": "HubSpot", "salesforce": "Salesforce"}
STAGE = "stage"
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
    consent = [rule for rule in rules if rule.opt_out]
    in_scope, full, unread = leads["in_scope"], wanted.mode == "full", unread or Unread(leads)
    parts: list[_Part] = []
    due = _due(leads, in_scope, unread, writable, wanted)
    for crm, side in SIDES.items():
        there = known(leads[side + "_id"])
        existing = there & _reached(leads, crm)
        if full:
            # A withdrawal holds in both CRMs whatever the scope says.
            parts += _merged_changes(leads, there & ~existing, crm, field_map, consent, writable)
            parts += _merged_changes(leads, existing, crm, field_map, rules, writable)
            parts += _stage_changes(leads, existing, crm, unread, writable)
        if due is not None:
            parts += _own_changes(leads, existing & due, crm, unread, writable)
        parts += _cross_id_changes(leads, existing, crm, unread, writable, wanted)
    for crm in SIDES if full else ():
        wanted_here = _reached(leads, crm) & leads[f"create_{crm}"]
        parts += _creates(leads, wanted_here, crm, field_map, rules, writable)
    parts = [part for part in parts if not part.rows.is_empty()]
    if not parts:
        return pl.DataFrame(schema=dict(CHANGES))
    changes = pl.concat(_with_before(parts, raw)).select(*CHANGES)
    return _by_lane(changes, consent).sort("lead_id", "crm", "field")


def _reached(leads: pl.DataFrame, crm: str) -> pl.Series:
    """Who is in scope, and may be written to in this CRM."""
    side = f"to_{crm}"
    return leads["in_scope"] & leads[side] if side in leads.columns else leads["in_scope"]


def canonical(changes: pl.DataFrame) -> bytes:
    """The changes in one order and one spelling: what a fingerprint is made of.

    Ordered by lead first, so that slices of ascending lead ids can be joined end to end.
    """
    ordered = changes.select("lead_id", "crm", "record_id", "field", "before", "after")
    return ordered.sort("lead_id", "crm", "field").write_csv(include_header=False).encode()


def fingerprint(changes: pl.DataFrame) -> str:
    """A short text that is the same exactly when the changes are."""
    return hashlib.sha256(canonical(changes)).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class _Part:
    """Changes of one field of one CRM; ``before`` is still missing."""

    crm: str
    crm_field: str
    rows: pl.DataFrame


def _part(
    leads: pl.DataFrame,
    where: pl.Series,
    crm: str,
    field: str,
    crm_field: str,
    after: pl.Expr,
    why: pl.Expr,
    writable: Writable,
    kind: str | pl.Expr = "set",
) -> _Part:
    """One change a lead of ``where``. Of the many columns of ``leads`` only those are filtered that are asked for."""
    record_id = SIDES[crm] + "_id"
    kinds = pl.lit(kind) if isinstance(kind, str) else kind
    said = (after.alias("after"), why.alias("why"), kinds.alias("kind"))
    asked = {"lead_id", record_id, *(name for one in said for name in one.meta.root_names())}
    few = pl.DataFrame([leads[name].filter(where) for name in sorted(asked)])
    fixed = {
        "crm": crm,
        "object": writable.objects[crm],
        "field": field,
        "crm_field": crm_field,
        "lane": "live",
    }
    rows = few.select("lead_id", pl.col(record_id).alias("record_id"), *said)
    filled = [_all(name, text, rows.height) for name, text in fixed.items()]
    return _Part(crm, crm_field, pl.DataFrame([*rows.get_columns(), *filled]))


def _all(name: str, text: str | None, height: int) -> pl.Series:
    return every(text, pl.String(), height).alias(name)


def _merged_changes(
    leads: pl.DataFrame,
    existing: pl.Series,
    crm: str,
    field_map: FieldMap,
    rules: Sequence[MergeRule],
    writable: Writable,
) -> list[_Part]:
    """Fields that the other side changed, or that are empty here."""
    here = SIDES[crm]
    theirs = TO_HUBSPOT if crm == "hubspot" else TO_SALESFORCE
    targets = dict(field_map.writable(crm, writable.objects[crm])) if existing.any() else {}
    parts = []
    for rule in rules:
        crm_field, winner = targets.get(rule.field), leads[WINNER + rule.field]
        if crm_field is None or crm_field not in writable.updatable[crm] or not winner.max():
            continue
        moved = existing & won_by(winner, *theirs)
        if rule.opt_out:
            moved |= existing & goes_to_both(winner) & ~withdrawn(leads[here + rule.field])
            moved &= _takes(leads, here, crm, crm_field, targets, writable)
        if moved.any():
            after = field_map.to_crm(crm, writable.objects[crm], rule.field, column=MERGED + rule.field)
            why = _why_merged(rule, crm, here, field_map)
            part = _part(leads, moved, crm, rule.field, crm_field, after, why, writable)
            # To say a withdrawal without a word for it would clear what the record says of consent.
            parts.append(replace(part, rows=part.rows.drop_nulls("after")) if rule.opt_out else part)
    return parts


def _takes(
    leads: pl.DataFrame, here: str, crm: str, crm_field: str, targets: Mapping[str, str], writable: Writable
) -> pl.Series:
    """Whose record can take a value there: one that is not taken without another field waits until that is known."""
    needed = writable.needs.get((crm, crm_field))
    names = [name for name, source in targets.items() if source == needed and here + name in leads.columns]
    return known(leads[here + names[0]]) if names else every(True, pl.Boolean(), leads.height)


def _why_merged(rule: MergeRule, crm: str, here: str, field_map: FieldMap) -> pl.Expr:
    other = "salesforce" if crm == "hubspot" else "hubspot"
    if rule.opt_out:
        return why_withdrawn(
            says_withdrawn(field_map.fields[rule.field], SIDES[other] + rule.field), NAMES[other]
        )
    by_rule = [int(Winner.HUBSPOT_BY_RULE), int(Winner.SALESFORCE_BY_RULE)]
    return (
        pl.when(pl.col(WINNER + rule.field).is_in(by_rule))
        .then(pl.lit(f"both changed it; the map says {rule.if_both_changed} keeps it"))
        .when(pl.col(here + rule.field).is_null())
        .then(pl.lit(f"empty in {NAMES[crm]}, known in {NAMES[other]}"))
        .otherwise(pl.lit(f"{NAMES[other]} changed it"))
    )


def _stage_changes(
    leads: pl.DataFrame, existing: pl.Series, crm: str, unread: Unread, writable: Writable
) -> list[_Part]:
    """HubSpot's lifecycle stage follows the verdict; backwards it has to be cleared first."""
    if crm != "hubspot" or not writable.stage_words or writable.stage_field not in writable.updatable[crm]:
        return []
    said = pl.Series([*(writable.stage_words.get(stage.value) for stage in Stage), None], dtype=pl.String)
    words = looked_up(said, standing(leads["stage"]).codes)
    moved = existing & known(words) & differ(leads["hubspot_stage_word"], words)
    moved = unread.without(moved, HUBSPOT, "hubspot_stage")
    if not moved.any():
        return []
    place = {word: index for index, word in enumerate(writable.stage_order)}
    word = pl.col("stage").replace_strict(dict(writable.stage_words), default=None, return_dtype=pl.String)
    now = pl.col("hubspot_stage_word").replace_strict(place, default=-1, return_dtype=pl.Int64)
    then = word.replace_strict(place, default=len(place), return_dtype=pl.Int64)
    kind = pl.when(now > then).then(pl.lit("stage_back")).otherwise(pl.lit("set"))
    why = pl.col("stage_why_text")
    return [_part(leads, moved, crm, STAGE, writable.stage_field, word, why, writable, kind)]


def _due(
    leads: pl.DataFrame, in_scope: pl.Series, unread: Unread, writable: Writable, wanted: Wanted
) -> pl.Series | None:
    """Whose verdict has to be written; None where no CRM lets us, or there is nobody to ask about."""
    ours = [own for own in OWN_FIELDS if own.verdict is not None]
    lets_us = any(own.name_in(crm) in writable.updatable[crm] for crm in SIDES for own in ours)
    if not lets_us or not in_scope.any():
        return None
    return verdict_differs(leads, wanted.score_step, writable.updatable, unread)


def _own_changes(
    leads: pl.DataFrame, due: pl.Series, crm: str, unread: Unread, writable: Writable
) -> list[_Part]:
    if not due.any():
        return []
    side = SIDES[crm]
    parts = []
    for own in OWN_FIELDS:
        crm_field = own.name_in(crm)
        if own.verdict not in leads.columns or crm_field not in writable.updatable[crm]:
            continue
        name = own.lead.name
        moved = unread.without(due & differ(leads[side + name], leads[own.verdict]), side, name)
        if moved.any():
            word = "the handover ledger" if name in HANDOVER_FIELDS else "the policy's verdict"
            why = pl.col("stage_why_text") if own.verdict == "stage" else pl.lit(word)
            parts.append(_part(leads, moved, crm, name, crm_field, own.said(), why, writable))
    return parts


def _cross_id_changes(
    leads: pl.DataFrame, existing: pl.Series, crm: str, unread: Unread, writable: Writable, wanted: Wanted
) -> list[_Part]:
    """Each record carries the id of its counterpart; one that is about to be created has none yet."""
    own = next(field for field in OWN_FIELDS if field.lead.name == CROSS_ID)
    other = "salesforce" if crm == "hubspot" else "hubspot"
    if own.name_in(crm) not in writable.updatable[crm]:
        return []
    shown, theirs = leads[SIDES[crm] + CROSS_ID], leads[SIDES[other] + "_id"]
    why = pl.lit(f"the id of its record in {NAMES[other]}")
    moved = unread.without(existing & known(theirs) & differ(shown, theirs), SIDES[crm], CROSS_ID)
    counterpart = pl.col(SIDES[other] + "_id")
    parts = [_part(leads, moved, crm, CROSS_ID, own.name_in(crm), counterpart, why, writable)]
    if wanted.mode == "full":
        to_come = unread.without(existing & leads[f"create_{other}"], SIDES[crm], CROSS_ID)
        nothing_yet = pl.lit(None, dtype=pl.String)
        parts.append(
            _part(leads, to_come, crm, CROSS_ID, own.name_in(crm), nothing_yet, why, writable, "cross_id")
        )
    return parts


def _creates(
    leads: pl.DataFrame,
    where: pl.Series,
    crm: str,
    field_map: FieldMap,
    rules: Sequence[MergeRule],
    writable: Writable,
) -> list[_Part]:
    """Every value a new record starts with."""
    if not where.any():
        return []
    object_name, other = writable.objects[crm], "salesforce" if crm == "hubspot" else "hubspot"
    why = pl.lit(f"known in {NAMES[other]} only")
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
        if own.verdict is None or own.verdict in leads.columns:
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
    parts = []
    for name, (crm_field, after) in values.items():
        if crm_field in writable.creatable[crm]:
            filled = pl.coalesce(after, pl.lit(required[crm_field])) if crm_field in required else after
            made = _part(leads, where, crm, name, crm_field, filled, why, writable, "create")
            parts.append(replace(made, rows=made.rows.filter(pl.col("after").is_not_null())))
    return parts


def _by_lane(changes: pl.DataFrame, consent: Sequence[MergeRule]) -> pl.DataFrame:
    """Withdrawals travel first, handovers next."""
    withdrawn = pl.col("field").is_in([rule.field for rule in consent])
    handed_over = changes.filter(
        pl.col("field").is_in(["shown_stage", STAGE])
        & pl.col("after").is_in(["mql", "marketingqualifiedlead", "sql"])
    )["lead_id"]
    return changes.with_columns(
        lane=pl.when(withdrawn)
        .then(pl.lit("consent"))
        .when(pl.col("lead_id").is_in(handed_over.unique().implode()))
        .then(pl.lit("handover"))
        .otherwise("lane")
    )


def _with_before(parts: Sequence[_Part], raw: Mapping[str, pl.DataFrame]) -> list[pl.DataFrame]:
    """What the record held, in the CRM's own words, for undo and for refusing what has moved since."""
    found = []
    for crm in SIDES:
        theirs, held = [part for part in parts if part.crm == crm], raw.get(crm)
        if not theirs:
            continue
        at = None if held is None else places_of(pl.concat([part.rows["record_id"] for part in theirs]), held)
        start = 0
        for part in theirs:
            height = part.rows.height
            before = _all("before", None, height)
            if held is not None and at is not None and part.crm_field in held.columns:
                before = looked_up(held[part.crm_field], at.slice(start, height)).alias("before")
            found.append(part.rows.with_columns(before))
            start += height
    return found


def places_of(record_ids: pl.Series, held: pl.DataFrame) -> pl.Series:
    """Where in ``held`` each record stands; null for none. Of two of one id, the first counts."""
    if alike(record_ids, held["_id"]) and held["_id"].n_unique() == held.height:
        return pl.int_range(held.height, dtype=pl.get_index_type(), eager=True)
    asked = record_ids.alias("_id").to_frame()
    there = held.select("_id").with_row_index("_at")
    placed = asked.join(there, on="_id", how="left", maintain_order="left")
    if placed.height > asked.height:
        placed = asked.join(there.unique("_id", keep="first"), on="_id", how="left", maintain_order="left")
    return placed["_at"]
