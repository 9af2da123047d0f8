"""The fields of ours that the write-back needs in both CRMs: which are missing, and creating them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from connectors.crm import FieldSpec
from mapping.lead import FieldType, LeadField
from mapping.own import HANDOVER_LABELS, OWN_FIELDS, STAGE_LABELS, OwnField
from sync.setup_options import Needed, labels_told, needed_field, options_told, twins_told
from sync.work import CRMS, Work

#: A mapped field whose CRM name starts like this is ours to create.
OURS: Mapping[str, str] = {"hubspot": "leadpact_", "salesforce": "Leadpact_"}

_Kind = Literal["text", "long_text", "number", "boolean", "date", "datetime", "choice"]
_KINDS: Mapping[FieldType, _Kind] = {
    FieldType.BOOLEAN: "boolean",
    FieldType.DATE: "date",
    FieldType.DATETIME: "datetime",
    FieldType.INTEGER: "number",
    FieldType.MONEY: "number",
    FieldType.NUMBER: "number",
}
_DECIMALS: Mapping[FieldType, int] = {FieldType.MONEY: 2, FieldType.NUMBER: 4}
_YES_NO: Mapping[str, tuple[tuple[str, str], ...]] = {
    "en": (("true", "Yes"), ("false", "No")),
    "de": (("true", "Ja"), ("false", "Nein")),
}
#: Text fields that hold more than a line.
_LONG = frozenset(("need", "previous_activity", "description"))


def needed_fields(work: Work) -> list[Needed]:
    """Every field of ours that the map and the verdict use, with whether it exists."""
    found = []
    for crm in CRMS:
        object_name = work.objects[crm]
        schema = work.crms[crm].describe(object_name)
        found += [needed_field(spec, schema) for spec in (*_own_specs(work, crm), *_mapped_specs(work, crm))]
    return found


def create_missing(work: Work) -> list[tuple[str, str]]:
    """Create what is missing, and mend the options of choices; returns (crm, name) of each field created.

    Raises the connectors' errors.
    """
    needed = needed_fields(work)
    made = []
    for crm in CRMS:
        # All of them, not only the missing: a field that is there may still be closed to us.
        specs = [one.spec for one in needed if one.crm == crm]
        made += [(crm, name) for name in work.crms[crm].add_fields(work.objects[crm], specs)]
    return made


def setup_wanted(needed: Sequence[Needed]) -> str:
    """What is missing or called otherwise, in a few sentences."""
    missing, options, labels = sum(not one.there for one in needed), options_told(needed), labels_told(needed)
    twins = twins_told(needed)
    told = [f"{missing} fields are missing."]
    told += [f"{one['crm']} {one['field']} lacks the option {one['option']}." for one in options]
    told += [
        f"{one['crm']} {one['field']} calls the option {one['option']} {one['label']}, the policy {one['wanted']}."
        for one in labels
    ]
    told += [
        f"{one['crm']} {one['field']} calls the option {one['option']}, which is no band any more, {one['label']},"
        f" as a band is called: it becomes {one['wanted']}."
        for one in twins
    ]
    told += ["Create them with --apply."] if missing or options else []
    told += ["Relabel with --apply; the values that records hold stay."] if labels or twins else []
    return " ".join(told)


def setup_told(needed: Sequence[Needed], made: Sequence[tuple[str, str]], after: Sequence[Needed]) -> str:
    """What was created and relabelled; and by name what a person has to do. ``after``: what is needed now."""
    left, still = options_told(after), [*labels_told(after), *twins_told(after)]
    added = len(options_told(needed)) - len(left)
    relabelled = len(labels_told(needed)) + len(twins_told(needed)) - len(still)
    told = [f"{len(made)} fields created."] if made else []
    told += [f"{added} options added."] if added else []
    told += [f"{relabelled} options relabelled."] if relabelled else []
    told += [
        f"Add the option {one['option']} ({one['label']}) to {one['field']} in {one['crm']} by hand."
        for one in left
    ]
    told += [
        f"Label the option {one['option']} of {one['field']} in {one['crm']} {one['wanted']} by hand."
        for one in still
    ]
    return " ".join(told) or "Everything was there already."


def _own_specs(work: Work, crm: str) -> list[FieldSpec]:
    return [
        FieldSpec(
            name=own.name_in(crm),
            label=own.label[work.language],
            type=own.kind,
            description=own.lead.meaning,
            length=own.length,
            unique=own.unique,
            options=_options(work, own),
            relabel=own.verdict == "temperature",
        )
        for own in OWN_FIELDS
    ]


def _options(work: Work, own: OwnField) -> tuple[tuple[str, str], ...]:
    if own.verdict == "stage":
        return tuple(STAGE_LABELS[work.language].items())
    if own.verdict == "handover_state":
        return tuple(HANDOVER_LABELS[work.language].items())
    if own.verdict == "temperature":
        return tuple((name, work.policy.label(name)) for name in work.policy.temperatures)
    return ()


def _mapped_specs(work: Work, crm: str) -> list[FieldSpec]:
    own_names = {own.name_in(crm) for own in OWN_FIELDS}
    specs = []
    for name, rule in work.field_map.rules.items():
        crm_name = rule.source(crm, work.objects[crm])
        if crm_name and crm_name.startswith(OURS[crm]) and crm_name not in own_names:
            specs.append(_spec(work, crm, work.field_map.fields[name], crm_name, rule.label))
    return specs


def _spec(work: Work, crm: str, field: LeadField, crm_name: str, label: str) -> FieldSpec:
    kind: _Kind = _KINDS.get(field.type, "long_text" if field.name in _LONG else "text")
    options: tuple[tuple[str, str], ...] = ()
    if kind == "boolean" and crm == "salesforce":
        # A checkbox there is never empty: unticked would read as "no" where nobody has answered yet.
        kind, options = "choice", _YES_NO[work.language]
    return FieldSpec(
        name=crm_name,
        label=label or field.name.replace("_", " ").capitalize(),
        type=kind,
        description=field.meaning,
        decimals=_DECIMALS.get(field.type, 0),
        options=options,
    )
