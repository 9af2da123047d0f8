"""The commands that tell what was done: explain, runs."""

from __future__ import annotations

from datetime import datetime

import click

from sync.app import opened
from sync.cli_context import Context, wanted_time
from sync.console import show_explanation
from sync.explaining import explain_lead, find_lead


@click.command()
@click.argument("key")
@click.option("--at", callback=wanted_time, help="As of this time.")
@click.pass_obj
def explain(context: Context, key: str, at: datetime | None) -> None:
    """Score, points, stage, conflicts and history of one lead, and the smallest change that would alter it."""
    with opened(context.settings()) as app:
        work = app.memory()
        told = explain_lead(work, find_lead(work, key), at, app.policy_of)
    show_explanation(context.screen, told)
    context.screen.document(told)


@click.command()
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1), help="How many.")
@click.pass_obj
def runs(context: Context, limit: int) -> None:
    """Past runs and their numbers, newest first."""
    with opened(context.settings()) as app:
        rows = app.memory().store.runs.newest(limit)
    counted = ("records_read", "targets", "written", "unchanged", "held", "refused")
    context.screen.table(
        ("run", "command", "started", "state", *counted, "note"),
        [
            (
                row.run,
                row.command,
                row.started,
                row.state,
                *(getattr(row.numbers, n) for n in counted),
                row.note,
            )
            for row in rows
        ],
    )
    context.screen.document(
        {
            "runs": [
                {
                    "run": row.run,
                    "command": row.command,
                    "started": row.started.isoformat(),
                    "ended": row.ended.isoformat() if row.ended else None,
                    "state": row.state,
                    **{name: getattr(row.numbers, name) for name in counted},
                }
                for row in rows
            ]
        }
    )
