"""Whether a condition can ever be true where some fields are never known: what ``check`` warns of.

Every part of a condition is reckoned with all the answers it might give: true, false, unknown. A field that nothing
feeds is always unknown; any other may have any value. ``forms > 0 OR visits > 3`` can be true without visits,
``forms > 0 AND visits > 3`` cannot.
"""

from __future__ import annotations

from collections.abc import Collection
from itertools import product

from mapping.qualification import syntax
from mapping.qualification.columns import AGE_SUFFIX
from mapping.qualification.syntax import Node

Answers = frozenset[bool | None]
_ANY: Answers = frozenset((True, False, None))
_UNKNOWN: Answers = frozenset((None,))


def can_be_true(text: str, never_known: Collection[str]) -> bool:
    """Whether a condition that was checked before can be true while these fields are never known."""
    return True in _answers(syntax.parse(text), frozenset(never_known))


def _answers(node: Node, blank: frozenset[str]) -> Answers:
    match node:
        case syntax.Logic():
            return _joined(node, blank)
        case syntax.Not():
            return frozenset(None if one is None else not one for one in _answers(node.operand, blank))
        case syntax.Is():
            return _asked(node, blank)
        case syntax.Literal():
            return frozenset((node.value,)) if isinstance(node.value, bool) else _UNKNOWN
        case syntax.Compare() | syntax.Arithmetic():
            parts: tuple[Node, ...] = (node.left, node.right)
        case syntax.Between():
            parts = (node.operand, node.low, node.high)
        case syntax.In() | syntax.Like():
            parts = (node.operand,)
        case _:
            parts = (node,)
    return _UNKNOWN if any(_is_blank(part, blank) for part in parts) else _ANY


def _joined(node: syntax.Logic, blank: frozenset[str]) -> Answers:
    """AND and OR over every combination of what the operands might answer, in three-valued logic."""
    decides = node.operator == "OR"
    found = _answers(node.operands[0], blank)
    for operand in node.operands[1:]:
        found = frozenset(
            decides if decides in both else None if None in both else not decides
            for both in product(found, _answers(operand, blank))
        )
    return found


def _asked(node: syntax.Is, blank: frozenset[str]) -> Answers:
    """IS NULL, TRUE, FALSE: never unknown themselves."""
    if node.value is None:
        found = frozenset((True,)) if _is_blank(node.operand, blank) else frozenset((True, False))
    else:
        found = frozenset(one is node.value for one in _answers(node.operand, blank))
    return frozenset(not one for one in found) if node.negated else found


def _is_blank(node: Node, blank: frozenset[str]) -> bool:
    """Whether a part is always unknown."""
    match node:
        case syntax.Name():
            return node.name in blank or node.name.removesuffix(AGE_SUFFIX) in blank
        case syntax.Literal():
            return node.value is None
        case syntax.Call(function="coalesce"):
            return all(_is_blank(argument, blank) for argument in node.arguments)
        case syntax.Call():
            return any(_is_blank(argument, blank) for argument in node.arguments)
        case syntax.Arithmetic():
            return _is_blank(node.left, blank) or _is_blank(node.right, blank)
        case syntax.Logic() | syntax.Not() | syntax.Is() | syntax.Compare() | syntax.Between():
            return _answers(node, blank) == _UNKNOWN
        case syntax.In() | syntax.Like():
            return _is_blank(node.operand, blank)
