"""How things stand: what waits, how far the change logs were read, and what each ``agree`` found."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from sync.store.tables import Tables

SINCE: Mapping[str, pl.DataType] = {"lead_id": pl.String(), "since": pl.Datetime("us", "UTC")}


@dataclass(frozen=True, slots=True)
class Backlog:
    """What is not settled, with the time of the oldest of each kind.

    ``intents``: writes that a run set out to make and did not remember. ``claims``: leads in work now.
    """

    held: int
    oldest_held: datetime | None
    refused: int
    oldest_refused: datetime | None
    intents: int
    oldest_intent: datetime | None
    claims: int


@dataclass(frozen=True, slots=True)
class ReadTo:
    """How far a change log was read: ``moved_at`` is when a run last remembered everything it had read."""

    crm: str
    object: str
    moved_at: datetime
    run: int
    started: datetime | None  #: when that run began: what changed since then may not have been read


@dataclass(frozen=True, slots=True)
class Budget:
    """What a CRM said of a daily budget at ``heard``; counts are calls."""

    crm: str
    name: str
    used: int
    limit: int
    heard: datetime


@dataclass(frozen=True, slots=True)
class Window:
    """A window of calls in which the CRM refused one: nobody calls for so many ``seconds`` more."""

    crm: str
    name: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Compared:
    """The numbers of one ``agree``. ``same``: both CRMs show the same, whatever the verdict is now."""

    at: datetime
    linked: int
    same: int
    agreed: int
    explained: Mapping[str, int]
    unexplained: int


class Standing(Tables):
    """Questions over the tables of one connection, and its agreement table."""

    def backlog(self) -> Backlog:
        [row] = self._rows("backlog")
        return Backlog(*row)

    def read_to(self) -> list[ReadTo]:
        """One row for each change log that was ever read."""
        return [ReadTo(*row) for row in self._rows("read_to")]

    def judged_otherwise(self, policy_version: str) -> int:
        """How many stored leads were last judged by another policy."""
        return int(self._rows("judged_otherwise", version=policy_version)[0][0])

    def temperatures(self) -> dict[str, int]:
        """How many stored leads have each temperature by their last verdict; without those that have none."""
        return {str(name): int(leads) for name, leads in self._rows("temperatures")}

    def last_policy(self) -> str | None:
        """The policy of the newest run that ended well and judged what there was to judge; None before the first."""
        rows = self._rows("last_policy")
        return str(rows[0][0]) if rows else None

    def budgets(self) -> list[Budget]:
        """Every daily budget that a CRM ever told of."""
        return [Budget(*_named(name), *rest) for name, *rest in self._rows("budgets")]

    def held_windows(self) -> list[Window]:
        """The windows in which nobody may call now."""
        return [Window(*_named(name), seconds) for name, seconds in self._rows("held_windows")]

    def linked(self, crm: str, object_name: str) -> int:
        """How many records of an object have a lead."""
        return int(self._rows("linked_records", crm=crm, object=object_name)[0][0])

    def keep_agreement(self, found: Compared) -> None:
        """Store what an ``agree`` found."""
        self._do(
            "keep_agreement",
            now=found.at,
            linked=found.linked,
            same=found.same,
            agreed=found.agreed,
            explained=json.dumps(dict(found.explained), sort_keys=True),
            unexplained=found.unexplained,
        )

    def agreements(self, limit: int) -> list[Compared]:
        """What the latest ``agree`` commands found, newest first."""
        return [
            Compared(at, linked, same, agreed, json.loads(explained), unexplained)
            for at, linked, same, agreed, explained, unexplained in self._rows(
                "newest_agreements", limit=limit
            )
        ]

    def last_verdicts(self, lead_ids: pl.Series) -> pl.DataFrame:
        """``SINCE``: when each of these leads was last judged."""
        return self._asked("last_verdicts", lead_ids.alias("lead_id").to_frame(), SINCE)

    def undone_since(self) -> dict[str, datetime]:
        """Lead to the time when something of it was first taken back."""
        return dict(self._rows("undone_since"))


def _named(budget: str) -> tuple[str, str]:
    """The CRM and the name of a budget in the ledger of calls."""
    crm, _, name = budget.partition(":")
    return crm, name
