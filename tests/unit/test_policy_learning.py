"""Points learned from the past: what is built in is found, signs stay, and the file says what the policy does."""

from __future__ import annotations

import random
import subprocess
import sys
import tomllib
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mapping.identity import derive
from mapping.lead import DERIVED_FIELDS, LEAD_FIELDS, columns_of
from mapping.qualification.backtest import CASE, judge_cases
from mapping.qualification.declared import Policy
from mapping.qualification.policy import load_policy
from sync.learn.policyfile import policy_text

if TYPE_CHECKING:
    from sync.learn.proposal import Proposal

NOW = datetime(2026, 1, 1, tzinfo=UTC)
FIELDS = {**LEAD_FIELDS, **DERIVED_FIELDS}
BY_HAND: dict[str, Any] = {
    "policy": {
        "interest": "forms >= 0",
        "rates": {"USD": [{"from": "2025-01-01", "rate": "0.9"}]},
        "fit": [
            {"name": "Strong", "when": "job_title = 'Boss'", "points": 10},
            {"name": "Weak", "when": "country = 'DE'", "points": 30},
            {"name": "Nothing", "when": "city = 'Bonn'", "points": 10},
            {"name": "Wrong way", "when": "state = 'B'", "points": 10},
            {"name": "Student", "when": "company = 'University'", "points": -20},
            {"name": "Nobody", "when": "need = 'x'", "points": 7},
        ],
        "engagement": [
            {
                "name": "Form",
                "when": "last_form_at_days IS NOT NULL",
                "points": 20,
                "half_life_days": 240,
                "since": "last_form_at",
            }
        ],
        "temperature": {
            "hot": {"total": 50, "fit_at_least": 10},
            "wavering": {"total": 25},
            "drop_tolerance": 3,
        },
        "labels": {"hot": "heiß"},
    },
    "nurture": [
        {"name": "Strong", "when": "temperature = 'wavering'", "track": "guide", "stages": ["nurture"]}
    ],
}


def _policy(table: dict[str, Any] = BY_HAND) -> Policy:
    return load_policy(table, fields=FIELDS, vocabularies={})


