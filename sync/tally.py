"""The numbers of a run: targets and how each ended, what it would change, and the leads by stage and warmth."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import polars as pl

from connectors.crm import Cursor
from sync.decide import Decided
from sync.ends import runs_of
from sync.merge import WINNER, Winner
from sync.plan import SIDES
from sync.running import as_document
from sync.store.runs import Numbers
from sync.winners import deciders
from sync.write import Results


@dataclass(slots=True)
class Outcome:
    """What a run came to, or what a plan would do.

    ``changes`` (``plan.CHANGES``) only where they were asked for. ``summary`` counts leads by stage and by
    temperature, and pairs. ``problems``: values that could not be read, by field, with how often.
    """

    run: int
    command: str
    fingerprint: str = ""
    numbers: Numbers = field(default_factory=Numbers)
    changes: pl.DataFrame | None = None
    summary: dict[str, int] = field(default_factory=dict)
    problems: dict[tuple[str, str], int] = field(default_factory=dict)
    cursors: dict[str, Cursor] = field(default_factory=dict)
    leads: int = 0
    totals: dict[str, int] = field(default_factory=dict)  #: what was to be written, as the guards count it
    at: datetime | None = None
    seconds: float = 0.0
    busy: int = 0  #: leads another run was working on
    busy_leads: set[str] = field(default_factory=set)
    forgotten: int = 0  #: persons who were forgotten first, because a CRM erased them or was asked to
    touched: dict[str, list[str]] = field(default_factory=dict)  #: CRM to records of leads that change
    became: int = 0  #: targets that became held or refused in this run, and were not before
    unplanned: int = 0  #: leads that changed after a plan in which they were not; left to a later run
    moved: list[tuple[str, str, str | None]] = field(default_factory=list)  #: (lead, crm, record) left alone


def held_leads(decided: Decided) -> pl.Series:
    """Leads with a field that waits for a person: both changed it, a CRM has no word for it, or others set it back."""
    contested = decided.conflicts["lead_id"].filter(decided.conflicts["winner"] == "nobody")
    stuck = [
        pl.col(WINNER + name) == int(Winner.UNSAYABLE)
        for name, codes in deciders(decided.leads).items()
        if Winner.UNSAYABLE in codes
    ]
    wordless = decided.leads.filter(pl.any_horizontal(stuck))["lead_id"] if stuck else contested.clear()
    loud = contested.clear() if decided.loud is None else decided.loud["lead_id"]
    return pl.concat([contested, wordless, loud]).unique()


def note_touched(outcome: Outcome, decided: Decided) -> None:
    """The records of the leads that a plan changes: ``apply`` reads exactly these again."""
    if decided.changes.is_empty():
        return
    changing = decided.leads.filter(pl.col("lead_id").is_in(decided.changes["lead_id"].unique().implode()))
    for crm, side in SIDES.items():
        outcome.touched.setdefault(crm, []).extend(changing[side + "_id"].drop_nulls().to_list())


def count_changes(totals: dict[str, int], changes: pl.DataFrame) -> None:
    if changes.is_empty():
        return
    created = changes["kind"] == "create"
    records = changes.select("lead_id", "crm").to_struct()
    for name, which in (("creates", created), ("updates", ~created)):
        totals[name] += runs_of(records.filter(which))[1].n_unique()
    totals["stage_moves"] += int(((changes["field"] == "stage") & ~created).sum())
    totals["leads_touched"] += len(_leads(changes["lead_id"]))


def stage_changes(changes: pl.DataFrame) -> int:
    """How many leads get another stage by ``CHANGES`` than a CRM showed before; a first verdict is no change."""
    stage = pl.col("field").is_in(("shown_stage", "stage"))
    return changes.filter(stage & (pl.col("kind") != "create") & pl.col("before").is_not_null())[
        "lead_id"
    ].n_unique()


def summarise(summary: dict[str, int], decided: Decided) -> None:
    def add(name: str, count: int) -> None:
        summary[name] = summary.get(name, 0) + count

    leads = decided.leads
    add("in_both", int((leads["h._id"].is_not_null() & leads["s._id"].is_not_null()).sum()))
    add("out_of_scope", int((~leads["in_scope"]).sum()))
    for column in ("stage", "temperature"):
        for value, count in Counter(leads[column].to_list()).items():
            add(f"{column}:{value}", count)
    fields = decided.changes["field"]
    for name, count in zip(fields.unique(maintain_order=True), fields.unique_counts(), strict=True):
        add(f"field:{name}", count)
    add("conflicts", decided.conflicts.height)


def _leads(lead_ids: pl.Series) -> set[str]:
    """Each of these leads once. The changes of one stand together: a text a lead is looked at, and not one a change."""
    return set(runs_of(lead_ids)[1].to_list())


def count_targets(outcome: Outcome, decided: Decided, results: Results | None) -> None:
    """Count each lead in each CRM once; the worst outcome of its fields counts."""
    leads, held = decided.leads, set(held_leads(decided).to_list())
    changes = decided.changes if results is None else results.changes
    counts = {"targets": 0, "written": 0, "unchanged": 0, "held": 0, "refused": 0}
    for crm, side in SIDES.items():
        here = changes["crm"] == crm
        touched, refused = _leads(changes["lead_id"].filter(here)), set[str]()
        if results is not None:
            refused = _leads(changes["lead_id"].filter(here & (changes["state"] != "written")))
        if decided.moved is not None:
            refused |= set(decided.moved.filter(pl.col("crm") == crm)["lead_id"])
        there = set(leads["lead_id"].filter(leads[side + "_id"].is_not_null()).to_list())
        theirs = there | ((touched | refused) & set(leads["lead_id"].to_list()))
        counts["targets"] += len(theirs)
        counts["refused"] += len(theirs & refused)
        counts["held"] += len((theirs & held) - refused)
        counts["written"] += len((theirs & touched) - refused - held)
    counts["unchanged"] = counts["targets"] - counts["refused"] - counts["held"] - counts["written"]
    add_numbers(outcome, **counts)


def add_numbers(outcome: Outcome, **counts: int) -> None:
    numbers = outcome.numbers
    outcome.numbers = replace(
        numbers, **{name: getattr(numbers, name) + more for name, more in counts.items()}
    )


def outcome_document(outcome: Outcome, *, with_changes: bool) -> dict[str, Any]:
    """What the JSON document of plan, apply, sync and backfill holds (contract)."""
    document: dict[str, Any] = {
        "run": outcome.run,
        "fingerprint": outcome.fingerprint,
        **as_document(outcome.numbers, outcome.seconds),
    }
    if with_changes and outcome.changes is not None:
        shown = ("lead", "crm", "object", "record", "field", "before", "after", "why", "lane")
        columns = outcome.changes.rename({"lead_id": "lead", "record_id": "record"}).select(shown)
        document["changes"] = columns.to_dicts()
    if outcome.moved:
        document["moved"] = [dict(zip(("lead", "crm", "record"), one, strict=True)) for one in outcome.moved]
    return document
