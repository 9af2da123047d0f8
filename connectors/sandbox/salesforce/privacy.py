"""Data protection: ``Individual`` records that leads and contacts point to, where the org has turned it on.

The switch is ``data_privacy``; without it neither the object nor ``IndividualId`` is there (Salesforce reference,
section 6).
"""

from __future__ import annotations

from connectors.sandbox.salesforce.schema import Field, make_field
from connectors.sandbox.salesforce.store import Store

OBJECT = "Individual"
LINKED = ("Lead", "Contact", "User")


def fields_of(on: bool) -> dict[str, list[Field]]:
    """The field that leads to a person's wishes, for each object that has it."""
    facts = {"type": "reference", "label": "Individual ID", "refers_to": [OBJECT], "relationship": OBJECT}
    return {name: [make_field("IndividualId", facts)] for name in LINKED} if on else {}


def install(store: Store) -> None:
    """Give the tables their column."""
    for name, fields in fields_of(True).items():
        for field in fields:
            store.add_column(name, field)
