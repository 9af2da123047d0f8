"""The tables that marketing and sales edit: ``[fields.NAME]``, ``[values.NAME]`` and ``[stages]``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from mapping.consent import CONSENT_FIELDS
from mapping.lead import LEAD_FIELDS, FieldType, Stage
from mapping.qualification.columns import nearest
from mapping.rules import CRMS, FieldRule
from sync.complaints import words_of
from sync.tomlfile import KeyPath
from sync.wrongconfig import Problem, problem

#: Common word to CRM to that CRM's words, the one to write first.
Words = Mapping[str, Mapping[str, list[str]]]
Where = Callable[[KeyPath], str]

_KEYS = tuple(one.name for one in fields(FieldRule) if one.name != "lead")
_BOOLEANS = ("decimal_comma", "day_first", "withdrawal")
_TYPES = tuple(kind.value for kind in FieldType)
_STAGES = tuple(stage.value for stage in Stage)


class _Rules(BaseModel):
    """Holds a rule, so that an unknown key in it is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    fields: dict[str, FieldRule]


@dataclass(slots=True)
class FieldTables:
    """The tables, read, and what is wrong with them."""

    rules: list[FieldRule] = field(default_factory=list)
    values: dict[str, Words] = field(default_factory=dict)
    stages: dict[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def read_field_tables(data: Mapping[str, Any], where: Where) -> FieldTables:
    """Read ``fields``, ``values`` and ``stages`` of the config. ``where`` gives the place of a key.

    Nothing raises. What the rules mean together is checked by ``mapping.fieldmap.compile_map``.
    """
    found = FieldTables()
    for name, table in _tables(data, "fields", where, found):
        _rule(name, table, where, found)
    for name, table in _tables(data, "values", where, found):
        found.values[name] = _words(name, table, where, found)
    _stages(data.get("stages", {}), where, found)
    return found


def _tables(
    data: Mapping[str, Any], top: str, where: Where, found: FieldTables
) -> list[tuple[str, dict[str, Any]]]:
    section = data.get(top, {})
    if not isinstance(section, dict):
        found.problems.append(problem(where((top,)), f"{top} must be a table", f"write [{top}.NAME]"))
        return []
    tables = []
    for name, table in section.items():
        if isinstance(table, dict):
            tables.append((name, table))
        else:
            found.problems.append(
                problem(where((top, name)), f"{top}.{name} must be a table", f"write [{top}.{name}]")
            )
    return tables


def _rule(name: str, table: dict[str, Any], where: Where, found: FieldTables) -> None:
    before = len(found.problems)
    for key in table:
        if key not in _KEYS:
            near = nearest(key, _KEYS)
            found.problems.append(
                problem(
                    where(("fields", name, key)),
                    f"unknown key {key} in [fields.{name}]",
                    f"did you mean {near}?" if near else f"use {', '.join(_KEYS)}",
                )
            )
    for key in _BOOLEANS:
        if not isinstance(table.get(key, True), bool):
            found.problems.append(problem(where(("fields", name, key)), *_said(name, key, "bool_type")))
    known = {key: value for key, value in table.items() if key in _KEYS}
    try:
        rule = _Rules.model_validate({"fields": {name: {"lead": name, **known}}}).fields[name]
    except ValidationError as error:
        found.problems += _rule_problems(error, name, table, where)
        return
    if "type" in table and name in CONSENT_FIELDS:
        found.problems.append(problem(where(("fields", name, "type")), *_taken(name)))
    known_names = {**LEAD_FIELDS, **CONSENT_FIELDS}
    if name not in known_names and rule.type is None:
        near = nearest(name, known_names)
        found.problems.append(
            problem(
                where(("fields", name)),
                f"the lead has no field {name}",
                (f"did you mean {near}? " if near else "") + "A field of your own needs type = ",
            )
        )
    if len(found.problems) == before:
        found.rules.append(rule)


def _taken(name: str) -> tuple[str, str]:
    what = (
        f"fields.{name} has a type, but {name} is a field of Leadpact's own: {CONSENT_FIELDS[name].meaning}"
    )
    fix = (
        f"give a field of your own another name, here and in policy.toml, such as my_{name}; to use Leadpact's "
        "leave type out: a withdrawal in it holds in both CRMs for good, and its proof is only read"
    )
    return what, fix


def _said(name: str, key: str, kind: str) -> tuple[str, str]:
    words, fix = words_of({"type": kind})
    return f"fields.{name}.{key} {words}", fix


def _rule_problems(error: ValidationError, name: str, table: dict[str, Any], where: Where) -> list[Problem]:
    """One problem for each key: a value that may be a text or a table fails once for either."""
    told: dict[str, Problem] = {}
    for one in error.errors(include_url=False, include_input=False):
        key = str(one["loc"][2]) if len(one["loc"]) > 2 else ""
        place = where(("fields", name, key) if key in table else ("fields", name))
        words, fix = words_of(one)
        if key == "type":
            words, fix = f"must be one of {', '.join(_TYPES)}", "use one of these words"
        elif key in CRMS:
            words, fix = "must be a field's name, or a name per object", 'such as { Lead = "Title" }'
        if key not in _BOOLEANS:
            told.setdefault(key, problem(place, f"fields.{name}.{key} {words}", fix))
    return list(told.values())


def _words(name: str, table: dict[str, Any], where: Where, found: FieldTables) -> Words:
    words: dict[str, dict[str, list[str]]] = {}
    for common, crms in table.items():
        path: KeyPath = ("values", name, common)
        if not isinstance(crms, dict):
            found.problems.append(
                problem(
                    where(path),
                    f'"{common}" of [values.{name}] must say the words of each CRM',
                    'write { hubspot = ["…"], salesforce = ["…"] }',
                )
            )
            continue
        words[common] = {}
        for crm, said in crms.items():
            listed = _listed(said)
            if crm not in CRMS:
                what = f"unknown key {crm} in [values.{name}]"
                found.problems.append(
                    problem(where((*path, crm)), what, f"did you mean {nearest(crm, CRMS) or CRMS[0]}?")
                )
            elif listed is None:
                what = f"the {crm} words of values.{name} must be texts"
                found.problems.append(
                    problem(where((*path, crm)), what, 'write a list such as ["RETAIL", "INTERNET"]')
                )
            else:
                words[common][crm] = listed
    return words


def _listed(said: Any) -> list[str] | None:
    if isinstance(said, str):
        return [said]
    right = isinstance(said, list) and all(isinstance(word, str) for word in said)
    return list(said) if right else None


def _stages(table: Any, where: Where, found: FieldTables) -> None:
    if not isinstance(table, dict):
        found.problems.append(problem(where(("stages",)), "stages must be a table", "write [stages]"))
        return
    for stage, word in table.items():
        if stage not in _STAGES:
            near = nearest(stage, _STAGES)
            found.problems.append(
                problem(
                    where(("stages", stage)),
                    f"unknown key {stage} in [stages]",
                    f"did you mean {near}?" if near else f"use {', '.join(_STAGES)}",
                )
            )
        elif not isinstance(word, str) or not word.strip():
            found.problems.append(
                problem(where(("stages", stage)), f"stages.{stage} must be a text", "name a HubSpot stage")
            )
        else:
            found.stages[stage] = word
