"""Make a report: read, count, and tell it as one document. The same function serves the command and a schedule.

Nothing is written but the numbers of goals whose period has ended: they are kept as they are first told.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from mapping.lead import LEAD_FIELDS
from sync.app import VOCABULARIES
from sync.reports.chapter_costs import CostAsked, cost_sections
from sync.reports.chapter_funnel import FunnelAsked, funnel_sections
from sync.reports.chapter_goals import goal_section
from sync.reports.chapter_outcome import outcome_section, track_section
from sync.reports.costfile import read_costs
from sync.reports.costs import Costs, Money, Spent, converted, summed
from sync.reports.declared import Declared, read_declared
from sync.reports.document import Cell, Column, Document, Section, Table
from sync.reports.funnel import Maturity, funnel, maturity
from sync.reports.gather import Campaigns, Gathered, gather, midnight, read_campaigns
from sync.reports.goals import Counted, Frozen, Standing, count, period_between, stand
from sync.reports.journeys import within
from sync.reports.outcome import outcome, tracks
from sync.reports.voice import Language, Voice
from sync.settings import Settings
from sync.store.reporting import FrozenPeriod
from sync.work import Work, judged_fields
from sync.wrongconfig import WrongConfig, problem


@dataclass(frozen=True)
class Rules:
    """How to count, from the config. ``costs``: those of ``[[costs]]`` and of the file, in their own currencies."""

    declared: Declared
    zone: ZoneInfo
    attribution: str
    salesforce_campaigns: bool
    smallest_group: int
    per_person: bool


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody wants to see. ``first`` and ``last``: days, both included; None: the last twelve months."""

    language: Language
    first: date | None = None
    last: date | None = None
    handover_review: bool = False


def rules_of(settings: Settings, currency: str) -> Rules:
    """The rules of a config. Raises WrongConfig with every problem and its line.

    ``currency``: of costs that name none.
    """
    fields = judged_fields({**LEAD_FIELDS, **settings.custom_fields})
    declared, wrong = read_declared(
        settings.policy, fields=fields, vocabularies=VOCABULARIES, currency=currency
    )
    if wrong:
        raise WrongConfig(
            [problem(settings.where(one.path), str(one), "correct the setting") for one in wrong]
        )
    if settings.files.costs is not None:
        names = [channel.name for channel in declared.channels]
        rows = read_costs(Path(settings.files.costs), names, currency)
        declared = replace(declared, costs=(*declared.costs, *rows))
    ours = settings.reports
    return Rules(
        declared,
        ZoneInfo(ours.time_zone),
        ours.attribution,
        ours.salesforce_campaigns,
        ours.smallest_group,
        settings.privacy.per_person_reports,
    )


@dataclass(frozen=True)
class _Counting:
    """Everything that the sections of one report share."""

    work: Work
    rules: Rules
    gathered: Gathered
    campaigns: Campaigns | None
    costs: Costs
    first: date
    last: date
    now: datetime
    maturity: Maturity

    @property
    def today(self) -> date:
        return self.now.astimezone(self.rules.zone).date()

    @property
    def leads(self) -> Any:
        return within(self.gathered.rows, period_between(self.first, self.last, self.rules.zone))

    @property
    def mature_before(self) -> datetime | None:
        return None if self.maturity.days is None else self.now - timedelta(days=self.maturity.days)


def make_report(work: Work, rules: Rules, asked: Asked) -> Document:
    """The whole report. Raises the connectors' errors only where campaigns come from Salesforce."""
    counting = _count(work, rules, asked)
    voice = Voice(asked.language, rules.zone)
    leads = counting.leads
    policy = work.policy
    sections = [
        _overview(counting, voice),
        *funnel_sections(
            FunnelAsked(
                leads, rules.declared.channels, counting.maturity, rules.per_person, rules.smallest_group
            ),
            voice,
        ),
        *cost_sections(_cost_asked(counting), voice),
        goal_section(goals(counting.work, rules, counting.gathered, counting.now), voice),
        outcome_section(
            outcome(counting.gathered.history, leads),
            [band.name for band in policy.bands],
            policy.label,
            voice,
        ),
        track_section(tracks(counting.gathered.history), voice),
    ]
    period = voice.say("report.period", first=voice.day(counting.first), last=voice.day(counting.last))
    return Document(
        voice.say("report.title"),
        asked.language,
        counting.first,
        counting.last,
        counting.now,
        period,
        tuple(sections),
    )


def _count(work: Work, rules: Rules, asked: Asked) -> _Counting:
    now = work.clock()
    last = asked.last or now.astimezone(rules.zone).date()
    first = asked.first or last.replace(year=last.year - 1, day=min(last.day, 28)) + timedelta(days=1)
    campaigns = read_campaigns(work, rules.declared) if rules.salesforce_campaigns else None
    gathered = gather(work, rules.declared, rules.zone, campaigns=campaigns, attribution=rules.attribution)
    policy = work.policy
    every = (*rules.declared.costs, *(campaigns.costs if campaigns else ()))
    costs = converted(every, policy.currency, lambda day: policy.rates_at(midnight(day, rules.zone)))
    return _Counting(work, rules, gathered, campaigns, costs, first, last, now, maturity(gathered.rows))


def _cost_asked(counting: _Counting) -> CostAsked:
    return CostAsked(
        counting.costs,
        counting.leads,
        counting.gathered.rows,
        counting.first,
        counting.last,
        counting.today,
        counting.work.policy.currency,
        counting.maturity,
        counting.mature_before,
        counting.rules.attribution,
        counting.campaigns.undated if counting.campaigns else 0,
    )


def _overview(counting: _Counting, voice: Voice) -> Section:
    found = funnel(counting.leads)
    sums = summed(counting.costs.rows, counting.first, counting.last, lambda _: None)
    spent = sums.get(None, Spent()).spent
    currency = counting.work.policy.currency

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
    sentence = voice.say("overview.sentence", first=voice.day(counting.first), last=voice.day(counting.last))
    notes = (voice.say("report.denominators"),)
    return Section(
        "overview", voice.say("overview.title"), sentence, (Table("overview", columns, (row,)),), notes
    )


def goals(work: Work, rules: Rules, gathered: Gathered, now: datetime) -> list[Standing]:
    """Every goal as it stands; a period that has ended is frozen when it is first told."""
    reporting = work.store.reporting
    known = reporting.frozen()
    standings: list[Standing] = []
    for goal in rules.declared.goals:
        counted = count(goal, gathered.rows, rules.zone)
        standing = stand(goal, counted, _frozen(known, goal.key, goal.digest), now, rules.zone)
        if standing.state == "closed" and standing.frozen is None:
            reporting.freeze(
                FrozenPeriod(
                    goal.key, goal.digest, goal.first, goal.last, counted.counted, counted.reached, now
                )
            )
            # Read back: another process may have told it a moment ago, and its numbers are the ones that count.
            known = reporting.frozen()
            standing = stand(goal, counted, _frozen(known, goal.key, goal.digest), now, rules.zone)
        standings.append(standing)
    return standings


def _frozen(known: Sequence[FrozenPeriod], key: str, digest: str) -> Frozen | None:
    for one in known:
        if (one.goal, one.digest) == (key, digest):
            return Frozen(digest, Counted(one.counted, one.reached), one.frozen_at)
    return None
