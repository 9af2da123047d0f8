"""What a service of any size needs: measured inputs, a run with 1, 2 and 4 workers against them, and large numbers.

    python -m bench.scaling [--people 500] [--workers 1 2 4] [--looks 60] [--cores 8]

The inputs are measured here, on the embedded PostgreSQL (fsync on) with pretend CRMs that answer at once. From
processor time and not from the clock: so they hold on a machine that others use, too. The model (``needs``) adds them
up, is compared with what so many workers really did, and then carried to portals and leads that no test has.
``docs/scaling.md`` says what follows.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psutil
import psycopg
import requests

from bench.jobs import PATIENCE, Bench, furnished, load, measured, working
from sync.app import opened
from sync.run import Asked, perform
from sync.store.jobs import NewJob

A_DAY = 86_400.0
#: Of a day's changes, what falls into its busiest hour.
BUSIEST_HOUR = 0.15
#: HubSpot's calls of a day and in ten seconds (HubSpot reference, section 9.1); Salesforce's day (its section 7).
CALLS_A_DAY = {"hubspot": 625_000, "salesforce": 100_000}
#: Connections of a PostgreSQL as it comes.
CONNECTIONS = 100


@dataclass(frozen=True)
class Inputs:
    """What was measured. Milliseconds of processor time, bytes on disk, calls of both CRMs together."""

    job_ms: float  #: a worker's, for a job of one lead
    job_database_ms: float
    lead_ms: float  #: for one of many leads of a run
    lead_database_ms: float
    lead_bytes: float  #: what a lead's first sync leaves
    change_bytes: float  #: what a change of it adds
    job_calls: float
    lead_calls: float
    connections: float  #: of a worker


@dataclass(frozen=True)
class Load:
    """What is asked of a service. ``alone``: the share of changes that come one by one, the rest comes in runs."""

    name: str
    portals: int
    leads: int
    changes_a_lead: float = 0.02  #: a day
    alone: float = 0.3
    years: float = 1.0

    @property
    def changes(self) -> float:
        """A day, all portals together."""
        return self.leads * self.changes_a_lead

    @property
    def a_second(self) -> float:
        """Changes in a second of the busiest hour."""
        return self.changes * BUSIEST_HOUR / 3_600


@dataclass(frozen=True)
class Needs:
    """What a load costs. Cores are those of the busiest hour; ``processes`` at least one a portal."""

    worker_cores: float
    database_cores: float
    processes: int
    connections: float
    gigabytes: float
    calls_a_portal: float  #: a day
    first_sync_hours: float  #: of all leads, with the database of ``cores`` alone at work

    def used(self, cores: int) -> dict[str, float]:
        """How often each means of one machine (``cores`` for the database) is needed, the scarcest first."""
        shares = {
            "connections": self.connections / CONNECTIONS,
            "database cores": self.database_cores / cores,
            "disk of 2 TB": self.gigabytes / 2_000,
            "calls of a portal": self.calls_a_portal / min(CALLS_A_DAY.values()),
        }
        return dict(sorted(shares.items(), key=lambda item: -item[1]))


def needs(inputs: Inputs, asked: Load, cores: int) -> Needs:
    """The model. Pure."""
    one_by_one, in_runs = asked.a_second * asked.alone, asked.a_second * (1 - asked.alone)
    worker_cores = (one_by_one * inputs.job_ms + in_runs * inputs.lead_ms) / 1000
    database = (one_by_one * inputs.job_database_ms + in_runs * inputs.lead_database_ms) / 1000
    # A process works for one config; one that is half idle answers sooner.
    processes = max(asked.portals, round(worker_cores / 0.5))
    kept = asked.leads * inputs.lead_bytes + asked.changes * 365 * asked.years * inputs.change_bytes
    a_portal = asked.changes / asked.portals
    calls = a_portal * (asked.alone * inputs.job_calls + (1 - asked.alone) * inputs.lead_calls)
    first = asked.leads * inputs.lead_database_ms / 1000 / cores / 3_600
    return Needs(worker_cores, database, processes, processes * inputs.connections, kept / 1e9, calls, first)


def predicted(inputs: Inputs, workers: int, cores: int, crms_ms: float) -> float:
    """Jobs a second of so many workers that share ``cores`` with the database and the pretend CRMs. Pure."""
    alone = 1000 / (inputs.job_ms + inputs.job_database_ms + crms_ms)
    return min(workers * alone, cores * alone)


def _database_cpu(bench: Bench) -> float:
    """Seconds of the embedded server and everybody who works for it."""
    with opened(bench.settings()) as app, psycopg.connect(app.database) as connection:
        backend = psutil.Process(connection.info.backend_pid)
        server = backend.parent()
        assert server is not None
        times = [one.cpu_times() for one in (server, *server.children())]
        # Those who have left are counted with the server that waited for them.
        gone = server.cpu_times()
    return float(sum(one.user + one.system for one in times) + gone.children_user + gone.children_system)


def _sizes(bench: Bench) -> tuple[float, int]:
    """Bytes of all tables with their indexes; and how many connections there are."""
    with opened(bench.settings()) as app, psycopg.connect(app.database, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")
        row: Any = connection.execute(
            "SELECT sum(pg_total_relation_size(oid)) FROM pg_class"
            " WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        ).fetchone()
        others: Any = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        ).fetchone()
    return float(row[0]), int(others[0])


def _calls_of_a_run(bench: Bench, newest: int) -> float:
    """Calls to both CRMs of one of the newest runs, on average."""
    with opened(bench.settings()) as app, psycopg.connect(app.database) as connection:
        row: Any = connection.execute(
            "SELECT avg(calls_hubspot + calls_salesforce) FROM"
            " (SELECT * FROM run WHERE ended_at IS NOT NULL ORDER BY run_id DESC LIMIT %s) AS newest",
            [newest],
        ).fetchone()
    return float(row[0])


@dataclass(frozen=True)
class _Run:
    """One run over everything that is new, for each of its leads."""

    ms: float
    database_ms: float
    bytes: float
    calls: float


def _run(bench: Bench, leads: int) -> _Run:
    before, database = _sizes(bench)[0], _database_cpu(bench)
    with opened(bench.settings()) as app:
        work, own = app.work(), time.thread_time()
        perform(work, Asked("sync", approve=True))
        spent = time.thread_time() - own
    cpu = _database_cpu(bench) - database
    calls = _calls_of_a_run(bench, 1)
    grown = _sizes(bench)[0] - before
    return _Run(spent / leads * 1000, cpu / leads * 1000, grown / leads, calls / leads)


def _new_people(bench: Bench, count: int) -> None:
    names = [f"more{number}@shop{number}.example" for number in range(count)]
    load(bench.serving, "hubspot", [{"email": one, "company": "Shop", "city": "Köln"} for one in names])
    named = [{"Email": one, "LastName": "Sommer", "Company": "Shop", "City": "Köln"} for one in names]
    load(bench.serving, "salesforce", named)


def _connections(bench: Bench) -> int:
    """Of a worker whose hands have all worked once."""
    with opened(bench.settings()) as app:
        app.work()
        before = _sizes(bench)[1]
        with working(bench, 1):
            for lane in ("consent", "live", "backfill"):
                app.store.jobs.enqueue(NewJob("retention", lane))
            until = time.monotonic() + PATIENCE
            while app.store.jobs.counted() and time.monotonic() < until:
                time.sleep(0.05)
            return _sizes(bench)[1] - before


def _edit(bench: Bench, contact: str) -> None:
    """A person changes two fields, and with them the score."""
    wanted = {"action": "edit", "object": "contacts", "id": contact}
    values = {"properties": {"city": "Hamburg", "country": "Germany"}}
    url = f"{bench.serving.hubspot_url}/_sandbox/people"
    requests.post(url, json={**wanted, **values}, timeout=60).raise_for_status()


def inputs_of(bench: Bench, people: int, looks: int) -> tuple[Inputs, float]:
    """Measure everything; also the pretend CRMs' own milliseconds a job, which no real service pays."""
    _new_people(bench, people)
    first = _run(bench, people)
    for contact in bench.contacts[:looks]:
        _edit(bench, contact)
    changed = _run(bench, looks)
    ours, database = time.process_time(), _database_cpu(bench)
    (_, looked) = measured(bench, 1, 1, looks)
    crms = (time.process_time() - ours) / looks * 1000
    database_ms = (_database_cpu(bench) - database) / looks * 1000
    job_calls = _calls_of_a_run(bench, looks)
    connections = _connections(bench)
    found = Inputs(
        job_ms=looked.cpu_ms_a_job,
        job_database_ms=database_ms,
        lead_ms=first.ms,
        lead_database_ms=first.database_ms,
        lead_bytes=first.bytes,
        change_bytes=max(changed.bytes, 0.0),
        job_calls=job_calls,
        lead_calls=first.calls,
        connections=float(connections),
    )
    return found, crms


