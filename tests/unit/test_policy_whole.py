"""What holds for every lead under a policy that uses everything: caps, grid, stay, asking, evidence, re-entry."""

from __future__ import annotations

import os
import random
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mapping.lead import DERIVED_FIELDS, LEAD_FIELDS, columns_of
from mapping.qualification.judge import VERDICT_SCHEMA, judge, verdict_schema
from mapping.qualification.policy import Policy, load_policy
from mapping.qualification.score import PREVIOUS_SCHEMA

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
#: Leads that are judged at once; CONTRIBUTING.md has the long form.
AT_ONCE = int(os.environ.get("LEADPACT_TEST_LEADS_AT_ONCE", "100000"))
FIELDS = {**LEAD_FIELDS, **DERIVED_FIELDS}
SCHEMA: dict[str, pl.DataType] = {"lead_id": pl.String(), **columns_of(FIELDS), **PREVIOUS_SCHEMA}
FIT = [
    {"name": "Head", "when": "job_title = 'CMO'", "points": 30, "cap": "Person"},
    {"name": "Decides", "when": "is_decision_maker", "points": 20, "cap": "Person"},
    {"name": "Student", "when": "job_title = 'Student'", "points": -40},
    {"name": "Size", "when": "employees BETWEEN 10 AND 500", "points": 20},
]
ENGAGEMENT = [
    {
        **{"name": "Form", "when": "forms > 0", "points": 30, "half_life_days": 21},
        **{"since": "last_form_at", "cap": "Web"},
    },
    {"name": "Visits", "when": "visits >= 3", "points": 25, "cap": "Web"},
    {"name": "Bounced", "when": "mails_bounced > 1", "points": -15, "cap": "Web"},
    {"name": "Need", "when": "has_need", "points": 20},
]
PARTS: dict[str, Any] = {
    "interest": "forms > 0 OR visits > 5",
    "caps": {"Person": 40, "Web": 45, "engagement": 55},
    "grid": {"fit": [50, 20], "engagement": [40, 20]},
    "ask_below": 35,
    "temperature": {
        **{"hot": {"total": 70, "fit_at_least": 20}, "wavering": {"total": 35}},
        **{"drop_tolerance": 5, "stay_days": 3},
    },
    "gates": [{"stage": "mql", "name": "Reachable", "when": "may_email OR may_call"}],
    "evidence": [
        {"stage": "opportunity", "name": "Open", "when": "deals_open > 0"},
        {"stage": "customer", "name": "Won", "when": "deals_won > 0"},
        {"stage": "nurture", "name": "Lost", "when": "deals_lost > 0 AND deals_open = 0"},
        {"stage": "former_customer", "name": "Gone", "when": "last_deal_won_on_days > 365"},
    ],
    "reentry": {"after_days": 30, "or_when": "last_form_at_days < returned_days"},
}


def whole(fit: list[dict[str, Any]], engagement: list[dict[str, Any]]) -> Policy:
    table = {"policy": {**PARTS, "fit": fit, "engagement": engagement}}
    return load_policy(table, fields=FIELDS, vocabularies={})


POLICY = whole(FIT, ENGAGEMENT)
FACTS: dict[str, list[Any]] = {
    "job_title": ["CMO", "CMO", "Student", "Clerk"],
    "is_decision_maker": [True, False],
    "employees": [5, 50, 50],
    "forms": [0, 1, 2],
    "last_form_at": [NOW - timedelta(days=days) for days in (0, 3, 20, 90)],
    "visits": [0, 4, 9],
    "mails_bounced": [0, 0, 2],
    "has_need": [True, False],
    "may_email": [True, True, False],
    "may_call": [True, False],
    "has_contact_data": [True, True, True, False],
    "deals_open": [0, 0, 1],
    "deals_won": [0, 0, 0, 1],
    "deals_lost": [0, 0, 1],
    "last_deal_won_on": [(NOW - timedelta(days=days)).date() for days in (5, 400)],
}
SAID: dict[str, list[Any]] = {
    "sales_accepted": [None, None, None, True, False],
    "rejection_reason": [None, "too early", "never"],
    "salesforce_stage": [None, None, None, "lead", "sql", "opportunity"],
    "hubspot_stage": [None, None, "lead", "customer"],
    "prev_stage": [None, "visitor", "prospect", "lead", "nurture", "mql", "sql", "opportunity"],
    "prev_temperature": [None, "cold", "wavering", "hot", "unknown"],
    "prev_temperature_since": [None, *((NOW - timedelta(days=days)).date() for days in (0, 2, 9))],
    "prev_returned_on": [None, *((NOW - timedelta(days=days)).date() for days in (2, 60))],
    "prev_cycle": [None, 1, 2],
    "prev_spent_rejection": [None, None, "too early", ""],
}


