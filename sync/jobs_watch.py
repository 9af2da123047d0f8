"""What every worker process looks after, several times a minute: dead workers, schedules, and a full inbox.

Many look, and each thing is done once: a job is taken over, and a schedule seen to, in one statement that only one of
them can win.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from connectors.errors import ConnectorError
from sync.app import App
from sync.cron import Cron, parse_cron
from sync.errors import CrmAway
from sync.jobs import SCHEDULED, drain_inbox, scheduled
from sync.sections_service import OFF, ScheduleSettings, WorkerSettings
from sync.work import CRMS

#: Seconds between two looks at what waits in the inbox without a job.
INBOX_EVERY = 60.0

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Watch:
    """The eyes of one process. Not to be shared by threads that look at the same time."""

    app: App
    worker: WorkerSettings
    crons: Mapping[str, Cron]
    zone: ZoneInfo
    _inbox_seen: float | None = field(default=None)

    def look(self) -> None:
        """Look once at everything. Raises the store's errors."""
        self._take_over()
        try:
            self._see_to_schedules(self.app.clock())
            self._wake_drains()
        except (CrmAway, ConnectorError) as away:
            # The pretend CRMs have the clock, and they are away.
            _log.info("what time it is cannot be told", exc_info=away)

    def _take_over(self) -> None:
        jobs = self.app.store.jobs
        for job, parked in jobs.take_over(self.worker.stalled_after_seconds, self.worker.max_attempts):
            if parked:
                _log.warning("a job whose workers died is parked; see `leadpact jobs`", extra={"job": job})
            else:
                _log.warning("a job of a dead worker was given back", extra={"job": job})

    def _see_to_schedules(self, now: datetime) -> None:
        jobs = self.app.store.jobs
        seen = jobs.seen_schedules()
        for name, cron in self.crons.items():
            due = cron.last(now, self.zone)
            if seen.get(name, due - timedelta(1)) < due and jobs.due(name, due, scheduled(name)):
                _log.info("%s is due", name)

    def _wake_drains(self) -> None:
        """A drain that was parked, dropped or lost with a restore must not leave what it was to read.

        Once somebody has read that, a parked one is no trouble any more, and not to be shown as one.
        """
        seconds = time.monotonic()
        if self._inbox_seen is not None and seconds - self._inbox_seen < INBOX_EVERY:
            return
        self._inbox_seen = seconds
        if not self.app.store.inbox.due(self.app.clock()):
            self.app.store.jobs.drop_idle_drains()
            return
        for crm in CRMS:
            self.app.store.jobs.enqueue(drain_inbox(crm))


def crons_of(schedule: ScheduleSettings) -> dict[str, Cron]:
    """The schedules that are on, by name."""
    texts = {name: str(getattr(schedule, name)) for name in SCHEDULED}
    return {name: parse_cron(text) for name, text in texts.items() if text != OFF}
