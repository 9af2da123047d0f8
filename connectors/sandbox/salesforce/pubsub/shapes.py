"""The Avro schema of an object's change events, and the bitmaps that name fields by their place in it.

Name and addresses are records of their parts; everything else is a union of null and one type, in the order
of the object's fields (Salesforce reference, section 8).
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import md5
from typing import Any, NamedTuple

from connectors.sandbox.salesforce.schema import NUMBERS, Field, SObject

#: Fields that change events never have: the id stands in the header, and reading a record changes the rest.
LEFT_OUT = frozenset(
    {
        *("Id", "IsDeleted", "SystemModstamp", "MasterRecordId", "PhotoUrl"),
        *("LastViewedDate", "LastReferencedDate", "LastActivityDate"),
    }
)
CHANGE_TYPES = (
    *("CREATE", "UPDATE", "DELETE", "UNDELETE"),
    *("GAP_CREATE", "GAP_UPDATE", "GAP_DELETE", "GAP_UNDELETE", "GAP_OVERFLOW", "SNAPSHOT"),
)
NAME_PARTS = ("Salutation", "FirstName", "LastName")
HEADER = "ChangeEventHeader"
Places = Mapping[str, tuple[int, int | None]]


class Member(NamedTuple):
    """What a schema shows of a field; ``part_of`` names its compound."""

    name: str
    type: str
    part_of: str | None


@dataclass(frozen=True, slots=True)
class Shape:
    """How the change events of one object look.

    ``places`` maps a field of the record to its place in the schema, and to its place inside that where it
    is a part of a name or an address.
    """

    schema_id: str
    schema_json: str
    schema: Mapping[str, Any]
    places: Places
    members: Mapping[str, Member]


def captured(sobject: SObject) -> list[Field]:
    """The fields whose changes make events: kept ones, without those that are worked out or only looked at."""
    named = any(each.part_of == "Name" for each in sobject.fields.values())
    return [
        each
        for each in sobject.fields.values()
        if each.stored and each.name not in LEFT_OUT and not (named and each.name == "Name")
    ]


def shape_of(sobject: SObject) -> Shape:
    """The shape of an object's change events, with the fields that its reader may see."""
    seen = (each for each in captured(sobject) if each.read)
    return _shape(sobject.name, tuple(Member(each.name, each.type, each.part_of) for each in seen))


@lru_cache(maxsize=64)
def _shape(name: str, fields: tuple[Member, ...]) -> Shape:
    """The shape for some fields; the same fields always have the same schema id."""
    avro: list[dict[str, Any]] = [{"name": HEADER, "type": _header()}]
    places: dict[str, tuple[int, int | None]] = {}
    defined: set[str] = set()
    for part_of, members in _grouped(fields):
        if part_of is None:
            places[members[0].name] = (len(avro), None)
            avro.append({"name": members[0].name, "type": _union(name, members[0])})
        else:
            for inner, member in enumerate(members):
                places[member.name] = (len(avro), inner)
            avro.append({"name": part_of, "type": ["null", _compound(part_of, members, defined)]})
    schema = {
        "type": "record",
        "name": f"{name}ChangeEvent",
        "namespace": "com.sforce.eventbus",
        "fields": avro,
    }
    text = json.dumps(schema, separators=(",", ":"))
    digest = md5(text.encode(), usedforsecurity=False).digest()
    schema_id = urlsafe_b64encode(digest).decode().rstrip("=")
    return Shape(schema_id, text, schema, places, {each.name: each for each in fields})


def _grouped(fields: Iterable[Member]) -> Iterator[tuple[str | None, list[Member]]]:
    """The fields in order, those of one compound together at the place of the first."""
    groups: dict[str, list[Member]] = {}
    for each in fields:
        groups.setdefault(each.part_of or f"={each.name}", []).append(each)
    for key, members in groups.items():
        if key == "Name":
            members.sort(key=lambda each: NAME_PARTS.index(each.name))
        yield (None if key.startswith("=") else key), members


def _compound(part_of: str, members: list[Member], defined: set[str]) -> Any:
    """The record of a compound. Addresses with the same parts share one definition, by its name after the first."""
    parts = [{"name": inner_name(part_of, each.name), "type": ["null", _type(each)]} for each in members]
    kind = "PersonName" if part_of == "Name" else "Address"
    name = kind if len(parts) in (3, 8) else f"{kind}_{part_of}"
    if name in defined:
        return name
    defined.add(name)
    return {"type": "record", "name": name, "fields": parts}


def inner_name(part_of: str, name: str) -> str:
    """The name that a part has inside its compound: ``MailingCity`` of ``MailingAddress`` is ``City``."""
    return name.removeprefix(part_of.removesuffix("Address")) if part_of != "Name" else name


def _union(object_name: str, field: Member) -> list[Any]:
    if object_name == "Account" and field.name == "Name":
        # A person account has a name of parts here, and the schema allows for it in every org.
        parts = [{"name": part, "type": ["null", "string"]} for part in NAME_PARTS]
        return ["null", "string", {"type": "record", "name": "Switchable_PersonName", "fields": parts}]
    return ["null", _type(field)]


def _type(field: Member) -> str:
    if field.type == "int":
        return "int"
    if field.type in NUMBERS:
        return "double"
    return {"boolean": "boolean", "date": "long", "datetime": "long"}.get(field.type, "string")


def _header() -> dict[str, Any]:
    texts = {"type": "array", "items": "string"}
    change = {"type": "enum", "name": "ChangeType", "symbols": list(CHANGE_TYPES)}
    types = {
        **{"entityName": "string", "recordIds": texts, "changeType": change, "changeOrigin": "string"},
        **{"transactionKey": "string", "sequenceNumber": "int", "commitTimestamp": "long"},
        **{"commitNumber": "long", "commitUser": "string"},
        **dict.fromkeys(("nulledFields", "diffFields", "changedFields"), texts),
    }
    return {
        "type": "record",
        "name": HEADER,
        "fields": [{"name": name, "type": kind} for name, kind in types.items()],
    }


def bitmaps(places: Places, names: Iterable[str]) -> list[str]:
    """Field names as Salesforce writes them: ``0x…`` for whole fields, then ``PLACE-0x…`` for each compound.

    The lowest bit is the first field. A compound of which a part is named has no bit of its own.
    """
    whole = 0
    parts: dict[int, int] = {}
    for name in names:
        outer, inner = places[name]
        if inner is None:
            whole |= 1 << outer
        else:
            parts[outer] = parts.get(outer, 0) | 1 << inner
    top = [f"0x{whole:X}"] if whole else []
    return top + [f"{outer}-0x{bits:X}" for outer, bits in sorted(parts.items())]
