"""Lists (segments) and their members in the file (HubSpot reference, section 6.6)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import orjson

from connectors.sandbox.hubspot import records
from connectors.sandbox.hubspot.account import OWNERS
from connectors.sandbox.hubspot.errors import Refused
from connectors.sandbox.hubspot.kinds import KINDS, Kind
from connectors.sandbox.hubspot.moments import wire
from connectors.sandbox.hubspot.portal import Portal

_COLUMNS = "id, kind, name, processing, made, changed, gone, branch"
PROCESSING = ("MANUAL", "DYNAMIC", "SNAPSHOT")


@dataclass(frozen=True, slots=True)
class Segment:
    """One list. Times are milliseconds; ``gone`` is set once it was deleted."""

    id: int
    kind: Kind
    name: str
    processing: str
    made: int
    changed: int
    gone: int | None
    branch: str | None

    @property
    def takes_members(self) -> bool:
        """Whether the API may put records on it; who is on a dynamic list follows from its filters."""
        return self.processing != "DYNAMIC"

    def body(self, size: int | None = None, with_filters: bool = False) -> dict[str, Any]:
        """The list as the API writes it."""
        who = str(OWNERS[0].user_id)
        body: dict[str, Any] = {
            "listId": str(self.id),
            "listVersion": 1,
            "name": self.name,
            "objectTypeId": self.kind.key,
            "processingType": self.processing,
            "processingStatus": "COMPLETE",
            "createdById": who,
            "updatedById": who,
            "createdAt": wire(self.made),
            "updatedAt": wire(self.changed),
            "filtersUpdatedAt": wire(self.made),
        }
        if size is not None:
            body["size"] = size
        if self.gone is not None:
            body["deletedAt"] = wire(self.gone)
        if with_filters and self.branch is not None:
            body["filterBranch"] = orjson.loads(self.branch)
        return body


def _of_row(row: tuple[Any, ...]) -> Segment:
    id_, kind, *rest = row
    return Segment(id_, next(k for k in KINDS if k.key == kind), *rest)


def segment(portal: Portal, given: str, *, deleted: bool = False) -> Segment:
    """The list of an id. Raises Refused (404)."""
    number = int(given) if given.isdecimal() and len(given) < 19 else 0
    row = portal.database.execute(f"SELECT {_COLUMNS} FROM list WHERE id = ?", (number,)).fetchone()
    found = _of_row(row) if row else None
    if found is None or (found.gone is not None) is not deleted:
        raise Refused(404, f"List does not exist with ID {given}.", "OBJECT_NOT_FOUND")
    return found


def segments(portal: Portal) -> list[Segment]:
    """Every list that is not deleted, by id."""
    rows = portal.database.execute(f"SELECT {_COLUMNS} FROM list WHERE gone IS NULL ORDER BY id")
    return [_of_row(row) for row in rows]


def make(portal: Portal, kind: Kind, name: str, processing: str, branch: Any) -> Segment:
    """Store a new list. The caller has checked that the name is free."""
    now = portal.now()
    text = None if branch is None else orjson.dumps(branch).decode()
    row = (kind.key, name, processing, now, now, text)
    made = portal.database.execute(
        "INSERT INTO list (kind, name, processing, made, changed, branch) VALUES (?, ?, ?, ?, ?, ?)", row
    )
    return segment(portal, str(made.lastrowid))


def size(portal: Portal, found: Segment) -> int:
    """How many live records are on a list."""
    row = portal.database.execute(
        "SELECT count(*) FROM member m JOIN record r ON r.id = m.record AND r.archived IS NULL WHERE m.list = ?",
        (found.id,),
    ).fetchone()
    return int(row[0])


def enrol(portal: Portal, found: Segment, ids: Iterable[str]) -> tuple[list[str], list[str]]:
    """Put records on a list; returns the ids that are new on it, and those that name no live record."""
    now, added, missing = portal.now(), list[str](), list[str]()
    for given in dict.fromkeys(ids):
        record = _live(portal, found.kind, given)
        if record is None:
            missing.append(given)
            continue
        made = portal.database.execute(
            "INSERT OR IGNORE INTO member VALUES (?, ?, ?, ?)", (found.id, record, now, now)
        )
        if made.rowcount:
            added.append(given)
    return added, missing


def strike(portal: Portal, found: Segment, ids: Iterable[str]) -> tuple[list[str], list[str]]:
    """Take records off a list; returns the ids that were on it, and those that name no live record."""
    removed, missing = list[str](), list[str]()
    for given in dict.fromkeys(ids):
        record = _live(portal, found.kind, given)
        if record is None:
            missing.append(given)
            continue
        gone = portal.database.execute("DELETE FROM member WHERE list = ? AND record = ?", (found.id, record))
        if gone.rowcount:
            removed.append(given)
    return removed, missing


def _live(portal: Portal, kind: Kind, given: str) -> int | None:
    if not given.isdecimal() or len(given) > 18:
        return None
    record = records.find(portal.database, kind, records.follow(portal.database, int(given)))
    return record.id if record is not None and record.archived is None else None
