"""What can be made to go wrong between a client and a pretend CRM.

A fault waits for requests that match it and then answers with an error, cuts the connection, sends half
an answer or is late. It fires a set number of times, so that a retry can be seen to succeed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import orjson

from connectors.sandbox.side import Answer, Ask, ControlRefused

KINDS = ("status", "html", "drop", "delay", "truncate")
_KEYS = {"match", "times", "skip", "body", "headers", *KINDS}
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+\Z")


@dataclass(frozen=True, slots=True)
class Match:
    """Which requests a fault is for; what is None does not matter.

    ``path`` is searched in the path and query as they were sent (``%20``, not a blank), ``body`` in the
    unzipped body as text.
    """

    method: str | None = None
    path: re.Pattern[str] | None = None
    body: re.Pattern[str] | None = None

    def fits(self, ask: Ask) -> bool:
        """Whether a request matches in every part that was given."""
        if self.method is not None and ask.method != self.method:
            return False
        if self.path is not None and self.path.search(ask.raw_path) is None:
            return False
        return self.body is None or self.body.search(ask.body.decode("utf-8", "replace")) is not None

    def as_json(self) -> dict[str, str]:
        """The match as it was asked for."""
        parts = {
            "method": self.method,
            "path": self.path.pattern if self.path else None,
            "body": self.body.pattern if self.body else None,
        }
        return {name: value for name, value in parts.items() if value is not None}


@dataclass(slots=True)
class Fault:
    """One thing that goes wrong. ``times`` -1 is for ever; ``skip`` matches are let through first."""

    number: int
    match: Match
    kind: str
    value: int | str
    times: int = 1
    skip: int = 0
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    fired: int = 0

    @property
    def name(self) -> str:
        """What the request log calls it, such as ``status 503`` or ``drop after``."""
        return f"{self.kind} {self.value}"

    def takes(self, ask: Ask) -> bool:
        """Whether this fault fires on a request; counts the match."""
        if self.times != -1 and self.fired >= self.times:
            return False
        if not self.match.fits(ask):
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        self.fired += 1
        return True

    def answer(self) -> Answer:
        """The answer sent instead of the side's, for the kinds ``status`` and ``html``."""
        status = int(self.value)
        if self.kind == "html":
            return Answer(status, _page_of_a_proxy(status), {}, "text/html")
        names = {name.lower() for name in self.headers}
        plain = None if "content-type" in names or not self.body else "application/json;charset=utf-8"
        return Answer(status, self.body, self.headers, plain)

    def as_json(self) -> dict[str, Any]:
        """The fault as listed by ``GET faults``; ``left`` is -1 for one that never ends."""
        return {
            "fault": self.number,
            "match": self.match.as_json(),
            self.kind: self.value,
            "times": self.times,
            "skip": self.skip,
            "fired": self.fired,
            "left": -1 if self.times == -1 else self.times - self.fired,
        }


class Conditions:
    """The weather on one port: latency on every request, and the faults, in the order they were asked for."""

    def __init__(self) -> None:
        self.latency_ms: float = 0
        self.faults: list[Fault] = []
        self._number = 0

    def add(self, wanted: Mapping[str, Any]) -> Fault:
        """Take a fault as the control spells it. Raises ControlRefused."""
        fault = read_fault(self._number + 1, wanted)
        self._number += 1
        self.faults.append(fault)
        return fault

    def fault_for(self, ask: Ask) -> Fault | None:
        """The first fault that fires on this request. Counts, so ask once a request."""
        return next((fault for fault in self.faults if fault.takes(ask)), None)

    def clear(self) -> None:
        """Forget latency and faults."""
        self.latency_ms = 0
        self.faults.clear()


def read_fault(number: int, wanted: Mapping[str, Any]) -> Fault:
    """Check one fault as the control spells it. Raises ControlRefused and says what was expected."""
    unknown = sorted(set(wanted) - _KEYS)
    if unknown:
        raise ControlRefused(f"unknown key {unknown[0]!r}; a fault has {', '.join(sorted(_KEYS))}")
    kinds = [kind for kind in KINDS if kind in wanted]
    if len(kinds) != 1:
        raise ControlRefused(f"exactly one of {', '.join(KINDS)} was expected")
    kind = kinds[0]
    if kind != "status" and ("body" in wanted or "headers" in wanted):
        raise ControlRefused("body and headers go with status only")
    times = _whole(wanted.get("times", 1), "times", -1)
    if times == 0:
        raise ControlRefused("times: a whole number from 1, or -1 for ever, was expected")
    return Fault(
        number,
        _match(wanted.get("match", {})),
        kind,
        _value(kind, wanted[kind]),
        times,
        _whole(wanted.get("skip", 0), "skip", 0),
        _body(wanted.get("body")),
        _headers(wanted.get("headers", {})),
    )


def _match(wanted: object) -> Match:
    if isinstance(wanted, str):
        return Match(path=_pattern("match", wanted))
    if not isinstance(wanted, dict) or not set(wanted) <= {"method", "path", "body"}:
        raise ControlRefused(
            "match: a regular expression, or an object with method, path and body, was expected"
        )
    method = wanted.get("method")
    if method is not None and not isinstance(method, str):
        raise ControlRefused("match.method: a string such as POST was expected")
    return Match(
        method.upper() if method else None,
        _pattern("match.path", wanted.get("path")),
        _pattern("match.body", wanted.get("body")),
    )


def _pattern(name: str, wanted: object) -> re.Pattern[str] | None:
    if wanted is None:
        return None
    if not isinstance(wanted, str):
        raise ControlRefused(f"{name}: a regular expression was expected")
    try:
        return re.compile(wanted)
    except re.error as error:
        raise ControlRefused(f"{name}: not a regular expression: {error}") from error


def _whole(wanted: object, name: str, least: int) -> int:
    if isinstance(wanted, bool) or not isinstance(wanted, int) or wanted < least:
        raise ControlRefused(f"{name}: a whole number from {least} was expected")
    return wanted


def _value(kind: str, wanted: object) -> int | str:
    if kind == "drop":
        if wanted not in ("before", "after"):
            raise ControlRefused('drop: "before" or "after" was expected')
        return str(wanted)
    least = 200 if kind in ("status", "html") else 0
    number = _whole(wanted, kind, least)
    if least and number > 599:
        raise ControlRefused(f"{kind}: a status from 200 to 599 was expected")
    return number


def _body(wanted: object) -> bytes:
    if wanted is None:
        return b""
    return wanted.encode() if isinstance(wanted, str) else orjson.dumps(wanted)


def _headers(wanted: object) -> Mapping[str, str]:
    if not isinstance(wanted, dict) or not all(
        isinstance(value, str) and value.isprintable() and _HEADER_NAME.match(name)
        for name, value in wanted.items()
    ):
        raise ControlRefused("headers: an object of header names and one-line strings was expected")
    if {name.lower() for name in wanted} & {"content-length", "transfer-encoding"}:
        raise ControlRefused("headers: the length is counted by the server; use truncate for a wrong one")
    return wanted


def _page_of_a_proxy(status: int) -> bytes:
    known = {entry.value: entry.phrase for entry in HTTPStatus}
    title = f"{status} {known.get(status, 'Error')}"
    return (
        f"<html>\r\n<head><title>{title}</title></head>\r\n"
        f"<body><center><h1>{title}</h1></center><hr></body>\r\n</html>\r\n"
    ).encode()
