"""The endpoints' belongings, from the settings, the database and the CRMs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from prometheus_client import CollectorRegistry

from connectors.hubspot.signature import Verifier
from sync.inbox import wanted
from sync.metrics import Jobs, Lefts, Metrics, StoredNumbers
from sync.settings import Settings
from sync.status import as_document, status_of
from sync.store.intake import Enqueue, Intake
from sync.store.watch import Watch
from sync.web.belongings import Limits, WebBelongings
from sync.work import CRMS, Work

#: Runs that the JSON API tells of.
RUNS_TOLD = 50


@dataclass
class Joined:
    """Belongings, and the connection that the service's own pages use. Close it after the application."""

    web: WebBelongings
    watch: Watch

    def close(self) -> None:
        self.watch.close()


def web_belongings(
    settings: Settings,
    url: str,
    work: Work,
    *,
    enqueue: Enqueue | None = None,
    jobs: Callable[[], Jobs] | None = None,
    left: Callable[[], Lefts] | None = None,
) -> Joined:
    """For the accounts of ``work``, which the API alone uses from now on: hand in one of its own.

    ``url``: of the database. ``enqueue``: see ``sync.store.intake``. ``jobs``: lane and state to how many.
    ``left``: of what is under way.
    """
    number = work.store.runs.connection_id
    # From the memory: the endpoints take events while a CRM is away.
    (known,) = [row for row in work.store.accounts() if row[0] == number]
    accounts = dict(zip(CRMS, known[1:3], strict=True))
    watch = Watch(url, number)
    metrics = Metrics(CollectorRegistry())
    metrics.registry.register(StoredNumbers(watch.numbers, work.clock, jobs, left))
    limits = Limits(body_bytes=settings.web.body_limit)
    return Joined(
        WebBelongings(
            clock=work.clock,
            accounts=accounts,
            wanted=wanted(work),
            way_in=Intake(url, number, enqueue),
            metrics=metrics,
            unready=lambda: watch.unready(limits.most_waiting),
            verifier=_verifier(settings),
            secret_path=_shown(settings.web.secret_path),
            certificate_header=settings.web.client_certificate_header,
            answers=api_answers(work),
            api_token=_shown(settings.web.api_token),
            limits=limits,
        ),
        watch,
    )


def api_answers(work: Work) -> dict[str, Callable[[], Any]]:
    """What the JSON API tells, from the memory and as `status` tells it; one question at a time."""
    lock = threading.Lock()

    def alone(tell: Callable[[Work], Any]) -> Callable[[], Any]:
        def told() -> Any:
            with lock:
                return tell(work)

        return told

    return {"status": alone(_status), "runs": alone(_runs), "held": alone(_held)}


def _status(work: Work) -> Any:
    return as_document(status_of(work))


def _runs(work: Work) -> Any:
    """As `runs --json` (contract)."""
    return {
        "runs": [
            {
                "run": row.run,
                "command": row.command,
                "state": row.state,
                "started": row.started,
                "ended": row.ended,
                **{
                    name: value
                    for name, value in asdict(row.numbers).items()
                    if name in ("records_read", "targets", "written", "unchanged", "held", "refused")
                },
            }
            for row in work.store.runs.newest(RUNS_TOLD)
        ]
    }


def _held(work: Work) -> Any:
    """How many wait, by kind; never who."""
    backlog = work.store.standing.backlog()
    kinds: dict[str, int] = {}
    for row in work.store.journal.open_held():
        kinds[row["kind"]] = kinds.get(row["kind"], 0) + 1
    return {"held": backlog.held, "by_kind": kinds, "oldest": backlog.oldest_held, "refused": backlog.refused}


def _verifier(settings: Settings) -> Verifier | None:
    secret, public_url = settings.hubspot.client_secret, settings.web.public_url
    if secret is None or public_url is None:
        return None
    return Verifier(secret.get_secret_value(), public_url, old_versions=settings.web.allow_old_signatures)


def _shown(secret: Any) -> str | None:
    return None if secret is None else str(secret.get_secret_value())
