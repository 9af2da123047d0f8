"""Leads of the past out of Leadpact's own history: every verdict is kept with what it was decided on.

Each lead is judged once, so many days after its first verdict, by what the newest verdict until then knew.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import polars as pl

from mapping.identity import derive
from mapping.lead import Stage, columns_of
from mapping.qualification.backtest import CASE
from mapping.qualification.backtest_explore import about_full_weeks
from mapping.qualification.declared import Policy
from mapping.qualification.handover import EXPLORATION
from sync.backtest_csv import Past
from sync.errors import WrongUse
from sync.work import CRMS, Work

#: Leads that are read at a time.
AT_ONCE = 50_000
#: The stages that count as the outcome, by the one that was asked for.
REACHED = {
    "opportunity": (Stage.OPPORTUNITY.value, Stage.CUSTOMER.value),
    "customer": (Stage.CUSTOMER.value,),
}
#: Stages and reasons of a verdict that show that sales had the lead in hand.
_IN_HAND = tuple(stage.value for stage in (Stage.SQL, Stage.OPPORTUNITY, Stage.CUSTOMER, Stage.DISQUALIFIED))
_DECIDED = (
    *("accepted", "accepted_gate_missed", "accepted_gate_unknown", "rejected", "rejected_for_good"),
    *("rejection_stands", "returned", "struck_off", "taken_by_sales"),
)
#: Stages of Salesforce that nobody but sales gives.
GIVEN_BY_SALES = tuple(
    stage.value for stage in (Stage.NURTURE, Stage.SQL, Stage.OPPORTUNITY, Stage.CUSTOMER, Stage.DISQUALIFIED)
)
#: Said of a history from which deletion periods have taken verdicts.
_SHORTENED = (
    "leads first judged before {} are left out: verdicts of that time have been deleted ([privacy.keep_days]), of some"
    " stages alone"
)


def own_past(work: Work, policy: Policy, reached: str, after_days: int, horizon_days: int) -> Past:
    """Every stored lead as of ``after_days`` after its first verdict, but those whose early verdicts may be deleted.

    ``reached``: opportunity or customer. A lead has ``horizon_days`` from its moment to reach it; one whose
    horizon is not over yet is open, whatever became of it so far. Raises WrongUse where nothing is stored.
    """
    parts = list(own_slices(work, policy, reached, after_days, horizon_days))
    if not parts:
        raise WrongUse("there is no history yet", fix="run `leadpact sync` first, or give --csv FILE")
    since = work.store.retention.verdicts_from()
    notes = [] if since is None else [_SHORTENED.format(since.isoformat(timespec="seconds"))]
    notes += _about_draws(work)
    return Past(pl.concat(parts).sort("at", "lead_id"), horizon_days, notes)


def _about_draws(work: Work) -> list[str]:
    """A note where the week's number, as it is today, cut the draws below the line short."""
    if work.handover is None:
        return []
    drawn = work.store.handovers.between(None, None).filter(pl.col("handed_by") == EXPLORATION)
    return about_full_weeks(drawn["mql_at"].to_list(), work.handover.exploring.a_week)


def own_slices(
    work: Work, policy: Policy, reached: str, after_days: int, horizon_days: int, *, stock: bool = True
) -> Iterator[pl.DataFrame]:
    """The cases of ``own_past``, some thousand leads at a time, for whoever does not need all of them at once.

    Without ``stock``, no lead that a CRM had known for longer than ``after_days`` when Leadpact first judged it, and
    none of its first ``after_days``: who had converted by then is not counted, so that those who had not would stand
    for all of them.
    """
    now, after, ledger = work.clock(), "", work.store.handovers.between(None, None)
    while not (ids := work.store.leads.ids_after(after, AT_ONCE)).is_empty():
        after = ids[-1]
        cases = _cases(work, policy, ids, reached, after_days)
        counted = cases if stock else cases.filter(~pl.col("stock"))
        yield with_outcome(with_ledger(counted.drop("stock"), ledger), horizon_days, now)


