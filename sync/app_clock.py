"""The clock of pretend CRMs. It can be moved, and what works with them then goes by it too."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

from connectors.session import CrmSession
from sync.errors import CrmAway

#: Seconds for which pretend CRMs are not asked the time again: a run asks for it a dozen times.
CLOCK_HOLDS = 0.05


def sandbox_clock(url: str, machine: Callable[[], datetime], session: CrmSession) -> Callable[[], datetime]:
    """The clock of the pretend CRMs at ``url``; ``machine``'s where what answers there has none.

    ``session`` carries the questions, and is closed by whoever opened it. The clock raises CrmAway where nothing
    answers.
    """
    told, moment, asking = -CLOCK_HOLDS, machine(), threading.Lock()

    def clock() -> datetime:
        nonlocal told, moment
        # Of many threads that want to know the time, one asks.
        with asking:
            if time.monotonic() - told < CLOCK_HOLDS:
                return moment
            try:
                answer = session.get(f"{url}/_sandbox/clock", timeout=(5, 30))
            except OSError as away:
                raise CrmAway(f"HubSpot cannot be reached at {url}") from away
            if answer.status_code != 200:
                return machine()
            told, moment = time.monotonic(), datetime.fromisoformat(answer.json()["now"]).astimezone(UTC)
            return moment

    return clock
