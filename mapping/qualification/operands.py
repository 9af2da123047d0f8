"""What the parts of a condition are made of: typed column expressions, and how two of them compare."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal

import polars as pl

from mapping.qualification import syntax
from mapping.qualification.columns import Kind, nearest
from mapping.qualification.syntax import ConditionProblem


@dataclass(frozen=True, slots=True)
class Value:
    """A part of a condition: its kind, its expression, and what is known of it before any lead is seen."""

    kind: Kind
    expression: pl.Expr
    #: What a text can be at all; None: anything.
    words: frozenset[str] | None = None
    about: str = ""
    #: The value itself where it is written out.
    written: str | int | Decimal | bool | None = None
    dtype: pl.DataType | None = None
    #: A text, and what was written to stand in for it where it is blank.
    stand_in: tuple[pl.Expr, str] | None = None


_INT64 = 2**63 - 1
_COMPARE: Mapping[str, Callable[[pl.Expr, pl.Expr], pl.Expr]] = {
    "=": lambda left, right: left == right,
    "<>": lambda left, right: left != right,
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
}


def truth(expression: pl.Expr) -> Value:
    return Value(Kind.BOOLEAN, expression, dtype=pl.Boolean())


def literal(node: syntax.Literal) -> Value:
    value = node.value
    if value is None:
        raise ConditionProblem("NULL equals nothing, not even NULL; ask IS NULL or IS NOT NULL", node.at)
    if isinstance(value, bool):
        return Value(Kind.BOOLEAN, pl.lit(value), written=value, dtype=pl.Boolean())
    if isinstance(value, str):
        return Value(Kind.TEXT, pl.lit(value), frozenset({value}), f"'{value}'", value, pl.String())
    if isinstance(value, int):
        if abs(value) > _INT64:
            raise ConditionProblem(f"{value} is too large to compare with", node.at)
        return Value(Kind.NUMBER, pl.lit(value), written=value, dtype=pl.Int64())
    digits = -int(value.as_tuple().exponent)
    if digits > 6 or len(value.as_tuple().digits) > 30:
        raise ConditionProblem(f"{value} has more digits than are compared (six after the point)", node.at)
    exact = pl.Decimal(38, digits)
    return Value(Kind.NUMBER, pl.lit(value, dtype=exact), written=value, dtype=exact)


def compared(operator: str, left: Value, right: Value) -> pl.Expr:
    a, b = left.expression, right.expression
    if pl.Float64() in (left.dtype, right.dtype):
        # A double beside an exact number: both as doubles, or Polars would look for a common exact type.
        a, b = a.cast(pl.Float64), b.cast(pl.Float64)
    return _COMPARE[operator](a, b)


def need_same_kind(left: Value, right: Value, at: int) -> None:
    if left.kind is not right.kind:
        named = f" ({left.about})" if left.about else ""
        raise ConditionProblem(
            f"{left.kind.value}{named} cannot be compared with {right.kind.value}"
            + (f" ({right.about})" if right.about else ""),
            at,
        )


def need_possible(value: Value, other: Value, at: int) -> None:
    """Refuse a written word that the other side can never be: a typing error would give no points, silently."""
    if value.words is None or value.written is not None or not isinstance(other.written, str):
        return
    if other.written not in value.words:
        near = nearest(other.written, value.words)
        hint = f"; did you mean '{near}'?" if near else ""
        raise ConditionProblem(
            f"'{other.written}' is not a word of {value.about}; they are {listed(value.words)}{hint}", at
        )


def listed(words: frozenset[str]) -> str:
    shown = sorted(words)
    return ", ".join(shown[:20]) + (", …" if len(shown) > 20 else "")


def regex(pattern: str, at: int) -> str:
    """The regular expression of a LIKE pattern, without the anchors and ``.*`` that change nothing.

    To be used with ``flags``: a full stop also stands for a line break.
    """
    parts: list[str] = []
    position = 0
    while position < len(pattern):
        sign = pattern[position]
        if sign == "\\":
            position += 1
            if position == len(pattern):
                raise ConditionProblem("the pattern ends with \\, which escapes nothing", at)
            parts.append(re.escape(pattern[position]))
        else:
            parts.append({"%": ".*", "_": "."}.get(sign) or re.escape(sign))
        position += 1
    start, end = "^", "$"
    while parts and parts[0] == ".*":
        start = ""
        del parts[0]
    while parts and parts[-1] == ".*":
        end = ""
        del parts[-1]
    return f"{start}{''.join(parts)}{end}"


def flags(any_case: bool) -> str:
    """What a pattern's regular expression begins with."""
    return "(?is)" if any_case else "(?s)"
