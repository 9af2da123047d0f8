"""Creating the properties that the write-back needs (HubSpot reference, section 6.1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import orjson

from connectors.crm import FieldSpec
from connectors.errors import NeedsPerson
from connectors.hubspot.api import Api, Reply
from connectors.hubspot.errors import CRM, Refusal
from connectors.hubspot.schema import Option, Property, read_properties
from connectors.options import new_labels

GROUP = "leadpact"
GROUP_LABEL = "Leadpact"

#: FieldSpec.type → HubSpot's type and field type.
TYPES: Mapping[str, tuple[str, str]] = {
    "text": ("string", "text"),
    "long_text": ("string", "textarea"),
    "number": ("number", "number"),
    "boolean": ("bool", "booleancheckbox"),
    "date": ("date", "date"),
    "datetime": ("datetime", "date"),
    "choice": ("enumeration", "select"),
}

INVALID, CONFLICT = 400, 409


def add_fields(api: Api, object_name: str, specs: Sequence[FieldSpec]) -> list[str]:
    """Create what is missing and return its names; mend the options of choices that exist.

    Raises NeedsPerson where a property of that name is of another kind, or HubSpot refuses one.
    """
    existing = {p.name: p for p in read_properties(api, object_name)}
    for spec in specs:
        if spec.name in existing:
            _check(spec, existing[spec.name])
    missing = [spec for spec in specs if spec.name not in existing]
    if missing:
        _ensure_group(api, object_name)
    created = [spec.name for spec in missing if _create(api, object_name, spec)]
    for spec in specs:
        if spec.name in existing:
            _mend_options(api, object_name, spec, existing[spec.name])
    return created


def definition(spec: FieldSpec) -> dict[str, Any]:
    """The body that creates a property."""
    kind, field_type = TYPES[spec.type]
    body: dict[str, Any] = {
        "name": spec.name,
        "label": spec.label,
        "type": kind,
        "fieldType": field_type,
        "groupName": GROUP,
        "description": spec.description,
        "hasUniqueValue": spec.unique,
        "formField": False,
    }
    options = (("true", "Yes"), ("false", "No")) if spec.type == "boolean" else spec.options
    if options:
        body["options"] = [
            {"value": value, "label": label, "displayOrder": n, "hidden": False}
            for n, (value, label) in enumerate(options)
        ]
    return body


def _ensure_group(api: Api, object_name: str) -> None:
    body = orjson.dumps({"name": GROUP, "label": GROUP_LABEL, "displayOrder": -1})
    try:
        api.call(_done, api.groups.create, object_name, body)
    except Refusal as refusal:
        if refusal.status != CONFLICT:
            raise _needs_person(f"the property group {GROUP}", object_name, refusal) from None


def _create(api: Api, object_name: str, spec: FieldSpec) -> bool:
    """False where somebody else has created it in the meantime, or an answer was lost and we had.

    Where HubSpot refuses a unique property it is made without uniqueness: not every account has them on
    contacts, and an object has at most ten (HubSpot reference, section 6.1). Writing then looks records up first.
    """
    try:
        api.call(_done, api.properties.create, object_name, orjson.dumps(definition(spec)))
    except Refusal as refusal:
        if refusal.status == INVALID and spec.unique:
            return _create(api, object_name, replace(spec, unique=False))
        if refusal.status != CONFLICT:
            raise _needs_person(f"the property {spec.name}", object_name, refusal) from None
        found = next((p for p in read_properties(api, object_name) if p.name == spec.name), None)
        if found is None:
            # An archived property keeps its name.
            raise _needs_person(f"the property {spec.name}", object_name, refusal) from None
        _check(spec, found)
        return False
    return True


def _check(spec: FieldSpec, found: Property) -> None:
    """Type and uniqueness are fixed at creation."""
    kind, _ = TYPES[spec.type]
    if found.type != kind:
        problem, fix = f"is of type {found.type}, and {kind} is needed", "Rename or delete it in HubSpot."
    elif spec.unique and not found.hasUniqueValue and found.groupName != GROUP:
        # In our own group it is ours, made when HubSpot allowed no unique one.
        problem, fix = (
            "does not demand unique values",
            "Delete it in HubSpot, so that it can be created anew.",
        )
    else:
        return
    text = f"The HubSpot property {spec.name} {problem}"
    raise NeedsPerson(text, crm=CRM, code="PROPERTY_DIFFERS", fix=fix)


def _mend_options(api: Api, object_name: str, spec: FieldSpec, found: Property) -> None:
    """Options that people added stay, and so do their labels unless the spec says otherwise (``new_labels``).

    A change of options sends them all; records keep the values that they hold.
    """
    have = found.options or []
    lacking = [o for o in spec.options if o[0] not in {h.value for h in have}]
    labels = new_labels(spec, [(o.value, o.label or "") for o in have])
    if spec.type != "choice" or not (lacking or labels):
        return
    options = [_option(o, n, labels.get(o.value)) for n, o in enumerate(have)]
    last = max((o["displayOrder"] for o in options), default=-1)
    options += [
        {"value": value, "label": label, "displayOrder": n, "hidden": False}
        for n, (value, label) in enumerate(lacking, last + 1)
    ]
    body = orjson.dumps({"options": options})
    try:
        api.call(_done, api.properties.update, object_name, spec.name, body)
    except Refusal as refusal:
        names = ", ".join(f"{value} ({label})" for value, label in (*lacking, *labels.items()))
        raise NeedsPerson(
            f"HubSpot refuses to change the options of the property {spec.name} of {object_name}:"
            f" {refusal.code} ({refusal.status})",
            crm=CRM,
            code=refusal.code,
            correlation=refusal.correlation,
            fix=f"Give it these options by hand, with exactly these internal names and labels: {names}.",
        ) from None


def _option(there: Option, place: int, label: str | None) -> dict[str, Any]:
    """One option as it is, under another label where one is given."""
    option = {
        "value": there.value,
        "label": label or there.label or there.value,
        "displayOrder": there.displayOrder if there.displayOrder is not None else place,
        "hidden": bool(there.hidden),
    }
    return {**option, "description": there.description} if there.description else option


def _needs_person(what: str, object_name: str, refusal: Refusal) -> NeedsPerson:
    return NeedsPerson(
        f"HubSpot refuses to create {what} of {object_name}: {refusal.code} ({refusal.status})",
        crm=CRM,
        code=refusal.code,
        correlation=refusal.correlation,
        fix="Create it by hand, or make room for it: an object has at most ten properties with unique values.",
    )


def _done(reply: Reply) -> None:
    """The answer repeats the definition; ``describe`` reads it again."""
