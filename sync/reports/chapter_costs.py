"""What leads cost, what more money would buy, and the warning about the cheapest channel, told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

import polars as pl

from sync.reports.costs import (
    PER,
    ChannelCost,
    Costs,
    Money,
    Spent,
    ahead,
    bought_by,
    by_month,
    channel_costs,
    cheapest_is_not_what_pays,
    summed,
)
from sync.reports.document import Cell, Chart, Column, Section, Table
from sync.reports.funnel import Maturity
from sync.reports.voice import Voice

#: What more money would buy is asked of this amount.
NEXT = Decimal(1000)
SHOWN = 30


@dataclass(frozen=True, slots=True)
class CostAsked:
    """What costs are told of. ``leads``: ``JOURNEYS`` of the period from ``first`` to ``last``, both included;
    ``every``: of all time. ``mature_before``: see ``channel_costs``. ``undated``: campaigns without a day."""

    costs: Costs
    leads: pl.DataFrame
    every: pl.DataFrame
    first: date
    last: date
    today: date
    currency: str
    maturity: Maturity
    mature_before: datetime | None
    attribution: str
    undated: int = 0


def cost_sections(asked: CostAsked, voice: Voice) -> list[Section]:
    """The costs, and what the next thousand would buy; where no cost is known, one section that says so."""
    if not asked.costs.rows and not asked.costs.apart:
        return [Section("costs", voice.say("costs.title"), voice.say("costs.none"))]
    spent = summed(asked.costs.rows, asked.first, asked.last, lambda row: row.channel)
    rows = channel_costs(asked.leads, spent, mature_before=asked.mature_before)
    return [_costs(asked, rows, voice), _more(asked, rows, voice)]


def _costs(asked: CostAsked, rows: Sequence[ChannelCost], voice: Voice) -> Section:
    whole = sum((row.cost for row in rows), Spent())
    notes = [
        voice.say(f"attribution.{asked.attribution}"),
        voice.say("costs.note_period"),
        voice.say("costs.note_campaigns"),
        _told_maturity(asked, voice),
    ]
    if asked.costs.apart:
        notes.append(
            voice.say("costs.note_apart", currencies=", ".join(asked.costs.apart), to=asked.currency)
        )
    if asked.undated:
        notes.append(voice.say("costs.note_undated", n=voice.count(asked.undated)))
    tables = [
        _by_channel(asked, rows, voice),
        _campaigns(asked, voice),
        _kinds(asked, voice),
        _months(asked, voice),
    ]
    if asked.costs.apart:
        tables.append(_apart(asked.costs, voice))
    return Section(
        "costs",
        voice.say("costs.title"),
        voice.say(
            "costs.sentence",
            spent=voice.money(Money(whole.spent or Decimal(0), asked.currency)),
            planned=voice.money(Money(whole.planned or Decimal(0), asked.currency)),
            leads=voice.count(sum(row.leads for row in rows)),
        ),
        tuple(tables),
        tuple(notes),
        _warnings(asked, rows, voice),
        _month_chart(asked, voice),
    )


def _told_maturity(asked: CostAsked, voice: Voice) -> str:
    if asked.maturity.days is None:
        return voice.say("maturity.unknown", n=voice.count(asked.maturity.customers))
    return voice.say("maturity.costs", days=voice.count(asked.maturity.days))


def _money(amount: Decimal | None, currency: str) -> Money | None:
    return None if amount is None else Money(amount, currency)


def _by_channel(asked: CostAsked, rows: Sequence[ChannelCost], voice: Voice) -> Table:
    columns = [
        Column("channel", voice.say("col.channel")),
        Column("planned", voice.say("col.planned"), "money"),
        Column("spent", voice.say("col.spent"), "money"),
    ]
    for what in PER:
        columns.append(Column(f"{what}s", voice.say(f"col.{what}s"), "count"))
        columns.append(Column(f"per_{what}", voice.say(f"col.per_{what}"), "money"))
    columns.append(Column("volume", voice.say("col.volume"), "money"))
    columns.append(Column("mature", voice.say("col.mature"), "rate", voice.say("of.leads")))
    found: list[tuple[Cell, ...]] = []
    for row in rows:
        counts = {"lead": row.leads, "mql": row.mqls, "customer": row.customers}
        per = [cell for what in PER for cell in (counts[what], _money(row.per(what), asked.currency))]
        money = [_money(each, asked.currency) for each in (row.cost.planned, row.cost.spent)]
        name = row.channel or voice.say("none.channel")
        found.append((name, *money, *per, _money(row.volume, asked.currency), row.mature))
    return Table("costs_by_channel", tuple(columns), tuple(found), voice.say("table.by_channel"))


def _campaigns(asked: CostAsked, voice: Voice) -> Table:
    """The campaigns that cost something, with what a lead, an MQL and a customer of each cost.

    One that no lead was ever seen with has no leads: nobody can say whether it brought any.
    """
    sums = summed(asked.costs.rows, asked.first, asked.last, lambda row: row.campaign)
    by_campaign = asked.leads.drop("channel").rename({"campaign": "channel"})
    found = channel_costs(by_campaign, sums, mature_before=asked.mature_before)
    seen = set(asked.every["campaign"].drop_nulls())
    columns = [
        Column("campaign", voice.say("col.cost_campaign")),
        Column("planned", voice.say("col.planned"), "money"),
        Column("spent", voice.say("col.spent"), "money"),
    ]
    for what in PER:
        columns.append(Column(f"{what}s", voice.say(f"col.{what}s"), "count"))
        columns.append(Column(f"per_{what}", voice.say(f"col.per_{what}"), "money"))
    columns.append(Column("mature", voice.say("col.mature"), "rate", voice.say("of.leads")))
    rows: list[tuple[Cell, ...]] = []
    for one in [one for one in found if one.channel in sums][:SHOWN]:
        counts = {"lead": one.leads, "mql": one.mqls, "customer": one.customers}
        told: list[Cell] = [one.channel or voice.say("none.campaign")]
        told += [_money(each, asked.currency) for each in (one.cost.planned, one.cost.spent)]
        known = one.channel in seen
        for what in PER:
            told += [counts[what], _money(one.per(what), asked.currency)] if known else [None, None]
        rows.append((*told, one.mature if known else None))
    return Table("costs_by_campaign", tuple(columns), tuple(rows), voice.say("table.by_campaign"))


def _kinds(asked: CostAsked, voice: Voice) -> Table:
    """Planned and spent by kind."""
    sums = summed(asked.costs.rows, asked.first, asked.last, lambda row: voice.say(f"cost.{row.kind}"))
    columns = (
        Column("kind", voice.say("col.cost_kind")),
        Column("planned", voice.say("col.planned"), "money"),
        Column("spent", voice.say("col.spent"), "money"),
    )
    ordered = sorted(sums.items(), key=lambda item: (-(item[1].spent or 0), item[0] or ""))
    rows = [
        (name, _money(one.planned, asked.currency), _money(one.spent, asked.currency))
        for name, one in ordered[:SHOWN]
    ]
    return Table("costs_by_kind", columns, tuple(rows), voice.say("table.by_kind"))


def _months(asked: CostAsked, voice: Voice) -> Table:
    columns = (
        Column("month", voice.say("col.month")),
        Column("planned", voice.say("col.planned"), "money"),
        Column("spent", voice.say("col.spent"), "money"),
    )
    rows = [
        (voice.month(month), _money(one.planned, asked.currency), _money(one.spent, asked.currency))
        for month, one in by_month(asked.costs.rows, asked.first, asked.last).items()
    ]
    return Table("costs_by_month", columns, tuple(rows), voice.say("table.by_month"))


def _apart(costs: Costs, voice: Voice) -> Table:
    columns = (
        Column("currency", voice.say("col.currency")),
        Column("planned", voice.say("col.planned"), "money"),
        Column("spent", voice.say("col.spent"), "money"),
    )
    rows = [(code, _money(one.planned, code), _money(one.spent, code)) for code, one in costs.apart.items()]
    return Table("costs_apart", columns, tuple(rows), voice.say("table.apart"))


def _month_chart(asked: CostAsked, voice: Voice) -> Chart | None:
    months = by_month(asked.costs.rows, asked.first, asked.last)
    rows = [
        {"month": month, "amount": float(amount), "what": voice.say(f"col.{what}")}
        for month, one in months.items()
        for what, amount in (("planned", one.planned), ("spent", one.spent))
        if amount is not None
    ]
    about = voice.say("costs.chart", currency=asked.currency)
    return Chart("months", about, "month", "amount", rows, color="what") if len(rows) > 1 else None


def _warnings(asked: CostAsked, rows: Sequence[ChannelCost], voice: Voice) -> tuple[str, ...]:
    warned = cheapest_is_not_what_pays(rows)
    if warned is None:
        return ()
    cheap, pays = warned.cheapest_lead, warned.cheapest_customer
    told = {
        "cheap": cheap.channel,
        "pays": pays.channel,
        "cheap_lead": voice.money(Money(cheap.per("lead") or Decimal(0), asked.currency)),
        "pays_lead": voice.money(Money(pays.per("lead") or Decimal(0), asked.currency)),
        "pays_customer": voice.money(Money(pays.per("customer") or Decimal(0), asked.currency)),
        "cheap_customers": voice.count(cheap.customers),
        "pays_customers": voice.count(pays.customers),
    }
    customer = cheap.per("customer")
    if customer is None:
        told["cheap_customer"] = voice.say("costs.no_customer")
    else:
        told["cheap_customer"] = voice.say(
            "costs.a_customer", money=voice.money(Money(customer, asked.currency))
        )
    sure = voice.say("costs.warning_sure" if warned.sure else "costs.warning_unsure")
    return (f"{voice.say('costs.warning', **told)} {sure}",)


def _more(asked: CostAsked, rows: Sequence[ChannelCost], voice: Voice) -> Section:
    """What the next thousand would buy, and what is planned ahead."""
    columns = (
        Column("channel", voice.say("col.channel")),
        Column("spent", voice.say("col.spent"), "money"),
        *(Column(f"{what}s", voice.say(f"col.{what}s"), "expected") for what in PER),
    )
    bought = []
    for row in rows:
        if row.channel and row.cost.spent:
            counts = (row.leads, row.mqls, row.customers)
            expected = [bought_by(NEXT, count, row.cost.spent) for count in counts]
            bought.append((row.channel, _money(row.cost.spent, asked.currency), *expected))
    amount = voice.money(Money(NEXT, asked.currency))
    tables = [Table("next_thousand", columns, tuple(bought), voice.say("table.next", amount=amount))]
    planned = ahead(asked.costs.rows, asked.every, asked.today)
    if planned:
        tables.append(_ahead(asked, voice))
    return Section(
        "next_thousand",
        voice.say("next.title", amount=amount),
        voice.say("next.sentence", amount=amount),
        tuple(tables),
        (voice.say("next.note"), *((voice.say("next.note_ahead"),) if planned else ())),
    )


def _ahead(asked: CostAsked, voice: Voice) -> Table:
    columns = (
        Column("begins", voice.say("col.begins"), "date"),
        Column("campaign", voice.say("col.cost_campaign")),
        Column("channel", voice.say("col.channel")),
        Column("planned", voice.say("col.planned"), "money"),
        Column("leads", voice.say("col.leads"), "expected"),
        Column("per_lead", voice.say("col.per_lead"), "money_range"),
        Column("earlier", voice.say("col.earlier"), "count"),
    )
    rows: list[tuple[Cell, ...]] = []
    for one in ahead(asked.costs.rows, asked.every, asked.today):
        ends = one.per_lead()
        spread = (Money(ends[0], asked.currency), Money(ends[1], asked.currency)) if ends else None
        name = one.row.campaign or voice.say("none.campaign")
        channel = one.row.channel or voice.say("none.channel")
        rows.append(
            (
                one.row.first,
                name,
                channel,
                _money(one.row.planned, asked.currency),
                one.leads,
                spread,
                one.earlier,
            )
        )
    return Table("ahead", columns, tuple(rows), voice.say("table.ahead"))
