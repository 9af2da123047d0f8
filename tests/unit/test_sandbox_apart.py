"""A process for each pretend CRM: what both have in common, and that none outlives the other."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
import requests

from connectors.sandbox.detached import Attached, SandboxUnavailable, attach
from connectors.sandbox.folder import read_json
from tests.unit.notes_server import BROKEN, COMMAND, ROOT, end_server, gone, until

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
NAMES = ("hubspot", "salesforce")
LOST = "the process of the pretend salesforce ended by itself"


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder whose server, if it still runs, is ended by the test that started it."""
    yield tmp_path / "sandbox"
    end_server(tmp_path / "sandbox")


def urls(attached: Attached) -> dict[str, str]:
    return {"hubspot": attached.hubspot_url, "salesforce": attached.salesforce_url}


def pid_of(url: str) -> int:
    return int(requests.get(url + "/notes", timeout=60).json()["pid"])


def clock(url: str, **moved: Any) -> datetime:
    asked = requests.post if moved else requests.get
    told = asked(url + "/_sandbox/clock", json=moved, timeout=60)
    return datetime.fromisoformat(told.json()["now"])


def test_each_crm_has_a_process_of_its_own_and_none_outlives_the_last_user(folder: Path) -> None:
    with attach(folder, command=COMMAND) as attached:
        served = {name: pid_of(url) for name, url in urls(attached).items()}
        assert len({*served.values(), os.getpid()}) == 3
        # The one that is told of has the other as its child, and what both spend can be added up.
        assert read_json(folder / "serving.json")["pid"] == served["hubspot"]
        children = Path(f"/proc/{served['hubspot']}/task").glob("*/children")
        assert [int(pid) for listed in children for pid in listed.read_text().split()] == [
            served["salesforce"]
        ]
    until(lambda: all(gone(pid) for pid in served.values()))
    assert read_json(folder / "serving.json") is None


@pytest.mark.parametrize("moved_at", NAMES)
def test_a_clock_moved_at_one_crm_is_moved_at_the_other(folder: Path, moved_at: str) -> None:
    with attach(folder, command=COMMAND) as attached:
        at = urls(attached)
        (other,) = (name for name in NAMES if name != moved_at)
        for hours in (0, 5, -5):
            moment = NOON + timedelta(hours=hours)
            clock(at[moved_at], now=moment.isoformat())
            assert clock(at[other]) == moment
            assert clock(at[other], advance_seconds=90) == moment + timedelta(seconds=90)
            assert clock(at[moved_at]) == moment + timedelta(seconds=90)
        clock(at[other], run=True)
        assert abs(clock(at[moved_at]) - datetime.now(UTC)) < timedelta(minutes=1)
        clock(at[moved_at], now=NOON.isoformat())
    until(lambda: read_json(folder / "serving.json") is None)
    with attach(folder, command=COMMAND) as again:
        assert [clock(url) for url in urls(again).values()] == [NOON, NOON]


def test_no_step_of_the_clock_is_lost_where_both_are_asked_at_once(folder: Path) -> None:
    with attach(folder, command=COMMAND) as attached, ThreadPoolExecutor(4) as callers:
        clock(attached.hubspot_url, now=NOON.isoformat())
        asked = [url for _ in range(50) for url in urls(attached).values()]
        list(callers.map(lambda url: clock(url, advance_seconds=1), asked))
        assert [clock(url) for url in urls(attached).values()] == [NOON + timedelta(seconds=100)] * 2


@pytest.mark.parametrize("killed", NAMES)
def test_whichever_is_killed_both_go_and_come_back_with_what_was_answered(folder: Path, killed: str) -> None:
    with attach(folder, command=COMMAND) as first:
        at = urls(first)
        for url in at.values():
            requests.post(url + "/notes", data="kept", timeout=60)
        served = {name: pid_of(url) for name, url in at.items()}
        os.kill(served[killed], signal.SIGKILL)
        until(lambda: all(gone(pid) for pid in served.values()))
        with attach(folder, command=COMMAND) as second:
            # The first user goes on as if nothing had happened: the new server took the old ports.
            assert urls(second) == at
            for url in at.values():
                assert requests.get(url + "/notes", timeout=60).json()["notes"] == ["kept"]
                assert pid_of(url) not in served.values()
    assert (LOST in (folder / "sandbox.log").read_text()) == (killed == "salesforce")


