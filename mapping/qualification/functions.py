"""The functions that a condition may call. Each gives one value for one lead."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import polars as pl

from mapping.qualification import syntax
from mapping.qualification.columns import Kind, nearest
from mapping.qualification.operands import Value, listed, need_same_kind, truth
from mapping.qualification.syntax import ConditionProblem

_AGGREGATES = frozenset(
    {"avg", "count", "sum", "min", "max", "median", "stddev", "variance", "first", "last"}
)


def unknown_function(name: str) -> str:
    if name in _AGGREGATES:
        return f"a condition is about one lead: {name}() is about many"
    near = nearest(name, FUNCTIONS)
    known = ", ".join(sorted(FUNCTIONS))
    return f"there is no function {name}; " + (f"did you mean {near}?" if near else f"there are {known}")


def _need(node: syntax.Call, arguments: list[Value], *kinds: Kind) -> None:
    if len(arguments) != len(kinds):
        raise ConditionProblem(f"{node.function} takes {len(kinds)} value(s), not {len(arguments)}", node.at)
    for argument, kind, written in zip(arguments, kinds, node.arguments, strict=True):
        if argument.kind is not kind:
            raise ConditionProblem(
                f"{node.function} needs {kind.value} here, and this is {argument.kind.value}", written.at
            )


def _cased(change: Callable[[str], str], build: Callable[[pl.Expr], pl.Expr]) -> _Function:
    def call(node: syntax.Call, arguments: list[Value]) -> Value:
        _need(node, arguments, Kind.TEXT)
        (value,) = arguments
        words = None if value.words is None else frozenset(map(change, value.words))
        return Value(
            Kind.TEXT, build(value.expression), words, f"{node.function}({value.about})", dtype=pl.String()
        )

    return call


def _length(node: syntax.Call, arguments: list[Value]) -> Value:
    _need(node, arguments, Kind.TEXT)
    return Value(Kind.NUMBER, arguments[0].expression.str.len_chars().cast(pl.Int64), dtype=pl.Int64())


def _abs(node: syntax.Call, arguments: list[Value]) -> Value:
    _need(node, arguments, Kind.NUMBER)
    return Value(Kind.NUMBER, arguments[0].expression.abs(), dtype=arguments[0].dtype)


def _search(test: Callable[[str, str], bool], build: Callable[[pl.Expr, str], pl.Expr]) -> _Function:
    def call(node: syntax.Call, arguments: list[Value]) -> Value:
        _need(node, arguments, Kind.TEXT, Kind.TEXT)
        value, part = arguments
        if not isinstance(part.written, str):
            raise ConditionProblem(
                f"{node.function} looks for a text written out in quotes", node.arguments[1].at
            )
        text = part.written
        if value.words is not None and not any(test(word, text) for word in value.words):
            raise ConditionProblem(
                f"{node.function} never finds '{text}' in {value.about}: {listed(value.words)}", node.at
            )
        return truth(build(value.expression, text))

    return call


def _coalesce(node: syntax.Call, arguments: list[Value]) -> Value:
    if len(arguments) < 2:
        raise ConditionProblem("coalesce takes a value and what stands in for it when it is unknown", node.at)
    first = arguments[0]
    for other in arguments[1:]:
        need_same_kind(first, other, node.at)
    words: frozenset[str] | None = frozenset()
    for value in arguments:
        words = None if words is None or value.words is None else words | value.words
    parts, dtype = [value.expression for value in arguments], first.dtype
    if any(value.dtype != dtype for value in arguments):
        parts, dtype = [part.cast(pl.Float64) for part in parts], pl.Float64()
    last = arguments[-1].written
    stand_in = (first.expression, last) if len(arguments) == 2 and isinstance(last, str) else None
    return Value(first.kind, pl.coalesce(parts), words, first.about, dtype=dtype, stand_in=stand_in)


_Function = Callable[[syntax.Call, list[Value]], Value]
FUNCTIONS: Mapping[str, _Function] = {
    "lower": _cased(str.lower, lambda text: text.str.to_lowercase()),
    "upper": _cased(str.upper, lambda text: text.str.to_uppercase()),
    "trim": _cased(lambda word: word.strip(" "), lambda text: text.str.strip_chars(" ")),
    "length": _length,
    "abs": _abs,
    "coalesce": _coalesce,
    "contains": _search(
        lambda word, part: part in word, lambda text, part: text.str.contains(part, literal=True)
    ),
    "starts_with": _search(str.startswith, lambda text, part: text.str.starts_with(part)),
    "ends_with": _search(str.endswith, lambda text, part: text.str.ends_with(part)),
}
