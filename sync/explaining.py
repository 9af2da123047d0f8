"""Explain one lead: its verdict from the stored inputs, its records, what was decided and written about it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import polars as pl

from mapping.identity import derive
from mapping.qualification.declared import Policy
from mapping.qualification.explain import Explanation, explain
from sync.errors import WrongUse
from sync.fates import records_told
from sync.reach import told_reach
from sync.work import CRMS, Work

#: Past changes, verdicts and conflicts that are told.
TOLD = 50


def find_lead(work: Work, key: str) -> str:
    """The lead that a KEY names. Raises WrongUse when none does, or more than one."""
    found = work.store.leads.named(key)
    if not found:
        raise WrongUse(
            f"no lead is known as {key}",
            fix="a KEY is an e-mail address, a lead id, hubspot:ID or salesforce:ID; a lead is known after a sync",
        )
    if len(found) > 1:
        raise WrongUse(
            f"{len(found)} leads share {key}: {', '.join(found)}", fix="name one of them by its lead id"
        )
    return found[0]


def explain_lead(
    work: Work, lead_id: str, at: datetime | None, policy_of: Callable[[Mapping[str, Any]], Policy]
) -> dict[str, Any]:
    """The contract's document of ``explain``, with gates, conflicts and the smallest change beside it.

    The verdict in force at ``at`` (now for None) is evaluated again from its stored inputs with the stored
    policy version; ``policy_of`` makes a policy of its stored tables. Raises WrongUse when the lead had no
    verdict by then.
    """
    verdicts = work.store.leads.verdicts(lead_id, at, TOLD)
    if not verdicts:
        raise WrongUse(
            f"lead {lead_id} had no verdict at that time",
            fix="leave --at out, or name a later time (ISO 8601 with a zone)",
        )
    newest = verdicts[0]
    declared = work.store.runs.policy(newest["policy_version"])
    policy = work.policy if declared is None else policy_of(declared)
    inputs = json.loads(newest["inputs"])
    links = work.store.leads.links_of_leads(pl.Series("lead_id", [lead_id]))
    told = _told(work, policy, inputs, links, newest)
    return {
        "lead": lead_id,
        "email": inputs["lead"].get("email"),
        "stage": newest["stage"],
        "temperature": newest["temperature"],
        "score": {
            "total": newest["score"],
            "fit": newest["fit"],
            "engagement": newest["engagement"],
        },
        "points": [dict(point) for point in told.points if point["points"]],
        "missing": [
            {"kind": one.kind, "name": one.name, "fields": list(one.fields), "points": one.points}
            for one in told.missing
        ],
        "records": records_told(work, lead_id, links),
        "known_before_as": [old for old, _, _ in work.store.identity.aliases(lead_id)],
        "decisions": [_plain(row) for row in work.store.identity.decisions(lead_id)],
        "history": _history(work, lead_id, at),
        "coverage": newest["coverage"],
        "why": told.why,
        "highest_stage": newest["highest_stage"],
        "cycle": newest["cycle"],
        "nurture_track": newest["nurture_track"],
        "gates": [
            {"stage": gate.stage, "name": gate.name, "decided_by": gate.decided_by, "answer": gate.answer}
            for gate in told.gates
        ],
        "smallest_change": _smallest(told),
        "decided_at": newest["decided_at"].isoformat(),
        "policy": newest["policy_version"],
        "scope": told_reach(work, inputs["lead"], newest, links),
        "conflicts": _conflicts(work, lead_id, at),
        "held": [row for row in map(_plain, work.store.journal.open_held()) if row["lead_id"] == lead_id],
        "refused": [row for row in map(_plain, work.store.journal.refused()) if row["lead_id"] == lead_id],
    }


def _told(
    work: Work, policy: Policy, inputs: Mapping[str, Any], links: pl.DataFrame, newest: Mapping[str, Any]
) -> Explanation:
    text = json.dumps(inputs["lead"], ensure_ascii=False)
    lead = work.lead_snapshots().decode(pl.Series([text]))
    previous = {name: inputs.get(name) for name in inputs if name.startswith("prev_")}
    integers = ("prev_cycle", "prev_score")
    row = lead.with_columns(
        pl.lit("it").alias("lead_id"),
        *(
            pl.lit(value, dtype=pl.Int32() if name in integers else pl.String()).alias(name)
            for name, value in previous.items()
        ),
    )
    has = {crm: pl.lit(crm in links["crm"].to_list()) for crm in CRMS}
    full = derive(row, in_hubspot=has["hubspot"], in_salesforce=has["salesforce"])
    unscored = newest["temperature"] is None
    return explain(full, policy, newest["decided_at"], work.language, unscored=unscored)


def _smallest(told: Explanation) -> dict[str, Any] | None:
    change = told.smallest_change
    if change is None:
        return None
    return {
        "what": change.what,
        "score": change.score,
        "temperature": change.temperature,
        "stage": change.stage,
        "why": change.stage_why,
    }


def _history(work: Work, lead_id: str, at: datetime | None) -> list[dict[str, Any]]:
    """Verdicts and writes, newest first."""
    verdicts = [
        {
            "at": row["decided_at"],
            "what": "verdict",
            "stage": row["stage"],
            "temperature": row["temperature"],
            "score": row["score"],
            "run": row["run_id"],
        }
        for row in work.store.leads.verdicts(lead_id, at, TOLD)
    ]
    writes = [
        {
            "at": row["noted_at"],
            "what": row["state"],
            "crm": row["crm"],
            "record": row["record_id"],
            "field": row["field"],
            "before": row["before"],
            "after": row["after"],
            "why": row["why"],
            "run": row["run_id"],
        }
        for row in work.store.journal.changes_of_lead(lead_id, TOLD)
        if at is None or row["noted_at"] <= at
    ]
    ordered = sorted([*verdicts, *writes], key=lambda entry: entry["at"], reverse=True)
    return [_plain(entry) for entry in ordered]


def _conflicts(work: Work, lead_id: str, at: datetime | None) -> list[dict[str, Any]]:
    rows = work.store.journal.conflicts_of_lead(lead_id, TOLD)
    return [_plain(row) for row in rows if at is None or row["decided_at"] <= at]


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in row.items()}
