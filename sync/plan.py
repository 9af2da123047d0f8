"""What a run would change, as data: one row a record and field, with before, after and why. Pure.

``leadpact plan`` prints it, ``leadpact apply`` carries it out, tests compare it. ``why`` is for people;
nothing branches on it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from mapping.fieldmap import FieldMap
from mapping.own import CROSS_ID, DECISIVE, OWN_FIELDS, SHOWN
from sync.merge import HUBSPOT, MERGED, SALESFORCE, TO_HUBSPOT, TO_SALESFORCE, WINNER, MergeRule, Winner

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


@dataclass(frozen=True, slots=True)
class Writable:
    """What may be written where.

    ``objects``: CRM to object. ``updatable``/``creatable``: CRM to the names of fields its live schema lets
    us write. ``stage_field``: HubSpot's lifecycle stage, ``stage_words``: our stages in its words,
    ``stage_order``: its stages in forward order. ``required``: CRM field to the text that a new record gets
    where the CRM demands a value and nothing is known.
    """

    objects: Mapping[str, str]
    updatable: Mapping[str, frozenset[str]]
    creatable: Mapping[str, frozenset[str]]
    stage_field: str = "lifecyclestage"
    stage_words: Mapping[str, str] | None = None
    stage_order: Sequence[str] = ()
    required: Mapping[str, str] | None = None


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
) -> pl.DataFrame:
    """The changes (``CHANGES``) that make both CRMs show the merged values and the verdict.

    ``leads``: merged and judged, one row a lead, with the verdict's columns, ``reasons``,
    ``stage_why_text``, ``hubspot_stage_word`` (as HubSpot shows it) and the Booleans
    ``in_scope``, ``create_hubspot``, ``create_salesforce``. ``raw``: CRM to the records in its own words
    (``_id`` and text columns), for what stood before.
    ``kind``: set, create, stage_back (HubSpot ignores a backward move unless the field is cleared first)
    or cross_id (its value is the id of a record that this very plan creates).
    """
    consent = [rule for rule in rules if rule.opt_out]
    in_scope, full = leads["in_scope"], wanted.mode == "full"
    parts: list[pl.DataFrame] = []
    due = _due(leads, in_scope, writable, wanted)
    for crm, side in SIDES.items():
        there = leads[side + "_id"].is_not_null()
        existing = there & in_scope
        if full:
            # A withdrawal holds in both CRMs whatever the scope says.
            parts += _merged_changes(leads, there & ~in_scope, crm, field_map, consent, writable)
            parts += _merged_changes(leads, existing, crm, field_map, rules, writable)
            parts += _stage_changes(leads, existing, crm, writable)
        if due is not None:
            parts += _own_changes(leads, existing & due, crm, writable)
        parts += _cross_id_changes(leads, existing, crm, writable, wanted)
    for crm in SIDES if full else ():
        parts += _creates(leads, in_scope & leads[f"create_{crm}"], crm, field_map, rules, writable)
    changes = pl.concat(
        [part for part in parts if not part.is_empty()] or [pl.DataFrame(schema=dict(CHANGES))]
    )
    return _with_before(_by_lane(changes, rules), raw).sort("lead_id", "crm", "field")


def canonical(changes: pl.DataFrame) -> bytes:
    """The changes in one order and one spelling: what a fingerprint is made of.

    Ordered by lead first, so that slices of ascending lead ids can be joined end to end.
    """
    ordered = changes.select("lead_id", "crm", "record_id", "field", "before", "after")
    return ordered.sort("lead_id", "crm", "field").write_csv(include_header=False).encode()


def fingerprint(changes: pl.DataFrame) -> str:
    """A short text that is the same exactly when the changes are."""
    return hashlib.sha256(canonical(changes)).hexdigest()[:16]


def _rows(
    leads: pl.DataFrame,
    where: pl.Series,
    crm: str,
    field: str,
    crm_field: str,
    after: pl.Expr,
    why: pl.Expr,
    writable: Writable,
    kind: str | pl.Expr = "set",
) -> pl.DataFrame:
    """One change a lead of ``where``. Of the many columns of ``leads`` only those are filtered that are asked for."""
    record_id = SIDES[crm] + "_id"
    said = [after, why, *([] if isinstance(kind, str) else [kind])]
    asked = {"lead_id", record_id, *(name for one in said for name in one.meta.root_names())}
    return leads.select(sorted(asked)).filter(where).select(
        lead_id="lead_id",
        crm=pl.lit(crm),
        object=pl.lit(writable.objects[crm]),
        record_id=record_id,
        field=pl.lit(field),
        crm_field=pl.lit(crm_field),
        before=pl.lit(None, dtype=pl.String),
        after=after,
        why=why,
        lane=pl.lit("live"),
        kind=pl.lit(kind) if isinstance(kind, str) else kind,
    )  # fmt: skip


def _merged_changes(
    leads: pl.DataFrame,
    existing: pl.Series,
    crm: str,
    field_map: FieldMap,
    rules: Sequence[MergeRule],
    writable: Writable,
) -> list[pl.DataFrame]:
    """Fields that the other side changed, or that are empty here."""
    here = SIDES[crm]
    theirs = [int(code) for code in (TO_HUBSPOT if crm == "hubspot" else TO_SALESFORCE)]
    targets = dict(field_map.writable(crm, writable.objects[crm]))
    parts = []
    for rule in rules:
        crm_field = targets.get(rule.field)
        if crm_field is None or crm_field not in writable.updatable[crm]:
            continue
        moved = existing & leads[WINNER + rule.field].is_in(theirs)
        if not moved.any():
            continue
        after = field_map.to_crm(crm, writable.objects[crm], rule.field, column=MERGED + rule.field)
        why = _why_merged(rule, crm, here)
        parts.append(_rows(leads, moved, crm, rule.field, crm_field, after, why, writable))
    return parts


def _why_merged(rule: MergeRule, crm: str, here: str) -> pl.Expr:
    other = "salesforce" if crm == "hubspot" else "hubspot"
    if rule.opt_out:
        return pl.lit(f"a withdrawal in {NAMES[other]} holds in both CRMs")
    by_rule = [int(Winner.HUBSPOT_BY_RULE), int(Winner.SALESFORCE_BY_RULE)]
    return (
        pl.when(pl.col(WINNER + rule.field).is_in(by_rule))
        .then(pl.lit(f"both changed it; the map says {rule.if_both_changed} keeps it"))
        .when(pl.col(here + rule.field).is_null())
        .then(pl.lit(f"empty in {NAMES[crm]}, known in {NAMES[other]}"))
        .otherwise(pl.lit(f"{NAMES[other]} changed it"))
    )


def _stage_changes(
    leads: pl.DataFrame, existing: pl.Series, crm: str, writable: Writable
) -> list[pl.DataFrame]:
    """HubSpot's lifecycle stage follows the verdict; backwards it has to be cleared first."""
    if crm != "hubspot" or not writable.stage_words or writable.stage_field not in writable.updatable[crm]:
        return []
    word = pl.col("stage").replace_strict(dict(writable.stage_words), default=None, return_dtype=pl.String)
    moved = existing & _where(
        leads,
        word.is_not_null() & _shown(HUBSPOT, "hubspot_stage") & pl.col("hubspot_stage_word").ne_missing(word),
    )
    if not moved.any():
        return []
    place = {word: index for index, word in enumerate(writable.stage_order)}
    now = pl.col("hubspot_stage_word").replace_strict(place, default=-1, return_dtype=pl.Int64)
    then = word.replace_strict(place, default=len(place), return_dtype=pl.Int64)
    kind = pl.when(now > then).then(pl.lit("stage_back")).otherwise(pl.lit("set"))
    why = pl.col("stage_why_text")
    return [_rows(leads, moved, crm, STAGE, writable.stage_field, word, why, writable, kind)]


