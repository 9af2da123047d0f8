"""From pushes to runs: what webhooks told of is read again in batches, and only what was read leaves the inbox.

    hints_of(events)     events of a request → hints, one a record (pure)
    drain(work, limit)   hints → one run over these records → the inbox without them

A hint is never believed beyond "look again". So duplicates, bursts and any order of events end in the same: the record
as it is now. A drain that is killed has lost nothing, its hints are the next one's.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import polars as pl

from connectors.crm import RECORD_ID
from connectors.errors import NeedsPerson, RetryLater
from connectors.hubspot.events import Event, Kind
from connectors.salesforce.outbound import OutboundMessage
from sync.erasures import forget_record
from sync.errors import Stopped, WrongUse
from sync.freshness import HAPPENED
from sync.read import with_counterparts
from sync.removals import follow_told
from sync.run import Asked, perform
from sync.store.inbox import Hint, Hints, Key, Taken, fold
from sync.store.leads import RECORDS
from sync.tally import Outcome
from sync.work import CRMS, Work

#: Records of one drain. A hundred cost hardly more than one, and a run of this size still ends within seconds.
MOST = 500
#: How long a record rests whose lead another run is working on.
BUSY_AGAIN = timedelta(seconds=2)
#: How long a record rests that could not be worked on, after the first time; twice as long after each further one.
FAILED_AGAIN = timedelta(seconds=30)
#: Pushes of so long count as one run before the guards: a flood of small runs is not let pass where a large one is not.
ONE_RUN = timedelta(minutes=5)
#: After so many times it is parked until something new is told of it.
MOST_TRIES = 5

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Drained:
    """What became of the hints that were taken.

    ``outcome``: of the run; None where there was nothing to run for. ``done`` left the inbox; ``later`` wait for a lead
    that another run works on; ``failed`` will be tried again, alone, or are parked. ``forgotten``: people who were
    erased, those that were never met among them. ``more``: something is due now.
    """

    outcome: Outcome | None = None
    taken: int = 0
    done: int = 0
    later: int = 0
    failed: int = 0
    forgotten: int = 0
    more: bool = False


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is taken from a push. ``objects``: CRM to the object that holds its leads; others are left out.

    ``opt_outs``: CRM to the fields that say that somebody wants to hear no more; a push about them goes first.
    """

    objects: Mapping[str, str]
    opt_outs: Mapping[str, frozenset[str]] = field(default_factory=dict)


def wanted(work: Work) -> Wanted:
    """What a config wants of pushes."""
    opt_outs = [rule.field for rule in work.rules if rule.opt_out]
    return Wanted(
        dict(work.objects),
        {
            crm: frozenset(
                filter(None, (work.field_map.rules[name].source(crm, work.objects[crm]) for name in opt_outs))
            )
            for crm in CRMS
        },
    )


def hints_of(events: Iterable[Event], wanted: Wanted) -> Hints:
    """HubSpot's events as hints. Pure."""
    opt_outs = wanted.opt_outs.get("hubspot", frozenset())
    hints: Hints = {}
    for event in events:
        hint = Hint(
            event.occurred_at,
            erased=event.kind is Kind.ERASED,
            urgent=not opt_outs.isdisjoint(event.changes),
            gone=event.kind is Kind.ARCHIVED,
        )
        fold(hints, [(key, hint) for key in _ours("hubspot", _named(event), wanted)])
    return hints


def _named(event: Event) -> Iterable[tuple[str, str]]:
    # Nearly every event names one record, and there are thousands a second.
    if event.association is None and not event.gone_ids:
        return () if event.record_id is None else ((event.object, event.record_id),)
    return event.records


def concerns_us(event: Event, wanted: Wanted) -> bool:
    """Whether an event names a record that we sync, at either end. Pure."""
    name, other = wanted.objects["hubspot"], event.association
    own = event.object == name and (event.record_id is not None or bool(event.gone_ids))
    return own or (other is not None and other.object == name)


def hints_of_message(message: OutboundMessage, wanted: Wanted, now: datetime) -> Hints:
    """An Outbound Message as hints. It carries no time of its own, so ``now`` is that of the change. Pure.

    It tells what a record holds and not what changed: whoever has opted out is looked at first.
    """
    opt_outs = wanted.opt_outs.get("salesforce", frozenset())
    hints: Hints = {}
    for one in message.notifications:
        hint = Hint(now, urgent=any(one.fields.get(name) == "true" for name in opt_outs))
        fold(hints, ((key, hint) for key in _ours("salesforce", [(one.object, one.record_id)], wanted)))
    return hints


def _ours(crm: str, records: Iterable[tuple[str, str]], wanted: Wanted) -> list[Key]:
    return [(crm, name, record) for name, record in records if name == wanted.objects[crm]]


