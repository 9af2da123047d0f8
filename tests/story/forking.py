"""Starts programs as processes of their own that have imported everything already (``fork_server.py``)."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
            # Numpy would start threads of its own, and a process is forked while it has one.
            env=_foreign(os.environ) | {"OPENBLAS_NUM_THREADS": "1"},
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

    def start(
        self, argv: Sequence[str], environ: Mapping[str, str], out: Path, err: Path, cwd: Path | None = None
    ) -> Forked:
        """``argv`` as python gets it: a script, or ``-m`` and a module. ``environ``: all that it sees of ours.

        ``cwd``: where it begins; as everywhere, None is where we are.
        """
        for path in (out, err):
            # There from the beginning, for whoever waits for a word in it.
            path.touch()
        whole = {**_foreign(os.environ), **environ}
        asked = {"argv": list(argv), "environ": whole, "cwd": str(cwd or Path.cwd())}
        return Forked(self, int(self.ask(asked | {"out": str(out), "err": str(err)})["pid"]))

    def run(
        self, argv: Sequence[str], environ: Mapping[str, str], timeout: float = 120.0, cwd: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """The same, waited for, with what it said."""
        with tempfile.TemporaryDirectory(prefix="leadpact-said-") as name:
            out, err = Path(name) / "out", Path(name) / "err"
            started = self.start(argv, environ, out, err, cwd)
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
