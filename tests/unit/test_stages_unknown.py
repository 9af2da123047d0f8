"""An unknown value never moves a stage: whatever is forgotten of a lead, it stays where it stands."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mapping.lead import DERIVED_FIELDS, LEAD_FIELDS, columns_of
from mapping.qualification.judge import judge
from mapping.qualification.policy import load_policy

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
FIELDS = {**LEAD_FIELDS, **DERIVED_FIELDS}
POLICY = load_policy(
    {
        "policy": {
            "interest": "forms > 0 OR social_clicks > 5",
            "fit": [
                {"name": "Head", "when": "job_title = 'CMO'", "points": 20},
                {"name": "Student", "when": "job_title = 'Student'", "points": -40},
                {"name": "Size", "when": "employees BETWEEN 10 AND 500", "points": 10},
                {"name": "Free mail", "when": "is_free_mail", "points": -10},
            ],
            "engagement": [
                {
                    "name": "Form",
                    "when": "forms > 0",
                    "points": 25,
                    "half_life_days": 21,
                    "since": "last_form_at",
                },
                {"name": "Visits", "when": "visits >= 3 AND NOT is_free_mail", "points": 15},
                {"name": "Bounced", "when": "mails_bounced > 1", "points": -15},
            ],
            "temperature": {
                "hot": {"total": 45, "fit_at_least": 15},
                "wavering": {"total": 20},
                "drop_tolerance": 5,
            },
            "gates": [
                {"stage": "mql", "name": "Reachable", "when": "may_email OR may_call"},
                {"stage": "sql", "name": "Budget", "when": "has_budget"},
            ],
        }
    },
    fields=FIELDS,
    vocabularies={},
)
FACTS: dict[str, list[Any]] = {
    "job_title": ["CMO", "CMO", "Student", "Clerk"],
    "employees": [5, 50, 50],
    "is_free_mail": [True, False, False],
    "forms": [0, 1, 2, 2],
    "social_clicks": [0, 9],
    "last_form_at": [NOW - timedelta(days=days) for days in (0, 3, 20, 90)],
    "visits": [0, 4, 4],
    "mails_bounced": [0, 0, 2],
    "may_email": [True, True, False],
    "may_call": [True, False],
    "has_budget": [True, False],
    "has_contact_data": [True, True, True, False],
}
#: The word of a person or a CRM: clearing it is an act of theirs, so it is left alone here.
SAID: dict[str, list[Any]] = {
    "sales_accepted": [None, None, None, True, False],
    "rejection_reason": [None, "too early", "never"],
    "salesforce_stage": [None, None, "lead", "sql", "opportunity"],
    "hubspot_stage": [None, None, "lead", "mql", "customer"],
}
BEFORE: dict[str, list[Any]] = {"prev_stage": [None, "visitor", "prospect", "lead", "nurture", "mql", "sql"]}
COLUMNS: dict[str, Any] = {
    **columns_of(FIELDS),
    "lead_id": pl.String(),
    **{f"prev_{name}": pl.String() for name in ("stage", "highest_stage", "temperature")},
    "prev_cycle": pl.Int32(),
}


def _leads(draw: random.Random, height: int, blank: float) -> pl.DataFrame:
    choices = {**FACTS, **SAID, **BEFORE}

    def value(name: str, number: int) -> Any:
        if name == "lead_id":
            return str(number)
        unknown = name in FACTS and draw.random() < blank
        return None if unknown or name not in choices else draw.choice(choices[name])

    rows = [{name: value(name, number) for name in COLUMNS} for number in range(height)]
    return pl.DataFrame(rows, schema=COLUMNS)


def _seen_again(leads: pl.DataFrame, verdicts: pl.DataFrame) -> pl.DataFrame:
    """The leads with the verdicts as what was last said of them."""
    names = ("stage", "highest_stage", "cycle", "temperature")
    return leads.with_columns(verdicts[name].alias(f"prev_{name}") for name in names)


@given(
    seed=st.integers(0, 10**6),
    forgotten=st.sets(st.sampled_from(sorted(FACTS)), min_size=1, max_size=4),
    blank=st.sampled_from([0.0, 0.1, 0.4]),
)
@settings(max_examples=60, deadline=None)
def test_forgetting_values_moves_no_lead(seed: int, forgotten: set[str], blank: float) -> None:
    leads = _leads(random.Random(seed), 150, blank)
    before = judge(leads, POLICY, NOW)
    again = _seen_again(leads, before)
    dimmed = again.with_columns(pl.lit(None, dtype=COLUMNS[name]).alias(name) for name in forgotten)
    after = judge(dimmed, POLICY, NOW)
    moved = after.filter(after["stage"] != before["stage"])
    assert moved.select("lead_id", "stage", "stage_why").rows() == []
    assert after["cycle"].equals(before["cycle"])


@given(seed=st.integers(0, 10**6), blank=st.sampled_from([0.0, 0.3]))
@settings(max_examples=30, deadline=None)
def test_judging_again_changes_nothing(seed: int, blank: float) -> None:
    leads = _leads(random.Random(seed), 150, blank)
    first = judge(leads, POLICY, NOW)
    second = judge(_seen_again(leads, first), POLICY, NOW)
    third = judge(_seen_again(leads, second), POLICY, NOW)
    assert second["stage"].equals(first["stage"])
    assert third.select("stage", "cycle", "temperature").equals(
        second.select("stage", "cycle", "temperature")
    )


@pytest.mark.parametrize(
    ("known", "stage", "why"),
    [
        # Hot as scored; were it a free-mail address it would not be: it waits
        ({"is_free_mail": False}, "mql", "hot_gates_passed"),
        ({"is_free_mail": None, "mails_bounced": None}, "nurture", "score_uncertain"),
        ({"is_free_mail": None, "mails_bounced": None, "employees": 5}, "nurture", "score_uncertain"),
        (
            {"is_free_mail": None, "mails_bounced": None, "may_email": None, "employees": 5},
            "lead",
            "gate_unknown",
        ),
    ],
)
def test_a_lead_is_not_handed_over_on_what_is_not_known(known: dict[str, Any], stage: str, why: str) -> None:
    values: dict[str, Any] = {
        "lead_id": "1",
        "job_title": "CMO",
        "employees": 50,
        "forms": 1,
        "last_form_at": NOW,
        "visits": 0,
        "mails_bounced": 0,
        "may_email": True,
        "has_contact_data": True,
        **known,
    }
    lead = pl.DataFrame({name: [values.get(name)] for name in COLUMNS}, schema=COLUMNS)
    found = judge(lead, POLICY, NOW).row(0, named=True)
    assert (found["stage"], found["stage_why"]) == (stage, why)
