"""Reading a whole CRM, measured beside other people's readers, and against the limit that HubSpot sets.

    python -m bench.extract                                    a few minutes
    python -m bench.extract --paced 100000 --bulk 500000       the sizes that are promised

``--only`` leaves out the other parts: paced, hubspot, bulk, soql. What is said of each part stands in bench/README.md.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.detour import Detour, detour
from bench.outside import NotToBeHad, cache
from bench.readers import (
    Place,
    Read,
    Spent,
    read_by_dlt,
    read_by_meltano,
    read_by_tap_hubspot,
    read_by_tap_salesforce,
)
from connectors.sandbox.csvload import load_rows
from connectors.sandbox.detached import Attached, attach
from connectors.sandbox.generate import generate
from connectors.sandbox.remote import control

NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
#: People that are generated; larger numbers repeat them under other addresses.
BLOCK = 2_000
CONTACTS = (
    *("email", "firstname", "lastname", "company", "city", "country"),
    *("phone", "annualrevenue", "numemployees", "lifecyclestage", "jobtitle", "website"),
)
LEADS = (
    *("LastName", "FirstName", "Company", "Email", "City", "Country"),
    *("Phone", "AnnualRevenue", "NumberOfEmployees", "Status", "Title", "Website"),
)
#: What a Professional account allows (HubSpot reference, section 9.1), and how long its answers are made to take.
CALLS, SECONDS, ANSWER_MS = 190, 10.0, 150
#: The most memory that a bulk reading may take, whatever its length.
PEAK_MB = 300
UNLIMITED = {"ten_secondly": None, "secondly_search": None, "daily": None}
PARTS = ("paced", "hubspot", "bulk", "soql")
HEAD = f"{'':<34}{'records/s':>11}{'per cpu s':>11}{'cpu s':>8}{'peak MB':>9}{'ours is':>9}"
#: How often a reading is repeated; the one that took the least processor time counts.
TIMES = 2


@dataclass(frozen=True)
class Line:
    """One way to read so many records. ``peak_mb`` 0: not measured."""

    name: str
    rows: int
    spent: Spent
    peak_mb: float = 0.0


def show(lines: Sequence[Line]) -> None:
    """Print the lines; the first is ours, and the others tell how many times ours reads in a processor second."""
    print(HEAD)
    first = lines[0].rows / lines[0].spent.cpu
    for line in lines:
        each = line.rows / line.spent.cpu
        peak = f"{line.peak_mb:>9,.0f}" if line.peak_mb else f"{'':>9}"
        times = f"{first / each:>8.1f}x" if line is not lines[0] else ""
        wall = line.rows / line.spent.wall
        print(f"{line.name:<34}{wall:>11,.0f}{each:>11,.0f}{line.spent.cpu:>8.1f}{peak}{times}", flush=True)


def people(count: int, side: str, address: str) -> Iterator[Mapping[str, Any]]:
    """So many records of one CRM, no two with the same address."""
    block = [getattr(one, side) for one in generate(BLOCK, 1, NOW)]
    block = [row for row in block if row is not None]
    for number in range(count):
        yield {**block[number % len(block)], address: f"n{number}@bench.example"}


def ours(way: str, asked: Mapping[str, Any]) -> Mapping[str, Any]:
    """A reading by a process of its own (see ``bench.extract_one``)."""
    command = [sys.executable, "-m", "bench.extract_one", way, json.dumps(asked)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    told: Mapping[str, Any] = json.loads(done.stdout)
    return told


def best(name: str, way: str, asked: Mapping[str, Any], times: int = TIMES) -> Line:
    """The cheapest of some readings of ours."""
    told = min((ours(way, asked) for _ in range(times)), key=lambda one: one["cpu"])
    return Line(name, told["rows"], Spent(told["wall"], told["cpu"]), told["peak_mb"])


def paced(attached: Attached, count: int) -> None:
    """How much of what HubSpot allows a full reading uses, and whether it is ever refused."""
    # Few properties: what counts here is when calls are made, and the pretend CRM shares our processor.
    asked = _asked(attached, fields=CONTACTS[:3], paced=True)
    control(attached.hubspot_url, "limits", {"ten_secondly": CALLS, "secondly_search": 5, "daily": 625_000})
    control(attached.hubspot_url, "latency", {"ms": ANSWER_MS})
    told = ours("hubspot", asked)
    control(attached.hubspot_url, "latency", {"ms": 0})
    control(attached.hubspot_url, "limits", UNLIMITED)
    refused = [path for at, status, path in told["answers"] if status == 429 and at > SECONDS]
    counted = [at for at, _, path in told["answers"] if path != "search"]
    whole = int(max(counted) // SECONDS)
    if whole < 2:
        print(f"{count:,} contacts are read within two windows: too few to say how much of the limit is used")
        return
    within = sum(SECONDS < at <= whole * SECONDS for at in counted)
    share = within / (CALLS * (whole - 1))
    print(
        f"{told['rows']:,} contacts, answers after {ANSWER_MS} ms, {CALLS} calls in {SECONDS:.0f} s allowed: "
        f"{told['wall']:.1f} s, {share:.1%} of the limit after the first window, "
        f"{len(refused)} answers of 429 there ({refused.count('search')} of them to searches)"
    )


def _asked(attached: Attached, **more: Any) -> dict[str, Any]:
    names = ("token", "client_id", "client_secret", "domain")
    told = {f"salesforce_{name}": getattr(attached, f"salesforce_{name}") for name in names[1:]}
    told |= {"hubspot": attached.hubspot_url, "salesforce": attached.salesforce_url}
    return {**told, "hubspot_token": attached.hubspot_token, **more}


@contextmanager
def replayed(url: str) -> Iterator[str]:
    """The same CRM, answering what it answered before from memory (see ``bench.replay``)."""
    server = subprocess.Popen([sys.executable, "-m", "bench.replay", url], stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    try:
        yield server.stdout.readline().strip()
    finally:
        server.terminate()
        server.wait(30)


def _theirs(name: str, way: Detour, folder: Path, read: Callable[[Place], Read]) -> list[Line]:
    """The cheapest of some readings by another reader; empty where it cannot be installed."""
    readings: list[tuple[int, Read]] = []
    for _ in range(TIMES):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        try:
            found = read(Place(cache(os.environ), folder, way))
        except NotToBeHad as reason:
            print(f"{name}: left out, {reason}")
            return []
        readings.append((sum(1 for _ in found.records()), found))
    rows, cheapest = min(readings, key=lambda one: one[1].spent.cpu)
    lines = [Line(name, rows, cheapest.spent)]
    if cheapest.extract is not None:
        lines.insert(0, Line(f"{name}, extraction alone", rows, cheapest.extract))
    return lines


def hubspot(attached: Attached, folder: Path) -> None:
    """Every contact, without a limit, by us and by three others: each reads the same bytes, kept and given again."""
    with ExitStack() as stack:
        url = stack.enter_context(replayed(attached.hubspot_url))
        way = stack.enter_context(detour(url, attached.salesforce_url, cache(os.environ) / "detour"))
        asked = _asked(attached, fields=CONTACTS, paced=False) | {"hubspot": url}
        # Once more than the others: the first reading fills the memory that answers.
        lines = [best("Leadpact, to frames", "hubspot", asked, TIMES + 1)]
        token = attached.hubspot_token
        lines += _theirs("dlt", way, folder / "dlt", lambda place: read_by_dlt(place, url, token, CONTACTS))
        lines += _theirs(
            "meltano-tap-hubspot, all properties",
            way,
            folder / "m",
            lambda place: read_by_meltano(place, token),
        )
        lines += _theirs(
            "tap-hubspot", way, folder / "t", lambda place: read_by_tap_hubspot(place, token, CONTACTS)
        )
    show(lines)


def bulk(attached: Attached, _folder: Path) -> None:
    """Every lead by a bulk job, beside simple-salesforce's own."""
    asked = _asked(attached, fields=LEADS)
    lines = [
        best("Leadpact, Bulk 2.0, to frames", "salesforce", {**asked, "bulk": True}),
        best("simple-salesforce bulk2, to text", "simple-salesforce", asked, 1),
    ]
    show(lines)
    if lines[0].peak_mb > PEAK_MB:
        print(f"more than the {PEAK_MB} MB that are promised")


