"""The ``leadpact`` command. Each command opens an app, asks one thing of it, and says what came of it.

The commands are announced here and imported when they are chosen (``sync.cli_group``): what one needs, no other waits
for.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from connectors.errors import ConnectorError, NeedsPerson, OurBug, RetryLater
from sync import logs, telemetry
from sync.cli_commands import COMMANDS, OF_THE_POLICY, OF_THE_STATE
from sync.cli_context import Context
from sync.cli_group import LateGroup
from sync.errors import CrmAway, GuardStopped, Stopped

policy = LateGroup(
    "policy",
    late=OF_THE_POLICY,
    help="The shared policy: try it on golden leads, and see whom another one would move.",
)
db = LateGroup("db", late=OF_THE_STATE, help="The state.")


@click.group(
    cls=LateGroup,
    late=COMMANDS,
    commands=[policy, db],
    context_settings={"help_option_names": ["-h", "--help"]},
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
