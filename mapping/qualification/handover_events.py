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
    told = {str(place): one for place, one in enumerate([*_beginning(now), *_by_sales(now), *_ends(now)])}
    # ``pl.format`` breaks off where the first of a frame's pieces in memory has no row, as after a filter by a series.
    rows = rows.rechunk()
    # Asked all at once: of all that may happen to a lead, little does.
    happened = rows.select(when.fill_null(value=False).alias(place) for place, (_, when, *_) in told.items())
    parts = [
        rows.filter(happened[place]).select(
            "lead_id",
            pl.col("cycle").cast(pl.Int32()),
            at=at,
            what=pl.lit(what),
            who=pl.lit(who),
            why=why.fill_null(""),
        )
        for place, (what, _, at, who, why) in told.items()
        if happened[place].any()
    ]
    return pl.concat([pl.DataFrame(schema=dict(EVENTS)), *parts])


#: What, when it holds, at which time, who, and why.
_Told = tuple[str, pl.Expr, pl.Expr, str, pl.Expr]


def _beginning(now: datetime) -> list[_Told]:
    """How a row begins, and whose it is."""
    opened, drawn = pl.col("_opened"), pl.col("explored").fill_null(value=False)
    chance = pl.format("exploration: one of {} %, seed {}", pl.col("drawn_share") * 100, "drawn_seed")
    handed = pl.col("handed_over_at").is_not_null() & (opened | pl.col(WAS + "handed_over_at").is_null())
    moved = ~opened & pl.col("owner").ne_missing(pl.col(WAS + "owner"))
    before, after = pl.col(WAS + "owner").fill_null("nobody"), pl.col("owner").fill_null("nobody")
    return [
        ("qualified", opened & ~drawn, _at(now), "policy", pl.col("stage_why")),
        ("drawn", opened & drawn, _at(now), "chance", chance),
        ("handed_over", handed, _at(now), "policy", pl.col("owner").fill_null("nobody in particular")),
        ("owner_changed", moved, _at(now), "routing", pl.format("from {} to {}", before, after)),
    ]


def _by_sales(now: datetime) -> list[_Told]:
    """What sales did with it."""
    touch = pl.col("first_touch_at")
    new_touch = touch.is_not_null() & pl.col(WAS + "first_touch_at").is_null() & ~pl.col("_opened")
    lost = pl.format("{}: {}", pl.col("lost_on"), pl.col("lost_reason").fill_null("no reason given"))
    return [
        ("first_touch", new_touch, touch, "sales", pl.col("touched_by")),
        ("accepted", _became("accepted"), pl.col("closed_at"), "sales", pl.col("reason")),
        ("rejected", _became("rejected"), pl.col("closed_at"), "sales", pl.col("reason")),
        ("deal_lost", pl.col("_lost"), _at(now), "sales", lost),
    ]


def _ends(now: datetime) -> list[_Told]:
    """What marketing or time alone did with it."""
    passed = pl.lit("nobody had touched it when its time was up")
    again = ~pl.col("_opened") & (pl.col("reassigned") > pl.col(WAS + "reassigned"))
    return [
        ("withdrawn", _became("withdrawn"), _at(now), "marketing", pl.col("reason")),
        ("recycled", _became("recycled"), _at(now), "clock", passed),
        ("overdue", _became("overdue"), _at(now), "clock", passed),
        ("reassigned", again, _at(now), "clock", passed),
    ]


def _became(state: str) -> pl.Expr:
    changed = pl.col("_opened") | pl.col("state").ne_missing(pl.col(WAS + "state"))
    return changed & (pl.col("state") == state)


def _at(moment: datetime) -> pl.Expr:
    return pl.lit(moment).cast(_TIME)
