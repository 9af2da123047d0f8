"""Two policies on the same leads: numbers per direction, and the change that makes each move."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest

from mapping.identity import derive
from mapping.lead import DERIVED_FIELDS, LEAD_FIELDS, columns_of
from mapping.qualification.declared import Policy
from mapping.qualification.diffing import SAMPLE, TOGETHER, Diff, diff, singles, together
from mapping.qualification.judge import judge
from mapping.qualification.policy import load_policy

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
Table = dict[str, Any]
TABLE: Table = {
    "policy": {
        "interest": "forms > 0",
        "fit": [{"name": "Boss", "when": "coalesce(job_title, '') = 'CMO'", "points": 30}],
        "engagement": [{"name": "Visits", "when": "coalesce(visits, 0) >= 3", "points": 30}],
        "temperature": {"hot": {"total": 60}, "wavering": {"total": 30}},
        "gates": [{"stage": "mql", "name": "Company", "when": "company IS NOT NULL"}],
    }
}


def changed(change: Callable[[Table], object]) -> Policy:
    table = copy.deepcopy(TABLE)
    change(table["policy"])
    return load_policy(table, fields={**LEAD_FIELDS, **DERIVED_FIELDS}, vocabularies={})


OURS = changed(lambda policy: None)


def frame(rows: list[dict[str, Any]]) -> pl.DataFrame:
    schema = {**columns_of(LEAD_FIELDS), "in_hubspot": pl.Boolean(), "in_salesforce": pl.Boolean()}
    schema |= {"lead_id": pl.String(), "prev_stage": pl.String(), "prev_highest_stage": pl.String()}
    whole = [{"lead_id": f"lead{place:04}", **row} for place, row in enumerate(rows)]
    return derive(
        pl.DataFrame(
            {name: pl.Series([row.get(name) for row in whole], dtype=dtype) for name, dtype in schema.items()}
        )
    )


def people(number: int, seed: int = 7) -> pl.DataFrame:
    pick = random.Random(seed).choice
    return frame(
        [
            {
                "email": "a@b.example",
                "forms": pick([0, 1, 2]),
                "job_title": pick(["CMO", "Clerk", None]),
                "visits": pick([0, 2, 4, None]),
                "company": pick(["Shop", None]),
                "prev_stage": pick([None, "lead", "nurture", "mql", "sql", "customer", "disqualified"]),
            }
            for _ in range(number)
        ]
    )


def compared(other: Policy, leads: pl.DataFrame) -> Diff:
    return diff(leads, OURS, other, NOW, singles(OURS, other, vocabularies={}))


HOT = {"email": "a@b.example", "forms": 1, "job_title": "CMO", "visits": 4, "company": "Shop"}


def raise_boss(policy: Table) -> None:
    policy["fit"][0]["points"] = 20


def drop_visits(policy: Table) -> None:
    policy["engagement"] = []


def add_form(policy: Table) -> None:
    policy["engagement"].append({"name": "Form", "when": "forms > 0", "points": -10})


def other_gate(policy: Table) -> None:
    policy["gates"][0]["when"] = "company = 'Office'"


def no_gate(policy: Table) -> None:
    policy["gates"] = []


def new_gate(policy: Table) -> None:
    policy["gates"].append({"stage": "mql", "name": "Phone", "when": "phone IS NOT NULL"})


def warmer(policy: Table) -> None:
    policy["temperature"] = {"hot": {"total": 90}, "wavering": {"total": 30}}


def uninterested(policy: Table) -> None:
    policy["interest"] = "forms > 5"


def capped(policy: Table) -> None:
    policy["caps"] = {"engagement": 10}


def dealt(policy: Table) -> None:
    policy["evidence"] = [{"stage": "customer", "name": "Won", "when": "forms > 0"}]


def test_a_new_piece_of_evidence_is_named_where_it_moves_a_lead() -> None:
    found = compared(changed(dealt), frame([HOT]))
    assert (found.because, found.stages) == ({"new evidence “Won”": 1}, {("mql", "customer"): 1})


@pytest.mark.parametrize(
    ("change", "what", "then"),
    [
        (capped, "caps changed", "nurture"),
        (raise_boss, "rule “Boss”: +30 points become +20", "nurture"),
        (drop_visits, "rule “Visits” is gone", "nurture"),
        (add_form, "new rule “Form”, -10 points", "nurture"),
        (other_gate, "gate “Company”: another when", "lead"),
        (new_gate, "new gate “Phone”", "lead"),
        (warmer, "temperature changed", "nurture"),
        (uninterested, "interest changed", "prospect"),
    ],
)
def test_the_change_that_moves_a_lead_is_named(change: Callable[[Table], None], what: str, then: str) -> None:
    found = compared(changed(change), frame([HOT]))
    assert found.because == {what: 1}
    assert found.stages == {("mql", then): 1}
    assert (found.moved, found.mql_lost, found.mql_gained, found.back) == (1, 1, 0, 1)
    assert found.sample["because"].to_list() == [what]


def test_a_gate_that_is_gone_lets_more_through() -> None:
    found = compared(changed(no_gate), frame([{**HOT, "company": None}]))
    assert found.because == {"gate “Company” is gone": 1}
    assert (found.mql_gained, found.forward, found.back) == (1, 1, 0)


def test_changes_that_move_a_lead_only_together_are_said_to() -> None:
    def both(policy: Table) -> None:
        policy["fit"][0]["points"] = 45
        policy["temperature"]["hot"]["total"] = 45

    found = compared(changed(both), frame([{**HOT, "visits": 0}]))
    assert found.stages == {("nurture", "mql"): 1}
    assert found.because == {TOGETHER: 1}


def test_a_policy_differs_from_itself_in_nothing() -> None:
    found = compared(OURS, people(200))
    assert (found.leads, found.moved, found.stages, found.because) == (200, 0, {}, {})
    assert found.sample.is_empty()


def test_a_change_of_tracks_alone_moves_nobody() -> None:
    table = {**copy.deepcopy(TABLE), "nurture": [{"name": "A", "when": "TRUE", "track": "a"}]}
    other = load_policy(table, fields={**LEAD_FIELDS, **DERIVED_FIELDS}, vocabularies={})
    assert singles(OURS, other, vocabularies={}) == []
    assert compared(other, people(100)).moved == 0


@pytest.mark.parametrize(
    "change", [raise_boss, drop_visits, add_form, other_gate, no_gate, warmer, uninterested]
)
@pytest.mark.parametrize("seed", range(5))
def test_the_numbers_are_those_of_both_verdicts_lead_by_lead(
    change: Callable[[Table], None], seed: int
) -> None:
    other, leads = changed(change), people(300, seed)
    found = compared(other, leads)
    mine, theirs = (judge(leads, policy, NOW) for policy in (OURS, other))
    pairs = list(
        zip(
            mine.select("stage", "temperature").rows(),
            theirs.select("stage", "temperature").rows(),
            strict=True,
        )
    )
    assert found.moved == sum(before != after for before, after in pairs)
    assert sum(found.stages.values()) == sum(before[0] != after[0] for before, after in pairs)
    assert sum(found.temperatures.values()) == sum(before[1] != after[1] for before, after in pairs)
    assert found.mql_gained == sum(before[0] != "mql" == after[0] for before, after in pairs)
    assert found.mql_lost == sum(before[0] == "mql" != after[0] for before, after in pairs)
    assert found.moved == sum(found.because.values())


def test_slices_come_to_the_same_as_all_at_once() -> None:
    other, leads = changed(raise_boss), people(500)
    whole = compared(other, leads)
    parts = together([compared(other, part) for part in leads.iter_slices(90)])
    assert parts.sample.equals(whole.sample)
    for name in ("leads", "moved", "forward", "back", "mql_gained", "mql_lost"):
        assert getattr(parts, name) == getattr(whole, name)
    assert (dict(parts.stages), dict(parts.because)) == (whole.stages, whole.because)


def test_the_sample_shows_a_few_leads_of_every_direction() -> None:
    found = compared(changed(raise_boss), people(500))
    assert found.sample.schema == pl.Schema(SAMPLE)
    counted = found.sample.group_by("stage", "stage_then", "temperature", "temperature_then").len()
    assert counted["len"].max() == 3
    assert {(now, then) for now, then, *_ in counted.rows() if now != then} == set(found.stages)


def test_the_whole_list_has_everybody_who_would_stand_elsewhere_once() -> None:
    other, leads = changed(raise_boss), people(500)
    changes = singles(OURS, other, vocabularies={})
    whole = diff(leads, OURS, other, NOW, changes, each=None)
    parts = together(
        [diff(part, OURS, other, NOW, changes, each=None) for part in leads.iter_slices(90)], each=None
    )
    assert whole.sample.height == whole.moved == whole.sample["lead_id"].n_unique()
    assert parts.sample.equals(whole.sample)
    assert dict(whole.sample["because"].value_counts().rows()) == whole.because
    assert whole.stage_changes == whole.sample.filter(pl.col("stage") != pl.col("stage_then")).height


def test_nothing_comes_of_no_leads() -> None:
    assert together([]).leads == 0
