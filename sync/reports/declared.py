"""What the config declares for the reports: ``[[channels]]``, ``[goals.NAME]`` and ``[[costs]]``, checked as a whole.

Conditions are compiled like those of the policy. Every problem is raised with its file and line.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from mapping.lead import FieldType, LeadField
from mapping.qualification.columns import Column, columns_for
from mapping.qualification.conditions import Condition
from mapping.qualification.tables import PolicyProblem, Table
from sync.reports.costrows import KIND_WORDS, CostRow, month_of

KINDS = ("online", "offline", "referral", "outbound", "brand")
#: Where a goal may count: whoever got so far. ``prospect`` is everybody, leads or not.
GOAL_STAGES = ("prospect", "lead", "mql", "sql", "opportunity", "customer")
FIRST_INTEREST = "first_interest"


@dataclass(frozen=True, slots=True)
class Channel:
    """Where leads come from. The first channel whose condition is true is a lead's own."""

    name: str
    kind: str
    when: Condition


@dataclass(frozen=True, slots=True)
class Goal:
    """So many leads in a period, and a share of them further on.

    Counted is whoever meets ``of`` (None: everybody), reached ``stage``, and whose ``counted_by`` lies on a day
    from ``first`` to ``last``. ``rate`` of those are to reach ``then``. ``digest`` changes with every part of it
    that changes what is counted.
    """

    key: str
    label: str
    first: date
    last: date
    of: Condition | None
    counted_by: str
    stage: str
    number: int | None
    then: str
    rate: Decimal | None

    @property
    def digest(self) -> str:
        counted = [
            self.first.isoformat(),
            self.last.isoformat(),
            self.of.text if self.of else "",
            *(self.counted_by, self.stage, self.then),
        ]
        return hashlib.sha256(json.dumps(counted).encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class Declared:
    """Everything that is declared for the reports, in the file's order."""

    channels: tuple[Channel, ...] = ()
    goals: tuple[Goal, ...] = ()
    costs: tuple[CostRow, ...] = ()

    def conditions(self) -> tuple[Condition, ...]:
        """Every condition that leads are asked: the channels', then the goals' that have one."""
        return (*(one.when for one in self.channels), *(one.of for one in self.goals if one.of))


def read_declared(
    tables: Mapping[str, Any],
    *,
    fields: Mapping[str, LeadField],
    vocabularies: Mapping[str, Sequence[str]],
    currency: str,
) -> tuple[Declared, list[PolicyProblem]]:
    """The tables ``channels``, ``goals`` and ``costs`` of a config, and what is wrong with them.

    ``fields``: every lead field, derived and custom ones included. ``currency``: that of costs which name none.
    """
    problems: list[PolicyProblem] = []
    top = Table(
        "", {name: tables[name] for name in ("channels", "goals", "costs") if name in tables}, problems
    )
    columns = columns_for(fields, vocabularies)
    channels = tuple(one for one in (_channel(item, columns) for item in top.tables("channels")) if one)
    names = [channel.name for channel in channels]
    problems += [
        PolicyProblem("channels", f"two channels are named “{name}”; costs and reports name them")
        for name in dict.fromkeys(name for name in names if names.count(name) > 1)
    ]
    goals = tuple(one for one in _goals(top.table("goals"), columns, fields) if one)
    costs = tuple(row for item in top.tables("costs") for row in _cost(item, names, currency))
    return Declared(channels, goals, costs), problems


def _channel(item: Table, columns: Mapping[str, Column]) -> Channel | None:
    name = item.text("name", needed=True)
    kind = item.choice("kind", KINDS, default="online", needed=True)
    when = item.condition("when", columns)
    item.done()
    return Channel(name, kind, when) if name and when is not None else None


def _goals(
    table: Table, columns: Mapping[str, Column], fields: Mapping[str, LeadField]
) -> Iterator[Goal | None]:
    for key in table.keys():  # noqa: SIM118 (a Table is no mapping)
        yield _goal(key, table.table(key), columns, fields)


def _goal(
    key: str, item: Table, columns: Mapping[str, Column], fields: Mapping[str, LeadField]
) -> Goal | None:
    label = item.text("label", default=key)
    first, last = _day(item, "from"), _day(item, "to")
    of = item.condition("of", columns) if item.has("of") else None
    dates = [name for name, one in fields.items() if one.type in (FieldType.DATE, FieldType.DATETIME)]
    counted_by = item.choice("counted_by", (FIRST_INTEREST, *dates), default=FIRST_INTEREST)
    stage = item.choice("stage", GOAL_STAGES, default="lead")
    number = item.whole("number", default=None, low=1, high=1_000_000_000)
    then = item.choice("then", GOAL_STAGES, default="customer")
    rate = item.positive("rate", high=1)
    item.done()
    if number is None and rate is None and not (item.has("number") or item.has("rate")):
        item.problem("", "a goal needs number (how many), rate (which share of them), or both")
    if first is not None and last is not None and last < first:
        item.problem("to", f"the period ends on {last}, before it begins on {first}")
    if GOAL_STAGES.index(then) < GOAL_STAGES.index(stage):
        item.problem("then", f"{then} comes before {stage}, so everybody counted has reached it")
    if first is None or last is None:
        return None
    return Goal(key, label, first, last, of, counted_by, stage, number, then, rate)


def _day(item: Table, key: str) -> date | None:
    value = item.get(key)
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    item.problem(key, f"expected a day, such as {key} = 2026-10-01")
    return None


def _cost(item: Table, channels: Sequence[str], currency: str) -> Iterator[CostRow]:
    channel = item.choice("channel", channels, default="", needed=True)
    campaign = item.text("campaign") or None
    days = _days(item)
    kind = item.choice("kind", tuple(KIND_WORDS), default="other")
    planned, spent = _money(item, "planned"), _money(item, "spent")
    code = item.text("currency", default=currency).upper()
    item.done()
    if not (len(code) == 3 and code.isascii() and code.isalpha()):
        item.problem("currency", "expected three letters (ISO 4217), such as EUR")
    if not (item.has("planned") or item.has("spent")):
        item.problem("", "a cost needs planned, spent, or both")
    elif days and channel and (planned is not None or spent is not None):
        yield CostRow(channel, campaign, days[0], days[1], kind, planned, spent, code, item.path)


def _days(item: Table) -> tuple[date, date] | None:
    """The first and the last day of a cost: its month, or from and to."""
    if not item.has("month"):
        first, last = _day(item, "from"), _day(item, "to")
        if first is not None and last is not None and last < first:
            item.problem("to", f"it ends on {last}, before it begins on {first}")
        return (first, last) if first is not None and last is not None and first <= last else None
    days = month_of(item.text("month"))
    if days is None:
        item.problem("month", 'expected a month, such as "2026-03"')
    return days


def _money(item: Table, key: str) -> Decimal | None:
    """An amount: a whole number, or a text such as "1200.50", so that no cent is lost on the way."""
    value = item.get(key)
    if not item.has(key):
        return None
    written = str(value).strip()
    plain = written.replace(".", "", 1)
    if isinstance(value, bool | float) or not (plain.isascii() and plain.isdigit()) or len(written) > 15:
        item.problem(key, f'expected an amount such as 1200 or "1200.50", found {value}')
        return None
    return Decimal(written).quantize(Decimal("0.01"))
