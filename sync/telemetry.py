"""Spans of jobs and runs for OpenTelemetry, set up by its own variables (``OTEL_…``); off without them.

    OTEL_TRACES_EXPORTER          otlp, console or none; left out: otlp where an endpoint is set
    OTEL_EXPORTER_OTLP_ENDPOINT   where to, by HTTP; all other OTEL_ variables are read by the library itself

A span names a job or a run, its numbers and the kind of an error. It never holds the words of one, a lead's values or a
secret. Nothing else in the program waits for a span: they leave in batches from a thread of the library.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sync.errors import WrongUse

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span

#: What says where spans go to, besides the name of an exporter.
ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
EXPORTERS = ("otlp", "console", "none")

Value = str | int | float | bool


@dataclass(frozen=True, slots=True)
class Spans:
    """Where spans go."""

    provider: TracerProvider = field(repr=False)

    @contextmanager
    def span(self, name: str, attributes: Mapping[str, Value]) -> Iterator[Span]:
        """A span around a block. What the block raises goes on; its kind alone is kept."""
        from opentelemetry.trace import StatusCode

        tracer = self.provider.get_tracer("leadpact")
        # The library itself would keep the error's words and its trace, and those may quote what was worked on.
        with tracer.start_as_current_span(
            name, attributes=dict(attributes), record_exception=False, set_status_on_exception=False
        ) as span:
            try:
                yield span
            except BaseException as error:
                span.set_status(StatusCode.ERROR, type(error).__name__)
                raise

    def close(self) -> None:
        """Send what has not left yet."""
        self.provider.shutdown()


_current: ContextVar[Spans | None] = ContextVar("leadpact_spans", default=None)


def current() -> Spans | None:
    """Where the spans of this thread go; None: nowhere."""
    return _current.get()


@contextmanager
def using(spans: Spans | None) -> Iterator[None]:
    """Spans of this block, in this thread, go there. A new thread has to be told anew."""
    token = _current.set(spans)
    try:
        yield
    finally:
        _current.reset(token)


@contextmanager
def span(name: str, **attributes: Value) -> Iterator[Callable[..., None]]:
    """A span around a block, where spans are wanted. Yields what adds attributes to it: ``add(written=3)``."""
    spans = _current.get()
    if spans is None:
        yield _nothing
        return
    with spans.span(name, _ours(attributes)) as made:
        yield lambda **more: made.set_attributes(_ours(more))


def begin(environ: Mapping[str, str]) -> Callable[[], None]:
    """Set spans up for this process as its variables say; returns what ends them. Raises WrongUse."""
    spans = spans_of(environ)
    if spans is None:
        return _nothing
    _current.set(spans)

    def end() -> None:
        _current.set(None)
        spans.close()

    return end


def spans_of(environ: Mapping[str, str]) -> Spans | None:
    """What the variables ask for; None where they ask for nothing.

    Raises WrongUse where the library is missing, or an exporter is asked for that there is not.
    """
    wanted = environ.get("OTEL_TRACES_EXPORTER", "").strip()
    if not wanted and any(environ.get(name) for name in ENDPOINTS):
        wanted = "otlp"
    if not wanted or wanted == "none" or environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return None
    if wanted not in EXPORTERS:
        raise WrongUse(
            "OTEL_TRACES_EXPORTER names an exporter that there is not", fix=f"use {', '.join(EXPORTERS)}"
        )
    try:
        return Spans(_provider(wanted, environ))
    except ImportError as missing:
        raise WrongUse(
            "OTEL_ variables ask for spans, and OpenTelemetry is not installed",
            fix="install leadpact[telemetry], or set OTEL_TRACES_EXPORTER=none",
        ) from missing


def _provider(exporter: str, environ: Mapping[str, str]) -> TracerProvider:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter

    named = {} if environ.get("OTEL_SERVICE_NAME") else {"service.name": "leadpact"}
    provider = TracerProvider(resource=Resource.create(named))
    # Stdout is for the one document of --json.
    way = OTLPSpanExporter() if exporter == "otlp" else ConsoleSpanExporter(out=sys.stderr)
    provider.add_span_processor(BatchSpanProcessor(way))
    return provider


def _ours(attributes: Mapping[str, Value]) -> dict[str, Value]:
    return {f"leadpact.{name}": value for name, value in attributes.items()}


def _nothing(**_: Value) -> None:
    """No span is wanted."""
