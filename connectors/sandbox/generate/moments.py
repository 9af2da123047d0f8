"""From seconds to the two ways in which a moment is handed out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Calendar:
    """Turns days since a person was first met into moments, at whole seconds, never after ``now``.

    Whole seconds, because Salesforce keeps no smaller ones (Salesforce reference, section 6).
    """

    first_met: float  #: seconds since 1970
    now: float  #: seconds since 1970

    def at(self, day: float) -> datetime:
        """The aware moment, in UTC."""
        return datetime.fromtimestamp(min(int(self.first_met + day * DAY), int(self.now)), UTC)

    def text(self, day: float) -> str:
        """The moment as HubSpot writes it: "2026-02-01T00:00:00.000Z"."""
        return written(self.at(day))


def written(moment: datetime) -> str:
    """An aware UTC moment in HubSpot's form, with milliseconds."""
    return moment.isoformat(timespec="milliseconds")[:-6] + "Z"
