"""Decide what both CRMs should show for a slice of leads: merge, judge, plan. No CRM and no database here.

The frame that comes in has one row a lead: ``h.``/``s.`` columns of its records, ``bh.``/``bs.`` their bases,
``p.`` the values stored for the lead, ``prev_`` columns of its last verdict. ``lead_frame`` makes it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache

import polars as pl

from mapping.consent import CONSENT_FIELDS, LEGAL_BASIS
from mapping.identity import derive
from mapping.lead import columns_of
from mapping.own import OWN_LEAD_FIELDS
from mapping.qualification.columns import derived_columns
from mapping.qualification.conditions import Condition
from mapping.qualification.handover import Advanced
from mapping.qualification.judge import MEMORY, judge
from mapping.qualification.truths import known, looked_up
from mapping.qualification.wording import WHY, reasons, why
from sync.fed import Fed, with_fed
from sync.handover import after_judging, before_judging
from sync.handover_explore import Draw, with_explored
from sync.inorder import alike, ascending, beside, blanks, in_order
from sync.merge import (
    BASE,
    HUBSPOT,
    MERGED,
    SALESFORCE,
    MergeRule,
    conflicts,
    merge,
    merge_again,
    without_words,
)
from sync.plan import plan
from sync.plan_parts import SIDES, places_of
from sync.read import RAW
from sync.regions import read_by_country, with_new_countries
from sync.routing import DeskNow, Given, give_away, with_owners
from sync.shown import verdict_differs
from sync.turned import Turned
from sync.unread import Unread
from sync.winners import APART, KEPT
from sync.work import Work

RECORD_META: Mapping[str, pl.DataType] = {
    "_id": pl.String(),
    "_modified_at": pl.Datetime("us", "UTC"),
    "_created_at": pl.Datetime("us", "UTC"),
    "_unread": pl.List(pl.String()),
    "_email_key": pl.String(),
    "_name_key": pl.String(),
    "_company_key": pl.String(),
}
#: What each side of the frame has beside the record's own columns.
LINKED = "_linked"  #: the record a link names, also when it was not found


@dataclass(frozen=True, slots=True)
class Decided:
    """A slice, decided.

    ``leads``: one row a lead with everything; ``changes``: see ``plan.CHANGES``; ``conflicts``: see
    ``merge.conflicts``. ``moved`` (``plan.CHANGES``): planned changes that are not carried out, because the
    lead has moved since the plan was saved. ``unplanned``: leads that have changes now and had none in the plan;
    they are left to a later run. ``loud``: changes that are not made because something else keeps setting them back
    (``sync.loops``). ``turned``: its leads that Salesforce has converted. ``fed``: what was read
    beside its records. ``handed``: how the handover ledger moves on with this decision; remembered with the verdicts.
    ``given``: the owners that leads are given with it.
    """

    leads: pl.DataFrame
    changes: pl.DataFrame
    conflicts: pl.DataFrame
    moved: pl.DataFrame | None = None
    unplanned: pl.Series | None = None
    loud: pl.DataFrame | None = None
    turned: Turned | None = None
    handed: Advanced | None = None
    given: Given | None = None
    fed: Fed | None = None


def lead_frame(
    work: Work,
    lead_ids: pl.Series,
    records: Mapping[str, pl.DataFrame | None],
    linked: pl.DataFrame,
    bases: pl.DataFrame,
    stored: pl.DataFrame,
) -> pl.DataFrame:
    """One row a lead from its parts.

    ``records``: CRM to typed records with ``lead_id`` (as ``read.typed_records`` makes them). ``linked``:
    ``lead_id, crm, record_id`` of every link. ``bases`` and ``stored``: as the store gives them.
    """
    leads = in_order(lead_ids).alias("lead_id").to_frame()
    parts, missing = [leads], dict[str, pl.DataType]()
    for crm, side in SIDES.items():
        columns = {**RECORD_META, **work.field_map.columns(crm)}
        theirs = linked.filter(pl.col("crm") == crm).select(
            "lead_id", pl.col("record_id").alias(side + LINKED)
        )
        if not alike(theirs["lead_id"], leads["lead_id"]):
            theirs = theirs.unique("lead_id")
        now = beside(leads, _prefixed(records.get(crm), columns, side), "lead_id")
        names = beside(leads, theirs, "lead_id")
        bases_then = _bases(work, crm, bases, now)
        have = {*now.columns, *bases_then.columns}
        missing |= {
            prefix + name: dtype
            for name, dtype in columns_of({**work.fields, **OWN_LEAD_FIELDS}).items()
            for prefix in (side, BASE[side])
            if prefix + name not in have
        }
        parts += [now, names, bases_then]
    parts += [_stored(work, stored, leads), blanks(missing, leads.height)]
    return pl.concat(parts, how="horizontal")


@cache
def _nothing(dtype: pl.DataType) -> pl.Expr:
    return pl.lit(None, dtype=dtype)


def _prefixed(records: pl.DataFrame | None, columns: Mapping[str, pl.DataType], side: str) -> pl.DataFrame:
    if records is None:
        schema = {"lead_id": pl.String(), **{side + name: dtype for name, dtype in columns.items()}}
        return pl.DataFrame(schema=schema)
    renamed = records.select("lead_id", *(pl.col(name).alias(side + name) for name in columns))
    if ascending(renamed["lead_id"]) or renamed["lead_id"].n_unique() == renamed.height:
        return renamed
    return renamed.unique("lead_id", keep="last", maintain_order=True)


def _bases(work: Work, crm: str, bases: pl.DataFrame, now: pl.DataFrame) -> pl.DataFrame:
    """The bases of the records ``now``, in their order; nulls where there is none."""
    side = SIDES[crm]
    here = bases.filter(pl.col("crm") == crm).select("record_id", "record_values", "record_mark")
    stored = beside(now[side + "_id"].alias("record_id").to_frame(), here, "record_id")
    snapshots = work.record_snapshots(crm)
    apart = snapshots.apart(stored, now, side)
    decoded = snapshots.decode_beside(stored, now, apart, prefix=BASE[side], beside=side)
    return decoded.hstack([apart.alias(BASE[side] + APART)])


def _stored(work: Work, stored: pl.DataFrame, leads: pl.DataFrame) -> pl.DataFrame:
    """What is stored for each of ``leads``, in their order: the last verdict and the values."""
    previous = stored.select(
        "lead_id",
        pl.col("lead_values").alias("prev_values"),
        pl.col("policy_version").alias("prev_policy"),
        *(pl.col(name).alias(f"prev_{name}") for name in ("fit", "engagement", "coverage", "stage_why")),
        pl.col("stage").alias("prev_stage"),
        pl.col("highest_stage").alias("prev_highest_stage"),
        pl.col("cycle").cast(pl.Int32).alias("prev_cycle"),
        pl.col("temperature").alias("prev_temperature"),
        pl.col("score").cast(pl.Int32).alias("prev_score"),
        pl.col("nurture_track").alias("prev_track"),
        *(pl.col(name).alias(f"prev_{name}") for name in MEMORY),
    )
    then = beside(leads, previous, "lead_id")
    return then.hstack(work.lead_snapshots().decode(then["prev_values"], KEPT))


def decide(
    work: Work,
    frame: pl.DataFrame,
    records: Mapping[str, pl.DataFrame | None],
    held_leads: pl.Series,
    now: datetime,
    ledger: pl.DataFrame | None = None,
    fed: Fed | None = None,
    desk: DeskNow | None = None,
) -> Decided:
    """Merge, judge and plan a slice. ``held_leads``: leads for which nothing may be created. ``fed``: ``sync.fed``."""
    unread = Unread(frame)
    merged = merge(frame, work.rules, unread)
    renewed = with_new_countries(work, frame, merged, records)
    if renewed is not None:
        unread = Unread(renewed)
        merged = merge_again(merged, renewed, work.rules, read_by_country(work), unread)
    opt_outs = [rule.field for rule in work.rules if rule.opt_out]
    sayable = without_words(_fill_unread(merged, work, unread), _unsayable(work), opt_outs)
    merged = with_fed(work, sayable, fed)
    raw = {crm: raw_of(frame) for crm, frame in records.items() if frame is not None}
    words = raw.get("hubspot")
    stage_field = next(iter(work.field_map.rules["hubspot_stage"].names("hubspot").values()), "")
    if words is not None and stage_field in words.columns:
        word = looked_up(words[stage_field], places_of(merged["h._id"], words))
        merged = merged.hstack([word.alias("hubspot_stage_word")])
    else:
        merged = merged.with_columns(hubspot_stage_word=pl.lit(None, dtype=pl.String))
    done = conclude(work, merged, raw, work.rules, held_leads, now, ledger, desk, unread, "as read")
    return replace(done, fed=fed)


def _unsayable(work: Work) -> dict[str, tuple[pl.Expr, pl.Expr]]:
    """What each CRM has no word for, for the fields where that can be."""
    nothing = pl.lit(value=False)
    found = {}
    for rule in work.rules:
        words = rule.field in work.field_map.values or rule.travels_with
        if rule.direction == "read_only" or not words:
            continue
        named = {crm: work.field_map.rules[rule.field].source(crm, work.objects[crm]) for crm in SIDES}
        cannot = {
            crm: work.field_map.cannot_say(crm, work.objects[crm], rule.field, column=MERGED + rule.field)
            if named[crm] and work.field_map.rules[rule.field].writes_to(crm)
            else nothing
            for crm in SIDES
        }
        found[rule.field] = (cannot["hubspot"], cannot["salesforce"])
    return found


def conclude(
    work: Work,
    merged: pl.DataFrame,
    raw: Mapping[str, pl.DataFrame],
    rules: Sequence[MergeRule],
    held_leads: pl.Series,
    now: datetime,
    ledger: pl.DataFrame | None = None,
    desk: DeskNow | None = None,
    unread: Unread | None = None,
    draw: Draw = "nobody",
) -> Decided:
    """Judge merged leads and plan what both CRMs should show. ``raw``: the records in the CRMs' own words.

    ``ledger`` (``handover.LEDGER``): the newest handover of each lead; None: the ledger stays as it is.
    ``desk``: who gets leads that are handed over; None: nobody is given any. ``draw``: whether leads below the line
    are drawn to be handed over, too.
    """
    asked = before_judging(work, merged, ledger, now, unread if draw == "as read" else None)
    judged = judge_leads(work, merged if asked is None else asked.merged, now)
    judged = scoped(work, judged, held_leads, now)
    if asked is not None:
        judged = with_explored(work, judged, asked.facts, held_leads, now, draw)
    judged, given = give_away(work, asked, judged, desk, now)
    judged, handed = after_judging(work, asked, judged, now)
    unread = unread or Unread(judged)
    worded = with_reasons(work, judged, unread)
    changes = plan(worded, raw, work.field_map, rules, work.writable(), work.wanted(), unread)
    changes = with_owners(work, changes, worded, given)
    return Decided(worded, changes, conflicts(merged, rules), handed=handed, given=given)


def _fill_unread(merged: pl.DataFrame, work: Work, unread: Unread) -> pl.DataFrame:
    """A field that did not come keeps the value that is stored for the lead: not returned is not a blank.

    Standings of consent and their proofs are whole already (``sync.consent``).
    """
    filled = []
    for name, rows in unread.places(*SIDES.values()).items():
        if name in CONSENT_FIELDS and name != LEGAL_BASIS:
            continue
        for column in columns_of({name: work.fields[name]}) if name in work.fields else ():
            value, stored = merged[MERGED + column], merged[KEPT + column]
            blank = rows.filter(~known(looked_up(value, rows)))
            filled.append(value.clone().scatter(blank, looked_up(stored, blank)))
    return merged.with_columns(filled) if filled else merged


def judge_leads(work: Work, merged: pl.DataFrame, now: datetime) -> pl.DataFrame:
    """Add the merged values under their own names, the derived fields and the verdict's columns."""
    known = set(merged.columns)
    values = [
        (pl.col(MERGED + name) if MERGED + name in known else _nothing(dtype)).alias(name)
        for name, dtype in columns_of(work.fields).items()
    ]
    lead = merged.with_columns(values)
    lead = derive(
        lead,
        in_hubspot=pl.col(HUBSPOT + "_id").is_not_null(),
        in_salesforce=pl.col(SALESFORCE + "_id").is_not_null(),
    )
    asked = work.unscored
    unscored = None if asked is None else _answers(work, lead, asked, "_unscored", default=False, now=now)
    verdict = judge(lead, work.policy, now, unscored)
    codes = verdict["stage_why"].cast(pl.Enum(list(WHY))).to_physical()
    words = pl.Series("stage_why_text", [why(code, work.language) for code in WHY], dtype=pl.String)
    return lead.hstack([*verdict.drop("lead_id").get_columns(), looked_up(words, codes)])


