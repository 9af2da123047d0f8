"""The commands about one person's data: export and forget."""

from __future__ import annotations

import json
import sys

import click

from sync.app import opened
from sync.cli_context import Context
from sync.privacy import BEYOND_US, Certificate
from sync.privacy import export as export_person
from sync.privacy import forget as forget_person


@click.command()
@click.argument("key")
@click.pass_obj
def export(context: Context, key: str) -> None:
    """Everything Leadpact keeps about a person, readable and as JSON."""
    with opened(context.settings()) as app:
        work = app.memory()
        kept = export_person(work, key)
        work.store.audit.note("exported", app.clock(), lead=kept["lead"])
    screen = context.screen
    screen.say(f"lead {kept['lead']}; records: {', '.join(kept['records'])}")
    for table, rows in kept["kept"].items():
        screen.say()
        screen.say(f"{table} ({len(rows)})")
        for row in rows:
            screen.say()
            for name, value in row.items():
                if value not in (None, "", [], {}):
                    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
                    screen.say(f"  {name}: {text}")
    screen.document(kept)


@click.command()
@click.argument("key")
@click.option("--yes", is_flag=True, help="Do not ask; needed where nobody can answer.")
@click.pass_obj
def forget(context: Context, key: str, *, yes: bool) -> None:
    """Erase a person from everything Leadpact keeps, with a certificate.

    A salted hash stays, so that no later sync takes the person in again. Erase the records in both CRMs yourself.
    """
    with opened(context.settings()) as app:
        if not yes:
            question = "Erase this person from everything Leadpact keeps? This cannot be undone"
            click.confirm(question, abort=True, err=True)
        done = forget_person(app.memory(), key)
    show_certificate(context, done)
    context.screen.document(done.as_json())
    sys.exit(1 if done.left or done.plans_left else 0)


def show_certificate(context: Context, done: Certificate) -> None:
    """The certificate in sentences."""
    say = context.screen.say
    say("CERTIFICATE OF ERASURE")
    say(f"Erased at {done.at.isoformat()}: {len(done.leads)} lead(s) {', '.join(done.leads)}")
    for table, count in sorted(done.erased.items()):
        say(f"  {table}: {count} rows erased, the table was {done.vacuumed.get(table, 'left as it is')}")
    for path in done.plans:
        say(f"  saved plan {path}: the person was taken out")
    say(f"Still personal data: {done.barred} salted hashes, kept so that no sync takes the person in again.")
    say("Not erased here:")
    for sentence in BEYOND_US:
        say(f"  {sentence}")
    for path in done.plans_left:
        say(f"  saved plan {path}: it cannot be read as a plan; delete the file")
    for table, count in sorted(done.left.items()):
        say(f"  {table}: {count} rows still hold an address, a number or a record of the person")
