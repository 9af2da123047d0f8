"""Instants as HubSpot keeps them (milliseconds since 1970, UTC) and as it writes them.

Kept text has a fixed width (``2026-01-05T09:10:11.000Z``), so that it sorts as time does.
The wire drops milliseconds that are zero, as the recorded pipelines do (``1970-01-01T00:00:00Z``).
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

DAY_MS = 86_400_000
_FIRST_MS, _LAST_MS = -62_135_596_800_000, 253_402_300_799_999  # the years 1 to 9999: others have no date
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WHOLE = re.compile(r"-?[0-9]{1,15}")
_ISO = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:?\d\d)?)?")


def to_ms(moment: datetime) -> int:
    """Milliseconds since 1970 of an aware datetime."""
    since = moment - _EPOCH  # taken apart: a division of two spans takes several times as long
    return since.days * DAY_MS + since.seconds * 1000 + since.microseconds // 1000


@lru_cache(maxsize=16_384)
def kept(ms: int) -> str:
    """The fixed-width text of an instant, for storing and comparing."""
    # Nearly every record has instants of its own, but they share days, minutes of the day, and whole seconds.
    days, rest = divmod(ms, DAY_MS)
    minute, rest = divmod(rest, 60_000)
    return f"{_day(days)}T{_minute(minute)}:{_rest(rest)}Z"


@lru_cache(maxsize=4_096)
def _day(number: int) -> str:
    return (_EPOCH + timedelta(days=number)).date().isoformat()


@lru_cache(maxsize=1_440)
def _minute(number: int) -> str:
    return f"{number // 60:02d}:{number % 60:02d}"


@lru_cache(maxsize=4_096)
def _rest(ms: int) -> str:
    return f"{ms // 1000:02d}.{ms % 1000:03d}"


def is_kept(text: str) -> bool:
    """Whether a text is an instant in that form already."""
    if len(text) != 24 or text[10] != "T" or text[19] != "." or not _ISO.fullmatch(text) or text[23] != "Z":
        return False
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


@lru_cache(maxsize=16_384)
def wire(ms: int) -> str:
    """The text of an instant as answers carry it."""
    return kept(ms).replace(".000Z", "Z")


def read_moment(text: str) -> int | None:
    """Milliseconds from an ISO instant or an epoch-millisecond number; None when it is neither.

    A text without an offset is read as UTC.
    """
    text = text.strip()
    if _WHOLE.fullmatch(text):
        ms = int(text)
    elif not _ISO.fullmatch(text):
        return None
    else:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            return None
        ms = to_ms(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    return ms if _FIRST_MS <= ms <= _LAST_MS else None


def read_kept(text: str) -> int:
    """Milliseconds from a fixed-width text."""
    return to_ms(datetime.fromisoformat(text))
