"""From the text of a query to its tree. What the grammar does not know is MALFORMED_QUERY."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path as File
from typing import Any as Whatever

from lark import Lark, Token, Transformer
from lark.exceptions import UnexpectedCharacters, UnexpectedEOF, UnexpectedToken, VisitError

from connectors.sandbox.salesforce.refusals import Refusal
from connectors.sandbox.salesforce.soql import tree
from connectors.sandbox.salesforce.soql.relative_dates import is_relative
from connectors.sandbox.salesforce.soql.wrong import malformed, too_complicated, wrong_at

LONGEST = 100_000
LONGEST_STRING = 4_000
MOST_OFFSET = 2_000
LARGEST = 2**31 - 1
ESCAPES = {"\\": "\\", "'": "'", '"': '"', "n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}
_ESCAPE = re.compile(r"\\(u[0-9A-Fa-f]{4}|[\s\S])")


@cache
def _grammar() -> Lark:
    return Lark(
        File(__file__).with_name("grammar.lark").read_text("utf-8"),
        parser="lalr",
        lexer="contextual",
        propagate_positions=False,
        maybe_placeholders=False,
    )


def _place(token: Token) -> tree.Place:
    return tree.Place(token.line or 1, token.column or 1)


def parse(soql: str) -> tree.Query:
    """The tree of a query. Raises Refusal (MALFORMED_QUERY) when it is none, with the place where it stops."""
    if not soql.strip():
        raise malformed("A query string has to be specified")
    if len(soql) > LONGEST:
        raise malformed(f"SOQL statements cannot be longer than {LONGEST} characters.")
    try:
        parsed = _grammar().parse(soql)
    except UnexpectedToken as stop:
        raise _unexpected(soql, stop.token) from None
    except UnexpectedCharacters as stop:
        char = soql[stop.pos_in_stream] if stop.pos_in_stream is not None else ""
        message = f"line {stop.line}:{stop.column - 1} no viable alternative at character '{char}'"
        raise malformed(message) from None
    except UnexpectedEOF:
        raise malformed("unexpected token: '<EOF>'") from None
    try:
        query: tree.Query = _Builder(soql).transform(parsed)
    except RecursionError:
        raise too_complicated() from None
    except VisitError as stop:
        if isinstance(stop.orig_exc, Refusal):
            raise stop.orig_exc from None
        raise
    return query


def _unexpected(soql: str, token: Token) -> Refusal:
    if token.type == "$END":
        return malformed("unexpected token: '<EOF>'")
    return wrong_at(soql, _place(token), "MALFORMED_QUERY", f"unexpected token: '{token}'")


def unescape(literal: tree.Literal) -> str:
    """The text of a quoted string. Raises Refusal for an escape that SOQL does not have."""

    def one(match: re.Match[str]) -> str:
        code = match[1]
        if code[0] == "u" and len(code) == 5:
            return chr(int(code[1:], 16))
        if code not in ESCAPES:
            raise _bad_escape(literal, code)
        return ESCAPES[code]

    return _paired(_ESCAPE.sub(one, _inside(literal)))


def _paired(text: str) -> str:
    """Two ``\\u`` escapes of one character brought together; half a character alone becomes U+FFFD."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def like_pattern(literal: tree.Literal) -> str:
    """The text of a LIKE string as an SQL pattern with ``\\`` as its escape character."""

    def one(match: re.Match[str]) -> str:
        code = match[1]
        if code in ("_", "%"):
            return "\\" + code
        if code[0] == "u" and len(code) == 5:
            return chr(int(code[1:], 16))
        if code not in ESCAPES:
            raise _bad_escape(literal, code)
        return "\\\\" if code == "\\" else ESCAPES[code]

    return _paired(_ESCAPE.sub(one, _inside(literal)))


def _inside(literal: tree.Literal) -> str:
    if len(literal.text) > LONGEST_STRING + 2:
        raise malformed(f"String literal is longer than {LONGEST_STRING} characters")
    return literal.text[1:-1]


def _bad_escape(literal: tree.Literal, code: str) -> Refusal:
    return malformed(
        f"Invalid string literal {literal.text}. Illegal character sequence '\\{code}' in string literal."
    )


Clause = tuple[str, Whatever] | None


