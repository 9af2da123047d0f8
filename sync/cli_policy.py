"""The command that compares two policies on the leads we know: policy diff."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import click

from mapping.qualification.diffing import TOGETHER, Diff, sampled
from sync.app import opened
from sync.cli_context import Context
from sync.console import stage_changes_told
from sync.policy_diff import as_json, policy_diff
from sync.policy_files import policy_in
from sync.policy_list import write_moved
from sync.screen import Screen


@click.command("diff")
@click.argument("other", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--sample",
    "each",
    default=3,
    show_default=True,
    type=click.IntRange(0, 100),
    help="Leads to show of each direction.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write everybody who would stand elsewhere into this CSV file.",
)
@click.option(
    "--fail-on-change",
    "most",
    type=click.IntRange(0),
    metavar="N",
    help="End with 1 where more than N leads would change stage.",
)
@click.pass_obj
def diff_policy(context: Context, other: Path, each: int, out: Path | None, most: int | None) -> None:
    """Who would change stage or temperature under another policy, and which rule would do it.

    From the stored leads as of now: no CRM is read, and nothing is written to one.
    """
    with opened(context.settings()) as app:
        work = app.memory()
        theirs = policy_in(other, {name: one for name, one in app.fields.items() if one.custom})
        found, changes = policy_diff(work, theirs, each=each if out is None else None)
        if out is not None:
            write_moved(work, found.sample, out)
            found = replace(found, sample=sampled(found.sample, each))
        document = as_json(found, changes, work.policy, theirs, work.clock())
    _show_diff(context.screen, found)
    if out is not None:
        context.screen.say(f"all {found.moved} of them: {out}")
    elif 0 < found.sample.height < found.moved:
        left = found.moved - found.sample.height
        context.screen.say(f"… and {left} more; --sample shows more of each direction, --out writes them all")
    context.screen.document(document)
    sys.exit(1 if most is not None and found.stage_changes > most else 0)


def _show_diff(screen: Screen, found: Diff) -> None:
    screen.say(stage_changes_told(found.stage_changes))
    screen.say(
        f"{found.leads} leads, {found.moved} would stand elsewhere: {found.forward} forward, {found.back} back;"
        f" {found.mql_gained} more MQLs, {found.mql_lost} fewer"
    )
    for what, counted in (("stage", found.stages), ("temperature", found.temperatures)):
        for (now, then), leads in sorted(counted.items(), key=lambda item: -item[1]):
            screen.say(f"  {what} {now} -> {then}: {leads}")
    for what, leads in sorted(found.because.items(), key=lambda item: -item[1]):
        screen.say(f"  {leads} by {what}" + ("" if what == TOGETHER else " alone"))
    screen.table(
        ("lead", "stage", "then", "temperature", "then", "score", "then", "because"), found.sample.rows()
    )
