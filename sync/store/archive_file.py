"""The file of a backup: one zip with a table a member, and a manifest that says how to read them.

Members are ``tables/NAME.copy``, the text of PostgreSQL's COPY, and ``manifest.json``, which is written last:
a file without it was never finished. Only its owner can read the file; it holds personal data.
"""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from sync.errors import WrongUse

#: Raised whenever an older Leadpact could misread a newer file.
FORMAT = 1
MANIFEST = "manifest.json"
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class TableIn:
    """A table in the file: its columns in the order of the text, and how many rows."""

    name: str
    columns: list[str]
    rows: int
    sha256: str

    @property
    def member(self) -> str:
        return f"tables/{self.name}.copy"


@dataclass(frozen=True, slots=True)
class Contents:
    """What a backup holds. ``made_at`` is aware; ``migrations``: number to checksum; ``sequences``: last values."""

    made_at: datetime
    program: str
    migrations: Mapping[int, str]
    tables: list[TableIn] = field(default_factory=list)
    sequences: Mapping[str, int] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        return sum(table.rows for table in self.tables)


class Writer:
    """A backup being written."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._zip = archive
        self.tables: list[TableIn] = []

    def add(self, name: str, columns: list[str], chunks: Iterable[bytes]) -> None:
        """One table from the text of its COPY."""
        digest, rows = hashlib.sha256(), 0
        member = TableIn(name, columns, 0, "").member
        with self._zip.open(member, "w", force_zip64=True) as target:
            for chunk in chunks:
                target.write(chunk)
                digest.update(chunk)
                # COPY's text escapes line breaks inside a value, so each one ends a row.
                rows += bytes(chunk).count(b"\n")
        self.tables.append(TableIn(name, columns, rows, digest.hexdigest()))

    def finish(self, contents: Contents) -> None:
        """The manifest; without it the file is none."""
        told = {
            "format": FORMAT,
            "made_at": contents.made_at.isoformat(),
            "program": contents.program,
            "migrations": {str(number): checksum for number, checksum in contents.migrations.items()},
            "tables": [asdict(table) for table in contents.tables],
            "sequences": dict(contents.sequences),
        }
        self._zip.writestr(MANIFEST, json.dumps(told, indent=1))


@contextmanager
def new_file(path: Path) -> Iterator[Writer]:
    """A backup at ``path``, which appears there when it is whole. Raises WrongUse where it cannot be written."""
    if path.exists():
        raise WrongUse(f"{path} is there already", fix="name a new file; a backup is never overwritten")
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(handle, "wb") as raw:
                with zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED, compresslevel=3) as archive:
                    yield Writer(archive)
                raw.flush()
                os.fsync(raw.fileno())
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)
    except OSError as problem:
        raise WrongUse(
            f"{path} cannot be written: {problem.strerror}",
            fix="name a file in a folder that you may write to",
        ) from problem


class Reader:
    """A backup that was checked: its ``contents``, and each table's text."""

    def __init__(self, archive: zipfile.ZipFile, contents: Contents) -> None:
        self._zip = archive
        self.contents = contents

    def text(self, table: TableIn) -> Iterator[bytes]:
        """The text of a table's COPY, in pieces."""
        with self._zip.open(table.member) as source:
            while chunk := source.read(_CHUNK):
                yield chunk


@contextmanager
def read_file(path: Path) -> Iterator[Reader]:
    """An existing backup, every checksum compared first. Raises WrongUse for anything else."""
    try:
        archive = zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile) as problem:
        raise _no_backup(path, "it is no zip file that can be read") from problem
    with archive:
        try:
            reader = Reader(archive, _contents(path, archive))
            for table in reader.contents.tables:
                _check(path, reader, table)
        except (KeyError, TypeError, ValueError, zipfile.BadZipFile, zlib.error, EOFError) as problem:
            raise _no_backup(path, "a part of it is missing or damaged") from problem
        yield reader


def _contents(path: Path, archive: zipfile.ZipFile) -> Contents:
    told: dict[str, Any] = json.loads(archive.read(MANIFEST))
    if told["format"] > FORMAT:
        raise WrongUse(
            f"{path} has format {told['format']}, and this Leadpact reads up to {FORMAT}",
            fix=f"restore it with Leadpact {told.get('program', '')} or newer",
        )
    return Contents(
        made_at=datetime.fromisoformat(told["made_at"]),
        program=told["program"],
        migrations={int(number): checksum for number, checksum in told["migrations"].items()},
        tables=[TableIn(**table) for table in told["tables"]],
        sequences={name: int(value) for name, value in told["sequences"].items()},
    )


def _check(path: Path, reader: Reader, table: TableIn) -> None:
    digest = hashlib.sha256()
    for chunk in reader.text(table):
        digest.update(chunk)
    if digest.hexdigest() != table.sha256:
        raise _no_backup(path, f"the table {table.name} is not as it was written")


def _no_backup(path: Path, why: str) -> WrongUse:
    return WrongUse(
        f"{path} cannot be restored: {why}. Nothing was changed",
        fix="take another file that `leadpact db backup` made",
    )