def scoped(work: Work, judged: pl.DataFrame, held_leads: pl.Series, now: datetime) -> pl.DataFrame:
    """Add ``in_scope``, and for each CRM whether the scope wants a record there and whether one is created."""
    no_link = {
        side: pl.col(side + "_id").is_null() & pl.col(side + LINKED).is_null() for side in SIDES.values()
    }
    free = ~pl.col("lead_id").is_in(held_leads.implode())
    here = pl.col(HUBSPOT + "_id").is_not_null() | pl.col(SALESFORCE + "_id").is_not_null()
    asked = {
        "in_scope": (work.scope.leads, True),
        "to_hubspot": (work.scope.to_hubspot, True),
        "to_salesforce": (work.scope.to_salesforce, True),
        "_wanted_hubspot": (work.scope.create_in_hubspot, False),
        "_wanted_salesforce": (work.scope.create_in_salesforce, False),
    }
    answered = judged.with_columns(
        _answers(work, judged, condition, name, default, now) for name, (condition, default) in asked.items()
    )
    if work.pilot is not None:
        contact = pl.coalesce(HUBSPOT + "_id", HUBSPOT + LINKED)
        on_list = contact.is_in(sorted(work.pilot.members)).fill_null(value=False)
        answered = answered.with_columns(in_scope=pl.col("in_scope") & on_list)
    return answered.with_columns(
        create_hubspot=pl.col("_wanted_hubspot") & no_link[HUBSPOT] & free & here & ~pl.col("address_taken"),
        create_salesforce=pl.col("_wanted_salesforce") & no_link[SALESFORCE] & free & here,
    )


