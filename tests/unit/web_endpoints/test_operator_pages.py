"""What supervisors, Prometheus and operators are told, and who else is not."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from sync.errors import DatabaseAway
from sync.metrics import Metrics, StoredNumbers
from sync.store.freshness import RunsOf
from sync.store.inbox import Waiting
from sync.store.offsets import PullGap, PullLog
from sync.store.standing import Backlog, Budget
from sync.store.watch import Numbers

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


def test_a_living_process_says_so_and_a_ready_one_too(served: Any) -> None:
    assert (served.ask("GET", "/healthz").status, served.ask("GET", "/readyz").document["ready"]) == (
        200,
        True,
    )
    served.unready.append("the database does not answer")
    end = time.monotonic() + 60
    while (answer := served.ask("GET", "/readyz")).status == 200:
        assert time.monotonic() < end, "an answer is good for half a second, however many ask"
    assert (answer.status, answer.headers["Retry-After"]) == (503, "10")
    assert answer.document == {"ready": False, "problems": ["the database does not answer"]}
    assert served.ask("GET", "/healthz").status == 200, "a process without a database lives, and recovers"


@pytest.mark.parametrize(
    ("token", "headers", "api", "metrics"),
    [
        (None, {}, 200, 200),
        (None, {"Host": "127.0.0.1:8470"}, 200, 200),
        (None, {"Host": "[::1]:8470"}, 200, 200),
        # A page of a stranger, in a browser on this machine
        (None, {"Host": "rebound.example"}, 403, 200),
        # Somebody outside, through a proxy on this machine
        (None, {"X-Forwarded-For": "203.0.113.9"}, 403, 403),
        (None, {"Forwarded": "for=203.0.113.9"}, 403, 403),
        ("planted-api-token", {}, 401, 200),
        ("planted-api-token", {"Authorization": "Bearer planted-api-toke"}, 401, 200),
        ("planted-api-token", {"Authorization": "planted-api-token"}, 401, 200),
        ("planted-api-token", {"Authorization": "Bearer planted-api-token"}, 200, 200),
        (
            "planted-api-token",
            {"Authorization": "Bearer planted-api-token", "X-Forwarded-For": "203.0.113.9"},
            200,
            200,
        ),
    ],
)
def test_the_api_and_the_numbers_are_not_for_everybody(
    served_with: Callable[..., Any], token: str | None, headers: dict[str, str], api: int, metrics: int
) -> None:
    with served_with(api_token=token) as served:
        assert served.ask("GET", "/api/status", headers=headers).status == api
        assert served.ask("GET", "/metrics", headers=headers).status == metrics


def test_an_api_without_its_database_says_so(served_with: Callable[..., Any]) -> None:
    def away() -> Any:
        raise DatabaseAway("the database does not answer")

    def broken() -> Any:
        raise OSError("connection to planted-host failed")

    with served_with(answers={"status": away, "runs": broken}) as served:
        answer = served.ask("GET", "/api/status")
        assert (answer.status, answer.document) == (503, {"problem": "the database does not answer"})
        answer = served.ask("GET", "/api/runs")
        assert (answer.status, answer.document) == (503, {"problem": "the memory could not be asked"})
        assert served.ask("POST", "/api/status").status == 405


def test_prometheus_reads_what_was_counted_here_and_what_the_database_knows() -> None:
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    numbers = Numbers(
        inbox=[Waiting("hubspot", 12, 40, NOW - timedelta(seconds=30), 1)],
        freshness={"live": {40: 9, 60: 1}},
        runs=[
            RunsOf("webhook", "done", 5, 7, 3, 1, 2, 20, 10),
            RunsOf("sync", "failed", 1, 0, 0, 0, 0, 4, 2),
        ],
        budgets=[Budget("hubspot", "daily", 900, 1000, NOW)],
        backlog=Backlog(3, None, 2, None, 1, None, 0),
        logs=[PullLog("hubspot journal", "hubspot", None, NOW, NOW - timedelta(seconds=8))],
        gaps=[PullGap(1, "hubspot journal", "hubspot", "lost", NOW, NOW, None, NOW, None, None)],
    )
    registry.register(StoredNumbers(lambda _now: numbers, lambda: NOW, lambda: {("live", "queued"): 4}))
    metrics.requests.labels("hubspot", "stored").inc()
    read = metrics.read().decode()
    for line in (
        'leadpact_webhook_requests_total{crm="hubspot",outcome="stored"} 1.0',
        "leadpact_database_up 1.0",
        'leadpact_inbox_records{crm="hubspot"} 12.0',
        'leadpact_inbox_oldest_seconds{crm="hubspot"} 30.0',
        'leadpact_inbox_parked_records{crm="hubspot"} 1.0',
        'leadpact_log_age_seconds{log="hubspot journal"} 8.0',
        'leadpact_log_open_gaps{log="hubspot journal"} 1.0',
        'leadpact_freshness_answers{lane="live"} 10.0',
        'leadpact_runs_of_a_day{command="webhook",state="done"} 5.0',
        'leadpact_targets_of_a_day{outcome="written"} 7.0',
        'leadpact_calls_of_a_day{crm="hubspot"} 24.0',
        'leadpact_quota_used_calls{budget="daily",crm="hubspot"} 900.0',
        'leadpact_quota_left_calls{budget="daily",crm="hubspot"} 100.0',
        'leadpact_waiting{what="held for a person"} 3.0',
        'leadpact_jobs{lane="live",state="queued"} 4.0',
    ):
        assert line in read.splitlines(), line
    seconds = registry.get_sample_value("leadpact_freshness_seconds", {"lane": "live", "quantile": "0.95"})
    assert seconds == pytest.approx(30, rel=0.1)


@pytest.mark.parametrize("problem", [DatabaseAway("the database does not answer"), OSError("gone")])
def test_a_database_that_is_away_is_the_one_number_left(problem: Exception) -> None:
    def away(_now: datetime) -> Numbers:
        raise problem

    registry = CollectorRegistry()
    metrics = Metrics(registry)
    registry.register(StoredNumbers(away, lambda: NOW))
    read = metrics.read().decode()
    assert "leadpact_database_up 0.0" in read
    assert "leadpact_inbox_records" not in read
