"""How things stand: connections, freshness, backlog, call budgets, last runs. Writes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from connectors.errors import ConnectorError
from connectors.quota_day import Room
from sync.backfill import left_of_each
from sync.freshness import LATELY, LaneFreshness
from sync.freshness import told as told_freshness
from sync.mails.words_alerts import fix_of, said
from sync.newly_mapped import Unread, not_read_for_all
from sync.remaining import RUNS, Left, left_of_inbox
from sync.store.alerts import Alert
from sync.store.audit import Deed
from sync.store.backfills import Underway
from sync.store.inbox import Waiting
from sync.store.offsets import PullGap, PullLog
from sync.store.runs import RunRow
from sync.store.standing import Backlog, Budget, ReadTo, Window
from sync.work import CRMS, Work

#: Runs, and deeds of people, shown.
LAST_RUNS = LAST_DEEDS = 5
#: What pulled logs could not tell: open ones first, then the newest.
LAST_GAPS = 5


@dataclass(frozen=True, slots=True)
class Connected:
    """Whether a CRM lets us in now. ``account`` is empty and ``problem`` says why where it does not."""

    crm: str
    account: str
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Status:
    """Everything `status` shows, as of ``at`` by our clock. ``read_to``: the change logs of this mode alone.

    ``other_policy``: stored leads whose verdict was made by another policy than the one in force.
    """

    at: datetime
    mode: str
    approved: datetime | None
    connections: list[Connected]
    read_to: list[ReadTo]
    backlog: Backlog
    backfills: list[Underway]
    unread: list[Unread]
    other_policy: int
    budgets: list[Budget]
    held_windows: list[Window]
    runs: list[RunRow]
    deeds: list[Deed]
    answers: list[LaneFreshness]  #: of the last day: from a change in one CRM to the answer in the other
    inbox: list[Waiting]  #: what the CRMs told of and nobody has looked at yet
    alerts: list[Alert]  #: what somebody was told of and is not over
    logs: list[PullLog]  #: that are pulled, and how far
    gaps: list[PullGap]  #: what they could not tell
    left: list[Left]  #: of each of ``backfills``, in their order
    rooms: Mapping[str, Room | None]  #: what a backfill may call in each CRM
    inbox_left: Left

    @property
    def away(self) -> list[Connected]:
        return [one for one in self.connections if one.problem]


def status_of(work: Work) -> Status:
    """Ask the memory, and each CRM one call for whom it takes us. Raises the store's errors only."""
    store, now = work.store, work.clock()
    backfills, inbox, runs = store.backfills.underway(), store.inbox.waiting(), store.runs.newest(RUNS)
    connections = [_connected(work, crm) for crm in CRMS]
    rooms = {crm: work.crms[crm].room() for crm in CRMS}
    ours = {(crm, work.reading(crm)) for crm in CRMS}
    return Status(
        at=now,
        mode=work.mode,
        approved=store.runs.approved_at,
        connections=connections,
        read_to=[one for one in store.standing.read_to() if (one.crm, one.object) in ours],
        backlog=store.standing.backlog(),
        backfills=backfills,
        unread=not_read_for_all(work),
        other_policy=store.standing.judged_otherwise(work.policy.version),
        budgets=store.standing.budgets(),
        held_windows=store.standing.held_windows(),
        runs=runs[:LAST_RUNS],
        deeds=store.audit.newest(LAST_DEEDS),
        answers=told_freshness(store.freshness.since(now - LATELY)),
        inbox=inbox,
        alerts=store.alerts.open(),
        logs=store.offsets.all(),
        gaps=store.offsets.newest_gaps(LAST_GAPS),
        left=left_of_each(work, backfills, now),
        rooms=rooms,
        inbox_left=left_of_inbox(inbox, runs, now),
    )


def as_document(found: Status) -> dict[str, Any]:
    """The JSON document of `status`; times are ISO 8601 or left to be, ages are in seconds."""
    return {
        "at": found.at.isoformat(),
        "mode": found.mode,
        "approved": found.approved.isoformat() if found.approved else None,
        "connections": [asdict(one) for one in found.connections],
        "freshness": [
            {
                "crm": one.crm,
                "object": one.object,
                "read_to": one.moved_at.isoformat(),
                "age_seconds": (found.at - one.moved_at).total_seconds(),
                "run": one.run,
            }
            for one in found.read_to
        ],
        "answers": [asdict(one) for one in found.answers],
        "inbox": [asdict(one) for one in found.inbox],
        "inbox_left": asdict(found.inbox_left),
        "alerts": [_alert(one) for one in found.alerts],
        "logs": [_log(one, found.at) for one in found.logs],
        "log_gaps": [asdict(one) for one in found.gaps],
        "backlog": asdict(found.backlog),
        "backfills": [
            asdict(one) | _left(left, found.at) for one, left in zip(found.backfills, found.left, strict=True)
        ],
        "unread": [asdict(one) for one in found.unread],
        "other_policy": found.other_policy,
        "quota": [asdict(one) for one in found.budgets],
        "backfill_calls": [_room(crm, room) for crm, room in found.rooms.items() if room is not None],
        "held_windows": [asdict(one) for one in found.held_windows],
        "runs": [asdict(one) for one in found.runs],
        "deeds": [asdict(one) for one in found.deeds],
    }


def _alert(one: Alert) -> dict[str, Any]:
    told = {"number": one.number, "kind": one.kind, "about": one.about, "since": one.opened.isoformat()}
    return {**told, "said": said(one.found, "en"), "fix": fix_of(one.found, "en")}


def _left(left: Left, at: datetime) -> dict[str, Any]:
    ends = None if left.seconds is None else (at + timedelta(seconds=left.seconds)).isoformat()
    return {"records_left": left.records, "seconds_left": left.seconds, "ends": ends}


def _room(crm: str, room: Room) -> dict[str, Any]:
    return {
        "crm": crm,
        "left": room.now,
        "a_day": room.a_day,
        "others": room.others.now,
        "others_expected": room.others.expected,
        "sure": room.others.sure,
    }


def _log(log: PullLog, at: datetime) -> dict[str, Any]:
    told = {name: value for name, value in asdict(log).items() if name != "place"}
    return {**told, "age_seconds": (at - log.heard_at).total_seconds()}


def _connected(work: Work, crm: str) -> Connected:
    try:
        return Connected(crm, work.crms[crm].account().account_id)
    except ConnectorError as problem:
        return Connected(crm, "", str(problem))
