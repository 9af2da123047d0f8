"""The budget of calls: windows are waited for, a used-up day is not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import NeedsPerson, RetryLater
from connectors.quota import Heard, Lane, MemoryLedger, Quota, Rate, read_limits

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


class Time:
    """Seconds that pass only when somebody sleeps."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds

    def utc(self) -> datetime:
        return NOON + timedelta(seconds=self.seconds)

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds


def midnight(moment: datetime) -> datetime:
    return (moment + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)


def quota(
    time: Time,
    rate: Rate | None = None,
    *,
    share: float = 1.0,
    resets: Callable[[datetime], datetime] | None = midnight,
) -> Quota:
    rates = {"calls": rate} if rate is not None else {}
    ledger = MemoryLedger(time.monotonic)
    return Quota(
        "hubspot", rates, ledger=ledger, clock=time.utc, sleep=time.sleep, share=share, resets=resets
    )


def daily(remaining: int, limit: int = 1000) -> dict[str, str]:
    return {
        "X-HubSpot-RateLimit-Daily": str(limit),
        "X-HubSpot-RateLimit-Daily-Remaining": str(remaining),
    }


@pytest.mark.parametrize(
    ("headers", "heard"),
    [
        # A private app's answer (HubSpot reference, section 9.1)
        (
            {
                "X-HubSpot-RateLimit-Daily": "250000",
                "X-HubSpot-RateLimit-Daily-Remaining": "249990",
                "X-HubSpot-RateLimit-Interval-Milliseconds": "10000",
                "X-HubSpot-RateLimit-Max": "190",
                "X-HubSpot-RateLimit-Remaining": "188",
            },
            Heard(Rate(190, 10.0), 2, {"daily": (10, 250000)}),
        ),
        # An OAuth app hears nothing of the day
        (
            {
                "X-HubSpot-RateLimit-Interval-Milliseconds": "10000",
                "X-HubSpot-RateLimit-Max": "110",
                "X-HubSpot-RateLimit-Remaining": "110",
            },
            Heard(Rate(110, 10.0), 0, {}),
        ),
        # A search carries none
        ({}, Heard()),
        # Both forms of the Salesforce header (Salesforce reference, section 7)
        ({"Sforce-Limit-Info": "api-usage=18/5000"}, Heard(days={"api-usage": (18, 5000)})),
        (
            {"Sforce-Limit-Info": "api-usage=18/5000; per-app-api-usage=17/250(appName=x)"},
            Heard(days={"api-usage": (18, 5000), "per-app-api-usage": (17, 250)}),
        ),
        # A header we do not understand must not stop a sync
        ({"X-HubSpot-RateLimit-Max": "many", "Sforce-Limit-Info": "soon"}, Heard()),
    ],
)
def test_limits_are_read_from_the_headers(headers: dict[str, str], heard: Heard) -> None:
    assert read_limits(headers) == heard


@given(
    calls=st.integers(1, 40),
    seconds=st.sampled_from([1.0, 10.0]),
    gaps=st.lists(st.floats(0.0, 2.0), min_size=1, max_size=120),
)
def test_no_window_ever_holds_more_calls_than_allowed(calls: int, seconds: float, gaps: list[float]) -> None:
    time = Time()
    budget = quota(time, Rate(calls, seconds))
    made = []
    for gap in gaps:
        time.seconds += gap
        budget.before()
        made.append(time.seconds)
    for start in made:
        assert sum(start <= t < start + seconds * 0.999 for t in made) <= calls


def test_a_burst_passes_without_waiting_until_the_window_is_full() -> None:
    time = Time()
    budget = quota(time, Rate(100, 10.0))
    for _ in range(96):
        budget.before()
    assert time.seconds == 0.0
    budget.before()
    assert time.seconds == pytest.approx(10.0)


def test_calls_of_other_integrations_count() -> None:
    time = Time()
    budget = quota(time, Rate(100, 10.0))
    budget.learn(
        {
            "X-HubSpot-RateLimit-Interval-Milliseconds": "10000",
            "X-HubSpot-RateLimit-Max": "100",
            "X-HubSpot-RateLimit-Remaining": "0",
        }
    )
    budget.before()
    assert time.seconds == pytest.approx(10.0)


def test_the_window_grows_when_the_crm_says_so() -> None:
    time = Time()
    budget = quota(time, Rate(1, 10.0))
    headers = {"X-HubSpot-RateLimit-Interval-Milliseconds": "10000", "X-HubSpot-RateLimit-Max": "190"}
    budget.learn(headers)
    for _ in range(100):
        budget.before()
    assert time.seconds == 0.0


def test_after_a_refusal_nobody_calls_until_the_window_is_over() -> None:
    time = Time()
    budget = quota(time, Rate(100, 10.0))
    budget.hold("calls", 7.0)
    budget.before()
    assert time.seconds == pytest.approx(7.0)