def test_who_comes_while_what_is_left_of_a_server_ends_gets_a_whole_one(folder: Path) -> None:
    with attach(folder, command=COMMAND) as first:
        served = {name: pid_of(url) for name, url in urls(first).items()}
        # Stopped, so that it does not see yet that it is alone.
        os.kill(served["hubspot"], signal.SIGSTOP)
        os.kill(served["salesforce"], signal.SIGKILL)
        until(lambda: gone(served["salesforce"]))
        later = threading.Timer(0.3, os.kill, (served["hubspot"], signal.SIGCONT))
        later.start()
        with attach(folder, command=COMMAND) as second:
            assert not {pid_of(url) for url in urls(second).values()} & set(served.values())
        later.join()


def test_a_kill_takes_the_other_out_of_the_middle_of_a_call(folder: Path) -> None:
    with attach(folder, command=COMMAND) as attached:
        served = {name: pid_of(url) for name, url in urls(attached).items()}
        with ThreadPoolExecutor(1) as caller:
            call = caller.submit(requests.get, attached.salesforce_url + "/sleep/600", timeout=60)
            until(lambda: (folder / "salesforce-sleeps").exists())
            os.kill(served["hubspot"], signal.SIGKILL)
            with pytest.raises(requests.ConnectionError):
                call.result()
        until(lambda: gone(served["salesforce"]))


@pytest.mark.parametrize("taken", NAMES)
def test_where_one_cannot_start_none_does(folder: Path, taken: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as somebody:
        port = somebody.getsockname()[1]
        with pytest.raises(SandboxUnavailable, match=f"port {port} for the {taken} sandbox is in use"):
            attach(folder, command=COMMAND, **{f"{taken}_port": port})
    with attach(folder, command=COMMAND) as attached:
        assert len({pid_of(url) for url in urls(attached).values()}) == 2


def test_what_keeps_the_other_from_starting_is_in_the_log_with_its_place(folder: Path) -> None:
    with pytest.raises(SandboxUnavailable, match=r"sandbox\.log"):
        attach(folder, command=(*COMMAND, "broken"))
    log = (folder / "sandbox.log").read_text()
    assert BROKEN in log
    assert "in broken_salesforce" in log


def foreground(folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*COMMAND, "serve", str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": ROOT},
        start_new_session=True,
    )


def ready(process: subprocess.Popen[bytes]) -> dict[str, Any]:
    assert process.stdout is not None
    told: dict[str, Any] = orjson.loads(process.stdout.readline())
    return told


@pytest.mark.parametrize("wanted", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_that_both_get_as_by_ctrl_c_ends_both_without_a_word(
    folder: Path, wanted: signal.Signals
) -> None:
    process = foreground(folder)
    other = pid_of(ready(process)["salesforce"])
    os.killpg(process.pid, wanted)
    out, errors = process.communicate(timeout=60)
    assert (process.returncode, out, errors) == (0, b"", b"")
    assert gone(other)


def test_the_end_of_one_in_order_is_the_end_of_both_in_order(folder: Path) -> None:
    process = foreground(folder)
    os.kill(pid_of(ready(process)["salesforce"]), signal.SIGTERM)
    out, errors = process.communicate(timeout=60)
    assert (process.returncode, out, errors) == (0, b"", b"")
    assert read_json(folder / "serving.json") is None


def test_a_server_in_the_foreground_says_whose_process_it_lost(folder: Path) -> None:
    process = foreground(folder)
    os.kill(pid_of(ready(process)["salesforce"]), signal.SIGKILL)
    _, errors = process.communicate(timeout=60)
    assert process.returncode != 0
    assert LOST in errors.decode()
