"""Sort what was read into leads and slices, and complete each slice: counterparts, bases, stored leads."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import Protocol, overload

import polars as pl

from mapping.identity import pairing_keys
from mapping.own import OWN_LEAD_FIELDS
from sync.candidates import (
    TO_PAIR,
    by_the_address_they_meet,
    involved,
    known_candidates,
    known_holders,
    second_addresses,
)
from sync.decide import Decided, decide, lead_frame, raw_of
from sync.fates import note_gone
from sync.fed import feed, heard_beside
from sync.fieldtimes import with_times
from sync.halfdone import OPEN_INTENTS, as_before, taken_back
from sync.inorder import alike, in_order, missing_among, with_new
from sync.pairs import ASSIGNED, KNOWN, RECORD_KEYS, Pairing, pair
from sync.plan import SIDES, STAGE
from sync.reach import newly_admitted
from sync.read import Gathered, gather_named, read_records, record_keys, with_keys
from sync.routing import desk_of, waiting_for_sales
from sync.shelf import LEAD_ORDER, Shelf, ShelfSlice, lead_order
from sync.suggest import Suggested, compared, suggest
from sync.turned import contacts_of, heard, with_turned
from sync.work import CRMS, Work

#: The letters of base 32 (RFC 4648), small, and each two of them: a first sync names everybody.
_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"
_TWO = tuple(one + other for one in _LETTERS for other in _LETTERS)
#: The columns of a record that only a lead with one record needs.
KEYS = ("_email_key", "_name_key", "_company_key")


class Holder(Protocol):
    """Where the records of a slice are (``Shelf``, ``ShelfSlice``)."""

    def put(self, crm: str, frame: pl.DataFrame) -> None: ...

    def take(self, crm: str) -> pl.DataFrame | None: ...


@dataclass(frozen=True, slots=True)
class Slice:
    """Some leads and their records. ``assigned`` (``ASSIGNED``): their rows of the pairing."""

    lead_ids: pl.Series
    shelf: Holder
    assigned: pl.DataFrame


@dataclass(frozen=True)
class Sorted:
    """Everything that was read, lead by lead.

    ``pairing``: of the records that had to be looked at, because nobody knew them or they meet one of those; all
    others stay with their lead. ``unplaced`` (``RECORD_KEYS``): records that no lead has. ``read``: where the
    others are.
    """

    pairing: Pairing
    unplaced: pl.DataFrame
    slices: Sequence[Slice]
    read: Shelf | None = None
    objects: Mapping[str, str] = field(default_factory=dict)
    suggested: Suggested = field(
        default_factory=dict
    )  #: for ambiguous records, as ``sync.suggest`` ranks them

    @cached_property
    def keys(self) -> pl.DataFrame:
        """The keys (``RECORD_KEYS``) of every record that was read, worked out when they are first asked for."""
        found = [self.unplaced]
        if self.read is not None:
            for crm, name in self.objects.items():
                found += [record_keys(frame, crm, name) for frame in self.read.frames(crm, TO_PAIR)]
        return pl.concat(found).unique(["crm", "record_id"], keep="last", maintain_order=True)


def lead_name(crm: str, record_id: str) -> str:
    """The id of a lead, made from its oldest record: the same record always gives the same lead."""
    digest = hashlib.sha256(f"{crm}:{record_id}".encode()).digest()
    # Thirteen letters of five bits each, as base 32 has them; what stands behind them is not spelled.
    bits = int.from_bytes(digest[:9], "big") >> 7
    return (
        f"L{_LETTERS[bits >> 60]}{_TWO[bits >> 50 & 1023]}{_TWO[bits >> 40 & 1023]}{_TWO[bits >> 30 & 1023]}"
        f"{_TWO[bits >> 20 & 1023]}{_TWO[bits >> 10 & 1023]}{_TWO[bits & 1023]}"
    )


def slice_keys(work: Work, part: Slice) -> pl.DataFrame:
    """The keys (``RECORD_KEYS``) of the records of one slice; none where nothing was read."""
    if part.assigned.is_empty():
        return pl.DataFrame(schema=dict(RECORD_KEYS))
    frames = [(crm, part.shelf.take(crm)) for crm in CRMS]
    keys = [record_keys(frame, crm, work.objects[crm]) for crm, frame in frames if frame is not None]
    return pl.concat([pl.DataFrame(schema=dict(RECORD_KEYS)), *keys])


def sort_into_leads(work: Work, gathered: Gathered, *, waiting: bool = True) -> Sorted:
    """Pair the records that nobody knew, and cut the leads into slices.

    ``waiting``: with what is held as ambiguous and what was refused, whether it was read or not.
    """
    if waiting:
        _add_waiting(work, gathered)
    shelf, new = gathered.shelf, _with_links(work, gathered.new)
    # Of everybody in two CRMs these are the largest frames of a run: one is let go where the next one stands for it.
    gathered.new = new.clear()
    second = second_addresses(work, new)
    known = known_candidates(work, shelf, new, second["lead_id"].drop_nulls())
    met = involved(work, shelf, new, known)
    known, looked_at = known_holders(work, shelf, met, known), pl.concat([new, *met])
    if not second.is_empty():
        looked_at, known = (by_the_address_they_meet(some, second) for some in (looked_at, known))
    pairing = pair(looked_at, known, lead_name)
    unplaced = new.join(pairing.assigned, on=["crm", "record_id"], how="anti", maintain_order="left")
    del new, met, known, looked_at
    unsure: list[pl.DataFrame] = []
    for crm in CRMS:
        theirs = pairing.assigned.filter(pl.col("crm") == crm).select(
            pl.col("record_id").alias("_id"), "lead_id"
        )
        held = pairing.ambiguous.filter(pl.col("crm") == crm)["record_id"].implode()
        for frame in shelf.settle(crm, theirs):
            unsure.append(compared(crm, frame.filter(pl.col("_id").is_in(held))))
    slices = Slices(shelf.slices(work.slice_leads), pairing.assigned, work.objects)
    # One of everybody's rows is enough.
    pairing = replace(pairing, assigned=slices.paired)
    return Sorted(pairing, unplaced, slices, shelf, work.objects, suggest(work, pairing.ambiguous, unsure))


class Slices(Sequence[Slice]):
    """The slices of a shelf. Each is put together when it is asked for; the first and the last one asked for stay.

    ``paired`` (``ASSIGNED``): the rows of the pairing, slice by slice.
    """

    def __init__(self, parts: Sequence[ShelfSlice], paired: pl.DataFrame, objects: Mapping[str, str]) -> None:
        self._parts = parts
        self.paired, self._begins = _slice_by_slice(paired, [part.low for part in parts])
        self._objects = objects
        self._made: dict[int, Slice] = {}

    def __len__(self) -> int:
        return len(self._parts)

    @overload
    def __getitem__(self, number: int) -> Slice: ...
    @overload
    def __getitem__(self, number: slice) -> list[Slice]: ...
    def __getitem__(self, number: int | slice) -> Slice | list[Slice]:
        if isinstance(number, slice):
            return [self[one] for one in range(*number.indices(len(self)))]
        place = range(len(self))[number]
        if place not in self._made:
            for old in [one for one in self._made if one]:
                self._parts[old].put_away()
                del self._made[old]
            rows = self.paired.slice(self._begins[place], self._begins[place + 1] - self._begins[place])
            self._made[place] = self._slice(self._parts[place], rows)
        return self._made[place]

    def _slice(self, part: ShelfSlice, rows: pl.DataFrame) -> Slice:
        read = {crm: frame for crm in CRMS if (frame := part.read(crm)) is not None}
        nobody = pl.Series("lead_id", [], dtype=pl.String)
        of_each = [frame["lead_id"] for frame in read.values()] or [nobody]
        same = all(alike(of_each[0], ids) for ids in of_each[1:])
        lead_ids = in_order(of_each[0] if same else pl.concat(of_each))
        settled = [rows.select(*ASSIGNED).clear()]
        settled += [
            frame.select(
                crm=pl.lit(crm),
                object=pl.lit(self._objects[crm]),
                record_id="_id",
                lead_id="lead_id",
                how=pl.lit(KNOWN),
                address_taken=pl.lit(value=False),
                awaited=pl.lit(value=False),
            )
            for crm, frame in read.items()
        ]
        known = pl.concat(settled)
        # What was read of the pairing's leads may be less than what is known of them.
        paired = rows.filter(pl.col("lead_id").is_in(lead_ids.implode()))
        if not paired.is_empty():
            known = known.join(paired, on=["crm", "record_id"], how="anti", maintain_order="left")
        return Slice(lead_ids, part, pl.concat([known, paired.select(*ASSIGNED)]))


def _slice_by_slice(paired: pl.DataFrame, lows: Sequence[int]) -> tuple[pl.DataFrame, list[int]]:
    """The rows of each slice together, in their order, and where each slice begins; the end of the last one, too.

    ``lows``: where in the order of leads (``shelf.lead_order``) each slice begins.
    """
    if len(lows) == 1:
        return paired, [0, paired.height]
    borders = pl.Series(lows[1:], dtype=LEAD_ORDER)
    numbers = borders.search_sorted(lead_order(paired["lead_id"]), side="right").alias("slice")
    places = numbers.to_frame().select(pl.arg_sort_by("slice", maintain_order=True)).to_series()
    within = numbers[places]
    begins = [int(within.search_sorted(number, side="left")) for number in range(len(lows))]
    return paired[places], [*begins, paired.height]


def _add_waiting(work: Work, gathered: Gathered) -> None:
    """Read again what no change log shows: what waits for something else to change.

    That is what is held as ambiguous, the leads that a CRM refused, and those that the scope now lets in: a record
    that changed elsewhere may settle the first, a cause that is gone the second, a config or a list the third. So
    with what a dead run left half done, with what the Contact or an opportunity of a converted lead says, and with
    a lead whose time with sales has run out: whether somebody touched it has to be read before it is called late.
    """
    open_ones = [
        (row["crm"], row["record_id"]) for row in work.store.journal.open_held() if row["kind"] == "ambiguous"
    ]
    refused = pl.Series("lead_id", [row["lead_id"] for row in work.store.journal.refused()], dtype=pl.String)
    open_ones += work.store.leads.links_of_leads(refused).select("crm", "record_id").rows()
    open_ones += newly_admitted(work)
    if work.handover is not None:
        with_sales = waiting_for_sales(work)
        open_ones += work.store.leads.links_of_leads(with_sales).select("crm", "record_id").rows()
    if gathered.cursors:
        open_ones += [*heard(work), *heard_beside(work), *_half_done(work)]
    if not open_ones:
        return
    named = pl.DataFrame(open_ones, schema={"crm": pl.String(), "record_id": pl.String()}, orient="row")
    seen = [gathered.new.select("crm", "record_id")]
    for crm in CRMS:
        for frame in gathered.shelf.frames(crm, ("_id",)):
            seen.append(frame.select(crm=pl.lit(crm), record_id="_id"))
    unseen = named.join(pl.concat(seen), on=["crm", "record_id"], how="anti", maintain_order="left")
    waiting = {crm: unseen.filter(pl.col("crm") == crm)["record_id"].to_list() for crm in CRMS}
    if any(waiting.values()):
        more = gather_named(work, waiting, gathered.shelf)
        gathered.new = pl.concat([gathered.new, more.new])
        gathered.records_read += more.records_read


def _half_done(work: Work) -> list[tuple[str, str]]:
    """Records that a dead run had set out to write, whether it got there or not."""
    intents = work.store.journal.open_intents(OPEN_INTENTS).filter(pl.col("record_id").is_not_null())
    return intents.select("crm", "record_id").unique(maintain_order=True).rows()


def _with_links(work: Work, new: pl.DataFrame) -> pl.DataFrame:
    """The links that other runs have made since the records were read."""
    if new.is_empty():
        return new
    links = work.store.leads.links_of_records(new)
    if links.is_empty() and new["lead_id"].null_count() == new.height:
        return new
    return (
        new.drop("lead_id")
        .join(links, on=["crm", "object", "record_id"], how="left", maintain_order="left")
        .select(*RECORD_KEYS)
    )


def decide_slice(work: Work, part: Slice, now: datetime) -> Decided:
    """Fetch what is missing of a slice's leads, load what is remembered of them, and decide."""
    store = work.store.leads
    stored_links = store.links_of_leads(part.lead_ids)
    new_links = part.assigned.select("lead_id", "crm", "object", "record_id")
    linked = with_new(stored_links.select(new_links.columns), new_links)
    intents = work.store.journal.open_intents(OPEN_INTENTS)
    records = _complete(work, part, linked, intents)
    turned = contacts_of(work, records["salesforce"])
    records = with_turned(turned, work, records)
    ids = [
        frame.select(crm=pl.lit(crm), object=pl.lit(work.objects[crm]), record_id="_id")
        for crm, frame in records.items()
        if frame is not None
    ]
    bases = store.bases(pl.concat(ids)) if ids else store.bases(linked.clear())
    frame = lead_frame(work, part.lead_ids, records, linked, bases, store.of(part.lead_ids))
    taken = part.assigned.filter("address_taken")["lead_id"].implode()
    frame = frame.with_columns(address_taken=pl.col("lead_id").is_in(taken))
    frame = with_times(work, frame, records, intents)
    # Where a record was merged away or deleted, none is created in its place.
    replaced = work.store.identity.fates(part.lead_ids)["lead_id"]
    held = pl.concat([part.assigned.filter("awaited")["lead_id"], replaced])
    ledger = work.store.handovers.newest(part.lead_ids)
    desk = desk_of(work, part.lead_ids, now)
    decided = decide(work, frame, records, held, now, ledger, feed(work, frame, records, turned), desk)
    decided = _nothing_half_done(work, decided, records, intents)
    return (
        decided
        if turned is None
        else replace(decided, changes=turned.followed(decided.changes), turned=turned)
    )


