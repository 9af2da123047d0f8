"""What a new record needs where we create some: fields that Salesforce demands, and a record type that we may give.

HubSpot's API demands nothing of a contact, and has no record types.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from connectors.crm import ObjectSchema, RecordType
from mapping.own import OWN_FIELDS
from sync.work import Work
from sync.wrongconfig import Problem

CRM = "salesforce"
#: The field that says of which type a record is.
TYPE = "RecordTypeId"
#: A condition that lets nobody in.
NOBODY = "false"


def of_creates(work: Work, where: Callable[[str], str]) -> Iterator[Problem]:
    """What would be refused of every new record. Reads the schema, writes nothing."""
    schema = work.crms[CRM].describe(work.objects[CRM])
    yield from _of_record_types(work, schema, where)
    wanted = work.scope.create_in_salesforce
    if wanted is not None and wanted.text.strip().casefold() != NOBODY:
        yield from _of_required(work, schema, where)


def _of_required(work: Work, schema: ObjectSchema, where: Callable[[str], str]) -> Iterator[Problem]:
    """Fields without which a create is refused, and that nothing fills, or not for every lead."""
    ours = {own.name_in(CRM) for own in OWN_FIELDS}
    mapped = {source: name for name, source in work.field_map.writable(CRM, schema.object)}
    for info in schema.fields.values():
        if not info.required or info.name in work.required or info.name in ours:
            continue
        fix = f'salesforce.required.{info.name} = "…" says what a lead gets where nothing is known'
        if info.name in mapped:
            yield Problem(
                where=where(f"fields.{mapped[info.name]}.{CRM}"),
                severity="warning",
                problem=f"Salesforce demands {info.name} of a new {schema.object}: a lead without it is refused",
                fix=fix,
            )
        else:
            yield Problem(
                where=where("scope.create_in_salesforce"),
                severity="error",
                problem=f"Salesforce demands {info.name} of a new {schema.object}, and nothing fills it",
                fix=f"map {info.name}, or {fix}",
            )


def _of_record_types(work: Work, schema: ObjectSchema, where: Callable[[str], str]) -> Iterator[Problem]:
    """Record types that the config gives to records, and that the integration user may not give."""
    for at, said in _types_given(work, schema):
        known = next((one for one in schema.record_types if said[:15] == one.id[:15]), None)
        if known is None:
            yield Problem(
                where=where(at),
                severity="error",
                problem=f"{schema.object} has no active record type {said}",
                fix=_choose(schema.record_types),
            )
        elif not known.usable:
            yield Problem(
                where=where(at),
                severity="error",
                problem=f"the integration user may not give {schema.object} records the type {known.name}: every"
                " write of it would be refused",
                fix="assign the record type to the user's profile or permission set, or "
                + _choose(schema.record_types),
            )


def _types_given(work: Work, schema: ObjectSchema) -> Iterator[tuple[str, str]]:
    """(place in the config, record type's id) of each that is given: as a stand-in, or as a word of a value map."""
    if TYPE in work.required:
        yield f"salesforce.required.{TYPE}", work.required[TYPE]
    for name, source in work.field_map.writable(CRM, schema.object):
        values = work.field_map.values.get(name)
        if source == TYPE and values is not None:
            for word in values.said(CRM).values():
                yield f"values.{values.name}", word


def _choose(types: tuple[RecordType, ...]) -> str:
    usable = [f"{one.id} ({one.name})" for one in types if one.usable]
    return (
        f"choose one of {', '.join(usable)}"
        if usable
        else "leave it out: there is none that this user may give"
    )
