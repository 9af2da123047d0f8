"""The handover ledger inside a run: the facts it asks for, the verdict it may change, and what is remembered.

asked    = before_judging(work, merged, ledger, …)     who goes back because sales did not take the lead up
judged   = …                                           the policy
judged   = after_judging(work, asked, judged, now)     the ledger moves on, and what both CRMs show of it
remember_handovers(work, …)                            in the transaction that remembers the verdicts
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import polars as pl

from mapping.qualification.handover import Advanced, advance, beside, left_lying, not_arrived, nothing, shown
from mapping.qualification.handover_facts import FACTS
from mapping.qualification.truths import every
from mapping.qualification.wording import why
from sync.deals import LOSS_REASON
from sync.halfdone import OPEN_INTENTS, moment
from sync.handover_explore import note_waiting
from sync.merge import HUBSPOT, MERGED, SALESFORCE
from sync.unread import Unread
from sync.work import Work

#: When the lead itself last did something.
SIGNS = ("last_form_at", "last_contact_request", "last_visit_at", "last_mail_click_at")
#: What a lead that sales let lie is told to be, and the reason of the rejection that it is judged by.
NOT_TAKEN_UP = "not_taken_up"
_BY_REJECTION = ("rejected", "rejection_stands")
#: What a lead that sales let lie is judged by: as if they had said no.
_AS_IF: dict[str, pl.Expr] = {
    "sales_accepted": pl.lit(value=False),
    "rejection_reason": pl.lit(NOT_TAKEN_UP),
}
#: Our own field that shows when the lead was first touched.
_TOUCH = "shown_handover_touch"
#: The column that routing adds where it knows: who has the lead, or is to have it; empty: nobody yet.
OWNER = "routed_owner"


@dataclass(frozen=True, slots=True)
class Asked:
    """Leads with the ledger beside them, and who of them goes back or stays back.

    ``merged``: the leads as they are to be judged. ``facts``: ``handover_facts.FACTS`` and the ledger's columns.
    """

    merged: pl.DataFrame
    facts: pl.DataFrame


def before_judging(
    work: Work, merged: pl.DataFrame, ledger: pl.DataFrame | None, now: datetime, unread: Unread | None
) -> Asked | None:
    """None where the config agreed on nothing, or no ledger was asked for.

    ``unread``: which fields of these leads did not come; None: nothing was read for them.
    """
    if work.handover is None or ledger is None:
        return None
    facts = beside(_as_begun(work, _facts(work, merged, unread)), ledger)
    lying = left_lying(facts, work.handover.terms, now)
    facts = facts.with_columns(lying)
    if lying.any():
        there = {name: said for name, said in _AS_IF.items() if MERGED + name in merged.columns}
        merged = merged.with_columns(
            pl.when(lying).then(said).otherwise(MERGED + name).alias(MERGED + name)
            for name, said in there.items()
        )
    return Asked(merged, facts)


def _as_begun(work: Work, facts: pl.DataFrame) -> pl.DataFrame:
    """What a run that died had found out already: its own writes have become the latest change of the records."""
    intents = work.store.journal.open_intents(OPEN_INTENTS).filter(pl.col("field") == _TOUCH)
    if intents.is_empty():
        return facts
    begun = intents.group_by("lead_id").agg(_begun=moment(pl.col("after")).min())
    return (
        facts.join(begun, on="lead_id", how="left", maintain_order="left")
        .with_columns(seen_at=pl.min_horizontal("seen_at", "_begun"))
        .drop("_begun")
    )


def _facts(work: Work, merged: pl.DataFrame, unread: Unread | None) -> pl.DataFrame:
    """``FACTS`` of merged leads."""
    names = set(merged.columns)
    columns = [
        (pl.col(MERGED + name) if MERGED + name in names else pl.lit(None)).cast(dtype).alias(name)
        for name, dtype in FACTS.items()
        if name not in ("lead_id", "loss_words_read", "seen_at", "last_sign_at")
    ]
    signs = [pl.col(MERGED + name) for name in SIGNS if MERGED + name in names]
    changed = [
        pl.col(side + "_modified_at") for side in (HUBSPOT, SALESFORCE) if side + "_modified_at" in names
    ]
    time = FACTS["seen_at"]
    nobody = pl.lit(None, dtype=time)
    return merged.select(
        "lead_id",
        *columns,
        loss_words_read=_words_read(work, merged, unread),
        seen_at=pl.max_horizontal(nobody, *changed).cast(time),
        last_sign_at=pl.max_horizontal(nobody, *signs).cast(time),
    )


def _words_read(work: Work, merged: pl.DataFrame, unread: Unread | None) -> pl.Series:
    """Of whom it was read just now why a deal was lost, if it says anything."""
    if unread is None or LOSS_REASON not in work.field_map.rules:
        return every(False, pl.Boolean(), merged.height)
    hidden = unread.places(HUBSPOT, SALESFORCE).get(LOSS_REASON)
    read = every(True, pl.Boolean(), merged.height)
    return read if hidden is None else read.scatter(hidden, False)


def after_judging(
    work: Work, asked: Asked | None, judged: pl.DataFrame, now: datetime
) -> tuple[pl.DataFrame, Advanced]:
    """The judged and scoped leads with what the CRMs show of the handover, and how the ledger moves on.

    What a lead was judged by in place of sales' silence is taken out again.
    """
    if asked is None or work.handover is None:
        return judged, nothing()
    judged = _with_words(work, _as_said(judged, asked.facts), asked.facts["left_lying"])
    leads = asked.facts.with_columns(
        *(
            judged[name]
            for name in ("stage", "stage_why", "temperature", "score", "fit", "engagement", "explored")
        ),
        judged["handover_cycle"].alias("cycle"),
        pl.lit(work.handover.exploring.share).alias("drawn_share"),
        pl.lit(work.handover.exploring.seed, dtype=pl.Int64).alias("drawn_seed"),
        reached(work, judged),
        pl.lit(work.policy.version).alias("policy_version"),
        judged[OWNER].alias("owner")
        if OWNER in judged.columns
        else pl.lit(None, dtype=pl.String()).alias("owner"),
    )
    advanced = advance(leads, work.handover.clocks, work.handover.terms, now)
    return judged.with_columns(shown(leads, advanced)), advanced


def _as_said(judged: pl.DataFrame, facts: pl.DataFrame) -> pl.DataFrame:
    """Sales' own words again, where the lead was judged by others."""
    if not facts["left_lying"].any():
        return judged
    own = [facts[name].alias(column) for name in _AS_IF for column in (name, MERGED + name)]
    return judged.with_columns(one for one in own if one.name in judged.columns)


