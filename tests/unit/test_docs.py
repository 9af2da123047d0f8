"""The documents say what the program does: they fail here when they stop being true."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

import sync.errors
from sync.cli import leadpact
from sync.environment import SECRETS_VARIABLE, leaves, variable_of
from sync.whichconfig import CONFIG_VARIABLE

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = (ROOT / "docs/commands.md").read_text("utf-8")
README = (ROOT / "README.md").read_text("utf-8")
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("bench/*.md")])

#: Every command that users and their scripts are promised, with this version or a later one.
PROMISED = (
    *("demo", "init", "check", "setup", "plan", "apply", "sync", "rescore", "status", "backfill", "explain"),
    *("agree", "drift", "undo", "runs", "held", "refused", "resolve", "import", "export", "forget", "policy"),
    *("report", "serve", "worker", "sandbox serve", "sandbox load", "db migrate", "db backup", "db restore"),
)


def _leaves(group: click.Group, above: str = "") -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.commands:
        command = group.get_command(context, name)
        assert command is not None, name
        if isinstance(command, click.Group):
            yield from _leaves(command, f"{above}{name} ")
        else:
            yield f"{above}{name}", command


PROGRAM = dict(_leaves(leadpact))


def _sections() -> dict[str, str]:
    parts = re.split(r"^### (.+)$", COMMANDS.partition("## Not yet")[0], flags=re.M)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def _not_yet() -> set[str]:
    return set(re.findall(r"`([a-z ]+)`", COMMANDS.partition("## Not yet")[2]))


def test_the_page_of_commands_has_a_section_for_each_command_and_no_other() -> None:
    assert _sections().keys() == PROGRAM.keys()


@pytest.mark.parametrize("name", PROGRAM)
def test_the_page_says_of_a_command_what_its_help_says(name: str) -> None:
    said = " ".join(_sections()[name].split())
    assert " ".join((PROGRAM[name].help or "").split()).rstrip(".") in said


@pytest.mark.parametrize("name", PROGRAM)
def test_the_page_lists_the_options_of_a_command_and_no_others(name: str) -> None:
    table = re.findall(r"^\| `(--[a-z-]+)", _sections()[name], re.M)
    options = [o for p in PROGRAM[name].params if isinstance(p, click.Option) for o in p.opts]
    assert sorted(table) == sorted(options)


def test_every_command_and_option_has_a_help_text() -> None:
    silent = [
        f"{name} {'/'.join(parameter.opts)}"
        for name, command in PROGRAM.items()
        for parameter in command.params
        if isinstance(parameter, click.Option) and not parameter.help
    ]
    assert not silent
    assert not [name for name, command in PROGRAM.items() if not command.help]


@pytest.mark.parametrize("name", PROMISED)
def test_a_promised_command_is_there_or_named_as_not_yet_there(name: str) -> None:
    there = name in PROGRAM or name in leadpact.commands
    assert there != (name in _not_yet())


def test_the_readme_names_every_command() -> None:
    table = set(
        re.findall(r"`([a-z]+(?: [a-z]+)?)`", README.partition("## Commands")[2].partition("\n## ")[0])
    )
    assert PROGRAM.keys() <= table
    assert not table & _not_yet()


def _command_lines() -> list[tuple[str, str]]:
    """(file, line) of each call of leadpact in a block of code, continued lines joined."""
    found = []
    for path in DOCUMENTS:
        for block in re.findall(r"^```(?:console|sh)\n(.*?)^```", path.read_text("utf-8"), re.M | re.S):
            for line in block.replace("\\\n", " ").splitlines():
                match = re.match(r"(?:\$ )?(?:\.venv/bin/)?leadpact (.*)", line.strip())
                if match:
                    found.append((path.name, match.group(1)))
    return found


@pytest.mark.parametrize(("file", "line"), _command_lines(), ids=lambda text: text.partition("#")[0].strip())
def test_a_documented_call_is_one_that_the_program_understands(file: str, line: str) -> None:
    rest = shlex.split(line, comments=True)
    command: click.Command = leadpact
    while isinstance(command, click.Group):
        context = click.Context(command)
        _, rest, _ = command.make_parser(context).parse_args(rest)
        found = command.get_command(context, rest[0])
        assert found is not None, f"{file}: there is no command {rest[0]}"
        command, rest = found, rest[1:]
    command.make_context(command.name, rest)  # raises UsageError for what it does not understand


def test_the_page_lists_the_exit_codes_that_the_program_uses() -> None:
    used = {
        kind.exit_code
        for kind in vars(sync.errors).values()
        if isinstance(kind, type) and issubclass(kind, sync.errors.Stopped)
    }
    listed = {int(code) for code in re.findall(r"^\| (\d) \|", COMMANDS, re.M)}
    assert used | {0} == listed


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_document_links_to_files_that_are_there(path: Path) -> None:
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)", path.read_text("utf-8"))
    assert not [link for link in links if not (path.parent / link).exists()]


def test_documents_name_make_targets_that_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.M))
    named = {
        t
        for path in DOCUMENTS
        for t in re.findall(r"^make ([a-z-]+)|`make ([a-z-]+)", path.read_text("utf-8"), re.M)
        for t in t
        if t
    }
    assert named
    assert named <= targets


def test_documents_name_settings_and_variables_that_exist() -> None:
    settings = {".".join(path) for path, _ in leaves()}
    sections = {name.partition(".")[0] for name in settings}
    variables = {variable_of(path) for path, _ in leaves()} | {CONFIG_VARIABLE, SECRETS_VARIABLE}
    variables |= {f"{name}_FILE" for name in variables} | {"LEADPACT_REQUIRE_ALL"}
    variables |= {"LEADPACT_SECTION__NAME", "LEADPACT_SECTION__NAME_FILE"}  # how they are made
    tests = (path.read_text("utf-8") for path in (ROOT / "tests").rglob("*.py"))
    variables |= {
        name for text in tests for name in re.findall(r"\bLEADPACT_(?:TEST|TWO|WRITE)_[A-Z_]+\b", text)
    }
    for path in DOCUMENTS:
        text = path.read_text("utf-8")
        assert set(re.findall(r"\bLEADPACT_[A-Z_]+\b", text)) <= variables, path.name
        dotted = set(re.findall(r"`([a-z]+\.[a-z_]+)(?: = [^`]*)?`", text))
        unknown = {name for name in dotted - settings if name.partition(".")[0] in sections}
        assert {name for name in unknown if not name.endswith((".py", ".toml"))} == set(), path.name


def test_the_list_of_decisions_is_whole() -> None:
    pages = {path.name for path in (ROOT / "docs/decisions").glob("0*.md")}
    listed = re.findall(r"\]\((\d{4}-[\w-]+\.md)\)", (ROOT / "docs/decisions/README.md").read_text("utf-8"))
    assert sorted(pages) == sorted(listed)
    assert [name[:4] for name in sorted(pages)] == [f"{number:04}" for number in range(1, len(pages) + 1)]
