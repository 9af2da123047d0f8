"""The call budgets that every process on this database shares. Implements ``connectors.quota.Ledger``.

The database's clock counts the windows, so machines whose clocks differ still share them rightly.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import psycopg

from connectors.quota import Day, Rate
from connectors.quota_day import HOURS_LAST, Hour, whole_hour
from sync.errors import DatabaseAway
from sync.store.statements import load_statements

#: What was heard of a day is written and read at most so often: it changes with every answer.
DAY_EVERY = timedelta(seconds=1)


#: Calls that one grant counts at most, and the part of what is left of a window that it may be: one over so many.
LOT, LOT_OF = 8, 50
#: Seconds for which a call that was counted ahead may be made: no later than one that takes its time to arrive.
LOT_LASTS = 0.5


class CallLedgers:
    """One connection for the ledgers of a process. Safe under threads: a statement takes half a millisecond."""

    def __init__(self, url: str, monotonic: Callable[[], float]) -> None:
        self._url = url
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._connection: psycopg.Connection | None = None
        self._closed = False
        self._given: list[CallLedger] = []
        self._sql = {name: text.encode() for name, text in load_statements().items()}

    def of(self, app: str) -> CallLedger:
        """The ledger of one app in one account; ``app`` is a fingerprint of its credentials, never a secret."""
        ledger = CallLedger(self, app, self._monotonic)
        self._given.append(ledger)
        return ledger

    def ask(self, statement: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """Run one named statement by itself. Raises DatabaseAway; asks once more on a fresh connection before."""
        with self._lock:
            try:
                return self._asked(statement, values)
            except psycopg.OperationalError:
                self._drop()
            try:
                return self._asked(statement, values)
            except psycopg.OperationalError:
                self._drop()
                raise DatabaseAway(
                    "the database went away while calls were being counted",
                    fix="start it again; what was begun is taken up by the next run",
                ) from None

    def close(self) -> None:
        """Let go of the database, for good: whoever still counts afterwards is told that it is away."""
        # What cannot be told any more counts as somebody else's: then a backfill leaves more than it has to.
        with suppress(DatabaseAway):
            for ledger in self._given:
                ledger.tell_counted()
        with self._lock:
            self._closed = True
            self._drop()
        for ledger in self._given:
            ledger.grant_no_more()

    def _asked(self, statement: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        if self._closed:
            # A thread that reads ahead may be a moment late; a connection that it opened now, nobody would close.
            raise DatabaseAway("calls are no longer counted here: the command has ended")
        if self._connection is None:
            self._connection = psycopg.connect(self._url, autocommit=True, options="-c timezone=UTC")
        done = self._connection.execute(self._sql[statement], values)
        return done.fetchall() if done.description else []

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


@dataclass(frozen=True, slots=True)
class _Moment:
    """When something was read or written: seconds of the monotonic clock, and our clock, which may be set ahead."""

    seconds: float
    at: datetime

    def is_lately(self, now: _Moment) -> bool:
        """Whether it was less than ``DAY_EVERY`` before ``now``, by both clocks."""
        return now.seconds - self.seconds < DAY_EVERY.total_seconds() and now.at - self.at < DAY_EVERY


@dataclass
class _Days:
    """What was last read of the days, and when."""

    read: _Moment
    days: Mapping[str, Day]


@dataclass
class _InHand:
    """Calls that are counted and not made yet, and until when they may be made, on the monotonic clock."""

    calls: int
    until: float


@dataclass
class _Hours:
    """The same of the hours of one CRM."""

    read: _Moment
    hours: Sequence[Hour]


class CallLedger:
    """The calls of one app, counted together with every other process that uses it."""

    def __init__(self, ledgers: CallLedgers, app: str, monotonic: Callable[[], float]) -> None:
        self._ledgers = ledgers
        self._app = f"{app}:"
        self._monotonic = monotonic
        self._opened: set[str] = set()
        self._counted: dict[str, int] = {}
        self._in_hand: dict[tuple[str, Rate], _InHand] = {}
        self._days: _Days | None = None
        self._noted: dict[str, _Moment] = {}
        #: Of threads that find nothing in hand one asks, and the others look again.
        self._granting = threading.Lock()
        self._lock = threading.Lock()
        self._untold: Counter[tuple[str, datetime, bool]] = Counter()
        self._hours: dict[str, _Hours] = {}

    def grant(self, window: str, rate: Rate) -> float:
        """As ``Ledger.grant``. Far from the limit some calls are counted at once, so that not each asks the database.

        What of them is not made within ``LOT_LASTS`` seconds was counted in vain: at most a fiftieth of what was left
        of the window as it was last heard of here.
        """
        with self._granting:
            return self._granted(self._open(window), rate)

    def _granted(self, budget: str, rate: Rate) -> float:
        kept = self._in_hand.get((budget, rate))
        if kept is not None and kept.calls and self._monotonic() < kept.until:
            kept.calls -= 1
            return 0.0
        lot = min(max((rate.calls - self._counted.get(budget, rate.calls)) // LOT_OF, 1), LOT)
        asked = {"budget": budget, "seconds": rate.seconds, "calls": rate.calls, "lot": lot}
        began = self._monotonic()
        wait, counted, granted = self._ledgers.ask("grant_calls", asked)[0]
        self._counted[budget] = counted
        if granted > 1:
            self._in_hand[budget, rate] = _InHand(granted - 1, began + LOT_LASTS)
        return float(wait)

    def used(self, window: str, rate: Rate, calls: int) -> None:
        budget = self._open(window)
        # Nearly every answer tells what we know already; only what others did is worth a statement.
        if calls <= self._counted.get(budget, 0):
            return
        self._ledgers.ask("count_calls", {"budget": budget, "seconds": rate.seconds, "calls": calls})
        self._counted[budget] = calls

    def hold(self, window: str, seconds: float) -> None:
        """As ``Ledger.hold``. What another process has in hand, it still makes: within ``LOT_LASTS`` seconds."""
        budget = self._open(window)
        with self._granting:
            self._in_hand = {key: kept for key, kept in self._in_hand.items() if key[0] != budget}
            self._ledgers.ask("hold_calls", {"budget": budget, "seconds": seconds})

    def grant_no_more(self) -> None:
        """Let go of calls that were counted and not made."""
        with self._granting:
            self._in_hand.clear()

    def note_day(self, budget: str, day: Day) -> None:
        if day.used < day.limit and not self._is_time(budget, day.heard):
            return
        told = {"budget": self._app + budget, "used": day.used, "limit": day.limit, "heard": day.heard}
        self._ledgers.ask("note_day", told)
        self._days = None

    def days(self, now: datetime) -> Mapping[str, Day]:
        # Another thread's ``note_day`` forgets what was read, at any moment.
        moment, kept = self._moment(now), self._days
        if kept is None or not kept.read.is_lately(moment):
            rows = self._ledgers.ask("noted_days", {"app": self._app})
            read = {name.removeprefix(self._app): Day(*rest) for name, *rest in rows}
            kept = self._days = _Days(moment, read)
        return kept.days

    def count(self, crm: str, hour: datetime, *, backfill: bool) -> None:
        with self._lock:
            self._untold[crm, hour, backfill] += 1

    def note_use(self, crm: str, used: int, at: datetime, began: datetime) -> None:
        if not self._is_time(f"use of {crm}", at):
            return
        self.tell_counted()
        told = {"budget": self._app + crm, "used": used, "hour": whole_hour(at), "began": began}
        self._ledgers.ask("note_use_of_hour", told | {"oldest": at - HOURS_LAST})

    def hours(self, crm: str, now: datetime) -> Sequence[Hour]:
        moment, kept = self._moment(now), self._hours.get(crm)
        if kept is None or not kept.read.is_lately(moment):
            self.tell_counted()
            asked = {"budget": self._app + crm, "oldest": now - HOURS_LAST}
            kept = _Hours(moment, [Hour(*row) for row in self._ledgers.ask("hours_of_calls", asked)])
            self._hours[crm] = kept
        with self._lock:
            untold = [(*key, count) for key, count in self._untold.items() if key[0] == crm]
        return _with_untold(kept.hours, untold)

    def tell_counted(self) -> None:
        """Write down what was counted and not yet told. Raises DatabaseAway; what was not told stays counted here."""
        with self._lock:
            told, self._untold = self._untold, Counter()
            self._hours.clear()
        try:
            for crm, hour in sorted({key[:2] for key in told}):
                backfill, live = (told[crm, hour, for_backfill] for for_backfill in (True, False))
                counted = {"budget": self._app + crm, "hour": hour, "ours": backfill + live}
                self._ledgers.ask("count_calls_of_hour", counted | {"backfill": backfill})
                told -= Counter({(crm, hour, True): backfill, (crm, hour, False): live})
        finally:
            with self._lock:
                self._untold += told

    def _is_time(self, what: str, heard: datetime) -> bool:
        """Whether something that every answer tells is written again."""
        now, before = self._moment(heard), self._noted.get(what)
        if before is not None and before.is_lately(now):
            return False
        self._noted[what] = now
        return True

    def _moment(self, at: datetime) -> _Moment:
        return _Moment(self._monotonic(), at)

    def _open(self, window: str) -> str:
        budget = self._app + window
        if budget not in self._opened:
            self._ledgers.ask("open_call_window", {"budget": budget})
            self._opened.add(budget)
        return budget


def _with_untold(hours: Sequence[Hour], untold: Sequence[tuple[str, datetime, bool, int]]) -> Sequence[Hour]:
    """The hours with the calls that were counted since they were read."""
    found = {one.start: one for one in hours}
    for _, start, backfill, count in untold:
        was = found.get(start, Hour(start))
        found[start] = replace(was, ours=was.ours + count, backfill=was.backfill + (count if backfill else 0))
    return [found[start] for start in sorted(found)]
