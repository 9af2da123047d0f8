"""The command that proves agreement: agree."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from pathlib import Path

import click
import polars as pl

from sync.agree import REASONS, Agreement, Each
from sync.agree import agree as compare
from sync.app import opened
from sync.cli_context import Context
from sync.errors import WrongUse
from sync.privatefile import opened_private
from sync.screen import Screen

#: Past comparisons shown.
SHOWN = 50


@click.command()
@click.option("--history", is_flag=True, help="What earlier comparisons found, without a new one.")
@click.option(
    "--csv",
    "file",
    type=click.Path(path_type=Path),
    help="Write both records of every linked lead side by side, read afresh.",
)
@click.pass_obj
def agree(context: Context, file: Path | None, *, history: bool) -> None:
    """Prove that both CRMs show the same stage, score and temperature for every linked lead, or why not yet."""
    if history:
        _show_history(context)
        return
    with opened(context.settings()) as app, ExitStack() as stack:
        each = _csv(file, stack) if file is not None else None
        found = compare(app.work(), app.clock(), each)
    _show(context.screen, found)
    if file is not None:
        context.screen.say(f"both records of every linked lead: {file}; it holds personal data")
    context.screen.document(
        {
            "linked": found.linked,
            "same": found.same,
            "agreed": found.agreed,
            "explained": found.explained,
            "unexplained": found.unexplained,
            "oldest": {
                reason: {"lead": lead, "since": since.isoformat()}
                for reason, (lead, since) in found.oldest.items()
            },
        }
    )
    sys.exit(1 if found.unexplained else 0)


def _show(screen: Screen, found: Agreement) -> None:
    same = found.same / found.linked if found.linked else 1.0
    screen.say(f"{found.same} of {found.linked} linked leads show the same in both CRMs ({same:.1%}).")
    screen.say(f"{found.agreed} of {found.linked} linked leads agree ({found.share():.1%}).")
    for reason, count in sorted(found.explained.items()):
        lead, since = found.oldest.get(reason, (found.samples[reason][0], None))
        known = f", since {since.isoformat()}" if since else ""
        screen.say(f"  {count} {reason}: {REASONS[reason]}; the oldest is {lead}{known}")
    if found.unexplained:
        screen.say(f"  {found.unexplained} unexplained: {', '.join(found.samples['unexplained'])}")


def _show_history(context: Context) -> None:
    with opened(context.settings()) as app:
        rows = app.memory().store.standing.agreements(SHOWN)
    context.screen.table(
        ("at", "linked", "same", "agreed", "share", "explained", "unexplained"),
        [
            (
                row.at.isoformat(),
                row.linked,
                row.same,
                row.agreed,
                f"{row.agreed / row.linked if row.linked else 1.0:.1%}",
                ", ".join(f"{count} {reason}" for reason, count in row.explained.items()),
                row.unexplained,
            )
            for row in rows
        ],
    )
    if not rows:
        context.screen.say("Nothing was compared yet.")
    context.screen.document(
        {
            "history": [
                {
                    "at": row.at.isoformat(),
                    "linked": row.linked,
                    "same": row.same,
                    "agreed": row.agreed,
                    "explained": dict(row.explained),
                    "unexplained": row.unexplained,
                }
                for row in rows
            ]
        }
    )


def _csv(path: Path, stack: ExitStack) -> Each:
    """Appends slices to a file that only its owner can read. Raises WrongUse when it cannot be written."""
    try:
        descriptor = opened_private(path)
    except OSError as problem:
        raise WrongUse(f"{path} cannot be written: {problem.strerror}") from problem
    file = stack.enter_context(os.fdopen(descriptor, "wb"))
    written = 0

    def append(rows: pl.DataFrame) -> None:
        nonlocal written
        rows.write_csv(file, include_header=written == 0)
        written += rows.height

    return append
