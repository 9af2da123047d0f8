"""Remember what a slice came to: journal, bases, links, leads and verdicts, in one transaction.

A base is what a record held when both sides agreed, taken from what the CRM says it stored. Where a change was
refused or is held, the old base stays, so that the next run finds the same difference again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from connectors.crm import SLAB_SCHEMA
from mapping.lead import columns_of
from mapping.own import SHOWN
from mapping.qualification.judge import MEMORY
from mapping.qualification.score import PREVIOUS_SCHEMA
from sync.decide import Decided
from sync.handover import as_judged, remember_handovers
from sync.loops import held_noise
from sync.merge import BASE, MERGED, TO_HUBSPOT, TO_SALESFORCE, WINNER, Winner
from sync.pairs import Pairing
from sync.plan import SIDES, STAGE
from sync.read import typed_records
from sync.store.journal import HELD, REFUSED
from sync.store.leads import BASES, NEW_LEADS, NEW_LINKS, NEW_VERDICTS
from sync.turned import note_turned
from sync.work import CRMS, Work, empty
from sync.write import ENDED, Results

#: The lead field a stage change is read back in.
STAGE_SHOWN = "hubspot_stage"


def remember(
    work: Work,
    run: int,
    fence: int,
    decided: Decided,
    links: pl.DataFrame,
    held: pl.DataFrame | None,
    results: Results,
    now: datetime,
) -> int:
    """Store everything a slice came to; returns how many targets became held or refused by it.

    ``links``: new and renewed links (``NEW_LINKS``). ``held``: ``HELD``, None where the records were not looked
    at, so that nothing held or refused about them is settled.
    Leads whose claim another run has taken over since are left out: that run decides them anew.
    """
    leads = with_outcome(work, decided.leads, results)
    store, became = work.store, 0
    with store.transaction():
        lost = store.runs.fenced_out(leads["lead_id"], fence)
        if lost:
            leads = leads.filter(~pl.col("lead_id").is_in(list(lost)))
            links = links.filter(~pl.col("lead_id").is_in(list(lost)))
        work.at_point("before journal")
        store.journal.settle(results.changes, run, now)
        store.journal.strike_undone(results.changes.filter(pl.col("state") == "written"))
        store.journal.abandon(leads["lead_id"], run, now)
        work.at_point("after journal")
        work.at_point("before base")
        for crm in CRMS:
            store.leads.remember_bases(new_bases(work, crm, leads), run, now)
        work.at_point("after base")
        work.at_point("before link")
        store.leads.remember_links(pl.concat([links, _links_of_created(work, leads)]), run, now)
        work.at_point("after link")
        note_turned(work, decided.turned, leads["lead_id"], now)
        _verdicts(work, leads, run, now)
        if decided.handed is not None:
            refused = [lead for lead, crm in results.refusals if crm == "salesforce"]
            remember_handovers(work, leads, decided.handed, refused, run, now)
        if held is not None:
            became += store.journal.hold(held, _looked_at(leads, held), run, now)
            store.journal.strike_refused(_passed(leads, results))
        became += store.journal.refuse(refused_rows(work, results), run, now)
    return became


def with_outcome(work: Work, leads: pl.DataFrame, results: Results) -> pl.DataFrame:
    """Add ``nb.``-columns: per CRM the values each record now stands agreed on."""
    failed = results.changes.filter(pl.col("state") != "written").select("lead_id", "field").unique()
    for crm, side in SIDES.items():
        made = results.changes.filter((pl.col("crm") == crm) & (pl.col("kind") == "create"))
        new_ids = (
            made.filter(pl.col("state") == "written").select("lead_id", _new_id="record_id").unique("lead_id")
        )
        leads = leads.join(new_ids, on="lead_id", how="left", maintain_order="left").with_columns(
            pl.coalesce(side + "_id", "_new_id").alias(side + "_id"),
            pl.col("_new_id").is_not_null().alias(side + "_created"),
        )
        leads = leads.drop("_new_id")
    settled = _settled(work, results)
    for crm, side in SIDES.items():
        leads = _agreed(work, leads, crm, side, results, failed, settled)
    return leads


@dataclass(frozen=True, slots=True)
class _Settled:
    """What was written, once for all fields: asked for each, it cost more than the rest of a small run.

    ``written``: (CRM, field) to the leads. ``writable``: CRM to the lead fields that may be written there.
    """

    written: Mapping[tuple[str, str], pl.Series]
    writable: Mapping[str, frozenset[str]]


def _settled(work: Work, results: Results) -> _Settled:
    changes = results.changes.filter(pl.col("state") == "written").select("crm", "field", "lead_id")
    parts = changes.partition_by("crm", "field", as_dict=True)
    return _Settled(
        {(str(crm), str(name)): rows["lead_id"] for (crm, name), rows in parts.items()},
        {
            crm: frozenset(name for name, _ in work.field_map.writable(crm, work.objects[crm]))
            for crm in SIDES
        },
    )


def _agreed(
    work: Work,
    leads: pl.DataFrame,
    crm: str,
    side: str,
    results: Results,
    failed: pl.DataFrame,
    settled: _Settled,
) -> pl.DataFrame:
    written = results.changes.filter((pl.col("crm") == crm) & (pl.col("state") == "written"))
    stored = _stored_records(work, crm, results)
    failed_by_field = {
        str(name): rows["lead_id"] for (name,), rows in failed.partition_by("field", as_dict=True).items()
    }
    written_by_field = {
        str(name): rows["lead_id"] for (name,), rows in written.partition_by("field", as_dict=True).items()
    }
    known = columns_of(work.field_map.known(crm))
    merged_fields = {rule.field for rule in work.rules if rule.direction != "read_only"}
    columns = []
    for name, dtype in known.items():
        owner = name.removesuffix("_currency") if name.removesuffix("_currency") in known else name
        now, base = pl.col(side + name), pl.col(BASE[side] + name)
        change = STAGE if owner == STAGE_SHOWN else owner
        value: pl.Expr = now
        if change in written_by_field:
            here = pl.col("lead_id").is_in(written_by_field[change].implode())
            said = pl.col("_stored." + name) if stored is not None and name in stored.columns else None
            value = pl.when(here).then(_written_value(leads, name, said)).otherwise(value)
        value = _kept(leads, side, owner, base, value, settled)
        if work.mode != "full" and owner in merged_fields:
            value = base  # nothing was brought into agreement, so there is nothing to remember as agreed
        if change in failed_by_field:
            value = (
                pl.when(pl.col("lead_id").is_in(failed_by_field[change].implode()))
                .then(base)
                .otherwise(value)
            )
        columns.append(value.cast(dtype).alias(f"nb.{crm}.{name}"))
    if stored is not None:
        renamed = stored.select(
            pl.col("_id").alias(side + "_id"),
            *(pl.col(name).alias("_stored." + name) for name in stored.columns if name in known),
        )
        leads = leads.join(renamed, on=side + "_id", how="left", maintain_order="left")
    done = leads.with_columns(columns)
    return done.drop([name for name in done.columns if name.startswith("_stored.")])


def _written_value(leads: pl.DataFrame, name: str, said: pl.Expr | None) -> pl.Expr:
    """What the CRM said it stored; where it said nothing, what was sent."""
    if name == STAGE_SHOWN:
        sent = pl.col("stage")
    elif name in SHOWN:
        # A decision without a ledger shows nothing of a handover, and sends nothing.
        sent = pl.col(SHOWN[name]) if SHOWN[name] in leads.columns else pl.lit(None)
    else:
        sent = pl.col(MERGED + name) if MERGED + name in leads.columns else pl.lit(None)
    return sent if said is None else pl.coalesce(said, sent)


def _kept(
    leads: pl.DataFrame, side: str, owner: str, base: pl.Expr, value: pl.Expr, settled: _Settled
) -> pl.Expr:
    """Held, unread and unwritten fields keep their old base: the difference is still to be settled."""
    if WINNER + owner in leads.columns:
        open_ones = pl.col(WINNER + owner).is_in(
            [int(Winner.HELD), int(Winner.UNREAD), int(Winner.UNSAYABLE)]
        )
        for crm, winners in (("hubspot", TO_HUBSPOT), ("salesforce", TO_SALESFORCE)):
            if owner in settled.writable[crm]:
                # Out of scope, or not ours to write: nothing was planned, so nothing was agreed.
                won = pl.col(WINNER + owner).is_in([int(code) for code in winners])
                written = settled.written.get((crm, owner))
                open_ones |= won if written is None else won & ~pl.col("lead_id").is_in(written.implode())
        value = pl.when(open_ones).then(base).otherwise(value)
    unread = pl.col(side + "_unread").list.contains(owner).fill_null(value=False)
    return pl.when(unread).then(base).otherwise(value)


def _stored_records(work: Work, crm: str, results: Results) -> pl.DataFrame | None:
    """What the CRM said it stored, read like any record: typed columns by ``_id``."""
    said = results.stored.get(crm)
    if not said:
        return None
    names = sorted({name for values in said.values() for name in values})
    frame = pl.DataFrame(
        {
            "_id": list(said),
            "_absent": [[name for name in names if name not in values] or None for values in said.values()],
            **{name: [values.get(name) for values in said.values()] for name in names},
        },
        schema={
            "_id": pl.String(),
            "_absent": pl.List(pl.String()),
            **{name: pl.String() for name in names},
        },
    )
    blank = [
        pl.lit(None, dtype=dtype).alias(name)
        for name, dtype in SLAB_SCHEMA.items()
        if name not in frame.columns
    ]
    typed = typed_records(work, crm, frame.with_columns(blank))
    return typed.select(
        "_id", *(name for name in typed.columns if name in columns_of(work.field_map.known(crm)))
    )


def new_bases(work: Work, crm: str, leads: pl.DataFrame) -> pl.DataFrame:
    """``BASES`` of the records of one CRM, from the ``nb.`` columns."""
    side = SIDES[crm]
    here = leads.filter(pl.col(side + "_id").is_not_null())
    if here.is_empty():
        return empty(BASES)
    text = work.record_snapshots(crm).encode(here, f"nb.{crm}.")
    return here.select(
        crm=pl.lit(crm), object=pl.lit(work.objects[crm]), record_id=side + "_id"
    ).with_columns(record_values=text)


def _links_of_created(work: Work, leads: pl.DataFrame) -> pl.DataFrame:
    parts = [empty(NEW_LINKS)]
    for crm, side in SIDES.items():
        other = SIDES["salesforce" if crm == "hubspot" else "hubspot"]
        made = leads.filter(pl.col(side + "_created"))
        parts.append(
            made.select(
                lead_id="lead_id",
                crm=pl.lit(crm),
                object=pl.lit(work.objects[crm]),
                record_id=side + "_id",
                how=pl.lit("cross_id"),
                email_key=other + "_email_key",
                name_key=other + "_name_key",
                company_key=other + "_company_key",
            )
        )
    return pl.concat(parts)


def _verdicts(work: Work, leads: pl.DataFrame, run: int, now: datetime) -> None:
    """Store the leads whose values or verdict changed, and each such verdict with its inputs."""
    snapshots = work.lead_snapshots()
    lead_columns = list(columns_of(work.fields))
    inputs = snapshots.encode(as_judged(leads).select(lead_columns))
    shown = pl.col("nb.hubspot." + STAGE_SHOWN) if "nb.hubspot." + STAGE_SHOWN in leads.columns else None
    after = leads.with_columns(shown.alias(STAGE_SHOWN)) if shown is not None else leads
    values = snapshots.encode(after.select(lead_columns))
    rows = leads.with_columns(
        lead_values=values,
        policy_version=pl.lit(work.policy.version),
        decided_at=pl.lit(now).cast(pl.Datetime("us", "UTC")),
        email_key=pl.col("email").str.to_lowercase(),
    ).with_columns(inputs=pl.Series(inputs))
    compared = {
        "score": "prev_score",
        "fit": "prev_fit",
        "engagement": "prev_engagement",
        "coverage": "prev_coverage",
        "temperature": "prev_temperature",
        "stage": "prev_stage",
        "stage_why": "prev_stage_why",
        "highest_stage": "prev_highest_stage",
        "cycle": "prev_cycle",
        "nurture_track": "prev_track",
        **{name: f"prev_{name}" for name in MEMORY},
        "policy_version": "prev_policy",
        "lead_values": "prev_values",
    }
    changed = rows.filter(
        pl.any_horizontal(pl.col(new).ne_missing(pl.col(old)) for new, old in compared.items())
    )
    work.store.leads.remember_leads(changed.select(*NEW_LEADS))
    with_previous = changed.with_columns(inputs=_with_previous(changed))
    work.store.leads.remember_verdicts(with_previous.select(*NEW_VERDICTS), run)


def _with_previous(changed: pl.DataFrame) -> pl.Series:
    """The inputs of a verdict: the lead's values, which CRMs have it, and what the last verdict said."""
    before = pl.struct(*PREVIOUS_SCHEMA, "in_hubspot", "in_salesforce")
    # Both are JSON objects already, and the second is never empty: they are joined as text, not parsed again.
    return changed.select(
        inputs=pl.concat_str(
            pl.lit('{"lead":'),
            "inputs",
            pl.lit(","),
            before.struct.json_encode().str.slice(1),
        )
    )["inputs"]


