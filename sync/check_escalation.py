"""What ``check`` says where handovers may be told of too late: the schedule looks less often than was agreed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from sync.cron import parse_cron
from sync.handover_rules import Agreement
from sync.sections_service import OFF, ScheduleSettings
from sync.wrongconfig import Problem

#: Days that are looked at: every day of the week, with one more for a schedule that names a weekday.
AHEAD = timedelta(days=8)
_FIX = "let schedule.incremental come more often in working hours, or make handover.escalate_before longer"


def of_escalation(
    agreed: Agreement | None, schedule: ScheduleSettings, now: datetime, where: Callable[[str], str]
) -> list[Problem]:
    """A warning where a whole ``escalate_before`` of working time may pass between two scheduled syncs.

    What a push brings does not escalate: it has read one lead, and not whether the others are untouched. ``agreed``:
    None where nobody is to be told. ``now``: the next days are looked at.
    """
    if agreed is None:
        return []
    before = agreed.terms.escalate_before
    if schedule.incremental == OFF:
        said = "no sync is scheduled, so nobody is told before a handover's time is up unless somebody runs `sync`"
    elif _longest(agreed, schedule, now) > before:
        said = (
            f"between two scheduled syncs more than handover.escalate_before ({before // 60} minutes of working time)"
            " may pass: a handover can be late before anybody is told"
        )
    else:
        return []
    return [Problem(where=where("schedule.incremental"), severity="warning", problem=said, fix=_FIX)]


def _longest(agreed: Agreement, schedule: ScheduleSettings, now: datetime) -> int:
    """The most working seconds between two scheduled syncs."""
    moments = parse_cron(schedule.incremental).between(now, now + AHEAD, ZoneInfo(schedule.time_zone))
    clock, before = agreed.clocks.of(None), agreed.terms.escalate_before
    gaps = [
        clock.worked_between(one, next_one)
        for one, next_one in pairwise([now, *moments, now + AHEAD])
        if (next_one - one).total_seconds() > before
    ]
    return max(gaps, default=0)
