"""What each record stands agreed on after a slice: what the CRM says it stored, and the old base where it is open."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import polars as pl

from connectors.crm import SLAB_SCHEMA
from mapping.lead import FieldType, columns_of
from mapping.own import SHOWN
from mapping.qualification.truths import looked_up
from sync.ends import runs_of
from sync.inorder import beside, chosen, true_at
from sync.merge import BASE, MERGED, TO_HUBSPOT, TO_SALESFORCE, WINNER, Winner
from sync.plan import RESTORE, SIDES, STAGE
from sync.plan_parts import places_of
from sync.read import read_records
from sync.store.leads import BASES
from sync.winners import deciders
from sync.work import Work, empty
from sync.write import Results

#: The lead field a stage change is read back in.
STAGE_SHOWN = "hubspot_stage"


def with_outcome(work: Work, leads: pl.DataFrame, results: Results) -> pl.DataFrame:
    """Add ``nb.``-columns: per CRM the values each record now stands agreed on."""
    # What only takes back a dead run's write agrees on nothing: the record then holds what it was read as.
    results = replace(results, changes=results.changes.filter(pl.col("kind") != RESTORE))
    changes = results.changes
    for crm, side in SIDES.items():
        made = (changes["crm"] == crm) & (changes["kind"] == "create") & (changes["state"] == "written")
        leads = _with_created(leads, side, chosen(changes, made))
    settled = _settled(work, leads, results)
    for crm, side in SIDES.items():
        leads = _agreed(work, leads, crm, side, results, settled)
    return leads


def _with_created(leads: pl.DataFrame, side: str, made: pl.DataFrame) -> pl.DataFrame:
    """The ids of records that were created, and whether each lead's record was."""
    if made.is_empty():
        return leads.hstack([pl.Series(side + "_created", [False]).new_from_index(0, leads.height)])
    new_ids = made.select("lead_id", _new_id="record_id").unique("lead_id")
    return (
        leads.join(new_ids, on="lead_id", how="left", maintain_order="left")
        .with_columns(
            pl.coalesce(side + "_id", "_new_id").alias(side + "_id"),
            pl.col("_new_id").is_not_null().alias(side + "_created"),
        )
        .drop("_new_id")
    )


@dataclass(frozen=True, slots=True)
class _Settled:
    """What was written, once for all fields: asked for each, it cost more than the rest of a small run.

    ``written``: (CRM, field) to whether each lead's was written; ``failed``: field to whether any CRM did not take it.
    ``writable``: CRM to the lead fields that may be written there. ``winners``: field to the codes of those who won it
    for any lead.
    """

    written: Mapping[tuple[str, str], pl.Expr]
    failed: Mapping[str, pl.Expr]
    writable: Mapping[str, frozenset[str]]
    winners: Mapping[str, frozenset[int]]


def _settled(work: Work, leads: pl.DataFrame, results: Results) -> _Settled:
    changes = results.changes
    runs, ids = runs_of(changes["lead_id"])
    at = looked_up(places_of(ids, leads.select(_id="lead_id")), runs)
    written = changes["state"] == "written"
    by_field = {crm: _by_field(changes, at, written & (changes["crm"] == crm), leads.height) for crm in SIDES}
    return _Settled(
        {(crm, name): these for crm, fields in by_field.items() for name, these in fields.items()},
        _by_field(changes, at, ~written, leads.height),
        {
            crm: frozenset(name for name, _ in work.field_map.writable(crm, work.objects[crm]))
            for crm in SIDES
        },
        deciders(leads),
    )


def _by_field(changes: pl.DataFrame, at: pl.Series, which: pl.Series, height: int) -> dict[str, pl.Expr]:
    """Field to whether each lead has one of these changes of it. ``at``: the place of each change's lead."""
    which &= at.is_not_null()
    parts = pl.DataFrame({"field": changes["field"].filter(which), "at": at.filter(which)}).partition_by(
        "field", as_dict=True, include_key=False
    )
    return {str(name): pl.lit(true_at(rows["at"], height)) for (name,), rows in parts.items()}


def _agreed(
    work: Work,
    leads: pl.DataFrame,
    crm: str,
    side: str,
    results: Results,
    settled: _Settled,
) -> pl.DataFrame:
    stored = _stored_records(work, crm, results)
    known, here_now = columns_of(work.field_map.known(crm)), frozenset(leads.columns)
    told = frozenset(stored.columns if stored is not None else ())
    unread = frozenset(leads[side + "_unread"].explode().drop_nulls().to_list())
    merged_fields = {rule.field for rule in work.rules if rule.direction != "read_only"}
    columns: list[tuple[str, pl.DataType, pl.Expr | str]] = []
    for name, dtype in known.items():
        owner = name.removesuffix("_currency") if name.removesuffix("_currency") in known else name
        now, base = pl.col(side + name), pl.col(BASE[side] + name)
        change = STAGE if owner == STAGE_SHOWN else owner
        value = now
        here = settled.written.get((crm, change))
        if here is not None:
            said = pl.col("_stored." + name) if name in told else None
            value = pl.when(here).then(_written_value(here_now, name, said)).otherwise(value)
        value = _kept(owner, base, value, settled)
        if owner in unread:
            unseen = pl.col(side + "_unread").list.contains(owner).fill_null(value=False)
            value = pl.when(unseen).then(base).otherwise(value)
        if work.mode != "full" and owner in merged_fields:
            value = base  # nothing was brought into agreement, so there is nothing to remember as agreed
        if change in settled.failed:
            value = pl.when(settled.failed[change]).then(base).otherwise(value)
        taken = side + name if value is now else BASE[side] + name if value is base else value
        columns.append((f"nb.{crm}.{name}", dtype, taken))
    seen = leads
    if stored is not None:
        there = beside(leads.select(_id=side + "_id"), stored, "_id")
        seen = leads.hstack([there[name].alias("_stored." + name) for name in there.columns])
    return leads.hstack(_values(seen, columns))


