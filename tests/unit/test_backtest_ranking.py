"""Areas and deciles, beside the slow way of counting them."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from mapping.qualification.backtest_ranking import auc_difference, deciles, pr_auc, roc_auc, scattered

ranked = st.lists(st.tuples(st.integers(-5, 8), st.booleans()), min_size=2, max_size=60)


def _columns(rows: list[tuple[int, bool]]) -> tuple[pl.Series, pl.Series]:
    return pl.Series([score for score, _ in rows]), pl.Series([reached for _, reached in rows])


@settings(max_examples=40)
@given(ranked)
def test_the_areas_are_those_that_another_library_finds(rows: list[tuple[int, bool]]) -> None:
    score, outcome = _columns(rows)
    found = roc_auc(score, outcome)
    if outcome.all() or not outcome.any():
        assert found.area is None
        return
    assert found.area == pytest.approx(roc_auc_score(outcome.to_list(), score.to_list()))
    assert pr_auc(score, outcome) == pytest.approx(
        average_precision_score(outcome.to_list(), score.to_list())
    )
    assert found.area is not None
    assert found.low is not None
    assert found.high is not None
    assert 0.0 <= found.low <= found.area <= found.high <= 1.0


def test_a_perfect_order_of_six_leads_is_not_taken_for_certain() -> None:
    found = roc_auc(pl.Series([1, 2, 3, 7, 8, 9]), pl.Series([False] * 3 + [True] * 3))
    assert found.area == 1.0
    assert found.low is not None
    assert found.low < 0.6


def test_the_interval_of_the_area_narrows_with_more_leads() -> None:
    score, outcome = pl.Series([1, 2, 2, 3, 4, 4, 5, 6]), pl.Series([0, 0, 1, 0, 1, 0, 1, 1]).cast(pl.Boolean)
    few, many = (roc_auc(pl.concat([score] * n), pl.concat([outcome] * n)) for n in (4, 100))
    assert few.area == many.area
    assert few.low is not None
    assert few.high is not None
    assert many.low is not None
    assert many.high is not None
    assert many.high - many.low < (few.high - few.low) / 3


@settings(max_examples=40)
@given(ranked)
def test_deciles_hold_everybody_once_and_the_best_first(rows: list[tuple[int, bool]]) -> None:
    score, outcome = _columns(rows)
    found = deciles(score, outcome)
    assert sum(one.rate.leads for one in found) == len(rows)
    assert sum(one.rate.outcomes for one in found) == outcome.sum()
    assert len(found) == min(10, len(rows))
    assert max(one.rate.leads for one in found) - min(one.rate.leads for one in found) <= 1


def test_who_of_equal_scores_comes_first_does_not_hang_on_the_outcome() -> None:
    outcome = pl.Series([number >= 500 for number in range(1_000)])
    found = deciles(pl.repeat(7, 1_000, eager=True), outcome)
    # Nobody has another score, and those who reached it stand together: each tenth gets its share of them.
    assert all(45 <= one.rate.outcomes <= 55 for one in found)


def test_places_are_spread_evenly_and_the_same_every_time() -> None:
    places = scattered(10_000)
    assert places.n_unique() == 10_000
    assert scattered(100).to_list() == places.head(100).to_list()
    assert 0.49 < (places < 2**31).mean() < 0.51  # type: ignore[operator]


def test_the_same_score_twice_is_no_difference() -> None:
    score, outcome = pl.Series(range(50)), pl.Series([number % 3 == 0 for number in range(50)])
    gap = auc_difference(score, score, outcome)
    assert (gap.area, gap.low, gap.high) == (0.0, 0.0, 0.0)


def test_a_much_better_score_is_more_than_chance() -> None:
    outcome = pl.Series([number >= 150 for number in range(300)])
    gap = auc_difference(
        pl.Series([number * 37 % 300 for number in range(300)]), pl.Series(range(300)), outcome
    )
    assert gap.low is not None
    assert gap.low > 0.3
