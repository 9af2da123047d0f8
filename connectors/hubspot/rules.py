"""The rules that an admin has set for the values of properties (HubSpot reference, section 6.1).

Writes to the addresses of 2026-09 are held against them, older ones are not (section 3): so a value that was
always taken can be refused after a change of version. To be read when that version is chosen.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from connectors.hubspot.api import Api, Reply
from connectors.hubspot.choices import Version

#: The version that enforces rules.
ENFORCED_IN: Version = "2026-09"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: ``type`` is HubSpot's word, such as ``MAX_LENGTH``, ``arguments`` its bounds as texts."""

    field: str
    type: str
    arguments: tuple[str, ...]


class _Row(msgspec.Struct):
    ruleType: str
    ruleArguments: list[str] = []


class _Property(msgspec.Struct):
    propertyName: str
    propertyValidationRules: list[_Row] = []


class _Properties(msgspec.Struct):
    results: list[_Property]


def read_rules(api: Api, object_type: str, version: Version = ENFORCED_IN) -> list[Rule] | None:
    """The rules of an object by its type id ("0-1"), by property and type. One call.

    None where the account or the token does not tell. Raises NeedsPerson for a token that is not accepted.
    """
    root = "/crm/v3/property-validations" if version == "v3" else f"/crm/property-validations/{version}"
    found = api.offered(_decode, api.get, f"{root}/{object_type}")
    if found is None:
        return None
    rules = [
        Rule(one.propertyName, row.ruleType, tuple(row.ruleArguments))
        for one in found
        for row in one.propertyValidationRules
    ]
    return sorted(rules, key=lambda rule: (rule.field, rule.type))


def _decode(reply: Reply) -> list[_Property]:
    return msgspec.json.decode(reply.data, type=_Properties).results
