"""Conditions: text in, a checked column expression out. Each lead answers true, false or unknown.

The tree that ``syntax`` reads is checked against the names, types and words that exist, and turned into one
Polars expression. What is checked is therefore exactly what is evaluated. NULL is SQL's: a comparison with an
unknown value is unknown, ``true OR unknown`` is true, ``false AND unknown`` is false, NOT keeps unknown.

Where SQL dialects differ: texts compare exactly, upper and lower case apart (ILIKE ignores case, ``\\``
escapes the next sign of a pattern, as in PostgreSQL); ``/`` divides exactly, never to a whole number, and
dividing by zero is unknown; sums and products are rounded to a millionth.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

import polars as pl

from mapping.qualification import syntax
from mapping.qualification.columns import AGE_SUFFIX, Column, Kind, nearest
from mapping.qualification.functions import FUNCTIONS, unknown_function
from mapping.qualification.operands import (
    Value,
    compared,
    flags,
    listed,
    literal,
    need_possible,
    need_same_kind,
    regex,
    truth,
)
from mapping.qualification.syntax import ConditionProblem, Node

#: Up to so many words, comparing with each is quicker than looking into a set of them.
_FEW = 4


@dataclass(frozen=True, slots=True)
class Condition:
    """A checked condition.

    ``expression`` gives a Boolean column (null: unknown) on a frame that has the ``columns`` it names,
    derived ones included. ``searches`` counts the searches in texts, which cost most. Equality is that of the
    text.
    """

    text: str
    expression: pl.Expr = field(compare=False, repr=False)
    columns: tuple[Column, ...] = field(compare=False, repr=False)
    searches: int = field(default=0, compare=False, repr=False)

    @property
    def fields(self) -> tuple[str, ...]:
        """The lead fields that the answer hangs on, in the order of their first mention."""
        return tuple(dict.fromkeys(column.field for column in self.columns))


def compile_condition(text: str, columns: Mapping[str, Column]) -> Condition:
    """Check a condition over these columns and make it an expression.

    Raises ``ConditionProblem`` for what cannot be read, an unknown column or function (with the nearest
    known), a word outside a closed vocabulary, a raw date, and kinds that do not fit together.
    """
    tree = syntax.parse(text)
    compiler = _Compiler(columns)
    value = compiler.boolean(tree, "a condition")
    used = tuple(compiler.used.values())
    schema = {column.source: column.dtype for column in used}
    try:
        tried = pl.DataFrame(schema=schema).select(value.expression.alias("answer")).schema
    except pl.exceptions.PolarsError as error:
        raise ConditionProblem(f"it cannot be evaluated: {error}") from error
    if tried["answer"] != pl.Boolean():
        raise ConditionProblem(f"it gives {tried['answer']} where true or false is needed")
    return Condition(text, value.expression, used, compiler.searches)


class _Compiler:
    """One walk over a tree; remembers the columns that it met."""

    def __init__(self, columns: Mapping[str, Column]) -> None:
        self._columns = columns
        self.used: dict[str, Column] = {}
        self.searches = 0

    def boolean(self, node: Node, what: str) -> Value:
        """The value of a part that must be true or false."""
        value = self._value(node)
        if value.kind is not Kind.BOOLEAN:
            raise ConditionProblem(f"{what} must be true or false, and this is {value.kind.value}", node.at)
        return value

    def _value(self, node: Node) -> Value:
        match node:
            case syntax.Name():
                return self._name(node)
            case syntax.Literal():
                return literal(node)
            case syntax.Logic():
                return self._logic(node)
            case syntax.Not():
                return truth(~self.boolean(node.operand, "what NOT turns round").expression)
            case syntax.Is():
                return self._is(node)
            case syntax.Compare():
                return self._compare(node)
            case syntax.Between():
                return self._between(node)
            case syntax.In():
                return self._in(node)
            case syntax.Like():
                return self._like(node)
            case syntax.Arithmetic():
                return self._arithmetic(node)
            case syntax.Call():
                return self._call(node)

    def _name(self, node: syntax.Name) -> Value:
        column = self._columns.get(node.name)
        if column is None:
            raise ConditionProblem(self._unknown_name(node.name), node.at)
        self.used.setdefault(column.name, column)
        return Value(column.kind, pl.col(column.source), column.words, column.name, dtype=column.dtype)

    def _unknown_name(self, name: str) -> str:
        if f"{name}{AGE_SUFFIX}" in self._columns:
            return f"{name} is a date; use {name}{AGE_SUFFIX}, its age in whole days"
        near = nearest(name, self._columns)
        return f"there is no field {name}" + (f"; did you mean {near}?" if near else "")

    def _logic(self, node: syntax.Logic) -> Value:
        operands = (
            _patterns_together(node.operands) if node.operator == "OR" else [[o] for o in node.operands]
        )
        parts = [self._alternatives(together, node.operator) for together in operands]
        joined = parts[0]
        for part in parts[1:]:
            joined = joined & part if node.operator == "AND" else joined | part
        return truth(joined)

    def _alternatives(self, together: list[Node], operator: str) -> pl.Expr:
        first = together[0]
        if len(together) == 1 or not isinstance(first, syntax.Like):
            return self.boolean(first, f"each side of {operator}").expression
        searched = self._text(first.operand, "LIKE and ILIKE look into")
        bodies = [self._pattern(searched, like) for like in together if isinstance(like, syntax.Like)]
        return self._found(searched, f"{flags(first.any_case)}(?:{'|'.join(bodies)})")

    def _is(self, node: syntax.Is) -> Value:
        if node.value is None:
            operand = self._value(node.operand)
            unknown = operand.expression.is_null()
            return truth(~unknown if node.negated else unknown)
        asked = self.boolean(node.operand, "what IS TRUE or IS FALSE asks about").expression
        answer = (asked if node.value else ~asked).fill_null(False)
        return truth(~answer if node.negated else answer)

    def _compare(self, node: syntax.Compare) -> Value:
        left, right = self._value(node.left), self._value(node.right)
        need_same_kind(left, right, node.at)
        if node.operator not in ("=", "<>") and left.kind is not Kind.NUMBER:
            raise ConditionProblem(
                f"{node.operator} compares numbers; {left.kind.value} can only be compared with = or <>",
                node.at,
            )
        need_possible(left, right, node.right.at)
        need_possible(right, left, node.left.at)
        return truth(compared(node.operator, left, right))

    def _between(self, node: syntax.Between) -> Value:
        operand, low, high = self._value(node.operand), self._value(node.low), self._value(node.high)
        for part, where in ((operand, node.operand), (low, node.low), (high, node.high)):
            if part.kind is not Kind.NUMBER:
                raise ConditionProblem(f"BETWEEN takes numbers, and this is {part.kind.value}", where.at)
        ends = (low.written, high.written)
        if isinstance(ends[0], int | Decimal) and isinstance(ends[1], int | Decimal) and ends[0] > ends[1]:
            raise ConditionProblem(
                f"nothing lies between {ends[0]} and {ends[1]}; the lower end comes first", node.at
            )
        inside = compared(">=", operand, low) & compared("<=", operand, high)
        return truth(~inside if node.negated else inside)

    def _in(self, node: syntax.In) -> Value:
        operand = self._value(node.operand)
        items: list[Value] = []
        for written in node.items:
            if written.value is not None:
                item = literal(written)
                need_same_kind(operand, item, written.at)
                need_possible(operand, item, written.at)
                items.append(item)
        if not items:
            raise ConditionProblem("IN needs a value; whether something is unknown asks IS NULL", node.at)
        if operand.kind is Kind.TEXT and len(items) > _FEW:
            inside = operand.expression.is_in([item.written for item in items])
        else:
            inside = compared("=", operand, items[0])
            for item in items[1:]:
                inside = inside | compared("=", operand, item)
        if len(items) < len(node.items):  # a NULL in the list: not being found there is unknown
            inside = inside | pl.lit(None, dtype=pl.Boolean)
        return truth(~inside if node.negated else inside)

    def _like(self, node: syntax.Like) -> Value:
        searched = self._text(node.operand, "LIKE and ILIKE look into")
        found = self._found(searched, flags(node.any_case) + self._pattern(searched, node))
        return truth(~found if node.negated else found)

    def _found(self, searched: Value, pattern: str) -> pl.Expr:
        """Whether a regular expression is found. A text that stands in for a blank is searched here, once."""
        self.searches += 1
        if searched.stand_in is None:
            return searched.expression.str.contains(pattern)
        shown, text = searched.stand_in
        return shown.str.contains(pattern).fill_null(bool(pl.Series([text]).str.contains(pattern)[0]))

    def _pattern(self, searched: Value, node: syntax.Like) -> str:
        body = regex(node.pattern, node.at)
        words = searched.words
        if words is not None and not any(re.search(flags(node.any_case) + body, word) for word in words):
            raise ConditionProblem(
                f"no word of {searched.about} is like '{node.pattern}'; they are {listed(words)}", node.at
            )
        return body

    def _text(self, node: Node, what: str) -> Value:
        value = self._value(node)
        if value.kind is not Kind.TEXT:
            raise ConditionProblem(f"{what} a text, and this is {value.kind.value}", node.at)
        return value

    def _arithmetic(self, node: syntax.Arithmetic) -> Value:
        left, right = self._value(node.left), self._value(node.right)
        for part, where in ((left, node.left), (right, node.right)):
            if part.kind is not Kind.NUMBER:
                raise ConditionProblem(
                    f"{node.operator} takes numbers, and this is {part.kind.value}", where.at
                )
        a, b = left.expression.cast(pl.Float64), right.expression.cast(pl.Float64)
        if node.operator == "/":
            result: pl.Expr = pl.when(b != 0).then(a / b)
        else:
            result = {"+": a + b, "-": a - b, "*": a * b}[node.operator]
        return Value(Kind.NUMBER, result.round(6), dtype=pl.Float64())

    def _call(self, node: syntax.Call) -> Value:
        build = FUNCTIONS.get(node.function)
        if build is None:
            raise ConditionProblem(unknown_function(node.function), node.at)
        return build(node, [self._value(argument) for argument in node.arguments])


def _patterns_together(operands: Sequence[Node]) -> list[list[Node]]:
    """The operands of an OR, with those that look for patterns in the same text put together.

    One search for ten patterns costs what a search for one costs. All of them are unknown for the same leads,
    so the answer stays the same.
    """
    groups: list[list[Node]] = []
    for operand in operands:
        for group in groups:
            if _same_text(group[0], operand):
                group.append(operand)
                break
        else:
            groups.append([operand])
    return groups


def _same_text(one: Node, other: Node) -> bool:
    if not isinstance(one, syntax.Like) or not isinstance(other, syntax.Like) or one.negated or other.negated:
        return False
    return one.any_case == other.any_case and one.operand == other.operand
