"""One call budget for each CRM, shared by all who call it.

Two things limit calls: a window (so many in ten seconds, so many a second) and the day. The windows are
waited for here, before a call; a day that is used up is not. Both are learned from the CRM's answers, so
calls that other integrations make are seen too, and a backfill leaves them what they are expected to use
(``connectors.quota_others``). Who has used what is kept in a ledger: one in memory, or one that several workers share.
"""

from __future__ import annotations

import re
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from math import ceil
from typing import Literal, Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from connectors.atonce import attentive
from connectors.errors import ConnectorError, NeedsPerson, RetryLater
from connectors.quota_day import (
    HOURS_LAST,
    Hour,
    Room,
    besides_backfills,
    day_began,
    no_room,
    room_of,
    whole_hour,
)
from connectors.quota_echoes import told_apart
from connectors.quota_others import foreseen


@dataclass(frozen=True, slots=True)
class Rate:
    """At most ``calls`` calls within any ``seconds`` seconds."""

    calls: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Day:
    """How much of a daily budget is used, as the CRM said at ``heard`` (aware). Counts are calls."""

    used: int
    limit: int
    heard: datetime


class Ledger(Protocol):
    """Where the calls of everybody who shares a budget are counted. Safe under threads."""

    def grant(self, window: str, rate: Rate) -> float:
        """Let one call be made now, counted by then, and return 0.0; or the seconds to wait."""
        ...

    def used(self, window: str, rate: Rate, calls: int) -> None:
        """The CRM counts ``calls`` calls in the window; count at least as many."""
        ...

    def hold(self, window: str, seconds: float) -> None:
        """Grant nothing in this window for so many seconds."""
        ...

    def note_day(self, budget: str, day: Day) -> None:
        """Keep what the CRM said of a daily budget."""
        ...

    def days(self, now: datetime, /) -> Mapping[str, Day]:
        """The latest note of each daily budget, as of now (aware)."""
        ...

    def count(self, crm: str, hour: datetime, *, backfill: bool) -> None:
        """One call of ours is made in an hour, for a backfill or for something else."""
        ...

    def note_use(self, crm: str, used: int, at: datetime, began: datetime) -> None:
        """The CRM counted ``used`` calls at ``at``, everybody's, of the day that began at ``began``."""
        ...

    def hours(self, crm: str, now: datetime) -> Sequence[Hour]:
        """The hours of the last days (``HOURS_LAST``), oldest first."""
        ...


class MemoryLedger:
    """A ledger for one process: the times of the calls in each window.

    ``monotonic`` returns seconds that never go back.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._calls: dict[str, deque[float]] = {}
        self._held: dict[str, float] = {}
        self._days: dict[str, Day] = {}
        self._hours: dict[tuple[str, datetime], Hour] = {}

    def grant(self, window: str, rate: Rate) -> float:
        with self._lock:
            now = self._monotonic()
            held = self._held.get(window, now)
            if held > now:
                return held - now
            calls = self._current(window, rate, now)
            if len(calls) < rate.calls:
                calls.append(now)
                return 0.0
            return max(calls[len(calls) - rate.calls] + rate.seconds - now, 0.001)

    def used(self, window: str, rate: Rate, calls: int) -> None:
        with self._lock:
            now = self._monotonic()
            current = self._current(window, rate, now)
            # Calls of others, made at a time we do not know: counted as if made now.
            current.extend([now] * (calls - len(current)))

    def hold(self, window: str, seconds: float) -> None:
        with self._lock:
            until = self._monotonic() + seconds
            self._held[window] = max(until, self._held.get(window, until))

    def note_day(self, budget: str, day: Day) -> None:
        with self._lock:
            self._days[budget] = day

    def days(self, _now: datetime, /) -> Mapping[str, Day]:
        with self._lock:
            return dict(self._days)

    def count(self, crm: str, hour: datetime, *, backfill: bool) -> None:
        with self._lock:
            was = self._hours.get((crm, hour), Hour(hour))
            self._hours[crm, hour] = replace(was, ours=was.ours + 1, backfill=was.backfill + backfill)

    def note_use(self, crm: str, used: int, at: datetime, began: datetime) -> None:
        with self._lock:
            hour = whole_hour(at)
            ours = [(start, one.backfill) for (name, start), one in self._hours.items() if name == crm]
            besides, at_least = besides_backfills(used, ours, began)
            was = self._hours.get((crm, hour), Hour(hour))
            self._hours[crm, hour] = replace(was, besides=besides, highest=max(was.highest or 0, at_least))

    def hours(self, crm: str, now: datetime) -> Sequence[Hour]:
        with self._lock:
            kept = [
                one for (name, start), one in self._hours.items() if name == crm and start > now - HOURS_LAST
            ]
        return sorted(kept, key=lambda one: one.start)

    def _current(self, window: str, rate: Rate, now: float) -> deque[float]:
        calls = self._calls.setdefault(window, deque())
        while calls and calls[0] <= now - rate.seconds:
            calls.popleft()
        return calls


@dataclass(frozen=True, slots=True)
class Heard:
    """What one answer's headers said. ``used``: calls in the current window; ``days``: (used, limit)."""

    rate: Rate | None = None
    used: int | None = None
    days: Mapping[str, tuple[int, int]] = field(default_factory=dict)


