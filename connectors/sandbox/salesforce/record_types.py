"""Record types: rows that a switch brings, a field that only objects with such rows have, and what each allows.

The switch maps objects to lists of ``{"name", "values", "default", "available"}``; ``values`` maps a picklist to the
values that records of the type may have, and a type that is not available is not the user's to give. Salesforce
reference, section 4 (a value may exist, but not for the type); what a type that is not ours is answered with is from
memory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from connectors.sandbox.salesforce.schema import Field, Schema, make_field
from connectors.sandbox.salesforce.store import Store
from connectors.sandbox.side import ControlRefused

PREFIX = "012"
MASTER = "012000000000000AAA"  #: every org has the master record type under this id
Wanted = Mapping[str, Sequence[Mapping[str, Any]]]


def check_types_fit(wanted: Wanted, schema: Schema) -> None:
    """Raise ControlRefused for types of an object, or of picklists, that are not there."""
    for name, types in wanted.items():
        sobject = schema.objects.get(name)
        if sobject is None or not sobject.ordinary:
            raise ControlRefused(f"no such object with record types: {name}")
        for one in types:
            for field in one.get("values", {}):
                if field not in sobject.fields or sobject.fields[field].type != "picklist":
                    raise ControlRefused(f"no such picklist: {name}.{field}")


def install(store: Store, wanted: Wanted, by: Mapping[str, Any]) -> None:
    """Bring the rows of the switch, switch others off, and give the tables their column."""
    store.db.execute("UPDATE RecordType SET IsActive = 0")
    for name, types in wanted.items():
        store.add_column(name, field_for(None))
        for one in types:
            known = store.rows(
                "SELECT Id FROM RecordType WHERE SobjectType = ? AND Name = ?", (name, one["name"])
            )
            if known:
                store.update("RecordType", known[0]["Id"], {"IsActive": 1})
                continue
            columns = {"Name": one["name"], "DeveloperName": one["name"].replace(" ", "_")}
            row = {"Id": store.mint(PREFIX), **columns, "SobjectType": name, "IsActive": 1, **by}
            store.insert("RecordType", row)


def field_for(default: str | None) -> Field:
    """The field that names a record's type."""
    facts = {"type": "reference", "label": "Record Type ID", "refers_to": ["RecordType"]}
    more = {"relationship": "RecordType", "default": default, "defaulted": default is not None}
    return make_field("RecordTypeId", {**facts, **more})


def fields_of(store: Store, wanted: Wanted) -> dict[str, list[Field]]:
    """The field of each object that has record types, with the default type's id."""
    ids = _ids(store)
    made = {}
    for name, types in wanted.items():
        default = next((ids.get((name, one["name"])) for one in types if one.get("default")), None)
        if types:
            made[name] = [field_for(default)]
    return made


def allowed(store: Store, wanted: Wanted) -> dict[str, Mapping[str, Sequence[str]]]:
    """For each record type, by its id, the picklists that it narrows and their values."""
    ids = _ids(store)
    return {
        ids[name, one["name"]]: one.get("values", {})
        for name, types in wanted.items()
        for one in types
        if (name, one["name"]) in ids
    }


def closed(store: Store, wanted: Wanted) -> frozenset[str]:
    """The ids of the record types that the user may not give to a record."""
    ids = _ids(store)
    return frozenset(
        ids[name, one["name"]]
        for name, types in wanted.items()
        for one in types
        if not one.get("available", True) and (name, one["name"]) in ids
    )


def _ids(store: Store) -> dict[tuple[str, str], str]:
    rows = store.rows("SELECT Id, SobjectType, Name FROM RecordType WHERE IsActive = 1")
    return {(row["SobjectType"], row["Name"]): row["Id"] for row in rows}


def infos(store: Store, name: str, default: object, closed: frozenset[str]) -> list[dict[str, Any]]:
    """What describe says of an object's record types, the master one last. ``closed``: those not available to us."""
    rows = store.rows(
        "SELECT Id, Name, DeveloperName FROM RecordType WHERE SobjectType = ? AND IsActive = 1 ORDER BY Id",
        (name,),
    )
    own = [
        _info(row["Id"], row["Name"], row["DeveloperName"], row["Id"] == default)
        | {"available": row["Id"] not in closed}
        for row in rows
    ]
    return [
        *own,
        {
            **_info(MASTER, "Master", "Master", not any(x["defaultRecordTypeMapping"] for x in own)),
            "master": True,
        },
    ]


def _info(record_id: str, name: str, developer_name: str, default: bool) -> dict[str, Any]:
    return {
        "active": True,
        "available": True,
        "defaultRecordTypeMapping": default,
        "developerName": developer_name,
        "master": False,
        "name": name,
        "recordTypeId": record_id,
    }
