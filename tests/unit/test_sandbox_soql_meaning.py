"""Any condition finds what plain reading of SOQL's rules says: a second evaluation, row by row, in Python.

Two truth values: a comparison with an empty field is false, ``!=`` is then true, NOT turns either round; text
compares without regard to case (Salesforce reference, section 3).
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from connectors.sandbox.salesforce.call import Call
from connectors.sandbox.salesforce.queries import run
from connectors.sandbox.salesforce.side import SalesforceSide
from connectors.sandbox.side import Ask

NOW = datetime(2026, 11, 18, 10, 30, tzinfo=UTC)
Row = dict[str, Any]
Condition = tuple[str, Callable[[Row], bool]]  #: as SOQL, and what it means

NAMES = ("Ada", "ada", "Bob", "b%b", "Ço", None)
ROWS: list[Row] = [
    {
        "FirstName": NAMES[n % 6],
        "NumberOfEmployees": (0, 5, 10, None)[n % 4],
        "DoNotCall": n % 3 == 0,
        "Rating": ("Hot", "Cold", None)[n % 3],
    }
    for n in range(24)
]


class Frozen:
    def now(self) -> datetime:
        return NOW


@pytest.fixture(scope="module")
def side(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SalesforceSide]:
    made = SalesforceSide(tmp_path_factory.mktemp("soql") / Path("org"), Frozen())
    made.load("Lead", [{"LastName": f"L{n:02}", "Company": "x", **row} for n, row in enumerate(ROWS)])
    yield made
    made.close()


def lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


COMPARED = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "=": operator.eq}


def comparing(field: str, sign: str, value: Any, shown: str) -> Condition:
    """``field sign value``; both signs of equality take null."""

    def holds(row: Row) -> bool:
        here = lower(row[field])
        if sign == "!=":
            return bool(here != lower(value))
        if value is None or here is None:
            return sign == "=" and here is value
        return bool(COMPARED[sign](here, lower(value)))

    return f"{field} {sign} {shown}", holds


def like(pattern: str) -> Condition:
    """``FirstName LIKE pattern``, a backslash before a wildcard taking its power."""
    made = re.sub(
        r"\\([%_])|(%)|(_)|(.)",
        lambda m: re.escape(m[1]) if m[1] else ".*" if m[2] else "." if m[3] else re.escape(m[4]),
        pattern,
    )
    wanted = re.compile(made, re.IGNORECASE | re.DOTALL)
    return (
        f"FirstName LIKE '{pattern}'",
        lambda row: row["FirstName"] is not None and bool(wanted.fullmatch(row["FirstName"])),
    )


def among(field: str, sign: str, values: list[Any], show: Callable[[Any], str]) -> Condition:
    known = {lower(value) for value in values}
    shown = ", ".join(show(value) for value in values)
    inside = sign == "IN"
    return f"{field} {sign} ({shown})", lambda row: (lower(row[field]) in known) is inside


def text(value: Any) -> str:
    return "null" if value is None else f"'{value}'"


def number(value: Any) -> str:
    return "null" if value is None else str(value)


ORDERS = some.sampled_from([*sorted(COMPARED), "!="])
EQUALS = some.sampled_from(["=", "!="])
WORDS = some.sampled_from(["Ada", "ADA", "bob", "B%B", "ço", "zz", "Hot", "cold"])
COUNTS = some.integers(-1, 11)
ATOMS = some.one_of(
    some.builds(lambda s, v: comparing("FirstName", s, v, text(v)), EQUALS, WORDS | some.none()),
    # Order is only asked of ASCII: what comes after it is a matter of the locale.
    some.builds(
        lambda s, v: comparing("Rating", s, v, text(v)), ORDERS, some.sampled_from(["Hot", "cold", "d"])
    ),
    some.builds(lambda s, v: comparing("NumberOfEmployees", s, v, number(v)), ORDERS, COUNTS),
    some.builds(lambda s: comparing("NumberOfEmployees", s, None, "null"), EQUALS),
    some.builds(lambda s, v: comparing("DoNotCall", s, v, str(v).upper()), EQUALS, some.booleans()),
    some.builds(like, some.sampled_from(["a%", "%A", "_d_", "b\\%b", "%", "b%b", "ÇO", "", "\\_"])),
    some.builds(
        lambda s, v: among("FirstName", s, v, text),
        some.sampled_from(["IN", "NOT IN"]),
        some.lists(WORDS | some.none(), min_size=1, max_size=3),
    ),
    some.builds(
        lambda s, v: among("NumberOfEmployees", s, v, number),
        some.sampled_from(["IN", "NOT IN"]),
        some.lists(COUNTS | some.none(), min_size=1, max_size=3),
    ),
)


def negated(one: Condition) -> Condition:
    return f"(NOT {one[0]})", lambda row: not one[1](row)


def joined(word: str, parts: list[Condition]) -> Condition:
    every = all if word == "AND" else any
    return "(" + f" {word} ".join(each for each, _ in parts) + ")", lambda row: every(
        is_so(row) for _, is_so in parts
    )


CONDITIONS = some.recursive(
    ATOMS,
    lambda inner: some.one_of(
        some.builds(negated, inner),
        some.builds(joined, some.sampled_from(["AND", "OR"]), some.lists(inner, min_size=2, max_size=3)),
    ),
    max_leaves=8,
)


@settings(max_examples=100)
@given(CONDITIONS)
def test_a_condition_finds_what_it_says(side: SalesforceSide, condition: Condition) -> None:
    soql, is_so = condition
    call = Call(Ask("GET", "", (), {}, b""), side.org, "v66.0", "GET")
    found = run(call, f"SELECT LastName FROM Lead WHERE {soql} ORDER BY LastName", False)["records"]
    expected = [f"L{n:02}" for n, row in enumerate(ROWS) if is_so(row)]
    assert [each["LastName"] for each in found] == expected
