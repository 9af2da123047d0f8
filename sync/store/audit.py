"""Who did what, and when: the deeds of people, as far as they concern what Leadpact keeps or writes.

Runs say themselves who began them (``run.by_whom``); what is done without a run is noted here. Somebody who was
forgotten is in neither: a deed names a lead by its id at most, and such a row goes with the person.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sync.store.tables import Tables

#: The commands whose runs are deeds of a person, besides every undo.
COMMANDS = ("apply", "forget", "import")


@dataclass(frozen=True, slots=True)
class Deed:
    """One thing that somebody did. ``who``: the user of the operating system; empty before that was kept."""

    at: datetime
    who: str
    what: str
    details: str


class Audit(Tables):
    """The deeds that concern one connection."""

    def note(self, what: str, now: datetime, *, lead: str | None = None, details: str = "") -> None:
        """Remember that the person at work did ``what``. ``details`` holds numbers, never a person's data."""
        self._do("note_deed", now=now, what=what, lead=lead, details=details)

    def newest(self, limit: int) -> list[Deed]:
        """The newest deeds first."""
        rows = self._do("newest_deeds", limit=limit, commands=list(COMMANDS)).fetchall()
        return [Deed(*row) for row in rows]
