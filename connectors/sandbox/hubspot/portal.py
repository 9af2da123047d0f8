"""The account at work: what every call is handed."""

from __future__ import annotations

import random
import sqlite3
import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from connectors.sandbox.hubspot.definitions import Definitions
from connectors.sandbox.hubspot.moments import to_ms
from connectors.sandbox.hubspot.switches import Switches
from connectors.sandbox.hubspot.webhooks.happening import Happening
from connectors.sandbox.hubspot.webhooks.store import EventStore


class Clock(Protocol):
    """The sandbox's time."""

    def now(self) -> datetime:
        """An aware datetime."""
        ...


class Portal:
    """One account: its file, its definitions, its switches, its clock and its dice.

    ``happened`` is what the call under way has done so far; it is told once the call is done for good.
    ``version`` is the version of its address.
    """

    def __init__(self, database: sqlite3.Connection, clock: Clock, seed: int, events: EventStore) -> None:
        self.database = database
        self.events = events
        self.happened: list[Happening] = []
        self.version = ""
        self.definitions = Definitions(database)
        self.switches = Switches()
        #: How many calls the app has made since midnight in the account's time zone.
        self.calls_today: Callable[[], int] = int
        self._clock = clock
        self._names = random.Random(seed)
        self.dice = random.Random(seed + 1)

    def moment(self) -> datetime:
        """Now, by the sandbox clock."""
        return self._clock.now()

    def now(self) -> int:
        """Now in milliseconds since 1970."""
        return to_ms(self._clock.now())

    def fresh_id(self) -> str:
        """A correlation or request id; the same sequence for the same seed."""
        return str(uuid.UUID(int=self._names.getrandbits(128), version=4))

    def reseed(self, seed: int, starts: int = 0) -> None:
        """Start the sequences again; after ``starts`` earlier starts of the account with ids never given before."""
        # A token of an earlier start may still be good, so its name must not come twice.
        self._names.seed(f"{seed}/{starts}" if starts else seed)
        self.dice.seed(seed + 1)
