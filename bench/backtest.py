"""A backtest of a million past leads, each judged as of its own moment, beside plain Python.

    python -m bench.backtest                       1,000,000 leads
    python -m bench.backtest --leads 100000

Plain Python does the same work on a part of the leads (judge each, split by time, rank, deciles, both areas, bands),
because its cost a lead hardly depends on their number; every number of that part is asserted to be equal.
"""

from __future__ import annotations

import argparse
import time
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import polars as pl

from bench.job import NOW, peak_mb, policy
from bench.people import AIM, BY_RECORD, people
from bench.rules_in_python import judged
from mapping.qualification.backtest import CASE, Backtest, backtest, judge_cases
from mapping.qualification.declared import Policy

DAYS = 900
TEST_SHARE = 0.2


def cases(leads: int) -> pl.DataFrame:
    """Past leads of ``DAYS`` days, the oldest first, a sixteenth of whom reached the outcome."""
    number = pl.int_range(leads)
    days = (number * DAYS // leads).cast(pl.Int64)
    known = {
        "at": pl.lit(NOW - timedelta(days=DAYS)) + pl.duration(days=days),
        "outcome": number * 7 % 16 == 3,
        "worked": number % 11 != 0,
    }
    blank = {name: pl.lit(None, dtype=dtype) for name, dtype in CASE.items() if name != "lead_id"}
    return people(leads).with_columns(
        value.cast(CASE[name]).alias(name) for name, value in (blank | known).items()
    )


def by_record(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The same in plain Python, one lead at a time."""
    verdicts = [(row, judged(row, row["at"])) for row in rows]
    weeks = Counter((row["at"].toordinal() - 1) // 7 for row, verdict in verdicts if verdict.stage == "mql")
    found = [
        (row["at"], verdict.score, row["outcome"], verdict.temperature, verdict.stage)
        for row, verdict in verdicts
        if row["worked"] is not False
    ]
    moments = sorted(one[0] for one in found)
    cut: datetime = moments[min(round(len(found) * (1 - TEST_SHARE)), len(found) - 1)]
    return {
        "busiest": max(weeks.values()),
        "train": measured([one for one in found if one[0] < cut]),
        "test": measured([one for one in found if one[0] >= cut]),
    }


def measured(part: list[Any]) -> dict[str, Any]:
    """One side of the split."""
    reached = sorted(score for _, score, outcome, _, _ in part if outcome)
    others = sorted(score for _, score, outcome, _, _ in part if not outcome)
    wins = sum(bisect_left(others, score) + bisect_right(others, score) for score in reached) / 2
    places = [(-one[1], ((place + 1) * 2654435769) % 2**32, one[2]) for place, one in enumerate(part)]
    places.sort()
    edges = [number * len(places) // 10 for number in range(11)]
    mqls = [outcome for _, _, outcome, _, stage in part if stage == "mql"]
    return {
        "leads": len(part),
        "roc": wins / (len(reached) * len(others)),
        "pr": _precision(part),
        "deciles": [sum(one[2] for one in places[a:b]) for a, b in pairwise(edges)],
        "mqls": (len(mqls), sum(mqls)),
        "bands": Counter(one[3] for one in part),
    }


def _precision(part: list[Any]) -> float:
    """Average precision, leads of one score together."""
    leads, reached = Counter(one[1] for one in part), Counter(one[1] for one in part if one[2])
    seen = hit = 0
    area = 0.0
    for score in sorted(leads, reverse=True):
        seen, hit = seen + leads[score], hit + reached[score]
        area += hit / seen * reached[score]
    return area / hit


def by_column(frame: pl.DataFrame, ours: Policy) -> Backtest:
    return backtest(judge_cases(frame, ours), ours, test_share=TEST_SHARE)


def seconds(job: Callable[[], object], times: int = 3) -> float:
    """Processor seconds on all cores, the best of some repetitions."""
    taken = []
    for _ in range(times):
        began = time.process_time()
        job()
        taken.append(time.process_time() - began)
    return min(taken)


def _equal(found: Backtest, slow: dict[str, Any]) -> None:
    """Both ways come to the same numbers."""
    assert found.pace.busiest == slow["busiest"]
    for part, theirs in ((found.train, slow["train"]), (found.test, slow["test"])):
        assert part.rate.leads == theirs["leads"]
        assert part.roc.area is not None
        assert abs(part.roc.area - theirs["roc"]) < 1e-9
        assert part.pr is not None
        assert abs(part.pr - theirs["pr"]) < 1e-9
        assert [one.rate.outcomes for one in part.deciles] == theirs["deciles"]
        assert (part.precision.leads, part.precision.outcomes) == theirs["mqls"]
        assert {name: rate.leads for name, rate in part.bands if rate.leads} == theirs["bands"]


def measure(leads: int) -> None:
    """Measure a backtest of so many leads, and print it."""
    ours, part = policy(), cases(min(BY_RECORD, leads))
    rows = part.rows(named=True)
    _equal(by_column(part, ours), by_record(rows))
    slow = seconds(lambda: by_record(rows), 2) / len(rows)
    frame = cases(leads)
    fast = seconds(lambda: by_column(frame, ours)) / frame.height
    print(
        f"backtest of {frame.height:,} leads: {fast * frame.height:.2f} s of processor time, {1 / fast:,.0f} leads/s;"
        f" plain Python {1 / slow:,.0f} leads/s; {slow / fast:.1f} x, aim {AIM} x; peak {peak_mb():.0f} MB"
    )


def main() -> None:
    """Measure and print."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--leads", type=int, default=1_000_000)
    measure(asked.parse_args().leads)


if __name__ == "__main__":
    main()
