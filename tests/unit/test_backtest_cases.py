"""Cases: what was known at each moment, who is counted apart, and how they are split and measured."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mapping.identity import derive
from mapping.lead import DERIVED_FIELDS, LEAD_FIELDS, columns_of
from mapping.qualification.backtest import (
    CASE,
    backtest,
    judge_cases,
    lift_reached,
    measured,
    parted,
    usable,
)
from mapping.qualification.backtest_explore import to_explore
from mapping.qualification.backtest_history import as_of, as_of_tracked, without_later
from mapping.qualification.declared import Policy
from mapping.qualification.handover import LEDGER
from mapping.qualification.judge import judge
from mapping.qualification.policy import load_policy
from sync.backtest_own import with_ledger, with_outcome

NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
POLICY: dict[str, Any] = {
    "policy": {
        "interest": "forms > 0",
        "rates": {"USD": [{"from": "2025-01-01", "rate": "0.9"}, {"from": "2026-06-01", "rate": "0.5"}]},
        "fit": [
            {"name": "Boss", "when": "job_title = 'Head of Marketing'", "points": 30},
            {"name": "Large", "when": "annual_revenue >= 80", "points": 20},
            {"name": "Buys soon", "when": "purchase_date_days >= -30", "points": 5},
        ],
        "engagement": [
            {
                "name": "Form",
                "when": "last_form_at_days IS NOT NULL",
                "points": 40,
                "half_life_days": 20,
                "since": "last_form_at",
            }
        ],
        "temperature": {"hot": {"total": 60}, "wavering": {"total": 30}},
    }
}


def _policy() -> Policy:
    return load_policy(POLICY, fields={**LEAD_FIELDS, **DERIVED_FIELDS}, vocabularies={})


def cases(*rows: dict[str, Any]) -> pl.DataFrame:
    """Cases with these columns; the rest is null."""
    whole = {**columns_of(LEAD_FIELDS), **CASE}
    frame = pl.DataFrame(
        {name: pl.Series([row.get(name) for row in rows], dtype=dtype) for name, dtype in whole.items()}
    ).with_columns(lead_id=pl.format("lead{}", pl.int_range(len(rows))))
    nowhere = pl.lit(None, dtype=pl.Boolean)
    return derive(frame, in_hubspot=nowhere, in_salesforce=nowhere)


drawn_leads = st.lists(
    st.fixed_dictionaries(
        {
            "at": st.integers(0, 900).map(lambda days: NOW - timedelta(days=days, hours=days % 24)),
            "email": st.sampled_from(["a@b.example", None]),
            "forms": st.sampled_from([0, 1, None]),
            "job_title": st.sampled_from(["Head of Marketing", "Buyer", None]),
            "annual_revenue": st.sampled_from([100, 170, None]),
            "annual_revenue_currency": st.sampled_from(["USD", "EUR"]),
            "last_form_at": st.integers(0, 1000).map(lambda days: NOW - timedelta(days=days, minutes=days)),
            "purchase_date": st.integers(-100, 100).map(lambda days: date(2026, 6, 1) + timedelta(days=days)),
        }
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=8)
@given(drawn_leads)
def test_many_leads_of_many_moments_are_judged_as_each_would_have_been_alone(
    rows: list[dict[str, Any]],
) -> None:
    policy, frame = _policy(), cases(*rows)
    together = judge_cases(frame, policy)
    for place, row in enumerate(rows):
        alone = judge(frame.slice(place, 1), policy, row["at"])
        for name in ("score", "fit", "engagement", "coverage", "temperature", "stage"):
            assert together[name][place] == alone[name][0], (name, row)


def test_a_lead_without_a_moment_has_no_ages() -> None:
    found = judge_cases(cases({"forms": 1, "email": "a@b.example", "last_form_at": NOW}), _policy())
    assert found["engagement"][0] == 0


def test_the_word_of_sales_is_not_shown_to_the_policy() -> None:
    told = {"salesforce_stage": "customer", "hubspot_stage": "customer", "sales_accepted": True}
    plain = {"at": NOW, "email": "a@b.example", "forms": 1}
    found = judge_cases(cases(plain, plain | told), _policy())
    assert found["stage"].to_list() == ["lead", "lead"]


# --- what was known -----------------------------------------------------------------------------------------


def _history(*rows: tuple[str, str, int, str | None]) -> pl.DataFrame:
    return pl.DataFrame(
        [(record, name, NOW + timedelta(days=day), value) for record, name, day, value in rows],
        schema={
            "_id": pl.String(),
            "property": pl.String(),
            "at": pl.Datetime("us", "UTC"),
            "value": pl.String(),
        },
        orient="row",
    )


def _moments(*rows: tuple[str, int]) -> pl.DataFrame:
    return pl.DataFrame(
        [(record, NOW + timedelta(days=day)) for record, day in rows],
        schema={"_id": pl.String(), "at": pl.Datetime("us", "UTC")},
        orient="row",
    )


@pytest.mark.parametrize(
    ("day", "title"),
    [(-1, None), (0, "Buyer"), (4, "Buyer"), (5, "Head"), (9, "Head"), (10, None), (11, None), (12, "Owner")],
)
def test_a_value_counts_from_the_moment_it_was_set(day: int, title: str | None) -> None:
    history = _history(
        ("1", "jobtitle", 12, "Owner"), ("1", "jobtitle", 10, None), ("1", "jobtitle", 5, "Head"),
        ("1", "jobtitle", 0, "Buyer"), ("2", "jobtitle", -9, "Somebody else"),
    )  # fmt: skip
    found = as_of(history, _moments(("1", day)), ["jobtitle", "city"])
    assert found.rows() == [("1", title, None)]


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(
            st.sampled_from("123"),
            st.sampled_from(["a", "b"]),
            st.integers(1, 99),
            st.sampled_from(["x", "y", None]),
        ),
        max_size=20,
    )
)
def test_whatever_is_filled_after_the_moment_changes_nothing(
    later: list[tuple[str, str, int, str | None]],
) -> None:
    known = _history(("1", "a", -3, "old"), ("2", "b", 0, "now"), ("2", "a", -1, None))
    moments = _moments(("1", 0), ("2", 0), ("3", 0))
    before = as_of(known, moments, ["a", "b"])
    assert as_of(pl.concat([_history(*later), known]), moments, ["a", "b"]).equals(before)


@pytest.mark.parametrize(
    ("what", "history", "modified", "value"),
    [
        ("tracked, and changed before", [("1", "Title", -5, "Head")], 9, "Head"),
        ("tracked, and emptied before", [("1", "Title", -5, None)], 9, None),
        ("tracked, changed afterwards: the value before is not told", [("1", "Title", 5, "Head")], 9, None),
        ("tracked for others by then, never changed here", [("2", "Title", -5, "x")], 9, "today"),
        ("tracked only later", [("2", "Title", 5, "x")], 9, None),
        ("not tracked, and the record changed since", [], 9, None),
        ("not tracked, and the record is as it was", [], -1, "today"),
    ],
)
def test_a_value_of_today_counts_only_where_it_stood_then(
    what: str, history: list[tuple[str, str, int, str | None]], modified: int, value: str | None
) -> None:
    current = pl.DataFrame(
        {"_id": ["1"], "_modified_at": [NOW + timedelta(days=modified)], "Title": ["today"]},
        schema={"_id": pl.String(), "_modified_at": pl.Datetime("us", "UTC"), "Title": pl.String()},
    )
    found = as_of_tracked(current, _history(*history), _moments(("1", 0)), ["Title", "City"])
    assert found.rows() == [("1", value, None)], what


def test_a_visit_after_the_moment_cannot_have_been_known() -> None:
    frame = cases({"at": NOW, "last_visit_at": NOW + timedelta(days=2), "purchase_date": date(2027, 1, 1)})
    found = without_later(frame, LEAD_FIELDS)
    assert found["last_visit_at"][0] is None
    assert found["purchase_date"][0] == date(2027, 1, 1)


# --- who is counted, and how --------------------------------------------------------------------------------


def test_unworked_open_and_earlier_leads_are_counted_apart() -> None:
    day = timedelta(days=1)
    judged = judge_cases(
        cases(
            {"at": NOW, "outcome": True, "outcome_at": NOW + day, "worked": True},
            {"at": NOW, "outcome": False, "worked": True},
            {"at": NOW, "outcome": False},
            {"at": NOW, "outcome": False, "worked": False},
            {"at": NOW, "worked": False},
            {"at": NOW, "worked": True},
            {"at": NOW, "outcome": True, "outcome_at": NOW - day, "worked": True},
        ),
        _policy(),
    )
    left, apart = usable(judged)
    assert left["outcome"].to_list() == [True, False, False]
    assert (apart.unworked, apart.open, apart.before) == (2, 1, 1)


@given(st.lists(st.integers(0, 30), min_size=2, max_size=80), st.sampled_from([0.1, 0.2, 0.5, 0.9]))
def test_nobody_of_the_tested_part_comes_before_anybody_of_the_past(days: list[int], share: float) -> None:
    frame = cases(*({"at": NOW + timedelta(days=day)} for day in days))
    train, test, split, cut = parted(frame, share)
    assert train.height + test.height == len(days)
    if len(set(days)) == 1:
        assert (split, cut) == ("random", None)
        return
    assert split == "time"
    assert train.height
    assert test.height
    assert train["at"].max() < cut <= test["at"].min()  # type: ignore[operator]


def test_without_times_the_split_is_drawn_and_says_so() -> None:
    judged = judge_cases(cases(*({"outcome": number % 2 == 0} for number in range(100))), _policy())
    found = backtest(judged, _policy(), test_share=0.25)
    assert (found.split, found.train.rate.leads, found.test.rate.leads) == ("random", 75, 25)
    assert any("at random" in text for text in found.warnings)


def test_a_share_outside_of_0_to_1_is_refused() -> None:
    with pytest.raises(ValueError, match="test_share"):
        parted(cases({"at": NOW}), 1.0)


def _generation(
    hot: int, cold: int, hot_reached: int, cold_reached: int, *, after: int = 0
) -> list[dict[str, Any]]:
    """Leads of two kinds, a day each, so many of which reached the outcome."""
    warm = {"email": "a@b.example", "forms": 1, "job_title": "Head of Marketing"}
    rows = []
    for number in range(hot + cold):
        at = NOW + timedelta(days=after + number)
        is_hot = number % (hot + cold) < hot
        reached = number < hot_reached if is_hot else number - hot < cold_reached
        rows.append({"at": at, "outcome": reached, **(warm | {"last_form_at": at} if is_hot else {})})
    return rows


def test_precision_and_recall_stand_at_the_mql_line() -> None:
    judged = judge_cases(cases(*_generation(40, 160, 20, 5)), _policy())
    found = measured(judged, _policy())
    assert (found.precision.leads, found.precision.rate, found.recall.rate) == (40, 0.5, 0.8)
    assert [(name, rate.leads, rate.outcomes) for name, rate in found.bands] == [
        ("hot", 40, 20), ("wavering", 0, 0), ("cold", 160, 5)
    ]  # fmt: skip
    top = found.deciles[0]
    assert top.lift.lift == pytest.approx((top.rate.outcomes / 20) / (25 / 200))


def test_leads_that_turned_out_otherwise_than_before_raise_an_alarm() -> None:
    before, after = _generation(100, 400, 20, 20), _generation(100, 400, 90, 20, after=600)
    found = backtest(judge_cases(cases(*before, *after), _policy()), _policy(), test_share=0.5)
    assert {one.what for one in found.drift} == {"all leads", "hot"}
    assert any("drift: of band hot 20.0 %" in text for text in found.warnings)
    calm = backtest(
        judge_cases(cases(*before, *_generation(100, 400, 22, 19, after=600)), _policy()),
        _policy(),
        test_share=0.5,
    )
    assert calm.drift == []


def test_mqls_are_counted_by_week_and_shared_by_those_in_sales() -> None:
    rows = [row | {"rep": f"rep{number % 2}"} for number, row in enumerate(_generation(28, 0, 3, 0))]
    found = backtest(judge_cases(cases(*rows), _policy()), _policy()).pace
    assert (found.mqls, found.weeks, found.reps, found.busiest) == (28, 5, 2, 7)
    assert found.a_rep_and_week == pytest.approx(2.8)
    assert backtest(judge_cases(cases(*rows), _policy()), _policy(), reps=4).pace.a_rep_and_week == 1.4


def test_days_from_handover_to_outcome_are_told_where_both_are_known() -> None:
    def one(handed: int | None, reached: int | None) -> dict[str, Any]:
        return {
            "at": NOW,
            "outcome": reached is not None,
            "handed_at": None if handed is None else NOW + timedelta(days=handed),
            "outcome_at": None if reached is None else NOW + timedelta(days=reached),
        }

    judged = judge_cases(cases(one(1, 11), one(2, 22), one(3, 33), one(None, 5), one(4, None)), _policy())
    found = backtest(judged, _policy()).timing
    assert (found.known, found.median, found.never) == (3, 20.0, 1)


@pytest.mark.parametrize(
    ("hot_reached", "least", "passes"),
    [(30, 1.5, True), (30, 9.0, False), (7, 1.2, False), (0, 0.5, False), (8, 0.5, True)],
)
def test_the_least_lift_is_reached_or_not_and_never_by_chance(
    hot_reached: int, least: float, passes: bool
) -> None:
    rows = _generation(40, 160, hot_reached, 20)
    both = [*rows, *(row | {"at": row["at"] + timedelta(days=400)} for row in rows)]
    found = backtest(judge_cases(cases(*both), _policy()), _policy(), test_share=0.5)
    assert lift_reached(found, least) is passes


def test_few_outcomes_are_told_and_nobody_to_test_on_too() -> None:
    few = backtest(judge_cases(cases(*_generation(10, 40, 3, 2)), _policy()), _policy())
    assert any("few" in text for text in few.warnings)
    nobody = backtest(judge_cases(cases({"at": NOW}), _policy()), _policy())
    assert (nobody.leads, nobody.as_json()["test"]["lift_by_decile"]) == (0, [])
    assert "no lead is left to test the policy on" in nobody.warnings


def test_the_document_has_the_names_that_scripts_rely_on() -> None:
    document = backtest(judge_cases(cases(*_generation(20, 80, 10, 8)), _policy()), _policy()).as_json()
    assert {"leads", "outcomes", "train", "test", "split", "warnings"} <= document.keys()
    measures = {"roc_auc", "pr_auc", "precision_at_mql", "recall_at_mql", "mql", "lift_by_decile", "bands"}
    assert measures <= document["test"].keys() == document["train"].keys()
    assert {"decile", "leads", "outcomes", "rate", "low", "high", "lift"} <= document["test"][
        "lift_by_decile"
    ][0].keys()
    assert {"temperature", "leads", "rate", "low", "high"} <= document["test"]["bands"][0].keys()


def test_the_random_share_below_the_line_is_drawn_by_id_alone_and_stays_the_same() -> None:
    known = {"at": NOW, "email": "a@b.example", "forms": 1, "worked": False}
    hot = known | {"job_title": "Head of Marketing", "last_form_at": NOW}
    judged = judge_cases(
        cases(hot, known | {"worked": True}, known | {"email": None}, *([known] * 1_000)), _policy()
    )
    drawn = to_explore(judged, 0.1)
    assert 70 <= len(drawn) <= 130
    assert not {"lead0", "lead1", "lead2"} & set(to_explore(judged, 1.0))
    assert len(to_explore(judged, 1.0)) == 1_000
    turned = judged.reverse().with_columns(outcome=pl.lit(value=True))
    assert sorted(to_explore(turned, 0.1)) == sorted(drawn)


def test_whom_chance_handed_over_is_measured_apart_with_an_interval() -> None:
    plain = _generation(20, 80, 10, 8)
    drawn = {"at": NOW - timedelta(days=400), "email": "a@b.example", "forms": 1, "explored": True}
    rows = [drawn | {"outcome": number < 2, "worked": True} for number in range(40)]
    rows += [drawn | {"worked": True}] * 5 + [drawn | {"outcome": False, "worked": False}] * 3
    # One of them had reached the outcome before its moment, and counts as any other here.
    rows[0]["outcome_at"] = NOW - timedelta(days=401)
    policy = _policy()
    without = backtest(judge_cases(cases(*plain), policy), policy)
    found = backtest(judge_cases(cases(*plain, *rows), policy), policy)
    below = found.as_json()["below_the_line"]
    assert {name: below[name] for name in ("drawn", "open", "unworked", "leads", "outcomes")} == {
        **{"drawn": 48, "open": 5, "unworked": 3},
        **{"leads": 40, "outcomes": 2},
    }
    assert below["rate"] == 0.05
    assert 0.01 < below["low"] < 0.05 < below["high"] < 0.17  # Wilson: 1.4 % to 16.5 %
    assert found.apart.explored == 48
    assert (found.leads, found.outcomes, found.test) == (without.leads, without.outcomes, without.test)
    assert without.as_json()["below_the_line"]["rate"] is None


@pytest.mark.parametrize(
    ("handed", "reached", "outcome"),
    [
        (200, 100, True),
        (200, 10, False),  # within the horizon of its first moment, and not of its handover
        (100, None, None),  # its first moment is long ago, its handover is not
        (200, None, False),
    ],
)
def test_the_horizon_of_an_exploration_begins_with_its_handover(
    handed: int, reached: int | None, outcome: bool | None
) -> None:
    then = {"at": NOW - timedelta(days=390), "handed_at": NOW - timedelta(days=handed), "explored": True}
    row = then | {"outcome_at": None if reached is None else NOW - timedelta(days=reached)}
    assert with_outcome(cases(row), 180, NOW)["outcome"].to_list() == [outcome]


def test_leads_below_the_line_that_nobody_ever_worked_are_told() -> None:
    rows = [row | {"worked": number < 44} for number, row in enumerate(_generation(40, 160, 20, 5))]
    told = backtest(judge_cases(cases(*rows), _policy()), _policy()).warnings
    assert any("below the MQL line 2 % were worked, of those above it 100 %" in text for text in told)
    everybody = backtest(judge_cases(cases(*_generation(40, 160, 20, 5)), _policy()), _policy()).warnings
    assert not any("were worked" in text for text in everybody)


def test_the_ledger_says_when_to_whom_and_whether_anybody_touched_a_lead() -> None:
    day = timedelta(days=1)
    known = cases(
        {"at": NOW, "worked": False, "handed_at": NOW},
        {"at": NOW, "worked": False},
        {"at": NOW, "worked": True},
    )
    rows = [
        {
            "lead_id": "lead0",
            "cycle": 2,
            "handed_over_at": NOW + 9 * day,
            "owner": "ben",
            "first_touch_at": NOW + 9 * day,
        },
        {"lead_id": "lead0", "cycle": 1, "handed_over_at": NOW + day, "owner": "ada"},
        {"lead_id": "lead1", "cycle": 1, "handed_over_at": None, "owner": None},
    ]
    ledger = pl.DataFrame(
        {name: pl.Series([row.get(name) for row in rows], dtype=dtype) for name, dtype in LEDGER.items()}
    )
    found = with_ledger(known, ledger)
    assert found["handed_at"].to_list() == [NOW + day, None, None]
    assert found["rep"].to_list() == ["ada", None, None]
    assert found["worked"].to_list() == [True, False, True]


def test_a_lead_is_open_until_its_horizon_is_over_however_quick_it_was() -> None:
    day = timedelta(days=1)
    known = cases(
        {"at": NOW - 20 * day, "outcome_at": NOW - 5 * day},
        {"at": NOW - 10 * day, "outcome_at": NOW - 9 * day},
        {"at": NOW - 30 * day},
        {"at": NOW - 30 * day, "outcome_at": NOW - day},
    )
    assert with_outcome(known, 20, NOW)["outcome"].to_list() == [True, None, False, False]


def test_leads_of_one_moment_stay_together_and_an_odd_share_is_told() -> None:
    rows = [{"at": NOW, "outcome": number % 3 == 0} for number in range(90)]
    rows += [{"at": NOW + timedelta(days=9), "outcome": False}] * 10
    found = backtest(judge_cases(cases(*rows), _policy()), _policy(), test_share=0.3)
    assert (found.train.rate.leads, found.test.rate.leads) == (90, 10)
    assert any("10 % of them are tested, and 30 % were asked for" in text for text in found.warnings)
