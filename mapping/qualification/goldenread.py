"""Reads golden leads: the tables of a file, checked as a whole, with every problem kept with its path."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from mapping.lead import DERIVED_FIELDS, FieldType, LeadField, Stage, currency_column
from mapping.qualification.columns import nearest
from mapping.qualification.declared import Policy
from mapping.qualification.tables import PolicyProblem, PolicyProblems, Table
from mapping.qualification.wording import WHY

#: What a gate can answer, as people write it.
GATE_ANSWERS: Mapping[str, bool | None] = {"passed": True, "missed": False, "not known yet": None}
#: Expectations that are compared as they stand, by the name in the file: the verdict's column.
WORDS = {
    "stage": "stage",
    "temperature": "temperature",
    "why": "stage_why",
    "highest_stage": "highest_stage",
    "grade": "grade",
}
_GRADES = tuple(f"{letter}{number}" for letter in "ABC" for number in "123")
_NUMBERS = ("score", "fit", "engagement", "coverage", "cycle")
_STAGES = tuple(stage.value for stage in Stage)
_AGO = re.compile(r"(\d{1,5}) days? ago|today")
MOST = 10_000


@dataclass(frozen=True, slots=True)
class Golden:
    """One golden lead.

    ``facts`` and ``before`` (the last verdict, by ``PREVIOUS_SCHEMA``) are typed values; what is not named is
    unknown. ``numbers``: the verdict's column to the lowest and the highest number expected. ``words``: column
    to text. ``track``: "" for none, None for not asked.
    """

    name: str
    now: datetime
    facts: Mapping[str, Any] = field(repr=False)
    before: Mapping[str, Any]
    words: Mapping[str, str]
    numbers: Mapping[str, tuple[int, int]]
    gates: Mapping[str, str]
    points: Mapping[str, int]
    track: str | None


def read_golden(
    table: Mapping[str, Any], policy: Policy, *, vocabularies: Mapping[str, Sequence[str]]
) -> tuple[Golden, ...]:
    """The golden leads of one parsed file: ``now`` for all of them and a ``[[lead]]`` table each.

    ``[facts.NAME]`` tables hold facts that several leads share; a lead takes them by ``like = ["NAME"]``, later
    names and its own facts over earlier ones, and ``unknown = ["FIELD"]`` leaves a fact out again.
    The key ``policy`` is left to the caller. Raises ``PolicyProblems`` with everything that is wrong, each with
    its path in the file.
    """
    problems: list[PolicyProblem] = []
    top = Table("", table, problems)
    top.get("policy")
    now = _moment(top, "now", None)
    shared = top.table("facts")
    sets = {name: shared.table(name) for name in shared.keys()}  # noqa: SIM118 (a Table is no mapping)
    leads = tuple(
        lead
        for item in top.tables("lead")
        if (lead := _lead(item, policy, vocabularies, sets, now, problems)) is not None
    )
    if not top.has("lead"):
        top.problem("lead", "expected golden leads, each headed [[lead]]")
    top.done()
    names = [lead.name for lead in leads]
    for name in sorted({name for name in names if names.count(name) > 1}):
        top.problem("lead", f"two golden leads are named “{name}”")
    if problems:
        raise PolicyProblems(problems)
    return leads


def _moment(table: Table, key: str, default: datetime | None) -> datetime | None:
    value = table.get(key)
    if value is None:
        if default is None and not table.path:
            table.problem(key, "now is missing: the moment at which the leads are judged")
        return default
    if not isinstance(value, datetime) or value.utcoffset() is None:
        table.problem(key, "expected a time with its zone, such as 2026-11-22T09:00:00Z")
        return default
    return value.astimezone(UTC)


def _lead(
    item: Table,
    policy: Policy,
    vocabularies: Mapping[str, Sequence[str]],
    sets: Mapping[str, Table],
    of_all: datetime | None,
    problems: list[PolicyProblem],
) -> Golden | None:
    name, now = item.text("name", needed=True), _moment(item, "now", of_all)
    own, before, expected = (item.table(key) for key in ("facts", "before", "expect"))
    alike = [sets[each] for each in item.choices("like", tuple(sets), default=())]
    together = {key: one.get(key) for one in (*alike, own) for key in one.keys()}  # noqa: SIM118
    left_out = item.choices("unknown", tuple(together), default=())
    known = {key: value for key, value in together.items() if key not in left_out}
    facts = Table(own.path, known, problems, name)
    if not item.has("expect"):
        item.problem("expect", "expect is missing: what the policy should say of this lead")
    if now is None:
        return None
    found = Golden(
        name, now, _facts(facts, policy, vocabularies, now), _before(before, policy, now),
        _words(expected, policy), _numbers(expected), _gates(expected.table("gates"), policy),
        _points(expected.table("points"), policy), _track(expected, policy),
    )  # fmt: skip
    for one in (expected, item):
        one.done()
    return found


def _facts(
    table: Table, policy: Policy, vocabularies: Mapping[str, Sequence[str]], now: datetime
) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    for key in table.keys():  # noqa: SIM118 (a Table is no mapping)
        value, known = table.get(key), policy.fields.get(key)
        if key.endswith("_currency") and policy.fields.get(key.removesuffix("_currency")):
            facts[key] = table.text(key)
        elif known is None:
            near = nearest(key, policy.fields)
            table.problem(key, f"a lead has no field {key}" + (f"; did you mean {near}?" if near else ""))
        elif key in DERIVED_FIELDS and key not in ("in_hubspot", "in_salesforce"):
            table.problem(key, f"{key} is worked out from the other facts and cannot be given")
        else:
            words = _STAGES if key in ("hubspot_stage", "salesforce_stage") else vocabularies.get(key)
            facts[key] = _fact(table, key, value, known, words, now)
    for name in [name for name in facts if name in policy.fields]:
        if policy.fields[name].type is FieldType.MONEY:
            facts.setdefault(currency_column(name), policy.currency)
    return facts


def _fact(
    table: Table, key: str, value: Any, known: LeadField, words: Sequence[str] | None, now: datetime
) -> Any:
    """A fact as the lead's column holds it; None with its problem kept where it cannot be one."""
    match known.type:
        case FieldType.BOOLEAN if isinstance(value, bool):
            return value
        case FieldType.INTEGER if isinstance(value, int) and not isinstance(value, bool):
            return value
        case FieldType.MONEY | FieldType.NUMBER if not isinstance(value, bool):
            try:
                return Decimal(str(value))
            except InvalidOperation:
                table.problem(key, "expected a number")
                return None
        case FieldType.DATE | FieldType.DATETIME:
            return _when(table, key, value, known.type, now)
        case FieldType.CHOICE if words is not None:
            return table.choice(key, words, default="") or None
    if known.type in (FieldType.BOOLEAN, FieldType.INTEGER, FieldType.MONEY, FieldType.NUMBER):
        kind = {FieldType.BOOLEAN: "true or false", FieldType.INTEGER: "a whole number"}
        table.problem(key, f"expected {kind.get(known.type, 'a number')}")
        return None
    return table.text(key) or None


