"""Sort what was read into leads and slices, and complete each slice: counterparts, bases, stored leads."""

from __future__ import annotations

import hashlib
from base64 import b32encode
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from sync.decide import Decided, decide, lead_frame
from sync.halfdone import OPEN_INTENTS, as_before
from sync.pairs import RECORD_KEYS, Pairing, pair
from sync.read import Gathered, gather_named, typed_records
from sync.shelf import Shelf
from sync.store.leads import RECORDS
from sync.work import CRMS, Work


@dataclass(frozen=True, slots=True)
class Slice:
    """Some leads and their records. ``assigned``: their rows of the pairing."""

    lead_ids: pl.Series
    shelf: Shelf
    assigned: pl.DataFrame


@dataclass(frozen=True, slots=True)
class Sorted:
    """Everything that was read, lead by lead."""

    pairing: Pairing
    keys: pl.DataFrame
    slices: list[Slice]


def lead_name(crm: str, record_id: str) -> str:
    """The id of a lead, made from its oldest record: the same record always gives the same lead."""
    digest = hashlib.sha256(f"{crm}:{record_id}".encode()).digest()
    return "L" + b32encode(digest)[:13].decode().lower()


def sort_into_leads(work: Work, gathered: Gathered) -> Sorted:
    """Pair the records, and cut the leads into slices."""
    _add_waiting(work, gathered)
    keys = _with_links(work, gathered.keys)
    pairing = pair(keys, _known(work, keys), lead_name)
    read = pairing.assigned.join(keys.select("crm", "record_id"), on=["crm", "record_id"], how="semi")
    lead_ids = read["lead_id"].unique().sort()
    count = max(1, -(-len(lead_ids) // work.slice_leads))
    numbered = pl.DataFrame({"lead_id": lead_ids}).with_row_index("slice")
    numbered = numbered.with_columns((pl.col("slice") // work.slice_leads).cast(pl.Int64))
    placed = read.join(numbered, on="lead_id", how="inner")
    places = {
        crm: placed.filter(pl.col("crm") == crm).select(pl.col("record_id").alias("_id"), "lead_id", "slice")
        for crm in CRMS
    }
    shelves = gathered.shelf.sliced(places, count)
    of_slice = pairing.assigned.join(numbered, on="lead_id", how="inner").partition_by(
        "slice", as_dict=True, include_key=False
    )
    slices = [
        Slice(
            lead_ids.slice(number * work.slice_leads, work.slice_leads),
            shelf,
            of_slice.get((number,), pairing.assigned.clear()),
        )
        for number, shelf in enumerate(shelves)
    ]
    return Sorted(pairing, keys, slices)


def _add_waiting(work: Work, gathered: Gathered) -> None:
    """Read again what is held as ambiguous, and the leads that a CRM refused.

    A record that changed elsewhere may settle the first, a cause that is gone the second; neither shows in a
    change log.
    """
    open_ones = [
        (row["crm"], row["record_id"]) for row in work.store.journal.open_held() if row["kind"] == "ambiguous"
    ]
    refused = pl.Series("lead_id", [row["lead_id"] for row in work.store.journal.refused()], dtype=pl.String)
    open_ones += work.store.leads.links_of_leads(refused).select("crm", "record_id").rows()
    named = pl.DataFrame(open_ones, schema={"crm": pl.String(), "record_id": pl.String()}, orient="row")
    unseen = named.join(gathered.keys, on=["crm", "record_id"], how="anti", maintain_order="left")
    waiting = {crm: unseen.filter(pl.col("crm") == crm)["record_id"].to_list() for crm in CRMS}
    if not any(waiting.values()):
        return
    more = gather_named(work, waiting)
    for crm in CRMS:
        for frame in more.shelf.frames(crm):
            gathered.shelf.put(crm, frame)
    more.shelf.clear()
    gathered.keys = pl.concat([gathered.keys, more.keys])
    gathered.records_read += more.records_read


def _with_links(work: Work, keys: pl.DataFrame) -> pl.DataFrame:
    links = work.store.leads.links_of_records(keys)
    return (
        keys.drop("lead_id")
        .join(links, on=["crm", "object", "record_id"], how="left", maintain_order="left")
        .select(*RECORD_KEYS)
    )


def _known(work: Work, keys: pl.DataFrame) -> pl.DataFrame:
    """Linked records from memory that unlinked ones may belong to: same address, or named by cross-id."""
    new = keys.filter(pl.col("lead_id").is_null())
    store = work.store.leads
    by_email = store.links_by_email(new["email_key"])["lead_id"]
    named = new.filter(pl.col("cross_id").is_not_null()).select(
        crm=pl.when(pl.col("crm") == "hubspot").then(pl.lit("salesforce")).otherwise(pl.lit("hubspot")),
        record_id="cross_id",
    )
    objects = pl.col("crm").replace_strict(dict(work.objects), return_dtype=pl.String)
    by_cross = store.links_of_records(named.with_columns(object=objects).select(*RECORDS))["lead_id"]
    lead_ids = pl.concat([by_email, by_cross, _met(keys, new)]).unique()
    found = store.links_of_leads(lead_ids)
    missing = [
        pl.lit(None, dtype=dtype).alias(name)
        for name, dtype in RECORD_KEYS.items()
        if name not in found.columns
    ]
    return found.with_columns(missing).select(*RECORD_KEYS)


def _met(keys: pl.DataFrame, new: pl.DataFrame) -> pl.Series:
    """Leads of linked records, read just now, that unlinked ones may belong to.

    What memory says of their address may be older than what was read, and their other record, which was not
    read, decides whether they still want a counterpart.
    """
    named = pl.col("record_id").is_in(new["cross_id"].drop_nulls().implode())
    names = pl.col("cross_id").is_in(new["record_id"].implode())
    mailed = pl.col("email_key").is_in(new["email_key"].drop_nulls().implode())
    return keys.filter(pl.col("lead_id").is_not_null() & (mailed | named | names))["lead_id"]


def decide_slice(work: Work, part: Slice, now: datetime) -> Decided:
    """Fetch what is missing of a slice's leads, load what is remembered of them, and decide."""
    store = work.store.leads
    stored_links = store.links_of_leads(part.lead_ids)
    new_links = part.assigned.select("lead_id", "crm", "object", "record_id")
    linked = pl.concat([stored_links.select(new_links.columns), new_links]).unique(
        ["crm", "record_id"], keep="first", maintain_order=True
    )
    records = _complete(work, part, linked)
    ids = [
        frame.select(crm=pl.lit(crm), object=pl.lit(work.objects[crm]), record_id="_id")
        for crm, frame in records.items()
        if frame is not None
    ]
    bases = store.bases(pl.concat(ids)) if ids else store.bases(linked.clear())
    frame = lead_frame(work, part.lead_ids, records, linked, bases, store.of(part.lead_ids))
    taken = part.assigned.filter("address_taken")["lead_id"].implode()
    frame = frame.with_columns(address_taken=pl.col("lead_id").is_in(taken))
    return decide(work, frame, records, part.assigned.filter("awaited")["lead_id"], now)


def _complete(work: Work, part: Slice, linked: pl.DataFrame) -> dict[str, pl.DataFrame | None]:
    """The slice's records; counterparts that were not read are fetched as they are now."""
    records: dict[str, pl.DataFrame | None] = {}
    intents = work.store.journal.open_intents(OPEN_INTENTS)
    for crm in CRMS:
        frame = part.shelf.take(crm)
        have = frame["_id"] if frame is not None else pl.Series("_id", [], dtype=pl.String)
        missing = linked.filter((pl.col("crm") == crm) & ~pl.col("record_id").is_in(have.implode()))
        if not missing.is_empty():
            owners = missing.select(pl.col("record_id").alias("_id"), "lead_id")
            for slab in work.crms[crm].fetch(
                work.objects[crm],
                work.field_map.asked(crm, work.objects[crm]),
                missing["record_id"].to_list(),
            ):
                there = as_before(slab.frame.filter(~pl.col("_archived")), crm, intents)
                fetched = typed_records(work, crm, there)
                part.shelf.put(crm, fetched.join(owners, on="_id", how="inner"))
            frame = part.shelf.take(crm)
        records[crm] = frame
    return records
