"""What stands in the Monday mail, counted as the reports count, for the seven days before the day it is due.

A lead is new at a stage where it was seen to get there in these days, or came in these days as one: whoever stood there
when Leadpact first met them is not news. Handovers, goals and the leads to look at are as of now.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal

import polars as pl

from mapping.lead import Stage
from sync.handover_told import listed
from sync.reports.costs import Money, Spent, summed
from sync.reports.goals import Standing, period_between
from sync.reports.journeys import Period
from sync.reports.make import Asked, count_all
from sync.reports.rules import Rules
from sync.reports.tell import Counting
from sync.store.alerts import RatesCompared
from sync.work import Work

#: Leads that are named.
TO_LOOK_AT = 5
#: Whoever stands there may still become an SQL.
BEFORE_SALES = (Stage.PROSPECT.value, Stage.LEAD.value, Stage.NURTURE.value, Stage.MQL.value)
#: What tells who a lead is. Names only where the config allows them.
COMPANY, NAMES = "company", ("first_name", "last_name")


@dataclass(frozen=True, slots=True)
class Pointed:
    """A lead to look at and why. ``at``: since or until when; ``score`` and ``temperature`` None where not judged."""

    lead: str
    why: Literal["overdue", "waiting", "untold", "warm"]
    at: datetime | None = None
    score: int | None = None
    temperature: str | None = None
    company: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Week:
    """Everything the mail tells. ``first`` and ``last``: its days, both included; ``before`` counts the week before.

    ``overdue``: None where no ledger is kept. ``week`` and ``month``: what was spent, ``planned`` for that month until
    ``last``; None where nobody said. ``rates``: the last look at what becomes of leads; None before the first.
    """

    first: date
    last: date
    made: datetime
    new: dict[str, int]
    before: dict[str, int]
    overdue: int | None
    week: Money | None
    month: Money | None
    planned: Money | None
    goals: tuple[Standing, ...]
    leads: tuple[Pointed, ...]
    rates: RatesCompared | None = None


def week_before(work: Work, rules: Rules, due: date, *, names: bool) -> Week:
    """Count the seven days before ``due``. Raises the connectors' errors where campaigns come from Salesforce.

    ``names``: the leads are also named as people.
    """
    first, last = due - timedelta(days=7), due - timedelta(days=1)
    counted = count_all(work, rules, Asked(work.language, first, last))
    kept = work.handover is not None
    overdue = listed(work, "overdue") if kept else []
    waiting = listed(work, "open") if kept else []
    pointed = to_look_at(overdue, waiting, counted.history, work.policy.bands[-1].name)
    period = period_between(first, last, rules.zone)
    earlier = period_between(first - timedelta(days=7), first - timedelta(days=1), rules.zone)
    week, month = _spent(counted, first, last), _spent(counted, last.replace(day=1), last)
    return Week(
        first,
        last,
        counted.now,
        new_at(counted.rows, period),
        new_at(counted.rows, earlier),
        len({row["lead"] for row in overdue}) if kept else None,
        _money(week.spent, counted),
        _money(month.spent, counted),
        _money(month.planned, counted),
        tuple(one for one in counted.goals if one.state == "running"),
        tuple(_known(work, pointed, names=names)),
        work.store.alerts.last_rates(),
    )


def new_at(rows: pl.DataFrame, period: Period) -> dict[str, int]:
    """``mql`` and ``sql`` to how many leads are new there in a period. ``rows``: ``JOURNEYS``. Pure."""
    found = {}
    came = pl.col("interest_known") & (pl.col("first_interest") >= period.start)
    for step in ("mql", "sql"):
        since = pl.col(f"since.{step}")
        seen = (since > pl.col("first_seen")) | came
        found[step] = rows.filter((since >= period.start) & (since < period.end) & seen).height
    return found


def to_look_at(
    overdue: Sequence[dict[str, Any]],
    waiting: Sequence[dict[str, Any]],
    history: pl.DataFrame,
    hot: str,
) -> list[Pointed]:
    """Five leads: what is overdue, the longest first; what waits for an answer; and the warmest before sales. Pure.

    ``overdue`` and ``waiting`` as ``handover_told.listed``; ``history``: ``HISTORY``; ``hot``: the warmest band.
    """
    found: dict[str, Pointed] = {}
    for one in (*_handed_over(overdue, waiting), *_warmest(history, hot)):
        found.setdefault(one.lead, one)
    return list(found.values())[:TO_LOOK_AT]


def _handed_over(overdue: Sequence[dict[str, Any]], waiting: Sequence[dict[str, Any]]) -> Iterator[Pointed]:
    for row in overdue:
        yield _pointed(row, "overdue")
    with_sales = [row for row in waiting if row["handed_over_at"] is not None]
    for row in sorted(with_sales, key=lambda row: -(row["score"] or 0)):
        untouched = row["due_at"] is not None and row["first_touch_at"] is None
        yield _pointed(row, "waiting" if untouched else "untold")


def _pointed(row: dict[str, Any], why: Literal["overdue", "waiting", "untold"]) -> Pointed:
    at = None if why == "untold" else datetime.fromisoformat(row["due_at"])
    return Pointed(row["lead"], why, at, row["score"], row["temperature"])


def _warmest(history: pl.DataFrame, hot: str) -> Iterator[Pointed]:
    now = history.sort("decided_at", maintain_order=True).group_by("lead_id").last()
    here = now.filter(
        pl.col("stage").is_in(BEFORE_SALES) & (pl.col("temperature") == hot) & pl.col("score").is_not_null()
    )
    best = here.sort(["score", "lead_id"], descending=[True, False]).head(3 * TO_LOOK_AT)
    for lead, score, temperature in best.select("lead_id", "score", "temperature").iter_rows():
        yield Pointed(lead, "warm", None, score, temperature)


def _known(work: Work, pointed: Sequence[Pointed], *, names: bool) -> Iterator[Pointed]:
    """The leads with what they are called; nothing more is read of them."""
    stored = work.store.leads.of(pl.Series("lead_id", [one.lead for one in pointed], dtype=pl.String))
    values = work.lead_snapshots().decode(stored["lead_values"]).with_columns(stored["lead_id"])
    rows = {row["lead_id"]: row for row in values.select("lead_id", COMPANY, *NAMES).iter_rows(named=True)}
    for one in pointed:
        row = rows.get(one.lead, {})
        name = " ".join(filter(None, (row.get(part) for part in NAMES))) if names else None
        yield Pointed(one.lead, one.why, one.at, one.score, one.temperature, row.get(COMPANY), name or None)


def _spent(counted: Counting, first: date, last: date) -> Spent:
    return summed(counted.costs.rows, first, last, lambda _: None).get(None, Spent())


def _money(amount: Decimal | None, counted: Counting) -> Money | None:
    return None if amount is None else Money(amount, counted.policy.currency)