def drain(work: Work, limit: int = MOST, crm: str | None = None) -> Drained:
    """Read again what the inbox names (of one CRM, if given), decide and write; at most ``limit`` records.

    Raises RetryLater, NeedsPerson, GuardStopped and the store's errors: then everything stays in the inbox. What goes
    wrong with these records alone is put off and tried one by one, so that it never holds up the others.
    """
    now = work.clock()
    with work.store.inbox.take(limit, now, crm) as taken:
        if taken.hints.is_empty():
            return Drained()
        try:
            drained = _look_again(work, taken, now)
        except (RetryLater, NeedsPerson, Stopped):
            raise
        except Exception as problem:  # noqa: BLE001 - told, put off and in the end parked
            # Whatever it is, it must not stop what others wait for. The log has its kind and place.
            _log.warning("a drain of the inbox failed", exc_info=problem, extra={"count": taken.hints.height})
            _put_off(taken, taken.hints, now)
            drained = Drained(taken=taken.hints.height, failed=taken.hints.height)
    return replace(drained, more=work.store.inbox.due(work.clock()))


def _look_again(work: Work, taken: Taken, now: datetime) -> Drained:
    hints = taken.hints
    forgotten, stuck = _forget_erased(work, hints.filter("erased"))
    rest = hints.join(pl.concat([forgotten, stuck]), on=list(RECORDS), how="anti")
    if not stuck.is_empty():
        _put_off(taken, stuck, now)
    outcome, later = None, rest.clear()
    if not rest.is_empty():
        survivors = follow_told(work, rest.filter("gone"))
        asked = Asked(
            "webhook",
            names=_names(work, pl.concat([rest.select(*RECORDS), survivors])),
            waiting=False,
            happened=rest.select(*HAPPENED),
            already=work.store.inbox.pushed(now - ONE_RUN),
        )
        outcome = perform(work, asked)
        later = _busy(work, rest, outcome)
    done = hints.join(pl.concat([later, stuck]), on=list(RECORDS), how="anti")
    taken.settle(done, later, work.clock() + BUSY_AGAIN, now)
    return Drained(outcome, hints.height, done.height, later.height, stuck.height, forgotten.height)


def _put_off(taken: Taken, hints: pl.DataFrame, now: datetime) -> None:
    """Rest for longer each time, and after the last one until something new is told."""
    for (tries,), some in hints.partition_by("tries", as_dict=True).items():
        failed = int(tries) + 1
        parked = failed >= MOST_TRIES
        taken.put_off(some, None if parked else now + FAILED_AGAIN * 2 ** (failed - 1))


def _names(work: Work, named: pl.DataFrame) -> dict[str, list[str]]:
    """The records to read: those named (``RECORDS``), everything their leads have, and whoever may be the same person.

    A record that is gone is found missing only beside the other one of its lead.
    """
    leads = work.store.leads.links_of_records(named)["lead_id"]
    whole = pl.concat([named, work.store.leads.links_of_leads(leads).select(*RECORDS)]).unique(
        maintain_order=True
    )
    names = {crm: whole.filter(pl.col("crm") == crm)["record_id"].to_list() for crm in CRMS}
    return with_counterparts(work, names)


def _busy(work: Work, hints: pl.DataFrame, outcome: Outcome) -> pl.DataFrame:
    """Those whose leads another run had; while there are any, also those without a lead: it may be one of them."""
    if not outcome.busy:
        return hints.clear()
    links = work.store.leads.links_of_records(hints.select(*RECORDS))
    leads = hints.join(links, on=list(RECORDS), how="left", maintain_order="left")
    wanted = leads["lead_id"].is_null() | leads["lead_id"].is_in(sorted(outcome.busy_leads))
    return hints.filter(wanted)


def _forget_erased(work: Work, hints: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Forget whoever was deleted for privacy: those who are forgotten now, and those who could not be yet.

    The word of an event is not enough to erase somebody: their record must be gone (HubSpot reference, section 4.6).
    One that nobody has met is barred, so that what is left of the person is not taken in.
    """
    forgotten, stuck = [], []
    for (crm,), some in hints.partition_by("crm", as_dict=True).items():
        there = _there(work, str(crm), some["record_id"].to_list())
        for number, record in enumerate(some["record_id"].to_list()):
            if record in there:
                continue
            try:
                forget_record(work, str(crm), record, f"a push told of a deletion for privacy in {crm}")
            except WrongUse as busy:
                _log.info("somebody could not be forgotten yet", exc_info=busy, extra={"crm": crm})
                stuck.append(some.slice(number, 1))
            else:
                forgotten.append(some.slice(number, 1))
    return pl.concat([hints.clear(), *forgotten]), pl.concat([hints.clear(), *stuck])


def _there(work: Work, crm: str, records: list[str]) -> set[str]:
    """Those of the records that can still be read."""
    found: set[str] = set()
    for slab in work.crms[crm].fetch(work.objects[crm], (), records):
        found.update(slab.frame.filter(~pl.col("_archived"))[RECORD_ID].to_list())
    return found
