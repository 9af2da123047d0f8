"""The options of choices of ours: those that are missing, those with another label, and those the policy has no more.

A temperature's options are the bands of the policy: the name of a band is the value that both CRMs keep, its label
under ``[policy.labels]`` is what people read. A label may change at any time; another name is another option.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from connectors.crm import FieldSpec, ObjectSchema
from connectors.options import new_labels
from sync.plan import NAMES


@dataclass(frozen=True, slots=True)
class Needed:
    """A field of ours in one CRM; ``there`` when the live schema has it already.

    ``lacking``: the options (value, label) of a choice that is there and does not take them. ``renamed``: (value,
    label in the CRM, label that it is to have). ``unknown``: options (value, label) that no verdict can be.
    ``twins``: those of them that bear the label of one that is, as ``renamed``.
    """

    crm: str
    object: str
    spec: FieldSpec
    there: bool
    lacking: tuple[tuple[str, str], ...] = ()
    renamed: tuple[tuple[str, str, str], ...] = ()
    unknown: tuple[tuple[str, str], ...] = ()
    twins: tuple[tuple[str, str, str], ...] = ()


def needed_field(spec: FieldSpec, schema: ObjectSchema) -> Needed:
    """What a schema has of a field of ours. Labels and unknown options only where the labels are ours to give."""
    info = schema.fields.get(spec.name)
    lacking = lacking_options(spec, schema)
    if info is None or spec.type != "choice" or not spec.relabel:
        return Needed(schema.crm, schema.object, spec, info is not None, lacking)
    ours = {_folded(schema.crm, value) for value, _ in spec.options}
    labels = new_labels(spec, info.options, lambda value: _folded(schema.crm, value))
    unknown = tuple(option for option in info.options if _folded(schema.crm, option[0]) not in ours)
    changed = [(value, label, labels[value]) for value, label in info.options if value in labels]
    renamed = tuple(one for one in changed if one[:2] not in unknown)
    twins = tuple(one for one in changed if one[:2] in unknown)
    return Needed(schema.crm, schema.object, spec, True, lacking, renamed, unknown, twins)


def lacking_options(spec: FieldSpec, schema: ObjectSchema) -> tuple[tuple[str, str], ...]:
    """The options that a choice lacks; a list of Salesforce that is not restricted takes every value."""
    info = schema.fields.get(spec.name)
    if info is None or spec.type != "choice" or (schema.crm == "salesforce" and not info.restricted):
        return ()
    known = {_folded(schema.crm, value) for value, _ in info.options}
    return tuple(option for option in spec.options if _folded(schema.crm, option[0]) not in known)


def _folded(crm: str, value: str) -> str:
    """A value as a CRM compares it: Salesforce without regard to case."""
    return value.lower() if crm == "salesforce" else value


def options_told(needed: Sequence[Needed]) -> list[dict[str, str]]:
    """Every option that a choice lacks: ``crm, object, field, option, label``."""
    return [_told(one, option) for one in needed for option in one.lacking]


def _told(one: Needed, option: tuple[str, str]) -> dict[str, str]:
    value, label = option
    return {"crm": one.crm, "object": one.object, "field": one.spec.name, "option": value, "label": label}


def labels_told(needed: Sequence[Needed]) -> list[dict[str, str]]:
    """Every option under another label than the policy's: ``crm, object, field, option, label, wanted``."""
    return _labels((one, one.renamed) for one in needed)


def twins_told(needed: Sequence[Needed]) -> list[dict[str, str]]:
    """Every option that is no band, and is called as one that is: the same rows."""
    return _labels((one, one.twins) for one in needed)


def _labels(options: Iterable[tuple[Needed, Sequence[tuple[str, str, str]]]]) -> list[dict[str, str]]:
    return [
        {**_told(one, (value, label)), "wanted": wanted}
        for one, changed in options
        for value, label, wanted in changed
    ]


def unknown_told(needed: Sequence[Needed], judged: Mapping[str, int]) -> list[dict[str, str | int]]:
    """Every option that the policy has no band for: ``crm, object, field, option, label, leads``.

    ``judged``: leads by the temperature of their last verdict.
    """
    return [
        {**_told(one, option), "leads": judged.get(option[0], 0)} for one in needed for option in one.unknown
    ]


def unknown_sentences(unknown: Sequence[Mapping[str, str | int]]) -> Iterator[str]:
    """What to do about options that the policy has no band for, a sentence or two each."""
    for one in unknown:
        there = f"{NAMES[str(one['crm'])]}'s {one['field']} has the option {one['option']} ({one['label']})"
        if one["leads"]:
            done = f"{one['leads']} leads were last judged so; `leadpact rescore` judges them by the policy of now"
        else:
            done = "no lead is judged so; take it out by hand once no record shows it"
        yield f"{there}, which is no band of the policy: {done}."
