"""Read both CRMs: slabs in their words become typed columns of the common lead.

Three things stay apart: a blank that was returned (null), a field that was not returned and one that could not
be read (both named in ``_unread``). Only the first is ever a change.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field
from itertools import chain

import polars as pl

from connectors.crm import RECORD_ID, Cursor, Slab
from mapping.identity import pairing_keys
from mapping.mapread import ReadResult
from mapping.own import CROSS_ID, OWN_LEAD_FIELDS
from sync.ahead import side_by_side
from sync.fates import CONVERTED, OPPORTUNITY, Met, meet, with_conversion
from sync.halfdone import OPEN_INTENTS, as_before
from sync.inorder import chosen
from sync.pairs import RECORD_KEYS
from sync.shelf import Shelf
from sync.store.persons import Barred, name_of_address, name_of_record
from sync.work import CRMS, SHOULD_FORGET, Work

#: Prefix of the columns that keep a record in its CRM's own words beside the typed ones.
RAW = "raw:"
#: The problem of a field that was asked for and did not come.
NOT_RETURNED = "not returned"
#: Named records of one CRM up to which both CRMs are asked at the same time: they are held in memory.
AT_THE_SAME_TIME = 500


@dataclass(slots=True)
class Gathered:
    """What was read. The records are on the shelf; ``new`` (``RECORD_KEYS``) are those without a link."""

    shelf: Shelf
    new: pl.DataFrame
    cursors: dict[str, Cursor] = field(default_factory=dict)
    archived: dict[str, list[str]] = field(default_factory=dict)
    records_read: int = 0
    problems: dict[tuple[str, str], int] = field(default_factory=dict)  #: (crm.field, what) to how often
    barred: Barred | None = None  #: who was forgotten, and is not to be taken in again
    forgotten: int = 0  #: records left alone for that reason
    met: Met = field(default_factory=Met)  #: records that were merged meanwhile


def gather(work: Work, since: Mapping[str, Cursor | None]) -> Gathered:
    """Everything that may have changed in both CRMs since the cursors (everything at all for None)."""
    gathered = Gathered(_shelf(work), pl.DataFrame(schema=dict(RECORD_KEYS)))
    intents = work.store.journal.open_intents(OPEN_INTENTS)
    gathered.barred = work.store.persons.barred()
    slabs = dict[str, Iterator[Slab]]()
    for crm in CRMS:
        reading = work.crms[crm].changes(work.objects[crm], _asked(work, crm), since.get(crm))
        gathered.cursors[crm], slabs[crm] = reading.cursor, reading.slabs
    with side_by_side(slabs) as found:
        _take_in(work, found, gathered, intents)
    if gathered.met.joined:
        # Records read before may lie with a lead that is another one's name by now. A second reading knows that.
        gathered.shelf.clear()
        again = gather(work, since)
        again.met.survivors.update(gathered.met.survivors)
        _add_survivors(work, again, intents)
        return again
    _add_survivors(work, gathered, intents)
    return gathered


def _shelf(work: Work) -> Shelf:
    """What a CRM says of a field is mostly what its typed column says, and is then kept once."""
    twins: dict[str, dict[str, str]] = {crm: {} for crm in CRMS}
    for crm, mine in twins.items():
        for name, rule in work.field_map.rules.items():
            source = rule.source(crm, work.objects[crm])
            if source is not None:
                mine.setdefault(RAW + source, name)
    return Shelf(work.spill_folder, twins=twins)


def _add_survivors(work: Work, gathered: Gathered, intents: pl.DataFrame) -> None:
    """Read the records that others were merged into, where the change log did not bring them."""
    for crm, survivors in gathered.met.survivors.items():
        read = [gathered.new.filter(pl.col("crm") == crm)["record_id"]]
        read += [frame[RECORD_ID] for frame in gathered.shelf.frames(crm, (RECORD_ID,))]
        missing = [one for one in dict.fromkeys(survivors) if one not in set(pl.concat(read))]
        if missing:
            slabs = work.crms[crm].fetch(work.objects[crm], _asked(work, crm), missing)
            _take_in(work, _of(crm, slabs), gathered, intents)


def gather_named(work: Work, ids: Mapping[str, list[str]], shelf: Shelf | None = None) -> Gathered:
    """The named records as they are now, by CRM; on a shelf of their own unless one is given."""
    gathered = Gathered(shelf or _shelf(work), pl.DataFrame(schema=dict(RECORD_KEYS)))
    intents = work.store.journal.open_intents(OPEN_INTENTS)
    gathered.barred = work.store.persons.barred()
    for crm, slabs in _fetched(work, {crm: ids[crm] for crm in CRMS if ids.get(crm)}).items():
        _take_in(work, _of(crm, slabs), gathered, intents)
    return gathered


def _fetched(work: Work, ids: Mapping[str, list[str]]) -> dict[str, Iterator[Slab]]:
    """The named records of each CRM. Few are asked for in both at the same time: only one answer is waited for."""

    def fetch(crm: str) -> Iterator[Slab]:
        return work.crms[crm].fetch(work.objects[crm], _asked(work, crm), ids[crm])

    if len(ids) < 2 or max(map(len, ids.values())) > AT_THE_SAME_TIME:
        return {crm: fetch(crm) for crm in ids}
    first, second = ids
    with ThreadPoolExecutor(1, thread_name_prefix="leadpact-read") as beside:
        # In the same context, so that its lines in the log carry the run.
        others = beside.submit(copy_context().run, lambda: list(fetch(second)))
        return {first: iter(list(fetch(first))), second: iter(others.result())}


def gather_slabs(work: Work, crm: str, slabs: Iterator[Slab]) -> Gathered:
    """The records of these slabs of one CRM and, for those without a link, the other CRM's with their addresses."""
    gathered = Gathered(_shelf(work), pl.DataFrame(schema=dict(RECORD_KEYS)))
    intents = work.store.journal.open_intents(OPEN_INTENTS)
    gathered.barred = work.store.persons.barred()
    _take_in(work, _of(crm, slabs), gathered, intents)
    other = "salesforce" if crm == "hubspot" else "hubspot"
    source = work.field_map.rules["email"].source(other, work.objects[other])
    addresses = gathered.new["email_key"].drop_nulls().unique().to_list()
    if source is not None and addresses:
        found = work.crms[other].find(work.objects[other], _asked(work, other), source, addresses)
        _take_in(work, _of(other, found), gathered, intents)
    return gathered


