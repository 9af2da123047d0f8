"""Record types of Salesforce that lack a value which we write: a write of it to such a record is refused.

A value that is added to a restricted picklist, by `leadpact setup` too, is not switched on in the record types that
are there. A deployment of a record type replaces what it names, so people do that: they are told where, and what.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from connectors.crm import FieldInfo, ObjectSchema, RecordType
from sync.setup import needed_fields
from sync.work import Work
from sync.wrongconfig import Problem

CRM = "salesforce"


@runtime_checkable
class HasTypes(Protocol):
    """A CRM that tells which values of its picklists a record type has; None: not to us."""

    def values_of_type(self, object_name: str, record_type: str) -> Mapping[str, frozenset[str]] | None: ...


@dataclass(frozen=True, slots=True)
class Lacking:
    """Values of a picklist that records of one type may not have. ``values``: what is written to Salesforce."""

    object: str
    type: RecordType
    field: FieldInfo
    values: tuple[str, ...]

    @property
    def click(self) -> str:
        """Where an admin switches the values on."""
        return (
            f"Setup > Object Manager > {self.object} > Record Types > {self.type.name} > Picklists Available for"
            f" Editing > {self.field.label} > Edit: move {', '.join(self.values)} to the selected values"
        )


def of_types(work: Work) -> Iterator[Problem]:
    """What would be refused of records of one type. An error for the type that new records get. Writes nothing."""
    schema = work.crms[CRM].describe(work.objects[CRM])
    found = lacking_values(work)
    if found is None:
        yield Problem(
            where=f"Salesforce {schema.object}",
            severity="warning",
            problem="Salesforce does not tell us which picklist values its record types have:"
            " a value that one of them lacks is refused when it is written",
            fix="look at the record types' picklists once, for every field that Leadpact writes",
        )
        return
    for one in found:
        yield Problem(
            where=f"Salesforce {schema.object}",
            severity="error" if one.type.default and one.type.usable else "warning",
            problem=f"the record type {one.type.name} lacks {_listed(one.values)} of {one.field.name}:"
            " a write of it to such a record would be refused",
            fix=one.click,
        )


def lacking_values(work: Work) -> list[Lacking] | None:
    """Every record type with the values that it lacks, in the order of types and fields; one call a type.

    None where Salesforce does not tell. Only restricted picklists refuse a value (Salesforce reference, section 4).
    """
    crm, name = work.crms[CRM], work.objects[CRM]
    schema = crm.describe(name)
    written = written_values(work, schema)
    if not schema.record_types or not written or not isinstance(crm, HasTypes):
        return []
    found = []
    for kind in schema.record_types:
        has = crm.values_of_type(name, kind.id)
        if has is None:
            return None
        for field, values in written.items():
            if field in has and (left := tuple(value for value in values if value not in has[field])):
                found.append(Lacking(name, kind, schema.fields[field], left))
    return found


def written_values(work: Work, schema: ObjectSchema) -> dict[str, tuple[str, ...]]:
    """The values that we write, by restricted picklist, without those that the picklist itself lacks."""
    said: dict[str, list[str]] = {}
    for needed in needed_fields(work):
        if needed.crm == CRM and needed.spec.type == "choice":
            said.setdefault(needed.spec.name, []).extend(value for value, _ in needed.spec.options)
    for name, source in work.field_map.writable(CRM, schema.object):
        if (words := work.field_map.values.get(name)) is not None:
            said.setdefault(source, []).extend(words.said(CRM).values())
    for name, text in work.required.items():
        said.setdefault(name, []).append(text)
    found = {}
    for name, written in said.items():
        info = schema.fields.get(name)
        if info is not None and info.restricted and info.options:
            found[name] = tuple(value for value in dict.fromkeys(written) if not info.refuses(value))
    return found


def types_told(found: list[Lacking] | None) -> list[str]:
    """What people have to do after a setup, a sentence a record type and field."""
    return [
        f"The record type {one.type.name} lacks {_listed(one.values)} of {one.field.name}: {one.click}."
        for one in found or ()
    ]


def _listed(values: tuple[str, ...]) -> str:
    return f"the value{'s' if len(values) > 1 else ''} {', '.join(values)}"
