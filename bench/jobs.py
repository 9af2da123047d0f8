"""How many jobs a second the workers do, with 1, 2 and 4 of them, on the embedded PostgreSQL.

    python -m bench.jobs [--workers 1 2 4] [--empty 600] [--looks 60]

Real worker processes, real HTTP to pretend CRMs that answer at once, fsync on. Two kinds of jobs: ones that find
nothing to do, which is what the queue itself costs, and ones that read a lead again in both CRMs and decide. On a
machine with two cores the CRMs and the database take their part of them, so read "worker cpu ms": what a job costs a
worker, whoever else is at work.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import requests

from connectors.sandbox.serving import Serving, sandbox
from sync.app import App, opened
from sync.initdir import write_config
from sync.jobs import look_at
from sync.run import Asked, perform
from sync.settings import Settings, load_settings
from sync.setup import create_missing
from sync.store.jobs import NewJob

#: Seconds that a measure may take before it is given up.
PATIENCE = 600.0
OFF = ("INCREMENTAL", "AGREE", "RESCORE", "DRIFT", "RETENTION")


@dataclass(frozen=True)
class Figures:
    """One measure."""

    kind: str
    workers: int
    jobs: int
    seconds: float
    cpu_ms_a_job: float  #: of all workers together

    @property
    def per_second(self) -> float:
        return self.jobs / self.seconds


@dataclass(frozen=True)
class Bench:
    """A furnished pair of pretend CRMs with people in both, a memory that knows them, and a config."""

    config: Path
    environ: dict[str, str]
    contacts: list[str]
    mates: dict[str, str]  #: contact to lead
    serving: Serving

    def settings(self) -> Settings:
        return load_settings(self.config, self.environ)


def _environ(serving: Serving, folder: Path) -> dict[str, str]:
    return {
        "LEADPACT_HUBSPOT__BASE_URL": serving.hubspot_url,
        "LEADPACT_HUBSPOT__ACCESS_TOKEN": str(serving.ready["hubspot_token"]),
        "LEADPACT_SALESFORCE__LOGIN_URL": serving.salesforce_url,
        "LEADPACT_SALESFORCE__CLIENT_ID": str(serving.ready["salesforce_client_id"]),
        "LEADPACT_SALESFORCE__CLIENT_SECRET": str(serving.ready["salesforce_client_secret"]),
        "LEADPACT_DATABASE__DIR": str(folder / "data"),
        "LEADPACT_SYNC__MODE": "full",
        **{f"LEADPACT_SCHEDULE__{name}": "off" for name in OFF},
    }


def load(serving: Serving, crm: str, rows: list[dict[str, str]]) -> list[str]:
    """People who are in a CRM from now on, without any call; their ids."""
    url = serving.hubspot_url if crm == "hubspot" else serving.salesforce_url
    limits = {"ten_secondly": None, "secondly_search": None, "daily": None}
    if crm == "hubspot":
        requests.post(f"{url}/_sandbox/limits", json=limits, timeout=60).raise_for_status()
    wanted = {"object": "contacts" if crm == "hubspot" else "Lead", "rows": rows}
    answer = requests.post(f"{url}/_sandbox/load", json=wanted, timeout=60)
    answer.raise_for_status()
    return [str(each) for each in answer.json()["ids"]]


@contextmanager
def furnished(people: int) -> Iterator[Bench]:
    """Both CRMs in agreement about so many people."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="leadpact-bench-")))
        serving = stack.enter_context(sandbox(folder / "sandbox"))
        write_config(folder)
        people_there = [f"person{number}@shop{number}.example" for number in range(people)]
        contacts = load(serving, "hubspot", [{"email": one, "company": "Shop"} for one in people_there])
        named = [{"Email": one, "LastName": "Sommer", "Company": "Shop"} for one in people_there]
        leads = load(serving, "salesforce", named)
        mates = dict(zip(contacts, leads, strict=True))
        bench = Bench(folder / "leadpact.toml", _environ(serving, folder), contacts, mates, serving)
        with opened(bench.settings()) as app:
            create_missing(app.work())
        with opened(bench.settings()) as app:
            perform(app.work(), Asked("sync", approve=True))
        yield bench


@contextmanager
def working(bench: Bench, workers: int) -> Iterator[list[psutil.Process]]:
    """So many worker processes, each ready."""
    running = []
    try:
        for number in range(workers):
            log = bench.config.parent / f"worker-{number}.log"
            with log.open("wb") as file:
                process = subprocess.Popen(
                    [sys.executable, "-m", "sync", "--config", str(bench.config), "worker"],
                    env={**os.environ, **bench.environ},
                    stderr=file,
                )
            running.append((process, log))
        until = time.monotonic() + PATIENCE
        while not all("working on" in log.read_text() for _, log in running):
            if time.monotonic() > until:
                raise TimeoutError("the workers did not begin")
            time.sleep(0.05)
        yield [psutil.Process(process.pid) for process, _ in running]
    finally:
        for process, _ in running:
            process.terminate()
        for process, _ in running:
            process.wait(60)


def _cpu(workers: Sequence[psutil.Process]) -> float:
    times = [one.cpu_times() for one in workers]
    return float(sum(one.user + one.system for one in times))


def _emptied(app: App, workers: Sequence[psutil.Process], jobs: Sequence[NewJob], kind: str) -> Figures:
    """The time from the first job to the last one's end. One job a worker before that opens its connections."""
    queue = app.store.jobs
    _until_empty(app, [NewJob("retention", "live") for _ in workers])
    before, began = _cpu(workers), time.monotonic()
    with app.store.transaction():
        for job in jobs:
            queue.enqueue(job)
    _until_empty(app, [])
    seconds = time.monotonic() - began
    return Figures(kind, len(workers), len(jobs), seconds, (_cpu(workers) - before) / len(jobs) * 1000)


def _until_empty(app: App, jobs: Sequence[NewJob]) -> None:
    for job in jobs:
        app.store.jobs.enqueue(job)
    until = time.monotonic() + PATIENCE
    while app.store.jobs.counted():
        if time.monotonic() > until:
            raise TimeoutError("the queue did not get empty")
        time.sleep(0.02)


def measured(bench: Bench, workers: int, empty: int, looks: int) -> list[Figures]:
    """Both kinds of jobs with so many workers."""
    contacts = (bench.contacts * (looks // len(bench.contacts) + 1))[:looks]
    looked = [NewJob("look_at", "live", look_at("hubspot", [one])[0].args) for one in contacts]
    with working(bench, workers) as running, opened(bench.settings()) as app:
        app.work()
        nothing = [NewJob("retention", "live") for _ in range(empty)]
        return [
            _emptied(app, running, nothing, "nothing to do"),
            _emptied(app, running, looked, "one lead read again"),
        ]


def main() -> None:
    """Measure, and print a line each."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--empty", type=int, default=600, help="jobs that find nothing to do")
    parser.add_argument("--looks", type=int, default=60, help="jobs that read a lead again")
    given = parser.parse_args()
    print(f"{'job':<22}{'workers':>8}{'jobs/s':>9}{'per worker':>12}{'worker cpu ms':>15}")
    with furnished(min(given.looks, 200)) as bench:
        for workers in given.workers:
            for one in measured(bench, workers, given.empty, given.looks):
                print(
                    f"{one.kind:<22}{one.workers:>8}{one.per_second:>9.1f}"
                    f"{one.per_second / one.workers:>12.1f}{one.cpu_ms_a_job:>15.1f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
