"""What describe says of objects and fields, as the integration user may see them."""

from __future__ import annotations

from typing import Any

from connectors.sandbox.salesforce import moments, record_types, seed
from connectors.sandbox.salesforce.call import Call, answer_json
from connectors.sandbox.salesforce.refusals import BareStatus
from connectors.sandbox.salesforce.schema import NUMBERS, Field, SObject
from connectors.sandbox.side import Answer

SOAP_TYPES = {
    "id": "tns:ID",
    "reference": "tns:ID",
    "boolean": "xsd:boolean",
    "int": "xsd:int",
    "double": "xsd:double",
    "currency": "xsd:double",
    "percent": "xsd:double",
    "date": "xsd:date",
    "datetime": "xsd:dateTime",
    "address": "urn:address",
    "anyType": "xsd:anyType",
}
PREFILTERED = frozenset({"Account", "Contact", "Opportunity"})
NOT_AGGREGATED = frozenset({"boolean", "address", "multipicklist"})

ALWAYS: dict[str, Any] = {
    "aiPredictionField": False,
    "autoNumber": False,
    "cascadeDelete": False,
    "controllerName": None,
    "defaultValueFormula": None,
    "dependentPicklist": False,
    "deprecatedAndHidden": False,
    "displayLocationInDecimal": False,
    "encrypted": False,
    "filteredLookupInfo": None,
    "formulaTreatNullNumberAsZero": False,
    "highScaleNumber": False,
    "htmlFormatted": False,
    "inlineHelpText": None,
    "mask": None,
    "maskType": None,
    "referenceTargetField": None,
    "relationshipOrder": None,
    "restrictedDelete": False,
    "writeRequiresMasterRead": False,
}  # nothing in this org is encrypted, dependent or predicted


def describe_object(call: Call, name: str) -> Answer:
    """Answer ``/sobjects/X/describe``; 304 when nothing changed since If-Modified-Since."""
    sobject = call.sobject(name)
    changed = moments.moment_of(call.org.store.setting("schema_changed", call.org.store.setting("made_at")))
    since = moments.parse_http_date(call.header("if-modified-since") or "")
    if since is not None and changed <= since:
        raise BareStatus(304)
    body = {
        **_head(call, sobject),
        "actionOverrides": [],
        "childRelationships": _children(call, sobject),
        "compactLayoutable": True,
        "extendedBy": None,
        "extendsInterfaces": None,
        "defaultImplementation": None,
        "implementedBy": None,
        "implementsInterfaces": None,
        "listviewable": None,
        "lookupLayoutable": None,
        "namedLayoutInfos": [],
        "networkScopeFieldName": None,
        "recordTypeInfos": _record_types(call, sobject),
        "searchLayoutable": True,
        "sobjectDescribeOption": "FULL",
        "supportedScopes": [{"label": f"All {sobject.plural}", "name": "everything"}],
        "fields": [_field(each) for each in sobject.readable()],
    }
    return answer_json(body, headers={"Last-Modified": moments.http_date(changed)})


def describe_global(call: Call) -> Answer:
    """Answer ``/sobjects``: every object in short."""
    heads = [_head(call, each) for each in call.org.seen.objects.values()]
    return answer_json({"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": heads})


def about_object(call: Call, name: str) -> Answer:
    """Answer ``GET /sobjects/X``: the object in short and its newest records."""
    sobject = call.sobject(name)
    return answer_json({"objectDescribe": _head(call, sobject), "recentItems": []})


