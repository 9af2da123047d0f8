"""Tell what was counted as one document: the sections in their order. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from mapping.qualification.declared import Policy
from sync.reports.chapter_costs import CostAsked, cost_sections
from sync.reports.chapter_funnel import FunnelAsked, funnel_sections
from sync.reports.chapter_goals import goal_section
from sync.reports.chapter_handover import handover_section, review_section
from sync.reports.chapter_outcome import outcome_section, track_section
from sync.reports.costs import Costs, Money, Spent, summed
from sync.reports.declared import Channel
from sync.reports.document import Cell, Column, Document, Section, Table
from sync.reports.funnel import Maturity, funnel, maturity
from sync.reports.goals import Standing, period_between
from sync.reports.journeys import within
from sync.reports.outcome import outcome, tracks
from sync.reports.voice import Voice


@dataclass(frozen=True)
class Counting:
    """Everything that a report is told of. ``rows`` and ``history`` as of ``sync.reports.gather``; ``first`` and
    ``last`` are the days of the period, both included; ``undated``: campaigns with costs and without a day.
    ``handover`` and ``review``: ``handover_told.timing`` and ``review_rows``; None where no ledger is kept."""

    policy: Policy
    channels: Sequence[Channel]
    rows: pl.DataFrame
    history: pl.DataFrame
    costs: Costs
    goals: Sequence[Standing]
    first: date
    last: date
    now: datetime
    zone: ZoneInfo
    attribution: str = "first"
    smallest_group: int = 5
    per_person: bool = False
    undated: int = 0
    handover: Mapping[str, Any] | None = None
    review: Sequence[Mapping[str, Any]] | None = None
    with_review: bool = False

    @property
    def today(self) -> date:
        return self.now.astimezone(self.zone).date()

    @cached_property
    def leads(self) -> pl.DataFrame:
        """The journeys of the period."""
        return within(self.rows, period_between(self.first, self.last, self.zone))

    @cached_property
    def maturity(self) -> Maturity:
        return maturity(self.rows)

    @property
    def mature_before(self) -> datetime | None:
        return None if self.maturity.days is None else self.now - timedelta(days=self.maturity.days)


def tell(counted: Counting, voice: Voice) -> Document:
    """The document, its sections from the whole to the parts."""
    policy = counted.policy
    funnel_asked = FunnelAsked(
        counted.leads,
        counted.channels,
        counted.maturity,
        counted.per_person,
        counted.smallest_group,
        counted.mature_before,
    )
    bands = [band.name for band in policy.bands]
    sections = (
        _overview(counted, voice),
        *funnel_sections(funnel_asked, voice),
        *cost_sections(_cost_asked(counted), voice),
        goal_section(counted.goals, voice),
        handover_section(counted.handover, voice),
        outcome_section(outcome(counted.history, counted.leads), bands, policy.label, voice),
        track_section(tracks(counted.history), voice),
        *((review_section(counted.review, policy.label, voice),) if counted.with_review else ()),
    )
    period = voice.say("report.period", first=voice.day(counted.first), last=voice.day(counted.last))
    return Document(
        voice.say("report.title"), voice.language, counted.first, counted.last, counted.now, period, sections
    )


def _cost_asked(counted: Counting) -> CostAsked:
    return CostAsked(
        counted.costs,
        counted.leads,
        counted.rows,
        counted.first,
        counted.last,
        counted.today,
        counted.policy.currency,
        counted.maturity,
        counted.mature_before,
        counted.attribution,
        counted.undated,
    )


def _overview(counted: Counting, voice: Voice) -> Section:
    found = funnel(counted.leads)
    spent = summed(counted.costs.rows, counted.first, counted.last, lambda _: None).get(None, Spent()).spent
    currency = counted.policy.currency

    def per(number: int) -> Money | None:
        return Money((spent / number).quantize(Decimal("0.01")), currency) if spent and number else None

    columns = (
        Column("leads", voice.say("col.leads"), "count"),
        Column("mqls", voice.say("col.mqls"), "rate", voice.say("of.leads")),
        Column("customers", voice.say("col.customers"), "rate", voice.say("of.leads")),
        Column("spent", voice.say("col.spent"), "money"),
        Column("per_lead", voice.say("col.per_lead"), "money"),
        Column("per_customer", voice.say("col.per_customer"), "money"),
    )
    row: tuple[Cell, ...] = (
        found.reached["lead"],
        found.of_leads("mql"),
        found.of_leads("customer"),
        None if spent is None else Money(spent, currency),
        per(found.reached["lead"]),
        per(found.reached["customer"]),
    )
    sentence = voice.say("overview.sentence", first=voice.day(counted.first), last=voice.day(counted.last))
    notes = (voice.say("report.denominators"),)
    return Section(
        "overview", voice.say("overview.title"), sentence, (Table("overview", columns, (row,)),), notes
    )