def read_limits(headers: Mapping[str, str]) -> Heard:
    """The limits in the headers of one answer; empty where it carries none (searches carry none).

    ``X-HubSpot-RateLimit-*`` (HubSpot reference, section 9.1) and ``Sforce-Limit-Info`` (Salesforce
    reference, section 7). What cannot be read is left out: a changed header must not stop a sync.
    """
    prefix = "X-HubSpot-RateLimit-"
    most, left = _number(headers.get(prefix + "Max")), _number(headers.get(prefix + "Remaining"))
    interval = _number(headers.get(prefix + "Interval-Milliseconds"))
    rate = Rate(most, interval / 1000) if most and interval else None
    days: dict[str, tuple[int, int]] = {}
    limit, remaining = (
        _number(headers.get(prefix + "Daily")),
        _number(headers.get(prefix + "Daily-Remaining")),
    )
    if limit and remaining is not None:
        days["daily"] = (limit - remaining, limit)
    for name, used, cap in re.findall(r"([\w-]+)=(\d+)/(\d+)", headers.get("Sforce-Limit-Info", "")):
        days[name] = (int(used), int(cap))
    return Heard(rate, most - left if rate and most and left is not None else None, days)


def is_shared(budget: str) -> bool:
    """Whether a daily budget counts everybody's calls, and not those of one app (Salesforce reference, section 2)."""
    return not budget.startswith("per-app")


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.strip().isdigit() else None


#: A daily budget whose reset is not known is asked about again after this long.
DAY_NOTE_LASTS = timedelta(hours=1)

#: Waiting longer for a place in a window means that something is wrong; the job comes back later.
LONGEST_QUEUE = 60.0

#: The part of a window that is used: calls under way are counted by the CRM a little later than by us. Of
#: HubSpot's 190 it leaves eight, as many as a full reading has under way; with six left, a refusal was seen.
WINDOW_SHARE = 0.96


#: What a call is made for. A withdrawn consent waits for nobody, and everybody is served before a backfill.
Lane = Literal["consent", "handover", "live", "backfill"]


@dataclass(frozen=True, slots=True)
class Reserve:
    """How much of our part a lane leaves to those before it (0 to 1), of a window and of the day."""

    window: float
    day: float


#: Lanes that leave something; handovers and live changes leave nothing to each other, and take their turns.
RESERVES: Mapping[Lane, Reserve] = {"backfill": Reserve(window=0.2, day=0.25)}
NOTHING_KEPT = Reserve(window=0.0, day=0.0)


