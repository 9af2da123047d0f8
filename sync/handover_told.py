"""The handover ledger, told: a list for whoever works it, its numbers, and the disputed leads for a review.

Everything here reads the memory alone, and names people only where it is asked for a list of leads.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

import polars as pl

from mapping.qualification.handover import LEDGER, OPEN, WITH_SALES
from mapping.qualification.handover_flags import flags
from mapping.qualification.handover_numbers import timing as numbers_of
from mapping.qualification.handover_numbers import with_times
from mapping.qualification.wording import Language, why
from sync.errors import WrongUse
from sync.handover import NOT_TAKEN_UP
from sync.handover_dispute import PolicyOf, disputed, plain
from sync.handover_rules import Agreement
from sync.work import Work

Which = Literal["all", "open", "overdue", "flagged"]
#: What a row of the list holds beside the lead, its address, the suspicions and the working time.
COLUMNS = (
    *("cycle", "state", "owner", "mql_at", "handed_over_at", "due_at", "owner_due_at", "first_touch_at"),
    *("touched_by", "answered_at", "reason", "closed_at", "reassigned", "score", "engagement", "temperature"),
    *("hot_since", "lost_on", "lost_reason", "handed_by", "drawn_share"),
)


def timing(work: Work, since: datetime | None, until: datetime | None) -> dict[str, Any]:
    """The numbers of what was handed over from ``since`` until before ``until`` (None: without that limit).

    Raises WrongUse where nothing was agreed on.
    """
    agreed = _agreed(work)
    rows = work.store.handovers.between(since, until)
    return numbers_of(rows, agreed.clocks, agreed.suspicions, work.clock())


def listed(work: Work, which: Which, since: datetime | None = None) -> list[dict[str, Any]]:
    """The ledger row by row, what is due first; a lead's earlier cycles only where they are flagged, or all asked."""
    agreed, now = _agreed(work), work.clock()
    rows = with_times(work.store.handovers.between(since, None), agreed.clocks, now)
    suspected = _flags_by_row(rows, agreed, work.language)
    keys = pl.DataFrame(list(suspected), schema={"lead_id": pl.String(), "cycle": pl.Int32()}, orient="row")
    untouched = pl.col("state").is_in(WITH_SALES) & pl.col("first_touch_at").is_null()
    kept = {
        "all": rows,
        "open": rows.filter(pl.col("state").is_in(OPEN)),
        "overdue": rows.filter(untouched & (pl.col("due_at") < now)),
        "flagged": rows.join(keys, on=["lead_id", "cycle"], how="semi", maintain_order="left"),
    }[which]
    names = work.store.handovers.names(kept["lead_id"])
    return [
        {
            "lead": row["lead_id"],
            "email": names.get(row["lead_id"]),
            **{name: plain(row[name]) for name in COLUMNS},
            "work_seconds": row["work_seconds"],
            "in_time": row["in_time"],
            "flags": suspected.get((row["lead_id"], row["cycle"]), []),
        }
        for row in kept.sort("due_at", "lead_id", "cycle", nulls_last=True).iter_rows(named=True)
    ]


def review_rows(
    work: Work,
    since: datetime | None,
    until: datetime | None,
    policy_of: PolicyOf | None = None,
    language: Language | None = None,
) -> list[dict[str, Any]]:
    """Each disputed lead of a time: what marketing saw, what sales did, and the rule to talk about.

    ``policy_of`` makes a policy of its stored tables, for handovers that another policy decided; without it the
    rules are named as they are now. ``language`` of the evidence: None for that of the config. Raises WrongUse
    where nothing was agreed on.
    """
    agreed = _agreed(work)
    rows = with_times(work.store.handovers.between(since, until), agreed.clocks, work.clock())
    suspected = _flags_by_row(rows, agreed, language or work.language)
    names = work.store.handovers.names(rows["lead_id"])
    return [
        disputed(work, row, suspected[row["lead_id"], row["cycle"]], names.get(row["lead_id"]), policy_of)
        for row in rows.iter_rows(named=True)
        if (row["lead_id"], row["cycle"]) in suspected
    ]


def handover_told(work: Work, lead_id: str, at: datetime | None) -> dict[str, Any]:
    """The ledger of one lead for ``explain``: cycles, the newest first, and events, none later than ``at``."""
    cycles = [
        {name: plain(value) for name, value in row.items() if name != "lead_id"}
        for row in work.store.handovers.of_lead(lead_id)
        if at is None or row["mql_at"] <= at
    ]
    events = [
        {name: plain(value) for name, value in row.items()}
        for row in work.store.handovers.events_of_lead(lead_id)
        if at is None or row["noted_at"] <= at
    ]
    return {"cycles": cycles, "events": events}


def why_told(work: Work, lead: Mapping[str, Any], said: str) -> str:
    """Why a lead stands where it stands; one that sales let lie was judged as if they had said no."""
    return why(NOT_TAKEN_UP, work.language) if lead.get("rejection_reason") == NOT_TAKEN_UP else said


def _agreed(work: Work) -> Agreement:
    if work.handover is None:
        raise WrongUse("no handover ledger is kept here", fix="open the config with its section [handover]")
    return work.handover


def _flags_by_row(
    rows: pl.DataFrame, agreed: Agreement, language: Language
) -> dict[tuple[str, int], list[dict[str, str]]]:
    found: dict[tuple[str, int], list[dict[str, str]]] = {}
    told = flags(rows.select(*LEDGER), agreed.suspicions, language, agreed.clocks.of(None).zone)
    for lead, cycle, flag, because, evidence in told.iter_rows():
        found.setdefault((lead, cycle), []).append({"flag": flag, "because": because, "evidence": evidence})
    return found
