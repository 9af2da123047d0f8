"""Areas and deciles, beside the slow way of counting them."""

from __future__ import annotations

from itertools import pairwise
from math import exp

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mapping.qualification.backtest_ranking import (
    auc_difference,
    deciles,
    levels,
    placements,
    pr_auc,
    roc_auc,
    scattered,
)

ranked = st.lists(st.tuples(st.integers(-5, 8), st.booleans()), min_size=2, max_size=60)


def _columns(rows: list[tuple[int, bool]]) -> tuple[pl.Series, pl.Series]:
    return pl.Series([score for score, _ in rows]), pl.Series([reached for _, reached in rows])


def _pairs_won(rows: list[tuple[int, bool]]) -> float:
    """How often somebody who reached it scores higher than somebody who did not; a tie is half."""
    pairs = [(a, b) for a, won in rows if won for b, other in rows if not other]
    return sum(1.0 if a > b else 0.5 if a == b else 0.0 for a, b in pairs) / len(pairs)


def _steps(rows: list[tuple[int, bool]]) -> float:
    """Precision at each score, weighted by how much of all outcomes it adds."""
    area, total = 0.0, sum(won for _, won in rows)
    for line in {score for score, _ in rows}:
        above = [won for score, won in rows if score >= line]
        area += sum(above) / len(above) * sum(won for score, won in rows if score == line) / total
    return area


@settings(max_examples=40)
@given(ranked)
def test_the_areas_are_those_of_comparing_everybody_with_everybody(rows: list[tuple[int, bool]]) -> None:
    score, outcome = _columns(rows)
    found = roc_auc(levels(score, outcome))
    if outcome.all() or not outcome.any():
        assert found.area is None
        return
    assert found.area == pytest.approx(_pairs_won(rows))
    assert pr_auc(levels(score, outcome)) == pytest.approx(_steps(rows))
    assert found.area is not None
    assert found.low is not None
    assert found.high is not None
    assert 0.0 <= found.low <= found.area <= found.high <= 1.0


def test_a_perfect_order_of_six_leads_is_not_taken_for_certain() -> None:
    found = roc_auc(levels(pl.Series([1, 2, 3, 7, 8, 9]), pl.Series([False] * 3 + [True] * 3)))
    assert found.area == 1.0
    assert found.low is not None
    assert found.low < 0.6


def test_the_interval_of_the_area_narrows_with_more_leads() -> None:
    score, outcome = pl.Series([1, 2, 2, 3, 4, 4, 5, 6]), pl.Series([0, 0, 1, 0, 1, 0, 1, 1]).cast(pl.Boolean)
    few, many = (roc_auc(levels(pl.concat([score] * n), pl.concat([outcome] * n))) for n in (4, 100))
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


@settings(max_examples=40)
@given(ranked)
def test_the_area_counted_by_level_and_by_lead_is_the_same_and_as_sure(rows: list[tuple[int, bool]]) -> None:
    score, outcome = _columns(rows)
    placed, found = placements(score, outcome), roc_auc(levels(score, outcome))
    if placed is None:
        assert found.area is None
        return
    assert found.area == pytest.approx(placed.area)
    gap = auc_difference(pl.repeat(0, len(score), eager=True), score, outcome)
    if 0.01 < placed.area < 0.99 and gap.high is not None and gap.area is not None and gap.high > gap.area:
        # The same spread, once on the scale of log-odds and once plainly.
        half = gap.high - gap.area
        odds = half / (placed.area * (1 - placed.area))
        assert found.high is not None
        assert found.high == pytest.approx(1 / (1 + (1 / placed.area - 1) * exp(-odds)))


def test_deciles_by_level_are_those_of_sorting_everybody() -> None:
    score = pl.Series([number * 7919 % 13 for number in range(997)])
    outcome = pl.Series([number * 31 % 5 == 0 for number in range(997)])
    order = pl.DataFrame([score.alias("s"), outcome.alias("o"), scattered(997).alias("t")])
    everybody = order.sort("s", "t", descending=[True, False])["o"]
    edges = [part * 997 // 10 for part in range(11)]
    slow = [int(everybody.slice(a, b - a).sum()) for a, b in pairwise(edges)]
    assert [one.rate.outcomes for one in deciles(score, outcome)] == slow