class Quota:
    """The budget of one CRM. Every request passes ``before``; every answer passes ``learn``.

    ``rates`` names the windows ("calls", "search") with what holds until the CRM says otherwise.
    ``share`` (0 to 1) is how much of the account's day, everybody's calls counted, may be used when we
    call; the rest is left to people and other integrations. Of that share each lane leaves a reserve to the
    lanes before it (``RESERVES``); ``reserve`` is another one, in calls a day, for a backfill, which also leaves
    what all others are expected to use. ``lane`` is the one of calls made outside ``in_lane``. ``resets`` gives the
    next start of a day for a moment (aware), None where it is not known or the day rolls. ``clock`` returns aware
    UTC, ``sleep`` takes seconds.
    """

    def __init__(
        self,
        crm: str,
        rates: Mapping[str, Rate],
        *,
        ledger: Ledger,
        clock: Callable[[], datetime],
        sleep: Callable[[float], None],
        share: float = 1.0,
        resets: Callable[[datetime], datetime] | None = None,
        lane: Lane = "live",
        reserve: int | None = None,
    ) -> None:
        self.crm = crm
        self.resets = resets
        self.lane: Lane = lane
        self._rates = dict(rates)
        self._ledger = ledger
        self._clock = clock
        self._sleep = attentive(sleep)
        self._share = share
        self._reserve = reserve

    @contextmanager
    def in_lane(self, lane: Lane) -> Iterator[None]:
        """Calls made meanwhile, by every thread, are made in this lane."""
        outside, self.lane = self.lane, lane
        try:
            yield
        finally:
            self.lane = outside

    def before(self, window: str = "calls") -> None:
        """Wait for a place in the window. A window without a rate is not limited.

        Raises RetryLater (with ``not_before``) or NeedsPerson (where nobody knows when the day ends) when
        the day is used up or our share of it is reached; RetryLater when the queue is too long.
        """
        self._check_day()
        rate = self._rates.get(window)
        if rate is not None:
            self._wait(window, rate)
        self._ledger.count(self.crm, whole_hour(self._clock()), backfill=self.lane == "backfill")

    def _wait(self, window: str, rate: Rate) -> None:
        kept = RESERVES.get(self.lane, NOTHING_KEPT).window
        ours = Rate(max(int(rate.calls * WINDOW_SHARE * (1 - kept)), 1), rate.seconds)
        waited = 0.0
        while (wait := self._ledger.grant(self._key(window), ours)) > 0:
            if waited + wait > LONGEST_QUEUE:
                raise RetryLater(f"Too many calls to {self.crm} are waiting", crm=self.crm, wait_seconds=wait)
            self._sleep(wait)
            waited += wait

    def learn(self, headers: Mapping[str, str], window: str = "calls") -> None:
        """Take over what an answer says about the limits; nothing where it says nothing."""
        heard = read_limits(headers)
        if heard.rate is not None:
            self._rates[window] = heard.rate
            if heard.used is not None:
                self._ledger.used(self._key(window), heard.rate, heard.used)
        for name, (used, limit) in heard.days.items():
            now = self._clock()
            self._ledger.note_day(self._key(name), Day(used, limit, now))
            if is_shared(name):
                self._ledger.note_use(self.crm, used, now, day_began(now, self.resets))

    def room(self) -> Room | None:
        """What a backfill may still call, whatever lane this is; None where the CRM tells nothing of a day."""
        told = [day for name, day in self.days().items() if is_shared(name)]
        if not told:
            return None
        day, now = told[0], self._clock()
        hours, drawn = told_apart(self._ledger.hours(self.crm, now), now, self.resets)
        used = day.used if day.heard >= day_began(now, self.resets) else 0
        others = foreseen(hours, used, now, self.resets)
        ours, a_quarter = round(day.limit * self._share), RESERVES["backfill"].day
        kept = round(ours * a_quarter) if self._reserve is None else self._reserve
        # Before a day of the others is known, nobody can tell whether the reserve is enough.
        kept = kept if others.sure else max(kept, round(ours * a_quarter))
        room = room_of(ours, used, kept, others, hours, now, self.resets, chosen=self._reserve is not None)
        return replace(room, drawn=drawn)

    def now(self) -> datetime:
        """Our clock, aware UTC."""
        return self._clock()

    def day_ends_in(self, zone: str) -> None:
        """The CRM's day ends at midnight in this IANA time zone; nothing changes where it is not known."""
        try:
            place = ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError):
            return
        self.resets = lambda moment: _next_midnight(moment, place)

    def hold(self, window: str, seconds: float) -> None:
        """The CRM refused a call of this window: nobody calls for so many seconds."""
        self._ledger.hold(self._key(window), seconds)

    def day_is_over(self, budget: str = "daily") -> ConnectorError:
        """The CRM refused a call because the day is used up: note it, and return the error to raise."""
        now = self._clock()
        day = self._ledger.days(now).get(self._key(budget))
        limit = day.limit if day is not None else 1
        self._ledger.note_day(self._key(budget), Day(limit, limit, now))
        return self._over(f"The daily budget of calls to {self.crm} is used up", now)

    def days(self) -> Mapping[str, Day]:
        """The daily budgets of this CRM as last heard, by their name in its headers."""
        prefix = self._key("")
        noted = self._ledger.days(self._clock())
        return {name.removeprefix(prefix): day for name, day in noted.items() if name.startswith(prefix)}

    def _check_day(self) -> None:
        for name, day in self.days().items():
            if self.lane == "backfill" and is_shared(name) and day.used < day.limit:
                self._check_room(day)
                continue
            if day.used < min(day.limit, round(day.limit * self._day_share())) or self._has_ended(day):
                continue
            if day.used >= day.limit:
                raise self._over(f"The daily budget of calls to {self.crm} is used up", day.heard)
            # A per-app budget is ours alone; only what is shared with others is left unused.
            if is_shared(name) and day.used >= round(day.limit * self._day_share()):
                text = (
                    f"{self.crm} has used {day.used} of {day.limit} calls today, "
                    f"and the share of the {self.lane} lane is reached"
                )
                raise self._over(text, day.heard)

    def _check_room(self, day: Day) -> None:
        room = self.room()
        if room is not None and room.now < room.drawn and not self._has_ended(day):
            raise no_room(self.crm, room, ceil(room.drawn), self._clock())

    def _has_ended(self, day: Day) -> bool:
        ends = self.resets(day.heard) if self.resets is not None else day.heard + DAY_NOTE_LASTS
        return self._clock() >= ends

    def _day_share(self) -> float:
        # A withdrawal may use what we leave to others: it is a handful of calls, and must not wait for tomorrow.
        return 1.0 if self.lane == "consent" else self._share

    def _over(self, text: str, heard: datetime) -> ConnectorError:
        if self.resets is not None:
            return RetryLater(text, crm=self.crm, code="DAILY", not_before=self.resets(heard))
        fix = "Wait for the CRM's next day, raise the share in the settings, or buy more calls."
        return NeedsPerson(text, crm=self.crm, code="DAILY", fix=fix)

    def _key(self, name: str) -> str:
        return f"{self.crm}:{name}"


def _next_midnight(moment: datetime, place: ZoneInfo) -> datetime:
    tomorrow = moment.astimezone(place).date() + timedelta(days=1)
    return datetime.combine(tomorrow, time(), place).astimezone(UTC)
