"""What can be wrong with a declared map, found before the first record is read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches

from mapping.consent import STANDING_FIELDS, STANDINGS, WITHDRAWN
from mapping.lead import DERIVED_FIELDS, FieldType, LeadField, Stage
from mapping.rules import CRMS, EVERY_OBJECT, FieldRule, MapProblem
from mapping.values.words import ValueMap

_STAGE_FIELDS = ("hubspot_stage", "salesforce_stage")
_BOOLEAN_WORDS = frozenset(("true", "false"))


def value_map_of(rule: FieldRule, kind: FieldType, value_maps: Mapping[str, ValueMap]) -> ValueMap | None:
    """The value map of a field: the one its rule names, else the one called like it.

    The two stage fields share ``[values.stage]`` unless each has its own.
    """
    if kind not in (FieldType.CHOICE, FieldType.TEXT, FieldType.BOOLEAN):
        return None
    if rule.values is not None:
        return value_maps.get(rule.values)
    shared = value_maps.get("stage") if rule.lead in _STAGE_FIELDS else None
    return value_maps.get(rule.lead, shared)


def problems_of(
    rules: Sequence[FieldRule], value_maps: Mapping[str, ValueMap], fields: Mapping[str, LeadField]
) -> list[MapProblem]:
    """Every problem of the rules and value maps, in the order they were declared.

    ``fields`` are the lead's fields and the custom fields that the rules declare.
    """
    found: list[MapProblem] = []
    seen: set[str] = set()
    for rule in rules:
        if rule.lead in seen:
            found.append(MapProblem(rule.lead, "has two rules", "keep one"))
        seen.add(rule.lead)
        found += _of_name(rule, fields)
        if rule.lead in fields:
            found += _of_rule(rule, fields[rule.lead], value_maps)
    found += _written_twice(rules, fields)
    for value_map in value_maps.values():
        found += _of_values(value_map)
    return found


def _of_name(rule: FieldRule, fields: Mapping[str, LeadField]) -> Iterator[MapProblem]:
    if rule.lead in DERIVED_FIELDS:
        yield MapProblem(rule.lead, "is worked out on every lead and cannot be mapped", "remove the rule")
    elif rule.lead not in fields:
        near = get_close_matches(rule.lead, fields, n=1)
        hint = f"did you mean {near[0]}? Else " if near else ""
        yield MapProblem(
            rule.lead, "the lead has no such field", f"{hint}give it a type to make it a custom field"
        )
    if rule.lead.startswith("_") or not rule.lead.isidentifier():
        yield MapProblem(rule.lead, "is not a name for a field", "use small letters, digits and _")


def _of_rule(rule: FieldRule, field: LeadField, value_maps: Mapping[str, ValueMap]) -> Iterator[MapProblem]:
    if not any(rule.names(crm) for crm in CRMS):
        yield MapProblem(rule.lead, "no CRM field is named", "add hubspot = or salesforce =")
    for crm in CRMS:
        if any(not name.strip() for name in rule.names(crm).values()):
            yield MapProblem(
                rule.lead, f"its {crm} field has no name", f"name the {crm} field or leave it out"
            )
        if rule.direction == f"to_{crm}" and not rule.names(crm):
            yield MapProblem(
                rule.lead, f"is to be written to {crm}, which has no field for it", f"add {crm} = "
            )
    if rule.type is not None and rule.type is not field.type:
        yield MapProblem(
            rule.lead, f"is {field.type.value}, not {rule.type.value}", "leave the type of a lead field out"
        )
    if rule.withdrawal and not (field.custom and field.type is FieldType.BOOLEAN):
        yield MapProblem(
            rule.lead,
            "is said to be a withdrawal, which only a boolean field of your own can be",
            'add type = "boolean", or remove withdrawal',
        )
    if rule.currency and field.type is not FieldType.MONEY:
        yield MapProblem(rule.lead, "has a currency but is not money", "remove currency")
    if rule.country_as and field.type is not FieldType.COUNTRY:
        yield MapProblem(rule.lead, "has country_as but is not a country", "remove country_as")
    yield from _of_its_values(rule, field, value_maps)


def _of_its_values(
    rule: FieldRule, field: LeadField, value_maps: Mapping[str, ValueMap]
) -> Iterator[MapProblem]:
    values = value_map_of(rule, field.type, value_maps)
    wanted = rule.values or rule.lead
    if values is None:
        if rule.values is not None or field.type is FieldType.CHOICE:
            yield MapProblem(rule.lead, f"there is no value map {wanted}", f"add [values.{wanted}]")
        return
    for crm in CRMS:
        if rule.names(crm) and field.type is FieldType.CHOICE and not values.heard(crm):
            yield MapProblem(
                rule.lead, f"[values.{values.name}] has no word of {crm}", f"add {crm} words to it"
            )
    yield from _of_a_withdrawal(rule, field, values)
    allowed = _allowed_words(rule, field)
    odd = sorted(set(values.words) - allowed) if allowed is not None else []
    if odd and allowed is not None:
        yield MapProblem(
            rule.lead,
            f"[values.{values.name}] has the word {', '.join(odd)}",
            f"use only {', '.join(sorted(allowed))}",
        )


def _of_a_withdrawal(rule: FieldRule, field: LeadField, values: ValueMap) -> Iterator[MapProblem]:
    """A withdrawal is written wherever it may be, so there has to be a word for it."""
    if not field.opt_out:
        return
    word = "true" if field.type is FieldType.BOOLEAN else WITHDRAWN
    for crm in CRMS:
        if rule.names(crm) and rule.writes_to(crm) and word not in values.said(crm):
            yield MapProblem(
                rule.lead,
                f"a withdrawal is written to {crm}, and [values.{values.name}] has no {crm} word for {word}",
                f"add that word, or set a direction in which nothing is written to {crm}",
            )


def _allowed_words(rule: FieldRule, field: LeadField) -> frozenset[str] | None:
    if field.type is FieldType.BOOLEAN:
        return _BOOLEAN_WORDS
    if rule.lead in STANDING_FIELDS:
        return frozenset(STANDINGS)
    return frozenset(stage.value for stage in Stage) if rule.lead in _STAGE_FIELDS else None


def _written_twice(rules: Sequence[FieldRule], fields: Mapping[str, LeadField]) -> Iterator[MapProblem]:
    """Two lead fields that would be written into one CRM field; the second would undo the first."""
    for crm in CRMS:
        claims: list[tuple[str, str, FieldRule]] = []
        for rule in rules:
            known = fields.get(rule.lead)
            if not rule.writes_to(crm) or (known is not None and known.behaviour):
                continue
            for object_name, name in rule.names(crm).items():
                for other_object, other_name, other in claims:
                    meet = EVERY_OBJECT in (object_name, other_object) or object_name == other_object
                    if meet and name.casefold() == other_name.casefold() and other is not rule:
                        yield MapProblem(
                            rule.lead,
                            f"{crm} field {name} is written by {other.lead} too",
                            "make one of them read_only, or map another field",
                        )
                claims.append((object_name, name, rule))


def _of_values(value_map: ValueMap) -> Iterator[MapProblem]:
    name = f"values.{value_map.name}"
    for crm, word, first, second in value_map.claimed_twice():
        yield MapProblem(name, f"{crm} word {word} is claimed by {first} and {second}", "leave it with one")
    for common, crms in value_map.words.items():
        unknown = sorted(set(crms) - set(CRMS))
        if unknown:
            yield MapProblem(
                name, f"{common} names an unknown CRM {', '.join(unknown)}", f"use {CRMS[0]} or {CRMS[1]}"
            )
        if any(not word.strip() for words in crms.values() for word in words):
            yield MapProblem(name, f"{common} has an empty word", "remove it")
