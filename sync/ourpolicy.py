"""The policy that a config declares, with the words that its conditions may use. Asks no CRM and no database."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from mapping.lead import DERIVED_FIELDS, LEAD_FIELDS, LeadField
from mapping.qualification.declared import Policy
from mapping.qualification.policy import load_policy
from mapping.qualification.tables import PolicyProblems
from sync.wrongconfig import WrongConfig, problem

if TYPE_CHECKING:
    from sync.settings import Settings

#: The words of the choices that the policy knows. A value map may only use these.
VOCABULARIES: Mapping[str, tuple[str, ...]] = {
    "industry": (
        *("E-Commerce", "Retail", "Wholesale", "Manufacturing", "Machinery", "Software", "Consumer Goods"),
        *("Media", "Services", "Education", "Health", "Finance", "Construction", "Logistics", "Food"),
        *("Public Sector", "Other"),
    )
}


def judged_fields(fields: Mapping[str, LeadField]) -> dict[str, LeadField]:
    """Every field a condition may name."""
    return {**fields, **DERIVED_FIELDS}


#: Policies that were compiled before, by what they were compiled from: a worker builds an app for each job, and the
#: policy stays the same for days.
_COMPILED: dict[str, Policy] = {}
_MOST_COMPILED = 8


def policy_of_config(settings: Settings) -> Policy:
    """The policy that a config declares. Raises WrongConfig with every problem and its line."""
    said = repr((settings.policy, settings.custom_fields))
    if (known := _COMPILED.get(said)) is not None:
        return known
    fields = judged_fields({**LEAD_FIELDS, **settings.custom_fields})
    try:
        policy = load_policy(settings.policy, fields=fields, vocabularies=VOCABULARIES)
        if len(_COMPILED) >= _MOST_COMPILED:
            _COMPILED.clear()
        _COMPILED[said] = policy
        return policy
    except PolicyProblems as wrong:
        problems = [
            problem(settings.where(one.path), str(one), "correct the policy") for one in wrong.problems
        ]
    raise WrongConfig(problems)
