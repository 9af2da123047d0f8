"""The rows of an ingest job, one at a time, by the same rules as any other write.

An empty cell leaves the field alone, ``#N/A`` clears it, and a column such as ``Owner.Username`` or
``Lead:Who.Email`` finds the record to refer to by one of its fields (Salesforce reference, section 5).
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Any, NamedTuple

from connectors.sandbox.salesforce import ids
from connectors.sandbox.salesforce.bulk.csvtext import BadFile
from connectors.sandbox.salesforce.bulk.jobs import Job
from connectors.sandbox.salesforce.call import Call
from connectors.sandbox.salesforce.edits import Edits
from connectors.sandbox.salesforce.given import Writer, check_names
from connectors.sandbox.salesforce.records import Records, id_of
from connectors.sandbox.salesforce.refusals import Refusal, RowRefused
from connectors.sandbox.salesforce.schema import NUMBERS, Field, SObject
from connectors.sandbox.salesforce.uniques import nobodys
from connectors.sandbox.salesforce.values import Reader, reader_of

NULL = "#N/A"
AHEAD = 500  # records that are read at once, before their rows are written one by one
MOST_KNOWN = 5_000  # different cells of a column that are read once
UNREAD = object()  #: what stands for a cell that was not read yet
BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
RELATION = re.compile(r"(?:(\w+):)?(\w+)\.(\w+)")


class Outcome(NamedTuple):
    """What became of one row; ``cells`` is the row as it was sent."""

    cells: Sequence[str]
    id: str = ""
    created: bool = False
    error: str = ""

    @property
    def ok(self) -> bool:
        """Whether the row was written."""
        return not self.error


@dataclass(frozen=True, slots=True)
class Column:
    """One column: the field it fills, and for a relation where its record is looked for.

    ``as_sent``: it says which record is meant. ``known``: what cells say that were read before;
    ``missing``: those that name a record which is not there, or more than one.
    """

    place: int
    name: str
    field: Field
    read: Reader
    as_sent: bool = False
    target: SObject | None = None
    by: Field | None = None
    known: dict[str, Any] = dataclasses.field(default_factory=dict)
    missing: set[str] = dataclasses.field(default_factory=set)


class Loading:
    """Writes the rows of one job. Raises BadFile for a header that does not fit the object."""

    def __init__(self, call: Call, job: Job, header: Sequence[str]) -> None:
        self.call = call
        self.records = Records(call.org, self._taken)
        self.operation = job.facts["operation"]
        self.sobject = call.org.seen.objects[job.facts["object"]]
        self.key = self.sobject.fields[job.facts["externalIdFieldName"] or "Id"]
        self.writer = Writer(auto_assign=job.facts["assignmentRuleId"] is not None)
        self.columns = [self._column(place, name) for place, name in enumerate(header)]
        self._reading = [(column.name, column.known, column) for column in self.columns]
        self.flags = [column for column in self.columns if column.field.type == "boolean"]
        names = [column.name for column in self.columns]
        self.edits = Edits(self.records, self.sobject, self.writer, frozenset(names))
        for name in names:
            if names.count(name) > 1:
                raise BadFile(f"InvalidBatch : Duplicate field name found : {name}")
        if self.operation != "insert" and self.key.name not in names:
            raise BadFile(f"InvalidBatch : Field name not found : {self.key.name}")
        if self.operation == "delete" and len(names) > 1:
            raise BadFile("InvalidBatch : A delete takes the column Id alone")

    def _column(self, place: int, name: str) -> Column:
        own = self.sobject.find(name)
        if own is not None and own.stored:
            as_sent = own.name in ("Id", self.key.name)
            return Column(place, own.name, own, reader_of(self.sobject, own), as_sent)
        match = RELATION.fullmatch(name)
        if match is not None:
            for each in self.sobject.readable():
                if each.relationship and each.relationship.lower() == match[2].lower():
                    targets = [match[1]] if match[1] else list(each.refers_to)
                    found = self._relation(place, each, targets, match[3])
                    if found is not None:
                        return found
                    break
        raise BadFile(f"InvalidBatch : Field name not found : {name}")

    def _relation(self, place: int, reference: Field, targets: Sequence[str], by: str) -> Column | None:
        for target in targets:
            sobject = self.call.org.seen.find(target)
            key = sobject.find(by) if sobject is not None and sobject.name in reference.refers_to else None
            if key is not None and (key.name == "Id" or key.external_id or key.lookup or key.type == "email"):
                read = reader_of(self.sobject, reference)
                return Column(place, reference.name, reference, read, target=sobject, by=key)
        return None

    def rows(self, rows: Sequence[Sequence[str]]) -> Iterator[Outcome]:
        """Write every row, in order."""
        org = self.call.org
        for start in range(0, len(rows), AHEAD):
            some = rows[start : start + AHEAD]
            self.records.free = self._free(some)
            with self.edits.ahead(self._named(some)), org.changes.together():
                outcomes = [self._row(row) for row in some]
            yield from outcomes

    def _free(self, rows: Sequence[Sequence[str]]) -> set[tuple[str, str]]:
        given = {
            column.name: [row[place] for row in rows]
            for place, column in enumerate(self.columns)
            if column.field.unique and not column.as_sent
        }
        return nobodys(self.call.org, self.sobject.name, given)

    def _named(self, rows: Sequence[Sequence[str]]) -> list[str]:
        """The ids of the records that rows name, where they are named by id."""
        if self.operation == "insert" or self.key.name != "Id":
            return []
        place = next(place for place, column in enumerate(self.columns) if column.name == "Id")
        return [whole for row in rows if (whole := ids.to_18(row[place])) is not None]

    def _row(self, cells: Sequence[str]) -> Outcome:
        given = ""
        try:
            values = self._values(cells)
            raw = values.get("Id")
            given = raw if isinstance(raw, str) else ""
            record_id, created = self._write(values)
            return Outcome(cells, record_id, created)
        except RowRefused as refused:
            fields = f"{','.join(refused.fields)} " if refused.fields else ""
            return Outcome(cells, given, error=f"{refused.code}:{refused.message}:{fields}--")

    def _write(self, values: dict[str, Any]) -> tuple[str, bool]:
        name = self.sobject.name
        if self.operation == "insert":
            return self.records.create(name, values, self.writer), True
        key = values.pop(self.key.name, None)
        if self.operation == "upsert" and self.key.name != "Id":
            return self.records.upsert(name, self.key, key, values, self.writer)
        if key is None:
            if self.operation == "upsert":
                self.edits.keep()
                return self.records.create(name, values, self.writer), True
            text = f"Id not specified in {'a' if self.operation == 'delete' else 'an'} {self.operation} call"
            raise RowRefused("MISSING_ARGUMENT", text)
        record_id = id_of(self.sobject, key)
        if self.operation == "delete":
            self.records.delete(name, record_id, self.writer)
        else:
            self.edits.update(record_id, values)
        return record_id, False

    def _values(self, cells: Sequence[str]) -> dict[str, Any]:
        """What a row says, as it is kept; ids and the key of an upsert as they were sent."""
        values: dict[str, Any] = {}
        # Most cells of an update are empty.
        filled = zip(compress(self._reading, cells), filter(None, cells), strict=True)
        for (name, known, column), cell in filled:
            value = known.get(cell, UNREAD)
            values[name] = self._value(column, cell) if value is UNREAD else value
        return values

    def _value(self, column: Column, cell: str) -> Any:
        """What a cell says, kept for the rows below: most columns say few things. Raises RowRefused."""
        if cell == NULL:
            value = None
        elif column.by is not None and column.target is not None:
            value = self._referred(column, column.target, column.by, cell)
        else:
            value = _read(column, cell)
            if column.as_sent:
                return cell
        if len(column.known) < MOST_KNOWN:
            column.known[cell] = value
        return value

    def _taken(
        self, sobject: SObject, values: Mapping[str, Any], writer: Writer, /, *, creating: bool
    ) -> dict[str, Any]:
        """The columns of values that ``_values`` has read. Raises RowRefused."""
        check_names(sobject, values, writer, creating=creating)
        for column in self.flags:
            if values.get(column.name, "") is None:
                column.read(None)
        return dict(values)

    def _referred(self, column: Column, target: SObject, by: Field, cell: str) -> str:
        if cell not in column.missing:
            # The row before may have given somebody this address, or taken it from them.
            self.edits.keep()
            found = self.records.matching(target.name, by, cell)
            if len(found) == 1:
                return found[0]
            column.missing.add(cell)
        text = f"Foreign key external ID: {cell} not found for field {by.name} in entity {target.name}"
        raise RowRefused("INVALID_FIELD", text)


def _read(column: Column, cell: str) -> Any:
    """A cell as it is kept. Raises RowRefused where it cannot be one of its field's type."""
    kind = column.field.type
    try:
        return column.read(BOOLEANS.get(cell.lower(), cell) if kind == "boolean" else cell)
    except Refusal:
        kind = {"datetime": "dateTime", "int": "int"}.get(kind, kind)
        kind = "double" if kind in NUMBERS and kind != "int" else kind
        text = f"Failed to deserialize field at col {column.place}. Due to, '{cell}' is not a valid value for the type"
        raise RowRefused("INVALID_FIELD", f"{text} xsd:{kind}", [column.name]) from None
