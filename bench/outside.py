"""Programs of other people, installed aside: each in a folder of its own in a cache, once per machine and lock file.

They are run, never imported: some need versions that ours exclude, and some have licences that ours excludes.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from connectors.sandbox.folder import locked

#: Seconds for one installation, waiting for somebody else's included.
SECONDS = 600
#: The major version of Node that the clients' packages need.
OLDEST_NODE = 20
_READY = "installed"
# What npm and uv say when the registry cannot be reached; everything else they say is a failure.
_NO_NETWORK = re.compile(
    r"ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|ERR_SOCKET_TIMEOUT"
    r"|error sending request|dns error|Failed to fetch|client error \(Connect\)|operation timed out",
    re.IGNORECASE,
)


class NotToBeHad(Exception):
    """A program is not there and its registry cannot be reached; the text names it."""


def cache(environ: Mapping[str, str]) -> Path:
    """Where programs are kept: ``LEADPACT_TEST_CACHE``, else the user's cache folder."""
    named = environ.get("LEADPACT_TEST_CACHE")
    user = Path(environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(named) if named else user / "leadpact-tests"


def node_modules(project: Path, into: Path) -> Path:
    """What a ``package-lock.json`` names, installed; the folder that holds ``node_modules``.

    Raises NotToBeHad where Node is missing, too old, or without its registry, RuntimeError where npm fails otherwise.
    """
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        raise NotToBeHad("Node.js with npm is not on this machine")
    told = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    major = told.strip().removeprefix("v").partition(".")[0]
    if not major.isdigit() or int(major) < OLDEST_NODE:
        raise NotToBeHad(f"Node.js {OLDEST_NODE} or later is not on this machine")
    names = ("package.json", "package-lock.json", ".npmrc")
    texts = [(project / name).read_bytes() for name in names]

    def install(folder: Path) -> None:
        for name, text in zip(names, texts, strict=True):
            (folder / name).write_bytes(text)
        # No script of a package runs: what we call is plain JavaScript.
        run_installer(
            "npm", [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], folder
        )

    return installed(into, "node", texts, install)


def environment(lock: Path, into: Path, trusts: Path) -> Path:
    """A virtual environment with what a hashed lock file names; the folder of its programs.

    ``trusts`` is a file of certificates that it trusts beside its own: some clients read no other file.
    Raises NotToBeHad where the package index cannot be reached, RuntimeError where uv fails otherwise.
    """
    uv = [sys.executable, "-m", "uv", "--no-config", "--no-progress"]
    programs = "Scripts" if os.name == "nt" else "bin"

    def install(folder: Path) -> None:
        run_installer("PyPI", [*uv, "venv", "--python", sys.executable, str(folder / "venv")], folder)
        asked = ["--require-hashes", "--requirement", str(lock)]
        python = str(folder / "venv" / programs / "python")
        run_installer("PyPI", [*uv, "pip", "install", "--python", python, *asked], folder)
        for bundle in (folder / "venv").rglob("certifi/cacert.pem"):
            told = bundle.read_bytes() + trusts.read_bytes()
            # The file may be linked to uv's own copy, which must stay as it is.
            bundle.unlink()
            bundle.write_bytes(told)

    version = ".".join(map(str, sys.version_info[:2]))
    key = [lock.read_bytes(), version.encode(), trusts.read_bytes()]
    return installed(into, lock.stem, key, install) / "venv" / programs


def installed(into: Path, name: str, key: Sequence[bytes], install: Callable[[Path], None]) -> Path:
    """The folder of this name and key below ``into``, filled by whoever comes first; the others wait for it."""
    summed = hashlib.sha256(b"\0".join(key)).hexdigest()[:16]
    folder = into / f"{name}-{summed}"
    if (folder / _READY).exists():
        return folder
    into.mkdir(mode=0o700, parents=True, exist_ok=True)
    with locked(into / f"{name}-{summed}.lock", SECONDS):
        if not (folder / _READY).exists():
            # What an installation left that was killed.
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            install(folder)
            (folder / _READY).touch()
    return folder


def run_installer(registry: str, command: Sequence[str], folder: Path) -> None:
    """Run an installer in a folder. Raises NotToBeHad where its registry is out of reach, else RuntimeError."""
    # Of ours, an environment that is active must not decide where things are installed.
    environ = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    done = subprocess.run(
        command, cwd=folder, env=environ, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    if done.returncode == 0:
        return
    said = f"{done.stdout}\n{done.stderr}".strip()[-2000:]
    if _NO_NETWORK.search(said):
        raise NotToBeHad(f"{registry} cannot be reached")
    raise RuntimeError(f"{' '.join(map(str, command[:4]))} failed: {said}")
