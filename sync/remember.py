"""Remember what a slice came to: journal, bases, links, leads and verdicts, in one transaction.

A base is what a record held when both sides agreed, taken from what the CRM says it stored. Where a change was
refused or is held, the old base stays, so that the next run finds the same difference again.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from datetime import datetime

import polars as pl

from mapping.lead import columns_of
from mapping.qualification.judge import MEMORY
from mapping.qualification.score import PREVIOUS_SCHEMA
from sync.agreed import STAGE_SHOWN, new_bases, with_outcome
from sync.decide import Decided
from sync.fed import note_fed
from sync.fieldtimes import why_by_time
from sync.formeraddress import note_former_addresses
from sync.handover import as_judged, remember_handovers
from sync.inorder import chosen
from sync.loops import held_noise
from sync.merge import WINNER, Winner
from sync.pairs import Pairing
from sync.plan import RESTORE, SIDES
from sync.routing import remember_given
from sync.store.behind import behind
from sync.store.journal import HELD, REFUSED
from sync.store.leads import NEW_LEADS, NEW_LINKS, NEW_VERDICTS
from sync.turned import note_turned
from sync.winners import deciders
from sync.work import CRMS, Work, empty
from sync.write import ENDED, Results

#: Up to so many leads are remembered without a second thread: to begin one takes longer.
FEW_LEADS = 100
#: What of a verdict makes it another one, and where its last one stands.
_COMPARED: Mapping[str, str] = {
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


def remember(
    work: Work,
    run: int,
    fence: int,
    decided: Decided,
    links: pl.DataFrame,
    held: pl.DataFrame | None,
    results: Results,
    now: datetime,
    *,
    mended: bool = True,
) -> int:
    """Store everything a slice came to; returns how many targets became held or refused by it.

    ``links``: new and renewed links (``NEW_LINKS``). ``held``: ``HELD``, None where the records were not looked
    at, so that nothing held or refused about them is settled. ``mended``: what dead runs left half done was seen to.
    Leads whose claim another run has taken over since are left out: that run decides them anew.
    """
    store, became = work.store, 0
    with store.transaction():
        lost = store.runs.fenced_out(decided.leads["lead_id"], fence)
        links = links.filter(~pl.col("lead_id").is_in(list(lost))) if lost else links
        leads, judged = _agreed_and_judged(work, run, decided.leads, links, lost, results, now, mended=mended)
        work.at_point("after link")
        note_turned(work, decided.turned, leads["lead_id"], now)
        note_fed(work, decided.fed, leads["lead_id"], now)
        note_former_addresses(work, leads, run, now)
        if not judged.is_empty():
            store.leads.remember_leads(judged.select(*NEW_LEADS))
            store.leads.remember_verdicts(
                judged.with_columns(inputs=_with_previous(judged)).select(*NEW_VERDICTS), run
            )
        if decided.handed is not None:
            refused = [lead for lead, crm in results.refusals if crm == "salesforce"]
            remember_handovers(work, leads, decided.handed, refused, run, now)
            remember_given(work, leads, decided.given, refused, run, now)
        if held is not None:
            became += store.journal.hold(held, _looked_at(leads, held), run, now)
            store.journal.strike_refused(_passed(leads, results))
        became += store.journal.refuse(refused_rows(work, results), run, now)
    return became


def _agreed_and_judged(
    work: Work,
    run: int,
    leads: pl.DataFrame,
    links: pl.DataFrame,
    lost: Collection[str],
    results: Results,
    now: datetime,
    *,
    mended: bool,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Store how the changes ended, the bases and the links: (the leads as they stand now, those judged anew).

    The database works on one table while the frame of the next is put together. The points lie in one transaction:
    whoever dies at any of them leaves nothing of it.
    """
    store = work.store
    with behind(at_once=leads.height <= FEW_LEADS) as later:
        work.at_point("before journal")
        later(store.journal.settle, results.changes, run, now)
        later(store.journal.strike_undone, results.changes.filter(pl.col("state") == "written"))
        leads = with_outcome(work, leads, results)
        leads = leads.filter(~pl.col("lead_id").is_in(list(lost))) if lost else leads
        if mended:
            later(store.journal.abandon, _mended(leads, results), run, now)
        work.at_point("after journal")
        work.at_point("before base")
        for crm in CRMS:
            later(store.leads.remember_bases, new_bases(work, crm, leads), run, now)
        work.at_point("after base")
        work.at_point("before link")
        later(store.leads.remember_links, pl.concat([links, _links_of_created(work, leads)]), run, now)
        judged = _judged_anew(work, leads, now)
    return leads, judged


