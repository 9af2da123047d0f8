"""How much is left of what is under way, and for how long at the pace of late. What nobody can know yet is None."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sync.store.backfills import Underway
from sync.store.inbox import Waiting
from sync.store.runs import RunRow

#: Runs that are looked at.
RUNS = 200
#: An inbox is emptied at another pace tomorrow.
LATELY = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Left:
    """Records that are left, and seconds at the pace of earlier work; ``seconds`` None: nobody knows yet."""

    records: int
    seconds: float | None


def backfill_pace(runs: Sequence[RunRow]) -> float | None:
    """Records a second of the slices among ``runs``; None where there is none."""
    ran = [row for row in runs if row.command == "backfill" and row.state == "done"]
    return _share(sum(row.numbers.records_read for row in ran), ran)


def left_of_backfill(one: Underway, runs: Sequence[RunRow]) -> Left:
    """What the slices that nobody has finished hold."""
    return _left(one.records - one.records_done, backfill_pace(runs))


def left_of_inbox(waiting: Sequence[Waiting], runs: Sequence[RunRow], now: datetime) -> Left:
    """What waits in the inbox, of both CRMs, as the runs of the last hour worked that answered pushes.

    A run's targets are one lead in each CRM, and a record that was told of is one lead.
    """
    ran = [
        row
        for row in runs
        if row.command == "webhook" and row.state == "done" and row.ended and row.ended >= now - LATELY
    ]
    return _left(
        sum(one.records for one in waiting), _share(sum(row.numbers.targets for row in ran) / 2, ran)
    )


def _share(count: float, ran: Sequence[RunRow]) -> float | None:
    seconds = sum((row.ended - row.started).total_seconds() for row in ran if row.ended)
    return count / seconds if count and seconds > 0 else None


def _left(records: int, pace: float | None) -> Left:
    if records <= 0:
        return Left(0, 0.0)
    return Left(records, records / pace if pace else None)