def test_a_window_without_a_rate_is_not_limited() -> None:
    time = Time()
    budget = quota(time)
    for _ in range(1000):
        budget.before("search")
    assert time.seconds == 0.0


def test_a_queue_that_takes_minutes_is_left_to_the_job() -> None:
    budget = quota(Time(), Rate(1, 3600.0))
    budget.before()
    with pytest.raises(RetryLater):
        budget.before()


def test_a_used_up_day_waits_for_the_accounts_midnight() -> None:
    time = Time()
    budget = quota(time)
    budget.learn(daily(remaining=0))
    with pytest.raises(RetryLater) as raised:
        budget.before()
    assert raised.value.not_before == midnight(NOON)
    assert raised.value.code == "DAILY"
    time.seconds = 12 * 3600.0
    budget.before()


@pytest.mark.parametrize(("remaining", "stops"), [(201, False), (200, True), (0, True)])
def test_our_share_of_the_day_leaves_the_rest_to_others(remaining: int, stops: bool) -> None:
    budget = quota(Time(), share=0.8)
    budget.learn(daily(remaining))
    if stops:
        with pytest.raises(RetryLater):
            budget.before()
    else:
        budget.before()


def test_a_per_app_budget_is_ours_alone_and_used_to_its_end() -> None:
    budget = quota(Time(), share=0.5)
    budget.learn({"Sforce-Limit-Info": "api-usage=18/5000; per-app-api-usage=200/250(appName=x)"})
    budget.before()
    budget.learn({"Sforce-Limit-Info": "api-usage=18/5000; per-app-api-usage=250/250(appName=x)"})
    with pytest.raises(RetryLater):
        budget.before()


def test_a_person_is_asked_when_nobody_knows_when_the_day_ends() -> None:
    time = Time()
    budget = quota(time, resets=None)
    budget.learn(daily(remaining=0))
    with pytest.raises(NeedsPerson) as raised:
        budget.before()
    assert raised.value.fix
    # A rolling day frees calls unseen, so the next hour asks again.
    time.seconds = 3600.0
    budget.before()


def test_a_refusal_for_the_day_stops_every_later_call() -> None:
    budget = quota(Time())
    assert isinstance(budget.day_is_over(), RetryLater)
    with pytest.raises(RetryLater):
        budget.before()


def test_two_connectors_share_a_ledger_without_sharing_a_budget() -> None:
    time = Time()
    ledger = MemoryLedger(time.monotonic)
    made = {
        name: Quota(name, {}, ledger=ledger, clock=time.utc, sleep=time.sleep, resets=midnight)
        for name in ("hubspot", "salesforce")
    }
    made["hubspot"].learn(daily(remaining=0))
    made["salesforce"].before()
    assert made["hubspot"].days()["daily"].used == 1000


def in_lane(lane: Lane, time: Time, rate: Rate | None = None, *, ledger: MemoryLedger) -> Quota:
    rates = {"calls": rate} if rate is not None else {}
    return Quota(
        "hubspot",
        rates,
        ledger=ledger,
        clock=time.utc,
        sleep=time.sleep,
        share=0.8,
        resets=midnight,
        lane=lane,
    )


def test_a_backfill_leaves_a_fifth_of_the_window_to_everybody_else() -> None:
    time = Time()
    ledger = MemoryLedger(time.monotonic)
    backfill = in_lane("backfill", time, Rate(100, 10.0), ledger=ledger)
    live = in_lane("live", time, Rate(100, 10.0), ledger=ledger)
    for _ in range(76):
        backfill.before()
    for _ in range(19):
        live.before()
    assert time.seconds == 0.0
    backfill.before()
    assert time.seconds > 0.0


@pytest.mark.parametrize(
    ("lane", "used", "goes_on"),
    [
        ("backfill", 599, True),
        ("backfill", 600, False),
        ("live", 600, True),
        ("live", 800, False),
        ("handover", 799, True),
        ("handover", 800, False),
        ("consent", 999, True),
        ("consent", 1000, False),
    ],
)
def test_each_lane_stops_at_its_own_part_of_the_day(lane: Lane, used: int, goes_on: bool) -> None:
    time = Time()
    budget = in_lane(lane, time, ledger=MemoryLedger(time.monotonic))
    budget.learn(daily(1000 - used))
    if goes_on:
        budget.before()
        return
    with pytest.raises(RetryLater) as caught:
        budget.before()
    assert caught.value.not_before == midnight(NOON)


def test_calls_inside_a_lane_are_counted_there_and_those_after_it_are_not() -> None:
    time = Time()
    budget = in_lane("live", time, ledger=MemoryLedger(time.monotonic))
    budget.learn(daily(100))
    with budget.in_lane("consent"):
        budget.before()
    with pytest.raises(RetryLater):
        budget.before()
