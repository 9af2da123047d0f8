"""How often within a week: from the single events behind a counter. Three visits in a week are not three in a year.

The week is the seven days up to the latest event of its kind. So the number stays true while time passes, and how long
ago it was is said by the date of that event. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

import polars as pl

WEEK = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Weekly:
    """A lead field that counts the events of a week: their kind, and the lead field that counts all of them."""

    event: str
    counter: str


#: The lead's fields that are counted from single events.
WEEKLY: Mapping[str, Weekly] = {
    "visits_in_week": Weekly("visit", "visits"),
    "page_views_in_week": Weekly("page_view", "page_views"),
    "mail_clicks_in_week": Weekly("mail_click", "mails_clicked"),
    "forms_in_week": Weekly("form", "forms"),
    "social_clicks_in_week": Weekly("social_click", "social_clicks"),
}
WEEKLY_FIELDS: Mapping[str, pl.DataType] = {name: pl.Int64() for name in WEEKLY}


def in_week(events: pl.DataFrame) -> pl.DataFrame:
    """``_id, event, count``: the events of the seven days up to the latest one, for each record and kind.

    ``events``: ``_id, event, at, count, first``. What a history begins with (``first``) may have come in one piece with
    an import: it counts as one event.
    """
    each = ["_id", "event"]
    one = pl.when("first").then(pl.min_horizontal("count", pl.lit(1, pl.UInt32))).otherwise("count")
    late = events.filter(pl.col("at") > pl.col("at").max().over(each) - WEEK)
    return late.group_by(each, maintain_order=True).agg(one.cast(pl.Int64).sum().alias("count"))
