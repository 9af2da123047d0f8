"""What the service's own pages ask the database: whether it is there and right, and the numbers of the moment.

One connection of its own, opened when it is first needed and again after it was lost. No question waits long.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import psycopg

from sync.errors import DatabaseAway
from sync.store.freshness import Freshness, RunsOf
from sync.store.inbox import Inbox, Waiting
from sync.store.migrate import known_migrations
from sync.store.offsets import Offsets, PullGap, PullLog
from sync.store.standing import Backlog, Budget, Standing
from sync.store.statements import load_statements

#: Seconds to connect, and for one statement.
CONNECT_SECONDS = 2
STATEMENT_SECONDS = 2


@dataclass(frozen=True, slots=True)
class Numbers:
    """Everything that is counted, as of one moment."""

    inbox: list[Waiting]
    freshness: Mapping[str, Mapping[int, int]]  #: lane to bucket to leads, of the last hour
    runs: list[RunsOf]  #: of the last day
    budgets: list[Budget]
    backlog: Backlog
    logs: list[PullLog] = field(default_factory=list)
    gaps: list[PullGap] = field(default_factory=list)  #: of these logs, not yet read again


class Watch:
    """Looks at the database of one connection. Safe under threads; one question at a time."""

    def __init__(self, url: str, connection_id: int) -> None:
        self._url = url
        self._id = connection_id
        self._sql = load_statements()
        self._right = {one.number: one.checksum for one in known_migrations()}
        self._lock = threading.Lock()
        self._connection: psycopg.Connection | None = None

    def unready(self, most_waiting: int) -> list[str]:
        """Why this process should get no work now; empty where all is well. ``most_waiting``: in the inbox."""
        try:
            with self._asking() as connection:
                applied = dict(connection.execute(self._sql["applied_migrations"].encode()).fetchall())
                waiting = Inbox(connection, self._sql, self._id).waiting()
        except DatabaseAway as away:
            return [str(away)]
        problems = []
        if applied != self._right:
            problems.append("the database was migrated by another version of Leadpact")
        records = sum(one.records for one in waiting)
        if records > most_waiting:
            problems.append(f"{records} records wait in the inbox, and nobody looks at them fast enough")
        return problems

    def numbers(self, now: datetime) -> Numbers:
        """Raises DatabaseAway."""
        with self._asking() as connection:
            parts = (connection, self._sql, self._id)
            freshness, standing, offsets = Freshness(*parts), Standing(*parts), Offsets(*parts)
            return Numbers(
                Inbox(*parts).waiting(),
                freshness.since(now - timedelta(hours=1)),
                freshness.runs_since(now - timedelta(days=1)),
                standing.budgets(),
                standing.backlog(),
                offsets.all(),
                offsets.open_gaps(),
            )

    def close(self) -> None:
        with self._lock:
            self._drop()

    @contextmanager
    def _asking(self) -> Iterator[psycopg.Connection]:
        with self._lock:
            try:
                yield self._connected()
            except psycopg.Error as problem:
                self._drop()
                raise DatabaseAway(
                    f"the database does not answer ({type(problem).__name__})",
                    fix="start it again; nothing has to be done here",
                ) from None

    def _connected(self) -> psycopg.Connection:
        if self._connection is not None and not self._connection.closed:
            try:
                self._connection.execute("SELECT 1")
            except psycopg.OperationalError:
                self._drop()  # it was restarted since
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(
                self._url,
                autocommit=True,
                connect_timeout=CONNECT_SECONDS,
                options=f"-c timezone=UTC -c statement_timeout={STATEMENT_SECONDS}s",
                tcp_user_timeout=STATEMENT_SECONDS * 1000,
            )
        return self._connection

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
