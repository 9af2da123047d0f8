"""The commands of what runs by itself: serve, worker, jobs."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta

import click

from sync.app import App, opened
from sync.cli_context import Context, age
from sync.errors import WrongUse
from sync.logs import SERVICE
from sync.sentences import clause
from sync.store.jobs import JobRow

#: Jobs shown before the rest is only counted.
SHOWN = 200


def _tell(words: str) -> None:
    # A service has no document, and its lines are read while it runs.
    click.echo(f"leadpact: {words}", err=True)


def _log(words: str) -> None:
    logging.getLogger(SERVICE).info("%s", words)


def _teller(context: Context) -> Callable[[str], None]:
    """With ``--json`` every line on stderr is an object, also what a service says of itself."""
    return _log if context.screen.as_json else _tell


@click.command("serve")
@click.pass_obj
def serve_command(context: Context) -> None:
    """Webhook endpoints, schedules and a worker in one process, until it is stopped."""
    # Only here: every other command begins without the web server and the job engine.
    from sync.serving import Asked, serve

    serve(Asked(context.settings(), _teller(context)))


@click.command()
@click.option(
    "--concurrency",
    type=click.IntRange(1, 64),
    help="Jobs at the same time, besides one for consent and handovers and one for backfills.",
)
@click.pass_obj
def worker(context: Context, concurrency: int | None) -> None:
    """Work on jobs until it is stopped; run as many as you like, on any machine with the same database."""
    from sync.serving import Asked, work_on_jobs

    work_on_jobs(Asked(context.settings(), _teller(context), concurrency))


@click.group(invoke_without_command=True)
@click.pass_context
def jobs(inner: click.Context) -> None:
    """Jobs that are queued, running or parked; `jobs` alone is `jobs list`."""
    if inner.invoked_subcommand is None:
        inner.invoke(list_jobs)


@jobs.command("list")
@click.pass_obj
def list_jobs(context: Context) -> None:
    """What is parked, running or queued, the most urgent lane first, with ages and errors."""
    with opened(context.settings()) as app:
        _recall(app)
        rows, counted = app.store.jobs.listed(SHOWN), app.store.jobs.counted()
    context.screen.table(
        ("job", "lane", "what", "state", "age", "tries", "error"),
        [
            (
                row.id,
                row.lane,
                row.what,
                row.state,
                age(timedelta(seconds=row.age_seconds)),
                row.attempts,
                _error(row),
            )
            for row in rows
        ],
    )
    left = sum(one.jobs for one in counted) - len(rows)
    if left > 0:
        context.screen.say(f"… and {left} more")
    if not rows:
        context.screen.say("No job is queued, running or parked.")
    for row in rows:
        if row.state == "parked" and row.fix:
            context.screen.say(f"  job {row.id}: {clause(row.fix)}, then `leadpact jobs retry {row.id}`")
    counts = [
        {
            "lane": one.lane,
            "state": one.state,
            "jobs": one.jobs,
            "oldest_seconds": round(one.oldest_seconds, 1),
        }
        for one in counted
    ]
    context.screen.document({"jobs": [_document(row) for row in rows], "counts": counts})


@jobs.command()
@click.argument("number", metavar="JOB", type=click.IntRange(1))
@click.pass_obj
def retry(context: Context, number: int) -> None:
    """Queue a parked job again."""
    with opened(context.settings()) as app:
        _recall(app)
        if not app.store.jobs.retry(number):
            raise WrongUse(
                f"job {number} is not parked, or another one that does the same waits already",
                fix="see `leadpact jobs`",
            )
    context.screen.say(f"job {number} is queued again")
    context.screen.document({"job": number, "state": "queued"})


@jobs.command()
@click.argument("number", metavar="JOB", type=click.IntRange(1))
@click.pass_obj
def drop(context: Context, number: int) -> None:
    """Forget a queued or parked job; what it was to look at is read again by the next drift at the latest."""
    with opened(context.settings()) as app:
        _recall(app)
        if not app.store.jobs.drop(number):
            raise WrongUse(f"no job {number} is queued or parked", fix="see `leadpact jobs`")
    context.screen.say(f"job {number} is forgotten")
    context.screen.document({"job": number, "state": "dropped"})


def _recall(app: App) -> None:
    """The accounts of this config, without asking a CRM where they are known."""
    if app.recalled() is None:
        app.memory()


def _error(row: JobRow) -> str:
    deaths = f"{row.deaths} workers died with it" if row.deaths else ""
    place = f" at {row.place}" if row.place else ""
    error = f"{row.kind}{place}: {row.said}" if row.kind and row.kind != "WorkerDied" else ""
    return "; ".join(filter(None, (error, deaths)))


def _document(row: JobRow) -> dict[str, object]:
    return {
        "job": row.id,
        "lane": row.lane,
        "what": row.what,
        "state": row.state,
        "since": row.since.isoformat(),
        "age_seconds": round(row.age_seconds, 1),
        "attempts": row.attempts,
        "not_before": row.not_before.isoformat() if row.not_before else None,
        "failures": row.failures,
        "deaths": row.deaths,
        "kind": row.kind,
        "place": row.place,
        "said": row.said,
        "fix": row.fix,
    }
