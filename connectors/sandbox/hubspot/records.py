"""Records in the file: found, kept, changed; with the values that name them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field

import orjson

from connectors.sandbox.hubspot.definitions import ADDRESSES, Properties
from connectors.sandbox.hubspot.kinds import Kind

COLUMNS = "id, kind, created, modified, archived, email, data"
RESTORABLE_DAYS = 90


@dataclass(slots=True)
class Record:
    """One record. Times are milliseconds; ``values`` are the kept texts, without empty ones."""

    id: int
    kind: Kind
    created: int
    modified: int
    archived: int | None
    values: dict[str, str] = field(repr=False)


def of_row(kind: Kind, row: Sequence[object]) -> Record:
    """A record from a row of ``COLUMNS``."""
    id_, _, created, modified, archived, _, data = row
    return Record(id_, kind, created, modified, archived, orjson.loads(data))  # type: ignore[arg-type]


def find(database: sqlite3.Connection, kind: Kind, id_: int) -> Record | None:
    """The record of an id, archived or not."""
    row = database.execute(
        f"SELECT {COLUMNS} FROM record WHERE id = ? AND kind = ?", (id_, kind.key)
    ).fetchone()
    return of_row(kind, row) if row else None


def find_all(database: sqlite3.Connection, kind: Kind, ids: Sequence[int]) -> dict[int, Record]:
    """The records of those ids that one has, archived or not."""
    marks = ", ".join("?" * len(ids))
    rows = database.execute(
        f"SELECT {COLUMNS} FROM record WHERE id IN ({marks}) AND +kind = ?", (*ids, kind.key)
    )
    found = (of_row(kind, row) for row in rows)
    return {record.id: record for record in found}


def follow(database: sqlite3.Connection, id_: int) -> int:
    """The id a merged record lives on under; the id itself when it was never merged."""
    row = database.execute("SELECT new FROM merged WHERE old = ?", (id_,)).fetchone()
    return int(row[0]) if row else id_


def holder(database: sqlite3.Connection, kind: Kind, name: str, value: str) -> int | None:
    """The record a unique value names."""
    row = database.execute(
        "SELECT record FROM unique_value WHERE kind = ? AND name = ? AND value = ?", (kind.key, name, value)
    ).fetchone()
    return int(row[0]) if row else None


def naming_values(
    properties: Properties, values: Mapping[str, str], names: Set[str] | None = None
) -> Iterator[tuple[str, str]]:
    """The (property, value) pairs of a record that no other record may have; of ``names`` alone, where given.

    Secondary addresses stand under ``email`` too: all addresses of a type are one space
    (HubSpot reference, section 4.6).
    """
    names = properties.naming if names is None else names
    if not names.isdisjoint(ADDRESSES) and "email" in properties:
        addresses = (values.get("email", ""), *values.get("hs_additional_emails", "").split(";"))
        yield from (("email", address) for address in dict.fromkeys(addresses) if address)
    for name in properties.unique & names:
        if value := values.get(name):
            yield name, value


def insert(database: sqlite3.Connection, record: Record) -> None:
    """Store a new record; its naming values are claimed by ``claim``."""
    database.execute(f"INSERT INTO record ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)", as_row(record))


def as_row(record: Record) -> tuple[object, ...]:
    """The columns of a record."""
    email = record.values.get("email")
    data = orjson.dumps(record.values).decode()
    return (
        record.id, record.kind.key, record.created, record.modified, record.archived, email, data,
    )  # fmt: skip


def save_values(database: sqlite3.Connection, changed: Iterable[Record]) -> None:
    """Store records of which nothing changed but values other than their address, and their time."""
    # Each further column would move an entry of an index.
    database.executemany(
        "UPDATE record SET modified = ?, data = ? WHERE id = ?",
        [(record.modified, orjson.dumps(record.values).decode(), record.id) for record in changed],
    )


def save(database: sqlite3.Connection, record: Record) -> None:
    """Store a changed record."""
    _, _, created, modified, archived, email, data = as_row(record)
    database.execute(
        "UPDATE record SET created = ?, modified = ?, archived = ?, email = ?, data = ? WHERE id = ?",
        (created, modified, archived, email, data, record.id),
    )


def remove(database: sqlite3.Connection, id_: int) -> None:
    """Take a record out for good. Its past stays for the caller to move or drop."""
    database.execute("DELETE FROM record WHERE id = ?", (id_,))


def claim(database: sqlite3.Connection, kind: Kind, id_: int, pairs: Iterable[tuple[str, str]]) -> int:
    """Reserve naming values; returns how many of them were free."""
    done = database.executemany(
        "INSERT INTO unique_value VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
        [(kind.key, name, value, id_) for name, value in pairs],
    )
    return done.rowcount


def release(database: sqlite3.Connection, kind: Kind, id_: int, pairs: Iterable[tuple[str, str]]) -> None:
    """Free naming values of a record."""
    database.executemany(
        "DELETE FROM unique_value WHERE kind = ? AND name = ? AND value = ? AND record = ?",
        [(kind.key, name, value, id_) for name, value in pairs],
    )