def _looked_at(leads: pl.DataFrame, held: pl.DataFrame) -> pl.DataFrame:
    seen = [
        leads.filter(pl.col(side + "_id").is_not_null()).select(crm=pl.lit(crm), record_id=side + "_id")
        for crm, side in SIDES.items()
    ]
    return pl.concat([*seen, held.select("crm", "record_id")]).unique()


def refused_rows(work: Work, results: Results) -> pl.DataFrame:
    """``REFUSED``: what the CRMs rejected, one row a lead and CRM."""
    rows = [
        {
            "lead_id": lead,
            "crm": crm,
            "object": work.objects[crm],
            "record_id": one.record_id,
            "code": one.code or one.outcome.upper(),
            "message": one.message,
            "fields": ",".join(one.fields),
        }
        for (lead, crm), one in results.refusals.items()
    ]
    return pl.DataFrame(rows, schema=dict(REFUSED))


def _passed(leads: pl.DataFrame, results: Results) -> pl.DataFrame:
    """(lead, crm) that this run looked at and that nothing was refused for."""
    seen = pl.concat([leads.select("lead_id", crm=pl.lit(crm)) for crm in CRMS])
    failed = pl.DataFrame(
        [{"lead_id": lead, "crm": crm} for lead, crm in results.refusals],
        schema={"lead_id": pl.String(), "crm": pl.String()},
    )
    return seen.join(failed, on=["lead_id", "crm"], how="anti")


