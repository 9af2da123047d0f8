"""Read again what the change logs will not bring: every record that was created within a range, slice by slice.

    wanted = Wanted(crms, start, end)
    plan   = plan_backfill(work, wanted, now)     # windows of creation times, counted; nothing is written
    done   = carry_on(work, plan, …)              # an ordinary run a slice; each that ends is remembered

A slice is a run of its own: it is decided, guarded, written and remembered like any other, and can be undone. What
was stopped anywhere goes on with the first slice that nobody finished. The guards count all slices together.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import chain
from math import ceil
from operator import itemgetter
from typing import Any

import polars as pl

from connectors.crm import RECORD_ID, Slab, Window
from connectors.quota_day import no_room
from sync.errors import WrongUse
from sync.newly_mapped import map_digest, rules_of
from sync.read import Gathered, gather_slabs
from sync.remaining import RUNS, Left, ahead, left_of_backfill
from sync.run import Asked, perform
from sync.running import as_document as numbers_as_document
from sync.store.backfills import SliceRow, Underway
from sync.store.runs import Numbers
from sync.tally import Outcome
from sync.work import CRMS, Work

#: Nobody has a record from before Salesforce; what is stamped earlier was imported with its old times, and comes
#: with the first slice.
EARLIEST = datetime(1999, 1, 1, tzinfo=UTC)
A_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a person asked for: records created at ``start`` or later and before ``end`` (aware; None: open)."""

    crms: tuple[str, ...] = CRMS
    start: datetime | None = None
    end: datetime | None = None

    @property
    def is_whole(self) -> bool:
        """Whether every record of its CRMs was asked for, and no range of them."""
        return self.start is None and self.end is None

    def key(self) -> dict[str, Any]:
        """The same words name the same backfill."""
        return {
            "crms": sorted(self.crms),
            "from": self.start.astimezone(UTC).isoformat() if self.start else None,
            "to": self.end.astimezone(UTC).isoformat() if self.end else None,
        }


@dataclass(frozen=True, slots=True)
class Plan:
    """The slices of a backfill, done ones included. ``backfill``: its number where it was begun before."""

    wanted: Wanted
    slices: tuple[SliceRow, ...]
    field_map: str
    backfill: int | None = None
    begun: datetime | None = None
    outdated: int | None = None  #: one that was begun with another field map, and is not gone on with
    seconds: float | None = None  #: until its end, waits for calls included; None: nobody knows yet

    @property
    def left(self) -> tuple[SliceRow, ...]:
        return tuple(one for one in self.slices if one.done_at is None)

    @property
    def records_left(self) -> int:
        return sum(one.records for one in self.left)

    def calls_left(self) -> dict[str, int]:
        """HTTP requests to each CRM at most, to read: the records, and the other CRM's that belong to them."""
        counts = dict.fromkeys(CRMS, 0)
        for one in self.left:
            for crm, calls in calls_to_read(one).items():
                counts[crm] += calls
        return counts


