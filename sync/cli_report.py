"""The command that tells how leads fare: funnel, costs, goals and handover, for people, spreadsheets and programs."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sync.app import opened
from sync.cli_context import Context
from sync.errors import WrongUse

if TYPE_CHECKING:
    from sync.reports.document import Document
    from sync.reports.voice import Voice

#: A day as ISO writes it, or as a German calendar does.
_DAY = click.DateTime(["%Y-%m-%d", "%d.%m.%Y"])


@click.command()
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), help="Write one file for a browser.")
@click.option(
    "--csv", "csv_", type=click.Path(path_type=Path, file_okay=False), help="Write one CSV a table here."
)
@click.option("--from", "first", type=_DAY, help="The first day; else a year before the last one.")
@click.option("--to", "last", type=_DAY, help="The last day; else today.")
@click.option("--lang", "language", type=click.Choice(["de", "en"]), help="The language; else sync.language.")
@click.option(
    "--handover-review", is_flag=True, help="Add the disputed leads with both teams' view, by name."
)
@click.pass_obj
def report(
    context: Context,
    html: Path | None,
    csv_: Path | None,
    first: datetime | None,
    last: datetime | None,
    language: str | None,
    handover_review: bool,
) -> None:
    """Funnel, cost per lead by channel, goals, handover timing: what became of the leads of a period.

    From memory; Salesforce is asked only for campaigns, where reports.salesforce_campaigns says so.
    """
    # Loaded here: drawing takes two seconds to load, and no other command draws.
    from sync.reports.document import as_json
    from sync.reports.make import Asked, make_report
    from sync.reports.rules import rules_of
    from sync.reports.voice import Voice

    settings = context.settings()
    chosen = language or settings.sync.language
    asked = Asked(
        "en" if chosen == "en" else "de",
        first.date() if first else None,
        last.date() if last else None,
        handover_review,
    )
    if asked.first and asked.last and asked.last < asked.first:
        raise WrongUse("--to lies before --from", fix="exchange the two days")
    with opened(settings) as app:
        rules = rules_of(settings, app.policy.currency)
        work = app.work() if rules.salesforce_campaigns else app.memory()
        document = make_report(work, rules, asked, app.policy_of)
    voice = Voice(asked.language, rules.zone)
    written = _write(document, voice, html, csv_, with_names=handover_review)
    if not written:
        _show(context, document, voice)
    for path in written:
        context.screen.say(str(path))
    context.screen.document({**as_json(document), "written": [str(path) for path in written]})


def _write(
    document: Document, voice: Voice, html: Path | None, csv_: Path | None, *, with_names: bool
) -> list[Path]:
    from sync.reports.document import names_owners
    from sync.reports.page import as_page
    from sync.reports.spreadsheets import write_csv, write_file

    private = with_names or names_owners(document)
    written = []
    if html is not None:
        try:
            write_file(html, as_page(document, voice, with_names=with_names), private=private)
        except OSError as problem:
            raise WrongUse(f"{html}: cannot be written ({problem.strerror})") from problem
        written.append(html)
    if csv_ is not None:
        written += write_csv(document, csv_, private=private)
    return written


def _show(context: Context, document: Document, voice: Voice) -> None:
    """The whole document on the terminal."""
    screen = context.screen
    screen.say(f"{document.title}: {document.period}")
    for section in document.sections:
        screen.say()
        screen.say(f"## {section.title}")
        screen.say(section.sentence)
        for warning in section.warnings:
            screen.say(f"! {warning}")
        for table in section.tables:
            if table.title:
                screen.say(f"{table.title}:")
            if not table.rows:
                continue
            rows = [
                [voice.cell(column, cell) for column, cell in zip(table.columns, row, strict=True)]
                for row in table.rows
            ]
            screen.table([column.title for column in table.columns], rows)
        for note in section.notes:
            screen.say(f"  ({note})")