def _nothing_half_done(
    work: Work, decided: Decided, records: Mapping[str, pl.DataFrame | None], intents: pl.DataFrame
) -> Decided:
    intents = intents.filter(pl.col("lead_id").is_in(decided.leads["lead_id"].implode()))
    if intents.is_empty():
        return decided
    intents = _within_reach(intents, decided.leads)
    may = work.writable().updatable
    intents = intents.filter(
        pl.any_horizontal((pl.col("crm") == crm) & pl.col("crm_field").is_in(list(may[crm])) for crm in CRMS)
    )
    if work.mode != "full":
        intents = intents.filter(pl.col("field").is_in(list(OWN_LEAD_FIELDS)))
    raw = {crm: raw_of(frame) for crm, frame in records.items() if frame is not None}
    consent = [rule.field for rule in work.rules if rule.opt_out]
    return replace(decided, changes=taken_back(decided.changes, intents, raw, work.objects, consent))


def _within_reach(intents: pl.DataFrame, leads: pl.DataFrame) -> pl.DataFrame:
    """Those about records that the leads have and that may be written to, and about fields that were read."""
    parts = [intents.clear()]
    for crm, side in SIDES.items():
        reached = [name for name in ("in_scope", "to_" + crm) if name in leads.columns]
        theirs = leads.filter(pl.all_horizontal(pl.col(side + "_id").is_not_null(), *reached)).select(
            "lead_id", crm=pl.lit(crm), record_id=side + "_id", _unread=side + "_unread"
        )
        read_as = pl.when(pl.col("field") == STAGE).then(pl.lit("hubspot_stage")).otherwise("field")
        found = intents.join(theirs, on=["lead_id", "crm", "record_id"], how="inner", maintain_order="left")
        seen = ~pl.col("_unread").list.contains(read_as).fill_null(value=False)
        parts.append(found.filter(seen).drop("_unread"))
    return pl.concat(parts)


