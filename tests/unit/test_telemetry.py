"""Spans where OTEL_ variables ask for them, with nothing of what was worked on; and nothing without."""

from __future__ import annotations

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from sync import telemetry
from sync.errors import WrongUse
from sync.telemetry import Spans, spans_of

PLANTED = "ada@planted.example"


@pytest.fixture
def memory() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def spans(memory: InMemorySpanExporter) -> Spans:
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(memory))
    return Spans(provider)


def test_a_run_inside_a_job_is_its_child_and_bears_its_numbers(
    spans: Spans, memory: InMemorySpanExporter
) -> None:
    with (
        telemetry.using(spans),
        telemetry.span("job drain", job=4, correlation="abc"),
        telemetry.span("run webhook", run=9) as add,
    ):
        add(written=2)
    run, job = memory.get_finished_spans()
    assert (run.name, job.name) == ("run webhook", "job drain")
    assert run.parent is not None
    assert run.parent.span_id == job.context.span_id
    assert dict(run.attributes or {}) == {"leadpact.run": 9, "leadpact.written": 2}
    assert dict(job.attributes or {}) == {"leadpact.job": 4, "leadpact.correlation": "abc"}


def test_an_error_is_told_by_its_kind_and_never_by_its_words(
    spans: Spans, memory: InMemorySpanExporter
) -> None:
    with pytest.raises(ValueError, match="planted"), telemetry.using(spans), telemetry.span("run sync"):
        raise ValueError(PLANTED)
    (found,) = memory.get_finished_spans()
    assert found.status.status_code is StatusCode.ERROR
    assert found.status.description == "ValueError"
    assert not found.events
    assert PLANTED not in found.to_json()


def test_without_spans_a_block_is_just_a_block() -> None:
    with telemetry.span("run sync", run=1) as add:
        add(written=2)
    assert telemetry.current() is None


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"},
        {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_SDK_DISABLED": "true"},
        {"OTEL_SERVICE_NAME": "leadpact"},
    ],
)
def test_it_is_off_unless_the_variables_ask_for_it(environ: dict[str, str]) -> None:
    assert spans_of(environ) is None


@pytest.mark.parametrize(
    "environ",
    [
        {"OTEL_TRACES_EXPORTER": "console"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"},
    ],
)
def test_the_variables_switch_it_on(environ: dict[str, str]) -> None:
    made = spans_of(environ)
    assert made is not None
    made.close()


def test_spans_of_a_process_end_with_it(capsys: pytest.CaptureFixture[str]) -> None:
    end = telemetry.begin({"OTEL_TRACES_EXPORTER": "console"})
    with telemetry.span("run sync", run=1):
        assert telemetry.current() is not None
    end()
    assert telemetry.current() is None
    assert not capsys.readouterr().out


def test_an_exporter_that_there_is_not_is_named_before_anything_starts() -> None:
    with pytest.raises(WrongUse) as told:
        spans_of({"OTEL_TRACES_EXPORTER": "zipkin"})
    assert "otlp" in told.value.fix
