"""The text of a condition, read into a tree: the part of SQL that says something about one lead.

A condition is a row-wise SQL expression: comparisons, BETWEEN, IN, LIKE and ILIKE, IS [NOT] NULL, TRUE or
FALSE, AND, OR, NOT, parentheses, + - * /, and the functions that ``conditions`` knows. Nothing else can be
written here: no SELECT, aggregate, window, alias, cast, CASE or clock. What binds tighter is as in
PostgreSQL: unary minus, * /, + -, then BETWEEN, IN and LIKE, comparisons, IS, NOT, AND, OR.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal

# Two parts are equal when they say the same, wherever they stand: ``at`` (from 1) never counts.


class ConditionProblem(ValueError):
    """A condition cannot be used. The message says what was expected; ``position`` counts from 1.

    The message quotes the policy's own text, never a lead's values.
    """

    def __init__(self, message: str, position: int = 1) -> None:
        super().__init__(message)
        self.position = position


@dataclass(frozen=True, slots=True)
class Name:
    """A column, as written."""

    name: str
    at: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class Literal:
    """A value written out; None is NULL."""

    value: str | int | Decimal | bool | None
    at: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class Call:
    """A function, in lower case, with its arguments."""

    function: str
    arguments: tuple[Node, ...]
    at: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class Not:
    """NOT: unknown stays unknown."""

    operand: Node
    at: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class Logic:
    """AND or OR over two operands or more."""

    operator: str
    operands: tuple[Node, ...]
    at: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class Compare:
    """``= <> < <= > >=`` between two values."""

    operator: str
    left: Node
    right: Node
    at: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """``+ - * /`` between two numbers."""

    operator: str
    left: Node
    right: Node
    at: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class Between:
    """``x BETWEEN low AND high``, both ends included."""

    operand: Node
    low: Node
    high: Node
    negated: bool
    at: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class In:
    """``x IN (…)`` over written-out values."""

    operand: Node
    items: tuple[Literal, ...]
    negated: bool
    at: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class Like:
    """``x LIKE 'pattern'``; ILIKE where ``any_case`` is set."""

    operand: Node
    pattern: str
    any_case: bool
    negated: bool
    at: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class Is:
    """``x IS [NOT] NULL``, ``TRUE`` or ``FALSE``; never unknown itself. ``value`` None is NULL."""

    operand: Node
    value: bool | None
    negated: bool
    at: int = field(compare=False)


Node = Name | Literal | Call | Not | Logic | Compare | Arithmetic | Between | In | Like | Is

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?![\w.]))
    | (?P<text>'(?:[^']|'')*')
    | (?P<quoted>"(?:[^"]|"")+")
    | (?P<word>[^\W\d]\w*)
    | (?P<sign><>|!=|<=|>=|[=<>+\-*/(),])
    )""",
    re.VERBOSE,
)
_RESERVED = frozenset(
    re.findall(
        r"\w+",
        """AND OR NOT IN IS BETWEEN LIKE ILIKE NULL TRUE FALSE UNKNOWN SELECT FROM WHERE CASE WHEN THEN ELSE END
        AS CAST OVER ESCAPE EXISTS ANY ALL DISTINCT INTERVAL GROUP ORDER HAVING UNION SIMILAR""",
    )
)
#: Written without parentheses in SQL, and a clock each: the run's moment comes in as ages in days instead.
_CLOCKS = frozenset(
    {"current_date", "current_time", "current_timestamp", "localtime", "localtimestamp", "now"}
)
#: Deeper than any rule a person writes, and far from Python's own limit.
_MAX_DEPTH = 60


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str  # number, text, name (also a quoted one), keyword, sign, end
    text: str
    at: int


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    position, end = 0, len(text.rstrip())
    while position < end:
        match = _TOKEN.match(text, position)
        if match is None or match.lastgroup is None:
            start = position + len(text[position:]) - len(text[position:].lstrip())
            raise ConditionProblem(_unreadable(text, start), start + 1)
        kind, found = match.lastgroup, match.group(match.lastgroup)
        at = match.start(kind) + 1
        if kind == "quoted":
            tokens.append(_Token("name", found[1:-1].replace('""', '"'), at))
        elif kind == "word":
            reserved = found.upper() in _RESERVED
            tokens.append(_Token("keyword", found.upper(), at) if reserved else _Token("name", found, at))
        else:
            tokens.append(_Token(kind, found, at))
        position = match.end()
    tokens.append(_Token("end", "", end + 1))
    return tokens