def _complete(
    work: Work, part: Slice, linked: pl.DataFrame, intents: pl.DataFrame
) -> dict[str, pl.DataFrame | None]:
    """The slice's records; counterparts that were not read are fetched as they are now."""
    records: dict[str, pl.DataFrame | None] = {}
    for crm in CRMS:
        frame = part.shelf.take(crm)
        have = frame["_id"] if frame is not None else pl.Series("_id", [], dtype=pl.String)
        missing = missing_among(linked.filter(pl.col("crm") == crm), have)
        if not missing.is_empty():
            owners = missing.select(pl.col("record_id").alias("_id"), "lead_id")
            for slab in work.crms[crm].fetch(
                work.objects[crm],
                work.asked(crm),
                missing["record_id"].to_list(),
            ):
                there = as_before(slab.frame.filter(~pl.col("_archived")), crm, intents)
                fetched = read_records(work, crm, there)
                part.shelf.put(crm, fetched.join(owners, on="_id", how="inner"))
            frame = part.shelf.take(crm)
            found = missing["record_id"].is_in(frame["_id"].implode()) if frame is not None else None
            note_gone(work, crm, (missing if found is None else missing.filter(~found))["record_id"])
        records[crm] = frame
    hubspot, salesforce = (_keyed(records[crm], records[other]) for crm, other in (CRMS, CRMS[::-1]))
    return {"hubspot": hubspot, "salesforce": salesforce}


def _keyed(records: pl.DataFrame | None, others: pl.DataFrame | None) -> pl.DataFrame | None:
    """The records with keys of identity where their lead has no other record.

    A counterpart that is created takes over the keys of its origin; nobody else's are looked at.
    """
    if records is None:
        return None
    if others is None:
        return with_keys(records)
    nothing = [pl.Series(name, [None], dtype=pl.String).new_from_index(0, records.height) for name in KEYS]
    if alike(records["lead_id"], others["lead_id"]):
        return records.hstack(nothing)
    alone = records["lead_id"].is_in(others["lead_id"].implode()).not_()
    if alone.all():
        return with_keys(records)
    if not alone.any():
        return records.hstack(nothing)
    made = pairing_keys(records.filter(alone))
    rows = alone.arg_true()
    return records.hstack([column.scatter(rows, made[column.name]) for column in nothing])
