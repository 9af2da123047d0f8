"""How things stand: connections, freshness, backlog, call budgets, last runs. Writes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from connectors.errors import ConnectorError
from sync.newly_mapped import Unread, not_read_for_all
from sync.store.audit import Deed
from sync.store.backfills import Underway
from sync.store.runs import RunRow
from sync.store.standing import Backlog, Budget, ReadTo, Window
from sync.work import CRMS, Work

#: Runs, and deeds of people, shown.
LAST_RUNS = LAST_DEEDS = 5


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

    @property
    def away(self) -> list[Connected]:
        return [one for one in self.connections if one.problem]


def status_of(work: Work) -> Status:
    """Ask the memory, and each CRM one call for whom it takes us. Raises the store's errors only."""
    store = work.store
    ours = {(crm, work.reading(crm)) for crm in CRMS}
    return Status(
        at=work.clock(),
        mode=work.mode,
        approved=store.runs.approved_at,
        connections=[_connected(work, crm) for crm in CRMS],
        read_to=[one for one in store.standing.read_to() if (one.crm, one.object) in ours],
        backlog=store.standing.backlog(),
        backfills=store.backfills.underway(),
        unread=not_read_for_all(work),
        other_policy=store.standing.judged_otherwise(work.policy.version),
        budgets=store.standing.budgets(),
        held_windows=store.standing.held_windows(),
        runs=store.runs.newest(LAST_RUNS),
        deeds=store.audit.newest(LAST_DEEDS),
    )


def _connected(work: Work, crm: str) -> Connected:
    try:
        return Connected(crm, work.crms[crm].account().account_id)
    except ConnectorError as problem:
        return Connected(crm, "", str(problem))
