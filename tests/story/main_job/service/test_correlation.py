"""From a webhook's request to the lines and spans of the run that answers it: one id, and nobody's data."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from sync.app import build
from sync.jobs import drain_inbox
from sync.jobs_hands import Hands, Task
from sync.logs import VENDORS, about, configure
from sync.store.inbox import Hint
from sync.store.intake import Intake
from sync.store.jobs import enqueue_on
from sync.store.statements import load_statements
from sync.telemetry import Spans


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What Leadpact logs, as JSON lines; afterwards the loggers are as they were."""
    root, names = logging.getLogger(), (*VENDORS, "sync", "connectors", "mapping")
    handlers, levels = list(root.handlers), {name: logging.getLogger(name).level for name in ("", *names)}
    stream = io.StringIO()
    configure(verbose=True, json=True, stream=stream)
    yield stream
    for handler in set(root.handlers) - set(handlers):
        root.removeHandler(handler)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


def _pushed(house: Any, records: list[str]) -> tuple[int, str | None, dict[str, Any]]:
    """Two requests tell of records, one after the other; the one job that waits for both."""
    statements = load_statements()
    with house.app() as app:
        app.work()
        number = app.store.jobs.connection_id

        def enqueue(connection: Any, crm: str, urgent: bool) -> None:
            enqueue_on(connection, statements, number, drain_inbox(crm, urgent=urgent))

        intake = Intake(app.database, number, enqueue)
        intake.start()
        for request, record in zip(("req-1", "req-2"), records, strict=True):
            with about(correlation=request):
                hints = {("hubspot", "contacts", record): Hint(datetime(2026, 11, 20, tzinfo=UTC))}
                intake.put(hints, app.clock()).result(60)
        intake.close()
    with psycopg.connect(house.database) as connection:
        (row,) = connection.execute("SELECT id, queueing_lock, args FROM procrastinate_jobs").fetchall()
    return row


def test_the_id_of_a_request_stands_on_every_line_and_span_of_the_job_and_the_run_that_answer_it(
    furnished: Any, log: io.StringIO
) -> None:
    contacts = [furnished.couple(f"{name}@planted.example")[0] for name in ("anna", "berta")]
    furnished.sync()
    for contact in contacts:
        furnished.edit("hubspot", contact, jobtitle="Head of planted")
    number, fold, args = _pushed(furnished, contacts)
    assert args["correlation"] == "req-1,req-2"

    memory, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(memory))
    opens = furnished.settings()
    hands = Hands(lambda at_point: build(opens, at_point=at_point), 2, spans=Spans(provider))
    hands.start(1)
    log.truncate(0)
    log.seek(0)
    try:
        said = asyncio.run(hands.do(Task(number, "live", fold, 0, args)))
    finally:
        assert hands.end(30)
    assert said.words == "2 of 2 records read again"

    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    assert {(line.get("job"), line.get("correlation")) for line in lines} == {(number, "req-1,req-2")}
    (begins,) = [line for line in lines if line["message"].endswith("(webhook) begins")]
    assert [line for line in lines if line["message"].endswith("(webhook) ended: done")]

    took = [line for line in lines if line["message"] == "salesforce took a write"]
    with psycopg.connect(furnished.database) as connection:
        linked = "SELECT lead_id FROM link WHERE crm = 'hubspot' AND record_id = ANY(%s)"
        found = {lead for (lead,) in connection.execute(linked, (contacts,))}
    assert {line["lead"] for line in took} == found, "a line for each lead that was written, by its id"
    assert {(line["run"], line["count"]) for line in took} == {(begins["run"], 1)}

    spans = {one.name: one for one in memory.get_finished_spans()}
    run, job = spans["run webhook"], spans["job drain"]
    assert run.parent is not None
    assert run.parent.span_id == job.context.span_id
    told = dict(run.attributes or {})
    assert (told["leadpact.run"], told["leadpact.correlation"]) == (begins["run"], "req-1,req-2")
    assert told["leadpact.written"] == 2
    assert "planted" not in log.getvalue() + run.to_json() + job.to_json()

    told = furnished.command("--json", "--verbose", "sync", "--approve")
    assert told.code == 0, told.err
    of_commands = [json.loads(line) for line in told.err.splitlines()]
    assert {line["run"] for line in of_commands if "run" in line} == {told.document["run"]}
