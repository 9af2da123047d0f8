"""What time alone changed: stored leads judged as of now, without reading the CRMs.

The decision, plan, writing and remembering are a run's own. What each CRM shows is taken from the bases, which
hold what it said it stored last; no field is merged, and nothing is created.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

import polars as pl

from mapping.lead import columns_of
from mapping.own import OWN_FIELDS
from sync.decide import RECORD_META, Decided, conclude, lead_frame
from sync.merge import HUBSPOT, MERGED
from sync.pairs import ASSIGNED
from sync.shelf import Shelf
from sync.slices import Slice
from sync.winners import KEPT
from sync.work import CRMS, Work, empty


def stored_slices(work: Work) -> Iterator[Slice]:
    """All stored leads, slice by slice, in the order of their ids."""
    after = ""
    while True:
        ids = work.store.leads.ids_after(after, work.slice_leads)
        if ids.is_empty():
            return
        yield Slice(ids, Shelf(work.spill_folder), empty(ASSIGNED))
        after = ids[-1]


def decide_stored(work: Work, part: Slice, now: datetime) -> Decided:
    """What the policy says of stored leads as of ``now``, and what would have to be written for it."""
    store = work.store.leads
    links = store.links_of_leads(part.lead_ids)
    bases = store.bases(links)
    records = {crm: _records(work, crm, links, bases) for crm in CRMS}
    frame = lead_frame(work, part.lead_ids, records, links, bases, store.of(part.lead_ids))
    merged = frame.with_columns(
        pl.col(KEPT + name).alias(MERGED + name) for name in columns_of(work.fields)
    ).with_columns(address_taken=pl.lit(value=True), hubspot_stage_word=_stage_word(work))
    raw = {crm: _raw(work, crm, records[crm]) for crm in CRMS}
    nobody_new = part.lead_ids
    ledger = work.store.handovers.newest(part.lead_ids)
    return conclude(work, merged, raw, (), nobody_new, now, ledger, draw="from memory")


def _records(work: Work, crm: str, links: pl.DataFrame, bases: pl.DataFrame) -> pl.DataFrame:
    """Records as they were when both sides last agreed, in the shape in which they are read."""
    here = bases.filter(pl.col("crm") == crm)
    typed = work.record_snapshots(crm).decode(here["record_values"])
    keyed = here.select(pl.col("record_id").alias("_id")).hstack(typed)
    ours = links.filter(pl.col("crm") == crm).select(
        "lead_id",
        pl.col("record_id").alias("_id"),
        *(pl.col(name).alias("_" + name) for name in ("email_key", "name_key", "company_key")),
    )
    joined = keyed.join(ours, on="_id", how="inner")
    return joined.with_columns(
        pl.lit(None, dtype=dtype).alias(name)
        for name, dtype in RECORD_META.items()
        if name not in joined.columns
    )


def _stage_word(work: Work) -> pl.Expr:
    """HubSpot's word for the stage that it showed last."""
    said = work.field_map.values["hubspot_stage"].said("hubspot")
    return pl.col(HUBSPOT + "hubspot_stage").replace_strict(said, default=None, return_dtype=pl.String)


def _raw(work: Work, crm: str, records: pl.DataFrame) -> pl.DataFrame:
    """What stood before, in the CRM's words, for the fields that a rescore may write."""
    columns = [
        replace(own, verdict=own.lead.name).said().alias(own.name_in(crm))
        for own in OWN_FIELDS
        if own.lead.name in records.columns
    ]
    raw = records.select("_id", *columns)
    if crm == "hubspot":
        said = work.field_map.values["hubspot_stage"].said("hubspot")
        word = records["hubspot_stage"].replace_strict(said, default=None, return_dtype=pl.String)
        stage_field = next(iter(work.field_map.rules["hubspot_stage"].names("hubspot").values()))
        raw = raw.with_columns(word.alias(stage_field))
    return raw
