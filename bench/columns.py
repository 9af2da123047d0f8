"""The job as ``sync`` does it: gather, sort into leads, and decide slice by slice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from bench import dirty
from bench.job import NOW, Meter, field_map, work
from bench.memory import Remembered, base_texts
from sync.decide import Decided, lead_frame
from sync.read import gather, with_keys
from sync.slices import decide_slice, sort_into_leads
from sync.work import Work


def prepared(block: dirty.Dirty, leads: int, spill: Path, meter: Meter, *, phones: bool) -> Work:
    """The work over so many generated leads; generating and remembering are done aside."""
    texts = base_texts(block, spill, phones=phones)
    pages = {
        "hubspot": meter.each_aside(dirty.hubspot_pages(block.now, leads)),
        "salesforce": meter.each_aside(dirty.salesforce_pages(block.now, leads)),
    }
    return work(pages, Remembered(texts, meter, field_map(phones=phones)), spill, phones=phones)


def decided(job: Work, meter: Meter) -> Iterator[Decided]:
    """Every slice of leads, decided."""
    with meter.running("read and clean"):
        gathered = gather(job, {})
    with meter.running("sort into leads"):
        ordered = sort_into_leads(job, gathered)
    for part in ordered.slices:
        with meter.running("merge, judge, plan"):
            found = decide_slice(job, part, NOW)
        yield found
    gathered.shelf.clear()


def lead_frames(job: Work) -> Iterator[tuple[pl.DataFrame, dict[str, pl.DataFrame]]]:
    """What ``decide`` is given, slice by slice: leads with both records and bases, and the records themselves."""
    gathered = gather(job, {})
    for part in sort_into_leads(job, gathered).slices:
        taken = {crm: part.shelf.take(crm) for crm in job.objects}
        records = {crm: with_keys(frame) for crm, frame in taken.items() if frame is not None}
        linked = part.assigned.select("lead_id", "crm", "object", "record_id")
        bases, stored = job.store.leads.bases(linked), job.store.leads.of(part.lead_ids)
        frame = lead_frame(job, part.lead_ids, records, linked, bases, stored)
        yield frame.with_columns(address_taken=pl.lit(value=False)), records
    gathered.shelf.clear()
