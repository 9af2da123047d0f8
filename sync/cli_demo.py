"""The command that shows everything on made-up leads: demo."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from sync.cli_context import Context
from sync.demo import DemoAsked, run_demo


@click.command()
@click.option(
    "--leads", default=1000, show_default=True, type=click.IntRange(1), help="How many people to make up."
)
@click.option("--seed", default=1, show_default=True, help="The same seed makes the same people.")
@click.option(
    "--effect", default=1.0, show_default=True, help="How strongly fit and engagement cause sales; 0: not."
)
@click.option(
    "--dir",
    "folder",
    default="leadpact-demo",
    show_default=True,
    type=click.Path(path_type=Path),
    help="Where the demo keeps its config, its database and its pretend CRMs.",
)
@click.option("--keep-running", is_flag=True, help="Leave both pretend CRMs up until Ctrl-C.")
@click.pass_obj
def demo(context: Context, leads: int, seed: int, effect: float, folder: Path, keep_running: bool) -> None:
    """Both pretend CRMs with made-up leads: setup, first sync, a day of changes, second sync, agreement."""
    sys.exit(run_demo(context.screen, DemoAsked(leads, seed, effect, keep_running), folder))
