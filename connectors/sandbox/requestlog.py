"""What was called on one port: enough to prove that a second sync wrote nothing.

Kept in SQLite beside the records, so that the proof outlives the command that made the calls.
Authorization headers are never looked at, and what else carries a credential (token calls, tokens in a
path or a query) is kept without it.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import orjson

from connectors.sandbox.side import Ask

CAP = 200_000
# Bodies are for looking at what just happened; kept for all, they would fill the disk of a long backfill.
BODIES_KEPT = 20_000
BODY_KEPT = 16_384
# A body larger than this is not parsed only to count what is in it.
COUNTED_UP_TO = 32 * 1024 * 1024
_TRIM_EVERY = 1_000

_TOKEN_IN_PATH = re.compile(r"(/(?:access|refresh)-tokens?/)[^/?]+", re.IGNORECASE)
_TOKEN_IN_QUERY = re.compile(
    r"([?&](?:access_token|refresh_token|client_secret|hapikey|assertion|code|token|sid)=)[^&]*",
    re.IGNORECASE,
)
_SOAP_CALL = re.compile(r"^/services/soap/", re.IGNORECASE)
_SECRET_ELEMENT = re.compile(r"(<(?:[\w.-]+:)?(?:sessionId|password)\b[^>]*>)[^<]*", re.IGNORECASE)
_CREDENTIAL_CALL = re.compile(r"/(?:oauth2?|token)(?:/|$)", re.IGNORECASE)

_TABLE = """
CREATE TABLE IF NOT EXISTS request (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  at TEXT NOT NULL, method TEXT NOT NULL, path TEXT NOT NULL, status INTEGER, fault TEXT, client TEXT,
  bytes_in INTEGER NOT NULL, bytes_out INTEGER NOT NULL, records INTEGER, writes INTEGER NOT NULL,
  body TEXT
)
"""
_ADD = """
INSERT INTO request (at, method, path, status, fault, client, bytes_in, bytes_out, records, writes, body)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_READ = """
SELECT number, at, method, path, status, fault, client, bytes_in, bytes_out, records, writes, body
  FROM request
 WHERE number > :after AND (:writes IS NULL OR writes = :writes)
 ORDER BY number
 LIMIT :limit
"""
_SHOWN = (
    "number", "at", "method", "path", "status", "fault", "client", "bytes_in", "bytes_out", "records"
)  # fmt: skip


class _Lists(msgspec.Struct):
    """What of a body is counted. The records themselves are passed over, which is most of what reading it costs."""

    inputs: list[msgspec.Raw] | None = None
    records: list[msgspec.Raw] | None = None


_LISTS = msgspec.json.Decoder(_Lists)


@dataclass(frozen=True, slots=True)
class Call:
    """How one request ended. ``status`` is None where the connection was cut before any answer."""

    at: datetime
    status: int | None
    fault: str | None
    bytes_in: int
    bytes_out: int
    writes: bool


class RequestLog:
    """The newest ``cap`` requests on one port, the newest ``bodies`` of them with the body's beginning.

    ``path`` None keeps them in memory.
    """

    def __init__(self, path: Path | None, cap: int = CAP, bodies: int = BODIES_KEPT) -> None:
        self._cap, self._bodies = cap, bodies
        self._file = sqlite3.connect(":memory:" if path is None else path, isolation_level=None)
        self._file.execute("PRAGMA journal_mode = WAL")
        self._file.execute("PRAGMA synchronous = NORMAL")
        self._file.execute(_TABLE)

    def add(self, ask: Ask, call: Call) -> int:
        """Keep one request and return its number."""
        kept = self._file.execute(
            _ADD,
            (
                call.at.isoformat(),
                ask.method,
                _storable(without_credentials(ask.raw_path)),
                call.status,
                call.fault,
                _storable(ask.headers.get("sforce-call-options") or ask.headers.get("user-agent")),
                call.bytes_in,
                call.bytes_out,
                records_in(ask.body),
                int(call.writes),
                _body_kept(ask),
            ),
        )
        number = int(kept.lastrowid or 0)
        if number % _TRIM_EVERY == 0:
            self._trim(number)
        return number

    def _trim(self, newest: int) -> None:
        self._file.execute("DELETE FROM request WHERE number <= ?", (newest - self._cap,))
        old = newest - self._bodies
        self._file.execute(
            "UPDATE request SET body = NULL WHERE number BETWEEN ? AND ?", (old - _TRIM_EVERY + 1, old)
        )

    def read(
        self, after: int = 0, limit: int | None = None, writes: bool | None = None, bodies: bool = False
    ) -> Mapping[str, Any]:
        """The requests numbered above ``after``, oldest first.

        ``next`` is the number to read on from, ``newest`` the number of the newest request of all.
        """
        asked = {"after": after, "limit": -1 if limit is None else limit, "writes": writes}
        rows = self._file.execute(_READ, asked).fetchall()
        shown = [
            {
                **dict(zip(_SHOWN, row, strict=False)),
                "writes": bool(row[10]),
                **({"body": row[11]} if bodies else {}),
            }
            for row in rows
        ]
        return {"requests": shown, "next": rows[-1][0] if rows else after, "newest": self.newest()}

    def newest(self) -> int:
        """The number of the newest request so far, also where it is no longer kept; 0 for none."""
        row = self._file.execute("SELECT seq FROM sqlite_sequence WHERE name = 'request'").fetchone()
        return int(row[0]) if row else 0

    def clear(self) -> None:
        """Forget every request. Numbers go on from where they were."""
        self._file.execute("DELETE FROM request")

    def close(self) -> None:
        """Write everything out and close the file."""
        self._file.close()


def without_credentials(raw_path: str) -> str:
    """A path and query with every token in it replaced by ``***``."""
    return _TOKEN_IN_QUERY.sub(r"\1***", _TOKEN_IN_PATH.sub(r"\1***", raw_path))


def records_in(body: bytes) -> int | None:
    """How many records a JSON body carries in ``inputs`` or ``records``; None where it has neither."""
    if len(body) > COUNTED_UP_TO or (b'"inputs"' not in body and b'"records"' not in body):
        return None
    try:
        told = _LISTS.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return _records_in_other_shapes(body)
    found = told.records if told.inputs is None else told.inputs
    return None if found is None else len(found)


def _records_in_other_shapes(body: bytes) -> int | None:
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(parsed, dict):
        return None
    lists = (parsed.get("inputs"), parsed.get("records"))
    return next((len(found) for found in lists if isinstance(found, list)), None)


def _storable(text: str | None) -> str | None:
    # Bytes beyond ASCII in a request line or header arrive as lone surrogates, which SQLite refuses.
    return None if text is None else text.encode("utf-8", "replace").decode()


def _body_kept(ask: Ask) -> str | None:
    if not ask.body:
        return None
    if _CREDENTIAL_CALL.search(ask.path):
        return "(not kept: it carries credentials)"
    kept = ask.body[:BODY_KEPT].decode("utf-8", "replace")
    return _SECRET_ELEMENT.sub(r"\1***", kept) if _SOAP_CALL.search(ask.path) else kept
