"""What a report is counted from: one row a lead with its journey, its channel and the goals it counts for.

Read from memory alone. Only where campaigns come from Salesforce is it asked, for campaigns and their members.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from connectors.crm import RECORD_ID
from mapping.consent import FLAGS, STANDING_FIELDS
from mapping.identity import derive
from mapping.lead import FieldType, columns_of, currency_column
from mapping.qualification.columns import Column, Kind, derived_columns
from mapping.qualification.conditions import Condition
from mapping.qualification.questions import Questions
from sync.errors import WrongUse
from sync.importrun import HasCampaigns
from sync.reports.channels import assign
from sync.reports.costrows import CENT, CostRow
from sync.reports.declared import FIRST_INTEREST, Declared
from sync.reports.journeys import FACTS, JOURNEYS, journeys
from sync.snapshots import Snapshots
from sync.work import CRMS, Work

#: Leads that are looked at together, and their ids that Salesforce is asked about together.
AT_ONCE, MEMBERS_AT_ONCE = 100_000, 2_000
#: What the derived fields of a lead are made of.
_DERIVED_FROM = (
    *("email", "phone", "mobile_phone", "street", "city", "postal_code", "country"),
    *("first_name", "last_name", "company", "website"),
    *FLAGS.values(),
    *STANDING_FIELDS,
)
_VOLUME = Column(
    "order_volume", Kind.NUMBER, "order_volume", "_m_order_volume", pl.Decimal(18, 2), type=FieldType.MONEY
)
_MOMENT = pl.Datetime("us", "UTC")
#: The first and the last campaign of each lead, by name, and the type of the last; when it was joined.
TOUCHES: Mapping[str, pl.DataType] = {
    "lead_id": pl.String(),
    "campaign_id": pl.String(),
    "joined": _MOMENT,
}


@dataclass(frozen=True)
class Campaigns:
    """Salesforce's campaigns: ``names`` and ``channels`` by id, their costs, and ``touches`` (``TOUCHES``).

    ``undated``: campaigns with costs and without a day, which no period can be charged with.
    """

    names: Mapping[str, str]
    channels: Mapping[str, str]
    costs: tuple[CostRow, ...]
    touches: pl.DataFrame
    undated: int = 0


@dataclass(frozen=True)
class Gathered:
    """``rows``: ``JOURNEYS`` with ``channel_missing``, ``hubspot_channel``, ``salesforce_channel``, ``goal.KEY`` and
    the dates that goals are counted by. ``history``: the verdicts behind them."""

    rows: pl.DataFrame
    history: pl.DataFrame


def gather(
    work: Work,
    declared: Declared,
    zone: ZoneInfo,
    *,
    campaigns: Campaigns | None = None,
    attribution: str = "first",
    owners: Mapping[str, str] | None = None,
) -> Gathered:
    """Read everything that reports count. ``owners``: lead to the name of its owner, where it may be shown."""
    history = work.store.reporting.history()
    slices = [_facts(work, declared, stored, after) for after, stored in _stored(work)]
    facts = (
        pl.concat(slices) if slices else _facts(work, declared, work.store.reporting.leads_after("", 0), "")
    )
    facts = _with_origin(work, facts, campaigns)
    if owners is not None:
        known = pl.DataFrame(
            {"lead_id": list(owners), "owner": list(owners.values())},
            schema={"lead_id": pl.String(), "owner": pl.String()},
        )
        facts = facts.drop("owner").join(known, on="lead_id", how="left", maintain_order="left")
    walked = journeys(history, facts, zone)
    more = facts.select("lead_id", *(name for name in facts.columns if name not in JOURNEYS))
    rows = walked.join(more, on="lead_id", how="left", maintain_order="left")
    if attribution == "last" and campaigns is not None:
        rows = _by_last_campaign(rows, campaigns)
    return Gathered(rows, history)


def _stored(work: Work) -> Iterator[tuple[str, pl.DataFrame]]:
    after = ""
    while not (stored := work.store.reporting.leads_after(after, AT_ONCE)).is_empty():
        yield after, stored
        after = stored["lead_id"][-1]


def _facts(work: Work, declared: Declared, stored: pl.DataFrame, after: str) -> pl.DataFrame:
    """``FACTS`` of some leads, with what the channels and goals ask."""
    wanted = [goal.counted_by for goal in declared.goals if goal.counted_by != FIRST_INTEREST]
    dates = list(dict.fromkeys(wanted))
    schema = _schema(work, declared, [*dates, "source_detail", "first_form_at", "order_volume"])
    leads = stored.select("lead_id", "highest_stage").hstack(Snapshots(schema).decode(stored["lead_values"]))
    last = stored["lead_id"][-1] if stored.height else after
    linked = work.store.reporting.linked(after, last)
    hubspot, salesforce = _in_crms(linked)
    full = _judged(work, declared, derive(leads, in_hubspot=hubspot, in_salesforce=salesforce))
    asked = [goal for goal in declared.goals if goal.of is not None]
    columns = {name: full[name] for name in full.columns}
    answers = Questions([goal.of for goal in asked if goal.of]).answers(columns) if asked else []
    met = {goal.key: answer.fill_null(value=False) for goal, answer in zip(asked, answers, strict=True)}
    every = pl.Series([True], dtype=pl.Boolean).new_from_index(0, full.height)
    facts = full.select(
        "lead_id",
        "highest_stage",
        pl.col("source_detail").alias("campaign"),
        pl.lit(None, dtype=pl.String).alias("owner"),
        work.policy.interest.expression.alias("interested"),
        pl.col("first_form_at").alias("interest_at"),
        pl.col(_VOLUME.source).alias("volume"),
        *dates,
        *(met.get(goal.key, every).alias(f"goal.{goal.key}") for goal in declared.goals),
    ).hstack(assign(full, declared.channels))
    for crm in CRMS:
        said = _as_told_by(work, declared, crm, after, last)
        facts = facts.join(said, on="lead_id", how="left", maintain_order="left")
    return facts


def _schema(work: Work, declared: Declared, names: Sequence[str]) -> dict[str, pl.DataType]:
    """The stored values that are needed, a money field with its currency."""
    needed = {*names, *(currency_column(name) for name in names), *_DERIVED_FROM}
    for condition in _asked(work, declared):
        for column in condition.columns:
            needed |= {column.field, currency_column(column.field)}
    return {name: dtype for name, dtype in columns_of(work.fields).items() if name in needed}


def _asked(work: Work, declared: Declared) -> tuple[Condition, ...]:
    """Every condition that is asked of the leads."""
    return (*declared.conditions(), work.policy.interest)


def _in_crms(linked: pl.DataFrame) -> tuple[pl.Expr, pl.Expr]:
    hubspot, salesforce = (
        pl.col("lead_id").is_in(linked.filter(pl.col("crm") == crm)["lead_id"].implode()) for crm in CRMS
    )
    return hubspot, salesforce


def _judged(work: Work, declared: Declared, leads: pl.DataFrame) -> pl.DataFrame:
    """The leads with every derived column that the conditions name."""
    missing = [
        pl.lit(None, dtype=dtype).alias(name)
        for name, dtype in _schema(work, declared, ["order_volume"]).items()
        if name not in leads.columns
    ]
    full = leads.with_columns(missing)
    policy, now = work.policy, work.clock()
    used = [_VOLUME, *(column for condition in _asked(work, declared) for column in condition.columns)]
    return full.with_columns(derived_columns(used, now, policy.currency, policy.rates_at(now), full))


def _as_told_by(work: Work, declared: Declared, crm: str, after: str, last: str) -> pl.DataFrame:
    """The channel of each lead that both CRMs have, by what this CRM's record says alone."""
    records = work.store.reporting.records(crm, after, last)
    known = work.field_map.columns(crm)
    schema = {name: dtype for name, dtype in _schema(work, declared, []).items() if name in known}
    values = Snapshots(schema).decode(records["record_values"])
    here, leads = pl.lit(value=True), records.select("lead_id").hstack(values)
    full = _judged(work, declared, derive(leads, in_hubspot=here, in_salesforce=here))
    told = assign(full, declared.channels)["channel"].alias(f"{crm}_channel")
    return full.select("lead_id").hstack([told]).unique("lead_id", keep="first", maintain_order=True)