def _unreadable(text: str, start: int) -> str:
    character = text[start]
    if character == "'":
        return "the text that starts here has no closing quote"
    if character in "’‘´`“”„":
        return f"{character} is not a quote in SQL; texts stand in straight quotes: 'like this'"
    return f"{character!r} cannot stand in a condition"


class _Reader:
    """Recursive descent over the tokens, one method a level of binding."""

    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._next = 0
        self._depth = 0

    @property
    def _token(self) -> _Token:
        return self._tokens[self._next]

    def _take(self, kind: str, *texts: str) -> _Token | None:
        token = self._token
        if token.kind == kind and (not texts or token.text in texts):
            self._next += 1
            return token
        return None

    def _need(self, kind: str, text: str, after: str) -> _Token:
        token = self._take(kind, text)
        if token is None:
            raise ConditionProblem(f"expected {text} {after}, {self._found()}", self._token.at)
        return token

    def _found(self) -> str:
        token = self._token
        return "but the condition ends here" if token.kind == "end" else f"found {token.text}"

    def whole(self) -> Node:
        if self._token.kind == "end":
            raise ConditionProblem("the condition is empty")
        node = self._or()
        if self._token.kind != "end":
            raise ConditionProblem(f"expected AND, OR or the end, {self._found()}", self._token.at)
        return node

    def _or(self) -> Node:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise ConditionProblem("the condition is nested too deeply", self._token.at)
        at, operands = self._token.at, [self._and()]
        while self._take("keyword", "OR"):
            operands.append(self._and())
        self._depth -= 1
        return operands[0] if len(operands) == 1 else Logic("OR", tuple(operands), at)

    def _and(self) -> Node:
        at, operands = self._token.at, [self._not()]
        while self._take("keyword", "AND"):
            operands.append(self._not())
        return operands[0] if len(operands) == 1 else Logic("AND", tuple(operands), at)

    def _not(self) -> Node:
        seen: list[_Token] = []
        while token := self._take("keyword", "NOT"):
            seen.append(token)
        node = self._is()
        for token in reversed(seen):
            node = Not(node, token.at)
        return node

    def _is(self) -> Node:
        node = self._comparison()
        while token := self._take("keyword", "IS"):
            negated = self._take("keyword", "NOT") is not None
            value = self._take("keyword", "NULL", "TRUE", "FALSE", "UNKNOWN")
            if value is None:
                raise ConditionProblem(
                    f"expected NULL, TRUE or FALSE after IS, {self._found()}", self._token.at
                )
            node = Is(node, {"TRUE": True, "FALSE": False}.get(value.text), negated, token.at)
        return node

    def _comparison(self) -> Node:
        node = self._membership()
        operator = self._take("sign", "=", "<>", "!=", "<=", ">=", "<", ">")
        if operator is None:
            return node
        right = self._membership()
        again = self._take("sign", "=", "<>", "!=", "<=", ">=", "<", ">")
        if again is not None:
            raise ConditionProblem("comparisons do not chain; join two of them with AND", again.at)
        return Compare("<>" if operator.text == "!=" else operator.text, node, right, operator.at)

    def _membership(self) -> Node:
        node = self._sum()
        start = self._next
        negated = self._take("keyword", "NOT") is not None
        token = self._take("keyword", "BETWEEN", "IN", "LIKE", "ILIKE")
        if token is None:
            self._next = start
            return node
        if token.text == "BETWEEN":
            low = self._sum()
            self._need("keyword", "AND", "between the two ends of BETWEEN")
            return Between(node, low, self._sum(), negated, token.at)
        if token.text == "IN":
            return In(node, self._list(), negated, token.at)
        pattern = self._take("text")
        if pattern is None:
            raise ConditionProblem(f"expected a text after {token.text}, {self._found()}", self._token.at)
        return Like(node, _unquoted(pattern.text), token.text == "ILIKE", negated, token.at)

    def _list(self) -> tuple[Literal, ...]:
        self._need("sign", "(", "after IN")
        items: list[Literal] = []
        while True:
            at, item = self._token.at, self._sign()
            if not isinstance(item, Literal):
                raise ConditionProblem("IN takes values written out, separated by commas", at)
            items.append(item)
            if not self._take("sign", ","):
                break
        self._need("sign", ")", "after the values of IN")
        return tuple(items)

    def _sum(self) -> Node:
        node = self._product()
        while token := self._take("sign", "+", "-"):
            node = Arithmetic(token.text, node, self._product(), token.at)
        return node

    def _product(self) -> Node:
        node = self._sign()
        while token := self._take("sign", "*", "/"):
            node = Arithmetic(token.text, node, self._sign(), token.at)
        return node

    def _sign(self) -> Node:
        minus = self._take("sign", "-")
        if minus is None:
            self._take("sign", "+")
            return self._primary()
        node = self._primary()
        if isinstance(node, Literal) and isinstance(node.value, int | Decimal) and node.value is not True:
            return Literal(-node.value, minus.at)
        return Arithmetic("-", Literal(0, minus.at), node, minus.at)

    def _primary(self) -> Node:
        token = self._token
        self._next += 1
        if token.kind == "number":
            return Literal(int(token.text) if token.text.isdigit() else Decimal(token.text), token.at)
        if token.kind == "text":
            return Literal(_unquoted(token.text), token.at)
        if token.kind == "keyword" and token.text in ("TRUE", "FALSE", "NULL"):
            return Literal({"TRUE": True, "FALSE": False}.get(token.text), token.at)
        if token.kind == "name":
            return self._name_or_call(token)
        if token.kind == "sign" and token.text == "(":
            node = self._or()
            self._need("sign", ")", "to close the parenthesis")
            return node
        self._next -= 1
        refused = token.kind == "keyword" and token.text in ("SELECT", "CASE", "CAST", "EXISTS", "INTERVAL")
        why = f"{token.text} cannot stand in a condition" if refused else f"expected a value, {self._found()}"
        raise ConditionProblem(why, token.at)

    def _name_or_call(self, token: _Token) -> Node:
        if token.text.lower() in _CLOCKS:
            raise ConditionProblem(
                f"{token.text} is a clock; every date field has its age in days (FIELD_days) instead",
                token.at,
            )
        if not self._take("sign", "("):
            return Name(token.text, token.at)
        arguments: list[Node] = []
        if not self._take("sign", ")"):
            arguments.append(self._argument(token))
            while self._take("sign", ","):
                arguments.append(self._argument(token))
            self._need("sign", ")", f"after the arguments of {token.text}")
        if self._token.kind == "keyword" and self._token.text == "OVER":
            raise ConditionProblem("a condition is about one lead: OVER cannot stand in it", self._token.at)
        return Call(token.text.lower(), tuple(arguments), token.at)

    def _argument(self, function: _Token) -> Node:
        if self._token.kind == "sign" and self._token.text == "*":
            raise ConditionProblem(
                f"a condition is about one lead: {function.text}(*) counts many", function.at
            )
        return self._or()


def _unquoted(text: str) -> str:
    return text[1:-1].replace("''", "'")


def parse(text: str) -> Node:
    """Read a condition. Raises ``ConditionProblem`` where it is not of the shape described above."""
    return _Reader(text).whole()
