"""Leads of the past out of Salesforce's field history, as far as an admin switched it on.

It holds changes of at most 20 fields an object, and nothing from before it was switched on (Salesforce reference,
section 6). What it cannot vouch for is not known to the policy: a value of today may have come with the outcome.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import polars as pl

from connectors.crm import Crm, Window
from mapping.fieldmap import FieldMap
from mapping.qualification.backtest import CASE
from mapping.qualification.backtest_history import as_of_tracked, without_later
from mapping.qualification.declared import Policy
from sync.backtest_csv import Past
from sync.backtest_hubspot import KeepsHistory, as_page, narrowed
from sync.backtest_own import GIVEN_BY_SALES, REACHED, completed, with_outcome
from sync.backtest_replay import not_replayed
from sync.errors import WrongUse
from sync.work import Work

LEAD, DEAL = "Lead", "Opportunity"
CONVERTED, CONVERTED_ON, DEAL_OF = "IsConverted", "ConvertedDate", "ConvertedOpportunityId"
WON, CLOSED_ON, OWNER = "IsWon", "CloseDate", "OwnerId"
#: The ids of people begin so; those of queues do not (Salesforce reference, section 2).
_PERSON = "005"
_EVIDENCE = (CONVERTED, CONVERTED_ON, DEAL_OF, OWNER)
_HISTORY: Mapping[str, pl.DataType] = {
    "_id": pl.String(),
    "property": pl.String(),
    "at": pl.Datetime("us", "UTC"),
    "value": pl.String(),
}


def salesforce_past(work: Work, policy: Policy, reached: str, after_days: int, horizon_days: int) -> Past:
    """Every lead as of ``after_days`` after it was created. See ``own_past``.

    An opportunity is a conversion that made one; a customer is one whose opportunity was won, on its close date.
    Raises WrongUse where there are no leads, and the connectors' errors.
    """
    crm = work.crms["salesforce"]
    if work.objects["salesforce"] != LEAD or not isinstance(crm, KeepsHistory):
        raise WrongUse("the history of leads needs leads in Salesforce", fix="take --source own")
    if "salesforce_stage" not in work.field_map.rules:
        raise WrongUse("the field map has no salesforce_stage", fix="map it to the lead's status")
    looked_at = narrowed(work.field_map, policy)
    names = looked_at.asked("salesforce", LEAD)
    asked = tuple(dict.fromkeys((*work.asked("salesforce"), *_EVIDENCE)))
    slabs = [slab.frame for slab in crm.created(LEAD, asked, Window())]
    if not slabs:
        raise WrongUse("Salesforce has no leads", fix="take --source own, or give --csv FILE")
    current = pl.concat(slabs, how="diagonal").unique("_id", keep="last", maintain_order=True)
    status = work.field_map.rules["salesforce_stage"].source("salesforce", LEAD)
    told = dict.fromkeys((*names, CONVERTED, *([status] if status else [])))
    pages = [page.select(*_HISTORY) for page in crm.history(LEAD, list(told))]
    history = pl.concat([pl.DataFrame(schema=dict(_HISTORY)), *pages])
    moments = current.select("_id", (pl.col("_created_at") + timedelta(days=after_days)).alias("at"))
    texts = as_page(as_of_tracked(current, history, moments, names), moments)
    lead = looked_at.read(texts, "salesforce", LEAD).frame.drop(
        "_id", "_modified_at", "_created_at", "_archived", "_unread"
    )
    became = _became(work, crm, current, history, moments, reached)
    timed = became.select(~(pl.col("_reached") & pl.col("outcome_at").is_null()).alias("timed"))["timed"]
    cases = became.drop("_reached").hstack(lead).filter(timed)
    whole = completed(without_later(cases, policy.fields), policy)
    past = with_outcome(whole.sort("at", "lead_id"), horizon_days, work.clock())
    notes = not_replayed(policy, work.field_map, "salesforce", LEAD)
    return Past(past, horizon_days, [*_about(history, int((~timed).sum()), status), *notes])


def _became(
    work: Work,
    crm: Crm,
    current: pl.DataFrame,
    history: pl.DataFrame,
    moments: pl.DataFrame,
    reached: str,
) -> pl.DataFrame:
    """The columns of ``CASE`` but ``outcome``: what became of each lead, at any time.

    ``_reached`` beside them: whether its status says today that it reached the outcome.
    """
    there = [name for name in _EVIDENCE if name in current.columns]
    blank = [pl.lit(None, dtype=pl.String).alias(name) for name in _EVIDENCE if name not in there]
    leads = current.select("_id", *there).with_columns(blank)
    noted = history.filter((pl.col("property") == CONVERTED) & (pl.col("value") == "true"))
    converted = leads.join(
        noted.group_by("_id").agg(pl.col("at").min().alias("_noted")),
        on="_id", how="left", maintain_order="left",
    ).select(
        "_id", DEAL_OF,
        pl.when(pl.col(CONVERTED) == "true").then(pl.coalesce("_noted", _day(CONVERTED_ON))).alias("_converted"),
    )  # fmt: skip
    when = _won(crm, converted) if reached == "customer" else _with_a_deal(converted)
    typed = work.field_map.read(current, "salesforce", LEAD).frame
    in_hand = typed.select(_in_hand(typed.columns).alias("worked"))["worked"]
    by_status = _stage_reached(work.field_map, history, reached)
    joined = moments.join(when, on="_id", how="left", maintain_order="left").join(
        by_status, on="_id", how="left", maintain_order="left"
    )
    return joined.select(
        pl.col("_id").alias("lead_id"),
        "at",
        pl.min_horizontal("outcome_at", "_said_at").alias("outcome_at"),
        typed["salesforce_stage"].is_in(list(REACHED[reached])).fill_null(value=False).alias("_reached"),
        worked=in_hand | converted["_converted"].is_not_null(),
        rep=pl.when(leads[OWNER].str.starts_with(_PERSON)).then(leads[OWNER]),
        handed_at=pl.lit(None, dtype=CASE["handed_at"]),
        explored=pl.lit(None, dtype=CASE["explored"]),
    )


def _stage_reached(field_map: FieldMap, history: pl.DataFrame, reached: str) -> pl.DataFrame:
    """``_id, _said_at``: when the status first said that the outcome was reached, where its history is kept."""
    source = field_map.rules["salesforce_stage"].source("salesforce", LEAD) or ""
    words = field_map.values.get("salesforce_stage")
    heard = {} if words is None else words.heard("salesforce")
    meant = [word for word, stage in heard.items() if stage in REACHED[reached]]
    said = history.filter((pl.col("property") == source) & pl.col("value").is_in(meant))
    return said.group_by("_id").agg(pl.col("at").min().alias("_said_at"))


def _day(name: str) -> pl.Expr:
    """A date as the end of its day: nothing counts as earlier than it may have been."""
    midnight = pl.col(name).str.slice(0, 10).str.to_datetime("%Y-%m-%d", time_unit="us", time_zone="UTC")
    return midnight + timedelta(days=1) - timedelta(seconds=1)


def _with_a_deal(converted: pl.DataFrame) -> pl.DataFrame:
    """When each lead became an opportunity, null for one that became none."""
    return converted.select(
        "_id", pl.when(pl.col(DEAL_OF).is_not_null()).then("_converted").alias("outcome_at")
    )


def _won(crm: Crm, converted: pl.DataFrame) -> pl.DataFrame:
    """When the opportunity of each lead was won."""
    ids = converted[DEAL_OF].drop_nulls().unique().sort().to_list()
    slabs = [slab.frame for slab in crm.fetch(DEAL, (WON, CLOSED_ON), ids)] if ids else []
    none = pl.DataFrame(schema={"_id": pl.String(), WON: pl.String(), CLOSED_ON: pl.String()})
    deals = pl.concat([none, *(slab.select(*none.columns) for slab in slabs)])
    closed = deals.filter(pl.col(WON) == "true").select(
        pl.col("_id").alias(DEAL_OF), _day(CLOSED_ON).alias("outcome_at")
    )
    return converted.join(closed, on=DEAL_OF, how="left", maintain_order="left").select("_id", "outcome_at")


def _in_hand(columns: list[str]) -> pl.Expr:
    """Whether anything of today shows that sales had the lead in hand."""
    signs = [
        pl.col(name).is_not_null()
        for name in ("sales_accepted", "last_contacted_at", "last_activity_at")
        if name in columns
    ]
    if "salesforce_stage" in columns:
        signs.append(pl.col("salesforce_stage").is_in(list(GIVEN_BY_SALES)).fill_null(value=False))
    return pl.any_horizontal(signs) if signs else pl.lit(value=False)


def _about(history: pl.DataFrame, untimed: int, status: str | None) -> list[str]:
    tracked = sorted(set(history["property"]) - {CONVERTED})
    listed = ", ".join(tracked) if tracked else "no field"
    told = [
        f"Salesforce's history tells of {listed}; of the other fields a value counts only where the lead has not"
        " changed since the moment at which it is judged"
    ]
    if untimed:
        told.append(
            f"{untimed} leads reached the outcome by their {status}, and nothing tells when: they were left out"
        )
    return told
