"""Single facts that would be new: what somebody could find out about a lead, or what the lead could do next.

Taken from the policy itself: a condition names the values that it turns on. Behaviour is never invented, only
one more of it: one form, visit, click or contact request now. What is known stays as it is, but for a "no" that
becomes a "yes": nobody changes a title, a size or a budget back. Withdrawals and derived fields are left alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from mapping.lead import DERIVED_FIELDS, FieldType, LeadField, currency_column
from mapping.qualification import syntax
from mapping.qualification.columns import AGE_SUFFIX
from mapping.qualification.declared import Policy
from mapping.qualification.syntax import Node

#: What one more of each kind of behaviour changes: the count that rises by one, and the date that becomes now.
#: The easiest for the lead comes first.
NEXT_STEPS: Mapping[str, tuple[str | None, str]] = {
    "one more visit": ("visits", "last_visit_at"),
    "one more mail click": ("mails_clicked", "last_mail_click_at"),
    "one more form": ("forms", "last_form_at"),
    "asks to be contacted": (None, "last_contact_request"),
}
#: Stands for any text, where no condition asks for certain words.
ANYTHING = "known"
#: Sales' words about the lead: only accepting is offered, a rejection is nothing to aim at.
_SALES = {"sales_accepted": (True,), "rejection_reason": ()}
_TEXTS = (
    FieldType.TEXT,
    FieldType.EMAIL,
    FieldType.PHONE,
    FieldType.COUNTRY,
    FieldType.CHOICE,
    FieldType.URL,
)


@dataclass(frozen=True, slots=True)
class _Example:
    """A text that a LIKE pattern matches, one of many, and none that anybody has to write; ``without``: that a
    pattern after NOT matches, so that any other text is meant."""

    text: str
    without: bool = False


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that could become true. ``values`` are the lead columns it sets.

    ``effort`` orders facts by how easily they come: finding out what nobody knows (0), one more step of the
    lead's own, sales' acceptance, and last that a known "no" becomes a "yes". ``forward_only``: it is nothing
    to tell anybody unless it moves the lead forward, such as a text that nobody wrote.
    """

    what: str
    values: Mapping[str, Any]
    effort: int
    forward_only: bool = False


def possible_facts(lead: Mapping[str, Any], policy: Policy, now: datetime) -> list[Fact]:
    """Every single fact that the policy's conditions turn on and that somebody could still find out or do."""
    facts = list(_next_steps(lead, now))
    literals = _literals(policy)
    literals.setdefault("sales_accepted", set())
    for name in sorted(literals):
        field = policy.fields.get(name)
        if field is None or field.behaviour or field.opt_out or name in DERIVED_FIELDS:
            continue
        for value in _open_values(field, lead.get(name), literals[name], now):
            forward_only = lead.get(name) is not None or field.type in _TEXTS
            columns = _columns(field, _plain(value), policy.currency)
            facts.append(Fact(_said(name, value), columns, _effort(name, lead), forward_only))
    return [fact for fact in facts if set(fact.values) & set(lead)]


def _next_steps(lead: Mapping[str, Any], now: datetime) -> Iterator[Fact]:
    for ease, (what, (count, date)) in enumerate(NEXT_STEPS.items(), start=1):
        values: dict[str, Any] = {date: now.astimezone(UTC)}
        if count is not None:
            values[count] = (lead.get(count) or 0) + 1
        yield Fact(what, {name: value for name, value in values.items() if name in lead}, ease)


def _effort(name: str, lead: Mapping[str, Any]) -> int:
    if name in _SALES:
        return len(NEXT_STEPS) + 1
    return 0 if lead.get(name) is None else len(NEXT_STEPS) + 2


def _open_values(field: LeadField, shown: Any, literals: set[Any], now: datetime) -> list[Any]:
    """What the field could still come to say: anything while it is unknown, a "yes" after a "no", else nothing."""
    if shown is None:
        return _values(field, literals, now)
    return [True] if shown is False else []