def with_counterparts(work: Work, ids: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """The named records and, for those without a link, the other CRM's records with the same address.

    A record that was never synced is known to nobody yet: planned alone it would look like a person of one CRM
    only, and get a second record in the other.
    """
    found = {crm: list(ids.get(crm, [])) for crm in CRMS}
    for crm, other in zip(CRMS, reversed(CRMS), strict=True):
        source = work.field_map.rules["email"].source(other, work.objects[other])
        addresses = _addresses_of_unlinked(work, crm, ids.get(crm, []))
        if source is None or not addresses:
            continue
        for slab in work.crms[other].find(work.objects[other], (source,), source, addresses):
            found[other] += [one for one in slab.frame[RECORD_ID].to_list() if one not in found[other]]
    return found


def _addresses_of_unlinked(work: Work, crm: str, ids: list[str]) -> list[str]:
    if not ids:
        return []
    named = pl.DataFrame({"crm": crm, "object": work.objects[crm], "record_id": ids})
    linked = work.store.leads.links_of_records(named)["record_id"].to_list()
    unlinked = [one for one in ids if one not in linked]
    addresses: list[str] = []
    for slab in work.crms[crm].fetch(work.objects[crm], _asked(work, crm), unlinked) if unlinked else ():
        addresses += read_records(work, crm, slab.frame)["email"].drop_nulls().to_list()
    return addresses


def _asked(work: Work, crm: str) -> tuple[str, ...]:
    return work.asked(crm)


def _of(crm: str, slabs: Iterator[Slab]) -> Iterator[tuple[str, Slab]]:
    return ((crm, slab) for slab in slabs)


def _take_in(
    work: Work, slabs: Iterator[tuple[str, Slab]], gathered: Gathered, intents: pl.DataFrame
) -> None:
    """Put records whose lead is known where it will be worked on, and let the others wait to be paired."""
    narrow: dict[str, list[pl.DataFrame]] = {crm: [] for crm in CRMS}
    for crm, slab in slabs:
        gathered.records_read += slab.frame.height
        there = slab.frame
        del slab
        meet(work, crm, there, gathered.met)
        if there["_archived"].any():
            gone = there.filter("_archived")[RECORD_ID].to_list()
            gathered.archived.setdefault(crm, []).extend(gone)
            there = there.filter(~pl.col("_archived"))
        there = as_before(there, crm, intents)
        if not there.is_empty():
            narrow[crm] += _take_records(work, crm, there, gathered)
    # In the order of the CRMs, in whatever order their slabs came.
    gathered.new = _each_once([gathered.new, *chain.from_iterable(narrow.values())])


def _take_records(work: Work, crm: str, there: pl.DataFrame, gathered: Gathered) -> list[pl.DataFrame]:
    """The keys of records without a link. Only those need keys of identity: a link never moves by itself."""
    owned = _with_leads(work, crm, read_records(work, crm, there, gathered.problems))
    unknown, keys = owned["lead_id"].is_null(), []
    if unknown.any():
        new = _without_forgotten(crm, chosen(owned, unknown).drop("lead_id"), gathered)
        keys.append(record_keys(new, crm, work.objects[crm]))
        gathered.shelf.wait(crm, new)
        owned = chosen(owned, ~unknown)
    gathered.shelf.put(crm, owned)
    return keys


def _each_once(narrow: list[pl.DataFrame]) -> pl.DataFrame:
    """Each record (``crm``, ``record_id``) once, as it was read last."""
    whole = pl.concat(narrow)
    ids = [whole.filter(pl.col("crm") == crm)["record_id"] for crm in CRMS]
    if sum(some.n_unique() for some in ids) == whole.height:
        return whole
    return whole.unique(["crm", "record_id"], keep="last", maintain_order=True)


def _without_forgotten(crm: str, records: pl.DataFrame, gathered: Gathered) -> pl.DataFrame:
    """Leave out the records of persons who were forgotten (``sync.privacy``), or are to be; they are only counted."""
    barred, asks = gathered.barred, RAW + SHOULD_FORGET
    if barred is None and asks not in records.columns:
        return records
    asked = records[asks] == "true" if asks in records.columns else records[RECORD_ID].is_null()
    left_alone = asked.fill_null(value=False)
    if barred is not None:
        left_alone = left_alone | barred_among(barred, crm, records)
    gathered.forgotten += int(left_alone.sum())
    return chosen(records, ~left_alone)


def barred_among(barred: Barred, crm: str, records: pl.DataFrame) -> pl.Series:
    """For each record whether it, or its address, is of a person who was forgotten."""
    answers = [
        name_of_record(crm, record) in barred or (email is not None and name_of_address(email) in barred)
        for record, email in records.select(RECORD_ID, "email").iter_rows()
    ]
    return pl.Series("forgotten", answers, dtype=pl.Boolean)


def _with_leads(work: Work, crm: str, records: pl.DataFrame) -> pl.DataFrame:
    """The records with the ``lead_id`` of their link, null where there is none."""
    named = records.select(crm=pl.lit(crm), object=pl.lit(work.objects[crm]), record_id=RECORD_ID)
    links = work.store.leads.links_of_records(named).select("record_id", "lead_id")
    # Joined aside: beside all columns, each of them would be copied.
    owners = named.select("record_id").join(links, on="record_id", how="left", maintain_order="left")
    return records.with_columns(owners["lead_id"])


def read_records(
    work: Work, crm: str, frame: pl.DataFrame, problems: dict[tuple[str, str], int] | None = None
) -> pl.DataFrame:
    """A slab's records: typed columns of the map, and the CRM's own words under ``raw:``."""
    if crm == "salesforce" and work.required:
        # What we wrote where Salesforce demands a value is nobody's name: it reads as the blank it stands for.
        stand_ins = [
            pl.when(pl.col(name) != text).then(pl.col(name)).alias(name)
            for name, text in work.required.items()
            if name in frame.columns
        ]
        read = work.field_map.read(frame.with_columns(stand_ins), crm, work.objects[crm])
    else:
        read = work.field_map.read(frame, crm, work.objects[crm])
    if problems is not None:
        _count_problems(work, crm, frame, read, problems)
    raw = frame.select(pl.col(name).alias(RAW + name) for name in frame.columns if not name.startswith("_"))
    typed = read.frame.drop("_archived").hstack(raw)
    return with_conversion(typed, RAW + CONVERTED, RAW + OPPORTUNITY)


def typed_records(work: Work, crm: str, frame: pl.DataFrame) -> pl.DataFrame:
    """``read_records`` with the keys of identity of each."""
    return with_keys(read_records(work, crm, frame))


def with_keys(records: pl.DataFrame) -> pl.DataFrame:
    """Typed records with their keys of identity (``mapping.identity.pairing_keys``)."""
    return records.hstack(pairing_keys(records).drop("_is_role"))


def _count_problems(
    work: Work, crm: str, frame: pl.DataFrame, read: ReadResult, problems: dict[tuple[str, str], int]
) -> None:
    """What could not be read, and what did not come, by field."""
    found = list(read.problems.group_by("source", "problem").len().iter_rows())
    for name in read.not_returned:
        # Our own fields are missing until `setup` has made them; that is no news about anybody's data.
        if name not in OWN_LEAD_FIELDS:
            source = work.field_map.rules[name].source(crm, work.objects[crm]) or name
            found.append((source, NOT_RETURNED, frame.height))
    absent = frame["_absent"].drop_nulls().explode().value_counts()
    found += [(source, NOT_RETURNED, count) for source, count in absent.iter_rows()]
    for source, problem, count in found:
        key = (f"{crm}.{source}", problem)
        problems[key] = problems.get(key, 0) + count


def record_keys(records: pl.DataFrame, crm: str, object_name: str) -> pl.DataFrame:
    """The narrow frame that pairs are made from (``RECORD_KEYS``) of typed records, linked ones or not."""
    nothing = pl.lit(None, dtype=pl.String)
    numbers = [pl.col(name) for name in ("mobile_phone", "phone") if name in records.columns]
    return records.hstack(pairing_keys(records)).select(
        crm=pl.lit(crm),
        object=pl.lit(object_name),
        record_id=RECORD_ID,
        created_at="_created_at",
        lead_id=pl.col("lead_id") if "lead_id" in records.columns else nothing,
        cross_id=pl.col(CROSS_ID) if CROSS_ID in records.columns else nothing,
        email_key="_email_key",
        is_role="_is_role",
        name_key="_name_key",
        company_key="_company_key",
        phone_key=pl.coalesce(numbers) if numbers else nothing,
    )
