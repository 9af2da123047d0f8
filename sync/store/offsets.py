"""Where each log that is pulled was read to, and what it could not tell."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sync.store.tables import Tables

#: Open gaps that one reading closes; more than that wait for the next.
MOST_OPEN = 1_000


@dataclass(frozen=True, slots=True)
class PullLog:
    """One log. ``place`` is its connector's own; None: at its beginning; empty: it never answered yet.

    ``known_until``: nothing is missing up to then, by the CRM's clock; ``heard_at``: when it answered last, by ours
    (both aware). ``problem``: why it does not, empty where all is well.
    """

    name: str
    crm: str
    place: Mapping[str, str] | None
    known_until: datetime
    heard_at: datetime
    events: int = 0
    problem: str = ""

    @property
    def is_new(self) -> bool:
        """Whether it never answered yet."""
        return self.place == {}


@dataclass(frozen=True, slots=True)
class PullGap:
    """What a log could not tell, between two times of the CRM's clock (aware).

    ``records``: how many it named, which went into the inbox; None where it named none. ``read_at`` None: it was not
    yet read again; ``by_run``: the run that did. ``whole``: every record is concerned, whatever its times say.
    """

    gap: int
    name: str
    crm: str
    why: str
    begins_at: datetime
    ends_at: datetime
    records: int | None
    found_at: datetime
    read_at: datetime | None
    by_run: int | None
    whole: bool = False


class Offsets(Tables):
    """The pulled logs of one connection."""

    def of(self, name: str) -> PullLog | None:
        """A log; None where nobody has begun it yet."""
        return next(iter(self._logs(name)), None)

    def all(self) -> list[PullLog]:
        """Every log that was ever begun."""
        return self._logs(None)

    def keep(self, log: PullLog) -> None:
        """Where it has come to. ``events`` are added to those before; the problem, if there was one, is over."""
        place = None if log.place is None else json.dumps(dict(log.place), sort_keys=True)
        self._do(
            "keep_pull_log",
            name=log.name,
            crm=log.crm,
            place=place,
            known_until=log.known_until,
            heard_at=log.heard_at,
            events=log.events,
        )

    def note_problem(self, name: str, crm: str, problem: str, now: datetime) -> None:
        """Why nothing is heard, in words that hold nothing of a lead or a secret."""
        self._do("note_pull_problem", name=name, crm=crm, problem=problem, now=now)

    def open_gap(
        self,
        name: str,
        crm: str,
        why: str,
        times: tuple[datetime, datetime],
        now: datetime,
        *,
        records: int | None = None,
        whole: bool = False,
    ) -> None:
        """Note what was not told from the first to the second time; with ``records`` in the inbox it is seen to."""
        begins, ends = times
        wanted = {"name": name, "crm": crm, "why": why, "begins_at": begins, "ends_at": ends, "now": now}
        self._do("open_pull_gap", records=records, whole=whole, **wanted)

    def open_gaps(self) -> list[PullGap]:
        """What was not yet read again, the newest first."""
        return self._gaps(MOST_OPEN, is_open=True)

    def newest_gaps(self, most: int) -> list[PullGap]:
        """Open ones, then the newest; at most so many."""
        return self._gaps(most, is_open=False)

    def close_gaps(
        self, gaps: Sequence[int], run: int, now: datetime, *, read_whole: Collection[str] = ()
    ) -> None:
        """A run has read these again, and every record of the CRMs ``read_whole``.

        One that is ``whole`` stays open where its CRM is not among them.
        """
        self._do("close_pull_gaps", gaps=list(gaps), run=run, now=now, read_whole=sorted(read_whole))

    def _logs(self, name: str | None) -> list[PullLog]:
        return [
            PullLog(**{**row, "place": None if row["place"] is None else json.loads(row["place"])})
            for row in self._named("pull_logs", name=name)
        ]

    def _gaps(self, most: int, *, is_open: bool) -> list[PullGap]:
        rows = self._do("pull_gaps", most=most, open=is_open).fetchall()
        return [PullGap(*row) for row in rows]
