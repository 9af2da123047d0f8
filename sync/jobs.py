"""The jobs there are, and how they come into the queue.

A job is only a reason to look: what is true stands in the inbox, the cursors, the journal and the bases, so every job
can be run twice, and one that is lost is missed until the next schedule at most. Its arguments are names and ids,
never a value of a lead.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from connectors.quota import Lane
from sync.backfill import Wanted
from sync.store.jobs import NewJob

#: From the most urgent to the least; each is a queue, and a part of the call budgets (``connectors.quota``).
LANES: tuple[Lane, ...] = ("consent", "handover", "live", "backfill")
#: The schedules of the config: name to the lane of its job. A run over everything yields to what is live.
SCHEDULED: Mapping[str, Lane] = {
    "incremental": "live",
    "agree": "backfill",
    "rescore": "backfill",
    "drift": "backfill",
    "retention": "backfill",
    "report": "backfill",
    # Nobody is told late because a long run is under way: these are short.
    "alerts": "handover",
    "schemas": "live",
    "rates": "backfill",
    "mail": "backfill",
}
#: Records of one ``look_at``: one call by id to HubSpot (HubSpot reference, section 4.3).
MOST_RECORDS = 100


class WrongJob(Exception):
    """A job says something that this program does not understand: a newer one may have queued it."""

    def __init__(self, what: str) -> None:
        super().__init__(f"this Leadpact knows no such job, or not with these arguments: {what}")


def look_at(crm: str, records: Sequence[str], lane: Lane = "live") -> list[NewJob]:
    """Jobs that read these records of a CRM again and bring their leads into agreement.

    A burst about the same records adds one job to the one that is being worked on.
    """
    ids = sorted(set(records))
    jobs = []
    for first in range(0, len(ids), MOST_RECORDS):
        some = ids[first : first + MOST_RECORDS]
        # A hash: the words of a fold outlive the ids that are taken out of a job when somebody is forgotten.
        digest = hashlib.sha256("\n".join(some).encode()).hexdigest()[:24]
        jobs.append(NewJob("look_at", lane, {"crm": crm, "records": some}, f"look_at:{crm}:{lane}:{digest}"))
    return jobs


def drain_inbox(crm: str, *, urgent: bool = False, at: datetime | None = None) -> NewJob:
    """A job that reads again what pushes of a CRM told of. ``urgent``: somebody wants to hear no more.

    ``at``: for what could not be read now; what is told of meanwhile does not wait for it.
    """
    lane: Lane = "consent" if urgent else "live"
    fold = f"drain:{crm}:{lane}" + (":later" if at else "")
    return NewJob("drain", lane, {"crm": crm}, fold, at)


def read_gaps() -> NewJob:
    """A job that reads what pulled logs could not tell. It yields to what is live: it may be much."""
    return NewJob("gaps", "backfill", {}, "gaps")


def scheduled(name: str) -> NewJob:
    """The job of a schedule; one that still waits stands for the next one too."""
    return NewJob(name, SCHEDULED[name], {}, name)


def backfill_slice(wanted: Wanted, *, approve: bool = False) -> NewJob:
    """A job that does the first slice of a backfill that nobody has done, and queues the next."""
    return NewJob(
        "backfill",
        "backfill",
        {**wanted.key(), "approve": approve},
        "backfill:" + hashlib.sha256(repr(sorted(wanted.key().items())).encode()).hexdigest()[:24],
    )


def wanted_of(args: Mapping[str, Any]) -> Wanted:
    """The backfill that a job's arguments name. Raises WrongJob."""
    try:
        start, end = (args[name] and datetime.fromisoformat(args[name]) for name in ("from", "to"))
        return Wanted(tuple(map(str, args["crms"])), start or None, end or None)
    except (KeyError, TypeError, ValueError):
        wrong = WrongJob("backfill")
    raise wrong
