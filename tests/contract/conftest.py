"""Clients of other people, which run unchanged on the pretend CRMs; and either CRM as a new account."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from bench.outside import NotToBeHad, cache, node_modules
from connectors.sandbox.serving import Serving, sandbox
from tests.contract.either import CRMS, Crm

NODE = Path(__file__).with_name("node")
#: Seconds for one script.
SECONDS = 120
Jobs = dict[str, dict[str, Any]]
MARCH = datetime(2026, 3, 1, 8, tzinfo=UTC)


@pytest.fixture(params=CRMS, ids=lambda crm: crm.name)
def crm(request: pytest.FixtureRequest) -> Crm:
    """Either CRM."""
    chosen: Crm = request.param
    return chosen


@pytest.fixture(scope="module")
def running() -> Iterator[Serving]:
    """Both pretend CRMs, without a folder."""
    with sandbox() as serving:
        yield serving


@pytest.fixture
def url(running: Serving, crm: Crm) -> str:
    """The address of a CRM as a new account, at a set time."""
    running.clock.set(MARCH)
    wanted = {"seed": 7}
    requests.post(f"{crm.url(running)}/_sandbox/reset", json=wanted, timeout=60).raise_for_status()
    return crm.url(running)


@pytest.fixture(scope="session")
def node_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Our scripts beside the clients that they use; skipped where neither Node nor its registry is there."""
    try:
        installed = node_modules(NODE, cache(os.environ))
    except NotToBeHad as reason:
        pytest.skip(f"Node clients (tests/contract/node): {reason}")
    # A module finds others from where it lies, so the scripts have to lie beside node_modules.
    folder = tmp_path_factory.mktemp("node")
    for script in NODE.glob("*.mjs"):
        shutil.copy(script, folder)
    shutil.copy(NODE / "package.json", folder)
    (folder / "node_modules").symlink_to(installed / "node_modules")
    return folder


@pytest.fixture(scope="session")
def node(node_folder: Path) -> Callable[..., Jobs]:
    """Runs a script of ``tests/contract/node`` to its end and returns its line of results.

    ``node("hubspot.mjs", serving.ready, code="…")``: the ready line goes in with what else the script needs;
    ``environ`` is added to the environment. Each job has its ``result``, or the text of what ``failed``.
    """

    def run(
        script: str, ready: Mapping[str, Any], environ: Mapping[str, str] | None = None, **more: Any
    ) -> Jobs:
        handed = json.dumps({**ready, **more})
        # Of the outside only what finds the program: no proxy, no token, no other client's settings.
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "SYSTEMROOT") if name in os.environ}
        done = subprocess.run(
            ["node", "--no-warnings", script, handed],
            cwd=node_folder,
            env={**kept, **(environ or {})},
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-4000:]
        line: Jobs = json.loads(done.stdout.splitlines()[-1])
        return line

    return run
