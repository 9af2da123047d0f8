"""What became of records since they were linked: merged, deleted, restored, converted. Told by what is read.

    meet(work, crm, slab)        before records get their leads: links of merged records move to the survivor
    not_to_be_written(changes)   a record that is gone or converted takes no more changes

A CRM's word about its own records is a fact and is noted at once, whatever the run is for. A HubSpot contact
names the ids it had before (HubSpot reference, section 4.6), a deleted Salesforce record the one it is part of
(Salesforce reference, section 6); a converted lead refuses every change (Salesforce reference, section 6).
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import polars as pl

from connectors.crm import ARCHIVED, RECORD_ID
from mapping.own import CROSS, OWN_FIELDS
from sync.work import CRMS, Work

MERGED_IDS, MORE_EMAILS = "hs_merged_object_ids", "hs_additional_emails"
MASTER, CONVERTED = "MasterRecordId", "IsConverted"
OPPORTUNITY = "ConvertedOpportunityId"
TURNED_INTO = ("ConvertedContactId", "ConvertedAccountId", OPPORTUNITY)


@dataclass(slots=True)
class Met:
    """What was met while reading. ``survivors``: records that others were merged into, by CRM. ``joined``:
    two leads became one, so that records read before may lie with the wrong one."""

    survivors: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    joined: bool = False


@dataclass(frozen=True, slots=True)
class Merge:
    """One record that ended in another. ``counterpart``: the other CRM's record that the survivor names."""

    old: str
    new: str
    counterpart: str | None = None


def meet(work: Work, crm: str, frame: pl.DataFrame, met: Met) -> None:
    """Note what a slab (in the CRM's words) tells about records that we know. Moves links, writes no CRM."""
    merges = _merges_of(crm, frame)
    if merges:
        _follow(work, crm, merges, met)
    _note_gone(work, crm, frame)
    if CONVERTED in frame.columns:
        _note_converted(work, crm, frame)
    if MORE_EMAILS in frame.columns:
        _note_addresses(work, crm, frame)


def _merges_of(crm: str, frame: pl.DataFrame) -> list[Merge]:
    found = []
    if MERGED_IDS in frame.columns:
        cross = CROSS.name_in(crm)
        named = pl.col(cross) if cross in frame.columns else pl.lit(None, dtype=pl.String)
        rows = frame.filter(pl.col(MERGED_IDS).is_not_null()).select(
            RECORD_ID, MERGED_IDS, named.alias("cross")
        )
        for record, ids, counterpart in rows.iter_rows():
            found += [Merge(old, record, counterpart) for old in ids.split(";") if old and old != record]
    if MASTER in frame.columns:
        rows = frame.filter(pl.col(ARCHIVED) & pl.col(MASTER).is_not_null()).select(RECORD_ID, MASTER)
        found += [Merge(old, new) for old, new in rows.iter_rows()]
    return found


def _follow(work: Work, crm: str, merges: Sequence[Merge], met: Met) -> None:
    """Move the links of merged records to their survivors, and join the leads that have become one."""
    store, object_name = work.store, work.objects[crm]
    linked = dict(store.identity.linked(crm, object_name, [one.old for one in merges]))
    if not linked:
        return
    into = {one.old: one.new for one in merges}
    ours = [one for one in merges if one.old in linked]
    now = work.clock()
    with store.transaction():
        for survivor in dict.fromkeys(_last(one.new, into) for one in ours):
            losers = [one for one in ours if _last(one.new, into) == survivor]
            met.survivors[crm].append(survivor)
            _merge_into(work, crm, survivor, losers, linked, met, now)


def _last(record: str, into: Mapping[str, str]) -> str:
    """Where a chain of merges ends: a survivor may have been merged itself."""
    seen: set[str] = set()
    while record in into and record not in seen:
        seen.add(record)
        record = into[record]
    return record


