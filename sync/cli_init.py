"""The command that everybody begins with: init."""

from __future__ import annotations

from pathlib import Path

import click

from sync.cli_context import Context
from sync.initdir import write_config


@click.command()
@click.argument("directory", default=".", type=click.Path(path_type=Path))
@click.pass_obj
def init(context: Context, directory: Path) -> None:
    """Write a commented config to start from: connection, fields and policy in three files."""
    written = write_config(directory)
    for path in written:
        context.screen.say(f"wrote {path}")
    context.screen.say("Next: put the credentials into the environment, then `leadpact check`.")
    context.screen.document({"written": [str(path) for path in written]})
