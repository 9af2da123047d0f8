"""The handover ledger, told: a list for whoever works it, its numbers, and the disputed leads for a review.

Everything here reads the memory alone, and names people only where it is asked for a list of leads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Literal

import polars as pl

from mapping.qualification.declared import Policy
from mapping.qualification.explain import Explanation
from mapping.qualification.handover import LEDGER, OPEN, WITH_SALES
from mapping.qualification.handover_flags import flags
from mapping.qualification.handover_numbers import timing as numbers_of
from mapping.qualification.handover_numbers import with_times
from mapping.qualification.wording import Language, why
from sync.errors import WrongUse
from sync.handover import NOT_TAKEN_UP
from sync.handover_rules import Agreement
from sync.reevaluate import reevaluate
from sync.work import Work

Which = Literal["all", "open", "overdue", "flagged"]
#: What a row of the list holds beside the lead, its address, the suspicions and the working time.
COLUMNS = (
    *("cycle", "state", "owner", "mql_at", "handed_over_at", "due_at", "owner_due_at", "first_touch_at"),
    *("touched_by", "answered_at", "reason", "closed_at", "reassigned", "score", "engagement", "temperature"),
    "hot_since",
)
PolicyOf = Callable[[Mapping[str, Any]], Policy]


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
            **{name: _plain(row[name]) for name in COLUMNS},
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
        _disputed(work, row, suspected[row["lead_id"], row["cycle"]], names.get(row["lead_id"]), policy_of)
        for row in rows.iter_rows(named=True)
        if (row["lead_id"], row["cycle"]) in suspected
    ]


def handover_told(work: Work, lead_id: str, at: datetime | None) -> dict[str, Any]:
    """The ledger of one lead for ``explain``: cycles, the newest first, and events, none later than ``at``."""
    cycles = [
        {name: _plain(value) for name, value in row.items() if name != "lead_id"}
        for row in work.store.handovers.of_lead(lead_id)
        if at is None or row["mql_at"] <= at
    ]
    events = [
        {name: _plain(value) for name, value in row.items()}
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
    told = flags(rows.select(*LEDGER), agreed.suspicions, language)
    for lead, cycle, flag, because, evidence in told.iter_rows():
        found.setdefault((lead, cycle), []).append({"flag": flag, "because": because, "evidence": evidence})
    return found


def _disputed(
    work: Work,
    row: Mapping[str, Any],
    suspected: list[dict[str, str]],
    email: str | None,
    policy_of: PolicyOf | None,
) -> dict[str, Any]:
    before, then, policy = _explained(work, row, policy_of)
    points = [] if then is None else [dict(point) for point in then.points if point["points"]]
    marketing = ("mql_at", "score", "fit", "engagement", "temperature", "hot_since", "last_sign_at")
    sales = (
        "owner",
        "handed_over_at",
        "due_at",
        "first_touch_at",
        "touched_by",
        "state",
        "reason",
        "answered_at",
    )
    return {
        "lead": row["lead_id"],
        "email": email,
        "cycle": row["cycle"],
        "flags": suspected,
        "marketing": {**{name: _plain(row[name]) for name in marketing}, "points": points},
        "sales": {
            **{name: _plain(row[name]) for name in sales},
            "work_seconds": row["work_seconds"],
            "in_time": row["in_time"],
        },
        "rule": _rule(suspected[0]["flag"], before, points, policy),
        "policy": row["policy_version"],
    }


def _explained(
    work: Work, row: Mapping[str, Any], policy_of: PolicyOf | None
) -> tuple[Explanation | None, Explanation | None, Policy]:
    """The verdict before the handover, the one that made it, and the policy of the latter."""
    handed = row["handed_over_at"] or row["mql_at"]
    # A handover is kept to the second, a verdict to the microsecond.
    stored = work.store.leads.verdicts(row["lead_id"], handed + timedelta(seconds=1), 2)
    links = work.store.leads.links_of_leads(pl.Series("lead_id", [row["lead_id"]]))
    policies = [_policy(work, one["policy_version"], policy_of) for one in stored]
    told = [reevaluate(work, policy, one, links) for policy, one in zip(policies, stored, strict=True)]
    then = told[0] if told else None
    return (told[1] if len(told) > 1 else None), then, policies[0] if policies else work.policy


def _policy(work: Work, version: str, policy_of: PolicyOf | None) -> Policy:
    declared = (
        None if policy_of is None or version == work.policy.version else work.store.runs.policy(version)
    )
    return work.policy if declared is None or policy_of is None else policy_of(declared)


def _rule(
    flag: str, before: Explanation | None, points: list[dict[str, Any]], policy: Policy
) -> dict[str, Any]:
    """What to talk about: the rule that carried a lead over too early, or the gate that kept it too long."""
    hot = policy.bands[-1]
    if flag == "too_early" and points:
        engagement = {rule.name for rule in policy.rules if rule.group == "engagement"}
        warm = [point for point in points if point["rule"] in engagement] or points
        most = max(warm, key=lambda point: int(point["points"]))
        without = sum(int(point["points"]) for point in points) - int(most["points"])
        return {
            **{"kind": "rule", "name": most["rule"], "points": most["points"]},
            **{"score_without": without, "hot_from": hot.total},
        }
    if flag == "too_late" and before is not None:
        for gate in before.gates:
            if gate.stage == "mql" and gate.answer != "passed":
                return {"kind": "gate", "name": gate.name, "points": None, "answer": gate.answer}
    return {"kind": "temperature", "name": hot.name, "points": hot.total}


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
