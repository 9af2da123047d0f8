"""The command about what the CRMs refused: refused, and refused retry."""

from __future__ import annotations

import sys
from dataclasses import asdict

import click

from sync.app import opened
from sync.cli_context import Context, age
from sync.console import show_outcome
from sync.refusals import by_cause, refused_rows, retry_refused
from sync.tally import outcome_document


@click.command()
@click.argument("what", metavar="[retry]", required=False, type=click.Choice(["retry"]))
@click.option("--code", "codes", multiple=True, help="Only this code; may be given more than once.")
@click.pass_obj
def refused(context: Context, what: str | None, codes: tuple[str, ...]) -> None:
    """What a CRM rejected and has not taken since, by cause, with a fix; a later sync tries it again.

    With retry, exactly these leads are read again and run now.
    """
    if what is not None:
        _retry(context, codes)
    screen = context.screen
    with opened(context.settings()) as app:
        work = app.memory()
        rows, now = refused_rows(work, codes), work.clock()
    causes = by_cause(rows)
    for cause in causes:
        fields = f" ({', '.join(cause.fields)})" if cause.fields else ""
        screen.say(
            f"{cause.leads} leads, {cause.crm} {cause.code}{fields}, for {age(now - cause.oldest)},"
            f" tried {cause.tries} times"
        )
        screen.say(f"  it said: {cause.message}")
        screen.say(f"  fix: {cause.fix}")
    columns = ("code", "lead_id", "crm", "record_id", "message", "first_at", "tries")
    screen.table(columns, [[row[column] for column in columns] for row in rows])
    if not rows:
        screen.say("Nothing.")
    screen.document({"refused": rows, "causes": [asdict(cause) for cause in causes]})


def _retry(context: Context, codes: tuple[str, ...]) -> None:
    with opened(context.settings()) as app:
        outcome = retry_refused(app.work(), codes)
    show_outcome(context.screen, outcome, planned=False)
    context.screen.document(outcome_document(outcome, with_changes=False))
    sys.exit(1 if outcome.numbers.refused or outcome.became else 0)
