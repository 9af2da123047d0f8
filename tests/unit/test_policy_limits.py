"""Caps, the grid, asking for data, minimum stay, evidence, re-entry and tracks: by example."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from mapping.lead import DERIVED_FIELDS, LEAD_FIELDS, columns_of
from mapping.qualification.explain import explain
from mapping.qualification.judge import judge
from mapping.qualification.policy import Policy, PolicyProblems, load_policy
from mapping.qualification.score import PREVIOUS_SCHEMA
from mapping.qualification.wording import points_of, reasons

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
TODAY = NOW.date()
FIELDS = {**LEAD_FIELDS, **DERIVED_FIELDS}
SCHEMA: dict[str, pl.DataType] = {**columns_of(FIELDS), "lead_id": pl.String(), **PREVIOUS_SCHEMA}
#: One point a visit and page, so that a row can say any score it likes; interest and an open door are given.
TABLE: dict[str, Any] = {
    "interest": "TRUE",
    "fit": [{"name": "Large", "when": "employees > 100", "points": 30}],
    "engagement": [
        {"name": "Form", "when": "forms > 0", "points": 30, "cap": "Web"},
        {"name": "Visits", "when": "visits > 2", "points": 20, "cap": "Web"},
        {"name": "Bounces", "when": "mails_bounced > 0", "points": -15, "cap": "Web"},
        {"name": "Asked", "when": "has_need", "points": 40},
    ],
    "temperature": {"hot": {"total": 70, "fit_at_least": 20}, "wavering": {"total": 40}},
}
KNOWN: dict[str, Any] = {
    **{"has_contact_data": True, "employees": 200, "forms": 0, "visits": 0},
    **{"mails_bounced": 0, "has_need": False},
}


def policy(**parts: Any) -> Policy:
    tracks = {"nurture": parts.pop("nurture")} if "nurture" in parts else {}
    return load_policy({"policy": {**TABLE, **parts}, **tracks}, fields=FIELDS, vocabularies={})


def frame(*rows: dict[str, Any]) -> pl.DataFrame:
    columns = {name: [{**KNOWN, "lead_id": "L1", **row}.get(name) for row in rows] for name in SCHEMA}
    return pl.DataFrame([pl.Series(name, columns[name], dtype=dtype) for name, dtype in SCHEMA.items()])


def one(rules: Policy, now: datetime = NOW, **values: Any) -> dict[str, Any]:
    return judge(frame(values), rules, now).row(0, named=True)


CAPPED = policy(caps={"Web": 35, "engagement": 60})


@pytest.mark.parametrize(
    ("known", "engagement", "off"),
    [
        ({"forms": 1}, 30, (0, 0)),
        ({"forms": 1, "visits": 3}, 35, (-15, 0)),
        # What takes points off counts before the cap, as everything else does
        ({"forms": 1, "visits": 3, "mails_bounced": 1}, 35, (0, 0)),
        ({"forms": 1, "visits": 3, "has_need": True}, 60, (-15, -15)),
        ({"has_need": True}, 40, (0, 0)),
    ],
)
def test_rules_that_share_a_cap_give_no_more_together(
    known: dict[str, Any], engagement: int, off: tuple[int, int]
) -> None:
    found = one(CAPPED, **known)
    assert (found["engagement"], found["_c0"], found["_c1"]) == (engagement, *off)
    assert sum(point["points"] for point in points_of(found, CAPPED)) == found["score"]


def test_what_a_cap_takes_off_is_told_with_the_rules_it_is_about() -> None:
    leads = frame({"forms": 1, "visits": 3})
    told = points_of(judge(leads, CAPPED, NOW).row(0, named=True), CAPPED)
    assert told[-1] == {"rule": "“Web”: 35 at most", "points": -15, "because": "together Form, Visits"}
    verdicts = judge(leads, CAPPED, NOW)
    assert reasons(verdicts, CAPPED)[0] == "30 Large · 30 Form · 20 Visits · -15 “Web”: 35 at most"
    assert reasons(verdicts, CAPPED, "de")[0].endswith("-15 “Web”: höchstens 35")


def test_under_a_cap_an_unknown_rule_matters_only_as_far_as_the_cap_lets_it() -> None:
    rules = policy(caps={"Web": 30}, temperature={"hot": {"total": 61, "fit_at_least": 20}})
    # 30 for fit and 30 for the form: whether visits come on top is not known, and could change nothing.
    found = one(rules, forms=1, visits=None, prev_stage="lead")
    assert (found["score"], found["temperature"], found["stage_why"]) == (60, "cold", "cold")


@pytest.mark.parametrize(
    ("known", "grade"),
    [
        ({"forms": 0}, "A3"),
        ({"forms": 1}, "A2"),
        ({"forms": 1, "visits": 3}, "A1"),
        ({"employees": 5, "forms": 1}, "C2"),
    ],
)
def test_the_grid_says_who_they_are_and_what_they_did(known: dict[str, Any], grade: str) -> None:
    rules = policy(grid={"fit": [30, 10], "engagement": [50, 30]}, caps={"Web": 1000})
    assert one(rules, **known)["grade"] == grade


def test_without_a_grid_there_is_no_grade() -> None:
    assert one(policy(caps={"Web": 1000}))["grade"] is None


ASKING = policy(caps={"Web": 1000}, ask_below=60)


@pytest.mark.parametrize(
    ("before", "stage"),
    [(None, "lead"), ("prospect", "lead"), ("lead", "lead"), ("nurture", "nurture"), ("mql", "mql")],
)
def test_below_the_coverage_data_is_asked_for_and_nobody_is_moved(before: str | None, stage: str) -> None:
    found = one(ASKING, forms=1, employees=None, has_need=None, prev_stage=before, prev_cycle=1)
    assert found["coverage"] < 60
    assert (found["temperature"], found["stage"], found["stage_why"]) == ("unknown", stage, "data_wanted")
    assert found["cycle"] == 1


def test_what_is_asked_for_is_named_in_the_reasons_and_by_explain() -> None:
    lead = frame({"forms": 1, "employees": None, "has_need": None})
    verdicts = judge(lead, ASKING, NOW)
    assert reasons(verdicts, ASKING)[0] == "wanted: employees, has_need · 30 Form"
    assert explain(lead, ASKING, NOW).wanted == ("employees", "has_need")


def test_nothing_is_asked_for_that_could_change_no_band() -> None:
    # Too little is known (30 and 40 of 135 points), and yet: with every rule against it, it stays hot.
    rules = policy(caps={"Web": 1000}, ask_below=60, temperature={"hot": {"total": 50, "fit_at_least": 20}})
    found = one(rules, employees=200, has_need=True, forms=None, visits=None, mails_bounced=None)
    assert found["coverage"] < 60
    assert found["temperature"] == "hot"


def test_sales_word_counts_however_little_is_known() -> None:
    found = one(ASKING, employees=None, has_need=None, salesforce_stage="opportunity")
    assert found["stage"] == "opportunity"


STAYING = policy(
    caps={"Web": 1000},
    temperature={"hot": {"total": 70, "fit_at_least": 20}, "wavering": {"total": 40}, "stay_days": 3},
)


@pytest.mark.parametrize(
    ("before", "days", "known", "temperature", "since"),
    [
        (None, None, {}, "cold", 0),
        # It falls only when its time is over
        ("hot", 0, {"forms": 0}, "hot", 0),
        ("hot", 2, {"forms": 0}, "hot", 2),
        ("hot", 3, {"forms": 0}, "cold", 0),
        # It rises at once
        ("cold", 0, {"forms": 1, "has_need": True}, "hot", 0),
        ("wavering", 1, {"forms": 1}, "wavering", 1),
        # Since when is not known: from before that was kept, and nothing holds it
        ("hot", None, {"forms": 0}, "cold", 0),
    ],
)
def test_a_lead_stays_as_warm_as_it_is_for_some_days(
    before: str | None, days: int | None, known: dict[str, Any], temperature: str, since: int
) -> None:
    then = None if days is None else TODAY - timedelta(days=days)
    found = one(STAYING, **known, prev_temperature=before, prev_temperature_since=then)
    assert found["temperature"] == temperature
    assert found["temperature_since"] == TODAY - timedelta(days=since)


CONVERTED = {"salesforce_stage": "opportunity"}
SHOWN = policy(
    caps={"Web": 1000},
    evidence=[
        {"stage": "opportunity", "name": "Open", "when": "deals_open > 0"},
        {"stage": "customer", "name": "Won", "when": "deals_won > 0"},
        {"stage": "nurture", "name": "Lost", "when": "deals_lost > 0 AND deals_open = 0"},
        {"stage": "former_customer", "name": "Gone", "when": "last_deal_won_on_days > 365"},
    ],
)


@pytest.mark.parametrize(
    ("before", "known", "stage", "why"),
    [
        ("lead", {"deals_open": 1, "deals_lost": 0}, "opportunity", "in_a_deal"),
        (None, {"deals_won": 1}, "customer", "won"),
        ("opportunity", {"deals_open": 0, "deals_lost": 1}, "nurture", "deal_lost"),
        # Another deal is open still
        ("opportunity", {"deals_open": 1, "deals_lost": 1}, "opportunity", "in_a_deal"),
        # Salesforce's word of a converted lead is older than the lost deal
        (
            "opportunity",
            {"deals_open": 0, "deals_lost": 1, "salesforce_stage": "opportunity"},
            "nurture",
            "deal_lost",
        ),
        (
            "nurture",
            {**{"deals_open": 0, "deals_lost": 1}, **CONVERTED, "prev_highest_stage": "opportunity"},
            "lead",
            "cold",
        ),
        (None, {"deals_open": 0, "deals_lost": 1, **CONVERTED}, "opportunity", "salesforce_says"),
        ("customer", {"last_deal_won_on": TODAY - timedelta(days=366)}, "former_customer", "churned"),
        ("customer", {"last_deal_won_on": None}, "customer", "bought"),
        (
            "former_customer",
            {"deals_won": 2, "last_deal_won_on": TODAY - timedelta(days=3)},
            "customer",
            "won",
        ),
        # A loss sends nobody back who is not in a deal
        ("sql", {"deals_open": 0, "deals_lost": 1}, "sql", "taken_by_sales"),
        # Not knowing is no evidence
        ("opportunity", {"deals_open": None, "deals_lost": 1}, "opportunity", "taken_by_sales"),
    ],
)
def test_declared_facts_move_a_lead(before: str | None, known: dict[str, Any], stage: str, why: str) -> None:
    found = one(SHOWN, **known, prev_stage=before, prev_cycle=1)
    assert (found["stage"], found["stage_why"]) == (stage, why)


@pytest.mark.parametrize("forgotten", ["deals_open", "deals_lost", "deals_won", "last_deal_won_on"])
@pytest.mark.parametrize(
    "known",
    [
        {"deals_open": 0, "deals_lost": 1, "salesforce_stage": "opportunity", "prev_stage": "opportunity"},
        {
            "last_deal_won_on": TODAY - timedelta(days=400),
            "hubspot_stage": "customer",
            "prev_stage": "customer",
        },
        {"deals_open": 1, "prev_stage": "sql"},
        {"deals_won": 1, "prev_stage": "opportunity"},
    ],
)
def test_forgetting_a_deal_moves_nobody(forgotten: str, known: dict[str, Any]) -> None:
    memory = _remembered(one(SHOWN, **known))
    stood = one(
        SHOWN, **{**known, **memory}
    )  # a lost deal leads to nurture first, and there the warmth decides
    memory = _remembered(stood)
    for _ in range(2):
        again = one(SHOWN, **{**known, forgotten: None, **memory})
        assert again["stage"] == stood["stage"]
        memory = _remembered(again)


def _remembered(verdict: dict[str, Any]) -> dict[str, Any]:
    return {name: verdict[name.removeprefix("prev_")] for name in PREVIOUS_SCHEMA}


AGAIN = policy(
    caps={"Web": 1000}, reentry={"after_days": 30, "or_when": "last_contact_request_days < returned_days"}
)
BURNING = {"forms": 1, "visits": 3, "has_need": True}
TOO_EARLY = {"sales_accepted": False, "rejection_reason": "too early"}


def _came_back(days: int) -> dict[str, Any]:
    return {"prev_stage": "nurture", "prev_cycle": 2, "prev_returned_on": TODAY - timedelta(days=days)}


@pytest.mark.parametrize(
    ("known", "stage", "why"),
    [
        ({**BURNING, **_came_back(29)}, "nurture", "reentry_waits"),
        ({**BURNING, **_came_back(30)}, "mql", "hot_gates_passed"),
        (
            {**BURNING, **_came_back(9), "last_contact_request": NOW - timedelta(days=8)},
            "mql",
            "hot_gates_passed",
        ),
        (
            {**BURNING, **_came_back(9), "last_contact_request": NOW - timedelta(days=9)},
            "nurture",
            "reentry_waits",
        ),
        # Who never came back does not wait, nor does one whose return was never dated
        ({**BURNING, "prev_stage": "nurture", "prev_cycle": 1}, "mql", "hot_gates_passed"),
        ({**BURNING, "prev_stage": "nurture", "prev_cycle": 3}, "mql", "hot_gates_passed"),
        # The old rejection stands as long as the wait, and not for ever
        ({**BURNING, **_came_back(29), **TOO_EARLY}, "nurture", "rejection_stands"),
        ({**BURNING, **_came_back(30), **TOO_EARLY}, "mql", "hot_gates_passed"),
    ],
)
def test_whoever_came_back_is_handed_over_again_by_the_rule(
    known: dict[str, Any], stage: str, why: str
) -> None:
    found = one(AGAIN, **known)
    assert (found["stage"], found["stage_why"]) == (stage, why)


def test_a_lead_recycled_twice_has_three_cycles_and_one_reason_each() -> None:
    seen = []
    memory: dict[str, Any] = {}
    day = NOW
    for known, days in (
        (BURNING, 0),
        ({**BURNING, **TOO_EARLY}, 1),  # rejected: the second cycle
        ({**BURNING, **TOO_EARLY}, 31),  # handed over again, the old word still standing there
        ({**BURNING, **TOO_EARLY}, 1),  # which sends nobody back a second time
        ({**BURNING, **TOO_EARLY, "rejection_reason": "no budget"}, 1),  # a new word does: the third cycle
        ({**BURNING, **TOO_EARLY, "rejection_reason": "no budget"}, 1),
        ({**BURNING, "sales_accepted": None}, 40),  # sales cleared it
    ):
        day += timedelta(days=days)
        found = one(AGAIN, day, **known, **memory)
        memory = _remembered(found)
        seen.append((found["stage"], found["cycle"], found["spent_rejection"]))
    assert seen == [
        ("mql", 1, None),
        ("nurture", 2, None),
        ("mql", 2, "too early"),
        ("mql", 2, "too early"),
        ("nurture", 3, None),
        ("nurture", 3, None),
        ("mql", 3, None),
    ]
    assert memory["prev_returned_on"] == date(2026, 12, 26)


TRACKED = policy(
    caps={"Web": 1000},
    nurture=[
        {
            **{"name": "Price?", "when": "has_budget IS NULL", "track": "price", "format": "guide"},
            **{"exit": "last_contact_request_days < 30", "stages": ["lead"]},
        },
        {"name": "All", "when": "TRUE", "track": "news", "stages": ["lead", "customer"]},
    ],
)


@pytest.mark.parametrize(
    ("known", "track", "question", "form"),
    [
        ({}, "price", "Price?", "guide"),
        ({"has_budget": True}, "news", "All", None),
        ({"last_contact_request": NOW}, "news", "All", None),  # done with it, though the question is open
        ({"prev_stage": "customer"}, "news", "All", None),
        ({"has_contact_data": False}, None, None, None),
    ],
)
def test_a_track_brings_its_question_and_format_and_ends_by_its_exit(
    known: dict[str, Any], track: str | None, question: str | None, form: str | None
) -> None:
    found = one(TRACKED, **known)
    assert (found["nurture_track"], found["nurture_question"], found["nurture_format"]) == (
        track,
        question,
        form,
    )


@pytest.mark.parametrize(
    ("parts", "problem"),
    [
        ({"caps": {}}, "rules share the cap “Web”, and no number is given for it"),
        ({"caps": {"Wen": 5}}, "did you mean “Wen”?"),
        ({"caps": {"Web": 5, "Fair": 5}}, 'no rule shares it; write cap = "Fair"'),
        ({"caps": {"Web": 0}}, "policy.caps.Web: expected a whole number from 1"),
        (
            {
                "caps": {"Web": 5},
                "fit": [{"name": "F", "when": "employees > 1", "points": 5, "cap": "Web"}],
            },
            "a cap is for rules of fit or for rules of engagement, not for both",
        ),
        ({"grid": {"fit": [10, 20], "engagement": [2, 1]}}, "the first number has to be the higher one"),
        ({"grid": {"fit": [20, 10]}}, "policy.grid.engagement: expected two whole numbers"),
        ({"ask_below": 101}, "policy.ask_below: expected a whole number from 0 to 100"),
        ({"reentry": {}}, "expected after_days, or_when, or both"),
        ({"reentry": {"after_day": 3}}, "did you mean after_days?"),
        ({"interest": "returned_days > 3"}, "there is no field returned_days"),
        ({"evidence": [{"stage": "mql", "name": "x", "when": "TRUE"}]}, "found 'mql'"),
        ({"temperature": {"unknown": {"total": 3}}}, "no band can be called unknown"),
        ({"temperature": {"hot": {"total": 3}, "stay_days": -1}}, "expected a whole number from 0 to 365"),
    ],
)
def test_what_is_wrong_with_these_parts_is_said(parts: dict[str, Any], problem: str) -> None:
    with pytest.raises(PolicyProblems) as wrong:
        policy(**parts)
    assert problem in str(wrong.value)
