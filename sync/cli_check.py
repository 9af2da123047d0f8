"""The commands before the first sync: check, setup."""

from __future__ import annotations

import sys

import click

from sync.app import opened
from sync.check import check as check_config
from sync.check import failed
from sync.check_escalation import of_escalation
from sync.check_logs import of_logs
from sync.cli_context import Context
from sync.record_types import lacking_values, types_told
from sync.reports.rules import report_problems
from sync.setup import create_missing, needed_fields, setup_told, setup_wanted
from sync.setup_options import labels_told, options_told, twins_told, unknown_sentences, unknown_told
from sync.watching import watch_changes
from sync.wrongconfig import WrongConfig


@click.command()
@click.pass_obj
def check(context: Context) -> None:
    """Config, credentials, mapping and policy against the live schemas; each problem with its line and a fix."""
    try:
        settings = context.settings()
        with opened(settings) as app:
            work = app.work()
            problems = check_config(work, settings.where) + of_logs(app, work)
            problems += report_problems(settings, app.policy.currency)
            told = work.handover if work.routing is not None else None
            problems += of_escalation(told, settings.schedule, app.clock(), settings.where)
    except WrongConfig as wrong:
        context.screen.document({"problems": wrong.problems})
        raise
    for one in problems:
        context.screen.say(f"{one['where']}: {one['severity']}: {one['problem']}")
        if one["fix"]:
            context.screen.say(f"    fix: {one['fix']}")
    context.screen.say(
        "Nothing has to be mended." if not failed(problems) else "Mend the errors before a sync."
    )
    context.screen.document({"problems": problems})
    sys.exit(1 if failed(problems) else 0)


@click.command()
@click.option("--apply", "really", is_flag=True, help="Create what is missing, and relabel options.")
@click.pass_obj
def setup(context: Context, really: bool) -> None:
    """Show, then create, the fields that the write-back needs in both CRMs, with the policy's bands as options."""
    with opened(context.settings()) as app:
        work = app.work()
        needed = needed_fields(work)
        made = create_missing(work) if really else []
        after = needed_fields(work) if really else []
        unknown = unknown_told(after or needed, work.store.standing.temperatures())
        types = types_told(lacking_values(work))
        watched = watch_changes(work, app.settings, really=really)
    rows = [
        (one.crm, one.object, one.spec.name, one.spec.type, "there" if one.there else "missing")
        for one in needed
    ]
    if not really:
        context.screen.table(("crm", "object", "field", "type", "state"), rows)
    said = setup_told(needed, made, after) if really else setup_wanted(needed)
    context.screen.say(said + watched.told(really=really))
    for sentence in (*types, *unknown_sentences(unknown)):
        context.screen.say(sentence)
    context.screen.document(
        {
            "fields": [
                dict(zip(("crm", "object", "field", "type", "state"), row, strict=True)) for row in rows
            ],
            "created": [{"crm": crm, "field": name} for crm, name in made],
            "options": options_told(needed),
            "left": options_told(after),
            "labels": [*labels_told(needed), *twins_told(needed)],
            "labels_left": [*labels_told(after), *twins_told(after)],
            "unknown": unknown,
            "record_types": types,
            "watched": watched.selected,
            "watch_by_hand": watched.by_hand,
        }
    )
