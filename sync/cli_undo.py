"""The command that takes back a run: undo."""

from __future__ import annotations

import sys

import click

from sync.app import opened
from sync.cli_context import Context
from sync.console import show_undone
from sync.undo import as_json as undone_as_json
from sync.undo import undo as take_back


@click.command()
@click.argument("run", type=click.IntRange(1))
@click.pass_obj
def undo(context: Context, run: int) -> None:
    """Restores what a run changed, except what people have changed since.

    Mails, tasks and automations that the run may have started in a CRM are not undone. Records that it created
    are archived. An undo is a run of its own, and can be undone.
    """
    with opened(context.settings()) as app:
        done = take_back(app.work(), run)
    show_undone(context.screen, done, run)
    context.screen.document(undone_as_json(done))
    sys.exit(1 if done.left else 0)
