"""What hangs on the rows of a query: their children, and parents that may be of several objects.

Children go five levels down since API version 58 and one level before, at most 20 lists a query (Salesforce
reference, section 3).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from connectors.sandbox.salesforce.soql import tree
from connectors.sandbox.salesforce.soql.scope import Column, Parent, Scope
from connectors.sandbox.salesforce.soql.statement import Child, Choice, Output, Statement
from connectors.sandbox.salesforce.soql.wrong import (
    malformed,
    no_such_child,
    no_such_column,
    no_such_object,
    no_such_relationship,
    wrong_at,
)
from connectors.sandbox.salesforce.store import quoted

MOST_CHILDREN = 20
DEEP_SINCE = 58
DEEPEST = 5
Compile = Callable[[tree.Query], Statement]


def levels(version: float) -> int:
    """How many levels of children a query may have in an API version."""
    return DEEPEST if version >= DEEP_SINCE else 1


def child_of(scope: Scope, query: tree.Query, level: int, version: float, compile_rows: Compile) -> Child:
    """A subquery in the SELECT list. Raises Refusal for a relationship that is not there, or too deep."""
    if level > levels(version):
        raise malformed(f"SOQL queries support at most {levels(version)} levels of child relationships")
    found = scope.schema.child(scope.sobject.name, query.source)
    if found is None:
        raise no_such_child(scope.soql, query.source_place, query.source)
    sobject, field = found
    if query.all_rows:
        raise malformed("ALL ROWS not allowed in this context")
    statement = compile_rows(replace(query, source=sobject.name))
    if statement.kind != "rows":
        raise malformed("only root queries support aggregate expressions")
    return Child(field.child or "", f"t.{quoted(field.name)}", statement)


def check_children(children: list[Child]) -> None:
    """Raise Refusal for too many lists of children, or one asked for twice."""
    if len(children) > MOST_CHILDREN:
        raise malformed(f"A query can have at most {MOST_CHILDREN} parent-to-child relationships")
    names = [each.name for each in children]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise malformed(f"Cannot have more than one subquery of the relationship {twice}")


def choice_of(scope: Scope, choice: tree.TypeOf, statement: Statement) -> Choice:
    """A TYPEOF in the SELECT list; its columns are added to the statement. Raises Refusal.

    Only a relationship that may lead to several objects can be chosen by type.
    """
    if len(choice.of.parts) != 1:
        raise no_such_relationship(scope.soql, choice.of.places[-1], str(choice.of))
    name = scope.relationship_of(scope.root, choice.of.parts[0])
    if name is None:
        raise no_such_relationship(scope.soql, choice.of.places[0], choice.of.parts[0])
    parent = scope.parent((name,))
    if not parent.polymorphic:
        text = f"Non-polymorphic relationship '{name}' cannot be used with TYPEOF"
        raise wrong_at(scope.soql, choice.of.places[0], "MALFORMED_QUERY", text)
    at = len(statement.columns)
    statement.columns.append(f"coalesce({', '.join(f'{alias}.Id' for alias, _ in parent.aliases)})")
    branches: dict[str, tuple[Output, ...]] = {}
    for branch in choice.branches:
        one = _narrowed(scope, parent, branch)
        if one.entity in branches:
            raise wrong_at(scope.soql, branch.place, "MALFORMED_QUERY", f"duplicate type: {branch.name}")
        branches[one.entity] = _outputs(scope, one, branch.fields, statement)
    return Choice(name, at, branches, _outputs(scope, parent, choice.otherwise, statement))


def _narrowed(scope: Scope, parent: Parent, branch: tree.Branch) -> Parent:
    for alias, sobject in parent.aliases:
        if sobject.name.lower() == branch.name.lower():
            return Parent(((alias, sobject),), parent.through)
    raise no_such_object(scope.soql, branch.place, branch.name)


def _outputs(
    scope: Scope, parent: Parent, fields: tuple[tree.Path, ...], statement: Statement
) -> tuple[Output, ...]:
    made = []
    for path in fields:
        found = parent.find(path.parts[-1]) if len(path.parts) == 1 else None
        if found is None or not found.stored:
            raise no_such_column(scope.soql, path.places[-1], str(path), parent.entity)
        column = Column((found.name,), found, parent.column(found), parent)
        made.append(Output(column.path, column.field, len(statement.columns)))
        statement.columns.append(column.sql)
    return tuple(made)
