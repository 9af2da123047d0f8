"""The command that tries the policy offline: policy test."""

from __future__ import annotations

import os
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sync.cli_context import Context
from sync.ourpolicy import policy_of_config
from sync.policy_files import Checked, check_golden, golden_files
from sync.screen import Screen
from sync.whichconfig import find_config

if TYPE_CHECKING:
    from sync.settings import Settings


@click.command("test")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--policy",
    "instead",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Hold them against this policy file.",
)
@click.pass_obj
def test_policy(context: Context, files: tuple[Path, ...], instead: Path | None) -> None:
    """Hold golden leads against the policy: who is to stand where, and which rule says otherwise.

    Without FILES, those beside the config are taken. No CRM and no database is asked.
    """
    path = find_config(context.config, os.environ)

    @cache
    def settings() -> Settings:
        return context.settings()

    custom = settings().custom_fields if context.config or path.is_file() else {}
    checked = [
        check_golden(file, instead, custom, lambda: policy_of_config(settings()))
        for file in golden_files(files, path.parent)
    ]
    for one in checked:
        _show(context.screen, one)
    failed = sum(len(one.failures) for one in checked)
    context.screen.document(
        {
            "leads": sum(one.leads for one in checked),
            "failures": failed,
            "files": [one.as_json() for one in checked],
        }
    )
    sys.exit(1 if failed else 0)


def _show(screen: Screen, checked: Checked) -> None:
    for failure in checked.failures:
        screen.say(f"{checked.file}: “{failure.lead}”")
        screen.say(f"  {failure.what}: expected {failure.expected}, came {failure.came}")
        screen.say(f"  because: {failure.because}")
    wrong = len({failure.lead for failure in checked.failures})
    screen.say(
        f"{checked.file}: {checked.leads} golden leads, {checked.leads - wrong} as expected, {wrong} not;"
        f" policy {checked.policy}; {checked.seconds:.2f} s"
    )
