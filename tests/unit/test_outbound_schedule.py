"""When a notification that nobody heard is sent again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.sandbox.salesforce.outbound.schedule import is_over, next_try

MADE = datetime(2026, 11, 22, 12, tzinfo=UTC)
DAY = timedelta(hours=24)


@pytest.mark.parametrize(
    ("tries", "gap"), [(1, 15), (2, 30), (3, 60), (9, 3_840), (10, 7_200), (11, 7_200), (40, 7_200)]
)
def test_the_gaps_double_up_to_two_hours(tries: int, gap: int) -> None:
    assert next_try(MADE, MADE, tries) == MADE + timedelta(seconds=gap)


@given(late=st.lists(st.floats(0, 10_000), max_size=60))
def test_a_day_has_room_for_some_twenty_tries_and_no_try_is_after_it(late: list[float]) -> None:
    moments = [MADE]
    for delay in [*late, *[0.0] * 60]:
        due = next_try(MADE, moments[-1], len(moments))
        if due is None:
            break
        # The sender comes when it comes, never before the time.
        moments.append(due + timedelta(seconds=delay))
    else:
        pytest.fail("it never ends")
    assert all(after > before for before, after in pairwise(moments))
    assert len(moments) < 24
    assert next_try(MADE, MADE + DAY, 1) is None


@pytest.mark.parametrize(
    ("age", "tries", "over"),
    [(timedelta(0), 0, False), (DAY, 3, False), (DAY * 1.01, 3, True), (DAY * 3, 0, False)],
)
def test_who_was_never_asked_is_asked_once_however_late(age: timedelta, tries: int, over: bool) -> None:
    assert is_over(MADE, MADE + age, tries) is over
