"""What another policy would change, from the stored leads: no CRM is asked, and nothing is written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime

import polars as pl

from mapping.consent import standing_field
from mapping.identity import derive
from mapping.lead import columns_of
from mapping.qualification.declared import Policy
from mapping.qualification.diffing import (
    TOGETHER,
    Compared,
    Diff,
    Single,
    compare,
    singles,
    together,
    told,
)
from mapping.qualification.score import PREVIOUS_SCHEMA
from sync.ourpolicy import VOCABULARIES
from sync.snapshots import Snapshots
from sync.work import CRMS, Work

#: Leads that are compared at a time: enough to make columns pay, few enough for a small machine.
AT_ONCE = 100_000
#: What the derived fields are made of.
_DERIVED_FROM: Mapping[str, tuple[str, ...]] = {
    "email_domain": ("email",),
    "is_free_mail": ("email",),
    "has_contact_data": ("email", "phone", "mobile_phone", "street", "city", "postal_code", "country"),
    "may_email": ("email", "email_opt_out", standing_field("email")),
    "may_call": ("phone", "mobile_phone", "call_opt_out", standing_field("call")),
    "may_post": ("street", "city", "postal_code", "country", "post_opt_out", standing_field("post")),
    "is_company_only": ("email", "first_name", "last_name", "company", "website"),
}
#: What asks whether a CRM has a record of a lead.
_IN = {f"in_{crm}": crm for crm in CRMS}
#: Whoever is not scored is moved by facts alone, whatever the policy says.
_NOT_SCORED = "not_scored"


def policy_diff(work: Work, other: Policy, *, each: int | None = 3) -> tuple[Diff, list[Single]]:
    """Every stored lead judged by ``work.policy`` and by ``other``, as of now; and the changes between the two.

    ``each``: leads of every direction in the sample; None: all that would stand elsewhere.
    """
    changes = singles(work.policy, other, vocabularies=VOCABULARIES)
    now = work.clock()
    parts: list[Diff] = []
    waiting: list[Compared] = []
    for leads in stored_leads(work, work.policy.needed() | other.needed()):
        waiting.append(compare(leads, work.policy, other, now))
        # Few leads move: to try every change alone on those of one slice would cost nearly as much as on all.
        if sum(part.moved.height for part in waiting) >= AT_ONCE:
            parts.append(told(waiting, changes, now, each=each))
            waiting = []
    if waiting:
        parts.append(told(waiting, changes, now, each=each))
    return together(parts, each=each), changes


def stored_leads(work: Work, needed: set[str]) -> Iterator[pl.DataFrame]:
    """Stored leads as ``judge`` takes them, slice by slice, with only the columns that are needed."""
    every = columns_of(work.fields)
    sources = {name for derived in needed & _DERIVED_FROM.keys() for name in _DERIVED_FROM[derived]}
    snapshots = Snapshots({name: dtype for name, dtype in every.items() if name in needed or name in sources})
    for stored, values, links in _slices(work, with_links=not needed.isdisjoint(_IN)):
        previous = stored.select(
            "lead_id", *(pl.col(name.removeprefix("prev_")).alias(name) for name in PREVIOUS_SCHEMA)
        )
        leads = previous.hstack(snapshots.decode_lines(values, stored.height))
        not_scored = stored["stage_why"] == _NOT_SCORED
        if not_scored.any():
            leads = leads.filter(~not_scored)
        there = leads.with_columns(_there(crm, links).alias(name) for name, crm in _IN.items())
        yield derive(there, wanted=needed)


_Slice = tuple[pl.DataFrame, bytes, pl.DataFrame | None]


def _slices(work: Work, *, with_links: bool) -> Iterator[_Slice]:
    """The stored leads (``JudgedLeads.slices``), and their links where they are asked for.

    The next slice is read while one is worked on. Nothing else uses the database's connection meanwhile.
    """
    leads = work.store.leads

    def read(slices: Iterator[tuple[pl.DataFrame, bytes]]) -> _Slice | None:
        slice_ = next(slices, None)
        if slice_ is None:
            return None
        stored, values = slice_
        return stored, values, leads.links_of_leads(stored["lead_id"]) if with_links else None

    with closing(work.store.judged.slices(AT_ONCE)) as slices, ThreadPoolExecutor(max_workers=1) as reader:
        coming = reader.submit(read, slices)
        while (slice_ := coming.result()) is not None:
            coming = reader.submit(read, slices)
            yield slice_


def _there(crm: str, links: pl.DataFrame | None) -> pl.Expr:
    """Whether a CRM has a record of each lead; null where no policy asks for it."""
    if links is None:
        return pl.lit(None, dtype=pl.Boolean)
    return pl.col("lead_id").is_in(links.filter(pl.col("crm") == crm)["lead_id"].implode())


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
        "stage_changes": found.stage_changes,
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
