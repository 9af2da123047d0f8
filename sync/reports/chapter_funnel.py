"""The funnel and where the leads come from, told: sections of the document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

import polars as pl

from mapping.own import STAGE_LABELS
from sync.reports.channels import Sources, sources
from sync.reports.declared import Channel
from sync.reports.document import Cell, Chart, Column, Section, Table
from sync.reports.funnel import Funnel, Maturity, Rate, funnel, funnels
from sync.reports.journeys import STEPS
from sync.reports.voice import Voice

#: Rows that a table shows of many groups.
SHOWN = 25
#: Bars of a chart of groups.
DRAWN = 13


@dataclass(frozen=True, slots=True)
class FunnelAsked:
    """What the funnel is told of. ``leads``: ``JOURNEYS`` of the period; ``with_owners``: whether each person may be
    shown; ``smallest``: leads that a campaign or an owner needs for a row of its own. ``mature_before``: whose first
    interest is older counts as mature; None where nobody can say."""

    leads: pl.DataFrame
    channels: Sequence[Channel]
    maturity: Maturity
    with_owners: bool
    smallest: int
    mature_before: datetime | None = None


def funnel_sections(asked: FunnelAsked, voice: Voice) -> list[Section]:
    """The whole funnel, then by channel, campaign, cohort and, where allowed, owner; and the sources."""
    found = [_whole(asked, voice), _grouped("channel", asked, voice, smallest=1)]
    found.append(_grouped("campaign", asked, voice, smallest=asked.smallest))
    found.append(_grouped("cohort", asked, voice, smallest=1))
    if asked.with_owners:
        found.append(_grouped("owner", asked, voice, smallest=asked.smallest))
    return [*found, _sources(sources(asked.leads, asked.channels), asked.channels, voice)]


def label(step: str, voice: Voice) -> str:
    """What people call a stage."""
    return STAGE_LABELS[voice.language][step]


def _whole(asked: FunnelAsked, voice: Voice) -> Section:
    found = funnel(asked.leads)
    customers = found.of_leads("customer")
    chart = Chart(
        "bars",
        voice.say("funnel.chart"),
        "leads",
        "stage",
        [{"leads": found.reached[step], "stage": label(step, voice)} for step in STEPS],
    )
    return Section(
        "funnel",
        voice.say("funnel.title"),
        voice.say(
            "funnel.sentence",
            leads=voice.count(found.reached["lead"]),
            mqls=voice.count(found.reached["mql"]),
            customers=voice.count(customers.numerator),
            rate=voice.percent(customers.value or 0),
        ),
        (_steps(found, voice),),
        _notes(asked, voice),
        chart=chart if found.reached["lead"] else None,
    )


def _steps(found: Funnel, voice: Voice) -> Table:
    columns = (
        Column("stage", voice.say("col.stage")),
        Column("reached", voice.say("col.reached"), "count"),
        Column("of_step_before", voice.say("col.of_step_before"), "rate", voice.say("of.step_before")),
        Column("of_leads", voice.say("col.of_leads"), "rate", voice.say("of.leads")),
        Column("time", voice.say("col.time_from_before"), "days"),
    )
    rows: list[tuple[Cell, ...]] = [
        (
            label(step, voice),
            found.reached[step],
            None if step == "lead" else found.of_step_before(step),
            None if step == "lead" else found.of_leads(step),
            found.times.get(step),
        )
        for step in STEPS
    ]
    return Table("funnel", columns, tuple(rows))


def _notes(asked: FunnelAsked, voice: Voice) -> tuple[str, ...]:
    leads = asked.leads.filter(pl.col("reached") >= STEPS["lead"])
    assumed = leads.filter(~pl.col("interest_known")).height
    notes = [voice.say("funnel.note_times")]
    if assumed:
        notes.append(voice.say("funnel.note_assumed", n=voice.count(assumed), of=voice.count(leads.height)))
    return (*notes, _told_maturity(asked.maturity, voice))


def _told_maturity(maturity: Maturity, voice: Voice) -> str:
    if maturity.days is None:
        return voice.say("maturity.unknown", n=voice.count(maturity.customers))
    return voice.say("maturity.known", days=voice.count(maturity.days), n=voice.count(maturity.customers))


def _grouped(by: str, asked: FunnelAsked, voice: Voice, *, smallest: int) -> Section:
    found, hidden = funnels(asked.leads, by, smallest=smallest)
    shown = found if by == "cohort" else found[:SHOWN]
    name = Column(by, voice.say(f"col.{by}"), "text")
    names = {one.group: _name(one, by, voice) for one in shown}
    notes = []
    if hidden:
        notes.append(voice.say("group.hidden", n=voice.count(hidden), smallest=voice.count(smallest)))
    if len(found) > len(shown):
        notes.append(
            voice.say("group.more", n=voice.count(len(found) - len(shown)), shown=voice.count(len(shown)))
        )
    if by == "owner":
        notes.append(voice.say("owner.note"))
    counts = _counts(by, name, shown, names, voice)
    tables = [_with_maturity(counts, shown, asked, voice) if by == "cohort" else counts]
    if any(spread.leads for one in shown for spread in one.times.values()):
        tables.append(_times(by, name, shown, names, voice))
    return Section(
        f"funnel_by_{by}",
        voice.say(f"by.{by}.title"),
        voice.say(f"by.{by}.sentence"),
        tuple(tables),
        tuple(notes),
        chart=_chart(by, shown, names, voice),
    )


def _name(one: Funnel, by: str, voice: Voice) -> str:
    if one.group is None:
        return voice.say(f"none.{by}")
    return voice.month(date.fromisoformat(one.group)) if by == "cohort" else one.group


def _counts(
    by: str, name: Column, shown: Sequence[Funnel], names: Mapping[str | None, str], voice: Voice
) -> Table:
    steps = list(STEPS)[1:]
    columns = [name, Column("leads", voice.say("col.leads"), "count")]
    for before, step in zip(STEPS, steps, strict=False):
        title = voice.say("col.becomes", stage=label(step, voice))
        columns.append(Column(step, title, "rate", voice.say("of.stage", stage=label(before, voice))))
    columns.append(
        Column("customers_of_leads", voice.say("col.customers_of_leads"), "rate", voice.say("of.leads"))
    )
    rows: list[tuple[Cell, ...]] = [
        (
            names[one.group],
            one.reached["lead"],
            *(one.of_step_before(step) for step in steps),
            one.of_leads("customer"),
        )
        for one in shown
    ]
    return Table(f"funnel_by_{by}", tuple(columns), tuple(rows), voice.say("table.conversion"))


def _with_maturity(table: Table, shown: Sequence[Funnel], asked: FunnelAsked, voice: Voice) -> Table:
    """The table of cohorts with how many of each have had the time that buying takes."""
    before = asked.mature_before
    if before is None:
        return table
    old = asked.leads.filter(pl.col("first_interest") < before).group_by("cohort").len()
    counted = {day.isoformat(): leads for day, leads in old.drop_nulls().iter_rows()}
    column = Column("mature", voice.say("col.mature"), "rate", voice.say("of.leads"))
    rows = tuple(
        (*row, Rate(min(counted.get(one.group or "", 0), one.reached["lead"]), one.reached["lead"]))
        for row, one in zip(table.rows, shown, strict=True)
    )
    return replace(table, columns=(*table.columns, column), rows=rows)


def _times(
    by: str, name: Column, shown: Sequence[Funnel], names: Mapping[str | None, str], voice: Voice
) -> Table:
    steps = list(STEPS)[1:]
    columns = [name]
    for before, step in zip(STEPS, steps, strict=False):
        start = voice.say("word.interest") if before == "lead" else label(before, voice)
        columns.append(Column(f"to_{step}", f"{start} → {label(step, voice)}", "days"))
    rows: list[tuple[Cell, ...]] = [(names[one.group], *(one.times[step] for step in steps)) for one in shown]
    return Table(f"times_by_{by}", tuple(columns), tuple(rows), voice.say("table.times"))


def _chart(by: str, shown: Sequence[Funnel], names: Mapping[str | None, str], voice: Voice) -> Chart | None:
    """The share of MQLs with its interval: of the largest groups, or the latest months."""
    if len(shown) < 2:
        return None
    drawn = shown[-DRAWN:] if by == "cohort" else shown[:DRAWN]
    rows = [_bar(names[one.group], one.of_leads("mql")) for one in drawn if one.reached["lead"]]
    return Chart("rates", voice.say("chart.mql_rate", by=voice.say(f"col.{by}")), "rate", "group", rows)


def _bar(name: str, rate: Rate) -> dict[str, object]:
    return {"group": f"{name} ({rate.denominator})", "rate": rate.value, "low": rate.low, "high": rate.high}


def _sources(found: Sources, channels: Sequence[Channel], voice: Voice) -> Section:
    missing = Rate(found.blank.numerator + found.unfit.numerator, found.blank.denominator)
    sentence = voice.say(
        "sources.sentence",
        rate=voice.percent(missing.value or 0),
        n=voice.count(missing.numerator),
        of=voice.count(missing.denominator),
    )
    unlike = voice.count(found.disagreeing.numerator)
    conflict = voice.say("sources.conflict_note", n=unlike, of=voice.count(found.compared))
    notes = (voice.say("sources.note"), conflict) if channels else (voice.say("sources.undeclared"),)
    shares = _shares(found, channels, voice)
    bars = [
        {"leads": rate.numerator, "channel": name}
        for name, _, rate in shares.rows
        if isinstance(rate, Rate) and rate.numerator
    ]
    chart = Chart("bars", voice.say("sources.chart"), "leads", "channel", bars) if len(bars) > 1 else None
    tables = (shares, _unlike(found, voice)) if found.disagreements else (shares,)
    return Section("sources", voice.say("sources.title"), sentence, tables, notes, chart=chart)


def _shares(found: Sources, channels: Sequence[Channel], voice: Voice) -> Table:
    kinds = {one.name: voice.say(f"kind.{one.kind}") for one in channels}
    rows: list[tuple[Cell, ...]] = [(name, kinds[name], rate) for name, rate in found.by_channel.items()]
    rows += [(voice.say("sources.unfit"), None, found.unfit), (voice.say("sources.blank"), None, found.blank)]
    columns = (
        Column("channel", voice.say("col.channel")),
        Column("kind", voice.say("col.channel_kind")),
        Column("share", voice.say("col.share"), "rate", voice.say("of.leads")),
    )
    return Table("channels", columns, tuple(rows))


def _unlike(found: Sources, voice: Voice) -> Table:
    columns = (
        Column("hubspot", voice.say("col.hubspot_says")),
        Column("salesforce", voice.say("col.salesforce_says")),
        Column("leads", voice.say("col.leads"), "count"),
    )
    rows = tuple((one.hubspot, one.salesforce, one.leads) for one in found.disagreements[:SHOWN])
    return Table("conflicting_sources", columns, rows, voice.say("sources.conflicts"))
