"""Points, fading, coverage and temperature: by example, and as rules that hold for every lead."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mapping.lead import DERIVED_FIELDS, LEAD_FIELDS, columns_of
from mapping.qualification.judge import judge, verdict_schema, what_changed
from mapping.qualification.policy import Policy, load_policy
from mapping.qualification.score import decayed_points

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
FIELDS = {**LEAD_FIELDS, **DERIVED_FIELDS}
COLUMNS: dict[str, Any] = {
    **columns_of(FIELDS),
    "lead_id": pl.String(),
    **{f"prev_{name}": pl.String() for name in ("stage", "highest_stage", "temperature")},
    **{f"prev_{name}": pl.Int32() for name in ("cycle", "score")},
}
BANDS = {"hot": {"total": 60, "fit_at_least": 20}, "wavering": {"total": 30}, "drop_tolerance": 5}


def policy(**parts: Any) -> Policy:
    return load_policy({"policy": {"temperature": BANDS, **parts}}, fields=FIELDS, vocabularies={})


def leads(*rows: dict[str, Any]) -> pl.DataFrame:
    """Leads with these values, everything else unknown, numbered from 0."""
    numbered = [{"lead_id": str(number), **row} for number, row in enumerate(rows)]
    return pl.DataFrame([{name: row.get(name) for name in COLUMNS} for row in numbered], schema=COLUMNS)


def one(rules: Policy, now: datetime = NOW, **values: Any) -> dict[str, Any]:
    return judge(leads(values), rules, now).row(0, named=True)


@pytest.mark.parametrize(
    ("points", "half_life", "day", "left"),
    [
        (30, "21", 0, 30),
        (30, "21", 1, 29),  # 29.03
        (30, "21", 9, 22),  # 22.29
        (30, "21", 21, 15),
        (30, "21", 42, 8),  # 7.5: halves away from zero
        (-30, "21", 42, -8),
        (30, "21", 63, 4),  # 3.75
        (1, "21", 21, 1),  # 0.5
        (1, "21", 22, 0),
        (8, "1", 3, 1),
        (8, "1", 4, 1),  # 0.5
        (8, "1", 5, 0),
        (5, "0.5", 1, 1),  # 1.25
        (100, "36500", 3650, 93),
    ],
)
def test_points_halve_with_each_half_life(points: int, half_life: str, day: int, left: int) -> None:
    table = decayed_points(points, Decimal(half_life))
    assert table[min(day, len(table) - 1)] == left


@given(points=st.integers(-200, 200).filter(bool), half_life=st.integers(1, 90))
@settings(max_examples=60, deadline=None)
def test_points_fade_as_the_formula_says_and_never_grow(points: int, half_life: int) -> None:
    table = decayed_points(points, Decimal(half_life)).to_list()
    sizes = [abs(value) for value in table]
    assert sizes == sorted(sizes, reverse=True)
    assert table[0] == points
    assert table[-1] == 0
    for day, value in enumerate(table):
        assert abs(value - points * 0.5 ** (day / half_life)) <= 0.5 + 1e-9


@pytest.mark.parametrize(
    ("since", "points"),
    [
        (NOW, 30),
        (NOW - timedelta(days=21), 15),
        (NOW - timedelta(days=21) + timedelta(hours=14), 15),  # the day counts, not the hour
        (NOW - timedelta(days=21, hours=10), 15),  # 30 * 0.5 ** (22 / 21) = 14.5
        (NOW - timedelta(days=23), 14),
        (NOW + timedelta(days=9), 30),  # still to come: as today
        (NOW - timedelta(days=5000), 0),
        (None, 0),
    ],
)
def test_age_is_counted_in_utc_days(since: datetime | None, points: int) -> None:
    rule = {"name": "Form", "when": "forms > 0", "points": 30, "half_life_days": 21, "since": "last_form_at"}
    found = one(policy(engagement=[rule]), forms=1, last_form_at=since)
    assert found["score"] == points
    assert found["_u0"] is (since is None)


def test_now_in_any_zone_is_the_same_moment() -> None:
    rule = {"name": "Soon", "when": "purchase_date_days = -1", "points": 10}
    tokyo = datetime.fromisoformat("2026-11-23T05:00:00+09:00")  # still the 22nd in UTC
    assert one(policy(fit=[rule]), now=tokyo, purchase_date=date(2026, 11, 23))["score"] == 10


def test_a_now_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        one(policy(), now=datetime(2026, 11, 22))  # noqa: DTZ001


def test_a_lead_column_that_was_never_read_is_not_taken_for_a_blank() -> None:
    rules = policy(fit=[{"name": "Big", "when": "employees > 10 AND annual_revenue > 5", "points": 5}])
    frame = leads({}).drop("employees", "annual_revenue_currency")
    with pytest.raises(ValueError, match="annual_revenue_currency, employees"):
        judge(frame, rules, NOW)


RATES = {"USD": [{"from": "2026-12-01", "rate": "0.5"}, {"from": "2026-01-01", "rate": "0.92"}]}


@pytest.mark.parametrize(
    ("amount", "code", "points", "unknown"),
    [
        ("20000000", "EUR", 10, False),
        ("19999999.99", "EUR", 0, False),
        ("21739130.44", "USD", 10, False),  # 20000000.00 euro
        ("21739130.42", "USD", 0, False),  # 19999999.99 euro
        ("99999999", "JPY", 0, True),
        ("99999999", None, 0, True),
        (None, "EUR", 0, True),
    ],
)
def test_money_is_compared_in_the_policys_currency(
    amount: str | None, code: str | None, points: int, unknown: bool
) -> None:
    rules = policy(rates=RATES, fit=[{"name": "Big", "when": "annual_revenue >= 20000000", "points": 10}])
    value = Decimal(amount) if amount else None
    found = one(rules, annual_revenue=value, annual_revenue_currency=code)
    assert (found["score"], found["_u0"]) == (points, unknown)


def test_a_rate_holds_from_its_day_on() -> None:
    rules = policy(rates=RATES, fit=[{"name": "Big", "when": "annual_revenue >= 60", "points": 10}])
    worth = {"annual_revenue": Decimal(100), "annual_revenue_currency": "USD"}
    assert one(rules, **worth)["score"] == 10
    assert one(rules, now=datetime(2026, 12, 1, tzinfo=UTC), **worth)["score"] == 0
    assert one(rules, now=datetime(2025, 12, 31, tzinfo=UTC), **worth)["_u0"] is True


@pytest.mark.parametrize(
    ("known", "coverage"),
    [({}, 0), ({"forms": 1}, 33), ({"visits": 1}, 66), ({"forms": 0, "visits": 0}, 100)],
)
def test_coverage_weighs_each_rule_by_its_points(known: dict[str, int], coverage: int) -> None:
    rules = policy(
        fit=[{"name": "Forms", "when": "forms > 0", "points": 10}],
        engagement=[{"name": "Visits", "when": "visits > 5", "points": -20}],
    )
    assert one(rules, **known)["coverage"] == coverage


def test_a_policy_without_rules_covers_everything() -> None:
    assert one(policy())["coverage"] == 100


WARMTH = policy(
    fit=[{"name": f"Fit {n}", "when": f"employees >= {n}", "points": 5} for n in range(1, 9)],
    engagement=[{"name": f"Visit {n}", "when": f"visits >= {n}", "points": 1} for n in range(1, 61)],
)


@pytest.mark.parametrize(
    ("fit", "visits", "last", "temperature"),
    [
        (20, 40, None, "hot"),
        (20, 39, None, "wavering"),
        (15, 60, None, "wavering"),  # enough points, too little fit
        (0, 30, None, "wavering"),
        (0, 29, None, "cold"),
        # Held inside the tolerance, by a lead that stood there
        (20, 35, "hot", "hot"),
        (20, 34, "hot", "wavering"),
        (20, 39, "wavering", "wavering"),
        (15, 45, "hot", "hot"),
        (10, 50, "hot", "wavering"),
        (0, 25, "wavering", "wavering"),
        (0, 25, "hot", "wavering"),
        (0, 24, "hot", "cold"),
        (0, 25, "cold", "cold"),
        (0, 25, "gone from the policy", "cold"),
    ],
)
def test_a_band_is_reached_at_its_line_and_held_within_the_tolerance(
    fit: int, visits: int, last: str | None, temperature: str
) -> None:
    found = one(WARMTH, employees=fit // 5, visits=visits, prev_temperature=last)
    assert found["temperature"] == temperature


@given(base=st.integers(0, 60), steps=st.lists(st.integers(-2, 2), min_size=1, max_size=8))
@settings(max_examples=25, deadline=None)
def test_bands_do_not_flap_inside_the_tolerance(base: int, steps: list[int]) -> None:
    last: str | None = None
    seen: list[str] = []
    for step in [0, *steps]:
        visits = min(max(base + step, 0), 60)  # at most 4 points apart: less than the tolerance
        last = one(WARMTH, employees=8, visits=visits, prev_temperature=last)["temperature"]
        seen.append(last)
    ranks = [("cold", "wavering", "hot").index(band) for band in seen]
    assert ranks == sorted(ranks)


def test_a_higher_score_or_a_warmer_past_never_gives_a_colder_band() -> None:
    order = ["cold", "wavering", "hot"]
    rows = [
        {"employees": 8, "visits": visits, "prev_temperature": last} for last in order for visits in range(61)
    ]
    found = judge(leads(*rows), WARMTH, NOW)["temperature"].to_list()
    by_past = [[order.index(band) for band in found[start : start + 61]] for start in (0, 61, 122)]
    assert all(ranks == sorted(ranks) for ranks in by_past)
    assert all(a <= b <= c for a, b, c in zip(*by_past, strict=True))


RULES = [
    {"name": "Head", "when": "job_title ILIKE '%head%' OR job_title = 'CMO'", "points": 25},
    {"name": "Size", "when": "employees BETWEEN 10 AND 500", "points": 15},
    {"name": "Turnover", "when": "annual_revenue / employees > 1000", "points": 10},
    {"name": "Student", "when": "job_title ILIKE '%student%'", "points": -40},
    {"name": "Form", "when": "forms > 0", "points": 30, "half_life_days": 21, "since": "last_form_at"},
    {"name": "Visits", "when": "visits >= 3 AND last_visit_at_days < 30", "points": 10},
    {
        "name": "Bounced",
        "when": "mails_bounced > 1",
        "points": -15,
        "half_life_days": 60,
        "since": "last_mail_open_at",
    },
]
MIXED = policy(fit=RULES[:4], engagement=RULES[4:], rates=RATES)


def _some(seed: int, height: int = 120) -> pl.DataFrame:
    """Dirty leads: every field of the rules is unknown for a third of them."""
    draw = random.Random(seed)
    choices: dict[str, Any] = {
        "job_title": ["Head of Sales", "Student", "CMO", "student head"],
        "employees": [0, 5, 50, 500, 5000],
        "annual_revenue": [Decimal("0.00"), Decimal("40000.50"), Decimal("90000000.00")],
        "annual_revenue_currency": ["EUR", "USD", "JPY"],
        "forms": [0, 1, 3],
        "visits": [0, 3, 9],
        "mails_bounced": [0, 2],
        "has_contact_data": [True, False],
        "sales_accepted": [True, False, None, None],
        "salesforce_stage": ["lead", "sql", "customer", None, None],
        "prev_temperature": ["hot", "wavering", None],
        "prev_stage": ["lead", "nurture", "mql", "prospect", None],
        **{
            f"last_{what}_at": [NOW - timedelta(days=days) for days in (-3, 0, 5, 40)]
            for what in ("form", "visit")
        },
        "last_mail_open_at": [NOW, NOW - timedelta(days=70)],
    }
    return leads(
        *({name: draw.choice([*words, None]) for name, words in choices.items()} for _ in range(height))
    )


@given(seed=st.integers(0, 10**6))
@settings(max_examples=20, deadline=None)
def test_points_always_sum_to_the_score(seed: int) -> None:
    found = judge(_some(seed), MIXED, NOW)
    assert found.schema == verdict_schema(MIXED)
    points = found.select(pl.sum_horizontal(f"_p{n}" for n in range(7)).alias("sum"))["sum"]
    assert points.to_list() == found["score"].to_list()
    assert (found["fit"] + found["engagement"]).to_list() == found["score"].to_list()
    assert not any(
        found.select(
            pl.any_horizontal((pl.col(f"_u{n}") & (pl.col(f"_p{n}") != 0)) for n in range(7))
        ).to_series()
    )


@given(seed=st.integers(0, 10**6))
@settings(max_examples=10, deadline=None)
def test_the_order_of_rules_does_not_matter(seed: int) -> None:
    turned = policy(fit=RULES[3::-1], engagement=RULES[:3:-1], rates=RATES)
    frame = _some(seed)
    plain = [
        "lead_id",
        "fit",
        "engagement",
        "score",
        "coverage",
        "temperature",
        "stage",
        "stage_why",
        "cycle",
    ]
    assert judge(frame, turned, NOW).select(plain).equals(judge(frame, MIXED, NOW).select(plain))


@given(seed=st.integers(0, 10**6), more=st.sampled_from([("forms", 1), ("visits", 3)]))
@settings(max_examples=15, deadline=None)
def test_more_evidence_for_a_rule_never_lowers_a_score(seed: int, more: tuple[str, int]) -> None:
    field, step = more
    frame = _some(seed)
    before, after = (
        judge(frame, MIXED, NOW),
        judge(frame.with_columns(pl.col(field).fill_null(0) + step), MIXED, NOW),
    )
    assert ((after["score"] - before["score"]) >= 0).all()


@given(seed=st.integers(0, 10**6), days=st.integers(1, 400))
@settings(max_examples=15, deadline=None)
def test_time_alone_never_makes_points_grow(seed: int, days: int) -> None:
    frame = _some(seed)
    before, after = judge(frame, MIXED, NOW), judge(frame, MIXED, NOW + timedelta(days=days))
    for place in range(7):
        assert (after[f"_p{place}"].abs() <= before[f"_p{place}"].abs()).all()


@given(seed=st.integers(0, 10**6))
@settings(max_examples=6, deadline=None)
def test_a_lead_alone_is_judged_as_among_many(seed: int) -> None:
    frame = _some(seed, height=40)
    among = judge(frame, MIXED, NOW)
    for place in random.Random(seed).sample(range(40), 6):
        assert judge(frame[place], MIXED, NOW).equals(among[place])


def test_no_leads_give_no_verdicts() -> None:
    found = judge(_some(1).clear(), MIXED, NOW)
    assert found.height == 0
    assert found.schema == verdict_schema(MIXED)


@pytest.mark.parametrize(
    ("was", "write"),
    [
        ({}, False),
        ({"score": 74}, False),  # less than the step of 5
        ({"score": 75}, True),
        ({"score": 65}, True),
        ({"temperature": "wavering"}, True),
        ({"stage": "nurture"}, True),
        ({"cycle": 2}, True),
        ({"nurture_track": "price-guide"}, True),
        ({"nurture_question": "What does it cost?"}, True),
        ({"nurture_format": "white paper"}, True),
        ({"lead_id": "somebody else"}, True),
    ],
)
def test_a_verdict_is_written_when_it_changed_enough(was: dict[str, Any], write: bool) -> None:
    now = judge(leads({"employees": 8, "visits": 30, "has_contact_data": True, "forms": 1}), WARMTH, NOW)
    assert now["score"].item() == 70
    before = now.with_columns(pl.lit(value).cast(now.schema[name]).alias(name) for name, value in was.items())
    assert what_changed(before, now, WARMTH).to_list() == [write]
