"""One sync run, from reading both CRMs to remembering what was done. This is the main path; read it first.

    gathered = gather(work, cursors)              # read.py      both CRMs, columns of the common lead
    ordered  = sort_into_leads(work, gathered)    # slices.py    which records are one lead (pairs.py, pure)
    decided  = decide_slice(work, part, now)      # decide.py    merge, judge, plan (pure)
    results  = carry_out(work, changes)           # write.py     both CRMs
    remember(work, …, results)                    # remember.py  journal, bases, links, leads, verdicts,
                                                  # meanwhile.py while the next slice is written
    cursors move last

A run may stop anywhere. Cursors move last, so a stopped run reads the same changes again; merging against the
bases then finds nothing left to do. Every slice is decided before the first write of the run, so that the guards
know the whole run when they let it write. What was decided is kept until the slice is written (kept.py), where
nothing that it rests on can have changed since.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

import polars as pl

from connectors.crm import Cursor
from sync.asplanned import as_planned, note_vanished, only, records_of
from sync.beside import without_lifecycle
from sync.canary import Led, read_back
from sync.decide import Decided
from sync.erasures import Erasures, follow_erasures
from sync.fates import not_to_be_written
from sync.fieldtimes import with_own_times
from sync.fingerprint import canonical
from sync.freshness import note_freshness
from sync.guards import stop_if_too_much
from sync.kept import FirstPass, Kept, each_by_itself
from sync.loops import without_noise
from sync.meanwhile import Meanwhile, meanwhile
from sync.newly_mapped import note_readings
from sync.notices import tell
from sync.overtaken import up_to_date
from sync.pairs import AMBIGUOUS, ASSIGNED, RECORD_KEYS, Pairing
from sync.plan import CHANGES
from sync.reach import note_reach
from sync.read import Gathered, gather, gather_named
from sync.remember import held_rows, nothing_written, remember, renewed_links
from sync.rescore import decide_stored, stored_slices
from sync.routing import reserved
from sync.running import running
from sync.slices import Slice, Sorted, decide_slice, slice_keys, sort_into_leads
from sync.store.behind import behind
from sync.store.runs import Numbers
from sync.suggest import with_suggestions
from sync.tally import Outcome, add_numbers, count_changes, count_targets, note_touched, summarise
from sync.undo import not_again
from sync.work import CRMS, Work, empty
from sync.write import Results, carry_out


@dataclass(frozen=True, slots=True)
class Asked:
    """What a run is asked to do.

    ``names``: CRM to record ids, None: whatever changed since the cursors. ``keep``: only leads whose changes
    are exactly those of this frame are written (``apply``). ``limit``: at most that many leads.
    ``collect``: bring the changes along. ``now``: judge as of this moment.
    """

    command: str
    names: Mapping[str, list[str]] | None = None
    write: bool = True
    approve: bool = False
    collect: bool = False
    keep: pl.DataFrame | None = None
    limit: int | None = None
    since: Mapping[str, Cursor | None] | None = None
    now: datetime | None = None
    from_memory: bool = False  #: judge every stored lead as of now; read no CRM (``rescore``)
    cursors: Mapping[str, Cursor] | None = None  #: to be kept at the end, instead of the reading's own
    read: Callable[[Work], Gathered] | None = None  #: reads this, whatever the cursors say (``backfill``)
    waiting: bool = True  #: also what is held as ambiguous or was refused
    already: Mapping[str, int] | None = None  #: what earlier runs of the same work did, for the guards
    happened: pl.DataFrame | None = None  #: what a push told of, and when (``freshness.HAPPENED``)

    @property
    def follows_the_log(self) -> bool:
        """Whether everything since the cursors is read, so that they may move."""
        return self.names is None and self.limit is None and self.read is None and not self.from_memory


def perform(work: Work, asked: Asked) -> Outcome:
    """Do one run. Raises GuardStopped, the connectors' errors, and the store's.

    A run that stops early is closed with the numbers it reached; nothing after the stop was written.
    """
    now = asked.now or work.clock()
    work.store.runs.keep_policy(work.policy.version, work.policy.as_stored(), now)
    # Before anything is read: whoever is to be forgotten is not taken in first.
    erased = follow_erasures(work) if asked.write and asked.follows_the_log else Erasures()
    with running(work, asked.command, now, policy=work.policy.version) as opened:
        outcome = opened.count(Outcome(opened.run, asked.command, at=now))
        outcome.forgotten = len(erased.forgotten)
        _perform(work, asked, outcome, now)
        if asked.write:
            tell(work, outcome.run, now, fresh=asked.follows_the_log)
    return outcome


def _perform(work: Work, asked: Asked, outcome: Outcome, now: datetime) -> None:
    if asked.from_memory:
        ordered = Sorted(
            Pairing(empty(ASSIGNED), empty(AMBIGUOUS)), empty(RECORD_KEYS), list(stored_slices(work))
        )
        _decide_and_write(work, ordered, asked, outcome, now)
        return
    gathered = _read(work, asked)
    outcome.numbers = replace(outcome.numbers, records_read=gathered.records_read)
    outcome.problems = gathered.problems
    outcome.cursors = gathered.cursors
    try:
        _decide_and_write(work, sort_into_leads(work, gathered, waiting=asked.waiting), asked, outcome, now)
    finally:
        gathered.shelf.clear()


def _decide_and_write(work: Work, ordered: Sorted, asked: Asked, outcome: Outcome, now: datetime) -> None:
    """Decide everything, ask the guards, then write and remember."""
    if asked.limit is not None:
        ordered = _limited(ordered, asked.limit)
    kept = Kept(work.spill_folder, len(ordered.slices))
    try:
        _write_or_observe(
            work, ordered, asked, outcome, now, _decide_all(work, ordered, asked, outcome, now, kept)
        )
    finally:
        kept.clear()


def _write_or_observe(
    work: Work, ordered: Sorted, asked: Asked, outcome: Outcome, now: datetime, first: FirstPass
) -> None:
    if asked.write and work.mode != "observe":
        # Counted so far is what would happen; from here on, what does.
        outcome.numbers = replace(Numbers(), records_read=outcome.numbers.records_read)
        outcome.totals = first.totals
        already = asked.already or {}
        totals = {name: n + already.get(name, 0) for name, n in first.totals.items()}
        stop_if_too_much(work, totals, outcome.leads, approve=asked.approve)
        canary = _canary(work, first)
        if canary is not None:
            ordered = replace(ordered, slices=Led(ordered.slices, canary))
        _write_all(work, ordered, asked, outcome, now, first, read_first=canary is not None)
    elif asked.write:
        _observe(work, ordered, asked, outcome, now, first)


def _canary(work: Work, first: FirstPass) -> pl.Series | None:
    """The leads to be written and read back before the rest; None where there is no rest."""
    few = work.guards.canary
    if not few or first.totals["leads_touched"] <= few:
        return None
    leads = first.changed.sort().head(few)
    return None if leads.is_empty() else leads


def _read(work: Work, asked: Asked) -> Gathered:
    if asked.read is not None:
        return asked.read(work)
    if asked.names is not None:
        return gather_named(work, {crm: list(asked.names.get(crm, [])) for crm in CRMS})
    if asked.since is not None:
        return gather(work, asked.since)
    kept = work.store.runs.cursors()
    return gather(work, {crm: kept.get((crm, work.reading(crm))) for crm in CRMS})


def _limited(ordered: Sorted, limit: int) -> Sorted:
    """The first leads only; the rest is left for another plan."""
    kept, left = [], limit
    for part in ordered.slices:
        if left > 0:
            ids = part.lead_ids.head(left)
            mine = part.assigned.filter(pl.col("lead_id").is_in(ids.implode()))
            kept.append(Slice(ids, part.shelf, mine))
            left -= len(ids)
    return replace(ordered, slices=kept)


def _decide_all(
    work: Work, ordered: Sorted, asked: Asked, outcome: Outcome, now: datetime, kept: Kept
) -> FirstPass:
    nothing = {"creates": 0, "updates": 0, "stage_moves": 0, "leads_touched": 0}
    nobody = pl.Series("lead_id", [], dtype=pl.String)
    first = FirstPass(kept, work.writable(), nothing, nobody)
    spelled, collected = hashlib.sha256(), []
    whole, by_itself = asked.names is None and asked.limit is None, each_by_itself(work)
    with behind(at_once=kept.in_memory) as aside:
        for number, part in enumerate(ordered.slices):
            decided = _decided(work, part, asked, now)
            changes = decided.changes
            outcome.leads += decided.leads.height
            count_changes(first.totals, changes)
            summarise(outcome.summary, decided)
            count_targets(outcome, decided, None)
            if asked.collect:
                collected.append(changes)
                if not whole:
                    note_touched(outcome, decided)
            if number == 0:
                first.changed = changes["lead_id"].unique()
            # What waits is held beside the decision under way, so it is one at most.
            aside.drain()
            aside(_spell, spelled, changes)
            # What others came to is not known yet: where it matters, these are decided when they are written.
            if asked.write and (number == 0 or (by_itself and work.store.runs.was_alone(outcome.run))):
                aside(kept.put, number, decided)
            del decided, changes
    add_numbers(outcome, targets=ordered.pairing.ambiguous.height, held=ordered.pairing.ambiguous.height)
    outcome.fingerprint = spelled.hexdigest()[:16]
    if asked.collect and whole:
        # Every record that was read: a lead that needs no change has to be remembered with the others, and
        # an ambiguous one held, or a later run would meet half of it and take that for somebody new.
        for crm in CRMS:
            outcome.touched[crm] = ordered.keys.filter(pl.col("crm") == crm)["record_id"].to_list()
    if asked.collect:
        outcome.changes = pl.concat(collected) if collected else pl.DataFrame(schema=dict(CHANGES))
    return first


def _spell(spelled: hashlib._Hash, changes: pl.DataFrame) -> None:
    spelled.update(canonical(changes))


def _decided(work: Work, part: Slice, asked: Asked, now: datetime) -> Decided:
    decided = (decide_stored if asked.from_memory else decide_slice)(work, part, now)
    if not decided.changes.is_empty():
        undone = work.store.journal.undone(decided.changes["lead_id"])
        fates = work.store.identity.fates(decided.changes["lead_id"])
        allowed = not_to_be_written(not_again(decided.changes, undone), fates)
        allowed = without_lifecycle(work, allowed)
        decided = without_noise(work, replace(decided, changes=allowed), now)
    return decided if asked.keep is None else as_planned(decided, asked.keep)


def _write_all(
    work: Work,
    ordered: Sorted,
    asked: Asked,
    outcome: Outcome,
    now: datetime,
    first: FirstPass,
    *,
    read_first: bool,
) -> None:
    """Second pass: claim, write and remember slice by slice, then move the cursors.

    ``read_first``: the first slice is the canary, and is read back before the others are written.
    """
    add_numbers(outcome, targets=ordered.pairing.ambiguous.height, held=ordered.pairing.ambiguous.height)
    if asked.approve:
        work.store.runs.approve(outcome.run, now)
    with meanwhile(work, len(ordered.slices) - int(read_first)) as later:
        for number, part in enumerate(ordered.slices):
            # The canary and the others of the first slice were decided together.
            place = max(number - int(read_first), 0)
            kept = first.taken(work, outcome.run, place, again=number < int(read_first))
            ended = _write_slice(work, part, ordered, asked, outcome, now, kept, later)
            del kept
            if read_first and number == 0:
                later.all_remembered()
                read_back(work, ended, outcome.run)
            del ended  # a row a field, and held by nobody once the slice is remembered
    if asked.keep is not None:
        note_vanished(outcome, ordered, asked.keep)
    if asked.follows_the_log and not outcome.busy:
        _move_cursors(work, outcome.cursors, outcome.run, now)
    elif asked.cursors and not outcome.busy and not outcome.moved and not outcome.unplanned:
        # What moved was not brought into agreement, so it has to be read again, whatever moved it.
        _move_cursors(work, asked.cursors, outcome.run, now)


def _move_cursors(work: Work, cursors: Mapping[str, Cursor], run: int, now: datetime) -> None:
    work.at_point("before cursor")
    with work.store.transaction():
        note_readings(work, [(crm, work.reading(crm)) for crm in cursors], now)
        for crm, cursor in cursors.items():
            work.store.runs.move_cursor(crm, work.reading(crm), cursor, run, now)
        work.store.outside.keep_scope(work.scope.digest, now)
    work.at_point("after cursor")


def _write_slice(
    work: Work,
    part: Slice,
    ordered: Sorted,
    asked: Asked,
    outcome: Outcome,
    now: datetime,
    kept: Decided | None,
    later: Meanwhile,
) -> pl.DataFrame:
    """Returns what was written and how it ended (``write.ENDED``); ``later`` remembers it."""
    store, run = work.store, outcome.run
    fence, ours = store.runs.claim(part.lead_ids, run, now, work.claim_seconds)
    fresh, kept, ours = up_to_date(work, part, kept, ours, run)
    outcome.busy += len(part.lead_ids) - len(ours)
    outcome.busy_leads |= set(part.lead_ids) - ours
    later.before_deciding()
    decided = reserved(work, kept, lambda: _decided(work, fresh, asked, now), ours, run, now)
    if len(ours) < decided.leads.height:
        decided = only(decided, ours)
    # Leads that moved are left as they were: to remember them now would take their difference for agreed.
    if decided.moved is not None and decided.unplanned is not None:
        ours = ours - set(decided.moved["lead_id"]) - set(decided.unplanned)
        outcome.unplanned += len(decided.unplanned)
    carried = only(decided, ours)
    work.at_point("before intents")
    with store.transaction():
        store.journal.intend(carried.changes, run, now)
        decisions = carried.conflicts.filter(pl.col("winner") != "nobody")
        store.journal.remember_conflicts(with_own_times(decisions, carried.leads), run, now)
    work.at_point("after intents")
    later.before_writing()
    nothing = carried.changes.is_empty()
    results = nothing_written() if nothing else carry_out(work, carried.changes, carried.conflicts)
    links = renewed_links(part.assigned.filter(pl.col("lead_id").is_in(list(ours))), slice_keys(work, fresh))
    held = None if asked.from_memory else _held(ordered, part, carried)
    if decided.moved is not None:
        outcome.moved += records_of(decided.moved)
    count_targets(outcome, decided, results)
    later(partial(_remember_slice, asked, outcome, now, fence, carried, links, held, results))
    return results.changes


def _remember_slice(
    asked: Asked,
    outcome: Outcome,
    now: datetime,
    fence: int,
    carried: Decided,
    links: pl.DataFrame,
    held: pl.DataFrame | None,
    results: Results,
    work: Work,
) -> None:
    """What a slice came to, and who it left out; then its claims are let go."""
    run = outcome.run
    outcome.became += remember(
        work, run, fence, carried, links, held, results, now, mended=not asked.from_memory
    )
    note_reach(work, carried.leads, run, now)
    if asked.read is None and asked.keep is None and not asked.from_memory:
        note_freshness(work, carried.leads, results.changes, asked.happened)
    work.store.runs.release(run, fence)


def _held(ordered: Sorted, part: Slice, decided: Decided) -> pl.DataFrame:
    return with_suggestions(held_rows(_ambiguous_of(ordered, part), decided), ordered.suggested)


def _ambiguous_of(ordered: Sorted, part: Slice) -> Pairing:
    """The run's ambiguous records belong to no lead: they are remembered once, with the first slice."""
    if part is ordered.slices[0]:
        return ordered.pairing
    return replace(ordered.pairing, ambiguous=ordered.pairing.ambiguous.clear())


def _observe(
    work: Work, ordered: Sorted, asked: Asked, outcome: Outcome, now: datetime, first: FirstPass
) -> None:
    """Observe mode: remember who is who and what the policy says, and write to no CRM.

    Bases and cursors stay as they are: nothing was brought into agreement, so the first writing run has to
    meet every difference anew.
    """
    quiet = pl.DataFrame(schema=dict(CHANGES))
    for number, part in enumerate(ordered.slices):
        kept = first.taken(work, outcome.run, number)
        fence, ours = work.store.runs.claim(part.lead_ids, outcome.run, now, work.claim_seconds)
        fresh, kept, ours = up_to_date(work, part, kept, ours, outcome.run)
        decided = only(kept if kept is not None else _decided(work, fresh, asked, now), ours)
        mine = part.assigned.filter(pl.col("lead_id").is_in(list(ours)))
        links = renewed_links(mine, slice_keys(work, fresh))
        silent = replace(decided, changes=quiet)
        held = None if asked.from_memory else _held(ordered, part, decided)
        outcome.became += remember(
            work, outcome.run, fence, silent, links, held, nothing_written(), now, mended=False
        )
        work.store.runs.release(outcome.run, fence)
