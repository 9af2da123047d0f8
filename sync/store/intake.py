"""Takes hints in while requests wait: many of them in one transaction, each answered once its own is durable.

One thread and one connection. What arrives while a transaction is on its way is the next one, so a burst costs few
disk flushes and a single request none of the waiting.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime

import psycopg

from sync.logs import about, correlation
from sync.store.inbox import Hints, fold, put
from sync.store.statements import load_statements

#: Called with the connection, the CRM and whether a consent was withdrawn, in the transaction that keeps the hints of
#: that CRM, last and in a savepoint: whatever it does, they stay.
Enqueue = Callable[[psycopg.Connection, str, bool], None]

#: Requests whose correlation ids a job bears.
MOST_NAMED = 20
#: Records of one transaction.
MOST_AT_ONCE = 5_000
#: Seconds without another try after the database was found to be away.
REST = 0.25
#: Seconds to connect, and for one statement.
CONNECT_SECONDS = 2
STATEMENT_SECONDS = 3

_log = logging.getLogger(__name__)


class NotStored(Exception):
    """The hints could not be kept: the database is away, or too many wait for it. The sender has to come again."""


@dataclass(slots=True)
class _Parcel:
    """The hints of one request, and who waits for them."""

    hints: Hints
    now: datetime
    request: str = field(default_factory=correlation)  #: its correlation id
    stored: Future[None] = field(default_factory=Future)


class Intake:
    """The way into the inbox of one connection. ``start`` it, ``put`` from any thread, ``close`` it."""

    def __init__(
        self, url: str, connection_id: int, enqueue: Enqueue | None = None, *, most_waiting: int = 50_000
    ) -> None:
        """``most_waiting``: records that may wait for the database at a time."""
        self._url = url
        self._id = connection_id
        self._enqueue = enqueue
        self._most = most_waiting
        self._sql: Mapping[str, str] = load_statements()
        self._parcels: queue.SimpleQueue[_Parcel | None] = queue.SimpleQueue()
        self._waiting = 0
        self._lock = threading.Lock()
        self._connection: psycopg.Connection | None = None
        self._thread: threading.Thread | None = None
        self._away_until = 0.0
        self.transactions = 0  #: that were committed
        self.not_enqueued = 0  #: times that the hints were kept and no job was made for them

    def start(self) -> None:
        """Begin to work. The database need not be there yet."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="webhook-intake", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Keep what has arrived, then end. Nothing may be put any more."""
        if self._thread is not None:
            self._parcels.put(None)
            self._thread.join()
            self._thread = None

    def put(self, hints: Hints, now: datetime) -> Future[None]:
        """Keep these; the future is done once they are durable, and raises NotStored otherwise.

        Raises NotStored at once where too much waits already.
        """
        with self._lock:
            if self._waiting + len(hints) > self._most:
                raise NotStored("too many events wait for the database")
            self._waiting += len(hints)
        parcel = _Parcel(hints, now)
        self._parcels.put(parcel)
        return parcel.stored

    def _run(self) -> None:
        goes_on = True
        while goes_on:
            parcels, goes_on = self._next()
            if not parcels:
                continue
            failure = self._stored(parcels)
            with self._lock:
                self._waiting -= sum(len(one.hints) for one in parcels)
            for one in parcels:
                # A request that gave up waiting has cancelled its future.
                if one.stored.set_running_or_notify_cancel():
                    one.stored.set_result(None) if failure is None else one.stored.set_exception(failure)
        self._drop()

    def _next(self) -> tuple[list[_Parcel], bool]:
        """Everything that has arrived, and whether there is more to come."""
        parcels, records = [], 0
        parcel = self._parcels.get()
        while parcel is not None:
            parcels.append(parcel)
            records += len(parcel.hints)
            if records >= MOST_AT_ONCE:
                return parcels, True
            try:
                parcel = self._parcels.get_nowait()
            except queue.Empty:
                return parcels, True
        return parcels, False

    def _stored(self, parcels: list[_Parcel]) -> NotStored | None:
        """Keep the hints of all parcels; what stopped it, or None."""
        if time.monotonic() < self._away_until:
            return NotStored("the database is away")
        hints: Hints = {}
        for one in parcels:
            fold(hints, one.hints.items())
        now = min(one.now for one in parcels)
        requests = ",".join([one.request for one in parcels if one.request][:MOST_NAMED])
        try:
            try:
                self._keep(hints, now, requests)
            except psycopg.OperationalError:
                if self._connection is None:
                    raise
                # The server was restarted, perhaps; to keep a hint twice does no harm.
                self._drop()
                self._keep(hints, now, requests)
        except Exception as problem:  # noqa: BLE001 - this thread goes on, whatever one batch was
            _log.warning(
                "events could not be stored: %s", type(problem).__name__, extra={"count": len(hints)}
            )
            self._drop()
            self._away_until = time.monotonic() + REST
            return NotStored("the database is away")
        self.transactions += 1
        return None

    def _keep(self, hints: Hints, now: datetime, requests: str) -> None:
        connection = self._connected()
        with about(correlation=requests), connection.transaction():
            put(connection, self._sql["put_hints"].encode(), self._id, hints, now)
            if self._enqueue is not None:
                for crm in sorted({crm for crm, _, _ in hints}):
                    urgent = any(hint.urgent for key, hint in hints.items() if key[0] == crm)
                    self._made_a_job(connection, self._enqueue, crm, urgent=urgent)

    def _made_a_job(
        self, connection: psycopg.Connection, enqueue: Enqueue, crm: str, *, urgent: bool
    ) -> None:
        try:
            with connection.transaction():
                enqueue(connection, crm, urgent)
        except Exception as problem:  # noqa: BLE001 - the hints stay, whatever keeps a job from being made
            if connection.closed:
                raise psycopg.OperationalError("the connection was lost") from None
            self.not_enqueued += 1
            _log.warning(
                "no job could be made for new events: %s", type(problem).__name__, extra={"crm": crm}
            )

    def _connected(self) -> psycopg.Connection:
        if self._connection is None or self._connection.closed:
            # Durable means durable, whatever the server does for others.
            options = f"-c timezone=UTC -c synchronous_commit=on -c statement_timeout={STATEMENT_SECONDS}s"
            self._connection = psycopg.connect(
                self._url,
                autocommit=True,
                connect_timeout=CONNECT_SECONDS,
                options=options,
                tcp_user_timeout=STATEMENT_SECONDS * 1000,
            )
        return self._connection

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
