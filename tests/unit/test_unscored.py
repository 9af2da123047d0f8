"""Whoever is not to be scored: no number anywhere, facts alone move them, and nobody else is touched by it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mapping.lead import DERIVED_FIELDS, LEAD_FIELDS, columns_of
from mapping.qualification.explain import explain
from mapping.qualification.judge import judge, what_changed
from mapping.qualification.policy import load_policy
from mapping.qualification.wording import reasons

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
FIELDS = {**LEAD_FIELDS, **DERIVED_FIELDS}
COLUMNS: dict[str, Any] = {
    **columns_of(FIELDS),
    "lead_id": pl.String(),
    **{f"prev_{name}": pl.String() for name in ("stage", "highest_stage", "temperature")},
    **{f"prev_{name}": pl.Int32() for name in ("cycle", "score")},
}
POLICY = load_policy(
    {
        "policy": {
            "temperature": {"hot": {"total": 40}, "wavering": {"total": 20}},
            "fit": [{"name": "Large", "when": "employees >= 50", "points": 30}],
            "engagement": [{"name": "Visits", "when": "visits >= 5", "points": 30}],
        }
    },
    fields=FIELDS,
    vocabularies={},
)
HOT = {"employees": 80, "visits": 9, "forms": 1, "has_contact_data": True}


def _leads(*rows: dict[str, Any]) -> pl.DataFrame:
    numbered = [{"lead_id": str(number), **row} for number, row in enumerate(rows)]
    return pl.DataFrame([{name: row.get(name) for name in COLUMNS} for row in numbered], schema=COLUMNS)


@pytest.mark.parametrize(
    ("facts", "stage", "why"),
    [
        # Warmth and marketing's gates say nothing about them, whatever was said before
        ({}, "lead", "not_scored"),
        ({"prev_stage": "mql"}, "lead", "not_scored"),
        ({"prev_stage": "nurture"}, "lead", "not_scored"),
        # What somebody did, or a CRM shows, still counts
        ({"forms": 0}, "prospect", "no_interest"),
        ({"has_contact_data": False}, "visitor", "no_contact_data"),
        ({"salesforce_stage": "customer"}, "customer", "salesforce_says"),
        ({"salesforce_stage": "opportunity"}, "opportunity", "salesforce_says"),
        ({"prev_stage": "sql"}, "sql", "taken_by_sales"),
        ({"prev_stage": "sql", "sales_accepted": False}, "nurture", "rejected"),
    ],
)
def test_facts_alone_move_the_stage(facts: dict[str, Any], stage: str, why: str) -> None:
    verdict = judge(_leads(HOT | facts), POLICY, NOW, pl.Series([True])).row(0, named=True)
    assert (verdict["stage"], verdict["stage_why"]) == (stage, why)


def test_no_number_and_no_point_is_left() -> None:
    verdict = judge(_leads(HOT), POLICY, NOW, pl.Series([True]))
    row = verdict.row(0, named=True)
    blank = ("score", "fit", "engagement", "coverage", "temperature", "nurture_track")
    assert [row[name] for name in blank] == [None] * 6
    assert (row["_p0"], row["_p1"]) == (0, 0)
    assert reasons(verdict, POLICY, "en").item().startswith("not scored")
    assert reasons(verdict, POLICY, "de").item().startswith("nicht bewertet")


@given(rows=st.lists(st.tuples(st.integers(0, 99), st.booleans(), st.booleans()), min_size=1, max_size=12))
@settings(max_examples=40, deadline=None)
def test_nobody_else_is_judged_otherwise(rows: list[tuple[int, bool, bool]]) -> None:
    leads = _leads(
        *({**HOT, "employees": size, "prev_stage": "mql" if was else None} for size, was, _ in rows)
    )
    unscored = pl.Series([barred for _, _, barred in rows])
    mixed, plain = judge(leads, POLICY, NOW, unscored), judge(leads, POLICY, NOW)
    assert mixed.filter(~unscored).equals(plain.filter(~unscored))
    assert mixed.schema == plain.schema


def test_a_verdict_without_a_score_is_written_once() -> None:
    scored = judge(_leads(HOT), POLICY, NOW)
    blank = judge(_leads(HOT), POLICY, NOW, pl.Series([True]))
    assert what_changed(scored, blank, POLICY).to_list() == [True]
    assert what_changed(blank, blank, POLICY).to_list() == [False]


def test_an_explanation_looks_for_no_way_to_more_points() -> None:
    told = explain(_leads(HOT), POLICY, NOW, unscored=True)
    assert told.smallest_change is None
    assert not [point for point in told.points if point["points"]]
