"""Exports: started, asked about, and downloaded as CSV (HubSpot reference, section 4.5).

The file holds what was there when it was asked for. What the reference leaves open is ours: the first column is
called "Record ID", and an export beyond the thirtieth in 24 hours is answered with 429.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

from connectors.sandbox.hubspot import lists, records, rendering
from connectors.sandbox.hubspot.call import Call, answer, text_list
from connectors.sandbox.hubspot.errors import Refused, bad_request, no_resource, unreadable
from connectors.sandbox.hubspot.filters import Condition, conditions
from connectors.sandbox.hubspot.kinds import Kind, kind_named
from connectors.sandbox.hubspot.moments import DAY_MS, wire
from connectors.sandbox.hubspot.portal import Portal
from connectors.sandbox.hubspot.records import Record
from connectors.sandbox.side import Answer

MOST_A_DAY = 30
ADDRESS_MS = 300_000
ZIPPED_FROM = 2 * 1024 * 1024
RECORD_ID = "Record ID"


def start(portal: Portal, call: Call) -> Answer:
    """``POST /exports/export/async``: 202 with the id of the task."""
    body, now = call.json(), portal.now()
    used = "SELECT count(*) FROM export WHERE asked > ?"
    if portal.database.execute(used, (now - DAY_MS,)).fetchone()[0] >= MOST_A_DAY:
        raise Refused(429, f"No more than {MOST_A_DAY} exports in 24 hours", errorType="RATE_LIMIT")
    file = _file(portal, body)
    # One at a time: the next one waits for the last.
    last = portal.database.execute("SELECT max(ready) FROM export").fetchone()[0]
    starts = max(now, last or 0)
    made = portal.database.execute(
        "INSERT INTO export (asked, starts, ready, file) VALUES (?, ?, ?, ?)",
        (now, starts, starts + portal.switches.export_ms, file),
    )
    id_ = str(made.lastrowid)
    where = f"{call.origin}{call.ask.path.rstrip('/')}/tasks/{id_}/status"
    return answer(202, {"id": id_, "links": {"status": where}})


def status(portal: Portal, call: Call) -> Answer:
    """``GET …/tasks/{id}/status``: every answer about a finished export has another address, for five minutes."""
    given, now = call.parts[0], portal.now()
    row = portal.database.execute(
        "SELECT id, asked, starts, ready FROM export WHERE id = ?",
        (int(given) if given.isdecimal() and len(given) < 19 else 0,),
    ).fetchone()
    if row is None:
        raise no_resource()
    id_, asked, starts, ready = row
    word = "PENDING" if now < starts else "PROCESSING" if now < ready else "COMPLETE"
    body: dict[str, Any] = {
        "status": word,
        "requestedAt": wire(asked),
        "startedAt": wire(starts),
        "completedAt": wire(ready),
    }
    if word == "COMPLETE":
        token = portal.fresh_id()
        portal.database.execute("INSERT INTO export_address VALUES (?, ?, ?)", (token, id_, now + ADDRESS_MS))
        body["result"] = f"{call.origin}/export-files/{token}"
    return answer(200, body)


def download(portal: Portal, call: Call) -> Answer:
    """``GET /export-files/{token}``: without credentials; zipped from two megabytes on."""
    row = portal.database.execute(
        "SELECT e.file FROM export_address a JOIN export e ON e.id = a.export WHERE a.token = ? AND a.until > ?",
        (call.parts[0], portal.now()),
    ).fetchone()
    if row is None:
        raise Refused(403, "The address of this export has expired")
    data = bytes(row[0])
    kind = "application/zip" if data[:2] == b"PK" else "text/csv"
    return Answer(200, data, content_type=kind)


def _file(portal: Portal, body: dict[str, Any]) -> bytes:
    if body.get("format") != "CSV":
        raise bad_request("This pretend account exports CSV alone")
    kind = kind_named(str(body.get("objectType")))
    names = text_list(body, "objectProperties")
    if not names:
        raise unreadable("objectProperties must be a list of texts")
    known = portal.definitions.of(kind)
    names = [name for name in names if name in known]
    spelled = frozenset(text_list(body, "exportInternalValuesOptions"))
    bodies = {body["name"]: body for body in portal.definitions.bodies(kind)}
    labels = {name: {o["value"]: o["label"] for o in bodies[name]["options"]} for name in names}
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL)
    writer.writerow([RECORD_ID, *(n if "NAMES" in spelled else bodies[n]["label"] for n in names)])
    for record in _records(portal, kind, body):
        values = [value or "" for value in rendering.shown(portal, record, names).values()]
        if "VALUES" not in spelled:
            values = [labels[n].get(v, v) for n, v in zip(names, values, strict=True)]
        writer.writerow([str(record.id), *values])
    return _packed(out.getvalue().encode(), str(body.get("exportName") or "export"))


def _packed(text: bytes, name: str) -> bytes:
    if len(text) <= ZIPPED_FROM:
        return text
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{name}.csv", text)
    return out.getvalue()


def _records(portal: Portal, kind: Kind, body: dict[str, Any]) -> Iterator[Record]:
    where, values = _wanted(portal, kind, body)
    rows = portal.database.execute(
        f"SELECT {records.COLUMNS} FROM record WHERE kind = ? AND archived IS NULL AND ({where}) ORDER BY id",
        [kind.key, *values],
    )
    for row in rows:
        yield records.of_row(kind, row)


def _wanted(portal: Portal, kind: Kind, body: dict[str, Any]) -> Condition:
    if body.get("exportType") == "LIST":
        found = lists.segment(portal, str(body.get("listId")))
        return "id IN (SELECT record FROM member WHERE list = ?)", [found.id]
    if body.get("exportType") != "VIEW":
        raise bad_request("exportType is VIEW or LIST")
    search = body.get("publicCrmSearchRequest") or {}
    filters = search.get("filters") if isinstance(search, dict) else None
    if filters is not None and not (
        isinstance(filters, list) and all(isinstance(f, dict) and "property" in f for f in filters)
    ):
        # Not the spelling of a search (HubSpot reference, section 4.5).
        raise unreadable("every filter of an export names its property")
    spelled = [{**one, "propertyName": one["property"]} for one in filters or []]
    return conditions(kind, portal.definitions.of(kind), {"filters": spelled})


#: (method, pattern, handler, whether it writes)
CALLS: tuple[tuple[str, str, Callable[[Portal, Call], Answer], bool], ...] = (
    ("POST", "export/async", start, False),
    ("GET", "export/async/tasks/{}/status", status, False),
)
