"""Call limits: two short windows by a clock that never jumps, the day by the account's.

HubSpot reference, section 9.1.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Literal

from connectors.sandbox.hubspot.account import TIME_ZONE
from connectors.sandbox.hubspot.switches import Switches

WINDOW_S = 10.0


#: Which limits a call counts against. An association call counts against its own and is a call like any other.
Group = Literal["calls", "search", "associations"]


def group_of(method: str, path: str) -> Group:
    """The group of a call: searches of records, association calls (v4 and dated), and all others."""
    if method == "POST" and path.rstrip("/").endswith("/search") and "/lists/" not in path:
        return "search"
    return "associations" if "/associations/" in path else "calls"


@dataclass(frozen=True, slots=True)
class Over:
    """A limit that a call would break: the policy, the seconds to wait, and the group where it has its own."""

    policy: str
    seconds: int
    group: str | None = None


class Quota:
    """What one app has called. ``elapsed`` is a monotonic clock in seconds, ``kept`` an earlier day's count.

    Searches are counted for the whole account: ``beside`` is the quota of its other app.
    """

    def __init__(
        self, elapsed: Callable[[], float], kept: str | None = None, beside: Quota | None = None
    ) -> None:
        self._elapsed = elapsed
        self._calls: deque[float] = deque()
        self._searches: deque[float] = deque() if beside is None else beside._searches
        self._associations: deque[float] = deque()
        self._count_on(kept)

    def kept(self) -> str:
        """The day and what was used of it, to be handed to the next one."""
        return f"{self.day} {self.used_today} {self.associations_today}" if self.day else ""

    def clear(self, kept: str | None = None) -> None:
        """Forget every call, but for the count of a day that was kept."""
        for window in (self._calls, self._searches, self._associations):
            window.clear()
        self._count_on(kept)

    def _count_on(self, kept: str | None) -> None:
        words = (kept or "").split()
        self.day = date.fromisoformat(words[0]) if words else None
        self.used_today, self.associations_today = (int(words[n]) if len(words) > n else 0 for n in (1, 2))

    def take(self, switches: Switches, now: datetime, group: Group) -> Over | None:
        """Count one call; returns the limit it breaks, or None.

        A refused call is not counted. Search is exempt from the ten-second window.
        """
        self._begin_day(now)
        elapsed = self._elapsed()
        windows = self._windows(switches, group)
        for window, limit, length, over in windows:
            while window and window[0] <= elapsed - length:
                window.popleft()
            if limit is not None and len(window) >= limit:
                wait = length - (elapsed - window[0]) if window else length
                return replace(over, seconds=max(1, round(wait + 0.5)))
        if switches.daily is not None and self.used_today >= switches.daily:
            return Over("DAILY", _seconds_to_midnight(now))
        own = group == "associations" and switches.daily_associations is not None
        if own and self.associations_today >= (switches.daily_associations or 0):
            return Over("DAILY", _seconds_to_midnight(now), group)
        for window, limit, _, _ in windows:
            if limit is not None:
                window.append(elapsed)
        self.used_today += 1
        self.associations_today += group == "associations"
        return None

    def take_for_others(self, switches: Switches, now: datetime, calls: int) -> int:
        """Other integrations make so many calls, as far as the day lets them; returns how many it let.

        They share the account's day and no window (HubSpot reference, section 9.1).
        """
        self._begin_day(now)
        made = calls if switches.daily is None else min(calls, max(switches.daily - self.used_today, 0))
        self.used_today += made
        return made

    def _begin_day(self, now: datetime) -> None:
        today = now.astimezone(TIME_ZONE).date()
        if today != self.day:
            self.day, self.used_today, self.associations_today = today, 0, 0

    def _windows(
        self, switches: Switches, group: Group
    ) -> list[tuple[deque[float], int | None, float, Over]]:
        calls = (self._calls, switches.ten_secondly, WINDOW_S, Over("TEN_SECONDLY_ROLLING", 0))
        if group == "search":
            return [(self._searches, switches.secondly_search, 1.0, Over("SECONDLY", 0))]
        if group == "calls":
            return [calls]
        own = Over("TEN_SECONDLY_ROLLING", 0, group)
        return [(self._associations, switches.ten_secondly_associations, WINDOW_S, own), calls]

    def headers(self, switches: Switches, group: Group) -> dict[str, str]:
        """The headers of an answer; a search carries none, an association call those of all calls."""
        if group == "search":
            return {}
        out: dict[str, str] = {}
        if switches.daily is not None:
            out["X-HubSpot-RateLimit-Daily"] = str(switches.daily)
            out["X-HubSpot-RateLimit-Daily-Remaining"] = str(max(0, switches.daily - self.used_today))
        if switches.ten_secondly is not None:
            out["X-HubSpot-RateLimit-Interval-Milliseconds"] = str(int(WINDOW_S * 1000))
            out["X-HubSpot-RateLimit-Max"] = str(switches.ten_secondly)
            out["X-HubSpot-RateLimit-Remaining"] = str(max(0, switches.ten_secondly - len(self._calls)))
        return out


def _seconds_to_midnight(now: datetime) -> int:
    here = now.astimezone(TIME_ZONE)
    return 86_400 - (here.hour * 3600 + here.minute * 60 + here.second)
