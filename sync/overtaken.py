"""What another run did between our reading of a lead and our claim of it.

A run reads first and claims later, slice by slice. Where somebody else remembered a lead in between, what was read of
it is older than what is remembered, and would look like a change back (docs/decisions/0014). Its records are read
again; whoever was forgotten is left out.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import polars as pl

from sync.decide import Decided
from sync.pairs import KNOWN
from sync.read import barred_among
from sync.slices import Holder, Slice
from sync.work import CRMS, Work


def up_to_date(
    work: Work, part: Slice, kept: Decided | None, ours: set[str], run: int
) -> tuple[Slice, Decided | None, set[str]]:
    """The slice with nothing that another run has overtaken since it was read, and the leads of it that are there."""
    if work.store.runs.was_alone(run):
        return part, kept, ours
    new = part.assigned.group_by("lead_id").agg((pl.col("how") != KNOWN).all()).filter("how")["lead_id"]
    known = part.lead_ids.filter(~part.lead_ids.is_in(new.implode()))
    claimed = pl.Series("lead_id", sorted(ours), dtype=pl.String)
    overtaken, gone = work.store.runs.overtaken(claimed, known, run)
    gone |= ours & _forgotten(work, part, new)
    if not overtaken and not gone:
        return part, kept, ours
    return _read_anew(part, overtaken), None, ours - gone


class _Anew:
    """The records of a slice, but for some leads, whose records are put here as they are now."""

    def __init__(self, before: Holder, leads: Collection[str]) -> None:
        self._before = before
        self._others = ~pl.col("lead_id").is_in(list(leads))
        self._read: dict[str, list[pl.DataFrame]] = {}

    def put(self, crm: str, frame: pl.DataFrame) -> None:
        self._read.setdefault(crm, []).append(frame)

    def take(self, crm: str) -> pl.DataFrame | None:
        before = self._before.take(crm)
        frames = [*([] if before is None else [before.filter(self._others)]), *self._read.get(crm, [])]
        frames = [frame for frame in frames if not frame.is_empty()]
        return pl.concat(frames, how="diagonal") if frames else None


def _read_anew(part: Slice, leads: Collection[str]) -> Slice:
    """A slice in which nothing is known of the records of some leads: ``decide_slice`` fetches them as they are now."""
    return replace(part, shelf=_Anew(part.shelf, leads))


def _forgotten(work: Work, part: Slice, leads: pl.Series) -> set[str]:
    """Those of some leads whose records are of persons who were forgotten since they were read."""
    barred = work.store.persons.barred()
    found: set[str] = set()
    if barred is None or leads.is_empty():
        return found
    for crm in CRMS:
        frame = part.shelf.take(crm)
        if frame is not None:
            theirs = frame.filter(pl.col("lead_id").is_in(leads.implode()))
            found |= set(theirs["lead_id"].filter(barred_among(barred, crm, theirs)))
    return found
