"""Reading records: page by page, by id, by a field's values."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

import orjson

from connectors.crm import Slab
from connectors.errors import NeedsPerson
from connectors.salesforce import soql
from connectors.salesforce.calls import Calls, listed
from connectors.salesforce.errors import CRM, LocatorGone
from connectors.salesforce.ids import eighteen, may_exist
from connectors.salesforce.rows import DELETED, ID, MODIFIED, Record, Shape, rows, shape, slabs
from connectors.salesforce.schema import Described, Schemas
from connectors.slabs import Rows

#: Records of one collections read (Salesforce reference, section 4).
READ_AT_ONCE = 2_000

Pages = Iterator[list[dict[str, Any]]]


class Reading:
    """Reads records of one organisation. Everything is lazy: a page is asked for when the last was taken."""

    def __init__(self, calls: Calls, schemas: Schemas) -> None:
        self._calls = calls
        self._schemas = schemas

    def wanted(self, object_name: str, fields: Sequence[str]) -> Shape:
        """What can be read of ``fields``. Raises NeedsPerson where the object is not visible."""
        return shape(self._schemas.of(object_name), fields, self._schemas.of)

    def changed(self, wanted: Shape, since: datetime | None) -> Iterator[Slab]:
        """Every record whose SystemModstamp is ``since`` or later, deleted ones too; all records when None.

        A place in the result that Salesforce no longer knows is asked for again by a condition.
        """
        return slabs(wanted, self._changed(wanted, since))

    def _changed(self, wanted: Shape, since: datetime | None) -> Iterator[Rows]:
        names = wanted.names
        if soql.encoded_bytes(soql.select(wanted.object_name, names)) <= soql.QUERY_BYTES - 500:
            for page in self._pages(wanted, names, since):
                yield rows(wanted, page)
            return
        # More names than an address holds: ask who changed, then read the values with a request body.
        for page in self._pages(wanted, list(wanted.system), since):
            gone = [record for record in page if record.get(DELETED)]
            if gone:
                yield rows(wanted, gone)
            yield from self._by_id(wanted, [record[ID] for record in page if not record.get(DELETED)])

    def fetch(self, wanted: Shape, ids: Sequence[str]) -> Iterator[Slab]:
        """The records of these ids that are there and visible to us."""
        prefix = self._schemas.of(wanted.object_name).key_prefix
        whole = dict.fromkeys(eighteen(record_id) for record_id in ids)
        return slabs(wanted, self._by_id(wanted, [one for one in whole if may_exist(one, prefix)]))

    def find(self, wanted: Shape, where: str, values: Sequence[str]) -> Iterator[Slab]:
        """The records whose field ``where`` has one of the values, each record once."""
        described = self._schemas.of(wanted.object_name)
        if not described.has(where):
            raise NeedsPerson(
                f"salesforce: {wanted.object_name} has no field {soql.shown(where)} that is visible to us",
                crm=CRM,
                code="INVALID_FIELD",
                fix="create the field, or give the integration user read access to it",
            )
        return slabs(wanted, self._found(wanted, described, where, values))

    def _found(
        self, wanted: Shape, described: Described, where: str, values: Sequence[str]
    ) -> Iterator[Rows]:
        literals = [soql.literal(described.types[where], value) for value in dict.fromkeys(values) if value]
        seen: set[str] = set()
        for page in self._in_chunks(wanted, where, [item for item in literals if item is not None]):
            # Compared without case, "A@x" and "a@x" in two chunks lead to one record.
            fresh = [record for record in page if record[ID] not in seen]
            seen.update(record[ID] for record in fresh)
            if fresh:
                yield rows(wanted, fresh)

    def _by_id(self, wanted: Shape, ids: Sequence[str]) -> Iterator[Rows]:
        if wanted.crosses:
            for page in self._in_chunks(wanted, ID, [f"'{record_id}'" for record_id in ids]):
                yield rows(wanted, page)
            return
        for some in batches(ids, READ_AT_ONCE):
            records = self.records(wanted.object_name, some, wanted.names)
            found = [record for record in records if record is not None]
            if found:
                yield rows(wanted, found)

    def records(
        self, object_name: str, ids: Sequence[str], names: Sequence[str]
    ) -> list[dict[str, Any] | None]:
        """One collections read of at most 2,000 ids: a record or None for each, in their order."""
        path = f"composite/sobjects/{object_name}"
        body = orjson.dumps({"ids": list(ids), "fields": list(names)})
        return listed(self._calls.send("POST", path, body, repeatable=True, headers={}), path)

    def _in_chunks(self, wanted: Shape, where: str, literals: Sequence[str]) -> Pages:
        select = soql.select(wanted.object_name, wanted.names)
        for query in soql.in_chunks(f"{select} WHERE {where}", literals):
            page = self._calls.query(query)
            yield page["records"]
            while not page["done"]:
                page = self._calls.more(page["nextRecordsUrl"])
                yield page["records"]

    def _pages(self, wanted: Shape, names: Sequence[str], since: datetime | None) -> Pages:
        """Pages in a fixed order, so that reading can go on behind any record without the locator."""
        ask = self._asker(wanted, names, since)
        page = ask(None)
        last: Record | None = None
        while True:
            records = page["records"]
            if records:
                last = records[-1]
                yield records
            if page["done"]:
                return
            try:
                page = self._calls.more(page["nextRecordsUrl"])
            except LocatorGone:
                page = ask(last)

    def _asker(
        self, wanted: Shape, names: Sequence[str], since: datetime | None
    ) -> Callable[[Record | None], dict[str, Any]]:
        if since is None or MODIFIED not in wanted.system:
            query = soql.everything(wanted.object_name, names)
            return lambda last: self._calls.query(query(last[ID] if last else None))
        changed = soql.changed_since(wanted.object_name, names, since)
        # Deleted records change too, and only this way they are seen (Salesforce reference, section 6).
        deleted_too = DELETED in wanted.system
        return lambda last: self._calls.query(
            changed((last[MODIFIED], last[ID]) if last else None), deleted_too=deleted_too
        )


def batches(items: Sequence[str], most: int) -> Iterator[list[str]]:
    """``items`` in order, at most ``most`` at a time."""
    rest = iter(items)
    while some := list(islice(rest, most)):
        yield some
