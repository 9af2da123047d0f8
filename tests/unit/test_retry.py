"""What is asked again, how long we wait before, and when we stop."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import ConnectorError, NeedsPerson, OurBug, RecordRefused, RetryLater
from connectors.retry import Retry


class Flaky:
    """Fails with each error in turn, then answers."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return "answer"


def retry(slept: list[float], jitter: Callable[[float, float], float] = max, tries: int = 4) -> Retry:
    return Retry(sleep=slept.append, jitter=jitter, tries=tries)


BUSY = RetryLater("busy")


@pytest.mark.parametrize(
    ("error", "repeatable", "calls"),
    [
        (RetryLater("busy"), False, 2),
        (RetryLater("lost", sent=True), True, 2),
        # It may have been carried out: a create would be made twice
        (RetryLater("lost", sent=True), False, 1),
        # Hours are somebody else's business
        (RetryLater("moving", wait_seconds=3600), True, 1),
        (RetryLater("tomorrow", not_before=datetime(2026, 11, 23, tzinfo=UTC)), True, 1),
        (RecordRefused("no"), True, 1),
        (NeedsPerson("no"), True, 1),
        (OurBug("no"), True, 1),
        (ConnectorError("no"), True, 1),
        (ValueError("no"), True, 1),
    ],
)
def test_only_what_helps_is_asked_again(error: Exception, repeatable: bool, calls: int) -> None:
    call = Flaky(error)
    slept: list[float] = []
    if calls == 1:
        with pytest.raises(type(error)) as raised:
            retry(slept)(call, repeatable=repeatable)
        assert raised.value is error
        assert slept == []
    else:
        assert retry(slept)(call, repeatable=repeatable) == "answer"
    assert call.calls == calls


def test_in_the_end_the_last_error_is_raised_on() -> None:
    errors = [RetryLater(f"try {n}") for n in range(9)]
    with pytest.raises(RetryLater, match="try 3"):
        retry([], tries=4)(Flaky(*errors), repeatable=True)


def test_the_wait_doubles_where_the_crm_names_none() -> None:
    slept: list[float] = []
    retry(slept, tries=5)(Flaky(BUSY, BUSY, BUSY, BUSY), repeatable=True)
    assert slept == [0.5, 1.0, 2.0, 4.0]


@given(asked=st.floats(0.0, 30.0), part=st.floats(0.0, 1.0))
def test_a_wait_is_never_shorter_than_the_crm_asked_for_nor_longer_than_seconds(
    asked: float, part: float
) -> None:
    slept: list[float] = []
    call = Flaky(RetryLater("wait", wait_seconds=asked))
    retry(slept, jitter=lambda low, high: low + part * (high - low))(call, repeatable=True)
    assert asked <= slept[0] <= 30.0


def test_no_single_wait_grows_beyond_the_longest() -> None:
    slept: list[float] = []
    Retry(sleep=slept.append, jitter=max, tries=9, longest_wait=3.0)(Flaky(*[BUSY] * 8), repeatable=True)
    assert max(slept) == 3.0