def _when(table: Table, key: str, value: Any, kind: FieldType, now: datetime) -> date | datetime | None:
    """A date of TOML, or an age at ``now`` such as ``9 days ago``."""
    found = _AGO.fullmatch(value) if isinstance(value, str) else None
    if found:
        moment = now - timedelta(days=int(found[1] or 0))
        return moment if kind is FieldType.DATETIME else moment.date()
    if kind is FieldType.DATE and isinstance(value, date) and not isinstance(value, datetime):
        return value
    if kind is FieldType.DATETIME and isinstance(value, datetime) and value.utcoffset() is not None:
        return value.astimezone(UTC)
    if kind is FieldType.DATETIME and isinstance(value, date) and not isinstance(value, datetime):
        return datetime.combine(value, time(), UTC)
    table.problem(key, 'expected a date such as 2026-11-13, or an age such as "9 days ago"')
    return None


def _before(table: Table, policy: Policy, now: datetime) -> dict[str, Any]:
    """The last verdict. Where only the stage is named, it is the highest so far, in the first cycle."""
    stage = table.choice("stage", _STAGES, default="", needed=bool(table.keys()))
    before = {
        "prev_stage": stage,
        "prev_highest_stage": table.choice("highest_stage", _STAGES, default=""),
        "prev_temperature": table.choice("temperature", policy.temperatures, default=""),
        "prev_cycle": table.whole("cycle", default=1 if stage else None, low=1, high=MOST),
        "prev_score": table.whole("score", default=None, low=-MOST, high=MOST),
        **{
            f"prev_{key}": _when(table, key, table.get(key), FieldType.DATE, now) if table.has(key) else None
            for key in ("temperature_since", "returned_on")
        },
    }
    if table.has("spent_rejection"):
        before["prev_spent_rejection"] = table.text("spent_rejection")
    table.done()
    return {name: value for name, value in before.items() if value not in ("", None)}


def _words(table: Table, policy: Policy) -> dict[str, str]:
    known: dict[str, Sequence[str]] = {
        "stage": _STAGES,
        "temperature": policy.temperatures,
        "why": tuple(WHY),
        "highest_stage": _STAGES,
        "grade": _GRADES,
    }
    return {
        WORDS[key]: word
        for key, words in known.items()
        if table.has(key) and (word := table.choice(key, words, default=""))
    }


def _numbers(table: Table) -> dict[str, tuple[int, int]]:
    """A number, or a range such as ``{ from = 50, to = 60 }``; an end that is left out is open."""
    found: dict[str, tuple[int, int]] = {}
    for key in _NUMBERS:
        if not table.has(key):
            continue
        if isinstance(table.get(key), Mapping):
            ends = table.table(key)
            low = ends.whole("from", default=-MOST, low=-MOST, high=MOST)
            high = ends.whole("to", default=MOST, low=-MOST, high=MOST)
            ends.done()
        else:
            low = high = table.whole(key, default=None, low=-MOST, high=MOST)
        if low is not None and high is not None:
            found[key] = (low, high)
    return found


def _gates(table: Table, policy: Policy) -> dict[str, str]:
    known = [gate.name for gate in policy.gates]
    return {
        name: table.choice(name, tuple(GATE_ANSWERS), default="passed")
        for name in table.keys()  # noqa: SIM118 (a Table is no mapping)
        if _is_known(table, name, known, "gate")
    }


def _points(table: Table, policy: Policy) -> dict[str, int]:
    known = [rule.name for rule in policy.rules]
    return {
        name: table.whole(name, default=0, low=-1000, high=1000) or 0
        for name in table.keys()  # noqa: SIM118 (a Table is no mapping)
        if _is_known(table, name, known, "rule")
    }


def _is_known(table: Table, name: str, known: Sequence[str], kind: str) -> bool:
    if name not in known:
        near = nearest(name, known)
        table.problem(
            name, f"the policy has no {kind} “{name}”" + (f"; did you mean “{near}”?" if near else "")
        )
    return name in known


def _track(table: Table, policy: Policy) -> str | None:
    if not table.has("track"):
        return None
    if table.get("track") == "":
        return ""
    return table.choice("track", sorted({track.track for track in policy.tracks}), default="")
