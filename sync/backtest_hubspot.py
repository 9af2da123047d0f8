"""Leads of the past out of HubSpot's property history: every value has the time at which it was set.

HubSpot lists 50 contacts a page where history is asked for (HubSpot reference, section 4.2), so this reads long.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Protocol, runtime_checkable

import polars as pl

from connectors.crm import SLAB_SCHEMA
from mapping.fieldmap import FieldMap
from mapping.lead import Stage
from mapping.qualification.backtest import CASE
from mapping.qualification.backtest_history import as_of, without_later
from mapping.qualification.declared import Policy
from sync.backtest_csv import Past
from sync.backtest_own import REACHED, completed, with_outcome
from sync.backtest_replay import Weekly, not_replayed
from sync.errors import WrongUse
from sync.work import Work

CREATED = "createdate"
#: Pages are put together until there are about so many rows of history.
ROWS_AT_ONCE = 400_000
_HISTORY: Mapping[str, pl.DataType] = {
    "_id": pl.String(),
    "property": pl.String(),
    "at": pl.Datetime("us", "UTC"),
    "value": pl.String(),
}
_AHEAD = tuple(stage.value for stage in (Stage.SQL, Stage.OPPORTUNITY, Stage.CUSTOMER))
#: What the derived fields of a lead are made of.
REACHING = (
    *("email", "phone", "mobile_phone", "street", "city", "postal_code", "country"),
    *("email_opt_out", "call_opt_out", "post_opt_out"),
)
_TALKED = ("sales_contacts", "last_contacted_at", "sales_accepted")


@runtime_checkable
class KeepsHistory(Protocol):
    """A CRM that can say which value a field had when."""

    def history(
        self, object_name: str, fields: Sequence[str], ids: Sequence[str] | None = None
    ) -> Iterator[pl.DataFrame]: ...


def hubspot_past(work: Work, policy: Policy, reached: str, after_days: int, horizon_days: int) -> Past:
    """Every contact as of ``after_days`` after it was created. See ``own_past``.

    Raises WrongUse where HubSpot has no contacts, and the connectors' errors.
    """
    crm, name = work.crms["hubspot"], work.objects["hubspot"]
    if not isinstance(crm, KeepsHistory):
        raise WrongUse("this HubSpot keeps no history", fix="take --source own")
    evidence = [source for _, source in _sources(work.field_map, name)]
    asked = (*narrowed(work.field_map, policy).asked("hubspot", name), *evidence, CREATED)
    weekly = Weekly.of(crm, policy, work.field_map)
    parts = [
        cases_of(pages, work.field_map, policy, name, reached, after_days, weekly)
        for pages in _gathered(crm.history(name, tuple(dict.fromkeys((*asked, *weekly.counters)))))
    ]
    if not parts:
        raise WrongUse("HubSpot has no contacts", fix="take --source own, or give --csv FILE")
    cases = with_outcome(pl.concat(parts).sort("at", "lead_id"), horizon_days, work.clock())
    notes = not_replayed(policy, work.field_map, "hubspot", name, weekly.names)
    return Past(cases, horizon_days, notes)


def _gathered(pages: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """Pages put together: each holds the whole past of its contacts."""
    held: list[pl.DataFrame] = []
    rows = 0
    for page in pages:
        held.append(page.select(*_HISTORY))
        rows += page.height
        if rows >= ROWS_AT_ONCE:
            yield pl.concat(held)
            held, rows = [], 0
    if rows:
        yield pl.concat(held)


def cases_of(
    history: pl.DataFrame,
    field_map: FieldMap,
    policy: Policy,
    object_name: str,
    reached: str,
    after_days: int,
    weekly: Weekly | None = None,
) -> pl.DataFrame:
    """Cases without ``outcome``, of the whole past of some contacts (``_id, property, at, value``)."""
    first = history.group_by("_id", maintain_order=True).agg(
        pl.col("at").min().alias("_first"),
        pl.col("value").filter(pl.col("property") == CREATED).first().alias("_said"),
    )
    created = pl.coalesce(
        pl.col("_said").str.to_datetime(time_unit="us", time_zone="UTC", strict=False), "_first"
    )
    moments = first.select("_id", (created + timedelta(days=after_days)).alias("at"))
    looked_at = narrowed(field_map, policy)
    texts = as_of(history, moments, looked_at.asked("hubspot", object_name))
    read = looked_at.read(as_page(texts, moments), "hubspot", object_name)
    became = _became(history, moments, field_map, object_name, reached)
    lead = read.frame.drop("_id", "_modified_at", "_created_at", "_archived", "_unread")
    if weekly is not None:
        lead = lead.hstack(weekly.then(history, moments))
    cases = became.hstack(lead).with_columns(
        pl.lit(None, dtype=CASE["rep"]).alias("rep"),
        pl.lit(None, dtype=CASE["handed_at"]).alias("handed_at"),
        pl.lit(None, dtype=CASE["explored"]).alias("explored"),
    )
    return completed(without_later(cases, policy.fields), policy)


def narrowed(field_map: FieldMap, policy: Policy) -> FieldMap:
    """The map with the fields alone that the policy looks at, and those that say whether somebody can be reached."""
    wanted = policy.needed() | set(REACHING)
    return replace(field_map, rules={name: rule for name, rule in field_map.rules.items() if name in wanted})


def as_page(texts: pl.DataFrame, moments: pl.DataFrame) -> pl.DataFrame:
    """What was known of each record at its moment (``_id, at``), in the form of a page of records."""
    missing = [
        pl.lit(None, dtype=dtype).alias(name)
        for name, dtype in SLAB_SCHEMA.items()
        if name not in texts.columns
    ]
    return texts.with_columns(missing).with_columns(moments["at"].alias("_modified_at"))


def _became(
    history: pl.DataFrame, moments: pl.DataFrame, field_map: FieldMap, object_name: str, reached: str
) -> pl.DataFrame:
    """``lead_id, at, outcome_at, worked``: what became of each, at any time."""
    stages = _stages(history, field_map, object_name)
    wanted = list(REACHED[reached])
    talked = [source for name, source in _sources(field_map, object_name) if name in _TALKED]
    reached_at = stages.filter(pl.col("stage").is_in(wanted)).group_by("_id").agg(pl.col("at").min())
    in_hand = pl.concat(
        [
            stages.filter(pl.col("stage").is_in(list(_AHEAD))).select("_id"),
            history.filter(
                pl.col("property").is_in(talked)
                & pl.col("value").is_not_null()
                & ~pl.col("value").is_in(["0", "0.0"])
            ).select("_id"),
        ]
    ).unique()
    return moments.join(
        reached_at.rename({"at": "outcome_at"}), on="_id", how="left", maintain_order="left"
    ).select(
        pl.col("_id").alias("lead_id"),
        "at",
        "outcome_at",
        pl.col("_id").is_in(in_hand["_id"].implode()).alias("worked"),
    )


def _sources(field_map: FieldMap, object_name: str) -> list[tuple[str, str]]:
    """(lead field, HubSpot property) of what says what became of a contact."""
    return [
        (name, source)
        for name in (*_TALKED, "hubspot_stage")
        if name in field_map.rules and (source := field_map.rules[name].source("hubspot", object_name))
    ]


def _stages(history: pl.DataFrame, field_map: FieldMap, object_name: str) -> pl.DataFrame:
    """``_id, at, stage`` in our words, of every time that the lifecycle stage was set."""
    rule = field_map.rules.get("hubspot_stage")
    source = None if rule is None else rule.source("hubspot", object_name)
    if source is None:
        raise WrongUse(
            "the field map has no hubspot_stage, so nobody can tell what became of a contact",
            fix='map it: [fields.hubspot_stage] hubspot = "lifecyclestage"',
        )
    words = field_map.values.get("hubspot_stage")
    heard = {stage.value: stage.value for stage in Stage} | ({} if words is None else words.heard("hubspot"))
    return history.filter(pl.col("property") == source).select(
        "_id",
        "at",
        pl.col("value").replace_strict(heard, default=None, return_dtype=pl.String).alias("stage"),
    )
