"""What becomes of the address that a lead had before: it stays known, until a person has looked at it.

A lead is known by its records, so that a changed address moves no link and makes nobody twice. The old one is kept
from being taken for somebody new, and stands on a list for the mailing tools: no mail should go there any more.
Nothing is unsubscribed by it: who may be written to is said by people, and by nothing that a sync has seen.
"""

from __future__ import annotations

from datetime import datetime

import polars as pl

from sync.inorder import chosen
from sync.store.former import MOVED
from sync.work import Work


def moved_addresses(leads: pl.DataFrame) -> pl.DataFrame:
    """``former.MOVED``: the leads whose address is not the one that is stored. Pure.

    ``leads``: ``lead_id``, ``email`` (merged) and ``p.email`` (stored; null for a lead that is new).
    """
    if leads["p.email"].null_count() == leads.height:
        return pl.DataFrame(schema=dict(MOVED))
    before, after = pl.col("p.email").str.to_lowercase(), pl.col("email").str.to_lowercase()
    both = leads[["lead_id", "p.email", "email"]].select("lead_id", email_key=before, current_key=after)
    moved = both["email_key"].is_not_null() & both["email_key"].ne_missing(both["current_key"])
    return chosen(both, moved)[list(MOVED)]


def note_former_addresses(work: Work, leads: pl.DataFrame, run: int, now: datetime) -> None:
    """Remember the addresses that these leads had until now. Inside the remembering transaction."""
    if "p.email" in leads.columns and "email" in leads.columns:
        work.store.former.note(moved_addresses(leads), run, now)