class _Builder(Transformer[Token, Whatever]):
    """Makes the values of ``tree`` out of lark's parse tree, one method a rule."""

    def __init__(self, soql: str) -> None:
        super().__init__()
        self.soql = soql

    def start(self, parts: list[Whatever]) -> Whatever:
        return parts[0]

    def path(self, names: list[Token]) -> tree.Path:
        return tree.Path(tuple(str(each) for each in names), tuple(_place(each) for each in names))

    def argument(self, parts: list[Whatever]) -> Whatever:
        return str(parts[0]) if isinstance(parts[0], Token) else parts[0]

    def call(self, parts: list[Whatever]) -> tree.Call:
        name, arguments = str(parts[0]).upper(), parts[1:]
        of = arguments.pop(0) if arguments and not isinstance(arguments[0], str) else None
        return tree.Call(name, of, _place(parts[0]), tuple(arguments))

    def select_item(self, parts: list[Whatever]) -> tree.SelectItem:
        return tree.SelectItem(parts[0], str(parts[1]) if len(parts) > 1 else None)

    def branch(self, parts: list[Whatever]) -> tree.Branch:
        return tree.Branch(str(parts[1]), _place(parts[1]), tuple(parts[3:]))

    def otherwise(self, parts: list[Whatever]) -> list[tree.Path]:
        return parts[1:]

    def choice(self, parts: list[Whatever]) -> tree.TypeOf:
        branches = tuple(each for each in parts if isinstance(each, tree.Branch))
        otherwise: list[tree.Path] = next(each for each in parts if isinstance(each, list))
        return tree.TypeOf(parts[1], branches, tuple(otherwise))

    def literal(self, parts: list[Token]) -> tree.Literal:
        token = parts[0]
        kinds = {"TRUE": "boolean", "FALSE": "boolean"}
        kind: Whatever = kinds.get(token.type, token.type.lower())
        if kind in ("name", "relative"):
            if not is_relative(str(token)):
                raise _unexpected(self.soql, token)
            kind = "relative"
        made = tree.Literal(kind, str(token), _place(token))
        if kind == "string":
            like_pattern(made)
        return made

    def compare(self, parts: list[Whatever]) -> tree.Compare:
        operator = str(parts[1]).upper()
        return tree.Compare(parts[0], "!=" if operator == "<>" else operator, parts[2])

    def among(self, parts: list[Whatever]) -> tree.Among:
        return tree.Among(parts[0], " ".join(str(parts[1]).upper().split()), tuple(parts[2:]))

    def joined(self, parts: list[Whatever]) -> tree.Joined:
        return tree.Joined(parts[0], " ".join(str(parts[1]).upper().split()), parts[2])

    def negation(self, parts: list[Whatever]) -> tree.Not:
        return tree.Not(parts[1])

    def conjunction(self, parts: list[Whatever]) -> tree.All:
        return tree.All(tuple(each for each in parts if not isinstance(each, Token)))

    def disjunction(self, parts: list[Whatever]) -> tree.Any:
        return tree.Any(tuple(each for each in parts if not isinstance(each, Token)))

    def order_item(self, parts: list[Whatever]) -> tree.OrderItem:
        kinds = {each.type for each in parts[1:]}
        return tree.OrderItem(parts[0], "DESC" in kinds, "NULLS_LAST" not in kinds)

    def _number(self, token: Token) -> int:
        if not token.isdecimal():
            raise _unexpected(self.soql, token)
        return min(int(token), LARGEST)

    def limit(self, parts: list[Token]) -> Clause:
        return ("limit", self._number(parts[1])) if parts else None

    def offset(self, parts: list[Token]) -> Clause:
        if not parts:
            return None
        number = self._number(parts[1])
        if number > MOST_OFFSET:
            raise wrong_at(
                self.soql,
                _place(parts[1]),
                "NUMBER_OUTSIDE_VALID_RANGE",
                f"Maximum SOQL offset allowed is {MOST_OFFSET}",
            )
        return "offset", number

    def source(self, parts: list[Token]) -> Clause:
        return "source", parts

    def using(self, parts: list[Token]) -> Clause:
        return ("scope", str(parts[1])) if parts else None

    def where(self, parts: list[Whatever]) -> Clause:
        return ("where", parts[1]) if parts else None

    def having(self, parts: list[Whatever]) -> Clause:
        return ("having", parts[1]) if parts else None

    def group(self, parts: list[Whatever]) -> Clause:
        return ("group", tuple(parts[1:])) if parts else None

    def order(self, parts: list[Whatever]) -> Clause:
        return ("order", tuple(parts[1:])) if parts else None

    def enforced(self, _parts: list[Token]) -> Clause:
        return None  # what the user may not read is not in the schema that a query is compiled for

    def reading(self, _parts: list[Token]) -> Clause:
        return None  # FOR VIEW and its like change nothing that a query can see

    def all_rows(self, parts: list[Token]) -> Clause:
        return ("all_rows", True) if parts else None

    def query(self, parts: list[Whatever]) -> tree.Query:
        clauses: dict[str, Whatever] = dict(each for each in parts if isinstance(each, tuple))
        source: list[Token] = clauses.pop("source")
        return tree.Query(
            items=tuple(each for each in parts if isinstance(each, tree.SelectItem)),
            source=str(source[0]),
            source_place=_place(source[0]),
            alias=str(source[1]) if len(source) > 1 else None,
            **clauses,
        )