def _where(leads: pl.DataFrame, condition: pl.Expr) -> pl.Series:
    return leads.select(condition.alias("where"))["where"]


def _due(leads: pl.DataFrame, in_scope: pl.Series, writable: Writable, wanted: Wanted) -> pl.Series | None:
    """Whose verdict has to be written; None where no CRM lets us, or there is nobody to ask about."""
    ours = [own for own in OWN_FIELDS if own.verdict is not None]
    lets_us = any(own.name_in(crm) in writable.updatable[crm] for crm in SIDES for own in ours)
    return verdict_differs(leads, wanted.score_step) if lets_us and in_scope.any() else None


def verdict_differs(leads: pl.DataFrame, score_step: int) -> pl.Series:
    """Whether some CRM shows another verdict than the one in force, so that it has to be written.

    A changed score counts once it moved by ``score_step``, so that decay does not rewrite every lead every
    day; a difference between the two CRMs always counts.
    """
    tests = [pl.lit(value=False)]
    for side in SIDES.values():
        here = pl.col(side + "_id").is_not_null()
        differs = [
            _shown(side, name) & pl.col(side + name).ne_missing(pl.col(SHOWN[name]).cast(pl.String))
            for name in DECISIVE
        ]
        moved = (pl.col(side + "shown_score") - pl.col("score")).abs() >= score_step
        tests.append(
            here & pl.any_horizontal(*differs, _shown(side, "shown_score") & moved.fill_null(value=True))
        )
    both = pl.col(HUBSPOT + "_id").is_not_null() & pl.col(SALESFORCE + "_id").is_not_null()
    for name in ("shown_score", "shown_fit", "shown_engagement", "shown_coverage"):
        known = both & _shown(HUBSPOT, name) & _shown(SALESFORCE, name)
        tests.append(known & pl.col(HUBSPOT + name).ne_missing(pl.col(SALESFORCE + name)))
    return leads.select(pl.any_horizontal(tests).alias("differs"))["differs"]


def _shown(side: str, name: str) -> pl.Expr:
    """Whether the CRM lets us see its field: what it does not return differs from nothing."""
    return ~pl.col(side + "_unread").list.contains(name).fill_null(value=False)


