"""Rows into the record file in bulk, without an API call and without the rules of one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import Any

from connectors.sandbox.salesforce import ids, moments, rollups, seed
from connectors.sandbox.salesforce.derived import derived, person_name
from connectors.sandbox.salesforce.org import Org
from connectors.sandbox.salesforce.refusals import Refusal, RowRefused
from connectors.sandbox.salesforce.schema import SObject
from connectors.sandbox.salesforce.values import reader
from connectors.sandbox.side import ControlRefused

AT_ONCE = 5_000
STAMPS = ("CreatedDate", "CreatedById", "LastModifiedDate", "LastModifiedById", "SystemModstamp")
NAMED = frozenset({"Lead", "Contact", "User", "Individual"})
WORKED_OUT = frozenset({"Opportunity", "Task", "Event", "CampaignMember"})
Row = Mapping[str, Any]


class Loader:
    """Loads rows of one object; a reader is made for each field name when it first comes."""

    def __init__(self, org: Org, sobject: SObject) -> None:
        self.org = org
        self.sobject = sobject
        self.readers: dict[str, Callable[[Any], Any]] = {}
        stored = [each for each in sobject.fields.values() if each.stored]
        self.start: dict[str, Any] = {
            each.name: each.default for each in stored if each.default not in (None, "")
        }
        self.start.update({each.name: int(bool(each.default)) for each in stored if each.type == "boolean"})
        by = {"CreatedById": seed.INTEGRATION_USER, "LastModifiedById": seed.INTEGRATION_USER}
        self.start.update(by)
        self.unknown_stamps = [name for name in STAMPS if name not in sobject.fields]
        if "OwnerId" in sobject.fields:
            self.start["OwnerId"] = seed.INTEGRATION_USER

    def load(self, rows: Iterable[Row]) -> list[str]:
        """Store the rows and return their ids in order. Raises ControlRefused for an unknown field or a bad value."""
        made: list[str] = []
        waiting = iter(rows)
        while chunk := list(islice(waiting, AT_ONCE)):
            made.extend(self._chunk(chunk, len(made)))
        rollups.note_all(self.org.store, self.sobject.name)
        return made

    def _chunk(self, chunk: list[Row], before: int) -> list[str]:
        store = self.org.store
        first = store.next_number(self.sobject.prefix, len(chunk))
        stamp = self.org.stamp()
        records = []
        for number, row in enumerate(chunk):
            try:
                record = self._record(row, stamp)
            except (RowRefused, Refusal) as refused:
                raise ControlRefused(
                    f"row {before + number + 1}: {refused.code}: {refused.message}"
                ) from None
            record.setdefault("Id", ids.mint(self.sobject.prefix, first + number))
            records.append(record)
        names = sorted({name for record in records for name in record})
        store.insert_many(self.sobject.name, names, (tuple(map(record.get, names)) for record in records))
        return [record["Id"] for record in records]

    def _record(self, row: Row, stamp: str) -> dict[str, Any]:
        record = self.start.copy()
        readers = self.readers
        for name, value in row.items():
            if value is None:
                continue
            if name[0] == "_":
                self._moment(record, name, value)
                continue
            read = readers.get(name) or self._reader(name)
            record[name] = read(value)
        self._stamp(record, stamp)
        if self.sobject.name in NAMED:
            record["Name"] = person_name(record)
        elif self.sobject.name in WORKED_OUT:
            worked_out = derived(self.org.store, self.sobject.name, record, record)
            record.update((name, value) for name, value in worked_out.items() if row.get(name) is None)
        return record

    def _stamp(self, record: dict[str, Any], stamp: str) -> None:
        created = record.setdefault("CreatedDate", stamp)
        modified = record.setdefault("LastModifiedDate", created)
        record.setdefault("SystemModstamp", modified)
        for name in self.unknown_stamps:
            record.pop(name, None)

    def _moment(self, record: dict[str, Any], name: str, value: Any) -> None:
        columns = {"_created": ("CreatedDate",), "_modified": ("LastModifiedDate", "SystemModstamp")}.get(
            name
        )
        if columns is None:
            raise ControlRefused(f"unknown field {name!r} of {self.sobject.name}")
        for column in columns:
            record[column] = moments.kept(value)

    def _reader(self, name: str) -> Callable[[Any], Any]:
        field = self.sobject.fields.get(name)
        if field is None or not field.stored:
            raise ControlRefused(f"unknown field {name!r} of {self.sobject.name}")
        self.readers[name] = made = reader(field)
        return made
