"""Property definitions and groups: kept as the JSON they are answered with."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

import orjson

from connectors.sandbox.hubspot import (
    standard_activities,
    standard_companies,
    standard_contacts,
    standard_leads,
)
from connectors.sandbox.hubspot.kinds import ACTIVITIES, COMPANIES, CONTACTS, KINDS, LEADS, Kind
from connectors.sandbox.hubspot.lifecycle import STAGE
from connectors.sandbox.hubspot.standard_shape import definition

#: The properties that hold addresses, which share one space.
ADDRESSES = frozenset({"email", "hs_additional_emails"})
#: Properties whose values have a form of their own, whatever their type.
OF_THEIR_OWN = ADDRESSES | {"hubspot_owner_id"}
_STANDARD = {
    CONTACTS.key: (standard_contacts.GROUPS, standard_contacts.PROPERTIES),
    COMPANIES.key: (standard_companies.GROUPS, standard_companies.PROPERTIES),
    LEADS.key: (standard_leads.GROUPS, standard_leads.PROPERTIES),
    **{kind.key: (standard_activities.GROUPS, standard_activities.properties(kind)) for kind in ACTIVITIES},
}


@dataclass(frozen=True, slots=True)
class Property:
    """What reading and writing a value need to know of its definition."""

    name: str
    type: str
    field_type: str
    read_only: bool
    unique: bool
    external: bool
    options: tuple[str, ...]
    sensitive: bool = False

    @property
    def many(self) -> bool:
        """Whether the value is a set, written ``A;B``."""
        return self.field_type == "checkbox"


def property_of(body: dict[str, Any]) -> Property:
    """The working view of a definition."""
    read_only = bool(body["calculated"] or body["modificationMetadata"]["readOnlyValue"])
    return Property(
        name=body["name"],
        type=body["type"],
        field_type=body["fieldType"],
        read_only=read_only,
        unique=bool(body["hasUniqueValue"]) and body["name"] != "hs_object_id",
        external=bool(body["externalOptions"]),
        options=tuple(option["value"] for option in body["options"]),
        sensitive=body.get("dataSensitivity", "non_sensitive") != "non_sensitive",
    )


class Properties(dict[str, Property]):
    """The properties of one object by name, with what writing a record asks of all of them at once."""

    def __init__(self, found: Iterable[Property]) -> None:
        super().__init__((each.name, each) for each in found)
        self.unique = frozenset(name for name, each in self.items() if each.unique)
        self.instants = frozenset(name for name, each in self.items() if each.type == "datetime")
        self.sensitive = frozenset(name for name, each in self.items() if each.sensitive)
        self.read_only = frozenset(name for name, each in self.items() if each.read_only)
        self.many = frozenset(name for name, each in self.items() if each.many)
        #: Of these a text is kept as it was given, whatever it says.
        self.as_given = frozenset(
            name
            for name, each in self.items()
            if each.type == "string" and not each.read_only and name not in OF_THEIR_OWN
        )
        #: What was written to properties before, and the text that is kept for it.
        self.taken: dict[tuple[str, str], str] = {}
        #: Whose values name a record; secondary addresses share one space with the first ones.
        self.naming = self.unique | (ADDRESSES if "email" in self else frozenset())


class Definitions:
    """All definitions of the account, with the working views cached."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._views: dict[str, Properties] = {}

    def forget(self) -> None:
        """Drop the cached views, after a change or a rollback."""
        self._views.clear()

    def of(self, kind: Kind) -> Properties:
        """The properties in use, by name."""
        found = self._views.get(kind.key)
        if found is None:
            found = self._views[kind.key] = Properties(map(property_of, self.bodies(kind)))
        return found

    def stages(self, kind: Kind) -> tuple[str, ...]:
        """The lifecycle stages in their order (HubSpot reference, section 6.4); none where it has none."""
        found = self.of(kind).get(STAGE)
        return found.options if found is not None else ()

    def bodies(self, kind: Kind, archived: bool = False) -> list[dict[str, Any]]:
        """Definitions as JSON objects, in the order they were made."""
        rows = self._database.execute(
            "SELECT definition FROM property WHERE kind = ? ORDER BY place", (kind.key,)
        )
        bodies = [orjson.loads(row[0]) for row in rows]
        return [body for body in bodies if bool(body.get("archived", False)) is archived]

    def body(self, kind: Kind, name: str) -> dict[str, Any] | None:
        """One definition, archived or not."""
        row = self._database.execute(
            "SELECT definition FROM property WHERE kind = ? AND name = ?", (kind.key, name)
        ).fetchone()
        return dict(orjson.loads(row[0])) if row else None

    def keep(self, kind: Kind, body: dict[str, Any]) -> None:
        """Store a new or changed definition."""
        self._keep("property", kind, body)
        self.forget()

    def groups(self, kind: Kind) -> list[dict[str, Any]]:
        """Property groups as JSON objects."""
        rows = self._database.execute(
            "SELECT definition FROM property_group WHERE kind = ? ORDER BY place", (kind.key,)
        )
        return [orjson.loads(row[0]) for row in rows]

    def keep_group(self, kind: Kind, body: dict[str, Any]) -> None:
        """Store a property group."""
        self._keep("property_group", kind, body)

    def _keep(self, table: str, kind: Kind, body: dict[str, Any]) -> None:
        self._database.execute(
            f"INSERT INTO {table} SELECT ?1, ?2, (SELECT count(*) FROM {table} WHERE kind = ?1), ?3 WHERE true"
            " ON CONFLICT (kind, name) DO UPDATE SET definition = excluded.definition",
            (kind.key, body["name"], orjson.dumps(body).decode()),
        )

    def make_standard(self) -> None:
        """Define what every account has; does nothing for an object that the database has."""
        known = {key for (key,) in self._database.execute("SELECT DISTINCT kind FROM property")}
        for kind in KINDS:
            if kind.key in known:
                continue
            for table, rows in _standard_rows(kind).items():
                self._database.executemany(f"INSERT OR REPLACE INTO {table} VALUES (?, ?, ?, ?)", rows)
        self.forget()


@cache
def _standard_rows(kind: Kind) -> dict[str, list[tuple[str, str, int, str]]]:
    """What both tables of definitions hold of an object that nobody has changed yet."""
    groups, rows = _STANDARD[kind.key]
    bodies = {
        "property_group": [
            {"name": name, "label": label, "displayOrder": place, "archived": False}
            for place, (name, label) in enumerate(groups)
        ],
        "property": [definition(row, place) for place, row in enumerate(rows)],
    }
    return {
        table: [
            (kind.key, body["name"], place, orjson.dumps(body).decode())
            for place, body in enumerate(of_table)
        ]
        for table, of_table in bodies.items()
    }