def _head(call: Call, sobject: SObject) -> dict[str, Any]:
    base = call.url(f"sobjects/{sobject.name}")
    urls = {"rowTemplate": base + "/{ID}", "describe": base + "/describe", "sobject": base}
    if call.method == "GET" and sobject.name in ("Lead", "Contact", "Account", "Opportunity", "Campaign"):
        urls["uiDetailTemplate"] = seed.INSTANCE_URL + "/{ID}"
        urls["uiEditTemplate"] = seed.INSTANCE_URL + "/{ID}/e"
        urls["uiNewRecord"] = f"{seed.INSTANCE_URL}/{sobject.prefix}/e"
    mergeable = sobject.name in ("Lead", "Contact", "Account")
    return {
        "activateable": False,
        "associateEntityType": None,
        "associateParentEntity": None,
        "createable": sobject.writable,
        "custom": False,
        "customSetting": False,
        "deepCloneable": False,
        "deletable": sobject.deletable,
        "deprecatedAndHidden": False,
        "feedEnabled": sobject.ordinary,
        "hasSubtypes": False,
        "isInterface": False,
        "isSubtype": False,
        "keyPrefix": sobject.prefix,
        "label": sobject.label,
        "labelPlural": sobject.plural,
        "layoutable": sobject.ordinary,
        "mergeable": mergeable,
        "mruEnabled": sobject.ordinary,
        "name": sobject.name,
        "queryable": True,
        "replicateable": sobject.bin or sobject.name in ("User", "Group"),
        "retrieveable": True,
        "searchable": sobject.ordinary,
        "triggerable": sobject.ordinary,
        "undeletable": sobject.ordinary,
        "updateable": sobject.writable and sobject.updatable,
        "urls": urls,
    }


def _children(call: Call, sobject: SObject) -> list[dict[str, Any]]:
    return [
        {
            "cascadeDelete": each.cascade,
            "childSObject": other.name,
            "deprecatedAndHidden": False,
            "field": each.name,
            "junctionIdListNames": [],
            "junctionReferenceTo": [],
            "relationshipName": each.child,
            "restrictedDelete": False,
        }
        for other in call.org.seen.objects.values()
        for each in other.readable()
        if sobject.name in each.refers_to
    ]


def _record_types(call: Call, sobject: SObject) -> list[dict[str, Any]]:
    field = sobject.find("RecordTypeId")
    default = field.default if field else None
    found = record_types.infos(call.org.store, sobject.name, default, call.org.closed_types)
    base = call.url(f"sobjects/{sobject.name}/describe/layouts")
    return [{**each, "urls": {"layout": f"{base}/{each['recordTypeId']}"}} for each in found]


def _field(field: Field) -> dict[str, Any]:
    text = field.type not in NUMBERS and field.type not in ("boolean", "date", "datetime", "address")
    return {
        **ALWAYS,
        "aggregatable": field.filter and field.type not in NOT_AGGREGATED,
        "calculated": field.formula is not None,
        "calculatedFormula": field.formula,
        "byteLength": field.length * (1 if field.type in ("id", "reference") else 3) if text else 0,
        "caseSensitive": field.case_sensitive,
        "compoundFieldName": field.part_of,
        "createable": field.create,
        "custom": field.custom,
        "defaultValue": bool(field.default) if field.type == "boolean" else _default_value(field),
        "defaultedOnCreate": field.defaulted,
        "digits": field.digits,
        "externalId": field.external_id,
        "extraTypeInfo": field.extra,
        "filterable": field.filter,
        "groupable": field.group,
        "idLookup": field.lookup or field.external_id,
        "label": field.label,
        "length": field.length if text else 0,
        "name": field.name,
        "nameField": field.name_field,
        "namePointing": len(field.refers_to) > 1,
        "nillable": field.nillable,
        "permissionable": _permissionable(field),
        "picklistValues": [_choice(field, each) for each in field.values],
        "polymorphicForeignKey": len(field.refers_to) > 1,
        "precision": field.precision,
        "queryByDistance": field.type == "address",
        "referenceTo": list(field.refers_to),
        "relationshipName": field.relationship,
        "restrictedPicklist": field.restricted,
        "scale": field.scale,
        "searchPrefilterable": bool(PREFILTERED.intersection(field.refers_to)) and len(field.refers_to) == 1,
        "soapType": SOAP_TYPES.get(field.type, "xsd:string"),
        "sortable": field.sort,
        "type": field.type,
        "unique": field.unique,
        "updateable": field.update,
    }


def _default_value(field: Field) -> str | None:
    given = field.create or field.update  # what nobody can write has no default, only a value
    return str(field.default) if given and field.default not in (None, "") else None


def _permissionable(field: Field) -> bool:
    own = field.nillable and field.create and field.part_of != "Name"
    return field.custom or field.type == "address" or own


def _choice(field: Field, value: str) -> dict[str, Any]:
    default = value == _default_value(field)
    label = field.labels.get(value, value)
    return {"active": True, "defaultValue": default, "label": label, "validFor": None, "value": value}
