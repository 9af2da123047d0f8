"""The commands of a run that is shown before it is done: plan, apply."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path

import click

from sync.app import opened
from sync.cli_context import Context, wanted_time
from sync.cli_import import apply_import
from sync.console import exit_code, show_changes, show_outcome, stage_changes_told
from sync.errors import GuardStopped
from sync.explaining import find_lead
from sync.read import with_counterparts
from sync.run import Asked, perform
from sync.saved import load_plan, save_plan
from sync.tally import outcome_document, stage_changes
from sync.work import CRMS, Work


@click.command()
@click.option(
    "--lead", "keys", multiple=True, metavar="KEY", help="Only this lead; may be given more than once."
)
@click.option("--limit", type=click.IntRange(1), help="At most this many leads.")
@click.option(
    "--since", callback=wanted_time, help="What changed since this time, instead of since the last sync."
)
@click.option("--out", type=click.Path(path_type=Path), help="Save the plan for `leadpact apply`.")
@click.pass_obj
def plan(
    context: Context, keys: tuple[str, ...], limit: int | None, since: datetime | None, out: Path | None
) -> None:
    """What a sync would change, per field, with reasons; writes nothing."""
    with opened(context.settings()) as app:
        work = app.work()
        names = with_counterparts(work, _records_of(work, keys)) if keys else None
        moment = {crm: {"since": since.isoformat()} for crm in CRMS} if since else None
        outcome = perform(
            work, Asked("plan", names=names, since=moment, write=False, collect=True, limit=limit)
        )
        if out is not None:
            whole = names is None and limit is None and since is None
            # Whoever is forgotten later has to be found in it.
            work.store.persons.note_plan(str(out.resolve()), work.clock())
            save_plan(out, outcome, app.accounts(), work.policy.version, whole=whole)
    show_changes(context.screen, outcome)
    show_outcome(context.screen, outcome, planned=True)
    moved = 0 if outcome.changes is None else stage_changes(outcome.changes)
    context.screen.say(stage_changes_told(moved))
    if out is not None:
        context.screen.say(f"saved to {out}; carry it out with `leadpact apply {out}`")
    context.screen.document({**outcome_document(outcome, with_changes=True), "stage_changes": moved})


def _records_of(work: Work, keys: tuple[str, ...]) -> dict[str, list[str]]:
    """The records that the KEYs name; a record that was never synced may be named as CRM:ID."""
    names: dict[str, list[str]] = {crm: [] for crm in CRMS}
    for key in keys:
        crm, colon, record = key.partition(":")
        if colon and crm in CRMS and not work.store.leads.named(key):
            names[crm].append(record)
            continue
        for crm_name, record_id in work.store.leads.records_of(find_lead(work, key)):
            names[crm_name].append(record_id)
    return names


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--changes", "with_changes", is_flag=True, help="List the changes in the JSON document.")
@click.pass_obj
def apply(context: Context, file: Path, with_changes: bool) -> None:
    """Carry out a saved plan; each lead that moved since is left alone and named."""
    saved = load_plan(file)
    if saved.cards is not None:
        apply_import(context, file, saved)
        return
    with opened(context.settings()) as app:
        work = app.work()
        if dict(saved.accounts) != app.accounts():
            raise GuardStopped(
                f"{file}: the plan was made for other accounts. Nothing was written", fix="make a new plan"
            )
        if saved.policy != work.policy.version:
            raise GuardStopped(
                f"{file}: the policy has changed since the plan was made. Nothing was written",
                fix="make a new plan",
            )
        asked = Asked(
            "apply",
            names=saved.names,
            approve=True,
            keep=saved.changes,
            now=saved.at,
            collect=with_changes,
            cursors=saved.cursors if saved.whole else None,
        )
        outcome = perform(work, asked)
    show_outcome(context.screen, outcome, planned=False)
    context.screen.document(outcome_document(outcome, with_changes=with_changes))
    sys.exit(exit_code(outcome))
