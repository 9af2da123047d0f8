"""The pretend Salesforce's grammar of SOQL beside somebody else's, ``@jetstreamapp/soql-parser-js``.

``node/soql_queries.json`` holds queries on which both agree (``valid``, ``invalid``), and those on which ours
follows Salesforce where the other does not (``differ``, each with its reason).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest

from connectors.sandbox.salesforce.refusals import Refusal
from connectors.sandbox.salesforce.soql.parse import parse
from connectors.sandbox.salesforce.soql.tree import Place

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


@pytest.fixture(scope="module")
def other(node: Callable[..., Any]) -> dict[str, dict[str, Any]]:
    """What the other grammar says: each query's verdict, and the query as it writes it itself."""
    queries = [soql for soql, _ in AGREED + DIFFER]
    answered = node("soql.mjs", {}, queries=queries)
    return {
        job: dict(zip(queries, answered[job]["result"], strict=True)) for job in ("verdicts", "rewritten")
    }


def test_somebody_elses_grammar_agrees_but_for_the_differences_that_are_named(
    other: dict[str, dict[str, Any]],
) -> None:
    verdicts = other["verdicts"]
    assert {soql for soql, valid in AGREED if verdicts[soql] != valid} == set()
    assert {soql for soql, valid in DIFFER if verdicts[soql] == valid} == set()


def unplaced(part: Any) -> Any:
    """A tree without the places in the text, its words in lower case as SOQL reads them."""
    if isinstance(part, Place):
        return None
    if is_dataclass(part):
        return (type(part).__name__, *(unplaced(getattr(part, each.name)) for each in fields(part)))
    if isinstance(part, tuple):
        return tuple(each for each in map(unplaced, part) if each is not None)
    return part.lower() if isinstance(part, str) else part


def meaning(soql: str) -> Any:
    return unplaced(parse(soql)) if takes(soql) else "no query"


def test_what_the_other_reads_and_writes_again_means_the_same_to_us(other: dict[str, dict[str, Any]]) -> None:
    rewritten = {soql: text for soql, text in other["rewritten"].items() if text is not None and takes(soql)}
    meant = {soql: (unplaced(parse(soql)), meaning(text)) for soql, text in rewritten.items()}
    wrong = {soql: rewritten[soql] for soql, (ours, theirs) in meant.items() if ours != theirs}
    assert wrong == {}
    assert len(rewritten) > 140
