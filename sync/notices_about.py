"""What a notice about a handover tells: its owner, what the lead's verdict was, and where the lead is found."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from typing import Protocol, runtime_checkable
from zoneinfo import ZoneInfo

import polars as pl

from sync.notice_words import About
from sync.routing_rules import RoutingRules
from sync.store.notices import Notice
from sync.work import Work

_REASONS = "shown_reasons"


@runtime_checkable
class HasPages(Protocol):
    """A CRM whose records have pages for people."""

    def page_of(self, record_id: str) -> str: ...


def records_of(work: Work, lead_ids: list[str]) -> dict[str, str]:
    """Lead to its record in Salesforce."""
    links = work.store.leads.links_of_leads(pl.Series("lead_id", lead_ids, dtype=pl.String))
    mine = links.filter((pl.col("crm") == "salesforce") & (pl.col("object") == work.objects["salesforce"]))
    return dict(mine.select("lead_id", "record_id").iter_rows())


def abouts_of(
    work: Work, rules: RoutingRules, notices: list[Notice], records: Mapping[str, str]
) -> dict[tuple[str, str], About]:
    """(lead, kind) to what a notice tells."""
    reasons = _reasons(work, list(records.values()))
    found = {}
    for notice in notices:
        record = records.get(notice.lead_id, "")
        found[notice.lead_id, notice.kind] = About(
            notice.kind,
            notice.due_at,
            _zone(work, notice.recipient, rules),
            notice.owner,
            None if notice.temperature is None else work.policy.label(notice.temperature),
            notice.score,
            reasons.get(record),
            page_of(work, record) if record else "",
            notice.explored,
        )
    return found


def page_of(work: Work, record: str) -> str:
    """The address of a lead's page; empty where the CRM has none. Raises what the first call of a session raises."""
    crm = work.crms["salesforce"]
    return crm.page_of(record) if isinstance(crm, HasPages) else ""


def _zone(work: Work, owner: str, rules: RoutingRules) -> str:
    clock = None if work.handover is None else work.handover.clocks.of(owner)
    zone = rules.zone if clock is None else clock.zone
    return zone.key if isinstance(zone, ZoneInfo) else str(UTC)


def _reasons(work: Work, records: list[str]) -> dict[str, str]:
    """Salesforce record to the reasons that it shows."""
    named = pl.DataFrame({"record_id": records}, schema={"record_id": pl.String()}).select(
        crm=pl.lit("salesforce"), object=pl.lit(work.objects["salesforce"]), record_id="record_id"
    )
    bases = work.store.leads.bases(named)
    shown = work.record_snapshots("salesforce").decode(bases["record_values"])
    if _REASONS not in shown.columns:
        return {}
    both = pl.DataFrame([bases["record_id"], shown[_REASONS]]).drop_nulls()
    return dict(both.iter_rows())
