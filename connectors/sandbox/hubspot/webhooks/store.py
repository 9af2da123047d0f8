"""What subscribers want and what they are still to be told, in a file of its own.

The thread that answers calls puts events in once a call is done for good; the courier's threads take them
out. One lock guards the file: two connections would trip over each other's transactions.
"""

from __future__ import annotations

import random
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from connectors.sandbox.hubspot.moments import DAY_MS
from connectors.sandbox.hubspot.switches import Switches
from connectors.sandbox.hubspot.webhooks.bodies import Body, Subscription, webhook_bodies
from connectors.sandbox.hubspot.webhooks.happening import Happening
from connectors.sandbox.hubspot.webhooks.journal_store import JOURNAL_TABLES, JournalStore
from connectors.sandbox.keeping import bring_back

BATCH = 100
RETRIES = 10
#: Minutes until each of the ten retries; with the longest dice they all fit into 24 hours.
WAITS_MINUTES = (1, 5, 15, 30, 60, 120, 180, 240, 300, 360)
#: Requests remembered; older ones are forgotten.
DELIVERIES_KEPT = 10_000
_AHEAD = 1_000

_TABLES = """
CREATE TABLE IF NOT EXISTS setting (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS subscription (
  id INTEGER PRIMARY KEY, event_type TEXT NOT NULL, property TEXT NOT NULL, object_type TEXT NOT NULL,
  active INTEGER NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL);

-- state: waiting, flying (with a subscriber at this moment) or lost (every attempt failed).
CREATE TABLE IF NOT EXISTS event (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, due INTEGER NOT NULL, attempt INTEGER NOT NULL, state TEXT NOT NULL,
  body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS event_due ON event (state, due);

-- What was sent, and what came back: a status, or none where nobody answered in time.
CREATE TABLE IF NOT EXISTS delivery (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, status INTEGER, body TEXT NOT NULL);

CREATE TABLE IF NOT EXISTS app_token (
  value TEXT PRIMARY KEY, expires INTEGER NOT NULL, scopes TEXT NOT NULL) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Settings:
    """Where the app wants its events, and how many requests it takes at a time. Times in milliseconds."""

    target_url: str
    most_at_once: int
    created: int
    updated: int


@dataclass(frozen=True, slots=True)
class Batch:
    """Events that go out in one request."""

    seqs: tuple[int, ...]
    body: bytes


class EventStore:
    """Subscriptions, events on their way, and the journal. Safe under threads."""

    def __init__(self, path: Path, seed: int = 0) -> None:
        self._lock = threading.RLock()
        self._file = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        for setting in ("synchronous=OFF", "journal_mode=WAL"):
            self._file.execute(f"PRAGMA {setting}").close()
        self._file.executescript(_TABLES + JOURNAL_TABLES)
        self._wait_again()
        self.journal = JournalStore(self._file, self._lock)
        self._dice = random.Random(seed)
        self._closed = False
        self._told = 0
        self._active = self._read_subscriptions()
        self._refresh()

    def _wait_again(self) -> None:
        """Whatever was with a subscriber when a server was killed, or the state kept, is sent again."""
        self._file.execute("UPDATE event SET state = 'waiting' WHERE state = 'flying'")

    @property
    def listening(self) -> bool:
        """Whether anybody wants to be told of anything."""
        return self._listening

    def _refresh(self) -> None:
        self._active = self._read_subscriptions()
        told = self.settings() is not None and any(one.active for one in self._active)
        self._listening = told or bool(self.journal.subscriptions())

    # What the app wants

    def settings(self) -> Settings | None:
        """The app's settings, None before any were made."""
        with self._lock:
            row = self._file.execute("SELECT value FROM setting WHERE name = 'app'").fetchone()
        return Settings(**orjson.loads(row[0])) if row else None

    def configure(self, target_url: str, most_at_once: int, now: int) -> Settings:
        """Set where events go."""
        before = self.settings()
        wanted = Settings(target_url, most_at_once, before.created if before else now, now)
        with self._lock:
            body = orjson.dumps(wanted).decode()
            self._file.execute("INSERT OR REPLACE INTO setting VALUES ('app', ?)", (body,))
            self._refresh()
        return wanted

    def unconfigure(self) -> None:
        """Send nothing any more."""
        with self._lock:
            self._file.execute("DELETE FROM setting WHERE name = 'app'")
            self._refresh()

    def subscriptions(self) -> list[Subscription]:
        """Every subscription, paused ones included."""
        with self._lock:
            return list(self._active)

    def subscribe(self, event_type: str, name: str, object_type: str, active: bool, now: int) -> Subscription:
        """Add a subscription."""
        with self._lock:
            made = self._file.execute(
                "INSERT INTO subscription (event_type, property, object_type, active, created, updated)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (event_type, name, object_type, active, now, now),
            )
            self._refresh()
            return next(one for one in self._active if one.id == made.lastrowid)

    def switch(self, id_: int, active: bool, now: int) -> Subscription | None:
        """Pause a subscription or let it go on; None where there is none."""
        with self._lock:
            self._file.execute(
                "UPDATE subscription SET active = ?, updated = ? WHERE id = ?", (active, now, id_)
            )
            self._refresh()
            return next((one for one in self._active if one.id == id_), None)

    def unsubscribe(self, id_: int) -> bool:
        """End a subscription; False where there is none."""
        with self._lock:
            gone = self._file.execute("DELETE FROM subscription WHERE id = ?", (id_,)).rowcount
            self._refresh()
            return bool(gone)

    def unsubscribe_all(self) -> None:
        """End every subscription."""
        with self._lock:
            self._file.execute("DELETE FROM subscription")
            self._refresh()

    def journal_changed(self) -> None:
        """To be called when subscriptions of the journal came or went."""
        with self._lock:
            self._refresh()

    def _read_subscriptions(self) -> list[Subscription]:
        rows = self._file.execute(
            "SELECT id, event_type, property, object_type, active, created, updated FROM subscription ORDER BY id"
        )
        return [
            Subscription(id_, event_type, name, object_type, bool(active), created, updated)
            for id_, event_type, name, object_type, active, created, updated in rows
        ]

    # What is to be told

    def take(self, happenings: Sequence[Happening], switches: Switches, now: int, offset: str) -> None:
        """Keep what has happened until it is delivered. ``offset`` names the journal's next page."""
        if not happenings:
            return
        due = now + switches.webhook_delay_ms
        with self._lock:
            self._file.execute("BEGIN")
            try:
                if self.settings() is not None:
                    self._queue(happenings, switches, due)
                self.journal.add(happenings, now, offset)
            except BaseException:
                self._file.execute("ROLLBACK")
                raise
            self._file.execute("COMMIT")

    def _queue(self, happenings: Iterable[Happening], switches: Switches, due: int) -> None:
        every = switches.webhook_duplicates
        rows: list[tuple[int, str]] = []
        for happening in happenings:
            event_id = self._dice.randrange(1, 2**31)
            bodies = webhook_bodies(
                happening, self._active, event_id, on_creation=switches.webhook_values_of_new
            )
            for body in bodies:
                text = orjson.dumps(body).decode()
                rows.append((due, text))
                self._told += 1
                if every and self._told % every == 0:
                    rows.append((due, text))
        self._file.executemany(
            "INSERT INTO event (due, attempt, state, body) VALUES (?, 0, 'waiting', ?)", rows
        )

    def next_batch(self, now: int, *, shuffled: bool) -> Batch | None:
        """Up to a hundred events that are due, marked as on their way; None where there are none."""
        with self._lock:
            if self._closed:
                return None
            rows = self._file.execute(
                "SELECT seq, attempt, body FROM event WHERE state = 'waiting' AND due <= ? ORDER BY due, seq"
                " LIMIT ?",
                (now, _AHEAD if shuffled else BATCH),
            ).fetchall()
            most = BATCH
            if shuffled and rows:
                self._dice.shuffle(rows)
                # What belongs together need not come together: the rest follows in another request.
                most = min(BATCH, self._dice.randint((len(rows) + 1) // 2, len(rows)))
            rows = rows[:most]
            self._file.executemany(
                "UPDATE event SET state = 'flying' WHERE seq = ?", [(seq,) for seq, _, _ in rows]
            )
        if not rows:
            return None
        bodies = [{**orjson.loads(body), "attemptNumber": attempt} for _, attempt, body in rows]
        return Batch(tuple(seq for seq, _, _ in rows), orjson.dumps(bodies))

    def delivered(self, batch: Batch, status: int | None, now: int) -> None:
        """Note how a request ended; what was not taken goes out again later, at most ten times."""
        with self._lock:
            if self._closed:
                return
            body = batch.body.decode()
            self._file.execute(
                "INSERT INTO delivery (at, status, body) VALUES (?, ?, ?)", (now, status, body)
            )
            self._file.execute(
                "DELETE FROM delivery WHERE seq <= (SELECT max(seq) FROM delivery) - ?", (DELIVERIES_KEPT,)
            )
            seqs = [(seq,) for seq in batch.seqs]
            if status is not None and status < 400:
                self._file.executemany("DELETE FROM event WHERE seq = ?", seqs)
                return
            for (seq,) in seqs:
                self._again(seq, now)

    def _again(self, seq: int, now: int) -> None:
        row = self._file.execute("SELECT attempt FROM event WHERE seq = ?", (seq,)).fetchone()
        if row is None:
            return
        if row[0] >= RETRIES:
            self._file.execute("UPDATE event SET state = 'lost' WHERE seq = ?", (seq,))
            return
        wait = round(WAITS_MINUTES[row[0]] * 60_000 * self._dice.uniform(0.9, 1.09))
        self._file.execute(
            "UPDATE event SET state = 'waiting', attempt = attempt + 1, due = ? WHERE seq = ?",
            (now + wait, seq),
        )

    def counts(self) -> dict[str, int]:
        """How many events are waiting, flying and lost."""
        with self._lock:
            rows = self._file.execute("SELECT state, count(*) FROM event GROUP BY state").fetchall()
        return {"waiting": 0, "flying": 0, "lost": 0, **dict(rows)}

    def deliveries(self, after: int, limit: int) -> list[Body]:
        """What was sent, oldest first: ``{id, at, status, events}``."""
        with self._lock:
            rows = self._file.execute(
                "SELECT seq, at, status, body FROM delivery WHERE seq > ? ORDER BY seq LIMIT ?",
                (after, limit),
            ).fetchall()
        return [
            {"id": str(seq), "at": at, "status": status, "events": orjson.loads(body)}
            for seq, at, status, body in rows
        ]

    # Tokens of the app itself

    def grant(self, value: str, expires: int, scopes: Sequence[str]) -> None:
        """Keep a token of the app."""
        with self._lock:
            row = (value, expires, " ".join(scopes))
            self._file.execute("DELETE FROM app_token WHERE expires < ?", (expires - DAY_MS,))
            self._file.execute("INSERT INTO app_token VALUES (?, ?, ?)", row)

    def granted(self, value: str) -> tuple[int, tuple[str, ...]] | None:
        """When a token of the app ends, in milliseconds, and what it may do."""
        with self._lock:
            row = self._file.execute(
                "SELECT expires, scopes FROM app_token WHERE value = ?", (value,)
            ).fetchone()
        return None if row is None else (int(row[0]), tuple(str(row[1]).split()))

    def forget(self, seed: int) -> None:
        """Start as for a new app."""
        with self._lock:
            for table in ("setting", "subscription", "event", "delivery", "app_token"):
                self._file.execute(f"DELETE FROM {table}")
            self._file.execute("DELETE FROM sqlite_sequence")
            self.journal.forget()
            self._dice.seed(seed)
            self._told = 0
            self._refresh()

    @contextmanager
    def still(self) -> Iterator[sqlite3.Connection]:
        """The open file, while nobody else uses it."""
        with self._lock:
            yield self._file

    def go_back(self, kept: Path, seed: int) -> None:
        """Be what a kept copy of the file holds; what was with a subscriber then is sent again."""
        with self._lock:
            bring_back(kept, self._file)
            self._wait_again()
            self._dice.seed(seed)
            self._told = 0
            self._refresh()

    def close(self) -> None:
        """Write everything out; what is still with a subscriber is sent again next time."""
        with self._lock:
            self._closed = True
            self._file.close()


def wire_of(one: Subscription) -> dict[str, Any]:
    """The parts of a subscription that its API names; times in milliseconds."""
    body: dict[str, Any] = {"id": str(one.id), "eventType": one.event_type, "active": one.active}
    if one.property:
        body["propertyName"] = one.property
    if one.object_type:
        body["objectTypeId"] = one.object_type
    return body
