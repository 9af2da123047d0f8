"""What happened to handovers, as events: told from a row of the ledger as it was and as it is."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import polars as pl

from mapping.qualification.handover_facts import WAS

_TIME = pl.Datetime("us", "UTC")
#: What happened to a row. ``who``: policy, marketing, sales, clock, routing, or a person; ``why``: for people.
EVENTS: Mapping[str, pl.DataType] = {
    **{"lead_id": pl.String(), "cycle": pl.Int32(), "at": _TIME},
    **{name: pl.String() for name in ("what", "who", "why")},
}


def events_of(rows: pl.DataFrame, now: datetime) -> pl.DataFrame:
    """``EVENTS`` of rows of the ledger, in the order in which they happen.

    Beside each row stands what it was (``lg.``), ``_opened`` (it is new) and the verdict's ``stage_why``.
    """
    became = pl.col("state")
    changed = pl.col("_opened") | became.ne_missing(pl.col(WAS + "state"))
    new_touch = (
        pl.col("first_touch_at").is_not_null() & pl.col(WAS + "first_touch_at").is_null() & ~pl.col("_opened")
    )
    handed = pl.col("handed_over_at").is_not_null() & (
        pl.col("_opened") | pl.col(WAS + "handed_over_at").is_null()
    )
    moved = ~pl.col("_opened") & pl.col("owner").ne_missing(pl.col(WAS + "owner"))
    why_owner = pl.concat_str(
        pl.lit("from "),
        pl.col(WAS + "owner").fill_null("nobody"),
        pl.lit(" to "),
        pl.col("owner").fill_null("nobody"),
    )
    lost = pl.concat_str(
        pl.col("lost_on").cast(pl.String), pl.col("lost_reason").fill_null("no reason given"), separator=": "
    )
    passed = pl.lit("nobody had touched it when its time was up")
    told = [
        ("qualified", pl.col("_opened"), _at(now), pl.lit("policy"), pl.col("stage_why")),
        (
            "handed_over",
            handed,
            _at(now),
            pl.lit("policy"),
            pl.col("owner").fill_null("nobody in particular"),
        ),
        ("owner_changed", moved, _at(now), pl.lit("routing"), why_owner),
        ("first_touch", new_touch, pl.col("first_touch_at"), pl.lit("sales"), pl.col("touched_by")),
        *(
            (state, changed & (became == state), pl.col("closed_at"), pl.lit("sales"), pl.col("reason"))
            for state in ("accepted", "rejected")
        ),
        ("deal_lost", pl.col("_lost"), _at(now), pl.lit("sales"), lost),
        ("withdrawn", changed & (became == "withdrawn"), _at(now), pl.lit("marketing"), pl.col("reason")),
        ("recycled", changed & (became == "recycled"), _at(now), pl.lit("clock"), passed),
        ("overdue", changed & (became == "overdue"), _at(now), pl.lit("clock"), passed),
        (
            "reassigned",
            ~pl.col("_opened") & (pl.col("reassigned") > pl.col(WAS + "reassigned")),
            _at(now),
            pl.lit("clock"),
            passed,
        ),
    ]
    parts = [
        rows.filter(when.fill_null(value=False)).select(
            "lead_id",
            pl.col("cycle").cast(pl.Int32()),
            at=at,
            what=pl.lit(what),
            who=who,
            why=why.fill_null(""),
        )
        for what, when, at, who, why in told
    ]
    return pl.concat([pl.DataFrame(schema=dict(EVENTS)), *parts])


def _at(moment: datetime) -> pl.Expr:
    return pl.lit(moment).cast(_TIME)
