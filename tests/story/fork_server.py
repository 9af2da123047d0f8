"""Starts programs of ours without importing anything anew: it has imported it all, and forks.

A forked child is a process of its own: it has its own id, takes signals, is killed by ``kill -9`` in the middle of
whatever it does, and ends like any other. It is forked before anything ran but imports: Polars has started none of its
threads then, and no connection is open. What is spared is two seconds of a processor, which a start costs.

One JSON object a line: ``{"argv": ["SCRIPT or -m", …], "environ": {…}, "cwd": FOLDER, "out": FILE, "err": FILE}``
starts a program and is answered by ``{"pid": N}``; ``{"poll": N}`` by ``{"ended": STATUS}``, null while it runs. At
the end of the input whoever still runs is killed.
"""

from __future__ import annotations

import gc
import json
import os
import runpy
import signal
import sys
from importlib import import_module
from typing import Any

#: What a sync and a worker import in the end; the rest comes along. No gRPC: a library of its own threads, which
#: listens to no change events in a child of a process that has imported it. Who pulls those is started as a user does.
WARM = (
    *("sync.app", "sync.app_crms", "sync.run", "sync.store.embedded", "sync.jobs_worker", "sync.serving"),
    *("email_validator", "phonenumbers", "tldextract", "holidays.countries"),
    *("hubspot.crm.objects", "hubspot.crm.pipelines", "hubspot.crm.properties"),
    *("hubspot.discovery.crm.discovery", "hubspot.discovery.crm.objects.discovery"),
    *("hubspot.discovery.crm.pipelines.discovery", "hubspot.discovery.crm.properties.discovery"),
    *("sync.app_clock", "phonenumbers.data.region_DE", "encodings.utf_8_sig"),
    # Polars asks for it where it is installed, as it is here for the learners of the policy: a seventh of a sync.
    "numpy",
)


def _begin(asked: dict[str, Any]) -> None:
    """In the child: become what was asked for."""
    os.environ.clear()
    os.environ.update(asked["environ"])
    for number, name, how in (
        (0, os.devnull, os.O_RDONLY),
        (1, asked["out"], os.O_WRONLY | os.O_CREAT | os.O_APPEND),
        (2, asked["err"], os.O_WRONLY | os.O_CREAT | os.O_APPEND),
    ):
        opened = os.open(name, how, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    os.chdir(asked["cwd"])
    argv = asked["argv"]
    if argv[0] == "-m":
        sys.argv = argv[1:]
        runpy.run_module(argv[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = argv
        runpy.run_path(argv[0], run_name="__main__")


def _ended(process: int, running: set[int]) -> int | None:
    if process not in running:
        return None
    found, status = os.waitpid(process, os.WNOHANG)
    if not found:
        return None
    running.discard(process)
    return os.waitstatus_to_exitcode(status)


def serve() -> None:
    """Answer until the input ends. In a child it returns when the child's program has."""
    for name in WARM:
        import_module(name)
    gc.collect()
    gc.freeze()
    running: set[int] = set()
    while line := sys.stdin.readline():
        asked = json.loads(line)
        if "poll" in asked:
            answer: dict[str, int | None] = {"ended": _ended(asked["poll"], running)}
        else:
            process = os.fork()
            if process == 0:
                _begin(asked)
                return
            running.add(process)
            answer = {"pid": process}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
    for process in running:
        os.kill(process, signal.SIGKILL)


if __name__ == "__main__":
    serve()
