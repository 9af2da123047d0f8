"""The addresses that leads had before, until a person has looked at them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import polars as pl

from sync.store.identity import ALSO
from sync.store.tables import Tables

#: Leads whose address became another. ``email_key``: the one they had; ``current_key``: the one they have.
MOVED: Mapping[str, pl.DataType] = {name: pl.String() for name in ("lead_id", "email_key", "current_key")}


class FormerAddresses(Tables):
    """The former_address table of one connection."""

    def note(self, moved: pl.DataFrame, run: int, now: datetime) -> None:
        """``MOVED``: what these leads had is a former address; what they have is none any more."""
        if not moved.is_empty():
            self._lay("moved", moved.select(*MOVED))
            self._do("strike_former")
            self._do("note_former", run=run, now=now)

    def met(self, email_keys: pl.Series) -> pl.DataFrame:
        """The records (``identity.ALSO``) of leads that had one of these addresses, as far as nobody has looked."""
        asked = email_keys.drop_nulls().alias("email_key").to_frame()
        return self._asked("records_by_former", asked, ALSO)

    def rows(self, *, whole: bool = False) -> list[dict[str, Any]]:
        """The addresses that nobody has looked at, or all of them, the oldest first."""
        return self._named("former_addresses", whole=whole)

    def of(self, lead_id: str) -> list[dict[str, Any]]:
        """The former addresses of one lead, the oldest first."""
        return self._named("former_of_lead", lead=lead_id)

    def review(self, address: str, who: str, now: datetime) -> int:
        """A person has looked at this address; how many leads had it."""
        return self._do("review_former", address=address.strip().lower(), who=who, now=now).rowcount
