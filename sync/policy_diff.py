"""What another policy would change, from the stored leads: no CRM is asked, and nothing is written."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import polars as pl

from mapping.identity import derive
from mapping.lead import columns_of
from mapping.qualification.declared import Policy
from mapping.qualification.diffing import TOGETHER, Diff, Single, diff, singles, together
from sync.app import VOCABULARIES
from sync.snapshots import Snapshots
from sync.work import CRMS, Work

#: Leads that are compared at a time: enough to make columns pay, few enough for a small machine.
AT_ONCE = 100_000
#: What the derived fields are made of.
_DERIVED_FROM = (
    *("email", "phone", "mobile_phone", "street", "city", "postal_code", "country"),
    *("email_opt_out", "call_opt_out", "post_opt_out"),
)
#: Whoever is not scored is moved by facts alone, whatever the policy says.
_NOT_SCORED = "not_scored"


def policy_diff(work: Work, other: Policy, *, each: int = 3) -> tuple[Diff, list[Single]]:
    """Every stored lead judged by ``work.policy`` and by ``other``, as of now; and the changes between the two."""
    changes = singles(work.policy, other, vocabularies=VOCABULARIES)
    now = work.clock()
    parts = [
        diff(leads, work.policy, other, now, changes, each=each)
        for leads in stored_leads(work, work.policy.needed() | other.needed())
    ]
    return together(parts, each=each), changes


def stored_leads(work: Work, needed: set[str]) -> Iterator[pl.DataFrame]:
    """Stored leads as ``judge`` takes them, slice by slice, with only the columns that are needed."""
    every = columns_of(work.fields)
    snapshots = Snapshots(
        {name: dtype for name, dtype in every.items() if name in needed or name in _DERIVED_FROM}
    )
    after = ""
    while not (ids := work.store.leads.ids_after(after, AT_ONCE)).is_empty():
        after = ids[-1]
        stored = work.store.leads.of(ids).filter(pl.col("stage_why") != _NOT_SCORED)
        previous = stored.select(
            "lead_id",
            *(pl.col(name).alias(f"prev_{name}") for name in ("stage", "highest_stage", "temperature")),
            *(pl.col(name).cast(pl.Int32).alias(f"prev_{name}") for name in ("cycle", "score")),
        )
        leads = previous.hstack(snapshots.decode(stored["lead_values"]))
        yield derive(_with_records(work, leads, needed))


def _with_records(work: Work, leads: pl.DataFrame, needed: set[str]) -> pl.DataFrame:
    """Which CRMs have a record of each lead: looked up only where a policy asks for it."""
    names = [f"in_{crm}" for crm in CRMS]
    if needed.isdisjoint(names):
        return leads.with_columns(pl.lit(None, dtype=pl.Boolean).alias(name) for name in names)
    links = work.store.leads.links_of_leads(leads["lead_id"])
    return leads.with_columns(
        leads["lead_id"].is_in(links.filter(pl.col("crm") == crm)["lead_id"].implode()).alias(f"in_{crm}")
        for crm in CRMS
    )


def as_json(
    found: Diff, changes: list[Single], ours: Policy, other: Policy, now: datetime
) -> dict[str, object]:
    """The JSON document of ``policy diff``; each direction as ``{"from", "to", "leads"}``, most leads first."""

    def directions(counted: dict[tuple[str, str], int]) -> list[dict[str, object]]:
        ordered = sorted(counted.items(), key=lambda item: (-item[1], str(item[0])))
        return [{"from": was, "to": then, "leads": count} for (was, then), count in ordered]

    return {
        "policy": ours.version,
        "other": other.version,
        "now": now.isoformat(),
        "leads": found.leads,
        "moved": found.moved,
        "forward": found.forward,
        "back": found.back,
        "mql_gained": found.mql_gained,
        "mql_lost": found.mql_lost,
        "stages": directions(dict(found.stages)),
        "temperatures": directions(dict(found.temperatures)),
        "changes": [{"what": one.what, "leads": found.because.get(one.what, 0)} for one in changes],
        "by_several": found.because.get(TOGETHER, 0),
        "sample": found.sample.rows(named=True),
    }
