"""``leadpact held`` and ``leadpact resolve``: what waits for a person, and how a person settles it."""

from __future__ import annotations

import getpass
import json
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import click

from sync.app import opened
from sync.cli_context import Context
from sync.errors import WrongUse
from sync.resolve import Record, Resolved, held_row, link, separate, take
from sync.resolve_rows import link_row, separate_row
from sync.work import CRMS


@click.command()
@click.argument("number", metavar="HELD", type=click.IntRange(1))
@click.option(
    "--take", "taken", metavar="hubspot|salesforce|VALUE", help="Whose value stands; or another one."
)
@click.option(
    "--link",
    "linked",
    metavar="hubspot:ID=salesforce:ID",
    help="These two records are one person; for a row of a file: it is this record's person (CRM:ID).",
)
@click.option("--separate", "apart", is_flag=True, help="The record, or row, is none of those it looks like.")
@click.pass_obj
def resolve(context: Context, number: int, taken: str | None, linked: str | None, apart: bool) -> None:
    """Settle a held conflict or an ambiguous match; it is not asked again.

    HELD is the number that `leadpact held` shows. The decision is kept with your user name and the time, and
    carried out at once for that lead.
    """
    if sum((taken is not None, linked is not None, apart)) != 1:
        raise WrongUse("say one thing: --take, --link or --separate", fix="see `leadpact help resolve`")
    with opened(context.settings()) as app:
        work = app.work()
        row, who = held_row(work, number), getpass.getuser()
        of_file = row["kind"] == "import"
        if taken is not None:
            done = take(work, row, taken, who)
        elif linked is not None:
            named = _records(linked, 1 if of_file else 2)
            done = link_row(work, row, named[0], who) if of_file else link(work, row, named[0], named[1], who)
        else:
            done = separate_row(work, row, who) if of_file else separate(work, row, who)
    if of_file:
        context.screen.say("The next import of that file carries it out.")
    _show(context, number, done)


def _records(text: str, count: int) -> list[Record]:
    """The records that are named; two for an ambiguous record, one for a row of a file."""
    records = []
    for side in text.split("="):
        crm, _, number = side.strip().partition(":")
        if crm in CRMS and number:
            records.append((crm, number))
    if len(records) != count or len(text.split("=")) != count:
        form = "hubspot:ID=salesforce:ID" if count > 1 else "hubspot:ID"
        raise WrongUse(
            f"--link {text} names no {'two records' if count > 1 else 'record'}", fix=f"--link {form}"
        )
    return records


def _show(context: Context, number: int, done: Resolved) -> None:
    outcome = done.outcome
    written = outcome.numbers.written if outcome else 0
    if outcome is None:
        context.screen.say(f"held {number} is settled; the first sync that may write carries it out.")
    elif outcome.busy:
        context.screen.say(
            f"held {number} is settled; another run is at the lead now; the next change takes it up."
        )
    else:
        context.screen.say(f"held {number} is settled; {written} records were written.")
    context.screen.document(
        {
            "held": number,
            "decision": done.decision,
            "carried_out": outcome is not None and not outcome.busy,
            "run": outcome.run if outcome else None,
            "written": written,
        }
    )
    sys.exit(1 if outcome and outcome.became else 0)


@click.command()
@click.pass_obj
def held(context: Context) -> None:
    """What waits for a person: ambiguous records, and fields that both sides changed.

    An ambiguous record comes with the records that it may belong to, the likeliest first, and with what agrees and
    what differs.
    """
    with opened(context.settings()) as app:
        rows = app.memory().store.journal.open_held()
    columns = ("held_id", "kind", "lead_id", "crm", "record_id", "field", "since")
    context.screen.table(columns, [[row[column] for column in columns] for row in rows])
    for row in rows:
        details = json.loads(row["details"])
        row["suggestions"] = details.get("suggestions", [])
        for line in _lines(row, details):
            context.screen.say(line)
    context.screen.say("Settle them with `leadpact resolve`." if rows else "Nothing.")
    context.screen.document({"held": rows})


def _lines(row: Mapping[str, Any], details: Mapping[str, Any]) -> Iterator[str]:
    """What a person has to know to settle a row."""
    number = row["held_id"]
    if row["kind"] == "conflict":
        yield f"{number}: {row['field']}: HubSpot {details['hubspot']!r}, Salesforce {details['salesforce']!r}"
        return
    if row["kind"] == "noisy":
        yield (
            f"{number}: {details['why']}: {row['field']} in {row['crm']} was {details['sets']!r} again,"
            f" {details['times']} times in {details['days']} days; Leadpact writes {details['leadpact_writes']!r}."
            " Switch the automation off, or leave the field out of the map"
        )
        return
    yield f"{number}: {row['crm']}:{row['record_id'] or ''}: {details.get('why', '')}"
    for one in row["suggestions"]:
        differ = f"; but {', '.join(one['differ'])}" if one["differ"] else ""
        yield f"    {one['likeness']:.0%} {one['record']}: {', '.join(one['agree']) or 'nothing agrees'}{differ}"
