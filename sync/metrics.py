"""What Prometheus reads. Numbers only: no label is the id of a lead, of a record, or of anybody.

Requests are counted by this process; everything else is asked of the database when somebody looks, so it is the same
whichever process is asked. ``docs/webhooks.md`` names every metric.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from sync.errors import DatabaseAway
from sync.freshness import told
from sync.remaining import Left
from sync.store.freshness import RunsOf
from sync.store.watch import Numbers

_log = logging.getLogger(__name__)

#: What is left, by what it is of (``backfill N``, ``inbox``).
Lefts = Mapping[str, Left]
#: Lane and state to how many jobs.
Jobs = Mapping[tuple[str, str], int]
#: Up to these many seconds; an answer is due within 0.1 and has to come within 5 (HubSpot reference, section 10.2).
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class Metrics:
    """The counters of one process, in a registry of their own."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self.requests = Counter(
            "leadpact_webhook_requests",
            "Requests of a CRM, by what became of them.",
            ["crm", "outcome"],
            registry=registry,
        )
        self.events = Counter(
            "leadpact_webhook_events",
            "Events in requests that were believed, by what became of them.",
            ["crm", "kind", "outcome"],
            registry=registry,
        )
        self.seconds = Histogram(
            "leadpact_webhook_seconds",
            "From a whole head of a request to its answer.",
            ["crm"],
            buckets=SECONDS,
            registry=registry,
        )

    def read(self) -> bytes:
        """Everything in Prometheus's text format. Asks the database; not to be called in the event loop."""
        return generate_latest(self.registry)


class StoredNumbers(Collector):
    """What the database knows, asked when it is read. Without a database only that is told."""

    def __init__(
        self,
        numbers: Callable[[datetime], Numbers],
        clock: Callable[[], datetime],
        jobs: Callable[[], Jobs] | None = None,
        left: Callable[[], Lefts] | None = None,
    ) -> None:
        self._numbers = numbers
        self._clock = clock
        self._jobs = jobs
        self._left = left

    def describe(self) -> Iterable[Metric]:
        """Nothing: a registry must not ask the database when it is made."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Every gauge."""
        now = self._clock()
        try:
            found = self._numbers(now)
            jobs = None if self._jobs is None else self._jobs()
            left = None if self._left is None else self._left()
        except Exception as problem:  # noqa: BLE001 - the counters of this process are told all the same
            if not isinstance(problem, DatabaseAway):
                _log.warning("the numbers could not be asked for: %s", type(problem).__name__)
            yield _gauge("database_up", "Whether the database answers.", (), [((), 0)])
            return
        yield _gauge("database_up", "Whether the database answers.", (), [((), 1)])
        yield from _inbox(found, now)
        yield from _logs(found, now)
        yield from _freshness(found)
        yield from _runs(found.runs)
        yield from _calls(found)
        yield _gauge(
            "waiting",
            "What waits for somebody or something.",
            ("what",),
            [
                (("held for a person",), found.backlog.held),
                (("refused by a CRM",), found.backlog.refused),
                (("written, end unknown",), found.backlog.intents),
            ],
        )
        if left is not None:
            yield from _left(left)
        if jobs is not None:
            yield _gauge(
                "jobs",
                "Jobs by lane and state.",
                ("lane", "state"),
                [(key, n) for key, n in sorted(jobs.items())],
            )


def _gauge(
    name: str, words: str, labels: tuple[str, ...], values: Iterable[tuple[tuple[str, ...], float]]
) -> Metric:
    family = GaugeMetricFamily(f"leadpact_{name}", words, labels=labels)
    for given, value in values:
        family.add_metric(list(given), value)
    return family


def _inbox(found: Numbers, now: datetime) -> Iterator[Metric]:
    yield _gauge(
        "inbox_records",
        "Records that a CRM told of and nobody has read again.",
        ("crm",),
        [((one.crm,), one.records) for one in found.inbox],
    )
    yield _gauge(
        "inbox_parked_records",
        "Records that could not be worked on several times.",
        ("crm",),
        [((one.crm,), one.parked) for one in found.inbox],
    )
    ages = [((one.crm,), (now - one.oldest).total_seconds()) for one in found.inbox if one.oldest]
    yield _gauge("inbox_oldest_seconds", "How long the oldest of them has waited.", ("crm",), ages)


def _left(left: Lefts) -> Iterator[Metric]:
    yield _gauge(
        "left_records",
        "Records that are left of what is under way.",
        ("of",),
        [((name,), one.records) for name, one in left.items()],
    )
    yield _gauge(
        "left_seconds",
        "For how long, at the pace so far; not there where nobody knows yet.",
        ("of",),
        [((name,), one.seconds) for name, one in left.items() if one.seconds is not None],
    )


def _logs(found: Numbers, now: datetime) -> Iterator[Metric]:
    yield _gauge(
        "log_age_seconds",
        "How long a log that is pulled has not been heard.",
        ("log",),
        [((one.name,), (now - one.heard_at).total_seconds()) for one in found.logs],
    )
    yield _gauge(
        "log_open_gaps",
        "What it could not tell, and nobody has read again.",
        ("log",),
        [((one.name,), sum(gap.name == one.name for gap in found.gaps)) for one in found.logs],
    )


def _freshness(found: Numbers) -> Iterator[Metric]:
    lanes = told(found.freshness)
    yield _gauge(
        "freshness_seconds",
        "From a change in one CRM to the written answer in the other, over the last hour.",
        ("lane", "quantile"),
        [
            ((one.lane, share), seconds)
            for one in lanes
            for share, seconds in (("0.5", one.p50), ("0.95", one.p95))
        ],
    )
    yield _gauge(
        "freshness_answers",
        "How many answers of the last hour that is.",
        ("lane",),
        [((one.lane,), one.leads) for one in lanes],
    )


def _runs(runs: list[RunsOf]) -> Iterator[Metric]:
    yield _gauge(
        "runs_of_a_day",
        "Runs that began in the last 24 hours.",
        ("command", "state"),
        [((one.command, one.state), one.runs) for one in runs],
    )
    outcomes = ("written", "unchanged", "held", "refused")
    yield _gauge(
        "targets_of_a_day",
        "How the leads of these runs ended, each counted once in each CRM.",
        ("outcome",),
        [((name,), sum(getattr(one, name) for one in runs)) for name in outcomes],
    )


def _calls(found: Numbers) -> Iterator[Metric]:
    yield _gauge(
        "calls_of_a_day",
        "Calls that these runs made.",
        ("crm",),
        [
            (("hubspot",), sum(one.calls_hubspot for one in found.runs)),
            (("salesforce",), sum(one.calls_salesforce for one in found.runs)),
        ],
    )
    budgets = [((one.crm, one.name), one) for one in found.budgets]
    yield _gauge(
        "quota_used_calls",
        "Calls of its day, everybody's, as the CRM said last.",
        ("crm", "budget"),
        [(key, one.used) for key, one in budgets],
    )
    yield _gauge(
        "quota_left_calls",
        "What is left of that day.",
        ("crm", "budget"),
        [(key, max(one.limit - one.used, 0)) for key, one in budgets],
    )
