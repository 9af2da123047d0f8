"""``leadpact serve`` as a real process that begins before its database: the port is open, and nothing is taken yet."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from psycopg.conninfo import conninfo_to_dict


@pytest.fixture
def nowhere() -> Iterator[Path]:
    """Where the socket of a database server will be, short enough for one."""
    with tempfile.TemporaryDirectory(prefix="leadpact-later-") as name:
        yield Path(name) / "server"


def test_a_serve_that_begins_before_its_database_says_so_at_its_port_and_takes_pushes_once_it_is_there(
    taking_pushes: Any, nowhere: Path
) -> None:
    crew = taking_pushes
    server = conninfo_to_dict(crew.house.database)
    later = f"postgresql://{server['user']}@/{server['dbname']}?host={nowhere}"
    crew.environ["LEADPACT_DATABASE__URL"] = later
    # As a user starts it.
    crew.forks = None
    serve = crew.start("serve", waits_for="answers 503")
    crew.wait(lambda: "waiting: " in serve.said(), "the worker to say what it waits for")
    found = re.search(r"(http://\S+) answers 503", serve.said())
    assert found
    address = found[1]

    def status(path: str) -> int:
        return requests.get(f"{address}{path}", timeout=60).status_code

    assert status("/healthz") == 200
    ready = requests.get(f"{address}/readyz", timeout=60)
    assert (ready.status_code, ready.json()["problems"]) == (503, ["the database cannot be reached"])
    push = requests.post(f"{address}/webhooks/hubspot", data=b"[]", timeout=60)
    assert push.status_code == 503
    assert int(push.headers["Retry-After"]) > 0
    assert "listening at" not in serve.said()

    nowhere.symlink_to(str(server["host"]), target_is_directory=True)
    crew.wait(lambda: f"listening at {address}" in serve.said(), "the endpoints to begin")
    assert status("/healthz") == status("/readyz") == 200
    unsigned = requests.post(f"{address}/webhooks/hubspot", data=b"[]", timeout=60)
    assert unsigned.status_code == 401
    assert serve.stop() == 0
