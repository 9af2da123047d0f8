"""Which rules of the map a full reading has to be repeated for."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from mapping.lead import FieldType
from mapping.rules import FieldRule
from sync.newly_mapped import rules_of

LEFT = FieldRule(
    "newsletter_left", type=FieldType.BOOLEAN, hubspot="newsletter_left", salesforce="Newsletter_Left__c"
)


def _digest(rule: FieldRule) -> str:
    field_map = SimpleNamespace(rules={rule.lead: rule}, values={})
    work: Any = SimpleNamespace(field_map=field_map, objects={"hubspot": "contacts", "salesforce": "Lead"})
    return rules_of(work, "hubspot")[rule.lead]


@pytest.mark.parametrize(
    ("change", "read_again"),
    [
        ({"withdrawal": True}, True),  # what was always true there has to travel now
        ({"hubspot": "newsletter_gone"}, True),
        ({"type": FieldType.TEXT}, True),
        ({"if_both_changed": "hubspot"}, False),
        ({"label": "Newsletter"}, False),
    ],
)
def test_what_is_said_anew_of_a_field_asks_for_everybody_where_values_mean_something_else(
    change: dict[str, Any], read_again: bool
) -> None:
    assert (_digest(replace(LEFT, **change)) != _digest(LEFT)) is read_again
