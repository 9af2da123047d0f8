"""Who the scope reaches: who was let in since the cursors passed them, and why a lead is in or out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import polars as pl

from mapping.identity import derive
from mapping.qualification.columns import derived_columns
from mapping.qualification.conditions import Condition
from sync.work import CRMS, Work

#: What a condition of the scope may name of the verdict.
_WORDS = ("stage", "temperature", "highest_stage", "grade")
_NUMBERS = ("score", "fit", "engagement", "coverage", "cycle")


def newly_admitted(work: Work) -> list[tuple[str, str]]:
    """(CRM, record id) of leads to be read again because the scope or the pilot may let them in now.

    A change of the conditions concerns everybody who was left out; a change of the list only those on it.
    """
    outside, store = work.store.outside, work.store.leads
    if not outside.any():
        return []
    if work.scope.digest == outside.scope_in_force():
        if work.pilot is None:
            return []
        # Only the people of the list are looked up, however many are left out.
        contacts = pl.DataFrame({"record_id": sorted(work.pilot.members)}, schema={"record_id": pl.String()})
        on_list = contacts.select(
            crm=pl.lit("hubspot"), object=pl.lit(work.objects["hubspot"]), record_id="record_id"
        )
        links = store.links_of_leads(outside.among(store.links_of_records(on_list)["lead_id"]))
    else:
        links = store.links_of_leads(outside.ids())
    return [(crm, record) for crm, record in links.select("crm", "record_id").iter_rows()]


def note_reach(work: Work, leads: pl.DataFrame, run: int, now: datetime) -> None:
    """Remember who of these decided leads is left out. ``leads`` has ``lead_id`` and ``in_scope``."""
    left_out = leads["lead_id"].filter(~leads["in_scope"])
    if left_out.is_empty() and not work.store.outside.any():
        return
    work.store.outside.note(left_out, leads["lead_id"].filter(leads["in_scope"]), run, now)


def told_reach(
    work: Work, values: Mapping[str, Any], verdict: Mapping[str, Any], links: pl.DataFrame
) -> dict[str, Any]:
    """Whether one lead is in scope, and why: each condition with its answer, yes, no or not known yet.

    ``values``: the lead's fields as they are stored. ``verdict``: a row of ``Leads.verdicts``. ``links``: its records.
    """
    lead, now = _judged(work, values, verdict, links), verdict["decided_at"]
    contact = next(iter(links.filter(pl.col("crm") == "hubspot")["record_id"]), None)
    asked = {
        "scope.leads": work.scope.leads,
        "scope.to_hubspot": work.scope.to_hubspot,
        "scope.to_salesforce": work.scope.to_salesforce,
    }
    because = [
        {"setting": name, "condition": one.text, "answer": _answer(work, lead, one, now)}
        for name, one in asked.items()
        if one is not None
    ]
    if work.pilot is not None:
        on_list = contact is not None and contact in work.pilot.members
        text = f"hubspot list {work.pilot.list_id}"
        because.append({"setting": "scope.pilot", "condition": text, "answer": "yes" if on_list else "no"})
    for_all = [one for one in because if one["setting"] in ("scope.leads", "scope.pilot")]
    return {"in": all(one["answer"] == "yes" for one in for_all), "because": because}


def _judged(
    work: Work, values: Mapping[str, Any], verdict: Mapping[str, Any], links: pl.DataFrame
) -> pl.DataFrame:
    """One row with everything that a condition of the scope may name."""
    lead = work.lead_snapshots().decode(pl.Series([json.dumps(values, ensure_ascii=False)]))
    texts = [pl.lit(verdict[name], dtype=pl.String()).alias(name) for name in _WORDS]
    numbers = [pl.lit(verdict[name], dtype=pl.Int32()).alias(name) for name in _NUMBERS]
    there = [pl.lit(crm in links["crm"].to_list()) for crm in CRMS]
    return derive(lead, in_hubspot=there[0], in_salesforce=there[1]).with_columns(*texts, *numbers)


def _answer(work: Work, lead: pl.DataFrame, condition: Condition, now: datetime) -> str:
    derived = derived_columns(condition.columns, now, work.policy.currency, work.policy.rates_at(now))
    value = lead.with_columns(derived).with_columns(_asked=condition.expression)["_asked"][0]
    return "not known yet" if value is None else ("yes" if value else "no")
