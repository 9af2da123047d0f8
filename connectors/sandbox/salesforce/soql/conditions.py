"""WHERE: one condition of a query as SQL with bound values.

SOQL has two truth values: a comparison with an empty field is false, ``!=`` is then true, and NOT turns either
round. SQL's third value is therefore folded away wherever NOT could bring it to light.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from connectors.sandbox.salesforce import ids, moments
from connectors.sandbox.salesforce.schema import NUMBERS, Field
from connectors.sandbox.salesforce.soql import relative_dates, tree
from connectors.sandbox.salesforce.soql.money import corporate, literal_value
from connectors.sandbox.salesforce.soql.parse import like_pattern, unescape
from connectors.sandbox.salesforce.soql.scope import Column, Scope
from connectors.sandbox.salesforce.soql.wrong import field_cannot, no_such_operator, wrong_at

TEXT_KINDS = frozenset(
    {
        "string",
        "email",
        "phone",
        "url",
        "textarea",
        "picklist",
        "multipicklist",
        "combobox",
        "encryptedstring",
    }
)
ID_KINDS = frozenset({"id", "reference"})
NAMES = {"currency": "currency", "boolean": "boolean", "datetime": "dateTime", "percent": "percent"}


@dataclass(slots=True)
class Conditions:
    """Turns conditions into SQL; ``values`` are the bound ones, in order of their marks."""

    scope: Scope
    today: date
    subquery: Callable[[tree.Query, Field], tuple[str, list[Any]]]
    measure: Callable[[tree.Expression], Column]
    values: list[Any] = field(default_factory=list)

    def sql(self, condition: tree.Condition, negated: bool = False) -> str:
        """The SQL of a condition; ``negated`` when a NOT stands somewhere above it."""
        if isinstance(condition, tree.Not):
            return f"NOT ({self.sql(condition.of, True)})"
        if isinstance(condition, tree.All):
            return _balanced([f"({self.sql(each, negated)})" for each in condition.of], "AND")
        if isinstance(condition, tree.Any):
            return _balanced([f"({self.sql(each, negated)})" for each in condition.of], "OR")
        made = self._atom(condition)
        return f"ifnull({made}, 0)" if negated else made

    def _atom(self, condition: tree.Compare | tree.Among | tree.Joined) -> str:
        column = self.measure(condition.left)
        place = place_of(condition.left)
        if not column.field.filter or not column.field.stored:
            raise field_cannot(self.scope.soql, place, column.field.name, "filtered")
        if isinstance(condition, tree.Joined):
            inner, values = self.subquery(condition.right, column.field)
            self.values.extend(values)
            if condition.operator == "IN":
                return f"{column.sql} IN ({inner})"
            return f"({column.sql} NOT IN ({inner}) OR {column.sql} IS NULL)"
        if isinstance(condition, tree.Among):
            return self._among(column, condition, place)
        if condition.operator == "LIKE":
            return self._like(column, condition)
        return self._compare(column, condition.operator, condition.right)

    def _compare(self, column: Column, operator: str, literal: tree.Literal) -> str:
        sql, kind = column.sql, column.field.type
        if literal.kind == "null" or (
            literal.kind == "string" and kind in TEXT_KINDS and literal.text == "''"
        ):
            return self._with_null(column, operator, literal)
        if kind == "boolean" and operator not in ("=", "!="):
            raise no_such_operator(self.scope.soql, literal.place, "invalid operator on boolean field")
        if literal.kind == "relative" and kind in ("date", "datetime"):
            return self._in_span(column, operator, literal)
        if literal.kind == "currency" and kind == "currency" and self.scope.schema.currencies:
            sql, value = corporate(self.scope, column).sql, literal_value(self.scope, literal)
        else:
            value = self._value(column.field, literal)
        if isinstance(value, str) and not value.isascii() and not column.field.case_sensitive:
            sql, value = f"fold({sql})", value.lower()
        self.values.append(value)
        if operator == "!=":
            return f"({sql} <> ? OR {sql} IS NULL)"
        return f"{sql} {operator} ?"

    def _with_null(self, column: Column, operator: str, literal: tree.Literal) -> str:
        if operator not in ("=", "!="):
            raise no_such_operator(self.scope.soql, literal.place, "invalid operator for null value")
        if column.field.type == "boolean":  # = null means false (Salesforce reference, section 3)
            return f"ifnull({column.sql}, 0) = {0 if operator == '=' else 1}"
        return f"{column.sql} IS {'NOT ' if operator == '!=' else ''}NULL"

    def _in_span(self, column: Column, operator: str, literal: tree.Literal) -> str:
        try:
            first, after = relative_dates.span(literal.text, self.today)
        except ValueError:
            raise wrong_at(
                self.scope.soql, literal.place, "NUMBER_OUTSIDE_VALID_RANGE", f"invalid date: {literal.text}"
            ) from None
        sql = column.sql
        low, high = first.isoformat(), after.isoformat()
        if operator in ("=", "!="):
            self.values.extend((low, high))
            inside = f"({sql} >= ? AND {sql} < ?)"
            return inside if operator == "=" else f"(NOT {inside} OR {sql} IS NULL)"
        self.values.append(low if operator in (">=", "<") else high)
        return f"{sql} {'>=' if operator in ('>=', '>') else '<'} ?"

    def _like(self, column: Column, condition: tree.Compare) -> str:
        kind = column.field.type
        if kind in ID_KINDS:
            raise no_such_operator(self.scope.soql, condition.right.place, "invalid operator on id field")
        if kind not in TEXT_KINDS or condition.right.kind != "string":
            message = f"invalid operator on {NAMES.get(kind, kind)} field"
            raise no_such_operator(self.scope.soql, condition.right.place, message)
        pattern, sql = like_pattern(condition.right), column.sql
        if not pattern.isascii():
            sql, pattern = f"fold({sql})", pattern.lower()
        self.values.append(pattern)
        return f"{sql} LIKE ? ESCAPE '\\'"

    def _among(self, column: Column, condition: tree.Among, place: tree.Place) -> str:
        if condition.operator in ("INCLUDES", "EXCLUDES"):
            return self._includes(column, condition, place)
        some = [self._compare(column, "=", each) for each in condition.right]
        if condition.operator == "IN":
            return self._as_list(column, some) or "(" + _balanced(some, "OR") + ")"
        return "NOT ifnull(" + (self._as_list(column, some) or _balanced(some, "OR")) + ", 0)"

    def _as_list(self, column: Column, some: list[str]) -> str | None:
        """``x IN (?, ?)`` where every value is compared plainly, so that an index can be used."""
        if any(each != f"{column.sql} = ?" for each in some):
            return None
        return f"{column.sql} IN ({', '.join('?' * len(some))})"

    def _includes(self, column: Column, condition: tree.Among, place: tree.Place) -> str:
        if column.field.type != "multipicklist":
            raise no_such_operator(
                self.scope.soql, place, f"{condition.operator} valid only on multi-select picklist fields"
            )
        some = []
        for literal in condition.right:
            parts = str(self._value(column.field, literal)).split(";")
            some.append(" AND ".join("instr(fold(';' || " + column.sql + " || ';'), ?) > 0" for _ in parts))
            self.values.extend(f";{part.strip().lower()};" for part in parts)
        inside = " OR ".join(f"({each})" for each in some)
        return f"({inside})" if condition.operator == "INCLUDES" else f"NOT ifnull(({inside}), 0)"

    def _value(self, one: Field, literal: tree.Literal) -> Any:
        kind = one.type
        if kind in ID_KINDS and literal.kind == "string":
            text = unescape(literal)
            whole = ids.to_18(text)
            if whole is None:
                raise no_such_operator(self.scope.soql, literal.place, f"invalid ID field: {text}")
            return whole
        if kind in TEXT_KINDS | ID_KINDS:
            if literal.kind != "string":
                raise self._wrong_type(one, literal, "string", "should be enclosed in quotes")
            return unescape(literal)
        if kind == "boolean" and literal.kind == "boolean":
            return int(literal.text.upper() == "TRUE")
        if kind in NUMBERS and literal.kind == "number":
            return float(literal.text)
        moment = moments.parse_datetime(literal.text) if literal.kind == "datetime" else None
        if kind == "datetime" and moment is not None:
            return moments.kept(moment)
        day = moments.parse_date(literal.text) if literal.kind == "date" else None
        if kind == "date" and day is not None:
            return day.isoformat()
        raise self._wrong_type(one, literal, NAMES.get(kind, kind), "should not be enclosed in quotes")

    def _wrong_type(self, one: Field, literal: tree.Literal, wanted: str, quotes: str) -> Exception:
        text = f"value of filter criterion for field '{one.name}' must be of type {wanted} and {quotes}"
        return wrong_at(self.scope.soql, literal.place, "INVALID_FIELD", text)


def _balanced(parts: list[str], word: str) -> str:
    """The parts joined in a tree of little depth; SQLite refuses expressions deeper than a thousand."""
    while len(parts) > 2:
        pairs = [parts[at : at + 2] for at in range(0, len(parts), 2)]
        parts = [f"({each[0]} {word} {each[1]})" if len(each) == 2 else each[0] for each in pairs]
    return f" {word} ".join(parts)


def place_of(expression: tree.Expression) -> tree.Place:
    """Where an expression stands; a path at its last name, as Salesforce points."""
    return expression.places[-1] if isinstance(expression, tree.Path) else expression.place
