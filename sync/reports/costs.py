"""What leads cost: by channel, campaign, month and kind, per lead, per MQL and per customer, and what more would buy.

Pure. Costs of a period are held against the leads whose first interest began in it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import ROUND_HALF_EVEN, Decimal

import polars as pl

from sync.reports.costrows import CENT, CostRow, month_after
from sync.reports.funnel import Rate
from sync.reports.intervals import poisson
from sync.reports.journeys import STEPS

#: With fewer events nobody can say what more money would buy.
TOO_FEW = 5
#: What a channel is asked about: what does one of these cost?
PER = ("lead", "mql", "customer")


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in a currency (ISO 4217)."""

    amount: Decimal
    currency: str


@dataclass(frozen=True, slots=True)
class Spent:
    """What was planned and spent; None where nobody said."""

    planned: Decimal | None = None
    spent: Decimal | None = None

    def __add__(self, other: Spent) -> Spent:
        return Spent(_sum(self.planned, other.planned), _sum(self.spent, other.spent))


@dataclass(frozen=True, slots=True)
class ChannelCost:
    """A channel's costs and leads of one period. ``mature``: leads old enough for their outcome to count.

    ``volume``: the order volume of its customers, None where none is known.
    """

    channel: str | None
    cost: Spent
    leads: int
    mqls: int
    customers: int
    mature: Rate | None
    volume: Decimal | None

    def per(self, what: str) -> Decimal | None:
        """What one of them cost; None where nothing was spent or there is none."""
        count = {"lead": self.leads, "mql": self.mqls, "customer": self.customers}[what]
        if self.cost.spent is None or not self.cost.spent or not count:
            return None
        return (self.cost.spent / count).quantize(CENT, ROUND_HALF_EVEN)


@dataclass(frozen=True, slots=True)
class Costs:
    """Costs in one currency, and ``apart`` what could not be converted: one row a currency."""

    rows: tuple[CostRow, ...] = ()
    apart: Mapping[str, Spent] = field(default_factory=dict)


def _sum(one: Decimal | None, other: Decimal | None) -> Decimal | None:
    return other if one is None else one if other is None else one + other


def converted(
    rows: Iterable[CostRow], currency: str, rates_on: Callable[[date], Mapping[str, Decimal]]
) -> Costs:
    """Every row in ``currency``, by the rates of its first day; a currency without a rate stays apart.

    ``rates_on``: the worth of one unit of each other currency on a day.
    """
    kept: list[CostRow] = []
    apart: dict[str, Spent] = defaultdict(Spent)
    for row in rows:
        rate = Decimal(1) if row.currency == currency else rates_on(row.first).get(row.currency)
        if rate is None:
            apart[row.currency] += Spent(row.planned, row.spent)
            continue
        planned, spent = (
            None if amount is None else (amount * rate).quantize(CENT, ROUND_HALF_EVEN)
            for amount in (row.planned, row.spent)
        )
        kept.append(replace(row, planned=planned, spent=spent, currency=currency))
    return Costs(tuple(kept), dict(sorted(apart.items())))


def summed(
    rows: Iterable[CostRow], first: date, last: date, key: Callable[[CostRow], str | None]
) -> dict[str | None, Spent]:
    """Planned and spent of these days (both included), by ``key``."""
    sums: dict[str | None, Spent] = defaultdict(Spent)
    for row in rows:
        if row.last >= first and row.first <= last:
            sums[key(row)] += Spent(row.part(row.planned, first, last), row.part(row.spent, first, last))
    return dict(sums)


def by_month(rows: Sequence[CostRow], first: date, last: date) -> dict[date, Spent]:
    """Planned and spent of each month that these days touch, in order."""
    found: dict[date, Spent] = {}
    month = first.replace(day=1)
    while month <= last:
        after = month_after(month)
        whole = summed(
            rows, max(first, month), min(last, date.fromordinal(after.toordinal() - 1)), lambda _: ""
        )
        found[month] = whole.get("", Spent())
        month = after
    return found


def channel_costs(
    leads: pl.DataFrame, spent: Mapping[str | None, Spent], *, mature_before: datetime | None
) -> list[ChannelCost]:
    """One row a channel that has leads or costs, most spent first.

    ``leads``: ``JOURNEYS`` of the period. ``mature_before``: whose first interest is older counts as mature; None
    where nobody can say.
    """
    groups = {
        name: mine
        for (name,), mine in leads.filter(pl.col("reached") >= STEPS["lead"])
        .partition_by("channel", as_dict=True)
        .items()
    }
    rows = [
        _channel(name, groups.get(name, leads.clear()), spent.get(name, Spent()), mature_before)
        for name in {*groups, *spent}
    ]
    return sorted(
        rows, key=lambda row: (row.channel is None, -(row.cost.spent or 0), -row.leads, row.channel or "")
    )


def _channel(
    name: str | None, mine: pl.DataFrame, cost: Spent, mature_before: datetime | None
) -> ChannelCost:
    mature = None
    if mature_before is not None:
        mature = Rate(mine.filter(pl.col("first_interest") < mature_before).height, mine.height)
    customers = mine.filter(pl.col("reached") >= STEPS["customer"])
    known = customers["volume"].drop_nulls()
    volume = sum(known.to_list(), Decimal(0)) if len(known) else None
    mqls = mine.filter(pl.col("reached") >= STEPS["mql"]).height
    return ChannelCost(name, cost, mine.height, mqls, customers.height, mature, volume)