def some(seed: int, height: int = 120, blank: float = 0.3) -> pl.DataFrame:
    draw = random.Random(seed)

    def value(name: str) -> Any:
        if name in FACTS and draw.random() < blank:
            return None
        return draw.choice({**FACTS, **SAID}[name])

    drawn = {name: [value(name) for _ in range(height)] for name in (*FACTS, *SAID)}
    drawn["lead_id"] = [str(number) for number in range(height)]
    return pl.DataFrame(
        [pl.Series(name, drawn.get(name, [None] * height), dtype=dtype) for name, dtype in SCHEMA.items()]
    )


def seen(leads: pl.DataFrame, verdicts: pl.DataFrame) -> pl.DataFrame:
    """The leads with these verdicts as what was last said of them."""
    return leads.with_columns(
        verdicts[name.removeprefix("prev_")].cast(dtype).alias(name)
        for name, dtype in PREVIOUS_SCHEMA.items()
    )


@given(seed=st.integers(0, 10**6))
@settings(max_examples=25, deadline=None)
def test_points_and_caps_always_sum_to_the_score(seed: int) -> None:
    found = judge(some(seed), POLICY, NOW)
    assert found.schema == verdict_schema(POLICY)
    parts = [f"_p{place}" for place in range(len(POLICY.rules))]
    parts += [f"_c{place}" for place in range(len(POLICY.caps))]
    assert found.select(pl.sum_horizontal(parts).alias("sum"))["sum"].to_list() == found["score"].to_list()
    assert (found["fit"] + found["engagement"]).to_list() == found["score"].to_list()
    assert found.select(pl.max_horizontal(f"_c{place}" for place in range(3)).max()).item() <= 0
    assert found["engagement"].max() <= 55  # type: ignore[operator]


@given(seed=st.integers(0, 10**6))
@settings(max_examples=12, deadline=None)
def test_the_order_of_rules_changes_nothing_under_caps(seed: int) -> None:
    turned = whole(FIT[::-1], ENGAGEMENT[::-1])
    frame = some(seed)
    assert (
        judge(frame, turned, NOW)
        .select(*VERDICT_SCHEMA)
        .equals(judge(frame, POLICY, NOW).select(*VERDICT_SCHEMA))
    )


@given(
    seed=st.integers(0, 10**6),
    more=st.sampled_from([("forms", 1), ("visits", 4), ("is_decision_maker", True), ("has_need", True)]),
)
@settings(max_examples=20, deadline=None)
def test_more_evidence_never_lowers_a_score_under_caps(seed: int, more: tuple[str, Any]) -> None:
    name, value = more
    frame = some(seed)
    raised = pl.lit(value) if isinstance(value, bool) else pl.col(name).fill_null(0) + value
    before, after = judge(frame, POLICY, NOW), judge(frame.with_columns(raised.alias(name)), POLICY, NOW)
    assert (after["score"] >= before["score"]).all()


@given(seed=st.integers(0, 10**6), days=st.integers(1, 200))
@settings(max_examples=20, deadline=None)
def test_fading_never_raises_a_score(seed: int, days: int) -> None:
    frame = some(seed)
    before, after = judge(frame, POLICY, NOW), judge(frame, POLICY, NOW + timedelta(days=days))
    assert (after["score"] <= before["score"]).all()