def _with_words(work: Work, judged: pl.DataFrame, lying: pl.Series) -> pl.DataFrame:
    if not lying.any():
        return judged.with_columns(lying)
    back = lying & pl.col("stage_why").is_in(_BY_REJECTION)
    said = pl.when(back).then(pl.lit(why(NOT_TAKEN_UP, work.language))).otherwise("stage_why_text")
    return judged.with_columns(lying, stage_why_text=said)


def as_judged(leads: pl.DataFrame) -> pl.DataFrame:
    """The lead's fields as the policy was given them, for the stored inputs: a verdict comes out of them again."""
    if "left_lying" not in leads.columns or not leads["left_lying"].any():
        return leads
    lying = pl.col("left_lying").fill_null(value=False)
    there = {name: said for name, said in _AS_IF.items() if name in leads.columns}
    return leads.with_columns(
        pl.when(lying).then(said).otherwise(name).alias(name) for name, said in there.items()
    )


def reached(work: Work, judged: pl.DataFrame) -> pl.Series:
    """Who sales can see: there is a Salesforce record that may be written to, or this very run makes one."""
    if work.mode == "observe":
        return pl.Series("reached", [False]).new_from_index(0, judged.height)
    there = judged[SALESFORCE + "_id"].is_not_null()
    made = judged["create_salesforce"] if work.mode == "full" else pl.Series([False])
    to_sales = judged["to_salesforce"] if "to_salesforce" in judged.columns else pl.Series([True])
    return ((there | made) & judged["in_scope"] & to_sales).alias("reached")


def remember_handovers(
    work: Work, leads: pl.DataFrame, advanced: Advanced, refused: list[str], run: int, now: datetime
) -> None:
    """Keep what the ledger moved on to, in the transaction of the verdicts.

    ``leads``: those that are remembered, with the ids of the records that were just created. ``refused``: leads
    that Salesforce refused. A lead that sales cannot see after all was not handed over: the next run tries again.
    """
    note_waiting(work, leads, now)
    mine = advanced.of(leads["lead_id"].to_list())
    if mine.rows.is_empty():
        return
    nowhere = leads["lead_id"].filter(leads[SALESFORCE + "_id"].is_null()).to_list()
    work.store.handovers.remember(
        not_arrived(mine, [*nowhere, *refused]), work.policy.bands[-1].name, run, now
    )
    if work.routing is not None and work.mode == "full":
        work.store.notices.queue(
            mine.rows["lead_id"], now, tasks=work.routing.tasks, mails=work.routing.mail is not None
        )
