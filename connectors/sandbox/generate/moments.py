"""From seconds to the two ways in which a moment is handed out."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

DAY = 86_400.0


class Calendar(NamedTuple):
    """Turns days since a person was first met into moments, at whole seconds, never after ``now``.

    Whole seconds, because Salesforce keeps no smaller ones (Salesforce reference, section 6).
    """

    first_met: float  #: seconds since 1970
    now: float  #: seconds since 1970

    def at(self, day: float) -> datetime:
        """The aware moment, in UTC."""
        return datetime.fromtimestamp(int(min(self.first_met + day * DAY, self.now)), UTC)

    def text(self, day: float) -> str:
        """The moment as HubSpot writes it: "2026-02-01T00:00:00.000Z"."""
        return text(self.at(day))


def text(moment: datetime) -> str:
    """An aware UTC moment in HubSpot's form, at whole seconds: "2026-02-01T00:00:00.000Z"."""
    return moment.isoformat()[:19] + ".000Z"
