"""Rows stored as records without any call: an import behind the scenes, fast."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from itertools import islice
from typing import Any

import orjson

from connectors.sandbox.hubspot import past, records
from connectors.sandbox.hubspot.account import CALCULATED, IMPORT, Source
from connectors.sandbox.hubspot.database import drop_indexes, make_indexes, next_ids
from connectors.sandbox.hubspot.definitions import Property
from connectors.sandbox.hubspot.kinds import CONTACTS, Kind
from connectors.sandbox.hubspot.lifecycle import STAGE, dates_of_move
from connectors.sandbox.hubspot.moments import kept, to_ms
from connectors.sandbox.hubspot.portal import Portal
from connectors.sandbox.hubspot.values import LONGEST, BadValue, normal, without_calling_code, written
from connectors.sandbox.hubspot.webhooks import telling
from connectors.sandbox.hubspot.writing import automatic
from connectors.sandbox.side import ControlRefused

SLAB = 10_000
MANY = 50_000
Row = Mapping[str, Any]
_OWN = ("_created", "_modified", "_history")
# The past of an imported row tells no more than that it was imported.
_IMPORTED = Source(IMPORT.type)


class Loader:
    """Turns rows of one object type into what the tables hold."""

    def __init__(self, portal: Portal, kind: Kind) -> None:
        self._kind = kind
        self._known = portal.definitions.of(kind)
        self._now = portal.now()
        self._first = automatic(kind, IMPORT)
        self._unique = [name for name, p in self._known.items() if p.unique]
        # The kept text of these is the text itself, so that most values of a row need no look.
        self._plain = {n for n, p in self._known.items() if p.type == "string" and n != "email"}
        self._texts: dict[tuple[str, str], str] = {}
        self._dates: dict[tuple[str | None, str, int], dict[str, str]] = {}
        self.records: list[tuple[object, ...]] = []
        self.claims: list[tuple[str, str, str, int]] = []
        self.pasts: list[tuple[int, str]] = []

    def add(self, id_: int, row: Row) -> None:
        """Take one row. Raises ControlRefused for an unknown property or a value that cannot be."""
        values = dict(self._first)
        plain, texts = self._plain, self._texts
        for name, value in row.items():
            if value is None or value == "" or name in _OWN:
                continue
            if name in plain and type(value) is str and len(value) <= LONGEST and not value.isspace():
                values[name] = value
            else:
                known = texts.get((name, value)) if type(value) is str else None
                if text := known or self._value(name, value):
                    values[name] = text
        created = self._stamp(row, "_created", values.pop(self._kind.created, None), self._now)
        changed = values.pop(self._kind.modified, None)
        modified = self._stamp(row, "_modified", changed, created)
        values.pop("hs_object_id", None)
        given = row.get("_history") or {}
        stages = [(to_ms(at), str(stage or "")) for at, stage in given.get(STAGE, ())]
        self._complete(values, created, stages)
        if given:
            moved = [each for name, rows in given.items() for each in self._past(name, rows)]
            if moved:
                self.pasts.append((id_, past.packed(moved)))
        email = values.get("email")
        data = orjson.dumps(values).decode()
        self.records.append((id_, self._kind.key, created, modified, None, email, data))
        if self._unique or "hs_additional_emails" in values:
            pairs = records.naming_values(self._known, values)
            self.claims += [(self._kind.key, name, value, id_) for name, value in pairs]
        elif email and self._kind is CONTACTS:
            self.claims.append((self._kind.key, "email", email, id_))

    def _complete(self, values: dict[str, str], created: int, stages: list[tuple[int, str]]) -> None:
        if self._kind is CONTACTS:
            if "email" in values:
                values.setdefault("hs_email_domain", values["email"].rpartition("@")[2])
            for name, word in (("phone", "phone"), ("mobilephone", "mobile")):
                if name in values:
                    values[f"hs_calculated_{word}_number"] = values[name]
                    if digits := without_calling_code(values[name]):
                        values[f"hs_searchable_calculated_{word}_number"] = digits
        if STAGE in values:
            moves = stages or [(created, values[STAGE])]
            before = None
            dates: dict[str, str] = {}
            for at, stage in moves:
                dates |= self._stage_dates(before, stage, at)
                before = stage
            for name, value in dates.items():
                values.setdefault(name, value)

    def _stage_dates(self, before: str | None, stage: str, at: int) -> dict[str, str]:
        key = (before, stage, at)
        if key not in self._dates:
            if len(self._dates) > 10_000:
                self._dates.clear()
            moved = dates_of_move(before, stage, at)
            self._dates[key] = {name: text for name, text in moved.items() if name in self._known}
        return self._dates[key]

    def _value(self, name: str, value: Any) -> str:
        text = self._checked(name, value)
        # The same few picklist words come a million times; checking each once is enough.
        if type(value) is str and name != "email" and len(self._texts) < MANY:
            self._texts[name, value] = text
        return text

    def _checked(self, name: str, value: Any) -> str:
        found = self._known.get(name)
        if found is None:
            raise ControlRefused(f'Property "{name}" does not exist on {self._kind.plural}')
        try:
            return normal(found, _as_text(found, value))
        except BadValue as bad:
            raise ControlRefused(f"{name}: {bad.message}") from bad

    def _stamp(self, row: Row, key: str, text: str | None, default: int) -> int:
        value = row.get(key)
        if value is None:
            return to_ms(datetime.fromisoformat(text)) if text else default
        if not isinstance(value, datetime) or value.utcoffset() is None:
            raise ControlRefused(f"{key} is an aware datetime")
        return to_ms(value)

    def _past(self, name: str, rows: Iterable[tuple[datetime, Any]]) -> Iterator[past.Moved]:
        found = self._known.get(name)
        source = CALCULATED if found is not None and found.read_only else _IMPORTED
        texts = self._texts
        for at, value in rows:
            text = texts.get((name, value)) if type(value) is str else None
            if text is None:
                text = "" if value is None else self._value(name, value)
            yield name, to_ms(at), text, source

    def store(self, database: sqlite3.Connection) -> None:
        """Write what was taken. Raises ControlRefused when a unique value is there already."""
        database.executemany(
            f"INSERT INTO record ({records.COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)", self.records
        )
        try:
            database.executemany("INSERT INTO unique_value VALUES (?, ?, ?, ?)", sorted(self.claims))
        except sqlite3.IntegrityError as clash:
            raise ControlRefused("two records would have the same e-mail address or unique value") from clash
        database.executemany("INSERT INTO past (record, moved) VALUES (?, ?)", self.pasts)
        self.records, self.claims, self.pasts = [], [], []


def load(portal: Portal, kind: Kind, rows: Iterable[Row]) -> list[str]:
    """Store rows inside the caller's transaction; returns their ids in order. Raises ControlRefused."""
    loader, ids = Loader(portal, kind), list[str]()
    for slab in _slabs(rows):
        if len(ids) == MANY and _fewer_than(portal.database, 4 * MANY):
            drop_indexes(portal.database)
        first = next_ids(portal.database, len(slab))
        for id_, row in enumerate(slab, first):
            loader.add(id_, row)
        telling.imported(portal, kind, loader.records)
        loader.store(portal.database)
        ids += map(str, range(first, first + len(slab)))
    make_indexes(portal.database)
    return ids


def _fewer_than(database: sqlite3.Connection, count: int) -> bool:
    return database.execute("SELECT 1 FROM record LIMIT 1 OFFSET ?", (count,)).fetchone() is None


def _slabs(rows: Iterable[Row]) -> Iterator[list[Row]]:
    walk = iter(rows)
    while slab := list(islice(walk, SLAB)):
        yield slab


def _as_text(found: Property, value: Any) -> str:
    if isinstance(value, datetime):
        if value.utcoffset() is None:
            raise ControlRefused(f"{found.name} needs a time with a zone")
        return kept(to_ms(value))
    if isinstance(value, date):
        return value.isoformat()
    return written(value)