def _merge_into(
    work: Work,
    crm: str,
    survivor: str,
    losers: Sequence[Merge],
    linked: Mapping[str, str],
    met: Met,
    now: datetime,
) -> None:
    store, object_name = work.store, work.objects[crm]
    have = dict(store.identity.linked(crm, object_name, [survivor]))
    keeper = have.get(survivor)
    # The survivor names the counterpart it goes on with: that lead keeps it.
    ordered = sorted(losers, key=lambda one: not _names_lead(work, crm, one, linked[one.old]))
    for one in ordered:
        lead = linked[one.old]
        if keeper is None:
            store.identity.move(crm, object_name, one.old, survivor, lead, now)
            keeper = lead
            continue
        store.identity.drop(crm, object_name, one.old, survivor, lead, now)
        if lead != keeper:
            _join(work, crm, lead, keeper, survivor, met, now)


def _names_lead(work: Work, crm: str, merge: Merge, lead: str) -> bool:
    other = "salesforce" if crm == "hubspot" else "hubspot"
    return merge.counterpart is not None and (other, merge.counterpart) in work.store.leads.records_of(lead)


def _join(work: Work, crm: str, lead: str, keeper: str, survivor: str, met: Met, now: datetime) -> None:
    """Two leads whose records were merged are one, unless each still has a record of its own in the other CRM."""
    other = "salesforce" if crm == "hubspot" else "hubspot"
    theirs = [record for name, record in work.store.leads.records_of(lead) if name == other]
    keepers = [record for name, record in work.store.leads.records_of(keeper) if name == other]
    if not theirs or not keepers:
        met.joined = True
        work.store.identity.absorb(lead, keeper, f"its {crm} record was merged into {survivor}", now)
        return
    details = {
        "why": f"merged in {crm}, and still two records in {other}: merge them there as well",
        "merged_into": f"{crm}:{survivor}",
        "lead": keeper,
        "others": [f"{other}:{record}" for record in keepers],
    }
    row = {
        "key": f"merged:{lead}",
        "kind": "merged",
        "lead": lead,
        "crm": crm,
        "object": work.objects[crm],
        # Not about a record that is looked at: what is found there does not settle it, only a merge does.
        "record": None,
        "field": "",
        "details": json.dumps(details),
    }
    work.store.identity.hold(row, work.store.runs.latest(), now)


def _note_gone(work: Work, crm: str, frame: pl.DataFrame) -> None:
    archived = frame[ARCHIVED]
    if archived.any():
        gone = frame.filter(archived)
        if MASTER in gone.columns:
            gone = gone.filter(pl.col(MASTER).is_null())
        note_gone(work, crm, gone[RECORD_ID].to_list())
    if not archived.all() and work.store.identity.some_gone(crm):
        work.store.identity.restore(_named(work, crm, frame.filter(~archived)))


def note_gone(work: Work, crm: str, ids: Iterable[str]) -> None:
    """Linked records that are not there any more: their leads stay, and nothing is created in their place."""
    wanted = list(ids)
    if wanted:
        for record, lead in work.store.identity.linked(crm, work.objects[crm], wanted):
            work.store.identity.note(crm, work.objects[crm], record, lead, "gone", None, work.clock())


def _note_converted(work: Work, crm: str, frame: pl.DataFrame) -> None:
    turned = frame.filter((pl.col(CONVERTED) == "true") & ~pl.col(ARCHIVED))
    if turned.is_empty():
        return
    leads = dict(work.store.identity.linked(crm, work.objects[crm], turned[RECORD_ID].to_list()))
    names = [name for name in TURNED_INTO if name in turned.columns]
    for row in turned.select(RECORD_ID, *names).iter_rows(named=True):
        lead = leads.get(row[RECORD_ID])
        if lead is not None:
            became = {
                name.removeprefix("Converted").removesuffix("Id"): row[name] for name in names if row[name]
            }
            text = json.dumps(became, sort_keys=True)
            work.store.identity.note(
                crm, work.objects[crm], row[RECORD_ID], lead, "converted", text, work.clock()
            )


