"""Alerts in the database: each is one row from when it is found first until it is over; and how wide fields were."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sync.store.tables import Tables

#: How long an alert that is over is kept.
KEPT = timedelta(days=400)

#: (crm, object, field) to characters.
Lengths = Mapping[tuple[str, str, str], int]


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert. ``found``: the sentence and the numbers it was opened with; ``cleared``: None while it lasts."""

    number: int
    kind: str
    about: str
    found: Mapping[str, Any]
    opened: datetime
    seen: datetime
    cleared: datetime | None


@dataclass(frozen=True, slots=True)
class RatesCompared:
    """What became of leads lately, held against what became of those before them.

    ``outcome``: the stage that counts. ``leads`` and ``outcomes``: of the later part. ``moved``: which sentence about
    each rate that moved, and its numbers.
    """

    at: datetime
    outcome: str
    leads: int
    outcomes: int
    moved: Sequence[Mapping[str, Any]]


class Alerts(Tables):
    """The alerts of one connection."""

    def open(self) -> list[Alert]:
        """Those that last, the oldest first."""
        return [_alert(row) for row in self._do("open_alerts").fetchall()]

    def of(self, numbers: Sequence[int]) -> list[Alert]:
        """Alerts by their numbers; one that was deleted meanwhile is left out."""
        return [_alert(row) for row in self._do("alerts_by_number", numbers=list(numbers)).fetchall()]

    def raise_(self, kind: str, about: str, found: Mapping[str, Any], now: datetime) -> int | None:
        """Note that something is so; its number where it is new, None where it was known and only lasts."""
        text = json.dumps(dict(found), sort_keys=True, ensure_ascii=False)
        row = self._do("open_alert", kind=kind, about=about, found=text, now=now).fetchone()
        return int(row[0]) if row and row[1] else None

    def clear(self, kind: str, about: str, now: datetime) -> int | None:
        """Note that it is over; its number, None where it was not open."""
        row = self._do("clear_alert", kind=kind, about=about, now=now).fetchone()
        return int(row[0]) if row else None

    def drop_old(self, now: datetime) -> None:
        self._do("drop_old_alerts", before=now - KEPT)

    def keep_rates(self, compared: RatesCompared) -> None:
        """Store what a look at the rates found; looks that are older than ``KEPT`` are dropped."""
        self._do(
            "keep_rates",
            at=compared.at,
            outcome=compared.outcome,
            leads=compared.leads,
            outcomes=compared.outcomes,
            moved=json.dumps([dict(one) for one in compared.moved], sort_keys=True, ensure_ascii=False),
            before=compared.at - KEPT,
        )

    def last_rates(self) -> RatesCompared | None:
        """What the last look at the rates found; None before the first."""
        row = self._do("last_rates").fetchone()
        if row is None:
            return None
        at, outcome, leads, outcomes, moved = row
        return RatesCompared(at, outcome, int(leads), int(outcomes), json.loads(moved))

    def lengths(self) -> dict[tuple[str, str, str], int]:
        """How wide each text field was at its widest."""
        rows = self._do("seen_lengths").fetchall()
        return {(crm, name, field): int(length) for crm, name, field, length in rows}

    def keep_lengths(self, lengths: Lengths) -> None:
        """Remember these where they are wider than what is known."""
        keys = sorted(lengths)
        self._do(
            "keep_lengths",
            crms=[key[0] for key in keys],
            objects=[key[1] for key in keys],
            fields=[key[2] for key in keys],
            lengths=[lengths[key] for key in keys],
        )


def _alert(row: tuple[Any, ...]) -> Alert:
    number, kind, about, found, *times = row
    return Alert(int(number), kind, about, json.loads(found), *times)
