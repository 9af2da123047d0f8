"""Differences that no change log told about: every record is read again and compared with what was remembered.

    parts  = parts_to_read(work, now)  # counted first: what reading everything costs
    found  = find_drift(work, parts)   # by count and hash per slice, then by field where a slice differs
    repair = plan_repair(work, found)  # and what that costs
    repair_drift(work, repair)         # the drifted records, brought into an ordinary run

What a record held when both sides last agreed is its base. A record that differs from its base although it is
stamped as older than the last reading has drifted: a restored backup, a change that kept the time stamp, an index
that lagged too long, a record that we could not see before. What the next sync will read, what is held, and what a
CRM refused are no drift; they are counted beside it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import polars as pl

from connectors.crm import RECORD_ID, Window
from sync.backfill import A_SECOND, NAMED_AT_ONCE, windows
from sync.errors import WrongUse
from sync.read import read_records, with_counterparts
from sync.rescore import stored_slices
from sync.run import Asked, perform
from sync.snapshots import Snapshots
from sync.store.backfills import SliceRow
from sync.store.persons import Barred, name_of_address, name_of_record
from sync.tally import Outcome
from sync.unread import UNREAD
from sync.work import CRMS, Work

#: A change this long before the last reading began may have been stamped by then and shown only later.
MARGIN = timedelta(minutes=10)

CHANGED, UNKNOWN, GONE = "changed", "unknown", "gone"
#: What each kind of drift is, for people.
KINDS = {
    CHANGED: "differ from what was remembered, and no change log told of it",
    UNKNOWN: "are in the CRM and belong to no lead, and no change log told of them",
    GONE: "are remembered, and the CRM has them no more",
}


@dataclass(frozen=True, slots=True)
class Drifted:
    """One record. ``fields``: the lead's fields that differ, empty where the record is new or gone."""

    crm: str
    record_id: str
    lead: str | None
    kind: str
    fields: tuple[str, ...] = ()


@dataclass(slots=True)
class SliceCompared:
    """One window of creation times. The hashes are of what the CRM holds and of what was remembered."""

    crm: str
    start: datetime | None
    end: datetime
    read: int = 0
    remembered: int = 0
    hash_crm: str = ""
    hash_remembered: str = ""
    drifted: int = 0

    @property
    def same(self) -> bool:
        return self.read == self.remembered and self.hash_crm == self.hash_remembered


@dataclass(slots=True)
class Drift:
    """What was found. ``expected``: differences that have a reason, by reason."""

    slices: list[SliceCompared] = field(default_factory=list)
    drifted: list[Drifted] = field(default_factory=list)
    expected: dict[str, int] = field(default_factory=dict)
    _within: dict[Drifted, SliceCompared] = field(default_factory=dict, repr=False)

    def note(self, part: SliceCompared, drifted: Sequence[Drifted]) -> None:
        """A slice, with what drifted in it."""
        part.drifted = len(drifted)
        self.slices.append(part)
        self._within |= dict.fromkeys(drifted, part)

    def strike(self, stuck: Set[Drifted]) -> None:
        """Leave out what has not drifted after all, in its slices too."""
        self.drifted = [one for one in self.drifted if one not in stuck]
        for one in stuck:
            self._within[one].drifted -= 1

    def counts(self) -> dict[str, int]:
        """Records by kind of drift."""
        found: dict[str, int] = {}
        for one in self.drifted:
            found[one.kind] = found.get(one.kind, 0) + 1
        return found

    def explain(self, reason: str, records: int) -> None:
        if records:
            self.expected[reason] = self.expected.get(reason, 0) + records


@dataclass(frozen=True, slots=True)
class _Known:
    """What decides whether a difference has a reason."""

    read_since: dict[str, datetime]
    waiting: dict[str, str]  #: lead to held or refused
    ambiguous: frozenset[tuple[str, str]]
    barred: Barred | None


def parts_to_read(work: Work, now: datetime) -> list[SliceRow]:
    """Every record of both CRMs in windows of creation times, with what reading each costs; by counting.

    Raises WrongUse in the mode observe, and before a first sync.
    """
    _known(work)
    end = now.replace(microsecond=0) + A_SECOND
    return [part for crm in CRMS for part in windows(work, crm, None, end)]


def find_drift(work: Work, parts: Sequence[SliceRow]) -> Drift:
    """Read the parts one after the other, and compare. Writes nothing. Raises WrongUse as ``parts_to_read``."""
    known, found = _known(work), Drift()
    for crm in CRMS:
        linked = sum(_compare_slice(work, part, known, found) for part in parts if part.crm == crm)
        if linked < work.store.standing.linked(crm, work.objects[crm]):
            found.drifted += _gone(work, crm)
    _strike_unagreed(work, found)
    return found


