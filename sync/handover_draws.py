"""Chance in the handover: where each lead stands between 0 and 1, and how many may be drawn."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True)
class Exploring:
    """``share``: from 0 to 1, the chance of each lead; 0: nobody is drawn. ``a_week``: at most so many in seven days.

    ``ahead``: who was drawn in this process and when, since a plan remembers nobody and a run decides twice.
    """

    share: float = 0.0
    seed: int = 1
    a_week: int = 20
    ahead: dict[str, datetime] = field(default_factory=dict, compare=False)

    def place(self, lead_id: str) -> float:
        """Where a lead stands, evenly from 0 to below 1."""
        digest = hashlib.sha256(f"{self.seed}/{lead_id}".encode()).digest()
        return int.from_bytes(digest[:6], "big") / 2**48
