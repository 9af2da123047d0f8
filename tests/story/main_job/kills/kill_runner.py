"""One sync in a process of its own that is killed on the way. Run by the tests of kills.

    kill_runner.py CONFIG '{"at": POINT, "pass": N}'                 dies when it passes a named point for the Nth time
    kill_runner.py CONFIG '{"at": POINT, "pass": N, "victim": PID}'  kills another process there, and goes on
    kill_runner.py CONFIG '{"after": SECONDS}'                       dies that long after the run began
    kill_runner.py CONFIG '{}'                                       is left alone

Who survives prints one JSON line: the points passed in their order, and how many seconds the run took. The config
is completed by the environment, as it is for every command.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

from sync.app import opened
from sync.run import Asked, perform
from sync.settings import load_settings


class Killer:
    """Counts the points that a run passes, and kills at the one it was told."""

    def __init__(self, wanted: dict[str, Any]) -> None:
        self.passed: list[str] = []
        self._at = wanted.get("at")
        self._pass = int(wanted.get("pass", 1))
        self._victim = int(wanted.get("victim", os.getpid()))

    def __call__(self, point: str) -> None:
        self.passed.append(point)
        if point == self._at and self.passed.count(point) == self._pass:
            os.kill(self._victim, signal.SIGKILL)


def _die_after(seconds: float) -> None:
    time.sleep(seconds)
    os.kill(os.getpid(), signal.SIGKILL)


def run(config: Path, wanted: dict[str, Any]) -> None:
    """The sync, with its killer."""
    killer = Killer(wanted)
    with opened(load_settings(config, os.environ), at_point=killer) as app:
        work = app.work()
        if "after" in wanted:
            threading.Thread(target=_die_after, args=(float(wanted["after"]),), daemon=True).start()
        began = time.monotonic()
        perform(work, Asked("sync"))
        seconds = time.monotonic() - began
    sys.stdout.write(json.dumps({"points": killer.passed, "seconds": seconds}) + "\n")


if __name__ == "__main__":
    run(Path(sys.argv[1]), json.loads(sys.argv[2]))
