"""What a config declares beside its policy, compiled: the field map, how fields are merged, whom it is about."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from mapping.fieldmap import FieldMap, compile_map
from mapping.lead import LEAD_FIELDS, LeadField
from mapping.own import OWN_FIELDS, OWN_LEAD_FIELDS
from mapping.qualification.columns import columns_for
from mapping.qualification.conditions import Condition, compile_condition
from mapping.qualification.declared import Policy
from mapping.qualification.policy import verdict_columns
from mapping.qualification.syntax import ConditionProblem
from mapping.rules import FieldRule, MapProblems
from mapping.values.words import ValueMap
from sync.merge import MergeRule
from sync.ourpolicy import VOCABULARIES, judged_fields
from sync.routing_rules import owner_rules
from sync.settings import Settings
from sync.work import Scope, all_fields
from sync.wrongconfig import Problem, WrongConfig, problem


def field_map_of(settings: Settings) -> FieldMap:
    """The map that a config declares. Raises WrongConfig with every problem and its line."""
    own = [FieldRule(own.lead.name, hubspot=own.hubspot, salesforce=own.salesforce) for own in OWN_FIELDS]
    return _compiled(settings, [*settings.fields, *own, *owner_rules(settings)], all_fields({}))


def file_map_of(settings: Settings) -> FieldMap:
    """The same without our own fields and owners, which a file of leads of the past does not have."""
    return _compiled(settings, settings.fields, LEAD_FIELDS)


def _compiled(settings: Settings, rules: Sequence[FieldRule], fields: Mapping[str, LeadField]) -> FieldMap:
    values = {name: ValueMap(name, words) for name, words in settings.values.items()}
    currency = settings.locale.currency
    try:
        return compile_map(
            rules,
            values,
            fields,
            default_region=settings.locale.region,
            default_currency={"hubspot": currency.hubspot, "salesforce": currency.salesforce},
            decimal_comma=settings.locale.decimal_comma,
        )
    except MapProblems as wrong:
        raise WrongConfig(
            [
                problem(settings.where(f"fields.{one.rule}"), f"{one.rule}: {one.what}", one.fix)
                for one in wrong.problems
            ]
        ) from None


def merge_rules(field_map: FieldMap) -> tuple[MergeRule, ...]:
    """How each mapped field is merged; our own fields are not, they show the verdict."""
    return tuple(
        MergeRule(
            field=name,
            direction=rule.direction,
            if_both_changed=rule.if_both_changed,
            if_emptied=rule.if_emptied,
            opt_out=field_map.fields[name].opt_out,
            travels_with=f"{name}_currency" if field_map.fields[name].type.value == "money" else None,
        )
        for name, rule in field_map.rules.items()
        if name not in OWN_LEAD_FIELDS
    )


def unscored_of(settings: Settings, fields: Mapping[str, LeadField]) -> Condition | None:
    """Who is not to be scored, by facts alone: the verdict cannot ask about itself. Raises WrongConfig."""
    text = settings.privacy.no_scoring
    if text is None:
        return None
    try:
        return compile_condition(text, columns_for(judged_fields(fields), VOCABULARIES))
    except ConditionProblem as wrong:
        where, words = settings.where("privacy.no_scoring"), f"privacy.no_scoring: {wrong}"
    raise WrongConfig([problem(where, words, "correct the condition; it may name fields of the lead")])


def scope_of(settings: Settings, policy: Policy, fields: Mapping[str, LeadField]) -> Scope:
    """Who is synced and who gets a record. Raises WrongConfig with every condition that cannot be used."""
    columns = {**columns_for(judged_fields(fields), VOCABULARIES), **verdict_columns(policy.bands)}
    problems: list[Problem] = []

    def compiled(name: str) -> Condition | None:
        text = getattr(settings.scope, name)
        if text is None:
            return None
        try:
            return compile_condition(text, columns)
        except ConditionProblem as wrong:
            problems.append(
                problem(settings.where(f"scope.{name}"), f"scope.{name}: {wrong}", "correct the condition")
            )
            return None

    names = ("leads", "create_in_hubspot", "create_in_salesforce", "to_hubspot", "to_salesforce")
    declared = settings.scope.model_dump_json(exclude_none=True)
    digest = hashlib.sha256(declared.encode()).hexdigest()
    scope = Scope(**{name: compiled(name) for name in names}, digest=digest)
    if problems:
        raise WrongConfig(problems)
    return scope
