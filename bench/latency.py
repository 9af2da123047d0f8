"""How long it takes from a change in HubSpot to the answer in both CRMs, by way of a webhook.

    python -m bench.latency [--leads 100000] [--probes 40] [--answer-ms 0 150] [--seed 1] [--concurrency 1]

A real ``leadpact serve`` on the embedded PostgreSQL (fsync on), and pretend CRMs that send signed webhooks over HTTP
and take ``--answer-ms`` for every call. A probe is a person's edit that changes a mapped field and the score, so that
both CRMs have to be written; its time ends with the later of the two writes, by the log of the CRM that got it.

    idle, one at a time              the next probe begins a random 1.5 to 3 s after the answer to the last one
    one after the other, every 0.7 s the next begins while the last one is under way, and waits for its run
    beside a backfill                the same, while a queued backfill of ``--leads`` people runs
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import psutil
import requests

from bench.jobs import PATIENCE, Bench, furnished, load
from sync.app import opened
from sync.backfill import Wanted
from sync.jobs import backfill_slice

#: Seconds between two probes that do not wait for each other.
BETWEEN = 0.7
#: Seconds from an answer to the next probe of an idle system: the run behind it, which goes on after its last write,
#: is over, and the waits are random so that no probe meets the same beat of the workers' clocks.
REST = (1.5, 3.0)
#: Seconds before a record itself is asked whether it was written.
PATIENT = 3.0
#: Seconds after which a probe without an answer is a failure.
WAIT = 120.0
#: People loaded with one call.
AT_ONCE = 5_000
IDLE, QUEUED, BESIDE = "idle, one at a time", "one after the other, every 0.7 s", "beside a backfill"
#: Aims in seconds; there is none for probes that wait for each other.
AIMS = {IDLE: 2.0, BESIDE: 10.0}
OWN = {"hubspot": "leadpact_score", "salesforce": "Leadpact_Score__c"}


@dataclass(frozen=True)
class Figures:
    """One measure: seconds from the edit to the later of both writes, and what our processes spent on a probe."""

    beside: str
    answer_ms: int
    seconds: tuple[float, ...]
    cpu_ms: float
    slices_done: int

    def at(self, share: float) -> float:
        ordered = sorted(self.seconds)
        return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


@dataclass
class Probing:
    """A bench with a ``serve`` that both CRMs tell of changes."""

    bench: Bench
    serve: psutil.Process
    untouched: list[str]  #: contacts whose country nobody has filled in yet
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def control(self, crm: str, name: str, **wanted: Any) -> Any:
        answer = requests.post(f"{self._url(crm)}/_sandbox/{name}", json=wanted, timeout=60)
        answer.raise_for_status()
        return answer.json()

    def look(self, crm: str, name: str, **query: str) -> Any:
        answer = requests.get(f"{self._url(crm)}/_sandbox/{name}", params=query, timeout=60)
        answer.raise_for_status()
        return answer.json()

    def _url(self, crm: str) -> str:
        name = {"hubspot": "LEADPACT_HUBSPOT__BASE_URL", "salesforce": "LEADPACT_SALESFORCE__LOGIN_URL"}[crm]
        return self.bench.environ[name]

    def edit(self, contact: str) -> float:
        """A person changes a contact so that its score changes; the moment before."""
        number = next(self.numbers)
        values = {"jobtitle": f"Head {number}", "country": "Germany"}
        began = time.time()
        self.control("hubspot", "people", action="edit", object="contacts", id=contact, properties=values)
        return began

    def shows(self, crm: str, record: str) -> bool:
        """Whether a record shows a score other than none."""
        name = {"hubspot": "contacts", "salesforce": "Lead"}[crm]
        (found,) = self.look(crm, "state", object=name, id=record)["records"]
        return float((found.get("properties") or found).get(OWN[crm]) or 0) > 0

    def cpu(self) -> float:
        times = self.serve.cpu_times()
        return float(times.user + times.system)


@contextmanager
def probing(bench: Bench, port: int, concurrency: int = 1) -> Iterator[Probing]:
    """``serve`` runs, and HubSpot tells it of every change."""
    url = f"http://127.0.0.1:{port}"
    secret = str(bench.serving.ready["hubspot_client_secret"])
    environ = {
        "LEADPACT_HUBSPOT__CLIENT_SECRET": secret,
        "LEADPACT_WEB__PUBLIC_URL": url,
        "LEADPACT_WORKER__CONCURRENCY": str(concurrency),
    }
    log = bench.config.parent / "serve.log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "sync", "--config", str(bench.config), "serve"],
            env={**os.environ, **bench.environ, **environ, "LEADPACT_WEB__PORT": str(port)},
            stderr=file,
        )
    try:
        until = time.monotonic() + PATIENCE
        while not ("listening at" in log.read_text() and "working on" in log.read_text()):
            if time.monotonic() > until or process.poll() is not None:
                raise TimeoutError(f"serve did not begin: {log.read_text()[-500:]}")
            time.sleep(0.05)
        there = Probing(bench, psutil.Process(process.pid), list(bench.contacts))
        names = ("jobtitle", "country")
        events = [{"eventType": "contact.propertyChange", "propertyName": name} for name in names]
        there.control(
            "hubspot", "people",
            action="declare_webhooks", events=events, target_url=f"{url}/webhooks/hubspot",
        )  # fmt: skip
        yield there
    finally:
        process.terminate()
        process.wait(60)


def _note_answers(
    there: Probing, mark: dict[str, int], asked: Mapping[str, float], done: dict[str, dict[str, float]]
) -> None:
    """Add the moments at which a CRM was told the new score of a contact that was asked for."""
    owners = {
        "hubspot": {one: one for one in asked},
        "salesforce": {there.bench.mates[one]: one for one in asked},
    }
    for crm, after in mark.items():
        told = there.look(crm, "requests", after=str(after), writes="1", bodies="1")
        mark[crm] = int(told["next"])
        for request in told["requests"]:
            moment = datetime.fromisoformat(request["at"]).timestamp()
            for record in _scored(request["body"] or "", OWN[crm]):
                if record in owners[crm]:
                    done[owners[crm][record]].setdefault(crm, moment)
        # A large body is cut off in the log; then the record itself tells, a moment later.
        for record, contact in owners[crm].items():
            if (
                crm not in done[contact]
                and time.time() - asked[contact] > PATIENT
                and there.shows(crm, record)
            ):
                done[contact][crm] = time.time()


def _scored(body: str, field_name: str) -> Iterator[str]:
    """The records of a batch that are told a score, as far as the log kept the body."""
    decoder = json.JSONDecoder()
    place = body.find("[", max(body.find('"inputs"'), body.find('"records"')))
    while place >= 0 and (place := body.find("{", place)) >= 0:
        try:
            row, place = decoder.raw_decode(body, place)
        except json.JSONDecodeError:
            return
        if field_name in (row.get("properties") or row):
            yield str(row.get("id") or row.get("Id"))


def measure(
    there: Probing, probes: int, beside: str, answer_ms: int, rests: random.Random | None = None
) -> Figures:
    """So many probes, each of a lead of its own. ``rests``: after each one's answer; None: each ``BETWEEN`` s."""
    for crm in OWN:
        there.control(crm, "latency", ms=answer_ms)
    contacts = [there.untouched.pop() for _ in range(probes)]
    mark = {crm: int(there.look(crm, "requests", limit="1")["newest"]) for crm in OWN}
    cpu = there.cpu()
    asked: dict[str, float] = {}
    done: dict[str, dict[str, float]] = {contact: {} for contact in contacts}
    for contact in contacts:
        asked[contact] = there.edit(contact)
        if rests is None:
            time.sleep(BETWEEN)
        else:
            _until_answered(there, mark, asked, done)
            time.sleep(rests.uniform(*REST))
    _until_answered(there, mark, asked, done)
    found = {contact: max(times.values()) - asked[contact] for contact, times in done.items()}
    spent = (there.cpu() - cpu) / len(asked) * 1000
    return Figures(beside, answer_ms, tuple(found.values()), spent, _slices_done(there.bench))