def _strike_unagreed(work: Work, found: Drift) -> None:
    """Fields on which nothing can be agreed have not drifted: one of the CRMs cannot say them, or not readably.

    The records there are read again: they are as few as the differences.
    """
    doubtful = [one for one in found.drifted if one.fields and one.lead]
    if not doubtful:
        return
    silent = _silent(work, pl.Series("lead_id", [one.lead for one in doubtful], dtype=pl.String).unique())
    other = dict(zip(CRMS, reversed(CRMS), strict=True))
    stuck = set()
    for one in doubtful:
        said = {crm: silent.get((crm, one.lead or ""), _Silent()) for crm in CRMS}
        nowhere = {name for silence in said.values() for name in silence.nowhere}
        if set(one.fields) <= said[other[one.crm]].unread | nowhere:
            stuck.add(one)
    found.strike(stuck)
    found.explain("cannot_agree", len(stuck))


@dataclass(frozen=True, slots=True)
class _Silent:
    """The fields that a record does not say: those that cannot be read, and those that it can hold ``nowhere``."""

    unread: frozenset[str] = frozenset()
    nowhere: frozenset[str] = frozenset()


def _silent(work: Work, leads: pl.Series) -> dict[tuple[str, str], _Silent]:
    """(CRM, lead) to what its record there does not say."""
    silent: dict[tuple[str, str], _Silent] = {}
    links = work.store.leads.links_of_leads(leads)
    for crm in CRMS:
        owners = dict(links.filter(pl.col("crm") == crm).select("record_id", "lead_id").iter_rows())
        # HubSpot keeps withdrawals by address (HubSpot reference, section 14): without one it shows none.
        needing = work.needing(crm)
        for slab in work.crms[crm].fetch(work.objects[crm], work.asked(crm), list(owners)):
            for row in read_records(work, crm, slab.frame).iter_rows(named=True):
                nowhere = frozenset(name for name, needed in needing.items() if row[needed] is None)
                silent[crm, owners[row[RECORD_ID]]] = _Silent(frozenset(row[UNREAD] or ()), nowhere)
    return silent


def _known(work: Work) -> _Known:
    if work.mode == "observe":
        raise WrongUse("in the mode observe nothing is brought into agreement, so nothing can drift")
    logs = {(one.crm, one.object): one.started for one in work.store.standing.read_to()}
    read_since: dict[str, datetime] = {}
    for crm in CRMS:
        started = logs.get((crm, work.reading(crm)))
        if started is None:
            raise WrongUse(f"no sync has read {crm} to its end yet", fix="run `leadpact sync` first")
        read_since[crm] = started - MARGIN
    held = work.store.journal.open_held()
    waiting = {row["lead_id"]: "held" for row in held if row["lead_id"]}
    waiting |= {row["lead_id"]: "refused" for row in work.store.journal.refused()}
    ambiguous = frozenset((row["crm"], row["record_id"]) for row in held if row["kind"] == "ambiguous")
    return _Known(read_since, waiting, ambiguous, work.store.persons.barred())


def _compare_slice(work: Work, part: SliceRow, known: _Known, found: Drift) -> int:
    """Compare one window; returns how many of its records have a lead."""
    crm, name = part.crm, work.objects[part.crm]
    snapshots, linked = work.record_snapshots(crm), 0
    done = SliceCompared(crm, part.start, part.end)
    theirs, ours = hashlib.sha256(), hashlib.sha256()
    before = len(found.drifted)
    for slab in work.crms[crm].created(name, work.asked(crm), Window(part.start, part.end)):
        both = _beside_bases(
            work, crm, read_records(work, crm, slab.frame.filter(~pl.col("_archived"))), snapshots
        )
        linked += both.height - both["lead_id"].null_count()
        done.read += both.height
        done.remembered += both.height - both["base"].null_count()
        theirs.update("\n".join([*both["now"], ""]).encode())
        ours.update("\n".join([*both["base"].fill_null(""), ""]).encode())
        differing = both.filter(pl.col("now").ne_missing(pl.col("base")))
        found.drifted += _drifted(crm, differing, snapshots, known, found)
    done.hash_crm, done.hash_remembered = theirs.hexdigest()[:16], ours.hexdigest()[:16]
    found.note(done, found.drifted[before:])
    return linked


