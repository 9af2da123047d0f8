"""What a request gives: who writes, which fields it may name, and the columns that its values mean."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from connectors.sandbox.salesforce import seed
from connectors.sandbox.salesforce.refusals import RowRefused
from connectors.sandbox.salesforce.schema import SObject
from connectors.sandbox.salesforce.values import reader_of


@dataclass(frozen=True, slots=True)
class Writer:
    """Who writes, and what the request's headers ask for. A person in the CRM is not bound by API rules."""

    user: str = seed.INTEGRATION_USER
    api: bool = True
    auto_assign: bool = True
    allow_save: bool = False
    details: bool = False


def changes_of(
    sobject: SObject, values: Mapping[str, Any], writer: Writer, *, creating: bool
) -> dict[str, Any]:
    """The columns that a request's values mean. Raises RowRefused for a name or a value that is refused."""
    if "attributes" in values:
        values = {name: value for name, value in values.items() if name != "attributes"}
    check_names(sobject, values, writer, creating=creating)
    known = sobject.by_lower
    fields = [sobject.fields.get(name) or known[name.lower()] for name in values]
    readers = [reader_of(sobject, field) for field in fields]
    return {
        field.name: read(value) for field, read, value in zip(fields, readers, values.values(), strict=True)
    }


def check_names(sobject: SObject, names: Iterable[str], writer: Writer, *, creating: bool) -> None:
    """Raise RowRefused where a request names what is no field, or a field that it may not write."""
    if writer.api and (sobject.creatable if creating else sobject.changeable).issuperset(names):
        return
    locked: list[str] = []
    for name in names:
        field = sobject.find(name)
        if field is None or not field.stored:
            if field is None or writer.api is False:
                raise RowRefused(
                    "INVALID_FIELD", f"No such column '{name}' on sobject of type {sobject.name}"
                )
            locked.append(field.name)
            continue
        if field.name == "Id":
            raise RowRefused("INVALID_FIELD", "cannot specify Id in an insert call", ["Id"])
        if writer.api and not (field.create if creating else field.update):
            locked.append(field.name)
    if locked:
        raise RowRefused(
            "INVALID_FIELD_FOR_INSERT_UPDATE",
            f"Unable to create/update fields: {', '.join(locked)}. Please check the security settings of this field "
            "and verify that it is read/write for your profile or permission set.",
            locked,
        )


class Read(Protocol):
    """How values that are to be written become columns, as ``changes_of`` does it."""

    def __call__(
        self, sobject: SObject, values: Mapping[str, Any], writer: Writer, /, *, creating: bool
    ) -> dict[str, Any]:
        """The columns. Raises RowRefused."""
        ...
