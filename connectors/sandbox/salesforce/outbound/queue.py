"""The notifications that wait to be heard: read and marked by the sender's thread through its own connection."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from connectors.sandbox.salesforce import ids, moments
from connectors.sandbox.salesforce.org import Org
from connectors.sandbox.salesforce.outbound.actions import Action, has_tables, read_action
from connectors.sandbox.salesforce.outbound.schedule import is_over, next_try
from connectors.sandbox.salesforce.store import quoted

MOST_SHOWN = 1_000


@dataclass(frozen=True, slots=True)
class Note:
    """One notification that waits."""

    number: int
    record: str
    made: datetime
    tries: int

    @property
    def id(self) -> str:
        """Its id, the same in every try."""
        return note_id(self.number)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one try ended. ``status`` is None where no answer came."""

    status: int | None
    heard: bool
    said: str = ""


def note_id(number: int) -> str:
    """The 04l id of a notification."""
    return ids.mint("04l", number)


class Queue:
    """The queue in one file. To be made and used on one thread; raises sqlite3.OperationalError while busy."""

    def __init__(self, path: str) -> None:
        self._db = sqlite3.connect(path, isolation_level=None, timeout=30)

    def close(self) -> None:
        """Close the connection."""
        self._db.close()

    def waits(self) -> bool:
        """Whether anything waits, now or for later."""
        if not self._known():
            return False
        return self._db.execute("SELECT 1 FROM _outbound_note WHERE state = 'waiting'").fetchone() is not None

    def due(self, now: datetime) -> list[tuple[Action, list[Note]]]:
        """What is to be sent now, by action; notifications whose time ran out meanwhile are given up."""
        if not self._known():
            return []
        found = []
        for (facts,) in self._db.execute("SELECT facts FROM _outbound_action ORDER BY id").fetchall():
            action = read_action(facts)
            rows = self._db.execute(
                "SELECT number, record, made, tries FROM _outbound_note WHERE state = 'waiting' "
                "AND action = ? AND due <= ? ORDER BY number",
                (action.id, moments.kept(now)),
            ).fetchall()
            notes = [Note(row[0], row[1], moments.moment_of(row[2]), row[3]) for row in rows]
            self.mark([each for each in notes if is_over(each.made, now, each.tries)], "given up")
            notes = [each for each in notes if not is_over(each.made, now, each.tries)]
            if notes:
                found.append((action, notes[::-1] if action.reorder else notes))
        return found

    def records(self, action: Action, notes: Sequence[Note]) -> dict[str, dict[str, Any]]:
        """The live records of some notifications as they are now, by id: only the latest data is ever sent."""
        marks = ", ".join("?" * len(notes))
        cursor = self._db.execute(
            f"SELECT * FROM {quoted(action.object)} WHERE Id IN ({marks}) AND IsDeleted = 0",
            [each.record for each in notes],
        )
        names = [each[0] for each in cursor.description]
        rows = (dict(zip(names, row, strict=True)) for row in cursor)
        return {row["Id"]: row for row in rows}

    def mark(self, notes: Sequence[Note], state: str) -> None:
        """Put notifications into their last state."""
        self._db.executemany(
            "UPDATE _outbound_note SET state = ? WHERE number = ? AND state = 'waiting'",
            [(state, each.number) for each in notes],
        )

    def settle(self, action: Action, notes: Sequence[Note], outcome: Outcome, now: datetime) -> None:
        """Keep how a try ended: heard is over, everything else comes again until its 24 hours are."""
        told = json.dumps([each.id for each in notes])
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self._db.execute(
                "INSERT INTO _outbound_try (at, action, notes, status, heard, said) VALUES (?, ?, ?, ?, ?, ?)",
                (now.isoformat(), action.id, told, outcome.status, int(outcome.heard), outcome.said),
            )
            for each in notes:
                again = None if outcome.heard else next_try(each.made, now, each.tries + 1)
                state = "sent" if outcome.heard else "given up" if again is None else "waiting"
                self._db.execute(
                    "UPDATE _outbound_note SET tries = tries + 1, state = ?, due = ? "
                    "WHERE number = ? AND state = 'waiting'",
                    (state, moments.kept(again or now), each.number),
                )
        except sqlite3.OperationalError:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def _known(self) -> bool:
        sql = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = '_outbound_action'"
        return self._db.execute(sql).fetchone() is not None


def state(org: Org) -> Mapping[str, Any]:
    """The newest notifications and tries, oldest of them first, for the control ``state``."""
    if not has_tables(org):
        return {"actions": [], "notifications": [], "tries": []}
    notes = org.store.rows(f"SELECT * FROM _outbound_note ORDER BY number DESC LIMIT {MOST_SHOWN}")[::-1]
    tries = org.store.rows(f"SELECT * FROM _outbound_try ORDER BY number DESC LIMIT {MOST_SHOWN}")[::-1]
    kept = org.store.rows("SELECT facts FROM _outbound_action ORDER BY id")
    shown = (read_action(row["facts"]) for row in kept)
    return {
        "actions": [{"id": each.id, "object": each.object, "on": each.on} for each in shown],
        "notifications": [{"id": note_id(each.pop("number")), **each} for each in notes],
        "tries": [
            {**each, "notes": json.loads(each["notes"]), "heard": bool(each["heard"])} for each in tries
        ],
    }
