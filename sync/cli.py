"""The ``leadpact`` command. Each command opens an app, asks one thing of it, and says what came of it."""

from __future__ import annotations

import os
import sys
from datetime import datetime
from pathlib import Path

import click

from connectors.errors import ConnectorError, NeedsPerson, OurBug, RetryLater
from sync import logs, telemetry
from sync.app import data_folder, opened
from sync.check import check as check_config
from sync.check import failed
from sync.check_escalation import of_escalation
from sync.check_logs import of_logs
from sync.cli_agree import agree
from sync.cli_alerts import alerts
from sync.cli_backfill import backfill
from sync.cli_backup import backup, restore, retain
from sync.cli_context import Context, wanted_time
from sync.cli_drift import drift
from sync.cli_handover import handovers
from sync.cli_import import import_file
from sync.cli_lists import addresses, opportunities
from sync.cli_policy import policy
from sync.cli_privacy import export, forget
from sync.cli_refused import refused
from sync.cli_report import report
from sync.cli_resolve import held, resolve
from sync.cli_runs import apply, plan, rescore, sync, undo
from sync.cli_sandbox import sandbox
from sync.cli_service import jobs, serve_command, worker
from sync.cli_status import status
from sync.console import show_explanation
from sync.demo import DemoAsked, run_demo
from sync.errors import CrmAway, GuardStopped, Stopped
from sync.explaining import explain_lead, find_lead
from sync.initdir import write_config
from sync.record_types import lacking_values, types_told
from sync.reports.rules import report_problems
from sync.setup import create_missing, needed_fields, setup_told, setup_wanted
from sync.setup_options import labels_told, options_told, unknown_sentences, unknown_told
from sync.watching import watch_changes
from sync.wrongconfig import WrongConfig


@click.group(
    context_settings={"help_option_names": ["-h", "--help"]},
    commands=[
        plan,
        apply,
        policy,
        sync,
        rescore,
        status,
        alerts,
        backfill,
        agree,
        drift,
        refused,
        handovers,
        held,
        resolve,
        opportunities,
        addresses,
        undo,
        import_file,
        export,
        forget,
        report,
        sandbox,
        serve_command,
        worker,
        jobs,
    ],
)
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    help="The config; else $LEADPACT_CONFIG, else ./leadpact.toml.",
)
@click.option("--json", "as_json", is_flag=True, help="Print exactly one JSON document on stdout.")
@click.option("-v", "--verbose", is_flag=True, help="Log more, to stderr.")
@click.version_option(package_name="leadpact")
@click.pass_context
def leadpact(context: click.Context, config: Path | None, as_json: bool, verbose: bool) -> None:
    """Keeps HubSpot and Salesforce in agreement about every lead, by one policy that both teams can read."""
    logs.configure(verbose=verbose, json=as_json, stream=sys.stderr)
    context.obj = Context(config, as_json=as_json, verbose=verbose)
    context.call_on_close(telemetry.begin(os.environ))


@leadpact.command("help")
@click.argument("command", required=False)
@click.pass_context
def help_(context: click.Context, command: str | None) -> None:
    """What a command does."""
    if command is None:
        click.echo(leadpact.get_help(context.parent or context))
        return
    found = leadpact.get_command(context, command)
    if found is None:
        raise click.UsageError(f"there is no command {command}")
    with click.Context(found, info_name=f"leadpact {command}") as inner:
        click.echo(found.get_help(inner))


@leadpact.command()
@click.option(
    "--leads", default=1000, show_default=True, type=click.IntRange(1), help="How many people to make up."
)
@click.option("--seed", default=1, show_default=True, help="The same seed makes the same people.")
@click.option(
    "--effect", default=1.0, show_default=True, help="How strongly fit and engagement cause sales; 0: not."
)
@click.option(
    "--dir",
    "folder",
    default="leadpact-demo",
    show_default=True,
    type=click.Path(path_type=Path),
    help="Where the demo keeps its config, its database and its pretend CRMs.",
)
@click.option("--keep-running", is_flag=True, help="Leave both pretend CRMs up until Ctrl-C.")
@click.pass_obj
def demo(context: Context, leads: int, seed: int, effect: float, folder: Path, keep_running: bool) -> None:
    """Both pretend CRMs with made-up leads: setup, first sync, a day of changes, second sync, agreement."""
    sys.exit(run_demo(context.screen, DemoAsked(leads, seed, effect, keep_running), folder))