@given(
    seed=st.integers(0, 10**6),
    forgotten=st.sets(st.sampled_from(sorted(FACTS)), min_size=1, max_size=4),
    blank=st.sampled_from([0.0, 0.2]),
)
@settings(max_examples=25, deadline=None)
def test_an_unknown_value_never_moves_a_stage(seed: int, forgotten: set[str], blank: float) -> None:
    leads = some(seed, 120, blank)
    # Settled first: a lost deal leads to nurture, and only from there does warmth decide.
    for _ in range(3):
        before = judge(leads, POLICY, NOW)
        leads = seen(leads, before)
    dimmed = leads.with_columns(pl.lit(None, dtype=SCHEMA[name]).alias(name) for name in forgotten)
    after = judge(dimmed, POLICY, NOW)
    moved = after.filter(after["stage"] != before["stage"])
    assert moved.select("lead_id", "stage", "stage_why").rows() == []
    assert after["cycle"].equals(before["cycle"])


@given(seed=st.integers(0, 10**6))
@settings(max_examples=20, deadline=None)
def test_judging_again_settles_and_then_changes_nothing(seed: int) -> None:
    leads = some(seed, 150)
    for _ in range(3):
        before = judge(leads, POLICY, NOW)
        leads = seen(leads, before)
    after = judge(leads, POLICY, NOW)
    stable = [name for name in VERDICT_SCHEMA if name != "stage_why"]
    assert after.select(stable).equals(before.select(stable))


@given(
    start=st.integers(45, 70),
    noise=st.lists(st.integers(-2, 2), min_size=2, max_size=12),
    days=st.integers(0, 1),
)
@settings(max_examples=25, deadline=None)
def test_bands_do_not_flap_under_noise_inside_the_margin(start: int, noise: list[int], days: int) -> None:
    """Five points of tolerance: a score that trembles by two each way changes its band once at most each way."""
    points = [{"name": f"P{n}", "when": f"visits >= {n}", "points": 1} for n in range(1, 35)]
    points.append({"name": "Base", "when": "TRUE", "points": 40})
    rules = load_policy(
        {
            "policy": {
                "interest": "TRUE",
                "fit": points,
                "temperature": {**PARTS["temperature"], "hot": {"total": 60}},
            }
        },
        fields=FIELDS,
        vocabularies={},
    )
    lead, warmth = some(1, 1, 0.0), []
    lead = lead.with_columns(pl.lit(None, dtype=dtype).alias(name) for name, dtype in PREVIOUS_SCHEMA.items())
    for step, off in enumerate(noise):
        moment = NOW + timedelta(days=days * step)
        verdict = judge(lead.with_columns(visits=pl.lit(start + off - 40, dtype=pl.Int64)), rules, moment)
        lead = seen(lead, verdict)
        warmth.append(verdict["temperature"][0])
    assert sum(one != other for one, other in pairwise(warmth)) <= 1


@pytest.mark.parametrize("height", [10, AT_ONCE])
def test_one_lead_alone_or_among_many_gets_the_same_verdict_byte_for_byte(height: int) -> None:
    block = some(7, max(400, height // 250))
    frame = pl.concat([block] * -(-height // block.height)).head(height)
    frame = frame.with_columns(pl.format("L{}", pl.int_range(height)).alias("lead_id"))
    among = judge(frame, POLICY, NOW)
    assert among.height == height
    for place in random.Random(height).sample(range(height), 10 if height < 10**6 else 200):
        alone = judge(frame[place], POLICY, NOW)
        assert alone.write_json().encode() == among[place].write_json().encode()
        assert alone.equals(among[place])
    # Wherever a lead stands among them, it is judged as its twins are.
    first = judge(block, POLICY, NOW).drop("lead_id")
    for part in among.drop("lead_id").iter_slices(block.height):
        assert part.equals(first.head(part.height))
