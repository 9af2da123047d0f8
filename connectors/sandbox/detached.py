"""One server of the pretend CRMs per folder, shared by every command that needs it.

The first command starts it, later ones join it, and it ends by itself when the last has gone, however
that one ended. Who uses it stands in ``users.json``, one entry an ``attach``; the server looks every
second and strikes out processes that no longer run.

``python -m connectors.sandbox.detached FOLDER`` is what the first command runs; it says on the file
descriptor it is given when it is ready.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import selectors
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import orjson

from connectors.sandbox.certificates import ca_file
from connectors.sandbox.credentials import (
    HUBSPOT_CLIENT_SECRET,
    HUBSPOT_TOKEN,
    SALESFORCE_CLIENT_ID,
    SALESFORCE_CLIENT_SECRET,
    SALESFORCE_DOMAIN,
)
from connectors.sandbox.folder import (
    FolderInUse,
    Ports,
    Process,
    locked,
    prepare,
    read_json,
    say_gone,
    served,
    write_json,
)

if TYPE_CHECKING:
    from connectors.sandbox.serving import BuildSides, Running

SWEEP_SECONDS = 1.0
START_SECONDS = 30.0
# Longer than one command can hold the list while it starts a server.
LOCK_SECONDS = 90.0
LOG = "sandbox.log"
_USERS, _USERS_LOCK = "users.json", "users.lock"


class SandboxUnavailable(Exception):
    """The pretend CRMs cannot be started or joined; the text says why and names the folder."""


@dataclass(frozen=True, slots=True)
class Attached:
    """The use of a folder's pretend CRMs. Release it, or use it as a context manager."""

    folder: Path
    hubspot_url: str
    salesforce_url: str
    entry: str = field(repr=False)
    hubspot_token: str = field(default=HUBSPOT_TOKEN, repr=False)
    hubspot_client_secret: str = field(default=HUBSPOT_CLIENT_SECRET, repr=False)
    salesforce_client_id: str = SALESFORCE_CLIENT_ID
    salesforce_client_secret: str = field(default=SALESFORCE_CLIENT_SECRET, repr=False)
    salesforce_domain: str = SALESFORCE_DOMAIN
    pubsub: str | None = None

    @property
    def ca_file(self) -> str | None:
        """What signs the certificate of Pub/Sub (a PEM file); made when it is first asked for."""
        return None if self.pubsub is None else str(ca_file(self.folder))

    def release(self) -> None:
        """Use them no longer. May be called twice, and after the folder was removed."""
        try:
            with locked(self.folder / _USERS_LOCK, LOCK_SECONDS):
                left = [user for user in _users(self.folder) if user["entry"] != self.entry]
                _write_users(self.folder, left)
        except (FileNotFoundError, TimeoutError):
            # Nothing is left to leave, or someone holds the list: the server strikes us out when we end.
            return

    def __enter__(self) -> Attached:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.release()


def attach(
    folder: Path,
    hubspot_port: int = 0,
    salesforce_port: int = 0,
    command: Sequence[str] | None = None,
    pubsub_port: int = 0,
) -> Attached:
    """Use the pretend CRMs of a folder, started where they do not run.

    A port of 0 is any free one, or whichever a running server has. A server that someone started in the
    foreground (``sandbox serve --dir``) is joined too, and does not end with its users. ``command``
    replaces the words that start a server, before its arguments.

    Raises SandboxUnavailable: a port is taken, the running server has other ports than those asked for
    or was started with ``--tls``, or the server ended while it was starting.
    """
    folder, entry = prepare(folder), uuid4().hex
    wanted = Ports(hubspot_port, salesforce_port, pubsub_port)
    # Held until the server answers: a second command waits here, and then finds the first one's server.
    with _list_of_users(folder):
        others = _live_users(folder)
        _write_users(folder, [*others, {"entry": entry, **asdict(Process.this())}])
        try:
            ports = served(folder) or _start(folder, wanted, command)
            _refuse_other_ports(folder, wanted, ports)
        except BaseException:
            _write_users(folder, others)
            raise
    return Attached(folder, ports.hubspot_url, ports.salesforce_url, entry, pubsub=ports.pubsub_address)


@contextmanager
def _list_of_users(folder: Path) -> Iterator[None]:
    try:
        with locked(folder / _USERS_LOCK, LOCK_SECONDS):
            yield
    except TimeoutError as error:
        raise SandboxUnavailable(f"the sandbox in {folder}: {error}") from error


def _refuse_other_ports(folder: Path, wanted: Ports, found: Ports) -> None:
    if found.tls:
        raise SandboxUnavailable(
            f"the sandbox in {folder} already runs with TLS, which is for other people's clients; end it first"
        )
    for side, asked in asdict(wanted).items():
        if asked and asked != getattr(found, side):
            raise SandboxUnavailable(
                f"the sandbox in {folder} already runs with {side} on port {getattr(found, side)}, "
                f"not {asked}; end the commands that use it, or ask for no port"
            )


def _users(folder: Path) -> list[dict[str, Any]]:
    return read_json(folder / _USERS) or []


def _live_users(folder: Path) -> list[dict[str, Any]]:
    return [user for user in _users(folder) if Process(user["pid"], user["started"]).alive]


def _write_users(folder: Path, users: Sequence[Mapping[str, Any]]) -> None:
    write_json(folder / _USERS, users)


