"""What can be measured in one process, by name."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import polars as pl

from bench import per_record
from bench.columns import decided, lead_frames, prepared
from bench.dirty import BLOCK, FIRST, NAMES, SEVENS, Dirty, hubspot_pages, salesforce_pages
from bench.job import NOW, Meter, field_map, peak_mb
from bench.memory import base_texts, lead_id
from bench.rules_in_python import Verdict
from mapping.lead import columns_of
from mapping.qualification.judge import judge
from mapping.qualification.wording import reasons
from sync.decide import decide
from sync.merge import MERGED, merge
from sync.plan import plan
from sync.read import RAW
from sync.work import Work

#: Up to so many leads the results are kept, brought into one order and summed up.
COMPARED = 200_000
VERDICT = ("score", "fit", "engagement", "coverage", "temperature", "stage", "reasons")
CHANGE = ("lead_id", "crm", "record_id", "field", "before", "after", "why")
#: How often a short measure is repeated; the best counts, because others use the machine too.
TIMES = 5


@dataclass(frozen=True)
class Figures:
    """One measure. Seconds; ``digest`` is equal where the results are."""

    leads: int
    wall: float
    cpu: float
    peak_mb: float
    digest: str = ""
    stages: Mapping[str, float] = field(default_factory=dict)

    def as_json(self) -> str:
        return json.dumps(asdict(self))


class Measure(Protocol):
    def __call__(self, leads: int, folder: Path, *, phones: bool) -> Figures: ...


def digest(results: pl.DataFrame, changes: pl.DataFrame) -> str:
    """A short text that is the same for the same leads and changes, whatever their order."""
    spelled = hashlib.sha256()
    for frame, order in ((results, ["lead_id"]), (changes, ["lead_id", "crm", "field"])):
        spelled.update(frame.sort(order).write_csv().encode())
    return spelled.hexdigest()[:16]


def in_columns(leads: int, folder: Path, *, phones: bool) -> Figures:
    """The job as ``sync`` does it."""
    meter = Meter()
    results, changes = [], []
    for found in decided(prepared(Dirty(), leads, folder, meter, phones=phones), meter):
        if leads <= COMPARED:
            values = [pl.col(MERGED + name).alias(name) for name in NAMES]
            results.append(found.leads.select("lead_id", *values, *VERDICT))
            changes.append(found.changes.select(CHANGE))
    peak = peak_mb()
    summed = digest(pl.concat(results), pl.concat(changes)) if results else ""
    return Figures(leads, meter.wall, meter.cpu, peak, summed, meter.stages)


def record_by_record(leads: int, folder: Path, *, phones: bool) -> Figures:
    """The same with pydantic and plain Python."""
    meter, block = Meter(), Dirty()
    texts = base_texts(block, folder, phones=phones)
    pages = {
        "hubspot": meter.each_aside(hubspot_pages(block.now, leads)),
        "salesforce": meter.each_aside(salesforce_pages(block.now, leads)),
    }
    rows: list[tuple[str, dict[str, Any], Verdict]] = []
    changes: list[per_record.Change] = []
    with meter.running("read and clean"):
        hubspot = {r.record_id[-7:]: r for r in per_record.hubspot_records(pages["hubspot"], phones=phones)}
        salesforce = list(per_record.salesforce_records(pages["salesforce"], phones=phones))
    with meter.running("merge, judge, plan"):
        for number, record, *bases in _with_bases(salesforce, texts, meter):
            named, mate = lead_id(number), hubspot[number]
            base_h, base_s = (per_record.Base.model_validate_json(text) for text in bases)
            merged, verdict, moved = per_record.decide(named, mate, record, base_h, base_s, NOW)
            rows.append((named, merged, verdict))
            changes += moved
    summed = _digest_of(rows, changes) if leads <= COMPARED else ""
    return Figures(leads, meter.wall, meter.cpu, peak_mb(), summed, meter.stages)


def _with_bases(
    records: list[per_record.Record], texts: Mapping[str, list[str]], meter: Meter, at_once: int = 1_000
) -> Iterator[tuple[str, per_record.Record, str, str]]:
    """Each record with its number and the texts of both bases, which are written aside."""
    for start in range(0, len(records), at_once):
        with meter.aside():
            some = records[start : start + at_once]
            numbers = [record.record_id[-7:] for record in some]
            spelled = [
                [
                    texts[crm][(int(number) - FIRST) % BLOCK].replace(SEVENS.decode(), number)
                    for number in numbers
                ]
                for crm in texts
            ]
        yield from zip(numbers, some, *spelled, strict=True)


def _digest_of(rows: list[tuple[str, dict[str, Any], Verdict]], changes: list[per_record.Change]) -> str:
    typed = columns_of(field_map(phones=True).fields)
    named = pl.Series("lead_id", [row[0] for row in rows], dtype=pl.String)
    values = [pl.Series(name, [row[1][name] for row in rows], dtype=typed[name]) for name in NAMES]
    verdicts = [pl.Series(name, [getattr(row[2], name) for row in rows]) for name in VERDICT]
    columns = {name: [getattr(change, name) for change in changes] for name in CHANGE}
    return digest(
        pl.DataFrame([named, *values, *verdicts]),
        pl.DataFrame(columns, schema=dict.fromkeys(CHANGE, pl.String)),
    )


def _best(leads: int, work: Callable[[], Iterable[object]]) -> Figures:
    """The fastest of some repetitions."""
    best: Meter | None = None
    for _ in range(TIMES):
        meter = Meter()
        with meter.running("all"):
            for _ in work():
                pass
        best = meter if best is None or meter.cpu < best.cpu else best
    assert best is not None
    return Figures(leads, best.wall, best.cpu, peak_mb())


def _job(leads: int, folder: Path, *, phones: bool) -> Work:
    return prepared(Dirty(), leads, folder, Meter(), phones=phones)


def points(leads: int, folder: Path, *, phones: bool) -> Figures:
    """The verdict on merged leads: fifteen rules, temperature, stage."""
    job = _job(leads, folder, phones=phones)
    frames = [
        decide(job, frame, records, frame["lead_id"].clear(), NOW).leads
        for frame, records in lead_frames(job)
    ]
    asked = [frame.select("lead_id", *sorted(job.policy.needed())) for frame in frames]
    return _best(leads, lambda: (judge(frame, job.policy, NOW) for frame in asked))


def points_and_reasons(leads: int, folder: Path, *, phones: bool) -> Figures:
    """The same, and its reasons as text for every lead."""
    job = _job(leads, folder, phones=phones)
    frames = [
        decide(job, frame, records, frame["lead_id"].clear(), NOW).leads
        for frame, records in lead_frames(job)
    ]
    asked = [frame.select("lead_id", *sorted(job.policy.needed())) for frame in frames]
    return _best(leads, lambda: (reasons(judge(frame, job.policy, NOW), job.policy) for frame in asked))


def merge_and_plan(leads: int, folder: Path, *, phones: bool) -> Figures:
    """The three-way merge against the bases, and the changes that follow from it."""
    job = _job(leads, folder, phones=phones)
    inputs = []
    for frame, records in lead_frames(job):
        judged = decide(job, frame, records, frame["lead_id"].clear(), NOW).leads
        inputs.append((frame, judged, {crm: _words(held) for crm, held in records.items()}))
    writable, wanted = job.writable(), job.wanted()

    def work() -> Iterator[object]:
        for frame, judged, words in inputs:
            yield merge(frame, job.rules)
            yield plan(judged, words, job.field_map, job.rules, writable, wanted)

    return _best(leads, work)


def _words(records: pl.DataFrame) -> pl.DataFrame:
    """The records in their CRM's own words."""
    return records.select(
        "_id",
        *(pl.col(name).alias(name.removeprefix(RAW)) for name in records.columns if name.startswith(RAW)),
    )


MEASURES: Mapping[str, Measure] = {
    "columns": in_columns,
    "records": record_by_record,
    "points": points,
    "reasons": points_and_reasons,
    "plan": merge_and_plan,
}
