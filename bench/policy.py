"""A policy on a million leads: points with reasons, the diff with another policy, and the backtest, beside Python.

    python -m bench.policy                       1,000,000 leads
    python -m bench.policy --leads 100000 --stored 100000

Plain Python does the same work a lead on a part of the leads, because its cost does not depend on their number;
every verdict and reason of that part is asserted to be equal. Read the ratios: others use the machine, too.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import psutil
import psycopg

from bench.backtest import measure
from bench.job import NOW, Meter, peak_mb, policy, policy_table, work
from bench.memory import Remembered
from bench.people import AIM, BY_RECORD, people
from bench.rules_in_python import judged
from mapping.identity import derive
from mapping.lead import LEAD_FIELDS, columns_of
from mapping.qualification.declared import Policy
from mapping.qualification.diffing import Diff, Single, diff, singles, together
from mapping.qualification.judge import judge
from mapping.qualification.policy import load_policy
from mapping.qualification.score import PREVIOUS_SCHEMA
from mapping.qualification.wording import reasons
from sync.ourpolicy import VOCABULARIES, judged_fields
from sync.policy_diff import policy_diff
from sync.snapshots import Snapshots
from sync.store.embedded import EmbeddedServer
from sync.store.leads import NEW_LEADS
from sync.store.store import Store

#: Seconds that are aimed at for a diff of a million stored leads.
AIM_STORED = 5.0
COMPARED = ("score", "fit", "engagement", "coverage", "temperature", "stage")


def other_policy() -> Policy:
    """The bench's policy with other points, one rule less, and a lower bar."""
    table = policy_table()
    table["policy"]["fit"][0]["points"] = 35
    del table["policy"]["engagement"][1]
    table["policy"]["temperature"]["hot"]["total"] = 60
    return load_policy(table, fields=judged_fields(LEAD_FIELDS), vocabularies=VOCABULARIES)


def _seconds(job: Callable[[], object], times: int = 3) -> float:
    """Processor seconds on all cores, the best of some repetitions."""
    best = float("inf")
    for _ in range(times):
        began = time.process_time()
        job()
        best = min(best, time.process_time() - began)
    return best


def _equal(frame: pl.DataFrame, rows: list[dict[str, Any]], ours: Policy) -> None:
    """Both ways say the same of every lead, in numbers and in words."""
    verdicts = judge(frame, ours, NOW)
    theirs = [judged(row, NOW) for row in rows]
    for name in COMPARED:
        assert verdicts[name].to_list() == [getattr(one, name) for one in theirs], name
    assert reasons(verdicts, ours).to_list() == [one.reasons for one in theirs]


def _by_record(rows: list[dict[str, Any]]) -> Counter[tuple[str, str]]:
    """Two verdicts a lead, compared: what a diff costs at least, without asking which change did it."""
    moved: Counter[tuple[str, str]] = Counter()
    for row in rows:
        now, then = judged(row, NOW), judged(row, NOW)
        if (now.stage, now.temperature) != (then.stage, then.temperature):
            moved[now.stage, then.stage] += 1
    return moved


def _line(what: str, leads: int, columns: float, records: float, done: int) -> None:
    a_lead, theirs = columns / leads, records / done
    print(
        f"{what:<44}{leads:>10,}{columns:>8.2f} s{leads / columns:>12,.0f}/s{done / records:>10,.0f}/s"
        f"{theirs / a_lead:>8.1f} x   aim {AIM} x"
    )


def in_memory(leads: int) -> None:
    """Scoring and diff on frames that are there already."""
    frame, ours, other = people(leads), policy(), other_policy()
    changes: list[Single] = singles(ours, other, vocabularies=VOCABULARIES)
    part = frame.head(min(BY_RECORD, leads))
    rows = part.rows(named=True)
    _equal(part, rows, ours)
    once, twice = (
        _seconds(lambda: [judged(row, NOW) for row in rows], 2),
        _seconds(lambda: _by_record(rows), 2),
    )
    print(f"{'what':<44}{'leads':>10}{'cpu':>10}{'columns':>14}{'records':>12}{'ratio':>10}")
    _line("points", leads, _seconds(lambda: judge(frame, ours, NOW)), once, len(rows))
    _line(
        "points with reasons",
        leads,
        _seconds(lambda: reasons(judge(frame, ours, NOW), ours)),
        once,
        len(rows),
    )
    _line("diff, numbers alone", leads, _seconds(lambda: diff(frame, ours, other, NOW, [])), twice, len(rows))
    named = _seconds(lambda: diff(frame, ours, other, NOW, changes))
    _line(f"diff, each of {len(changes)} changes tried alone", leads, named, twice, len(rows))


