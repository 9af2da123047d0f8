"""Loads the shared policy: the ``[policy]`` and ``[[nurture]]`` tables of the config, checked as a whole.

Every condition is compiled and tried on an empty frame, so that what loads can be evaluated. All problems are
raised together, each with its path.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import polars as pl

from mapping.lead import FieldType, LeadField, Stage
from mapping.qualification.columns import Column, Kind, columns_for, nearest
from mapping.qualification.declared import (
    NOT_KNOWN_YET,
    RETURNED_DAYS,
    Band,
    Gate,
    Group,
    Policy,
    Rule,
    Track,
)
from mapping.qualification.policyparts import caps_of, evidence_of, grid_of, reentry_of, track_of
from mapping.qualification.tables import PolicyProblem, PolicyProblems, Table

__all__ = ["Band", "Gate", "Policy", "PolicyProblem", "PolicyProblems", "Rule", "Track", "load_policy"]

#: Someone who filled in a form or asked to be contacted has expressed interest.
DEFAULT_INTEREST = "forms > 0 OR last_form_at_days IS NOT NULL OR last_contact_request_days IS NOT NULL"
#: Sales' reason for rejecting says that the lead is never to be offered again.
DEFAULT_NEVER = "rejection_reason ILIKE '%never%'"

#: Whose word moves a lead to which stage, where [policy.stages] doesn't say. Sales work in Salesforce, so it
#: alone says what sales decided; both CRMs can win a deal. HubSpot gives every new contact the lifecycle stage
#: "lead" by itself, and its "marketing qualified" may come from any workflow (HubSpot reference, sections 5
#: and 7): neither is evidence, so these stages stand in no list.
DEFAULT_BELIEVED: Mapping[Stage, tuple[str, ...]] = {
    Stage.NURTURE: ("salesforce",),
    Stage.SQL: ("salesforce",),
    Stage.OPPORTUNITY: ("salesforce", "hubspot"),
    Stage.CUSTOMER: ("salesforce", "hubspot"),
    Stage.FORMER_CUSTOMER: ("salesforce", "hubspot"),
    Stage.DISQUALIFIED: ("salesforce",),
}
_CRMS = ("salesforce", "hubspot")
_STAGE_WORDS = tuple(stage.value for stage in Stage)
_SAME_LABEL = "two temperatures have the same label: nobody could tell them apart in the CRMs"
#: What stands beside the bands under [policy.temperature].
_TEMPERATURE_SETTINGS = ("drop_tolerance", "lowest", "stay_days")
#: Names a lead field may not have: frames carry the verdict's columns beside the lead's.
VERDICT_NAMES = frozenset(
    (
        "lead_id",
        "fit",
        "engagement",
        "score",
        "coverage",
        "temperature",
        "stage",
        "stage_why",
        "highest_stage",
        "cycle",
        "nurture_track",
        "nurture_question",
        "nurture_format",
        "grade",
        "temperature_since",
        "returned_on",
        "spent_rejection",
        "prev_stage",
        "prev_highest_stage",
        "prev_cycle",
        "prev_temperature",
        "prev_score",
        "prev_stage_why",
        "prev_temperature_since",
        "prev_returned_on",
        "prev_spent_rejection",
        RETURNED_DAYS,
    )
)


def load_policy(
    table: Mapping[str, Any],
    *,
    fields: Mapping[str, LeadField],
    vocabularies: Mapping[str, Sequence[str]],
    where: str = "",
    stored: bool = False,
) -> Policy:
    """Check the policy of a parsed config and make it usable.

    ``table`` is the whole config or policy file; only its ``policy`` and ``nurture`` are read. ``fields`` are
    all lead fields, derived and custom ones included; ``vocabularies`` the closed list of words of a field,
    by its name. ``where`` is put before each problem's path (a file's name, say). ``stored``: it has decided already
    and is to explain that, however it would look in the CRMs today. Raises ``PolicyProblems``.
    """
    problems: list[PolicyProblem] = []
    kept = {key: table[key] for key in ("policy", "nurture") if key in table}
    top = Table("", kept, problems)
    columns = columns_for(fields, vocabularies)
    for name in sorted(VERDICT_NAMES & columns.keys()):
        problems.append(
            PolicyProblem("fields", f"{name} is a name of the verdict; no lead field can have it")
        )
    policy = _policy(top, columns, fields, kept)
    wrong = [one for one in problems if not (stored and one.only_shown)]
    if wrong or policy is None:
        raise PolicyProblems([replace(one, path=f"{where}{one.path}") for one in wrong])
    return policy


def _policy(
    top: Table, columns: Mapping[str, Column], fields: Mapping[str, LeadField], kept: Mapping[str, Any]
) -> Policy | None:
    table = top.table("policy", needed=True)
    currency = table.text("currency", default="EUR")
    if not re.fullmatch("[A-Z]{3}", currency):
        table.problem("currency", f"expected three capital letters (ISO 4217), found '{currency}'")
    step = table.whole("score_step", default=5, low=1, high=1000)
    interest = table.condition("interest", columns, default=DEFAULT_INTEREST)
    never = table.condition("never", columns, default=DEFAULT_NEVER)
    rules = (*_rules(table, "fit", columns, fields), *_rules(table, "engagement", columns, fields))
    _no_name_twice(table, rules)
    caps = caps_of(table.table("caps"), rules)
    temperature = table.table("temperature", needed=True)
    tolerance = temperature.whole("drop_tolerance", default=0, low=0, high=1000) or 0
    stay_days = temperature.whole("stay_days", default=0, low=0, high=365) or 0
    bands = _bands(temperature)
    ask_below = table.whole("ask_below", default=0, low=0, high=100) or 0
    grid = grid_of(table.table("grid")) if table.has("grid") else None
    reentry = reentry_of(table.table("reentry"), columns) if table.has("reentry") else None
    shown = tuple(one for one in (evidence_of(item, columns) for item in table.tables("evidence")) if one)
    labels = _labels(table.table("labels"), bands)
    gates = tuple(gate for gate in (_gate(item, columns) for item in table.tables("gates")) if gate)
    believed = _believed(table.table("stages"))
    rates = _rates(table.table("rates"), currency)
    table.done()
    judged = {**columns, **verdict_columns(bands)}
    tracks = tuple(track for track in (track_of(item, judged) for item in top.tables("nurture")) if track)
    if interest is None or never is None or step is None:
        return None
    return Policy(
        currency, step, interest, never, rules, bands, tolerance, labels, gates, tracks, believed, rates,
        fields, json.loads(json.dumps(kept, default=_as_json)),
        stay_days, ask_below, caps, grid, shown, reentry,
    )  # fmt: skip


def _as_json(value: object) -> str:
    if isinstance(value, date | Decimal):
        return str(value)
    raise TypeError(f"a policy cannot hold {type(value).__name__}")


def _rules(
    table: Table, group: Group, columns: Mapping[str, Column], fields: Mapping[str, LeadField]
) -> list[Rule]:
    rules: list[Rule] = []
    for item in table.tables(group):
        name = item.text("name", needed=True)
        when = item.condition("when", columns)
        points = item.whole("points", default=None, low=-1000, high=1000, needed=True)
        if points == 0:
            item.problem("points", "a rule for 0 points changes nothing")
        half_life = item.positive("half_life_days", high=3650)
        since, cap = item.text("since") or None, item.text("cap") or None
        _check_ageing(item, since, fields)
        item.done()
        if name and when is not None and points:
            rules.append(Rule(name, group, when, points, half_life, since, cap))
    return rules


def _check_ageing(item: Table, since: str | None, fields: Mapping[str, LeadField]) -> None:
    if item.has("half_life_days") != item.has("since"):
        missing = "since (the date that ages)" if item.has("half_life_days") else "half_life_days"
        item.problem("", f"half_life_days and since belong together; {missing} is missing")
    if since is None:
        return
    dates = {name for name, field in fields.items() if field.type in (FieldType.DATE, FieldType.DATETIME)}
    if since not in dates:
        near = nearest(since, dates)
        item.problem(
            "since", f"expected a date field, found '{since}'" + (f"; did you mean {near}?" if near else "")
        )


def _no_name_twice(table: Table, rules: Sequence[Rule]) -> None:
    seen: set[str] = set()
    for rule in rules:
        if rule.name in seen:
            table.problem(
                rule.group, f"two rules are named “{rule.name}”; a reason must tell which one counted"
            )
        seen.add(rule.name)


def _bands(table: Table) -> tuple[Band, ...]:
    lowest = table.text("lowest", default="cold")
    bands: list[Band] = []
    for name in table.keys():  # noqa: SIM118 (a Table is no mapping)
        if name in _TEMPERATURE_SETTINGS:
            continue
        if not isinstance(table.get(name), Mapping):
            near = nearest(name, _TEMPERATURE_SETTINGS)
            hint = f"; did you mean {near}?" if near else ""
            table.problem(name, f"expected a band such as {{ total = 65 }}, found {table.get(name)}{hint}")
            continue
        band = table.table(name)
        total = band.whole("total", default=None, low=-10_000, high=10_000, needed=True)
        floor = band.whole("fit_at_least", default=None, low=-10_000, high=10_000)
        band.done()
        if NOT_KNOWN_YET in (name, lowest):
            table.problem(name, f"no band can be called {NOT_KNOWN_YET}: it stands for a lead not judged yet")
        elif name == lowest:
            table.problem(name, f"{name} is the lowest band: a lead that reaches no other stands in it")
        elif total is not None:
            bands.append(Band(name, total, floor))
    bands.sort(key=lambda band: band.total or 0)
    if len({band.total for band in bands}) < len(bands):
        table.problem("", "two bands begin at the same total")
    if not bands:
        table.problem("", "expected at least one band above the lowest, such as hot = { total = 65 }")
    return (Band(lowest), *bands)


def _labels(table: Table, bands: Sequence[Band]) -> dict[str, str]:
    labels = {band.name: table.text(band.name, default=band.name) for band in bands}
    labels[NOT_KNOWN_YET] = table.text(NOT_KNOWN_YET, default="not known yet")
    if len({label.casefold() for label in labels.values()}) < len(labels):
        table.problem("", _SAME_LABEL, only_shown=True)
    table.done()
    return labels


def _gate(item: Table, columns: Mapping[str, Column]) -> Gate | None:
    name = item.text("name", needed=True)
    stage = item.choice("stage", ("mql", "sql"), default="mql", needed=True)
    when = item.condition("when", columns)
    decided_by = item.choice(
        "decided_by", ("marketing", "sales"), default="sales" if stage == "sql" else "marketing"
    )
    item.done()
    if not name or when is None:
        return None
    return Gate(Stage(stage), name, when, "sales" if decided_by == "sales" else "marketing")


def verdict_columns(bands: Sequence[Band]) -> dict[str, Column]:
    """What a condition on a verdict (nurture, scope) may name beside the lead's fields: the verdict so far."""
    words = {
        "temperature": frozenset((*(band.name for band in bands), NOT_KNOWN_YET)),
        "grade": frozenset(f"{letter}{number}" for letter in "ABC" for number in "123"),
        "stage": frozenset(_STAGE_WORDS),
        "highest_stage": frozenset(_STAGE_WORDS),
    }
    numbers = ("fit", "engagement", "score", "coverage", "cycle")
    texts = {n: Column(n, Kind.TEXT, n, n, pl.String(), w) for n, w in words.items()}
    return {**texts, **{n: Column(n, Kind.NUMBER, n, n, pl.Int32()) for n in numbers}}


def _believed(table: Table) -> dict[Stage, tuple[str, ...]]:
    believed = {
        stage: table.choices(stage.value, _CRMS, default=default)
        for stage, default in DEFAULT_BELIEVED.items()
    }
    table.done()
    return believed


def _rates(table: Table, currency: str) -> dict[str, tuple[tuple[date, Decimal], ...]]:
    rates: dict[str, tuple[tuple[date, Decimal], ...]] = {}
    for code in table.keys():  # noqa: SIM118 (a Table is no mapping)
        if not re.fullmatch("[A-Z]{3}", code) or code == currency:
            table.problem(
                code, f"expected another currency than {currency}, in three capital letters (ISO 4217)"
            )
        dated: list[tuple[date, Decimal]] = []
        for item in table.tables(code):
            since, rate = _day(item), item.positive("rate", high=1_000_000)
            item.done()
            if since is not None and rate is not None:
                dated.append((since, rate))
        rates[code] = tuple(sorted(dated))
    return rates


def _day(item: Table) -> date | None:
    value = item.get("from")
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        item.problem("from", "expected the first day of the rate, such as 2026-01-01")
        return None