# --- where a lead comes from, besides its fields ---------------------------------------------------------------


def _with_origin(work: Work, facts: pl.DataFrame, campaigns: Campaigns | None) -> pl.DataFrame:
    """Imports tell when interest began; memberships, then imports, name the campaign before ``source_detail`` does."""
    rows = facts.join(work.store.reporting.imports(), on="lead_id", how="left", maintain_order="left")
    rows = rows.with_columns(interest_at=pl.min_horizontal("interest_at", "imported_at"))
    if campaigns is not None:
        first = (
            campaigns.touches.sort("joined", "campaign_id")
            .group_by("lead_id")
            .agg(pl.col("campaign_id").first().alias("joined_first"))
        )
        rows = rows.join(first, on="lead_id", how="left", maintain_order="left")
        by_id = pl.coalesce("joined_first", "campaign_id").replace_strict(
            campaigns.names, default=None, return_dtype=pl.String
        )
        rows = rows.with_columns(campaign=pl.coalesce(by_id, "campaign"))
    return rows.drop(["imported_at", "campaign_id", "joined_first"], strict=False).select(
        *FACTS, *(name for name in facts.columns if name not in FACTS)
    )


def _by_last_campaign(rows: pl.DataFrame, campaigns: Campaigns) -> pl.DataFrame:
    """Credit goes to the last campaign that a lead joined before it bought; whoever joined none keeps the first."""
    bought = rows.select("lead_id", until="since.customer")
    last = (
        campaigns.touches.join(bought, on="lead_id")
        .filter(pl.col("until").is_null() | (pl.col("joined") <= pl.col("until")))
        .sort("joined", "campaign_id")
        .group_by("lead_id")
        .agg(pl.col("campaign_id").last())
    )
    named = last.select(
        "lead_id",
        pl.col("campaign_id")
        .replace_strict(campaigns.names, default=None, return_dtype=pl.String)
        .alias("_name"),
        pl.col("campaign_id")
        .replace_strict(campaigns.channels, default=None, return_dtype=pl.String)
        .alias("_channel"),
    )
    return (
        rows.join(named, on="lead_id", how="left", maintain_order="left")
        .with_columns(campaign=pl.coalesce("_name", "campaign"), channel=pl.coalesce("_channel", "channel"))
        .drop("_name", "_channel")
    )


