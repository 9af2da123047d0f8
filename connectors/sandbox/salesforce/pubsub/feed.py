"""What a subscriber reads: the change log, the sessions and the switches, over a connection of its own.

The gRPC server works on threads of its own beside the one that writes records. SQLite shows each reader
what has been committed, so a change is seen as a whole or not at all, and in commit order.
"""

from __future__ import annotations

import json
import sqlite3
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from threading import Lock
from typing import Any

from connectors.sandbox.salesforce import moments, seed, switches
from connectors.sandbox.salesforce.pubsub.changelog import NUMBERS_A_MILLISECOND, milliseconds, oldest_kept
from connectors.sandbox.salesforce.pubsub.events import Event, Noted, event_of, runs
from connectors.sandbox.salesforce.schema import Schema

#: A keepalive names a place this long before now: what is being committed gets a higher one.
MARGIN_MS = 60_000
ROWS_AN_EVENT = 200  #: the most records that one event names
_COLUMNS = "number, transaction_key, sequence, object, record, type, origin, user, at, body"


@dataclass(slots=True)
class Delivered:
    """How many events went out in the last 24 hours, to all subscribers together."""

    lock: Lock = field(default_factory=Lock)
    times: deque[tuple[datetime, int]] = field(default_factory=deque)
    total: int = 0

    def room(self, now: datetime, allowed: int | None) -> int | None:
        """How many more may go out; None: any number."""
        with self.lock:
            while self.times and now - self.times[0][0] >= timedelta(hours=24):
                self.total -= self.times.popleft()[1]
            return None if allowed is None else max(0, allowed - self.total)

    def add(self, now: datetime, count: int) -> None:
        """Count what went out."""
        with self.lock:
            self.times.append((now, count))
            self.total += count


class Feed:
    """One reader of the change log. Close it after use; not for several threads at once.

    ``schema`` gives the org's schema as the integration user sees it now.
    """

    def __init__(self, file: Path, now: Callable[[], datetime], schema: Callable[[], Schema]) -> None:
        self._db = sqlite3.connect(
            f"{file.as_uri()}?mode=ro", uri=True, check_same_thread=False, isolation_level=None
        )
        self.now = now
        self.schema = schema

    def close(self) -> None:
        """Close the connection."""
        self._db.close()

    def switches(self) -> dict[str, Any]:
        """The switches of the org as they are now."""
        row = self._db.execute("SELECT value FROM _setting WHERE name = 'switches'").fetchone()
        return {**switches.START, **(json.loads(row[0]) if row else {})}

    def is_live(self, token: str) -> bool:
        """Whether an access token opens a session that has neither ended nor been revoked."""
        row = self._db.execute("SELECT used FROM _token WHERE token = ?", (token,)).fetchone()
        lifetime = timedelta(seconds=self.switches()["token_lifetime_s"])
        return row is not None and self.now() - moments.moment_of(row[0]) < lifetime

    def objects_of(self, topic: str) -> tuple[str, ...] | None:
        """The objects whose changes a topic carries; None where there is no such topic.

        ``/data/XChangeEvent`` is one object's, ``/data/ChangeEvents`` every watched one's, and
        ``/data/NAME__chn`` those of a channel of the switch ``cdc_channels``. Objects that the integration
        user may not see are not there.
        """
        set_to, name = self.switches(), topic.removeprefix("/data/")
        seen = [each for each in set_to["cdc_objects"] if each in self.schema().objects]
        if not topic.startswith("/data/"):
            return None
        if name == "ChangeEvents":
            return tuple(seen)
        if name in set_to["cdc_channels"]:
            return tuple(each for each in set_to["cdc_channels"][name] if each in seen)
        one = name.removesuffix("ChangeEvent")
        return (one,) if one != name and one in seen else None

    def newest(self) -> int:
        """The place of the last change; 0 where there is none."""
        return int(self._db.execute("SELECT ifnull(max(number), 0) FROM _change").fetchone()[0])

    def quiet_place(self) -> int:
        """The place that a keepalive names: nothing that is still to come has a lower one."""
        return max(self.newest(), (self._milliseconds() - MARGIN_MS) * NUMBERS_A_MILLISECOND)

    def oldest(self) -> int:
        """The lowest place that is still kept."""
        return oldest_kept(self.now()) * NUMBERS_A_MILLISECOND

    def is_kept(self, place: int) -> bool:
        """Whether everything after a place can still be delivered, and the place was ever given out."""
        if place > max(self.newest(), (self._milliseconds() + 1) * NUMBERS_A_MILLISECOND):
            return False
        row = self._db.execute("SELECT at FROM _change WHERE number = ?", (place,)).fetchone()
        # A change says itself how old it is: its number may be ahead of a clock that was set back since.
        return self.oldest() <= place if row is None else bool(row[0] >= oldest_kept(self.now()))

    def after(self, place: int, objects: Sequence[str], count: int) -> list[Event]:
        """At most ``count`` events of some objects after a place, in commit order."""
        set_to, schema = self.switches(), self.schema()
        # An object may have been hidden since the topic was looked at.
        objects = [each for each in objects if each in schema.objects]
        marks = ", ".join("?" * len(objects))
        rows = self._db.execute(
            f"SELECT {_COLUMNS} FROM _change WHERE number > ? AND +at >= ? AND object IN ({marks}) "
            "ORDER BY number LIMIT ?",
            (place, oldest_kept(self.now()), *objects, count * ROWS_AN_EVENT),
        )
        found: list[Event] = []
        for run in runs((Noted(*row) for row in rows), set_to["cdc_merge"]):
            for start in range(0, len(run), ROWS_AN_EVENT):
                found.append(event_of(run[start : start + ROWS_AN_EVENT], schema))
                if len(found) == count:
                    return found
        return found

    def _milliseconds(self) -> int:
        return milliseconds(self.now())


def is_ours(tenant: str, instance: str) -> bool:
    """Whether call metadata names this org: its id in 15 or 18 characters, and an instance at all."""
    return tenant in (seed.ORG_ID, seed.ORG_ID[:15]) and instance.startswith(("https://", "http://"))