@dataclass(frozen=True, slots=True)
class Warned:
    """The channel with the cheapest leads is another one than that with the cheapest customers.

    ``sure``: the two numbers of customers per euro could not well be the same (their intervals lie apart).
    """

    cheapest_lead: ChannelCost
    cheapest_customer: ChannelCost
    sure: bool


def cheapest_is_not_what_pays(rows: Sequence[ChannelCost]) -> Warned | None:
    """The warning, or None where the cheapest channel also pays best, or nothing can be compared."""
    with_leads = [row for row in rows if row.channel is not None and row.per("lead") is not None]
    with_customers = [row for row in with_leads if row.per("customer") is not None]
    if not with_customers:
        return None
    cheap = min(with_leads, key=lambda row: row.per("lead") or Decimal(0))
    pays = min(with_customers, key=lambda row: row.per("customer") or Decimal(0))
    if cheap.channel == pays.channel:
        return None
    spent_there, spent_here = cheap.cost.spent, pays.cost.spent
    if not spent_there or not spent_here:
        return None
    most_there = poisson(cheap.customers)[1] / float(spent_there)
    least_here = poisson(pays.customers)[0] / float(spent_here)
    return Warned(cheap, pays, sure=most_there < least_here)


@dataclass(frozen=True, slots=True)
class Expected:
    """How many an amount of money would bring, if it worked like the money spent so far.

    ``count``: how many were seen, on which the number rests. ``low`` and ``high``: the 95 % interval.
    """

    expected: float
    low: float
    high: float
    count: int

    @property
    def too_few(self) -> bool:
        return self.count < TOO_FEW


def bought_by(amount: Decimal, count: int, spent: Decimal | None) -> Expected | None:
    """What ``amount`` would bring where ``spent`` brought ``count``; None where nothing was spent."""
    if not spent or spent <= 0:
        return None
    share = float(amount / spent)
    low, high = poisson(count)
    return Expected(count * share, low * share, high * share, count)


@dataclass(frozen=True, slots=True)
class Ahead:
    """A cost that is still to come, such as a fair, with the range of leads that earlier ones make likely.

    ``earlier``: campaigns of the same channel that it rests on. ``leads`` None: there were none with costs.
    """

    row: CostRow
    leads: Expected | None
    earlier: int

    def per_lead(self) -> tuple[Decimal, Decimal] | None:
        """The range of the cost of one lead; None where nothing is known, or nobody may come."""
        if self.leads is None or self.row.planned is None or self.leads.low <= 0:
            return None
        cheap, dear = (self.row.planned / Decimal(str(each)) for each in (self.leads.high, self.leads.low))
        return cheap.quantize(CENT), dear.quantize(CENT)


def ahead(rows: Sequence[CostRow], leads: pl.DataFrame, today: date) -> list[Ahead]:
    """Every planned campaign that begins after today, soonest first, held against the channel's past.

    The range covers the interval of all earlier campaigns together and each of them alone: fairs differ more than
    chance does.
    """
    past = [row for row in rows if row.first <= today and row.spent]
    return [
        _ahead(row, [one for one in past if one.channel == row.channel], leads)
        for row in _by_campaign(rows, lambda row: row.first > today and bool(row.planned))
    ]


def _by_campaign(rows: Sequence[CostRow], wanted: Callable[[CostRow], bool]) -> list[CostRow]:
    """The rows with the kinds of cost of one campaign put together."""
    found: dict[tuple[str | None, str | None, date, date], CostRow] = {}
    for row in filter(wanted, rows):
        key = (row.channel, row.campaign, row.first, row.last)
        before = found.get(key)
        if before is not None:
            row = replace(
                row,
                planned=_sum(before.planned, row.planned),
                spent=_sum(before.spent, row.spent),
                kind="all",
            )
        found[key] = row
    return sorted(found.values(), key=lambda row: (row.first, row.channel or "", row.campaign or ""))


def _ahead(row: CostRow, past: Sequence[CostRow], leads: pl.DataFrame) -> Ahead:
    spent = sum((one.spent for one in past if one.spent), Decimal(0))
    mine = leads.filter(pl.col("channel").eq_missing(row.channel) & (pl.col("reached") >= STEPS["lead"]))
    expected = bought_by(row.planned or Decimal(0), mine.height, spent)
    campaigns: dict[str, Decimal] = defaultdict(Decimal)
    for one in past:
        if one.campaign and one.spent:
            campaigns[one.campaign] += one.spent
    if expected is None:
        return Ahead(row, None, 0)
    counted = dict(mine.group_by("campaign").len().iter_rows())
    alone = [
        float((row.planned or Decimal(0)) * counted[name] / paid)
        for name, paid in campaigns.items()
        if counted.get(name)
    ]
    low, high = min([expected.low, *alone]), max([expected.high, *alone])
    return Ahead(row, replace(expected, low=low, high=high), len(alone))
