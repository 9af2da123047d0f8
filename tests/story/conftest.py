"""Real PostgreSQL servers for the tests of memory: the embedded one, and the machine's own where it has one.

Each server starts once a session. A test that needs a migrated database gets one that is as new: emptied, which takes
a tenth of making one, and compared with a new one first. And what a sync ends in: both CRMs and our tables as texts,
for the tests that disturb one and compare.
"""

from __future__ import annotations

import json
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
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
    made = [*run_as, str(programs / "initdb"), "-D", str(data), "-U", "leadpact", "-A", "trust"]
    subprocess.run([*made, "-E", "UTF8", "-N", "--locale=C"], cwd=folder, check=True, capture_output=True)
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


#: Everything that a database is but for its rows: columns, indexes, constraints, functions, triggers, kinds, owners,
#: rights, settings, the migrations it has seen, and what it does for other databases.
SHAPE = """
SELECT md5(string_agg(line, chr(10) ORDER BY line)) FROM (
  SELECT concat_ws(' ', c.relkind, c.relname, c.relacl, c.reloptions, a.attnum, a.attname, a.attnotnull,
                   format_type(a.atttypid, a.atttypmod), pg_get_expr(d.adbin, d.adrelid)) AS line
    FROM pg_class c LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
   WHERE c.relnamespace = 'public'::regnamespace
  UNION ALL SELECT pg_get_indexdef(indexrelid) FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
             WHERE c.relnamespace = 'public'::regnamespace
  UNION ALL SELECT concat_ws(' ', conrelid::regclass, conname, pg_get_constraintdef(oid)) FROM pg_constraint
             WHERE connamespace = 'public'::regnamespace
  UNION ALL SELECT concat_ws(' ', proname, prosrc, proacl) FROM pg_proc WHERE pronamespace = 'public'::regnamespace
  UNION ALL SELECT concat_ws(' ', tgrelid::regclass, tgname, tgenabled) FROM pg_trigger WHERE NOT tgisinternal
  UNION ALL SELECT concat_ws(' ', enumtypid::regtype, enumlabel, enumsortorder) FROM pg_enum
  UNION ALL SELECT concat_ws(' ', nspname, nspowner, CASE nspname WHEN 'public' THEN obj_description(oid) END)
              FROM pg_namespace WHERE nspname !~ '^pg_(temp|toast_temp)_'
  UNION ALL SELECT extname FROM pg_extension
  UNION ALL SELECT concat_ws(' ', setconfig) FROM pg_db_role_setting
  UNION ALL SELECT slot_name::text FROM pg_replication_slots
  UNION ALL SELECT schema_migration::text FROM schema_migration
) AS everything
"""
#: What is the same as long as nothing that SHAPE reads was changed, in a tenth of its time: a row that comes or is
#: changed brings its transaction's number along, which is larger than any before, and one that goes is not counted.
TOUCHED = " UNION ALL ".join(
    [
        f"SELECT concat_ws(' ', '{table}', count(*), sum(xmin::text::bigint)) FROM {table}"
        for table in (
            *("pg_class", "pg_attribute", "pg_attrdef", "pg_index", "pg_constraint", "pg_proc", "pg_trigger"),
            *("pg_type", "pg_enum", "pg_description", "pg_extension", "pg_db_role_setting"),
            "schema_migration",
        )
    ]
    + [
        # Not those that the server makes for temporary tables, and keeps.
        "SELECT concat_ws(' ', count(*), sum(xmin::text::bigint)) FROM pg_namespace"
        " WHERE nspname !~ '^pg_(temp|toast_temp)_'",
        "SELECT string_agg(slot_name::text, ' ') FROM pg_replication_slots",
    ]
)
#: The number of the next transaction on the server that writes anything.
NEXT_WRITE = "SELECT pg_snapshot_xmax(pg_current_snapshot())"
ROWS = (
    "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    " AND relname <> 'schema_migration'"
)
OTHERS_END = (
    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


#: Each table with its rows, and each sequence that has begun with its last number.
Rows = tuple[dict[str, bytes], dict[str, int]]


class Reused:
    """One migrated database of a server for many tests. One that a test has left in another shape is given up."""

    def __init__(self, server_url: str, name: str) -> None:
        self._server, self._name, self._numbers = server_url, name, count(1)
        self._url = self._shape = ""
        self._touched: list[Any] = []
        self._next_write: Any = None

    def empty(self) -> str:
        """The address of a migrated database without rows. Ends every connection to it."""
        if self._url:
            with psycopg.connect(self._url, autocommit=True) as connection:
                connection.execute(OTHERS_END)
                if connection.execute(NEXT_WRITE).fetchone() == self._next_write:
                    return self._url  # nobody has written since it was found as new
                if connection.execute("SELECT to_regclass('schema_migration')").fetchone() != (None,):
                    _forget_rows(connection)
                    if self._is_as_new(connection):
                        self._next_write = connection.execute(NEXT_WRITE).fetchone()
                        return self._url
        return self._new()

    def _is_as_new(self, connection: psycopg.Connection[Any]) -> bool:
        touched = connection.execute(TOUCHED.encode()).fetchall()
        if touched != self._touched:
            if connection.execute(SHAPE.encode()).fetchone() != (self._shape,):
                return False
            self._touched = touched
        return True

    def _new(self) -> str:
        name = f"{self._name}_{os.getpid()}_{next(self._numbers)}"
        with psycopg.connect(self._server, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE template0".encode())
        self._url = self._server.replace("/postgres?", f"/{name}?", 1)
        Store(self._url).close()
        with psycopg.connect(self._url, autocommit=True) as connection:
            (self._shape,) = connection.execute(SHAPE.encode()).fetchone() or ("",)
            self._touched = connection.execute(TOUCHED.encode()).fetchall()
            self._next_write = connection.execute(NEXT_WRITE).fetchone()
        return self._url

    def rows(self) -> Rows:
        """Every row, and how far its sequences are."""
        with psycopg.connect(self._url) as connection:
            tables = {}
            for name in _tables_with_rows(connection):
                with connection.cursor().copy(f'COPY "{name}" TO STDOUT'.encode()) as copied:
                    tables[name] = b"".join(map(bytes, copied))
            begun = "SELECT sequencename, last_value FROM pg_sequences WHERE last_value IS NOT NULL"
            return tables, dict(connection.execute(begun.encode()).fetchall())

    def put_back(self, rows: Rows) -> None:
        """Into the empty database what it held at another time."""
        tables, sequences = rows
        with psycopg.connect(self._url) as connection:
            connection.execute("SET LOCAL session_replication_role = replica")
            for name, lines in tables.items():
                with connection.cursor().copy(f'COPY "{name}" FROM STDIN'.encode()) as copied:
                    copied.write(lines)
            for name, last in sequences.items():
                connection.execute("SELECT setval(%s, %s)", (name, last))


def _forget_rows(connection: psycopg.Connection[Any]) -> None:
    """By rows: most tables have none, and to truncate them all makes hundreds of files anew."""
    with connection.transaction():
        # As a replica does: keys between tables, and what a row's end sets off, are not asked for.
        connection.execute("SET LOCAL session_replication_role = replica")
        for name in _tables_with_rows(connection):
            connection.execute(f'DELETE FROM "{name}"'.encode())
        connection.execute(
            "SELECT setval(format('%I.%I', schemaname, sequencename), start_value, false) FROM pg_sequences"
            " WHERE last_value IS NOT NULL"
        )


def _tables_with_rows(connection: psycopg.Connection[Any]) -> list[str]:
    names = [name for (name,) in connection.execute(ROWS)]
    looks = (f"SELECT '{name}' WHERE EXISTS (SELECT FROM \"{name}\")" for name in names)
    return [name for (name,) in connection.execute(" UNION ALL ".join(looks).encode())]


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
def migrated() -> dict[str, Reused]:
    """Each server's migrated database."""
    return {}


@pytest.fixture(scope="session")
def reused() -> type[Reused]:
    """Makes one database of a server for many tests: ``reused(SERVER URL, NAME)``."""
    return Reused


@pytest.fixture
def migrated_database(server_url: str, migrated: dict[str, Reused]) -> str:
    """A migrated database that knows nothing yet."""
    return migrated.setdefault(server_url, Reused(server_url, "remembering")).empty()


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


FORK_SERVER = Path(__file__).with_name("fork_server.py")


@dataclass
class Forked:
    """A running process of a ``ForkServer``; what of ``subprocess.Popen`` a test needs."""

    server: ForkServer
    pid: int
    returncode: int | None = None

    def poll(self) -> int | None:
        if self.returncode is None:
            self.returncode = self.server.ask({"poll": self.pid})["ended"]
        return self.returncode

    def wait(self, timeout: float) -> int:
        until = time.monotonic() + timeout
        while (code := self.poll()) is None:
            if time.monotonic() > until:
                raise subprocess.TimeoutExpired(str(self.pid), timeout)
            time.sleep(0.01)
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class ForkServer:
    """Starts programs as processes of their own that have imported everything already (``fork_server.py``)."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(FORK_SERVER)],
            env=_foreign(os.environ),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._one_at_a_time = threading.Lock()

    def ask(self, question: Mapping[str, Any]) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._one_at_a_time:
            self._process.stdin.write(json.dumps(question) + "\n")
            self._process.stdin.flush()
            return json.loads(self._process.stdout.readline())

    def start(self, argv: Sequence[str], environ: Mapping[str, str], out: Path, err: Path) -> Forked:
        """``argv`` as python gets it: a script, or ``-m`` and a module. ``environ``: all that it sees of ours."""
        for path in (out, err):
            # There from the beginning, for whoever waits for a word in it.
            path.touch()
        whole = {**_foreign(os.environ), **environ}
        asked = {"argv": list(argv), "environ": whole, "out": str(out), "err": str(err)}
        return Forked(self, int(self.ask(asked)["pid"]))

    def run(
        self, argv: Sequence[str], environ: Mapping[str, str], timeout: float = 60.0
    ) -> subprocess.CompletedProcess[str]:
        """The same, waited for, with what it said."""
        with tempfile.TemporaryDirectory(prefix="leadpact-said-") as name:
            out, err = Path(name) / "out", Path(name) / "err"
            started = self.start(argv, environ, out, err)
            try:
                code = started.wait(timeout)
            except subprocess.TimeoutExpired:
                started.kill()
                raise
            said = [path.read_text(encoding="utf-8", errors="replace") for path in (out, err)]
            return subprocess.CompletedProcess(list(argv), code, *said)

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()


def _foreign(environ: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environ.items() if not name.startswith("LEADPACT_")}


@pytest.fixture(scope="session")
def forks() -> Iterator[ForkServer]:
    """Starts ``leadpact`` and scripts without the seconds that their imports take."""
    server = ForkServer()
    yield server
    server.close()