LOADS = (
    Load("one firm", 1, 100_000),
    Load("an agency", 100, 10_000_000),
    Load("everybody", 1_000, 100_000_000),
)


def _print_needs(inputs: Inputs, cores: int) -> None:
    print(
        f"\n{'':<12}{'portals':>8}{'leads':>13}{'changes/s':>11}{'worker':>8}{'database':>10}{'processes':>11}"
        f"{'connections':>13}{'GB':>9}{'calls/day':>11}{'first h':>9}  saturates first"
    )
    for asked in LOADS:
        one = needs(inputs, asked, cores)
        scarce = ", ".join(f"{name} {share:.1f}×" for name, share in list(one.used(cores).items())[:3])
        print(
            f"{asked.name:<12}{asked.portals:>8,}{asked.leads:>13,}{asked.a_second:>11.1f}"
            f"{one.worker_cores:>8.1f}{one.database_cores:>10.2f}{one.processes:>11,}{one.connections:>13,.0f}"
            f"{one.gigabytes:>9,.0f}{one.calls_a_portal:>11,.0f}{one.first_sync_hours:>9.1f}  {scarce}"
        )


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, compare and carry on."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--people", type=int, default=500, help="people of the run whose leads are weighed")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--looks", type=int, default=60, help="jobs of one lead")
    parser.add_argument("--cores", type=int, default=8, help="cores of the database in the large numbers")
    given = parser.parse_args(arguments)
    here = os.cpu_count() or 1
    # The embedded server ends with its last user, and what it has spent would go with it.
    with furnished(max(given.looks, 10)) as bench, opened(bench.settings()):
        inputs, crms_ms = inputs_of(bench, given.people, given.looks)
        for name, value in vars(inputs).items():
            print(f"{name:<18}{value:>12,.2f}")
        print(f"\n{'workers':>8}{'predicted/s':>13}{'measured/s':>12}{'cpu ms a job':>14}{'load':>7}")
        for workers in given.workers:
            (_, looked) = measured(bench, workers, 1, given.looks)
            print(
                f"{workers:>8}{predicted(inputs, workers, here, crms_ms):>13.1f}{looked.per_second:>12.1f}"
                f"{looked.cpu_ms_a_job:>14.1f}{os.getloadavg()[0]:>7.1f}",
                flush=True,
            )
    _print_needs(inputs, given.cores)


if __name__ == "__main__":
    main()
