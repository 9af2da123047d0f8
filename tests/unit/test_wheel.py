"""What a user gets with ``pip install``: three packages with everything they read, and one command."""

from __future__ import annotations

import subprocess
import sys
from configparser import ConfigParser
from email import message_from_string
from email.message import Message
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("connectors", "mapping", "sync")


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Name to text of every file in the wheel, built offline by the backend that is installed."""
    out = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(ROOT)]
    done = subprocess.run(build, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (archive,) = out.glob("*.whl")
    with ZipFile(archive) as opened:
        return {name: opened.read(name).decode(errors="replace") for name in opened.namelist()}


def _about(wheel: dict[str, str], file: str) -> str:
    return next(text for name, text in wheel.items() if name.endswith(f".dist-info/{file}"))


def _metadata(wheel: dict[str, str]) -> Message:
    return message_from_string(_about(wheel, "METADATA"))


def test_the_wheel_holds_every_file_of_the_three_rooms_and_nothing_else(wheel: dict[str, str]) -> None:
    ours = {
        path.relative_to(ROOT).as_posix()
        for room in ROOMS
        for path in (ROOT / room).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {name for name in wheel if ".dist-info/" not in name} == ours


@pytest.mark.parametrize(
    "name",
    [
        # Type checkers of whoever imports a room
        *(f"{room}/py.typed" for room in ROOMS),
        # One module of each sub-package
        "connectors/hubspot/crm.py",
        "connectors/salesforce/crm.py",
        "connectors/sandbox/server.py",
        "connectors/sandbox/hubspot/router.py",
        "connectors/sandbox/salesforce/soql/parse.py",
        "connectors/sandbox/generate/stream.py",
        "mapping/values/phones.py",
        "mapping/qualification/policy.py",
        "sync/store/store.py",
        # Files that are read while running
        "sync/store/migrations/0001_first.sql",
        "sync/store/sql/leads.sql",
        "sync/templates/leadpact.toml",
        "sync/templates/fields.toml",
        "sync/templates/policy.toml",
        "sync/reports/page.html.j2",
        "connectors/sandbox/salesforce/soql/grammar.lark",
        "connectors/sandbox/salesforce/objects/Lead.toml",
        "connectors/sandbox/generate/data/people.toml",
    ],
)
def test_what_leadpact_reads_while_running_is_in_the_wheel(wheel: dict[str, str], name: str) -> None:
    assert wheel[name].strip() or name.endswith("py.typed")


def test_the_wheel_installs_one_command(wheel: dict[str, str]) -> None:
    points = ConfigParser()
    points.read_string(_about(wheel, "entry_points.txt"))
    assert {section: dict(points[section]) for section in points.sections()} == {
        "console_scripts": {"leadpact": "sync.__main__:main"}
    }


def test_the_wheel_carries_its_licence_and_the_pythons_it_runs_on(wheel: dict[str, str]) -> None:
    about = _metadata(wheel)
    assert about["License-Expression"] == "Apache-2.0"
    assert "Apache License" in _about(wheel, "licenses/LICENSE")
    assert sorted(about["Requires-Python"].split(",")) == ["<3.14", ">=3.11"]


def test_a_user_of_the_wheel_gets_no_development_tools(wheel: dict[str, str]) -> None:
    needed = [entry for entry in _metadata(wheel).get_all("Requires-Dist", []) if "extra ==" not in entry]
    names = " ".join(needed).lower()
    assert needed
    assert not [
        tool for tool in ("pytest", "hypothesis", "mypy", "ruff", "build>=", "hatchling") if tool in names
    ]