def soql(attached: Attached, folder: Path) -> None:
    """Every lead by queries, page by page, beside tap-salesforce."""
    asked = _asked(attached, fields=LEADS)
    approved = control(attached.salesforce_url, "people", {"action": "approve"})["refresh_token"]
    client = (attached.salesforce_client_id, attached.salesforce_client_secret)
    with detour(attached.hubspot_url, attached.salesforce_url, cache(os.environ) / "detour") as way:
        lines = [best("Leadpact, page by page", "salesforce", {**asked, "bulk": False})]
        lines += _theirs(
            "tap-salesforce, page by page",
            way,
            folder / "s",
            lambda place: read_by_tap_salesforce(place, client, approved, LEADS),
        )
    show(lines)


def _part(attached: Attached, name: str, count: int, folder: Path) -> None:
    control(attached.hubspot_url, "reset", {})
    control(attached.salesforce_url, "reset", {})
    control(attached.hubspot_url, "limits", UNLIMITED)
    if name in ("bulk", "soql"):
        load_rows(attached.salesforce_url, "Lead", people(count, "salesforce", "Email"))
    else:
        load_rows(attached.hubspot_url, "contacts", people(count, "hubspot", "email"))
    print(f"\n{name}: {count:,} records", flush=True)
    if name == "paced":
        paced(attached, count)
    else:
        {"hubspot": hubspot, "bulk": bulk, "soql": soql}[name](attached, folder)


def main() -> None:
    """The command."""
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument(
        "--paced", type=int, default=45_000, help="contacts read under HubSpot's limit (45,000)"
    )
    options.add_argument(
        "--contacts", type=int, default=10_000, help="contacts read without a limit (10,000)"
    )
    options.add_argument("--bulk", type=int, default=50_000, help="leads read by a bulk job (50,000)")
    options.add_argument("--soql", type=int, default=10_000, help="leads read page by page (10,000)")
    options.add_argument("--only", action="append", choices=PARTS, help="leave out the other parts")
    chosen = options.parse_args()
    counts = {"paced": chosen.paced, "hubspot": chosen.contacts, "bulk": chosen.bulk, "soql": chosen.soql}
    with tempfile.TemporaryDirectory() as name, attach(Path(name) / "sandbox") as attached:
        for part, count in counts.items():
            if chosen.only is None or part in chosen.only:
                _part(attached, part, count, Path(name))


if __name__ == "__main__":
    main()