def _beside_bases(work: Work, crm: str, records: pl.DataFrame, snapshots: Snapshots) -> pl.DataFrame:
    """Typed records with their ``lead_id``, what they hold (``now``) and what was remembered (``base``) as texts."""
    named = records.select(crm=pl.lit(crm), object=pl.lit(work.objects[crm]), record_id=RECORD_ID)
    links = work.store.leads.links_of_records(named).select("record_id", "lead_id")
    bases = work.store.leads.bases(named).select("record_id", base="record_values")
    told = (
        named.select("record_id")
        .join(links, on="record_id", how="left", maintain_order="left")
        .join(bases, on="record_id", how="left", maintain_order="left")
    )
    return records.with_columns(told["lead_id"], told["base"], snapshots.encode(records).alias("now"))


def _drifted(
    crm: str, differing: pl.DataFrame, snapshots: Snapshots, known: _Known, found: Drift
) -> Iterator[Drifted]:
    """The records among these whose difference has no reason; the others are counted by their reason."""
    if differing.is_empty():
        return
    old = snapshots.decode(differing["base"], "b.")
    names = [name for name in snapshots.schema if name in differing.columns]
    frame = differing.hstack(old)
    changed = pl.concat_list(
        pl.when(
            pl.col(name).ne_missing(pl.col("b." + name))
            & ~pl.col(UNREAD).list.contains(name).fill_null(value=False)
        ).then(pl.lit(name))
        for name in names
    ).list.drop_nulls()
    rows = frame.select(RECORD_ID, "lead_id", "email", "_modified_at", "base", fields=changed).iter_rows()
    for record, lead, email, modified, base, fields in rows:
        if lead is not None and base is not None and not fields:
            continue
        reason = _reason(crm, record, lead, email, modified, known)
        if reason:
            found.explain(reason, 1)
        elif lead is None:
            yield Drifted(crm, record, None, UNKNOWN)
        else:
            yield Drifted(crm, record, lead, CHANGED, tuple(fields) if base is not None else ())


def _reason(
    crm: str, record: str, lead: str | None, email: str | None, modified: datetime | None, known: _Known
) -> str:
    """Why a record may differ from what was remembered; empty where nobody knows."""
    if modified is not None and modified >= known.read_since[crm]:
        return "changed_since"
    if (crm, record) in known.ambiguous:
        return "held"
    if lead is not None:
        return known.waiting.get(lead, "")
    if known.barred is not None:
        names = [name_of_record(crm, record), *([name_of_address(email)] if email else [])]
        if any(name in known.barred for name in names):
            return "forgotten"
    return ""


def _gone(work: Work, crm: str) -> Iterator[Drifted]:
    """Linked records that the CRM does not have, and of which nobody knows what became."""
    for part in stored_slices(work):
        links = work.store.leads.links_of_leads(part.lead_ids).filter(pl.col("crm") == crm)
        fates = work.store.identity.fates(part.lead_ids)["lead_id"]
        links = links.filter(~pl.col("lead_id").is_in(fates.implode()))
        ids = links["record_id"]
        slabs = work.crms[crm].fetch(work.objects[crm], (), ids.to_list())
        there = [slab.frame.filter(~pl.col("_archived"))[RECORD_ID] for slab in slabs]
        missing = links.filter(~ids.is_in(pl.concat([ids.clear(), *there]).implode()))
        for record, lead in missing.select("record_id", "lead_id").iter_rows():
            yield Drifted(crm, record, lead, GONE)


@dataclass(frozen=True, slots=True)
class Repair:
    """What a repair would read: record ids and at most so many calls, by CRM."""

    names: dict[str, list[str]]
    calls: dict[str, int]


def plan_repair(work: Work, found: Drift) -> Repair:
    """The drifted records, and the other records of their leads. Nothing is sent."""
    ids = {crm: {one.record_id for one in found.drifted if one.crm == crm} for crm in CRMS}
    leads = pl.Series("lead_id", [one.lead for one in found.drifted if one.lead], dtype=pl.String).unique()
    for crm, record in work.store.leads.links_of_leads(leads).select("crm", "record_id").iter_rows():
        ids[crm].add(record)
    names = {crm: sorted(ids[crm]) for crm in CRMS}
    unknown = sum(one.kind == UNKNOWN for one in found.drifted)
    return Repair(names, {crm: -(-(len(names[crm]) + unknown) // NAMED_AT_ONCE[crm]) for crm in CRMS})


def repair_drift(work: Work, repair: Repair) -> Outcome:
    """Bring the records into an ordinary run, under its guards. Raises what a run raises."""
    return perform(work, Asked("drift", names=with_counterparts(work, repair.names), waiting=False))
