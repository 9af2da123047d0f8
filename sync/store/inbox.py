"""The inbox: records that a CRM told of by itself, one row a record, until somebody has read them again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import orjson
import polars as pl
import psycopg

from sync.store.tables import Tables

#: The class of the advisory locks that drains hold, each under its own number.
DRAIN_LOCK = 730_516

#: What a drain takes: the record, the sequence number that was read, how often it was told of, whether a deletion
#: for privacy was and whether its end was, the oldest change by the CRM's clock (aware UTC), and how often reading it
#: again has failed.
HINTS: Mapping[str, pl.DataType] = {
    "crm": pl.String(),
    "object": pl.String(),
    "record_id": pl.String(),
    "sequence": pl.Int64(),
    "events": pl.Int64(),
    "erased": pl.Boolean(),
    "gone": pl.Boolean(),
    "happened_at": pl.Datetime("us", "UTC"),
    "tries": pl.Int64(),
}

Key = tuple[str, str, str]  #: (crm, object, record id)


@dataclass(frozen=True, slots=True)
class Hint:
    """What is kept of the events about one record. ``happened_at``: of the oldest, aware."""

    happened_at: datetime
    events: int = 1
    erased: bool = False  #: for privacy
    urgent: bool = False  #: a consent was withdrawn
    gone: bool = False  #: deleted, or merged into another record

    def and_also(self, other: Hint) -> Hint:
        """Both as one."""
        return Hint(
            min(self.happened_at, other.happened_at),
            self.events + other.events,
            self.erased or other.erased,
            self.urgent or other.urgent,
            self.gone or other.gone,
        )


Hints = dict[Key, Hint]


def fold(into: Hints, more: Iterable[tuple[Key, Hint]]) -> None:
    """Add hints, one entry a record, in whatever order and however often they come. Pure."""
    for key, hint in more:
        known = into.get(key)
        into[key] = hint if known is None else known.and_also(hint)


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits of one CRM. ``oldest``: when it was received. ``parked``: given up after several tries."""

    crm: str
    records: int
    events: int
    oldest: datetime | None
    parked: int


def put(
    connection: psycopg.Connection, statement: bytes, connection_id: int, hints: Hints, now: datetime
) -> None:
    """Write hints into the inbox. In the caller's transaction."""
    rows = [
        {"crm": key[0], "object": key[1], "record_id": key[2], **_told(hints[key])} for key in sorted(hints)
    ]
    # One text: arrays of this many values take the driver longer than all the rest.
    connection.execute(
        statement, {"connection": connection_id, "now": now, "hints": orjson.dumps(rows).decode()}
    )


def _told(hint: Hint) -> dict[str, object]:
    return {
        "events": hint.events,
        "erased": hint.erased,
        "urgent": hint.urgent,
        "gone": hint.gone,
        "happened_at": hint.happened_at,
    }


class Taken:
    """Rows that one drain has taken: ``hints`` (``HINTS``). What is not settled is anybody's afterwards."""

    def __init__(self, inbox: Inbox, drain: int, hints: pl.DataFrame) -> None:
        self._inbox = inbox
        self._drain = drain
        self.hints = hints

    def settle(self, done: pl.DataFrame, later: pl.DataFrame, due: datetime, now: datetime) -> None:
        """Delete what was done, unless it was told of again meanwhile; put ``later`` off until ``due``.

        Both are some of the ``hints``. ``now``: when the records were read.
        """
        self._inbox.settle(self._drain, done, later, due, now)

    def put_off(self, failed: pl.DataFrame, due: datetime | None) -> None:
        """What could not be worked on rests until ``due``; None: until something new is told of it."""
        self._inbox.put_off(failed, due)


class Inbox(Tables):
    """The inbox of one connection."""

    def put(self, hints: Hints, now: datetime) -> None:
        """Keep hints for the next drain."""
        put(self._connection, self._statements["put_hints"].encode(), self._id, hints, now)

    @contextmanager
    def take(self, limit: int, now: datetime, crm: str | None = None) -> Iterator[Taken]:
        """At most ``limit`` rows that are due, for this process alone while it lives and is inside."""
        row = self._do("begin_drain").fetchone()
        drain = int(row[0]) if row else 0
        self._do("hold_drain", lock=DRAIN_LOCK, drain=drain)
        try:
            wanted = {"drain": drain, "lock": DRAIN_LOCK, "now": now, "crm": crm}
            rows = self._do("take_hints", fresh=True, limit=limit, **wanted).fetchall()
            # Whatever failed before is tried alone: nobody knows which of them was the reason.
            rows = rows or self._do("take_hints", fresh=False, limit=1, **wanted).fetchall()
            yield Taken(self, drain, pl.DataFrame(rows, schema=dict(HINTS), orient="row"))
        finally:
            if not self._connection.closed:
                self._do("let_go_of_drain", lock=DRAIN_LOCK, drain=drain)

    def settle(
        self, drain: int, done: pl.DataFrame, later: pl.DataFrame, due: datetime, now: datetime
    ) -> None:
        """See ``Taken.settle``."""
        with self._connection.transaction():
            self._do("lock_taken_hints", drain=drain)
            self._do("strike_hints", sequences=done["sequence"].to_list(), **_keys(done))
            self._do("put_off_hints", due=due, counted=0, **_keys(later))
            self._do("renew_hints", drain=drain, read_at=now)

    def put_off(self, failed: pl.DataFrame, due: datetime | None) -> None:
        """See ``Taken.put_off``."""
        self._do("put_off_hints", due=due or "infinity", counted=1, **_keys(failed))

    def due(self, now: datetime) -> bool:
        """Whether anything waits that nobody is reading; what a dead drain had taken waits too."""
        return self._is_so("hints_due", now=now, lock=DRAIN_LOCK)

    def pushed(self, since: datetime) -> dict[str, int]:
        """What runs for pushes did since then: ``creates``, ``updates``, ``stage_moves``, as the guards count."""
        row = self._do("pushed_since", since=since).fetchone() or (0, 0, 0)
        return dict(zip(("creates", "updates", "stage_moves"), row, strict=True))

    def waiting(self) -> list[Waiting]:
        """How much waits, by CRM; one that is empty is absent."""
        return [Waiting(crm, *rest) for crm, *rest in self._do("inbox_size").fetchall()]


def _keys(hints: pl.DataFrame) -> dict[str, list[str]]:
    return {
        "crms": hints["crm"].to_list(),
        "objects": hints["object"].to_list(),
        "records": hints["record_id"].to_list(),
    }
