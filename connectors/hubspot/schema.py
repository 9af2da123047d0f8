"""What HubSpot says of an object's properties and stages, as the port's ``ObjectSchema``."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from connectors.crm import FieldInfo, ObjectSchema
from connectors.hubspot.api import Api, Reply
from connectors.hubspot.errors import CRM

#: Characters a text property holds (HubSpot reference, section 6.1).
TEXT_LENGTH = 65_536

#: The pipeline whose stages are the lifecycle stages (HubSpot reference, section 6.4).
LIFECYCLE_PIPELINE = "contacts-lifecycle-pipeline"

CONTACTS = "contacts"
COMPANIES = "companies"
EMAIL = "email"
OPT_OUT = "hs_email_optout"
LIFECYCLE = "lifecyclestage"

_TYPES = {
    "string": "text",
    "phone_number": "text",
    "number": "number",
    "bool": "boolean",
    "date": "date",
    "datetime": "datetime",
}


class Option(msgspec.Struct, frozen=True):
    value: str
    label: str | None = None
    displayOrder: int | None = None
    hidden: bool | None = None
    description: str | None = None


class Modification(msgspec.Struct, frozen=True):
    readOnlyValue: bool | None = None


class Property(msgspec.Struct, frozen=True):
    """One definition on the wire (HubSpot reference, section 6.1); what we do not use is skipped."""

    name: str
    type: str | None = None
    label: str | None = None
    fieldType: str | None = None
    groupName: str | None = None
    options: list[Option] | None = None
    calculated: bool | None = None
    externalOptions: bool | None = None
    archived: bool | None = None
    hasUniqueValue: bool | None = None
    referencedObjectType: str | None = None
    modificationMetadata: Modification | None = None


class _Properties(msgspec.Struct):
    results: list[Property]


class _Stage(msgspec.Struct):
    id: str
    displayOrder: int = 0
    archived: bool | None = None


class _Pipeline(msgspec.Struct):
    id: str
    stages: list[_Stage] = []


class _Pipelines(msgspec.Struct):
    results: list[_Pipeline]


def read_properties(api: Api, object_name: str) -> list[Property]:
    """Every property definition of an object that is not archived. One call."""
    found = api.read(_decode_properties, api.properties.get_all, object_name)
    return [p for p in found if not p.archived]


def _decode_properties(reply: Reply) -> list[Property]:
    return msgspec.json.decode(reply.data, type=_Properties).results


def _decode_pipelines(reply: Reply) -> list[_Pipeline]:
    return msgspec.json.decode(reply.data, type=_Pipelines).results


def read_stages(api: Api, object_name: str) -> tuple[str, ...] | None:
    """The lifecycle stages in the pipeline's order, custom ones included; None where it is not to be had.

    An account or token without pipelines answers with a refusal; the options of the property
    ``lifecyclestage`` are the other source (HubSpot reference, section 7).
    """
    pipelines = api.offered(_decode_pipelines, api.pipelines.get_all, object_name) or ()
    stages = next((p.stages for p in pipelines if p.id == LIFECYCLE_PIPELINE), None)
    if not stages:
        return None
    return tuple(s.id for s in sorted(stages, key=lambda s: s.displayOrder) if not s.archived)


def describe(api: Api, object_name: str) -> ObjectSchema:
    """The live schema. Hidden properties are kept: hidden concerns HubSpot's own pages, not the API."""
    fields = {p.name: field_info(object_name, p) for p in read_properties(api, object_name)}
    stages: tuple[str, ...] = ()
    if object_name == CONTACTS:
        lifecycle = fields.get(LIFECYCLE)
        options = tuple(value for value, _ in lifecycle.options) if lifecycle is not None else ()
        stages = read_stages(api, object_name) or options
    return ObjectSchema(CRM, object_name, fields, stages)


def field_info(object_name: str, found: Property) -> FieldInfo:
    """One property in the port's words. Writable: the test of the HubSpot reference, section 6.1."""
    kind = field_type(found)
    calculated = bool(found.calculated) or (found.fieldType or "").startswith("calculation")
    locked = found.modificationMetadata is not None and bool(found.modificationMetadata.readOnlyValue)
    # Locked as a property, and still to be set to one value: by the consent API (``connectors.hubspot.withdrawal``).
    leaving = object_name == CONTACTS and found.name == OPT_OUT
    writable = leaving or not (calculated or locked)
    options = sorted(found.options or [], key=lambda o: o.displayOrder if o.displayOrder is not None else 0)
    return FieldInfo(
        name=found.name,
        label=found.label or "",
        type=kind,
        length=TEXT_LENGTH if found.type == "string" else None,
        creatable=writable,
        updatable=writable,
        calculated=calculated,
        # The address is a contact's natural key: a second one is answered with 409 (section 5.1).
        unique=bool(found.hasUniqueValue) or (object_name == CONTACTS and found.name == EMAIL),
        options=tuple((o.value, o.label or "") for o in options),
        restricted=kind in {"choice", "choices"} and not found.externalOptions,
        # Withdrawals are kept by address (section 14): nobody without one is on a list.
        needs=EMAIL if leaving else None,
    )


def field_type(found: Property) -> str:
    """HubSpot's type and field type as one of ``FieldInfo.type``."""
    if found.type == "enumeration":
        if found.externalOptions or found.referencedObjectType:
            return "reference"
        return "choices" if found.fieldType == "checkbox" else "choice"
    return _TYPES.get(found.type or "", "other")


def known(schema: ObjectSchema, fields: Sequence[str]) -> list[str]:
    """Those of ``fields`` that may be asked for, each once; the others get no column."""
    wanted = dict.fromkeys(fields)
    return [f for f in wanted if (info := schema.fields.get(f)) is not None and info.readable]
