"""Jobs in the database: queued in the caller's transaction, listed, parked, taken over; and when schedules were due.

The engine (Procrastinate) fetches and ends jobs by its own functions; everything else about them is here. A job's
queue is its lane and its connection, ``live:3``, so that workers of one config never take another's jobs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import psycopg

from sync.logs import correlation
from sync.store.tables import Tables

#: The one task that the engine knows; what a job is to do stands in its arguments.
TASK = "leadpact"
#: The class of the advisory locks by which a drain waits for those who bring something in.
SENDERS_LOCK = 730_513
#: The class of the locks of what only one process does at a time.
ONE_LOCK = 730_514
#: Characters of correlation ids that a job bears at most: of a flood the first ones tell enough.
MOST_CORRELATED = 400
#: What the engine fetches first has the highest number.
PRIORITIES: Mapping[str, int] = {"consent": 40, "handover": 30, "live": 20, "backfill": 10}
#: What psycopg raises when the server is gone, or a connection to it.
SERVER_GONE = (psycopg.OperationalError, psycopg.InterfaceError)


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job to be queued. ``args`` are JSON values: ids and names, never a value of a lead.

    ``fold``: while a job with the same words waits, this one adds nothing. ``at``: not before.
    """

    what: str
    lane: str
    args: Mapping[str, Any] = field(default_factory=dict)
    fold: str | None = None
    at: datetime | None = None

    def parameters(self, connection_id: int) -> dict[str, Any]:
        """What the statement ``enqueue_job`` is given."""
        return {
            "connection": connection_id,
            "queue": queue_of(self.lane, connection_id),
            "task": TASK,
            "priority": PRIORITIES[self.lane],
            "fold": None if self.fold is None else f"{connection_id}:{self.fold}",
            "args": json.dumps({"what": self.what, **_correlated(), **self.args}),
            "at": self.at,
        }


@dataclass(frozen=True, slots=True)
class JobRow:
    """A job as people see it. ``state``: queued, waiting (for a time), running or parked; ``since``: aware."""

    id: int
    lane: str
    what: str
    state: str
    since: datetime
    age_seconds: float  #: since it was queued
    attempts: int
    not_before: datetime | None
    failures: int
    deaths: int  #: workers that died with it
    kind: str  #: of the last error
    place: str  #: where it was raised
    said: str
    fix: str
    fold: str = ""  #: the same for jobs of which one stands for the others


@dataclass(frozen=True, slots=True)
class JobCount:
    """How many jobs of a lane are queued, running or parked, and the age of the oldest in seconds."""

    lane: str
    state: str
    jobs: int
    oldest_seconds: float


@dataclass(frozen=True, slots=True)
class Failure:
    """What is kept about an error: its kind, its place, and words that hold nothing of a lead or a secret.

    ``counts``: whether it brings the job nearer to being parked.
    """

    kind: str
    place: str
    said: str
    fix: str = ""
    counts: bool = True


