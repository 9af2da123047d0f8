"""Who gets a lead, in the database: the owners of both CRMs, whose turn it is, and what was given to whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from sync.store.handovers import AT_ONCE
from sync.store.tables import Tables

#: One owner in one CRM: a person, or a queue.
OWNERS: Mapping[str, pl.DataType] = {
    **{name: pl.String() for name in ("crm", "owner_id", "email", "name")},
    **{name: pl.Boolean() for name in ("active", "queue", "ours")},
}
#: One owner that a lead was given; see the table ``routed``.
ROUTED: Mapping[str, pl.DataType] = {
    "lead_id": pl.String(),
    **{name: pl.Int32() for name in ("cycle", "number", "turn")},
    "owner": pl.String(),
    "queue": pl.Boolean(),
    **{name: pl.String() for name in ("salesforce_owner", "hubspot_owner", "before", "route", "why")},
}
TURNS: Mapping[str, pl.DataType] = {"route": pl.String(), "owner": pl.String(), "standing": pl.Int32()}


@dataclass(frozen=True, slots=True)
class Standing:
    """What is on the desk. ``turns``: (route, owner) to how near the turn is; ``open``: owner to open handovers."""

    version: int
    turns: Mapping[tuple[str, str], int]
    open: Mapping[str, int]


class Routing(Tables):
    """The desk of one connection."""

    def owners(self) -> pl.DataFrame:
        """Everybody as ``OWNERS``, as they were read last."""
        return self._read("owners", OWNERS)

    def owners_read_at(self) -> datetime | None:
        """When they were read; None: never, or they are to be read again."""
        row = self._do("owners_read_at").fetchone()
        return None if row is None else row[0]

    def keep_owners(self, owners: pl.DataFrame, now: datetime) -> None:
        """Replace what is known of the owners by ``OWNERS``."""
        with self._connection.transaction():
            self._do("note_owners_read", now=now)
            self._lay("new_owners", owners.select(*OWNERS))
            self._do("strike_owners")
            self._do("keep_owners")

    def forget_owners(self) -> None:
        """Somebody is no longer who they were: everybody is to be read again."""
        self._do("note_owners_read", now=None)

    def standing(self) -> Standing:
        """What is on the desk now."""
        with self._connection.transaction():
            row = self._do("desk_version").fetchone()
            turns = {(route, owner): number for route, owner, number in self._do("turns").fetchall()}
            held: dict[str, int] = dict(self._do("open_by_owner").fetchall())
        return Standing(0 if row is None else row[0], turns, held)

    def newest(self, lead_ids: pl.Series) -> pl.DataFrame:
        """The latest owner (``ROUTED`` and ``settled``) that each of these leads was given."""
        schema = {**ROUTED, "settled": pl.Boolean()}
        return self._asked("newest_routed", lead_ids.alias("lead_id").to_frame(), schema)

    def lock(self) -> None:
        """Nobody else gives a lead away until the transaction ends."""
        self._do("lock_desk")

    def reserve(
        self,
        given: pl.DataFrame,
        moves: Mapping[tuple[str, str], int],
        version: int,
        run: int,
        now: datetime,
    ) -> bool:
        """Keep ``ROUTED`` and how far each (route, owner) moves; False where leads were given since ``version``."""
        if given.is_empty():
            return True
        with self._connection.transaction():
            if not self._do("next_version", version=version).rowcount:
                return False
            self._lay("new_routed", given.select(*ROUTED))
            self._do("add_routed", now=now, run=run)
            if moves:
                rows = [(route, owner, number) for (route, owner), number in moves.items()]
                frame = pl.DataFrame(rows, schema=dict(TURNS), orient="row")
                self._lay("new_turns", frame)
                self._do("keep_turns")
        return True

    def settle(self, lead_ids: Sequence[str]) -> list[tuple[str, int, str, str, str]]:
        """What these leads were given is in the CRMs; returns what that was: (lead, cycle, owner, route, why)."""
        if not lead_ids:
            return []
        with self._connection.transaction():
            frame = pl.DataFrame({"lead_id": sorted(set(lead_ids))}, schema={"lead_id": pl.String()})
            self._lay("asked", frame)
            return self._do("settle_routed").fetchall()

    def without_owner(self, gone: Sequence[str], absent: Sequence[str]) -> pl.Series:
        """Leads that wait for an owner, the most urgent first; at most ``handovers.AT_ONCE``.

        ``gone``: owners who work here no longer; ``absent``: who are away, and whose untouched leads go to others.
        """
        wanted = {"gone": list(gone), "absent": list(absent), "limit": AT_ONCE}
        rows = self._do("handovers_without_owner", **wanted).fetchall()
        return pl.Series("lead_id", [row[0] for row in rows], dtype=pl.String)

    def of_lead(self, lead_id: str) -> list[dict[str, Any]]:
        """Every owner that a lead was given, in order."""
        return self._named("routed_of_lead", lead=lead_id)
