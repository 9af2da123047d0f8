"""The folder of one pretend account: which server serves it, and where.

A folder is served by one server at a time: its processes hold ``serving.lock``, which the operating system
gives back once the last of them has ended, however it ends, and the ports are written to ``serving.json``.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson

LOOPBACK = "127.0.0.1"
_LOCK, _READY = "serving.lock", "serving.json"
_PAUSE = 0.02


class FolderInUse(Exception):
    """Another process serves the folder; the text names it."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Where a folder is served: the loopback ports of both sides, and that of Salesforce's Pub/Sub API.

    A port of 0 is one that is not there, or not known yet. ``tls``: both sides are served by https.
    """

    hubspot: int
    salesforce: int
    pubsub: int = 0
    tls: bool = False

    @property
    def hubspot_url(self) -> str:
        """Where HubSpot's API is, without a slash at the end."""
        return f"{self._scheme}://{LOOPBACK}:{self.hubspot}"

    @property
    def salesforce_url(self) -> str:
        """Where Salesforce's API is, without a slash at the end."""
        return f"{self._scheme}://{LOOPBACK}:{self.salesforce}"

    @property
    def _scheme(self) -> str:
        return "https" if self.tls else "http"

    @property
    def pubsub_address(self) -> str | None:
        """``HOST:PORT`` of Salesforce's Pub/Sub API (gRPC over TLS), or None where it is not served."""
        return f"{LOOPBACK}:{self.pubsub}" if self.pubsub else None

    @classmethod
    def told(cls, said: Mapping[str, Any]) -> Ports:
        """The ports in what a server told; one that knows no Pub/Sub tells two."""
        return cls(said["hubspot"], said["salesforce"], said.get("pubsub", 0), said.get("tls", False))


@dataclass(frozen=True, slots=True)
class Process:
    """One process, told apart from a later one with the same number by when it started."""

    pid: int
    started: str

    @classmethod
    def of(cls, pid: int) -> Process:
        """The process that has this number now."""
        return cls(pid, started_at(pid) or "")

    @classmethod
    def this(cls) -> Process:
        """The process that asks."""
        return cls.of(os.getpid())

    @property
    def alive(self) -> bool:
        """Whether this very process still runs."""
        return started_at(self.pid) == self.started


def started_at(pid: int, proc: Path = Path("/proc")) -> str | None:
    """When a process started, in words that only compare for equality; None where it does not run.

    Linux tells through ``proc``; where there is none, ``ps`` does. A process that has ended and only waits
    for its parent to notice does not run.
    """
    if not (proc / "self" / "stat").exists():
        return _asked_of_ps(pid)
    try:
        # The second field is the command in brackets, and may hold blanks and brackets itself.
        fields = (proc / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
        boot = (proc / "sys" / "kernel" / "random" / "boot_id").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # proc(5): state is field 3, the start in clock ticks since boot field 22.
    return None if fields[0] in "ZX" else f"{boot} {fields[19]}"


def _asked_of_ps(pid: int) -> str | None:
    told = subprocess.run(
        ["ps", "-o", "stat=,lstart=", "-p", str(pid)],
        env={**os.environ, "LC_ALL": "C"},
        capture_output=True,
        text=True,
        check=False,
    )
    state, _, start = told.stdout.strip().partition(" ")
    return None if told.returncode or state.startswith("Z") else start.strip()


def prepare(folder: Path) -> Path:
    """The folder, absolute, made for its owner alone where it was not there."""
    folder = folder.expanduser().resolve()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


@contextmanager
def locked(path: Path, wait_seconds: float | None = None) -> Iterator[None]:
    """Hold a lock file, alone among all processes and threads.

    Waits for ever where ``wait_seconds`` is None. Raises TimeoutError when it was not to be had.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        deadline = None if wait_seconds is None else time.monotonic() + wait_seconds
        while not _taken(descriptor):
            if deadline is not None and time.monotonic() >= deadline:
                raise TimeoutError(f"{path.name} is held by another process")
            time.sleep(_PAUSE)
        yield
    finally:
        os.close(descriptor)


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def serving_alone(folder: Path, wait_seconds: float = 1.0) -> Iterator[None]:
    """Be the one server of a folder. Raises FolderInUse.

    The wait covers the instant in which someone else looks whether the folder is served.
    """
    try:
        with locked(folder / _LOCK, wait_seconds):
            yield
    except TimeoutError as error:
        raise FolderInUse(f"another process serves the sandbox in {folder}") from error


def say_ready(folder: Path, ports: Ports, beside: Iterable[Process] = ()) -> None:
    """Tell other processes where this one serves the folder, and which others serve it with this one."""
    with_us = [asdict(one) for one in beside]
    write_json(folder / _READY, {**asdict(ports), **asdict(Process.this()), "beside": with_us})


def say_gone(folder: Path) -> None:
    """Take back what ``say_ready`` told."""
    (folder / _READY).unlink(missing_ok=True)


def served(folder: Path, wait_seconds: float = 15.0) -> Ports | None:
    """Where the folder is served, or None. Waits for a server that is just coming or going.

    Raises TimeoutError for one that does neither.
    """
    deadline = time.monotonic() + wait_seconds
    while _held(folder / _LOCK):
        told = read_json(folder / _READY)
        # What a killed server told is still there while the next one starts, and while what is left of it ends.
        if told is not None and all(
            Process(one["pid"], one["started"]).alive for one in (told, *told.get("beside", ()))
        ):
            return Ports.told(told)
        if time.monotonic() >= deadline:
            raise TimeoutError(f"the process that serves the sandbox in {folder} does not get ready")
        time.sleep(_PAUSE)
    return None


def left(folder: Path, wait_seconds: float) -> bool:
    """Whether nobody serves the folder, at once or within so many seconds."""
    deadline = time.monotonic() + wait_seconds
    # Asked first, because looking at a lock makes its file.
    while (folder / _LOCK).exists() and _held(folder / _LOCK):
        if time.monotonic() >= deadline:
            return False
        time.sleep(_PAUSE)
    return True


def ports_before_a_kill(folder: Path) -> Ports:
    """The ports of a server that could not say goodbye, to be used again so that old addresses stay good.

    Zeros where the last server ended in order. For the process that holds ``serving_alone``.
    """
    told = read_json(folder / _READY)
    return Ports(0, 0) if told is None else Ports.told(told)


def _held(path: Path) -> bool:
    try:
        with locked(path, 0):
            return False
    except TimeoutError:
        return True


def read_json(path: Path) -> Any:
    """What a small state file holds, or None where there is no such file."""
    try:
        return orjson.loads(path.read_bytes())
    except FileNotFoundError:
        return None


def write_json(path: Path, content: object) -> None:
    """Replace a small state file in one step, readable by its owner alone."""
    draft = path.with_name(path.name + ".new")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(orjson.dumps(content))
    os.replace(draft, path)
