"""Creating the custom fields that are missing, and the right to read and write them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import orjson

from connectors.crm import FieldInfo, FieldSpec
from connectors.errors import ConnectorError, NeedsPerson, OurBug, RecordRefused, RetryLater
from connectors.options import new_labels
from connectors.salesforce import soql
from connectors.salesforce.calls import Calls
from connectors.salesforce.deploying import Deploying
from connectors.salesforce.errors import CRM
from connectors.salesforce.package import PERMISSION_SET, package_zip
from connectors.salesforce.schema import Described, Schemas

#: Describes after the deployment: a new permission is not always in force in the same second.
LOOKS = 5

_API_NAME = re.compile(r"[A-Za-z](?:_?[A-Za-z0-9])*__c")
_KINDS: Mapping[str, str] = {"long_text": "text"}


class Setup:
    """Creates fields in one organisation. ``sleep`` takes seconds."""

    def __init__(
        self, calls: Calls, schemas: Schemas, *, version: str, sleep: Callable[[float], None]
    ) -> None:
        self._calls = calls
        self._schemas = schemas
        self._version = version
        self._sleep = sleep
        self._deploying = Deploying(calls, "create the fields", sleep=sleep)

    def add_fields(self, object_name: str, specs: Sequence[FieldSpec]) -> list[str]:
        """Create what is missing of ``specs`` and give ourselves access; the names created, in order.

        A restricted picklist that is there gets the values it lacks; those that people added stay. One that is
        not restricted takes every value, and gets none. Labels change where a spec says so.

        A field that we cannot see may be there without our right to see it: then it is deployed again as it
        is wanted, which changes nothing, and made visible. Safe to repeat after any interruption.
        Raises NeedsPerson where a field exists with another type, or the account does not allow it; OurBug
        for a name that cannot be one of a custom field.
        """
        for spec in specs:
            if not _API_NAME.fullmatch(spec.name) or len(spec.name) > 43:
                raise OurBug(f"salesforce: {soql.shown(spec.name)} is no name for a custom field", crm=CRM)
        self._schemas.forget(object_name)
        described = self._schemas.of(object_name)
        missing = [spec for spec in specs if not described.has(spec.name)]
        for spec in specs:
            if described.has(spec.name):
                _check_same(object_name, spec, described.schema.fields[spec.name])
        closed = [spec for spec in specs if not _writable(described, spec.name)]
        there = [spec for spec in specs if described.has(spec.name)]
        widened = [
            w for spec in there if (w := _mended(spec, described.schema.fields[spec.name])) is not None
        ]
        if not closed and not widened:
            return []
        fields = [f"{object_name}.{spec.name}" for spec in closed]
        created = self._deploy(object_name, [*missing, *widened], fields)
        if closed:
            self._assign()
            self._wait_until_writable(object_name, [spec.name for spec in closed])
        self._schemas.forget(object_name)
        return [spec.name for spec in missing if f"{object_name}.{spec.name}" in created]

    def _deploy(self, object_name: str, missing: Sequence[FieldSpec], fields: Sequence[str]) -> set[str]:
        """Deploy fields and access; the full names of the fields that were not there before."""
        # A deployed permission set replaces the one that is there: what it grants already stays in it.
        granted = {**self._granted(), **dict.fromkeys(fields, True)}
        return self._deploying.deploy(package_zip(object_name, missing, granted, self._version))

    def _assign(self) -> None:
        """Give the permission set to the user we run as, unless that user has it."""
        found = self._select("PermissionSet", "Name", PERMISSION_SET)
        if not found:
            raise RetryLater("salesforce: the permission set just deployed is not there yet", crm=CRM)
        set_id, user_id = found[0]["Id"], self._calls.token.user_id
        query = soql.select(
            "PermissionSetAssignment",
            ["Id"],
            f"PermissionSetId = {soql.text(set_id)} AND AssigneeId = {soql.text(user_id)}",
        )
        if self._calls.few(query):
            return
        body = orjson.dumps({"AssigneeId": user_id, "PermissionSetId": set_id})
        try:
            # Assigned twice, Salesforce refuses the second with DUPLICATE_VALUE: so it may be repeated.
            self._deploying.as_admin(
                lambda: self._calls.send("POST", "sobjects/PermissionSetAssignment", body, repeatable=True)
            )
        except RecordRefused as error:
            if error.code != "DUPLICATE_VALUE":
                raise

    def _wait_until_writable(self, object_name: str, names: Sequence[str]) -> None:
        for look in range(LOOKS):
            if look:
                self._sleep(2.0**look / 2)
            self._schemas.forget(object_name)
            described = self._schemas.of(object_name)
            closed = [name for name in names if not _writable(described, name)]
            if not closed:
                return
        raise NeedsPerson(
            f"salesforce: {object_name}'s fields {', '.join(closed)} are there but not open to us",
            crm=CRM,
            fix=f"assign the permission set {PERMISSION_SET} to the integration user",
        )

    def _granted(self) -> dict[str, bool]:
        """What the permission set grants now: whether a field, as ``Object.Field``, may be written too."""
        parent = f"Parent.Name = {soql.text(PERMISSION_SET)}"
        query = soql.select("FieldPermissions", ["Field", "PermissionsEdit"], parent)
        try:
            return {row["Field"]: row["PermissionsEdit"] is True for row in self._calls.few(query)}
        except ConnectorError as error:
            if error.code not in ("INVALID_TYPE", "INVALID_FIELD"):
                raise
            return {}

    def _select(self, object_name: str, where: str, value: str) -> list[dict[str, Any]]:
        return self._calls.few(soql.select(object_name, ["Id"], f"{where} = {soql.text(value)}"))


def _writable(described: Described, name: str) -> bool:
    info = described.schema.fields.get(name)
    return info is not None and info.creatable and info.updatable


def _mended(spec: FieldSpec, info: FieldInfo) -> FieldSpec | None:
    """The picklist as it is, with the values it lacks behind its own and the labels it is to have; None where it is so.

    A deployment replaces the list, so it names every value that is to stay. Values are compared as Salesforce does,
    without regard to case; the label is what people gave, unless the spec says otherwise (``new_labels``).
    """
    if spec.type != "choice":
        return None
    labels = new_labels(spec, info.options, str.lower)
    known = {value.lower() for value, _ in info.options}
    kept = [(value, labels.get(value, label)) for value, label in info.options]
    lacking = [option for option in spec.options if info.restricted and option[0].lower() not in known]
    options = (*kept, *lacking)
    if options == info.options:
        return None
    return replace(spec, label=info.label, options=options, restricted=info.restricted)


def _check_same(object_name: str, spec: FieldSpec, info: FieldInfo) -> None:
    """Raises NeedsPerson where the field that is there cannot hold what we would write."""
    wanted = _KINDS.get(spec.type, spec.type)
    problem = ""
    if info.type != wanted:
        problem = f"is a field of type {info.type}, and {wanted} is needed"
    elif spec.unique and not info.unique:
        problem = "is not unique, and has to be"
    if problem:
        raise NeedsPerson(
            f"salesforce: {object_name}.{spec.name} {problem}",
            crm=CRM,
            fix="rename or delete that field in Salesforce, then run the setup again",
        )