def _note_addresses(work: Work, crm: str, frame: pl.DataFrame) -> None:
    """Which further addresses records have now; most portals hold few, so that most slabs cost one question."""
    there = frame.filter(~pl.col(ARCHIVED))
    several = there.filter(pl.col(MORE_EMAILS).is_not_null())
    if several.is_empty() and not work.store.identity.some_addresses():
        return
    split = (
        _named(work, crm, several)
        .with_columns(several[MORE_EMAILS].str.to_lowercase().str.split(";").alias("email_key"))
        .explode("email_key")
        .with_columns(pl.col("email_key").str.strip_chars())
        .filter(pl.col("email_key") != "")
    )
    work.store.identity.remember_addresses(_named(work, crm, there), split)


def _named(work: Work, crm: str, frame: pl.DataFrame) -> pl.DataFrame:
    return frame.select(crm=pl.lit(crm), object=pl.lit(work.objects[crm]), record_id=RECORD_ID)


_OWN_NAMES = pl.Series([[own.lead.name for own in OWN_FIELDS]], dtype=pl.List(pl.String))
#: What a conversion does not have to prove any more.
_FURTHER = ("opportunity", "customer", "former_customer")


def with_conversion(records: pl.DataFrame, converted: str, opportunity: str) -> pl.DataFrame:
    """A conversion is evidence by itself, whatever word the lead's status has: sales took the lead. Pure.

    ``converted`` and ``opportunity``: the columns of typed records that say so. With an opportunity the lead is
    one; without, it is accepted by sales. Our own fields count as not returned: no verdict can be written there
    any more, and what it shows is no reason to write the other CRM's anew each time a point is lost.
    """
    if converted not in records.columns or not (records[converted] == "true").any():
        return records
    unread = pl.concat_list(pl.col("_unread").fill_null([]), pl.lit(_OWN_NAMES))
    records = records.with_columns(
        pl.when(pl.col(converted) == "true").then(unread).otherwise("_unread").alias("_unread")
    )
    if "salesforce_stage" not in records.columns:
        return records
    new = pl.lit("sql")
    if opportunity in records.columns:
        new = pl.when(pl.col(opportunity).is_not_null()).then(pl.lit("opportunity")).otherwise(new)
    told = (pl.col(converted) == "true") & ~pl.col("salesforce_stage").is_in(_FURTHER).fill_null(value=False)
    return records.with_columns(salesforce_stage=pl.when(told).then(new).otherwise("salesforce_stage"))


def not_to_be_written(changes: pl.DataFrame, fates: pl.DataFrame) -> pl.DataFrame:
    """The changes of a plan without those of records that are gone or converted. Pure.

    Nothing is created in place of a record that is gone, either.
    """
    frozen = fates.filter(pl.col("fate").is_in(["gone", "converted"])).select("crm", "record_id").unique()
    if frozen.is_empty():
        return changes
    return changes.join(frozen, on=["crm", "record_id"], how="anti", maintain_order="left")


def records_told(work: Work, lead_id: str, links: pl.DataFrame) -> list[dict[str, object]]:
    """The records of a lead for ``explain``: where each stands, and those that were merged into them."""
    fates = {
        (row["crm"], row["record_id"]): row
        for row in work.store.identity.fates(pl.Series("lead_id", [lead_id])).iter_rows(named=True)
    }
    told: list[dict[str, object]] = []
    for row in links.sort("crm").iter_rows(named=True):
        known = fates.pop((row["crm"], row["record_id"]), None)
        one: dict[str, object] = {name: row[name] for name in ("crm", "object")} | {
            "record": row["record_id"]
        }
        if known is not None:
            one["state"] = known["fate"]
            if known["fate"] == "converted" and known["became"]:
                one["became"] = json.loads(known["became"])
        told.append(one)
    for (crm, record), row in sorted(fates.items()):
        if crm in CRMS:
            told.append(
                {
                    "crm": crm,
                    "object": row["object"],
                    "record": record,
                    "state": row["fate"],
                    "became": row["became"],
                }
            )
    return told
