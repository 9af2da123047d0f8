"""What one pretend CRM is to the server in front of it.

The server (``server.py``) owns HTTP, the control paths under ``/_sandbox/``, latency,
faults and the request log. A side (``hubspot/``, ``salesforce/``) owns the wire contract
and the records. A side is called from one thread, one request at a time: what it does in
one call is one transaction in its SQLite file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Ask:
    """One request as it came in. ``body`` is already unzipped and joined from its chunks.

    ``path`` is percent-decoded, ``raw_path`` is as sent; header names are lower case.
    ``query`` keeps order and repeats.
    """

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]
    body: bytes
    raw_path: str = ""

    def first(self, name: str, default: str | None = None) -> str | None:
        """The first value of a query parameter."""
        return next((value for key, value in self.query if key == name), default)

    def every(self, name: str) -> list[str]:
        """Every value of a query parameter, in order."""
        return [value for key, value in self.query if key == name]


@dataclass(frozen=True, slots=True)
class Answer:
    """One response. A ``None`` content type sends no Content-Type header (204)."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str | None = "application/json;charset=utf-8"


class Backend(Protocol):
    """A further server of a side, on a loopback port of its own choice. Used from any one thread at a time."""

    def start(self) -> int:
        """Serve; returns the port."""
        ...

    def stop(self) -> None:
        """Stop serving."""
        ...


class ControlRefused(Exception):
    """A control was asked for something it cannot do; the text says what was expected. Answered as 400."""


class Side(Protocol):
    """One pretend CRM."""

    name: str  #: "hubspot" or "salesforce"

    def answer(self, ask: Ask) -> Answer:
        """Answer one request of the CRM's own API. Never raises for bad input: it answers as the CRM would."""
        ...

    def reset(self, seed: int | None = None) -> None:
        """Forget every record, token, limit and custom field; start again as a new account."""
        ...

    def states(self) -> list[str]:
        """The names under which states of the account were kept, in their order."""
        ...

    def keep(self, name: str) -> None:
        """Keep the account as it is now under a name, beside what is kept already. Raises ControlRefused."""
        ...

    def go_back(self, name: str) -> None:
        """Be the account that was kept under a name: records, fields, tokens, limits, ids still to be given.

        Raises ControlRefused where nothing was kept under it.
        """
        ...

    def limits(self, wanted: Mapping[str, Any]) -> Mapping[str, Any]:
        """Change call limits or behaviour switches; an empty mapping changes nothing. Returns all in force.

        Raises ControlRefused for an unknown name or a wrong type.
        """
        ...

    def people(self, wanted: Mapping[str, Any]) -> Mapping[str, Any]:
        """Act as a person in the CRM (edit, merge, delete, convert, unsubscribe). Raises ControlRefused."""
        ...

    def state(self, wanted: Mapping[str, str]) -> Mapping[str, Any]:
        """What the CRM holds now. ``wanted`` may name an ``object``, ``id``, ``limit`` and ``after``."""
        ...

    def load(self, object_name: str, rows: Iterable[Mapping[str, Any]]) -> list[str]:
        """Store rows as records without any API call, in bulk, and return their ids in order.

        A row maps the CRM's own field names to values and may carry ``_created`` and
        ``_modified`` (aware datetimes) and, for HubSpot, ``_history`` (property name to a list of
        (aware datetime, value), oldest first). Raises ControlRefused for an unknown object or field.
        """
        ...

    def close(self) -> None:
        """Write everything out and close the files."""
        ...
