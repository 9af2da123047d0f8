"""From the tree of a query to one SQL statement with bound values, and the shape of its answer.

The statement can be run whole, or for its row numbers alone, so that a cursor can page through the same rows
later whatever happens to them (Salesforce reference, section 3).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from connectors.sandbox.salesforce.schema import Field, Schema
from connectors.sandbox.salesforce.soql import tree
from connectors.sandbox.salesforce.soql.conditions import ID_KINDS, Conditions, place_of
from connectors.sandbox.salesforce.soql.measures import is_aggregate, measure, order_sql
from connectors.sandbox.salesforce.soql.nested import check_children, child_of, choice_of
from connectors.sandbox.salesforce.soql.scope import Column, Scope, open_scope
from connectors.sandbox.salesforce.soql.statement import Output, Statement
from connectors.sandbox.salesforce.soql.wrong import field_cannot, malformed, wrong_at
from connectors.sandbox.salesforce.store import quoted
from connectors.sandbox.salesforce.values import address_parts

MOST_WITH_FIELDS = 200
FIELD_GROUPS = ("ALL", "STANDARD", "CUSTOM")
SHOWING = ("TOLABEL", "FORMAT", "CONVERTCURRENCY")
SCOPES = ("everything", "mine", "mine_and_my_groups")


class Compiler:
    """Compiles one query for one schema, user and moment."""

    def __init__(
        self, schema: Schema, now: datetime, user: str, all_rows: bool, version: float = 66.0, level: int = 0
    ) -> None:
        self.schema = schema
        self.now = now
        self.today = now.date()
        self.user = user
        self.all_rows = all_rows
        self.version = version
        self.level = level
        self.joined = 0

    def compile(self, soql: str, query: tree.Query) -> Statement:
        """The statement of a query. Raises Refusal as Salesforce would refuse the query."""
        if query.all_rows:
            raise malformed("ALL ROWS not allowed in this context")
        scope = self._scope(soql, query, "t")
        bare = [each.expression for each in query.items if isinstance(each.expression, tree.Call)]
        counted = [is_aggregate(each) for each in bare]
        if any(each.name == "COUNT" and each.of is None for each in bare):
            return self._count(scope, query)
        if any(counted) or query.group:
            return self._aggregate(scope, query)
        return self._rows(scope, query)

    def _scope(self, soql: str, query: tree.Query, row_alias: str) -> Scope:
        source = tree.Path((query.source,), (query.source_place,))
        return open_scope(soql, self.schema, source, query.alias, row_alias)

    def _conditions(self, scope: Scope, aggregates: bool = False) -> Conditions:
        def of_rows(expression: tree.Expression) -> Column:
            if is_aggregate(expression) and not aggregates:
                raise malformed(f"Aggregate functions are not allowed in WHERE: {expression}")
            if isinstance(expression, tree.Call) and expression.name in SHOWING[1:]:
                raise malformed(f"unexpected function in WHERE: {expression}")
            return measure(scope, expression)

        def subquery(inner: tree.Query, outer: Field) -> tuple[str, list[Any]]:
            return self._subquery(scope, inner, outer)

        return Conditions(scope, self.today, subquery, of_rows)

    def _where(self, scope: Scope, query: tree.Query) -> tuple[str, list[Any]]:
        alias = scope.root.aliases[0][0]
        made = [f"{alias}.IsDeleted = 0"] if scope.sobject.bin and not self.all_rows else []
        values: list[Any] = []
        if query.scope is not None:
            if query.scope.lower() not in SCOPES:
                raise malformed(f"unexpected token: '{query.scope}'")
            if query.scope.lower() != "everything" and scope.sobject.find("OwnerId"):
                made.append(f"{alias}.OwnerId = ?")
                values.append(self.user)
        if query.where is not None:
            _check_joins(query.where, True)
            conditions = self._conditions(scope)
            made.append(f"({conditions.sql(query.where)})")
            values.extend(conditions.values)
        return (f"WHERE {' AND '.join(made)}" if made else ""), values

    def _start(self, kind: str, scope: Scope, query: tree.Query) -> Statement:
        where, values = self._where(scope, query)
        return Statement(kind, scope.sobject.name, scope.soql, where=where, values=values)

    def _finish(self, statement: Statement, scope: Scope, query: tree.Query) -> Statement:
        statement.source = f"FROM {quoted(scope.sobject.name)} t {' '.join(scope.joins)}"
        if query.limit is not None or query.offset:
            statement.paging = f"LIMIT {-1 if query.limit is None else query.limit} OFFSET {query.offset}"
        return statement

    def _count(self, scope: Scope, query: tree.Query) -> Statement:
        if len(query.items) > 1 or query.group:
            raise malformed(
                "Grouped query cannot use COUNT(), use COUNT(fieldName)"
                if query.group
                else "unexpected token: ','"
            )
        if query.order:
            raise malformed("Ordered field must be grouped or aggregated")
        return self._finish(self._start("count", scope, query), scope, query)

    def _rows(self, scope: Scope, query: tree.Query) -> Statement:
        if query.having is not None:
            raise malformed("unexpected token: 'HAVING'")
        statement = self._start("rows", scope, query)
        statement.columns.append("t.Id")
        seen: set[tuple[str, ...]] = set()
        for column in self._selected(scope, query):
            if column.path in seen:
                raise wrong_duplicate(column)
            seen.add(column.path)
            self._output(statement, scope, column)
        self._nest(statement, scope, query)
        if any(is_aggregate(each.expression) for each in query.order):
            raise malformed("Ordered field must be grouped or aggregated")
        if query.order:
            statement.tail = "ORDER BY " + ", ".join(order_sql(scope, each) for each in query.order)
        return self._finish(statement, scope, query)

    def _nest(self, statement: Statement, scope: Scope, query: tree.Query) -> None:
        def compile_rows(inner: tree.Query) -> Statement:
            deeper = Compiler(self.schema, self.now, self.user, self.all_rows, self.version, self.level + 1)
            return deeper.compile(scope.soql, inner)

        for item in query.items:
            if isinstance(item.expression, tree.TypeOf):
                statement.choices.append(choice_of(scope, item.expression, statement))
            elif isinstance(item.expression, tree.Query):
                child = child_of(scope, item.expression, self.level + 1, self.version, compile_rows)
                statement.children.append(child)
        check_children(statement.children)

    def _selected(self, scope: Scope, query: tree.Query) -> list[Column]:
        columns = []
        for item in query.items:
            expression = item.expression
            if isinstance(expression, tree.TypeOf | tree.Query):
                continue
            if isinstance(expression, tree.Call) and expression.name == "FIELDS":
                columns.extend(_fields_of(scope, expression, query.limit))
            elif isinstance(expression, tree.Call) and expression.name in SHOWING:
                column = measure(scope, expression)
                columns.append(replace(column, path=(item.alias,)) if item.alias else column)
            elif item.alias is not None:
                raise malformed("only aggregate expressions use field aliasing")
            elif isinstance(expression, tree.Call):
                raise malformed(
                    f"Date function is allowed only in GROUP BY, WHERE or aggregates: {expression}"
                )
            else:
                columns.append(measure(scope, expression))
        return columns

    def _output(self, statement: Statement, scope: Scope, column: Column) -> None:
        for depth in range(1, len(column.path)):
            above = column.path[:depth]
            if above not in statement.parent_ids:
                parent = scope.parent(above)
                entity = "Name" if parent.polymorphic else parent.entity
                statement.parent_ids[above] = (len(statement.columns), entity)
                ids = ", ".join(f"{alias}.Id" for alias, _ in parent.aliases)
                statement.columns.append(f"coalesce({ids})" if parent.polymorphic else ids)
        statement.outputs.append(Output(column.path, column.field, len(statement.columns), column.formatted))
        if column.field.stored:
            statement.columns.append(column.sql)
        else:
            alias = column.parent.aliases[0][0]
            known = column.parent.aliases[0][1].fields
            parts = address_parts(column.field).values()
            statement.columns.extend(f"{alias}.{quoted(each)}" if each in known else "NULL" for each in parts)

    def _aggregate(self, scope: Scope, query: tree.Query) -> Statement:
        statement = self._start("aggregate", scope, query)
        if any(is_aggregate(each) for each in query.group):
            raise malformed("Aggregate functions are not allowed in GROUP BY")
        grouped = [measure(scope, each) for each in query.group]
        for one, expression in zip(grouped, query.group, strict=True):
            if not one.field.group or not one.field.stored:
                raise field_cannot(scope.soql, place_of(expression), one.field.name, "grouped")
        number = 0
        for item in query.items:
            if isinstance(item.expression, tree.TypeOf | tree.Query):
                raise malformed("Grouped query cannot select children or a choice of types")
            column = measure(scope, item.expression)
            named = isinstance(item.expression, tree.Path)
            if not is_aggregate(item.expression) and column.sql not in {each.sql for each in grouped}:
                raise malformed(f"Field must be grouped or aggregated: {item.expression}")
            name = item.alias or (column.field.name if named else f"expr{number}")
            number += item.alias is None and not named
            if any(each.path == (name,) for each in statement.outputs):
                raise malformed(f"duplicate alias: {name}")
            statement.outputs.append(Output((name,), column.field, len(statement.columns), column.formatted))
            statement.columns.append(column.sql)
        if not query.group and (query.limit is not None or query.order or query.having):
            what = "LIMIT" if query.limit is not None else "ORDER BY" if query.order else "HAVING"
            raise malformed(f"Non-grouped query that uses overall aggregate functions cannot also use {what}")
        statement.tail = self._grouping(statement, scope, query, grouped)
        return self._finish(statement, scope, query)

    def _grouping(self, statement: Statement, scope: Scope, query: tree.Query, grouped: list[Column]) -> str:
        tail = f"GROUP BY {', '.join(each.sql for each in grouped)}" if grouped else ""
        if query.having is not None:
            conditions = self._conditions(scope, aggregates=True)
            tail += f" HAVING {conditions.sql(query.having)}"
            statement.values.extend(conditions.values)
        if query.order:
            for item in query.order:
                column = measure(scope, item.expression)
                if not is_aggregate(item.expression) and column.sql not in {each.sql for each in grouped}:
                    raise malformed(f"Ordered field must be grouped or aggregated: {item.expression}")
            tail += " ORDER BY " + ", ".join(order_sql(scope, each) for each in query.order)
        return tail

    def _subquery(self, outer_scope: Scope, inner: tree.Query, outer: Field) -> tuple[str, list[Any]]:
        self.joined += 1
        if self.joined > 2:
            raise malformed("Maximum 2 semi join sub-selects are allowed.")
        if len(inner.items) != 1 or inner.order or inner.limit is not None or inner.group:
            raise malformed("Semi join sub-selects select one field and have no ORDER BY, LIMIT or GROUP BY")
        scope = self._scope(outer_scope.soql, inner, f"s{self.joined}")
        column = measure(scope, _one_field(inner))
        if outer.type not in ID_KINDS:
            text = (
                "The left operand field in the where expression for outer query should be an id field, "
                f"cannot use: '{outer.name}'"
            )
            raise wrong_at(outer_scope.soql, inner.source_place, "INVALID_FIELD", text)
        if column.field.type not in ID_KINDS or not _same_object(scope, column.field, outer_scope, outer):
            text = (
                f"The selected field '{column.field.name}' in the subquery and the left operand field in the "
                f"where expression in the outer query '{outer.name}' should point to the same object type"
            )
            raise wrong_at(outer_scope.soql, inner.source_place, "MALFORMED_QUERY", text)
        where, values = self._where(scope, inner)
        where = f"{where} AND" if where else "WHERE"
        alias = scope.root.aliases[0][0]
        source = f"FROM {quoted(scope.sobject.name)} {alias} {' '.join(scope.joins)}"
        return f"SELECT {column.sql} {source} {where} {column.sql} IS NOT NULL", values


def _one_field(inner: tree.Query) -> tree.Expression:
    """What a semi-join selects."""
    expression = inner.items[0].expression
    if isinstance(expression, tree.TypeOf | tree.Query):
        raise malformed("Nesting of semi join sub-selects is not supported")
    return expression


def _same_object(inner: Scope, one: Field, outer: Scope, other: Field) -> bool:
    def points_to(scope: Scope, field: Field) -> set[str]:
        return {scope.sobject.name} if field.type == "id" else set(field.refers_to)

    return bool(points_to(inner, one) & points_to(outer, other))


def _check_joins(condition: tree.Condition, top: bool) -> None:
    if isinstance(condition, tree.Joined) and not top:
        raise malformed(
            "Semi join sub-selects are only allowed at the top level WHERE expressions "
            "and not in nested WHERE expressions."
        )
    if isinstance(condition, tree.Not):
        _check_joins(condition.of, False)
    if isinstance(condition, tree.All | tree.Any):
        for each in condition.of:
            _check_joins(each, top and isinstance(condition, tree.All))


def wrong_duplicate(column: Column) -> Exception:
    """INVALID_FIELD for a field that is selected twice (Salesforce reference, section 3)."""
    refusal = malformed(f"duplicate field selected: {'.'.join(column.path)}")
    refusal.code = "INVALID_FIELD"
    return refusal


def _fields_of(scope: Scope, call: tree.Call, limit: int | None) -> list[Column]:
    which = str(call.of or "").upper()
    if which not in FIELD_GROUPS:
        raise wrong_at(scope.soql, call.place, "MALFORMED_QUERY", f"unexpected token: '{call.of or ')'}'")
    if which != "STANDARD" and (limit is None or limit > MOST_WITH_FIELDS):
        raise malformed(f"The SOQL FIELDS function must have a LIMIT of at most {MOST_WITH_FIELDS}")
    wanted = [
        each for each in scope.sobject.readable() if which == "ALL" or each.custom == (which == "CUSTOM")
    ]
    if not wanted:
        raise malformed("The SOQL FIELDS function found no fields of this kind")
    return [scope.resolve(tree.Path((each.name,), (call.place,))) for each in wanted]
