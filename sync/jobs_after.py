"""What follows a job that did not end well: again soon, again later, parked for a person, or let go. Pure.

Seconds are waited for in ``connectors.retry``; minutes to hours are waited for here, and nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from connectors.errors import NeedsPerson, OurBug, RecordRefused, RetryLater
from sync.errors import CrmAway, DatabaseAway, GuardStopped, Stopped
from sync.jobs_kinds import Busy
from sync.store.jobs import SERVER_GONE, Failure

#: How long a job waits whose leads another run is working on, after the first time; then twice as long, up to half
#: a minute.
SOON = 1.0
SOON_AT_MOST = 30.0
#: After a CRM was busy or away: a minute, then twice as long.
LATER = 60.0
#: Up to this, by lane: people wait for a handover, nobody for a backfill.
LATER_AT_MOST = {"consent": 300.0, "handover": 300.0, "live": 900.0, "backfill": 3_600.0}
#: After an error that nobody foresaw.
UNFORESEEN = 5.0
#: A CRM that is away for so long is a matter for a person.
GIVE_UP_SECONDS = 24 * 3_600.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be done with the job.

    ``again``: at ``at`` (None: at once). ``park``: kept until a person decides. ``drop``: over; the next schedule or
    the next event tries again. ``failure``: what is noted; None for what is no failure. ``tires``: whether it is a
    matter for a person where it comes too often, or for too long.
    """

    then: Literal["again", "park", "drop"]
    failure: Failure | None = None
    at: datetime | None = None
    tires: bool = True


class GivenBack(BaseException):
    """The worker stops and leaves this job to another. No handler of errors on its way may take it for one."""


def judge(
    error: BaseException, lane: str, attempts: int, now: datetime, place: str, *, what: str = ""
) -> Verdict:
    """What follows this error of a job that was tried ``attempts`` times before.

    ``place``: where it was raised. ``what``: what the job does.
    """
    kind = type(error).__name__
    if isinstance(error, (GivenBack, DatabaseAway, *SERVER_GONE)):
        return Verdict("again")
    if isinstance(error, Busy):
        return Verdict("again", at=now + _doubled(SOON, attempts, SOON_AT_MOST))
    if isinstance(error, RetryLater | CrmAway):
        at = now + _doubled(LATER, attempts, LATER_AT_MOST[lane])
        failure = Failure(kind, place, str(error), "nothing to do: it is tried again by itself", counts=False)
        return Verdict("again", failure, max(at, _asked(error, now)), tires=not _waits_for_calls(error, what))
    if isinstance(error, GuardStopped):
        # What it stopped is read again by the next run, so nothing is lost with the job.
        return Verdict("drop", Failure(kind, place, str(error), error.fix))
    if isinstance(error, NeedsPerson | Stopped):
        return Verdict("park", Failure(kind, place, str(error), error.fix))
    # The words of any other error may quote what was worked on.
    said = str(error) if isinstance(error, OurBug | RecordRefused) else "an error that nobody foresaw"
    failure = Failure(kind, place, said, "look at its place; report it if it is ours")
    return Verdict("again", failure, now + _doubled(UNFORESEEN, attempts, LATER_AT_MOST["consent"]))


def _asked(error: RetryLater | CrmAway, now: datetime) -> datetime:
    """When the CRM wants to be asked again, as far as it said so and within a day; else now."""
    if not isinstance(error, RetryLater):
        return now
    seconds = min(error.wait_seconds or 0.0, GIVE_UP_SECONDS)
    return max(now + timedelta(seconds=seconds), error.not_before or now)


def _waits_for_calls(error: RetryLater | CrmAway, what: str) -> bool:
    """Whether a backfill waits for calls that come by themselves: others may leave it none for more than a day.

    Not another job of its lane: those are to be done on the day.
    """
    waits = isinstance(error, RetryLater) and error.code == "DAILY" and error.not_before is not None
    return waits and what == "backfill"


def tired(verdict: Verdict, failures: int, seconds: float, most: int) -> Verdict:
    """Parks what has failed too often, or for too long (seconds since its first failure)."""
    if verdict.then == "again" and verdict.failure is not None and verdict.tires:
        worn = failures >= most if verdict.failure.counts else seconds > GIVE_UP_SECONDS
        if worn:
            return Verdict("park", verdict.failure)
    return verdict


def _doubled(first: float, attempts: int, most: float) -> timedelta:
    return timedelta(seconds=min(first * 2.0 ** min(attempts, 20), most))
