"""The endpoints of ``leadpact serve``, for as long as the process lives, whatever becomes of the database."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeVar

from sync.app import App, build
from sync.backfill import left_of_each
from sync.errors import DatabaseAway, DatabaseNewer, WrongUse
from sync.jobs import drain_inbox
from sync.remaining import RUNS, Left, left_of_inbox
from sync.settings import Settings
from sync.store.jobs import SERVER_GONE, enqueue_on
from sync.store.statements import load_statements
from sync.web.belongings import Limits, WebBelongings
from sync.web.endpoints import web_app
from sync.web.joined import Joined, api_answers, web_belongings
from sync.web.listening import Listening, listen
from sync.web.porch import Waits, porch
from sync.work import Work

T = TypeVar("T")


@dataclass
class Memory:
    """The memory for questions, one at a time; opened anew where the server went away meanwhile."""

    settings: Settings
    app: App
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _work: Work | None = None

    def ask(self, question: Callable[[Work], T]) -> T:
        """Raises the store's errors and DatabaseAway where the server is away now."""
        with self._lock:
            try:
                return question(self._opened())
            except SERVER_GONE:
                self._work = None
                self.app.close()
                self.app = build(self.settings)
                return question(self._opened())

    def _opened(self) -> Work:
        if self._work is None:
            self._work = self.app.recalled() or self.app.work()
        return self._work

    def close(self) -> None:
        with self._lock:
            self.app.close()


@dataclass
class Endpoints:
    """An open port. ``close`` takes no more requests and answers those that are there."""

    listening: Listening
    waits: Waits
    joined: Joined | None = None
    memory: Memory | None = None

    @property
    def port(self) -> int:
        return self.listening.port

    async def begin(self, joined: Joined, memory: Memory) -> None:
        """Answer everything from now on."""
        self.joined, self.memory = joined, memory
        await self.listening.turn_to(web_app(joined.web), joined.web.limits)

    async def close(self) -> None:
        await self.listening.close()
        if self.joined is not None:
            self.joined.close()
        if self.memory is not None:
            self.memory.close()


def join(settings: Settings) -> tuple[Joined, Memory]:
    """What the endpoints are handed. Raises DatabaseAway, CrmAway and the connectors' errors."""
    memory = Memory(settings, build(settings))
    try:
        joined = memory.ask(
            lambda work: web_belongings(
                settings,
                memory.app.database,
                work,
                enqueue=partial(_enqueue, load_statements(), work.store.jobs.connection_id),
                jobs=lambda: memory.ask(_counted),
                left=lambda: memory.ask(_left),
            )
        )
    except BaseException:
        memory.close()
        raise
    joined.web = _lasting(joined.web, memory)
    return joined, memory


async def open_port(settings: Settings) -> Endpoints:
    """Listen, and take nothing until the endpoints ``begin``. Raises WrongUse where the port cannot be had."""
    web, waits = settings.web, Waits()
    limits = Limits(body_bytes=web.body_limit)
    try:
        listening = await listen(porch(waits, limits), web.host, web.port, limits)
    except OSError as problem:
        raise WrongUse(
            f"{web.host}:{web.port} cannot be listened at: {problem.strerror or 'it is in use'}",
            fix="choose another web.port, or stop what listens there",
        ) from problem
    return Endpoints(listening, waits)


def waited_for(error: BaseException) -> str:
    """What keeps the endpoints from beginning, in our own words: strangers may read them."""
    if isinstance(error, DatabaseNewer):
        return "the database was migrated by a newer program"
    if isinstance(error, (DatabaseAway, *SERVER_GONE)):
        return "the database cannot be reached"
    return "a CRM has not yet said whose it is"


def _lasting(web: WebBelongings, memory: Memory) -> WebBelongings:
    """The same, with answers that outlive a connection."""

    def lasting(name: str) -> Callable[[], Any]:
        return lambda: memory.ask(lambda work: api_answers(work)[name]())

    return replace(web, answers={name: lasting(name) for name in web.answers})


def _counted(work: Work) -> Mapping[tuple[str, str], int]:
    return {(one.lane, one.state): one.jobs for one in work.store.jobs.counted()}


def _left(work: Work) -> Mapping[str, Left]:
    store, now = work.store, work.clock()
    runs = store.runs.newest(RUNS)
    underway = store.backfills.underway()
    names = [f"backfill {one.backfill}" for one in underway]
    backfills = zip(names, left_of_each(work, underway, now), strict=True)
    return {**dict(backfills), "inbox": left_of_inbox(store.inbox.waiting(), runs, now)}


def _enqueue(statements: Mapping[str, str], number: int, connection: Any, crm: str, urgent: bool) -> None:
    enqueue_on(connection, statements, number, drain_inbox(crm, urgent=urgent))
