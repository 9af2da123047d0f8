"""The one resource of the User Interface API that is played: the values of each picklist for one record type.

From memory: the Salesforce reference does not describe it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from connectors.sandbox.salesforce import record_types
from connectors.sandbox.salesforce.call import Call, answer_json
from connectors.sandbox.salesforce.ids import to_18
from connectors.sandbox.salesforce.refusals import not_found
from connectors.sandbox.salesforce.schema import Field
from connectors.sandbox.side import Answer


def picklist_values(call: Call, name: str, type_id: str) -> Answer:
    """Answer ``/ui-api/object-info/X/picklist-values/TYPE``: those of the master type are all of them."""
    sobject = call.sobject(name)
    known = {each["recordTypeId"] for each in record_types.infos(call.org.store, name, None, frozenset())}
    asked = to_18(type_id)
    if asked is None or asked not in known:
        raise not_found()
    narrowed = call.org.record_types.get(asked, {})
    base = call.url(f"ui-api/object-info/{sobject.name}/picklist-values/{type_id}")
    fields: dict[str, dict[str, Any]] = {
        field.name: {
            **{"controllerValues": {}, "defaultValue": None, "url": f"{base}/{field.name}"},
            "values": _values(field, narrowed.get(field.name)),
        }
        for field in sobject.readable()
        if field.type in ("picklist", "multipicklist")
    }
    return answer_json({"picklistFieldValues": fields})


def _values(field: Field, switched_on: Sequence[str] | None) -> list[dict[str, Any]]:
    """The field's values in their order; ``switched_on``: those that the type has, None: the type narrows nothing."""
    return [
        {"attributes": None, "label": field.labels.get(value, value), "validFor": [], "value": value}
        for value in field.values
        if switched_on is None or value in switched_on
    ]
