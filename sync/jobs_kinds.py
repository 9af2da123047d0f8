"""What each job does, with what a run is handed. A job that ended well says in one line what came of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from sync.agree import agree
from sync.app import App, utc_now
from sync.backfill import carry_on, plan_backfill
from sync.drift import find_drift, parts_to_read, plan_repair, repair_drift
from sync.inbox import BUSY_AGAIN, drain
from sync.jobs import LANES, WrongJob, backfill_slice, drain_inbox, read_gaps, scheduled, wanted_of
from sync.jobs_gaps import see_to_gaps
from sync.jobs_notify import look_at_schema, look_for_alerts, send_letters, send_monday_mail
from sync.jobs_rates import tell_rates
from sync.jobs_report import write_report
from sync.read import with_counterparts
from sync.rescored import rescore
from sync.retain import retain
from sync.run import Asked, perform
from sync.store.backfills import SliceRow
from sync.store.jobs import NewJob
from sync.tally import Outcome
from sync.work import CRMS, Work

#: Between the time when a record may be read again and the job that does: two clocks need not agree.
A_MOMENT = timedelta(seconds=0.5)


#: Leads that a backfill holds at the same time. Whoever is told of in a push meanwhile waits until these are written:
#: ten calls of HubSpot's and ten of Salesforce's (HubSpot reference, section 4.3; Salesforce reference, section 4).
HELD_AT_ONCE = 1_000


class Busy(Exception):
    """Another run is working on some of the leads; the rest is done."""


@dataclass(frozen=True, slots=True)
class Given:
    """What a job gets. ``lane``: its own. ``app`` made ``work``, and knows the config."""

    app: App
    work: Work
    lane: str
    args: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Said:
    """What came of a job: a line for the log, the jobs that follow it, and the run that did it, if one did."""

    words: str
    then: tuple[NewJob, ...] = ()
    run: int | None = None


Kind = Callable[[Given], Said]


def _incremental(given: Given) -> Said:
    said = _ended(perform(given.work, Asked("sync")))
    # What stopped the job that reads a gap again is over, where it was a guard.
    return replace(said, then=(read_gaps(),)) if given.work.store.offsets.open_gaps() else said


def _look_at(given: Given) -> Said:
    crm, records = given.args.get("crm"), given.args.get("records")
    if crm not in CRMS or not isinstance(records, list):
        raise WrongJob("look_at")
    names = with_counterparts(given.work, {name: [] for name in CRMS} | {crm: list(map(str, records))})
    return _ended(perform(given.work, Asked("sync", names=names)))


def _drain(given: Given) -> Said:
    crm = given.args.get("crm")
    if crm not in CRMS:
        raise WrongJob("drain")
    # Whoever saw this job queued, and added none, has a row that we have to see.
    given.work.store.jobs.await_senders()
    drained = drain(given.work, crm=crm)
    words = f"{drained.done} of {drained.taken} records read again"
    urgent, then = given.lane == "consent", []
    if drained.more:
        then.append(drain_inbox(crm, urgent=urgent))
    if drained.later:
        # Not this job again: who is told of in the meantime would wait with it for a lead that is none of theirs.
        then.append(drain_inbox(crm, urgent=urgent, at=utc_now() + BUSY_AGAIN + A_MOMENT))
    return Said(words, tuple(then), run=drained.outcome.run if drained.outcome else None)


def _gaps(given: Given) -> Said:
    done = see_to_gaps(given.app, given.work)
    if done.outcome is None:
        return Said("everything was read again before")
    if not done.closed:
        raise Busy("some leads are worked on by another run")
    return _ended(done.outcome)


def _rescore(given: Given) -> Said:
    done = rescore(given.work)
    said = _ended(done.judged)
    if not done.is_whole:
        # Not this job again: it has judged everybody. A sync reads whoever still waits, and fails by itself.
        return replace(
            said, words=f"{said.words}; owners are left to a sync", then=(scheduled("incremental"),)
        )
    if done.owners is None:
        return said
    return replace(said, words=f"{said.words}; owners given in {_ended(done.owners).words}")


def _agree(given: Given) -> Said:
    found = agree(given.work, given.work.clock())
    return Said(f"{found.agreed} of {found.linked} linked leads agree, {found.unexplained} unexplained")


def _drift(given: Given) -> Said:
    found = find_drift(given.work, parts_to_read(given.work, given.work.clock()))
    if not found.drifted:
        return Said("nothing drifted")
    return _ended(repair_drift(given.work, plan_repair(given.work, found)))


def _retention(given: Given) -> Said:
    periods: dict[str, int] = dict(given.app.settings.privacy.keep_days.items())
    if not periods:
        return Said("no deletion period is set")
    counts = retain(given.work, periods, really=True)
    return Said(f"{sum(counts.values())} rows of history deleted")


def _report(given: Given) -> Said:
    return Said(f"the report is {write_report(given.app, given.work)}")


def _notify(tell: Callable[[App, Work], tuple[str, tuple[NewJob, ...]]]) -> Kind:
    """A job that tells people."""
    return lambda given: Said(*tell(given.app, given.work))


def _backfill(given: Given) -> Said:
    wanted, approve = wanted_of(given.args), bool(given.args.get("approve"))
    plan = plan_backfill(given.work, wanted, given.work.clock())
    # Read in slices as large as anybody's, written in parts that nobody waits for.
    # Half as large as what is held: one is remembered, and held until then, while the next is written.
    parts = replace(given.work, slice_leads=min(given.work.slice_leads, HELD_AT_ONCE // 2))
    done = carry_on(parts, plan, _silent, approve=approve, most=1)
    if done.busy:
        raise Busy("the slice met another run")
    left = len(plan.left) - 1
    then = (backfill_slice(wanted, approve=approve),) if left > 0 else ()
    return Said(f"{max(left, 0)} slices left", then, done.runs[-1] if done.runs else None)


def _silent(part: SliceRow, count: int, of: int, seconds: float) -> None:
    """Nobody is looking on."""


def _ended(outcome: Outcome) -> Said:
    numbers = outcome.numbers
    words = (
        f"run {outcome.run}: {numbers.targets} targets, {numbers.written} written, {numbers.refused} refused"
    )
    if outcome.busy:
        raise Busy(words)
    return Said(words, run=outcome.run)


KINDS: Mapping[str, Kind] = {
    "incremental": _incremental,
    "look_at": _look_at,
    "drain": _drain,
    "gaps": _gaps,
    "rescore": _rescore,
    "agree": _agree,
    "drift": _drift,
    "retention": _retention,
    "report": _report,
    "backfill": _backfill,
    "alerts": _notify(look_for_alerts),
    "schemas": _notify(look_at_schema),
    "letters": _notify(send_letters),
    "rates": _notify(tell_rates),
    "mail": _notify(send_monday_mail),
}
#: These ask the memory alone, so they are done while a CRM is away, too: whoever is to be told of that must be told.
FROM_MEMORY = frozenset({"retention", "alerts", "letters", "rates", "mail"})
#: These ask what the CRMs are like now: what the app has read of it before does not count.
AFRESH = frozenset({"schemas"})


def do(what: str, given: Given) -> Said:
    """Do a job. Raises what a run raises, Busy, and WrongJob for one that this program does not know."""
    kind = KINDS.get(what)
    if kind is None or given.lane not in LANES:
        raise WrongJob(what)
    return kind(given)
