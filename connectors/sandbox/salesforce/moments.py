"""Times as Salesforce writes and reads them, and as they are kept: UTC, whole seconds.

Kept as ``YYYY-MM-DDThh:mm:ss`` so that text order is time order (Salesforce reference, section 2).
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from email.utils import format_datetime, parsedate_to_datetime

_DATETIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d)(?::(\d\d)(?:\.\d+)?)?(Z|[+-]\d\d:?\d\d)?", re.IGNORECASE
)
_DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)")


def kept(moment: datetime) -> str:
    """A moment as it is kept. Raises ValueError for one without a time zone."""
    if moment.tzinfo is not UTC:
        if moment.utcoffset() is None:
            raise ValueError("a moment needs a time zone")
        moment = moment.astimezone(UTC)
    return moment.isoformat()[:19]


def shown(stored: str) -> str:
    """A kept moment as the API writes it, without a colon in the offset."""
    return stored + ".000+0000"


def moment_of(stored: str) -> datetime:
    """A kept moment as a datetime."""
    return datetime.fromisoformat(stored).replace(tzinfo=UTC)


def parse_datetime(text: str) -> datetime | None:
    """A date and time as clients send it, or None when it is not one. No offset means UTC."""
    match = _DATETIME.fullmatch(text.strip())
    if match is None:
        return None
    zone = (match[7] or "Z").upper()
    offset = "+00:00" if zone == "Z" else zone if ":" in zone else f"{zone[:3]}:{zone[3:]}"
    day = f"{match[1]}-{match[2]}-{match[3]}"
    try:
        return datetime.fromisoformat(f"{day}T{match[4]}:{match[5]}:{match[6] or '00'}{offset}")
    except ValueError:
        return None


def parse_date(text: str) -> date | None:
    """A calendar date, or None; a date and time counts as its date in UTC."""
    if _DATE.fullmatch(text.strip()):
        try:
            return date.fromisoformat(text.strip())
        except ValueError:
            return None
    whole = parse_datetime(text)
    return None if whole is None else whole.astimezone(UTC).date()


def http_date(moment: datetime) -> str:
    """The form of the Date and Last-Modified headers."""
    return format_datetime(moment.astimezone(UTC), usegmt=True)


def parse_http_date(text: str) -> datetime | None:
    """The moment of a conditional header, or None when it cannot be read (the header is then ignored)."""
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
