"""The core, measured: from pages of two CRMs to reasons and a plan, in columns and record by record.

    python -m bench.core                    all sizes that fit into ten minutes
    python -m bench.core --leads 100000 --minutes 3

Every line is a process of its own, so that its peak memory is its own. The wall clock of a machine that others
use says little: compare the lines of one run with each other, and look at the processor seconds. What ``sync``
would spend on the network and the database is not in the figures, and neither is generating the input.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.measures import COMPARED, MEASURES, Figures

SIZES = (10_000, 100_000, 1_000_000, 3_000_000)
#: Leads of the lines that compare both ways: what is said record by record of a lead does not depend on the number.
SAMPLE = 100_000
#: Leads of the lines that measure a part alone, where no smaller size is asked for: what the aims are about.
ALONE_UP_TO = 1_000_000
#: What is aimed at with 1,000,000 leads, by (measure, cores): leads a second.
AIMS = {
    ("columns", 1): 60_000,
    ("columns", 2): 80_000,
    ("points", 1): 2_000_000,
    ("reasons", 1): 900_000,
    ("plan", 1): 2_500_000,
}
#: How many times as fast as record by record.
RATIO = 2.5
#: Parts of the job that are also measured alone, on frames that are there already.
ALONE = {
    "points": "scoring, points as columns",
    "reasons": "scoring, reasons as text",
    "plan": "merge and plan",
}
HEAD = f"{'what':<34}{'leads':>10}{'cores':>6}{'leads/s':>11}{'per cpu s':>11}{'peak MB':>9}{'aim':>11}"


def child(measure: str, leads: int, *, cores: int, phones: bool = False) -> Figures:
    """One measure in a process of its own, with so many threads for Polars."""
    return _answer(_started(measure, leads, cores, phones=phones))


def processes_at_once(leads: int, count: int = 2) -> Figures:
    """The job in so many processes at a time, each with one thread and its share of the leads.

    So do the readings of two portals: workers share nothing but the database. One reading is one process.
    """
    running = [_started("columns", leads // count, 1, phones=False) for _ in range(count)]
    answers = [_answer(one) for one in running]
    wall = max(one.wall for one in answers)
    whole = sum(one.leads for one in answers)
    return Figures(whole, wall, sum(one.cpu for one in answers), sum(one.peak_mb for one in answers))


def _started(measure: str, leads: int, cores: int, *, phones: bool) -> subprocess.Popen[str]:
    environment = {**os.environ, "POLARS_MAX_THREADS": str(cores)}
    asked = [sys.executable, "-m", "bench.core", "--measure", measure, "--leads", str(leads)]
    return subprocess.Popen(
        [*asked, *(["--phones"] if phones else [])], env=environment, stdout=subprocess.PIPE, text=True
    )


def _answer(running: subprocess.Popen[str]) -> Figures:
    said, _ = running.communicate()
    if running.returncode:
        raise SystemExit(f"a measure ended with {running.returncode}")
    answer: dict[str, Any] = json.loads(said.splitlines()[-1])
    return Figures(**answer)


def line(what: str, measure: str, cores: int, figures: Figures) -> None:
    aim = AIMS.get((measure, cores))
    print(
        f"{what:<34}{figures.leads:>10,}{cores:>6}{figures.leads / figures.wall:>11,.0f}"
        f"{figures.leads / figures.cpu:>11,.0f}{figures.peak_mb:>9,.0f}{f'{aim:,}' if aim else '':>11}",
        flush=True,
    )


def where_it_goes(figures: Figures) -> None:
    """Where the processor's time goes, so that a missed aim is not a riddle."""
    parts = (f"{name} {spent / figures.leads * 1e6:.1f}" for name, spent in figures.stages.items())
    print(f"  µs of cpu a lead: {', '.join(parts)}", flush=True)


def side_by_side(leads: int, *, phones: bool) -> tuple[Figures, Figures]:
    """Both ways on the same leads. Raises SystemExit where they do not give the same frames."""
    single = child("records", leads, cores=1, phones=phones)
    line("record by record, phones cleaned" if phones else "record by record, pydantic", "records", 1, single)
    columns = child("columns", leads, cores=1, phones=phones)
    line("columns, phones cleaned" if phones else "columns", "", 1, columns)
    where_it_goes(columns)
    if leads <= COMPARED and columns.digest != single.digest:
        raise SystemExit("the two ways do not give the same frames")
    ratio = single.cpu / columns.cpu
    print(f"  equal frames; columns are {ratio:.2f} times as fast by cpu (aim {RATIO})", flush=True)
    return single, columns


def compare(sizes: list[int], minutes: float) -> None:
    """Print every line that still fits into the time."""
    end = time.monotonic() + minutes * 60
    print(HEAD)
    base = min(SAMPLE, max(sizes))
    _, columns = side_by_side(base, phones=False)
    _, cleaned = side_by_side(base, phones=True)
    extra = (cleaned.cpu - columns.cpu) / base * 1e6
    print(f"  cleaning telephone numbers costs {extra:.1f} µs of cpu a lead (two records)")
    for measure, what in ALONE.items():
        line(what, measure, 1, child(measure, min(ALONE_UP_TO, max(sizes)), cores=1))
    pace = columns.wall / base
    for size in sizes:
        for cores in (1, 2):
            if time.monotonic() + size * pace * 1.5 > end:
                print(f"  {size:,} leads on {cores} core(s) left out: no time left (--minutes)")
                continue
            figures = child("columns", size, cores=cores)
            line("columns", "columns", cores, figures)
            where_it_goes(figures)
        if time.monotonic() + size * pace * 1.5 <= end:
            line("columns, two processes", "columns", 2, processes_at_once(size))


def main() -> None:
    """The command. Ends with an error when both ways do not give the same."""
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--leads", type=int, help="only this many leads")
    options.add_argument("--minutes", type=float, default=10.0, help="how long it may take, about (10)")
    options.add_argument("--measure", choices=sorted(MEASURES), help="one measure in this process, as JSON")
    options.add_argument("--phones", action="store_true", help="with --measure: clean telephone numbers")
    chosen = options.parse_args()
    if chosen.measure is None:
        compare([chosen.leads] if chosen.leads else list(SIZES), chosen.minutes)
        return
    with tempfile.TemporaryDirectory() as folder:
        figures = MEASURES[chosen.measure](chosen.leads or SAMPLE, Path(folder), phones=chosen.phones)
    print(figures.as_json())


if __name__ == "__main__":
    main()