def stored(leads: int, folder: Path) -> None:
    """``policy diff`` whole: from leads in PostgreSQL to numbers, sample and reasons."""
    server = EmbeddedServer(folder / "postgresql")
    store = Store(server.url)
    try:
        store.use("1", "00D000000000001", NOW)
        frame, ours = people(leads), policy()
        for part in frame.iter_slices(100_000):
            with store.transaction():
                store.leads.remember_leads(_remembered(part, ours))
        job = replace(work({}, Remembered({}, Meter()), folder, phones=False), store=store)
        with psycopg.connect(server.url) as asked:
            said = asked.execute(
                "SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname IS NOT NULL"
            )
            backends = [psutil.Process(row[0]) for row in said]
        before = _processor_seconds(backends)
        began, cpu = time.perf_counter(), time.process_time()
        found, _ = policy_diff(job, other_policy())
        wall, ours_alone = time.perf_counter() - began, time.process_time() - cpu
        theirs, peak = _processor_seconds(backends) - before, peak_mb()
        assert_same(found, _one_by_one(store, other_policy()))
    finally:
        store.close()
        server.close()
    print(
        f"policy diff of {found.leads:,} stored leads: {wall:.1f} s by the clock, {ours_alone:.1f} s of our"
        f" processor time and {theirs:.1f} s of the database's, {found.moved:,} would move;"
        f" aim {AIM_STORED:g} s for 1,000,000; peak {peak:.0f} MB; the same as looked up by id and judged whole"
    )


def _processor_seconds(processes: list[psutil.Process]) -> float:
    times = [process.cpu_times() for process in processes]
    return float(sum(one.user + one.system for one in times))


def _one_by_one(store: Store, other: Policy) -> Diff:
    """The same diff by the slow way: leads looked up by their ids, every value and every derived field made."""
    ours, parts, after = policy(), list[Diff](), ""
    changes = singles(ours, other, vocabularies=VOCABULARIES)
    whole = Snapshots(columns_of(LEAD_FIELDS))
    while not (ids := store.leads.ids_after(after, 50_000)).is_empty():
        after = ids[-1]
        stored = store.leads.of(ids)
        last = stored.select(
            "lead_id",
            *(
                pl.col(name.removeprefix("prev_")).cast(kept).alias(name)
                for name, kept in PREVIOUS_SCHEMA.items()
            ),
        )
        leads = derive(
            last.hstack(whole.decode(stored["lead_values"])),
            in_hubspot=pl.lit(None, dtype=pl.Boolean),
            in_salesforce=pl.lit(None, dtype=pl.Boolean),
        )
        parts.append(diff(leads, ours, other, NOW, changes))
    return together(parts)


def assert_same(found: Diff, slow: Diff) -> None:
    """Both ways count the same leads in every direction and for every reason, and show the same ones."""
    for name in (
        "leads",
        "moved",
        "forward",
        "back",
        "mql_gained",
        "mql_lost",
        "stages",
        "temperatures",
        "because",
    ):
        assert getattr(found, name) == getattr(slow, name), name
    assert found.sample.equals(slow.sample)


def _remembered(part: pl.DataFrame, ours: Policy) -> pl.DataFrame:
    verdicts = judge(part, ours, NOW)
    return verdicts.with_columns(
        Snapshots(columns_of(LEAD_FIELDS)).encode(part).alias("lead_values"),
        pl.lit(None, dtype=pl.String).alias("email_key"),
        pl.lit(ours.version).alias("policy_version"),
        pl.lit(NOW).dt.cast_time_unit("us").alias("decided_at"),
    ).select(*NEW_LEADS)


def main() -> None:
    """Measure and print."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--leads", type=int, default=1_000_000)
    asked.add_argument("--stored", type=int, default=1_000_000, help="leads in PostgreSQL; 0 leaves it out")
    options = asked.parse_args()
    in_memory(options.leads)
    measure(options.leads)
    if options.stored:
        with tempfile.TemporaryDirectory() as folder:
            stored(options.stored, Path(folder))


if __name__ == "__main__":
    main()