def _answers(
    work: Work, judged: pl.DataFrame, condition: Condition | None, name: str, default: bool, now: datetime
) -> pl.Series:
    """A condition's answer a lead; unknown is no: nobody is created or written to on a guess."""
    if condition is None:
        return pl.Series(name, [default]).new_from_index(0, judged.height)
    derived = derived_columns(condition.columns, now, work.policy.currency, work.policy.rates_at(now))
    answer = condition.expression.fill_null(value=False).alias(name)
    # with_columns and not select: a condition without a column ("false") has to fill every row.
    return judged.with_columns(derived).with_columns(answer)[name]


def with_reasons(work: Work, judged: pl.DataFrame, unread: Unread | None = None) -> pl.DataFrame:
    """Add the reasons' text, only for leads whose verdict is about to be written."""
    differs = verdict_differs(judged, work.policy.score_step, unread=unread)
    due = differs | judged["create_hubspot"] | judged["create_salesforce"]
    if not due.any():
        return judged.with_columns(reasons=pl.lit(None, dtype=pl.String))
    if due.all():
        return judged.with_columns(reasons=reasons(judged, work.policy, work.language))
    text = reasons(judged.filter(due), work.policy, work.language)
    nothing = pl.Series("reasons", [None], dtype=pl.String).new_from_index(0, judged.height)
    return judged.with_columns(nothing.scatter(due.arg_true(), text))


def raw_of(records: pl.DataFrame) -> pl.DataFrame:
    """Records in their CRM's own words: ``_id`` and a text column for each of its fields."""
    return records.select(
        "_id",
        *(pl.col(name).alias(name.removeprefix(RAW)) for name in records.columns if name.startswith(RAW)),
    )
