"""Leads that are handed over although they are below the line, drawn at random, to learn what they are worth.

Off unless ``handover.explore_share`` says otherwise. Each draw is the lead's own: its place between 0 and 1 comes
from its id and the seed alone, so that it is the same in every plan, run and repetition, and whoever stands below the
share is drawn. Where more are drawn than the week has room for, the smallest places go first and the others wait.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Literal

import polars as pl

from mapping.lead import Stage
from mapping.own import HANDED_BY
from mapping.qualification.handover import EXPLORATION, OPEN
from mapping.qualification.handover_facts import WAS, answered, touched
from mapping.qualification.truths import every
from sync.handover_draws import Exploring
from sync.merge import HUBSPOT, SALESFORCE
from sync.work import CRMS, Work

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
    if not _is_on(work) and not _was_drawn(facts).any():
        nobody = every(False, pl.Boolean(), judged.height)
        return judged.with_columns(explored=nobody, explore_waits=nobody, handover_cycle=pl.col("cycle"))
    seen, missing = _with_sales(work, judged)
    makes = missing & ~judged["lead_id"].is_in(held.implode())
    new = facts[WAS + "state"].is_null() & (draw != "nobody")
    drawn = _drawn(work, judged, new & seen, new & (missing if draw == "from memory" else makes), now)
    at_once = drawn & (makes | seen)
    explored = _goes_on(work, judged, facts) | at_once
    return judged.with_columns(
        explored.alias("explored"),
        (drawn & ~at_once).alias("explore_waits"),
        (judged["create_salesforce"] | (explored & makes)).alias("create_salesforce"),
        handover_cycle=pl.when(explored).then(pl.lit(0, dtype=pl.Int32)).otherwise("cycle"),
    )


def _was_drawn(facts: pl.DataFrame) -> pl.Series:
    return facts[WAS + "handed_by"] == EXPLORATION


def _with_sales(work: Work, judged: pl.DataFrame) -> tuple[pl.Series, pl.Series]:
    """(sales have a record of it, they have none and the config lets one be made)."""
    makes = work.mode == "full" and work.scope.create_in_salesforce is not None
    there, linked = (pl.col(SALESFORCE + name).is_not_null() for name in ("_id", "_linked"))
    told = judged.select(
        seen=there & pl.lit(work.mode != "observe"),
        missing=~there & ~linked & pl.col(HUBSPOT + "_id").is_not_null() & pl.lit(makes),
    )
    return told["seen"], told["missing"]


def _goes_on(work: Work, judged: pl.DataFrame, facts: pl.DataFrame) -> pl.Series:
    """Explorations of the ledger that are not over, and still may be.

    Who was drawn and not handed over yet has to be somebody who may be drawn today. Whom sales have and nobody has
    touched, somebody who can be reached lawfully and may be scored. What sales have begun is theirs.
    """
    begun = touched() | answered() | pl.col(WAS + "first_touch_at").is_not_null()
    ours = (pl.col(WAS + "handed_by") == EXPLORATION) & pl.col(WAS + "state").is_in(list(OPEN))
    waits = pl.col(WAS + "state") == "qualified"
    below = pl.col("stage").is_in(list(_BELOW))
    told = facts.select(ours.alias("ours"), waits.alias("waits"), begun.alias("begun")).hstack(
        judged.select(below=below, may=_may_be_drawn(), still=_reached_and_scored())
    )
    drawn_still = pl.col("may") & pl.lit(_is_on(work))
    allowed = pl.when("waits").then(drawn_still).otherwise(pl.col("begun") | pl.col("still"))
    return told.select(on=(pl.col("ours") & pl.col("below") & allowed).fill_null(value=False))["on"]


def _is_on(work: Work) -> bool:
    """Whether leads are drawn at all: the config says so, and both CRMs can show that they were."""
    exploring = None if work.handover is None else work.handover.exploring
    return exploring is not None and exploring.share > 0 and not unmarked(work)


def unmarked(work: Work) -> list[str]:
    """The CRMs that lack the field that says that chance handed a lead over, or do not let us write it."""
    writable = work.writable()
    return [
        crm for crm in CRMS if HANDED_BY.name_in(crm) not in writable.updatable[crm] & writable.creatable[crm]
    ]


def _drawn(work: Work, judged: pl.DataFrame, seen: pl.Series, missing: pl.Series, now: datetime) -> pl.Series:
    """Whose turn it is: those that may be drawn and are, within the week's number.

    ``seen``: new ones of whom sales have a record; ``missing``: those for whom one would be made.
    """
    nobody = pl.Series("drawn", [False]).new_from_index(0, judged.height)
    if work.handover is None or work.mode == "observe" or not _is_on(work):
        return nobody
    exploring = work.handover.exploring
    candidates = judged.select("lead_id", HUBSPOT + "_id", may=_may_be_drawn(), missing=missing)
    candidates = candidates.filter(pl.col("may") & (seen | missing))
    places = {lead: exploring.place(lead) for lead in candidates["lead_id"]}
    met = pl.col("lead_id").is_in([lead for lead, place in places.items() if place < exploring.share])
    candidates = candidates.filter(met)
    barred = _barred(work, candidates.filter("missing"))
    ordered = sorted(set(candidates["lead_id"]) - barred, key=lambda lead: (places[lead], lead))
    chosen = _within_the_week(work, exploring, ordered, now)
    return judged["lead_id"].is_in(chosen).alias("drawn") if chosen else nobody


def _barred(work: Work, leads: pl.DataFrame) -> set[str]:
    """Those of these leads for whom a sync would make no record, whom a rescore must not draw night after night.

    A record of theirs was merged away or deleted, or may be the counterpart of one that waits for a person.
    """
    if leads.is_empty():
        return set()
    gone = set(work.store.identity.fates(leads["lead_id"])["lead_id"])
    held = [row for row in work.store.journal.open_held() if row["kind"] == "ambiguous"]
    named = {other for row in held for other in json.loads(row["details"])["others"]}
    ids = leads.select("lead_id", pl.format("hubspot:{}", HUBSPOT + "_id"))
    return gone | {lead for lead, record in ids.iter_rows() if record in named}


def _may_be_drawn() -> pl.Expr:
    """Known, interested, in scope, to be reached lawfully, scored, and of no concern to sales so far."""
    unworked = (
        (pl.col("sales_contacts").fill_null(0) == 0)
        & pl.col("last_contacted_at").is_null()
        & pl.col("sales_accepted").is_null()
        & pl.col("rejection_reason").is_null()
        & (pl.col("salesforce_stage").is_null() | pl.col("salesforce_stage").is_in(_UNTOUCHED))
    )
    below = pl.col("stage").is_in(_BELOW) & pl.col("highest_stage").is_in(_NEVER_ABOVE)
    in_scope = pl.col("in_scope") & pl.col("to_salesforce")
    known = pl.col("has_contact_data").fill_null(value=False)
    return (below & in_scope & known & _reached_and_scored() & unworked).fill_null(value=False)


def _reached_and_scored() -> pl.Expr:
    """There is a lawful way to reach the person, and nobody has taken them out of scoring."""
    reached = pl.any_horizontal(pl.col(name).fill_null(value=False) for name in _WAYS)
    return reached & pl.col("temperature").is_not_null()


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
    work.store.beside.look_again(leads["lead_id"].filter(leads["explore_waits"]), "exploration", now)
