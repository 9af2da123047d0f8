"""Which values of a picklist a record of one type may have: a value may exist, and not be switched on for the type.

Describe does not tell it (Salesforce reference, section 4); the User Interface API does. Its path and its answer are
from memory: the reference does not have them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.errors import ConnectorError, OurBug
from connectors.salesforce.calls import Calls
from connectors.salesforce.errors import CRM
from connectors.salesforce.ids import eighteen

#: Answers that say that this resource is not there, or not for this user.
_NOT_FOR_US = frozenset(("NOT_FOUND", "404", "INSUFFICIENT_ACCESS", "FUNCTIONALITY_NOT_ENABLED"))


def values_of_type(calls: Calls, object_name: str, record_type: str) -> dict[str, frozenset[str]] | None:
    """The values that a record of this type may have, by picklist; None where Salesforce does not tell us.

    ``record_type``: its id. Raises the connectors' errors but for an answer that is not there for us.
    """
    if not object_name.isidentifier():
        raise OurBug("salesforce: that is not the name of an object", crm=CRM)
    try:
        answer = calls.get(f"ui-api/object-info/{object_name}/picklist-values/{eighteen(record_type)}")
    except ConnectorError as error:
        if error.code not in _NOT_FOR_US:
            raise
        return None
    return _read(answer)


def _read(answer: Mapping[str, Any]) -> dict[str, frozenset[str]]:
    fields: Mapping[str, Any] = answer.get("picklistFieldValues") or {}
    return {
        name: frozenset(
            str(one["value"]) for one in field.get("values") or () if one.get("value") is not None
        )
        for name, field in fields.items()
    }