@leadpact.command()
@click.argument("directory", default=".", type=click.Path(path_type=Path))
@click.pass_obj
def init(context: Context, directory: Path) -> None:
    """Write a commented config to start from: connection, fields and policy in three files."""
    written = write_config(directory)
    for path in written:
        context.screen.say(f"wrote {path}")
    context.screen.say("Next: put the credentials into the environment, then `leadpact check`.")
    context.screen.document({"written": [str(path) for path in written]})


@leadpact.command()
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


@leadpact.command()
@click.option("--apply", "really", is_flag=True, help="Create what is missing, and relabel options.")
@click.pass_obj
def setup(context: Context, really: bool) -> None:
    """Show, then create, the fields that the write-back needs in both CRMs, with the policy's bands as options."""
    with opened(context.settings()) as app:
        work = app.work()
        needed = needed_fields(work)
        made = create_missing(work) if really else []
        after = needed_fields(work) if really else []
        unknown = unknown_told(needed, work.store.standing.temperatures())
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
            "labels": labels_told(needed),
            "labels_left": labels_told(after),
            "unknown": unknown,
            "record_types": types,
            "watched": watched.selected,
            "watch_by_hand": watched.by_hand,
        }
    )


@leadpact.command()
@click.argument("key")
@click.option("--at", callback=wanted_time, help="As of this time.")
@click.pass_obj
def explain(context: Context, key: str, at: datetime | None) -> None:
    """Score, points, stage, conflicts and history of one lead, and the smallest change that would alter it."""
    with opened(context.settings()) as app:
        work = app.memory()
        told = explain_lead(work, find_lead(work, key), at, app.policy_of)
    show_explanation(context.screen, told)
    context.screen.document(told)


@leadpact.command()
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1), help="How many.")
@click.pass_obj
def runs(context: Context, limit: int) -> None:
    """Past runs and their numbers, newest first."""
    with opened(context.settings()) as app:
        rows = app.memory().store.runs.newest(limit)
    counted = ("records_read", "targets", "written", "unchanged", "held", "refused")
    context.screen.table(
        ("run", "command", "started", "state", *counted, "note"),
        [
            (
                row.run,
                row.command,
                row.started,
                row.state,
                *(getattr(row.numbers, n) for n in counted),
                row.note,
            )
            for row in rows
        ],
    )
    context.screen.document(
        {
            "runs": [
                {
                    "run": row.run,
                    "command": row.command,
                    "started": row.started.isoformat(),
                    "ended": row.ended.isoformat() if row.ended else None,
                    "state": row.state,
                    **{name: getattr(row.numbers, name) for name in counted},
                }
                for row in rows
            ]
        }
    )


@leadpact.group(commands=[backup, restore, retain])
def db() -> None:
    """The state."""


@db.command()
@click.pass_obj
def migrate(context: Context) -> None:
    """Bring the database up to this program."""
    settings = context.settings()
    with opened(settings) as app:
        applied = [migration.name for migration in app.store.migrated]
    where = data_folder(settings) if settings.database.embedded else "the configured server"
    context.screen.say(f"{where}: " + (f"applied {', '.join(applied)}" if applied else "up to date"))
    context.screen.document({"applied": applied})


def main(arguments: list[str] | None = None) -> None:
    """Run the command; every expected failure becomes a sentence, a fix and an exit code."""
    try:
        leadpact.main(args=arguments, prog_name="leadpact", standalone_mode=True)
    except Stopped as stop:
        _fail(str(stop), stop.fix, stop.exit_code)
    except ConnectorError as error:
        _fail(*told(error))


#: Codes that say that a CRM's call budget is used up: our own, and Salesforce's.
QUOTA = ("DAILY", "REQUEST_LIMIT_EXCEEDED")


def told(error: ConnectorError) -> tuple[str, str, int]:
    """What a CRM's failure means for whoever ran the command: the sentence, the fix, the exit code."""
    code = GuardStopped.exit_code if error.code in QUOTA else CrmAway.exit_code
    if isinstance(error, RetryLater):
        when = f"not before {error.not_before.isoformat()}" if error.not_before else "later"
        return str(error), f"try again {when}; nothing was lost", code
    if isinstance(error, NeedsPerson):
        return str(error), error.fix, code
    if isinstance(error, OurBug):
        return f"this is a bug in Leadpact: {error}", "please report it with this text", code
    return str(error), "", code


def _fail(what: str, fix: str, code: int) -> None:
    click.echo(f"leadpact: {what}", err=True)
    for line in filter(None, fix.splitlines()):
        click.echo(f"  fix: {line}", err=True)
    sys.exit(code)