def calls_to_read(part: SliceRow) -> dict[str, int]:
    """HTTP requests to each CRM at most for the records of a slice, and the other CRM's that belong to them."""
    other = "salesforce" if part.crm == "hubspot" else "hubspot"
    return {part.crm: part.calls, other: -(-part.records // NAMED_AT_ONCE[other])}


#: Records of one call by id (HubSpot reference, section 4.3; Salesforce reference, section 4).
NAMED_AT_ONCE = {"hubspot": 100, "salesforce": 2_000}
#: Records of one writing call (HubSpot reference, section 5.1; Salesforce reference, section 4).
WRITTEN_AT_ONCE = {"hubspot": 100, "salesforce": 200}


@dataclass(slots=True)
class Backfilled:
    """What the slices of one command came to together. ``busy``: slices that another run was in the way of."""

    backfill: int
    runs: list[int] = field(default_factory=list)
    numbers: Numbers = field(default_factory=Numbers)
    problems: dict[tuple[str, str], int] = field(default_factory=dict)
    became: int = 0
    busy: int = 0
    seconds: float = 0.0
    fingerprints: list[str] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        self.runs.append(outcome.run)
        self.fingerprints.append(outcome.fingerprint)
        names = Numbers.__dataclass_fields__
        self.numbers = Numbers(
            **{name: getattr(self.numbers, name) + getattr(outcome.numbers, name) for name in names}
        )
        for key, count in outcome.problems.items():
            self.problems[key] = self.problems.get(key, 0) + count
        self.became += outcome.became


def plan_backfill(work: Work, wanted: Wanted, now: datetime) -> Plan:
    """Go on with the open backfill of the same words, or cut a new one. Counts by calls; writes nothing.

    Raises WrongUse for an empty range, and before a first sync, which reads everything anyway; RetryLater where a CRM
    has too few calls left to count its part: then the other one is not asked to count in vain, time after time.
    """
    if wanted.start and wanted.end and wanted.start >= wanted.end:
        raise WrongUse("--from is not before --to: the range holds nothing", fix="give an earlier --from")
    cursors = work.store.runs.cursors()
    for crm in wanted.crms:
        if (crm, work.reading(crm)) not in cursors:
            raise WrongUse(
                f"no sync has read {crm} to its end yet, and the first one reads everything",
                fix="run `leadpact sync` first; it can be stopped and begun again",
            )
    digest = map_digest(work)
    begun = work.store.backfills.open_one(wanted.key())
    if begun is not None and begun[1] == digest:
        slices = tuple(work.store.backfills.slices(begun[0]))
        left = left_of(work, slices, now, begun[0], whole=wanted.is_whole)
        return Plan(wanted, slices, digest, begun[0], begun[2], seconds=left.seconds)
    end = wanted.end or now.replace(microsecond=0) + A_SECOND
    for crm in wanted.crms:
        _wait_to_count(work, crm, wanted.start, end)
    cut = [list(windows(work, crm, wanted.start, end)) for crm in wanted.crms]
    in_order = chain(*cut) if wanted.is_whole else _in_turn(cut)
    slices = tuple(replace(one, number=number) for number, one in enumerate(in_order, 1))
    left = left_of(work, slices, now, whole=wanted.is_whole)
    return Plan(wanted, slices, digest, outdated=begun[0] if begun else None, seconds=left.seconds)


def _in_turn(cut: Sequence[Sequence[SliceRow]]) -> Iterator[SliceRow]:
    """The slices of a range, of the CRMs in turn, so that each is known by its own pace from its first slice on.

    Nobody can tell before whether the counterparts of one CRM's records were created within the range, too.
    """
    placed = [(number / len(part), one) for part in cut for number, one in enumerate(part)]
    return (one for _, one in sorted(placed, key=itemgetter(0)))


def left_of(
    work: Work, slices: Sequence[SliceRow], now: datetime, backfill: int | None = None, *, whole: bool
) -> Left:
    """What is left of the slices of a backfill, and for how long.

    ``backfill``: its number where it was begun. ``whole``: it is of all records, and not of a range.
    """
    worked = {} if backfill is None else work.store.backfills.worked(backfill)
    reading = dict.fromkeys(CRMS, 0)
    for one in slices:
        reading[one.crm] += one.calls if one.done_at is None else 0
    rooms = {crm: work.crms[crm].room() for crm in CRMS}
    what = ahead(slices, worked, work.store.runs.newest(RUNS), reading, whole=whole)
    return left_of_backfill(what, rooms, now)


def left_of_each(work: Work, underway: Sequence[Underway], now: datetime) -> list[Left]:
    """What is left of each of these backfills, in their order.

    Asks no CRM: one that has not yet said when its day ends is taken for one whose day rolls.
    """
    store = work.store.backfills
    return [
        left_of(work, store.slices(one.backfill), now, one.backfill, whole=one.is_whole) for one in underway
    ]


def windows(work: Work, crm: str, start: datetime | None, end: datetime) -> Iterator[SliceRow]:
    """A CRM's records in windows of creation times, about ``slice_leads`` records each, in order; by counting."""
    return _merged(_cut(work, crm, start, end), work.slice_leads)


def _cut(work: Work, crm: str, start: datetime | None, end: datetime) -> Iterator[SliceRow]:
    """Windows of at most ``slice_leads`` records, in order; a single second is not cut further."""
    expected = work.crms[crm].expected(work.objects[crm], work.asked(crm), Window(start, end))
    low = start or EARLIEST
    middle = (low + (end - low) / 2).replace(microsecond=0)
    if expected.records <= work.slice_leads or not low < middle < end:
        yield SliceRow(0, crm, start, end, expected.records, expected.calls)
        return
    yield from _cut(work, crm, start, middle)
    yield from _cut(work, crm, middle, end)


def _merged(windows: Iterator[SliceRow], most: int) -> Iterator[SliceRow]:
    """Neighbours as one where both fit into a slice: halving leaves many small ones. Empty ones go."""
    held: SliceRow | None = None
    for one in windows:
        if held is not None and held.records + one.records <= most:
            held = replace(
                held, end=one.end, records=held.records + one.records, calls=held.calls + one.calls
            )
            continue
        if held is not None and held.records:
            yield held
        held = one
    if held is not None and held.records:
        yield held


#: Told after each slice: the slice, how many are done, of how many, and the seconds left.
Told = Callable[[SliceRow, int, int, float], None]


def carry_on(
    work: Work, plan: Plan, tell: Told, *, approve: bool = False, most: int | None = None
) -> Backfilled:
    """Do every slice that is left, or ``most`` of them. Raises what a run raises; slices that ended stay done.

    A slice with leads that another run has claimed stays open for the next time.
    """
    store, began = work.store.backfills, time.monotonic()
    if plan.outdated is not None:
        store.end(plan.outdated, "outdated", work.clock())
    number = plan.backfill or store.start(plan.wanted.key(), plan.field_map, plan.slices, work.clock())
    done, totals, read = Backfilled(number), dict(store.written(number)), 0
    todo = plan.left[:most]
    for count, part in enumerate(todo, len(plan.slices) - len(plan.left) + 1):
        _wait_for_calls(work, part)
        outcome = perform(
            work,
            Asked(
                "backfill",
                read=partial(_read_slice, number, part),
                waiting=False,
                approve=approve,
                already=totals,
            ),
        )
        done.add(outcome)
        totals = {name: totals.get(name, 0) + more for name, more in outcome.totals.items()}
        read += part.records
        if outcome.busy:
            done.busy += 1
        else:
            store.is_done(number, part.number, outcome.run, work.clock())
        done.seconds = time.monotonic() - began
        tell(part, count, len(plan.slices), (plan.records_left - read) * done.seconds / max(read, 1))
    if not done.busy and len(todo) == len(plan.left):
        _end(work, plan, number)
    return done


def _wait_for_calls(work: Work, part: SliceRow) -> None:
    """Begin no slice that would stop in its middle for want of calls, where a whole day would hold it.

    What it read would be read once more. Raises RetryLater, with the time when there may be enough.
    """
    for crm, calls in calls_to_read(part).items():
        # What is written to Salesforce is read once more, for what was stored.
        again = -(-part.records // NAMED_AT_ONCE[crm]) if crm == "salesforce" else 0
        _wait_for_room(work, crm, calls + -(-part.records // WRITTEN_AT_ONCE[crm]) + again)


def _wait_to_count(work: Work, crm: str, start: datetime | None, end: datetime) -> None:
    """Begin no counting that would stop in its middle: what has been counted by then is known to nobody."""
    if work.crms[crm].room() is None:
        return
    records = work.crms[crm].expected(work.objects[crm], work.asked(crm), Window(start, end)).records
    # Halving until a window holds a slice at most asks once for each window and each half.
    _wait_for_room(work, crm, 2 * -(-records // work.slice_leads))


def _wait_for_room(work: Work, crm: str, calls: int) -> None:
    """Raises RetryLater where the day leaves a backfill fewer calls, with the time when there may be enough."""
    room = work.crms[crm].room()
    if room is None:
        return
    # What it writes is read again, with calls that come out of the same room.
    wanted = min(ceil(calls * room.drawn), max(room.a_day // 2, 1))
    if room.now < wanted:
        raise no_room(crm, room, wanted, work.clock())


def _end(work: Work, plan: Plan, number: int) -> None:
    now, wanted = work.clock(), plan.wanted
    with work.store.transaction():
        work.store.backfills.end(number, "done", now)
        if wanted.is_whole and work.mode != "observe":
            for crm in wanted.crms:
                work.store.backfills.note_read_map(crm, work.reading(crm), rules_of(work, crm), now)


def _read_slice(number: int, part: SliceRow, work: Work) -> Gathered:
    """The records of a slice, without those that came as counterparts in an earlier slice of this backfill."""
    name = work.objects[part.crm]
    slabs = work.crms[part.crm].created(name, work.asked(part.crm), Window(part.start, part.end))
    gathered = gather_slabs(work, part.crm, _not_yet(work, number, slabs))
    if gathered.met.joined:
        # Records read before may lie with a lead that is another one's name by now. A second reading knows that.
        gathered.shelf.clear()
        return _read_slice(number, part, work)
    return gathered


def _not_yet(work: Work, number: int, slabs: Iterator[Slab]) -> Iterator[Slab]:
    for slab in slabs:
        ids = slab.frame.select(crm=pl.lit(slab.crm), object=pl.lit(slab.object), record_id=RECORD_ID)
        seen = work.store.backfills.seen(number, ids)
        yield replace(slab, frame=slab.frame.filter(~pl.col(RECORD_ID).is_in(seen.implode())))


def as_document(done: Backfilled) -> Mapping[str, Any]:
    """The JSON document of `backfill` (contract): a run's, added up over the slices."""
    return {
        "run": done.runs[-1] if done.runs else None,
        "runs": done.runs,
        "backfill": done.backfill,
        "fingerprint": done.fingerprints[-1] if done.fingerprints else "",
        **numbers_as_document(done.numbers, done.seconds),
    }