def _mended(leads: pl.DataFrame, results: Results) -> pl.Series:
    """The leads in whose records nothing of a dead run is left: those that may be written to, and were."""
    there, changes = frozenset(leads.columns), results.changes
    left = changes["lead_id"].filter((changes["kind"] == RESTORE) & (changes["state"] != "written"))
    mended = leads["lead_id"]
    reached = mended.is_not_null() if left.is_empty() else ~mended.is_in(left.implode())
    for name in ("in_scope", "to_hubspot", "to_salesforce"):
        if name in there:
            reached &= leads[name]
    return mended.filter(reached)


def _links_of_created(work: Work, leads: pl.DataFrame) -> pl.DataFrame:
    parts = [empty(NEW_LINKS)]
    for crm, side in SIDES.items():
        other = SIDES["salesforce" if crm == "hubspot" else "hubspot"]
        if not leads[side + "_created"].any():
            continue
        keys = [other + key for key in ("_email_key", "_name_key", "_company_key")]
        made = leads.select("lead_id", side + "_id", *keys).filter(leads[side + "_created"])
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
                phone_key=pl.lit(None, dtype=pl.String),
            )
        )
    return pl.concat(parts)


def _judged_anew(work: Work, leads: pl.DataFrame, now: datetime) -> pl.DataFrame:
    """The leads whose values or verdict changed, with what is stored of them."""
    snapshots = work.lead_snapshots()
    lead_columns = list(columns_of(work.fields))
    judged, shown = as_judged(leads), "nb.hubspot." + STAGE_SHOWN
    others = {} if judged is leads else {name: leads[name] for name in lead_columns}
    if shown in frozenset(leads.columns):
        others[STAGE_SHOWN] = leads[shown]
    inputs, values = snapshots.encode_both(judged[lead_columns], pl.DataFrame(others))
    decided = pl.Series("decided_at", [now], dtype=pl.Datetime("us", "UTC"))
    version = pl.Series("policy_version", [work.policy.version], dtype=pl.String())
    rows = leads.with_columns(
        [
            values.alias("lead_values"),
            version.new_from_index(0, leads.height),
            decided.new_from_index(0, leads.height),
            leads["email"].str.to_lowercase().alias("email_key"),
            inputs.alias("inputs"),
        ]
    )
    pairs = rows[list(dict.fromkeys((*_COMPARED, *_COMPARED.values())))]
    differs = pl.any_horizontal(pl.col(new).ne_missing(pl.col(old)) for new, old in _COMPARED.items())
    return chosen(rows, pairs.select(differs.alias("differs"))["differs"])


def _with_previous(changed: pl.DataFrame) -> pl.Series:
    """The inputs of a verdict: the lead's values, which CRMs have it since when, and what the last verdict said."""
    sides = [pl.col(name) for side in SIDES.values() if (name := side + "_created_at") in changed.columns]
    since = pl.min_horizontal(sides) if sides else pl.lit(None, dtype=pl.Datetime("us", "UTC"))
    created = since.dt.strftime("%Y-%m-%dT%H:%M:%SZ").alias("created_at")
    before = pl.struct(*PREVIOUS_SCHEMA, "in_hubspot", "in_salesforce", created)
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
        leads[side + "_id"]
        .drop_nulls()
        .alias("record_id")
        .to_frame()
        .select(pl.lit(crm).alias("crm"), "record_id")
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
    open_conflicts = chosen(decided.conflicts, decided.conflicts["winner"] == "nobody")
    sides = decided.leads[["lead_id", "h._id", "s._id"]]
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
                {
                    "hubspot": h,
                    "salesforce": s,
                    "salesforce_id": salesforce_id,
                    **why_by_time(decided.leads, lead, name),
                },
                ensure_ascii=False,
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
    for name, codes in deciders(decided.leads).items():
        if Winner.UNSAYABLE not in codes:
            continue
        stuck = decided.leads.filter(pl.col(WINNER + name) == int(Winner.UNSAYABLE))
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
        keys.select("crm", "record_id", "email_key", "name_key", "company_key", "phone_key"),
        on=["crm", "record_id"],
        how="inner",
    ).select(*columns)
