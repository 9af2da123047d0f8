"""One thing that happened to one record, before anybody is told of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from connectors.sandbox.hubspot.account import Source

Action = Literal[
    "creation", "propertyChange", "deletion", "privacyDeletion", "merge", "restore", "associationChange"
]


@dataclass(frozen=True, slots=True)
class Other:
    """The other end of an association."""

    kind: str  #: its type id
    record: int
    word: str  #: such as CONTACT_TO_COMPANY
    removed: bool
    primary: bool


@dataclass(frozen=True, slots=True)
class Happening:
    """``kind`` is a type id, ``word`` the object's singular, ``at`` milliseconds since 1970.

    ``values`` are the new values of a creation or change, with who gave each; ``hidden`` names the sensitive
    ones among them. ``merged`` are the winner and the loser of a merge, ``moved`` counts what the winner got.
    """

    action: Action
    kind: str
    word: str
    record: int
    at: int
    source: Source
    values: Mapping[str, tuple[str, Source]] = field(default_factory=dict, repr=False)
    hidden: frozenset[str] = frozenset()
    merged: tuple[int, int] = (0, 0)
    moved: int = 0
    other: Other | None = None
