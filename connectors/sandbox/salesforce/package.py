"""What a deployment's zip holds: custom fields, permission sets, and objects selected for Change Data Capture.

Documents with a DOCTYPE or entities are refused before they are read.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree

from connectors.sandbox.salesforce import channel_members
from connectors.sandbox.salesforce.channel_members import NewMember
from connectors.sandbox.salesforce.schema import Schema

NAMESPACE = "{http://soap.sforce.com/2006/04/metadata}"
CUSTOM_NAME = re.compile(r"[A-Za-z](?:[A-Za-z0-9]|_(?!_))*[A-Za-z0-9]__c|[A-Za-z]__c")
#: What a file holds, by its extension.
KINDS = {
    "object": "CustomObject",
    "permissionset": "PermissionSet",
    channel_members.EXTENSION: channel_members.KIND,
}
TOO_MANY_FILES = 10_000
TOO_MANY_BYTES = 600_000_000
# Metadata type to the type that describe shows
TYPES = {
    "Text": "string",
    "Number": "double",
    "Checkbox": "boolean",
    "DateTime": "datetime",
    "Date": "date",
    "Picklist": "picklist",
    "MultiselectPicklist": "multipicklist",
    "LongTextArea": "textarea",
    "TextArea": "textarea",
    "Currency": "currency",
    "Percent": "percent",
    "Url": "url",
    "Email": "email",
    "Phone": "phone",
}
FIXED_LENGTHS = {
    "Url": 255,
    "Email": 80,
    "Phone": 40,
    "Picklist": 255,
    "TextArea": 255,
    "MultiselectPicklist": 4_099,
}


@dataclass(frozen=True, slots=True)
class Problem:
    """A component that cannot be deployed."""

    file: str
    kind: str
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Component:
    """A component that was deployed."""

    file: str
    kind: str
    name: str
    created: bool
    changed: bool


@dataclass(frozen=True, slots=True)
class NewField:
    """A custom field: its object, and its facts as ``schema.make_field`` takes them, with its name."""

    file: str
    object: str
    facts: dict[str, Any]


@dataclass(frozen=True, slots=True)
class NewPermissionSet:
    """A permission set: for each field, whether it may be read and edited."""

    file: str
    name: str
    label: str
    permissions: list[tuple[str, bool, bool]]


@dataclass(slots=True)
class Package:
    """Everything a zip holds."""

    fields: list[NewField] = field(default_factory=list)
    permission_sets: list[NewPermissionSet] = field(default_factory=list)
    members: list[NewMember] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


class _Wrong(Exception):
    """A component is refused; the text says why."""


def read_package(file: bytes, schema: Schema) -> Package:
    """What a zip in metadata format holds, problems included; never raises for bad content."""
    package = Package()
    try:
        with zipfile.ZipFile(io.BytesIO(file)) as zipped:
            infos = [each for each in zipped.infolist() if not each.is_dir()]
            if len(infos) > TOO_MANY_FILES or sum(each.file_size for each in infos) > TOO_MANY_BYTES:
                raise _Wrong("the zip is too big")
            documents = {each.filename: zipped.read(each) for each in infos}
    except (zipfile.BadZipFile, _Wrong):
        package.problems.append(Problem("", "", "", "The zip file could not be read"))
        return package
    if not any(name.rpartition("/")[2] == "package.xml" for name in documents):
        package.problems.append(Problem("package.xml", "", "package.xml", "No package.xml found"))
        return package
    for name, document in documents.items():
        _read_document(package, schema, name, document)
    return package


def _read_document(package: Package, schema: Schema, file: str, document: bytes) -> None:
    stem, _, extension = file.rpartition("/")[2].rpartition(".")
    try:
        if extension not in KINDS and stem != "package":
            raise _Wrong(f"Unsupported component type: {extension}")
        root = _xml(document)
        if extension == "object":
            _read_object(package, schema, file, stem, root)
        elif extension == "permissionset":
            package.permission_sets.append(_permission_set(file, stem, root))
        elif extension == channel_members.EXTENSION:
            member = NewMember(file, stem, _text(root, "eventChannel"), _text(root, "selectedEntity"))
            package.members.append(member)
    except _Wrong as wrong:
        package.problems.append(Problem(file, KINDS.get(extension, ""), stem, str(wrong)))


def _xml(document: bytes) -> ElementTree.Element:
    if b"<!DOCTYPE" in document or b"<!ENTITY" in document or document[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise _Wrong("Document types and entities are not allowed")
    try:
        return ElementTree.fromstring(document)
    except ElementTree.ParseError as wrong:
        raise _Wrong(f"Error parsing file: {wrong}") from None


def _text(element: ElementTree.Element, name: str, default: str = "") -> str:
    return (element.findtext(NAMESPACE + name) or default).strip()


def _is_true(element: ElementTree.Element, name: str) -> bool:
    return _text(element, name).lower() == "true"


def _number(element: ElementTree.Element, name: str, least: int, most: int) -> int:
    text = _text(element, name)
    if not text.isdigit() or not least <= int(text) <= most:
        raise _Wrong(f"{name} must be between {least} and {most}")
    return int(text)


def _read_object(package: Package, schema: Schema, file: str, name: str, root: ElementTree.Element) -> None:
    sobject = schema.find(name)
    if sobject is None:
        raise _Wrong(f"Entity of type 'CustomObject' named '{name}' cannot be found")
    for element in root.findall(NAMESPACE + "fields"):
        full_name = _text(element, "fullName")
        try:
            package.fields.append(NewField(file, sobject.name, _facts(element, full_name)))
        except _Wrong as wrong:
            package.problems.append(Problem(file, "CustomField", f"{name}.{full_name}", str(wrong)))


def _facts(element: ElementTree.Element, name: str) -> dict[str, Any]:
    kind = _text(element, "type")
    if not CUSTOM_NAME.fullmatch(name):
        raise _Wrong(f"The name of a custom field ends with __c and has no other double underscore: {name}")
    if len(name) > 43:
        raise _Wrong(f"The name of a custom field has at most 40 characters before __c: {name}")
    if kind not in TYPES:
        raise _Wrong(f"'{kind}' is not a valid value for the enum 'FieldType'")
    if not _text(element, "label"):
        raise _Wrong("Required field is missing: label")
    facts: dict[str, Any] = {"name": name, "type": TYPES[kind], "label": _text(element, "label")}
    facts.update(_shape(element, kind))
    for key, source in (
        ("unique", "unique"),
        ("external_id", "externalId"),
        ("case_sensitive", "caseSensitive"),
    ):
        if _is_true(element, source):
            if kind not in ("Text", "Number", "Email"):
                raise _Wrong(f"Can not specify '{source}' for a CustomField of type {kind}")
            facts[key] = True
    if _is_true(element, "required"):
        facts["nillable"] = False
    return facts


def _shape(element: ElementTree.Element, kind: str) -> Mapping[str, Any]:
    if kind == "Text":
        return {"length": _number(element, "length", 1, 255)}
    if kind == "LongTextArea":
        length = _number(element, "length", 256, 131_072)
        return {"length": length, "filter": False, "sort": False, "group": False}
    if kind in ("Number", "Currency", "Percent"):
        precision, scale = _number(element, "precision", 1, 18), _number(element, "scale", 0, 17)
        if scale > precision:
            raise _Wrong("scale cannot be greater than precision")
        return {"precision": precision, "scale": scale}
    if kind == "Checkbox":
        default = _text(element, "defaultValue").lower()
        if default not in ("true", "false"):
            raise _Wrong("Must specify 'defaultValue' for a CustomField of type Checkbox")
        return {"default": default == "true"}
    if kind in ("Picklist", "MultiselectPicklist"):
        return _choices(element, kind)
    return {"length": FIXED_LENGTHS[kind]} if kind in FIXED_LENGTHS else {}


def _choices(element: ElementTree.Element, kind: str) -> Mapping[str, Any]:
    value_set = element.find(NAMESPACE + "valueSet")
    definition = value_set.find(NAMESPACE + "valueSetDefinition") if value_set is not None else None
    if value_set is None or definition is None:
        raise _Wrong(f"Must specify 'valueSet' for a CustomField of type {kind}")
    values = definition.findall(NAMESPACE + "value")
    names = [_text(each, "fullName") for each in values]
    if not names or not all(names) or len({each.lower() for each in names}) < len(names):
        raise _Wrong("A value set needs values, each with its own fullName")
    facts: dict[str, Any] = {"values": names, "length": FIXED_LENGTHS[kind]}
    labels = ((_text(each, "fullName"), _text(each, "label")) for each in values)
    facts["labels"] = {name: label for name, label in labels if label not in ("", name)}
    facts["restricted"] = _is_true(value_set, "restricted")
    default = next((_text(each, "fullName") for each in values if _is_true(each, "default")), None)
    return facts if default is None else {**facts, "default": default, "defaulted": True}


def _permission_set(file: str, name: str, root: ElementTree.Element) -> NewPermissionSet:
    label = _text(root, "label")
    if not label:
        raise _Wrong("Required field is missing: label")
    permissions = [
        (_text(each, "field"), _is_true(each, "readable"), _is_true(each, "editable"))
        for each in root.findall(NAMESPACE + "fieldPermissions")
    ]
    return NewPermissionSet(file, name, label, permissions)
