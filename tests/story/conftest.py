"""Real PostgreSQL servers for the tests of memory: the embedded one, and the machine's own where it has one.

Each server starts once a session; every test gets a database of its own. And what a sync ends in: both CRMs and our
tables as texts, for the tests that disturb one and compare.
"""

from __future__ import annotations

import json
import os
import pwd
import re
import shutil
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest

from sync.store.embedded import EmbeddedServer
from sync.store.store import Store

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
_NUMBERS = count(1)
#: What is compared of our tables. Left out: numbers of runs and rows, which every run draws anew; the journal,
#: which tells of the disturbed run too; and ``refused.tries``, which counts what was really tried.
_VERDICT = (
    "lead_id, decided_at, policy_version, score, fit, engagement, coverage, temperature, stage, stage_why,"
    " highest_stage, cycle, nurture_track"
)
TABLES: Mapping[str, str] = {
    "lead": "SELECT * FROM lead",
    "link": "SELECT crm, object, record_id, lead_id, how, linked_at, email_key, name_key, company_key FROM link",
    "base": "SELECT crm, object, record_id, record_values, agreed_at FROM base",
    "verdict": f"SELECT DISTINCT ON (lead_id) {_VERDICT} FROM verdict ORDER BY lead_id, verdict_id DESC",
    "every verdict": f"SELECT {_VERDICT}, inputs FROM verdict",
    "conflict": "SELECT lead_id, field, rule, winner, hubspot_value, salesforce_value, hubspot_at, salesforce_at,"
    " decided_at FROM conflict",
    "held": "SELECT held_key, kind, lead_id, crm, object, record_id, field, details, since, settled_at FROM held",
    "refused": "SELECT lead_id, crm, object, record_id, code, message, fields, first_at, last_at FROM refused",
    "cursor": "SELECT crm, object, place, moved_at FROM cursor",
    "claim": "SELECT * FROM claim",
    "policy version": "SELECT * FROM policy_version",
}
#: What tells of the way and not of the end: a run that was disturbed knew less when it decided.
OF_THE_WAY = ("every verdict",)
#: How much of a lead is known, as both CRMs show it. Written with other changes only: a second look at a record that
#: was just created finds its counters there, which an undisturbed sync knows the next time and does not write.
COVERAGE = re.compile(r'((?:leadpact_coverage|Leadpact_Coverage__c|shown_coverage)\\*": ?\\*"?)[0-9.]+')


def remembered(database: str) -> dict[str, list[str]]:
    """What we remember, row by row."""
    with psycopg.connect(database) as connection:
        rows = {table: connection.execute(query.encode()).fetchall() for table, query in TABLES.items()}
    return {
        table: sorted(json.dumps(row, default=str, ensure_ascii=False) for row in some)
        for table, some in rows.items()
    }


@dataclass(frozen=True)
class EndState:
    """Both CRMs and our tables as texts, in which a created record is called by the person it stands for."""

    crms: dict[str, str]
    tables: dict[str, list[str]]
    created: Counter[str]

    @classmethod
    def read(
        cls, records: Mapping[str, Mapping[str, Any]], database: str, known: Collection[str]
    ) -> EndState:
        """``records``: by CRM and id. ``known``: those that were there before the sync. ``database``: its address."""
        names = {}
        for key in records.keys() - set(known):
            crm, number = key.split(":")
            names[number] = f"<{crm} record of {_email(records[key])}>"

        def named(text: str) -> str:
            for number, name in names.items():
                text = text.replace(number, name)
            return text

        return cls(
            {named(key): named(json.dumps(record, sort_keys=True)) for key, record in records.items()},
            {table: sorted(map(named, rows)) for table, rows in remembered(database).items()},
            Counter(names.values()),
        )

    def of_the_end(self) -> EndState:
        """Without what tells of the way to it."""
        crms = {key: COVERAGE.sub(r"\1…", record) for key, record in self.crms.items()}
        tables = {
            table: sorted(COVERAGE.sub(r"\1…", row) for row in rows)
            for table, rows in self.tables.items()
            if table not in OF_THE_WAY
        }
        return EndState(crms, tables, self.created)

    def differences(self, expected: EndState, compared: Collection[str] | None = None) -> list[str]:
        """What differs, one line a record or row, so that a failure says it at once. ``compared``: the tables."""
        said = []
        for key in sorted(self.crms.keys() | expected.crms.keys()):
            if self.crms.get(key) != expected.crms.get(key):
                said.append(f"{key}:\n  is     {self.crms.get(key)}\n  not    {expected.crms.get(key)}")
        for table in sorted(expected.tables if compared is None else compared):
            is_there, should_be = Counter(self.tables[table]), Counter(expected.tables[table])
            said += [f"{table} has     {row}" for row in (is_there - should_be).elements()]
            said += [f"{table} has not {row}" for row in (should_be - is_there).elements()]
        return said


def _email(record: Mapping[str, Any]) -> str:
    return str((record.get("properties") or record).get("email") or record.get("Email"))


@pytest.fixture(scope="session")
def end_state() -> Callable[..., EndState]:
    """Reads both CRMs and our tables for a comparison: ``EndState.read``."""
    return EndState.read


def _programs() -> Path | None:
    """The folder of the machine's newest PostgreSQL, 15 or later."""
    folders = sorted(
        (path for path in Path("/usr/lib/postgresql").glob("*/bin") if path.parent.name.isdigit()),
        key=lambda path: int(path.parent.name),
        reverse=True,
    )
    on_path = shutil.which("initdb")
    if on_path:
        folders.append(Path(on_path).resolve().parent)
    whole = [folder for folder in folders if (folder / "initdb").exists() and (folder / "postgres").exists()]
    return next((folder for folder in whole if _version(folder) >= 15), None)


