"""Deleting what is too old: the history of leads, by the stage in which they stand now."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import psycopg

#: What is history, and goes. The standing of a lead (its values, links, the verdict in force) is none.
HISTORY = ("journal", "verdict", "conflict", "held", "decision")


class Retention:
    """The history of one connection."""

    def __init__(
        self, connection: psycopg.Connection, statements: Mapping[str, str], connection_id: int
    ) -> None:
        self._connection = connection
        self._sql = {table: statements[f"expire_{table}"].encode() for table in HISTORY}
        self._id = connection_id

    def expire(self, before: Mapping[str, datetime], *, really: bool) -> dict[str, int]:
        """Delete the history from before a time, by stage; table to how many rows. Not ``really``: only count."""
        counts = dict.fromkeys(HISTORY, 0)
        with self._connection.transaction(force_rollback=not really):
            for stage, moment in before.items():
                asked = {"connection": self._id, "stage": stage, "before": moment}
                for table, statement in self._sql.items():
                    counts[table] += self._connection.execute(statement, asked).rowcount
        return counts
