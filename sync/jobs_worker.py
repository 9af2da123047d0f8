"""One worker process: it fetches jobs by lane, hands them out, and outlives the database.

    Service.run()                the whole life: connect, work, and begin anew when the database was away
      engine workers             fetch by lane: one for consent and handover alone, one for backfills alone, and
                                 ``worker.concurrency`` for consent, handover and live, the higher lane first
      Hands                      the threads in which runs happen
      Watch                      takes over the jobs of dead workers, and sees to the schedules

No lane waits for another's hands: a slice of a backfill and a handover run side by side, and the call budgets leave
the higher lanes their part.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import procrastinate
from procrastinate import exceptions, job_context, jobs, manager, retry, worker

from connectors.errors import ConnectorError
from sync.errors import CrmAway, DatabaseAway, DatabaseNewer
from sync.jobs_hands import Hands, Task, Unfinished
from sync.jobs_kinds import Said
from sync.jobs_watch import Watch
from sync.logs import SERVICE, about
from sync.sections_service import WorkerSettings
from sync.store.jobs import SERVER_GONE, TASK, queue_of

#: How often a worker looks for a job whose time has come; new ones call it at once. Seconds.
LOOKS = 1.0
#: Seconds between two tries to reach the database or, before anything is known, the CRMs.
TRIES = (0.5, 1.0, 2.0, 5.0)
#: Seconds that runs get to come to their next point, once they were told to give their jobs back.
LAST_SECONDS = 5.0
#: Seconds after which the parts of a worker that was cut off are left behind.
LEFT_AFTER = 5
#: What keeps a process from beginning, and passes.
AWAY = (DatabaseAway, CrmAway, ConnectorError, *SERVER_GONE)

_log = logging.getLogger(__name__)
#: A job that is done leaves one line, whether or not somebody asked for more.
_ends = logging.getLogger(SERVICE)


@dataclass(frozen=True, slots=True)
class Place:
    """Where jobs are: the database's address and the connection. ``close`` lets go of what was opened for it."""

    url: str = field(repr=False)
    connection_id: int
    watch: Watch
    close: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Lanes:
    """Hands for some lanes. ``calls``: whether a new job calls this worker, at the price of a connection."""

    lanes: tuple[str, ...]
    hands: int
    calls: bool


def arranged(concurrency: int) -> tuple[Lanes, ...]:
    """How the hands of one process are divided."""
    return (
        Lanes(("consent", "handover"), 1, calls=True),
        Lanes(("consent", "handover", "live"), concurrency, calls=True),
        Lanes(("backfill",), 1, calls=False),
    )


class Manager(manager.JobManager):
    """The engine's own, except that a job may come to an end that somebody else has already brought about."""

    async def retry_job(self, job: jobs.Job, *given: Any, **wanted: Any) -> None:
        try:
            await super().retry_job(job, *given, **wanted)
        except exceptions.UniqueViolation:
            # Another of the same fold waits already, so this one is over.
            await super().finish_job(job, jobs.Status.SUCCEEDED, delete_job=True)
        except exceptions.ConnectorException as error:
            self._gone(job, error)

    async def finish_job(self, job: jobs.Job, status: jobs.Status, delete_job: bool) -> None:
        try:
            await super().finish_job(job, status, delete_job)
        except exceptions.ConnectorException as error:
            self._gone(job, error)

    def _gone(self, job: jobs.Job, error: exceptions.ConnectorException) -> None:
        if isinstance(error.__cause__, SERVER_GONE):
            raise error
        # We gave no sign of life for too long, so it was taken over; the fences of the leads keep both apart.
        _log.warning("a job was taken over by another worker meanwhile", extra={"job": job.id})


class _Again(retry.BaseRetryStrategy):
    """Asks the verdict that comes with the error; a job that the worker's end cut off goes back at once."""

    def get_retry_decision(
        self,
        *,
        exception: BaseException,
        job: jobs.Job,  # noqa: ARG002 - the engine's
    ) -> retry.RetryDecision | None:
        if not isinstance(exception, Unfinished):
            return retry.RetryDecision(retry_in={"seconds": 0})
        verdict = exception.verdict
        if verdict.then != "again":
            return None
        if verdict.at is None:
            return retry.RetryDecision(retry_in={"seconds": 0})
        return retry.RetryDecision(retry_at=verdict.at)


