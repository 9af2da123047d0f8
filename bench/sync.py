"""The whole sync, measured: over HTTP against both pretend CRMs, with a real PostgreSQL.

    python -m bench.sync --leads 20000
    python -m bench.sync --leads 100000 --changes 1000

``--changes``: that many records of Salesforce, spread evenly, get another title before the fourth sync; with the
same number and ever more leads, what that sync costs has to stay what it is.

The pretend CRMs are a process of their own, and so is the database: their processor time and memory are not ours
and are printed beside, with the rows that the database looked at. Peak memory is that of one phase (on Linux;
elsewhere that of the run so far). The wall clock of a machine that others use says little: look at the processor
seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

import psycopg

from connectors.sandbox.csvload import load_rows
from connectors.sandbox.detached import Attached, attach
from connectors.sandbox.generate import generate
from connectors.sandbox.remote import control
from sync.agree import agree
from sync.app import opened
from sync.initdir import write_config
from sync.run import Asked, perform
from sync.settings import load_settings
from sync.setup import create_missing
from sync.work import CRMS, Work

NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
OBJECTS = {"hubspot": "contacts", "salesforce": "Lead"}
#: Of so many records of Salesforce one gets another title, unless a number of changes is asked for.
ONE_IN = 100
#: More calls in ten seconds than anybody makes.
NEVER = 10_000_000
#: People loaded at a time.
LOADED = 5_000
#: Leads of a slice unless asked otherwise, as the config has it.
SLICE = 20_000
HEAD = (
    f"{'phase':<28}{'seconds':>9}{'our cpu':>9}{'sandbox':>9}{'database':>9}{'leads/cpu s':>13}"
    f"{'rows read':>11}{'calls':>8}{'peak MB':>9}"
)


@dataclass(frozen=True)
class Phase:
    """One phase. Seconds; ``calls`` to both CRMs together; ``note``: the numbers of its run."""

    name: str
    leads: int
    wall: float
    ours: float
    sandbox: float
    database: float
    rows: int
    calls: int
    peak_mb: float
    note: str = ""


@dataclass
class Watch:
    """Measures phases: our own processor time, and that of the sandbox's and the database's processes."""

    leads: int
    sandbox: Path
    database: Path
    work: Work
    phases: list[Phase] = field(default_factory=list)

    def phase(self, name: str, act: Callable[[], str]) -> None:
        """Do something and print what it took."""
        _forget_peak()
        rows, calls, began, spent = self._rows(), self._calls(), time.monotonic(), self._spent()
        note = act()
        now = self._spent()
        ours, sandbox, database = (after - before for after, before in zip(now, spent, strict=True))
        done = Phase(
            *(name, self.leads, time.monotonic() - began, ours, sandbox, database),
            rows=self._rows() - rows,
            calls=self._calls() - calls,
            peak_mb=_peak_mb(),
            note=note,
        )
        self.phases.append(done)
        print(
            f"{name:<28}{done.wall:>9.1f}{ours:>9.1f}{sandbox:>9.1f}{database:>9.1f}"
            f"{self.leads / max(ours, 0.01):>13,.0f}{done.rows:>11,}{done.calls:>8}{done.peak_mb:>9,.0f}  {note}",
            flush=True,
        )

    def _calls(self) -> int:
        return sum(self.work.crms[crm].calls for crm in CRMS)

    def _rows(self) -> int:
        """The rows that all queries together have looked at, by table scans and by indexes."""
        lines = self.database.read_text().splitlines()
        # The lock file of PostgreSQL has the port in its fourth line and the socket's folder in its fifth.
        where = f"host={lines[4]} port={lines[3]} dbname=postgres user=postgres"
        time.sleep(1.1)  # a session tells of its rows at the end of a statement, once a second at most
        self.work.store.runs.newest(1)
        with psycopg.connect(where, autocommit=True) as connection:
            row = connection.execute(
                "SELECT sum(tup_returned + tup_fetched) FROM pg_stat_database WHERE datname <> 'template0'"
            ).fetchone()
        return int(row[0]) if row else 0

    def _spent(self) -> tuple[float, float, float]:
        ours = resource.getrusage(resource.RUSAGE_SELF)
        return ours.ru_utime + ours.ru_stime, _spent_by(self.sandbox), _spent_by(self.database)


def _spent_by(pid_file: Path) -> float:
    """Processor seconds of the process that a file names, its children's included."""
    text = pid_file.read_text()
    pid = int(json.loads(text)["pid"] if text.startswith("{") else text.split()[0])
    return sum(_ticks(one) for one in (pid, *_children(pid))) / os.sysconf("SC_CLK_TCK")


def _ticks(pid: int) -> int:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    # proc(5): own time in fields 14 and 15, that of children which have ended in 16 and 17.
    return sum(int(value) for value in fields[11:15])


def _children(pid: int) -> Iterator[int]:
    for listed in Path(f"/proc/{pid}/task").glob("*/children"):
        yield from (int(child) for child in listed.read_text().split())


def _forget_peak() -> None:
    # proc(5): 5 sets the peak of resident memory back to what is resident now.
    Path("/proc/self/clear_refs").write_text("5")


