"""Call limits: two short windows by a clock that never jumps, the day by the account's.

HubSpot reference, section 9.1.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from datetime import date, datetime

from connectors.sandbox.hubspot.account import TIME_ZONE
from connectors.sandbox.hubspot.switches import Switches

WINDOW_S = 10.0


class Quota:
    """What has been called. ``elapsed`` is a monotonic clock in seconds, ``kept`` an earlier day's count."""

    def __init__(self, elapsed: Callable[[], float], kept: str | None = None) -> None:
        self._elapsed = elapsed
        self._calls: deque[float] = deque()
        self._searches: deque[float] = deque()
        day, _, used = (kept or "").partition(" ")
        self.day = date.fromisoformat(day) if day else None
        self.used_today = int(used or 0)

    def kept(self) -> str:
        """The day and what was used of it, to be handed to the next one."""
        return f"{self.day} {self.used_today}" if self.day else ""

    def clear(self) -> None:
        """Forget every call."""
        self._calls.clear()
        self._searches.clear()
        self.used_today = 0

    def take(self, switches: Switches, now: datetime, *, is_search: bool) -> tuple[str, int] | None:
        """Count one call; returns the policy it breaks and the seconds to wait, or None.

        A refused call is not counted. Search is exempt from the ten-second window.
        """
        today = now.astimezone(TIME_ZONE).date()
        if today != self.day:
            self.day, self.used_today = today, 0
        elapsed = self._elapsed()
        window, limit, length, policy = (
            (self._searches, switches.secondly_search, 1.0, "SECONDLY")
            if is_search
            else (self._calls, switches.ten_secondly, WINDOW_S, "TEN_SECONDLY_ROLLING")
        )
        while window and window[0] <= elapsed - length:
            window.popleft()
        if limit is not None and len(window) >= limit:
            wait = length - (elapsed - window[0]) if window else length
            return policy, max(1, round(wait + 0.5))
        if switches.daily is not None and self.used_today >= switches.daily:
            return "DAILY", _seconds_to_midnight(now)
        if limit is not None:
            window.append(elapsed)
        self.used_today += 1
        return None

    def headers(self, switches: Switches, *, is_search: bool) -> dict[str, str]:
        """The headers of an answer; a search carries none."""
        if is_search:
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
