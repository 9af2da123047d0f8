"""Custom fields and a permission set as a zip in metadata format (Salesforce reference, section 11).

Deploying a field never gives anybody access to it, so the permission set travels with it. It names no
licence: one that does could not be assigned to an integration user (section 1).
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from xml.etree import ElementTree as ET

from connectors.crm import FieldSpec

NAMESPACE = "http://soap.sforce.com/2006/04/metadata"
PERMISSION_SET = "Leadpact_Integration"

#: Salesforce's least and default length of a long text, in characters.
LONG_TEXT = 32_768

#: Digits of a number in all, those after the point included.
PRECISION = 18

#: The same bytes for the same fields: zip entries carry no time of their own.
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)

#: Element names and texts, in the order the metadata's schema prescribes.
Elements = list[tuple[str, str]]


def field_elements(spec: FieldSpec) -> Elements:
    """The parts of a ``CustomField`` other than its value set."""
    elements: Elements = [("fullName", spec.name)]
    unique = spec.type == "text" and spec.unique
    if unique:
        elements.append(("caseSensitive", "false"))
    if spec.type == "boolean":
        elements.append(("defaultValue", "false"))
    if spec.description:
        elements.append(("description", spec.description))
    if unique:
        elements.append(("externalId", "true"))
    elements.append(("label", spec.label))
    if spec.type in ("text", "long_text"):
        elements.append(("length", str(spec.length if spec.type == "text" else LONG_TEXT)))
    if spec.type == "number":
        elements.append(("precision", str(PRECISION)))
    if spec.type != "boolean" and spec.type != "long_text":
        elements.append(("required", "false"))
    if spec.type == "number":
        elements.append(("scale", str(spec.decimals)))
    elements.append(("type", TYPE_NAMES[spec.type]))
    if unique:
        elements.append(("unique", "true"))
    if spec.type == "long_text":
        elements.append(("visibleLines", "5"))
    return elements


#: The port's field types in the metadata's words.
TYPE_NAMES: Mapping[str, str] = {
    "text": "Text",
    "long_text": "LongTextArea",
    "number": "Number",
    "boolean": "Checkbox",
    "date": "Date",
    "datetime": "DateTime",
    "choice": "Picklist",
}


def object_xml(specs: Iterable[FieldSpec]) -> bytes:
    """``objects/X.object``: the fields to create."""
    root = ET.Element("CustomObject", xmlns=NAMESPACE)
    for spec in specs:
        fields = _child(root, "fields", field_elements(spec))
        if spec.type == "choice":
            _value_set(fields, spec.options, restricted=spec.restricted)
    return document(root)


def permission_set_xml(fields: Mapping[str, bool]) -> bytes:
    """``permissionsets/X.permissionset``: reading each ``Object.Field__c``, and writing it where True."""
    root = ET.Element("PermissionSet", xmlns=NAMESPACE)
    _child(root, "description", [], "Lets Leadpact's integration user read and write Leadpact's own fields.")
    for name, editable in sorted(fields.items()):
        elements = [("editable", str(editable).lower()), ("field", name), ("readable", "true")]
        _child(root, "fieldPermissions", elements)
    _child(root, "hasActivationRequired", [], "false")
    _child(root, "label", [], "Leadpact Integration")
    return document(root)


def package_zip(
    object_name: str, specs: Sequence[FieldSpec], granted: Mapping[str, bool], version: str
) -> bytes:
    """The whole deployment. ``granted`` has every field the permission set is to cover, on any object."""
    names = [f"{object_name}.{spec.name}" for spec in specs]
    files = {
        "package.xml": manifest({"CustomField": names, "PermissionSet": [PERMISSION_SET]}, version),
        f"permissionsets/{PERMISSION_SET}.permissionset": permission_set_xml(granted),
    }
    if specs:
        files[f"objects/{object_name}.object"] = object_xml(specs)
    return zipped(files)


def zipped(files: Mapping[str, bytes]) -> bytes:
    """Files by path as a zip: the same bytes for the same files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, _ZIP_TIME), content)
    return buffer.getvalue()


def manifest(members: Mapping[str, Sequence[str]], version: str) -> bytes:
    """``package.xml``: the full names of what is deployed, by the type of metadata."""
    root = ET.Element("Package", xmlns=NAMESPACE)
    for kind, names in members.items():
        if names:
            _child(root, "types", [*(("members", name) for name in names), ("name", kind)])
    _child(root, "version", [], version)
    return document(root)


def _value_set(fields: ET.Element, options: Sequence[tuple[str, str]], *, restricted: bool) -> None:
    """A picklist, in the given order. It stands behind ``type`` and before nothing we use."""
    value_set = _child(fields, "valueSet", [("restricted", str(restricted).lower())])
    definition = _child(value_set, "valueSetDefinition", [("sorted", "false")])
    for value, label in options:
        _child(definition, "value", [("fullName", value), ("default", "false"), ("label", label)])


def _child(parent: ET.Element, name: str, elements: Elements, text: str | None = None) -> ET.Element:
    child = ET.SubElement(parent, name)
    child.text = text
    for key, value in elements:
        ET.SubElement(child, key).text = value
    return child


def document(root: ET.Element) -> bytes:
    """A file of metadata."""
    return bytes(ET.tostring(root, encoding="UTF-8", xml_declaration=True))
