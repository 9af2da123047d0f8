"""A run from its opening to its closing: its number, its calls and its seconds, and how it ended.

    with running(work, "sync", now) as opened:
        outcome = opened.count(Outcome(opened.run, …))
        …

However the block is left, the run is closed with the numbers that were reached. A guard that stopped it is named.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol, TypeVar

from sync import telemetry
from sync.errors import GuardStopped
from sync.logs import about, correlation
from sync.store.runs import Numbers
from sync.work import CRMS, Work


class Counted(Protocol):
    """What a run fills while it goes on."""

    numbers: Numbers
    seconds: float
    fingerprint: str


C = TypeVar("C", bound=Counted)

_log = logging.getLogger(__name__)


def as_document(numbers: Numbers, seconds: float) -> dict[str, object]:
    """What every JSON document of a run says of its numbers (contract)."""
    return {
        "records_read": numbers.records_read,
        "targets": numbers.targets,
        "written": numbers.written,
        "unchanged": numbers.unchanged,
        "held": numbers.held,
        "refused": numbers.refused,
        "calls": {"hubspot": numbers.calls_hubspot, "salesforce": numbers.calls_salesforce},
        "seconds": round(seconds, 3),
    }


@dataclass(slots=True)
class Opened:
    """A run that is open. ``note`` is stored when it is closed."""

    run: int
    note: str = ""
    counted: Counted | None = None

    def count(self, counted: C) -> C:
        """Whose numbers the run is closed with; it gets the seconds and calls that were spent."""
        self.counted = counted
        return counted


@contextmanager
def _told(opened: Opened, command: str) -> Iterator[Callable[..., None]]:
    """The log lines and the span of what happens inside name the run; yields what adds numbers to the span."""
    named: dict[str, telemetry.Value] = {"run": opened.run, "command": command, "correlation": correlation()}
    with about(run=opened.run), telemetry.span(f"run {command}", **named) as add:
        _log.info("run %s (%s) begins", opened.run, command)
        yield add


def _numbers(opened: Opened) -> dict[str, int]:
    if opened.counted is None:
        return {}
    numbers = opened.counted.numbers
    return {name: getattr(numbers, name) for name in ("targets", "written", "unchanged", "held", "refused")}


@contextmanager
def running(work: Work, command: str, now: datetime, *, policy: str | None = None) -> Iterator[Opened]:
    """Open a run and close it as done, stopped (by GuardStopped) or failed (by anything else).

    ``policy``: the version that decides in it, None where none does.
    """
    began, runs = time.monotonic(), work.store.runs
    opened = Opened(runs.start(command, now, policy))
    calls = {crm: work.crms[crm].calls for crm in CRMS}
    state = "failed"
    try:
        with _told(opened, command) as add:
            yield opened
            add(**_numbers(opened))
        state = "done"
    except GuardStopped as stop:
        state, opened.note = "stopped", str(stop)
        raise
    finally:
        numbers, fingerprint = Numbers(), ""
        if opened.counted is not None:
            used = {f"calls_{crm}": work.crms[crm].calls - calls[crm] for crm in CRMS}
            numbers = opened.counted.numbers = replace(opened.counted.numbers, **used)
            opened.counted.seconds, fingerprint = time.monotonic() - began, opened.counted.fingerprint
        _log.info("run %s (%s) ended: %s", opened.run, command, state, extra={"run": opened.run})
        runs.end(opened.run, state, numbers, work.clock(), fingerprint=fingerprint, note=opened.note)
