"""Freshness: how long it takes from a change in one CRM to the written answer in the other.

Each answer falls into a bucket of its lane, and a quantile is read off the buckets: they grow by a fifth each, so it is
right to within a tenth, whatever the time. A year of them is a few thousand rows.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from connectors.crm import MODIFIED_AT, RECORD_ID
from sync.plan import SIDES
from sync.store.freshness import Counts
from sync.work import CRMS, Work

#: Buckets a doubling of the time. Bucket 0 holds everything up to a millisecond.
STEPS = 4
#: What `status` looks back at.
LATELY = timedelta(days=1)
#: The most urgent first: a lead that was written in several lanes counts in the first of them.
LANES = ("consent", "handover", "live", "backfill")

#: When a push says that a record changed: crm, record_id, happened_at (aware UTC).
HAPPENED: Mapping[str, pl.DataType] = {
    "crm": pl.String(),
    "record_id": pl.String(),
    "happened_at": pl.Datetime("us", "UTC"),
}


@dataclass(frozen=True, slots=True)
class LaneFreshness:
    """One lane: how many answers, and within how many seconds half of them and 95 of 100 were written."""

    lane: str
    leads: int
    p50: float
    p95: float


def bucket_of(seconds: float) -> int:
    """The bucket of a time; one that is negative, as clocks differ, counts as none at all. Pure."""
    milliseconds = seconds * 1000
    return 0 if milliseconds <= 1 else math.ceil(STEPS * math.log2(milliseconds))


def seconds_of(bucket: int) -> float:
    """The middle of a bucket, in seconds. Pure."""
    return float(2 ** ((bucket - 0.5) / STEPS) / 1000 if bucket else 0.001)


def quantile(buckets: Mapping[int, int], share: float) -> float:
    """Within how many seconds this share (0 to 1) of what was counted lies; 0.0 for nothing. Pure."""
    wanted = share * sum(buckets.values())
    so_far = 0
    for bucket in sorted(buckets):
        so_far += buckets[bucket]
        if so_far >= wanted and so_far:
            return seconds_of(bucket)
    return 0.0


def told(found: Mapping[str, Mapping[int, int]]) -> list[LaneFreshness]:
    """The lanes of stored counts, the most urgent first. Pure."""
    order = {lane: place for place, lane in enumerate(LANES)}
    return [
        LaneFreshness(
            lane, sum(found[lane].values()), quantile(found[lane], 0.5), quantile(found[lane], 0.95)
        )
        for lane in sorted(found, key=lambda lane: (order.get(lane, len(LANES)), lane))
    ]


def note_freshness(
    work: Work, leads: pl.DataFrame, written: pl.DataFrame, happened: pl.DataFrame | None
) -> None:
    """Count how long ago what is answered by these writes had happened.

    ``leads``: as decided, with ``_id`` and ``_modified_at`` of both sides. ``written``: changes as they ended
    (``write.ENDED``). ``happened`` (``HAPPENED``): what a push said; else the record's own time is believed.
    Only changes that no earlier run has seen count: what a new policy or a refused write sends out later is no
    answer to anybody.
    """
    if written.is_empty():
        return
    read_from = {
        one.crm: one.started or one.moved_at
        for one in work.store.standing.read_to()
        if one.object == work.reading(one.crm)
    }
    now = work.clock()
    counts = took(leads, written, happened, read_from, now)
    if counts:
        work.store.freshness.note(counts, now)


def took(
    leads: pl.DataFrame,
    written: pl.DataFrame,
    happened: pl.DataFrame | None,
    read_from: Mapping[str, datetime],
    now: datetime,
) -> Counts:
    """Leads by (lane, CRM, bucket). ``read_from``: since when each CRM's changes are unseen. Pure."""
    order = pl.col("lane").replace_strict(
        {lane: place for place, lane in enumerate(LANES)}, default=len(LANES), return_dtype=pl.Int64
    )
    answers = (
        written.filter(pl.col("state") == "written")
        .group_by("lead_id", "crm")
        .agg(pl.col("lane").sort_by(order).first())
    )
    counts: Counter[tuple[str, str, int]] = Counter()
    for crm, source in zip(CRMS, reversed(CRMS), strict=True):
        mine = answers.filter(pl.col("crm") == crm)
        if mine.is_empty():
            continue
        changed = _changed(leads, source, crm, happened, read_from.get(source))
        for lane, moment in mine.join(changed, on="lead_id").select("lane", "changed_at").iter_rows():
            counts[lane, crm, bucket_of((now - moment).total_seconds())] += 1
    return counts


def _changed(
    leads: pl.DataFrame, source: str, crm: str, happened: pl.DataFrame | None, read_from: datetime | None
) -> pl.DataFrame:
    """``lead_id`` and ``changed_at`` of the leads that were changed in ``source``, and later there than in ``crm``."""
    there, here = SIDES[source], SIDES[crm]
    pushed = pl.DataFrame(schema=dict(HAPPENED)) if happened is None else happened
    mine = pushed.filter(pl.col("crm") == source).group_by("record_id").agg(pl.col("happened_at").min())
    sides = leads.select(
        "lead_id",
        record_id=there + RECORD_ID,
        modified=there + MODIFIED_AT,
        other=here + MODIFIED_AT,
    ).join(mine, on="record_id", how="left")
    since = pl.lit(read_from, dtype=pl.Datetime("us", "UTC"))
    unseen = pl.col("modified") >= since
    later = pl.col("other").is_null() | (pl.col("modified") >= pl.col("other"))
    return sides.filter((pl.col("happened_at").is_not_null() | unseen.fill_null(value=False)) & later).select(
        "lead_id", changed_at=pl.min_horizontal("modified", "happened_at")
    )
