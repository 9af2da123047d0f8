"""The walk-through in docs/ is walked: its tables, its commands, with real processes, as a user types them."""

from __future__ import annotations

import csv
import re
import shlex
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from connectors.sandbox.detached import attach
from sync.app import data_folder
from sync.settings import load_settings
from sync.store.embedded import EmbeddedServer
from tests.story.forking import ForkServer

PAGE = (Path(__file__).resolve().parents[2] / "docs/walkthrough.md").read_text("utf-8")
SMALL, LARGE = PAGE.split("## A larger example")


def _blocks(kind: str, text: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", text, re.M | re.S)


def _calls() -> list[list[str]]:
    """The arguments of every call of leadpact in the first part, in order."""
    lines = "".join(_blocks("console", SMALL)).replace("\\\n", " ").splitlines()
    return [shlex.split(line)[1:] for line in lines if re.match(r"(\.venv/bin/)?leadpact ", line)]


def _leadpact(forks: ForkServer, arguments: list[str], folder: Path) -> tuple[int, str]:
    """Exit code and text of one command, a process of its own; what goes wrong is shown by pytest."""
    done = forks.run(["-m", "sync", *arguments], {"LEADPACT_SYNC__MODE": "full"}, timeout=120, cwd=folder)
    print(f"leadpact {shlex.join(arguments)}\n{done.stdout}{done.stderr}")  # noqa: T201 - shown where a step fails
    return done.returncode, done.stdout


def test_the_walkthrough_ends_with_two_crms_that_agree(tmp_path: Path, forks: ForkServer) -> None:
    (init, *steps), folder = _calls(), tmp_path / "try"
    assert _leadpact(forks, init, tmp_path)[0] == 0
    with (folder / "leadpact.toml").open("a", encoding="utf-8") as config:
        config.write('\n[sandbox]\ndir = "sandbox"\n')
    for name, text in zip(("contacts.csv", "leads.csv"), _blocks("text", SMALL), strict=True):
        (folder / name).write_text(text, encoding="utf-8")

    # As in a second window: every command finds its servers there, and none has to start and stop them.
    database = data_folder(load_settings(folder / "leadpact.toml", {})) / "postgresql"
    with attach(folder / "sandbox"), closing(EmbeddedServer(database)):
        said = [(" ".join(step[:2]), *_leadpact(forks, step, folder)) for step in steps]

    # Only the first check finds something to mend: the fields that setup then creates.
    assert [code for _, code, _ in said] == [
        1 if step == "check" and i < 4 else 0 for i, (step, _, _) in enumerate(said)
    ]
    texts = {step: text for step, _, text in said}
    assert "Leiterin Marketing" in texts["plan --out"]
    assert "\n1 of 1 linked leads agree" in texts["agree"]
    assert "anna.berg@shop.example" in texts["explain anna.berg@shop.example"]
    assert " 0 written" in texts["sync"]


@pytest.mark.shared
def test_the_larger_example_makes_two_tables_that_disagree(tmp_path: Path, shared_data: Path) -> None:
    (tmp_path / "two_tables.py").write_text(_blocks("python", LARGE)[0], encoding="utf-8")
    subprocess.run(
        [sys.executable, "two_tables.py", str(shared_data / "adventureworks")], cwd=tmp_path, check=True
    )
    marketing, sales = (
        list(csv.DictReader((tmp_path / name).read_text("utf-8").splitlines()))
        for name in ("marketing.csv", "sales.csv")
    )

    def people(table: list[dict[str, str]]) -> set[tuple[str, str, str]]:
        return {(row["email"], row["first"], row["company"]) for row in table}

    in_both, everyone = people(marketing) & people(sales), people(marketing) | people(sales)
    assert len(everyone) == 2059
    assert 0.55 < len(in_both) / len(everyone) < 0.65
    addresses = [row["email"] for row in marketing if row["email"]]
    assert len(addresses) == len(set(addresses))
    assert {row["last"] for row in sales} - {row["last"] for row in marketing}