def held_rows(pairing: Pairing, decided: Decided) -> pl.DataFrame:
    """What waits for a person: ambiguous records, and fields that both sides changed (``HELD``)."""
    ambiguous = [
        {
            "held_key": f"ambiguous:{crm}:{record}",
            "kind": "ambiguous",
            "lead_id": None,
            "crm": crm,
            "object": object_name,
            "record_id": record,
            "field": "",
            "details": json.dumps({"others": others, "why": why}),
        }
        for crm, object_name, record, others, why in pairing.ambiguous.iter_rows()
    ]
    open_conflicts = decided.conflicts.filter(pl.col("winner") == "nobody")
    sides = decided.leads.select("lead_id", "h._id", "s._id")
    conflicts = [
        {
            "held_key": f"conflict:{lead}:{name}",
            "kind": "conflict",
            "lead_id": lead,
            # A lead of Salesforce alone is named by its record there: what was looked at settles what is held.
            "crm": "hubspot" if hubspot_id else "salesforce",
            "object": "",
            "record_id": hubspot_id or salesforce_id,
            "field": name,
            "details": json.dumps(
                {"hubspot": h, "salesforce": s, "salesforce_id": salesforce_id}, ensure_ascii=False
            ),
        }
        for lead, name, h, s, hubspot_id, salesforce_id in (
            open_conflicts.join(sides, on="lead_id", how="left")
            .select("lead_id", "field", "hubspot_value", "salesforce_value", "h._id", "s._id")
            .iter_rows()
        )
    ]
    noise = [] if decided.loud is None else held_noise(decided.loud)
    return pl.DataFrame(ambiguous + conflicts + _unsayable(decided) + noise, schema=dict(HELD))


