"""The clock of pretend CRMs. It can be moved, and what works with them then goes by it too."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

from connectors.atonce import one_of_many
from connectors.session import CrmSession
from sync.errors import CrmAway

#: Seconds for which pretend CRMs are not asked the time again: a run asks for it a dozen times.
CLOCK_HOLDS = 0.05
#: The same for many threads side by side: each call asks several times, and every question is a call of its own.
HOLDS_FOR_MANY = 1.0
#: The same while another thread asks: an answer may take as long where the pretend CRMs are busy.
HOLDS_WHILE_ASKED = 3.0


def sandbox_clock(
    url: str,
    machine: Callable[[], datetime],
    session: CrmSession,
    monotonic: Callable[[], float] = time.monotonic,
) -> Callable[[], datetime]:
    """The clock of the pretend CRMs at ``url``; ``machine``'s where what answers there has none.

    ``session`` carries the questions, and is closed by whoever opened it. ``monotonic`` returns seconds that never go
    back. The clock raises CrmAway where nothing answers. What it tells one of many threads may be a second old,
    and three while another one asks.
    """
    told: tuple[float, datetime] | None = None
    asking = threading.Lock()

    def known(seconds: float) -> datetime | None:
        kept = told
        return kept[1] if kept is not None and monotonic() - kept[0] < seconds else None

    def clock() -> datetime:
        nonlocal told
        many = one_of_many()
        moment = known(HOLDS_FOR_MANY if many else CLOCK_HOLDS)
        if moment is not None:
            return moment
        # Of many threads that want to know the time, one asks; those that make calls side by side go on meanwhile.
        moment = known(HOLDS_WHILE_ASKED) if many and asking.locked() else None
        if moment is not None:
            return moment
        with asking:
            moment = known(CLOCK_HOLDS)
            if moment is not None:
                return moment
            try:
                answer = session.get(f"{url}/_sandbox/clock", timeout=(5, 30))
            except OSError as away:
                raise CrmAway(f"HubSpot cannot be reached at {url}") from away
            if answer.status_code != 200:
                return machine()
            moment = datetime.fromisoformat(answer.json()["now"]).astimezone(UTC)
            told = (monotonic(), moment)
            return moment

    return clock
