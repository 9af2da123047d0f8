"""What sales and people did with a contact: calls, e-mails, meetings, notes, tasks, messages.

Each is an object of its own, associated with contacts (HubSpot reference, section 15). Texts and subjects are
not read: a first and a last touch need when, by whom and in which direction. Which of the objects an account
has differs by edition; the ones it lacks are named and are no failure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from connectors.crm import RECORD_ID, Slab
from connectors.errors import ConnectorError
from connectors.hubspot.errors import lacks

#: The objects, with the property that says who called whom, where there is one. What we read of them beside it
#: are ``hs_timestamp`` (when it happened) and ``hubspot_owner_id``. A property that an account does not know has
#: no value here and stops nothing.
ENGAGEMENTS: Mapping[str, str | None] = {
    "calls": "hs_call_direction",
    "emails": "hs_email_direction",
    "meetings": None,
    "notes": None,
    "tasks": None,
    "communications": None,
}

#: One row for each contact and touch. ``_id``: the contact. ``at``: when it happened, null where HubSpot holds no
#: time. ``direction``: HubSpot's own word, null where there is none.
TOUCH_SCHEMA: Mapping[str, pl.DataType] = {
    RECORD_ID: pl.String(),
    "kind": pl.String(),
    "touch_id": pl.String(),
    "at": pl.Datetime("us", "UTC"),
    "owner_id": pl.String(),
    "direction": pl.String(),
}

#: One row for each contact that was touched.
EDGES_SCHEMA: Mapping[str, pl.DataType] = {
    RECORD_ID: pl.String(),
    "touches": pl.UInt32(),
    "first_at": pl.Datetime("us", "UTC"),
    "first_kind": pl.String(),
    "last_at": pl.Datetime("us", "UTC"),
    "last_kind": pl.String(),
}

#: The associations of some contacts with an object: frames of ``linked.LINK_SCHEMA``.
Links = Callable[[str, Sequence[str]], Iterator[pl.DataFrame]]
#: Named records of an object with some fields.
Fetch = Callable[[str, Sequence[str], Sequence[str]], Iterator[Slab]]


@dataclass(frozen=True, slots=True)
class Touches:
    """``frame``: see ``TOUCH_SCHEMA``. ``missing``: objects that this account or token does not have."""

    frame: pl.DataFrame
    missing: tuple[str, ...]


def touches_of(links: Links, fetch: Fetch, ids: Sequence[str], kinds: Sequence[str]) -> Touches:
    """Everything of these ``kinds`` that is associated with the named contacts."""
    frames, missing = [pl.DataFrame(schema=dict(TOUCH_SCHEMA))], []
    for kind in kinds:
        try:
            frames.append(_of_kind(links, fetch, ids, kind))
        except ConnectorError as error:
            if not lacks(error):
                raise
            missing.append(kind)
    return Touches(pl.concat(frames), tuple(missing))


def _of_kind(links: Links, fetch: Fetch, ids: Sequence[str], kind: str) -> pl.DataFrame:
    pairs = pl.concat([pl.DataFrame(schema=_PAIR), *(f.select(*_PAIR) for f in links(kind, ids))])
    direction = ENGAGEMENTS.get(kind)
    fields = ["hs_timestamp", "hubspot_owner_id", *([direction] if direction else [])]
    wanted = pairs["other_id"].unique(maintain_order=True).to_list()
    slabs = [_details(slab.frame, direction) for slab in fetch(kind, fields, wanted)] if wanted else []
    details = pl.concat([pl.DataFrame(schema=_DETAIL), *slabs])
    found = pairs.join(details, left_on="other_id", right_on="touch_id", how="inner")
    named = found.with_columns(kind=pl.lit(kind)).rename({"other_id": "touch_id"})
    return named.select(pl.col(name).cast(kept) for name, kept in TOUCH_SCHEMA.items())


_PAIR = {RECORD_ID: pl.String(), "other_id": pl.String()}
_DETAIL = {name: TOUCH_SCHEMA[name] for name in ("touch_id", "at", "owner_id", "direction")}


def _details(frame: pl.DataFrame, direction: str | None) -> pl.DataFrame:
    def text(name: str | None) -> pl.Expr:
        return pl.col(name) if name in frame.columns else pl.lit(None, pl.String)

    at = text("hs_timestamp").str.to_datetime(time_unit="us", time_zone="UTC", strict=False)
    return frame.select(
        touch_id=pl.col(RECORD_ID), at=at, owner_id=text("hubspot_owner_id"), direction=text(direction)
    )


def first_and_last(touches: pl.DataFrame) -> pl.DataFrame:
    """The first and the last touch of each contact (``EDGES_SCHEMA``); touches without a time are counted only."""
    timed = touches.sort("at", "kind", "touch_id", nulls_last=True)
    known = pl.col("at").is_not_null()
    edges = timed.group_by(RECORD_ID, maintain_order=True).agg(
        touches=pl.len(),
        first_at=pl.col("at").filter(known).first(),
        first_kind=pl.col("kind").filter(known).first(),
        last_at=pl.col("at").filter(known).last(),
        last_kind=pl.col("kind").filter(known).last(),
    )
    return edges.select(pl.col(name).cast(kept) for name, kept in EDGES_SCHEMA.items()).sort(RECORD_ID)
