"""Which fields a change event names: bitmaps over the fields of its Avro schema.

``["0x650004E0", "4-0x10"]`` (Salesforce reference, section 8): the first is about whole fields, the lowest
bit being the schema's first field; each of the others is about the parts of one compound field, which
stands before the hyphen by its place. A name or an address is a compound.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_WHOLE = re.compile(r"0[xX]([0-9A-Fa-f]+)")
_PARTS = re.compile(r"(\d{1,5})-0[xX]([0-9A-Fa-f]+)")


class Unreadable(ValueError):
    """Something in an event does not fit its schema; what it says about fields cannot be used."""


@dataclass(frozen=True, slots=True)
class Place:
    """One field of a schema by name; ``parts`` are the names inside it where it is a compound."""

    name: str
    parts: tuple[str, ...] = ()


def places_of(schema: Any) -> tuple[Place, ...]:
    """The fields of an event's schema (as decoded JSON) in order. Raises Unreadable where it is no record."""
    if not _is_record(schema):
        raise Unreadable("the schema is not a record")
    namespace = schema.get("namespace", "")
    records: dict[str, Mapping[str, Any]] = {}
    found = []
    for field in schema["fields"]:
        inner = _record_in(field["type"], records, namespace)
        parts = tuple(str(each["name"]) for each in inner["fields"]) if inner is not None else ()
        found.append(Place(str(field["name"]), parts))
    return tuple(found)


def fields_named(bitmaps: Sequence[str], places: Sequence[Place]) -> tuple[str, ...]:
    """The fields that some bitmaps name, in the schema's order, under the names that records have.

    Raises Unreadable for text that is no bitmap, and for a bit beyond the schema.
    """
    chosen: dict[int, set[int | None]] = {}
    for text in bitmaps:
        if whole := _WHOLE.fullmatch(text):
            for outer in _bits(whole[1], len(places)):
                chosen.setdefault(outer, set()).add(None)
        elif parts := _PARTS.fullmatch(text):
            outer = int(parts[1])
            if outer >= len(places):
                raise Unreadable("a bitmap names a field beyond the schema")
            chosen.setdefault(outer, set()).update(_bits(parts[2], len(places[outer].parts)))
        else:
            raise Unreadable("a list of fields holds something that is not a bitmap")
    named: list[str] = []
    for outer in sorted(chosen):
        named.extend(_names(places[outer], chosen[outer]))
    return tuple(named)


def field_of_part(compound: str, part: str) -> str:
    """The record's field behind a part: ``MailingCity`` for ``City`` of ``MailingAddress``, ``LastName`` of ``Name``.

    A part of any other compound keeps both names, with a dot.
    """
    if compound == "Name":
        return part
    if compound.endswith("Address"):
        return compound.removesuffix("Address") + part
    return f"{compound}.{part}"


def _names(place: Place, chosen: set[int | None]) -> list[str]:
    if not place.parts:
        return [place.name]
    if None in chosen:
        # The compound as a whole: an account's name is one text, a person's name all of its parts.
        return [place.name, *(field_of_part(place.name, part) for part in place.parts)]
    return [
        field_of_part(place.name, place.parts[each]) for each in sorted(c for c in chosen if c is not None)
    ]


def _bits(text: str, size: int) -> list[int]:
    value = int(text, 16)
    if value >> size:
        raise Unreadable("a bitmap names a field beyond the schema")
    return [each for each in range(size) if value >> each & 1]


def _is_record(kind: Any) -> bool:
    return isinstance(kind, Mapping) and kind.get("type") == "record" and isinstance(kind.get("fields"), list)


def _record_in(kind: Any, records: dict[str, Mapping[str, Any]], namespace: str) -> Mapping[str, Any] | None:
    """The record that a field's type is, or offers in a union; ``records`` keeps those that were defined.

    A second address is only named: Avro defines each record once.
    """
    if isinstance(kind, list):
        found = [_record_in(each, records, namespace) for each in kind]
        return next((each for each in found if each is not None), None)
    if isinstance(kind, str):
        return records.get(kind.removeprefix(f"{namespace}."))
    if _is_record(kind):
        record: Mapping[str, Any] = kind
        records[str(record["name"]).removeprefix(f"{namespace}.")] = record
        for each in record["fields"]:
            _record_in(each["type"], records, namespace)
        return record
    return None
