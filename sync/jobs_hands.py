"""The threads that do the work of jobs. Each keeps an open app, so that a job costs no start-up.

A run is synchronous: it waits for CRMs and computes in libraries that let other threads go on. So each hand is a
thread, with its own connection to the database, and the engine's event loop only hands jobs out: to the free hand that
worked last, whose app is open and has asked the CRMs what they are like.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from queue import SimpleQueue
from typing import Any

from sync import telemetry
from sync.app import App, utc_now
from sync.errors import DatabaseNewer
from sync.jobs import LANES, WrongJob
from sync.jobs_after import UNFORESEEN, GivenBack, Verdict, judge, tired
from sync.jobs_desk import Desk
from sync.jobs_kinds import AFRESH, FROM_MEMORY, Given, Said, do
from sync.logs import about
from sync.sentences import joined
from sync.store.jobs import SERVER_GONE

#: Opens an app, which tells what it is handed of each point of a run.
Opens = Callable[[Callable[[str], None]], App]
#: A job, and who waits for what came of it; None sends a thread home.
Errand = tuple["Task", "Future[Said]"] | None

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Task:
    """One job as the engine handed it out."""

    job: int
    lane: str
    fold: str | None
    attempts: int
    args: Mapping[str, Any]

    @property
    def what(self) -> str:
        return str(self.args.get("what"))

    @property
    def told(self) -> dict[str, telemetry.Value]:
        """What a span says of it."""
        return {
            "job": self.job,
            "lane": self.lane,
            "attempts": self.attempts,
            "correlation": self.correlation,
        }

    @property
    def correlation(self) -> str:
        """The id of what began it: of a webhook's request, else its own."""
        return str(self.args.get("correlation") or f"job-{self.job}")


