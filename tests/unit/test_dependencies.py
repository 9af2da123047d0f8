"""What is imported, what is asked for and what is locked are one list, under licences a company can take."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("connectors", "mapping", "sync")
OURS = {*ROOMS, "bench", "tests"}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _names(requirements: list[str]) -> set[str]:
    found = (re.match(r"[\w.-]+", requirement) for requirement in requirements)
    return {_plain(match.group()) for match in found if match}


RUNTIME = _names(PROJECT["dependencies"])
#: What only one command needs, and says so where it is missing.
OPTIONAL = _names(
    [*PROJECT["optional-dependencies"]["learn"], *PROJECT["optional-dependencies"]["telemetry"]]
)
#: Found by their place and never imported: the time zones that slim images lack.
DATA = {"tzdata"}
DEVELOPMENT = _names([*PROJECT["optional-dependencies"]["dev"], *PROJECT["optional-dependencies"]["build"]])


#: Programs for environments of other people's readers, each with a lock file of its own.
READERS = ROOT / "tests/contract/readers"


@cache
def _files_of(folder: str) -> tuple[Path, ...]:
    return tuple((ROOT / folder).rglob("*.py"))


@cache
def _imported_by(path: Path) -> frozenset[str]:
    found: set[str] = set()
    for node in _statements(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return frozenset(found)


def _statements(node: ast.AST) -> Iterator[ast.stmt]:
    """Every statement below; an import is one, and ten times as many expressions are passed over."""
    for name in ("body", "handlers", "cases", "orelse", "finalbody"):
        for inner in getattr(node, name, ()):
            if isinstance(inner, ast.stmt):
                yield inner
            yield from _statements(inner)


def _imported(*folders: str, apart: Path | None = READERS) -> set[str]:
    """Top-level modules of other people that the Python files of these folders import, those ``apart`` left out."""
    files = (path for folder in folders for path in _files_of(folder) if apart not in path.parents)
    found = set().union(*map(_imported_by, files))
    beside_a_test = {path.stem for path in _files_of("tests")}
    return found - set(sys.stdlib_module_names) - OURS - beside_a_test


@cache
def _known() -> Mapping[str, list[str]]:
    return packages_distributions()


def _distributions(modules: set[str]) -> set[str]:
    """Who brings these modules. Of several that share one (``google``) those that are asked for count."""
    known, asked = _known(), RUNTIME | OPTIONAL | DEVELOPMENT
    found: set[str] = set()
    for module in modules:
        names = {_plain(name) for name in known.get(module, [module])}
        found |= names & asked or names
    return found


def _locked(lock: str) -> dict[str, str]:
    text = (ROOT / lock).read_text("utf-8")
    return {_plain(name): version for name, version in re.findall(r"^([\w.-]+)==(\S+)", text, re.M)}


def test_every_import_of_the_product_is_asked_for_and_everything_asked_for_is_imported() -> None:
    assert _distributions(_imported(*ROOMS)) | DATA == RUNTIME | OPTIONAL


def test_every_import_of_tests_and_benches_is_asked_for() -> None:
    assert _distributions(_imported("tests", "bench")) <= RUNTIME | OPTIONAL | DEVELOPMENT


def test_what_runs_in_an_environment_of_its_own_is_imported_nowhere_else_and_under_no_strict_licence() -> (
    None
):
    everywhere = _imported(*ROOMS, "tests", "bench", apart=None)
    # Apache-2.0. The taps are under AGPL-3.0: they are run as programs and never imported.
    assert everywhere - _imported(*ROOMS, "tests", "bench") == {"dlt"}
    assert not everywhere & {"tap_hubspot", "tap_salesforce", "singer", "singer_sdk"}
    assert not {"dlt", "tap-hubspot", "tap-salesforce"} & _locked("requirements-dev.lock").keys()


def test_the_locks_hold_what_is_asked_for() -> None:
    assert _locked("requirements.lock").keys() >= RUNTIME
    assert _locked("requirements-dev.lock").keys() >= RUNTIME | OPTIONAL | DEVELOPMENT


def test_both_locks_agree_on_every_version() -> None:
    runtime, development = _locked("requirements.lock"), _locked("requirements-dev.lock")
    assert runtime == {name: development.get(name) for name in runtime}


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock", "requirements-uv.lock"])
def test_a_lock_has_hashes_for_every_package_and_names_no_host(lock: str) -> None:
    text = (ROOT / lock).read_text("utf-8")
    assert not re.search(r"://|--(index-url|extra-index-url|find-links|trusted-host)", text)
    packages = re.split(r"^(?=[\w.-]+==)", text, flags=re.M)[1:]
    assert [package.split()[0] for package in packages if "--hash=sha256:" not in package] == []


def _licences(name: str) -> str:
    about = distribution(name).metadata
    classified = [line for line in about.get_all("Classifier", []) if line.startswith("License ::")]
    said = about.get("License-Expression") or " ".join(classified) or (about.get("License") or "")[:200]
    return str(said)


def test_no_package_is_under_a_licence_that_would_reach_into_ours() -> None:
    """The LGPL (psycopg) is fine: it is used as a library. The GPL and the AGPL are not."""
    copyleft = re.compile(r"(?<!L)(?<!Lesser )(A?GPL|(Affero )?General Public License)")
    wrong, unknown = {}, []
    for name in _locked("requirements.lock"):
        try:
            said = _licences(name)
        except PackageNotFoundError:  # another platform's
            continue
        if not said:
            unknown.append(name)
        if copyleft.search(said):
            wrong[name] = said
    assert not wrong
    assert not unknown
