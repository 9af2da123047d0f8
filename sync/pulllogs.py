"""The logs that are pulled: everything that happened in a CRM in the last three days, in order, fetched by us.

    begun(work, …)       where a log is to be read from; what it cannot tell is told and read again
    take_in(work, …)     what one answer of it brought, with the place behind it, in one transaction

So whatever dies in between, an answer is either in the inbox and not asked for again, or asked for again. What it names
is read again by the drain (``sync.inbox``), like a push; events that come twice, late or in another order end in the
same.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from connectors.errors import ConnectorError, NeedsPerson, RetryLater
from sync.jobs import drain_inbox, read_gaps
from sync.sentences import joined
from sync.store.inbox import Hints
from sync.store.offsets import PullLog
from sync.work import Work

#: How long both CRMs keep what happened (HubSpot reference, section 10.4; Salesforce reference, section 8).
RETENTION = timedelta(hours=72)
#: How much of that is not relied on: clocks differ, and the oldest may go while it is being read.
MARGIN = timedelta(hours=1)
#: A CRM that names a time is not asked before it, within this.
LONGEST_REST = timedelta(hours=1)

#: Why a log could not tell something, as people read it.
NEW = "it was not listened to before"
TOO_OLD = "it is kept for three days, and nobody read it for longer"
LOST_PLACE = "the place that was read to is no longer known there"
OVERFLOW = "too much changed at once to be told one by one"
EVERY = "every record changed at once, as when a field is given another type"
NO_DATA = "records were named without what happened to them"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Loss:
    """What a log cannot tell, between two times of the CRM's clock (aware).

    ``records``: how many it names nevertheless, which are among the hints; None where it names none. ``whole``: every
    record is concerned, and none need show when it changed.
    """

    why: str
    begins_at: datetime
    ends_at: datetime
    records: int | None = None
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """What one answer of a log brought. ``place``: to go on from, None for its beginning.

    ``known_until``: nothing is missing up to then, once this is kept; ``events``: how many it told of.
    """

    place: Mapping[str, str] | None
    known_until: datetime
    hints: Hints = field(default_factory=dict)
    events: int = 0
    losses: tuple[Loss, ...] = ()


def begun(work: Work, name: str, crm: str) -> PullLog:
    """Where a log was read to. One that nobody has read yet begins with what the last sync has not read.

    What it will not tell of, by our clock, is noted and read again.
    """
    now = work.clock()
    known = work.store.offsets.of(name)
    if known is None or known.is_new:
        since = _last_sync(work, crm)
        losses = () if since is None else (Loss(NEW, since, now),)
        take_in(work, name, crm, Step(None, since or now, losses=losses))
    elif known.known_until <= now - RETENTION + MARGIN:
        loss = Loss(TOO_OLD, known.known_until, now)
        take_in(work, name, crm, Step(None, now, losses=(loss,)))
    else:
        # A job that was stopped by a guard or dropped must not leave a gap that nobody reads.
        _see_to_gaps(work)
    return work.store.offsets.of(name) or PullLog(name, crm, None, now, now)


def take_in(work: Work, name: str, crm: str, step: Step) -> None:
    """Keep what a log told, where to go on, and what it could not tell; all of it, or nothing."""
    now, store = work.clock(), work.store
    with store.transaction():
        if step.hints:
            store.inbox.put(step.hints, now)
        store.offsets.keep(PullLog(name, crm, step.place, step.known_until, now, step.events))
        for loss in step.losses:
            times = (min(loss.begins_at, loss.ends_at), loss.ends_at)
            store.offsets.open_gap(name, crm, loss.why, times, now, records=loss.records, whole=loss.whole)
        if any(loss.records is None for loss in step.losses):
            store.jobs.enqueue(read_gaps())
        if step.hints:
            store.jobs.enqueue(drain_inbox(crm, urgent=any(one.urgent for one in step.hints.values())))
    for loss in step.losses:
        _tell(name, crm, loss)


def _tell(name: str, crm: str, loss: Loss) -> None:
    """One line for the operator; `leadpact status` tells it until it is over, and so do the alerts."""
    _log.warning(
        "the log %s does not tell what happened from %s to %s: %s; %s",
        name,
        loss.begins_at.isoformat(),
        loss.ends_at.isoformat(),
        loss.why,
        "it is read again by itself" if loss.records is None else f"{loss.records} records are read again",
        extra={"crm": crm},
    )


def _see_to_gaps(work: Work) -> None:
    if work.store.offsets.open_gaps():
        work.store.jobs.enqueue(read_gaps())


def _last_sync(work: Work, crm: str) -> datetime | None:
    """When the last sync began that read this CRM to its end: what changed later, it may not have seen."""
    ours = [one for one in work.store.standing.read_to() if (one.crm, one.object) == (crm, work.reading(crm))]
    return min((one.started or one.moved_at for one in ours), default=None)


@contextmanager
def noted(work: Work, name: str, crm: str, stop: threading.Event) -> Iterator[None]:
    """Whatever breaks a log off stands in `leadpact status` until it is heard again. Raises it.

    A CRM that names a time is not asked before it; other waiting is the stream's (``sync.jobs_streams``).
    """
    try:
        yield
    except ConnectorError as problem:
        fix = problem.fix if isinstance(problem, NeedsPerson) else ""
        work.store.offsets.note_problem(name, crm, joined(str(problem), fix), work.clock())
        if isinstance(problem, RetryLater):
            stop.wait(_rest(problem, work.clock()).total_seconds())
        raise


def _rest(problem: RetryLater, now: datetime) -> timedelta:
    asked = timedelta(seconds=problem.wait_seconds or 0.0)
    if problem.not_before is not None:
        asked = max(asked, problem.not_before - now)
    return min(max(asked, timedelta()), LONGEST_REST)
