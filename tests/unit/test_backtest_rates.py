"""Shares and lifts with intervals that hold what they promise, with few leads too."""

from __future__ import annotations

from math import comb, isclose

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mapping.qualification.backtest_drift import drift_between
from mapping.qualification.backtest_rates import lift_of, rate_of, unlikely_alike


@pytest.mark.parametrize(
    ("outcomes", "leads", "low", "high"),
    [
        (0, 10, 0.0, 0.2775),
        (1, 10, 0.0179, 0.4042),
        (5, 10, 0.2366, 0.7634),
        (10, 10, 0.7225, 1.0),
        (81, 263, 0.2553, 0.3662),  # Newcombe's example of 1998
        (15, 148, 0.0624, 0.1605),
    ],
)
def test_a_share_has_the_interval_of_wilson(outcomes: int, leads: int, low: float, high: float) -> None:
    rate = rate_of(outcomes, leads)
    assert (round(rate.low, 4), round(rate.high, 4)) == (low, high)


def test_nobody_counted_is_no_share_and_may_be_anything() -> None:
    rate = rate_of(0, 0)
    assert (rate.rate, rate.low, rate.high) == (None, 0.0, 1.0)


@pytest.mark.parametrize(("outcomes", "leads"), [(2, 1), (-1, 5)])
def test_more_outcomes_than_leads_are_refused(outcomes: int, leads: int) -> None:
    with pytest.raises(ValueError, match="outcomes"):
        rate_of(outcomes, leads)


counts = st.integers(1, 60).flatmap(
    lambda leads: st.tuples(st.just(leads), st.integers(0, leads), st.integers(0, 400)).flatmap(
        lambda part: st.tuples(st.just(part), st.integers(0, part[2]))
    )
)


@settings(max_examples=60)
@given(counts)
def test_a_lift_lies_inside_its_interval_and_the_interval_inside_what_is_possible(
    drawn: tuple[tuple[int, int, int], int],
) -> None:
    (leads, outcomes, others), theirs = drawn
    lift = lift_of(outcomes, leads, outcomes + theirs, leads + others)
    if not outcomes + theirs:
        assert lift.lift is None
        return
    assert lift.lift is not None
    assert lift.low is not None
    assert lift.high is not None
    assert -1e-9 <= lift.low <= lift.lift + 1e-9
    assert lift.lift - 1e-9 <= lift.high <= (leads + others) / leads + 1e-9


def _binomial(number: int, of: int, chance: float) -> float:
    return comb(of, number) * chance**number * (1 - chance) ** (of - number)


@pytest.mark.parametrize(
    ("part", "others", "chance", "theirs"),
    [(10, 40, 0.3, 0.3), (10, 40, 0.6, 0.3), (10, 60, 0.2, 0.1), (20, 40, 0.5, 0.1)],
)
def test_the_interval_of_a_lift_holds_the_truth_95_times_in_100(
    part: int, others: int, chance: float, theirs: float
) -> None:
    whole = (part * chance + others * theirs) / (part + others)
    held = seen = 0.0
    for outcomes in range(part + 1):
        for rest in range(others + 1):
            likely = _binomial(outcomes, part, chance) * _binomial(rest, others, theirs)
            lift = lift_of(outcomes, part, outcomes + rest, part + others)
            if likely < 1e-7 or lift.low is None or lift.high is None:
                continue
            seen += likely
            held += likely * (lift.low <= chance / whole <= lift.high)
    assert 0.93 < held / seen < 0.985


def test_a_lift_without_any_outcome_is_not_known() -> None:
    assert lift_of(0, 10, 0, 100).lift is None


def test_the_whole_has_a_lift_of_exactly_one() -> None:
    lift = lift_of(7, 20, 7, 20)
    assert (lift.low, lift.lift, lift.high) == (1.0, 1.0, 1.0)


@pytest.mark.parametrize("leads", [20, 200, 2_000])
def test_ten_times_the_leads_make_the_interval_about_three_times_as_narrow(leads: int) -> None:
    def width(times: int) -> float:
        lift = lift_of(leads * times // 10, leads * times // 5, leads * times // 5, leads * times)
        assert lift.high is not None
        assert lift.low is not None
        return lift.high - lift.low

    assert 2.5 < width(1) / width(10) < 4.5


def test_a_part_that_does_not_fit_into_the_whole_is_refused() -> None:
    with pytest.raises(ValueError, match="fit into"):
        lift_of(5, 10, 3, 100)


def test_the_usual_test_of_two_shares_and_the_lift_interval_agree_about_chance() -> None:
    for outcomes in range(0, 21):
        likely = unlikely_alike(rate_of(outcomes, 20), rate_of(40, 180))
        lift = lift_of(outcomes, 20, outcomes + 40, 200)
        assert lift.low is not None
        assert lift.high is not None
        if not 0.045 < likely < 0.055:  # the interval's variance has one lead less
            assert (likely >= 0.05) == (lift.low <= 1.0 <= lift.high), outcomes


def test_equal_shares_are_no_drift_and_empty_ones_neither() -> None:
    assert isclose(unlikely_alike(rate_of(10, 100), rate_of(20, 200)), 1.0)
    assert unlikely_alike(rate_of(0, 0), rate_of(20, 200)) == 1.0
    assert unlikely_alike(rate_of(0, 50), rate_of(0, 70)) == 1.0


def test_a_rate_that_moved_is_an_alarm_with_both_numbers() -> None:
    before = [("all leads", rate_of(300, 3000)), ("hot", rate_of(60, 200))]
    after = [("all leads", rate_of(160, 800)), ("hot", rate_of(16, 52))]
    (alarm,) = drift_between(before, after)
    assert alarm.what == "all leads"
    assert "10.0 %" in alarm.said()
    assert "20.0 %" in alarm.said()
