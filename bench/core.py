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

from bench.measures import MEASURES, Figures

SIZES = (10_000, 100_000, 1_000_000, 3_000_000)
#: Leads of the lines that need no more to be judged: their cost a lead does not depend on the number.
SAMPLE = 100_000
#: What is aimed at with 1,000,000 leads, by (measure, cores): leads a second.
AIMS = {
    ("columns", 1): 60_000,
    ("columns", 2): 80_000,
    ("points", 1): 2_000_000,
    ("reasons", 1): 900_000,
    ("plan", 1): 2_500_000,
}
HEAD = f"{'what':<34}{'leads':>10}{'cores':>6}{'leads/s':>11}{'per cpu s':>11}{'peak MB':>9}{'aim':>11}"


def child(measure: str, leads: int, *, cores: int, phones: bool = False) -> Figures:
    """One measure in a process of its own, with so many threads for Polars."""
    environment = {**os.environ, "POLARS_MAX_THREADS": str(cores)}
    asked = [sys.executable, "-m", "bench.core", "--measure", measure, "--leads", str(leads)]
    done = subprocess.run(
        [*asked, *(["--phones"] if phones else [])],
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return Figures(**answer)


def line(what: str, measure: str, cores: int, figures: Figures) -> None:
    aim = AIMS.get((measure, cores))
    print(
        f"{what:<34}{figures.leads:>10,}{cores:>6}{figures.leads / figures.wall:>11,.0f}"
        f"{figures.leads / figures.cpu:>11,.0f}{figures.peak_mb:>9,.0f}{f'{aim:,}' if aim else '':>11}",
        flush=True,
    )


def compare(sizes: list[int], minutes: float) -> None:
    """Print every line that still fits into the time."""
    end = time.monotonic() + minutes * 60
    print(HEAD)
    base = min(SAMPLE, max(sizes))
    single = child("records", base, cores=1)
    line("record by record, pydantic", "records", 1, single)
    columns = child("columns", base, cores=1)
    line("columns", "columns", 1, columns)
    if columns.digest != single.digest:
        raise SystemExit("the two ways do not give the same frames")
    print(f"  equal frames; columns / record by record: {single.cpu / columns.cpu:.1f} by cpu")
    for phones, name in ((True, "record by record, phones cleaned"), (False, "")):
        if phones:
            with_phones = child("records", base, cores=1, phones=True)
            line(name, "", 1, with_phones)
            cleaned = child("columns", base, cores=1, phones=True)
            line("columns, phones cleaned", "", 1, cleaned)
            extra = (cleaned.cpu - columns.cpu) / base * 1e6
            print(f"  cleaning telephone numbers costs {extra:.1f} µs of cpu a lead (two records)")
    for measure, what in (
        ("points", "scoring, points as columns"),
        ("reasons", "scoring, reasons as text"),
        ("plan", "merge and plan"),
    ):
        line(what, measure, 1, child(measure, base, cores=1))
    pace = columns.wall / base
    for size in sizes:
        for cores in (1, 2):
            if time.monotonic() + size * pace * 1.5 > end:
                print(f"  {size:,} leads on {cores} core(s) left out: no time left (--minutes)")
                continue
            line("columns", "columns", cores, child("columns", size, cores=cores))


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
