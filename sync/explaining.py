"""Explain one lead: its verdict from the stored inputs, its records, what was decided and written about it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any

import polars as pl

from mapping.consent import told as consent_told
from mapping.qualification.declared import Policy
from mapping.qualification.explain import Explanation
from mapping.qualification.signals import SOCIAL
from mapping.qualification.smallest import Change
from sync.errors import WrongUse
from sync.fates import records_told
from sync.handover_told import handover_told, why_told
from sync.reach import told_reach
from sync.reevaluate import reevaluate, reproduced
from sync.work import CRMS, Work

#: Past changes, verdicts and conflicts that are told.
TOLD = 50


def find_lead(work: Work, key: str) -> str:
    """The lead that a KEY names. Raises WrongUse when none does, or more than one."""
    found = work.store.leads.named(key)
    if not found:
        raise WrongUse(
            "no lead is known by this KEY",
            fix="a KEY is an e-mail address, a lead id, hubspot:ID or salesforce:ID; a lead is known after a sync",
        )
    if len(found) > 1:
        raise WrongUse(
            f"{len(found)} leads share this KEY: {', '.join(found)}", fix="name one of them by its lead id"
        )
    return found[0]


def explain_lead(
    work: Work, lead_id: str, at: datetime | None, policy_of: Callable[[Mapping[str, Any]], Policy]
) -> dict[str, Any]:
    """The contract's document of ``explain``, with gates, conflicts and the smallest change beside it.

    The verdict in force at ``at`` (now for None) is evaluated again from its stored inputs with the stored
    policy version; ``policy_of`` makes a policy of its stored tables, and ``reproduced`` says whether the same came
    out as was stored. With ``at``, everything told is as of then; of what waited or was refused then, only what
    still does is known. Raises WrongUse when the lead had no verdict by then.
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
    links = _links(work, lead_id, at)
    told = reevaluate(work, policy, newest, links, qualifying=True)
    return {
        "lead": lead_id,
        "email": inputs["lead"].get("email"),
        **_stood(newest),
        **_taken_apart(told),
        "social": _social(work, policy, told),
        "deals": _deals(inputs["lead"]),
        "why": why_told(work, inputs["lead"], told.why),
        "records": records_told(work, lead_id, links),
        "handover": handover_told(work, lead_id, at),
        "history": _history(work, lead_id, at),
        "scope": told_reach(work, inputs["lead"], newest, links),
        "consent": consent_told(inputs["lead"]),
        "conflicts": _conflicts(work, lead_id, at),
        **_of_people(work, lead_id, at),
        "reproduced": reproduced(newest, told),
    }


def _stood(newest: Mapping[str, Any]) -> dict[str, Any]:
    """The verdict, as it is stored."""
    plain = ("stage", "temperature", "coverage", "grade", "highest_stage", "cycle", "nurture_track")
    return {
        **{name: newest[name] for name in plain},
        "score": {"total": newest["score"], "fit": newest["fit"], "engagement": newest["engagement"]},
        "temperature_since": _day(newest["temperature_since"]),
        "returned_on": _day(newest["returned_on"]),
        "decided_at": newest["decided_at"].isoformat(),
        "policy": newest["policy_version"],
    }


def _taken_apart(told: Explanation) -> dict[str, Any]:
    """What its repetition adds: points, gates, what is missing, and what would change it."""
    return {
        "points": [dict(point) for point in told.points if point["points"]],
        "missing": [
            {"kind": one.kind, "name": one.name, "fields": list(one.fields), "points": one.points}
            for one in told.missing
        ],
        "wanted": list(told.wanted),
        "company_lead": told.company_lead,
        "nurture_question": told.verdict["nurture_question"],
        "nurture_format": told.verdict["nurture_format"],
        "gates": [
            {"stage": gate.stage, "name": gate.name, "decided_by": gate.decided_by, "answer": gate.answer}
            for gate in told.gates
        ],
        "smallest_change": _smallest(told.smallest_change),
        "to_qualify": _smallest(told.to_qualify),
    }


def _of_people(work: Work, lead_id: str, at: datetime | None) -> dict[str, Any]:
    """What people decided about it, what waits for them, and under which ids it was known before."""
    identity, journal = work.store.identity, work.store.journal
    held = [row for row in journal.open_held() if _by_then(row["since"], at)]
    refused = [row for row in journal.refused() if _by_then(row["first_at"], at)]
    return {
        "known_before_as": [old for old, _, since in identity.aliases(lead_id) if _by_then(since, at)],
        "former_addresses": [
            _plain(row) for row in work.store.former.of(lead_id) if _by_then(row["since"], at)
        ],
        "decisions": [_plain(row) for row in identity.decisions(lead_id) if _by_then(row["decided_at"], at)],
        "held": [_plain(row) for row in held if row["lead_id"] == lead_id],
        "refused": [_plain(row) for row in refused if row["lead_id"] == lead_id],
    }


def _links(work: Work, lead_id: str, at: datetime | None) -> pl.DataFrame:
    """The records of a lead, those that were linked by ``at``."""
    lead = pl.Series("lead_id", [lead_id])
    if at is None:
        return work.store.leads.links_of_leads(lead)
    return work.store.leads.links_until(lead, at)


def _by_then(moment: datetime, at: datetime | None) -> bool:
    return at is None or moment <= at


def _day(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def _social(work: Work, policy: Policy, told: Explanation) -> dict[str, Any]:
    """The points for social signals, where a CRM has any that a rule looks at; else that there are none."""
    fed = {
        name
        for name, rule in work.field_map.rules.items()
        if rule.names("hubspot") or rule.names("salesforce")
    }
    looked_at = [rule.name for rule in policy.rules if SOCIAL & fed & set(rule.when.fields)]
    if not looked_at:
        return {"available": False, "points": None}
    return {
        "available": True,
        "points": sum(point["points"] for point in told.points if point["rule"] in looked_at),
    }


def _deals(lead: Mapping[str, Any]) -> dict[str, Any] | None:
    """The opportunities that the verdict knew of, the one that says most by name; None where it knew of none."""
    counts = {name: lead.get(f"deals_{name}") for name in ("open", "won", "lost")}
    if not any(counts.values()):
        return None
    return {**counts, "by": lead.get("deals_by"), "opportunity": lead.get("deal")}


def _smallest(change: Change | None) -> dict[str, Any] | None:
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
    """What both sides changed differently: each value with its system, record and time, and the rule that decided."""
    rows = work.store.journal.conflicts_of_lead(lead_id, TOLD)
    return [
        {**_plain(row), **_records_then(work, lead_id, row)}
        for row in rows
        if at is None or row["decided_at"] <= at
    ]


def _records_then(work: Work, lead_id: str, conflict: Mapping[str, Any]) -> dict[str, str | None]:
    """The record that held each value of a conflict; None where nobody knows.

    A merge moves the link to the record that is left, which never held that value: a link that is younger than the
    conflict says nothing, and the one record that the same run wrote to does.
    """
    written: dict[str, set[str | None]] = {crm: set() for crm in CRMS}
    for row in work.store.journal.changes_of_lead(lead_id, TOLD):
        if row["run_id"] == conflict["run_id"]:
            written[row["crm"]].add(row["record_id"])
    alone = {crm: next(iter(ids)) for crm, ids in written.items() if len(ids) == 1}
    links = _links(work, lead_id, conflict["decided_at"]).select("crm", "object", "record_id").iter_rows()
    linked = {crm: record for crm, name, record in links if name == work.objects[crm]}
    return {f"{crm}_record": linked.get(crm, alone.get(crm)) for crm in CRMS}


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in row.items()}
