"""Cleaning dates and times: ISO 8601, and the milliseconds since 1970 that HubSpot sends.

Times are kept in UTC to the whole second: Salesforce keeps no more (Salesforce reference, section 2), and a
finer time could never agree. Dates are read from a date, or from the UTC day of a time: HubSpot sends a date
as ``YYYY-MM-DD`` or as milliseconds at midnight UTC (HubSpot reference, section 6.1).
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from functools import partial

import polars as pl

from mapping.lead import FieldType, dtype_of
from mapping.values.cells import FEW, Cleaned, Problem, read_each, read_unsure
from mapping.values.text import fold_text

_SURE_TIME = r"^[12]\d{3}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:Z|[+-]\d\d:?\d\d)$"
_SURE_DATE = r"^[12]\d{3}-\d\d-\d\d$"
# Nine digits and more: shorter ones are days of January 1970 as milliseconds, or years, or nonsense.
_SURE_MILLIS = r"^-?\d{9,14}$"
#: As HubSpot spells a time (HubSpot reference, section 4.2): with three digits, said like this, Polars reads it four
#: times as fast as with any number of them.
_USUAL_TIME = "%Y-%m-%dT%H:%M:%S.%3fZ"
_MILLIS = re.compile(_SURE_MILLIS)
_BY_POINTS = re.compile(r"^(\d{1,2})\.\s?(\d{1,2})\.\s?(\d{4})(?:,?\s+(\d{1,2}:\d\d(?::\d\d)?))?$", re.ASCII)
_BY_SLASHES = re.compile(r"^(\d{1,2})/(\d{1,2})/(\d{4})(?:,?\s+(\d{1,2}:\d\d(?::\d\d)?))?$", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def read_datetime(text: str, *, day_first: bool | None = None) -> datetime | Problem | None:
    """A time in UTC, to the second. A time without a zone is taken to be UTC, a date alone its midnight."""
    folded = fold_text(text)
    if folded is None:
        return None
    try:
        typed = _typed(folded, day_first)
        if typed is not None:
            return typed
        if _MILLIS.match(folded):
            return (_EPOCH + timedelta(milliseconds=int(folded))).replace(microsecond=0)
        found = datetime.fromisoformat(folded) if "-" in folded else None
        if found is None:
            return Problem.NOT_A_DATE
        aware = found if found.tzinfo else found.replace(tzinfo=UTC)
        return aware.astimezone(UTC).replace(microsecond=0)
    except (ValueError, OverflowError):
        return Problem.NOT_A_DATE


def _typed(text: str, day_first: bool | None) -> datetime | Problem | None:
    """A date as people type it: dd.mm.yyyy always; with slashes only where ``day_first`` says the order."""
    points, slashes = _BY_POINTS.match(text), _BY_SLASHES.match(text)
    found = points or slashes
    if found is None:
        return None
    first, second, year = int(found[1]), int(found[2]), int(found[3])
    if slashes and day_first is None:
        if first <= 12 and second <= 12 and first != second:
            return Problem.AMBIGUOUS_DATE
        day, month = (second, first) if second > 12 else (first, second)
    else:
        day, month = (first, second) if points or day_first else (second, first)
    hour, minute, second_of_minute = [*map(int, (found[4] or "0:0").split(":")), 0][:3]
    return datetime(year, month, day, hour, minute, second_of_minute, tzinfo=UTC)


def read_date(text: str, *, day_first: bool | None = None) -> date | Problem | None:
    """The day of a date, or the UTC day of a time."""
    found = read_datetime(text, day_first=day_first)
    return found.date() if isinstance(found, datetime) else found


def clean_datetime(column: pl.Series, *, day_first: bool | None = None) -> Cleaned:
    """Times in UTC to the whole second."""
    read = partial(read_datetime, day_first=day_first)
    if len(column) <= FEW:
        return read_each(column, read, dtype_of(FieldType.DATETIME))
    iso = _read(column, _USUAL_TIME)
    if iso.null_count() > column.null_count():
        iso = _read(column, "%Y-%m-%dT%H:%M:%S%.fZ")
    if iso.null_count() > column.null_count():
        zoned = _where(column, column.str.contains(_SURE_TIME))
        iso = _read(zoned, "%Y-%m-%dT%H:%M:%S%.f%#z")
        iso = _fill(iso, _from_millis(column, iso))
    done = iso.dt.truncate("1s")
    return read_unsure(column, done, _left(column, done), read)


def _read(column: pl.Series, spelling: str) -> pl.Series:
    return column.str.to_datetime(spelling, strict=False, time_unit="us", time_zone="UTC")


def clean_date(column: pl.Series, *, day_first: bool | None = None) -> Cleaned:
    """Days, from dates, from times (their UTC day) and from milliseconds."""
    read = partial(read_date, day_first=day_first)
    if len(column) <= FEW:
        return read_each(column, read, pl.Date())
    done = _where(column, column.str.contains(_SURE_DATE)).str.to_date("%Y-%m-%d", strict=False)
    if done.null_count() > column.null_count():
        done = _fill(done, _from_millis(column, done).dt.date())
    return read_unsure(column, done, _left(column, done), read)


def _from_millis(column: pl.Series, done: pl.Series) -> pl.Series:
    numbers = _where(column, column.str.contains(_SURE_MILLIS) & done.is_null()).cast(
        pl.Int64(), strict=False
    )
    return numbers.cast(pl.Datetime("ms")).dt.cast_time_unit("us").dt.replace_time_zone("UTC")


def _left(column: pl.Series, done: pl.Series) -> pl.Series:
    return column.is_not_null() & done.is_null()


def _fill(done: pl.Series, other: pl.Series) -> pl.Series:
    return done.zip_with(done.is_not_null(), other)


def _where(column: pl.Series, mask: pl.Series) -> pl.Series:
    return column.zip_with(mask.fill_null(False), pl.Series([None], dtype=pl.String()))
