"""Whether the world moved under the policy: the rate of all leads, and of each band, then and lately.

    found = compare_rates(work, limits)        # from Leadpact's own history, as `policy backtest` counts
    look_at_rates(work, found, limits, …)      # an alert for each rate that moved; kept for the Monday mail

Both compare what became of the last fifth of the leads with what became of those before them. Together the comparisons
of one look raise a false alarm once in a hundred; an alert lasts until its rates differ by less than what chance brings
once in twenty, so that one that swings around the limit is told once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from mapping.qualification.backtest import CASE, JUDGED, Backtest, backtest, judge_cases
from mapping.qualification.backtest_drift import ALL_LEADS, FALSE_ALARMS, Drift, drift_between
from mapping.qualification.backtest_rates import Rate, rate_of
from mapping.qualification.declared import Policy
from sync.alerts import Changed, Finding, look_at
from sync.backtest_own import own_slices
from sync.backtest_sources import scored_alone
from sync.sections_notify import AlertKind, AlertSettings
from sync.store.alerts import RatesCompared
from sync.work import Work

KIND: AlertKind = "rates"
#: A lead is judged so many days after it was first known, as `policy backtest` does where nobody says otherwise.
AFTER_DAYS = 14
#: What is open lasts while its rates differ more than this often by chance.
LASTING = 0.05


@dataclass(frozen=True, slots=True)
class Moved:
    """What came of one look. ``found``: rates that moved; ``lasting``: those that have not come back yet."""

    at: datetime
    outcome: str
    after: Rate
    found: tuple[Finding, ...]
    lasting: tuple[Finding, ...]


def compare_rates(work: Work, limits: AlertSettings) -> Moved:
    """Hold what became of the leads lately against what became of those before. Reads the memory alone.

    Leads that a CRM had known for longer than ``AFTER_DAYS`` by their first verdict are not compared, nor those of
    Leadpact's first ``AFTER_DAYS``: of these it can count only those who had not converted yet.

    Where no lead is old enough to have an outcome, nothing is found, and ``after`` counts nobody.
    """
    policy = work.policy
    # Of a slice only the verdicts are kept: what is known of all leads may be more than a worker's memory holds.
    judged = [
        judge_cases(scored_alone(work, cases), policy).select(*CASE, *JUDGED)
        for cases in own_slices(work, policy, limits.outcome, AFTER_DAYS, limits.outcome_days, stock=False)
    ]
    if not judged:
        return Moved(work.clock(), limits.outcome, rate_of(0, 0), (), ())
    return moved_in(backtest(pl.concat(judged), policy), policy, limits.outcome, work.clock())


def moved_in(found: Backtest, policy: Policy, outcome: str, now: datetime) -> Moved:
    """What moved between the two parts of a backtest. Without a split by time nothing can be said to. Pure."""

    def drifted(false_alarms: float) -> tuple[Finding, ...]:
        if found.split != "time":
            return ()
        before = [(ALL_LEADS, found.train.rate), *found.train.bands]
        after = [(ALL_LEADS, found.test.rate), *found.test.bands]
        return tuple(_finding(one, policy, outcome) for one in drift_between(before, after, false_alarms))

    return Moved(now, outcome, found.test.rate, drifted(FALSE_ALARMS), drifted(LASTING))


def _finding(one: Drift, policy: Policy, outcome: str) -> Finding:
    numbers = {**_numbers("before", one.before), **_numbers("after", one.after), "outcome": outcome}
    if one.what == ALL_LEADS:
        return Finding(KIND, ALL_LEADS, "rates.all", numbers)
    return Finding(KIND, f"band {one.what}", "rates.band", {**numbers, "band": policy.label(one.what)})


def _numbers(when: str, rate: Rate) -> dict[str, Any]:
    """Shares in %, with one digit, and of how many leads."""
    shares = {"": rate.rate or 0.0, "_low": rate.low, "_high": rate.high}
    return {
        **{f"{when}{end}": round(share * 100, 1) for end, share in shares.items()},
        f"{when}_leads": rate.leads,
    }


def look_at_rates(work: Work, moved: Moved, limits: AlertSettings, recipients: Sequence[str]) -> Changed:
    """Open and clear the alerts, and keep what the Monday mail tells: all of it, or nothing."""
    muted = KIND in limits.muted
    with work.store.transaction():
        known = {one.about for one in work.store.alerts.open() if one.kind == KIND}
        abouts = {one.about for one in moved.found} | known
        told = [one.as_stored() for one in moved.lasting if one.about in abouts]
        work.store.alerts.keep_rates(
            RatesCompared(moved.at, moved.outcome, moved.after.leads, moved.after.outcomes, told)
        )
        found = () if muted else moved.found
        return look_at(work, found, () if muted else moved.lasting, (KIND,), recipients)