def _past(leads: int, seed: int = 5, rate: float = 0.1) -> pl.DataFrame:
    """Leads of which bosses buy much more often, students never, and who filled in a form buys while it is fresh."""
    dice = random.Random(seed)
    rows = []
    for number in range(leads):
        at, age = NOW + timedelta(days=number // 8), dice.randint(0, 200)
        boss, german, student, wrong = (dice.random() < 0.3 for _ in range(4))
        chance = rate + 0.35 * boss + 0.03 * german - 0.15 * wrong + 0.4 * 0.5 ** (age / 14)
        rows.append(
            {
                "at": at, "email": "a@b.example", "forms": 1, "last_form_at": at - timedelta(days=age),
                "job_title": "Boss" if boss else "Other", "country": "DE" if german else "FR",
                "city": dice.choice(("Bonn", "Ulm")), "state": "B" if wrong else "A", "need": "y",
                "company": "University" if student else "Shop",
                "outcome": not student and dice.random() < chance,
            }
        )  # fmt: skip
    whole = {**columns_of(LEAD_FIELDS), **CASE}
    frame = pl.DataFrame(
        {name: pl.Series([row.get(name) for row in rows], dtype=dtype) for name, dtype in whole.items()}
    ).with_columns(lead_id=pl.format("lead{}", pl.int_range(leads)))
    nowhere = pl.lit(None, dtype=pl.Boolean)
    return derive(frame, in_hubspot=nowhere, in_salesforce=nowhere)


def propose(past: pl.DataFrame, policy: Policy, **asked: Any) -> Proposal:
    """Ours, which brings scikit-learn along: more than a second for each worker that only collects this file."""
    from sync.learn import proposal

    return proposal.propose(past, policy, **asked)


@pytest.fixture(scope="module")
def past() -> pl.DataFrame:
    return _past(4_000)


@pytest.fixture(scope="module")
def found(past: pl.DataFrame) -> Proposal:
    return propose(past, _policy())


def _points(found: Proposal) -> dict[str, int]:
    return {rule.name: rule.points for rule in found.rules}


def test_what_was_built_in_is_found(found: Proposal) -> None:
    points = _points(found)
    assert points["Strong"] > 10
    assert points["Strong"] > 3 * points["Weak"]
    assert points["Student"] < -10


def test_no_rule_turns_round_and_one_that_says_nothing_is_left_out(found: Proposal) -> None:
    points = _points(found)
    assert points["Wrong way"] == 0
    assert all(rule.points * rule.by_hand >= 0 for rule in found.rules)
    assert found.policy is not None
    assert "Wrong way" not in {rule.name for rule in found.policy.rules}


def test_a_rule_that_nobody_met_is_kept_as_it_was(found: Proposal) -> None:
    (nobody,) = [rule for rule in found.rules if rule.name == "Nobody"]
    assert (nobody.kept, nobody.points) == (True, 7)


def test_the_half_life_that_was_built_in_is_found(found: Proposal) -> None:
    (form,) = [rule for rule in found.rules if rule.name == "Form"]
    assert form.half_life in (Decimal(7), Decimal(14), Decimal(30))


def test_both_are_measured_on_leads_that_nothing_was_learned_from(
    found: Proposal, past: pl.DataFrame
) -> None:
    assert found.learned is not None
    assert found.split == "time"
    assert found.past.leads + found.by_hand.rate.leads == past.height
    assert found.by_hand.rate == found.learned.rate
    assert found.difference is not None
    assert found.difference.low is not None
    assert found.difference.low > 0.0


def test_the_held_out_part_does_not_change_what_is_learned(found: Proposal, past: pl.DataFrame) -> None:
    held_out = pl.col("at") >= found.split_at
    turned = past.with_columns(
        outcome=pl.when(held_out).then(~pl.col("outcome")).otherwise("outcome"),
        job_title=pl.when(held_out).then(pl.lit("Other")).otherwise("job_title"),
    )
    again = propose(turned, _policy())
    assert _points(again) == _points(found)
    assert again.table == found.table


def test_about_as_many_leads_stand_in_each_band_as_before(found: Proposal, past: pl.DataFrame) -> None:
    assert found.policy is not None
    seen = past.filter(pl.col("at") < found.split_at)
    ours = found.policy
    for place in (1, 2):
        before, after = _policy().bands[place].total, ours.bands[place].total
        assert before is not None
        assert after is not None
        counted = (judge_cases(seen, _policy())["score"] >= before).mean()
        now = (judge_cases(seen, ours)["score"] >= after).mean()
        assert abs(float(counted) - float(now)) < 0.05  # type: ignore[arg-type]
    assert ours.bands[1].total < ours.bands[2].total  # type: ignore[operator]


def test_a_lead_whose_outcome_was_not_known_yet_is_not_learned_from(past: pl.DataFrame) -> None:
    found = propose(past, _policy(), horizon_days=60)
    assert found.left_out == pytest.approx(60 * 8, abs=16)


@pytest.mark.parametrize(
    ("leads", "rate", "said"), [(300, 0.1, "to learn from"), (5_000, -9.0, "to learn from")]
)
def test_with_too_few_conversions_nothing_is_proposed(leads: int, rate: float, said: str) -> None:
    found = propose(_past(leads, rate=rate), _policy())
    assert found.policy is None
    assert f"too few conversions {said}" in found.why


def test_with_nobody_whose_outcome_is_known_nothing_is_proposed(past: pl.DataFrame) -> None:
    undecided = past.with_columns(outcome=pl.lit(None, dtype=pl.Boolean()))
    found = propose(undecided, _policy())
    assert found.policy is None
    assert "too few conversions to learn from: the past has 0 among 0 leads" in found.why


def test_the_file_is_the_policy_and_says_what_was_learned_about_each_rule(found: Proposal) -> None:
    from sync.learn.telling import text_of

    text = text_of(found)
    read = tomllib.loads(text)
    assert found.policy is not None
    assert _policy(read).version == found.policy.version
    assert read["nurture"] == BY_HAND["nurture"]
    assert read["policy"]["labels"] == {"hot": "heiß"}
    strong = text[: text.index('name = "Strong"')].rsplit("[[policy.fit]]", 1)[0].rstrip().splitlines()[-1]
    assert strong.startswith("# By hand +10 points. Of ")
    assert "Wrong way (+10 by hand)" in text
    assert "By hand it halved every 240 days." in text
    assert "Kept as it was: 0 leads of the past met it" in text


values = st.one_of(
    st.integers(-(10**9), 10**9),
    st.booleans(),
    st.text(max_size=120),
    st.floats(-1e6, 1e6).filter(lambda x: x == x),
)
tables = st.dictionaries(
    st.text(min_size=1, max_size=8),
    st.one_of(
        values,
        st.lists(values, max_size=3),
        st.dictionaries(st.text(min_size=1, max_size=5), values, max_size=3),
    ),
    max_size=5,
)


@settings(max_examples=25)
@given(
    tables,
    st.lists(st.dictionaries(st.text(min_size=1, max_size=8), values, min_size=1, max_size=4), max_size=3),
)
def test_whatever_a_policy_holds_is_read_back_as_it_was(
    table: dict[str, Any], rules: list[dict[str, Any]]
) -> None:
    whole = {"policy": {**table, "fit": rules}, "nurture": [{"name": "a", "when": "b\n'''c'''\r\n\"d\""}]}
    assert tomllib.loads(policy_text(whole, ["a line", "", "another"], {"a": ["about"]})) == whole


def test_a_long_condition_stands_on_its_own_lines() -> None:
    when = "\n  job_title ILIKE '%marketing%'\n  OR job_title = 'CMO'\n"
    text = policy_text({"policy": {"fit": [{"name": "x", "when": when, "points": 5}]}}, [], {})
    assert "  OR job_title = 'CMO'\n'''" in text
    assert tomllib.loads(text)["policy"]["fit"][0]["when"] == when


def test_the_day_of_a_rate_is_read_back() -> None:
    assert _policy().rates["USD"][0][0] == date(2025, 1, 1)


def test_without_the_extra_the_command_says_how_to_install_it(tmp_path: Path) -> None:
    (tmp_path / "leads.csv").write_text("Won\n1\n", encoding="utf-8")
    program = (
        "import sys; sys.modules['sklearn'] = None; from sync.cli import main;"
        f" main(['policy', 'learn', '--csv', r'{tmp_path / 'leads.csv'}', '--outcome', 'Won'])"
    )
    told = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False
    )
    assert told.returncode == 2
    assert "pip install 'leadpact[learn]'" in told.stderr
