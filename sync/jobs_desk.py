"""The open app of one thread that does jobs, and when it is opened anew.

Fields and rights in the CRMs change, and an app reads them once, which takes a second or two of calls. So it is opened
anew now and then: after a job, so that none waits for it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from sync.app import App

#: Seconds after which no job is done with an app any more.
KEPT_SECONDS = 600.0
#: Seconds after which it is opened anew behind a job.
RENEWED_SECONDS = 360.0

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Desk:
    """``opens`` gives an app; ``ready`` asks it what it asks once. ``kept`` is None where none is open."""

    opens: Callable[[], App]
    ready: Callable[[App], object]
    clock: Callable[[], float] = time.monotonic
    kept: App | None = None
    _since: float = 0.0

    def app(self) -> App:
        """The open one; opened anew where it was kept too long."""
        if self.kept is not None and self.clock() - self._since > KEPT_SECONDS:
            self.clear()
        if self.kept is None:
            self.kept, self._since = self.opens(), self.clock()
            # So that a failure can be noted also where a CRM does not even say whose it is.
            self.kept.recalled()
        return self.kept

    def renew_in_time(self) -> None:
        """Open it anew where the next job would have to."""
        if self.kept is not None and self.clock() - self._since > RENEWED_SECONDS:
            self.renew()

    def renew(self) -> None:
        """Open another one and have it ready. Whatever is away now, the next job meets it again and says so."""
        self.clear()
        try:
            self.ready(self.app())
        except Exception as away:  # noqa: BLE001 - told; the job that comes next tries it again and is judged by it
            _log.info("an app could not be opened in advance", exc_info=away)
            self.clear()

    def clear(self) -> None:
        kept, self.kept = self.kept, None
        if kept is not None:
            kept.close()
