"""Golden leads: what counts as met, what a failure says, and what a file may not say."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from mapping.lead import DERIVED_FIELDS, LEAD_FIELDS
from mapping.qualification.golden import Failure, failures_of, golden_frame
from mapping.qualification.goldenread import Golden, read_golden
from mapping.qualification.policy import PolicyProblems, load_policy

WORDS = {"industry": ("Retail", "Media")}
POLICY = load_policy(
    tomllib.loads("""
[policy]
interest = "forms > 0"
fit = [
  { name = "Boss", when = "job_title = 'CMO'", points = 40 },
  { name = "Large", when = "annual_revenue > 1000000", points = 10 },
]
engagement = [
  { name = "Form", when = "forms > 0", points = 40, half_life_days = 10, since = "last_form_at" },
]
temperature = { hot = { total = 80 }, wavering = { total = 60 } }
gates = [
  { stage = "mql", name = "Company", when = "company IS NOT NULL" },
  { stage = "mql", name = "Retailer", when = "industry = 'Retail'" },
]
[[nurture]]
name = "All"
when = "TRUE"
track = "stories"
"""),
    fields={**LEAD_FIELDS, **DERIVED_FIELDS},
    vocabularies=WORDS,
)
START = "now = 2026-11-22T09:00:00Z\n"
ANNA = """
[[lead]]
name = "Anna"
facts = { email = "anna@shop.example", job_title = "CMO", forms = 1, last_form_at = "today",
"""
ANNA = ANNA.rstrip("\n").rstrip(",") + ', company = "Shop", industry = "Retail" }\n'


def golden(text: str) -> tuple[Golden, ...]:
    return read_golden(tomllib.loads(START + text), POLICY, vocabularies=WORDS)


def failures(text: str) -> list[Failure]:
    return failures_of(golden(text), POLICY)


def problems(text: str) -> str:
    with pytest.raises(PolicyProblems) as wrong:
        golden(text)
    return str(wrong.value)


@pytest.mark.parametrize(
    "expect",
    [
        'stage = "mql"',
        'temperature = "hot", why = "hot_gates_passed"',
        "score = 80, fit = 40, engagement = 40",
        "score = { from = 70, to = 90 }",
        "score = { from = 80 }",
        'gates = { Company = "passed", Retailer = "passed" }',
        "points = { Boss = 40, Form = 40, Large = 0 }",
        'track = ""',
        "cycle = 1",
    ],
)
def test_a_lead_that_is_as_expected_fails_nothing(expect: str) -> None:
    assert failures(ANNA + f"expect = {{ {expect} }}") == []


@pytest.mark.parametrize(
    ("expect", "what", "expected", "came", "because"),
    [
        ('stage = "sql"', "stage", "sql", "mql", "hot, and every gate is passed"),
        ('temperature = "cold"', "temperature", "cold", "hot", "80 points (+40 Boss, +40 Form)"),
        ("score = { from = 10, to = 20 }", "score", "from 10 to 20", "80", "not known: Large"),
        ("fit = 10", "fit", "10", "40", "+40 Boss"),
        ('gates = { Retailer = "missed" }', "gate “Retailer”", "missed", "passed", "industry = 'Retail'"),
        ("points = { Large = 10 }", "points of “Large”", "10", "0", "not known: annual_revenue > 1000000"),
        ('track = "stories"', "track", "stories", "none", "no track is meant for it"),
    ],
)
def test_a_failure_says_what_was_expected_what_came_and_which_rule_made_it(
    expect: str, what: str, expected: str, came: str, because: str
) -> None:
    (failure,) = failures(ANNA + f"expect = {{ {expect} }}")
    assert (failure.lead, failure.what, failure.expected, failure.came) == ("Anna", what, expected, came)
    assert because in failure.because


def test_a_missed_gate_is_named_where_it_kept_a_lead_back() -> None:
    (failure,) = failures(ANNA.replace('"Retail"', '"Media"') + 'expect = { stage = "mql" }')
    assert failure.came == "lead"
    assert "gate “Retailer” missed" in failure.because


def test_what_is_not_named_is_unknown_and_not_no() -> None:
    text = (
        ANNA + 'unknown = ["industry"]\nexpect = { stage = "lead", gates = { Retailer = "not known yet" } }'
    )
    assert failures(text) == []


def test_shared_facts_are_taken_in_order_and_ones_own_last() -> None:
    text = """
[facts.boss]
job_title = "CMO"
forms = 1
[facts.clerk]
job_title = "Clerk"
[[lead]]
name = "Both"
like = ["boss", "clerk"]
facts = { forms = 2 }
expect = { fit = 0 }
"""
    (lead,) = golden(text)
    assert lead.facts == {"job_title": "Clerk", "forms": 2}


def test_ages_count_back_from_the_leads_own_moment() -> None:
    later = ANNA + "now = 2026-12-02T09:00:00+01:00\nexpect = { engagement = 40 }"
    assert failures(later) == []
    dated = ANNA.replace('"today"', "2026-11-22") + "now = 2026-12-02T09:00:00Z\nexpect = { engagement = 20 }"
    assert failures(dated) == []


def test_an_amount_is_in_the_policys_currency_unless_it_says_another() -> None:
    rich = ANNA.replace("forms = 1", "forms = 1, annual_revenue = 2000000")
    assert failures(rich + "expect = { points = { Large = 10 } }") == []
    abroad = ANNA.replace("forms = 1", 'forms = 1, annual_revenue = 2000000, annual_revenue_currency = "USD"')
    assert failures(abroad + "expect = { points = { Large = 0 }, coverage = { to = 99 } }") == []


def test_leads_of_several_moments_keep_their_order() -> None:
    second = ANNA.replace("Anna", "Berta") + "now = 2027-03-01T09:00:00Z\nexpect = { stage = 'customer' }"
    found = failures(second + ANNA + "expect = { stage = 'sql' }")
    assert [failure.lead for failure in found] == ["Berta", "Anna"]


def test_the_last_verdict_is_part_of_a_golden_lead() -> None:
    frame = golden_frame(
        golden(ANNA + 'before = { stage = "mql", cycle = 3 }\nexpect = { cycle = 3 }'), POLICY
    )
    assert frame.select("prev_stage", "prev_cycle").row(0) == ("mql", 3)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "expected golden leads, each headed [[lead]]"),
        ("[[lead]]\nexpect = {}", "name is missing"),
        ('[[lead]]\nname = "A"', "expect is missing"),
        ('[[lead]]\nname = "A"\nfacts = { form = 1 }\nexpect = {}', "did you mean forms?"),
        ('[[lead]]\nname = "A"\nfacts = { may_call = true }\nexpect = {}', "worked out from the other facts"),
        ('[[lead]]\nname = "A"\nfacts = { industry = "Retial" }\nexpect = {}', "did you mean Retail?"),
        ('[[lead]]\nname = "A"\nfacts = { forms = "1" }\nexpect = {}', "expected a whole number"),
        ('[[lead]]\nname = "A"\nfacts = { has_need = 1 }\nexpect = {}', "expected true or false"),
        ('[[lead]]\nname = "A"\nfacts = { last_form_at = "soon" }\nexpect = {}', '"9 days ago"'),
        ('[[lead]]\nname = "A"\nfacts = { annual_revenue = "much" }\nexpect = {}', "expected a number"),
        ('[[lead]]\nname = "A"\nlike = ["anna"]\nexpect = {}', "like"),
        ('[[lead]]\nname = "A"\nexpect = { stage = "mgl" }', "did you mean mql?"),
        ('[[lead]]\nname = "A"\nexpect = { points = { Bos = 1 } }', "did you mean “Boss”?"),
        ('[[lead]]\nname = "A"\nexpect = { gates = { Shop = "passed" } }', "the policy has no gate “Shop”"),
        ('[[lead]]\nname = "A"\nexpect = { track = "story" }', "stories"),
        ('[[lead]]\nname = "A"\nexpect = { stages = "mql" }', "there is no setting stages"),
        ('[[lead]]\nname = "A"\nbefore = { cycle = 2 }\nexpect = {}', "stage is missing"),
        (
            '[[lead]]\nname = "A"\nexpect = {}\n[[lead]]\nname = "A"\nexpect = {}',
            "two golden leads are named",
        ),
        ('[[lead]]\nname = "A"\nnow = 2026-11-22\nexpect = {}', "expected a time with its zone"),
    ],
)
def test_a_golden_lead_that_cannot_be_read_is_named(text: str, said: str) -> None:
    assert said in problems(text)


def test_a_file_without_a_moment_is_refused() -> None:
    table: dict[str, Any] = tomllib.loads('[[lead]]\nname = "A"\nexpect = {}')
    with pytest.raises(PolicyProblems, match="now is missing"):
        read_golden(table, POLICY, vocabularies=WORDS)


def test_facts_are_not_in_the_repr_of_a_golden_lead(tmp_path: Path) -> None:
    (lead,) = golden(ANNA + "expect = {}")
    assert "anna@shop.example" not in repr(lead)
