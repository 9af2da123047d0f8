"""The pages of the journal and who asked for them (HubSpot reference, section 10.4)."""

from __future__ import annotations

import sqlite3
import threading
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace

import orjson

from connectors.sandbox.hubspot.moments import DAY_MS, kept
from connectors.sandbox.hubspot.webhooks.bodies import Body, JournalSubscription, journal_events
from connectors.sandbox.hubspot.webhooks.happening import Happening

RETENTION_MS = 3 * DAY_MS
EVENTS_A_PAGE = 500

JOURNAL_TABLES = """
CREATE TABLE IF NOT EXISTS journal_subscription (id INTEGER PRIMARY KEY AUTOINCREMENT, body TEXT NOT NULL);

-- A page whose body is gone is remembered by its place: so it is known that something was missed.
CREATE TABLE IF NOT EXISTS journal_page (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, offset TEXT NOT NULL UNIQUE, published INTEGER NOT NULL, body TEXT);
CREATE TABLE IF NOT EXISTS snapshot (id TEXT PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID;
"""


class LostOffset(Exception):
    """There is no such offset, or pages after it are gone."""


@dataclass(frozen=True, slots=True)
class Page:
    """One page; ``body`` is its file."""

    offset: str
    body: bytes


class JournalStore:
    """The journal's part of the file of events; ``lock`` guards all of it."""

    def __init__(self, file: sqlite3.Connection, lock: threading.RLock) -> None:
        self._file = file
        self._lock = lock

    def subscriptions(self) -> list[JournalSubscription]:
        """Every subscription."""
        with self._lock:
            rows = self._file.execute("SELECT id, body FROM journal_subscription ORDER BY id").fetchall()
        return [_read(id_, orjson.loads(body)) for id_, body in rows]

    def subscribe(self, wanted: JournalSubscription) -> JournalSubscription:
        """Add a subscription, whatever its id says; returns it with its own."""
        with self._lock:
            body = orjson.dumps(wanted).decode()
            made = self._file.execute("INSERT INTO journal_subscription (body) VALUES (?)", (body,))
        return replace(wanted, id=int(made.lastrowid or 0))

    def unsubscribe(self, id_: int | None) -> int:
        """End one subscription, or all; how many there were."""
        with self._lock:
            return self._file.execute(
                "DELETE FROM journal_subscription WHERE ?1 IS NULL OR id = ?1", (id_,)
            ).rowcount

    def add(self, happenings: Sequence[Happening], now: int, offset: str) -> None:
        """Publish what subscriptions ask for, in as many pages as it takes."""
        asking = self.subscriptions()
        if asking:
            events = [event for happening in happenings for event in journal_events(happening, asking)]
            self.publish(events, now, offset)

    def publish(self, events: Sequence[Body], now: int, offset: str) -> None:
        """Publish events; the first page goes by ``offset``, the others by names made from it."""
        with self._lock:
            for start in range(0, len(events), EVENTS_A_PAGE):
                name = offset if start == 0 else str(uuid.uuid5(uuid.UUID(offset), str(start)))
                page = {
                    "offset": name,
                    "publishedAt": kept(now),
                    "journalEvents": events[start : start + EVENTS_A_PAGE],
                }
                self._file.execute(
                    "INSERT INTO journal_page (offset, published, body) VALUES (?, ?, ?)",
                    (name, now, orjson.dumps(page).decode()),
                )

    def pages(self, now: int, *, after: str | None, count: int) -> list[Page]:
        """The pages after an offset (None: from the earliest that is kept), oldest first. Raises LostOffset."""
        with self._lock:
            self._forget_old(now)
            seq = 0
            if after is not None:
                row = self._file.execute("SELECT seq FROM journal_page WHERE offset = ?", (after,)).fetchone()
                if row is None:
                    raise LostOffset
                seq = row[0]
                gone = "SELECT 1 FROM journal_page WHERE seq > ? AND body IS NULL LIMIT 1"
                if self._file.execute(gone, (seq,)).fetchone():
                    raise LostOffset
            rows = self._file.execute(
                "SELECT offset, body FROM journal_page WHERE seq > ? AND body IS NOT NULL ORDER BY seq LIMIT ?",
                (seq, count),
            ).fetchall()
        return [Page(offset, body.encode()) for offset, body in rows]

    def latest(self, now: int, count: int) -> list[Page]:
        """The newest pages, oldest first."""
        with self._lock:
            self._forget_old(now)
            rows = self._file.execute(
                "SELECT offset, body FROM journal_page WHERE body IS NOT NULL ORDER BY seq DESC LIMIT ?",
                (count,),
            ).fetchall()
        return [Page(offset, body.encode()) for offset, body in reversed(rows)]

    def named(self, offset: str, now: int) -> Page | None:
        """The page of an offset, None where it is gone."""
        with self._lock:
            self._forget_old(now)
            row = self._file.execute("SELECT body FROM journal_page WHERE offset = ?", (offset,)).fetchone()
        return None if row is None or row[0] is None else Page(offset, row[0].encode())

    def note_snapshot(self, id_: str, now: int) -> None:
        """Remember that a snapshot was taken."""
        with self._lock:
            self._file.execute("INSERT INTO snapshot VALUES (?, ?)", (id_, now))

    def snapshot(self, id_: str) -> int | None:
        """When a snapshot was taken, in milliseconds."""
        with self._lock:
            row = self._file.execute("SELECT at FROM snapshot WHERE id = ?", (id_,)).fetchone()
        return None if row is None else int(row[0])

    def forget(self) -> None:
        """Forget everything."""
        with self._lock:
            for table in ("journal_subscription", "journal_page", "snapshot"):
                self._file.execute(f"DELETE FROM {table}")

    def _forget_old(self, now: int) -> None:
        self._file.execute(
            "UPDATE journal_page SET body = NULL WHERE published <= ? AND body IS NOT NULL",
            (now - RETENTION_MS,),
        )


def _read(id_: int, body: Body) -> JournalSubscription:
    return JournalSubscription(
        id=id_,
        type=body["type"],
        object_type=body["object_type"],
        actions=tuple(body["actions"]),
        properties=tuple(body["properties"]),
        object_ids=tuple(body["object_ids"]),
        other_types=tuple(body["other_types"]),
        portal=body["portal"],
        created=body["created"],
    )
