"""What the channels cost: planned and spent, by campaign, month and kind of cost."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

from connectors.sandbox.generate.lexicon import Channel, lexicon

_MONTHS = 24
_PEOPLE = 5_000
_CENT = Decimal("0.01")
# Salesforce's own words for the type of a campaign; the rest is "Other".
_TYPES = {
    "paid_search": "Advertisement",
    "social": "Advertisement",
    "email": "Email",
    "newsletter": "Email",
    "referral": "Referral Program",
    "trade_fair": "Trade Show",
    "researched": "Direct Mail",
}


def campaign_costs(seed: int | str, now: datetime, people: int = _PEOPLE) -> list[dict[str, Any]]:
    """Cost rows of the last 24 months and the running one, oldest first; the sums suit ``people`` people.

    A row is ``{"channel", "campaign", "month", "kind", "planned", "spent", "currency"}``: ``month`` as
    "2026-03", ``kind`` such as "media" or "stand", ``planned`` and ``spent`` as Decimal in ``currency``
    (EUR). In the running month only a part is spent. A trade fair costs money in its own month only.
    Raises ValueError for a ``now`` without a time zone, or people below 1.
    """
    if now.utcoffset() is None:
        raise ValueError("now needs a time zone")
    if people < 1:
        raise ValueError("people has to be at least 1")
    random = Random(f"{seed}/costs")
    rows = [
        row
        for channel in lexicon().channels.values
        for row in _of_channel(channel, now.date(), Decimal(people) / _PEOPLE, random)
    ]
    return sorted(rows, key=lambda row: (row["month"], row["channel"], row["campaign"], row["kind"]))


def campaigns(seed: int | str, now: datetime, people: int = _PEOPLE) -> list[dict[str, Any]]:
    """The same campaigns as rows of Salesforce's Campaign, costs in whole euro; loadable as they stand.

    ``Name`` is the campaign and its year. Raises as ``campaign_costs`` does.
    """
    sums: dict[tuple[str, str, int], list[Any]] = {}
    for row in campaign_costs(seed, now, people):
        year = int(row["month"][:4])
        found = sums.setdefault((row["channel"], row["campaign"], year), [row["month"], row["month"], 0, 0])
        found[1] = row["month"]
        found[2] += row["planned"]
        found[3] += row["spent"]
    return [_campaign(key, found, now) for key, found in sums.items()]


def _campaign(key: tuple[str, str, int], found: list[Any], now: datetime) -> dict[str, Any]:
    channel, name, year = key
    start, end = _first_day(found[0]), _month_after(_first_day(found[1])) - timedelta(days=1)
    running = end >= now.date()
    return {
        "Name": f"{name} {year}",
        "Type": _TYPES.get(channel, "Other"),
        "Status": "In Progress" if running else "Completed",
        "IsActive": running,
        "StartDate": start.isoformat(),
        "EndDate": end.isoformat(),
        "BudgetedCost": int(found[2]),
        "ActualCost": int(found[3]),
        "_created": datetime(start.year, start.month, 1, tzinfo=now.tzinfo),
        "_modified": min(datetime(end.year, end.month, end.day, tzinfo=now.tzinfo), now),
    }


def _of_channel(channel: Channel, today: date, scale: Decimal, random: Random) -> Iterator[dict[str, Any]]:
    for place, campaign in enumerate(channel.campaigns):
        # Each fair has its month of the year, spread over the year.
        fair_month = (2 + place * 4 + int(random.random() * 3)) % 12 + 1
        for month in _months(today):
            if channel.name == "trade_fair" and month.month != fair_month:
                continue
            for kind, (low, high) in channel.costs.items():
                amount = Decimal(int(random.uniform(low, high) / 50) * 50) / len(channel.campaigns)
                if channel.name == "trade_fair":
                    # A stand is paid once, not a part of it each month.
                    amount *= len(channel.campaigns)
                planned = (amount * scale).quantize(_CENT)
                spent = planned * Decimal(str(round(random.gauss(1.03, 0.12), 3))) * _elapsed(month, today)
                yield {
                    "channel": channel.name,
                    "campaign": campaign,
                    "month": f"{month:%Y-%m}",
                    "kind": kind,
                    "planned": planned,
                    "spent": max(Decimal(0), spent).quantize(_CENT),
                    "currency": "EUR",
                }


def _elapsed(month: date, today: date) -> Decimal:
    days = (_month_after(month) - month).days
    return Decimal(min(days, (today - month).days + 1)) / days


def _months(today: date) -> Iterator[date]:
    month = date(today.year - _MONTHS // 12, today.month, 1)
    while month <= today:
        yield month
        month = _month_after(month)


def _month_after(month: date) -> date:
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)


def _first_day(month: str) -> date:
    return date(int(month[:4]), int(month[5:]), 1)
