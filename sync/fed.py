"""Lead fields that no field of a record feeds: read beside the records, where the policy asks for them.

``feed`` reads what opportunities, single events and colleagues say of a slice's leads; ``with_fed`` gives it to the
merged lead, and what was not read stays as it is stored; ``heard_beside`` names the leads to look at, because what
stands beside them has changed; ``note_fed`` remembers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from mapping.qualification.deals import DEAL_FIELDS
from mapping.qualification.frequency import WEEKLY_FIELDS
from sync.deals import (
    CRM,
    LOSS_REASON,
    DealsRead,
    can_see_deals,
    hear_of_deals,
    loss_reason_of,
    note_deals,
    read_deals,
)
from sync.signals import (
    COMPANY_FIELDS,
    MOST_HISTORIES,
    CompaniesRead,
    SignalsRead,
    begin_with_all,
    note_companies,
    note_weekly,
    read_companies,
    read_weekly,
)
from sync.store.beside import Why
from sync.turned import Turned
from sync.winners import KEPT, MERGED
from sync.work import Work

#: Leads that are looked at again in one run at most because of their opportunities, …
MOST_BY_DEALS = 100_000
#: … and because of what their company's people did.
MOST_BY_COMPANY = 25_000
#: The places where it is kept which fields have been asked for.
_WEEKLY, _COMPANY = "contacts:signals", "companies:signals"
#: Each group is read as a whole, if one of its fields is asked for.
FED_FIELDS = (DEAL_FIELDS, WEEKLY_FIELDS, COMPANY_FIELDS)


@dataclass(frozen=True, slots=True)
class Fed:
    """What was read beside a slice's records. None: nothing was. ``tried``: for what its leads were looked at."""

    deals: DealsRead | None = None
    weekly: SignalsRead | None = None
    companies: CompaniesRead | None = None
    tried: tuple[Why, ...] = ()

    def values(self) -> list[pl.DataFrame]:
        """Frames of ``lead_id`` and lead fields, each of the leads that were asked about."""
        return [part.values for part in (self.deals, self.weekly, self.companies) if part is not None]


def asked_of(work: Work, fields: Mapping[str, pl.DataType]) -> frozenset[str]:
    """All of these lead fields that nothing of the map feeds, if a condition of the config reads one of them."""
    scope = work.scope
    scoped = (
        *(scope.leads, scope.create_in_hubspot, scope.create_in_salesforce),
        *(scope.to_hubspot, scope.to_salesforce, work.unscored),
    )
    conditions = (*work.policy.conditions(), *(one for one in scoped if one is not None))
    read = {name for condition in conditions for name in condition.fields}
    read |= {rule.since for rule in work.policy.rules if rule.since is not None}
    # Nobody has to write a rule about it for a loss to be seen.
    read |= {LOSS_REASON} if loss_reason_of(work) else set()
    free = frozenset(fields) - work.field_map.rules.keys()
    return free if free & read else frozenset()


def feed(
    work: Work,
    frame: pl.DataFrame,
    records: Mapping[str, pl.DataFrame | None],
    turned: Turned | None,
) -> Fed:
    """Read what stands beside the records of a slice, as far as the policy asks.

    ``frame``: ``sync.decide.lead_frame``. ``records``: typed, by CRM. ``turned``: the converted leads among them.
    """
    weekly = asked_of(work, WEEKLY_FIELDS)
    asked: dict[Why, bool] = {
        "opportunity": bool(asked_of(work, DEAL_FIELDS)) and can_see_deals(work),
        "signals": bool(weekly),
        "company": bool(asked_of(work, COMPANY_FIELDS)),
    }
    drawn = work.handover is not None and work.handover.exploring.share > 0
    tried: list[Why] = [why for why, is_asked in asked.items() if is_asked]
    return Fed(
        read_deals(work, records[CRM], turned) if asked["opportunity"] else None,
        read_weekly(work, frame, weekly) if asked["signals"] else None,
        read_companies(work, frame) if asked["company"] else None,
        (*tried, "exploration") if drawn else tuple(tried),
    )


def with_fed(work: Work, merged: pl.DataFrame, fed: Fed | None) -> pl.DataFrame:
    """The merged leads with what was read beside them; what was not read keeps the value that is stored."""
    names = [name for fields in FED_FIELDS for name in asked_of(work, fields)]
    if not names:
        return merged
    merged = merged.with_columns(pl.col(KEPT + name).alias(MERGED + name) for name in names)
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
    beside, found = work.store.beside, list[tuple[str, str]]()
    if asked_of(work, DEAL_FIELDS) and can_see_deals(work):
        hear_of_deals(work)
        found += beside.to_look_at("opportunity", MOST_BY_DEALS)
    if weekly := asked_of(work, WEEKLY_FIELDS):
        begin_with_all(work, _WEEKLY, weekly, work.clock())
        found += beside.to_look_at("signals", MOST_HISTORIES)
    if company := asked_of(work, COMPANY_FIELDS):
        begin_with_all(work, _COMPANY, company, work.clock())
        found += beside.to_look_at("company", MOST_BY_COMPANY)
    if work.handover is not None and work.handover.exploring.share:
        found += beside.to_look_at("exploration", work.handover.exploring.a_week)
    return list(dict.fromkeys(found))


def note_fed(work: Work, fed: Fed | None, lead_ids: pl.Series, now: datetime) -> None:
    """Remember what was read beside these leads. Inside the remembering transaction.

    Whoever was looked at waits no longer, whether there was anything to read or not.
    """
    if fed is None:
        return
    note_deals(work, fed.deals, lead_ids)
    note_companies(work, fed.companies, lead_ids, now)
    for why in fed.tried:
        work.store.beside.looked_at(lead_ids, why, now)
    note_weekly(work, fed.weekly, lead_ids, now)