def _values(leads: pl.DataFrame, columns: list[tuple[str, pl.DataType, pl.Expr | str]]) -> list[pl.Series]:
    """The columns under their names: most are what one side shows, and need not be asked."""
    asked = [value.cast(dtype).alias(name) for name, dtype, value in columns if isinstance(value, pl.Expr)]
    found = leads.select(asked) if asked else leads.clear()
    return [
        found[name] if isinstance(value, pl.Expr) else leads[value].cast(dtype).alias(name)
        for name, dtype, value in columns
    ]


def _written_value(columns: frozenset[str], name: str, said: pl.Expr | None) -> pl.Expr:
    """What the CRM said it stored; where it said nothing, what was sent."""
    if name == STAGE_SHOWN:
        sent = pl.col("stage")
    elif name in SHOWN:
        # A decision without a ledger shows nothing of a handover, and sends nothing.
        sent = pl.col(SHOWN[name]) if SHOWN[name] in columns else pl.lit(None)
    else:
        sent = pl.col(MERGED + name) if MERGED + name in columns else pl.lit(None)
    return sent if said is None else pl.coalesce(said, sent)


def _kept(owner: str, base: pl.Expr, value: pl.Expr, settled: _Settled) -> pl.Expr:
    """Held, unread and unwritten fields keep their old base: the difference is still to be settled."""
    codes = settled.winners.get(owner, frozenset())
    winner = pl.col(WINNER + owner)
    undecided = codes & {Winner.HELD, Winner.UNREAD, Winner.UNSAYABLE}
    open_ones = [winner.is_in([int(code) for code in undecided])] if undecided else []
    for crm, winners in (("hubspot", TO_HUBSPOT), ("salesforce", TO_SALESFORCE)):
        here = codes.intersection(winners)
        if here and owner in settled.writable[crm]:
            # Out of scope, or not ours to write: nothing was planned, so nothing was agreed.
            won = winner.is_in([int(code) for code in here])
            written = settled.written.get((crm, owner))
            open_ones.append(won if written is None else won & ~written)
    if not open_ones:
        return value
    return pl.when(pl.any_horizontal(open_ones)).then(base).otherwise(value)


def _stored_records(work: Work, crm: str, results: Results) -> pl.DataFrame | None:
    """What the CRM said it stored, read like any record: typed columns by ``_id``."""
    told = results.told(crm)
    if told.is_empty():
        return None
    frame = _said_otherwise(work, crm, told, results)
    blank = [
        pl.lit(None, dtype=dtype).alias(name)
        for name, dtype in SLAB_SCHEMA.items()
        if name not in frame.columns
    ]
    typed = read_records(work, crm, frame.with_columns(blank))
    known = columns_of(work.field_map.known(crm))
    return typed.select("_id", *(name for name in typed.columns if name in known))


def _said_otherwise(work: Work, crm: str, told: pl.DataFrame, results: Results) -> pl.DataFrame:
    """``told`` without the telephone numbers and addresses that stand there as they were sent.

    Both are sent as the lead has them, and what is clean is read as it is: to read each again would cost more than all
    the rest, and find what was sent.
    """
    for name, known in work.field_map.known(crm).items():
        source = work.field_map.rules[name].source(crm, work.objects[crm])
        if known.type not in (FieldType.PHONE, FieldType.URL) or source not in told.columns:
            continue
        here = (pl.col("crm") == crm) & (pl.col("crm_field") == source) & (pl.col("state") == "written")
        sent = results.changes.filter(here).select(_id="record_id", _sent="after").unique("_id")
        told = told.join(sent, on="_id", how="left", maintain_order="left")
        otherwise = pl.col(source).ne_missing(pl.col("_sent"))
        told = told.with_columns(pl.when(otherwise).then(source).alias(source)).drop("_sent")
    return told


def new_bases(work: Work, crm: str, leads: pl.DataFrame) -> pl.DataFrame:
    """``BASES`` of the records of one CRM, from the ``nb.`` columns."""
    side = SIDES[crm]
    snapshots, prefix = work.record_snapshots(crm), f"nb.{crm}."
    # Of the leads' hundreds of columns these alone: each would be copied.
    names = [name for name in leads.columns if name.startswith(prefix)]
    here = chosen(leads.select(side + "_id", *names), leads[side + "_id"].is_not_null())
    if here.is_empty():
        return empty(BASES)
    text = snapshots.encode(here, prefix)
    return here.select(
        crm=pl.lit(crm), object=pl.lit(work.objects[crm]), record_id=side + "_id"
    ).with_columns(record_values=text, record_mark=snapshots.marks(here, text, prefix))
