"""The values that the properties of a record had, and who gave them (HubSpot reference, section 4.2).

A write is one row however many properties it moves: a row for each would be most of what a large sync costs.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

import orjson

from connectors.sandbox.hubspot.account import Source

#: Records of an older file that are taken over in one transaction.
AT_ONCE = 5_000
#: When a property got a value (milliseconds since 1970), the value, and who gave it.
Entry = tuple[int, str, Source]
#: A property and its entry.
Moved = tuple[str, int, str, Source]


def packed(rows: Iterable[Moved]) -> str:
    """Values in their order as one text: a JSON list of ``[type, id, label, user, at, {property: value}]``."""
    kept = list(rows)  # held, so that no two sources can have one address
    groups: list[list[object]] = []
    values: list[dict[str, str]] = []
    places: dict[tuple[int, int], int] = {}
    latest: dict[str, int] = {}
    for name, at, value, source in kept:
        key = (id(source), at)
        place = places.get(key)
        # Of one property the later value must not come to stand before the earlier one.
        if place is None or latest.get(name, -1) >= place:
            place = places[key] = len(groups)
            values.append({})
            groups.append([source.type, source.id, source.label, source.user, at, values[place]])
        values[place][name] = value
        latest[name] = place
    return orjson.dumps(groups).decode()


def keep(database: sqlite3.Connection, id_: int, rows: Iterable[Moved]) -> None:
    """Keep what one write moved, in its order."""
    database.execute("INSERT INTO past (record, moved) VALUES (?, ?)", (id_, packed(rows)))


def of_record(database: sqlite3.Connection, id_: int) -> dict[str, list[Entry]]:
    """The entries of each property that has any, newest first; of one moment the one kept last comes first."""
    found: dict[str, list[Entry]] = {}
    for (text,) in database.execute("SELECT moved FROM past WHERE record = ? ORDER BY seq", (id_,)):
        for type_, source_id, label, user, at, values in orjson.loads(text):
            source = Source(type_, source_id, label, user)
            for name, value in values.items():
                found.setdefault(name, []).append((at, value, source))
    for entries in found.values():
        entries.reverse()
        entries.sort(key=lambda entry: -entry[0])
    return found


def newest(database: sqlite3.Connection, ids: Sequence[int]) -> dict[int, dict[str, int]]:
    """When each property of those records that has entries last got one, in milliseconds."""
    found: dict[int, dict[str, int]] = {id_: {} for id_ in ids}
    marks = ", ".join("?" * len(ids))
    rows = database.execute(f"SELECT record, moved FROM past WHERE record IN ({marks})", ids)
    for id_, text in rows:
        of_one = found[id_]
        for *_, at, values in orjson.loads(text):
            for name in values:
                if of_one.get(name, at) <= at:
                    of_one[name] = at
    return found


def follow(database: sqlite3.Connection, old: int, new: int) -> None:
    """What one id had is another's now."""
    database.execute("UPDATE past SET record = ? WHERE record = ?", (new, old))


def forget(database: sqlite3.Connection, id_: int) -> None:
    """Drop what a record had."""
    database.execute("DELETE FROM past WHERE record = ?", (id_,))


def take_over(database: sqlite3.Connection, at_once: int = AT_ONCE) -> None:
    """Keep what a file of an older version has, which had a row for each value of a property.

    So many records at a time: broken off, it goes on where it was.
    """
    known = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'history'"
    if database.execute(known).fetchone() is None:
        return
    database.execute("CREATE INDEX IF NOT EXISTS history_record ON history (record)")  # most have one
    while (last := _last_of_a_part(database, at_once)) is not None:
        database.execute("BEGIN")
        _take_over_up_to(database, last)
        database.execute("DELETE FROM history WHERE record <= ?", (last,))
        database.execute("COMMIT")
    database.execute("DROP TABLE history")


def _last_of_a_part(database: sqlite3.Connection, at_once: int) -> int | None:
    part = "SELECT DISTINCT record FROM history ORDER BY record LIMIT ?"
    found = database.execute(f"SELECT max(record) FROM ({part})", (at_once,)).fetchone()
    return None if found[0] is None else int(found[0])


def _take_over_up_to(database: sqlite3.Connection, last: int) -> None:
    of_one: dict[int, list[Moved]] = {}
    sources: dict[Source, Source] = {}
    rows = database.execute(
        "SELECT record, name, at, value, source, source_id, label, user FROM history"
        " WHERE record <= ? ORDER BY record, seq",
        (last,),
    )
    for id_, name, at, value, *by in rows:
        if id_ not in of_one:
            _keep_all(database, of_one)
            of_one[id_] = []
        source = Source(*by)
        of_one[id_].append((name, at, value, sources.setdefault(source, source)))
    _keep_all(database, of_one)


def _keep_all(database: sqlite3.Connection, of_one: dict[int, list[Moved]]) -> None:
    for id_, rows in of_one.items():
        keep(database, id_, rows)
    of_one.clear()
