"""Reading records: page by page, by id, by a field's values."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import orjson
import polars as pl

from connectors.crm import Expected, Slab, Window
from connectors.errors import NeedsPerson, RecordRefused, RetryLater
from connectors.salesforce import soql
from connectors.salesforce.bulk.extract import Extract, fits
from connectors.salesforce.bulk.jobs import NotInBulk
from connectors.salesforce.calls import Calls, listed
from connectors.salesforce.errors import CRM, LocatorGone
from connectors.salesforce.ids import eighteen, may_exist
from connectors.salesforce.rows import DELETED, ID, MODIFIED, Layout, Page, Shape, shape, slabs
from connectors.salesforce.schema import Described, Schemas

_log = logging.getLogger(__name__)

#: Records of one collections read (Salesforce reference, section 4).
READ_AT_ONCE = 2_000

#: How often a result may be lost without a new record in between before the reading is left to a later try.
LOST_AT_ONE_PLACE = 3

Pages = Iterator[Sequence[Any]]


class Reading:
    """Reads records of one organisation. Everything is lazy: a page is asked for when the last was taken.

    ``extract`` reads what has more than ``bulk_from_rows`` records; None for neither.
    """

    def __init__(
        self,
        calls: Calls,
        schemas: Schemas,
        extract: Extract | None = None,
        bulk_from_rows: int | None = None,
    ) -> None:
        self._calls = calls
        self._schemas = schemas
        self._extract = extract
        self._bulk_from_rows = bulk_from_rows

    def wanted(self, object_name: str, fields: Sequence[str]) -> Shape:
        """What can be read of ``fields``. Raises NeedsPerson where the object is not visible."""
        return shape(self._schemas.of(object_name), fields, self._schemas.of)

    def changed(self, wanted: Shape, since: datetime | None, settled: datetime) -> Iterator[Slab]:
        """Every record whose SystemModstamp is ``since`` or later, deleted ones too; all records when None.

        ``settled``: what has this stamp or an earlier one was there to be seen before the reading began.
        A place in the result that Salesforce no longer knows is asked for again by a condition. An object
        without a SystemModstamp is read whole. Raises NeedsPerson where a field has gone since it was
        described; the next reading describes anew.
        """
        try:
            yield from self._changed(wanted, since, settled)
        except NeedsPerson as error:
            if error.code == "INVALID_FIELD":
                self._schemas.forget(wanted.object_name)
            raise

    def _changed(self, wanted: Shape, since: datetime | None, settled: datetime) -> Iterator[Slab]:
        layout, names = Layout(wanted), wanted.names
        narrow = _narrow(wanted)
        # More names than an address holds: ask who changed, then read the values with a request body.
        asked = names if narrow else list(wanted.system)
        by_id = since is None or MODIFIED not in wanted.system
        ask = self._by_place(layout, asked) if by_id else self._by_stamp(layout, asked, since or settled)
        first = ask(None)
        if self._is_large(wanted, first):
            try:
                yield from self._in_bulk(wanted, None if by_id else since)
                return
            except NotInBulk as refused:
                _log.warning("%s is read page by page: bulk says %s", wanted.object_name, refused)
        pages = self._pages(layout, ask, first, None if by_id else settled)
        rows = (layout.rows(page) for page in pages) if narrow else self._values_of(wanted, layout, pages)
        yield from slabs(wanted, rows)

    def created(self, wanted: Shape, window: Window) -> Iterator[Slab]:
        """Every record created within a window that is not deleted, in the order of the ids."""
        layout, where = Layout(wanted), soql.created_within(window.start, window.end)
        narrow = _narrow(wanted)
        ask = self._by_place(layout, wanted.names if narrow else list(wanted.system), where)
        pages = self._pages(layout, ask, ask(None), None)
        yield from slabs(
            wanted,
            (layout.rows(page) for page in pages) if narrow else self._values_of(wanted, layout, pages),
        )

    def expected(self, wanted: Shape, window: Window) -> Expected:
        """By one COUNT() (Salesforce reference, section 3), and the pages of 2,000 records that it makes."""
        where = soql.created_within(window.start, window.end)
        page = self._calls.query(soql.count(wanted.object_name, where), decode=Layout(wanted).page)
        found = -(-page.total // READ_AT_ONCE)
        return Expected(page.total, found if _narrow(wanted) else 2 * found)

    def _values_of(self, wanted: Shape, layout: Layout, pages: Pages) -> Iterator[pl.DataFrame]:
        """The whole records of pages that hold only who changed."""
        for page in pages:
            gone = [record for record in page if record.deleted is True]
            if gone:
                yield layout.rows(gone)
            yield from self._by_id(wanted, [record.id for record in page if record.deleted is not True])

    def _is_large(self, wanted: Shape, first: Page) -> bool:
        """Whether a query job is the better way; the first page says how many records there are."""
        most = self._bulk_from_rows
        return most is not None and first.total > most and fits(wanted)

    def _in_bulk(self, wanted: Shape, since: datetime | None) -> Iterator[Slab]:
        """The same records by a query job. Raises NotInBulk before the first slab."""
        if self._extract is None:
            raise NotInBulk
        where = f"SystemModstamp >= {soql.moment(since)}" if since is not None else ""
        query = soql.select(wanted.object_name, wanted.names, where)
        deleted_too = since is not None and DELETED in wanted.system
        yield from self._extract.slabs(wanted, query, deleted_too=deleted_too)

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
    ) -> Iterator[pl.DataFrame]:
        literals = [soql.literal(described.types[where], value) for value in dict.fromkeys(values) if value]
        layout = Layout(wanted)
        seen: set[str] = set()
        for page in self._in_chunks(layout, where, [item for item in literals if item is not None]):
            # Compared without case, "A@x" and "a@x" in two chunks lead to one record.
            fresh = [record for record in page if record.id not in seen]
            seen.update(record.id for record in fresh)
            if fresh:
                yield layout.rows(fresh)

    def _by_id(self, wanted: Shape, ids: Sequence[str]) -> Iterator[pl.DataFrame]:
        layout = Layout(wanted)
        if wanted.crosses:
            for page in self._in_chunks(layout, ID, [soql.text(record_id) for record_id in ids]):
                yield layout.rows(page)
            return
        for some in batches(ids, READ_AT_ONCE):
            found = [record for record in self._some(layout, some) if record is not None]
            if found:
                yield layout.rows(found)

    def stored(
        self, object_name: str, fields: Sequence[str], asked: Mapping[str, Iterable[str]]
    ) -> Iterator[tuple[str, Mapping[str, str | None]]]:
        """Each record that is there, by its id, with the fields it is ``asked`` for as text.

        ``asked``: ids (18 characters), each with some of ``fields``; all of these are read.
        """
        layout = Layout(self.wanted(object_name, fields))
        for some in batches(list(asked), READ_AT_ONCE):
            for record in self._some(layout, some):
                if record is not None:
                    record_id = eighteen(record.id)
                    yield record_id, layout.held(record, asked.get(record_id, ()))

    def _some(self, layout: Layout, ids: Sequence[str]) -> list[Any]:
        """One collections read: a record or None for each id, in their order.

        Where Salesforce refuses the whole call because of one id, that one is found and leads nowhere.
        """
        path = f"composite/sobjects/{layout.wanted.object_name}"
        body = orjson.dumps({"ids": list(ids), "fields": layout.wanted.names})
        try:
            answer = self._calls.send("POST", path, body, repeatable=True, headers={}, decode=layout.some)
        except RecordRefused:
            middle = len(ids) // 2
            if not middle:
                return [None]
            return self._some(layout, ids[:middle]) + self._some(layout, ids[middle:])
        return listed(answer, path)

    def _in_chunks(self, layout: Layout, where: str, literals: Sequence[str]) -> Pages:
        select = soql.select(layout.wanted.object_name, layout.wanted.names)
        for query in soql.in_chunks(f"{select} WHERE {where}", literals):
            page: Page = self._calls.query(query, decode=layout.page)
            yield page.records
            while not page.done:
                page = self._calls.more(str(page.next_url), layout.page)
                yield page.records

    def _pages(
        self, layout: Layout, ask: Callable[[Any], Page], first: Page, settled: datetime | None
    ) -> Pages:
        """Pages in a fixed order, so that reading can go on behind a record without the locator.

        ``settled`` None: the order is that of the ids, which no change moves.
        """
        page = first
        last: Any = None
        lost = 0
        while True:
            if page.records:
                place = page.records[-1] if settled is None else _last_settled(page.records, settled)
                last, lost = (place, 0) if place is not None else (last, lost)
                yield page.records
            if page.done:
                return
            try:
                page = self._calls.more(str(page.next_url), layout.page)
            except LocatorGone as gone:
                lost += 1
                if lost > LOST_AT_ONE_PLACE:
                    raise RetryLater("salesforce: a result is lost again and again", crm=CRM) from gone
                page = ask(last)

    def _by_place(self, layout: Layout, names: Sequence[str], where: str = "") -> Callable[[Any], Page]:
        query = soql.everything(layout.wanted.object_name, names, where)
        return lambda last: self._calls.query(query(last.id if last else None), decode=layout.page)

    def _by_stamp(self, layout: Layout, names: Sequence[str], since: datetime) -> Callable[[Any], Page]:
        query = soql.changed_since(layout.wanted.object_name, names, since)
        # Deleted records change too, and only this way they are seen (Salesforce reference, section 6).
        deleted_too = DELETED in layout.wanted.system
        return lambda last: self._calls.query(
            query((last.modified, last.id) if last else None), deleted_too=deleted_too, decode=layout.page
        )


def _narrow(wanted: Shape) -> bool:
    """Whether an address holds a query that names every field, a condition included."""
    return soql.encoded_bytes(soql.select(wanted.object_name, wanted.names)) <= soql.QUERY_BYTES - 500


def _last_settled(records: Sequence[Any], settled: datetime) -> Any:
    """The last record that has not changed since the reading began, None where each has.

    A page holds records as they are when it is sent, in the order they had when the query ran. Going on
    behind a record that changed in between would pass over those that stood between its two stamps.
    """
    # The spelling of every stamp on the wire (Salesforce reference, section 2), so that texts compare.
    limit = settled.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000+0000")
    return next((record for record in reversed(records) if record.modified <= limit), None)


def batches(items: Sequence[str], most: int) -> Iterator[list[str]]:
    """``items`` in order, at most ``most`` at a time."""
    rest = iter(items)
    while some := list(islice(rest, most)):
        yield some
