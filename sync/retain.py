"""Deletion periods: how long the history of a lead is kept, by the stage in which it stands.

What a lead is now stays as long as its records do. Its history goes: what was written and why, earlier verdicts,
conflicts, and what people settled. A run whose journal has gone cannot be undone any more.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from sync.errors import WrongUse
from sync.work import Work


def retain(work: Work, keep_days: Mapping[str, int], *, really: bool) -> dict[str, int]:
    """Delete the history that is older than its stage allows; table to rows. Not ``really``: only count them.

    ``keep_days``: stage to whole days. Raises WrongUse where no period is set.
    """
    if not keep_days:
        raise WrongUse(
            "no deletion period is set", fix="set keep_days in the section [privacy] of the config"
        )
    now = work.clock()
    before = {stage: now - timedelta(days=days) for stage, days in keep_days.items()}
    counts = work.store.retention.expire(before, really=really)
    if really:
        told = ", ".join(f"{table}: {count}" for table, count in counts.items())
        work.store.audit.note("retained", now, details=told)
    return counts
