"""When people did what: single events out of the histories of HubSpot's counters.

A contact shows how often it visited, opened and clicked, and when it did so last; the single times stand in the
history of each counter only (HubSpot reference, section 15). A value that rises by n is n events at that time. Each
visit by itself needs an edition that few have, so "three visits in a week" is computed from this.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from connectors.crm import RECORD_ID, ObjectSchema

#: The counter of each kind of event (HubSpot reference, section 15).
COUNTERS: Mapping[str, str] = {
    "form": "num_conversion_events",
    "visit": "hs_analytics_num_visits",
    "page_view": "hs_analytics_num_page_views",
    "mail_open": "hs_email_open",
    "mail_click": "hs_email_click",
    "social_click": "hs_social_num_broadcast_clicks",
    "sales_contact": "num_contacted_notes",
}

#: One row for each rise of a counter. ``count``: by how much. ``first``: it is the first value in the history, so
#: the events were at ``at`` or earlier: a counter may come with an import.
EVENT_SCHEMA: Mapping[str, pl.DataType] = {
    RECORD_ID: pl.String(),
    "event": pl.String(),
    "at": pl.Datetime("us", "UTC"),
    "count": pl.UInt32(),
    "first": pl.Boolean(),
}


@dataclass(frozen=True, slots=True)
class Signals:
    """``frame``: see ``EVENT_SCHEMA``, in the order of time. ``missing``: kinds whose counter is not there."""

    frame: pl.DataFrame
    missing: tuple[str, ...]


def counters_in(schema: ObjectSchema, events: Sequence[str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """The counters that an account has, by their property; and the kinds of events that it lacks."""
    wanted = {COUNTERS[event]: event for event in events}
    known = {name: event for name, event in wanted.items() if name in schema.fields}
    return known, tuple(event for name, event in wanted.items() if name not in known)


def events_of(histories: Iterable[pl.DataFrame], counters: Mapping[str, str]) -> pl.DataFrame:
    """The rises of ``counters`` (property → kind of event) in frames of ``crm.HISTORY_SCHEMA``.

    A counter that was reset falls, and that is no event; a value that is no number is none either.
    """
    frames = list(histories)
    if not frames:
        return pl.DataFrame(schema=dict(EVENT_SCHEMA))
    value = pl.col("value").cast(pl.Float64, strict=False)
    # Newest first within a property (``history``): turned round, equal times keep their order.
    past = pl.concat(frames).filter(pl.col("property").is_in(list(counters))).reverse()
    each = [RECORD_ID, "property"]
    counted = past.with_columns(value=pl.when(value.is_finite()).then(value)).drop_nulls("value")
    steps = counted.sort("at", maintain_order=True).with_columns(
        first=pl.int_range(pl.len()).over(each) == 0,
        count=pl.col("value") - pl.col("value").shift(1).over(each).fill_null(0.0),
    )
    rises = steps.filter(pl.col("count") >= 1).with_columns(event=pl.col("property").replace_strict(counters))
    return rises.select(pl.col(name).cast(kept) for name, kept in EVENT_SCHEMA.items())
