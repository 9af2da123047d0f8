"""How long answers took, and what runs came to lately. Numbers only: nothing here names anybody."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sync.store.tables import Tables

#: How long the counts are kept.
KEPT = timedelta(days=35)

#: (lane, CRM where the answer was written, bucket) to how many leads.
Counts = Mapping[tuple[str, str, int], int]


@dataclass(frozen=True, slots=True)
class RunsOf:
    """The runs of one command that ended in one state, added up."""

    command: str
    state: str
    runs: int
    written: int
    unchanged: int
    held: int
    refused: int
    calls_hubspot: int
    calls_salesforce: int


class Freshness(Tables):
    """The freshness table of one connection, and questions to its runs."""

    def note(self, counts: Counts, now: datetime) -> None:
        """Add counts to the hour of ``now``; what is too old goes."""
        rows = sorted(counts.items())
        self._do(
            "note_freshness",
            now=now,
            lanes=[key[0] for key, _ in rows],
            crms=[key[1] for key, _ in rows],
            buckets=[key[2] for key, _ in rows],
            leads=[leads for _, leads in rows],
        )
        self._do("drop_old_freshness", before=now - KEPT)

    def since(self, moment: datetime) -> dict[str, dict[int, int]]:
        """Lane to bucket to leads, from the whole hour in which ``moment`` lies."""
        found: dict[str, dict[int, int]] = {}
        for lane, bucket, leads in self._do("freshness_since", since=moment).fetchall():
            found.setdefault(lane, {})[bucket] = leads
        return found

    def runs_since(self, moment: datetime) -> list[RunsOf]:
        """The runs that began since an aware time, by command and state."""
        return [RunsOf(*row) for row in self._do("runs_since", since=moment).fetchall()]
