"""Real PostgreSQL servers for the tests of memory: the embedded one, and the machine's own where it has one.

Each server starts once a session. A test that needs a migrated database gets one that is as new (``emptied.py``).
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import psycopg
import pytest

from sync.store.embedded import EmbeddedServer
from sync.store.store import Store
from tests.story.emptied import Reused, made
from tests.story.ended import EndState
from tests.story.forking import ForkServer

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


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


@pytest.fixture(scope="module", params=["embedded", "machine"])
def server_url(request: pytest.FixtureRequest) -> str:
    """The address of each kind of server in turn."""
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture
def database(server_url: str) -> Iterator[str]:
    """An empty database of its own; gone after the test, whoever is still connected."""
    with made(server_url, "template0") as url:
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


@pytest.fixture(scope="session")
def forks() -> Iterator[ForkServer]:
    """Starts ``leadpact`` and scripts without the seconds that their imports take."""
    server = ForkServer()
    yield server
    server.close()
