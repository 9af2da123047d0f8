"""The properties API: definitions and groups (HubSpot reference, section 6.1)."""

from __future__ import annotations

import re
from typing import Any

from connectors.sandbox.hubspot.account import OWNERS
from connectors.sandbox.hubspot.batch import inputs_of
from connectors.sandbox.hubspot.call import Call, answer
from connectors.sandbox.hubspot.errors import already_defined, bad_request, batch_not_found, no_resource
from connectors.sandbox.hubspot.kinds import CONTACTS, Kind
from connectors.sandbox.hubspot.moments import wire
from connectors.sandbox.hubspot.portal import Portal
from connectors.sandbox.side import Answer

MOST_UNIQUE = 10
_NAME = re.compile(r"[a-z][a-z0-9_]{0,99}")
FIELD_TYPES = {
    "bool": ("booleancheckbox", "calculation_equation"),
    "enumeration": ("booleancheckbox", "checkbox", "radio", "select", "calculation_equation"),
    "date": ("date",),
    "datetime": ("date",),
    "string": ("file", "html", "phonenumber", "text", "textarea", "calculation_equation"),
    "number": ("number", "calculation_equation"),
    "phone_number": ("phonenumber",),
}
_REQUIRED = ("name", "label", "type", "fieldType", "groupName")


def list_all(portal: Portal, call: Call) -> Answer:
    """``GET /properties/{type}``."""
    return answer(200, {"results": portal.definitions.bodies(call.kind, call.flag("archived"))})


def get_one(portal: Portal, call: Call) -> Answer:
    """``GET /properties/{type}/{name}``."""
    body = portal.definitions.body(call.kind, call.parts[1])
    if body is None or bool(body.get("archived", False)) is not call.flag("archived"):
        raise no_resource()
    return answer(200, body)


def create_one(portal: Portal, call: Call) -> Answer:
    """``POST /properties/{type}``."""
    return answer(201, _created(portal, call.kind, call.json()))


def create_many(portal: Portal, call: Call) -> Answer:
    """``batch/create``: all or nothing."""
    _, rows = inputs_of(call)
    started = wire(portal.now())
    results = [_created(portal, call.kind, row) for row in rows]
    body = {"status": "COMPLETE", "results": results, "startedAt": started}
    return answer(201, {**body, "completedAt": wire(portal.now())})


def read_many(portal: Portal, call: Call) -> Answer:
    """``batch/read``: inputs are ``{"name": …}``."""
    body, rows = inputs_of(call)
    archived = body.get("archived") is True
    started = wire(portal.now())
    names = [str(row.get("name")) for row in rows]
    found = {name: portal.definitions.body(call.kind, name) for name in dict.fromkeys(names)}
    seen = [b for b in found.values() if b is not None and bool(b.get("archived", False)) is archived]
    out: dict[str, Any] = {"status": "COMPLETE", "results": seen, "startedAt": started}
    out["completedAt"] = wire(portal.now())
    missing = [name for name in found if name not in {b["name"] for b in seen}]
    if missing:
        out |= {"numErrors": 1, "errors": [batch_not_found("PROPERTY", missing).row(None)]}
    return answer(call.partial_status if missing else 200, out)


def update_one(portal: Portal, call: Call) -> Answer:
    """``PATCH /properties/{type}/{name}``: label, description, group, options, order, visibility."""
    body = portal.definitions.body(call.kind, call.parts[1])
    if body is None or body.get("archived"):
        raise no_resource()
    wanted = call.json()
    if "hasUniqueValue" in wanted:
        raise bad_request("hasUniqueValue can only be set when a property is created")
    metadata = body["modificationMetadata"]
    if (metadata["readOnlyDefinition"] and not set(wanted) <= {"options"}) or metadata.get("readOnlyOptions"):
        raise bad_request(f"The definition of {body['name']} is read only")
    names = ("label", "description", "groupName", "displayOrder", "hidden", "formField")
    body |= {name: wanted[name] for name in names if name in wanted}
    if "options" in wanted:
        body["options"] = _options(wanted["options"], body["type"])
    body["updatedAt"] = wire(portal.now())
    portal.definitions.keep(call.kind, body)
    return answer(200, body)


def archive_one(portal: Portal, call: Call) -> Answer:
    """``DELETE /properties/{type}/{name}``."""
    body = portal.definitions.body(call.kind, call.parts[1])
    if body is None:
        raise no_resource()
    if body.get("hubspotDefined"):
        raise bad_request(f"{body['name']} is defined by HubSpot and cannot be archived")
    portal.definitions.keep(call.kind, {**body, "archived": True, "archivedAt": wire(portal.now())})
    return answer(204)


