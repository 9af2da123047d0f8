"""What an organisation says about an object: its fields, and what one field's values look like.

Only what describe shows is ever asked for or written: a field without read permission is simply not in
it, and naming that field fails the whole call (Salesforce reference, section 12, point 14).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from connectors.crm import FieldInfo, ObjectSchema, RecordType
from connectors.errors import ConnectorError, NeedsPerson, OurBug
from connectors.salesforce.calls import Calls, part
from connectors.salesforce.errors import CRM
from connectors.salesforce.ids import eighteen

#: Salesforce's field types as the port's; every other one (address, location, base64, time) is "other".
TYPES: Mapping[str, str] = {
    **dict.fromkeys(("string", "email", "phone", "url", "textarea", "encryptedstring", "combobox"), "text"),
    **dict.fromkeys(("int", "long", "double", "currency", "percent"), "number"),
    "boolean": "boolean",
    "date": "date",
    "datetime": "datetime",
    "picklist": "choice",
    "multipicklist": "choices",
    "reference": "reference",
    "id": "reference",
}

#: Objects whose records stand on a ladder: where its steps are kept, and the field that holds the step.
LADDERS: Mapping[str, tuple[str, str]] = {"Lead": ("LeadStatus", "Status")}

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,79}")


@dataclass(frozen=True, slots=True)
class Described:
    """One object as described: the port's schema, and what this connector needs beside it.

    ``types`` maps each field to Salesforce's own type, ``relations`` each relationship name ("Owner") to the
    objects it may lead to. ``key_prefix`` begins the ids of its records ("00Q"); "" where there is none.
    ``keys``: the external ids, which can name a record in an upsert.
    """

    schema: ObjectSchema
    types: Mapping[str, str]
    relations: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    key_prefix: str = ""
    keys: frozenset[str] = frozenset()

    def has(self, name: str) -> bool:
        """Whether the object has this field, visible to us."""
        return name in self.types


class Schemas:
    """Describes objects, once each."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._kept: dict[str, Described] = {}

    def of(self, object_name: str) -> Described:
        """An object as the organisation describes it; kept until ``forget``.

        Raises NeedsPerson where the object is not there or not visible to us.
        """
        described = self._kept.get(object_name)
        if described is None:
            described = self._kept[object_name] = self._describe(object_name)
        return described

    def forget(self, object_name: str) -> None:
        """Ask again the next time."""
        self._kept.pop(object_name, None)

    def _describe(self, object_name: str) -> Described:
        if not _NAME.fullmatch(object_name):
            raise OurBug("salesforce: that is not the name of an object", crm=CRM)
        missing: ConnectorError
        try:
            answer = self._calls.get(f"sobjects/{object_name}/describe")
        except ConnectorError as error:
            if error.code not in ("NOT_FOUND", "404"):
                raise
            missing = NeedsPerson(
                f"salesforce: there is no object {object_name}, or it is not visible to us",
                crm=CRM,
                code=error.code,
                fix=f"give the integration user read access to {object_name}",
            )
        else:
            fields = part(answer, "fields", "describe")
            return described_from(answer, self._stages(object_name, fields))
        raise missing

    def _stages(self, object_name: str, fields: list[Mapping[str, Any]]) -> tuple[str, ...]:
        """The steps of the object's ladder, in their order (Salesforce reference, section 6)."""
        if object_name not in LADDERS:
            return ()
        table, status = LADDERS[object_name]
        try:
            rows = self._calls.few(f"SELECT ApiName FROM {table} ORDER BY SortOrder, Id")
            return tuple(row["ApiName"] for row in rows)
        except ConnectorError as error:
            if error.code not in ("INVALID_TYPE", "INVALID_FIELD"):
                raise
            # Not visible to this user: the picklist has the same values, in the order of its setup.
            return next((_values(item) for item in fields if item["name"] == status), ())


def described_from(answer: Mapping[str, Any], stages: tuple[str, ...] = ()) -> Described:
    """A describe answer, read."""
    fields: list[Mapping[str, Any]] = answer["fields"]
    infos = {item["name"]: field_info(item) for item in fields}
    relations = {
        item["relationshipName"]: tuple(item.get("referenceTo") or ())
        for item in fields
        if item.get("relationshipName")
    }
    return Described(
        ObjectSchema(CRM, answer["name"], infos, stages, _record_types(answer)),
        {item["name"]: item["type"] for item in fields},
        relations,
        answer.get("keyPrefix") or "",
        frozenset(item["name"] for item in fields if item.get("externalId")),
    )


def _record_types(answer: Mapping[str, Any]) -> tuple[RecordType, ...]:
    """``recordTypeInfos`` without the master type, which is no choice of anybody's."""
    return tuple(
        RecordType(
            eighteen(one["recordTypeId"]),
            one["name"],
            usable=bool(one.get("available")),
            default=bool(one.get("defaultRecordTypeMapping")),
        )
        for one in answer.get("recordTypeInfos") or ()
        if one.get("active", True) and not one.get("master")
    )


def field_info(item: Mapping[str, Any]) -> FieldInfo:
    """One field of a describe answer in the port's words.

    ``required`` means that a create fails without it: not nillable, and given no value by Salesforce.
    """
    kind = TYPES.get(item["type"], "other")
    creatable = bool(item.get("createable"))
    length = item.get("length") or None
    return FieldInfo(
        name=item["name"],
        label=item.get("label") or item["name"],
        type=kind,
        length=length if kind in ("text", "choice", "choices") else None,
        required=creatable
        and not item.get("nillable", True)
        and not item.get("defaultedOnCreate", False)
        # A checkbox always has a value, whatever describe says about null.
        and kind != "boolean",
        creatable=creatable,
        updatable=bool(item.get("updateable")),
        calculated=bool(item.get("calculated") or item.get("autoNumber")),
        unique=bool(item.get("unique")),
        options=tuple((choice["value"], choice.get("label") or choice["value"]) for choice in _active(item)),
        restricted=bool(item.get("restrictedPicklist")),
    )


def _values(item: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(choice["value"] for choice in _active(item))


def _active(item: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [choice for choice in item.get("picklistValues") or () if choice.get("active", True)]