@dataclass(slots=True)
class Service:
    """A worker process. ``connect`` finds the database and the connection, and raises what keeps it from that.

    ``new_hands`` makes those of one span between two losses of the database. ``tell`` speaks to people.
    """

    connect: Callable[[], Place]
    new_hands: Callable[[], Hands]
    settings: WorkerSettings
    tell: Callable[[str], None]
    _stop: asyncio.Event = field(default_factory=asyncio.Event)
    _replaced: asyncio.Event = field(default_factory=asyncio.Event)
    _hands: list[Hands] = field(default_factory=list)

    def stop(self) -> None:
        """Finish what is being worked on, or give it back after ``worker.stop_seconds``."""
        self._stop.set()

    async def run(self) -> bool:
        """Work until ``stop``; False where a run did not come to an end in time, and the process has to be left."""
        tries, away = 0, ""
        while not self._stop.is_set():
            try:
                place = await asyncio.to_thread(self.connect)
            except AWAY as error:
                away = self._told_away(error, away)
                await self._pause(tries)
                tries += 1
                continue
            try:
                if away:
                    self.tell("it is back: jobs are worked on again")
                    away = ""
                tries = 0 if await self._worked(place) else tries + 1
            finally:
                await asyncio.to_thread(place.close)
            if not self._stop.is_set() and not self._replaced.is_set():
                away = away or self._told_away(
                    DatabaseAway("the database went away, or a worker was cut off"), ""
                )
                await self._pause(tries)
        return await asyncio.to_thread(self._all_home)

    def _told_away(self, error: BaseException, told: str) -> str:
        """Say it once, and not at every try."""
        said = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        if isinstance(error, SERVER_GONE):
            said = "the database cannot be reached"
        if told != said and isinstance(error, DatabaseNewer):
            self.tell(f"takes no more jobs: {said}; {error.fix}")
        elif told != said:
            self.tell(f"waiting: {said}; trying again until it is back, and nothing is lost")
        return said

    async def _pause(self, tries: int) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), TRIES[min(tries, len(TRIES) - 1)])

    def _all_home(self) -> bool:
        ended = [hands.end(LAST_SECONDS) for hands in self._hands]
        return all(ended)

    async def _worked(self, place: Place) -> bool:
        """Work until the end or until something breaks; whether it had begun at all."""
        connector = procrastinate.PsycopgConnector(
            conninfo=place.url, min_size=1, max_size=6, timeout=5, kwargs={"options": "-c timezone=UTC"}
        )
        engine = procrastinate.App(connector=connector)
        engine.job_manager = Manager(connector)
        begun = False
        try:
            async with engine.open_async():
                begun = True
                await self._served(engine, place)
        except (exceptions.ConnectorException, *SERVER_GONE) as error:
            _log.info("the worker lost the database", exc_info=error)
        return begun

    async def _served(self, engine: procrastinate.App, place: Place) -> None:
        hands = self.new_hands()
        self._hands = [one for one in self._hands if not one.end(0.0)] + [hands]
        arranged_lanes = arranged(self.settings.concurrency)
        hands.start(sum(one.hands for one in arranged_lanes))
        engine.task(name=TASK, pass_context=True, retry=_Again())(_doing(hands))
        workers: list[Any] = [self._worker(engine, one, place.connection_id) for one in arranged_lanes]
        parts = [asyncio.ensure_future(each.run()) for each in workers]
        parts.append(asyncio.ensure_future(self._watched(place.watch)))
        self._replaced.clear()
        hands.replaced = partial(asyncio.get_running_loop().call_soon_threadsafe, self._replaced.set)
        ends = [asyncio.ensure_future(event.wait()) for event in (self._stop, self._replaced)]
        await asyncio.wait([*parts, *ends], return_when=asyncio.FIRST_COMPLETED)
        for end in ends:
            end.cancel()
        for each in workers:
            each.stop()
        await self._given_back(parts, hands)

    async def _given_back(self, parts: Sequence[asyncio.Future[None]], hands: Hands) -> None:
        """Wait for the jobs, then let them stop at their next point, then leave them."""
        parts[-1].cancel()
        if self._stop.is_set():
            await asyncio.wait(parts, timeout=self.settings.stop_seconds)
            hands.give_back()
            # The engine itself gives up what has not ended by then, and puts it back into the queue.
            await asyncio.wait(parts, timeout=2 * LAST_SECONDS)
        # Else we were cut off from the database: no run can remember anything any more.
        hands.give_back()
        waiting = set(parts)
        for _ in range(LEFT_AFTER):
            for part in waiting:
                part.cancel()
            _, waiting = await asyncio.wait(parts, timeout=1.0)
            if not waiting:
                break
        for part in parts:
            error = part.exception() if part.done() and not part.cancelled() else None
            if error is not None:
                _log.info("a part of the worker ended", exc_info=error)

    def _worker(self, engine: procrastinate.App, lanes: Lanes, connection_id: int) -> worker.Worker:
        return worker.Worker(
            app=engine,
            queues=[queue_of(lane, connection_id) for lane in lanes.lanes],
            name="+".join(lanes.lanes),
            concurrency=lanes.hands,
            fetch_job_polling_interval=LOOKS,
            abort_job_polling_interval=3_600.0,
            shutdown_graceful_timeout=self.settings.stop_seconds + LAST_SECONDS,
            listen_notify=lanes.calls,
            delete_jobs=jobs.DeleteJobCondition.SUCCESSFUL,
            install_signal_handlers=False,
            update_heartbeat_interval=self.settings.heartbeat_seconds,
            # Their jobs are taken over before their rows go: see Watch.
            stalled_worker_timeout=max(self.settings.stalled_after_seconds * 10, 60.0),
        )

    async def _watched(self, watch: Watch) -> None:
        while True:
            await asyncio.to_thread(watch.look)
            await asyncio.sleep(self.settings.heartbeat_seconds)


def _doing(hands: Hands) -> Callable[..., Awaitable[None]]:
    async def leadpact(context: job_context.JobContext, **args: Any) -> None:
        job = context.job
        lane = job.queue.partition(":")[0]
        task = Task(job.id or 0, lane, job.queueing_lock, job.attempts, args)
        try:
            said: Said = await hands.do(task)
        except Unfinished as unfinished:
            if unfinished.verdict.then == "drop":
                return
            raise
        run = {} if said.run is None else {"run": said.run}
        with about(job=task.job, correlation=task.correlation, **run):
            _ends.info("job %s: %s", task.what, said.words)

    return leadpact


@contextlib.asynccontextmanager
async def quietly() -> AsyncIterator[None]:
    """The engine logs arguments and the words of errors, and the loop what nobody fetched: neither is for our logs."""
    for name in ("procrastinate", "psycopg.pool"):
        logging.getLogger(name).setLevel(logging.CRITICAL)

    def told(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        _log.info("the event loop met an error", exc_info=context.get("exception"))

    asyncio.get_running_loop().set_exception_handler(told)
    yield
