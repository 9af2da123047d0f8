"""One pretend CRM server per folder, shared by processes that come, go and are killed.

The servers and users here are real processes, with two tiny CRMs that keep notes in SQLite (``notes_server.py``).
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
import requests

from connectors.sandbox.detached import Attached, SandboxUnavailable, attach
from connectors.sandbox.folder import Process, left, read_json, started_at, write_json
from connectors.sandbox.serving import sandbox
from tests.unit.notes_server import COMMAND, ROOT, end_server, gone, notes, until


def told(attached: Attached) -> dict[str, Any]:
    answer: dict[str, Any] = requests.get(attached.hubspot_url + "/notes", timeout=60).json()
    return answer


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder whose server, if it still runs, is ended by the test that started it."""
    yield tmp_path / "sandbox"
    end_server(tmp_path / "sandbox")


class User:
    """Another command that uses the folder, until it is told to end or is killed."""

    def __init__(self, folder: Path, **environment: str) -> None:
        script = (
            "import json, sys; from pathlib import Path; from connectors.sandbox.detached import attach\n"
            f"attached = attach(Path({str(folder)!r}), command={COMMAND!r})\n"
            "print(json.dumps(attached.hubspot_url), flush=True)\n"
            "sys.stdin.readline(); attached.release()\n"
        )
        self.process = subprocess.Popen(
            [sys.executable, "-c", script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": ROOT, **environment},
        )

    def url(self) -> str:
        assert self.process.stdout is not None
        return str(orjson.loads(self.process.stdout.readline()))

    def end(self, kill: bool = False) -> None:
        if kill:
            self.process.kill()
        self.process.communicate(b"\n" if not kill else None, timeout=60)


def test_a_server_starts_with_its_first_user_and_ends_with_its_last(folder: Path) -> None:
    with attach(folder, command=COMMAND) as first:
        server = told(first)["pid"]
        assert server != os.getpid()
        with attach(folder, command=COMMAND) as second:
            assert told(second)["pid"] == server
        time.sleep(0.4)
        assert told(first)["pid"] == server
    until(lambda: gone(server))
    assert read_json(folder / "serving.json") is None
    with attach(folder, command=COMMAND) as again:
        assert told(again)["pid"] != server


def test_commands_that_start_at_the_same_instant_get_one_server(folder: Path) -> None:
    users = [User(folder) for _ in range(3)]
    urls = {user.url() for user in users}
    for user in users:
        user.end()
    assert len(urls) == 1


def test_a_user_killed_without_a_word_does_not_keep_the_server(folder: Path) -> None:
    user = User(folder)
    server = requests.get(user.url() + "/notes", timeout=60).json()["pid"]
    user.end(kill=True)
    until(lambda: gone(server))


def test_a_process_that_only_has_the_number_of_a_user_does_not_count(folder: Path) -> None:
    with attach(folder, command=COMMAND) as attached:
        server = told(attached)["pid"]
        stranger = {"entry": "x", "pid": os.getpid(), "started": "long before"}
        write_json(folder / "users.json", [stranger])
        until(lambda: gone(server))
    assert read_json(folder / "users.json") == []


def test_what_was_answered_is_still_there_after_the_server_was_killed(folder: Path) -> None:
    with attach(folder, command=COMMAND) as first:
        for number in range(20):
            requests.post(first.hubspot_url + "/notes", data=f"note {number}", timeout=60)
        server = told(first)["pid"]
        os.kill(server, signal.SIGKILL)
        until(lambda: gone(server))
        with attach(folder, command=COMMAND) as second:
            after = told(second)
            assert after["pid"] != server
            assert after["notes"] == [f"note {number}" for number in range(20)]
            # The first user goes on as if nothing had happened: the new server took the old ports.
            assert told(first)["pid"] == after["pid"]
            calls = requests.get(second.hubspot_url + "/_sandbox/requests", timeout=60).json()["requests"]
            assert sum(call["writes"] for call in calls) == 20


@contextmanager
def somebody_on(port: int) -> Iterator[bool]:
    """Somebody listens there: we (true), or another process that was quicker to be given the port and may leave."""
    try:
        ours = socket.create_server(("127.0.0.1", port))
    except OSError:
        yield False
        return
    with ours:
        yield True


def test_a_killed_servers_port_may_be_taken_by_someone_else_meanwhile(folder: Path) -> None:
    with attach(folder, command=COMMAND) as first:
        server = told(first)["pid"]
        os.kill(server, signal.SIGKILL)
        until(lambda: gone(server))
        port = int(first.hubspot_url.rpartition(":")[2])
        with somebody_on(port) as stays, attach(folder, command=COMMAND) as second:
            assert second.hubspot_url != first.hubspot_url or not stays
            assert told(second)["pid"] != server


def test_the_server_is_on_its_own_and_knows_no_secrets_of_who_started_it(folder: Path) -> None:
    user = User(folder, LEADPACT_HUBSPOT__ACCESS_TOKEN="s3cret", COLOUR="blue")
    seen = requests.get(user.url() + "/notes", timeout=60).json()
    user.end()
    assert seen["session"] not in (os.getsid(0), os.getsid(os.getpid()))
    assert (seen["secrets"], seen["colour"]) == ([], "blue")


@pytest.mark.usefixtures("many_open_files")
def test_a_process_with_a_thousand_open_files_can_start_one(folder: Path) -> None:
    with attach(folder, command=COMMAND) as attached:
        assert requests.get(attached.hubspot_url, timeout=60).status_code == 200


def test_nobody_else_can_read_the_folder_or_see_a_credential_in_passing(folder: Path) -> None:
    with attach(folder, command=COMMAND) as attached:
        assert attached.hubspot_token not in repr(attached)
        assert attached.salesforce_client_secret not in repr(attached)
        kept = [path for path in folder.iterdir() if path.is_file()]
        assert {path.name for path in kept} >= {"sandbox.log", "users.json", "serving.json", "hubspot.sqlite"}
        assert all(path.stat().st_mode & 0o077 == 0 for path in [folder, *kept])


def test_a_port_in_use_is_told_to_the_command_that_wanted_it(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SandboxUnavailable, match=f"port {port} for the salesforce sandbox is in use"):
            attach(folder, salesforce_port=port, command=COMMAND)
    assert read_json(folder / "users.json") == []


def test_other_ports_than_those_of_the_running_server_are_refused(folder: Path) -> None:
    with attach(folder, command=COMMAND) as first:
        port = int(first.hubspot_url.rpartition(":")[2])
        with pytest.raises(SandboxUnavailable, match=f"already runs with hubspot on port {port}, not 1"):
            attach(folder, hubspot_port=1, command=COMMAND)
        with attach(folder, hubspot_port=port, command=COMMAND) as second:
            assert second.hubspot_url == first.hubspot_url


@pytest.mark.parametrize(
    "command", [(sys.executable, "-c", "raise SystemExit(3)"), ("/no/such/program",)], ids=["ends", "missing"]
)
def test_a_server_that_cannot_start_is_an_error_that_names_the_folder(
    folder: Path, command: tuple[str, ...]
) -> None:
    with pytest.raises(SandboxUnavailable, match=str(folder)):
        attach(folder, command=command)
    assert read_json(folder / "users.json") == []


def test_a_server_in_the_foreground_is_joined_and_outlives_its_users(folder: Path) -> None:
    with sandbox(folder, sides=notes) as serving:
        with attach(folder, command=("/no/such/program",)) as attached:
            assert (attached.hubspot_url, attached.salesforce_url) == (
                serving.hubspot_url,
                serving.salesforce_url,
            )
        time.sleep(0.4)
        assert told(attached)["pid"] == os.getpid()


def test_a_folder_removed_under_the_server_ends_it(folder: Path, tmp_path: Path) -> None:
    attached = attach(folder, command=COMMAND)
    server = told(attached)["pid"]
    folder.rename(tmp_path / "moved away")
    until(lambda: gone(server))
    attached.release()


def test_a_folder_is_left_when_its_server_has_ended_and_not_before(folder: Path) -> None:
    assert left(folder, wait_seconds=0)
    with attach(folder, command=COMMAND):
        assert not left(folder, wait_seconds=0.2)
    assert left(folder, wait_seconds=60)
    assert read_json(folder / "serving.json") is None


def test_a_process_is_told_apart_from_the_dead_and_from_no_process() -> None:
    child = subprocess.Popen([sys.executable, "-c", "pass"], stdout=subprocess.PIPE)
    seen = Process(child.pid, started_at(child.pid) or "")
    # It has ended but nobody has asked how, so its number is still taken.
    assert child.stdout is not None
    child.stdout.read()
    until(lambda: not seen.alive)
    child.communicate()
    assert not seen.alive
    assert Process.this().alive


def test_without_proc_the_start_of_a_process_is_asked_of_ps(tmp_path: Path) -> None:
    try:
        subprocess.run(["ps", "-o", "pid=", "-p", str(os.getpid())], check=True, capture_output=True)
    except (FileNotFoundError, subprocess.CalledProcessError):
        pytest.skip("this machine has no ps that knows -o and -p")
    told_by_ps = started_at(os.getpid(), proc=tmp_path)
    assert told_by_ps == started_at(os.getpid(), proc=tmp_path)
    assert str(time.localtime().tm_year) in (told_by_ps or "")
    assert started_at(2**22 + 1, proc=tmp_path) is None


@pytest.mark.parametrize("wanted", [signal.SIGINT, signal.SIGTERM])
def test_the_blocking_server_says_when_it_is_ready_and_stops_on_a_signal(
    folder: Path, wanted: signal.Signals
) -> None:
    process = subprocess.Popen(
        [*COMMAND, "serve", str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": ROOT},
    )
    assert process.stdout is not None
    ready = orjson.loads(process.stdout.readline())
    assert requests.post(ready["hubspot"] + "/notes", data="kept", timeout=60).status_code == 200
    process.send_signal(wanted)
    out, errors = process.communicate(timeout=60)
    assert (process.returncode, out, errors) == (0, b"", b"")
    assert {name: value for name, value in ready.items() if name not in ("hubspot", "salesforce")} == {
        "pubsub": None,
        "hubspot_token": "pat-eu1-leadpact-sandbox",
        "hubspot_client_secret": "hubspot-sandbox-secret",
        "salesforce_client_id": "leadpact-sandbox",
        "salesforce_client_secret": "salesforce-sandbox-secret",
        "salesforce_domain": "leadpact-sandbox.my",
        "ca_file": None,
    }
    with sandbox(folder, sides=notes) as again:
        assert requests.get(again.hubspot_url + "/notes", timeout=60).json()["notes"] == ["kept"]
