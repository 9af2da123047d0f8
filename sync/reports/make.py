"""Make a report: read, count, and tell it as one document. The same function serves the command and a schedule.

Nothing is written but the numbers of goals whose period has ended: they are kept as they are first told.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from mapping.qualification.declared import Policy
from sync.handover_told import review_rows, timing
from sync.reports.costs import converted
from sync.reports.document import Document
from sync.reports.gather import Gathered, gather, midnight, read_campaigns
from sync.reports.goals import Counted, Frozen, Standing, count, period_between, stand
from sync.reports.rules import Rules
from sync.reports.tell import Counting, tell
from sync.reports.voice import Language, Voice
from sync.store.reporting import FrozenPeriod
from sync.work import Work


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody wants to see. ``first`` and ``last``: days, both included; None: the last twelve months."""

    language: Language
    first: date | None = None
    last: date | None = None
    handover_review: bool = False


def make_report(
    work: Work, rules: Rules, asked: Asked, policy_of: Callable[[Mapping[str, Any]], Policy] | None = None
) -> Document:
    """The whole report. Raises the connectors' errors only where campaigns come from Salesforce.

    ``policy_of`` makes a policy of its stored tables, for disputed handovers that another policy decided.
    """
    return tell(count_all(work, rules, asked, policy_of), Voice(asked.language, rules.zone))


def count_all(
    work: Work, rules: Rules, asked: Asked, policy_of: Callable[[Mapping[str, Any]], Policy] | None = None
) -> Counting:
    """Read and count everything that a report tells."""
    now, policy = work.clock(), work.policy
    last = asked.last or now.astimezone(rules.zone).date()
    first = asked.first or _year_before(last) + timedelta(days=1)
    campaigns = read_campaigns(work, rules.declared) if rules.salesforce_campaigns else None
    owners = work.store.reporting.owners() if rules.per_person else None
    gathered = gather(
        work,
        rules.declared,
        rules.zone,
        campaigns=campaigns,
        attribution=rules.attribution,
        owners=owners,
    )
    period = period_between(first, last, rules.zone)
    kept = work.handover is not None
    review = asked.handover_review and kept
    every = (*rules.declared.costs, *(campaigns.costs if campaigns else ()))
    return Counting(
        policy=policy,
        channels=rules.declared.channels,
        rows=gathered.rows,
        history=gathered.history,
        costs=converted(every, policy.currency, lambda day: policy.rates_at(midnight(day, rules.zone))),
        goals=tuple(goals(work, rules, gathered, now)),
        first=first,
        last=last,
        now=now,
        zone=rules.zone,
        attribution=rules.attribution,
        smallest_group=rules.smallest_group,
        per_person=rules.per_person,
        undated=campaigns.undated if campaigns else 0,
        handover=timing(work, period.start, period.end) if kept else None,
        review=review_rows(work, period.start, period.end, policy_of, asked.language) if review else None,
        with_review=asked.handover_review,
    )


def _year_before(day: date) -> date:
    leap_day = (day.month, day.day) == (2, 29)
    return day.replace(year=day.year - 1, day=28 if leap_day else day.day)


def goals(work: Work, rules: Rules, gathered: Gathered, now: datetime) -> list[Standing]:
    """Every goal as it stands; a period that has ended is frozen when it is first told."""
    reporting = work.store.reporting
    known = reporting.frozen()
    standings: list[Standing] = []
    for goal in rules.declared.goals:
        counted = count(goal, gathered.rows, rules.zone)
        standing = stand(goal, counted, _frozen(known, goal.key, goal.digest), now, rules.zone)
        if standing.state == "closed" and standing.frozen is None:
            reporting.freeze(
                FrozenPeriod(
                    goal.key, goal.digest, goal.first, goal.last, counted.counted, counted.reached, now
                )
            )
            # Read back: another process may have told it a moment ago, and its numbers are the ones that count.
            known = reporting.frozen()
            standing = stand(goal, counted, _frozen(known, goal.key, goal.digest), now, rules.zone)
        standings.append(standing)
    return standings


def _frozen(known: Sequence[FrozenPeriod], key: str, digest: str) -> Frozen | None:
    for one in known:
        if (one.goal, one.digest) == (key, digest):
            return Frozen(digest, Counted(one.counted, one.reached), one.frozen_at)
    return None
