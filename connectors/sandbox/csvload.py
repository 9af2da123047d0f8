"""Rows of a spreadsheet into a pretend CRM, as spreadsheets come: comma or semicolon, UTF-8 or Windows-1252.

A file is checked from its first to its last row before anything is loaded, so that a bad row in the
middle never leaves half a file in the CRM.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import orjson
import requests

from connectors.sandbox.controls import with_times
from connectors.sandbox.side import ControlRefused, Side

#: Rows sent in one request.
CHUNK = 5_000
_TIMEOUT_SECONDS = (5, 300)
_BOM = b"\xef\xbb\xbf"
# What UTF-8 writes for é, ü, ß and their like; hardly ever two letters side by side in Windows-1252.
_UTF8_PAIR = re.compile(rb"\xc3[\x80-\xbf]")
_TIME_FIELDS = ("_created", "_modified")


class BadCsv(Exception):
    """A file cannot be loaded; the text names the file and, where there is one, the line."""


class LoadRefused(Exception):
    """The pretend CRM refused rows; ``loaded`` says how many earlier rows it holds already."""

    def __init__(self, reason: str, loaded: int) -> None:
        super().__init__(f"{reason} ({loaded} rows were loaded before)")
        self.loaded = loaded


@dataclass(frozen=True, slots=True)
class _Form:
    encoding: str
    delimiter: str


def read_rows(path: Path, mapping: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """The rows of a CSV as the CRM's own field names and values, in the file's order.

    ``mapping`` names a field for each column to be loaded; columns it does not name are left out. An empty
    mapping takes every column under its own name. Empty cells are left out of their row, values keep
    their text. A ``_created`` or ``_modified`` without a zone is taken as UTC.

    The whole file is checked when this is called, before the first row is given. Raises BadCsv for a row
    with too many or too few cells, a mapping of a column that is not there, two columns for one field, a
    time that is none, and bytes that are neither UTF-8 nor Windows-1252.
    """
    form = _form(path)
    fields = _fields(path, form, mapping)
    for line, cells in _records(path, form):
        _row(path, line, cells, fields)
    return (_row(path, line, cells, fields) for line, cells in _records(path, form))


def load_rows(url: str, object_name: str, rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """Store rows in the pretend CRM at ``url`` (a side's address), 5,000 a request; their ids, in order.

    A row is as ``Side.load`` takes it; times may be aware datetimes or ISO strings with a zone. Each
    request is stored whole or not at all. Raises LoadRefused, and requests' own errors where the CRM
    cannot be reached.
    """
    ids: list[str] = []
    left = iter(rows)
    with requests.Session() as session:
        # A proxy for the outside world has no business between two processes of one machine.
        session.trust_env = False
        while chunk := list(islice(left, CHUNK)):
            body = orjson.dumps({"object": object_name, "rows": [dict(row) for row in chunk]})
            answer = session.post(
                f"{url.rstrip('/')}/_sandbox/load",
                data=body,
                headers={"Content-Type": "application/json"},
                timeout=_TIMEOUT_SECONDS,
            )
            if answer.status_code == 400:
                raise LoadRefused(answer.json()["error"], len(ids))
            answer.raise_for_status()
            ids.extend(answer.json()["ids"])
    return ids


def load_csv(
    target: str | Side, object_name: str, path: Path, mapping: Mapping[str, str] | None = None
) -> list[str]:
    """Load a CSV into a pretend CRM, given as its address or as a side of this process; the ids, in order.

    See ``read_rows`` for the file and the mapping. Raises BadCsv (then nothing was loaded) and LoadRefused.
    """
    rows = read_rows(path, mapping or {})
    if isinstance(target, str):
        return load_rows(target, object_name, rows)
    ids: list[str] = []
    while chunk := list(islice(rows, CHUNK)):
        try:
            ids.extend(target.load(object_name, [with_times(row) for row in chunk]))
        except ControlRefused as refused:
            raise LoadRefused(str(refused), len(ids)) from refused
    return ids


def _form(path: Path) -> _Form:
    """How the file is written. Raises BadCsv for bytes that cannot be text."""
    with path.open("rb") as file:
        start = file.read(4)
    if start[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in start:
        raise BadCsv(f"{path}: UTF-16 text; save it as CSV in UTF-8")
    encoding = "utf-8-sig" if start.startswith(_BOM) else _encoding(path)
    _check_bytes(path, encoding)
    columns = {delimiter: _header(path, _Form(encoding, delimiter)) for delimiter in ",;"}
    if not columns[","]:
        raise BadCsv(f"{path}, line 1: a line with the names of the columns was expected")
    return _Form(encoding, ";" if len(columns[";"]) > len(columns[","]) else ",")


def _header(path: Path, form: _Form) -> list[str]:
    with path.open(encoding=form.encoding, newline="") as file:
        # Not strict: with the wrong delimiter a quoted name looks broken, and that is what is asked here.
        return next((cells for cells in csv.reader(file, delimiter=form.delimiter) if cells), [])


def _encoding(path: Path) -> str:
    """UTF-8 where every byte is; Windows-1252 where none of it looks like UTF-8. Raises BadCsv in between."""
    pairs, odd = 0, None
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError:
                odd = odd or number
            pairs += 0 if line.isascii() else len(_UTF8_PAIR.findall(line))
    if odd is None:
        return "utf-8"
    if pairs:
        raise BadCsv(f"{path}, line {odd}: bytes that are not UTF-8, in a file that otherwise is")
    return "cp1252"


def _check_bytes(path: Path, encoding: str) -> None:
    strict = "utf-8" if encoding == "utf-8-sig" else encoding
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                line.decode(strict)
            except UnicodeDecodeError as error:
                name = {"cp1252": "Windows-1252"}.get(strict, "UTF-8")
                raise BadCsv(f"{path}, line {number}: bytes that are not {name}") from error


def _lines(path: Path, form: _Form) -> Iterator[tuple[int, list[str]]]:
    """Each record with the line it starts on, the header among them; lines without any value are left out."""
    with path.open(encoding=form.encoding, newline="") as file:
        reader = csv.reader(file, delimiter=form.delimiter, strict=True)
        while True:
            line = reader.line_num + 1
            try:
                cells = next(reader, None)
            except csv.Error as error:
                raise BadCsv(f"{path}, line {line}: {error}") from error
            if cells is None:
                return
            if any(cells):
                yield line, cells


def _records(path: Path, form: _Form) -> Iterator[tuple[int, list[str]]]:
    return islice(_lines(path, form), 1, None)


def _fields(path: Path, form: _Form, mapping: Mapping[str, str]) -> list[str | None]:
    """The field each column is for, None for a column that is left out."""
    line, columns = next(_lines(path, form), (1, []))
    columns = [column.strip() for column in columns]
    for name in mapping:
        if name not in columns:
            raise BadCsv(f"{path}, line {line}: no column {name!r}; there are: {', '.join(columns)}")
    fields = [mapping.get(column) if mapping else column for column in columns]
    if "" in fields:
        raise BadCsv(f"{path}, line {line}: column {fields.index('') + 1} has no name")
    used = [field for field in fields if field is not None]
    for field in used:
        if used.count(field) > 1:
            raise BadCsv(f"{path}, line {line}: more than one column for {field!r}")
    return fields


def _row(path: Path, line: int, cells: list[str], fields: list[str | None]) -> dict[str, str]:
    if len(cells) != len(fields):
        raise BadCsv(f"{path}, line {line}: {len(fields)} cells were expected, {len(cells)} were found")
    row = {field: cell for field, cell in zip(fields, cells, strict=True) if field is not None and cell}
    for name in _TIME_FIELDS:
        if name in row:
            row[name] = _time(path, line, name, row[name])
    return row


def _time(path: Path, line: int, name: str, cell: str) -> str:
    try:
        found = datetime.fromisoformat(cell.strip())
    except ValueError as error:
        # The cell itself is not repeated: it may be a name that slipped into the wrong column.
        raise BadCsv(
            f"{path}, line {line}: {name}: a time such as 2026-01-31T08:00:00Z was expected"
        ) from error
    return (found if found.utcoffset() is not None else found.replace(tzinfo=UTC)).isoformat()
