"""The pretend Salesforce's grammar of SOQL beside somebody else's, ``@jetstreamapp/soql-parser-js``.

``node/soql_queries.json`` holds queries on which both agree (``valid``, ``invalid``), and those on which ours
follows Salesforce where the other does not (``differ``, each with its reason).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from connectors.sandbox.salesforce.refusals import Refusal
from connectors.sandbox.salesforce.soql.parse import parse

QUERIES = json.loads(Path(__file__).with_name("node").joinpath("soql_queries.json").read_text("utf-8"))
AGREED = [(soql, True) for soql in QUERIES["valid"]] + [(soql, False) for soql in QUERIES["invalid"]]
DIFFER = [(each["soql"], each["valid"]) for each in QUERIES["differ"]]


def takes(soql: str) -> bool:
    """Whether our grammar takes a query."""
    try:
        parse(soql)
    except Refusal:
        return False
    return True


@pytest.mark.parametrize(("soql", "valid"), AGREED + DIFFER)
def test_our_grammar_takes_what_is_a_query_and_nothing_else(soql: str, valid: bool) -> None:
    assert takes(soql) is valid


def test_there_are_enough_queries_of_both_kinds_to_compare() -> None:
    queries = [soql for soql, _ in AGREED + DIFFER]
    assert len(set(queries)) == len(queries)
    assert (len(QUERIES["valid"]) >= 100, len(QUERIES["invalid"]) >= 50) == (True, True)


def test_somebody_elses_grammar_agrees_but_for_the_differences_that_are_named(
    node: Callable[..., Any],
) -> None:
    answered = node("soql.mjs", {}, queries=[soql for soql, _ in AGREED + DIFFER])
    verdicts = answered["verdicts"]["result"]
    other = dict(zip([soql for soql, _ in AGREED + DIFFER], verdicts, strict=True))
    assert {soql for soql, valid in AGREED if other[soql] != valid} == set()
    assert {soql for soql, valid in DIFFER if other[soql] == valid} == set()