def _own_changes(leads: pl.DataFrame, due: pl.Series, crm: str, writable: Writable) -> list[pl.DataFrame]:
    if not due.any():
        return []
    side = SIDES[crm]
    parts = []
    for own in OWN_FIELDS:
        crm_field = own.name_in(crm)
        if own.verdict is None or crm_field not in writable.updatable[crm]:
            continue
        name, value = own.lead.name, pl.col(own.verdict).cast(pl.String)
        differs = _shown(side, name) & pl.col(side + name).cast(pl.String).ne_missing(value)
        moved = due & _where(leads, differs)
        if moved.any():
            why = pl.col("stage_why_text") if own.verdict == "stage" else pl.lit("the policy's verdict")
            parts.append(_rows(leads, moved, crm, name, crm_field, value, why, writable))
    return parts


def _cross_id_changes(
    leads: pl.DataFrame, existing: pl.Series, crm: str, writable: Writable, wanted: Wanted
) -> list[pl.DataFrame]:
    """Each record carries the id of its counterpart; one that is about to be created has none yet."""
    own = next(field for field in OWN_FIELDS if field.lead.name == CROSS_ID)
    other = "salesforce" if crm == "hubspot" else "hubspot"
    if own.name_in(crm) not in writable.updatable[crm]:
        return []
    counterpart = pl.col(SIDES[other] + "_id")
    why = pl.lit(f"the id of its record in {NAMES[other]}")
    differs = existing & _where(
        leads,
        _shown(SIDES[crm], CROSS_ID)
        & counterpart.is_not_null()
        & pl.col(SIDES[crm] + CROSS_ID).ne_missing(counterpart),
    )
    parts = [_rows(leads, differs, crm, CROSS_ID, own.name_in(crm), counterpart, why, writable)]
    if wanted.mode == "full":
        to_come = existing & leads[f"create_{other}"]
        nothing_yet = pl.lit(None, dtype=pl.String)
        parts.append(
            _rows(leads, to_come, crm, CROSS_ID, own.name_in(crm), nothing_yet, why, writable, "cross_id")
        )
    return parts


def _creates(
    leads: pl.DataFrame,
    where: pl.Series,
    crm: str,
    field_map: FieldMap,
    rules: Sequence[MergeRule],
    writable: Writable,
) -> list[pl.DataFrame]:
    """Every value a new record starts with."""
    if not where.any():
        return []
    object_name, other = writable.objects[crm], "salesforce" if crm == "hubspot" else "hubspot"
    why = pl.lit(f"known in {NAMES[other]} only")
    values: dict[str, tuple[str, pl.Expr]] = {}
    targets = dict(field_map.writable(crm, object_name))
    for rule in rules:
        if rule.field in targets and rule.direction != "read_only":
            values[rule.field] = (
                targets[rule.field],
                field_map.to_crm(crm, object_name, rule.field, column=MERGED + rule.field),
            )
    for own in OWN_FIELDS:
        source = pl.col(own.verdict).cast(pl.String) if own.verdict else pl.col(SIDES[other] + "_id")
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
    for field, (crm_field, after) in values.items():
        if crm_field in writable.creatable[crm]:
            filled = pl.coalesce(after, pl.lit(required[crm_field])) if crm_field in required else after
            rows = _rows(leads, where, crm, field, crm_field, filled, why, writable, "create")
            parts.append(rows.filter(pl.col("after").is_not_null()))
    return parts


def _by_lane(changes: pl.DataFrame, rules: Sequence[MergeRule]) -> pl.DataFrame:
    """Withdrawals travel first, handovers next."""
    consent = [rule.field for rule in rules if rule.opt_out]
    handed_over = changes.filter(
        pl.col("field").is_in(["shown_stage", STAGE])
        & pl.col("after").is_in(["mql", "marketingqualifiedlead", "sql"])
    )["lead_id"]
    return changes.with_columns(
        lane=pl.when(pl.col("field").is_in(consent))
        .then(pl.lit("consent"))
        .when(pl.col("lead_id").is_in(handed_over.unique().implode()))
        .then(pl.lit("handover"))
        .otherwise("lane")
    )


def _with_before(changes: pl.DataFrame, raw: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """What the record held, in the CRM's own words, for undo and for refusing what has moved since."""
    parts = []
    for (crm,), rows in changes.partition_by("crm", as_dict=True).items():
        held = raw.get(str(crm))
        if held is None:
            parts.append(rows)
            continue
        places = held.select(record_id="_id").with_row_index("_at").unique("record_id", keep="first")
        placed = rows.join(places, on="record_id", how="left", maintain_order="left")
        for (crm_field,), few in placed.partition_by("crm_field", as_dict=True).items():
            if crm_field in held.columns:
                few = few.with_columns(before=held[str(crm_field)].gather(few["_at"]))
            parts.append(few.select(*CHANGES))
    return pl.concat(parts) if parts else changes