def _cases(work: Work, policy: Policy, ids: pl.Series, reached: str, after_days: int) -> pl.DataFrame:
    past = work.store.leads.past(ids, after_days, reached=REACHED[reached], worked=_IN_HAND, decided=_DECIDED)
    # At the end of the history sales may have talked to somebody without deciding anything.
    stored = work.store.leads.of(past["lead_id"])
    talks = (
        work.lead_snapshots()
        .decode(stored["lead_values"])
        .select(
            (
                (pl.col("sales_contacts") > 0).fill_null(value=False)
                | pl.col("last_contacted_at").is_not_null()
                | pl.col("sales_accepted").is_not_null()
                | pl.col("salesforce_stage").is_in(list(GIVEN_BY_SALES)).fill_null(value=False)
            ).alias("_talked")
        )
    )
    talked = past.join(
        stored.select("lead_id").hstack(talks), on="lead_id", how="left", maintain_order="left"
    )
    cases = talked.select(
        "lead_id",
        "at",
        pl.col("reached_at").alias("outcome_at"),
        (
            pl.col("worked") | pl.col("_talked").fill_null(value=False) | pl.col("reached_at").is_not_null()
        ).alias("worked"),
        pl.lit(None, dtype=CASE["rep"]).alias("rep"),
        "handed_at",
        "stock",
    )
    return completed(cases.hstack(work.lead_snapshots().decode(past["lead_values"])), policy)


def completed(cases: pl.DataFrame, policy: Policy) -> pl.DataFrame:
    """Add the derived fields, and what the policy may ask for beside; where a lead has records is not known."""
    wanted = columns_of(policy.fields)
    missing = [
        pl.lit(None, dtype=dtype).alias(name) for name, dtype in wanted.items() if name not in cases.columns
    ]
    here = [pl.lit(None, dtype=pl.Boolean).alias(f"in_{crm}") for crm in CRMS]
    return derive(cases.with_columns(missing).with_columns(here))


def with_ledger(cases: pl.DataFrame, ledger: pl.DataFrame) -> pl.DataFrame:
    """What the handover ledger (``LEDGER``) knows better: when a lead was first handed over, to whom, whether by
    chance, and whether anybody touched or answered it.
    """
    first = (
        ledger.sort("handed_over_at", nulls_last=True)
        .group_by("lead_id", maintain_order=True)
        .agg(
            pl.col("handed_over_at").drop_nulls().first().alias("_handed"),
            pl.col("owner").drop_nulls().first().alias("_owner"),
            (pl.col("first_touch_at").is_not_null() | pl.col("answered_at").is_not_null())
            .any()
            .alias("_touched"),
            (
                pl.col("handed_over_at").is_not_null()
                & (pl.col("handed_by") == EXPLORATION).fill_null(value=False)
            )
            .any()
            .alias("_explored"),
        )
    )
    return (
        cases.join(first, on="lead_id", how="left", maintain_order="left")
        .with_columns(
            handed_at=pl.coalesce("_handed", "handed_at"),
            rep=pl.coalesce("_owner", "rep"),
            explored=pl.col("_explored").fill_null(value=False),
            worked=pl.col("worked") | pl.col("_touched").fill_null(value=False),
        )
        .drop("_handed", "_owner", "_touched", "_explored")
    )


def with_outcome(cases: pl.DataFrame, horizon_days: int, now: datetime) -> pl.DataFrame:
    """Add ``outcome``: reached within the horizon, or not; null where the horizon is not over at ``now``.

    Who was quick is open as long as those who are slow are: counting only the quick would flatter everybody. The
    horizon of whom chance handed over begins with the handover.
    """
    begins: pl.Expr = pl.col("at")
    if "explored" in cases.columns:
        begins = pl.when(pl.col("explored").fill_null(value=False)).then("handed_at").otherwise("at")
    ends = begins + timedelta(days=horizon_days)
    reached = (pl.col("outcome_at") <= ends).fill_null(value=False)
    return cases.with_columns(outcome=pl.when(ends <= now).then(reached))
