"""Rules that an admin of the org made: validation rules, and record types with fewer picklist values.

The switch ``validation_rules`` lists what is refused: ``{"object", "when", "message"}``, perhaps ``"field"`` and
``"code"``, where ``when`` maps fields to values (null: blank) that must all hold. So "a phone is needed once worked" is
``{"object": "Lead", "when": {"Status": "Working - Contacted", "Phone": null}, "message": …, "field": "Phone"}``.
They bind people and the API alike. A value may be in the picklist and yet not be there for the record's type
(Salesforce reference, section 4).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from connectors.sandbox.salesforce.refusals import RowRefused
from connectors.sandbox.salesforce.schema import Schema, SObject
from connectors.sandbox.side import ControlRefused

Row = Mapping[str, Any]


def check_validation(rules: Sequence[Row], sobject: SObject, row: Row) -> None:
    """Raise RowRefused with the admin's text for the first rule that holds.

    The code is FIELD_CUSTOM_VALIDATION_EXCEPTION, or the rule's own: a trigger or a Flow refuses with another.
    """
    for rule in rules:
        if rule["object"] != sobject.name:
            continue
        if all(_is(row.get(name), value) for name, value in rule["when"].items()):
            field = rule.get("field")
            code = rule.get("code", "FIELD_CUSTOM_VALIDATION_EXCEPTION")
            raise RowRefused(code, rule["message"], [field] if field else [])


def _is(kept: Any, wanted: Any) -> bool:
    if isinstance(kept, str) and isinstance(wanted, str):
        return kept == wanted
    return bool(kept == wanted)  # kept flags are 0 and 1, which equal False and True


def check_record_type(allowed: Mapping[str, Mapping[str, Sequence[str]]], sobject: SObject, row: Row) -> None:
    """Raise RowRefused for a picklist value that the record's type does not have.

    ``allowed``: the id of a record type to its picklists and their values; other picklists are not narrowed.
    """
    for name, values in allowed.get(str(row.get("RecordTypeId")), {}).items():
        value = row.get(name)
        if value is not None and value not in values:
            label = sobject.fields[name].label
            raise RowRefused(
                "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
                f"{label}: bad value for restricted picklist field: {value}",
                [name],
            )


def check_type_is_ours(closed: frozenset[str], record_type: object) -> None:
    """Raise RowRefused for a record type that exists and that this user may not give to a record."""
    if record_type in closed:
        text = f"Record Type ID: this ID value isn't valid for the user: {record_type}"
        raise RowRefused("INVALID_CROSS_REFERENCE_KEY", text, ["RecordTypeId"])


def check_rules_fit(rules: Sequence[Row], schema: Schema) -> None:
    """Raise ControlRefused for a validation rule about an object or a field that is not there."""
    for rule in rules:
        sobject = schema.objects.get(rule["object"])
        names = [*rule["when"], *([rule["field"]] if rule.get("field") else [])]
        for name in names if sobject is not None else [""]:
            if sobject is None or name not in sobject.fields:
                raise ControlRefused(f"no such object or field: {rule['object']}.{name}")