def list_groups(portal: Portal, call: Call) -> Answer:
    """``GET /properties/{type}/groups``."""
    return answer(200, {"results": portal.definitions.groups(call.kind)})


def get_group(portal: Portal, call: Call) -> Answer:
    """``GET /properties/{type}/groups/{name}``."""
    found = [g for g in portal.definitions.groups(call.kind) if g["name"] == call.parts[1]]
    if not found:
        raise no_resource()
    return answer(200, found[0])


def create_group(portal: Portal, call: Call) -> Answer:
    """``POST /properties/{type}/groups``."""
    body = call.json()
    name, label = body.get("name"), body.get("label")
    if not isinstance(name, str) or not _NAME.fullmatch(name) or not isinstance(label, str) or not label:
        raise bad_request("A property group needs a name (lower case, digits, _) and a label")
    if any(group["name"] == name for group in portal.definitions.groups(call.kind)):
        raise already_defined("property group", name)
    group = {"name": name, "label": label, "displayOrder": body.get("displayOrder", -1), "archived": False}
    portal.definitions.keep_group(call.kind, group)
    return answer(201, group)


def _created(portal: Portal, kind: Kind, body: dict[str, Any]) -> dict[str, Any]:
    missing = [name for name in _REQUIRED if not isinstance(body.get(name), str) or not body[name]]
    if missing:
        raise bad_request(f"A property needs {', '.join(missing)}")
    name = body["name"]
    if not _NAME.fullmatch(name):
        raise bad_request(f"{name} is not a property name: lower case, digits and _, a letter first")
    if body["fieldType"] not in FIELD_TYPES.get(body["type"], ()):
        raise bad_request(f"type {body['type']} does not go with fieldType {body['fieldType']}")
    if all(group["name"] != body["groupName"] for group in portal.definitions.groups(kind)):
        raise bad_request(f"Property group {body['groupName']} does not exist")
    if portal.definitions.body(kind, name) is not None:
        raise already_defined("property", name)
    if body.get("hasUniqueValue"):
        _refuse_unique(portal, kind)
    definition = _definition(portal, body)
    portal.definitions.keep(kind, definition)
    return definition


def _refuse_unique(portal: Portal, kind: Kind) -> None:
    if kind is CONTACTS and not portal.switches.unique_contacts:
        raise bad_request("hasUniqueValue is not supported for contacts in this account")
    if sum(p.unique for p in portal.definitions.of(kind).values()) >= MOST_UNIQUE:
        raise bad_request(f"An object has at most {MOST_UNIQUE} properties with unique values")


def _definition(portal: Portal, body: dict[str, Any]) -> dict[str, Any]:
    made, user = wire(portal.now()), str(OWNERS[0].user_id)
    calculated = body["fieldType"] == "calculation_equation"
    metadata = {"archivable": True, "readOnlyDefinition": False, "readOnlyValue": calculated}
    out = {
        "updatedAt": made,
        "createdAt": made,
        "name": body["name"],
        "label": body["label"],
        "type": body["type"],
        "fieldType": body["fieldType"],
        "description": body.get("description", ""),
        "groupName": body["groupName"],
        "options": _options(body.get("options") or [], body["type"]),
        "createdUserId": user,
        "updatedUserId": user,
        "displayOrder": body.get("displayOrder", -1),
        "calculated": calculated,
        "externalOptions": bool(body.get("externalOptions", False)),
        "archived": False,
        "hasUniqueValue": bool(body.get("hasUniqueValue", False)),
        "hidden": bool(body.get("hidden", False)),
        "modificationMetadata": metadata,
        "formField": bool(body.get("formField", False)),
        "dataSensitivity": body.get("dataSensitivity", "non_sensitive"),
    }
    optional = ("calculationFormula", "referencedObjectType")
    return out | {name: body[name] for name in optional if body.get(name)}


def _options(given: Any, type_: str) -> list[dict[str, Any]]:
    if type_ == "bool" and not given:
        given = [{"label": "Yes", "value": "true"}, {"label": "No", "value": "false"}]
    if not isinstance(given, list) or not all(
        isinstance(o, dict) and isinstance(o.get("label"), str) and isinstance(o.get("value"), str)
        for o in given
    ):
        raise bad_request("An option needs a label and a value")
    values = [o["value"] for o in given]
    if len(set(values)) < len(values):
        raise bad_request("Option values must be unique")
    return [
        {
            "label": option["label"],
            "value": option["value"],
            **({"description": option["description"]} if option.get("description") else {}),
            "displayOrder": option.get("displayOrder", place),
            "hidden": bool(option.get("hidden", False)),
        }
        for place, option in enumerate(given)
    ]
