"""Salesforce's change events, listened to for as long as there is a worker (Salesforce reference, section 8)."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime

from connectors.salesforce.pubsub.changes import Change, Kind
from connectors.salesforce.pubsub.errors import ReplayGone
from connectors.salesforce.pubsub.listening import Batch, Listening, PubSub, topic_of
from sync import app_logs
from sync.app import App
from sync.inbox import Wanted, wanted
from sync.pulllogs import EVERY, LOST_PLACE, NO_DATA, OVERFLOW, Loss, Step, begun, noted, take_in
from sync.store.inbox import Hint, Hints, fold
from sync.work import Work

NAME, CRM = "salesforce changes", "salesforce"
#: Seconds between two looks at whether somebody wants us to stop.
LOOK_EVERY = 0.25


def listen(app: App, stop: threading.Event) -> None:
    """Listen until ``stop``. Raises the connectors' errors, and OSError for a ``salesforce.ca_file`` that is away."""
    work = app.recalled()
    if work is None or app.owned is None:
        return
    with ExitStack() as stack, noted(work, NAME, CRM, stop):
        pubsub = app_logs.pubsub(app.settings, app.owned, stack)
        topic = topic_for(app, work)
        while not stop.is_set():
            try:
                follow(work, pubsub, topic, stop)
            except ReplayGone:
                if not _began_anew(work):
                    raise


def topic_for(app: App, work: Work) -> str:
    """The topic that the config wants, or that of the object that is synced."""
    return app.settings.salesforce.pubsub_topic or topic_of(work.objects[CRM])


def follow(work: Work, pubsub: PubSub, topic: str, stop: threading.Event) -> None:
    """Take in what a topic tells, until ``stop`` or its end. Raises ReplayGone where its place is lost."""
    log = begun(work, NAME, CRM)
    place = None if log.place is None else log.place["replay"]
    asked, known = wanted(work), log.known_until
    for batch in batches_of(pubsub.listen(topic, place), stop):
        step = step_of(batch, asked, known, work.clock())
        if step.place is None and place is not None:
            step = Step({"replay": place}, step.known_until, step.hints, step.events, step.losses)
        take_in(work, NAME, CRM, step)
        known, place = step.known_until, batch.place or place


def _began_anew(work: Work) -> bool:
    """Begin again with the oldest that is kept; what lies before is read again by other means. False: it was there."""
    now, log = work.clock(), work.store.offsets.of(NAME)
    if log is None or log.place is None:
        return False
    take_in(work, NAME, CRM, Step(None, now, losses=(Loss(LOST_PLACE, log.known_until, now),)))
    return True


def batches_of(listening: Listening, stop: threading.Event) -> Iterator[Batch]:
    """Batches until ``stop``. They are waited for in a thread of its own: a quiet stream is silent for minutes.

    The next one is asked for when the last one has been worked off, and not before.
    """
    wants: queue.SimpleQueue[bool] = queue.SimpleQueue()
    found: queue.SimpleQueue[Batch | BaseException] = queue.SimpleQueue()

    def take() -> None:
        while wants.get():
            try:
                found.put(next(listening))
            except BaseException as error:  # noqa: BLE001 - handed to whoever waits
                found.put(error)
                return

    thread = threading.Thread(target=take, daemon=True, name="leadpact-changes")
    thread.start()
    try:
        while not stop.is_set():
            wants.put(True)
            batch = _next(found, stop)
            if batch is None:
                return
            yield batch
    finally:
        wants.put(False)


def _next(found: queue.SimpleQueue[Batch | BaseException], stop: threading.Event) -> Batch | None:
    """The next batch; None once ``stop`` is set, or at the end. Raises what ended the stream."""
    while not stop.is_set():
        try:
            got = found.get(timeout=LOOK_EVERY)
        except queue.Empty:
            continue
        if isinstance(got, StopIteration):
            return None
        if isinstance(got, BaseException):
            raise got
        return got
    return None


def step_of(batch: Batch, asked: Wanted, known_until: datetime, now: datetime) -> Step:
    """Change events as what is to be kept of them. ``known_until``: before them. Pure."""
    name = asked.objects[CRM]
    unnamed = (Kind.LOST, Kind.EVERY)
    ours = [one for one in batch.changes if one.object == name or (one.kind in unnamed and not one.object)]
    hints: Hints = {}
    for change in ours:
        hint = _hint(change, asked, now)
        fold(hints, (((CRM, name, record), hint) for record in change.record_ids))
    times = [one.committed_at for one in batch.changes if one.committed_at is not None]
    # Events come in the order of their commits; a quiet stream names a place at which nothing is missing.
    known = max([known_until, *times]) if batch.changes else max(known_until, now)
    place = None if batch.place is None else {"replay": batch.place}
    return Step(place, known, hints, len(ours), tuple(_losses(ours, known_until, now)))


def _hint(change: Change, asked: Wanted, now: datetime) -> Hint:
    opt_outs = asked.opt_outs.get(CRM, frozenset())
    # An event that does not say which fields may be about a withdrawn consent.
    urgent = change.fields is None or not opt_outs.isdisjoint(change.fields)
    return Hint(change.committed_at or now, urgent=urgent, gone=change.kind is Kind.DELETED)


def _losses(changes: list[Change], known_until: datetime, now: datetime) -> Iterator[Loss]:
    lost = [one for one in changes if one.kind is Kind.LOST]
    if lost:
        # Its transaction began before it was committed, and told of nothing until then.
        yield Loss(OVERFLOW, min([known_until, *(one.committed_at or known_until for one in lost)]), now)
    every = [one.committed_at or now for one in changes if one.kind is Kind.EVERY]
    if every:
        yield Loss(EVERY, min(every), max(every), whole=True)
    blind = [one for one in changes if one.kind is Kind.GAP]
    if blind:
        times = [one.committed_at or now for one in blind]
        named = {record for one in blind for record in one.record_ids}
        yield Loss(NO_DATA, min(times), max(times), len(named))