def _until_answered(
    there: Probing, mark: dict[str, int], asked: Mapping[str, float], done: dict[str, dict[str, float]]
) -> None:
    until = time.monotonic() + WAIT
    while any(len(done[contact]) < 2 for contact in asked):
        _note_answers(there, mark, asked, done)
        if time.monotonic() > until:
            raise TimeoutError(f"some of {len(asked)} changes were never answered")
        time.sleep(0.2)


def _slices_done(bench: Bench) -> int:
    with opened(bench.settings()) as app:
        app.work()
        return sum(one.slices_done for one in app.store.backfills.underway())


@contextmanager
def _backfill(bench: Bench) -> Iterator[None]:
    """A backfill of everything stands in the queue; what is left of it at the end is dropped."""
    with opened(bench.settings()) as app:
        app.work()
        app.store.jobs.enqueue(backfill_slice(Wanted(("hubspot", "salesforce"), None, None), approve=True))
        yield
        for job in app.store.jobs.listed():
            app.store.jobs.drop(job.id)


def _arrive(bench: Bench, count: int) -> None:
    """So many people in both CRMs whom nobody has read yet."""
    for first in range(0, count, AT_ONCE):
        names = [f"new{number}@shop{number}.example" for number in range(first, min(first + AT_ONCE, count))]
        load(bench.serving, "hubspot", [{"email": one, "company": "Shop"} for one in names])
        rows = [{"Email": one, "LastName": "Sommer", "Company": "Shop"} for one in names]
        load(bench.serving, "salesforce", rows)


