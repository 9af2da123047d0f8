"""What SELECT, GROUP BY, HAVING and ORDER BY may name: fields, functions of dates, and aggregates."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from connectors.sandbox.salesforce.schema import NUMBERS, Field, make_field
from connectors.sandbox.salesforce.soql import tree
from connectors.sandbox.salesforce.soql.money import converted, corporate
from connectors.sandbox.salesforce.soql.scope import Column, Scope
from connectors.sandbox.salesforce.soql.wrong import field_cannot, malformed, wrong_at

DATE_PARTS = {
    "CALENDAR_YEAR": "CAST(strftime('%Y', {0}) AS INTEGER)",
    "CALENDAR_QUARTER": "(CAST(strftime('%m', {0}) AS INTEGER) + 2) / 3",
    "CALENDAR_MONTH": "CAST(strftime('%m', {0}) AS INTEGER)",
    "FISCAL_YEAR": "CAST(strftime('%Y', {0}) AS INTEGER)",
    "FISCAL_QUARTER": "(CAST(strftime('%m', {0}) AS INTEGER) + 2) / 3",
    "FISCAL_MONTH": "CAST(strftime('%m', {0}) AS INTEGER)",
    "DAY_IN_MONTH": "CAST(strftime('%d', {0}) AS INTEGER)",
    "DAY_IN_WEEK": "CAST(strftime('%w', {0}) AS INTEGER) + 1",
    "DAY_IN_YEAR": "CAST(strftime('%j', {0}) AS INTEGER)",
    "HOUR_IN_DAY": "CAST(strftime('%H', {0}) AS INTEGER)",
    "WEEK_IN_MONTH": "(CAST(strftime('%d', {0}) AS INTEGER) + 6) / 7",
    "WEEK_IN_YEAR": "(CAST(strftime('%j', {0}) AS INTEGER) + 6) / 7",
    "DAY_ONLY": "substr({0}, 1, 10)",
}
SUMMED = NUMBERS
UNMEASURABLE = frozenset({"boolean", "address", "multipicklist", "textarea"})
INTEGER = make_field("expr", {"type": "int"})
DAY = make_field("expr", {"type": "date"})
NUMBER = make_field("expr", {"type": "double", "precision": 18})


def is_aggregate(expression: tree.Expression) -> bool:
    """Whether an expression is computed over many rows."""
    if not isinstance(expression, tree.Call):
        return False
    inner = expression.of if expression.name == "FORMAT" else expression
    return isinstance(inner, tree.Call) and inner.name in tree.AGGREGATES


def measure(scope: Scope, expression: tree.Expression) -> Column:
    """The column of an expression. Raises Refusal for a function that does not fit the field."""
    if isinstance(expression, tree.Path):
        return scope.resolve(expression)
    of = expression.of
    if expression.name in tree.AGGREGATES and not isinstance(of, tree.Call) and not expression.more:
        return _aggregate(scope, expression)
    if expression.name in DATE_PARTS and of is not None and not expression.more:
        return _date_part(scope, expression, _in_zone(of))
    if expression.name == "TOLABEL" and isinstance(of, tree.Path) and not expression.more:
        return _labelled(scope.resolve(of))
    if expression.name == "CONVERTCURRENCY" and isinstance(of, tree.Path) and not expression.more:
        return converted(scope, expression, scope.resolve(of))
    if expression.name == "FORMAT" and of is not None and not expression.more:
        return _formatted(scope, measure(scope, of))
    raise wrong_at(scope.soql, expression.place, "MALFORMED_QUERY", f"unexpected function: {expression.name}")


def _in_zone(of: tree.Path | tree.Call) -> tree.Path | tree.Call:
    """What ``convertTimezone`` is about: the users of this org live in UTC, so it changes nothing."""
    plain = isinstance(of, tree.Call) and of.name == "CONVERTTIMEZONE" and not of.more
    return of.of if plain and isinstance(of, tree.Call) and of.of is not None else of


def _formatted(scope: Scope, column: Column) -> Column:
    """A value as people read it; with several currencies an amount has no sign of one."""
    several = column.field.type == "currency" and scope.schema.currencies
    field = replace(column.field, type="double") if several else column.field
    return replace(column, field=field, formatted=True)


def _labelled(column: Column) -> Column:
    """A picklist's label where it differs from the value."""
    cases = "".join(
        f" WHEN {_text(value)} THEN {_text(label)}" for value, label in column.field.labels.items()
    )
    if not cases:
        return column
    return Column(column.path, column.field, f"CASE {column.sql}{cases} ELSE {column.sql} END", column.parent)


def _date_part(scope: Scope, call: tree.Call, of: tree.Path | tree.Call) -> Column:
    if isinstance(of, tree.Call):
        raise wrong_at(scope.soql, of.place, "MALFORMED_QUERY", f"unexpected function: {of.name}")
    column = scope.resolve(of)
    allowed = ("datetime",) if call.name in ("HOUR_IN_DAY", "DAY_ONLY") else ("date", "datetime")
    if column.field.type not in allowed:
        text = f"field {column.field.name} does not support function {call.name}"
        raise wrong_at(scope.soql, call.place, "INVALID_FIELD", text)
    kind = DAY if call.name == "DAY_ONLY" else INTEGER
    return Column(column.path, kind, DATE_PARTS[call.name].format(column.sql), column.parent)


def _aggregate(scope: Scope, call: tree.Call) -> Column:
    if call.of is None:
        if call.name != "COUNT":
            raise malformed(f"unexpected token: '{call.name}'")
        return Column((), INTEGER, "count(*)", scope.root)
    column = corporate(scope, measure(scope, call.of))
    field, sql = column.field, column.sql
    summed = call.name in ("SUM", "AVG")
    if not field.stored or (summed and field.type not in SUMMED) or field.type in UNMEASURABLE:
        text = f"field {field.name} does not support aggregate operator {call.name}"
        raise wrong_at(scope.soql, call.place, "MALFORMED_QUERY", text)
    if call.name == "COUNT":
        return Column(column.path, INTEGER, f"count({sql})", column.parent)
    if call.name == "COUNT_DISTINCT":
        return Column(column.path, INTEGER, f"count(DISTINCT {sql})", column.parent)
    kind: Field = NUMBER if call.name == "AVG" else field
    return Column(column.path, kind, f"{call.name.lower()}({sql})", column.parent)


def order_sql(scope: Scope, item: tree.OrderItem) -> str:
    """One entry of ORDER BY; empty fields come first unless the query says otherwise, in both directions.

    Picklists sort by their setup order, values outside it last (Salesforce reference, section 3).
    """
    column = measure(scope, item.expression)
    field = column.field
    if not field.sort or not field.stored or field.type == "multipicklist":
        place = (
            item.expression.places[-1] if isinstance(item.expression, tree.Path) else item.expression.place
        )
        raise field_cannot(scope.soql, place, field.name, "sorted")
    way = "DESC" if item.descending else "ASC"
    nulls = f" NULLS {'FIRST' if item.nulls_first else 'LAST'}" if field.nillable else ""
    plain = f"{column.sql} {way}{nulls}"
    if field.type != "picklist" or not field.values:
        return plain
    cases = " ".join(f"WHEN {_text(value)} THEN {number}" for number, value in enumerate(field.values))
    rank = f"CASE WHEN {column.sql} IS NULL THEN NULL ELSE CASE {column.sql} {cases} ELSE {len(field.values)} END END"
    return f"{rank} {way}{nulls}, {plain}"


def _text(value: Any) -> str:
    """A picklist value as an SQL literal; values come from the schema, never from a request."""
    return "'" + str(value).replace("'", "''") + "'"
