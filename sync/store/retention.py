"""Deleting what is too old: the history of leads, by the stage in which they stand now."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from sync.store.tables import Tables

#: What is history, and goes. The standing of a lead (its values, links, the verdict in force) is none.
HISTORY = (
    *("journal", "verdict", "conflict", "held", "decision"),
    *("handover", "handover_event", "routed", "notice"),
)


class Retention(Tables):
    """The history of one connection."""

    def expire(self, before: Mapping[str, datetime], *, really: bool) -> dict[str, int]:
        """Delete the history from before a time, by stage; table to how many rows. Not ``really``: only count."""
        counts = dict.fromkeys(HISTORY, 0)
        with self._connection.transaction(force_rollback=not really):
            for stage, moment in before.items():
                for table in HISTORY:
                    gone = self._do(f"expire_{table}", stage=stage, before=moment).rowcount
                    counts[table] += gone
                    if table == "verdict" and gone:
                        self._do("note_verdicts_from", before=moment)
        return counts

    def verdicts_from(self) -> datetime | None:
        """From when on no verdict of any stage was deleted (UTC); None: none ever was."""
        ((moment,),) = self._rows("verdicts_from")
        return None if moment is None else moment.astimezone(UTC)
