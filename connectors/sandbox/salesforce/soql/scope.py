"""Which column a name in a query means: fields of the object itself and of its parents, five levels up.

A polymorphic parent (an owner is a user or a queue) is every object it may be at once, and shows the few
fields that all of them share (Salesforce reference, section 3).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from connectors.sandbox.salesforce.schema import Field, Schema, SObject, make_field
from connectors.sandbox.salesforce.soql.tree import Path
from connectors.sandbox.salesforce.soql.wrong import (
    malformed,
    no_such_column,
    no_such_object,
    no_such_relationship,
)
from connectors.sandbox.salesforce.store import quoted

DEEPEST = 5
MOST_PARENTS = 55
SHARED = (
    "Id",
    "Name",
    "Type",
    "Email",
    "FirstName",
    "LastName",
    "Username",
    "Alias",
    "IsActive",
    "Title",
    "Phone",
)


@dataclass(frozen=True, slots=True)
class Parent:
    """One relationship from one row: the objects it may lead to, with the alias of each in the SQL."""

    aliases: tuple[tuple[str, SObject], ...]
    through: str  #: the SQL of the reference column that leads here

    @property
    def polymorphic(self) -> bool:
        """Whether it may lead to several objects; Salesforce calls such a parent ``Name``."""
        return len(self.aliases) > 1

    @property
    def entity(self) -> str:
        """The name of its object in error texts and answers."""
        return "Name" if self.polymorphic else self.aliases[0][1].name

    def find(self, name: str) -> Field | None:
        """A readable field of the parent."""
        if not self.polymorphic:
            return self.aliases[0][1].find(name)
        shared = {each.lower(): each for each in SHARED}.get(name.lower())
        if shared == "Type":
            return make_field("Type", {"type": "picklist", "label": "Type", "length": 40})
        found = (each.find(shared) for _, each in self.aliases) if shared else iter(())
        return next((each for each in found if each is not None), None)

    def column(self, one: Field) -> str:
        """The SQL of a field of the parent."""
        if not self.polymorphic:
            return f"{self.aliases[0][0]}.{quoted(one.name)}"
        if one.name == "Type":
            cases = " ".join(
                f"WHEN {alias}.Id IS NOT NULL THEN {_kind(alias, each)}" for alias, each in self.aliases
            )
            return f"(CASE {cases} END COLLATE NOCASE)"
        columns = [f"{alias}.{quoted(one.name)}" for alias, each in self.aliases if each.find(one.name)]
        if len(columns) == 1:
            return columns[0]
        compared = (
            "" if one.type in ("id", "reference") else " COLLATE NOCASE"
        )  # an expression has none of its own
        return f"(coalesce({', '.join(columns)}){compared})"


def _kind(alias: str, sobject: SObject) -> str:
    return f"{alias}.Type" if sobject.name == "Group" else f"'{sobject.name}'"


@dataclass(frozen=True, slots=True)
class Column:
    """A field in a query: where it is, what it is, and the SQL that reads it."""

    path: tuple[str, ...]  #: relationship names as declared, then the field
    field: Field
    sql: str
    parent: Parent
    formatted: bool = False


@dataclass(slots=True)
class Scope:
    """The names of one query (or subquery) and the joins that they made necessary."""

    soql: str
    schema: Schema
    sobject: SObject
    names: frozenset[str]
    root: Parent
    parents: dict[tuple[str, ...], Parent] = field(default_factory=dict)
    joins: list[str] = field(default_factory=list)

    def resolve(self, path: Path) -> Column:
        """The column that a path names. Raises Refusal for an unknown or hidden one."""
        parts, places = path.parts, path.places
        if len(parts) > 1 and parts[0].lower() in self.names:
            parts, places = parts[1:], places[1:]
        if len(parts) > DEEPEST + 1:
            raise no_such_relationship(self.soql, places[DEEPEST], parts[DEEPEST])
        here, declared = self.root, []
        for part, place in zip(parts[:-1], places[:-1], strict=True):
            name = self.relationship_of(here, part)
            if name is None:
                raise no_such_relationship(self.soql, place, part)
            declared.append(name)
            here = self.parent(tuple(declared))
        found = here.find(parts[-1])
        if found is None:
            raise no_such_column(self.soql, places[-1], parts[-1], here.entity)
        return Column((*declared, found.name), found, here.column(found) if found.stored else "", here)

    def relationship_of(self, parent: Parent, name: str) -> str | None:
        """The declared name of a relationship that leads to objects of this org."""
        if parent.polymorphic:
            return None
        for each in parent.aliases[0][1].readable():
            if each.relationship is not None and each.relationship.lower() == name.lower():
                leads = any(self.schema.find(target) for target in each.refers_to)
                return each.relationship if leads else None
        return None

    def parent(self, path: tuple[str, ...]) -> Parent:
        """The parent at the end of relationships that are known to exist, joined once."""
        if not path:
            return self.root
        if path not in self.parents:
            above = self.parent(path[:-1])
            if len(self.parents) == MOST_PARENTS:
                raise malformed(f"A query can have at most {MOST_PARENTS} child-to-parent relationships")
            link = next(
                each for _, one in above.aliases for each in one.readable() if each.relationship == path[-1]
            )
            through = above.column(link)
            made = []
            for target in link.refers_to:
                sobject = self.schema.find(target)
                if sobject is not None:
                    alias = f"{self.root.aliases[0][0]}_{len(self.joins)}"
                    self.joins.append(f"LEFT JOIN {quoted(target)} {alias} ON {alias}.Id = {through}")
                    made.append((alias, sobject))
            self.parents[path] = Parent(tuple(made), through)
        return self.parents[path]


def open_scope(soql: str, schema: Schema, source: Path, alias: str | None, row_alias: str) -> Scope:
    """The scope of a FROM clause. Raises Refusal (INVALID_TYPE) for an object that is not there."""
    sobject = schema.find(source.parts[0])
    if sobject is None:
        raise no_such_object(soql, source.places[0], source.parts[0])
    names = frozenset({sobject.name.lower(), *([alias.lower()] if alias else [])})
    root = Parent(((row_alias, sobject),), "")
    return Scope(soql, schema, sobject, names, root)
