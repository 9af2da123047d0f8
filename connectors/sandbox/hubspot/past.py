"""The values that the properties of a record had, and who gave them (HubSpot reference, section 4.2).

A write is one row however many properties it moves: a row for each would be most of what a large sync costs.
It is kept without a look at what there is already; how the two fit together is found out when somebody reads.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping

import orjson

from connectors.sandbox.hubspot.account import Source

#: Records of an older file that are taken over in one transaction.
AT_ONCE = 5_000
#: When a property got a value (milliseconds since 1970), the value, and who gave it.
Entry = tuple[int, str, Source]
#: A property and its entry.
Moved = tuple[str, int, str, Source]
#: ``[type, id, label, user, at, {property: value}]``: what one source gave at one moment, in milliseconds. A
#: seventh element says how it is read: see ``from_beginning`` and ``not_before``.
Group = list[object]
_FIRST, _NOT_BEFORE = 1, 2


def from_beginning(source: Source, at: int, values: Mapping[str, str]) -> Group:
    """What properties had before a write, read only of those that no earlier write names."""
    return [source.type, source.id, source.label, source.user, at, values, _FIRST]


def not_before(source: Source, at: int, values: Mapping[str, str]) -> Group:
    """What a write gave, read as no older than what there was: what is told late cannot come before that."""
    return [source.type, source.id, source.label, source.user, at, values, _NOT_BEFORE]


def packed(rows: Iterable[Moved]) -> str:
    """Values in their order as one text: a JSON list of groups."""
    kept = list(rows)  # held, so that no two sources can have one address
    groups: list[Group] = []
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


def keep_all(database: sqlite3.Connection, writes: Iterable[tuple[int, list[Group]]]) -> None:
    """Keep what writes moved: of each the record and its groups, of one property the earlier value first."""
    database.executemany(
        "INSERT INTO past (record, moved) VALUES (?, ?)",
        [(id_, orjson.dumps(groups).decode()) for id_, groups in writes],
    )


def of_record(database: sqlite3.Connection, id_: int) -> dict[str, list[Entry]]:
    """The entries of each property that has any, newest first; of one moment the one kept last comes first."""
    found: dict[str, list[Entry]] = {}
    latest: dict[str, int] = {}
    for (text,) in database.execute("SELECT moved FROM past WHERE record = ? ORDER BY seq", (id_,)):
        for type_, source_id, label, user, at, values, *how in orjson.loads(text):
            source = Source(type_, source_id, label, user)
            for name, value in values.items():
                if how == [_FIRST] and name in found:
                    continue
                newest = max(at, latest.get(name, at))
                found.setdefault(name, []).append((newest if how == [_NOT_BEFORE] else at, value, source))
                latest[name] = newest
    for entries in found.values():
        entries.reverse()
        entries.sort(key=lambda entry: -entry[0])
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
