"""Lead fields that no field of a record feeds: read beside the records, where the policy asks for them.

feed(work, frame, records, turned)    what opportunities say of a slice's leads
with_fed(work, merged, fed)           … as values of the merged lead; what was not read stays as it is stored
heard_beside(work)                    which leads to look at, because what stands beside them has changed
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from mapping.qualification.deals import DEAL_FIELDS
from sync.deals import CRM, DealsRead, hear_of_deals, note_deals, read_deals
from sync.turned import Turned
from sync.winners import MERGED
from sync.work import Work

#: Stored values of a lead (``sync.decide.STORED``).
_STORED = "p."
#: Leads that are looked at again in one run at most because of their opportunities.
MOST_BY_DEALS = 100_000


@dataclass(frozen=True, slots=True)
class Fed:
    """What was read beside a slice's records. None: nothing was."""

    deals: DealsRead | None = None

    def values(self) -> list[pl.DataFrame]:
        """Frames of ``lead_id`` and lead fields, each of the leads that were asked about."""
        return [] if self.deals is None else [self.deals.values]


def asked_of(work: Work, fields: Mapping[str, pl.DataType]) -> frozenset[str]:
    """All of these lead fields that nothing of the map feeds, if a condition of the config reads one of them."""
    scope = work.scope
    scoped = (
        scope.leads,
        scope.create_in_hubspot,
        scope.create_in_salesforce,
        scope.to_hubspot,
        scope.to_salesforce,
    )
    conditions = (*work.policy.conditions(), *(one for one in (*scoped, work.unscored) if one is not None))
    read = {name for condition in conditions for name in condition.fields}
    read |= {rule.since for rule in work.policy.rules if rule.since is not None}
    free = frozenset(fields) - work.field_map.rules.keys()
    return free if free & read else frozenset()


def feed(work: Work, records: Mapping[str, pl.DataFrame | None], turned: Turned | None) -> Fed:
    """Read what stands beside the records of a slice, as far as the policy asks. ``records``: typed, by CRM."""
    deals = read_deals(work, records[CRM], turned) if asked_of(work, DEAL_FIELDS) else None
    return Fed(deals)


def with_fed(work: Work, merged: pl.DataFrame, fed: Fed | None) -> pl.DataFrame:
    """The merged leads with what was read beside them; what was not read keeps the value that is stored."""
    names = asked_of(work, DEAL_FIELDS)
    if not names:
        return merged
    merged = merged.with_columns(pl.col(_STORED + name).alias(MERGED + name) for name in names)
    for values in fed.values() if fed is not None else ():
        told = [name for name in values.columns if name in names]
        rows = values.select("lead_id", *(pl.col(name).alias("_fed." + name) for name in told), _fed=True)
        wide = merged.join(rows, on="lead_id", how="left", maintain_order="left")
        there = pl.col("_fed").is_not_null()
        merged = wide.with_columns(
            pl.when(there).then("_fed." + name).otherwise(MERGED + name).alias(MERGED + name) for name in told
        ).select(merged.columns)
    return merged


def heard_beside(work: Work) -> list[tuple[str, str]]:
    """(CRM, record id) of leads to look at, because what stands beside their records has changed."""
    if not asked_of(work, DEAL_FIELDS):
        return []
    hear_of_deals(work)
    return work.store.beside.to_look_at("opportunity", MOST_BY_DEALS)


def note_fed(work: Work, fed: Fed | None, lead_ids: pl.Series, now: datetime) -> None:
    """Remember what was read beside these leads. Inside the remembering transaction."""
    if fed is not None:
        note_deals(work, fed.deals, lead_ids, now)