def read_campaigns(work: Work, declared: Declared) -> Campaigns:
    """Campaigns with their costs, and whom they reached. Raises WrongUse where the CRM has none.

    A campaign's channel is found by the same rules as a lead's, with its type as the source and its name as the
    detail. Costs without an end fall on the first day; amounts without a currency are in the organisation's.
    """
    crm = work.crms["salesforce"]
    if not isinstance(crm, HasCampaigns):
        raise WrongUse("this Salesforce has no campaigns", fix="set reports.salesforce_campaigns to false")
    found = crm.campaigns()
    named = found.select(
        pl.col(RECORD_ID).alias("lead_id"),
        pl.col("type").alias("lead_source"),
        pl.col("name").alias("source_detail"),
    )
    nowhere = pl.lit(value=False)
    judged = _judged(work, declared, derive(named, in_hubspot=nowhere, in_salesforce=nowhere))
    channel = assign(judged, declared.channels)["channel"]
    rows = found.with_columns(channel=channel)
    currency = crm.account().currency or work.policy.currency
    paid = rows.filter(pl.col("spent").is_not_null() | pl.col("planned").is_not_null())
    dated = paid.filter(pl.col("starts").is_not_null())
    return Campaigns(
        names=dict(found.select(RECORD_ID, "name").drop_nulls().iter_rows()),
        channels=dict(rows.select(RECORD_ID, "channel").drop_nulls().iter_rows()),
        costs=tuple(_cost(row, currency) for row in dated.iter_rows(named=True)),
        touches=_touches(work, crm),
        undated=paid.height - dated.height,
    )


def _cost(row: Mapping[str, Any], currency: str) -> CostRow:
    first, code = row["starts"], row["currency"] or currency
    # Somebody may have typed an end before the beginning; then it is the day of its beginning.
    last = max(first, row["ends"] or first)
    planned, spent = (
        None if row[name] is None else row[name].quantize(CENT) for name in ("planned", "spent")
    )
    return CostRow(row["channel"], row["name"], first, last, "other", planned, spent, code, "salesforce")


def _touches(work: Work, crm: HasCampaigns) -> pl.DataFrame:
    """``TOUCHES`` of every lead that Salesforce has."""
    parts = [pl.DataFrame(schema=dict(TOUCHES))]
    for after, stored in _stored(work):
        linked = work.store.reporting.linked(after, stored["lead_id"][-1]).filter(
            pl.col("crm") == "salesforce"
        )
        for part in linked.iter_slices(MEMBERS_AT_ONCE):
            for members in crm.members(work.objects["salesforce"], part["record_id"].to_list()):
                joined = members.join(part, left_on=RECORD_ID, right_on="record_id")
                parts.append(joined.select(*TOUCHES))
    return pl.concat(parts)


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """When a day begins, in UTC."""
    return datetime.combine(day, time(), zone).astimezone(UTC)
