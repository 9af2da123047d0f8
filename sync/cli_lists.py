"""The commands that list what somebody has to put in order: opportunities and addresses."""

from __future__ import annotations

import csv
import getpass
import io
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from sync.app import opened
from sync.cli_context import Context, age
from sync.errors import WrongUse
from sync.privatefile import opened_private
from sync.roleless import roleless


@click.command()
@click.pass_obj
def opportunities(context: Context) -> None:
    """Open opportunities that no contact role ties to anybody, with the leads that belong to their account.

    Nothing is written: who takes part in an opportunity is for sales to say, in Salesforce.
    """
    with opened(context.settings()) as app:
        work = app.work()
        found, now = roleless(work), work.clock()
    columns = ("opportunity", "name", "account", "owner", "stage", "amount", "open for", "closes", "leads")
    rows = [
        (
            *(one.opportunity, one.name, one.account, one.owner, one.stage),
            "" if one.amount is None else f"{one.amount:f} {one.currency or ''}".strip(),
            *(age(now - one.opened), one.closes, ", ".join(one.leads)),
        )
        for one in found
    ]
    context.screen.table(columns, rows)
    if found:
        context.screen.say(f"{len(found)} open opportunities name nobody: add a contact role in Salesforce.")
    else:
        context.screen.say("Every open opportunity names somebody.")
    told = [{**asdict(one), "opened": one.opened.isoformat(), "leads": list(one.leads)} for one in found]
    context.screen.document({"opportunities": told})


@click.command()
@click.option("--all", "whole", is_flag=True, help="Also those that somebody has looked at.")
@click.option(
    "--csv",
    "file",
    type=click.Path(path_type=Path),
    help="Write them as a suppression list for mailing tools: one address a line under `email`.",
)
@click.option("--reviewed", metavar="ADDRESS", multiple=True, help="I have looked at this one.")
@click.pass_obj
def addresses(context: Context, *, whole: bool, file: Path | None, reviewed: tuple[str, ...]) -> None:
    """Addresses that leads had before they had another one: nobody should get mail there until somebody has looked.

    A record that turns up with one of them is held as a candidate for that lead. Nothing is unsubscribed in a CRM.
    """
    with opened(context.settings()) as app:
        work = app.memory()
        for address in reviewed:
            _on_the_list(work.store.former.review(address, getpass.getuser(), work.clock()))
            work.store.audit.note("reviewed", work.clock(), details="a former address")
        rows = work.store.former.rows(whole=whole)
    columns = ("address", "lead", "since", "reviewed_at", "reviewed_by", "taken_by")
    context.screen.table(columns, [[row[name] for name in columns] for row in rows])
    if not rows:
        context.screen.say("Nothing.")
    if file is not None:
        # What another lead has by now may get mail there.
        _write(
            file, sorted({row["address"] for row in rows if not row["taken_by"] and not row["reviewed_at"]})
        )
        context.screen.say(f"suppression list: {file}; it holds personal data")
    context.screen.document({"addresses": [_plain(row) for row in rows]})


def _on_the_list(leads: int) -> None:
    if not leads:
        raise WrongUse(
            "an address that was given with --reviewed is not on the list",
            fix="`leadpact addresses` shows the list",
        )


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    times = {name: row[name] and row[name].isoformat() for name in ("since", "reviewed_at")}
    return {**row, **times}


def _write(path: Path, addresses: Sequence[str]) -> None:
    """A file that only its owner can read. Raises WrongUse when it cannot be written."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([["email"], *([one] for one in addresses)])
    try:
        descriptor = opened_private(path)
    except OSError as problem:
        raise WrongUse(f"{path} cannot be written: {problem.strerror}") from problem
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text.getvalue())
