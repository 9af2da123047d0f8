"""When a notification is sent again, and when no more (Salesforce reference, section 8)."""

from __future__ import annotations

from datetime import datetime, timedelta

#: The longest time between two tries, and from the change to the last one.
LONGEST_GAP = timedelta(hours=2)
WHOLE_TIME = timedelta(hours=24)
#: The first gap is not documented; each following one is twice as long.
FIRST_GAP = timedelta(seconds=15)


def next_try(made: datetime, now: datetime, tries: int) -> datetime | None:
    """When to try again after ``tries`` tries, the last of them now; None where the 24 hours are over by then."""
    # From the tenth on every gap is the longest; the power itself must not grow without end.
    due = now + min(FIRST_GAP * 2 ** min(tries - 1, 10), LONGEST_GAP)
    return due if due <= made + WHOLE_TIME else None


def is_over(made: datetime, now: datetime, tries: int) -> bool:
    """Whether the time of a notification ran out between two tries. One that was never tried still is, once."""
    return tries > 0 and now > made + WHOLE_TIME
