"""When the fields were changed that both CRMs have changed: asked of their histories, for the rule ``newest`` alone.

HubSpot keeps a history of every property (HubSpot reference, section 4.2), Salesforce of the fields that an admin
tracks (Salesforce reference, section 6). Only leads on which the CRMs disagree are asked about.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol, runtime_checkable

import polars as pl

from connectors.crm import HISTORY_SCHEMA, RECORD_ID
from sync.bytime import CHANGED_AT, NEWEST, why_held
from sync.merge import merge
from sync.plan import SIDES
from sync.winners import HUBSPOT, SALESFORCE, WINNER, MergeRule, Winner
from sync.work import Work

_AT = pl.Datetime("us", "UTC")


@runtime_checkable
class KeepsHistory(Protocol):
    """A CRM that tells when fields of the named records had which values, the newest first."""

    def history(
        self, object_name: str, fields: Sequence[str], ids: Sequence[str] | None = None
    ) -> Iterator[pl.DataFrame]: ...


def with_times(work: Work, frame: pl.DataFrame) -> pl.DataFrame:
    """The leads with ``CHANGED_AT`` columns for each field whose rule is ``newest``; null where nothing is known.

    Raises the connectors' errors.
    """
    rules = [rule for rule in work.rules if rule.contested and rule.if_both_changed == NEWEST]
    if not rules:
        return frame
    merged = merge(frame, rules)
    held = {rule.field: merged[WINNER + rule.field] == int(Winner.HELD) for rule in rules}
    contested = [rule for rule in rules if held[rule.field].any()]
    columns = []
    for crm, side in SIDES.items():
        told = _told(work, crm, side, frame, contested, held)
        for rule in rules:
            nothing = pl.Series([None], dtype=_AT).new_from_index(0, frame.height)
            columns.append(told.get(rule.field, nothing).alias(CHANGED_AT[side] + rule.field))
    return frame.with_columns(columns)


def _told(
    work: Work,
    crm: str,
    side: str,
    frame: pl.DataFrame,
    rules: Sequence[MergeRule],
    held: dict[str, pl.Series],
) -> dict[str, pl.Series]:
    """By field, when the CRM says that it was changed last; one value a lead of ``frame``."""
    connector, name = work.crms[crm], work.objects[crm]
    sources = {rule.field: work.field_map.rules[rule.field].source(crm, name) for rule in rules}
    asked = sorted({source for source in sources.values() if source is not None})
    ids = sorted({record for rule in rules for record in frame[side + "_id"].filter(held[rule.field])})
    if not asked or not ids or not isinstance(connector, KeepsHistory):
        return {}
    pages = [pl.DataFrame(schema=dict(HISTORY_SCHEMA)), *connector.history(name, asked, ids)]
    newest = pl.concat(pages).unique([RECORD_ID, "property"], keep="first", maintain_order=True)
    found = {}
    for field, source in sources.items():
        times = newest.filter(pl.col("property") == source).select(RECORD_ID, "at")
        records = frame.select(pl.col(side + "_id").alias(RECORD_ID))
        at = records.join(times, on=RECORD_ID, how="left", maintain_order="left")["at"]
        found[field] = at.set(~held[field], None)
    return found


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