def _start(folder: Path, ports: Ports, command: Sequence[str] | None) -> Ports:
    """Start a server and wait until it is ready."""
    reading, writing = os.pipe()
    words = [
        *(command or (sys.executable, "-P", "-m", "connectors.sandbox.detached")),
        *(str(folder), "--hubspot-port", str(ports.hubspot), "--salesforce-port", str(ports.salesforce)),
        *("--pubsub-port", str(ports.pubsub), "--ready-fd", str(writing)),
    ]
    log = os.open(folder / LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        # This process ends at once, having left the server behind: it is never a child of ours to bury.
        subprocess.run(
            words,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            env=_environment(),
            start_new_session=True,
            pass_fds=(writing,),
            timeout=START_SECONDS,
            check=False,
        )
        os.close(writing)
        writing = -1
        return _told(folder, _line(reading))
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SandboxUnavailable(f"the sandbox in {folder} cannot be started: {error}") from error
    finally:
        for descriptor in (log, reading, *([writing] if writing >= 0 else [])):
            os.close(descriptor)


def _environment() -> dict[str, str]:
    """The environment of a server: this one's, without its secrets and able to find this package."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LEADPACT_")}
    home = str(Path(__file__).resolve().parents[2])
    return {**kept, "PYTHONPATH": os.pathsep.join(filter(None, [home, kept.get("PYTHONPATH")]))}


def _line(reading: int) -> bytes:
    """What the server says before it closes the pipe; nothing where it ended without a word."""
    said, deadline = b"", time.monotonic() + START_SECONDS
    # Not select(): it knows no file above number 1,023, and a program may have as many open.
    with selectors.DefaultSelector() as waiting:
        waiting.register(reading, selectors.EVENT_READ)
        while not said.endswith(b"\n"):
            if not waiting.select(max(0.0, deadline - time.monotonic())):
                raise TimeoutError(f"no answer within {START_SECONDS:.0f} seconds")
            part = os.read(reading, 65_536)
            if not part:
                return b""
            said += part
    return said


def _told(folder: Path, line: bytes) -> Ports:
    said: dict[str, Any] = orjson.loads(line) if line else {"error": f"it ended; see {folder / LOG}"}
    if "error" in said:
        raise SandboxUnavailable(f"the sandbox in {folder} cannot be started: {said['error']}")
    return Ports.told(said)


def nobody_left(folder: Path) -> bool:
    """Strike out the users that no longer run; whether none is left, and the server shall end.

    Then nobody is told about the server any more, while the lock is still held: a command that comes
    now waits for it to end and starts another.
    """
    if not folder.is_dir():
        return True
    try:
        with locked(folder / _USERS_LOCK, 0):
            users, live = _users(folder), _live_users(folder)
            if not live:
                say_gone(folder)
            if live != users:
                _write_users(folder, live)
            return not live
    except FileNotFoundError:
        return True
    except TimeoutError:
        # Someone comes or goes just now; the next look tells.
        return False


def _serve(
    folder: Path, ports: Ports, ready_fd: int, apart: Mapping[str, BuildSides] | None, sweep_seconds: float
) -> int:
    """Serve until a signal or until nobody is left; the exit code."""
    # Here and not above: a command that only attaches need not load a web server.
    from connectors.sandbox.apart import APART, SideLost, serve_apart
    from connectors.sandbox.server import PortInUse

    async def sweep(running: Running, done: asyncio.Event) -> None:
        _say(ready_fd, asdict(running.ports))
        while not done.is_set():
            try:
                await asyncio.wait_for(done.wait(), sweep_seconds)
            except TimeoutError:
                if await asyncio.to_thread(nobody_left, folder):
                    done.set()

    try:
        serve_apart(folder, ports, apart or APART, sweep, wait_seconds=START_SECONDS / 2)
    except (PortInUse, FolderInUse) as error:
        # Only raised before the server is ready, so the one who waits has not been told anything yet.
        _say(ready_fd, {"error": str(error)})
        return 1
    except SideLost as lost:
        logging.error("%s", lost)
        return 1
    return 0


def _say(ready_fd: int, content: Mapping[str, Any]) -> None:
    os.write(ready_fd, orjson.dumps(content) + b"\n")
    os.close(ready_fd)


def main(
    arguments: Sequence[str],
    apart: Mapping[str, BuildSides] | None = None,
    sweep_seconds: float = SWEEP_SECONDS,
) -> int:
    """Leave a server behind that ends with its last user, and return 0; in the server, its exit code.

    ``apart``: the sides, by the process that serves them; None are the shipped ones.
    ``sweep_seconds`` is how often the server looks who is left.
    """
    parser = argparse.ArgumentParser(prog="python -m connectors.sandbox.detached")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--hubspot-port", type=int, default=0)
    parser.add_argument("--salesforce-port", type=int, default=0)
    parser.add_argument("--pubsub-port", type=int, default=0)
    parser.add_argument("--ready-fd", type=int, required=True)
    asked = parser.parse_args(arguments)
    os.umask(0o077)
    folder = prepare(asked.folder)
    if os.fork():
        return 0
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s")
    ports = Ports(asked.hubspot_port, asked.salesforce_port, asked.pubsub_port)
    return _serve(folder, ports, asked.ready_fd, apart, sweep_seconds)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
