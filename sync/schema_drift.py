"""Schema drift: what of the map is gone in a CRM since it was set up. Reads both schemas, writes nothing to them.

A field, an option or a stage that is missing, or cannot be written any more, is found by the comparison of `check`. How
long a text may be says nothing by itself; a field that takes fewer characters than it once did has shrunk.
"""

from __future__ import annotations

from collections.abc import Callable

from mapping.lead import FieldType
from sync.alerts import Finding
from sync.check import of_map
from sync.plan import NAMES
from sync.work import CRMS, Work

#: (crm, object, field)
Key = tuple[str, str, str]


def drifted(work: Work, where: Callable[[str], str]) -> list[Finding]:
    """What does not fit any more; keeps how wide each field is. Raises the connectors' errors."""
    gone = [
        Finding(
            "schema",
            problem["problem"],
            "schema.gone",
            {"problem": problem["problem"], "fix": problem["fix"]},
        )
        for problem in of_map(work, where)
        if problem["severity"] == "error"
    ]
    now, before = _lengths(work), work.store.alerts.lengths()
    work.store.alerts.keep_lengths(now)
    return [*gone, *shorter(now, before)]


def shorter(now: dict[Key, int], before: dict[Key, int]) -> list[Finding]:
    """The fields that take fewer characters than they once did. Pure."""
    return [
        Finding(
            "schema",
            f"length {crm} {field}",
            "schema.shorter",
            {"crm": NAMES[crm], "field": field, "length": length, "before": before[crm, name, field]},
        )
        for (crm, name, field), length in sorted(now.items())
        if length < before.get((crm, name, field), length)
    ]


def _lengths(work: Work) -> dict[Key, int]:
    """The lengths of the text fields that are written to, where a CRM says them."""
    found: dict[Key, int] = {}
    for crm in CRMS:
        name = work.objects[crm]
        fields = work.crms[crm].describe(name).fields
        for rule in work.field_map.rules.values():
            source = rule.source(crm, name)
            info = fields.get(source) if source else None
            text = work.field_map.fields[rule.lead].type is FieldType.TEXT
            if info is not None and info.length is not None and text and rule.writes_to(crm):
                found[crm, name, info.name] = info.length
    return found
