"""Fields that somebody else's automation sets back each time we write them.

A workflow in a CRM can set a field to one value whenever Leadpact writes another, and the two would go on
forever. What we have written ``TIMES`` within ``WINDOW``, over the same other value each time, is not
written again until the window has passed: it is held, and a person is told.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta

import polars as pl

from sync.decide import Decided
from sync.work import Work

#: How often the same write may be undone by others before it is held, and within how long.
TIMES = 3
WINDOW = timedelta(days=7)

_SAME = ("lead_id", "crm", "field", "before", "after")


def noisy(changes: pl.DataFrame, writes: pl.DataFrame) -> pl.DataFrame:
    """The changes (``plan.CHANGES``) that we have made too often, with ``times``: how often that was. Pure.

    ``writes`` (``store.identity.WRITES``): what we wrote lately. Withdrawn consent is never held.
    """
    often = writes.group_by(_SAME).agg(pl.len().alias("times")).filter(pl.col("times") >= TIMES)
    plain = changes.filter((pl.col("kind") == "set") & (pl.col("lane") != "consent"))
    return plain.join(often, on=_SAME, how="inner", nulls_equal=True, maintain_order="left")


def without_noise(work: Work, decided: Decided, now: datetime) -> Decided:
    """A decision without what something else sets back each time we write it; that is ``loud`` then."""
    writes = work.store.identity.writes(decided.changes["lead_id"], now - WINDOW)
    if writes.is_empty():
        return decided
    loud = noisy(decided.changes, writes)
    if loud.is_empty():
        return decided
    kept = decided.changes.join(loud, on=["lead_id", "crm", "field"], how="anti", maintain_order="left")
    return replace(decided, changes=kept, loud=loud)


def held_noise(loud: pl.DataFrame) -> list[dict[str, str | None]]:
    """Rows of ``journal.HELD`` that say it plainly."""
    rows = loud.select("lead_id", "crm", "object", "record_id", "field", "before", "after", "times")
    return [
        {
            "held_key": f"noisy:{lead}:{crm}:{field}",
            "kind": "noisy",
            "lead_id": lead,
            "crm": crm,
            "object": object_name,
            "record_id": record,
            "field": field,
            "details": json.dumps(
                {
                    "why": "noisy automation: something else sets this field back each time Leadpact writes it",
                    "sets": before,
                    "leadpact_writes": after,
                    "times": times,
                    "days": WINDOW.days,
                },
                ensure_ascii=False,
            ),
        }
        for lead, crm, object_name, record, field, before, after, times in rows.iter_rows()
    ]
