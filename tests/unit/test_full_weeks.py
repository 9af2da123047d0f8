"""Weeks in which more leads were drawn to explore than the week had room for are counted once each."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from mapping.qualification.backtest_explore import about_full_weeks, full_weeks

START = datetime(2026, 11, 2, 6, tzinfo=UTC)


@pytest.mark.parametrize(
    ("days", "a_week", "weeks"),
    [
        ([], 2, 0),
        ([0], 2, 0),
        ([0, 1], 2, 1),
        ([0, 7], 2, 0),  # the eighth day is another week
        ([0, 0, 0, 1], 2, 1),  # more than the number of today, from when it was larger
        ([0, 1, 7, 8], 2, 2),
        ([0, 6, 8, 13], 2, 2),  # a week ends seven days after its first draw
        ([0, 7, 8, 20], 2, 1),
        ([3, 0], 2, 1),  # in whatever order
    ],
)
def test_a_week_is_full_once_its_number_was_drawn(days: list[int], a_week: int, weeks: int) -> None:
    drawn = [START + timedelta(days=day) for day in days]
    assert full_weeks(drawn, a_week) == weeks
    assert len(about_full_weeks(drawn, a_week)) == (weeks > 0)
