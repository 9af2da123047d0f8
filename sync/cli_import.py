"""The command that imports people met elsewhere, and ``apply`` for a plan it has saved."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from sync.app import App, opened
from sync.cards import Cards, Evidence, read_cards
from sync.cli_context import Context
from sync.console import show_changes, show_outcome
from sync.errors import GuardStopped, WrongUse
from sync.headings import Heading, headings
from sync.importing import KINDS, Source, as_words
from sync.importrun import Imported, campaign_named, import_people
from sync.saved import SavedPlan, save_plan
from sync.screen import Screen
from sync.spreadsheet import SheetRow, Spreadsheet, read_spreadsheet
from sync.tally import outcome_document
from sync.work import CRMS, Work

#: Bad and held rows that are listed; the JSON document has all of them.
LISTED = 20


def _pairs(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    asked = {}
    for one in (part for value in values for part in value.split(",")):
        column, equals, meaning = one.rpartition("=")
        if not equals:
            raise click.BadParameter("looks like COLUMN=field, for example --map Funktion=job_title")
        asked[column.strip()] = meaning.strip()
    return asked


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--source", required=True, metavar="S", help="Where these people come from, as the CRMs will say it."
)
@click.option(
    "--kind",
    type=click.Choice(KINDS),
    default="met",
    show_default=True,
    help="met: they told us themselves; referral; bought: a list or research, nobody has shown interest.",
)
@click.option(
    "--campaign", metavar="C", help="A campaign in Salesforce, by name or id, that they become members of."
)
@click.option(
    "--map",
    "asked",
    multiple=True,
    callback=_pairs,
    metavar="COLUMN=FIELD",
    help="What a column means, where the guess is wrong; COLUMN=- leaves it out.",
)
@click.option(
    "--to",
    "into",
    multiple=True,
    type=click.Choice(CRMS),
    help="Create new people here, whatever the scope's create conditions say.",
)
@click.option(
    "--consent-wording", metavar="TEXT", help="What everybody in the file agreed to, word for word."
)
@click.option("--consent-at", metavar="DAY", help="When they agreed, where the file has no column for it.")
@click.option("--consent-source", metavar="TEXT", help="Where the proof of it is kept.")
@click.option("--skip-bad", is_flag=True, help="Let the good rows go; what was left is listed.")
@click.option("--out", type=click.Path(path_type=Path), help="Save the plan for `leadpact apply`.")
@click.option("--approve", is_flag=True, help="Write at once.")
@click.pass_obj
def import_file(
    context: Context,
    /,
    file: Path,
    source: str,
    kind: str,
    campaign: str | None,
    asked: dict[str, str],
    into: tuple[str, ...],
    out: Path | None,
    *,
    skip_bad: bool,
    approve: bool,
    **evidence: str | None,
) -> None:
    """People met elsewhere, from a spreadsheet saved as CSV: shown first, then written like any other plan.

    Known people get only what is blank in both CRMs; who cannot be told for certain is held. An import can be undone.
    """  # fmt: skip
    if out is not None and approve:
        raise WrongUse("--out saves a plan and --approve writes at once", fix="leave one of them out")
    sheet = read_spreadsheet(file)
    given = Evidence(*(evidence[f"consent_{name}"] for name in ("wording", "at", "source")))
    with opened(context.settings()) as app:
        work = app.work()
        columns = headings(sheet.header, asked, [*work.field_map.rules])
        cards = read_cards(sheet, columns, work.field_map, given, app.settings.locale.decimal_comma)
        _show_reading(context.screen, sheet, columns)
        _stop_if_bad(cards, skip=skip_bad)
        member_of = campaign_named(work.crms["salesforce"], campaign) if campaign else None
        known = Source(source, kind, into, member_of)
        done = import_people(work, cards, known, write=approve, approve=approve)
        if out is not None:
            _save(app, work, out, sheet, columns, given, known, done)
    _show(context.screen, cards, done, written=approve)
    if out is not None:
        context.screen.say(f"saved to {out}; carry it out with `leadpact apply {out}`")
    elif not approve:
        context.screen.say("nothing was written; --approve writes it, --out FILE saves the plan")
    sys.exit(_exit_code(cards, done, written=approve))


def apply_import(context: Context, file: Path, saved: SavedPlan) -> None:
    """Carry out the saved plan of an import. Raises as ``apply`` does."""
    kept = saved.cards or {}
    with opened(context.settings()) as app:
        work = app.work()
        if dict(saved.accounts) != app.accounts() or saved.policy != work.policy.version:
            raise GuardStopped(
                f"{file}: the plan was made for other accounts or another policy. Nothing was written",
                fix="make a new plan",
            )
        rows = tuple(SheetRow(row["line"], tuple(row["cells"])) for row in kept["rows"])
        sheet = Spreadsheet(kept["name"], tuple(kept["header"]), rows, (), kept["separator"])
        columns = tuple(Heading(**one) for one in kept["columns"])
        evidence = Evidence(**kept["evidence"])
        cards = read_cards(sheet, columns, work.field_map, evidence, app.settings.locale.decimal_comma)
        source = Source(**{**kept["source"], "into": tuple(kept["source"]["into"])})
        done = import_people(work, cards, source, write=True, approve=True, keep=saved.changes)
    _show(context.screen, cards, done, written=True)
    sys.exit(GuardStopped.exit_code if done.outcome.moved else _exit_code(cards, done, written=True))


def _save(
    app: App,
    work: Work,
    out: Path,
    sheet: Spreadsheet,
    columns: tuple[Heading, ...],
    evidence: Evidence,
    source: Source,
    done: Imported,
) -> None:
    cards: dict[str, Any] = {
        "name": sheet.name,
        "header": list(sheet.header),
        "separator": sheet.separator,
        "columns": [asdict(one) for one in columns],
        "evidence": asdict(evidence),
        "source": asdict(source),
        "rows": [{"line": row.line, "cells": list(row.cells)} for row in sheet.rows],
    }
    # Whoever is forgotten later has to be found in it.
    work.store.persons.note_plan(str(out.resolve()), work.clock())
    save_plan(out, done.outcome, app.accounts(), work.policy.version, whole=False, cards=cards)  # fmt: skip


def _show_reading(screen: Screen, sheet: Spreadsheet, columns: tuple[Heading, ...]) -> None:
    names = {"\t": "tab", ";": "semicolon", ",": "comma", "|": "bar"}
    rows = len(sheet.rows) + len(sheet.torn)
    screen.say(f"{sheet.name}: {rows} rows, {names[sheet.separator]}, {sheet.encoding}")
    screen.table(
        ("column", "is", "why"), [(one.column, one.means or "(left out)", one.why) for one in columns]
    )


def _stop_if_bad(cards: Cards, *, skip: bool) -> None:
    if not cards.bad or skip:
        return
    listed = "\n".join(f"{one}; {one.fix}" for one in cards.bad[:LISTED])
    more = f"\n… and {len(cards.bad) - LISTED} more" if len(cards.bad) > LISTED else ""
    raise WrongUse(
        f"{len(cards.bad)} rows cannot go:\n{listed}{more}\nnothing was started",
        fix="mend them in the file, or let the good rows go with --skip-bad",
    )


def _show(screen: Screen, cards: Cards, done: Imported, *, written: bool) -> None:
    outcome = done.outcome
    if not written:
        show_changes(screen, outcome)
    screen.say(f"people: {as_words(done.people)}")
    for text in done.held[:LISTED]:
        screen.say(f"  held: {text}")
    for one in cards.bad[:LISTED]:
        screen.say(f"  left: {one}; {one.fix}")
    if done.members or done.not_members:
        screen.say(f"campaign: {done.members} new members; {done.not_members} have no record in Salesforce")
    show_outcome(screen, outcome, planned=not written)
    document: Mapping[str, Any] = outcome_document(outcome, with_changes=not written)
    screen.document({
        **document, "people": done.people, "members": done.members, "held_rows": done.held,
        "left": [{"where": one.where, "what": one.what, "fix": one.fix} for one in cards.bad],
    })  # fmt: skip


def _exit_code(cards: Cards, done: Imported, *, written: bool) -> int:
    return 1 if cards.bad or (written and done.outcome.became) else 0
