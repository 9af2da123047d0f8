"""The command that reads again what no change log will bring: backfill."""

from __future__ import annotations

import sys
from datetime import datetime

import click

from sync.app import opened
from sync.backfill import Backfilled, Plan, Wanted, as_document, carry_on, plan_backfill
from sync.cli_context import Context, wanted_time
from sync.jobs import backfill_slice
from sync.saved import numbers_as_text
from sync.screen import Screen
from sync.store.backfills import SliceRow
from sync.work import CRMS


@click.command()
@click.option("--crm", type=click.Choice(CRMS), help="Only the records of this CRM; else those of both.")
@click.option("--from", "start", callback=wanted_time, help="Created at this time or later.")
@click.option("--to", "end", callback=wanted_time, help="Created before this time.")
@click.option("--dry-run", is_flag=True, help="Say what it comes to, and stop.")
@click.option("--approve", is_flag=True, help="Let the first writing run write.")
@click.option("--queue", "queued", is_flag=True, help="Leave it to the workers, and come back at once.")
@click.pass_obj
def backfill(
    context: Context,
    crm: str | None,
    start: datetime | None,
    end: datetime | None,
    *,
    dry_run: bool,
    approve: bool,
    queued: bool,
) -> None:
    """Everything in range; resumable; yields to the live lanes.

    Stopped anywhere, the same command goes on where it was.
    """
    screen = context.screen
    wanted = Wanted((crm,) if crm else CRMS, start, end)
    with opened(context.settings(), lane="backfill") as app:
        work = app.work()
        plan = plan_backfill(work, wanted, work.clock())
        _show_plan(screen, plan)
        if dry_run:
            screen.document(_as_document(plan))
            return
        if queued:
            new = work.store.jobs.enqueue(backfill_slice(wanted, approve=approve))
            screen.say("left to the workers" if new else "the workers have it already")
            screen.document(_as_document(plan) | {"dry_run": False, "queued": new})
            return
        done = carry_on(work, plan, lambda *told: _show_slice(screen, *told), approve=approve)
    _show_done(screen, done)
    screen.document(as_document(done))
    sys.exit(1 if done.became or done.busy else 0)


def _show_plan(screen: Screen, plan: Plan) -> None:
    if plan.outdated is not None:
        screen.say("The field map has changed since this backfill was begun: it starts anew.")
    if plan.begun is not None:
        ready = len(plan.slices) - len(plan.left)
        screen.say(
            f"Goes on with the backfill of {plan.begun.isoformat()}: {ready} of {len(plan.slices)} slices done."
        )
    calls = plan.calls_left()
    seconds = plan.seconds
    screen.say(f"{plan.records_left} records in {len(plan.left)} slices")
    screen.say(
        f"at most {calls['hubspot']} calls to HubSpot and {calls['salesforce']} to Salesforce to read them"
    )
    screen.say(
        "time: known after the first slice"
        if seconds is None
        else f"time: about {duration(seconds)}, as slices went before and as the calls of the day last"
    )


def _show_slice(screen: Screen, part: SliceRow, count: int, of: int, seconds: float) -> None:
    started = part.start.date().isoformat() if part.start else "the first record"
    screen.say(
        f"slice {count} of {of}: {part.crm} from {started} to {part.end.date().isoformat()},"
        f" {part.records} records; about {duration(seconds)} left"
    )


def _show_done(screen: Screen, done: Backfilled) -> None:
    screen.say(numbers_as_text(done.numbers))
    for (name, what), count in sorted(done.problems.items()):
        screen.say(f"  could not be read: {name}: {what} ({count} records); left alone on both sides")
    if done.busy:
        screen.say(f"{done.busy} slices met another run; the same command does them again")


def _as_document(plan: Plan) -> dict[str, object]:
    seconds = plan.seconds
    return {
        "dry_run": True,
        "backfill": plan.backfill,
        "slices": len(plan.slices),
        "slices_left": len(plan.left),
        "records_left": plan.records_left,
        "calls": plan.calls_left(),
        "seconds": None if seconds is None else round(seconds, 1),
    }


def duration(seconds: float) -> str:
    """A length of time for people."""
    whole = round(seconds)
    if whole < 120:
        return f"{whole} s"
    if whole < 7200:
        return f"{whole // 60} min"
    return f"{whole / 3600:.1f} h"