def _peak_mb() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def config_of(folder: Path, leads: int, slice_leads: int) -> tuple[Path, Mapping[str, str]]:
    """The config of ``init``, set to write, for everybody who can be reached, without caps in the way."""
    write_config(folder)
    with (folder / "leadpact.toml").open("a", encoding="utf-8") as config:
        config.write('\n[sandbox]\ndir = "sandbox"\n')
    cap = str(max(1000, leads * 2))
    return folder / "leadpact.toml", {
        "LEADPACT_SYNC__MODE": "full",
        "LEADPACT_SYNC__SLICE_LEADS": str(slice_leads),
        "LEADPACT_SCOPE__LEADS": "true",
        "LEADPACT_SCOPE__CREATE_IN_HUBSPOT": "has_contact_data",
        "LEADPACT_GUARDS__MAX_CREATES": cap,
        "LEADPACT_GUARDS__MAX_UPDATES": cap,
        "LEADPACT_GUARDS__MAX_STAGE_MOVES": cap,
    }


def load(attached: Attached, leads: int) -> list[str]:
    """Fill both CRMs, some people at a time so that few are held in memory; the ids of Salesforce's records."""
    people, ids = generate(leads, 1, NOW), list[str]()
    # Each CRM takes its records in while the next people are made up.
    with ThreadPoolExecutor(len(CRMS)) as senders:
        under_way: list[Future[list[str]]] = []
        while some := list(islice(people, LOADED)):
            ids += _arrived(under_way)
            in_hubspot = [one.hubspot for one in some if one.hubspot is not None]
            in_salesforce = [one.salesforce for one in some if one.salesforce is not None]
            under_way = [
                senders.submit(load_rows, attached.hubspot_url, "contacts", in_hubspot),
                senders.submit(load_rows, attached.salesforce_url, "Lead", in_salesforce),
            ]
        return ids + _arrived(under_way)


def _arrived(under_way: list[Future[list[str]]]) -> list[str]:
    """The ids of the last of what is sent side by side, when all of it has arrived."""
    return [one.result() for one in under_way][-1] if under_way else []


def said_of(work: Work, asked: Asked) -> str:
    outcome = perform(work, asked)
    numbers = {name: count for name, count in asdict(outcome.numbers).items() if "calls" not in name}
    return " ".join(f"{name}={count}" for name, count in numbers.items())


def _agree(work: Work) -> str:
    found = agree(work, work.clock())
    return f"agreed={found.agreed} of {found.linked}, explained={found.explained}, not={found.unexplained}"


def edit(attached: Attached, ids: list[str]) -> None:
    for place, one in enumerate(ids):
        fields = {"Title": f"Head of Marketing {place}"}
        control(
            attached.salesforce_url,
            "people",
            {"action": "edit", "object": "Lead", "id": one, "fields": fields},
        )


def set_clock(attached: Attached, now: datetime) -> None:
    for url in (attached.hubspot_url, attached.salesforce_url):
        control(url, "clock", {"now": now.isoformat()})


def measure(
    leads: int, folder: Path, slice_leads: int = SLICE, *, changes: int = 0, short: bool = False
) -> list[Phase]:
    """Load both CRMs with so many people and measure every phase of the main job.

    ``changes``: how many records are edited, 0: one in a hundred. ``short``: nothing after the sync of the edits.
    """
    config, environ = config_of(folder, leads, slice_leads)
    with attach(folder / "sandbox") as attached, opened(load_settings(config, environ)) as app:
        set_clock(attached, NOW)
        # Windows of rate limits would pass by the sandbox's clock, which stands still here. A limit that is told and
        # never reached: where none is told, we keep to HubSpot's lowest one.
        limits = {"ten_secondly": NEVER, "secondly_search": None, "daily": None}
        control(attached.hubspot_url, "limits", limits)
        ids = load(attached, leads)
        work = app.work()
        create_missing(work)
        database = folder / "leadpact-data" / "postgresql" / "postmaster.pid"
        watch = Watch(leads, folder / "sandbox" / "serving.json", database, work)
        print(HEAD, flush=True)
        watch.phase("first sync", lambda: said_of(work, Asked("sync", approve=True)))
        set_clock(attached, NOW + timedelta(minutes=10))
        watch.phase("second sync", lambda: said_of(work, Asked("sync")))
        set_clock(attached, NOW + timedelta(hours=1))
        watch.phase("third sync, nothing new", lambda: said_of(work, Asked("sync")))
        edited = ids[:: max(len(ids) // changes, 1)][:changes] if changes else ids[::ONE_IN]
        edit(attached, edited)
        watch.phase(f"sync of {len(edited)} edits", lambda: said_of(work, Asked("sync")))
        if short:
            return watch.phases
        watch.phase("agree", lambda: _agree(work))
        set_clock(attached, NOW + timedelta(days=30))
        watch.phase("rescore after 30 days", lambda: said_of(work, Asked("rescore", from_memory=True)))
        watch.phase("rescore, nothing new", lambda: said_of(work, Asked("rescore", from_memory=True)))
    return watch.phases


def main() -> None:
    """The command."""
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--leads", type=int, default=5_000, help="people in the two CRMs (5,000)")
    options.add_argument("--slice-leads", type=int, default=SLICE, help="leads worked on at a time (20,000)")
    options.add_argument("--changes", type=int, default=0, help="records edited (one in a hundred)")
    options.add_argument("--short", action="store_true", help="end with the sync of the edits")
    options.add_argument("--json", action="store_true", help="one line of JSON at the end")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        phases = measure(
            *(chosen.leads, Path(folder), chosen.slice_leads), changes=chosen.changes, short=chosen.short
        )
    if chosen.json:
        print(json.dumps([asdict(phase) for phase in phases]))


if __name__ == "__main__":
    main()