class Unfinished(Exception):
    """A job did not end well; ``verdict`` says what follows."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict.then)
        self.verdict = verdict


def nobody_asks() -> None:
    """For hands whose worker does not want to know."""


@dataclass(slots=True)
class Hands:
    """Some threads that do jobs. ``opens`` gives an app; ``most_failures``: a job that failed so often is parked.

    ``ready`` asks an app everything that it asks once, so that no job has to wait for it.
    """

    opens: Opens
    most_failures: int
    clock: Callable[[], datetime] = utc_now
    spans: telemetry.Spans | None = None  #: where those of its jobs go
    ready: Callable[[App], object] = App.recalled
    replaced: Callable[[], object] = (
        nobody_asks  #: called when the database turns out to be a newer program's
    )
    _stopping: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _waiting: deque[Errand] = field(default_factory=deque)
    _free: list[SimpleQueue[Errand]] = field(
        default_factory=list
    )  #: the threads without work, who worked last at the end
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self, count: int) -> None:
        """Add threads. They do not keep the process alive: one that hangs in a call is left behind."""
        for place in range(count):
            thread = threading.Thread(
                target=self._work, args=(place == 0,), daemon=True, name="leadpact-hand"
            )
            self._threads.append(thread)
            thread.start()

    async def do(self, task: Task) -> Said:
        """Do a job in one of the threads. Raises Unfinished where it did not end well."""
        done: Future[Said] = Future()
        self._hand_out((task, done))
        return await asyncio.wrap_future(done)

    def give_back(self) -> None:
        """Let every run stop at its next point; its job goes to another worker."""
        self._stopping.set()

    def end(self, seconds: float) -> bool:
        """Send the threads home and wait so long for them; False where one still works."""
        for _ in self._threads:
            self._hand_out(None)
        until = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(until - time.monotonic(), 0.0))
        return not any(thread.is_alive() for thread in self._threads)

    def _hand_out(self, given: Errand) -> None:
        with self._lock:
            if self._free:
                self._free.pop().put(given)
            else:
                self._waiting.append(given)

    # --- in a thread ------------------------------------------------------------------------------------

    def _work(self, begins: bool) -> None:
        desk = Desk(lambda: self.opens(self._at_point), self.ready)
        with telemetry.using(self.spans):
            if begins:
                # Of the others each opens its app when it is needed: what the CRMs are like costs calls.
                desk.renew()
            self._keep_on(desk)

    def _next(self, mine: SimpleQueue[Errand]) -> Errand:
        with self._lock:
            if self._waiting:
                return self._waiting.popleft()
            self._free.append(mine)
        return mine.get()

    def _keep_on(self, desk: Desk) -> None:
        mine: SimpleQueue[Errand] = SimpleQueue()
        while (given := self._next(mine)) is not None:
            task, done = given
            if not done.set_running_or_notify_cancel():
                continue
            try:
                with about(job=task.job, correlation=task.correlation):
                    done.set_result(self._done(task, desk))
            except Unfinished as unfinished:
                done.set_exception(unfinished)
            except BaseException as error:  # noqa: BLE001 - a thread that ends would take its part of the work along
                _log.exception("what became of a job could not be noted", extra={"job": task.job})
                later = self.clock() + timedelta(seconds=UNFORESEEN)
                done.set_exception(Unfinished(Verdict("again", at=later)).with_traceback(error.__traceback__))
            desk.renew_in_time()
        desk.clear()

    def _done(self, task: Task, desk: Desk) -> Said:
        try:
            with telemetry.span(f"job {task.what}", **task.told):
                if task.what in AFRESH:
                    desk.clear()
                return self._said(desk.app(), task)
        except BaseException as error:  # noqa: BLE001 - judged, whatever it is
            _log.info("a job did not end well: %s", task.what, exc_info=error, extra={"job": task.job})
            verdict = self._judged(task, error, desk)
        raise Unfinished(verdict)

    def _said(self, app: App, task: Task) -> Said:
        lane = next((one for one in LANES if one == task.lane), None)
        if lane is None:
            raise WrongJob(task.what)
        _log.info("job %s begins", task.what, extra={"job": task.job})
        with ExitStack() as stack:
            for crm in app.crms.values():
                stack.enter_context(crm.in_lane(lane))
            work = (app.recalled() if task.what in FROM_MEMORY else None) or app.work()
            said = do(task.what, Given(app, work, lane, task.args))
        jobs = work.store.jobs
        if task.fold is not None:
            jobs.drop_others_parked(task.job, task.fold)
        for job in said.then:
            jobs.enqueue(job)
        return said

    def _judged(self, task: Task, error: BaseException, desk: Desk) -> Verdict:
        if isinstance(error, DatabaseNewer):
            # Each of our jobs would come straight back to us.
            self.replaced()
        verdict = judge(error, task.lane, task.attempts, self.clock(), _place(error), what=task.what)
        try:
            return self._noted(task, verdict, desk.kept)
        except SERVER_GONE as gone:
            # The job stays with this worker, whose number dies with the connection: whoever is back takes it over.
            _log.info("the database went away during a job", exc_info=gone, extra={"job": task.job})
            return Verdict("again")
        finally:
            # Whatever went wrong, the next job shall not meet its remains.
            desk.clear()

    def _noted(self, task: Task, verdict: Verdict, app: App | None) -> Verdict:
        if verdict.failure is None or app is None or not hasattr(app.store, "jobs"):
            return verdict
        jobs = app.store.jobs
        failures, seconds = jobs.note_failure(task.job, verdict.failure)
        verdict = tired(verdict, failures, seconds, self.most_failures)
        if verdict.then == "park" and task.fold is not None:
            jobs.drop_others_parked(task.job, task.fold)
        if verdict.then != "again" and verdict.failure is not None:
            ended = "is parked" if verdict.then == "park" else "was stopped"
            told = joined(verdict.failure.said, verdict.failure.fix)
            _log.warning("job %s %s: %s", task.what, ended, told, extra={"job": task.job})
        return verdict

    def _at_point(self, point: str) -> None:  # noqa: ARG002 - any point will do
        if self._stopping.is_set():
            raise GivenBack


def _place(error: BaseException) -> str:
    """The module and line where an error was raised; the innermost of ours, else the innermost."""
    trace, found, ours = error.__traceback__, "", ""
    while trace is not None:
        module = str(trace.tb_frame.f_globals.get("__name__", "?"))
        found = f"{module}:{trace.tb_lineno}"
        if module.split(".")[0] in ("sync", "connectors", "mapping"):
            ours = found
        trace = trace.tb_next
    return ours or found
