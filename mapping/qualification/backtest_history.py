"""What was known at a moment: values out of a history, as of a time of each record's own.

A value counts from the moment it was set. What was set later, whatever it says about the past, was not known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime

import polars as pl

from mapping.lead import LEAD_FIELDS, FieldType, LeadField, dtype_of
from mapping.qualification.declared import EVIDENCE, Policy
from mapping.qualification.score import PREVIOUS_SCHEMA

_DAY = 86_400_000_000  # microseconds
_AGEING = (FieldType.DATE, FieldType.DATETIME)
#: Evidence of what sales did: blank in a backtest, because it is what the policy is to foresee.
SALES_SAID = tuple(name for name in EVIDENCE if name != "has_contact_data")


def as_of(history: pl.DataFrame, moments: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    """One row for each row of ``moments``, in their order: the values in force then, null for none.

    ``history``: ``_id, property, at, value`` (text; a null value blanks the property), in any order; of two
    values of one moment the one that stands first counts, as HubSpot lists the newest first. ``moments``:
    ``_id`` and ``at``. The result has ``_id`` and one String column for each of ``names``.
    """
    then = moments.select("_id", pl.col("at").alias("_moment"))
    known = (
        history.filter(pl.col("property").is_in(list(names)))
        .with_row_index("_place")
        .join(then, on="_id", how="inner")
        .filter(pl.col("at") <= pl.col("_moment"))
        .sort("at", "_place", descending=[True, False])
        .unique(["_id", "property"], keep="first", maintain_order=True)
    )
    wide = known.pivot("property", index="_id", values="value") if known.height else known.select("_id")
    found = then.select("_id").join(wide, on="_id", how="left", maintain_order="left")
    missing = [pl.lit(None, dtype=pl.String).alias(name) for name in names if name not in found.columns]
    return found.with_columns(missing).select("_id", *(pl.col(name).cast(pl.String) for name in names))


def without_later(leads: pl.DataFrame, fields: Mapping[str, LeadField]) -> pl.DataFrame:
    """Blank what a CRM cannot have observed yet: a date of behaviour after the lead's own moment (``at``)."""
    later = [
        pl.when(pl.col(name).dt.date() <= pl.col("at").dt.date()).then(pl.col(name)).alias(name)
        for name, field in fields.items()
        if field.behaviour and field.type is FieldType.DATETIME and name in leads.columns
    ]
    return leads.with_columns(later)


def alone_with_policy(leads: pl.DataFrame) -> pl.DataFrame:
    """Leads as nobody had judged them yet: no word of sales, no stage, no last verdict."""
    told = [
        pl.lit(None, dtype=dtype_of(LEAD_FIELDS[name].type)).alias(name)
        for name in SALES_SAID
        if name in LEAD_FIELDS
    ]
    before = [pl.lit(None, dtype=dtype).alias(name) for name, dtype in PREVIOUS_SCHEMA.items()]
    return leads.with_columns(*told, *before)


def epochs(moments: pl.Series, policy: Policy) -> pl.Series:
    """A number for each moment; within one number every exchange rate of the policy stays the same (UInt32)."""
    changes = sorted({since for dated in policy.rates.values() for since, _ in dated})
    days = moments.dt.date()
    number = pl.repeat(0, len(moments), dtype=pl.UInt32, eager=True)
    for day in changes:
        number = number + (days >= day).cast(pl.UInt32)
    return number


def dates_of(policy: Policy) -> list[str]:
    """The lead's dates that the policy looks at."""
    needed = policy.needed()
    return [name for name, field in policy.fields.items() if field.type in _AGEING and name in needed]


def at_one_moment(leads: pl.DataFrame, dates: Sequence[str]) -> tuple[pl.DataFrame, datetime]:
    """Leads of many moments moved to one, so that they can be judged together: every age stays what it was.

    Each of the ``dates`` is shifted by the whole days between the lead's moment (``at``) and the latest one, which is
    given back. A lead without a moment has no ages: its dates become unknown.
    """
    latest = leads["at"].max()
    now = latest if isinstance(latest, datetime) else datetime(1970, 1, 1, tzinfo=UTC)
    shift = _day_number(now.astimezone(UTC).date()) - leads["at"].dt.date().cast(pl.Int32)
    return leads.with_columns(_shifted(leads[name], shift) for name in dates), now


def _day_number(day: date) -> int:
    return (day - date(1970, 1, 1)).days


def _shifted(dates: pl.Series, days: pl.Series) -> pl.Series:
    if dates.dtype == pl.Date():
        return (dates.cast(pl.Int32) + days).cast(pl.Date)
    return (dates.cast(pl.Int64) + days.cast(pl.Int64) * _DAY).cast(dates.dtype)


def as_of_tracked(
    current: pl.DataFrame, history: pl.DataFrame, moments: pl.DataFrame, names: Sequence[str]
) -> pl.DataFrame:
    """What ``as_of`` gives, where a CRM only writes down changes, and only of some fields.

    ``current``: ``_id, _modified_at`` and the values of today as text, a row for each of ``moments``. A value of
    today counts for the moment only where it is certain to have stood then: the field was being tracked by that
    time and never changed, or the whole record has not changed since. Otherwise the value is not known.
    """
    told = as_of(history, moments, names)
    since = history.group_by("property").agg(pl.col("at").min().alias("_since"))
    changed = history.select("_id", "property").unique().with_columns(pl.lit(value=True).alias("_changed"))
    known = current.columns
    stood = (
        current.select("_id", "_modified_at", *(pl.col(name) for name in names if name in known))
        .join(moments.select("_id", pl.col("at").alias("_moment")), on="_id", how="inner")
        .unpivot(index=["_id", "_modified_at", "_moment"], variable_name="property", value_name="_now")
        .join(since, on="property", how="left")
        .join(changed, on=["_id", "property"], how="left")
        .filter(
            pl.col("_changed").is_null()
            & (
                (pl.col("_modified_at") <= pl.col("_moment"))
                | (pl.col("_since") <= pl.col("_moment")).fill_null(value=False)
            )
        )
    )
    if stood.is_empty():
        return told
    wide = stood.pivot("property", index="_id", values="_now")
    beside = told.select("_id").join(wide, on="_id", how="left", maintain_order="left")
    return told.with_columns(
        pl.coalesce(told[name], beside[name]).alias(name) for name in names if name in wide.columns
    )
