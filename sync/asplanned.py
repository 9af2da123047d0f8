"""What of a decision is carried out: the leads that are ours, and of a saved plan those that are still as it says."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from sync.decide import Decided
from sync.slices import Sorted
from sync.tally import Outcome, add_numbers


def as_planned(decided: Decided, planned: pl.DataFrame) -> Decided:
    """Only leads whose changes are now exactly the planned ones; the others have moved since."""

    def spelled(changes: pl.DataFrame) -> pl.DataFrame:
        one = pl.struct("crm", "record_id", "field", "before", "after").struct.json_encode()
        return changes.group_by("lead_id").agg(one.sort().str.join().alias("spelled"))

    mine = planned.filter(pl.col("lead_id").is_in(decided.leads["lead_id"].implode()))
    same = spelled(mine).join(spelled(decided.changes), on=["lead_id", "spelled"], how="semi")
    kept = pl.col("lead_id").is_in(same["lead_id"].implode())
    unplanned = decided.changes.join(mine, on="lead_id", how="anti")["lead_id"].unique()
    return replace(
        decided, changes=decided.changes.filter(kept), moved=mine.filter(~kept), unplanned=unplanned
    )


def note_vanished(outcome: Outcome, ordered: Sorted, planned: pl.DataFrame) -> None:
    """Planned leads that are not there any more: their records were deleted, or belong to another lead now."""
    found = [part.lead_ids for part in ordered.slices]
    ids = pl.concat(found) if found else planned["lead_id"].clear()
    vanished = records_of(planned.filter(~pl.col("lead_id").is_in(ids.implode())))
    outcome.moved += vanished
    targets = len({(lead, crm) for lead, crm, _ in vanished})
    add_numbers(outcome, targets=targets, refused=targets)


def records_of(changes: pl.DataFrame) -> list[tuple[str, str, str | None]]:
    """(lead, CRM, record) of changes (``plan.CHANGES``), each once and in order."""
    return changes.select("lead_id", "crm", "record_id").unique().sort("lead_id", "crm", "record_id").rows()


def only(decided: Decided, lead_ids: set[str]) -> Decided:
    """A decision without other leads than these. Pure."""
    if lead_ids.issuperset(decided.leads["lead_id"].to_list()):
        return decided
    mine = pl.col("lead_id").is_in(list(lead_ids))
    return replace(
        decided,
        leads=decided.leads.filter(mine),
        changes=decided.changes.filter(mine),
        conflicts=decided.conflicts.filter(mine),
        moved=None if decided.moved is None else decided.moved.filter(mine),
        unplanned=None
        if decided.unplanned is None
        else decided.unplanned.filter(decided.unplanned.is_in(list(lead_ids))),
        loud=None if decided.loud is None else decided.loud.filter(mine),
    )