def _unsayable(decided: Decided) -> list[dict[str, str | None]]:
    """Values that the other CRM has no word for."""
    rows: list[dict[str, str | None]] = []
    for column in (name for name in decided.leads.columns if name.startswith(WINNER)):
        name = column.removeprefix(WINNER)
        stuck = decided.leads.filter(pl.col(column) == int(Winner.UNSAYABLE))
        for lead, record in stuck.select("lead_id", "h._id").iter_rows():
            why = "the other CRM has no word for this value: add one under [values], or correct the value"
            rows.append(
                {
                    "held_key": f"unsayable:{lead}:{name}",
                    "kind": "unsayable",
                    "lead_id": lead,
                    "crm": "hubspot",
                    "object": "",
                    "record_id": record,
                    "field": name,
                    "details": json.dumps({"why": why}),
                }
            )
    return rows


def nothing_written() -> Results:
    """The results of a run that changes nothing."""
    return Results(empty(ENDED))


def renewed_links(assigned: pl.DataFrame, keys: pl.DataFrame) -> pl.DataFrame:
    """``NEW_LINKS`` of the records read: new links, and the keys of known ones."""
    columns: Mapping[str, pl.DataType] = NEW_LINKS
    return assigned.join(
        keys.select("crm", "record_id", "email_key", "name_key", "company_key"),
        on=["crm", "record_id"],
        how="inner",
    ).select(*columns)
