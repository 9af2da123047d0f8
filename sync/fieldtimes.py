"""When the fields were changed that both CRMs have changed: asked of their histories, for the rule ``newest`` alone.

HubSpot keeps a history of every property (HubSpot reference, section 4.2), Salesforce of the fields that an admin
tracks (Salesforce reference, section 6). Only leads on which the CRMs disagree are asked about.

A history's time is that of a value. It counts only where the newest value that it tells is the one that is merged:
what a dead run wrote is left out, as ``sync.halfdone`` leaves it out of the record, and a history that ended before
the field was last changed tells no time at all. Both values are compared as the field map reads them, since a CRM may
spell one otherwise in its history than in the record.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import polars as pl

from connectors.crm import HISTORY_SCHEMA, RECORD_ID
from connectors.salesforce.history import CHANGED
from sync.bytime import CHANGED_AT, NEWEST, latest_change, why_held
from sync.halfdone import same_value
from sync.merge import merge
from sync.plan import SIDES
from sync.read import RAW, read_records
from sync.winners import BASE, HUBSPOT, SALESFORCE, WINNER, MergeRule, Winner
from sync.work import Work

_AT = pl.Datetime("us", "UTC")
_KEPT = (RECORD_ID, "_modified_at", "_created_at")


@runtime_checkable
class KeepsHistory(Protocol):
    """A CRM that tells when fields of the named records had which values, the newest first."""

    def history(
        self, object_name: str, fields: Sequence[str], ids: Sequence[str] | None = None
    ) -> Iterator[pl.DataFrame]: ...


@dataclass(frozen=True, slots=True)
class _Piece:
    """Columns of the lead that one field of a CRM holds: an amount may have its currency in a field beside it."""

    names: tuple[str, ...]
    source: str


def with_times(
    work: Work, frame: pl.DataFrame, records: Mapping[str, pl.DataFrame | None], intents: pl.DataFrame
) -> pl.DataFrame:
    """The leads with ``CHANGED_AT`` columns for each field whose rule is ``newest``; null where nothing is known.

    ``records``: CRM to the leads' records, typed and under ``RAW`` in the CRM's words. ``intents``
    (``halfdone.OPEN_INTENTS``): what dead runs had set out to write. Raises the connectors' errors.
    """
    rules = [rule for rule in work.rules if rule.contested and rule.if_both_changed == NEWEST]
    if not rules:
        return frame
    merged = merge(frame, rules)
    held = {rule.field: merged[WINNER + rule.field] == int(Winner.HELD) for rule in rules}
    contested = {rule.field: rule for rule in rules if held[rule.field].any()}
    columns = []
    for crm, side in SIDES.items():
        pieces = {field: _pieces(work, crm, rule) for field, rule in contested.items()}
        asked = sorted({piece.source for some in pieces.values() for piece in some})
        ids = sorted({record for field in contested for record in frame[side + "_id"].filter(held[field])})
        theirs = records.get(crm)
        now = None if theirs is None else theirs.filter(pl.col(RECORD_ID).is_in(ids))
        told = None if now is None else _told(work, crm, now, asked, intents)
        for rule in rules:
            at = None if told is None else _time(frame, side, pieces.get(rule.field, ()), told)
            nothing = pl.Series([None], dtype=_AT).new_from_index(0, frame.height)
            known = nothing if at is None else at.set(~held[rule.field], None)
            columns.append(known.alias(CHANGED_AT[side] + rule.field))
    return frame.with_columns(columns)


def _pieces(work: Work, crm: str, rule: MergeRule) -> tuple[_Piece, ...]:
    """The fields of the CRM in which a field of the lead is kept."""
    mapped = work.field_map.rules[rule.field]
    source, currency = mapped.source(crm, work.objects[crm]), (mapped.currency or {}).get(crm)
    if source is None:
        return ()
    if rule.travels_with is None or currency is None:
        return (_Piece(rule.names, source),)
    return _Piece((rule.field,), source), _Piece((rule.travels_with,), currency)


def _told(
    work: Work, crm: str, now: pl.DataFrame, asked: Sequence[str], intents: pl.DataFrame
) -> pl.DataFrame | None:
    """The records as their histories tell of them, typed, with when each of ``asked`` was changed under ``RAW``.

    Fields that a history does not tell of are as they are ``now``, and have no time. None: there is no history.
    """
    connector, name = work.crms[crm], work.objects[crm]
    if not asked or now.is_empty() or not isinstance(connector, KeepsHistory):
        return None
    pages = [
        pl.DataFrame(schema=dict(HISTORY_SCHEMA)),
        *connector.history(name, asked, now[RECORD_ID].to_list()),
    ]
    newest = _without_ours(pl.concat(pages), intents.filter(pl.col("crm") == crm)).unique(
        [RECORD_ID, "property"], keep="first", maintain_order=True
    )
    words = [
        pl.col(column).alias(column.removeprefix(RAW)) for column in now.columns if column.startswith(RAW)
    ]
    none_absent = pl.lit(None, dtype=pl.List(pl.String())).alias("_absent")
    then = now.select(*_KEPT, pl.lit(value=False).alias("_archived"), none_absent, *words)
    times = []
    for source in asked:
        rows = newest.filter(pl.col("property") == source)
        beside = then.select(RECORD_ID).join(rows, on=RECORD_ID, how="left", maintain_order="left")
        # Salesforce writes down of long texts that they changed, and not to what: no value, no time.
        times.append(
            beside["at"].set((beside["source"] == CHANGED).fill_null(value=False), None).alias(RAW + source)
        )
        if source in then.columns:
            kept = pl.when(beside["at"].is_not_null()).then(beside["value"]).otherwise(source)
            then = then.with_columns(kept.alias(source))
    read = read_records(work, crm, then)
    return read.select(pl.exclude("^" + RAW + ".*$")).with_columns(times).unique(RECORD_ID, keep="last")


def _without_ours(rows: pl.DataFrame, intents: pl.DataFrame) -> pl.DataFrame:
    """A history without the values that dead runs wrote."""
    ours = intents.filter(pl.col("record_id").is_not_null()).select(
        pl.col("record_id").alias(RECORD_ID), pl.col("crm_field").alias("property"), "after"
    )
    if ours.is_empty():
        return rows
    numbered = rows.with_row_index("_row")
    written = numbered.join(ours, on=[RECORD_ID, "property"], how="inner")
    found = written.filter(same_value(pl.col("value"), pl.col("after")))["_row"]
    return numbered.filter(~pl.col("_row").is_in(found.implode())).drop("_row")


def _time(frame: pl.DataFrame, side: str, pieces: Sequence[_Piece], told: pl.DataFrame) -> pl.Series | None:
    """When a CRM changed a field last; one value a lead of ``frame``, null where its history does not tell."""
    beside = frame.select(pl.col(side + "_id").alias(RECORD_ID)).join(
        told, on=RECORD_ID, how="left", maintain_order="left"
    )
    found = []
    for piece in pieces:
        at, changed = (
            beside[RAW + piece.source],
            pl.repeat(False, frame.height, dtype=pl.Boolean(), eager=True),
        )
        for name in piece.names:
            at = at.set(~beside[name].eq_missing(frame[side + name]), None)
            changed = changed | frame[side + name].ne_missing(frame[BASE[side] + name])
        found.append((at, changed))
    return latest_change(found) if found else None


def with_own_times(conflicts: pl.DataFrame, leads: pl.DataFrame) -> pl.DataFrame:
    """Conflicts (``merge.CONFLICT_SCHEMA``) with the field's own times where they were asked for, else the records'."""
    names = {"hubspot_at": CHANGED_AT[HUBSPOT], "salesforce_at": CHANGED_AT[SALESFORCE]}
    for field in conflicts["field"].unique():
        own = {column: prefix + field for column, prefix in names.items()}
        if set(own.values()) <= set(leads.columns):
            told = leads.select(
                "lead_id", field=pl.lit(field), **{f"_{name}": pl.col(at) for name, at in own.items()}
            )
            conflicts = conflicts.join(told, on=["lead_id", "field"], how="left", maintain_order="left")
            times = [pl.coalesce(f"_{name}", name).alias(name) for name in own]
            conflicts = conflicts.with_columns(times).drop([f"_{name}" for name in own])
    return conflicts


def why_by_time(leads: pl.DataFrame, lead_id: str, field: str) -> dict[str, str]:
    """What is kept beside a conflict that times could not settle: ``why``; nothing where no time was asked for."""
    names = [CHANGED_AT[side] + field for side in (HUBSPOT, SALESFORCE)]
    if not set(names) <= set(leads.columns):
        return {}
    [times] = leads.filter(pl.col("lead_id") == lead_id).select(names).rows()
    return {"why": why_held(*times)}