def _version(folder: Path) -> int:
    said = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, check=False)
    words = said.stdout.split()
    number = words[2].split(".")[0] if len(words) > 2 else ""
    return int(number) if number.isdigit() else 0


def _other_user(programs: Path) -> str | None:
    """Who runs the server when we are root, which PostgreSQL refuses."""
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next((name for name in ("postgres", "nobody") if name in known), None)


def _as(user: str | None) -> list[str]:
    if user is None:
        return []
    entry = pwd.getpwnam(user)
    if shutil.which("setpriv"):
        return ["setpriv", f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--clear-groups"]
    return ["runuser", "-u", user, "--"]


@pytest.fixture(scope="session")
def embedded_url() -> Iterator[str]:
    """The address of an embedded server that nobody else uses."""
    with tempfile.TemporaryDirectory(prefix="leadpact-embedded-") as folder:
        server = EmbeddedServer(Path(folder) / "postgresql")
        with psycopg.connect(server.url, autocommit=True) as connection:
            # Nothing here has to outlive a power cut, and waiting for the disk is most of a test's time.
            connection.execute("ALTER SYSTEM SET fsync = off")
            connection.execute("SELECT pg_reload_conf()")
        yield server.url
        server.close()


@pytest.fixture(scope="session")
def machine_url() -> Iterator[str]:
    """The address of a server made of the machine's own programs."""
    programs = _programs()
    if programs is None:
        pytest.skip("this machine has no PostgreSQL 15 or newer of its own (initdb, postgres)")
    user = _other_user(programs) if os.geteuid() == 0 else None
    if os.geteuid() == 0 and (user is None or not (shutil.which("setpriv") or shutil.which("runuser"))):
        pytest.skip("PostgreSQL does not run as root, and there is no other user to run it as")
    with tempfile.TemporaryDirectory(prefix="leadpact-machine-", dir="/tmp") as name:
        folder = Path(name)
        if user is not None:
            os.chown(folder, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid)
        yield from _served(programs, folder, _as(user))


def _served(programs: Path, folder: Path, run_as: list[str]) -> Iterator[str]:
    data = folder / "data"
    made = [
        *run_as,
        str(programs / "initdb"),
        "-D",
        str(data),
        "-U",
        "leadpact",
        "-A",
        "trust",
        "-E",
        "UTF8",
        "-N",
    ]
    subprocess.run([*made, "--locale=C"], cwd=folder, check=True, capture_output=True)
    options = ["-D", str(data), "-k", str(folder), "-h", "", "-F", "-c", "max_connections=40"]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [*run_as, str(programs / "postgres"), *options], cwd=folder, stdout=log, stderr=log
        )
        try:
            url = f"postgresql://leadpact@/postgres?host={folder}"
            _wait_for(url, server, folder / "log")
            yield url
        finally:
            server.terminate()
            server.wait(30)


def _wait_for(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + 30
    while True:
        try:
            psycopg.connect(url).close()
        except psycopg.OperationalError:
            if server.poll() is not None or time.monotonic() > until:
                pytest.fail(f"the machine's PostgreSQL did not start: {log.read_text()[-800:]}")
            time.sleep(0.05)
        else:
            return


@pytest.fixture(params=["embedded", "machine"])
def server_url(request: pytest.FixtureRequest) -> str:
    """The address of each kind of server in turn."""
    return str(request.getfixturevalue(f"{request.param}_url"))


@contextmanager
def _made(server_url: str, template: str) -> Iterator[str]:
    name = f"test_{os.getpid()}_{next(_NUMBERS)}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}".encode())
    yield server_url.replace("/postgres?", f"/{name}?")
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest.fixture
def database(server_url: str) -> Iterator[str]:
    """An empty database of its own; gone after the test, whoever is still connected."""
    with _made(server_url, "template0") as url:
        yield url


@pytest.fixture(scope="session")
def migrated() -> dict[str, str]:
    """The address of each server's migrated database."""
    return {}


@pytest.fixture
def migrated_database(server_url: str, migrated: dict[str, str]) -> Iterator[str]:
    """A migrated database that knows nothing yet. It is emptied after each test, which is faster than a new one."""
    if server_url not in migrated:
        with psycopg.connect(server_url, autocommit=True) as connection:
            connection.execute("CREATE DATABASE remembering TEMPLATE template0")
        migrated[server_url] = server_url.replace("/postgres?", "/remembering?")
        Store(migrated[server_url]).close()
    yield migrated[server_url]
    with psycopg.connect(migrated[server_url], autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        connection.execute("TRUNCATE connection RESTART IDENTITY CASCADE")


def _open(url: str, opened: list[Store], portal: str = "101", organisation: str = "00D1") -> Store:
    store = Store(url)
    opened.append(store)
    store.use(portal, organisation, NOW)
    return store


@pytest.fixture
def another(migrated_database: str) -> Iterator[Callable[..., Store]]:
    """Opens one more connection to the test's database: what another process would have."""
    opened: list[Store] = []
    yield partial(_open, migrated_database, opened)
    for store in opened:
        store.close()


@pytest.fixture
def store(another: Callable[..., Store]) -> Store:
    """An open, migrated store that knows nothing yet."""
    return another()
