"""How much is left of what is under way, and for how long: at the pace of late, and with the calls that are left.

A backfill may have to wait for calls: others use the CRM's day too (``connectors.quota_day``). So its end is told
step by step, by whichever is less: what it gets done in one, or what it may call. What nobody can know yet is None.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from connectors.quota_day import A_DAY, AN_HOUR, Room, part_of_day, whole_hour
from sync.store.backfills import SliceRow, Worked
from sync.store.inbox import Waiting
from sync.store.runs import RunRow

#: Runs that are looked at.
RUNS = 200
#: Parts of a whole add up to a little less than it.
ALL = 1 - 1e-9
#: Who would have to wait longer has another question: whether others leave any calls at all.
LONGEST = timedelta(days=366)
#: What comes free within an hour is looked at in steps, so far ahead.
STEP, FINELY = timedelta(minutes=10), timedelta(hours=50)
#: An inbox is emptied at another pace tomorrow.
LATELY = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Left:
    """Records that are left, and seconds at the pace of earlier work; ``seconds`` None: nobody knows yet."""

    records: int
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Ahead:
    """What a backfill has before it. ``fresh``: records that cost more than their reading.

    ``seconds``: of work; ``calls``: to each CRM. None and empty: nobody knows yet.
    """

    records: int
    fresh: int
    seconds: float | None = None
    calls: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Pace:
    """What one record takes: seconds, and calls to each CRM."""

    seconds: float
    calls: Mapping[str, float]

    @property
    def seconds_a_call(self) -> float:
        calls = sum(self.calls.values())
        return self.seconds / calls if calls else 0.0


def ahead(
    slices: Sequence[SliceRow],
    worked: Mapping[str, Worked],
    runs: Sequence[RunRow],
    reading: Mapping[str, int],
    *,
    whole: bool = True,
) -> Ahead:
    """What the slices that nobody has finished come to: each CRM's as its finished ones went.

    Of a CRM of which none is finished, as those of the other one went, without the records that came with these as
    counterparts, which cost their reading alone; and where none is finished at all, as earlier backfills did.
    ``reading``: the calls to read what is left, by CRM; one takes as long as any other call. ``whole``: the slices
    hold all records. Of a range nobody knows whether a counterpart was created within it, so none is left out.
    """
    left = _records(one for one in slices if one.done_at is None)
    paces = {crm: _pace(one) for crm, one in worked.items() if one.records}
    # What came with a slice of one CRM is taken to lie in those of the other one.
    fresh = {
        crm: count if crm in paces or not paces or not whole else max(count - _to_come(worked, slices), 0)
        for crm, count in left.items()
    }
    what = Ahead(sum(left.values()), sum(fresh.values()))
    elsewhere = next(iter(paces.values()), None) or _pace_of_runs(runs)
    if not what.records or elsewhere is None:
        return replace(what, seconds=None if what.records else 0.0)
    seconds, calls = 0.0, dict.fromkeys(elsewhere.calls, 0.0)
    for crm, count in fresh.items():
        pace = paces.get(crm, elsewhere)
        seconds += pace.seconds * count
        for called, each in pace.calls.items():
            calls[called] += each * count
        if count < left[crm]:
            to_read = reading.get(crm, 0) * (1 - count / left[crm])
            calls[crm] = calls.get(crm, 0.0) + to_read
            seconds += to_read * elsewhere.seconds_a_call
    return replace(what, seconds=seconds, calls=calls)


def _records(slices: Iterable[SliceRow]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for one in slices:
        counts[one.crm] += one.records
    return counts


def _to_come(worked: Mapping[str, Worked], slices: Sequence[SliceRow]) -> int:
    """The counterparts that come with all slices of the CRMs of which some are finished, as they came with those."""
    whole = _records(slices)
    return sum(round(max(one.targets / one.records - 1, 0) * whole[crm]) for crm, one in worked.items())


def _pace(worked: Worked) -> _Pace:
    calls = {crm: count / worked.records for crm, count in worked.calls.items()}
    return _Pace(worked.seconds / worked.records, calls)


def _pace_of_runs(runs: Sequence[RunRow]) -> _Pace | None:
    """As the slices among ``runs`` went; None where there is none that read anything."""
    ran = [row for row in runs if row.command == "backfill" and row.state == "done"]
    read = sum(row.numbers.records_read for row in ran)
    each_second = _share(read, ran)
    if each_second is None:
        return None
    calls = {
        "hubspot": sum(row.numbers.calls_hubspot for row in ran) / read,
        "salesforce": sum(row.numbers.calls_salesforce for row in ran) / read,
    }
    return _Pace(1 / each_second, calls)


def left_of_backfill(what: Ahead, rooms: Mapping[str, Room | None], now: datetime) -> Left:
    """What a backfill has before it, waits for calls included. ``rooms``: what it may call in each CRM."""
    if what.seconds is None:
        return Left(what.records, None)
    ends = end_of_backfill(what.seconds, what.calls, rooms, now)
    return Left(what.records, None if ends is None else (ends - now).total_seconds())


def end_of_backfill(
    seconds: float, needs: Mapping[str, float], rooms: Mapping[str, Room | None], now: datetime
) -> datetime | None:
    """When a backfill ends that takes ``seconds`` of work and ``needs`` calls to each CRM.

    None: not within a year, which is so where others leave it nothing.
    """
    waits = [_Waits(calls, room, now) for crm, calls in needs.items() if (room := rooms.get(crm)) is not None]
    at, done = now, 0.0
    while True:
        step = _step_after(at, now)
        # What part of the whole this step is enough for, and the calls that are free in it.
        of_time = (step - at).total_seconds() / seconds if seconds > 0 else 1.0
        part = min([1.0 - done, of_time, *(one.enough_for(at) for one in waits)])
        for one in waits:
            one.make(part, at, step)
        done += part
        if done >= ALL:
            return at + timedelta(seconds=part * seconds)
        if step - now > LONGEST:
            return None
        at = step


def _step_after(at: datetime, now: datetime) -> datetime:
    """The end of the step that begins at ``at``; the days after the next ones are looked at by the hour."""
    hour = whole_hour(at)
    if at - now > FINELY:
        return hour + AN_HOUR
    return hour + STEP * ((at - hour) // STEP + 1)


class _Waits:
    """The calls to one CRM that a backfill still needs, and when it may make them."""

    def __init__(self, calls: float, room: Room, now: datetime) -> None:
        self._calls, self._room = calls * room.drawn, room
        #: The rooms of the days that follow, and when the next of them begins.
        self._coming = list(room.coming) or [room.a_day]
        self._a_day, self._next = room.a_day, room.resets or now + A_DAY
        #: A rolling day's calls, and from when to when they come free again, evenly.
        self._free: list[tuple[datetime, datetime, float]] = []
        for start, count in room.spent:
            in_use = count * part_of_day(start, now - A_DAY)
            if in_use:
                self._free.append((max(start + A_DAY, now), start + A_DAY + AN_HOUR, in_use))
        # Where others leave less than was called already, what comes free first is theirs.
        rolls = room.a_day - sum(count for _, _, count in self._free)
        self._left = float(room.now) if room.resets is not None else rolls

    def enough_for(self, at: datetime) -> float:
        """For what part of its work the calls are enough that are free now, 0 to 1."""
        while at >= self._next:
            a_day = self._coming.pop(0) if len(self._coming) > 1 else self._coming[0]
            self._left = float(a_day) if self._room.resets is not None else self._left + a_day - self._a_day
            self._a_day, self._next = a_day, self._next + A_DAY
        if self._room.resets is None:
            self._come_free(at)
        return min(max(self._left, 0.0) / self._calls, 1.0) if self._calls else 1.0

    def make(self, part: float, at: datetime, until: datetime) -> None:
        """Calls for a part of the work are made from ``at`` until ``until``."""
        self._left -= self._calls * part
        if part > 0 and self._room.resets is None:
            self._free.append((at + A_DAY, until + A_DAY, self._calls * part))

    def _come_free(self, at: datetime) -> None:
        still: list[tuple[datetime, datetime, float]] = []
        for start, end, count in self._free:
            free = min(max((at - start) / (end - start), 0.0), 1.0)
            self._left += count * free
            if free < 1:
                still.append((max(start, at), end, count * (1 - free)))
        self._free = still


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
