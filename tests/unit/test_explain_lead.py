"""One verdict, taken apart: points, what is missing, gates, the smallest change, and reasons in words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mapping.lead import DERIVED_FIELDS, LEAD_FIELDS, FieldType, LeadField, columns_of
from mapping.qualification.explain import Explanation, GateAnswer, Missing, explain
from mapping.qualification.facts import possible_facts
from mapping.qualification.judge import judge
from mapping.qualification.policy import Policy, load_policy
from mapping.qualification.smallest import MOST_PAIRS
from mapping.qualification.wording import points_of, reasons

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
FIELDS = {**LEAD_FIELDS, **DERIVED_FIELDS}
TABLE: dict[str, Any] = {
    "policy": {
        "fit": [
            {
                "name": "Online shop",
                "when": "industry = 'E-Commerce' AND annual_revenue >= 20000000",
                "points": 25,
            },
            {"name": "Decides", "when": "is_decision_maker", "points": 10},
            {"name": "Free mail", "when": "coalesce(is_free_mail, FALSE)", "points": -10},
        ],
        "engagement": [
            {
                "name": "Asked to be contacted",
                "when": "last_contact_request_days IS NOT NULL",
                "points": 30,
                "half_life_days": 21,
                "since": "last_contact_request",
            },
            {"name": "Visits", "when": "visits >= 3", "points": 10},
        ],
        "temperature": {"hot": {"total": 60}, "wavering": {"total": 35}, "drop_tolerance": 5},
        "gates": [
            {"stage": "mql", "name": "Reachable", "when": "may_email OR may_call"},
            {"stage": "sql", "name": "Budget", "when": "has_budget"},
        ],
    }
}
POLICY = load_policy(TABLE, fields=FIELDS, vocabularies={"industry": ["E-Commerce", "Retail"]})
COLUMNS: dict[str, Any] = {
    **columns_of(FIELDS),
    "lead_id": pl.String(),
    "prev_stage": pl.String(),
    "prev_temperature": pl.String(),
}
LEAD: dict[str, Any] = {
    "lead_id": "7",
    "industry": "E-Commerce",
    "annual_revenue": Decimal("45000000.00"),
    "annual_revenue_currency": "EUR",
    "is_free_mail": False,
    "has_contact_data": True,
    "may_email": True,
    "forms": 1,
    "visits": 0,
    "last_contact_request": NOW - timedelta(days=9),
}


def frame(*rows: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame(
        [{name: {**LEAD, **row}.get(name) for name in COLUMNS} for row in rows], schema=COLUMNS
    )


def explained(policy: Policy = POLICY, **more: Any) -> Explanation:
    return explain(frame(more), policy, NOW)


def test_each_rule_that_counted_is_listed_with_what_it_looked_at() -> None:
    assert explained().points == [
        {
            "rule": "Online shop",
            "points": 25,
            "because": "industry = E-Commerce; annual_revenue = 45000000.00 EUR",
        },
        {
            "rule": "Asked to be contacted",
            "points": 22,
            "because": "last_contact_request: 9 days ago; 30 points, halved every 21 days",
        },
    ]


def test_what_cannot_be_judged_is_listed_with_the_fields_to_fill() -> None:
    assert explained(may_email=None).missing == [
        Missing("rule", "Decides", ("is_decision_maker",), 10),
        Missing("gate", "Reachable", ("may_email", "may_call")),
        Missing("gate", "Budget", ("has_budget",)),
    ]


@pytest.mark.parametrize(
    ("more", "fields"),
    [
        ({"annual_revenue": None}, ("annual_revenue",)),
        ({"industry": None}, ("industry",)),
        ({"annual_revenue_currency": None}, ("annual_revenue_currency",)),
        ({"annual_revenue_currency": "JPY"}, ("annual_revenue_currency",)),
    ],
)
def test_a_missing_currency_is_told_from_a_missing_amount(
    more: dict[str, Any], fields: tuple[str, ...]
) -> None:
    assert explained(**more).missing[0] == Missing("rule", "Online shop", fields, 25)


def test_gates_read_passed_missed_or_not_known_yet() -> None:
    assert explained().gates == [
        GateAnswer("mql", "Reachable", "marketing", "passed"),
        GateAnswer("sql", "Budget", "sales", "not known yet"),
    ]
    assert explained(may_email=False, may_call=False).gates[0].answer == "missed"


def test_interest_that_is_not_known_is_named() -> None:
    asked = {**TABLE, "policy": {**TABLE["policy"], "interest": "forms > 0"}}
    policy = load_policy(asked, fields=FIELDS, vocabularies={})
    missing = explained(policy, forms=None).missing
    assert missing[-1] == Missing("interest", "interest", ("forms",))


@pytest.mark.parametrize(
    ("more", "what", "stage"),
    [
        # 57 points: a visit comes easier than asking again
        ({"visits": 2, "is_decision_maker": True}, "one more visit", "mql"),
        # Nothing that can be found out or done is enough alone, but sales could accept
        (
            {
                "industry": "Retail",
                "is_decision_maker": False,
                "last_contact_request": None,
                "has_budget": True,
            },
            "sales_accepted = True",
            "sql",
        ),
        # Finding out what nobody knows comes before changing what is known
        ({"visits": 3}, "is_decision_maker = True", "mql"),
        (
            {"last_contact_request": None, "visits": 3, "is_decision_maker": False},
            "asks to be contacted",
            "mql",
        ),
        # A prospect becomes a lead by answering
        ({"forms": 0, "last_contact_request": None, "annual_revenue": None}, "one more form", "lead"),
    ],
)
def test_the_smallest_change_is_one_that_somebody_can_find_out_or_do(
    more: dict[str, Any], what: str, stage: str
) -> None:
    change = explained(**more).smallest_change
    assert change is not None
    assert (change.what, change.stage) == (what, stage)


@given(
    visits=st.sampled_from([None, 0, 2, 5]),
    forms=st.sampled_from([None, 0, 1]),
    decides=st.sampled_from([None, True, False]),
    revenue=st.sampled_from([None, Decimal(5), Decimal(30_000_000)]),
    before=st.sampled_from([None, "lead", "nurture", "mql"]),
)
@settings(max_examples=25, deadline=None)
def test_the_smallest_change_really_alters_the_verdict_and_points_sum(
    visits: int | None, forms: int | None, decides: bool | None, revenue: Decimal | None, before: str | None
) -> None:
    lead = frame(
        {
            "visits": visits,
            "forms": forms,
            "is_decision_maker": decides,
            "annual_revenue": revenue,
            "prev_stage": before,
        }
    )
    found = explain(lead, POLICY, NOW)
    assert sum(point["points"] for point in found.points) == found.verdict["score"]
    change = found.smallest_change
    if change is not None:
        changed = lead.with_columns(
            pl.lit(value).cast(COLUMNS[name]).alias(name) for name, value in change.values.items()
        )
        after = judge(changed, POLICY, NOW).row(0, named=True)
        assert (after["stage"], after["temperature"]) == (change.stage, change.temperature)
        assert (after["stage"], after["temperature"]) != (
            found.verdict["stage"],
            found.verdict["temperature"],
        )


#: The policy with a gate that looks for words, and a rule that looks for other words.
WORDS: dict[str, Any] = {
    "policy": {
        **TABLE["policy"],
        "gates": [
            *TABLE["policy"]["gates"],
            {"stage": "mql", "name": "Marketing", "when": "lower(job_title) LIKE '%marketing%'"},
        ],
    }
}
HOT: dict[str, Any] = {"visits": 3, "is_decision_maker": True}


@pytest.mark.parametrize(
    ("gate", "what"),
    [
        # A fragment is no title that anybody has to have.
        ("lower(job_title) LIKE '%marketing%'", "job_title with words such as “marketing”"),
        ("job_title ILIKE 'head%marketing%'", "job_title with words such as “head marketing”"),
        ("NOT job_title LIKE '%intern%' OR job_title = 'CMO'", "job_title = CMO"),
        ("job_title NOT LIKE '%intern%'", "job_title without words such as “intern”"),
        # No word is asked for: any will do, and none is named.
        ("job_title IS NOT NULL", "job_title becomes known"),
    ],
)
def test_an_unknown_text_is_offered_so_that_nobody_takes_a_fragment_for_the_whole(
    gate: str, what: str
) -> None:
    table = {"policy": {**WORDS["policy"], "gates": [{"stage": "mql", "name": "Words", "when": gate}]}}
    change = explained(load_policy(table, fields=FIELDS, vocabularies={}), **HOT).smallest_change
    assert change is not None
    assert (change.what, change.stage) == (what, "mql")
    assert set(change.values) == {"job_title"}


def test_an_example_that_the_pattern_itself_would_not_take_is_not_offered() -> None:
    gate = {"stage": "mql", "name": "Words", "when": "job_title LIKE 'Manager_'"}
    table = {"policy": {**WORDS["policy"], "gates": [gate]}}
    change = explained(load_policy(table, fields=FIELDS, vocabularies={}), **HOT).smallest_change
    assert change is not None
    assert change.what == "sales_accepted = True"


@pytest.mark.parametrize(
    ("more", "what", "temperature"),
    [
        # 47 points: neither ten more for a visit nor ten for a decision make sixty, both do.
        ({"visits": 2}, "one more visit and is_decision_maker = True", "hot"),
        # Of several pairs the one that comes easiest: to ask again takes more than a visit.
        (
            {"visits": 2, "last_contact_request": NOW - timedelta(days=12)},
            "one more visit and is_decision_maker = True",
            "hot",
        ),
        # Where a single fact is enough, no second one is asked for.
        ({"visits": 3}, "is_decision_maker = True", "hot"),
    ],
)
def test_two_facts_are_offered_together_where_no_single_one_is_enough(
    more: dict[str, Any], what: str, temperature: str
) -> None:
    policy = load_policy(WORDS, fields=FIELDS, vocabularies={"industry": ["E-Commerce", "Retail"]})
    change = explained(policy, **more).smallest_change
    assert change is not None
    assert (change.what, change.temperature) == (what, temperature)


@given(
    visits=st.sampled_from([None, 2]),
    decides=st.sampled_from([None, True, False]),
    revenue=st.sampled_from([None, Decimal(5), Decimal(30_000_000)]),
    contact=st.sampled_from([None, 9, 40]),
    title=st.sampled_from([None, "Clerk"]),
)
@settings(max_examples=25, deadline=None)
def test_of_two_facts_that_are_offered_neither_is_enough_alone(
    visits: int | None, decides: bool | None, revenue: Decimal | None, contact: int | None, title: str | None
) -> None:
    policy = load_policy(WORDS, fields=FIELDS, vocabularies={"industry": ["E-Commerce", "Retail"]})
    asked = None if contact is None else NOW - timedelta(days=contact)
    more = {"visits": visits, "is_decision_maker": decides, "annual_revenue": revenue, "job_title": title}
    lead = frame({**more, "last_contact_request": asked})
    found = explain(lead, policy, NOW)
    change = found.smallest_change
    if change is None or len(change.facts) < 2:
        return
    for facts in (*((fact,) for fact in change.facts), change.facts):
        values = {name: value for fact in facts for name, value in fact.values.items()}
        changed = lead.with_columns(
            pl.lit(value).cast(COLUMNS[name]).alias(name) for name, value in values.items()
        )
        after = judge(changed, policy, NOW).row(0, named=True)
        same = (after["stage"], after["temperature"]) == (
            found.verdict["stage"],
            found.verdict["temperature"],
        )
        assert same is (len(facts) == 1)


def test_of_very_many_pairs_the_easiest_are_tried_and_no_more() -> None:
    answers = {f"answer_{n}": LeadField(f"answer_{n}", FieldType.BOOLEAN, "An answer") for n in range(90)}
    rules = [{"name": name, "when": name, "points": 1} for name in answers]
    table = {"policy": {"fit": rules, "temperature": {"hot": {"total": 2}}}}
    policy = load_policy(table, fields={**FIELDS, **answers}, vocabularies={})
    lead = frame({"sales_accepted": True, "has_budget": True}).with_columns(
        pl.lit(None, dtype=pl.Boolean).alias(name) for name in answers
    )
    facts = possible_facts(lead.row(0, named=True), policy, NOW)
    assert len(facts) * (len(facts) - 1) // 2 > MOST_PAIRS
    change = explain(lead, policy, NOW).smallest_change
    assert change is not None
    assert (len(change.facts), change.temperature) == (2, "hot")


def test_behaviour_is_only_ever_one_step_more_and_withdrawals_are_left_alone() -> None:
    facts = possible_facts(frame({"visits": 2}).row(0, named=True), POLICY, NOW)
    touched = {name for fact in facts for name in fact.values}
    assert {"forms", "visits", "last_contact_request", "is_decision_maker", "has_budget"} <= touched
    assert not {name for name in touched if FIELDS[name.removesuffix("_currency")].opt_out}
    assert not touched & set(DERIVED_FIELDS)
    assert {fact.values["visits"] for fact in facts if "visits" in fact.values} == {3}


def test_only_one_lead_is_explained_at_a_time() -> None:
    with pytest.raises(ValueError, match="one lead, not 2"):
        explain(frame({}, {}), POLICY, NOW)


ASKED = {days: {"last_contact_request": NOW - timedelta(days=days)} for days in (-3, 1, 900)}
NEVER: dict[str, Any] = {"last_contact_request": None}


@pytest.mark.parametrize(
    ("lang", "more", "sentence"),
    [
        ("en", {}, "25 Online shop · 22 Asked to be contacted 9 days ago"),
        ("de", {}, "25 Online shop · 22 Asked to be contacted vor 9 Tagen"),
        ("de", ASKED[1], "25 Online shop · 29 Asked to be contacted vor 1 Tag"),
        ("en", ASKED[-3], "25 Online shop · 30 Asked to be contacted today"),
        ("en", ASKED[900], "25 Online shop"),
        ("en", {"is_free_mail": True, "visits": 3, **NEVER}, "25 Online shop · -10 Free mail · 10 Visits"),
        ("en", {"industry": "Retail", **NEVER}, "nothing counted yet"),
        ("de", {"industry": "Retail", **NEVER}, "noch nichts gezählt"),
    ],
)  # fmt: skip
def test_reasons_are_one_sentence_per_lead(lang: Any, more: dict[str, Any], sentence: str) -> None:
    verdicts = judge(frame(more, {}), POLICY, NOW)
    assert reasons(verdicts, POLICY, lang).to_list()[0] == sentence


def test_many_rules_are_told_in_their_order() -> None:
    rules = [{"name": f"Rule {n}", "when": f"visits >= {n % 5}", "points": n - 40} for n in range(1, 26)]
    table = {"policy": {"fit": rules, "temperature": {"hot": {"total": 60}}}}
    policy = load_policy(table, fields=FIELDS, vocabularies={})
    verdicts = judge(frame({"visits": 2}, {"visits": 0}), policy, NOW)
    for place, told in enumerate(reasons(verdicts, policy)):
        listed = points_of(verdicts.row(place, named=True), policy)
        assert told == " · ".join(f"{point['points']} {point['rule']}" for point in listed)


def test_blanks_around_a_question_or_format_are_not_shown() -> None:
    asked = {
        "name": " Which topic? ",
        "when": "TRUE",
        "track": "topic",
        "format": "mail ",
        "stages": ["lead"],
    }
    policy = load_policy({**TABLE, "nurture": [asked]}, fields=FIELDS, vocabularies={})
    verdict = judge(frame({"last_contact_request": None, "annual_revenue": Decimal(5)}), policy, NOW)
    assert verdict.select("nurture_question", "nurture_format").row(0) == ("Which topic?", "mail")


def test_a_policy_without_rules_has_nothing_to_tell() -> None:
    policy = load_policy({"policy": {"temperature": {"hot": {"total": 60}}}}, fields=FIELDS, vocabularies={})
    assert reasons(judge(frame({}), policy, NOW), policy).to_list() == ["nothing counted yet"]
    assert reasons(judge(frame({}), POLICY, NOW).clear(), POLICY).to_list() == []
