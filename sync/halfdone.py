"""Records as they stood before a run that died: its half-done writes are ours, and no evidence of anything.

A run that is killed between its first write and its memory of it leaves both CRMs half done. Taken for facts, what it
wrote would be merged and judged as if a person had typed it, and the next run would decide otherwise than the one
that died. So the next run reads around it: a field that still holds what an open intent was to write there shows
what stood before, and a record that was only just made is made again, which finds it by its key. The same is
decided again, and written again where it already stands. Where something else is decided now, because somebody typed
or opted out in between, ``taken_back`` says what has to be written for the field to show again what stood before.

What a person has changed since is never read around: it is not what was intended.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import polars as pl

from connectors.crm import RECORD_ID
from mapping.own import CROSS, CROSS_ID
from sync.plan import RESTORE, STAGE

#: What a dead run had set out to write: ``record_id`` is null where it was to create the record.
OPEN_INTENTS: Mapping[str, pl.DataType] = {
    name: pl.String() for name in ("lead_id", "crm", "record_id", "field", "crm_field", "before", "after")
}
#: Why a field is written that already ought to hold its value.
BROKEN_OFF = "a sync that broke off had begun to write something else"


def as_before(frame: pl.DataFrame, crm: str, intents: pl.DataFrame) -> pl.DataFrame:
    """A slab's records without what dead runs did to them.

    ``frame``: ``RECORD_ID`` and text columns in the CRM's words. ``intents`` (``OPEN_INTENTS``): the open ones,
    the newest first. Pure.
    """
    ours = intents.filter(pl.col("crm") == crm)
    if ours.is_empty() or frame.is_empty():
        return frame
    made = ours.filter(pl.col("record_id").is_null())
    frame = _without_new_records(frame, crm, made)
    written = ours.filter(pl.col("record_id").is_in(frame[RECORD_ID].implode()))
    for (name,), rows in written.partition_by("crm_field", as_dict=True).items():
        if name in frame.columns:
            frame = _field_before(frame, str(name), rows)
    return frame


def _field_before(frame: pl.DataFrame, name: str, rows: pl.DataFrame) -> pl.DataFrame:
    now, field = pl.col("_now"), pl.col("field")
    # The id of a record that was to be created was not known when the intent was noted.
    filled_in = (field == CROSS_ID) & pl.col("after").is_null()
    # A backward stage is cleared before it is set.
    cleared = (field == STAGE) & now.is_null()
    # Runs may have died one after the other: what the field holds is any one of theirs.
    held = frame.select(pl.col(RECORD_ID).alias("record_id"), pl.col(name).alias("_now"))
    if "_absent" in frame.columns:
        held = held.filter(~frame["_absent"].list.contains(name).fill_null(value=False))
    beside = rows.join(held, on="record_id", how="inner", maintain_order="left")
    half_done = beside.with_columns(_half_done=same_value(now, pl.col("after")) | filled_in | cleared)
    before = (
        half_done.group_by("record_id", maintain_order=True)
        .agg(pl.col("before").first().alias("_before"), pl.col("_half_done").any())
        .filter("_half_done")
        .rename({"record_id": RECORD_ID})
    )
    if before.is_empty():
        return frame
    return (
        frame.join(before, on=RECORD_ID, how="left", maintain_order="left")
        .with_columns(pl.when("_half_done").then("_before").otherwise(name).alias(name))
        .drop("_before", "_half_done")
    )


def _without_new_records(frame: pl.DataFrame, crm: str, made: pl.DataFrame) -> pl.DataFrame:
    """Leave out the records that a dead run created, as long as they hold nothing but what it wrote."""
    key = CROSS.name_in(crm)
    if made.is_empty() or key not in frame.columns:
        return frame
    keys = made.filter(pl.col("field") == CROSS_ID).select("lead_id", pl.col("after").alias(key)).unique()
    found = frame.join(keys, on=key, how="inner")
    named = [name for name in made["crm_field"].unique(maintain_order=True) if name in frame.columns]
    holds = found.unpivot(named, index=[RECORD_ID, "lead_id"], variable_name="crm_field", value_name="_now")
    # Runs may have died one after the other over the same record: any one's value is ours.
    differs = (
        made.join(holds, on=["lead_id", "crm_field"], how="inner")
        .group_by(RECORD_ID, "crm_field")
        .agg(_ours=same_value(pl.col("_now"), pl.col("after")).any())
        .filter(~pl.col("_ours"))
    )
    new = found.filter(~pl.col(RECORD_ID).is_in(differs[RECORD_ID].implode()))[RECORD_ID]
    return frame.filter(~pl.col(RECORD_ID).is_in(new.implode()))


def taken_back(
    changes: pl.DataFrame,
    intents: pl.DataFrame,
    raw: Mapping[str, pl.DataFrame],
    objects: Mapping[str, str],
    consent: Collection[str],
) -> pl.DataFrame:
    """``changes`` (``plan.CHANGES``), and those that undo what a dead run wrote and nobody writes now.

    ``raw``: CRM to the records in its own words, as ``as_before`` left them. ``consent``: fields of withdrawals, which
    are never taken back. Ids of counterparts are not either: the record that they name is there. A field that
    holds what stood before may hold it because the dead run never got so far; to write it again does no harm. Pure.
    """
    found = [changes]
    begun = intents.filter(pl.col("record_id").is_not_null() & ~pl.col("field").is_in([*consent, CROSS_ID]))
    begun = begun.unique(["crm", "record_id", "field"], keep="first", maintain_order=True)
    begun = begun.join(changes, on=["crm", "record_id", "field"], how="anti")
    for (crm, name), rows in begun.partition_by("crm", "crm_field", as_dict=True).items():
        held = raw.get(str(crm))
        if held is None or name not in held.columns:
            continue
        beside = rows.join(
            held.select(pl.col("_id").alias("record_id"), pl.col(str(name)).alias("_now")),
            on="record_id",
            how="inner",
        )
        undone = beside.filter(same_value(pl.col("_now"), pl.col("before")))
        found.append(
            undone.select(
                "lead_id",
                "crm",
                pl.lit(objects[str(crm)]).alias("object"),
                *("record_id", "field", "crm_field", "before"),
                pl.col("before").alias("after"),
                pl.lit(BROKEN_OFF).alias("why"),
                pl.lit("live").alias("lane"),
                pl.lit(RESTORE).alias("kind"),
            )
        )
    return changes if len(found) == 1 else pl.concat(found).sort("lead_id", "crm", "field")


def same_value(now: pl.Expr, intended: pl.Expr) -> pl.Expr:
    """Whether a CRM holds what was sent to it: it may spell a number or a time otherwise, and an address in lower case.

    Salesforce answers ``.000+0000`` where ``Z`` was sent (Salesforce reference, section 2).
    """

    def plain(text: pl.Expr) -> pl.Expr:
        return text.str.strip_chars().str.to_lowercase()

    def number(text: pl.Expr) -> pl.Expr:
        return text.cast(pl.Float64, strict=False)

    alike = (
        (plain(now) == plain(intended))
        | (number(now) == number(intended)).fill_null(value=False)
        | (moment(now) == moment(intended)).fill_null(value=False)
    )
    return now.eq_missing(intended) | alike.fill_null(value=False)


def moment(text: pl.Expr) -> pl.Expr:
    """The time that a text in a CRM's words holds, in UTC to the second; null where it is none."""
    time = text.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%#z", strict=False, time_unit="us", time_zone="UTC")
    return time.dt.truncate("1s")
