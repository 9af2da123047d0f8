"""Read telephone numbers again where the merge has just told a record its country.

A number without its country code is read by the record's country. Where the merge brings a country to a record
that had none, or another one, the number means something else from then on: it is read again before anything
is decided, so that the next run finds nothing left to do.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from connectors.crm import SLAB_SCHEMA
from mapping.lead import FieldType
from sync.merge import MERGED, TO_HUBSPOT, TO_SALESFORCE, WINNER, won_by
from sync.plan import SIDES
from sync.read import RAW
from sync.winners import APART, BASE
from sync.work import Work

COUNTRY = "country"


def with_new_countries(
    work: Work, frame: pl.DataFrame, merged: pl.DataFrame, records: Mapping[str, pl.DataFrame | None]
) -> pl.DataFrame | None:
    """The frame to merge anew, or None where no record is about to get another country.

    ``frame`` is what was merged, ``merged`` what came of it, ``records`` the typed and raw records by CRM.
    """
    if WINNER + COUNTRY not in merged.columns or work.mode != "full":
        return None
    renewed, changed = frame, False
    for crm, side in SIDES.items():
        moved = won_by(merged[WINNER + COUNTRY], *(TO_HUBSPOT if crm == "hubspot" else TO_SALESFORCE))
        moving = pl.DataFrame(
            {
                "_id": merged[side + "_id"].filter(moved),
                "_country": merged[MERGED + COUNTRY].filter(moved),
            }
        )
        theirs, source = records.get(crm), work.field_map.rules[COUNTRY].source(crm, work.objects[crm])
        if moving.is_empty() or theirs is None or source is None or RAW + source not in theirs.columns:
            continue
        renewed, changed = _read_again(work, crm, side, renewed, theirs.join(moving, on="_id"), source), True
    return renewed if changed else None


def _read_again(
    work: Work, crm: str, side: str, frame: pl.DataFrame, theirs: pl.DataFrame, source: str
) -> pl.DataFrame:
    phones = [
        name
        for name, known in work.field_map.known(crm).items()
        if known.type is FieldType.PHONE and side + name in frame.columns
    ]
    raw = theirs.select(
        "_id",
        *(pl.col(name).alias(name.removeprefix(RAW)) for name in theirs.columns if name.startswith(RAW)),
    ).with_columns(pl.Series(source, theirs["_country"]))
    blank = [
        pl.lit(None, dtype=dtype).alias(name)
        for name, dtype in SLAB_SCHEMA.items()
        if name not in raw.columns
    ]
    again = work.field_map.read(raw.with_columns(blank), crm, work.objects[crm]).frame
    fresh = again.select(
        pl.col("_id").alias(side + "_id"),
        pl.lit(value=True).alias("_again"),
        *(pl.col(name).alias("_new." + name) for name in phones),
        *(_unread(name).alias("_open." + name) for name in phones),
    )
    joined = frame.join(fresh, on=side + "_id", how="left", maintain_order="left")
    read_again = pl.col("_again").fill_null(value=False)
    others = pl.col(side + "_unread").list.set_difference(pl.lit(phones, dtype=pl.List(pl.String)))
    still = pl.concat_list(
        pl.when(pl.col("_open." + name)).then(pl.lit(name)).otherwise(None) for name in phones
    ).list.drop_nulls()
    unread = pl.concat_list(others.fill_null(pl.lit([], dtype=pl.List(pl.String))), still)
    values = [
        pl.when(read_again).then(pl.col("_new." + name)).otherwise(pl.col(side + name)).alias(side + name)
        for name in phones
    ]
    kept = pl.when(read_again).then(unread).otherwise(pl.col(side + "_unread")).alias(side + "_unread")
    apart = [pl.col(name) | read_again for name in (BASE[side] + APART,) if name in frame.columns]
    return joined.with_columns(*values, kept, *apart).select(frame.columns)


def _unread(name: str) -> pl.Expr:
    return pl.col("_unread").list.contains(name).fill_null(value=False)
