"""Leads that are handed over although they are below the line, drawn at random, to learn what they are worth.

Off unless ``handover.explore_share`` says otherwise. Each draw is the lead's own: its place between 0 and 1 comes
from its id and the seed alone, so that it is the same in every plan, run and repetition, and whoever stands below the
share is drawn. Where more are drawn than the week has room for, the smallest places go first and the others wait.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

import polars as pl

from mapping.lead import Stage
from mapping.qualification.handover import EXPLORATION, OPEN
from mapping.qualification.handover_facts import WAS
from sync.handover_draws import Exploring
from sync.merge import HUBSPOT, SALESFORCE
from sync.work import Work

#: Below the line; and stages from which a lead has never been handed over.
_BELOW = (Stage.LEAD.value, Stage.NURTURE.value)
_NEVER_ABOVE = (Stage.VISITOR.value, Stage.PROSPECT.value, *_BELOW)
_WAYS = ("may_email", "may_call", "may_post")
#: Words of Salesforce that say that nobody in sales has begun.
_UNTOUCHED = (Stage.VISITOR.value, Stage.PROSPECT.value, Stage.LEAD.value)
_WEEK = timedelta(days=7)
#: Whether leads are drawn: of records that were read, of stored leads (whose missing records nobody can make now),
#: or not at all.
Draw = Literal["as read", "from memory", "nobody"]
#: What ``with_explored`` adds.
COLUMNS = ("explored", "explore_waits", "handover_cycle")


def with_explored(
    work: Work,
    judged: pl.DataFrame,
    facts: pl.DataFrame,
    held: pl.Series,
    now: datetime,
    draw: Draw,
) -> pl.DataFrame:
    """Judged and scoped leads with ``COLUMNS``: who is handed over to explore, who will be once its records are read
    (Boolean), and the cycle that the ledger knows a lead by: 0 while it explores.

    ``facts``: the ledger beside each lead, in order. ``held``: for whom nothing may be created. Whoever is explored
    gets a Salesforce record where the config lets any be made.
    """
    state, by = facts[WAS + "state"], facts[WAS + "handed_by"]
    goes_on = (by == EXPLORATION) & state.is_in(list(OPEN)) & judged["stage"].is_in(list(_BELOW))
    goes_on = goes_on.fill_null(value=False)
    seen, missing = _with_sales(work, judged)
    makes = missing & ~judged["lead_id"].is_in(held.implode())
    may_be = state.is_null() & (seen | (missing if draw == "from memory" else makes))
    drawn = _drawn(work, judged, may_be & (draw != "nobody"), now)
    at_once = drawn & (makes | seen)
    explored = goes_on | at_once
    return judged.with_columns(
        explored.alias("explored"),
        (drawn & ~at_once).alias("explore_waits"),
        (judged["create_salesforce"] | (explored & makes)).alias("create_salesforce"),
        handover_cycle=pl.when(explored).then(pl.lit(0, dtype=pl.Int32)).otherwise("cycle"),
    )


def _with_sales(work: Work, judged: pl.DataFrame) -> tuple[pl.Series, pl.Series]:
    """(sales have a record of it, they have none and the config lets one be made)."""
    makes = work.mode == "full" and work.scope.create_in_salesforce is not None
    there, linked = (pl.col(SALESFORCE + name).is_not_null() for name in ("_id", "_linked"))
    told = judged.select(
        seen=there & pl.lit(work.mode != "observe"),
        missing=~there & ~linked & pl.col(HUBSPOT + "_id").is_not_null() & pl.lit(makes),
    )
    return told["seen"], told["missing"]


def _drawn(work: Work, judged: pl.DataFrame, may_be: pl.Series, now: datetime) -> pl.Series:
    """Whose turn it is: those that may be drawn and are, within the week's number."""
    exploring = None if work.handover is None else work.handover.exploring
    nobody = pl.Series("drawn", [False]).new_from_index(0, judged.height)
    if exploring is None or not exploring.share or work.mode == "observe":
        return nobody
    may = judged.select(may=_may_be_drawn())["may"] & may_be
    ids = judged["lead_id"].filter(may)
    places = sorted((exploring.place(lead), lead) for lead in ids)
    chosen = _within_the_week(
        work, exploring, [lead for place, lead in places if place < exploring.share], now
    )
    return judged["lead_id"].is_in(chosen).alias("drawn") if chosen else nobody


def _may_be_drawn() -> pl.Expr:
    """Known, interested, in scope, to be reached lawfully, scored, and of no concern to sales so far."""
    reached = pl.any_horizontal(pl.col(name).fill_null(value=False) for name in _WAYS)
    unworked = (
        (pl.col("sales_contacts").fill_null(0) == 0)
        & pl.col("last_contacted_at").is_null()
        & pl.col("sales_accepted").is_null()
        & pl.col("rejection_reason").is_null()
        & (pl.col("salesforce_stage").is_null() | pl.col("salesforce_stage").is_in(_UNTOUCHED))
    )
    below = pl.col("stage").is_in(_BELOW) & pl.col("highest_stage").is_in(_NEVER_ABOVE)
    in_scope = pl.col("in_scope") & pl.col("to_salesforce")
    scored = pl.col("temperature").is_not_null()
    known = pl.col("has_contact_data").fill_null(value=False)
    return (below & in_scope & scored & known & reached & unworked).fill_null(value=False)


def _within_the_week(work: Work, exploring: Exploring, drawn: list[str], now: datetime) -> list[str]:
    """Those of ``drawn``, smallest place first, for whom the seven days up to now have room."""
    since = now - _WEEK
    for lead in [lead for lead, at in exploring.ahead.items() if at < since]:
        del exploring.ahead[lead]
    taken = set(work.store.handovers.explored_since(since)) | exploring.ahead.keys()
    chosen = []
    for lead in drawn:
        if lead in exploring.ahead or len(taken) < exploring.a_week:
            taken.add(lead)
            exploring.ahead[lead] = now
            chosen.append(lead)
    return chosen


def note_waiting(work: Work, leads: pl.DataFrame, now: datetime) -> None:
    """Let the next sync read the records of those who were drawn from memory alone. In the remembering transaction."""
    if "explore_waits" not in leads.columns:
        return
    work.store.beside.look_again(leads.filter("explore_waits")["lead_id"], "exploration", now)
