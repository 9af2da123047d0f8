"""What follows a job that did not end well, and how jobs fold."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import NeedsPerson, OurBug, RetryLater
from connectors.quota import RESERVES
from sync.backfill import Wanted
from sync.errors import CrmAway, DatabaseAway, GuardStopped, WrongUse
from sync.jobs import (
    LANES,
    MOST_RECORDS,
    SCHEDULED,
    WrongJob,
    backfill_slice,
    drain_inbox,
    look_at,
    wanted_of,
)
from sync.jobs_after import GivenBack, Verdict, judge, tired
from sync.jobs_kinds import KINDS, Busy
from sync.jobs_worker import arranged
from sync.sections_service import ScheduleSettings
from sync.store.jobs import PRIORITIES, Failure

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
LATE = NOW + timedelta(hours=9)


@pytest.mark.parametrize(
    ("error", "lane", "attempts", "then", "seconds"),
    [
        # Somebody else has the lead: soon again, and never parked for that
        (Busy("3 leads"), "live", 0, "again", 1),
        (Busy("3 leads"), "live", 3, "again", 8),
        (Busy("3 leads"), "live", 50, "again", 30),
        # A CRM is away: minutes to hours, less where people wait
        (RetryLater("busy"), "backfill", 0, "again", 60),
        (RetryLater("busy"), "backfill", 3, "again", 480),
        (RetryLater("busy"), "backfill", 30, "again", 3_600),
        (RetryLater("busy"), "handover", 30, "again", 300),
        (CrmAway("away"), "live", 30, "again", 900),
        # and never before the CRM said
        (RetryLater("daily", not_before=LATE), "consent", 0, "again", 9 * 3_600),
        (RetryLater("login", wait_seconds=600.0), "consent", 0, "again", 600),
        (RetryLater("login", wait_seconds=10.0), "consent", 0, "again", 60),
        (RetryLater("nonsense", wait_seconds=1e12), "consent", 0, "again", 86_400),
        # The worker ends, or the database went away: at once, by whoever is there
        (GivenBack(), "live", 4, "again", None),
        (DatabaseAway("away"), "live", 4, "again", None),
        (psycopg.OperationalError("gone"), "live", 4, "again", None),
        # A person has to act
        (NeedsPerson("no scope", fix="grant it"), "live", 0, "park", None),
        (WrongUse("no sync has ended"), "backfill", 0, "park", None),
        # A guard stopped it: the next scheduled run tries again
        (GuardStopped("too many creates", fix="look"), "live", 0, "drop", None),
        # Nobody foresaw it
        (KeyError("anna@sommer.example"), "live", 0, "again", 5),
        (OurBug("nonsense"), "live", 2, "again", 20),
        (WrongJob("of a newer program"), "live", 0, "again", 5),
    ],
)
def test_what_follows_an_error(
    error: BaseException, lane: str, attempts: int, then: str, seconds: float | None
) -> None:
    verdict = judge(error, lane, attempts, NOW, "sync.run:1")
    assert verdict.then == then
    assert verdict.at == (None if seconds is None else NOW + timedelta(seconds=seconds))


def test_the_words_of_an_error_that_nobody_foresaw_are_not_kept() -> None:
    verdict = judge(KeyError("anna@sommer.example"), "live", 0, NOW, "sync.run:1")
    assert verdict.failure is not None
    assert verdict.failure.kind == "KeyError"
    assert "anna" not in repr(verdict)


@pytest.mark.parametrize(
    ("counts", "failures", "seconds", "then"),
    [
        (True, 4, 10.0, "again"),
        (True, 5, 10.0, "park"),
        # A CRM's night off parks nothing, a whole day does
        (False, 0, 23 * 3_600.0, "again"),
        (False, 0, 25 * 3_600.0, "park"),
    ],
)
def test_a_job_that_fails_again_and_again_is_parked(
    counts: bool, failures: int, seconds: float, then: str
) -> None:
    verdict = Verdict("again", Failure("KeyError", "sync.run:1", "", counts=counts), NOW)
    assert tired(verdict, failures, seconds, 5).then == then


def test_waiting_for_another_run_parks_no_job() -> None:
    assert tired(Verdict("again", None, NOW), 100, 1e9, 5).then == "again"


@pytest.mark.parametrize(
    ("code", "what", "not_before", "then"),
    [
        ("DAILY", "backfill", LATE, "again"),
        ("DAILY", "drift", LATE, "park"),
        ("DAILY", "agree", LATE, "park"),
        ("DAILY", "backfill", None, "park"),
        ("HTTP 503", "backfill", LATE, "park"),
    ],
)
def test_a_backfill_that_waits_for_calls_is_never_parked_for_that(
    code: str, what: str, not_before: datetime | None, then: str
) -> None:
    error = RetryLater("no calls", code=code, not_before=not_before)
    verdict = judge(error, "backfill", 3, NOW, "sync.run:1", what=what)
    assert tired(verdict, 0, 49 * 3_600.0, 5).then == then


def test_a_burst_about_the_same_records_is_one_job() -> None:
    [first] = look_at("hubspot", ["2", "1", "2"])
    [second] = look_at("hubspot", ["1", "2"])
    assert first == second
    assert first.args["records"] == ["1", "2"]
    [other] = look_at("salesforce", ["1", "2"])
    assert other.fold != first.fold
    assert "1" not in str(first.fold).split(":")


@given(st.integers(0, 450))
def test_many_records_are_looked_at_in_calls_of_a_hundred(count: int) -> None:
    jobs = look_at("hubspot", [str(number) for number in range(count)])
    assert sum(len(job.args["records"]) for job in jobs) == count
    assert all(len(job.args["records"]) <= MOST_RECORDS for job in jobs)


def test_an_urgent_drain_goes_by_the_lane_of_consent() -> None:
    assert drain_inbox("hubspot", urgent=True).lane == "consent"
    assert drain_inbox("hubspot").lane == "live"
    assert drain_inbox("hubspot", urgent=True).fold != drain_inbox("hubspot").fold


@pytest.mark.parametrize("start", [None, NOW])
def test_a_backfill_comes_out_of_its_job_as_it_went_in(start: datetime | None) -> None:
    wanted = Wanted(("hubspot",), start, NOW + timedelta(days=1))
    job = backfill_slice(wanted, approve=True)
    assert wanted_of(job.args) == wanted
    assert job.lane == "backfill"


@pytest.mark.parametrize(
    "args", [{}, {"crms": None, "from": None, "to": None}, {"crms": [], "from": 3, "to": ""}]
)
def test_a_backfill_that_nobody_understands_is_a_wrong_job(args: dict[str, object]) -> None:
    with pytest.raises(WrongJob):
        wanted_of(args)


def test_higher_lanes_come_first_and_are_those_of_the_call_budgets() -> None:
    assert sorted(PRIORITIES, key=lambda lane: -PRIORITIES[lane]) == list(LANES)
    assert set(RESERVES) <= set(LANES)


def test_every_schedule_is_a_setting_and_a_job() -> None:
    assert set(SCHEDULED) == set(ScheduleSettings.model_fields) - {"time_zone"}
    assert set(SCHEDULED) <= set(KINDS)


def test_no_lane_waits_for_the_hands_of_a_lower_one() -> None:
    lanes = arranged(3)
    assert {lane for one in lanes for lane in one.lanes} == set(LANES)
    assert [one.hands for one in lanes if "backfill" in one.lanes] == [1]
    assert all(one.lanes == ("backfill",) for one in lanes if "backfill" in one.lanes)
    assert sum(one.hands for one in lanes if "handover" in one.lanes and "live" not in one.lanes) == 1
