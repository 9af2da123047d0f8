"""Updates of people whom nobody made rules about, as a load sends them by the ten thousand.

What an update asks of the schema, of the switches and of other records is asked once for all of them, and each
record by itself takes no more than its values do. Whatever is not as plain goes the ordinary way (``Records``), which
alone refuses for what other records and rules say, and whose outcome is the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from itertools import compress
from operator import itemgetter, ne
from typing import Any

from connectors.sandbox.salesforce.derived import derived
from connectors.sandbox.salesforce.given import Writer
from connectors.sandbox.salesforce.outbound.actions import has_tables
from connectors.sandbox.salesforce.records import Records
from connectors.sandbox.salesforce.schema import SObject
from connectors.sandbox.salesforce.store import has_index

#: What an update of a person looks at and changes, whatever it is about.
PERSON = frozenset(
    {
        *("row", "Id", "IsDeleted", "OwnerId", "Name", "FirstName", "LastName"),
        *("LastModifiedDate", "LastModifiedById", "SystemModstamp"),
    }
)
#: What every update changes, or may.
TOLD = frozenset({"Name", "LastModifiedDate", "LastModifiedById", "SystemModstamp"})
LOOKED_AT = {"Lead": PERSON | {"IsConverted"}, "Contact": PERSON}


class Edits:
    """Updates of one object within one call, of fields that are known beforehand."""

    def __init__(self, records: Records, sobject: SObject, writer: Writer, changed: AbstractSet[str]) -> None:
        self.records = records
        self.sobject = sobject
        self.writer = writer
        self._ruled = not _is_plain(records, sobject, writer)
        self._looked_at = changed | LOOKED_AT.get(sobject.name, PERSON).union(sobject.needed)
        self._references = changed & sobject.references
        uniques = records.org.full.objects[sobject.name].uniques
        self._uniques = [each.name for each in uniques if each.name in changed]
        kept = {each.name for each in map(sobject.fields.get, changed) if each and each.stored} - {"Id"}
        self._indexed = sorted(name for name in kept if has_index(sobject.fields[name]))
        self._names = sorted((kept | TOLD).difference(self._indexed))
        self._values = itemgetter(*self._names, "row")
        self._together = not has_tables(records.org)
        self._read: dict[str, dict[str, Any]] = {}
        self._waiting: list[tuple[dict[str, Any], dict[str, Any]]] = []

    @contextmanager
    def ahead(self, record_ids: Sequence[str]) -> Iterator[None]:
        """Read so many records at once that are updated one by one inside."""
        store = self.records.org.store
        if self._ruled:
            with store.ahead(self.sobject.name, record_ids):
                yield
            return
        self._read = store.of_ids(self.sobject.name, record_ids, self._looked_at)
        yield
        self._read = {}
        self.keep()

    def update(self, record_id: str, values: Mapping[str, Any]) -> None:
        """Change a live record as ``Records.update`` does. Raises RowRefused."""
        before = self._read.pop(record_id, None)
        if before is None or not self._is_done(record_id, before, values):
            self.keep()
            self.records.update(self.sobject.name, record_id, values, self.writer)

    def _is_done(self, record_id: str, before: dict[str, Any], values: Mapping[str, Any]) -> bool:
        """Whether the update was plain, and is done. Raises RowRefused for what the values alone are refused for."""
        if before["IsDeleted"] or before.get("IsConverted"):
            return False
        columns = self.records.read(self.sobject, values, self.writer, creating=False)
        row = before | columns
        if len(row) != len(before) or None in map(row.get, self.sobject.needed):
            return False
        if self._asks_others(columns):
            return False
        org, user = self.records.org, self.writer.user
        stamp = org.stamp()
        times = {"LastModifiedDate": stamp, "LastModifiedById": user, "SystemModstamp": stamp}
        row |= times
        row |= derived(org.store, self.sobject.name, row, columns)
        moved = dict(compress(row.items(), map(ne, row.values(), before.values())))
        moved |= times
        org.changes.note(self.sobject, record_id, moved, is_new=False, before=before)
        self._waiting.append((row, moved))
        if not self._together:
            self.keep()
        return True

    def keep(self) -> None:
        """Store what was changed so far. To be called before anything else is written or looked for meanwhile.

        Of columns without an index all are written, whether they moved or not, so that most records take one
        statement.
        """
        groups: dict[tuple[str, ...], list[tuple[Any, ...]]] = {}
        for row, moved in self._waiting:
            also = tuple(name for name in self._indexed if name in moved)
            values = self._values(row)
            groups.setdefault(also, []).append((*(row[name] for name in also), *values) if also else values)
        for also, rows in groups.items():
            self.records.org.store.update_many(self.sobject.name, (*also, *self._names), rows)
        self._waiting.clear()

    def _asks_others(self, columns: Mapping[str, Any]) -> bool:
        """Whether other records have a say: one that is named, or one that may have the same unique value."""
        for name in self._references:
            if columns.get(name) is not None:
                return True
        for name in self._uniques:
            value = columns.get(name)
            if value is not None and (name, value) not in self.records.free:
                return True
        return False


def _is_plain(records: Records, sobject: SObject, writer: Writer) -> bool:
    """Whether nobody made rules about the records of an object, and none of its writes waits or will wait."""
    org, switches = records.org, records.org.switches
    assigns = writer.auto_assign and switches["assignment_rule"]
    ruled = switches["validation_rules"] or org.record_types or sobject.name in switches["history"]
    if sobject.name not in LOOKED_AT or ruled or assigns or switches["duplicate_rule"] != "off":
        return False
    return not (switches["row_locks"] or switches["late_commit_ms"] or org.any_late())