def _print(one: Figures, leads: int) -> None:
    aim = AIMS.get(one.beside)
    met = "" if aim is None else "yes" if one.at(0.95) < aim else "no"
    wanted = "" if aim is None else f"{aim:.0f}"
    beside = f"{one.beside} of {leads:,}" if one.beside == BESIDE else one.beside
    print(
        f"{beside:<34}{one.answer_ms:>10}{len(one.seconds):>8}{one.at(0.5):>8.2f}{one.at(0.95):>8.2f}"
        f"{max(one.seconds):>8.2f}{wanted:>8}{met:>6}{one.cpu_ms:>9.0f}{os.getloadavg()[0]:>7.1f}",
        flush=True,
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print a line each."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--leads", type=int, default=100_000, help="people of the backfill")
    parser.add_argument("--probes", type=int, default=40)
    parser.add_argument("--answer-ms", type=int, nargs="+", default=[0, 150])
    parser.add_argument("--port", type=int, default=18_470)
    parser.add_argument("--seed", type=int, default=1, help="of the rests of an idle system")
    parser.add_argument("--concurrency", type=int, default=1, help="worker.concurrency")
    given = parser.parse_args(arguments)
    print(f"seed {given.seed}, worker.concurrency {given.concurrency}")
    print(
        f"{'':<34}{'answer ms':>10}{'probes':>8}{'p50 s':>8}{'p95 s':>8}{'max s':>8}{'aim':>8}{'met':>6}"
        f"{'cpu ms':>9}{'load':>7}"
    )
    people = 1 + given.probes * 3 * len(given.answer_ms)
    with furnished(people) as bench, probing(bench, given.port, given.concurrency) as there:
        # The first job of a process loads what the following ones find loaded.
        measure(there, 1, IDLE, 0)
        for answer_ms in given.answer_ms:
            rests = random.Random(given.seed)
            _print(measure(there, given.probes, IDLE, answer_ms, rests), 0)
            _print(measure(there, given.probes, QUEUED, answer_ms), 0)
        _arrive(bench, given.leads)
        for answer_ms in given.answer_ms:
            with _backfill(bench):
                _print(measure(there, given.probes, BESIDE, answer_ms), given.leads)


if __name__ == "__main__":
    main()
