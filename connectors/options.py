"""Which labels the options of a choice of ours are to have."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from connectors.crm import FieldSpec


def new_labels(
    spec: FieldSpec, options: Sequence[tuple[str, str]], as_compared: Callable[[str], str] = str
) -> Mapping[str, str]:
    """The options (value, label) of a choice that are to be called otherwise: value to label.

    Only where the spec says ``relabel``. An option that is none of the spec's, and bears the label of one that is,
    gets its value behind it in brackets: records keep the value, and people could not tell the two apart.
    ``as_compared``: a value as the CRM compares it.
    """
    if not spec.relabel:
        return {}
    ours = {as_compared(value): label for value, label in spec.options}
    taken = {label.casefold() for label in ours.values()}
    wanted = {
        value: ours.get(as_compared(value), f"{label} ({value})" if label.casefold() in taken else label)
        for value, label in options
    }
    return {value: wanted[value] for value, label in options if wanted[value] != label}