class Jobs(Tables):
    """The jobs of one connection."""

    @property
    def connection_id(self) -> int:
        return self._id

    def enqueue(self, job: NewJob) -> bool:
        """Queue a job, as the last step of the caller's transaction if there is one; False: one waits already."""
        return enqueue_on(self._connection, self._statements, self._id, job)

    def await_senders(self) -> None:
        """Wait until everybody who brought something in before now, and counted on this job, has committed it."""
        self._do("await_senders", lock=SENDERS_LOCK)

    # --- seeing -----------------------------------------------------------------------------------------

    def listed(self, most: int = 1_000) -> list[JobRow]:
        """Parked jobs, then running ones, then queued ones, each the most urgent lane first; at most so many."""
        return [_row(found) for found in self._named("jobs_listed", most=most)]

    def counted(self) -> list[JobCount]:
        """Jobs by lane and state."""
        rows = self._do("jobs_counted").fetchall()
        return [JobCount(lane, STATES[state], jobs, max(age, 0.0)) for lane, state, jobs, age in rows]

    # --- going wrong ------------------------------------------------------------------------------------

    def note_failure(self, job: int, failure: Failure) -> tuple[int, float]:
        """Keep what went wrong; returns how many errors count by now, and the seconds since the first."""
        row = self._do(
            "note_job_failure",
            job=job,
            counts=int(failure.counts),
            kind=failure.kind,
            place=failure.place,
            said=failure.said,
            fix=failure.fix,
        ).fetchone()
        return (int(row[0]), float(row[1])) if row else (0, 0.0)

    def take_over(self, seconds: float, most_deaths: int) -> list[tuple[int, bool]]:
        """Give the jobs of dead workers back; (job, whether it is parked instead, having killed too many).

        Where the database server itself was started anew meanwhile, three times as many are needed.
        """
        rows = self._do("take_over_jobs", seconds=seconds, most=most_deaths).fetchall()
        return [(int(job), bool(parked)) for job, parked, _ in rows]

    def drop_others_parked(self, job: int, fold: str) -> None:
        """Forget parked jobs of the same fold (as the job has it), other than this one."""
        self._do("drop_others_parked", job=job, fold=fold)

    def drop_idle_drains(self) -> None:
        """Forget parked drains. For when nothing waits in the inbox: they have nothing left to do."""
        self._do("drop_idle_drains")

    def retry(self, job: int) -> bool:
        """Queue a parked job again; False where it is not parked, or one of its fold waits already."""
        return self._do("retry_parked_job", job=job).fetchone() is not None

    def drop(self, job: int) -> bool:
        """Forget a queued or parked job; False where there is none of this number."""
        return self._do("drop_job", job=job).fetchone() is not None

    def forget_records(self, records: Sequence[tuple[str, str]]) -> int:
        """Take records, (crm, id), out of the arguments of jobs; how many jobs named one of them."""
        found = 0
        for crm in {crm for crm, _ in records}:
            ids = [record for name, record in records if name == crm]
            row = self._do("jobs_of_records", crm=crm, records=ids).fetchone()
            found += int(row[0]) if row else 0
        return found

    # --- schedules --------------------------------------------------------------------------------------

    def due(self, name: str, due: datetime, job: NewJob) -> bool:
        """Queue the job of a schedule that was due then, if nobody has; what was missed comes once."""
        with self._connection.transaction():
            row = self._do("see_to_schedule", name=name, due=due).fetchone()
            if row is None or row[0]:
                return False
            return self.enqueue(job)

    def seen_schedules(self) -> dict[str, datetime]:
        """When each schedule was due last, as far as anybody has seen to it."""
        return dict(self._do("seen_schedules").fetchall())

    def be_the_one(self, name: str) -> bool:
        """Whether this session now is the only one that does ``name``; until it ends. May be asked again."""
        return self._is_so("be_the_one", lock=ONE_LOCK, name=f"{self._id}:{name}")


def _correlated() -> dict[str, str]:
    """The id of what began this, so that the job's log lines bear it too."""
    began = correlation()
    return {"correlation": began} if began else {}


#: The engine's words and ours.
STATES: Mapping[str, str] = {"todo": "queued", "doing": "running", "failed": "parked"}


def _row(found: Mapping[str, Any]) -> JobRow:
    state, asked = STATES[found["status"]], found["asked_at"]
    later = found["scheduled_at"] if state == "queued" else None
    if later is not None and later > asked:
        state = "waiting"
    queued = found["queued_at"] or asked
    since = {"running": found["begun_at"], "parked": found["parked_at"]}.get(state) or queued
    names = ("id", "lane", "attempts", "failures", "deaths", "kind", "place", "said", "fix", "fold")
    return JobRow(
        what=found["what"] or "?",
        state=state,
        since=since,
        age_seconds=max((asked - queued).total_seconds(), 0.0),
        not_before=later if state == "waiting" else None,
        **{name: found[name] for name in names},
    )


def queue_of(lane: str, connection_id: int) -> str:
    """The engine's name of a lane of one connection."""
    return f"{lane}:{connection_id}"


def enqueue_on(
    connection: psycopg.Connection, statements: Mapping[str, str], connection_id: int, job: NewJob
) -> bool:
    """``Jobs.enqueue`` on somebody's connection, as the last step of its transaction if there is one."""
    sender = {"lock": SENDERS_LOCK, "connection": connection_id}
    # Before the savepoint, which would let go of it.
    connection.execute(statements["let_drains_wait"].encode(), sender)
    try:
        with connection.transaction():
            parameters = job.parameters(connection_id)
            if connection.execute(statements["enqueue_job"].encode(), parameters).fetchone() is not None:
                return True
            if began := correlation():
                parameters = {"fold": parameters["fold"], "began": began, "most": MOST_CORRELATED}
                connection.execute(statements["correlate_waiting_job"].encode(), parameters)
            return False
    except psycopg.errors.UniqueViolation:
        # Another queued it in the same moment: what we wanted is there.
        return False