def _plain(value: Any) -> Any:
    match value:
        case _Example(text, without):
            return ANYTHING if without else text
        case None:
            return ANYTHING
    return value


def _said(name: str, value: Any) -> str:
    """A fact in words. What is only an example, or any text at all, must not read as the very words to write."""
    match value:
        case _Example(text, without):
            return f"{name} {'without' if without else 'with'} words such as “{text}”"
        case None:
            return f"{name} becomes known"
    return f"{name} = {value}"


def _columns(field: LeadField, value: Any, currency: str) -> dict[str, Any]:
    if field.type is FieldType.MONEY:
        return {field.name: value, currency_column(field.name): currency}
    return {field.name: value}


def _literals(policy: Policy) -> dict[str, set[Any]]:
    """The values each lead field is compared with, anywhere in the policy; an age keeps its name's ending."""
    found: dict[str, set[Any]] = {}
    for condition in policy.conditions():
        for name in condition.fields:
            found.setdefault(name, set())
        for name, value in _compared(syntax.parse(condition.text)):
            owner = name.removesuffix(AGE_SUFFIX) if name.endswith(AGE_SUFFIX) else name
            found.setdefault(owner, set()).add(value)
    return found


def _compared(node: Node) -> Iterator[tuple[str, Any]]:
    match node:
        case syntax.Logic():
            for operand in node.operands:
                yield from _compared(operand)
        case syntax.Not() | syntax.Is():
            yield from _compared(node.operand)
        case syntax.Compare():
            yield from _pairs(node.left, node.right)
            yield from _pairs(node.right, node.left)
        case syntax.Between():
            yield from _pairs(node.operand, node.low)
            yield from _pairs(node.operand, node.high)
        case syntax.In():
            for item in node.items:
                yield from _pairs(node.operand, item)
        case syntax.Like():
            named = _within(node.operand)
            if isinstance(named, syntax.Name) and (text := _example(node.pattern)):
                yield named.name, _Example(text, node.negated)


def _within(node: Node) -> Node:
    """What a function is asked of: the first of its arguments."""
    return node.arguments[0] if isinstance(node, syntax.Call) and node.arguments else node


def _pairs(named: Node, written: Node) -> Iterator[tuple[str, Any]]:
    named = _within(named)
    if isinstance(named, syntax.Name) and isinstance(written, syntax.Literal) and written.value is not None:
        yield named.name, written.value


def _example(pattern: str) -> str:
    """A text that a LIKE pattern matches, as a person might write it."""
    return " ".join(part for part in pattern.replace("_", " ").split("%") if part.strip()).strip()


def _values(field: LeadField, literals: set[Any], now: datetime) -> list[Any]:
    """Values around what the policy compares the field with: the line itself, and a step to either side."""
    if field.name in _SALES:
        return list(_SALES[field.name])
    if field.type is FieldType.BOOLEAN:
        return [True, False]
    if field.type in _TEXTS:
        examples = {value for value in literals if isinstance(value, _Example)}
        words = sorted({str(value) for value in literals - examples})
        return [*words, *sorted(examples, key=lambda one: (one.without, one.text))] or [None]
    numbers = [
        value for value in literals if isinstance(value, int | Decimal) and not isinstance(value, bool)
    ]
    if field.type in (FieldType.DATE, FieldType.DATETIME):
        return _dates(field, [int(number) for number in numbers], now)
    around = sorted({number + step for number in numbers for step in (-1, 0, 1)}) or [1]
    if field.type is FieldType.INTEGER:
        return [int(number) for number in around if number == int(number) and number >= 0]
    return [Decimal(number) for number in around if number >= 0]


def _dates(field: LeadField, ages: list[int], now: datetime) -> list[Any]:
    """Days as old as the policy asks for; without such a line, a day in a month's time."""
    moments = [now.astimezone(UTC) - timedelta(days=age + step) for age in ages for step in (-1, 0, 1)]
    moments = moments or [now.astimezone(UTC) + timedelta(days=30)]
    return sorted({moment.date() if field.type is FieldType.DATE else moment for moment in moments})
